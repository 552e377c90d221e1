//! Images as plain bytes, and the only decoder of image files.
//!
//! A file is never believed: its format is read from its content, not from its name, the size in its
//! header is checked before a single pixel is allocated, and a file that was cut is an error. Of an
//! animated GIF the first frame is read, of a TIFF the first page.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{DecodeOptions, Image, ImageError, complete, fit, jpeg};
use crate::panics::catch_panic;

/// Most bytes of an image file, 1 GiB.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads an image file and brings it to the size and channels of `options`.
///
/// Transparent parts become white, 16 bits become 8, and a photo is turned as its EXIF note says.
///
/// # Errors
///
/// If the options are invalid, or the file cannot be read, is no image, claims too many pixels or
/// is damaged or cut.
pub fn decode_image(path: &Path, options: &DecodeOptions) -> Result<Image, ImageError> {
    decode_bytes(&read_file(path)?, path, options)
}

/// Decodes an image from memory, as [`decode_image`] does; `name` is its name in an error.
///
/// # Errors
///
/// As [`decode_image`].
pub fn decode_bytes(
    bytes: &[u8],
    name: &Path,
    options: &DecodeOptions,
) -> Result<Image, ImageError> {
    options.validate()?;
    Ok(fit::fit(
        decode_picture(bytes, name, options.max_pixels)?,
        options,
    ))
}

/// Decodes an image from memory in its own size, with `channels` values per pixel (1 or 3) and turned as
/// its EXIF note says; `name` is its name in an error.
///
/// # Errors
///
/// As [`decode_image`].
pub fn decode_full(
    bytes: &[u8],
    name: &Path,
    channels: usize,
    max_pixels: u64,
) -> Result<Image, ImageError> {
    DecodeOptions::new(1, 1, channels).validate()?;
    let picture = decode_picture(bytes, name, max_pixels)?;
    let options = DecodeOptions::new(
        picture.height() as usize,
        picture.width() as usize,
        channels,
    );
    Ok(fit::fit(picture, &options))
}

/// The height and width of an image after it is turned as its EXIF note says, from its header.
///
/// # Errors
///
/// If it is no image, or claims no or more than `max_pixels` pixels.
pub fn oriented_size(
    bytes: &[u8],
    name: &Path,
    max_pixels: u64,
) -> Result<(usize, usize), ImageError> {
    let ((height, width), orientation) = stored_size(bytes, name, max_pixels)?;
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    Ok(if turned {
        (width, height)
    } else {
        (height, width)
    })
}

/// The height and width of an image as it is stored, and how its EXIF note says to turn it, from its header.
pub(crate) fn stored_size(
    bytes: &[u8],
    name: &Path,
    max_pixels: u64,
) -> Result<((usize, usize), Orientation), ImageError> {
    let (_, mut decoder) = open_decoder(bytes, name, max_pixels)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(((height as usize, width as usize), orientation))
}

/// The EXIF note of an image, if it has one that can be read.
pub(super) fn exif_metadata(bytes: &[u8], name: &Path) -> Option<Vec<u8>> {
    let (_, mut decoder) = open_decoder(bytes, name, u64::MAX / 8).ok()?;
    decoder.exif_metadata().ok()?
}

/// Decodes an image in its own size and form, turned as its EXIF note says.
pub(super) fn decode_picture(
    bytes: &[u8],
    name: &Path,
    max_pixels: u64,
) -> Result<DynamicImage, ImageError> {
    let (format, mut decoder) = open_decoder(bytes, name, max_pixels)?;
    check_complete(format, bytes, name)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let strict = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        _ => Ok(None),
    };
    // The decoder of TIFF panics on tiles whose colors are stored apart from each other.
    let decode = || catch_panic(|| DynamicImage::from_decoder(decoder));
    let picture = match strict {
        Ok(None) => decode().map_err(|reason| ImageError::Failed {
            path: name.to_owned(),
            reason,
        })?,
        Ok(Some(picture)) => Ok(picture),
        Err(error) => Err(error),
    };
    let mut picture = picture.map_err(|source| ImageError::Decode {
        path: name.to_owned(),
        source,
    })?;
    check_range(&picture, name)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Refuses floating-point values outside 0 to 1, which would be cut off there: nothing says what white is.
fn check_range(picture: &DynamicImage, name: &Path) -> Result<(), ImageError> {
    let values: &[f32] = match picture {
        DynamicImage::ImageRgb32F(picture) => picture.as_raw(),
        DynamicImage::ImageRgba32F(picture) => picture.as_raw(),
        _ => return Ok(()),
    };
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for value in values {
        // NaN stays.
        low = if value.is_nan() || *value < low {
            *value
        } else {
            low
        };
        high = if value.is_nan() || *value > high {
            *value
        } else {
            high
        };
    }
    if low >= 0.0 && high <= 1.0 {
        return Ok(());
    }
    Err(ImageError::FloatRange {
        path: name.to_owned(),
        low,
        high,
    })
}

/// Checks the header of an image and that it was not cut, without decoding it; returns its claimed
/// height and width. `name` is its name in an error.
///
/// # Errors
///
/// If it is no image, is cut, or claims no or more than `max_pixels` pixels.
pub fn check_bytes(
    bytes: &[u8],
    name: &Path,
    max_pixels: u64,
) -> Result<(usize, usize), ImageError> {
    let (format, decoder) = open_decoder(bytes, name, max_pixels)?;
    check_complete(format, bytes, name)?;
    let (width, height) = decoder.dimensions();
    Ok((height as usize, width as usize))
}

/// The name of the image format that the content begins with; none if it is in no known format.
pub fn format_name(bytes: &[u8]) -> Option<&'static str> {
    Some(match known_format(bytes)? {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        _ => "BMP",
    })
}

/// Reads the bytes of an image file.
///
/// # Errors
///
/// If it cannot be read, or has more than 1 GiB.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    let read = |source| ImageError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ImageError::TooLong {
            path: path.to_owned(),
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}

pub(super) fn known_format(bytes: &[u8]) -> Option<ImageFormat> {
    image::guess_format(bytes).ok().filter(|format| {
        matches!(
            format,
            ImageFormat::Jpeg
                | ImageFormat::Png
                | ImageFormat::WebP
                | ImageFormat::Gif
                | ImageFormat::Tiff
                | ImageFormat::Bmp
        )
    })
}

pub(super) fn check_complete(
    format: ImageFormat,
    bytes: &[u8],
    path: &Path,
) -> Result<(), ImageError> {
    complete::check_complete(format, bytes).map_err(|missing| ImageError::Incomplete {
        path: path.to_owned(),
        missing,
    })
}

/// Reads the header and checks the claimed size.
fn open_decoder<'a>(
    bytes: &'a [u8],
    path: &Path,
    limit: u64,
) -> Result<(ImageFormat, impl ImageDecoder + 'a), ImageError> {
    let path = || path.to_owned();
    let format = known_format(bytes).ok_or_else(|| ImageError::Format { path: path() })?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    // Four channels of 16 bits are the most that these formats store.
    limits.max_alloc = Some(limit.saturating_mul(8).max(1 << 20));
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|source| ImageError::Decode {
        path: path(),
        source,
    })?;
    let (width, height) = decoder.dimensions();
    match u64::from(width) * u64::from(height) {
        0 => Err(ImageError::Empty {
            path: path(),
            width,
            height,
        }),
        pixels if pixels > limit => Err(ImageError::TooLarge {
            path: path(),
            width,
            height,
            limit,
        }),
        _ => Ok((format, decoder)),
    }
}
