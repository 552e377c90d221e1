//! Strict decoding of JPEG: the lenient decoder of `image` turns damaged parts gray and says nothing.

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Decodes a gray or color JPEG, or nothing if it is of a kind that only `image` knows to convert.
///
/// # Errors
///
/// If a scan is damaged or incomplete.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<DynamicImage>, ImageError> {
    let options = DecoderOptions::default()
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    // Stray bytes between segments are harmless, so headers are read leniently first.
    let mut headers = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    if headers.decode_headers().is_err() {
        return Ok(None);
    }
    let (Some(space), Some((width, height))) = (headers.input_colorspace(), headers.dimensions())
    else {
        return Ok(None);
    };
    let space = match space {
        ColorSpace::Luma => ColorSpace::Luma,
        ColorSpace::RGBA | ColorSpace::LumaA => return Ok(None),
        _ => ColorSpace::RGB,
    };
    let options = options.jpeg_set_out_colorspace(space);
    let mut strict =
        JpegDecoder::new_with_options(ZCursor::new(bytes), options.set_strict_mode(true));
    if strict.decode_headers().is_err() {
        return Ok(None);
    }
    let pixels = strict.decode().map_err(|error| {
        let format = ImageFormatHint::Exact(ImageFormat::Jpeg);
        ImageError::Decoding(DecodingError::new(format, error.to_string()))
    })?;
    let (width, height) = (width as u32, height as u32);
    Ok(match space {
        ColorSpace::Luma => {
            GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
        }
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    })
}
