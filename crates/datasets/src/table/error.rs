//! Why a table cannot be read or used.

use thiserror::Error;

use super::schema::Kind;
use crate::format::{counted, thousands};

/// Errors of reading or using a table.
#[derive(Debug, Error)]
pub enum TableError {
    /// Two tables hold a column as different kinds.
    #[error("the column `{column}` is {first} in one file and {second} in the other")]
    Kinds {
        /// The column.
        column: String,
        /// Its kind in the first.
        first: Kind,
        /// Its kind in the second.
        second: Kind,
    },
    /// The file does not exist.
    #[error("there is no file `{file}`")]
    Missing {
        /// The file.
        file: String,
    },
    /// The file cannot be read.
    #[error("cannot read `{file}`")]
    Read {
        /// The file.
        file: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The gzip data are damaged or cut short.
    #[error("the gzip data of `{file}` is damaged or truncated; download the file again")]
    Gzip {
        /// The file.
        file: String,
        /// The decoder's error.
        source: std::io::Error,
    },
    /// The file is no table of text.
    #[error("`{file}` is {what}")]
    Foreign {
        /// The file.
        file: String,
        /// What it is and what to do.
        what: &'static str,
    },
    /// There is nothing in the file.
    #[error("`{file}` is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// There is a header and nothing else.
    #[error("`{file}` has a header of {}, but no rows", counted(*.columns, "column"))]
    NoRows {
        /// The file.
        file: String,
        /// Number of columns.
        columns: usize,
    },
    /// The bytes are not what the encoding says.
    #[error(
        "`{file}` line {line}: byte {byte:#04x} is not {encoding}; if the file is not UTF-8, set \
         the encoding, as in `windows-1252`"
    )]
    Encoding {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The first byte that cannot be read.
        byte: u8,
        /// The encoding expected.
        encoding: String,
    },
    /// No encoding has that name.
    #[error("unknown encoding `{label}`; use a web encoding label such as `windows-1252`")]
    UnknownEncoding {
        /// The name given.
        label: String,
    },
    /// A NUL character.
    #[error(
        "`{file}` line {line} contains a NUL character: the file is not text, is damaged, or is UTF-16 \
         without a byte order mark (then set the encoding to `utf-16le`)"
    )]
    Nul {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
    },
    /// A row has more or fewer cells than the first.
    #[error(
        "`{file}` line {line}: expected {} as in {header}, found {found}{}",
        cells(*expected), spanned(*spans)
    )]
    Ragged {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1.
        line: u64,
        /// The line that is taken as the header, or as the first row.
        header: HeaderLine,
        /// Cells of that line.
        expected: usize,
        /// Cells of this one.
        found: usize,
        /// Lines that the row goes over.
        spans: u64,
    },
    /// A row has far too many cells.
    #[error(
        "`{file}` line {line} has more than {} cells, the most columns that a table may have; check \
         the delimiter",
        thousands(*most)
    )]
    TooManyColumns {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1.
        line: u64,
        /// Most columns.
        most: usize,
    },
    /// Cells in quotes span lines that look like rows.
    #[error(
        "`{file}` line {line}: a quoted cell spans lines that look like rows, so up to {lines} rows may be \
         lost; remove the stray quote"
    )]
    StrayQuote {
        /// The file.
        file: String,
        /// The line that the first such row starts on, counted from 1.
        line: u64,
        /// Lines that were taken as part of a cell.
        lines: u64,
    },
    /// JSON that is damaged, or is no table.
    #[error("`{file}` line {line}: {reason}")]
    Json {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The problem.
        reason: String,
    },
    /// A quote is opened and never closed.
    #[error("`{file}` line {line}: unclosed quote")]
    OpenQuote {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1.
        line: u64,
    },
    /// A row is too long to be one.
    #[error(
        "`{file}` line {line}: the row that starts here is longer than {mebibytes} MiB; check for an \
         unclosed quote"
    )]
    LongRow {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1.
        line: u64,
        /// Most that a row may have, in MiB.
        mebibytes: u64,
    },
    /// Two columns have one name.
    #[error("`{file}`: columns {first} and {second} are both named `{name}`; rename one")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// Position of one, counted from 1.
        first: usize,
        /// Position of the other.
        second: usize,
    },
    /// There is no column of that name.
    #[error(
        "`{file}` has no column `{name}`{}; {}{}",
        suggest(nearest.as_ref()), there_are(columns), without_header(*header)
    )]
    NoColumn {
        /// The file.
        file: String,
        /// The name asked for.
        name: String,
        /// The name most like it.
        nearest: Option<String>,
        /// Those that there are.
        columns: Vec<String>,
        /// Whether the file has a header, so that the names are its own.
        header: bool,
    },
    /// A file without a header has not as many columns as it should.
    #[error("`{file}` has {} and no header; expected {expected}", counted(*.found, "column"))]
    ColumnCount {
        /// The file.
        file: String,
        /// Columns expected.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A cell is not what the column holds.
    #[error("`{file}` line {line}, column `{column}`: `{cell}` is not {expected}")]
    Cell {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1; of Parquet, the row.
        line: u64,
        /// The column.
        column: String,
        /// The cell, cut after some letters.
        cell: String,
        /// What should stand there.
        expected: String,
    },
    /// An infinite number.
    #[error(
        "`{file}` {} {line}, column `{column}`: `{cell}` is infinite{}",
        if *typed { "row" } else { "line" }, finite(*typed)
    )]
    Infinite {
        /// The file.
        file: String,
        /// The line that the row starts on, counted from 1; of Parquet, the row.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
        /// Whether the file holds numbers rather than their text, as Parquet does: then no word can mark
        /// the cell as missing.
        typed: bool,
    },
    /// A column cannot be of the kind asked for.
    #[error("column `{column}` of `{file}` cannot be {kind}: {reason}")]
    Kind {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The kind asked for.
        kind: Kind,
        /// The cause.
        reason: String,
    },
    /// The table would not fit.
    #[error(
        "`{file}` needs about {needed} of memory, more than the {limit} allowed; read a sample of its \
         rows, or raise the limit", needed = gigabytes(*needed), limit = gigabytes(*limit)
    )]
    Memory {
        /// The file.
        file: String,
        /// Bytes needed, at least.
        needed: u64,
        /// Bytes that may be used.
        limit: u64,
    },
    /// One column has too many different words.
    #[error("column `{column}` of `{file}` has more than 4 GiB of distinct text")]
    TooManyWords {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// An option is invalid.
    #[error("{0}")]
    Option(String),
    /// The file cannot be read in parts.
    #[error("`{file}` cannot be read in parts: {reason}")]
    NoParts {
        /// The file.
        file: String,
        /// Why, and what helps.
        reason: &'static str,
    },
    /// This build is without Parquet support.
    #[error("cannot read `{file}`: this build is without the feature `parquet`")]
    NoParquet {
        /// The file.
        file: String,
    },
    /// The Parquet file is damaged or of a kind not supported.
    #[error("`{file}` is damaged or not a supported Parquet file: {reason}")]
    Parquet {
        /// The file.
        file: String,
        /// The decoder's error.
        reason: String,
    },
    /// Columns of a table are of different lengths.
    #[error("column `{column}` has {found} rows, the first column has {expected}")]
    Lengths {
        /// The column.
        column: String,
        /// Rows of the first column.
        expected: usize,
        /// Rows of this one.
        found: usize,
    },
}

