//! The corners of a photo, found again in another one.

use super::plane::{Patch, Plane};
use super::transform::Pair;

/// Columns and rows of the grid in which the best corners are taken.
const GRID: [usize; 2] = [26, 18];

/// Least correlation of a patch with its place.
const LEAST_CORRELATION: f32 = 0.7;

/// Radius of a patch in pixels, at half the resolution and at the full one.
const RADIUS: usize = 7;

/// A photo in two resolutions.
pub(super) struct Levels<'a> {
    full: &'a Plane,
    half: Plane,
    rough: Plane,
    /// Pixels of the photo for a pixel of `rough`.
    factor: usize,
}

impl<'a> Levels<'a> {
    pub(super) fn of(full: &'a Plane) -> Self {
        let factor = full.longest().div_ceil(120).max(1);
        Self {
            full,
            half: full.reduced(2),
            rough: full.reduced(factor).steepness(),
            factor,
        }
    }

    /// Height and width.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.full.height, self.full.width]
    }
}

/// The shift of the whole photo with the best correlation, in pixels.
fn rough_shift(photo: &Levels<'_>, reference: &Levels<'_>) -> [f64; 2] {
    let (from, to) = (&photo.rough, &reference.rough);
    let limit = (from.longest() / 5).cast_signed();
    let mut best = (f32::MIN, [0, 0]);
    for down in -limit..=limit {
        for right in -limit..=limit {
            let score = overlap_correlation(from, to, [right, down]);
            if score > best.0 {
                best = (score, [right, down]);
            }
        }
    }
    best.1
        .map(|pixels| (pixels * photo.factor.cast_signed()) as f64)
}

/// The correlation of what two planes share after a shift; -1 if that is less than half.
fn overlap_correlation(from: &Plane, to: &Plane, [right, down]: [isize; 2]) -> f32 {
    let range = |side: usize, other: usize, shift: isize| {
        let end = (other.cast_signed() - shift).min(side.cast_signed());
        (-shift).max(0)..end.max(0)
    };
    let columns = range(from.width, to.width, right);
    let rows = range(from.height, to.height, down);
    let count = columns.len() * rows.len();
    if count * 2 < from.values.len() {
        return -1.0;
    }
    let mut sums = [0.0_f32; 5];
    for y in rows {
        for x in columns.clone() {
            let a = from.at(x.cast_unsigned(), y.cast_unsigned());
            let b = to.at((x + right).cast_unsigned(), (y + down).cast_unsigned());
            for (sum, value) in sums.iter_mut().zip([a, b, a * a, b * b, a * b]) {
                *sum += value;
            }
        }
    }
    let count = count as f32;
    let [a, b, aa, bb, ab] = sums;
    let spread = (aa - a * a / count) * (bb - b * b / count);
    (ab - a * b / count) / spread.max(1e-6).sqrt()
}

/// The corners of a photo that are found in the reference, and how many corners the photo has.
pub(super) fn matches(photo: &Levels<'_>, reference: &Levels<'_>) -> (Vec<Pair>, usize) {
    let shift = rough_shift(photo, reference);
    let reach = (photo.half.longest() as f64 * 0.06).round().max(6.0) as isize;
    let corners = corners(&photo.half);
    let count = corners.len();
    let found = corners.into_iter().filter_map(|corner| {
        let patch = photo.half.patch(corner, RADIUS)?;
        let guess = [0, 1].map(|axis| corner[axis] as f64 + shift[axis] / 2.0);
        let guess = guess.map(|at| at.round() as isize);
        let rough = best_place(&reference.half, &patch, guess, reach)?;
        let fine = corner.map(|at| 2 * at);
        let patch = photo.full.patch(fine, RADIUS + 2)?;
        let place = best_place(reference.full, &patch, rough.map(|at| 2 * at), 3)?;
        let place = between_pixels(reference.full, &patch, place)?;
        Some([fine.map(|at| at as f64), place])
    });
    (found.collect(), count)
}

/// The best corner in each cell of a grid: where the brightness changes in both directions (Shi and Tomasi 1994).
fn corners(plane: &Plane) -> Vec<[usize; 2]> {
    let margin = RADIUS + 1;
    let strength = corner_strength(plane);
    let mut best = vec![(0.0_f32, [0, 0]); GRID[0] * GRID[1]];
    for y in margin..plane.height.saturating_sub(margin) {
        for x in margin..plane.width.saturating_sub(margin) {
            let cell = y * GRID[1] / plane.height * GRID[0] + x * GRID[0] / plane.width;
            let value = strength[y * plane.width + x];
            if value > best[cell].0 {
                best[cell] = (value, [x, y]);
            }
        }
    }
    // What is weaker than this is noise or sky.
    best.retain(|&(value, _)| value > 30.0);
    best.into_iter().map(|(_, corner)| corner).collect()
}

/// The smaller eigenvalue of the mean structure tensor of 5×5 pixels.
fn corner_strength(plane: &Plane) -> Vec<f32> {
    let (height, width) = (plane.height, plane.width);
    let slopes: Vec<[f32; 3]> = (0..plane.values.len())
        .map(|at| {
            let [dx, dy] = plane.slope(at % width, at / width);
            [dx * dx, dx * dy, dy * dy]
        })
        .collect();
    let mut strength = vec![0.0; slopes.len()];
    for y in 2..height.saturating_sub(2) {
        for x in 2..width.saturating_sub(2) {
            let mut sums = [0.0_f32; 3];
            for row in y - 2..=y + 2 {
                for slope in &slopes[row * width + x - 2..=row * width + x + 2] {
                    sums.iter_mut()
                        .zip(slope)
                        .for_each(|(sum, value)| *sum += value);
                }
            }
            let [xx, xy, yy] = sums.map(|sum| sum / 25.0);
            let half = 0.5 * (xx + yy);
            strength[y * width + x] = half - (0.25 * (xx - yy) * (xx - yy) + xy * xy).sqrt();
        }
    }
    strength
}

/// The best place of a patch within `reach` of a guess; none if nothing is like it.
fn best_place(plane: &Plane, patch: &Patch, guess: [isize; 2], reach: isize) -> Option<[isize; 2]> {
    let mut best = (LEAST_CORRELATION, None);
    for y in guess[1] - reach..=guess[1] + reach {
        for x in guess[0] - reach..=guess[0] + reach {
            let score = plane.correlation(patch, [x, y]).unwrap_or(-1.0);
            if score > best.0 {
                best = (score, Some([x, y]));
            }
        }
    }
    best.1
}

/// The top of the parabola through the correlations around the best pixel.
fn between_pixels(plane: &Plane, patch: &Patch, place: [isize; 2]) -> Option<[f64; 2]> {
    let score = |x: isize, y: isize| plane.correlation(patch, [place[0] + x, place[1] + y]);
    let middle = score(0, 0)?;
    let top = |before: Option<f32>, after: Option<f32>| match (before, after) {
        (Some(before), Some(after)) if before + after < 2.0 * middle => {
            f64::from(0.5 * (before - after) / (before + after - 2.0 * middle)).clamp(-0.5, 0.5)
        }
        _ => 0.0,
    };
    Some([
        place[0] as f64 + top(score(-1, 0), score(1, 0)),
        place[1] as f64 + top(score(0, -1), score(0, 1)),
    ])
}
