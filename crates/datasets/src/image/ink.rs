//! Ink and paper: which of light and dark is the background, and where the marks are.

use image::GrayImage;
use image::imageops::{self, FilterType};

use super::{Image, Polarity};

/// Least contrast between ink and background, of 255 gray levels.
const MIN_CONTRAST: u8 = 24;

/// How far the border may differ from its median to be background, of 255 gray levels.
const TOLERANCE: u8 = 40;

/// Share of the border that must be background.
const MIN_UNIFORM: f64 = 0.6;

/// Share of a data set's images that must agree for a rule to be made of it.
const MIN_AGREEMENT: f64 = 0.95;

/// Which of light and dark the marks are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Background {
    Light,
    Dark,
}

/// How the marks of a data set lie in its images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InkRule {
    /// The background that nearly all images have, or [`Polarity::AsIs`].
    pub polarity: Polarity,
    /// Longest side of the marks in nearly all images, in pixels, where these were cropped to their marks
    /// and have a dark background; else 0.
    pub ink_size: usize,
}

impl InkRule {
    /// Measures gray images of one size.
    pub fn measure<'a>(images: impl IntoIterator<Item = &'a Image>) -> Self {
        let (mut count, mut light, mut dark) = (0, 0, 0);
        let mut sizes = std::collections::BTreeMap::<usize, usize>::new();
        for image in images {
            count += 1;
            let Some(picture) = gray(image) else { continue };
            match background_of(&picture) {
                Some(Background::Light) => light += 1,
                Some(Background::Dark) => {
                    dark += 1;
                    *sizes.entry(marked_size(&picture)).or_default() += 1;
                }
                None => {}
            }
        }
        let enough = |part: usize| part > 0 && part as f64 >= MIN_AGREEMENT * f64::from(count);
        let common = sizes.into_iter().max_by_key(|&(_, images)| images);
        Self {
            polarity: match (enough(dark), enough(light)) {
                (true, _) => Polarity::DarkBackground,
                (_, true) => Polarity::LightBackground,
                _ => Polarity::AsIs,
            },
            ink_size: common
                .filter(|&(_, images)| enough(images))
                .map_or(0, |(size, _)| size),
        }
    }
}

fn gray(image: &Image) -> Option<GrayImage> {
    let (width, height) = (image.width as u32, image.height as u32);
    (image.channels == 1)
        .then(|| GrayImage::from_raw(width, height, image.pixels.clone()))
        .flatten()
}

/// Longest side of what differs from the background at all.
fn marked_size(picture: &GrayImage) -> usize {
    let background = median(border_values(picture));
    let marks = picture.enumerate_pixels();
    let marks = marks.filter(|(_, _, pixel)| pixel[0] > background);
    extent(marks.map(|(x, y, _)| (x, y)))
        .map_or(0, |(_, _, width, height)| width.max(height) as usize)
}

/// The places of the outermost pixels, corners twice.
pub(super) fn border(width: u32, height: u32) -> impl Iterator<Item = (u32, u32)> {
    let rows = (0..width).flat_map(move |x| [(x, 0), (x, height - 1)]);
    rows.chain((0..height).flat_map(move |y| [(0, y), (width - 1, y)]))
}

fn border_values(picture: &GrayImage) -> impl Iterator<Item = u8> {
    let places = border(picture.width(), picture.height());
    places.map(|(x, y)| picture.get_pixel(x, y)[0])
}

