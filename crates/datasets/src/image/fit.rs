//! From a decoded picture to the input of a network: channels, polarity, ink, and [`scale`] to its size.

use image::imageops;
use image::{DynamicImage, GrayImage, RgbImage};

use super::ink::{Background, background_of, center_ink};
use super::scale::scale;
use super::{DecodeOptions, Image, Polarity};

/// Brings an image to the size and channels of `options`, as [`decode_bytes`](super::decode_bytes) does with
/// that of a file.
///
/// # Panics
///
/// If it has neither 1 nor 3 channels, no pixel, or not as many values as its size asks for.
pub fn fit_image(image: Image, options: &DecodeOptions) -> Image {
    let (width, height) = (image.width as u32, image.height as u32);
    let values = image.height * image.width * image.channels;
    assert_eq!(image.pixels.len(), values, "the values do not fit the size");
    let picture = if image.channels == 1 {
        GrayImage::from_raw(width, height, image.pixels).map(DynamicImage::ImageLuma8)
    } else {
        assert_eq!(
            image.channels, 3,
            "the image has another number of channels"
        );
        RgbImage::from_raw(width, height, image.pixels).map(DynamicImage::ImageRgb8)
    };
    fit(picture.unwrap_or_default(), options)
}

/// Brings a decoded picture to the wanted channels and size.
pub(super) fn fit(picture: DynamicImage, options: &DecodeOptions) -> Image {
    let picture = if picture.color().has_alpha() {
        on_paper(&picture, options.polarity)
    } else {
        picture
    };
    let pixels = if options.channels == 1 {
        // Gray first: there is a third as much to scale.
        fit_gray(picture.into_luma8(), options).into_raw()
    } else {
        let mut picture = picture.into_rgb8();
        if options.polarity != Polarity::AsIs
            && is_inverted(&imageops::grayscale(&picture), options.polarity)
        {
            imageops::invert(&mut picture);
        }
        scale(DynamicImage::ImageRgb8(picture), options).into_bytes()
    };
    Image {
        height: options.height,
        width: options.width,
        channels: options.channels,
        pixels,
    }
}

fn fit_gray(mut picture: GrayImage, options: &DecodeOptions) -> GrayImage {
    if is_inverted(&picture, options.polarity) {
        imageops::invert(&mut picture);
    }
    // An image of the input's size is taken as prepared already.
    if options.ink_size > 0
        && !has_size(&picture, options)
        && let Some(centered) =
            center_ink(&picture, options.ink_size, [options.width, options.height])
    {
        return centered;
    }
    scale(DynamicImage::ImageLuma8(picture), options).into_luma8()
}

/// Whether a picture has the other background than the network knows.
fn is_inverted(picture: &GrayImage, polarity: Polarity) -> bool {
    match polarity {
        Polarity::AsIs => false,
        Polarity::DarkBackground => background_of(picture) == Some(Background::Light),
        Polarity::LightBackground => background_of(picture) == Some(Background::Dark),
    }
}

fn has_size(picture: &GrayImage, options: &DecodeOptions) -> bool {
    picture.width() as usize == options.width && picture.height() as usize == options.height
}

/// Lays a partly transparent picture on white paper; light marks on black paper where the polarity counts.
fn on_paper(picture: &DynamicImage, polarity: Polarity) -> DynamicImage {
    let picture = picture.to_rgba8();
    let paper = if polarity != Polarity::AsIs && is_mostly_light(&picture) {
        0
    } else {
        255
    };
    let (width, height) = picture.dimensions();
    let mut opaque = RgbImage::new(width, height);
    for (on, pixel) in opaque.chunks_exact_mut(3).zip(picture.chunks_exact(4)) {
        let alpha = u16::from(pixel[3]);
        for (to, &from) in on.iter_mut().zip(pixel) {
            *to = ((u16::from(from) * alpha + paper * (255 - alpha) + 127) / 255) as u8;
        }
    }
    DynamicImage::ImageRgb8(opaque)
}

