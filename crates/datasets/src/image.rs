//! Images as plain bytes, and the one place where image files are decoded.
//!
//! A file is never believed: its format is read from its content, not from its name, and the size
//! in its header is checked before a single pixel is allocated.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most pixels an image file may claim unless [`DecodeOptions::max_pixels`] says otherwise.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Longest side an image can be scaled to, in pixels.
pub const MAX_SIDE: usize = 16_384;

/// Bytes at the start of a file that nearly always hold the whole header.
const HEADER_BYTES: u64 = 64 * 1024;

/// An image as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for red, green and blue.
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

/// How an image of another shape is brought to the wanted size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scales each side on its own: nothing is lost, proportions change.
    #[default]
    Stretch,
    /// Scales the shorter side and cuts both ends of the longer one: proportions are kept.
    Crop,
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
    /// How another shape is brought to this size.
    #[serde(default)]
    pub fit: Fit,
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
            max_pixels: MAX_PIXELS,
        }
    }

    /// Checks the size and the number of channels.
    ///
    /// # Errors
    ///
    /// If `channels` is neither 1 nor 3, or a side is not in `1..=16384`.
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
        Ok(())
    }
}

/// Why an image could not be decoded.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The wanted number of channels is not supported.
    #[error("`channels` must be 1 or 3, is {channels}")]
    Channels {
        /// The number asked for.
        channels: usize,
    },
    /// The wanted size is not supported.
    #[error("`{key}` must lie in 1..={MAX_SIDE}, is {side}")]
    Side {
        /// `height` or `width`.
        key: &'static str,
        /// The side asked for, in pixels.
        side: usize,
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
    #[error("`{}` is not an image in a known format (jpeg, png, webp or bmp)", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The header says that there is no pixel.
    #[error("`{}` claims {width} x {height} pixels, there is nothing to see", path.display())]
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
        "`{}` claims {width} x {height} pixels, the limit is {limit} pixels in all",
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
/// is damaged.
pub fn decode_image(path: &Path, options: &DecodeOptions) -> Result<Image, ImageError> {
    decode(BufReader::new(open(path)?), path, options)
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
    decode(Cursor::new(bytes), name, options)
}

/// Reads only the header of an image file and returns its claimed height and width.
///
/// # Errors
///
/// If the file cannot be read, is no image, or claims no or more than `max_pixels` pixels.
pub fn check_header(path: &Path, max_pixels: u64) -> Result<(usize, usize), ImageError> {
    let read = |source| ImageError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = open(path)?;
    let mut start = Vec::new();
    (&mut file)
        .take(HEADER_BYTES)
        .read_to_end(&mut start)
        .map_err(read)?;
    let size = match open_decoder(Cursor::new(&start), path, max_pixels) {
        // A long comment or thumbnail pushed the size further down.
        Err(ImageError::Decode { .. }) if start.len() as u64 == HEADER_BYTES => {
            file.rewind().map_err(read)?;
            open_decoder(BufReader::new(file), path, max_pixels)?.dimensions()
        }
        decoder => decoder?.dimensions(),
    };
    Ok((size.1 as usize, size.0 as usize))
}

fn open(path: &Path) -> Result<File, ImageError> {
    File::open(path).map_err(|source| ImageError::Read {
        path: path.to_owned(),
        source,
    })
}

fn decode(
    reader: impl BufRead + Seek,
    path: &Path,
    options: &DecodeOptions,
) -> Result<Image, ImageError> {
    options.validate()?;
    let mut decoder = open_decoder(reader, path, options.max_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|source| ImageError::Decode {
        path: path.to_owned(),
        source,
    })?;
    picture.apply_orientation(orientation);
    Ok(fit(picture, options))
}

/// Reads the header and checks the claimed size.
fn open_decoder<'a>(
    reader: impl BufRead + Seek + 'a,
    path: &Path,
    limit: u64,
) -> Result<impl ImageDecoder + 'a, ImageError> {
    let path = || path.to_owned();
    let mut reader = ImageReader::new(reader)
        .with_guessed_format()
        .map_err(|source| ImageError::Read {
            path: path(),
            source,
        })?;
    if !matches!(
        reader.format(),
        Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp)
    ) {
        return Err(ImageError::Format { path: path() });
    }
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
        _ => Ok(decoder),
    }
}

