//! The image that is written for a photo: cut out, composited, or its classes.

use std::io;
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use tinderbox_datasets::image::{Image, MAX_PIXELS, decode_full, read_file, resize_image};
use tinderbox_predict::vision::Segmented;
use tinderbox_train::TaskError;

/// What takes the place of the background.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Nothing: the image is transparent there.
    #[default]
    Transparent,
    /// White.
    White,
    /// An image, scaled to that of the photo and cut at its longer side.
    Image(Image),
}

impl Background {
    /// `white`, or the image file of this name.
    ///
    /// # Errors
    ///
    /// If the file is no image.
    pub fn read(value: &Path) -> Result<Self, TaskError> {
        if value.as_os_str() == "white" {
            return Ok(Self::White);
        }
        let bytes = read_file(value).map_err(TaskError::user)?;
        let image = decode_full(&bytes, value, 3, MAX_PIXELS).map_err(TaskError::user)?;
        Ok(Self::Image(image))
    }
}

/// The bytes of a PNG: of two classes the photo without its background, else a gray image of the
/// numbers of the classes.
pub(super) fn encode(
    photo: &Image,
    segmented: &Segmented,
    background: &Background,
    classes: usize,
) -> io::Result<Vec<u8>> {
    let (height, width) = (photo.height, photo.width);
    if classes > 2 {
        let classes = segmented.mask.classes.iter();
        let classes: Vec<u8> = classes.map(|&class| class.min(255) as u8).collect();
        return png(&classes, [height, width], ExtendedColorType::L8);
    }
    let colors = photo.pixels.chunks_exact(photo.channels);
    let colors = colors.map(|pixel| match *pixel {
        [red, green, blue] => [red, green, blue],
        _ => [pixel[0]; 3],
    });
    let pairs = colors.zip(&segmented.alpha);
    let behind = match background {
        Background::Transparent => {
            let pixels = pairs.flat_map(|([red, green, blue], &alpha)| [red, green, blue, alpha]);
            let pixels: Vec<u8> = pixels.collect();
            return png(&pixels, [height, width], ExtendedColorType::Rgba8);
        }
        Background::White => vec![255; height * width * 3],
        Background::Image(image) => cover(image, [height, width]).pixels,
    };
    let blended = pairs.zip(behind.chunks_exact(3));
    let blended = blended.flat_map(|((color, &alpha), behind)| {
        [0, 1, 2].map(|channel| {
            let [front, behind] = [color[channel], behind[channel]].map(u32::from);
            let alpha = u32::from(alpha);
            ((front * alpha + behind * (255 - alpha) + 127) / 255) as u8
        })
    });
    png(
        &blended.collect::<Vec<u8>>(),
        [height, width],
        ExtendedColorType::Rgb8,
    )
}

/// An image scaled until it covers a size, and cut around its center.
fn cover(image: &Image, [height, width]: [usize; 2]) -> Image {
    let scale = (height as f64 / image.height as f64).max(width as f64 / image.width as f64);
    let side = |from: usize, least: usize| ((from as f64 * scale).round() as usize).max(least);
    let scaled = resize_image(image, side(image.height, height), side(image.width, width));
    let (top, left) = ((scaled.height - height) / 2, (scaled.width - width) / 2);
    let rows = scaled
        .pixels
        .chunks_exact(scaled.width * 3)
        .skip(top)
        .take(height);
    Image {
        height,
        width,
        channels: 3,
        pixels: rows
            .flat_map(|row| &row[left * 3..][..width * 3])
            .copied()
            .collect(),
    }
}

fn png(
    pixels: &[u8],
    [height, width]: [usize; 2],
    color: ExtendedColorType,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, width as u32, height as u32, color)
        .map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_datasets::image::Mask;

    fn decoded(bytes: &[u8]) -> image::DynamicImage {
        image::load_from_memory(bytes).unwrap()
    }

    #[test]
    fn the_background_is_transparent_white_or_an_image() {
        let photo = Image {
            height: 1,
            width: 2,
            channels: 3,
            pixels: vec![10, 20, 30, 40, 50, 60],
        };
        let segmented = Segmented {
            mask: Mask::new(1, 2, vec![1, 0]).unwrap(),
            alpha: vec![255, 0],
        };
        let behind = Image {
            height: 2,
            width: 2,
            channels: 3,
            pixels: vec![7; 12],
        };
        let bytes = |background: &Background, classes: usize| {
            let png = encode(&photo, &segmented, background, classes).unwrap();
            decoded(&png).into_bytes()
        };
        assert_eq!(
            bytes(&Background::Transparent, 2),
            [10, 20, 30, 255, 40, 50, 60, 0]
        );
        assert_eq!(bytes(&Background::White, 2), [10, 20, 30, 255, 255, 255]);
        assert_eq!(bytes(&Background::Image(behind), 2), [10, 20, 30, 7, 7, 7]);
        assert_eq!(bytes(&Background::Transparent, 3), [1, 0]);
    }
}
