//! Boundary F: how well the outlines of a class agree.

use tinderbox_datasets::image::{IGNORE, Mask};

/// F of the boundary pixels of a class that lie within `tolerance` times the diagonal of one of the other
/// mask; `None` if neither mask has a boundary. Pixels that are ignored in `actual` have no boundary.
pub(super) fn f_score(predicted: &Mask, actual: &Mask, class: u16, tolerance: f64) -> Option<f64> {
    let (height, width) = (actual.height, actual.width);
    let counts = |at: usize| actual.classes[at] != IGNORE;
    let found = boundary(predicted, class, counts);
    let wanted = boundary(actual, class, counts);
    if found.is_empty() && wanted.is_empty() {
        return None;
    }
    let reach = tolerance * ((height * height + width * width) as f64).sqrt();
    let share = |points: &[usize], others: &[usize]| {
        let distances = squared_distances(others, height, width);
        let near = |&&at: &&usize| distances[at] <= reach * reach;
        points.iter().filter(near).count() as f64 / points.len() as f64
    };
    if found.is_empty() || wanted.is_empty() {
        return Some(0.0);
    }
    let (precision, recall) = (share(&found, &wanted), share(&wanted, &found));
    Some(if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    })
}

/// The pixels of a class with a neighbor, of four, of another class; only where both count.
fn boundary(mask: &Mask, class: u16, counts: impl Fn(usize) -> bool) -> Vec<usize> {
    let (height, width) = (mask.height, mask.width);
    let other = |at: usize| counts(at) && mask.classes[at] != class;
    let is_boundary = |&at: &usize| {
        let (row, column) = (at / width, at % width);
        mask.classes[at] == class
            && counts(at)
            && (row > 0 && other(at - width)
                || row + 1 < height && other(at + width)
                || column > 0 && other(at - 1)
                || column + 1 < width && other(at + 1))
    };
    (0..height * width).filter(is_boundary).collect()
}

/// The squared distance of every pixel to the nearest of `points`, in pixels.
///
/// Reference: Felzenszwalb and Huttenlocher, *Distance transforms of sampled functions*, 2012,
/// <https://doi.org/10.4086/toc.2012.v008a019>.
fn squared_distances(points: &[usize], height: usize, width: usize) -> Vec<f64> {
    // Farther than any pixel, and finite so that differences are numbers.
    let far = ((height + width) * (height + width)) as f64;
    let mut distances = vec![far; height * width];
    for &point in points {
        distances[point] = 0.0;
    }
    for column in 0..width {
        let line: Vec<f64> = (0..height)
            .map(|row| distances[row * width + column])
            .collect();
        for (row, value) in lower_envelope(&line).into_iter().enumerate() {
            distances[row * width + column] = value;
        }
    }
    for row in distances.chunks_exact_mut(width.max(1)) {
        let line = lower_envelope(row);
        row.copy_from_slice(&line);
    }
    distances
}

/// The least of `values[at] + (x - at)^2` at every `x`.
fn lower_envelope(values: &[f64]) -> Vec<f64> {
    // The parabolas that are lowest somewhere, and where each begins to be.
    let mut lowest: Vec<(usize, f64)> = Vec::new();
    for (at, &value) in values.iter().enumerate() {
        let place = |&(other, _): &(usize, f64)| {
            let (x, o) = (at as f64, other as f64);
            (value + x * x - values[other] - o * o) / (2.0 * (x - o))
        };
        let mut start = f64::NEG_INFINITY;
        while let Some(last) = lowest.last() {
            start = place(last);
            if start > last.1 {
                break;
            }
            lowest.pop();
            start = f64::NEG_INFINITY;
        }
        lowest.push((at, start));
    }
    let mut current = 0;
    let at = |x: usize| {
        while lowest
            .get(current + 1)
            .is_some_and(|next| next.1 <= x as f64)
        {
            current += 1;
        }
        let from = lowest[current].0;
        values[from] + (x as f64 - from as f64).powi(2)
    };
    (0..values.len()).map(at).collect()
}
