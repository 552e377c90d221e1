//! Animated GIF.

use std::collections::HashMap;
use std::io::Write;

use super::canvas::{BACKGROUND, Canvas};
use super::{BLUE, Color, DARK, GRAY, GREEN, ORANGE};

/// Steps between two colors of the palette.
const SHADES: u16 = 16;

/// Writes frames of one size as an animation that loops.
pub struct Gif<W: Write> {
    encoder: gif::Encoder<W>,
    palette: Vec<Color>,
    nearest: HashMap<Color, u8>,
    /// Time for a frame, in units of 10 ms.
    delay: u16,
}

impl<W: Write> Gif<W> {
    /// Starts an animation with `frame_s` seconds per frame.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn new(out: W, width: u16, height: u16, frame_s: f64) -> Result<Self, gif::EncodingError> {
        // The colors of the scenes, and those of their edges.
        let colors = [BACKGROUND, DARK, GRAY, ORANGE, BLUE, GREEN];
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
            // Browsers slow down frames shorter than 20 ms.
            delay: ((frame_s * 100.0).round() as u16).max(2),
        })
    }

    /// Appends a frame.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn frame(&mut self, canvas: &Canvas) -> Result<(), gif::EncodingError> {
        let indices: Vec<u8> = canvas
            .pixels
            .iter()
            .map(|color| {
                let palette = &self.palette;
                let find = || nearest(palette, *color);
                *self.nearest.entry(*color).or_insert_with(find)
            })
            .collect();
        let size = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
        let (width, height) = (size(canvas.width), size(canvas.height));
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
    use crate::render::{Scene, Shape};

    #[test]
    fn a_gif_begins_as_one_and_grows_with_its_frames() {
        let scene = Scene {
            x: [-1.0, 1.0],
            y: [0.0, 1.0],
            shapes: vec![Shape::circle([-0.5, 0.5], 0.25, DARK)],
        };
        let canvas = Canvas::new(&scene, 40, 20);
        let mut bytes = Vec::new();
        let mut gif = Gif::new(&mut bytes, 40, 20, 0.02).unwrap();
        gif.frame(&canvas).unwrap();
        gif.frame(&canvas).unwrap();
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
