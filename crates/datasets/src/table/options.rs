//! How a table is read, and what was found while reading it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::date::DateOrder;
use super::error::TableError;
use super::number::DecimalMark;
use super::schema::{Kind, Overrides, default_missing};
use crate::format::{counted, thousands};

/// How the bytes of a file become letters.
///
/// Every encoding of the web is known, by the names it has there: `utf-8`, `windows-1252` (also
/// called `latin1`), `utf-16le`, `shift_jis`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(pub(crate) &'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    /// Windows-1252, which contains Latin-1.
    pub const WINDOWS_1252: Self = Self(encoding_rs::WINDOWS_1252);

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The text of `bytes`, the encoding that a byte order mark tells or else this one, and whether
    /// some bytes were no text.
    pub(crate) fn decode(self, bytes: &[u8]) -> (Cow<'_, str>, Self, bool) {
        let (text, encoding, damaged) = self.0.decode(bytes);
        (text, Self(encoding), damaged)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = TableError;

    fn from_str(label: &str) -> Result<Self, TableError> {
        let found = encoding_rs::Encoding::for_label(label.as_bytes());
        found.map(Self).ok_or_else(|| TableError::UnknownEncoding {
            label: label.to_owned(),
        })
    }
}

impl TryFrom<String> for Encoding {
    type Error = TableError;

    fn try_from(label: String) -> Result<Self, TableError> {
        label.parse()
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.name().to_owned()
    }
}

/// How a file is read. What is `None` is found out from the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The character between cells; looked for among `,`, `;`, tab and `|`.
    pub delimiter: Option<char>,
    /// Whether a cell in double quotes may hold delimiters, line feeds and doubled quotes.
    pub quoting: bool,
    /// Whether the first line holds the names of the columns.
    pub header: Option<bool>,
    /// Names of all columns of a file without a header, instead of `column_1` and so on.
    pub names: Option<Vec<String>>,
    /// The encoding; a byte order mark tells UTF-8 and UTF-16, else UTF-8 is expected.
    pub encoding: Option<Encoding>,
    /// Lines that begin with this character are skipped.
    pub comment: Option<char>,
    /// Words that mark a missing cell, without regard to case. Empty cells are always missing.
    pub missing: Vec<String>,
    /// Kinds of columns that are not to be inferred.
    pub kinds: Overrides,
    /// Names of columns that will be asked for: a first line that has one of them is the header.
    pub columns: Vec<String>,
    /// The column that will be predicted: it is never an identifier, and it counts as one of
    /// [`columns`](Self::columns).
    pub target: Option<String>,
    /// The mark before decimals, where `1,234` leaves it open.
    pub decimal: Option<DecimalMark>,
    /// The order to read dates in, for instance where `1/2/2024` leaves it open.
    pub date_order: Option<DateOrder>,
    /// Most memory that reading may take, in bytes; half of what is free now.
    pub memory: Option<u64>,
    /// Keep that many rows, chosen at random over the whole file.
    pub sample: Option<usize>,
    /// Seed of the sample.
    pub seed: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            quoting: true,
            header: None,
            names: None,
            encoding: None,
            comment: None,
            missing: default_missing(),
            kinds: Overrides::new(),
            columns: Vec::new(),
            target: None,
            decimal: None,
            date_order: None,
            memory: None,
            sample: None,
            seed: 0,
        }
    }
}

impl ReadOptions {
    /// Whether a character can be the delimiter or the comment sign.
    pub fn is_mark(mark: char) -> bool {
        mark.is_ascii() && !matches!(mark, '"' | '\r' | '\n')
    }

    /// Names that the first line has if it is the header: [`columns`](Self::columns), the target and
    /// those whose kind is set.
    pub(crate) fn expected_names(&self) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter().chain(&self.target);
        columns.chain(self.kinds.keys()).map(String::as_str)
    }

    /// Checks what can be checked without a file.
    ///
    /// # Errors
    ///
    /// If the delimiter or the comment sign cannot be one, or a sample of no row is asked for.
    pub fn validate(&self) -> Result<(), TableError> {
        let single = |what, mark: Option<char>| match mark {
            Some(mark) if !Self::is_mark(mark) => Err(TableError::Option(format!(
                "{what} must be one ASCII character other than a quote (got `{mark}`)"
            ))),
            _ => Ok(()),
        };
        single("the delimiter", self.delimiter)?;
        single("the comment sign", self.comment)?;
        if self.sample == Some(0) {
            return Err(TableError::Option(
                "a sample has at least one row".to_owned(),
            ));
        }
        Ok(())
    }
}

