//! From a scene to pixels, and from frames to an animated GIF.

use std::collections::HashMap;
use std::io::Write;

use tinderbox_rl::render::{BLUE, Color, DARK, Form, GREEN, GREY, ORANGE, Point, Scene};

const BACKGROUND: Color = [255, 255, 255];

/// Samples along each side of a pixel.
const SAMPLES: usize = 4;

/// Steps between two colours on the palette of a GIF.
const SHADES: u16 = 16;

/// Pixels, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Color>,
}

impl Canvas {
    /// Draws a scene as large as it fits, in its own proportions.
    pub(crate) fn new(scene: &Scene, width: usize, height: usize) -> Self {
        let mut picture = Self {
            width,
            height,
            pixels: vec![BACKGROUND; width * height],
        };
        let [x, y] = [scene.x, scene.y].map(|[low, high]| (low, high - low));
        let scale = (width as f64 / x.1).min(height as f64 / y.1);
        // What is left over is shared by both sides.
        let left = (width as f64 - scale * x.1) / 2.0;
        let bottom = (height as f64 - scale * y.1) / 2.0;
        let place = |[at_x, at_y]: Point| {
            [
                left + (at_x - x.0) * scale,
                height as f64 - bottom - (at_y - y.0) * scale,
            ]
        };
        for shape in &scene.shapes {
            match &shape.form {
                Form::Circle { centre, radius } => {
                    picture.stroke([place(*centre); 2], radius * scale, shape.color);
                }
                Form::Line { from, to, width } => {
                    let ends = [place(*from), place(*to)];
                    picture.stroke(ends, width * scale / 2.0, shape.color);
                }
                Form::Polygon(corners) => {
                    let corners: Vec<Point> = corners.iter().copied().map(place).collect();
                    picture.polygon(&corners, shape.color);
                }
            }
        }
        picture
    }

    /// Everything within `radius` of the line between two points.
    fn stroke(&mut self, ends: [Point; 2], radius: f64, color: Color) {
        // Thinner than a pixel would be a row of dots.
        let radius = radius.max(0.5);
        let [from, to] = ends;
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0] * along[0] + along[1] * along[1];
        self.fill(&ends, radius, color, |[x, y]| {
            let share = if length > 0.0 {
                ((x - from[0]) * along[0] + (y - from[1]) * along[1]) / length
            } else {
                0.0
            };
            let share = share.clamp(0.0, 1.0);
            let (dx, dy) = (
                x - from[0] - share * along[0],
                y - from[1] - share * along[1],
            );
            dx * dx + dy * dy <= radius * radius
        });
    }

    fn polygon(&mut self, corners: &[Point], color: Color) {
        self.fill(corners, 0.0, color, |[x, y]| {
            let mut sides = corners.iter().zip(corners.iter().cycle().skip(1));
            // On the same side of every edge.
            let side = |(from, to): (&Point, &Point)| {
                (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0])
            };
            let mut signs = (false, false);
            sides.all(|edge| {
                let side = side(edge);
                signs = (signs.0 || side > 0.0, signs.1 || side < 0.0);
                !(signs.0 && signs.1)
            })
        });
    }

    /// Blends a colour over the pixels near `points`, by how much of each is `inside`.
    fn fill(
        &mut self,
        points: &[Point],
        margin: f64,
        color: Color,
        inside: impl Fn(Point) -> bool,
    ) {
        let range = |axis: usize, size: usize| {
            let values = points.iter().map(|point| point[axis]);
            let low = values.clone().fold(f64::INFINITY, f64::min) - margin;
            let high = values.fold(f64::NEG_INFINITY, f64::max) + margin;
            // `as` keeps to the range of integers.
            (low.floor().max(0.0) as usize)..(high.ceil().max(0.0) as usize).min(size)
        };
        for row in range(1, self.height) {
            for column in range(0, self.width) {
                let part = |index: usize| (index as f64 + 0.5) / SAMPLES as f64;
                let samples = (0..SAMPLES * SAMPLES).filter(|index| {
                    let x = column as f64 + part(index % SAMPLES);
                    let y = row as f64 + part(index / SAMPLES);
                    inside([x, y])
                });
                let share = samples.count() as f64 / (SAMPLES * SAMPLES) as f64;
                let pixel = &mut self.pixels[row * self.width + column];
                for (old, new) in pixel.iter_mut().zip(color) {
                    let mixed = f64::from(*old) * (1.0 - share) + f64::from(new) * share;
                    *old = mixed.round() as u8;
                }
            }
        }
    }
}

