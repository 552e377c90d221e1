use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, RgbImage};

use super::*;
use crate::image::{DecodeOptions, Fit, Interpolation, MAX_PIXELS};

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let picture = picture.into();
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(width: u32, bits: png::BitDepth, palette: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, 1);
    encoder.set_depth(bits);
    encoder.set_color(match palette {
        Some(_) => png::ColorType::Indexed,
        None => png::ColorType::Grayscale,
    });
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<RawMask, MaskFileError> {
    read_mask(bytes, Path::new("a.png"), MAX_PIXELS)
}

fn classes(bytes: &[u8]) -> Vec<u16> {
    read(bytes).unwrap().to_mask(MaskValues::Auto).classes
}

#[test]
fn a_mask_has_a_class_for_every_pixel() {
    assert!(Mask::new(2, 3, vec![0; 6]).is_ok());
    let error = Mask::new(2, 3, vec![0; 5]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a mask of 2 x 3 pixels needs 6 classes (got 5)"
    );
}

#[test]
fn the_indices_of_a_palette_are_kept() {
    let palette = [0, 0, 0, 128, 0, 0, 0, 128, 0];
    let raw = read(&png(
        4,
        png::BitDepth::Two,
        Some(&palette),
        &[0b10_01_00_01],
    ))
    .unwrap();
    assert_eq!(
        (raw.source, raw.values.as_slice()),
        (RawSource::Palette, &[2, 1, 0, 1][..])
    );
    let mut palette = vec![0; 768];
    palette[765..].copy_from_slice(&[224, 224, 192]);
    // The border class of Pascal VOC is not labeled.
    assert_eq!(
        classes(&png(3, png::BitDepth::Eight, Some(&palette), &[0, 15, 255])),
        [0, 15, IGNORE]
    );
}

#[test]
fn gray_values_are_classes_unless_only_black_and_white_occur() {
    assert_eq!(
        classes(&png(4, png::BitDepth::Eight, None, &[0, 1, 2, 255])),
        [0, 1, 2, IGNORE]
    );
    assert_eq!(
        classes(&png(3, png::BitDepth::Eight, None, &[0, 255, 0])),
        [0, 1, 0]
    );
    assert_eq!(
        classes(&png(2, png::BitDepth::Sixteen, None, &[1, 44, 0, 7])),
        [300, 7]
    );
    assert_eq!(
        classes(&png(2, png::BitDepth::Sixteen, None, &[255, 255, 0, 0])),
        [1, 0]
    );
    // Not scaled to 255, as a decoder of photos does.
    assert_eq!(
        classes(&png(4, png::BitDepth::Four, None, &[0x12, 0x03])),
        [1, 2, 0, 3]
    );
    assert_eq!(
        classes(&png(4, png::BitDepth::One, None, &[0b0110_0000])),
        [0, 1, 1, 0]
    );
}

#[test]
fn gray_in_color_and_transparency_are_masks_and_colors_are_not() {
    let gray = RgbImage::from_raw(2, 1, vec![3, 3, 3, 0, 0, 0]).unwrap();
    assert_eq!(classes(&encode(gray, ImageFormat::Png)), [3, 0]);
    let cutout = GrayAlphaImage::from_raw(2, 1, vec![90, 255, 17, 0]).unwrap();
    assert_eq!(classes(&encode(cutout, ImageFormat::Png)), [1, 0]);
    let opaque = GrayAlphaImage::from_raw(2, 1, vec![2, 255, 1, 255]).unwrap();
    assert_eq!(classes(&encode(opaque, ImageFormat::Png)), [2, 1]);
    let colored = RgbImage::from_raw(1, 1, vec![128, 0, 0]).unwrap();
    let bmp = encode(colored, ImageFormat::Bmp);
    assert!(matches!(read(&bmp), Err(MaskFileError::Colored { .. })));
}

#[test]
fn a_jpeg_is_compared_with_half_of_white() {
    let mut picture = GrayImage::new(16, 16);
    picture.fill(255);
    for x in 0..8 {
        for y in 0..16 {
            picture.put_pixel(x, y, image::Luma([3]));
        }
    }
    let mask = read(&encode(picture, ImageFormat::Jpeg)).unwrap();
    assert_eq!(mask.source, RawSource::Lossy);
    let mask = mask.to_mask(MaskValues::Auto);
    assert!((0..256).all(|at| mask.classes[at] == u16::from(at % 16 >= 8)));
}

#[test]
fn a_damaged_mask_is_an_error() {
    let bytes = png(4, png::BitDepth::Eight, None, &[0, 1, 2, 255]);
    assert!(read(&bytes[..bytes.len() - 9]).is_err());
    let mut flipped = bytes.clone();
    let at = flipped.len() - 20;
    flipped[at] ^= 255;
    assert!(read(&flipped).is_err());
}

#[test]
fn a_mask_is_scaled_to_the_nearest_class() {
    let mask = Mask::new(2, 2, vec![1, 2, 3, 4]).unwrap();
    let double = mask.resize(4, 4);
    assert_eq!(double.classes[..8], [1, 1, 2, 2, 1, 1, 2, 2]);
    assert_eq!(double.resize(2, 2), mask);
    assert_eq!(mask.present(), [1, 2, 3, 4]);
}

#[test]
fn a_mask_is_cropped_and_padded_as_its_photo_is() {
    // Two rows of four columns.
    let mask = Mask::new(2, 4, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let mut options = DecodeOptions::new(2, 2, 1);
    options.fit = Fit::Crop;
    let crop = sample_region(&mask, fit_region(2, 4, &options), 2, 2);
    assert_eq!(crop.classes, [2, 3, 6, 7]);
    options.interpolation = Interpolation::Bilinear;
    let crop = sample_region(&mask, fit_region(2, 4, &options), 2, 2);
    assert_eq!(crop.classes, [2, 3, 6, 7]);
    options = DecodeOptions::new(4, 4, 1);
    options.fit = Fit::Pad;
    let padded = sample_region(&mask, fit_region(2, 4, &options), 4, 4);
    assert_eq!(padded.classes[..4], [IGNORE; 4]);
    assert_eq!(padded.classes[4..12], mask.classes);
    assert_eq!(padded.classes[12..], [IGNORE; 4]);
}
