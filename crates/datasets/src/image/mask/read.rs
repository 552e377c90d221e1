//! Masks from image files.
//!
//! The values of a file are read as they are stored: a PNG with a palette gives its indices, gray of 1 to
//! 16 bits its numbers. What they mean is decided for a whole data set, see [`MaskValues`].

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{IGNORE, Mask};
use crate::image::decode::{check_complete, decode_picture, known_format};
use crate::image::{ImageError, check_bytes};

/// A pixel of a JPEG mask whose channels are farther apart than this is colored.
const GRAY_SPREAD: u8 = 48;

/// What the values of mask files mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskValues {
    /// Inferred from the values in all files of a data set; a note tells what was inferred.
    #[default]
    Auto,
    /// A value is a class; the largest value that the format can store, such as 255, is not labeled.
    Classes,
    /// Above half of the largest value, as in 127 of 255, is class 1; the rest is class 0.
    Threshold,
}

/// Where the values of a mask are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawSource {
    /// Gray values, or color channels that are equal.
    Gray,
    /// The indices of a palette.
    Palette,
    /// How opaque a pixel is.
    Alpha,
    /// A JPEG: close to what was stored.
    Lossy,
}

/// The values of a mask file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMask {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The values `[height, width]`.
    pub values: Vec<u16>,
    /// The largest value that the format can store, such as 255.
    pub largest: u16,
    /// Where they are from.
    pub source: RawSource,
}

/// Errors of reading a mask.
#[derive(Debug, Error)]
pub enum MaskFileError {
    /// The file cannot be read or decoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A PNG is damaged.
    #[error("the mask `{}` is damaged", path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: png::DecodingError,
    },
    /// The mask has colors that stand for classes.
    #[error(
        "the mask `{}` has colors; expected gray values, a palette or transparency (save it with a palette or \
         with one gray value per class)",
        path.display()
    )]
    Colored {
        /// The file.
        path: PathBuf,
    },
}

impl RawMask {
    /// The mask, if values are classes or are to be compared with a threshold; [`MaskValues::Auto`] is
    /// decided from this file alone.
    pub fn to_mask(&self, values: MaskValues) -> Mask {
        let values = match values {
            MaskValues::Auto if self.is_binary() => MaskValues::Threshold,
            other => other,
        };
        let class = |&value: &u16| match values {
            MaskValues::Threshold => u16::from(value > self.largest / 2),
            _ if value == self.largest && self.largest >= 255 => IGNORE,
            _ => value,
        };
        Mask {
            height: self.height,
            width: self.width,
            classes: self.values.iter().map(class).collect(),
        }
    }

    /// Whether the values can only be background and foreground: JPEG, transparency, or gray values of
    /// which only the smallest and the largest occur.
    pub fn is_binary(&self) -> bool {
        match self.source {
            RawSource::Alpha | RawSource::Lossy => true,
            RawSource::Palette => false,
            RawSource::Gray => {
                let ends = |value: &u16| *value == 0 || *value == self.largest;
                self.values.iter().all(ends)
            }
        }
    }
}

/// Reads the values of a mask file; `name` is its name in an error.
///
/// # Errors
///
/// If it is no image, claims more than `max_pixels` pixels, is damaged, or has colors.
pub fn read_mask(bytes: &[u8], name: &Path, max_pixels: u64) -> Result<RawMask, MaskFileError> {
    match known_format(bytes) {
        Some(ImageFormat::Png) => {
            check_bytes(bytes, name, max_pixels)?;
            read_png(bytes, name)
        }
        Some(ImageFormat::Jpeg) => read_jpeg(decode_picture(bytes, name, max_pixels)?, name),
        _ => read_other(decode_picture(bytes, name, max_pixels)?, name),
    }
}

