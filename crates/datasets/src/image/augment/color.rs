//! Random changes of colors, as `ColorJitter` of torchvision makes them.
//!
//! Differs from it: the four changes always follow each other in one order, as most of their orders give
//! nearly the same colors.

use super::Augment;
use crate::image::Image;
use crate::random::{Stream, symmetric};

/// Weights of red, green and blue in gray (ITU-R BT.601).
const GRAY: [f32; 3] = [0.299, 0.587, 0.114];

/// The sampled changes of the colors of an image: brightness, contrast, saturation, then hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColorJitter {
    brightness: f32,
    contrast: f32,
    saturation: f32,
    /// In turns of the color wheel.
    hue: f32,
}

impl ColorJitter {
    /// Draws a factor for every key that is on; `None` if none is.
    pub(super) fn sample(augment: &Augment, rng: &mut Stream) -> Option<Self> {
        let limits = [
            augment.brightness,
            augment.contrast,
            augment.saturation,
            augment.hue,
        ];
        if limits.iter().all(|&limit| limit == 0.0) {
            return None;
        }
        let [brightness, contrast, saturation, hue] = limits.map(|limit| symmetric(rng, limit));
        Some(Self {
            brightness: 1.0 + brightness,
            contrast: 1.0 + contrast,
            saturation: 1.0 + saturation,
            hue,
        })
    }

    /// Changes the colors; saturation and hue only of color images.
    pub(super) fn apply(&self, image: &mut Image) {
        let mean = self.brightness * mean_gray(image);
        let blend = |value: f32, other: f32, factor: f32| {
            (factor * value + (1.0 - factor) * other).clamp(0.0, 255.0)
        };
        for pixel in image.pixels.chunks_exact_mut(image.channels.max(1)) {
            let mut values = [0.0; 3];
            for (value, &byte) in values.iter_mut().zip(pixel.iter()) {
                let bright = (self.brightness * f32::from(byte)).clamp(0.0, 255.0);
                *value = blend(bright, mean, self.contrast);
            }
            if image.channels == 3 {
                let gray = gray_of(values);
                values = values.map(|value| blend(value, gray, self.saturation));
                if self.hue != 0.0 {
                    values = turn_hue(values, self.hue);
                }
            }
            for (byte, value) in pixel.iter_mut().zip(values) {
                *byte = value.round() as u8;
            }
        }
    }
}

fn gray_of(values: [f32; 3]) -> f32 {
    GRAY[0] * values[0] + GRAY[1] * values[1] + GRAY[2] * values[2]
}

/// The mean gray value; sums of whole numbers are the same on every machine.
fn mean_gray(image: &Image) -> f32 {
    let mut sums = [0_u64; 3];
    for pixel in image.pixels.chunks_exact(image.channels.max(1)) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let pixels = (image.height * image.width).max(1) as f64;
    let means = sums.map(|sum| (sum as f64 / pixels) as f32);
    if image.channels == 3 {
        gray_of(means)
    } else {
        means[0]
    }
}

/// Turns the hue by a fraction of the color wheel; lightest and darkest channel keep their values.
fn turn_hue(values: [f32; 3], turn: f32) -> [f32; 3] {
    let most = values[0].max(values[1]).max(values[2]);
    let least = values[0].min(values[1]).min(values[2]);
    let range = most - least;
    if range == 0.0 {
        return values;
    }
    let [red, green, blue] = values;
    // Sixths of the color wheel, red being at 0.
    let hue = if red >= most {
        (green - blue) / range
    } else if green >= most {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    let hue = (hue + 6.0 * turn).rem_euclid(6.0);
    // Each channel is a trapezoid over the wheel: 2 sixths at the top, 2 at the bottom.
    [5.0, 3.0, 1.0].map(|offset| {
        let at = (hue + offset) % 6.0;
        most - range * at.min(4.0 - at).clamp(0.0, 1.0)
    })
}