/// What was found while reading, for the user to check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadReport {
    /// The file.
    pub file: String,
    /// `csv`, `json` or `parquet`.
    pub format: &'static str,
    /// The character between cells; CSV only.
    pub delimiter: Option<char>,
    /// Whether the first line held the names of the columns.
    pub header: bool,
    /// The encoding; CSV only.
    pub encoding: Option<&'static str>,
    /// Rows of the file.
    pub rows_in_file: usize,
    /// Rows of the table: fewer if a sample was asked for.
    pub rows: usize,
    /// A word that marks a missing cell of the target, if there is one.
    pub target_marker: Option<String>,
    /// Columns of the file that were not asked for.
    pub ignored: Vec<String>,
    /// Columns that the schema has and the file lacks, as was allowed.
    pub absent: Vec<String>,
    /// What the user should know of a column.
    pub notes: Vec<ReadNote>,
}

/// Something about a column that a user may want to decide otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum ReadNote {
    /// The column had no name.
    Named {
        /// The name it got.
        column: String,
        /// Whether it is the index that a data frame was saved with, and nothing is learned from it.
        index: bool,
    },
    /// Lines above the header were skipped.
    Titles {
        /// How many.
        lines: u64,
        /// The line taken as header, counted from 1.
        header: u64,
    },
    /// Cells in quotes span lines that look like rows.
    StrayQuote {
        /// The line that the first such row starts on, counted from 1.
        line: u64,
        /// Lines that were taken as part of a cell.
        lines: u64,
    },
    /// Whole numbers with more digits than a number holds exactly were taken as codes.
    LongIntegers {
        /// The column.
        column: String,
        /// The kind it got.
        kind: Kind,
        /// One of the cells.
        example: String,
    },
    /// Negative numbers have no minus in front.
    NegativeNumbers {
        /// The column.
        column: String,
        /// One of the cells.
        example: String,
        /// The value read.
        value: f64,
    },
    /// A comma or point before three digits was taken as the mark between thousands.
    Thousands {
        /// The column.
        column: String,
        /// One of the cells.
        example: String,
        /// The value read.
        value: f64,
    },
    /// Most cells are numbers between other characters.
    UnsupportedNumbers {
        /// The column.
        column: String,
        /// One of the cells.
        example: String,
    },
    /// Some cells have a percent sign and others do not, so the cells are kept as words.
    MixedPercent {
        /// The column.
        column: String,
        /// The sign.
        sign: String,
        /// How many cells have it.
        signed: usize,
        /// How many cells there are.
        cells: usize,
    },
    /// The column holds lists or maps, which are no cells; it was left out.
    Nested {
        /// The column.
        column: String,
    },
    /// Nearly all cells are numbers, so the others may be marks of missing cells.
    MostlyNumbers {
        /// The column.
        column: String,
        /// The kind it got.
        kind: Kind,
        /// How many cells are words.
        words: usize,
        /// One of them.
        example: String,
        /// The line of that one.
        line: u64,
    },
    /// No cell distinguishes day and month.
    AmbiguousDates {
        /// The column.
        column: String,
        /// The order it was read in.
        order: DateOrder,
    },
    /// All cells have a point before three digits, which was taken as the decimal point.
    AmbiguousPoints {
        /// The column.
        column: String,
        /// One of the cells.
        example: String,
        /// The value read.
        value: f64,
    },
    /// The comma may stand before decimals or between groups, so the cells are kept as words.
    AmbiguousNumbers {
        /// The column.
        column: String,
        /// One of the cells.
        example: String,
    },
}

