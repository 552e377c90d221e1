//! Seeded splits of a data set into two parts, once or in folds.
//!
//! A split is two lists of row numbers, so that it can be stored, compared and applied to any data set
//! (`Subset`). Equal arguments give equal splits on every machine.
//!
//! | rows | once | in folds |
//! |---|---|---|
//! | independent | [`split_indices`] | [`folds`] |
//! | every class in proportion | [`stratified_indices`] | [`stratified_folds`] |
//! | those of a group together | [`grouped_indices`] | [`grouped_folds`] |
//! | the past before the future | [`latest_indices`] | [`rolling_folds`] |
//! | duplicates of an item together | [`split_indices_by_content`] | [`folds_by_content`] |
//! | duplicates together, every class in proportion | [`stratified_indices_by_content`] | [`stratified_folds_by_content`] |

mod duplicates;
mod folds;

use thiserror::Error;

use crate::random::{permutation, stream};

pub use duplicates::{
    count_duplicates, count_overlap, folds_by_content, split_indices_by_content,
    stratified_folds_by_content, stratified_indices_by_content,
};
pub use folds::{
    Fold, folds, grouped_folds, grouped_indices, latest_indices, rolling_folds, stratified_folds,
};

/// Errors of splitting rows.
#[derive(Debug, Error, PartialEq)]
pub enum SplitError {
    /// The fraction is not between 0 and 1.
    #[error("the held-out fraction must be above 0 and below 1 (got {fraction})")]
    Fraction {
        /// The fraction given.
        fraction: f64,
    },
    /// There are too few rows for two parts.
    #[error(
        "holding out {fraction} of {rows} {} leaves one split empty",
        if *rows == 1 { "row" } else { "rows" }
    )]
    Empty {
        /// Number of rows to split.
        rows: usize,
        /// The fraction asked for.
        fraction: f64,
    },
    /// There are fewer than two folds, or fewer rows than folds.
    #[error(
        "cannot split {rows} rows into {folds} folds; use at least 2 folds and at most one per row"
    )]
    Folds {
        /// Number of rows.
        rows: usize,
        /// Number of folds asked for.
        folds: usize,
    },
    /// A class has fewer rows than there are folds.
    #[error(
        "class `{class}` has {rows} {}, fewer than {folds} folds; use fewer folds or drop the class",
        if *rows == 1 { "row" } else { "rows" }
    )]
    SmallClass {
        /// The class.
        class: String,
        /// Its rows.
        rows: usize,
        /// Number of folds.
        folds: usize,
    },
    /// There are fewer groups than parts.
    #[error("{groups} groups are too few for {parts} disjoint splits")]
    Groups {
        /// Number of groups.
        groups: usize,
        /// Number of parts.
        parts: usize,
    },
    /// There are fewer different items than parts.
    #[error(
        "{different} different items among {items} are too few for {parts} splits: duplicates stay in \
         one split"
    )]
    Duplicates {
        /// Number of items.
        items: usize,
        /// Number of different items.
        different: usize,
        /// Number of parts.
        parts: usize,
    },
    /// A row has no time.
    #[error("row {row} (from 0) has no time")]
    NoTime {
        /// The first such row.
        row: usize,
    },
    /// So many rows are of one time that they cannot be cut.
    #[error("too many rows have the same time to make {parts} splits")]
    OneTime {
        /// Number of parts.
        parts: usize,
    },
    /// A subset names a row that does not exist.
    #[error("row {index} is out of range for {rows} rows")]
    Index {
        /// The first bad row number.
        index: usize,
        /// Number of rows.
        rows: usize,
    },
}

/// Splits `0..rows` into kept and held-out rows, each in ascending order.
///
/// The second part has `round(fraction * rows)` rows.
///
/// ```
/// let (train, valid) = tinderbox_datasets::split_indices(10, 0.3, 42)?;
/// assert_eq!((train.len(), valid.len()), (7, 3));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)` or one part would be empty.
pub fn split_indices(
    rows: usize,
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), SplitError> {
    check_fraction(fraction)?;
    let held = share(rows, fraction);
    let order = permutation(rows, &mut stream(seed, &[]));
    finish(order[held..].to_vec(), order[..held].to_vec(), fraction)
}

