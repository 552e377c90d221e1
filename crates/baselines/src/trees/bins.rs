//! Columns cut into at most 255 bins, so that a split is looked for among bins and not values.

use rayon::prelude::*;

use crate::Table;

/// The bin of a missing value; the others are 0 to 254.
pub(super) const MISSING: u8 = 255;

/// Rows that the cuts are measured on; more only cost time.
const SAMPLE: usize = 200_000;

/// Where the columns are cut.
#[derive(Debug)]
pub(super) struct Cuts(Vec<Vec<f64>>);

/// A table's bins, column after column.
#[derive(Debug)]
pub(super) struct Binned {
    bins: Vec<Vec<u8>>,
    pub(super) cuts: Cuts,
}

impl Binned {
    pub(super) fn new(table: &Table, most: usize) -> Self {
        let cuts = Cuts::measure(table, most);
        let bins = (0..table.columns()).into_par_iter().map(|column| {
            let value = |row| table.row(row)[column];
            let bin = |row| cuts.bin(column, value(row));
            (0..table.rows()).map(bin).collect()
        });
        Self {
            bins: bins.collect(),
            cuts,
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.bins.len()
    }

    /// The bin of each row in a column.
    pub(super) fn column(&self, column: usize) -> &[u8] {
        &self.bins[column]
    }
}

impl Cuts {
    fn measure(table: &Table, most: usize) -> Self {
        let every = table.rows().div_ceil(SAMPLE).max(1);
        let column = |column: usize| {
            let rows = (0..table.rows()).step_by(every);
            let values = rows.map(|row| table.row(row)[column]);
            cut(values.filter(|value| !value.is_nan()).collect(), most)
        };
        Self((0..table.columns()).into_par_iter().map(column).collect())
    }

    /// Number of bins of a column, without the one of missing values.
    pub(super) fn bins(&self, column: usize) -> usize {
        self.0[column].len() + 1
    }

    /// The largest value of a bin that is not the last.
    pub(super) fn upper(&self, column: usize, bin: u8) -> f64 {
        let cuts = &self.0[column];
        // Behind the last bin are only missing values; an infinity could not be stored as JSON.
        cuts.get(usize::from(bin)).copied().unwrap_or(f64::MAX)
    }

    fn bin(&self, column: usize, value: f64) -> u8 {
        if value.is_nan() {
            MISSING
        } else {
            self.0[column].partition_point(|&cut| cut < value) as u8
        }
    }
}

/// Cuts half-way between neighboring values: between all of them if there are few, and else so
/// that the bins hold about equally many rows.
fn cut(mut values: Vec<f64>, most: usize) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let steps = values.windows(2).filter(|pair| pair[0] < pair[1]);
    let distinct = steps.clone().count() + 1;
    if distinct <= most {
        return steps.map(|pair| between(pair[0], pair[1])).collect();
    }
    let mut cuts: Vec<f64> = Vec::with_capacity(most);
    for bin in 1..most {
        let at = (bin * values.len() / most).max(1);
        let (left, right) = (values[at - 1], values[at]);
        if left < right {
            cuts.push(between(left, right));
        } else if let Some(&next) = values[at..].iter().find(|&&value| value > left) {
            cuts.push(between(left, next));
        }
    }
    cuts.dedup_by(|right, left| right <= left);
    cuts
}

/// A value that is at least `left` and less than `right`.
fn between(left: f64, right: f64) -> f64 {
    let middle = f64::midpoint(left, right);
    if middle < right { middle } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        assert_eq!(cut(vec![3.0, 1.0, 1.0, 2.0], 255), [1.5, 2.5]);
        assert_eq!(cut(vec![7.0; 5], 255), [0.0; 0]);
        assert_eq!(cut(vec![], 255), [0.0; 0]);
        // Neighboring numbers, between which there is none.
        let next = 1.0_f64.next_up();
        assert_eq!(cut(vec![1.0, next], 255), [1.0]);
    }

    #[test]
    fn many_values_are_spread_over_the_bins() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let cuts = cut(values.clone(), 255);
        assert_eq!(cuts.len(), 254);
        let mut rows = [0; 255];
        for value in values {
            rows[cuts.partition_point(|&cut| cut < value)] += 1;
        }
        assert!(rows.iter().all(|rows| (39..=40).contains(rows)), "{rows:?}");
    }

    #[test]
    fn a_frequent_value_takes_one_bin() {
        let values = (0..1000).map(|at| f64::from(if at < 700 { 0 } else { at }));
        let cuts = cut(values.collect(), 10);
        assert_eq!(cuts.first(), Some(&350.0));
        assert!(cuts.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_missing_value_has_a_bin_of_its_own() {
        let table = Table::new(vec![1.0, f64::NAN, 2.0], 1).unwrap();
        let binned = Binned::new(&table, 255);
        assert_eq!(binned.column(0), [0, MISSING, 1]);
        assert_eq!(binned.cuts.bins(0), 2);
    }
}
