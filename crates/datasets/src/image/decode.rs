//! Images as plain bytes, and the one place where image files are decoded.
//!
//! A file is never believed: its format is read from its content, not from its name, the size in its
//! header is checked before a single pixel is allocated, and a file that was cut is an error. Of an
//! animated GIF the first frame is read, of a TIFF the first page.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{complete, fit, jpeg};

/// Most pixels an image file may claim unless [`DecodeOptions::max_pixels`] says otherwise.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Longest side an image can be scaled to, in pixels.
pub const MAX_SIDE: usize = 16_384;

/// Most bytes of an image file, 1 GiB.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// An image as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Values per pixel: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// The values `[height, width, channels]`, 0 being black.
    pub pixels: Vec<u8>,
}

/// An image and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImage {
    /// The image.
    pub image: Image,
    /// Its class, counted from 0.
    pub label: u16,
}

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeOptions {
    /// Height of the result, in pixels.
    pub height: usize,
    /// Width of the result, in pixels.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// How another shape is resized to this size.
    #[serde(default)]
    pub fit: Fit,
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
            polarity: Polarity::default(),
            ink_size: 0,
            max_pixels: MAX_PIXELS,
        }
    }

    /// Checks the size and the number of channels.
    ///
    /// # Errors
    ///
    /// If `channels` is neither 1 nor 3, a side is not in `1..=16384`, or the ink does not fit.
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
}

/// Why an image could not be decoded.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The wanted number of channels is not supported.
    #[error("`channels` must be 1 or 3 (got {channels})")]
    Channels {
        /// The number asked for.
        channels: usize,
    },
    /// The wanted size is not supported.
    #[error("`{key}` must be from 1 to {MAX_SIDE} (got {side})")]
    Side {
        /// `height` or `width`.
        key: &'static str,
        /// The side asked for, in pixels.
        side: usize,
    },
    /// The ink does not fit into the image.
    #[error(
        "`ink_size` must be at most {most} for images of this size and number of channels (got {ink_size})"
    )]
    InkSize {
        /// The size asked for, in pixels.
        ink_size: usize,
        /// Largest size allowed.
        most: usize,
    },
    /// The file cannot be read.
    #[error("cannot read the image `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is in no known format.
    #[error("`{}` is not an image in a known format (JPEG, PNG, GIF, TIFF, WebP or BMP)", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than an image can be.
    #[error("`{}` has more than {limit} bytes, too many for an image", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes allowed.
        limit: u64,
    },
    /// The header says that there is no pixel.
    #[error("the image `{}` is {width} x {height} pixels: it has no content", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
    },
    /// The header claims more pixels than allowed.
    #[error(
        "`{}` claims to be {width} x {height} pixels, expected at most {limit} pixels in total",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
        /// Most pixels allowed.
        limit: u64,
    },
    /// The file was cut.
    #[error("the image `{}` is damaged: {missing}", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// Header or pixels are damaged.
    #[error("the image `{}` is damaged or of an unsupported kind", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
}

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
    let (format, mut decoder) = open_decoder(bytes, name, options.max_pixels)?;
    check_complete(format, bytes, name)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let strict = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        _ => Ok(None),
    };
    let picture = strict.and_then(|picture| match picture {
        Some(picture) => Ok(picture),
        None => DynamicImage::from_decoder(decoder),
    });
    let mut picture = picture.map_err(|source| ImageError::Decode {
        path: name.to_owned(),
        source,
    })?;
    picture.apply_orientation(orientation);
    Ok(fit::fit(picture, options))
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