/// The upper median; there is a value at least.
pub(super) fn median(values: impl Iterator<Item = u8>) -> u8 {
    let mut values: Vec<u8> = values.collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

/// Which background a picture has; none where its border is of many colors or it has no marks.
pub(super) fn background_of(picture: &GrayImage) -> Option<Background> {
    let background = median(border_values(picture));
    let (mut near, mut all) = (0_u32, 0_u32);
    for value in border_values(picture) {
        near += u32::from(value.abs_diff(background) <= TOLERANCE);
        all += 1;
    }
    if f64::from(near) < MIN_UNIFORM * f64::from(all) {
        return None;
    }
    let (mut darker, mut lighter) = (0_u64, 0_u64);
    for &value in picture.as_raw() {
        darker += u64::from(background.saturating_sub(value));
        lighter += u64::from(value.saturating_sub(background));
    }
    match darker.cmp(&lighter) {
        std::cmp::Ordering::Greater => Some(Background::Light),
        std::cmp::Ordering::Less => Some(Background::Dark),
        std::cmp::Ordering::Equal => None,
    }
}

/// Cuts light ink out of its dark background, scales it to the box that the network knows and puts its
/// center of mass in the middle; nothing if there is no ink.
///
/// Reference: `LeCun`, Cortes and Burges, *The MNIST database of handwritten digits*, 1998,
/// <http://yann.lecun.com/exdb/mnist/>: digits are fitted into 20×20 pixels with their aspect ratio kept
/// and centered by mass in 28×28.
pub(super) fn center_ink(
    picture: &GrayImage,
    ink_size: usize,
    [canvas_width, canvas_height]: [usize; 2],
) -> Option<GrayImage> {
    let background = median(border_values(picture));
    let ink = *picture.as_raw().iter().max()?;
    let contrast = ink.saturating_sub(background);
    if contrast < MIN_CONTRAST {
        return None;
    }
    let cleaned = stretch_contrast(picture, background, contrast);
    let (x, y, width, height) = bounding_box(&cleaned)?;
    let cut = imageops::crop_imm(&cleaned, x, y, width, height).to_image();
    let side = ink_size as f64 / f64::from(width.max(height));
    let scaled = |from: u32| ((f64::from(from) * side).round() as u32).max(1);
    let ink = imageops::resize(&cut, scaled(width), scaled(height), FilterType::Triangle);
    Some(center_by_mass(
        &ink,
        canvas_width as u32,
        canvas_height as u32,
    ))
}

/// Makes the background black and the ink white; what differs little from the background is background.
fn stretch_contrast(picture: &GrayImage, background: u8, contrast: u8) -> GrayImage {
    let floor = f64::from(background) + 0.2 * f64::from(contrast);
    let range = 0.7 * f64::from(contrast);
    let mut picture = picture.clone();
    for value in picture.iter_mut() {
        *value = (255.0 * (f64::from(*value) - floor) / range).clamp(0.0, 255.0) as u8;
    }
    picture
}

/// Left, top, width and height of what is brighter than half.
fn bounding_box(picture: &GrayImage) -> Option<(u32, u32, u32, u32)> {
    let inked = picture.enumerate_pixels();
    let inked = inked.filter(|(_, _, pixel)| pixel[0] > 127);
    extent(inked.map(|(x, y, _)| (x, y)))
}

/// Left, top, width and height of the box around places.
fn extent(places: impl Iterator<Item = (u32, u32)>) -> Option<(u32, u32, u32, u32)> {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y) in places {
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    (left <= right).then(|| (left, top, right - left + 1, bottom - top + 1))
}

/// Puts a small picture on a black one, its center of mass as near to the middle as it fits.
fn center_by_mass(ink: &GrayImage, width: u32, height: u32) -> GrayImage {
    let (mut mass, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in ink.enumerate_pixels() {
        let value = f64::from(pixel[0]);
        mass += value;
        sum_x += value * (f64::from(x) + 0.5);
        sum_y += value * (f64::from(y) + 0.5);
    }
    let mass = f64::max(mass, 1.0);
    let place = |side: u32, center: f64, own: u32| {
        let start = (f64::from(side) / 2.0 - center).round();
        start.clamp(0.0, f64::from(side - own.min(side))) as i64
    };
    let left = place(width, sum_x / mass, ink.width());
    let top = place(height, sum_y / mass, ink.height());
    let mut canvas = GrayImage::new(width, height);
    imageops::replace(&mut canvas, ink, left, top);
    canvas
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    fn drawn(side: u32, background: u8, ink: u8, marks: &[(u32, u32)]) -> GrayImage {
        let mut picture = GrayImage::from_pixel(side, side, Luma([background]));
        for &(x, y) in marks {
            picture.put_pixel(x, y, Luma([ink]));
        }
        picture
    }

    fn image(picture: &GrayImage) -> Image {
        Image {
            height: picture.height() as usize,
            width: picture.width() as usize,
            channels: 1,
            pixels: picture.as_raw().clone(),
        }
    }

    #[test]
    fn the_border_says_which_is_the_background() {
        let marks = [(3, 3), (3, 4), (4, 4)];
        for (background, ink, expected) in [
            (255, 0, Some(Background::Light)),
            (0, 255, Some(Background::Dark)),
            // Gray on gray, as of photographs.
            (120, 60, Some(Background::Light)),
            (120, 180, Some(Background::Dark)),
            (77, 77, None),
        ] {
            let picture = drawn(8, background, ink, &marks);
            assert_eq!(background_of(&picture), expected, "{background} {ink}");
        }
        // Half bright and half dark: there is no background.
        let halves = GrayImage::from_fn(8, 8, |x, _| Luma([if x < 4 { 250 } else { 5 }]));
        assert_eq!(background_of(&halves), None);
    }

    #[test]
    fn the_rule_of_a_data_set_is_measured() {
        let stroke =
            |from: u32, length: u32| (from..from + length).map(|y| (3, y)).collect::<Vec<_>>();
        let set = |background, ink, lengths: [u32; 3]| {
            let pictures =
                lengths.map(|length| image(&drawn(8, background, ink, &stroke(1, length))));
            InkRule::measure(&pictures)
        };
        let rule = |polarity, ink_size| InkRule { polarity, ink_size };
        assert_eq!(set(0, 255, [6, 6, 6]), rule(Polarity::DarkBackground, 6));
        assert_eq!(set(0, 255, [6, 3, 5]), rule(Polarity::DarkBackground, 0));
        assert_eq!(set(255, 0, [6, 6, 6]), rule(Polarity::LightBackground, 0));
        let mixed = [
            image(&drawn(8, 0, 255, &stroke(1, 6))),
            image(&drawn(8, 255, 0, &stroke(1, 6))),
        ];
        assert_eq!(InkRule::measure(&mixed), InkRule::default());
        assert_eq!(InkRule::measure(&[]), InkRule::default());
    }
}
