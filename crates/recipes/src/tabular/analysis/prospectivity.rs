//! Prospectivity: maps of an area with a few known deposits.
//!
//! Every deposit is left out once, a model is trained on the others, and all cells of the area are
//! ranked by it; the capture curve is the share of the deposits in the best share of the area
//! (Agterberg and Bonham-Carter, *Measuring the performance of mineral-potential maps*, 2005,
//! <https://doi.org/10.1007/s11053-005-4674-0>).

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::random::permutation;
use tinderbox_datasets::sets::Prospect;
use tinderbox_datasets::table::{Column, Table};
use tinderbox_train::section::{Body, Curve};
use tinderbox_train::{Section, TaskError};

use super::prospectivity_map::draw_map;
use crate::tabular::error::DataError;
use crate::tabular::random::Purpose;

/// Shares of the area at which the capture curve is computed.
const SHARES: [f64; 6] = [0.01, 0.02, 0.04, 0.1, 0.2, 0.5];

/// Name of the map in a run directory.
const MAP_FILE: &str = "map.png";

/// An area with the cells of the training table.
#[derive(Clone, Debug)]
pub struct Area {
    /// The maps.
    pub prospect: Prospect,
    /// The row of the area's table for each row of the training table.
    pub rows: Vec<usize>,
}

/// The ranks that a method gives to held-out deposits.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tabular) struct Capture {
    /// The method.
    method: String,
    /// For each deposit: the share of the area that is ranked above it, with half of its equals, in
    /// `[0, 1]`.
    ranks: Vec<f64>,
}

impl Capture {
    /// A method before any deposit was held out.
    pub(in crate::tabular) fn new(method: String) -> Self {
        Self {
            method,
            ranks: Vec::new(),
        }
    }

    /// Adds the rank of a held-out deposit at a row of the area among the scores of all rows.
    pub(in crate::tabular) fn add(&mut self, scores: &[f32], deposit: usize) {
        self.ranks.push(rank(scores, &[deposit]));
    }

    /// The share of the deposits in the best `share` of the area.
    fn within(&self, share: f64) -> f64 {
        let found = self.ranks.iter().filter(|rank| **rank <= share).count();
        found as f64 / self.ranks.len().max(1) as f64
    }
}

/// The result of leaving out every deposit once, and the scores of the final model.
#[derive(Clone, Debug)]
pub(in crate::tabular) struct Prospectivity {
    /// The trained model first, then the classical methods.
    pub(in crate::tabular) captures: Vec<Capture>,
    /// Probability of each row of the area's table.
    pub(in crate::tabular) scores: Vec<f32>,
}

impl Prospectivity {
    /// Draws the map into the run directory and gives the capture curves.
    pub(in crate::tabular) fn sections(
        &self,
        area: &Area,
        run: &Path,
    ) -> Result<(Vec<Section>, Value), TaskError> {
        let map = run.join(MAP_FILE);
        draw_map(&area.prospect, &self.scores, &map)?;
        let map = Section::text(format!("Prospectivity map: {}", map.display()));
        Ok((vec![self.table(), self.curves(), map], self.to_json()))
    }

    fn table(&self) -> Section {
        let head = SHARES.map(|share| format!("top {:.0}% of area", 100.0 * share));
        let head = std::iter::once("held-out deposits in".to_owned()).chain(head);
        let mut rows = vec![head.collect()];
        rows.extend(self.captures.iter().map(|capture| {
            let values = SHARES.map(|share| format!("{:.1}%", 100.0 * capture.within(share)));
            std::iter::once(capture.method.clone())
                .chain(values)
                .collect()
        }));
        Section::table("", rows)
    }

    fn curves(&self) -> Section {
        let curves = self.captures.iter().map(|capture| Curve {
            name: capture.method.clone(),
            points: SHARES.map(|share| [share, capture.within(share)]).to_vec(),
        });
        let axes = ["share of area", "share of held-out deposits"].map(str::to_owned);
        Section {
            title: "Capture curve".to_owned(),
            body: Body::Curves {
                axes,
                curves: curves.collect(),
            },
        }
    }

    /// The capture curves for `summary.json`.
    fn to_json(&self) -> Value {
        let curve = |capture: &Capture| {
            let points = SHARES.map(|share| json!([share, capture.within(share)]));
            (capture.method.clone(), Value::from(points.to_vec()))
        };
        let curves: Map<String, Value> = self.captures.iter().map(curve).collect();
        Value::Object(curves)
    }
}

/// The training table: the cells with a deposit, the barren ones, and `background` unlabeled ones,
/// drawn at random and labeled barren, since nearly all are.
pub(in crate::tabular) fn labeled_cells(
    prospect: Prospect,
    background: usize,
    seed: u64,
) -> Result<(Table, Area), DataError> {
    let column = prospect.table.column("deposit")?;
    let known = |row: usize| !column.is_missing(row);
    let order = permutation(
        prospect.table.rows(),
        &mut Purpose::BackgroundCells.stream(seed, &[]),
    );
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

/// The share of all scores above the best of those at `rows`, with half of its equals.
fn rank(scores: &[f32], rows: &[usize]) -> f64 {
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
    fn the_best_of_a_hundred_is_in_the_first_percent() {
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