/// Whether what can be seen of a partly transparent picture is brighter than half.
fn is_mostly_light(picture: &image::RgbaImage) -> bool {
    let (mut light, mut seen) = (0_u64, 0_u64);
    for pixel in picture.pixels() {
        let [red, green, blue, alpha] = pixel.0.map(u64::from);
        light += alpha * (red + green + blue);
        seen += alpha * 3;
    }
    light > 128 * seen
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb};

    use super::*;
    use crate::image::Fit;

    fn gray(width: u32, height: u32, background: u8, ink: u8, marks: &[(u32, u32)]) -> GrayImage {
        let mut picture = GrayImage::from_pixel(width, height, Luma([background]));
        for &(x, y) in marks {
            picture.put_pixel(x, y, Luma([ink]));
        }
        picture
    }

    fn options(side: usize) -> DecodeOptions {
        DecodeOptions {
            fit: Fit::Pad,
            ..DecodeOptions::new(side, side, 1)
        }
    }

    #[test]
    fn padding_keeps_the_aspect_ratio_and_takes_the_color_of_the_border() {
        // Twice as wide as high: a quarter of the result is added above, and another below.
        let picture = gray(16, 8, 40, 40, &[]);
        let fitted = fit(DynamicImage::ImageLuma8(picture), &options(8));
        assert_eq!(fitted.pixels, [40; 64]);
        let mut picture = GrayImage::from_pixel(8, 4, Luma([200]));
        for x in 1..7 {
            picture.put_pixel(x, 1, Luma([0]));
            picture.put_pixel(x, 2, Luma([0]));
        }
        let fitted = fit(DynamicImage::ImageLuma8(picture), &options(8));
        let row = |y: usize| &fitted.pixels[y * 8..(y + 1) * 8];
        assert_eq!([row(0), row(1), row(7)], [[200; 8]; 3]);
        assert_eq!(row(3), [200, 0, 0, 0, 0, 0, 0, 200]);
        let rgb = RgbImage::from_pixel(1, 100, Rgb([9, 8, 7]));
        let fitted = fit(
            DynamicImage::ImageRgb8(rgb),
            &DecodeOptions {
                channels: 3,
                ..options(2)
            },
        );
        assert_eq!(fitted.pixels, [9, 8, 7].repeat(4));
    }

    #[test]
    fn both_polarities_give_the_same_input() {
        let mut options = options(4);
        options.polarity = Polarity::DarkBackground;
        let marks = [(1, 1), (1, 2), (2, 2)];
        let dark = gray(4, 4, 255, 0, &marks);
        let light = gray(4, 4, 0, 255, &marks);
        let fitted = |picture: GrayImage| fit(DynamicImage::ImageLuma8(picture), &options).pixels;
        assert_eq!(fitted(dark.clone()), fitted(light.clone()));
        options.polarity = Polarity::LightBackground;
        let fitted = |picture: GrayImage| fit(DynamicImage::ImageLuma8(picture), &options).pixels;
        assert_eq!(fitted(light), dark.clone().into_raw());
        options.polarity = Polarity::AsIs;
        let as_is = fit(DynamicImage::ImageLuma8(dark.clone()), &options);
        assert_eq!(as_is.pixels, dark.into_raw());
    }

    #[test]
    fn ink_is_cut_out_scaled_and_centered() {
        // A stroke of 10 by 40 pixels in the corner of a large gray sheet.
        let marks: Vec<(u32, u32)> = (0..10)
            .flat_map(|x| (0..40).map(move |y| (x + 5, y + 7)))
            .collect();
        let picture = gray(200, 300, 90, 220, &marks);
        let options = DecodeOptions {
            ink_size: 20,
            ..options(28)
        };
        let fitted = fit(DynamicImage::ImageLuma8(picture), &options);
        let lit: Vec<(usize, usize)> = (0..784)
            .filter(|&at| fitted.pixels[at] > 0)
            .map(|at| (at / 28, at % 28))
            .collect();
        assert_eq!((lit[0], lit[lit.len() - 1]), ((4, 12), (23, 16)));
        assert!(lit.iter().all(|&(y, x)| fitted.pixels[y * 28 + x] == 255));
        // Without ink there is nothing to cut out.
        let empty = fit(
            DynamicImage::ImageLuma8(gray(40, 40, 90, 95, &[(3, 3)])),
            &options,
        );
        assert!(empty.pixels.iter().all(|&value| value.abs_diff(90) <= 5));
    }

    #[test]
    fn an_image_of_the_input_size_is_not_cropped_to_its_ink() {
        let picture = gray(8, 8, 0, 255, &[(1, 1), (2, 1)]);
        let options = DecodeOptions {
            ink_size: 8,
            ..options(8)
        };
        let fitted = fit(DynamicImage::ImageLuma8(picture.clone()), &options);
        assert_eq!(fitted.pixels, picture.into_raw());
    }

    #[test]
    fn transparent_marks_stay_visible() {
        let mut options = options(4);
        options.polarity = Polarity::DarkBackground;
        for ink in [0, 255] {
            let mut picture = image::RgbaImage::from_pixel(4, 4, image::Rgba([0; 4]));
            picture.put_pixel(1, 2, image::Rgba([ink, ink, ink, 255]));
            let fitted = fit(DynamicImage::ImageRgba8(picture), &options);
            let mut expected = [0; 16];
            expected[9] = 255;
            assert_eq!(fitted.pixels, expected, "{ink}");
        }
    }
}
