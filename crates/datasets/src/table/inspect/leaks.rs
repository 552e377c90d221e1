//! The search for columns that tell the target.

use super::Sorted;
use super::finding::{Finding, Measure};
use crate::parallel::parallel_map;
use crate::table::association::{auroc, bins, correlation, cramers_v, explained, ranks};
use crate::table::column::{Cells, Column, Words};
use crate::table::schema::Kind;

/// Values from which a column is named.
fn limit(measure: Measure) -> f64 {
    match measure {
        Measure::Auroc => 0.99,
        Measure::CramersV => 0.95,
        Measure::RankCorrelation | Measure::Explained => 0.98,
    }
}

/// Fewest rows in which a column must have a value to be judged.
const MIN_ROWS: usize = 20;

/// The target in the form that the measures take.
enum Target {
    /// A code for each row.
    Classes(Vec<Option<u32>>, usize),
    /// A number for each row, and its rank.
    Numbers(Vec<f64>, Vec<f64>),
}

/// The columns that tell the target, in their order.
pub(super) fn find(
    columns: &[&Column],
    at: usize,
    sorted: &[Sorted],
    classes: bool,
) -> Vec<Finding> {
    let target = Target::new(columns[at], &sorted[at], classes);
    let others = columns
        .iter()
        .zip(sorted)
        .enumerate()
        .filter(|(other, _)| *other != at);
    let found: Vec<Vec<Finding>> = parallel_map(others, |(_, (column, sorted))| {
        let by_value = by_value(column, sorted, &target).map(|strength| (false, strength));
        let by_missing = by_missing(column, &target).map(|strength| (true, strength));
        let strong = |&(_, (measure, value)): &(bool, (Measure, f64))| value >= limit(measure);
        let leak = |(by_missing, (measure, value))| Finding::Leak {
            column: column.name().to_owned(),
            by_missing,
            measure,
            value,
        };
        [by_value, by_missing]
            .into_iter()
            .flatten()
            .filter(strong)
            .map(leak)
            .collect()
    });
    found.into_iter().flatten().collect()
}

impl Target {
    fn new(column: &Column, sorted: &Sorted, classes: bool) -> Self {
        match column.cells() {
            Cells::Words(words) => Self::Classes(codes(words), words.levels().len()),
            Cells::Numbers(_) if classes => {
                let mut labels = vec![None; sorted.values.len()];
                let same =
                    |a: &u32, b: &u32| sorted.values[*a as usize] == sorted.values[*b as usize];
                let mut count = 0;
                for (code, rows) in sorted.order.chunk_by(same).enumerate() {
                    for &row in rows {
                        labels[row as usize] = Some(code as u32);
                    }
                    count = code + 1;
                }
                Self::Classes(labels, count)
            }
            Cells::Numbers(_) => {
                Self::Numbers(sorted.values.clone(), ranks(&sorted.order, &sorted.values))
            }
        }
    }

    /// How well codes tell the target.
    fn told_by(&self, codes: impl Iterator<Item = Option<u32>>) -> (Measure, f64) {
        match self {
            Self::Classes(labels, _) => (
                Measure::CramersV,
                cramers_v(codes.zip(labels.iter().copied())),
            ),
            Self::Numbers(values, _) => (Measure::Explained, explained(codes, values)),
        }
    }
}

fn codes(words: &Words) -> Vec<Option<u32>> {
    words
        .codes()
        .iter()
        .map(|&code| (code != Words::MISSING).then_some(code))
        .collect()
}

fn by_value(column: &Column, sorted: &Sorted, target: &Target) -> Option<(Measure, f64)> {
    if column.kind() == Kind::Text || column.len() - column.missing() < MIN_ROWS {
        return None;
    }
    let Cells::Numbers(_) = column.cells() else {
        return column
            .words()
            .map(|words| target.told_by(codes(words).into_iter()));
    };
    let Sorted { values, order } = sorted;
    let in_order = match target {
        Target::Classes(labels, 2) => {
            let area = auroc(order, values, |row| {
                labels[row as usize].map(|label| label == 1)
            })?;
            Some((Measure::Auroc, area.max(1.0 - area)))
        }
        Target::Classes(..) => None,
        Target::Numbers(_, target) => {
            let ranks = ranks(order, values);
            let pairs = ranks.iter().copied().zip(target.iter().copied());
            Some((Measure::RankCorrelation, correlation(pairs).abs()))
        }
    };
    // What rises and falls tells the target without any order.
    in_order
        .filter(|&(measure, value)| value >= limit(measure))
        .or_else(|| Some(target.told_by(bins(order, values).into_iter())))
}

fn by_missing(column: &Column, target: &Target) -> Option<(Measure, f64)> {
    let missing = column.missing();
    if missing < MIN_ROWS || column.len() - missing < MIN_ROWS {
        return None;
    }
    let holes = (0..column.len()).map(|row| Some(u32::from(column.is_missing(row))));
    Some(target.told_by(holes))
}