fn read_png(bytes: &[u8], name: &Path) -> Result<RawMask, MaskFileError> {
    let failed = |source| MaskFileError::Png {
        path: name.to_owned(),
        source,
    };
    check_complete(ImageFormat::Png, bytes, name)?;
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(failed)?;
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| failed(png::DecodingError::LimitsExceeded))?;
    let mut packed = vec![0; size];
    let frame = reader.next_frame(&mut packed).map_err(failed)?;
    let bits = frame.bit_depth as u32;
    let largest = ((1_u32 << bits) - 1) as u16;
    let [height, width] = [frame.height, frame.width].map(|side| side as usize);
    let channels = frame.color_type.samples();
    let mut values = Vec::with_capacity(height * width * channels);
    for row in packed[..height * frame.line_size].chunks_exact(frame.line_size) {
        unpack(row, bits, width * channels, &mut values);
    }
    let mut mask = reduce(values, [height, width, channels], largest, name)?;
    if frame.color_type == png::ColorType::Indexed {
        mask.source = RawSource::Palette;
        mask.largest = 255;
    }
    Ok(mask)
}

/// Appends the values of a row, which are stored in `bits` each, the first in the highest bits.
fn unpack(row: &[u8], bits: u32, count: usize, values: &mut Vec<u16>) {
    if bits == 16 {
        let pairs = row.chunks_exact(2).take(count);
        values.extend(pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
        return;
    }
    let per_byte = (8 / bits) as usize;
    let value = |at: usize| {
        let shift = 8 - bits * (at % per_byte + 1) as u32;
        u16::from(row[at / per_byte] >> shift) & ((1 << bits) - 1)
    };
    values.extend((0..count).map(value));
}

fn read_jpeg(picture: DynamicImage, name: &Path) -> Result<RawMask, MaskFileError> {
    if let DynamicImage::ImageRgb8(colors) = &picture {
        let spread = |pixel: &image::Rgb<u8>| {
            let [red, green, blue] = pixel.0;
            red.max(green).max(blue) - red.min(green).min(blue)
        };
        let colored = colors
            .pixels()
            .filter(|pixel| spread(pixel) > GRAY_SPREAD)
            .count();
        // Edges of a mask may get a tinge from compression.
        if colored * 20 > colors.pixels().len() {
            return Err(MaskFileError::Colored {
                path: name.to_owned(),
            });
        }
    }
    let picture = picture.into_luma8();
    Ok(RawMask {
        height: picture.height() as usize,
        width: picture.width() as usize,
        values: picture.into_raw().into_iter().map(u16::from).collect(),
        largest: 255,
        source: RawSource::Lossy,
    })
}

fn read_other(picture: DynamicImage, name: &Path) -> Result<RawMask, MaskFileError> {
    let [height, width] = [picture.height(), picture.width()].map(|side| side as usize);
    let channels = usize::from(picture.color().channel_count());
    let deep = picture.color().bytes_per_pixel() / picture.color().channel_count() > 1;
    let shape = [height, width, channels];
    if deep {
        let values = match channels {
            1 => picture.into_luma16().into_raw(),
            2 => picture.into_luma_alpha16().into_raw(),
            3 => picture.into_rgb16().into_raw(),
            _ => picture.into_rgba16().into_raw(),
        };
        return reduce(values, shape, u16::MAX, name);
    }
    let values = picture.into_bytes().into_iter().map(u16::from).collect();
    reduce(values, shape, 255, name)
}

/// One value per pixel: the transparency where it varies, otherwise gray.
fn reduce(
    values: Vec<u16>,
    [height, width, channels]: [usize; 3],
    largest: u16,
    name: &Path,
) -> Result<RawMask, MaskFileError> {
    let colors = if channels > 2 { 3 } else { 1 };
    let mut mask = RawMask {
        height,
        width,
        values: Vec::new(),
        largest,
        source: RawSource::Gray,
    };
    if colors == channels && channels == 1 {
        mask.values = values;
        return Ok(mask);
    }
    let pixels = || values.chunks_exact(channels);
    if channels > colors {
        let alpha = |pixel: &[u16]| pixel[colors];
        let first = values.get(colors).copied();
        if pixels().any(|pixel| Some(alpha(pixel)) != first) {
            mask.values = pixels().map(alpha).collect();
            mask.source = RawSource::Alpha;
            return Ok(mask);
        }
    }
    let is_gray = |pixel: &[u16]| pixel[..colors].iter().all(|&value| value == pixel[0]);
    if !pixels().all(is_gray) {
        return Err(MaskFileError::Colored {
            path: name.to_owned(),
        });
    }
    mask.values = pixels().map(|pixel| pixel[0]).collect();
    Ok(mask)
}
