//! From a picture of any shape to one of the wanted size: stretched, cropped or padded.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};

use super::ink::{border, median};
use super::resize::{Filter, Window, resize};
use super::{DecodeOptions, Fit, Image, Interpolation};

/// An image of another size: antialiased bilinear, equal to Pillow's to the byte.
///
/// # Panics
///
/// If it has neither 1 nor 3 channels.
pub fn resize_image(image: &Image, height: usize, width: usize) -> Image {
    if (height, width) == (image.height, image.width) {
        return image.clone();
    }
    let (from, to) = ([image.width, image.height], [width as u64, height as u64]);
    let window = Window::all(to);
    let pixels = match image.channels {
        1 => resize::<1>(&image.pixels, from, to, &window, Filter::Bilinear),
        channels => {
            assert_eq!(channels, 3, "the image has {channels} channels");
            resize::<3>(&image.pixels, from, to, &window, Filter::Bilinear)
        }
    };
    Image {
        height,
        width,
        channels: image.channels,
        pixels,
    }
}

/// Brings a gray or RGB picture of 8 bits to the height and width of the options.
pub(super) fn scale(picture: DynamicImage, options: &DecodeOptions) -> DynamicImage {
    let filter = options.interpolation.filter();
    let (width, height) = (options.width as u32, options.height as u32);
    let from = [u64::from(picture.width()), u64::from(picture.height())];
    let scaled = scaled_size(from, options);
    match (filter, options.fit) {
        (Some(filter), Fit::Crop | Fit::Stretch) => {
            let window = center(scaled, [options.width as u64, options.height as u64]);
            resize_picture(picture, scaled, &window, filter)
        }
        (_, Fit::Pad) => pad(picture, width, height, filter),
        (None, Fit::Crop) => resize_exact(crop_to_shape(picture, options), width, height, None),
        (None, Fit::Stretch) => resize_exact(picture, width, height, None),
    }
}

impl Interpolation {
    /// None for that of the `image` crate.
    fn filter(self) -> Option<Filter> {
        match self {
            Self::Triangle => None,
            Self::Bilinear => Some(Filter::Bilinear),
            Self::Bicubic => Some(Filter::Bicubic),
        }
    }
}

/// Width and height that a picture of the width and height `from` is scaled to before its center is cut out, as timm computes them.
pub(super) fn scaled_size(from: [u64; 2], options: &DecodeOptions) -> [u64; 2] {
    let floor = |side: usize| (side as f64 / options.crop).floor() as u64;
    let to = [floor(options.width), floor(options.height)];
    if options.fit != Fit::Crop {
        return to;
    }
    let shorter = usize::from(from[0] > from[1]);
    if to[0] == to[1] {
        // `Resize` of torchvision: the longer side is rounded down.
        let mut size = to;
        size[1 - shorter] = to[0] * from[1 - shorter] / from[shorter];
        return size;
    }
    // `ResizeKeepRatio` of timm: both sides are rounded.
    let ratios = [0, 1].map(|axis| from[axis] as f64 / to[axis] as f64);
    let ratio = ratios[0].min(ratios[1]);
    [0, 1].map(|axis| (from[axis] as f64 / ratio).round_ties_even() as u64)
}

/// The center of an image of `size`, as `CenterCrop` of torchvision takes it.
pub(super) fn center(size: [u64; 2], wanted: [u64; 2]) -> Window {
    let [columns, rows] = [0, 1].map(|axis| {
        let half = (size[axis].saturating_sub(wanted[axis])) as f64 / 2.0;
        let start = half.round_ties_even() as u64;
        start..start + wanted[axis]
    });
    Window { columns, rows }
}

fn resize_exact(
    picture: DynamicImage,
    width: u32,
    height: u32,
    filter: Option<Filter>,
) -> DynamicImage {
    if (picture.width(), picture.height()) == (width, height) {
        return picture;
    }
    let Some(filter) = filter else {
        return picture.resize_exact(width, height, FilterType::Triangle);
    };
    let to = [u64::from(width), u64::from(height)];
    resize_picture(picture, to, &Window::all(to), filter)
}

/// Resizes as Pillow does, and keeps the window.
fn resize_picture(
    picture: DynamicImage,
    to: [u64; 2],
    window: &Window,
    filter: Filter,
) -> DynamicImage {
    let from = [picture.width() as usize, picture.height() as usize];
    if from.map(|side| side as u64) == to && *window == Window::all(to) {
        return picture;
    }
    let [width, height] =
        [&window.columns, &window.rows].map(|range| (range.end - range.start) as u32);
    // The window has as many pixels as the buffer, so neither constructor refuses it.
    match picture {
        DynamicImage::ImageLuma8(picture) => {
            let pixels = resize::<1>(picture.as_raw(), from, to, window, filter);
            GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
        }
        picture => {
            let picture = picture.into_rgb8();
            let pixels = resize::<3>(picture.as_raw(), from, to, window, filter);
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
    }
    .unwrap_or_default()
}

/// Scales a picture into a box, and fills what is left with the color of its border.
fn pad(picture: DynamicImage, width: u32, height: u32, filter: Option<Filter>) -> DynamicImage {
    if (picture.width(), picture.height()) == (width, height) {
        return picture;
    }
    let color = border_color(&picture);
    let (from_width, from_height) = (u64::from(picture.width()), u64::from(picture.height()));
    let fit_into = |side: u64, other: u64, to: u32, to_other: u32| {
        // Rounded; a picture as thin as a hair keeps a pixel.
        let side = (side * u64::from(to_other) + other / 2) / other;
        (side as u32).clamp(1, to)
    };
    let inner_width = fit_into(from_width, from_height, width, height);
    let inner_height = fit_into(from_height, from_width, height, width);
    let inner = resize_exact(picture, inner_width, inner_height, filter);
    let left = i64::from((width - inner_width) / 2);
    let top = i64::from((height - inner_height) / 2);
    match inner {
        DynamicImage::ImageLuma8(inner) => {
            let mut canvas = GrayImage::from_pixel(width, height, Luma([color[0]]));
            imageops::replace(&mut canvas, &inner, left, top);
            DynamicImage::ImageLuma8(canvas)
        }
        inner => {
            let mut canvas = RgbImage::from_pixel(width, height, Rgb(color));
            imageops::replace(&mut canvas, &inner.into_rgb8(), left, top);
            DynamicImage::ImageRgb8(canvas)
        }
    }
}

/// The median of each channel of the outermost pixels.
fn border_color(picture: &DynamicImage) -> [u8; 3] {
    let picture = picture.to_rgb8();
    [0, 1, 2].map(|channel| {
        let values = border(picture.width(), picture.height());
        median(values.map(|(x, y)| picture.get_pixel(x, y)[channel]))
    })
}

/// Cuts the center that has the wanted proportions.
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
