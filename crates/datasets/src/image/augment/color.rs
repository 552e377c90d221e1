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
        // Brightness and contrast of every possible value.
        let table: [f32; 256] = std::array::from_fn(|byte| {
            let bright = (self.brightness * byte as f32).clamp(0.0, 255.0);
            blend(bright, mean, self.contrast)
        });
        if image.channels != 3 {
            for byte in &mut image.pixels {
                *byte = to_byte(table[usize::from(*byte)]);
            }
            return;
        }
        for pixel in image.pixels.as_chunks_mut::<3>().0 {
            let mut values = pixel.map(|byte| table[usize::from(byte)]);
            let gray = gray_of(values);
            values = values.map(|value| blend(value, gray, self.saturation));
            if self.hue != 0.0 {
                values = turn_hue(values, self.hue);
            }
            *pixel = values.map(to_byte);
        }
    }
}

fn blend(value: f32, other: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * other).clamp(0.0, 255.0)
}

/// Rounds a value in `[0, 255]`, halves up. `f32::round` is a call on many processors.
fn to_byte(value: f32) -> u8 {
    let floor = value as u8;
    floor + u8::from(value - f32::from(floor) >= 0.5)
}

fn gray_of(values: [f32; 3]) -> f32 {
    GRAY[0] * values[0] + GRAY[1] * values[1] + GRAY[2] * values[2]
}

/// The mean gray value; sums of whole numbers are the same on every machine.
fn mean_gray(image: &Image) -> f32 {
    let mut sums = [0_u64; 3];
    if image.channels == 3 {
        for pixel in image.pixels.as_chunks::<3>().0 {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(value);
            }
        }
    } else {
        sums[0] = image.pixels.iter().map(|&value| u64::from(value)).sum();
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
    let hue = hue + 6.0 * turn;
    let hue = if hue < 0.0 { hue + 6.0 } else { below_six(hue) };
    // Each channel is a trapezoid over the wheel: 2 sixths at the top, 2 at the bottom.
    [5.0, 3.0, 1.0].map(|offset| {
        let at = below_six(hue + offset);
        most - range * at.min(4.0 - at).clamp(0.0, 1.0)
    })
}

/// The rest of a division by 6 of a value in `[0, 12)`, without a division.
fn below_six(value: f32) -> f32 {
    if value >= 6.0 { value - 6.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_plain_formulas() {
        for step in 0..=1_020 {
            let value = step as f32 / 4.0;
            assert_eq!(to_byte(value), value.round() as u8);
        }
        assert_eq!(to_byte(0.499_999_97), 0);
        for step in -400..=800 {
            let hue = step as f32 / 100.0;
            let wrapped = if hue < 0.0 { hue + 6.0 } else { below_six(hue) };
            assert_eq!(wrapped.to_bits(), hue.rem_euclid(6.0).to_bits(), "{hue}");
            let at = wrapped + 5.0;
            assert_eq!(below_six(at).to_bits(), (at % 6.0).to_bits(), "{hue}");
        }
    }
}