impl fmt::Display for ReadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named {
                column,
                index: true,
            } => write!(
                f,
                "the first column has no name and is taken as the row index (`{column}`): it is not \
                 used as a feature"
            ),
            Self::Named { column, .. } => write!(f, "a column without a name is named `{column}`"),
            Self::Titles { lines, header } => write!(
                f,
                "line {header} is taken as the header; the {} above it {} skipped",
                counted(*lines as usize, "line"),
                if *lines == 1 { "is" } else { "are" }
            ),
            Self::StrayQuote { line, lines } => write!(
                f,
                "line {line}: a quoted cell spans lines that look like rows, so up to {} may be lost; \
                 remove the stray quote",
                counted(*lines as usize, "row")
            ),
            Self::Nested { column } => write!(
                f,
                "column `{column}` is ignored: its cells are lists, objects or other structures"
            ),
            Self::LongIntegers {
                column,
                kind,
                example,
            } => write!(
                f,
                "column `{column}` is {kind}: whole numbers of more than 15 digits, such as \
                 `{example}`, are read as codes because floating-point numbers would round them"
            ),
            Self::NegativeNumbers {
                column,
                example,
                value,
            } => write!(f, "in column `{column}`, `{example}` is read as {value}"),
            Self::Thousands {
                column,
                example,
                value,
            } => write!(
                f,
                "in column `{column}`, `{example}` is read as {value}: its {} is taken as the thousands \
                 separator",
                mark_name(example)
            ),
            Self::UnsupportedNumbers { column, example } => write!(
                f,
                "most cells of column `{column}` are numbers in a form that is not supported, such \
                 as `{example}`, so it is read as text; write plain numbers to use it as numeric"
            ),
            Self::MixedPercent {
                column,
                sign,
                signed,
                cells,
            } => f.write_str(&mixed_percent(column, sign, *signed, *cells)),
            Self::MostlyNumbers {
                column,
                kind,
                words,
                example,
                line,
            } => write!(
                f,
                "column `{column}` is {kind}: {} not a number, such as `{example}` in line {line}",
                cells_are(*words)
            ),
            Self::AmbiguousDates { column, order } => write!(
                f,
                "the dates of column `{column}` are read as `{}`, but no cell shows which part is \
                 the day and which is the month",
                order.example()
            ),
            Self::AmbiguousPoints {
                column,
                example,
                value,
            } => write!(
                f,
                "in column `{column}`, `{example}` is read as {value}: its point may be a decimal point \
                 or a thousands separator"
            ),
            Self::AmbiguousNumbers { column, example } => write!(
                f,
                "column `{column}` is read as text: the comma of `{example}` may be a decimal \
                 comma or a thousands separator"
            ),
        }
    }
}

fn mixed_percent(column: &str, sign: &str, signed: usize, cells: usize) -> String {
    let (name, share) = match sign {
        "%" => ("percent", "0.05"),
        _ => ("per mille", "0.005"),
    };
    format!(
        "{} of {} of `{column}` {} a {name} sign: `5{sign}` and `{share}` may be the same number, so the \
         column is read as text; write all cells in one way",
        thousands(signed),
        counted(cells, "cell"),
        if signed == 1 { "has" } else { "have" }
    )
}

fn mark_name(example: &str) -> &'static str {
    if example.contains(',') {
        "comma"
    } else {
        "point"
    }
}

fn cells_are(words: usize) -> String {
    match words {
        1 => "1 cell is".to_owned(),
        words => format!("{words} cells are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_have_the_names_of_the_web() {
        assert_eq!(
            "latin1".parse::<Encoding>().unwrap(),
            Encoding::WINDOWS_1252
        );
        assert_eq!(Encoding::UTF_8.to_string(), "UTF-8");
        let error = "latin-99".parse::<Encoding>().unwrap_err();
        assert!(error.to_string().contains("`latin-99`"), "{error}");
    }

    #[test]
    fn options_survive_json_and_refuse_unknown_keys() {
        let options = ReadOptions {
            encoding: Some(Encoding::WINDOWS_1252),
            sample: Some(5),
            ..ReadOptions::default()
        };
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<ReadOptions>(&json).unwrap(), options);
        assert!(serde_json::from_str::<ReadOptions>(r#"{"delimeter":";"}"#).is_err());
    }

    #[test]
    fn senseless_options_are_refused() {
        for options in [
            ReadOptions {
                delimiter: Some('€'),
                ..ReadOptions::default()
            },
            ReadOptions {
                comment: Some('"'),
                ..ReadOptions::default()
            },
            ReadOptions {
                sample: Some(0),
                ..ReadOptions::default()
            },
        ] {
            assert!(
                matches!(options.validate(), Err(TableError::Option(_))),
                "{options:?}"
            );
        }
        assert!(ReadOptions::default().validate().is_ok());
    }
}