/// Brings a decoded picture to the wanted channels and size.
fn fit(picture: DynamicImage, options: &DecodeOptions) -> Image {
    let picture = if picture.color().has_alpha() {
        on_white(&picture)
    } else {
        picture
    };
    // Grey first: there is a third as much to scale.
    let picture = match options.channels {
        1 => DynamicImage::ImageLuma8(picture.into_luma8()),
        _ => DynamicImage::ImageRgb8(picture.into_rgb8()),
    };
    let picture = match options.fit {
        Fit::Stretch => picture,
        Fit::Crop => crop_to_shape(picture, options),
    };
    let (height, width) = (options.height, options.width);
    let same = picture.width() as usize == width && picture.height() as usize == height;
    let picture = if same {
        picture
    } else {
        picture.resize_exact(width as u32, height as u32, FilterType::Triangle)
    };
    Image {
        height,
        width,
        channels: options.channels,
        pixels: picture.into_bytes(),
    }
}

/// Lays a partly transparent picture on white paper.
fn on_white(picture: &DynamicImage) -> DynamicImage {
    let picture = picture.to_rgba8();
    let (width, height) = picture.dimensions();
    let mut paper = RgbImage::new(width, height);
    for (on, pixel) in paper.chunks_exact_mut(3).zip(picture.chunks_exact(4)) {
        let alpha = u16::from(pixel[3]);
        for (to, &from) in on.iter_mut().zip(pixel) {
            *to = ((u16::from(from) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    DynamicImage::ImageRgb8(paper)
}

/// Cuts the centre that has the wanted proportions.
fn crop_to_shape(picture: DynamicImage, options: &DecodeOptions) -> DynamicImage {
    let (width, height) = (u64::from(picture.width()), u64::from(picture.height()));
    let (want_width, want_height) = (options.width as u64, options.height as u64);
    let keep = |side: u64, other: u64, want: u64, want_other: u64| {
        ((other * want + want_other / 2) / want_other).clamp(1, side)
    };
    let kept_width = keep(width, height, want_width, want_height);
    let kept_height = keep(height, width, want_height, want_width);
    if (kept_width, kept_height) == (width, height) {
        return picture;
    }
    picture.crop_imm(
        ((width - kept_width) / 2) as u32,
        ((height - kept_height) / 2) as u32,
        kept_width as u32,
        kept_height as u32,
    )
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbaImage};

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
        let expected = "`test.jpg` claims 100000 x 100000 pixels, the limit is 64000000 pixels \
                        in all";
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
        assert!(matches!(error, ImageError::Decode { .. }), "{error:?}");
        assert!(error.to_string().contains("test.jpg"));
    }

    #[test]
    fn bad_options_are_refused_by_key() {
        let error = DecodeOptions::new(8, 8, 2).validate().unwrap_err();
        assert_eq!(error.to_string(), "`channels` must be 1 or 3, is 2");
        let error = DecodeOptions::new(8, 0, 3).validate().unwrap_err();
        assert_eq!(error.to_string(), "`width` must lie in 1..=16384, is 0");
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.jpg");
        let jpeg = encode(&solid(6, 9, [1, 2, 3]), ImageFormat::Jpeg);
        let mut bytes = jpeg[..2].to_vec();
        for _ in 0..3 {
            bytes.extend([0xFF, 0xFE, 0xFF, 0xFF]);
            bytes.extend(vec![b' '; 0xFFFD]);
        }
        bytes.extend(&jpeg[2..]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(check_header(&path, MAX_PIXELS).unwrap(), (6, 9));
        assert!(matches!(
            check_header(&path, 53),
            Err(ImageError::TooLarge { .. })
        ));
    }
}
