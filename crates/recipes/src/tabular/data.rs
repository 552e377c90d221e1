//! From the data section of a recipe to rows with their targets.

mod columns;
mod notes;
mod read;
pub(super) mod row_hash;
mod split;

<<<<<<< HEAD
use std::path::PathBuf;
=======
use tinderbox_datasets::sets::{
    Amlsim, LabeledMaps, Prospect, ProspectError, ScreenLimits, adult, cancer, german_credit,
};
use tinderbox_datasets::table::{self, Cells, Column, Kind, ReadOptions, ReadReport, Table};
use tinderbox_datasets::{
    SplitError, count_duplicates, count_overlap, folds_by_content, grouped_folds, grouped_indices,
    latest_indices, rolling_folds, split_indices_by_content, stratified_folds_by_content,
    stratified_indices_by_content,
};
>>>>>>> main

use tinderbox_datasets::table::{Column, ReadReport, Table};
use tinderbox_datasets::{count_copies, count_shared};
use tinderbox_predict::tabular::{InputError, Target, check_range};
use tinderbox_train::Splits;
use tinderbox_train::splits::Item;

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
<<<<<<< HEAD
            SplitBy::Rows => count_copies(&self.hashes[..self.split_rows]),
=======
            SplitBy::Rows => count_duplicates(&self.contents[..self.own]),
>>>>>>> main
            SplitBy::Group | SplitBy::Time | SplitBy::Place => 0,
        }
    }

    /// Number of test rows that also occur in the training or validation split, where the splits are
    /// given or made by a column.
    pub fn test_duplicates(&self, splits: &Splits) -> usize {
        let hashes = |rows: &[usize]| rows.iter().map(|&row| self.hashes[row]).collect();
        let (test, rest): (Vec<u64>, [Vec<u64>; 2]) = (
            hashes(&splits.test),
            [hashes(&splits.train), hashes(&splits.valid)],
        );
        count_overlap(test, rest.into_iter().flatten())
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
        split_rows,
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
    let marker = report
        .as_ref()
        .and_then(|report| report.target_marker.clone());
    let read = read_split_targets(&table, split_rows, data);
    let (target, targets) = read.map_err(|error| error.with_marker(marker, data))?;
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
    if split_rows == table.rows() {
        return read_targets(column, data);
    }
    let rows = |range: std::ops::Range<usize>| column.take(&range.collect::<Vec<_>>());
    let (target, targets) = read_targets(&rows(0..split_rows), data)?;
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
<<<<<<< HEAD
    let too_large = |(_, error): (usize, InputError)| DataError::TooLarge(error);
    check_range(table, columns).map_err(too_large)
=======
    first_too_large(table, columns).map_or(Ok(()), |(_, error)| Err(error))
}

/// The first row with a number that is too large for a network, and what is wrong with it.
pub(super) fn first_too_large<S: AsRef<str>>(
    table: &Table,
    columns: impl IntoIterator<Item = S>,
) -> Option<(usize, DataError)> {
    // The target may be absent.
    let columns = columns
        .into_iter()
        .filter_map(|name| table.column(name.as_ref()).ok());
    let found = columns.filter_map(|column| {
        let numbers = column.numbers()?;
        let row = numbers.iter().position(|x| x.abs() > LARGEST)?;
        (column.kind() == Kind::Numeric).then_some((row, column))
    });
    let (row, column) = found.min_by_key(|(row, _)| *row)?;
    let error = DataError::TooLarge {
        file: table.name().to_owned(),
        line: table.line(row),
        column: column.name().to_owned(),
        value: column.number(row),
    };
    Some((row, error))
}

