//! Errors of the data of a recipe.

use std::path::PathBuf;

use tinderbox_datasets::SplitError;
use tinderbox_datasets::table::{Kind, TableError, default_missing};
use tinderbox_predict::tabular::InputError;
use tinderbox_train::{ConfigError, TaskError};

use super::recipe::Data;

/// Why the rows of a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file or one of its columns.
    #[error(transparent)]
    Table(TableError),
    /// The format of the file was inferred wrongly; a key of the recipe sets it.
    #[error(
        "{error}; set `{key}`, for example with `--set {}`",
        assignment(error, key)
    )]
    Format {
        /// What is wrong with the file.
        error: TableError,
        /// The recipe's key.
        key: &'static str,
    },
    /// A key of `data.format`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The transactions between accounts.
    #[error(transparent)]
    Accounts(#[from] tinderbox_datasets::sets::AmlsimError),
    /// The maps of a region.
    #[error(transparent)]
    Maps(#[from] tinderbox_datasets::sets::ProspectError),
    /// The rows cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Nearly every row has a different class.
    #[error(
        "the target has {classes} classes in {rows} rows, such as `{example}`: too few rows of each to \
         split; if it is a number, write it as a plain number and set `data.task=regression`"
    )]
    TooManyClassesToSplit {
        /// Classes.
        classes: usize,
        /// Rows.
        rows: usize,
        /// One of the classes.
        example: String,
    },
    /// There are too few rows for three parts.
    #[error(
        "{rows} rows are too few to split into training, validation and test rows; use a file with at \
         least 10"
    )]
    TooFewRows {
        /// Rows of the table.
        rows: usize,
    },
    /// No file was named.
    #[error("the recipe needs a file: name it with `--data FILE` or `data.path`")]
    NoPath,
    /// No target was named.
    #[error(
        "no target column: name one with `--target COLUMN` or `data.target`; the columns are {}",
        .0.join(", ")
    )]
    NoTarget(Vec<String>),
    /// The target is in `data.drop`.
    #[error(
        "`{0}` is the target and is listed in `data.drop`; remove it there, or name another target"
    )]
    DroppedTarget(String),
    /// Rows without a target.
    #[error(
        "the target `{column}` is missing in {count} row{}, first in line {first}{}; remove these rows \
         from the file{}",
        if *count == 1 { "" } else { "s" },
        marked(marker.as_ref()), as_text.as_ref().map_or("", String::as_str)
    )]
    MissingTarget {
        /// The column.
        column: String,
        /// Rows without it.
        count: usize,
        /// The line of the first of them, from 1; of Parquet and of bundled data, the row.
        first: u64,
        /// The word that marks a missing cell there; none where the cell is empty.
        marker: Option<String>,
        /// How to read that word as a class.
        as_text: Option<String>,
    },
    /// Nothing can be learned.
    #[error("the target `{column}` is `{value}` in every row: there is nothing to learn")]
    SingleTarget {
        /// The column.
        column: String,
        /// Its value.
        value: String,
    },
    /// The target is no class.
    #[error(
        "the target `{column}` has {count} different values, and at most {most} classes are supported; \
         if it is a number, set `data.task=regression`"
    )]
    TooManyClasses {
        /// The column.
        column: String,
        /// Different values.
        count: usize,
        /// Most classes.
        most: usize,
    },
    /// A number was asked for.
    #[error("the target `{0}` has no numbers; for classes, set `data.task=classification`")]
    TargetIsNoNumber(String),
    /// A class that was not learned.
    #[error("there is no class `{class}`; there are {}", known.join(", "))]
    UnknownClass {
        /// The class.
        class: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A class that the training rows do not have.
    #[error(
        "class `{class}` in line {line} is not among the classes of the training rows, {}",
        shortened(known)
    )]
    UnseenClass {
        /// The class.
        class: String,
        /// The first line that has it.
        line: u64,
        /// Those that were learned.
        known: Vec<String>,
    },
    /// Something wrong in the file of the test rows.
    #[error("`{}`: {error}", file.display())]
    OfTestFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: Box<DataError>,
    },
    /// None of the rows of a stored split is left.
    #[error(
        "none of the {split} rows of this run is in the data any more; evaluate another file with \
         `--data FILE`"
    )]
    NoRowsLeft {
        /// The split.
        split: String,
    },
    /// Data that is not a table file holds other kinds of columns than the model learned from.
    #[error("column `{column}` is {found}, but it was {expected} when the model was trained")]
    OtherKind {
        /// The column.
        column: String,
        /// Its kind in the data.
        found: Kind,
        /// Its kind in the model.
        expected: Kind,
    },
    /// `data.positive` where it means nothing.
    #[error("`data.positive` is `{0}`, but there are more than two classes; leave it empty")]
    PositiveOfMany(String),
    /// A logarithm of what has none.
    #[error(
        "the target `{0}` is not above zero in every row, so `features.target_scaling` cannot be `log`"
    )]
    NoLogarithm(String),
    /// Nothing to learn from.
    #[error("no column is left as a feature: {}", .0.join("; "))]
    NoColumns(Vec<String>),
    /// A number that a network cannot hold.
    #[error("{0}, or leave the column out with `data.drop`")]
    TooLarge(InputError),
    /// The split's column cannot order rows.
    #[error("`split.column` is `{0}`, which has no numbers or dates to order the rows by")]
    NoOrder(String),
    /// A row without an amount.
    #[error(
        "row {row} has no amount in `{column}`, the column of `data.amount`: expected a number of at \
         least zero"
    )]
    NoAmount {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
    },
    /// A row without a coordinate that the split needs.
    #[error("row {row} has no number in `{column}`, a coordinate column of the split")]
    NoCoordinate {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
    },
    /// A folder with a table where maps are read.
    #[error(
        "`{}` contains no maps of lithium but a table; for deposits with coordinates, use `--recipe \
         porphyry --data {}`",
        folder.display(), table.display()
    )]
    TableOfSites {
        /// The folder.
        folder: PathBuf,
        /// The table.
        table: PathBuf,
    },
    /// A folder where one table is read.
    #[error("`{}` is a folder with {}; name one file", folder.display(), listed(tables))]
    NotOneTable {
        /// The folder.
        folder: PathBuf,
        /// The tables in it.
        tables: Vec<PathBuf>,
    },
    /// Other data for a model of bundled data.
    #[error("`--data` does not apply to this model, whose data is bundled")]
    Bundled,
    /// A path that a recipe cannot store.
    #[error("`{}` is not UTF-8: rename the file", .0.display())]
    NotUtf8(PathBuf),
    /// The data of the training in `model.json`.
    #[error("`training` in `model.json` cannot be used: {0}")]
    Training(String),
    /// There is no such split.
    #[error("there is no split `{0}`")]
    NoSplit(String),
}

