//! Masks of objects as COCO stores them: polygons and run lengths.
//!
//! Reference: Lin et al., *Microsoft COCO*, 2014, <https://arxiv.org/abs/1405.0312>. The pixels are those
//! of `pycocotools`: a polygon is drawn five times as large, and runs go down the columns.

/// A polygon is drawn this many times as large.
const SCALE: f64 = 5.0;

/// Most pixels on either side of the image that a corner may lie at.
const FARTHEST: f64 = 1e6;

/// The pixels of an object, down the columns of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::image) struct Region {
    height: usize,
    width: usize,
    /// `[width, height]`.
    inside: Vec<bool>,
}

impl Region {
    /// A region without a pixel.
    pub(in crate::image) fn empty(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            inside: vec![false; height * width],
        }
    }

    /// The number of its pixels.
    pub(in crate::image) fn area(&self) -> usize {
        self.inside.iter().filter(|&&inside| inside).count()
    }

    /// Whether the pixel belongs to it.
    pub(in crate::image) fn contains(&self, row: usize, column: usize) -> bool {
        self.inside[column * self.height + row]
    }

    /// Adds a polygon of the corners `x, y, x, y, …`; the error says what is wrong.
    pub(in crate::image) fn add_polygon(&mut self, corners: &[f64]) -> Result<(), String> {
        if corners.len() < 6 || corners.len() % 2 == 1 {
            return Err(format!("a polygon of {} numbers", corners.len()));
        }
        if let Some(bad) = corners.iter().find(|at| at.is_nan() || at.abs() > FARTHEST) {
            return Err(format!("a polygon with the coordinate {bad}"));
        }
        let mut crossings = self.crossings(&outline(corners));
        crossings.sort_unstable();
        for pair in crossings.chunks(2) {
            let end = pair.get(1).copied().unwrap_or(self.inside.len());
            self.inside[pair[0]..end].fill(true);
        }
        Ok(())
    }

    /// Where the outline is entered or left going down the columns.
    fn crossings(&self, points: &[[i64; 2]]) -> Vec<usize> {
        let mut crossings = Vec::new();
        for pair in points.windows(2) {
            let ([from_x, from_y], [to_x, to_y]) = (pair[0], pair[1]);
            if from_x == to_x {
                continue;
            }
            let left = if to_x < from_x { to_x } else { to_x - 1 };
            let x = (left as f64 + 0.5) / SCALE - 0.5;
            if x.floor() < x || x < 0.0 || x > self.width as f64 - 1.0 {
                continue;
            }
            let y = (to_y.min(from_y) as f64 + 0.5) / SCALE - 0.5;
            let y = y.clamp(0.0, self.height as f64).ceil();
            crossings.push(x as usize * self.height + y as usize);
        }
        crossings
    }

    /// Sets the pixels of run lengths: outside, inside, outside, and so on.
    pub(in crate::image) fn add_runs(&mut self, runs: &[u64]) -> Result<(), String> {
        let total = runs
            .iter()
            .try_fold(0_u64, |sum, &run| sum.checked_add(run));
        if total != Some(self.inside.len() as u64) {
            let pixels = self.inside.len();
            return Err(format!("run lengths that do not add up to {pixels} pixels"));
        }
        let mut at = 0;
        for (turn, &run) in runs.iter().enumerate() {
            let end = at + run as usize;
            if turn % 2 == 1 {
                self.inside[at..end].fill(true);
            }
            at = end;
        }
        Ok(())
    }
}

/// The run lengths of a compressed string: 5 bits per character, each number from the third on as the
/// difference to the one before the last.
pub(crate) fn unpack_runs(text: &str) -> Result<Vec<u64>, String> {
    let bad = || "a damaged string of run lengths".to_owned();
    let mut runs: Vec<u64> = Vec::new();
    let (mut value, mut bits) = (0_i64, 0);
    for &byte in text.as_bytes() {
        let part = byte.checked_sub(48).filter(|part| *part < 64 && bits < 60);
        let part = i64::from(part.ok_or_else(bad)?);
        value |= (part & 31) << bits;
        bits += 5;
        if part & 32 != 0 {
            continue;
        }
        if part & 16 != 0 {
            value |= -1 << bits;
        }
        if runs.len() > 2 {
            value += runs[runs.len() - 2].cast_signed();
        }
        runs.push(u64::try_from(value).map_err(|_| bad())?);
        (value, bits) = (0, 0);
    }
    if bits == 0 { Ok(runs) } else { Err(bad()) }
}

/// The points of the closed outline, five times as large, without gaps.
fn outline(corners: &[f64]) -> Vec<[i64; 2]> {
    let corner = |pair: &[f64]| [pair[0], pair[1]].map(|at| (SCALE * at + 0.5) as i64);
    let corners: Vec<[i64; 2]> = corners.chunks_exact(2).map(corner).collect();
    let mut points = Vec::new();
    for (at, &from) in corners.iter().enumerate() {
        line(from, corners[(at + 1) % corners.len()], &mut points);
    }
    points
}

/// Appends the points of a line, both ends included.
fn line(from: [i64; 2], to: [i64; 2], points: &mut Vec<[i64; 2]>) {
    let lengths = [0, 1].map(|axis| (to[axis] - from[axis]).abs());
    // The axis with a point per step, and the other one.
    let (long, short) = if lengths[0] >= lengths[1] {
        (0, 1)
    } else {
        (1, 0)
    };
    let backward = from[long] > to[long];
    let (start, end) = if backward { (to, from) } else { (from, to) };
    let slope = if lengths[long] == 0 {
        0.0
    } else {
        (end[short] - start[short]) as f64 / lengths[long] as f64
    };
    for step in 0..=lengths[long] {
        let step = if backward { lengths[long] - step } else { step };
        let mut point = [0; 2];
        point[long] = start[long] + step;
        point[short] = (start[short] as f64 + slope * step as f64 + 0.5) as i64;
        points.push(point);
    }
}