/// Writes frames of one size as an animation that repeats for ever.
pub(crate) struct Gif<W: Write> {
    encoder: gif::Encoder<W>,
    palette: Vec<Color>,
    nearest: HashMap<Color, u8>,
    /// Time for a frame, in units of 10 ms.
    delay: u16,
}

impl<W: Write> Gif<W> {
    pub(crate) fn new(
        out: W,
        width: u16,
        height: u16,
        frame_s: f64,
    ) -> Result<Self, gif::EncodingError> {
        // The scenes' colours, and their edges over the background and over each other.
        let colors = [BACKGROUND, DARK, GREY, ORANGE, BLUE, GREEN];
        let mut palette = Vec::new();
        for (index, from) in colors.iter().enumerate() {
            for to in &colors[index..] {
                let steps = if index == 0 { SHADES } else { SHADES / 2 };
                palette.extend((0..=steps).map(|step| mix(*from, *to, step, steps)));
            }
        }
        palette.sort_unstable();
        palette.dedup();
        palette.truncate(256);
        let mut encoder = gif::Encoder::new(out, width, height, palette.as_flattened())?;
        encoder.set_repeat(gif::Repeat::Infinite)?;
        Ok(Self {
            encoder,
            palette,
            nearest: HashMap::new(),
            // Browsers slow down what is faster than 20 ms.
            delay: ((frame_s * 100.0).round() as u16).max(2),
        })
    }

    pub(crate) fn frame(&mut self, picture: &Canvas) -> Result<(), gif::EncodingError> {
        let indices: Vec<u8> = picture
            .pixels
            .iter()
            .map(|color| {
                let palette = &self.palette;
                let find = || nearest(palette, *color);
                *self.nearest.entry(*color).or_insert_with(find)
            })
            .collect();
        let size = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
        let (width, height) = (size(picture.width), size(picture.height));
        let mut frame = gif::Frame::from_indexed_pixels(width, height, indices, None);
        frame.delay = self.delay;
        self.encoder.write_frame(&frame)
    }
}

fn mix(from: Color, to: Color, step: u16, steps: u16) -> Color {
    let mut mixed = [0; 3];
    for (mixed, (from, to)) in mixed.iter_mut().zip(from.into_iter().zip(to)) {
        let sum = u16::from(from) * (steps - step) + u16::from(to) * step;
        *mixed = (sum / steps) as u8;
    }
    mixed
}

fn nearest(palette: &[Color], color: Color) -> u8 {
    let distance = |other: &Color| {
        let parts = color.iter().zip(other);
        parts
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum::<u32>()
    };
    let indices = 0..palette.len();
    let best = indices.min_by_key(|&index| distance(&palette[index]));
    best.unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_rl::render::Shape;

    fn scene() -> Scene {
        Scene {
            x: [-1.0, 1.0],
            y: [0.0, 1.0],
            shapes: vec![
                Shape::rectangle([0.5, 0.5], [1.0, 1.0], 0.0, ORANGE),
                Shape::circle([-0.5, 0.5], 0.25, DARK),
            ],
        }
    }

    #[test]
    fn shapes_stand_where_they_should_with_the_upper_side_up() {
        let picture = Canvas::new(&scene(), 40, 20);
        let at = |x: usize, y: usize| picture.pixels[y * 40 + x];
        assert_eq!(at(30, 10), ORANGE);
        assert_eq!(at(10, 10), DARK);
        assert_eq!(at(1, 1), BACKGROUND);
        // In a frame of other proportions nothing is stretched.
        let tall = Canvas::new(&scene(), 40, 40);
        assert_eq!(tall.pixels[20 * 40 + 30], ORANGE);
        assert_eq!(tall.pixels[5 * 40 + 30], BACKGROUND);
    }

    #[test]
    fn a_gif_begins_as_one_and_grows_with_its_frames() {
        let picture = Canvas::new(&scene(), 40, 20);
        let mut bytes = Vec::new();
        let mut gif = Gif::new(&mut bytes, 40, 20, 0.02).unwrap();
        gif.frame(&picture).unwrap();
        gif.frame(&picture).unwrap();
        drop(gif);
        let mut reader = gif::DecodeOptions::new().read_info(&bytes[..]).unwrap();
        let mut frames = 0;
        while let Some(frame) = reader.read_next_frame().unwrap() {
            assert_eq!((frame.width, frame.height, frame.delay), (40, 20, 2));
            frames += 1;
        }
        assert_eq!(frames, 2);
    }
}