fn known_format(bytes: &[u8]) -> Option<ImageFormat> {
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

fn check_complete(format: ImageFormat, bytes: &[u8], path: &Path) -> Result<(), ImageError> {
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

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, RgbaImage};

    use super::*;

    fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn decode_as(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
        decode_bytes(bytes, Path::new("test.jpg"), options)
    }

    fn solid(height: u32, width: u32, colour: [u8; 3]) -> DynamicImage {
        DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb(colour)))
    }

    /// A PNG header of the given size, with valid checksums and no pixels.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = encode(&solid(1, 1, [0; 3]), ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    }

    #[test]
    fn the_format_is_read_from_the_content() {
        let grey = DynamicImage::ImageLuma8(GrayImage::from_pixel(5, 4, Luma([90])));
        for format in [
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::WebP,
            ImageFormat::Jpeg,
            ImageFormat::Gif,
            ImageFormat::Tiff,
        ] {
            let bytes = encode(&DynamicImage::ImageRgb8(grey.to_rgb8()), format);
            let image = decode_as(&bytes, &DecodeOptions::new(4, 5, 1)).unwrap();
            assert!(
                image.pixels.iter().all(|&v| v.abs_diff(90) <= 1),
                "{format:?}"
            );
            assert_eq!(image.pixels.len(), 20);
        }
    }

    #[test]
    fn every_colour_type_becomes_one_or_three_channels() {
        let deep = ImageBuffer::<Luma<u16>, _>::from_pixel(2, 2, Luma([0x8080]));
        let half = RgbaImage::from_pixel(2, 2, image::Rgba([0, 0, 0, 128]));
        for (picture, expected) in [
            (DynamicImage::ImageLuma16(deep), 128),
            (DynamicImage::ImageRgba8(half.clone()), 127),
            (
                DynamicImage::ImageLumaA8(DynamicImage::ImageRgba8(half).to_luma_alpha8()),
                127,
            ),
        ] {
            let bytes = encode(&picture, ImageFormat::Png);
            for channels in [1, 3] {
                let image = decode_as(&bytes, &DecodeOptions::new(2, 2, channels)).unwrap();
                assert_eq!(
                    image.pixels,
                    vec![expected; 4 * channels],
                    "{:?}",
                    picture.color()
                );
            }
        }
    }

    #[test]
    fn a_transparent_picture_is_white() {
        let clear = RgbaImage::from_pixel(3, 3, image::Rgba([10, 20, 30, 0]));
        let bytes = encode(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
        let image = decode_as(&bytes, &DecodeOptions::new(3, 3, 3)).unwrap();
        assert_eq!(image.pixels, [255; 27]);
    }

    #[test]
    fn crop_keeps_the_centre_and_stretch_keeps_everything() {
        // Black, white, black: three squares side by side.
        let mut picture = GrayImage::new(12, 4);
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            *pixel = Luma([if (4..8).contains(&x) { 255 } else { 0 }]);
        }
        let bytes = encode(&DynamicImage::ImageLuma8(picture), ImageFormat::Png);
        let mut options = DecodeOptions::new(2, 2, 1);
        options.fit = Fit::Crop;
        assert_eq!(decode_as(&bytes, &options).unwrap().pixels, [255; 4]);
        options.fit = Fit::Stretch;
        let stretched = decode_as(&bytes, &options).unwrap();
        assert!(
            stretched.pixels.iter().all(|v| (40..220).contains(v)),
            "{stretched:?}"
        );
    }

    #[test]
    fn crop_of_a_very_long_image_keeps_at_least_one_pixel() {
        let bytes = encode(&solid(1, 300, [7; 3]), ImageFormat::Png);
        let mut options = DecodeOptions::new(100, 1, 3);
        options.fit = Fit::Crop;
        assert_eq!(decode_as(&bytes, &options).unwrap().pixels, [7; 300]);
    }

    #[test]
    fn a_size_bomb_is_refused_from_its_header() {
        let bytes = png_header(100_000, 100_000);
        let error = decode_as(&bytes, &DecodeOptions::new(8, 8, 1)).unwrap_err();
        let expected = "`test.jpg` claims to be 100000 x 100000 pixels, expected at most 64000000 \
                        pixels in total";
        assert_eq!(error.to_string(), expected);
        let error = decode_as(&png_header(u32::MAX / 2, 9), &DecodeOptions::new(8, 8, 1));
        assert!(error.is_err());
    }

    #[test]
    fn an_image_without_a_pixel_is_refused() {
        assert!(decode_as(&png_header(0, 0), &DecodeOptions::new(8, 8, 1)).is_err());
        let mut bmp = encode(&solid(1, 1, [0; 3]), ImageFormat::Bmp);
        bmp[18..26].fill(0);
        assert!(decode_as(&bmp, &DecodeOptions::new(8, 8, 1)).is_err());
    }

    #[test]
    fn text_and_a_cut_file_are_refused_by_name() {
        let error = decode_as(b"hello, not an image", &DecodeOptions::new(8, 8, 1)).unwrap_err();
        assert!(matches!(error, ImageError::Format { .. }));
        let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(40, 40, |x, y| {
            Rgb([
                (x * 37 % 251) as u8,
                (y * 91 % 241) as u8,
                (x * y % 256) as u8,
            ])
        }));
        let bytes = encode(&picture, ImageFormat::Png);
        let cut = &bytes[..bytes.len() / 2];
        let error = decode_as(cut, &DecodeOptions::new(8, 8, 1)).unwrap_err();
        assert!(matches!(error, ImageError::Incomplete { .. }), "{error:?}");
        assert!(error.to_string().contains("test.jpg"));
    }

    #[test]
    fn bad_options_are_refused_by_key() {
        let error = DecodeOptions::new(8, 8, 2).validate().unwrap_err();
        assert_eq!(error.to_string(), "`channels` must be 1 or 3 (got 2)");
        let error = DecodeOptions::new(8, 0, 3).validate().unwrap_err();
        assert_eq!(error.to_string(), "`width` must be from 1 to 16384 (got 0)");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = decode_image(Path::new("/no/such.png"), &DecodeOptions::new(8, 8, 1));
        assert_eq!(
            error.unwrap_err().to_string(),
            "cannot read the image `/no/such.png`"
        );
    }

    #[test]
    fn the_header_is_read_past_a_long_comment() {
        let jpeg = encode(&solid(6, 9, [1, 2, 3]), ImageFormat::Jpeg);
        let mut bytes = jpeg[..2].to_vec();
        for _ in 0..3 {
            bytes.extend([0xFF, 0xFE, 0xFF, 0xFF]);
            bytes.extend(vec![b' '; 0xFFFD]);
        }
        bytes.extend(&jpeg[2..]);
        let check = |most| check_bytes(&bytes, Path::new("long.jpg"), most);
        assert_eq!(check(MAX_PIXELS).unwrap(), (6, 9));
        assert!(matches!(check(53), Err(ImageError::TooLarge { .. })));
    }

    /// A picture whose every part differs, so that none of it compresses to nothing.
    fn varied() -> DynamicImage {
        DynamicImage::ImageRgb8(RgbImage::from_fn(40, 40, |x, y| {
            let noise = (x * 7919 + y * 104_729) % 251;
            Rgb([noise as u8, (x * 6) as u8, (y * 6) as u8])
        }))
    }

    #[test]
    fn a_file_that_was_cut_is_damaged_in_every_format() {
        let options = DecodeOptions::new(8, 8, 3);
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Gif,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
        ] {
            let bytes = encode(&varied(), format);
            assert!(decode_as(&bytes, &options).is_ok(), "{format:?}");
            assert!(check_bytes(&bytes, Path::new("a"), MAX_PIXELS).is_ok());
            for percent in [10, 40, 60, 80, 95, 99] {
                let cut = &bytes[..bytes.len() * percent / 100];
                let result = decode_as(cut, &options);
                assert!(result.is_err(), "{format:?} at {percent}%");
            }
        }
    }

    #[test]
    fn what_a_decoder_would_not_miss_is_found_without_decoding() {
        for (format, missing) in [
            (ImageFormat::Jpeg, "end marker of a JPEG"),
            (ImageFormat::Png, "IEND chunk of a PNG"),
            (ImageFormat::Gif, "trailer of a GIF"),
            (ImageFormat::WebP, "WebP header"),
        ] {
            let bytes = encode(&varied(), format);
            let cut = &bytes[..bytes.len() - 1];
            let cut = if format == ImageFormat::WebP {
                &bytes[..bytes.len() - 3]
            } else {
                cut
            };
            let error = check_bytes(cut, Path::new("a.jpg"), MAX_PIXELS).unwrap_err();
            let message = error.to_string();
            assert!(
                message.starts_with("the image `a.jpg` is damaged: it"),
                "{message}"
            );
            assert!(message.contains(missing), "{message}");
            // More behind the end is harmless, as cameras write it.
            let longer = [&bytes[..], &[0; 9]].concat();
            assert!(check_bytes(&longer, Path::new("a"), MAX_PIXELS).is_ok());
        }
    }

    #[test]
    fn a_damaged_scan_of_a_jpeg_is_an_error() {
        let mut bytes = encode(&varied(), ImageFormat::Jpeg);
        let middle = bytes.len() / 2;
        // Huffman codes of ones only are not assigned.
        bytes[middle..middle + 40].copy_from_slice(&[0xFF, 0x00].repeat(20));
        let result = decode_as(&bytes, &DecodeOptions::new(8, 8, 3));
        assert!(
            matches!(result, Err(ImageError::Decode { .. })),
            "{result:?}"
        );
    }

    #[test]
    fn strict_decoding_gives_the_same_pixels() {
        for picture in [varied(), DynamicImage::ImageLuma8(varied().to_luma8())] {
            let bytes = encode(&picture, ImageFormat::Jpeg);
            let strict = jpeg::decode(&bytes).unwrap().unwrap();
            let lenient = image::load_from_memory(&bytes).unwrap();
            assert_eq!(strict, lenient);
        }
    }

    #[test]
    fn names_of_formats_go_by_the_content() {
        assert_eq!(
            format_name(&encode(&varied(), ImageFormat::Gif)),
            Some("GIF")
        );
        assert_eq!(
            format_name(&encode(&varied(), ImageFormat::Tiff)),
            Some("TIFF")
        );
        assert_eq!(format_name(b"hello"), None);
    }
}
