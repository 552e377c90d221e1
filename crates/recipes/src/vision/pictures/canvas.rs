//! Pixels to draw on.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use tinderbox_datasets::image::Image;

/// Red, green and blue.
pub type Color = [u8; 3];

/// The colors of all pictures: the qualitative palette of Okabe and Ito, *Color Universal Design*, 2008,
/// <https://jfly.uni-koeln.de/color/>, which is told apart with every kind of color vision.
pub mod color {
    use super::Color;

    /// Background.
    pub const WHITE: Color = [255, 255, 255];
    /// Text.
    pub const BLACK: Color = [20, 20, 20];
    /// Axes and less important text.
    pub const GRAY: Color = [105, 105, 105];
    /// Grid lines and frames.
    pub const LIGHT: Color = [222, 222, 222];
    /// First curve, and what is right.
    pub const BLUE: Color = [0, 114, 178];
    /// Second curve, and what is wrong.
    pub const VERMILION: Color = [213, 94, 0];
    /// Third curve.
    pub const GREEN: Color = [0, 158, 115];
    /// Fourth curve.
    pub const PURPLE: Color = [204, 121, 167];
    /// Fifth curve.
    pub const SKY_BLUE: Color = [86, 180, 233];
    /// Sixth curve.
    pub const ORANGE: Color = [230, 159, 0];
    /// On photos only: it cannot be seen on white.
    pub const YELLOW: Color = [240, 228, 66];
    /// Curves, in their order.
    pub const CURVES: [Color; 6] = [BLUE, VERMILION, GREEN, PURPLE, SKY_BLUE, ORANGE];
    /// Classes on photos, in their order.
    const CLASSES: [Color; 7] = [VERMILION, BLUE, GREEN, PURPLE, YELLOW, SKY_BLUE, ORANGE];

    /// The color of a class on photos; the colors repeat from the eighth class on.
    pub fn of_class(class: usize) -> Color {
        CLASSES[class % CLASSES.len()]
    }
}

/// Pixels, row by row from the top.
///
/// What is drawn outside of it is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Pixels in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue of each pixel.
    pub pixels: Vec<u8>,
}

