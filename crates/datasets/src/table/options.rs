//! How a table is read, and what was found while reading it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::date::DateOrder;
use super::error::TableError;
use super::schema::{Kind, Overrides, default_missing};

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

    /// Checks what can be checked without a file.
    ///
    /// # Errors
    ///
    /// If the delimiter or the comment sign cannot be one, or a sample of no row is asked for.
    pub fn validate(&self) -> Result<(), TableError> {
        let single = |what, mark: Option<char>| match mark {
            Some(mark) if !Self::is_mark(mark) => Err(TableError::Option(format!(
                "{what} must be one ASCII character and no quote, is `{mark}`"
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
    /// `csv` or `parquet`.
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
    /// Day and month can be told apart by no cell.
    AmbiguousDates {
        /// The column.
        column: String,
        /// The order it was read in.
        order: DateOrder,
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
            Self::Named { column } => write!(f, "a column without a name is called `{column}`"),
            Self::Nested { column } => {
                write!(
                    f,
                    "column `{column}` is left out: it holds lists, maps or other structures"
                )
            }
            Self::MostlyNumbers {
                column,
                kind,
                words,
                example,
                line,
            } => write!(
                f,
                "column `{column}` is {kind}, as {words} of its cells are not numbers, such as \
                 `{example}` in line {line}; if that marks a missing cell, say so"
            ),
            Self::AmbiguousDates { column, order } => write!(
                f,
                "the dates of column `{column}` were read as `{}`, which no cell decides; set the \
                 order if it is another",
                order.example()
            ),
            Self::AmbiguousNumbers { column, example } => write!(
                f,
                "column `{column}` is kept as words: the comma of `{example}` may mark decimals or \
                 thousands; set its kind to numeric if it holds numbers"
            ),
        }
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
