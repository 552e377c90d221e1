//! From the data section of a recipe to rows with their targets.

mod columns;
mod notes;
mod read;
pub(super) mod row_hash;
mod split;

use std::path::PathBuf;

use tinderbox_datasets::table::{Column, Kind, ReadReport, Table};
use tinderbox_datasets::{count_duplicates, count_overlap};
use tinderbox_predict::tabular::{InputError, Target, check_range};
use tinderbox_train::splits::Item;
use tinderbox_train::{SharedItems, Splits};

use super::analysis::Area;
use super::error::DataError;
use super::recipe::{Data, Source, Split, SplitBy};
use super::targets::{Targets, read_known_targets, read_targets};
use columns::choose_columns;
use read::{Rows, read};
use row_hash::{items, row_hashes};

pub use notes::describe_note;
pub use read::read_options;
pub(super) use read::table_of;
pub(super) use split::hold_out;
pub use split::{folds, split};

/// The rows of a recipe with their targets.
#[derive(Clone, Debug)]
pub struct TableDataset {
    /// All rows; those that the data itself sets apart for the test come last.
    pub table: Table,
    /// Notes of the reader, for the user to check; none for bundled data.
    pub report: Option<ReadReport>,
    /// The feature columns, in the table's order.
    pub columns: Vec<String>,
    /// The other columns, each with the reason.
    pub dropped: Vec<String>,
    /// The target.
    pub target: Target,
    /// The target of each row.
    pub targets: Targets,
    /// A hash of the features of each row: equal rows are copies.
    pub hashes: Vec<u64>,
    /// Number of rows before those that the data itself sets apart for the test.
    pub split_rows: usize,
    /// Whether a rule-based screen flags each row, where there is one.
    pub flagged: Option<Vec<bool>>,
    /// The maps of the rows, where they are cells of maps.
    pub area: Option<Area>,
    /// The money at stake in each row, where the recipe names its column.
    pub amounts: Option<Vec<f64>>,
}

impl TableDataset {
    /// The rows as a split list holds them.
    pub fn items(&self) -> Vec<Item> {
        items(&self.hashes, &self.targets, &self.target)
    }

    /// Number of rows that are copies of another one, where copies are kept in one split.
    pub fn duplicates(&self, split: &Split) -> usize {
        match split.by {
            SplitBy::Rows => count_duplicates(&self.hashes[..self.split_rows]),
            SplitBy::Group | SplitBy::Time | SplitBy::Place => 0,
        }
    }

    /// Rows shared between splits, if the data set or a column defines them.
    pub fn shared(&self, splits: &Splits) -> SharedItems {
        let hashes =
            |rows: &[usize]| -> Vec<u64> { rows.iter().map(|&row| self.hashes[row]).collect() };
        let (train, valid) = (hashes(&splits.train), hashes(&splits.valid));
        let known = train.iter().chain(&valid).copied();
        SharedItems {
            test: count_overlap(hashes(&splits.test), known),
            valid: count_overlap(valid.iter().copied(), train.iter().copied()),
            test_similar: 0,
        }
    }
}

/// Reads the rows of a recipe and infers the kinds of its columns.
///
/// # Errors
///
/// If the file cannot be read, or has no usable target or features.
pub fn open(data: &Data, split: &Split) -> Result<TableDataset, DataError> {
    let Rows {
        table,
        report,
        n_split: split_rows,
        flagged,
        area,
    } = read(data, split.seed)?;
    if data.target.is_empty() {
        let names = table
            .columns()
            .iter()
            .map(|column| column.name().to_owned());
        return Err(DataError::NoTarget(names.collect()));
    }
    if data.drop.contains(&data.target) {
        return Err(DataError::DroppedTarget(data.target.clone()));
    }
    let marker = report
        .as_ref()
        .and_then(|report| report.target_marker.clone());
    let read = read_split_targets(&table, split_rows, data);
    let numbers = |column: &Column| column.kind() == Kind::Numeric;
    let numbers = table.column(&data.target).is_ok_and(numbers);
    let (target, targets) = read.map_err(|error| error.with_marker(marker, numbers, data))?;
    for name in data
        .drop
        .iter()
        .chain(data.numeric.iter())
        .chain(&data.categorical)
    {
        // For its error, which names the nearest.
        table.column(name)?;
    }
    let (columns, dropped) = choose_columns(&table, data, split);
    if columns.is_empty() {
        return Err(DataError::NoColumns(dropped));
    }
    check_magnitudes(&table, columns.iter().chain([&data.target]))?;
    let amounts = match data.amount.as_str() {
        "" => None,
        name => Some(amounts(table.column(name)?)?),
    };
    Ok(TableDataset {
        hashes: row_hashes(&table, columns.iter().map(String::as_str))?,
        table,
        report,
        columns,
        dropped,
        target,
        targets,
        split_rows,
        flagged,
        area,
        amounts,
    })
}

