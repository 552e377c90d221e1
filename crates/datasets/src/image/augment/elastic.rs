//! Elastic deformation: smooth random shifts of pixels.
//!
//! Reference: Simard, Steinkraus and Platt, *Best practices for convolutional neural networks applied to
//! visual document analysis*, 2003, <https://doi.org/10.1109/ICDAR.2003.1227801>.
//! Differs from it: the shifts are drawn on a lattice of half a standard deviation and interpolated, which
//! is as smooth and much cheaper, and they are scaled to a root mean square that is given as a fraction of
//! the image.

use super::warp::Warp;
use crate::image::{Image, Mask};
use crate::random::{Stream, symmetric};

/// Standard deviation of the smoothing, as a fraction of the shorter side; 4 of 29 pixels in the paper.
const SMOOTHNESS: f64 = 0.14;

/// Lattice points per standard deviation.
const DENSITY: f64 = 2.0;

/// Lattice points that the smoothing reaches to each side, 3 standard deviations.
const REACH: usize = 6;

/// A smooth field of shifts: where the pixels of the result come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Elastic {
    /// Pixels between two points of the lattice.
    spacing: f64,
    /// Number of rows and columns of the lattice.
    size: [usize; 2],
    /// Shifts to the right and downward, in pixels, `[rows, columns]`.
    shifts: Vec<[f64; 2]>,
}

impl Elastic {
    /// Draws shifts with a root mean square of `strength` times the shorter side along each axis.
    pub(super) fn sample(strength: f32, height: usize, width: usize, rng: &mut Stream) -> Self {
        let shorter = height.min(width) as f64;
        let spacing = (SMOOTHNESS * shorter / DENSITY).max(1.0);
        let size = [height, width].map(|side| (side as f64 / spacing).ceil() as usize + 1);
        let [mut right, mut down] = [0, 1].map(|_| smooth_noise(size, rng));
        for field in [&mut right, &mut down] {
            let squares: f64 = field.iter().map(|shift| shift * shift).sum();
            let root = (squares / field.len() as f64).sqrt();
            let factor = if root > 0.0 {
                f64::from(strength) * shorter / root
            } else {
                0.0
            };
            for shift in field {
                *shift *= factor;
            }
        }
        let shifts = right.into_iter().zip(down).map(|(x, y)| [x, y]).collect();
        Self {
            spacing,
            size,
            shifts,
        }
    }

    /// The shift of the pixel in this row and column.
    pub(super) fn shift(&self, y: f64, x: f64) -> [f64; 2] {
        let along = |at: f64, count: usize| {
            let at = (at / self.spacing).clamp(0.0, (count - 1) as f64);
            let first = (at.floor() as usize).min(count.saturating_sub(2));
            (first, (first + 1).min(count - 1), at - first as f64)
        };
        let (top, bottom, below) = along(y, self.size[0]);
        let (left, right, beyond) = along(x, self.size[1]);
        let get = |row: usize, column: usize| self.shifts[row * self.size[1] + column];
        let mix = |a: f64, b: f64, part: f64| a + (b - a) * part;
        [0, 1].map(|axis| {
            let upper = mix(get(top, left)[axis], get(top, right)[axis], beyond);
            let lower = mix(get(bottom, left)[axis], get(bottom, right)[axis], beyond);
            mix(upper, lower, below)
        })
    }

    /// Calls `each` with the source of every pixel of the deformed and then warped image, row by row. Both
    /// changes are made at once: an image that is interpolated twice is blurred twice.
    fn sources(
        &self,
        [height, width]: [usize; 2],
        warp: Option<&Warp>,
        mut each: impl FnMut(f64, f64),
    ) {
        for row in 0..height {
            for column in 0..width {
                let at = [column as f64, row as f64];
                let [x, y] = match warp {
                    Some(warp) => warp.source(at, height, width),
                    None => at,
                };
                let [right, down] = self.shift(y, x);
                each(y + down, x + right);
            }
        }
    }

