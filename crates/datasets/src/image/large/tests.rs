use std::path::PathBuf;

use super::*;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name]
        .iter()
        .collect()
}

/// All rows, some at a time.
fn read(path: &Path, channels: usize, step: usize) -> Image {
    let mut rows = TiffRows::open(path, channels).unwrap();
    let (height, width) = (rows.height, rows.width);
    let mut pixels = Vec::new();
    for top in (0..height).step_by(step) {
        // Overlapping with the rows before.
        let band = rows.rows(top.saturating_sub(5)..(top + step).min(height));
        let band = band.unwrap();
        pixels.extend(band.crop(top..(top + step).min(height), 0..width).pixels);
    }
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

/// What `tiles.py` draws.
fn rgb(y: usize, x: usize) -> [u8; 3] {
    [y * 5, x * 5, 255 - y * 3 - x * 2].map(|value| value as u8)
}

#[test]
fn tiles_in_jpeg_are_as_libjpeg_decodes_them() {
    let expected = std::fs::read(path("tiles-jpeg.json")).unwrap();
    let expected: Vec<u8> = serde_json::from_slice(&expected).unwrap();
    for step in [40, 16, 7] {
        let image = read(&path("tiles-jpeg.tif"), 3, step);
        assert_eq!([image.height, image.width], [40, 50]);
        let off = image.pixels.iter().zip(&expected);
        let most = off.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        // Decoders differ in the smoothing of colors and in rounding.
        assert!(most <= 6, "{most}");
    }
}

#[test]
fn sixteen_bits_big_endian_and_transparent_pixels_are_read() {
    let image = read(&path("tiles-deflate-16.tif"), 1, 13);
    for (at, &value) in image.pixels.iter().enumerate() {
        let exact = (at / 50 * 1000 + at % 50 * 500) as f64 / 257.0;
        assert_eq!(value, exact.round() as u8, "{at}");
    }
    let image = read(&path("tiles-lzw-alpha.tif"), 3, 13);
    for (at, pixel) in image.pixels.chunks_exact(3).enumerate() {
        let alpha = (at % 50 * 5) as f64 / 255.0;
        let on_white = rgb(at / 50, at % 50)
            .map(|value| (f64::from(value) * alpha + 255.0 * (1.0 - alpha)).round() as u8);
        assert_eq!(pixel, on_white, "{at}");
    }
}

#[test]
fn rows_can_be_read_again_and_other_levels_are_counted() {
    let mut rows = TiffRows::open(&path("tiles-deflate-16.tif"), 1).unwrap();
    assert_eq!(rows.other_pages, 1);
    let mut first = |range: Range<usize>| rows.rows(range).unwrap().pixels.to_vec();
    let (low, high) = (first(35..40), first(2..4));
    assert_eq!(first(35..40), low);
    assert_eq!(first(2..4), high);
    assert_eq!(first(17..18).len(), 50);
}

#[test]
fn a_strip_of_rows_and_other_formats_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let picture = image::RgbImage::from_fn(5, 9, |x, y| image::Rgb([x as u8, y as u8, 200]));
    for name in ["a.tif", "a.png"] {
        let path = dir.path().join(name);
        picture.save(&path).unwrap();
        let mut image = LargeImage::open(&path, 3).unwrap();
        assert_eq!(image.other_pages(), 0);
        let crop = image.rows(3..8).unwrap().crop(4..6, 2..5);
        assert_eq!(crop.pixels[..3], [2, 4, 200], "{name}");
    }
    let strips = read(&dir.path().join("a.tif"), 3, 2);
    assert_eq!(strips.pixels, picture.into_raw());
}

#[test]
fn what_cannot_be_read_piece_by_piece_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(path("tiles-jpeg.tif")).unwrap();
    let cut = dir.path().join("cut.tif");
    // The directory of the first level comes first: the header is whole, a tile is not.
    std::fs::write(&cut, &whole[..2000]).unwrap();
    let mut errors = Vec::new();
    match TiffRows::open(&cut, 3) {
        Ok(mut rows) => errors.push(rows.rows(0..40).unwrap_err().to_string()),
        Err(error) => errors.push(error.to_string()),
    }
    assert!(errors[0].contains("damaged"), "{errors:?}");
    let cmyk = dir.path().join("empty.tif");
    std::fs::write(&cmyk, b"II*\0\0\0\0\0").unwrap();
    assert!(LargeImage::open(&cmyk, 3).is_err());
    std::fs::write(&cmyk, b"II").unwrap();
    assert!(matches!(
        LargeImage::open(&cmyk, 3),
        Err(LargeImageError::Image(ImageError::Format { .. }))
    ));
}
