//! The training, validation and test splits.

use std::collections::BTreeSet;

use tinderbox_datasets::table::Column;
use tinderbox_datasets::{
    SplitError, folds_by_content, grouped_folds, grouped_indices, latest_indices, rolling_folds,
    split_indices_by_content, stratified_folds_by_content, stratified_indices_by_content,
};
use tinderbox_predict::tabular::Target;
use tinderbox_train::Splits;

use super::TableDataset;
use crate::tabular::error::DataError;
use crate::tabular::recipe::{Split, SplitBy};
use crate::tabular::targets::Targets;

/// Splits the rows by the rule of the recipe.
///
/// # Errors
///
/// If there are too few, or the split column cannot order them.
pub fn split(dataset: &TableDataset, split: &Split) -> Result<Splits, DataError> {
    let all: Vec<usize> = (0..dataset.split_rows).collect();
    let (rest, test) = if dataset.split_rows < dataset.table.rows() {
        (all, (dataset.split_rows..dataset.table.rows()).collect())
    } else {
        hold_out(dataset, &all, split, split.test_fraction, 0)?
    };
    let (train, valid) = hold_out(dataset, &rest, split, split.valid_fraction, 1)?;
    Ok(Splits { train, valid, test })
}

/// The splits of each fold of a cross-validation over all rows but those that the data itself sets
/// apart for the test.
///
/// # Errors
///
/// If there are too few rows, in all or of a class.
pub fn folds(dataset: &TableDataset, split: &Split) -> Result<Vec<Splits>, DataError> {
    let (count, seed) = (split.folds, split.seed);
    let folds = match (split.by, &dataset.targets) {
        (SplitBy::Group | SplitBy::Place, _) => {
            let groups = groups(dataset, split)?;
            grouped_folds(&groups[..dataset.split_rows], count, seed)?
        }
        (SplitBy::Time, _) => rolling_folds(&times(dataset, split)?[..dataset.split_rows], count)?,
        (SplitBy::Rows, Targets::Numbers(_)) => {
            folds_by_content(&dataset.hashes[..dataset.split_rows], count, seed)?
        }
        (SplitBy::Rows, Targets::Classes(labels)) => {
            let Target::Classes { labels: names } = &dataset.target else {
                return Ok(Vec::new());
            };
            let hashes = &dataset.hashes[..dataset.split_rows];
            let labels = small(&labels[..dataset.split_rows]);
            stratified_folds_by_content(&labels, hashes, names, count, seed)?
        }
    };
    let splits = folds.into_iter().enumerate().map(|(fold, (rest, test))| {
        let (train, valid) = hold_out(dataset, &rest, split, split.valid_fraction, 2 + fold)?;
        Ok(Splits { train, valid, test })
    });
    splits.collect()
}

/// Splits some rows in two; `purpose` keeps the random choices of one seed apart.
pub(in crate::tabular) fn hold_out(
    dataset: &TableDataset,
    rows: &[usize],
    split: &Split,
    fraction: f64,
    purpose: usize,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let seed = split.seed.wrapping_add((purpose as u64) << 32);
    let hashes = || -> Vec<u64> { rows.iter().map(|&row| dataset.hashes[row]).collect() };
    let explain = |error| cannot_split(error, dataset, rows);
    let (kept, held) = match (split.by, &dataset.targets) {
        (SplitBy::Group | SplitBy::Place, _) => {
            let groups = groups(dataset, split)?;
            let groups: Vec<u32> = rows.iter().map(|&row| groups[row]).collect();
            grouped_indices(&groups, fraction, seed)?
        }
        (SplitBy::Time, _) => {
            let times = times(dataset, split)?;
            let times: Vec<f64> = rows.iter().map(|&row| times[row]).collect();
            latest_indices(&times, fraction)?
        }
        (SplitBy::Rows, Targets::Numbers(_)) => {
            split_indices_by_content(&hashes(), fraction, seed).map_err(explain)?
        }
        (SplitBy::Rows, Targets::Classes(labels)) => {
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let labels = small(&labels);
            stratified_indices_by_content(&labels, &hashes(), fraction, seed).map_err(explain)?
        }
    };
    let named = |positions: Vec<usize>| positions.into_iter().map(|at| rows[at]).collect();
    Ok((named(kept), named(held)))
}

/// The cause of a split without rows: too many classes for so few rows, or too few rows.
fn cannot_split(error: SplitError, dataset: &TableDataset, rows: &[usize]) -> DataError {
    let SplitError::Empty { .. } = error else {
        return error.into();
    };
    if let (Target::Classes { labels }, Targets::Classes(classes)) =
        (&dataset.target, &dataset.targets)
    {
        let used: BTreeSet<usize> = rows.iter().map(|&row| classes[row]).collect();
        let example = rows.first().and_then(|&row| labels.get(classes[row]));
        if let Some(example) = example.filter(|_| used.len() > 2 && used.len() * 2 > rows.len()) {
            return DataError::TooManyClassesToSplit {
                classes: used.len(),
                rows: rows.len(),
                example: example.clone(),
            };
        }
    }
    DataError::TooFewRows {
        rows: dataset.table.rows(),
    }
}

fn small(labels: &[usize]) -> Vec<u16> {
    labels.iter().map(|&label| label as u16).collect()
}

/// Index of the group of each row.
fn groups(dataset: &TableDataset, split: &Split) -> Result<Vec<u32>, DataError> {
    if let (SplitBy::Place, Some(names)) = (split.by, split.coordinates()) {
        return blocks(dataset, names, split.block);
    }
    let column = dataset.table.column(&split.column)?;
    let names: Vec<String> = (0..column.len())
        .map(|row| column.text(row).into_owned())
        .collect();
    let known: Vec<&String> = names.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let number = |name: &String| known.binary_search(&name).unwrap_or(0) as u32;
    Ok(names.iter().map(number).collect())
}

/// Index of the square of each row.
fn blocks(dataset: &TableDataset, names: [&str; 2], side: f64) -> Result<Vec<u32>, DataError> {
    let [x, y] = names.map(|name| square_numbers(dataset.table.column(name)?, side));
    let squares: Vec<[i64; 2]> = x?.into_iter().zip(y?).map(|(x, y)| [x, y]).collect();
    let known: Vec<&[i64; 2]> = squares
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let number = |square: &[i64; 2]| known.binary_search(&square).unwrap_or(0) as u32;
    Ok(squares.iter().map(number).collect())
}

fn square_numbers(column: &Column, side: f64) -> Result<Vec<i64>, DataError> {
    let missing = |row: usize| DataError::NoCoordinate {
        column: column.name().to_owned(),
        row: row + 1,
    };
    let numbers = column.numbers().ok_or_else(|| missing(0))?;
    let number = |(row, value): (usize, f64)| {
        let square = (value / side).floor();
        square
            .is_finite()
            .then_some(square as i64)
            .ok_or_else(|| missing(row))
    };
    numbers.iter().enumerate().map(number).collect()
}

fn times(dataset: &TableDataset, split: &Split) -> Result<Vec<f64>, DataError> {
    let column = dataset.table.column(&split.column)?;
    let numbers = column
        .numbers()
        .ok_or_else(|| DataError::NoOrder(split.column.clone()))?;
    Ok(numbers.iter().collect())
}
