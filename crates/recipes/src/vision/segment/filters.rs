//! Responses of filters, which describe a pixel by what is around it at several scales.
//!
//! References: Arganda-Carreras et al., *Trainable Weka Segmentation: a machine learning tool for
//! microscopy pixel classification*, 2017, <https://doi.org/10.1093/bioinformatics/btx180>; Berg et al.,
//! *ilastik: interactive machine learning for (bio)image analysis*, 2019,
//! <https://doi.org/10.1038/s41592-019-0582-9>.
//! Differs from them: derivatives are central differences of the smoothed image, which costs one
//! convolution for all of them; their sign does not depend on the direction of an edge.
//!
//! | of each scale | responses |
//! |---|---|
//! | smoothed image | one for each channel |
//! | gradient of the mean of the channels | its magnitude |
//! | Hessian of the same | its trace, the Laplacian, and both eigenvalues |
//! | structure tensor of the same | both eigenvalues |

use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::reflect;

/// Standard deviations of the Gaussians, in pixels.
const SIGMAS: [f32; 4] = [1.0, 2.0, 4.0, 8.0];

/// Standard deviation by which a structure tensor is averaged, as a fraction of its scale, as in ilastik.
const INTEGRATION: f32 = 0.5;

/// Values of the pixels of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    /// The values, `[height, width]`.
    pub(super) values: Vec<f32>,
}

/// How far, in pixels, a response depends on the image.
pub(super) fn reach() -> usize {
    let of_scale = |&sigma: &f32| radius(sigma) + 1 + radius(INTEGRATION * sigma);
    SIGMAS.iter().map(of_scale).max().unwrap_or(0)
}

/// The channels of an image, then the responses to them at each scale.
///
/// Borders are padded by reflection. The result does not depend on the number of threads.
pub(super) fn responses(channels: Vec<Plane>) -> Vec<Plane> {
    let scales = parallel_map(&SIGMAS, |&sigma| at_scale(&channels, sigma));
    channels
        .into_iter()
        .chain(scales.into_iter().flatten())
        .collect()
}

fn at_scale(channels: &[Plane], sigma: f32) -> Vec<Plane> {
    let mut planes: Vec<Plane> = channels
        .iter()
        .map(|channel| gaussian(channel, sigma))
        .collect();
    let gray = mean(&planes);
    let [magnitude, xx, xy, yy] = neighborhoods(&gray, |near| {
        let [x, y] = gradient(near);
        [(x * x + y * y).sqrt(), x * x, x * y, y * y]
    });
    let curvatures = neighborhoods(&gray, |near| {
        let [xx, xy, yy] = hessian(near);
        let [larger, smaller] = eigenvalues(xx, xy, yy);
        [xx + yy, larger, smaller]
    });
    planes.push(magnitude);
    planes.extend(curvatures);
    let tensor = [xx, xy, yy].map(|plane| gaussian(&plane, INTEGRATION * sigma));
    planes.extend(tensor_eigenvalues(&tensor));
    planes
}

fn tensor_eigenvalues([xx, xy, yy]: &[Plane; 3]) -> [Plane; 2] {
    let [mut larger, mut smaller] = [xx.clone(), xx.clone()];
    for (at, (xy, yy)) in xy.values.iter().zip(&yy.values).enumerate() {
        [larger.values[at], smaller.values[at]] = eigenvalues(xx.values[at], *xy, *yy);
    }
    [larger, smaller]
}

/// The mean of planes of one size.
fn mean(planes: &[Plane]) -> Plane {
    let mut mean = planes[0].clone();
    for plane in &planes[1..] {
        mean.values
            .iter_mut()
            .zip(&plane.values)
            .for_each(|(sum, value)| *sum += value);
    }
    let share = 1.0 / planes.len() as f32;
    mean.values.iter_mut().for_each(|sum| *sum *= share);
    mean
}

/// Farthest pixel that a Gaussian counts.
fn radius(sigma: f32) -> usize {
    (3.0 * sigma).ceil() as usize
}

