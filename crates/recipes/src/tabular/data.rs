//! From the data section of a recipe to rows with their parts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tinderbox_datasets::sets::{
    Amlsim, LabeledMaps, Prospect, ProspectError, ScreenLimits, adult, cancer, german_credit,
};
use tinderbox_datasets::table::{self, Cells, Column, Kind, ReadOptions, ReadReport, Table};
use tinderbox_datasets::{
    SplitError, count_duplicates, count_overlap, folds_by_content, grouped_folds, grouped_indices,
    latest_indices, rolling_folds, split_indices_by_content, stratified_folds_by_content,
    stratified_indices_by_content,
};

use super::contents::{contents, items};
use super::error::DataError;
use super::prospect::{Area, learnable};
use super::recipe::{Data, Source, Split, SplitBy};
use super::target::{Target, Truth};
use tinderbox_train::splits::Item;

/// How the names of tables end.
const TABLES: [&str; 7] = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet"];

/// Largest number of a column: beyond it a network, which holds 32 bits of each, sees infinity.
const LARGEST: f64 = f32::MAX as f64;

/// A table with its target, and what is learned from.
#[derive(Clone, Debug)]
pub struct Opened {
    /// All rows, test rows of the data's own last.
    pub table: Table,
    /// What was found while reading, for the user to check; none for data that ships.
    pub report: Option<ReadReport>,
    /// Columns that are learned from, in the table's order.
    pub columns: Vec<String>,
    /// Columns that are not, and why.
    pub left_out: Vec<String>,
    /// What is predicted.
    pub target: Target,
    /// What is true of each row.
    pub truth: Truth,
    /// A hash of what is learned from in each row: equal rows are copies.
    pub contents: Vec<u64>,
    /// Rows before those that the data itself sets apart for the test.
    pub own: usize,
    /// Whether a screen by rules points at each row, where there is one.
    pub screened: Option<Vec<bool>>,
    /// The maps that the rows are of.
    pub area: Option<Area>,
    /// The money at stake in each row, where the recipe names its column.
    pub amounts: Option<Vec<f64>>,
}

impl Opened {
    /// The rows as a split list holds them.
    pub fn items(&self) -> Vec<Item> {
        items(&self.contents, &self.truth, &self.target)
    }

    /// Rows that are a copy of another one, where copies are kept in one split.
    pub fn copies(&self, split: &Split) -> usize {
        match split.by {
            SplitBy::Rows => count_duplicates(&self.contents[..self.own]),
            SplitBy::Group | SplitBy::Time | SplitBy::Place => 0,
        }
    }

    /// Test rows that are also among the rows that are trained on or chosen by, where the split was
    /// given or goes by a column.
    pub fn shared(&self, parts: &Parts) -> usize {
        let contents = |rows: &[usize]| rows.iter().map(|&row| self.contents[row]).collect();
        let (test, rest): (Vec<u64>, [Vec<u64>; 2]) = (
            contents(&parts.test),
            [contents(&parts.train), contents(&parts.valid)],
        );
        count_overlap(test, rest.into_iter().flatten())
    }
}

/// What a source gives.
struct Found {
    table: Table,
    report: Option<ReadReport>,
    own: usize,
    screened: Option<Vec<bool>>,
    area: Option<Area>,
}

impl Found {
    fn whole(table: Table) -> Self {
        Self {
            own: table.rows(),
            table,
            report: None,
            screened: None,
            area: None,
        }
    }
}

/// Row numbers of the three parts, which share none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Learned from.
    pub train: Vec<usize>,
    /// Chosen by.
    pub valid: Vec<usize>,
    /// Measured on, once.
    pub test: Vec<usize>,
}

impl Parts {
    /// A part by its name.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn get(&self, name: &str) -> Result<&[usize], DataError> {
        match name {
            "train" => Ok(&self.train),
            "valid" => Ok(&self.valid),
            "test" => Ok(&self.test),
            _ => Err(DataError::NoSplit(name.to_owned())),
        }
    }
}

