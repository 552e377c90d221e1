//! The readers of each kind of data.

use std::path::{Path, PathBuf};

use tinderbox_datasets::sets::{
    Amlsim, LabeledMaps, Prospect, ProspectError, ScreenLimits, adult, cancer, german_credit,
};
use tinderbox_datasets::table::{self, Kind, ReadOptions, ReadReport, Table};

use crate::tabular::analysis::{Area, labeled_cells};
use crate::tabular::error::DataError;
use crate::tabular::recipe::{Data, Source};

/// Extensions of table files.
const TABLES: [&str; 7] = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet"];

/// The rows of a source.
pub(super) struct Rows {
    pub(super) table: Table,
    pub(super) report: Option<ReadReport>,
    pub(super) n_split: usize,
    pub(super) flagged: Option<Vec<bool>>,
    pub(super) area: Option<Area>,
}

impl Rows {
    fn whole(table: Table) -> Self {
        Self {
            n_split: table.rows(),
            table,
            report: None,
            flagged: None,
            area: None,
        }
    }
}

/// The options for the file of a recipe.
///
/// # Errors
///
/// If `data.format` is invalid.
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

pub(super) fn read(data: &Data, seed: u64) -> Result<Rows, DataError> {
    let given = |path: &str| {
        if path.is_empty() {
            return Err(DataError::NoPath);
        }
        Ok(Path::new(path).to_owned())
    };
    match &data.source {
        Source::BreastCancer => Ok(Rows::whole(cancer()?)),
        Source::GermanCredit { path } => {
            let mut path = given(path)?;
            if path.is_dir() {
                path.push("german.data");
            }
            Ok(Rows::whole(german_credit(&path)?))
        }
        Source::Accounts { path } => read_accounts(&given(path)?),
        Source::Maps { path, background } => {
            let prospect = read_maps(&given(path)?)?;
            let (table, area) = labeled_cells(prospect, *background, seed)?;
            Ok(Rows {
                area: Some(area),
                ..Rows::whole(table)
            })
        }
        Source::Adult { path } => {
            let (train, test) = adult(&given(path)?)?;
            let n_split = train.rows();
            Ok(Rows {
                n_split,
                ..Rows::whole(train.append(&test)?)
            })
        }
        Source::File { path, test } => read_file(&given(path)?, test, &read_options(data)?),
    }
}

/// The maps of lithium; the error about a folder with a table names the recipe for it.
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
pub(in crate::tabular) fn table_of(path: &Path) -> Result<PathBuf, DataError> {
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

fn read_file(path: &Path, test: &str, options: &ReadOptions) -> Result<Rows, DataError> {
    let path = &table_of(path)?;
    let (table, report) = table::read(path, options)?;
    let (n_split, mut whole) = (table.rows(), table);
    if !test.is_empty() {
        let (more, _) = table::read_with(Path::new(test), &whole.schema(), &[], options)?;
        whole = whole.append(&more)?;
    }
    Ok(Rows {
        n_split,
        report: Some(report),
        ..Rows::whole(whole)
    })
}

fn read_accounts(folder: &Path) -> Result<Rows, DataError> {
    let accounts = Amlsim::read(folder)?;
    let table = accounts.features()?;
    let mut flagged = vec![false; table.rows()];
    for alert in accounts.screen(&ScreenLimits::default()) {
        flagged[alert.account] = true;
    }
    Ok(Rows {
        flagged: Some(flagged),
        ..Rows::whole(table)
    })
}