impl Canvas {
    /// A white canvas.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![255; width * height * 3],
        }
    }

    /// An image, gray or in color, as large as it is.
    pub fn of(image: &Image) -> Self {
        let pixels = if image.channels == 3 {
            image.pixels.clone()
        } else {
            let gray = image.pixels.iter().step_by(image.channels.max(1));
            gray.flat_map(|&value| [value; 3]).collect()
        };
        Self {
            width: image.width,
            height: image.height,
            pixels,
        }
    }

    /// The color of a pixel.
    ///
    /// # Panics
    ///
    /// If there is no such pixel.
    pub fn pixel(&self, x: usize, y: usize) -> Color {
        let at = (y * self.width + x) * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Mixes a color over a pixel, with the weight `cover` in `[0, 1]`.
    pub fn blend(&mut self, x: isize, y: isize, color: Color, cover: f32) {
        let inside = |at: isize, size: usize| usize::try_from(at).ok().filter(|&at| at < size);
        let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) else {
            return;
        };
        let at = (y * self.width + x) * 3;
        for (old, new) in self.pixels[at..at + 3].iter_mut().zip(color) {
            let mixed = f32::from(*old) + cover * (f32::from(new) - f32::from(*old));
            *old = mixed.round() as u8;
        }
    }

    /// Fills a box.
    pub fn fill(&mut self, x: isize, y: isize, width: usize, height: usize, color: Color) {
        for row in 0..height.cast_signed() {
            for column in 0..width.cast_signed() {
                self.blend(x + column, y + row, color, 1.0);
            }
        }
    }

    /// Draws the border of a box, `thickness` pixels wide, inside of it.
    pub fn frame(
        &mut self,
        [x, y]: [isize; 2],
        [width, height]: [usize; 2],
        thickness: usize,
        color: Color,
    ) {
        let (right, bottom) = (
            width.saturating_sub(thickness).cast_signed(),
            height.saturating_sub(thickness).cast_signed(),
        );
        self.fill(x, y, width, thickness, color);
        self.fill(x, y + bottom, width, thickness, color);
        self.fill(x, y, thickness, height, color);
        self.fill(x + right, y, thickness, height, color);
    }

    /// Draws a line of this width between two points, with smooth edges.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, color: Color) {
        let radius = width / 2.0;
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0] * along[0] + along[1] * along[1];
        let range = |axis: usize| {
            let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
            ((low - radius).floor() as isize - 1)..=((high + radius).ceil() as isize + 1)
        };
        for y in range(1) {
            for x in range(0) {
                let (dx, dy) = (x as f64 + 0.5 - from[0], y as f64 + 0.5 - from[1]);
                let share = if length > 0.0 {
                    ((dx * along[0] + dy * along[1]) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let (dx, dy) = (dx - share * along[0], dy - share * along[1]);
                let cover = (radius + 0.5 - dx.hypot(dy)).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.blend(x, y, color, cover as f32);
                }
            }
        }
    }

    /// Draws another canvas with its upper left corner at a point.
    pub fn paste(&mut self, x: usize, y: usize, other: &Self) {
        let columns = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let to = ((y + row) * self.width + x) * 3;
            let from = row * other.width * 3;
            self.pixels[to..to + columns * 3]
                .copy_from_slice(&other.pixels[from..from + columns * 3]);
        }
    }

    /// The same picture, as large as it fits into a square of `side` pixels.
    ///
    /// A small one is enlarged by a whole factor, so that its pixels stay visible as they are; a large one
    /// is averaged.
    pub fn fitted(&self, side: usize) -> Self {
        let longest = self.width.max(self.height).max(1);
        if longest <= side {
            return self.enlarged(side / longest);
        }
        let scaled = |length: usize| (length * side / longest).max(1);
        self.resized(scaled(self.width), scaled(self.height))
    }

    /// Each pixel as a square of `factor` pixels.
    pub(super) fn enlarged(&self, factor: usize) -> Self {
        let mut large = Self::new(self.width * factor, self.height * factor);
        for (at, pixel) in large.pixels.chunks_exact_mut(3).enumerate() {
            let (x, y) = (
                at % (self.width * factor) / factor,
                at / (self.width * factor) / factor,
            );
            pixel.copy_from_slice(&self.pixel(x, y));
        }
        large
    }

    /// The same picture in another size, interpolated bilinearly or, where it gets smaller, averaged.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let source =
            image::RgbImage::from_raw(self.width as u32, self.height as u32, self.pixels.clone());
        let Some(source) = source else {
            return Self::new(width, height);
        };
        let filter = image::imageops::FilterType::Triangle;
        let resized = image::imageops::resize(&source, width as u32, height as u32, filter);
        Self {
            width,
            height,
            pixels: resized.into_raw(),
        }
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// If it has no pixel, or more than the format allows.
    pub fn to_png(&self) -> Result<Vec<u8>, image::ImageError> {
        png(
            &self.pixels,
            self.width,
            self.height,
            ExtendedColorType::Rgb8,
        )
    }
}

/// Pixels as the bytes of a PNG file.
pub(crate) fn png(
    pixels: &[u8],
    width: usize,
    height: usize,
    color: ExtendedColorType,
) -> Result<Vec<u8>, image::ImageError> {
    let mut file = Cursor::new(Vec::new());
    let encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive);
    encoder.write_image(pixels, width as u32, height as u32, color)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_canvas_is_cut_off() {
        let mut canvas = Canvas::new(3, 2);
        canvas.fill(-5, -5, 6, 6, color::BLUE);
        canvas.line([-9.0, -9.0], [-4.0, -9.0], 2.0, color::BLACK);
        canvas.paste(2, 1, &Canvas::new(9, 9));
        canvas.paste(7, 7, &Canvas::new(9, 9));
        assert_eq!(canvas.pixel(0, 0), color::BLUE);
        assert_eq!(canvas.pixel(1, 0), color::WHITE);
    }

    #[test]
    fn a_small_picture_keeps_its_pixels_and_a_large_one_its_proportions() {
        let mut small = Canvas::new(2, 1);
        small.fill(1, 0, 1, 1, color::BLUE);
        let fitted = small.fitted(9);
        assert_eq!([fitted.width, fitted.height], [8, 4]);
        assert_eq!(
            [fitted.pixel(3, 3), fitted.pixel(4, 0)],
            [color::WHITE, color::BLUE]
        );
        let fitted = Canvas::new(400, 100).fitted(100);
        assert_eq!([fitted.width, fitted.height], [100, 25]);
        let thin = Canvas::new(30_000, 1).fitted(100);
        assert_eq!([thin.width, thin.height], [100, 1]);
    }

    #[test]
    fn a_png_is_read_as_it_was_drawn() {
        let mut canvas = Canvas::new(5, 4);
        canvas.frame([0, 0], [5, 4], 1, color::VERMILION);
        let bytes = canvas.to_png().unwrap();
        assert_eq!(bytes, canvas.to_png().unwrap());
        let read = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(read.into_raw(), canvas.pixels);
        assert!(Canvas::new(0, 4).to_png().is_err());
    }
}
