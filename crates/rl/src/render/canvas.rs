//! Scenes as pixels.

use super::{Color, Form, Point, Scene};

pub(super) const BACKGROUND: Color = [255, 255, 255];

/// Samples along each side of a pixel.
const SAMPLES: usize = 4;

/// Pixels, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Canvas {
    /// Pixels in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue of each pixel.
    pub pixels: Vec<Color>,
}

impl Canvas {
    /// Draws a scene as large as it fits, with its own aspect ratio.
    pub fn new(scene: &Scene, width: usize, height: usize) -> Self {
        let mut canvas = Self {
            width,
            height,
            pixels: vec![BACKGROUND; width * height],
        };
        let [x, y] = [scene.x, scene.y].map(|[low, high]| (low, high - low));
        let scale = (width as f64 / x.1).min(height as f64 / y.1);
        // Centered.
        let left = (width as f64 - scale * x.1) / 2.0;
        let bottom = (height as f64 - scale * y.1) / 2.0;
        let position = |[at_x, at_y]: Point| {
            [
                left + (at_x - x.0) * scale,
                height as f64 - bottom - (at_y - y.0) * scale,
            ]
        };
        for shape in &scene.shapes {
            match &shape.form {
                Form::Circle { center, radius } => {
                    canvas.stroke([position(*center); 2], radius * scale, shape.color);
                }
                Form::Line { from, to, width } => {
                    let ends = [position(*from), position(*to)];
                    canvas.stroke(ends, width * scale / 2.0, shape.color);
                }
                Form::Polygon(corners) => {
                    let corners: Vec<Point> = corners.iter().copied().map(position).collect();
                    canvas.polygon(&corners, shape.color);
                }
            }
        }
        canvas
    }

    /// Everything within `radius` of the line between two points.
    fn stroke(&mut self, ends: [Point; 2], radius: f64, color: Color) {
        // A thinner line would be a row of dots.
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

    /// Blends a color over the pixels near `points`, by the share of each that is `inside`.
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
            // `as` saturates.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{DARK, ORANGE, Shape};

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
        let canvas = Canvas::new(&scene(), 40, 20);
        let at = |x: usize, y: usize| canvas.pixels[y * 40 + x];
        assert_eq!(at(30, 10), ORANGE);
        assert_eq!(at(10, 10), DARK);
        assert_eq!(at(1, 1), BACKGROUND);
        // In a frame of other proportions nothing is stretched.
        let tall = Canvas::new(&scene(), 40, 40);
        assert_eq!(tall.pixels[20 * 40 + 30], ORANGE);
        assert_eq!(tall.pixels[5 * 40 + 30], BACKGROUND);
    }
}
