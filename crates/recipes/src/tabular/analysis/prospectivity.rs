//! Where to look: maps with a handful of known deposits.
//!
//! A deposit is found if the model, which has never seen it, puts its cell among the first. Every
//! deposit is left out once, a model is trained on the others, and all cells of the area are ranked by
//! it; the capture curve says which share of the deposits lies in which share of the area (Agterberg
//! and Bonham-Carter, *Measuring the performance of mineral-potential maps*, 2005,
//! <https://doi.org/10.1007/s11053-005-4674-0>).

use tinderbox_datasets::random::{permutation, stream};
use tinderbox_datasets::sets::Prospect;
use tinderbox_datasets::table::{Column, Table};

use super::error::DataError;

/// Word that keeps the stream of background cells apart.
const BACKGROUND: u64 = 21;

/// An area with the cells that are learned from.
#[derive(Clone, Debug)]
pub struct Area {
    /// The maps.
    pub prospect: Prospect,
    /// The cell of each row of the table that is learned from, as a row of the area's table.
    pub rows: Vec<usize>,
}

/// How well a method ranks what it has not seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// The method.
    pub method: String,
    /// For each deposit: the share of the area that is ranked above the middle of its equals, in
    /// `[0, 1]`.
    pub ranks: Vec<f64>,
}

impl Capture {
    /// The share of the deposits inside the best `share` of the area.
    pub fn within(&self, share: f64) -> f64 {
        let found = self.ranks.iter().filter(|rank| **rank <= share).count();
        found as f64 / self.ranks.len().max(1) as f64
    }
}

/// What leaving out every deposit once has shown, and the map of the model that knows them all.
#[derive(Clone, Debug)]
pub struct Prospects {
    /// The net first, then the classical methods.
    pub captures: Vec<Capture>,
    /// Probability of each row of the area's table.
    pub scores: Vec<f32>,
}

/// The cells that are learned from: those with a deposit, the barren ones, and `background` others of
/// which nothing is known, drawn at random and taken for barren, since nearly all are.
pub(super) fn learnable(
    prospect: Prospect,
    background: usize,
    seed: u64,
) -> Result<(Table, Area), DataError> {
    let column = prospect.table.column("deposit")?;
    let known = |row: usize| !column.is_missing(row);
    let order = permutation(prospect.table.rows(), &mut stream(seed, &[BACKGROUND]));
    let drawn = order
        .into_iter()
        .filter(|&row| !known(row))
        .take(background);
    let mut rows: Vec<usize> = (0..prospect.table.rows())
        .filter(|&row| known(row))
        .collect();
    rows.extend(drawn);
    rows.sort_unstable();
    let labels = rows.iter().map(|&row| {
        let label = column.number(row);
        if label.is_nan() { 0.0 } else { label }
    });
    let labels = Column::boolean("deposit", labels.collect());
    let mut table = prospect.table.take(&rows);
    table.remove("deposit")?;
    table.push(labels)?;
    Ok((table, Area { prospect, rows }))
}

/// The share of all scores above those at `rows`, half of the equals counted; the best of them.
pub(super) fn rank(scores: &[f32], rows: &[usize]) -> f64 {
    let best = rows
        .iter()
        .map(|&row| scores[row])
        .fold(f32::NEG_INFINITY, f32::max);
    let above = scores.iter().filter(|&&score| score > best).count() as f64;
    #[expect(clippy::float_cmp, reason = "equals are equal to the bit")]
    let equal = scores.iter().filter(|&&score| score == best).count() as f64;
    (above + equal / 2.0) / scores.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_hundred_lies_in_the_first_percent() {
        let scores: Vec<f32> = (0_u8..100).map(f32::from).collect();
        assert!((rank(&scores, &[99]) - 0.005).abs() < 1e-12);
        assert!((rank(&scores, &[0, 98]) - 0.015).abs() < 1e-12);
        assert!((rank(&[1.0; 10], &[3]) - 0.5).abs() < 1e-12);
        let capture = Capture {
            method: String::new(),
            ranks: vec![0.005, 0.2, 0.03, 0.5],
        };
        assert!((capture.within(0.04) - 0.5).abs() < 1e-12);
    }
}
