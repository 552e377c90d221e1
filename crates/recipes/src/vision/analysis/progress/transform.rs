//! Maps between the pixels of two photos of one place.

/// A homography: where a point of one photo is in the other.
///
/// Reference: Hartley and Zisserman, *Multiple View Geometry in Computer Vision*, 2004, chapter 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Transform([f64; 9]);

/// The same point in two photos.
pub(super) type Pair = [[f64; 2]; 2];

impl Transform {
    /// No motion.
    pub(super) const IDENTITY: Self = Self([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);

    pub(super) fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let m = &self.0;
        let depth = m[6] * x + m[7] * y + m[8];
        // Behind the camera: nowhere near the photo.
        let depth = if depth > 1e-9 { depth } else { 1e-9 };
        [
            (m[0] * x + m[1] * y + m[2]) / depth,
            (m[3] * x + m[4] * y + m[5]) / depth,
        ]
    }

    /// First this transform, then another one.
    pub(super) fn then(&self, next: &Self) -> Self {
        let (a, b) = (&next.0, &self.0);
        let mut product = [0.0; 9];
        for (at, value) in product.iter_mut().enumerate() {
            *value = (0..3).map(|k| a[at / 3 * 3 + k] * b[k * 3 + at % 3]).sum();
        }
        Self(product.map(|value| value / product[8]))
    }

    /// The way back; none if there is none.
    pub(super) fn inverse(&self) -> Option<Self> {
        let m = &self.0;
        let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
        let adjugate = [
            minor(4, 5, 7, 8),
            minor(2, 1, 8, 7),
            minor(1, 2, 4, 5),
            minor(5, 3, 8, 6),
            minor(0, 2, 6, 8),
            minor(2, 0, 5, 3),
            minor(3, 4, 6, 7),
            minor(1, 0, 7, 6),
            minor(0, 1, 3, 4),
        ];
        let scale = adjugate[8];
        (scale.abs() > 1e-12).then(|| Self(adjugate.map(|value| value / scale)))
    }

    /// The shift, turn and scale that fits pairs best (least squares); none with fewer than 2 different points.
    pub(super) fn similarity(pairs: &[Pair]) -> Option<Self> {
        let count = pairs.len() as f64;
        let mean = |side: usize, axis: usize| {
            pairs.iter().map(|pair| pair[side][axis]).sum::<f64>() / count
        };
        let [from, to] = [0, 1].map(|side| [mean(side, 0), mean(side, 1)]);
        let (mut along, mut across, mut squares) = (0.0, 0.0, 0.0);
        for [a, b] in pairs {
            let (ax, ay) = (a[0] - from[0], a[1] - from[1]);
            let (bx, by) = (b[0] - to[0], b[1] - to[1]);
            along += ax * bx + ay * by;
            across += ax * by - ay * bx;
            squares += ax * ax + ay * ay;
        }
        if pairs.len() < 2 || squares < 1e-6 {
            return None;
        }
        let (c, s) = (along / squares, across / squares);
        let x = to[0] - c * from[0] + s * from[1];
        let y = to[1] - s * from[0] - c * from[1];
        Some(Self([c, -s, x, s, c, y, 0.0, 0.0, 1.0]))
    }

    /// The homography that fits pairs best (least squares); none with fewer than 4 points in general position.
    pub(super) fn homography(pairs: &[Pair], side: f64) -> Option<Self> {
        if pairs.len() < 4 {
            return None;
        }
        // Coordinates of about 1 keep the equations well conditioned.
        let mut equations = [[0.0; 9]; 8];
        for &[from, to] in pairs {
            let [x, y] = from.map(|value| value / side);
            let [u, v] = to.map(|value| value / side);
            let rows = [
                [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u],
                [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v],
            ];
            for row in rows {
                for (i, equation) in equations.iter_mut().enumerate() {
                    for (sum, value) in equation.iter_mut().zip(row) {
                        *sum += row[i] * value;
                    }
                }
            }
        }
        let h = solve(equations)?;
        Some(Self([
            h[0],
            h[1],
            h[2] * side,
            h[3],
            h[4],
            h[5] * side,
            h[6] / side,
            h[7] / side,
            1.0,
        ]))
    }

    /// Whether it is the small motion of a camera: no corner of a photo of this size moves by more than `limit`,
    /// and the photo keeps its area within a factor of 2.
    pub(super) fn is_small(&self, [height, width]: [f64; 2], limit: f64) -> bool {
        let corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]];
        let moved = corners.map(|corner| self.apply(corner));
        let near = corners
            .iter()
            .zip(&moved)
            .all(|(from, to)| distance(*from, *to) <= limit);
        let edges = (0..4).map(|at| (moved[at], moved[(at + 1) % 4]));
        let area = 0.5 * edges.map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>();
        near && (0.5..=2.0).contains(&(area / (height * width)))
    }
}

/// Distance of two points.
pub(super) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Solves 8 linear equations (Gauss, with pivoting); none if they do not have one solution.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|&a, &b| {
            let size = |row: usize| rows[row][column].abs();
            size(a).total_cmp(&size(b))
        })?;
        rows.swap(column, pivot);
        if rows[column][column].abs() < 1e-12 {
            return None;
        }
        let lead = rows[column];
        for row in &mut rows[column + 1..] {
            let factor = row[column] / lead[column];
            row.iter_mut()
                .zip(lead)
                .for_each(|(value, lead)| *value -= factor * lead);
        }
    }
    let mut solution = [0.0; 8];
    for row in (0..8).rev() {
        let known: f64 = (row + 1..8).map(|at| rows[row][at] * solution[at]).sum();
        solution[row] = (rows[row][8] - known) / rows[row][row];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(transform: &Transform) -> Vec<Pair> {
        let points = (0..12).map(|at| [f64::from(at * 37 % 100), f64::from(at * 53 % 70)]);
        points
            .map(|point| [point, transform.apply(point)])
            .collect()
    }

    #[test]
    fn a_transform_is_recovered_from_its_pairs_and_inverted() {
        let turn = Transform([0.99, -0.05, 7.0, 0.05, 0.99, -3.0, 0.0, 0.0, 1.0]);
        let tilt = Transform([1.02, 0.01, 4.0, -0.02, 0.97, 2.0, 4e-4, -2e-4, 1.0]);
        let similarity = Transform::similarity(&pairs(&turn)).unwrap();
        let homography = Transform::homography(&pairs(&tilt), 100.0).unwrap();
        for (found, wanted) in [(similarity, turn), (homography, tilt)] {
            let back = found.inverse().unwrap();
            for [from, to] in pairs(&wanted) {
                assert!(distance(found.apply(from), to) < 1e-6);
                assert!(distance(back.apply(to), from) < 1e-6);
                let both = found.then(&back).apply(from);
                assert!(distance(both, from) < 1e-6);
            }
        }
        assert!(tilt.is_small([70.0, 100.0], 20.0));
        assert!(!tilt.is_small([70.0, 100.0], 2.0));
    }

    #[test]
    fn points_on_a_line_give_no_homography() {
        let line: Vec<Pair> = (0..9).map(|at| [[f64::from(at), 1.0]; 2]).collect();
        assert!(Transform::homography(&line, 10.0).is_none());
        assert!(Transform::similarity(&line[..1]).is_none());
    }
}