/// How the file of a recipe is read.
///
/// # Errors
///
/// If `data.format` means nothing.
pub fn read_options(data: &Data) -> Result<ReadOptions, DataError> {
    let kinds = [
        (&data.boolean, Kind::Boolean),
        (&data.numeric, Kind::Numeric),
        (&data.categorical, Kind::Categorical),
        (&data.dates, Kind::Date),
    ];
    let mut options = data.format.options()?;
    if !data.names.is_empty() {
        options.names = Some(data.names.clone());
        options.header = options.header.or(Some(false));
    }
    options.sample = (data.sample > 0).then_some(data.sample);
    options.target = (!data.target.is_empty()).then(|| data.target.clone());
    options.columns.clone_from(&data.drop);
    for (names, kind) in kinds {
        options
            .kinds
            .extend(names.iter().map(|name| (name.clone(), kind)));
    }
    Ok(options)
}

fn read(data: &Data, seed: u64) -> Result<Found, DataError> {
    let given = |path: &str| {
        if path.is_empty() {
            return Err(DataError::NoPath);
        }
        Ok(Path::new(path).to_owned())
    };
    match &data.source {
        Source::BreastCancer {} => Ok(Found::whole(cancer()?)),
        Source::GermanCredit { path } => {
            let mut path = given(path)?;
            if path.is_dir() {
                path.push("german.data");
            }
            Ok(Found::whole(german_credit(&path)?))
        }
        Source::Accounts { path } => read_accounts(&given(path)?),
        Source::Maps { path, background } => {
            let prospect = read_maps(&given(path)?)?;
            let (table, area) = learnable(prospect, *background, seed)?;
            Ok(Found {
                area: Some(area),
                ..Found::whole(table)
            })
        }
        Source::Adult { path } => {
            let (train, test) = adult(&given(path)?)?;
            let own = train.rows();
            Ok(Found {
                own,
                ..Found::whole(train.append(&test)?)
            })
        }
        Source::File { path, test } => read_file(&given(path)?, test, &read_options(data)?),
    }
}

/// The maps of lithium; of a folder that holds a table instead, an error that says what reads it.
fn read_maps(folder: &Path) -> Result<Prospect, DataError> {
    let tables = tables(folder);
    Prospect::read(folder, &LabeledMaps::lithium()).map_err(|error| match tables.as_slice() {
        [first, ..] if matches!(error, ProspectError::NoMap { .. }) => DataError::TableOfSites {
            folder: folder.to_owned(),
            table: first.clone(),
        },
        _ => error.into(),
    })
}

/// The tables in a folder, by name.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let is_table = |path: &PathBuf| {
        let end = path.extension().and_then(|end| end.to_str());
        path.is_file() && end.is_some_and(|end| TABLES.contains(&end.to_lowercase().as_str()))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut tables: Vec<PathBuf> = paths.filter(is_table).collect();
    tables.sort();
    tables
}

/// The file itself, or the only table of a folder.
pub(super) fn table_of(path: &Path) -> Result<PathBuf, DataError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    match <[PathBuf; 1]>::try_from(tables(path)) {
        Ok([table]) => Ok(table),
        Err(tables) => Err(DataError::NotOneTable {
            folder: path.to_owned(),
            tables,
        }),
    }
}

fn read_file(path: &Path, test: &str, options: &ReadOptions) -> Result<Found, DataError> {
    let path = &table_of(path)?;
    let (table, report) = table::read(path, options)?;
    let (own, mut whole) = (table.rows(), table);
    if !test.is_empty() {
        let (more, _) = table::read_with(Path::new(test), &whole.schema(), &[], options)?;
        whole = whole.append(&more)?;
    }
    Ok(Found {
        own,
        report: Some(report),
        ..Found::whole(whole)
    })
}

fn read_accounts(folder: &Path) -> Result<Found, DataError> {
    let accounts = Amlsim::read(folder)?;
    let table = accounts.features()?;
    let mut screened = vec![false; table.rows()];
    for alert in accounts.screen(&ScreenLimits::default()) {
        screened[alert.account] = true;
    }
    Ok(Found {
        screened: Some(screened),
        ..Found::whole(table)
    })
>>>>>>> main
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
