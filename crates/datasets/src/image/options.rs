//! The size and form that images are decoded to.

use serde::{Deserialize, Serialize};

use super::ImageError;

/// Most pixels an image file may claim unless [`DecodeOptions::max_pixels`] says otherwise.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Longest side an image can be scaled to, in pixels.
pub const MAX_SIDE: usize = 16_384;

/// How an image of another shape is resized to the input size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scales each side on its own: nothing is lost, the aspect ratio changes.
    #[default]
    Stretch,
    /// Scales the shorter side and cuts both ends of the longer one: the aspect ratio is kept.
    Crop,
    /// Scales the longer side and fills the rest with the color of the border: the aspect ratio is
    /// kept and nothing is lost.
    Pad,
}

/// How the value of a pixel is computed from those of another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Antialiased bilinear in floating point. With [`Fit::Crop`] the center is cut out before it is
    /// scaled.
    #[default]
    Triangle,
    /// Antialiased bilinear, equal to Pillow's to the byte. With [`Fit::Crop`] the image is scaled before
    /// its center is cut out, as torchvision and timm do.
    Bilinear,
    /// Antialiased bicubic (a = -0.5), otherwise as `Bilinear`.
    Bicubic,
}

/// Which background the images of a network have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    /// Any: images are taken as they are.
    #[default]
    AsIs,
    /// Light marks on a dark background: an image whose border is lighter than its marks is inverted.
    DarkBackground,
    /// Dark marks on a light background: an image whose border is darker than its marks is inverted.
    LightBackground,
}

/// What a decoded image looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeOptions {
    /// Height of the result, in pixels.
    pub height: usize,
    /// Width of the result, in pixels.
    pub width: usize,
    /// Values per pixel: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// How another shape is resized to this size.
    #[serde(default)]
    pub fit: Fit,
    /// How pixels of another size are computed.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Part of the height and width that a cut of the center keeps, in `(0, 1]`: the image is scaled to
    /// `floor(size / crop)` first. It is `crop_pct` of timm: with [`Fit::Crop`] its crop mode `center`, with
    /// [`Fit::Stretch`] its `squash`. Below 1 it needs another interpolation than
    /// [`Interpolation::Triangle`].
    #[serde(default = "whole")]
    pub crop: f64,
    /// Which background images are brought to.
    #[serde(default)]
    pub polarity: Polarity,
    /// Longest side of the ink, in pixels: an image of another size is cropped to its ink, which is
    /// scaled to this and centered, as the digits of MNIST are; 0 takes the whole image. Needs one
    /// channel.
    #[serde(default)]
    pub ink_size: usize,
    /// Most pixels a file may claim in its header.
    #[serde(default = "max_pixels")]
    pub max_pixels: u64,
}

fn whole() -> f64 {
    1.0
}

fn max_pixels() -> u64 {
    MAX_PIXELS
}

impl DecodeOptions {
    /// Asks for stretched images of this size and at most [`MAX_PIXELS`] in a file.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self {
            height,
            width,
            channels,
            fit: Fit::default(),
            interpolation: Interpolation::default(),
            crop: whole(),
            polarity: Polarity::default(),
            ink_size: 0,
            max_pixels: MAX_PIXELS,
        }
    }

    /// Checks the size and the number of channels.
    ///
    /// # Errors
    ///
    /// If `channels` is neither 1 nor 3, a side is not in `1..=16384`, the ink does not fit, or
    /// `crop` is out of range or needs another `interpolation` or `fit`.
    pub fn validate(&self) -> Result<(), ImageError> {
        if !matches!(self.channels, 1 | 3) {
            return Err(ImageError::Channels {
                channels: self.channels,
            });
        }
        for (key, side) in [("height", self.height), ("width", self.width)] {
            if !(1..=MAX_SIDE).contains(&side) {
                return Err(ImageError::Side { key, side });
            }
        }
        self.validate_crop()?;
        let most = if self.channels == 1 {
            self.height.min(self.width)
        } else {
            0
        };
        if self.ink_size > most {
            return Err(ImageError::InkSize {
                ink_size: self.ink_size,
                most,
            });
        }
        Ok(())
    }

    /// The part of an image of `[height, width]` pixels that becomes the result: its first row and column,
    /// then its height and width, in pixels of the image. With [`Fit::Pad`] it is larger than the image.
    ///
    /// Rounding to whole pixels is left out. `None` where it depends on the ink.
    pub fn source_region(&self, [height, width]: [usize; 2]) -> Option<[f64; 4]> {
        if self.ink_size > 0 && [height, width] != [self.height, self.width] {
            return None;
        }
        let (from, to) = (
            [height as f64, width as f64],
            [self.height as f64, self.width as f64],
        );
        let ratios = [from[0] / to[0], from[1] / to[1]];
        let scales = match self.fit {
            Fit::Stretch => ratios,
            Fit::Crop => [ratios[0].min(ratios[1]); 2],
            Fit::Pad => [ratios[0].max(ratios[1]); 2],
        };
        let size = [0, 1].map(|axis| to[axis] * scales[axis] * self.crop);
        let start = [0, 1].map(|axis| (from[axis] - size[axis]) / 2.0);
        Some([start[0], start[1], size[0], size[1]])
    }

    fn validate_crop(&self) -> Result<(), ImageError> {
        let crop = self.crop;
        let in_range = crop > 0.0 && crop <= 1.0;
        if !in_range || (self.height.max(self.width) as f64 / crop) > MAX_SIDE as f64 {
            return Err(ImageError::Crop { crop });
        }
        if crop < 1.0 && (self.interpolation == Interpolation::Triangle || self.fit == Fit::Pad) {
            return Err(ImageError::CropNeeds { crop });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_what_the_fit_keeps() {
        let region = |fit, crop| {
            let options = DecodeOptions {
                fit,
                crop,
                ..DecodeOptions::new(100, 100, 3)
            };
            // Whole numbers, so nothing is cut off.
            options
                .source_region([200, 400])
                .unwrap()
                .map(|value| value as i64)
        };
        assert_eq!(region(Fit::Stretch, 1.0), [0, 0, 200, 400]);
        assert_eq!(region(Fit::Crop, 1.0), [0, 100, 200, 200]);
        assert_eq!(region(Fit::Pad, 1.0), [-100, 0, 400, 400]);
        assert_eq!(region(Fit::Crop, 0.5), [50, 150, 100, 100]);
        let mut digits = DecodeOptions::new(28, 28, 1);
        digits.ink_size = 20;
        assert_eq!(digits.source_region([100, 100]), None);
        assert_eq!(digits.source_region([28, 28]), Some([0.0, 0.0, 28.0, 28.0]));
    }
}