/// Weights of a Gaussian at the distances 0, 1, …, which add up to 1 over both sides.
fn weights(sigma: f32) -> Vec<f32> {
    let distances = 0..=radius(sigma);
    let weight = |distance| (-0.5 * (distance as f32 / sigma).powi(2)).exp();
    let weights: Vec<f32> = distances.map(weight).collect();
    let sum = 2.0 * weights.iter().sum::<f32>() - weights[0];
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Smooths by a Gaussian, along the rows and then along the columns.
fn gaussian(plane: &Plane, sigma: f32) -> Plane {
    let &Plane { height, width, .. } = plane;
    let weights = weights(sigma);
    let radius = weights.len() - 1;
    let mut rows = vec![0.0; height * width];
    let mut line = vec![0.0; width + 2 * radius];
    for (from, to) in plane
        .values
        .chunks_exact(width)
        .zip(rows.chunks_exact_mut(width))
    {
        for (at, value) in line.iter_mut().enumerate() {
            *value = from[reflect(at, radius, width)];
        }
        for (distance, &weight) in weights.iter().enumerate() {
            let [before, after] = [radius - distance, radius + distance];
            add(to, [&line[before..], &line[after..]], weight, distance);
        }
    }
    let mut values = vec![0.0; height * width];
    for (row, to) in values.chunks_exact_mut(width).enumerate() {
        for (distance, &weight) in weights.iter().enumerate() {
            let near = [
                reflect(row, distance, height),
                reflect(row + distance, 0, height),
            ];
            let near = near.map(|row| &rows[row * width..][..width]);
            add(to, near, weight, distance);
        }
    }
    Plane {
        height,
        width,
        values,
    }
}

/// Adds the weighted values on both sides of pixels; at distance 0 both are the pixels themselves.
fn add(to: &mut [f32], [before, after]: [&[f32]; 2], weight: f32, distance: usize) {
    let weight = if distance == 0 { 0.5 * weight } else { weight };
    for ((sum, before), after) in to.iter_mut().zip(before).zip(after) {
        *sum += weight * (before + after);
    }
}

/// Maps the three by three pixels around each pixel, row after row, to values of the pixel.
fn neighborhoods<const N: usize>(
    plane: &Plane,
    of: impl Fn([[f32; 3]; 3]) -> [f32; N],
) -> [Plane; N] {
    let &Plane { height, width, .. } = plane;
    let near = |at: usize, side: usize| [reflect(at, 1, side), at, reflect(at + 1, 0, side)];
    let columns: Vec<[usize; 3]> = (0..width).map(|column| near(column, width)).collect();
    let mut planes = [(); N].map(|()| Plane {
        height,
        width,
        values: Vec::with_capacity(height * width),
    });
    for row in 0..height {
        let rows = near(row, height).map(|row| &plane.values[row * width..][..width]);
        for columns in &columns {
            let values = of(rows.map(|row| columns.map(|column| row[column])));
            for (plane, value) in planes.iter_mut().zip(values) {
                plane.values.push(value);
            }
        }
    }
    planes
}

/// The derivatives to the right and down.
fn gradient([above, row, below]: [[f32; 3]; 3]) -> [f32; 2] {
    [0.5 * (row[2] - row[0]), 0.5 * (below[1] - above[1])]
}

/// The second derivatives: to the right twice, right and down, and down twice.
fn hessian([above, row, below]: [[f32; 3]; 3]) -> [f32; 3] {
    [
        row[0] - 2.0 * row[1] + row[2],
        0.25 * (above[0] - above[2] - below[0] + below[2]),
        above[1] - 2.0 * row[1] + below[1],
    ]
}

/// The eigenvalues of a symmetric matrix of two by two, the larger first.
fn eigenvalues(xx: f32, xy: f32, yy: f32) -> [f32; 2] {
    let (middle, half) = (0.5 * (xx + yy), 0.5 * (xx - yy));
    let apart = (half * half + xy * xy).sqrt();
    [middle + apart, middle - apart]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(height: usize, width: usize, of: impl Fn(usize, usize) -> f32) -> Plane {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        Plane {
            height,
            width,
            values: pixels.map(|(y, x)| of(y, x)).collect(),
        }
    }

    fn assert_near(found: f32, expected: f32, tolerance: f32) {
        assert!(
            (found - expected).abs() < tolerance,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn a_constant_stays_itself_and_has_no_edges() {
        // Smaller than the largest Gaussian: mirrored several times.
        let all = responses(vec![plane(9, 14, |_, _| 0.3)]);
        assert_eq!(all.len(), 1 + SIGMAS.len() * 7);
        for (at, plane) in all.iter().enumerate() {
            let is_smoothed = at == 0 || (at - 1).is_multiple_of(7);
            for &value in &plane.values {
                assert_near(value, if is_smoothed { 0.3 } else { 0.0 }, 1e-5);
            }
        }
        // A single pixel has only itself as a mirror image.
        let single = gaussian(&plane(1, 1, |_, _| 0.7), 8.0);
        assert_near(single.values[0], 0.7, 1e-6);
    }

    #[test]
    fn a_point_is_spread_by_the_gaussian_and_none_of_it_is_lost() {
        let point = plane(41, 41, |y, x| f32::from(u8::from((y, x) == (20, 20))));
        let sigma = 2.0;
        let spread = gaussian(&point, sigma);
        assert_near(spread.values.iter().sum(), 1.0, 1e-5);
        let expected = 1.0 / (2.0 * std::f32::consts::PI * sigma * sigma);
        assert_near(spread.values[20 * 41 + 20], expected, 0.01 * expected);
        // Two standard deviations away.
        let away = expected * (-2.0_f32).exp();
        assert_near(spread.values[20 * 41 + 24], away, 0.01 * expected);
        assert_near(spread.values[24 * 41 + 20], away, 0.01 * expected);
        // The variance of what is left adds up to the square of the deviation.
        let variance: f32 = (0..41)
            .map(|x| (x as f32 - 20.0).powi(2) * spread.values[x..].iter().step_by(41).sum::<f32>())
            .sum();
        assert_near(variance, sigma * sigma, 0.15);
    }

    #[test]
    fn eigenvalues_are_those_known_by_hand() {
        // A diagonal matrix, and one turned by 45 degrees: [[1, 2], [2, 1]].
        assert_eq!(eigenvalues(2.0, 0.0, -1.0).to_vec(), [2.0, -1.0]);
        assert_eq!(eigenvalues(1.0, 2.0, 1.0).to_vec(), [3.0, -1.0]);
    }

    #[test]
    fn a_ridge_bends_across_and_not_along_itself() {
        // -(x - 10)²/2, whose second derivative is -1 across and 0 along, in either direction.
        let across = |at: usize| -0.5 * (at as f32 - 10.0).powi(2);
        for ridge in [
            plane(21, 21, |_, x| across(x)),
            plane(21, 21, |y, _| across(y)),
        ] {
            let [xx, xy, yy] = neighborhoods(&ridge, hessian);
            let at = 10 * 21 + 10;
            let [along, bent] = eigenvalues(xx.values[at], xy.values[at], yy.values[at]);
            assert_near(along, 0.0, 1e-5);
            assert_near(bent, -1.0, 1e-5);
        }
        // A diagonal ridge -(x - y)²/2 has the Hessian [[-1, 1], [1, -1]].
        let diagonal = plane(21, 21, |y, x| -0.5 * (x as f32 - y as f32).powi(2));
        let [xx, xy, yy] = neighborhoods(&diagonal, hessian);
        let at = 10 * 21 + 10;
        let [larger, smaller] = eigenvalues(xx.values[at], xy.values[at], yy.values[at]);
        assert_near(larger, 0.0, 1e-5);
        assert_near(smaller, -2.0, 1e-5);
    }

    #[test]
    fn a_smooth_slope_has_one_gradient_and_one_direction() {
        // 0.1 to the right and 0.2 down; far enough from the border nothing else is seen.
        let slope = plane(121, 121, |y, x| 0.1 * x as f32 + 0.2 * y as f32);
        let at = 60 * 121 + 60;
        let all = responses(vec![slope.clone()]);
        assert_eq!(all[0], slope);
        for scale in all[1..].chunks_exact(7) {
            let found: Vec<f32> = scale.iter().map(|plane| plane.values[at]).collect();
            let expected = [18.0, 0.05_f32.sqrt(), 0.0, 0.0, 0.0, 0.05, 0.0];
            for (found, expected) in found.into_iter().zip(expected) {
                assert_near(found, expected, 1e-3);
            }
        }
    }

    #[test]
    fn channels_are_smoothed_alone_and_their_mean_has_the_edges() {
        let step = plane(16, 16, |_, x| f32::from(u8::from(x >= 8)));
        let inverse = plane(16, 16, |_, x| f32::from(u8::from(x < 8)));
        let all = responses(vec![step.clone(), inverse]);
        assert_eq!(all.len(), 2 + SIGMAS.len() * 8);
        assert_eq!(all[2], gaussian(&step, 1.0));
        // The edges of both cancel out.
        let magnitude = &all[4];
        assert!(magnitude.values.iter().all(|value| value.abs() < 1e-5));
    }

    #[test]
    fn a_part_has_the_responses_of_the_whole_beyond_the_reach_of_its_cut() {
        let noise = |y: usize, x: usize| ((y * 7919 + x * 104_729) % 251) as f32 / 251.0;
        let whole = responses(vec![plane(12, 120, noise)]);
        let part = responses(vec![plane(12, 80, noise)]);
        let inside = 80 - reach();
        assert!(inside > 30);
        for (whole, part) in whole.iter().zip(&part) {
            for row in 0..12 {
                assert_eq!(
                    whole.values[row * 120..][..inside],
                    part.values[row * 80..][..inside]
                );
            }
        }
    }
}
