use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, RgbaImage};

use super::*;
use crate::image::{Fit, MAX_PIXELS};

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode_as(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    decode_bytes(bytes, Path::new("test.jpg"), options)
}

fn solid(height: u32, width: u32, color: [u8; 3]) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb(color)))
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
    let gray = DynamicImage::ImageLuma8(GrayImage::from_pixel(5, 4, Luma([90])));
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Jpeg,
        ImageFormat::Gif,
        ImageFormat::Tiff,
    ] {
        let bytes = encode(&DynamicImage::ImageRgb8(gray.to_rgb8()), format);
        let image = decode_as(&bytes, &DecodeOptions::new(4, 5, 1)).unwrap();
        assert!(
            image.pixels.iter().all(|&v| v.abs_diff(90) <= 1),
            "{format:?}"
        );
        assert_eq!(image.pixels.len(), 20);
    }
}

#[test]
fn every_color_type_becomes_one_or_three_channels() {
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
fn floating_point_values_are_read_from_0_to_1_only() {
    use tiff::encoder::{TiffEncoder, colortype};
    let tiff = |values: [f32; 4]| {
        let colors = values.map(|value| [value; 3]).concat();
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
        encoder
            .write_image::<colortype::RGB32Float>(2, 2, &colors)
            .unwrap();
        bytes.into_inner()
    };
    let options = DecodeOptions::new(2, 2, 1);
    let image = decode_as(&tiff([0.0, 0.2, 0.6, 1.0]), &options).unwrap();
    assert_eq!(image.pixels, [0, 51, 153, 255]);
    for (values, range) in [
        ([0.0, 17.0, 4095.0, 1.0], "from 0 to 4095"),
        ([-0.5, 0.0, 0.0, 0.5], "from -0.5 to 0.5"),
        ([0.0, f32::NAN, 0.0, 0.5], "to NaN"),
    ] {
        let error = decode_as(&tiff(values), &options).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(range) && message.contains("convert it to 8 or 16 bits"),
            "{message}"
        );
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
fn crop_keeps_the_center_and_stretch_keeps_everything() {
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
    let expected = "`test.jpg` is too large: 100000 x 100000 pixels, more than 64000000 in total";
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

/// The color in the middle of each quarter of an image of 32 x 32 pixels: top left, top right, and so on.
fn quarters(bytes: &[u8]) -> [[u8; 3]; 4] {
    let image = decode_as(bytes, &DecodeOptions::new(32, 32, 3)).unwrap();
    [(8, 8), (8, 24), (24, 8), (24, 24)].map(|(y, x)| {
        let at = (y * 32 + x) * 3;
        [image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]]
    })
}

#[test]
fn colors_of_print_files_are_those_of_pillow() {
    // Made by Pillow: red, green, half black, and 50, 100, 0 and 60 of cyan, magenta, yellow and black.
    let cmyk = include_bytes!("../../../tests/data/cmyk.jpg");
    // The same with the marker of Adobe that says YCCK.
    let mut ycck = cmyk.to_vec();
    let marker = ycck.windows(5).position(|part| part == b"Adobe").unwrap();
    ycck[marker + 11] = 2;
    let expected = [[255, 0, 0], [0, 255, 0], [127; 3], [157, 119, 195]];
    let expected_ycck = [[179, 0, 227], [255, 207, 30], [0, 67, 0], [0, 115, 2]];
    for (bytes, expected) in [(&cmyk[..], expected), (&ycck[..], expected_ycck)] {
        let found = quarters(bytes);
        let close = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 3;
        let pairs = found.as_flattened().iter().zip(expected.as_flattened());
        assert!(pairs.into_iter().all(close), "{found:?}");
    }
}

#[test]
fn the_first_frame_of_an_animation_is_read() {
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    for color in [[255, 0, 0], [0, 0, 255]] {
        let frame = image::Frame::new(solid(4, 4, color).into_rgba8());
        encoder.encode_frame(frame).unwrap();
    }
    drop(encoder);
    let image = decode_as(&gif, &DecodeOptions::new(4, 4, 3)).unwrap();
    assert_eq!(image.pixels, [255, 0, 0].repeat(16));
    // Two frames, the second mirrored; made by Pillow without loss.
    let webp = include_bytes!("../../../tests/data/animated.webp");
    let expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 150, 40]];
    assert_eq!(quarters(webp), expected);
}
