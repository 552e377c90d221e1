//! From the data section of a recipe to rows with their parts.

use std::collections::BTreeSet;
use std::path::Path;

use tinderbox_datasets::sets::{
    Amlsim, LabelledMaps, Prospect, ScreenLimits, adult, cancer, german_credit,
};
use tinderbox_datasets::table::{self, Cells, Kind, ReadOptions, ReadReport, Table};
use tinderbox_datasets::{
    folds as plain_folds, grouped_folds, grouped_indices, latest_indices, rolling_folds,
    split_indices, stratified_folds, stratified_indices,
};

use super::error::DataError;
use super::prospect::{Area, learnable};
use super::recipe::{Data, Source, Split, SplitBy};
use super::target::{Target, Truth};

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
    /// Rows before those that the data itself sets apart for the test.
    pub own: usize,
    /// Whether a screen by rules points at each row, where there is one.
    pub screened: Option<Vec<bool>>,
    /// The maps that the rows are of.
    pub area: Option<Area>,
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
    let (target, truth) = Target::read(table.column(&data.target)?, data)?;
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
    Ok(Opened {
        table,
        report,
        columns,
        left_out,
        target,
        truth,
        own,
        screened,
        area,
    })
}

/// How the file of a recipe is read.
pub fn read_options(data: &Data) -> ReadOptions {
    let kinds = [
        (&data.numeric, Kind::Numeric),
        (&data.categorical, Kind::Categorical),
        (&data.dates, Kind::Date),
    ];
    let mut options = ReadOptions {
        names: (!data.names.is_empty()).then(|| data.names.clone()),
        header: (!data.names.is_empty()).then_some(false),
        sample: (data.sample > 0).then_some(data.sample),
        ..ReadOptions::default()
    };
    for (names, kind) in kinds {
        options
            .kinds
            .extend(names.iter().map(|name| (name.clone(), kind)));
    }
    options
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
            let prospect = Prospect::read(&given(path)?, &LabelledMaps::lithium())?;
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
        Source::File { path, test } => read_file(&given(path)?, test, &read_options(data)),
    }
}

fn read_file(path: &Path, test: &str, options: &ReadOptions) -> Result<Found, DataError> {
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
        } else if split.by != SplitBy::Rows && name == split.column {
            "the split goes by it"
        } else if column.kind() == Kind::Identifier {
            "it names rows"
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
        (SplitBy::Group, _) => {
            let groups = groups(opened, split)?;
            grouped_folds(&groups[..opened.own], count, seed)?
        }
        (SplitBy::Time, _) => rolling_folds(&times(opened, split)?[..opened.own], count)?,
        (SplitBy::Rows, Truth::Numbers(_)) => plain_folds(opened.own, count, seed)?,
        (SplitBy::Rows, Truth::Classes(labels)) => {
            let Target::Classes { labels: names } = &opened.target else {
                return Ok(Vec::new());
            };
            stratified_folds(&small(&labels[..opened.own]), names, count, seed)?
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
    let (kept, held) = match (split.by, &opened.truth) {
        (SplitBy::Group, _) => {
            let groups = groups(opened, split)?;
            let groups: Vec<u32> = rows.iter().map(|&row| groups[row]).collect();
            grouped_indices(&groups, fraction, seed)?
        }
        (SplitBy::Time, _) => {
            let times = times(opened, split)?;
            let times: Vec<f64> = rows.iter().map(|&row| times[row]).collect();
            latest_indices(&times, fraction)?
        }
        (SplitBy::Rows, Truth::Numbers(_)) => split_indices(rows.len(), fraction, seed)?,
        (SplitBy::Rows, Truth::Classes(labels)) => {
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            stratified_indices(&small(&labels), fraction, seed)?
        }
    };
    let named = |places: Vec<usize>| places.into_iter().map(|place| rows[place]).collect();
    Ok((named(kept), named(held)))
}

fn small(labels: &[usize]) -> Vec<u16> {
    labels.iter().map(|&label| label as u16).collect()
}

/// Number of the group of each row.
fn groups(opened: &Opened, split: &Split) -> Result<Vec<u32>, DataError> {
    let column = opened.table.column(&split.column)?;
    let names: Vec<String> = (0..column.len())
        .map(|row| column.text(row).into_owned())
        .collect();
    let known: Vec<&String> = names.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let number = |name: &String| known.binary_search(&name).unwrap_or(0) as u32;
    Ok(names.iter().map(number).collect())
}

fn times(opened: &Opened, split: &Split) -> Result<Vec<f64>, DataError> {
    let column = opened.table.column(&split.column)?;
    let numbers = column
        .numbers()
        .ok_or_else(|| DataError::NoOrder(split.column.clone()))?;
    Ok(numbers.iter().collect())
}
