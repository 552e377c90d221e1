//! The GIF that is written.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbaImage};
use tinderbox_datasets::parallel_map;
use tinderbox_train::TaskError;

use crate::vision::pictures::Canvas;

/// Levels of red, green and blue of the palette: 252 colors, which every frame shares.
const LEVELS: [u16; 3] = [6, 7, 6];

/// Thresholds of ordered dithering (Bayer, 1973), 4x4.
const BAYER: [[u16; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Most frames per second: a GIF counts hundredths of a second, and programs slow down what is below two of them.
const MAX_FPS: f64 = 50.0;

/// A note on frames that follow each other too fast for a GIF.
pub(super) fn fps_note(fps: f64) -> Option<String> {
    (fps > MAX_FPS).then(|| {
        format!("a GIF has at most {MAX_FPS} frames per second: it plays slower than `--fps {fps}`")
    })
}

/// Writes frames of one size to a file that appears only when it is complete.
pub(super) struct GifWriter {
    path: PathBuf,
    partial: PathBuf,
    encoder: Option<GifEncoder<BufWriter<File>>>,
    size: Option<[usize; 2]>,
    delay: Delay,
}

impl GifWriter {
    pub(super) fn new(path: &Path, fps: f64) -> Result<Self, TaskError> {
        let mut writer = Self {
            path: path.to_owned(),
            partial: path.with_extension("gif.part"),
            encoder: None,
            size: None,
            delay: Delay::from_numer_denom_ms((1_000.0 / fps.min(MAX_FPS)).round() as u32, 1),
        };
        let file = File::create(&writer.partial).map_err(|error| writer.failed(&error))?;
        let mut encoder = GifEncoder::new_with_speed(BufWriter::new(file), 30);
        let repeated = encoder.set_repeat(Repeat::Infinite);
        repeated.map_err(|error| writer.failed(&error))?;
        writer.encoder = Some(encoder);
        Ok(writer)
    }

    /// Adds frames; those of another size than the first one are fitted into it.
    pub(super) fn add(&mut self, frames: Vec<Canvas>) -> Result<(), TaskError> {
        let Some(first) = frames.first() else {
            return Ok(());
        };
        let size = *self.size.get_or_insert([first.width, first.height]);
        let delay = self.delay;
        let frames = parallel_map(frames, |frame| {
            Frame::from_parts(indexed(&fitted(frame, size)), 0, 0, delay)
        });
        if let Some(encoder) = &mut self.encoder {
            let written = encoder.encode_frames(frames);
            written.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), TaskError> {
        // The encoder writes the end of the file when it is dropped.
        drop(self.encoder.take());
        std::fs::rename(&self.partial, &self.path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> TaskError {
        TaskError::user(format!("cannot write `{}`: {error}", self.path.display()))
    }
}

impl Drop for GifWriter {
    fn drop(&mut self) {
        // Nothing is left of a GIF that was not finished.
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// The frame in the size of the first one, on white.
fn fitted(frame: Canvas, [width, height]: [usize; 2]) -> Canvas {
    if [frame.width, frame.height] == [width, height] {
        return frame;
    }
    let scale = (width as f64 / frame.width as f64).min(height as f64 / frame.height as f64);
    let side = |side: usize, most: usize| ((side as f64 * scale).round() as usize).clamp(1, most);
    let small = frame.resized(side(frame.width, width), side(frame.height, height));
    let mut canvas = Canvas::new(width, height);
    canvas.paste(
        (width - small.width) / 2,
        (height - small.height) / 2,
        &small,
    );
    canvas
}

/// The frame in the colors of the palette, dithered, so that nothing has to be chosen from its colors.
fn indexed(frame: &Canvas) -> RgbaImage {
    let mut pixels = Vec::with_capacity(4 * frame.width * frame.height);
    for (row, values) in frame.pixels.chunks_exact(3 * frame.width).enumerate() {
        for (column, pixel) in values.chunks_exact(3).enumerate() {
            let threshold = BAYER[row % 4][column % 4];
            for (&value, levels) in pixel.iter().zip(LEVELS) {
                let steps = levels - 1;
                // 255 * 16 is a step, and the threshold rounds up or down.
                let level =
                    u32::from(u16::from(value) * steps * 16 + 255 * threshold + 127) / (255 * 16);
                pixels.push((level * 255 / u32::from(steps)).min(255) as u8);
            }
            pixels.push(255);
        }
    }
    let image = RgbaImage::from_raw(frame.width as u32, frame.height as u32, pixels);
    image.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn more_frames_than_a_gif_can_have_are_said() {
        assert_eq!((fps_note(50.0), fps_note(0.1)), (None, None));
        let note = fps_note(60.0).unwrap();
        assert!(
            note.contains("at most 50") && note.contains("`--fps 60`"),
            "{note}"
        );
    }

    #[test]
    fn the_palette_fits_a_gif_and_keeps_black_and_white() {
        let mut canvas = Canvas::new(64, 64);
        for (at, value) in canvas.pixels.iter_mut().enumerate() {
            *value = (at * 7919 % 256) as u8;
        }
        let colors: HashSet<[u8; 4]> = indexed(&canvas).pixels().map(|pixel| pixel.0).collect();
        assert!(colors.len() <= 252, "{}", colors.len());
        let white = indexed(&Canvas::new(4, 4));
        assert!(white.pixels().all(|pixel| pixel.0 == [255; 4]));
        let mut black = Canvas::new(4, 4);
        black.pixels.fill(0);
        assert!(
            indexed(&black)
                .pixels()
                .all(|pixel| pixel.0 == [0, 0, 0, 255])
        );
        let fitted = fitted(Canvas::new(10, 40), [20, 20]);
        assert_eq!([fitted.width, fitted.height], [20, 20]);
    }
}