/// Splits rows so that every class is held out in proportion.
///
/// Of a class with `n` rows, `round(fraction * n)` are held out; a class with two or more rows has
/// at least one in each part, and a single row is kept. Both parts are in ascending order.
///
/// ```
/// let labels = [0, 0, 0, 0, 1, 1];
/// let (train, valid) = tinderbox_datasets::stratified_indices(&labels, 0.5, 42)?;
/// assert_eq!(valid.iter().filter(|&&row| labels[row] == 1).count(), 1);
/// assert_eq!((train.len(), valid.len()), (3, 3));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)` or one part would be empty.
pub fn stratified_indices(
    labels: &[u16],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), SplitError> {
    check_fraction(fraction)?;
    let held = |rows: usize| {
        if rows < 2 {
            0
        } else {
            share(rows, fraction).clamp(1, rows - 1)
        }
    };
    let (kept, held) = hold_out_by_class(labels, held, seed);
    finish(kept, held, fraction)
}

/// Holds out `held(n)` rows of every class with `n` rows; the parts are not sorted.
pub(crate) fn hold_out_by_class(
    labels: &[u16],
    held: impl Fn(usize) -> usize,
    seed: u64,
) -> (Vec<usize>, Vec<usize>) {
    let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
    let mut rows_of = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of[usize::from(label)].push(row);
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (class, rows) in rows_of.iter().enumerate() {
        let order = permutation(rows.len(), &mut stream(seed, &[class as u64]));
        let (taken, rest) = order.split_at(held(rows.len()).min(rows.len()));
        second.extend(taken.iter().map(|&at| rows[at]));
        first.extend(rest.iter().map(|&at| rows[at]));
    }
    (first, second)
}

fn check_fraction(fraction: f64) -> Result<(), SplitError> {
    if fraction > 0.0 && fraction < 1.0 {
        Ok(())
    } else {
        Err(SplitError::Fraction { fraction })
    }
}

fn share(rows: usize, fraction: f64) -> usize {
    (rows as f64 * fraction).round() as usize
}

fn finish(
    mut first: Vec<usize>,
    mut second: Vec<usize>,
    fraction: f64,
) -> Result<(Vec<usize>, Vec<usize>), SplitError> {
    if first.is_empty() || second.is_empty() {
        return Err(SplitError::Empty {
            rows: first.len() + second.len(),
            fraction,
        });
    }
    first.sort_unstable();
    second.sort_unstable();
    Ok((first, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_sorted_and_share_no_row() {
        let (train, valid) = split_indices(100, 0.25, 7).unwrap();
        assert_eq!((train.len(), valid.len()), (75, 25));
        assert!(train.is_sorted() && valid.is_sorted());
        let mut all = [train, valid].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn equal_seeds_give_equal_splits_and_others_do_not() {
        assert_eq!(split_indices(100, 0.2, 1), split_indices(100, 0.2, 1));
        assert_ne!(split_indices(100, 0.2, 1), split_indices(100, 0.2, 2));
        // Computed apart from this code, in Python.
        assert_eq!(split_indices(6, 0.5, 42).unwrap().1, [1, 2, 5]);
    }

    #[test]
    fn a_bad_fraction_or_an_empty_part_is_refused() {
        for fraction in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
            let result = split_indices(10, fraction, 0);
            assert!(
                matches!(result, Err(SplitError::Fraction { .. })),
                "{fraction}"
            );
        }
        assert_eq!(
            split_indices(3, 0.1, 0),
            Err(SplitError::Empty {
                rows: 3,
                fraction: 0.1
            }),
        );
        assert!(matches!(
            stratified_indices(&[0, 1, 2], 0.5, 0),
            Err(SplitError::Empty { .. })
        ));
        assert!(matches!(
            stratified_indices(&[], 0.5, 0),
            Err(SplitError::Empty { .. })
        ));
    }

    #[test]
    fn every_class_gives_its_share_and_at_least_one_row() {
        let labels: Vec<u16> = [(0, 50), (1, 3), (3, 2), (4, 1)]
            .into_iter()
            .flat_map(|(label, rows)| vec![label; rows])
            .collect();
        let (train, valid) = stratified_indices(&labels, 0.1, 3).unwrap();
        let count = |rows: &[usize], class| rows.iter().filter(|&&r| labels[r] == class).count();
        assert_eq!([0, 1, 3, 4].map(|class| count(&valid, class)), [5, 1, 1, 0]);
        assert_eq!(
            [0, 1, 3, 4].map(|class| count(&train, class)),
            [45, 2, 1, 1]
        );
        assert!(train.is_sorted() && valid.is_sorted());
    }
}
