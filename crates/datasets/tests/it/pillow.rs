//! Resizing gives the bytes that Pillow, torchvision and timm give; `data/pillow.py` makes the references.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files has failed"
)]

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tinderbox_datasets::image::Interpolation::{Bicubic, Triangle};
use tinderbox_datasets::image::{DecodeOptions, Fit, Interpolation, decode_bytes};

#[derive(Deserialize)]
struct References {
    resized: Vec<Resized>,
    cropped: Vec<Cropped>,
}

/// `Image.resize` of Pillow.
#[derive(Debug, Deserialize)]
struct Resized {
    from: [u32; 2],
    to: [usize; 2],
    interpolation: Interpolation,
    channels: usize,
    sha256: String,
}

/// `transforms_imagenet_eval` of timm.
#[derive(Debug, Deserialize)]
struct Cropped {
    from: [u32; 2],
    to: [usize; 2],
    interpolation: Interpolation,
    crop: f64,
    fit: Fit,
    sha256: String,
}

fn references() -> References {
    serde_json::from_str(include_str!("../data/pillow.json")).unwrap()
}

/// Noise, and blocks of black and white whose edges overshoot.
fn pattern([width, height]: [u32; 2]) -> RgbImage {
    let value = |x: u32, y: u32, c: u32| {
        let noise = (x * 3 + y * 7)
            .wrapping_add(x.wrapping_mul(y).wrapping_mul(5))
            .wrapping_add(c * 85 + 1);
        if (x / 16 + y / 16).is_multiple_of(2) {
            (noise.wrapping_mul(2_654_435_761) >> 24) as u8
        } else {
            ((x / 4 + y / 3 + c) % 2 * 255) as u8
        }
    };
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| value(x, y, c))))
}

fn png(from: [u32; 2], channels: usize) -> Vec<u8> {
    let picture = pattern(from);
    let picture = if channels == 1 {
        let red = picture.pixels().map(|pixel| pixel[0]).collect();
        let gray = image::GrayImage::from_raw(from[0], from[1], red).unwrap();
        DynamicImage::ImageLuma8(gray)
    } else {
        DynamicImage::ImageRgb8(picture)
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn hash(bytes: &[u8], options: &DecodeOptions) -> String {
    let image = decode_bytes(bytes, Path::new("pattern.png"), options).unwrap();
    let digest = Sha256::digest(&image.pixels);
    digest[..8].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn bilinear_and_bicubic_equal_pillow_to_the_byte() {
    for case in references().resized {
        let [width, height] = case.to;
        let options = DecodeOptions {
            interpolation: case.interpolation,
            ..DecodeOptions::new(height, width, case.channels)
        };
        let found = hash(&png(case.from, case.channels), &options);
        assert_eq!(found, case.sha256, "{case:?}");
    }
}

#[test]
fn scaling_and_cropping_equal_timm_to_the_byte() {
    for case in references().cropped {
        let [width, height] = case.to;
        let options = DecodeOptions {
            interpolation: case.interpolation,
            crop: case.crop,
            fit: case.fit,
            ..DecodeOptions::new(height, width, 3)
        };
        let found = hash(&png(case.from, 3), &options);
        assert_eq!(found, case.sha256, "{case:?}");
    }
}

#[test]
fn a_long_strip_is_not_scaled_as_a_whole() {
    // Its shorter side scaled to 256 makes 256 x 768,000 pixels, of which 224 x 224 are needed.
    let options = DecodeOptions {
        interpolation: Bicubic,
        crop: 0.875,
        fit: Fit::Crop,
        ..DecodeOptions::new(224, 224, 3)
    };
    let image = decode_bytes(&png([30_000, 10], 3), Path::new("strip.png"), &options).unwrap();
    assert_eq!(image.pixels.len(), 224 * 224 * 3);
}

#[test]
fn a_padded_picture_is_scaled_the_same_way() {
    let options = |width, height, fit| DecodeOptions {
        interpolation: Bicubic,
        fit,
        ..DecodeOptions::new(height, width, 3)
    };
    let bytes = png([64, 32], 3);
    let decode =
        |options: &DecodeOptions| decode_bytes(&bytes, Path::new("a.png"), options).unwrap();
    let padded = decode(&options(16, 16, Fit::Pad)).pixels;
    let alone = decode(&options(16, 8, Fit::Stretch)).pixels;
    assert_eq!(padded[4 * 16 * 3..12 * 16 * 3], alone);
}

#[test]
fn options_without_the_keys_are_read_as_before() {
    let options: DecodeOptions =
        serde_json::from_str(r#"{"height": 8, "width": 8, "channels": 3, "fit": "crop"}"#).unwrap();
    let expected = DecodeOptions {
        fit: Fit::Crop,
        ..DecodeOptions::new(8, 8, 3)
    };
    assert_eq!(options, expected);
    assert_eq!(options.interpolation, Triangle);
}

#[test]
fn a_crop_that_cannot_be_made_is_refused() {
    let message = |crop, interpolation, fit| {
        let options = DecodeOptions {
            crop,
            interpolation,
            fit,
            ..DecodeOptions::new(8, 8, 3)
        };
        options.validate().map_err(|error| error.to_string())
    };
    for crop in [0.0, -1.0, 1.5, f64::NAN, 1e-4] {
        let error = message(crop, Bicubic, Fit::Crop).unwrap_err();
        assert!(
            error.starts_with("`crop` must be above 0 and at most 1"),
            "{error}"
        );
    }
    for (interpolation, fit) in [(Triangle, Fit::Crop), (Bicubic, Fit::Pad)] {
        let error = message(0.5, interpolation, fit).unwrap_err();
        assert!(error.starts_with("`crop` below 1 needs"), "{error}");
    }
    assert_eq!(message(1.0, Triangle, Fit::Pad), Ok(()));
    assert_eq!(message(0.5, Bicubic, Fit::Stretch), Ok(()));
}