impl TableError {
    /// The message without advice on settings, for programs that have none for the encoding.
    pub fn without_advice(&self) -> String {
        match self {
            Self::Encoding {
                file,
                line,
                byte,
                encoding,
            } => format!("`{file}` line {line}: byte {byte:#04x} is not {encoding}"),
            Self::Nul { file, line } => format!(
                "`{file}` line {line} contains a NUL character: the file is not text, is damaged, or is UTF-16 \
                 without a byte order mark"
            ),
            error => error.to_string(),
        }
    }

    /// Whether it is about one row, so that the rows behind it can still be read.
    pub fn is_row(&self) -> bool {
        matches!(
            self,
            Self::Ragged { .. } | Self::Cell { .. } | Self::Infinite { .. }
        )
    }

    /// That `file` has no column `name` among `columns`; `header` says whether they are its own names.
    pub(crate) fn no_column<'a>(
        file: &str,
        name: &str,
        columns: impl Iterator<Item = &'a str>,
        header: bool,
    ) -> Self {
        let columns: Vec<String> = columns.map(str::to_owned).collect();
        Self::NoColumn {
            file: file.to_owned(),
            name: name.to_owned(),
            nearest: nearest_name(name, columns.iter().map(String::as_str)),
            columns,
            header,
        }
    }
}

/// The line that was taken as the header, or the first row of a file that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderLine {
    line: u64,
    names: Option<String>,
}

impl HeaderLine {
    pub(crate) fn new(line: u64, names: Option<&Vec<String>>) -> Self {
        Self {
            line,
            names: names.map(|names| listed(names, 5)),
        }
    }
}

impl std::fmt::Display for HeaderLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.names {
            Some(names) => write!(f, "the header in line {} ({names})", self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// The first `most` names in backticks, and how many more there are.
fn listed(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most);
    let shown: Vec<String> = shown.map(|name| format!("`{}`", shorten(name))).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn there_are(columns: &[String]) -> String {
    match columns {
        [] => "there is none".to_owned(),
        [one] => format!("its column is `{}`", shorten(one)),
        _ => format!("its columns are {}", listed(columns, 20)),
    }
}

fn without_header(header: bool) -> &'static str {
    if header {
        ""
    } else {
        " (its first line was read as data, not as a header)"
    }
}

fn cells(count: usize) -> String {
    format!("{count} cell{}", if count == 1 { "" } else { "s" })
}

fn spanned(lines: u64) -> String {
    if lines < 2 {
        return String::new();
    }
    format!("; a quoted cell spans {lines} lines: check for a stray quote")
}

/// What to do about an infinite cell.
fn finite(typed: bool) -> &'static str {
    if typed {
        "; correct it, or store it as null"
    } else {
        " or larger than 1.8e308; correct it, or mark it as missing"
    }
}

fn suggest(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A cell for a message: its first letters, on one line.
pub(crate) fn shorten(cell: &str) -> String {
    crate::format::shorten(cell, 41)
}

/// The name that looks most like `name`, if one looks like it at all.
pub fn nearest_name<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    names
        .map(|other| (strsim::jaro_winkler(&lower, &other.to_lowercase()), other))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_without_regard_to_case() {
        let names = ["SalePrice", "LotArea"];
        assert_eq!(
            nearest_name("saleprice", names.into_iter()).as_deref(),
            Some("SalePrice")
        );
        assert_eq!(nearest_name("xyz", names.into_iter()), None);
        assert_eq!(nearest_name("nope", ["income"].into_iter()), None);
    }

    #[test]
    fn a_long_cell_is_cut_and_stays_on_one_line() {
        assert_eq!(shorten("a\nb"), "a b");
        assert_eq!(shorten(&"x".repeat(50)).chars().count(), 41);
    }

    #[test]
    fn sizes_are_in_the_unit_that_fits() {
        assert_eq!(gigabytes(999), "999 bytes");
        assert_eq!(gigabytes(2_500_000), "2.5 MB");
        assert_eq!(gigabytes(30_200_000_000), "30.2 GB");
    }
}