impl From<TableError> for DataError {
    fn from(error: TableError) -> Self {
        match key(&error) {
            Some(key) => Self::Format { error, key },
            None => Self::Table(error),
        }
    }
}

impl DataError {
    /// Puts the line of the file in place of the row of a table.
    pub(super) fn in_lines(mut self, line: impl Fn(usize) -> u64) -> Self {
        if let Self::MissingTarget { first, .. } = &mut self {
            *first = line((*first as usize).saturating_sub(1));
        }
        self
    }

    /// Adds the word that marks a missing target, and, unless the other cells are `numbers`, the key that
    /// makes a class of it.
    pub(super) fn with_marker(mut self, word: Option<String>, numbers: bool, data: &Data) -> Self {
        if let (
            Self::MissingTarget {
                marker, as_text, ..
            },
            Some(word),
        ) = (&mut self, word)
        {
            let others = data.format.missing.iter();
            let others = others.filter(|other| !other.eq_ignore_ascii_case(&word));
            let others = list_of(others);
            *as_text = (!numbers).then(|| {
                format!(", or read `{word}` as a class with `--set 'data.format.missing={others}'`")
            });
            *marker = Some(word);
        }
        self
    }
}

/// The key of the recipe that sets the format of such a file.
fn key(error: &TableError) -> Option<&'static str> {
    Some(match error {
        TableError::Encoding { .. } | TableError::Nul { .. } => "data.format.encoding",
        TableError::OpenQuote { .. } | TableError::StrayQuote { .. } => "data.format.quoting",
        TableError::TooManyColumns { .. } => "data.format.delimiter",
        TableError::NoColumn {
            columns,
            header: false,
            ..
        } if columns.first().is_some_and(|name| name == "column_1") => "data.format.header",
        TableError::Infinite { typed: false, .. } => "data.format.missing",
        TableError::Memory { .. } => "data.sample",
        _ => return None,
    })
}

/// An assignment of `key` that helps against `error`.
fn assignment(error: &TableError, key: &str) -> String {
    match error {
        TableError::Infinite { cell, .. } => {
            let markers = default_missing();
            format!("'{key}={}'", list_of(markers.iter().chain([cell])))
        }
        _ => format!("{key}=…"),
    }
}

/// Words as the list of a recipe key.
fn list_of<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(","))
}

/// The first of many names.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn marked(marker: Option<&String>) -> String {
    marker.map_or_else(String::new, |word| {
        format!(" (`{word}` marks a missing cell)")
    })
}

/// Names of files for a message.
fn listed(paths: &[PathBuf]) -> String {
    let names = paths.iter().filter_map(|path| path.file_name());
    let names: Vec<String> = names
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .collect();
    if names.is_empty() {
        "no table".to_owned()
    } else {
        names.join(", ")
    }
}

impl From<DataError> for TaskError {
    fn from(error: DataError) -> Self {
        Self::user(error)
    }
}

/// An error of a column of a table: the user's file.
pub(super) fn table_error(error: TableError) -> TaskError {
    DataError::from(error).into()
}