/// Reads the rows of a recipe and finds out what its columns are.
///
/// # Errors
///
/// If the file cannot be read, or nothing can be learned from it.
pub fn open(data: &Data, split: &Split) -> Result<Opened, DataError> {
    let Found {
        table,
        report,
        own,
        screened,
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
    let read = read_target(&table, own, data).map_err(|error| error.with_marker(marker, data))?;
    let (target, truth) = read;
    for name in data
        .drop
        .iter()
        .chain(data.numeric.iter())
        .chain(&data.categorical)
    {
        // For its error, which names the nearest.
        table.column(name)?;
    }
    let (columns, left_out) = choose_columns(&table, data, split);
    if columns.is_empty() {
        return Err(DataError::NoColumns(left_out));
    }
    check_magnitudes(&table, columns.iter().chain([&data.target]))?;
    let amounts = match data.amount.as_str() {
        "" => None,
        name => Some(amounts(table.column(name)?)?),
    };
    Ok(Opened {
        contents: contents(&table, columns.iter().map(String::as_str))?,
        table,
        report,
        columns,
        left_out,
        target,
        truth,
        own,
        screened,
        area,
        amounts,
    })
}

/// The target of every row. What it means is decided by the first `own` rows: test rows of their own
/// must have the same classes.
fn read_target(table: &Table, own: usize, data: &Data) -> Result<(Target, Truth), DataError> {
    let column = table.column(&data.target)?;
    if own == table.rows() {
        return Target::read(column, data);
    }
    let rows = |range: std::ops::Range<usize>| column.take(&range.collect::<Vec<_>>());
    let (target, truth) = Target::read(&rows(0..own), data)?;
    let more = target.read_as(&rows(own..table.rows()), |row| table.line(own + row));
    let more = more.map_err(|error| match &data.source {
        Source::File { test, .. } => DataError::OfTestFile {
            file: PathBuf::from(test),
            error: Box::new(error),
        },
        _ => error,
    })?;
    Ok((target, truth.with(more)))
}

/// Checks that no number of the columns is too large for a network.
///
/// # Errors
///
/// Names the first that is, with its column and line.
pub(super) fn check_magnitudes<S: AsRef<str>>(
    table: &Table,
    columns: impl IntoIterator<Item = S>,
) -> Result<(), DataError> {
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

/// What is learned from, and what is not with the reason.
fn choose_columns(table: &Table, data: &Data, split: &Split) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for column in table.columns() {
        let name = column.name();
        if name == data.target {
            continue;
        }
        let reason = if data.drop.iter().any(|dropped| dropped == name) {
            "`data.drop` names it"
        } else if matches!(split.by, SplitBy::Group | SplitBy::Time) && name == split.column {
            "the split goes by it"
        } else if column.kind() == Kind::Identifier {
            "it is an identifier (to use it as a number or a category, list it in `data.numeric` or \
             `data.categorical`)"
        } else if column.kind() == Kind::Text {
            "it is free text"
        } else if column.missing() == column.len() {
            "it is empty"
        } else if is_constant(column.cells()) {
            "it is the same in every row"
        } else {
            kept.push(name.to_owned());
            continue;
        };
        left_out.push(format!("`{name}`: {reason}"));
    }
    (kept, left_out)
}

fn is_constant(cells: &Cells) -> bool {
    match cells {
        Cells::Numbers(numbers) => {
            let first = numbers.get(0);
            numbers.iter().all(|number| {
                number.to_bits() == first.to_bits() || (number.is_nan() && first.is_nan())
            })
        }
        Cells::Words(words) => words.codes().iter().all(|code| *code == words.codes()[0]),
    }
}

/// Tells rows apart as the recipe says.
///
/// # Errors
///
/// If there are too few, or the column to go by cannot order them.
pub fn split(opened: &Opened, split: &Split) -> Result<Parts, DataError> {
    let all: Vec<usize> = (0..opened.own).collect();
    let (rest, test) = if opened.own < opened.table.rows() {
        (all, (opened.own..opened.table.rows()).collect())
    } else {
        hold_out(opened, &all, split, split.test_fraction, 0)?
    };
    let (train, valid) = hold_out(opened, &rest, split, split.valid_fraction, 1)?;
    Ok(Parts { train, valid, test })
}

/// The parts of each fold of a cross-validation over all rows but those that the data itself sets
/// apart.
///
/// # Errors
///
/// If there are too few rows, in all or of a class.
pub fn folds(opened: &Opened, split: &Split) -> Result<Vec<Parts>, DataError> {
    let (count, seed) = (split.folds, split.seed);
    let folds = match (split.by, &opened.truth) {
        (SplitBy::Group | SplitBy::Place, _) => {
            let groups = groups(opened, split)?;
            grouped_folds(&groups[..opened.own], count, seed)?
        }
        (SplitBy::Time, _) => rolling_folds(&times(opened, split)?[..opened.own], count)?,
        (SplitBy::Rows, Truth::Numbers(_)) => {
            folds_by_content(&opened.contents[..opened.own], count, seed)?
        }
        (SplitBy::Rows, Truth::Classes(labels)) => {
            let Target::Classes { labels: names } = &opened.target else {
                return Ok(Vec::new());
            };
            let contents = &opened.contents[..opened.own];
            let labels = small(&labels[..opened.own]);
            stratified_folds_by_content(&labels, contents, names, count, seed)?
        }
    };
    let parts = folds.into_iter().enumerate().map(|(fold, (rest, test))| {
        let (train, valid) = hold_out(opened, &rest, split, split.valid_fraction, 2 + fold)?;
        Ok(Parts { train, valid, test })
    });
    parts.collect()
}

/// Splits some rows in two; `purpose` keeps the random choices of one seed apart.
pub(super) fn hold_out(
    opened: &Opened,
    rows: &[usize],
    split: &Split,
    fraction: f64,
    purpose: usize,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let seed = split.seed.wrapping_add((purpose as u64) << 32);
    let contents = || -> Vec<u64> { rows.iter().map(|&row| opened.contents[row]).collect() };
    let explain = |error| cannot_split(error, opened, rows);
    let (kept, held) = match (split.by, &opened.truth) {
        (SplitBy::Group | SplitBy::Place, _) => {
            let groups = groups(opened, split)?;
            let groups: Vec<u32> = rows.iter().map(|&row| groups[row]).collect();
            grouped_indices(&groups, fraction, seed)?
        }
        (SplitBy::Time, _) => {
            let times = times(opened, split)?;
            let times: Vec<f64> = rows.iter().map(|&row| times[row]).collect();
            latest_indices(&times, fraction)?
        }
        (SplitBy::Rows, Truth::Numbers(_)) => {
            split_indices_by_content(&contents(), fraction, seed).map_err(explain)?
        }
        (SplitBy::Rows, Truth::Classes(labels)) => {
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let labels = small(&labels);
            stratified_indices_by_content(&labels, &contents(), fraction, seed).map_err(explain)?
        }
    };
    let named = |places: Vec<usize>| places.into_iter().map(|place| rows[place]).collect();
    Ok((named(kept), named(held)))
}

/// The cause of a part without rows: too many classes for so few rows, or too few rows at all.
fn cannot_split(error: SplitError, opened: &Opened, rows: &[usize]) -> DataError {
    let SplitError::Empty { .. } = error else {
        return error.into();
    };
    if let (Target::Classes { labels }, Truth::Classes(classes)) = (&opened.target, &opened.truth) {
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
        rows: opened.table.rows(),
    }
}

fn small(labels: &[usize]) -> Vec<u16> {
    labels.iter().map(|&label| label as u16).collect()
}

/// Number of the group of each row.
fn groups(opened: &Opened, split: &Split) -> Result<Vec<u32>, DataError> {
    if let (SplitBy::Place, Some(names)) = (split.by, split.place()) {
        return blocks(opened, names, split.block);
    }
    let column = opened.table.column(&split.column)?;
    let names: Vec<String> = (0..column.len())
        .map(|row| column.text(row).into_owned())
        .collect();
    let known: Vec<&String> = names.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let number = |name: &String| known.binary_search(&name).unwrap_or(0) as u32;
    Ok(names.iter().map(number).collect())
}

/// Number of the square that each row lies in.
fn blocks(opened: &Opened, names: [&str; 2], side: f64) -> Result<Vec<u32>, DataError> {
    let [x, y] = names.map(|name| square_numbers(opened.table.column(name)?, side));
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
    let nowhere = |row: usize| DataError::NoPlace {
        column: column.name().to_owned(),
        row: row + 1,
    };
    let numbers = column.numbers().ok_or_else(|| nowhere(0))?;
    let number = |(row, value): (usize, f64)| {
        let square = (value / side).floor();
        square
            .is_finite()
            .then_some(square as i64)
            .ok_or_else(|| nowhere(row))
    };
    numbers.iter().enumerate().map(number).collect()
}

fn times(opened: &Opened, split: &Split) -> Result<Vec<f64>, DataError> {
    let column = opened.table.column(&split.column)?;
    let numbers = column
        .numbers()
        .ok_or_else(|| DataError::NoOrder(split.column.clone()))?;
    Ok(numbers.iter().collect())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::tabular::Recipe;

    /// A grid of places, a unit apart.
    fn places() -> (Opened, Split) {
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
        let (opened, split) = places();
        assert_eq!(opened.columns, ["lon", "lat"]);
        let square = |row: &usize| {
            ["lon", "lat"].map(|name| {
                let value = opened.table.column(name).unwrap().number(*row);
                (value / 5.0).floor() as i64
            })
        };
        let squares = |rows: &[usize]| rows.iter().map(square).collect::<BTreeSet<_>>();
        let whole = super::split(&opened, &split).unwrap();
        let mut all = vec![whole];
        all.extend(folds(&opened, &Split { folds: 4, ..split }).unwrap());
        for Parts { train, valid, test } in all {
            let parts = [&train, &valid, &test].map(|rows| squares(rows));
            assert!(parts[0].is_disjoint(&parts[1]));
            assert!(parts[0].is_disjoint(&parts[2]));
            assert!(parts[1].is_disjoint(&parts[2]));
            assert_eq!(train.len() + valid.len() + test.len(), 400);
        }
    }
}
