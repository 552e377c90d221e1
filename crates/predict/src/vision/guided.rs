//! Edges of a mask brought to those of a photo.
//!
//! Reference: He and Sun, *Fast guided filter*, 2015, <https://arxiv.org/abs/1505.00996>, after He, Sun
//! and Tang, *Guided image filtering*, 2013, <https://doi.org/10.1109/TPAMI.2012.213>. The mask is a
//! linear function of the photo in every small window. It is fitted at the resolution of the network, and
//! its coefficients are interpolated to that of the photo.

use tinderbox_datasets::image::Image;

/// Radius of a window, in pixels of the network's input.
const RADIUS: usize = 4;

/// Variance of the photo, in values of `[0, 1]`, below which a window counts as flat.
const EPSILON: f64 = 1e-3;

/// The brightness of every pixel, in `[0, 1]` (ITU-R BT.601).
pub(super) fn luminance(image: &Image) -> Vec<f32> {
    let pixels = image.pixels.chunks_exact(image.channels);
    let light = |pixel: &[u8]| match *pixel {
        [red, green, blue] => {
            (0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)) / 255.0
        }
        _ => f32::from(pixel[0]) / 255.0,
    };
    pixels.map(light).collect()
}

/// The linear function of the brightness at every pixel.
pub(super) struct Coefficients {
    pub(super) slope: Vec<f32>,
    pub(super) offset: Vec<f32>,
}

impl Coefficients {
    /// Fits a mask to the photo, both `[height, width]`.
    pub(super) fn fit(photo: &[f32], mask: &[f32], shape: [usize; 2]) -> Self {
        let blur = |values: Vec<f64>| box_mean(&values, shape);
        let of = |function: &dyn Fn(f64, f64) -> f64| {
            let pairs = photo.iter().zip(mask);
            pairs
                .map(|(&light, &p)| function(f64::from(light), f64::from(p)))
                .collect()
        };
        let light = blur(of(&|light, _| light));
        let p = blur(of(&|_, p| p));
        let square = blur(of(&|light, _| light * light));
        let product = blur(of(&|light, p| light * p));
        let slope: Vec<f64> = (0..photo.len())
            .map(|at| {
                let variance = square[at] - light[at] * light[at];
                (product[at] - light[at] * p[at]) / (variance.max(0.0) + EPSILON)
            })
            .collect();
        let offset = (0..photo.len()).map(|at| p[at] - slope[at] * light[at]);
        let offset = blur(offset.collect());
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Self {
            slope: narrow(blur(slope)),
            offset: narrow(offset),
        }
    }
}

/// The mean over the window around every pixel, cut at the border.
fn box_mean(values: &[f64], [height, width]: [usize; 2]) -> Vec<f64> {
    let mut rows = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        rows.extend(line_mean(row.iter().copied(), width));
    }
    let mut output = vec![0.0; values.len()];
    for column in 0..width {
        let line = rows.iter().skip(column).step_by(width).copied();
        for (row, mean) in line_mean(line, height).enumerate() {
            output[row * width + column] = mean;
        }
    }
    output
}

fn line_mean(line: impl Iterator<Item = f64>, length: usize) -> impl Iterator<Item = f64> {
    let mut sums = Vec::with_capacity(length + 1);
    sums.push(0.0);
    let mut sum = 0.0;
    sums.extend(line.map(|value| {
        sum += value;
        sum
    }));
    (0..length).map(move |at| {
        let (start, end) = (at.saturating_sub(RADIUS), (at + RADIUS + 1).min(length));
        (sums[end] - sums[start]) / (end - start) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_that_is_linear_in_the_photo_is_found() {
        let shape = [20, 30];
        let photo: Vec<f32> = (0..600)
            .map(|at| ((at * 37) % 100) as f32 / 100.0)
            .collect();
        let mask: Vec<f32> = photo.iter().map(|light| 0.5 * light + 0.25).collect();
        let Coefficients { slope, offset } = Coefficients::fit(&photo, &mask, shape);
        for at in 0..600 {
            let value = slope[at] * photo[at] + offset[at];
            assert!((value - mask[at]).abs() < 0.01, "{value} {}", mask[at]);
        }
    }

    #[test]
    fn a_flat_photo_leaves_the_mean_of_the_window() {
        let mask: Vec<f64> = (0..25).map(|at| f64::from(at % 5)).collect();
        assert!(
            box_mean(&mask, [5, 5])
                .iter()
                .all(|mean| (mean - 2.0).abs() < 1e-12)
        );
    }
}