/// The target of every row. Its meaning is inferred from the first `split_rows` rows: separate test
/// rows must have the same classes.
fn read_split_targets(
    table: &Table,
    split_rows: usize,
    data: &Data,
) -> Result<(Target, Targets), DataError> {
    let column = table.column(&data.target)?;
    let in_lines = |error: DataError| error.in_lines(|row| table.line(row));
    if split_rows == table.rows() {
        return read_targets(column, data).map_err(in_lines);
    }
    let rows = |range: std::ops::Range<usize>| column.take(&range.collect::<Vec<_>>());
    let (target, targets) = read_targets(&rows(0..split_rows), data).map_err(in_lines)?;
    let more = rows(split_rows..table.rows());
    let more = read_known_targets(&target, &more, |row| table.line(split_rows + row));
    let more = more.map_err(|error| match &data.source {
        Source::File { test, .. } => DataError::OfTestFile {
            file: PathBuf::from(test),
            error: Box::new(error),
        },
        _ => error,
    })?;
    Ok((target, targets.with(more)))
}

/// Checks that no number of the columns is too large for a network.
fn check_magnitudes<S: AsRef<str>>(
    table: &Table,
    columns: impl IntoIterator<Item = S>,
) -> Result<(), DataError> {
    let too_large = |(_, error): (usize, InputError)| DataError::TooLarge(error);
    check_range(table, columns).map_err(too_large)
}

fn amounts(column: &Column) -> Result<Vec<f64>, DataError> {
    let wrong = |row: usize| DataError::NoAmount {
        column: column.name().to_owned(),
        row: row + 1,
    };
    let numbers = column.numbers().ok_or_else(|| wrong(0))?;
    let amount = |(row, value): (usize, f64)| {
        (value.is_finite() && value >= 0.0)
            .then_some(value)
            .ok_or_else(|| wrong(row))
    };
    numbers.iter().enumerate().map(amount).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;
    use crate::tabular::Recipe;

    /// A grid of sites, a unit apart.
    fn sites() -> (TableDataset, Split) {
        let recipe = Recipe::builtin("porphyry").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::from("lon,lat,label,source\n");
        for row in 0..400 {
            let (x, y) = (f64::from(row % 20) - 9.5, f64::from(row / 20) - 9.5);
            let label = ["negative", "positive"][usize::from(x * y > 0.0)];
            writeln!(text, "{x},{y},{label},{label}").unwrap();
        }
        std::fs::write(dir.path().join("deposits.csv"), text).unwrap();
        let mut data = recipe.data;
        *data.source.path_mut().unwrap() = dir.path().display().to_string();
        (open(&data, &recipe.split).unwrap(), recipe.split)
    }

    #[test]
    fn rows_of_a_square_stay_together() {
        let (dataset, split) = sites();
        assert_eq!(dataset.columns, ["lon", "lat"]);
        let square = |row: &usize| {
            ["lon", "lat"].map(|name| {
                let value = dataset.table.column(name).unwrap().number(*row);
                (value / 5.0).floor() as i64
            })
        };
        let squares_of = |rows: &[usize]| rows.iter().map(square).collect::<BTreeSet<_>>();
        let whole = super::split(&dataset, &split).unwrap();
        let mut all = vec![whole];
        all.extend(folds(&dataset, &Split { folds: 4, ..split }).unwrap());
        for Splits { train, valid, test } in all {
            let squares = [&train, &valid, &test].map(|rows| squares_of(rows));
            assert!(squares[0].is_disjoint(&squares[1]));
            assert!(squares[0].is_disjoint(&squares[2]));
            assert!(squares[1].is_disjoint(&squares[2]));
            assert_eq!(train.len() + valid.len() + test.len(), 400);
        }
    }
}