    /// The deformed and then warped image: bilinear interpolation, `fill` outside of the source.
    pub(super) fn apply_image(&self, image: &Image, warp: Option<&Warp>, fill: u8) -> Image {
        let (height, width, channels) = (image.height, image.width, image.channels);
        let get = |row: f64, column: f64, channel: usize| {
            let inside =
                row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
            if inside {
                let at = row as usize * width + column as usize;
                f64::from(image.pixels[at * channels + channel])
            } else {
                f64::from(fill)
            }
        };
        let mut pixels = Vec::with_capacity(image.pixels.len());
        self.sources([height, width], warp, |y, x| {
            let (top, left) = (y.floor(), x.floor());
            let (below, beyond) = (y - top, x - left);
            for channel in 0..channels {
                let value = |down: f64, right: f64| get(top + down, left + right, channel);
                let upper = value(0.0, 0.0) * (1.0 - beyond) + value(0.0, 1.0) * beyond;
                let lower = value(1.0, 0.0) * (1.0 - beyond) + value(1.0, 1.0) * beyond;
                pixels.push((upper * (1.0 - below) + lower * below).round() as u8);
            }
        });
        Image {
            height,
            width,
            channels,
            pixels,
        }
    }

    /// The deformed and then warped mask: the class of the nearest pixel, `fill` outside of the source.
    pub(super) fn apply_mask(&self, mask: &Mask, warp: Option<&Warp>, fill: u16) -> Mask {
        let (height, width) = (mask.height, mask.width);
        let mut classes = Vec::with_capacity(mask.classes.len());
        self.sources([height, width], warp, |y, x| {
            let (row, column) = ((y + 0.5).floor(), (x + 0.5).floor());
            let inside =
                row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
            classes.push(if inside {
                mask.classes[row as usize * width + column as usize]
            } else {
                fill
            });
        });
        Mask {
            height,
            width,
            classes,
        }
    }

    /// The position of a point after the deformation, which has no formula: the fixed point of "where it
    /// came from".
    pub(super) fn apply_point(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let mut at = [x, y];
        for _ in 0..10 {
            let [right, down] = self.shift(at[1] - 0.5, at[0] - 0.5);
            at = [x - right, y - down];
        }
        at
    }
}

/// Uniform noise after a Gaussian of [`DENSITY`] lattice points, `[rows, columns]`.
fn smooth_noise([rows, columns]: [usize; 2], rng: &mut Stream) -> Vec<f64> {
    // Noise beyond the border, so that the border is as rough as the middle.
    let wide = columns + 2 * REACH;
    let noise: Vec<f64> = (0..(rows + 2 * REACH) * wide)
        .map(|_| f64::from(symmetric(rng, 1.0)))
        .collect();
    let weights: Vec<f64> = (0..=2 * REACH)
        .map(|at| {
            let far = (at as f64 - REACH as f64) / DENSITY;
            (-far * far / 2.0).exp()
        })
        .collect();
    let sum = |values: &mut dyn Iterator<Item = f64>| -> f64 {
        weights
            .iter()
            .zip(values)
            .map(|(weight, value)| weight * value)
            .sum()
    };
    let mut flat = Vec::with_capacity((rows + 2 * REACH) * columns);
    for row in noise.chunks_exact(wide) {
        flat.extend((0..columns).map(|column| sum(&mut row[column..].iter().copied())));
    }
    let mut smooth = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let column =
            |at: usize| sum(&mut flat[row * columns + at..].iter().step_by(columns).copied());
        smooth.extend((0..columns).map(column));
    }
    smooth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warp_and_a_deformation_interpolate_once() {
        let half = Warp {
            right: 0.5,
            down: 0.0,
            angle: 0.0,
            scale: 1.0,
            shear: 0.0,
        };
        // Half a pixel back.
        let elastic = Elastic {
            spacing: 4.0,
            size: [2, 2],
            shifts: vec![[0.5, 0.0]; 4],
        };
        let stripes = Image {
            height: 2,
            width: 4,
            channels: 1,
            pixels: vec![0, 200, 0, 200, 10, 20, 30, 40],
        };
        assert_eq!(elastic.apply_image(&stripes, Some(&half), 7), stripes);
        let blurred = elastic.apply_image(&stripes, None, 7);
        assert_eq!(blurred.pixels[..3], [100, 100, 100]);
        let mask = Mask {
            height: 2,
            width: 4,
            classes: vec![0, 1, 0, 1, 2, 3, 2, 3],
        };
        assert_eq!(elastic.apply_mask(&mask, Some(&half), 9), mask);
    }
}
