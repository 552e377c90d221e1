//! Tables: rows of named columns, read from CSV, JSON and Parquet, with the kinds of the columns
//! inferred.
//!
//! [`read`] opens a file, [`Table`] holds it column by column, [`Schema`] remembers how it was read,
//! and [`read_with`] reads another file in the same way. [`inspect`] says what is in a table.
//!
//! ```
//! use tinderbox_datasets::table::{Kind, ReadOptions, read_csv};
//!
//! let csv = "city,price,sold\nBonn,12.5,yes\nUlm,?,no\nBonn,9,yes\n";
//! let (table, report) = read_csv(csv.as_bytes(), "prices.csv", &ReadOptions::default())?;
//! assert_eq!(report.delimiter, Some(','));
//! assert_eq!(table.column("price")?.kind(), Kind::Numeric);
//! assert!(table.column("price")?.is_missing(1));
//! assert_eq!(table.column("sold")?.number(0), 1.0);
//! assert_eq!(table.column("city")?.text(2), "Bonn");
//! # Ok::<(), tinderbox_datasets::table::TableError>(())
//! ```
//!
//! # How a kind is inferred
//!
//! Over all rows, after missing cells are set aside; the first rule that fits decides. Any kind can
//! be set by [`ReadOptions::kinds`].
//!
//! | the cells are | kind |
//! |---|---|
//! | all missing | categorical, without a level |
//! | whole numbers, one of more than 15 digits, which an `f64` would round | as words: categorical or identifier, with a note |
//! | 0 and 1, both of them | boolean |
//! | whole numbers, all different, none missing, that count from 0 or 1 without a gap in 20 rows or more, or under a name such as `id` | identifier |
//! | whole numbers that are all dates from 1900 to 2099, as `20240131` | date |
//! | other numbers | numeric; an infinite one is an error |
//! | dates in one order of their parts; where day and month can be swapped in every cell, the order in which the rows ascend, else day before month, with a note | date |
//! | two opposite words: yes and no, y and n, true and false, t and f, on and off | boolean |
//! | numbers with a decimal comma, groups of digits, a currency sign, a percent sign in all cells but zeros, negative in parentheses or with a trailing minus, if they read in one way only; in a file with commas between cells, a quoted `1,234` is 1234, with a note | numeric |
//! | words, five and more to a cell, more than half of the cells different | text |
//! | words, 95 % and more of them different in 20 rows or more, or all under a name such as `id` | identifier |
//! | other words, and whole numbers filled up with zeros such as `007` | categorical |
//!
//! Whole numbers with few different values are numeric: whether they are codes only the user knows.
//! [`looks_like_classes`] decides whether such a target is classes or a number. A target is never an
//! identifier ([`ReadOptions::target`]); a first column without a name that numbers the rows is one.
//!
//! # What stands around a table
//!
//! A file that begins with an object, or with an array of objects, is JSON. The first line of other
//! text is the header if it has a name that is asked for ([`ReadOptions::columns`]), or if it looks
//! like names over numbers. Excel's `sep=;` is obeyed, and titles above a header are skipped with a
//! note. A cell in quotes over lines that look like rows is noted, and an error where a known schema
//! is read. A row has 100,000 cells and 64 MiB at most.
//!
//! # Memory
//!
//! Cells are gathered as they stand in the file, which takes as much as the file, and then typed
//! column by column. A number takes 1, 4 or 8 bytes, whichever holds all of the column exactly; a
//! word takes 4 bytes and is held once. What needs more than half of the available memory is
//! refused with the size; [`ReadOptions::sample`] reads a part.

#![expect(
    clippy::float_cmp,
    reason = "numbers of a file are compared with themselves and with 0 and 1"
)]

mod association;
mod cells;
mod column;
mod conform;
mod csv;
mod currency;
mod date;
mod decode;
mod error;
mod infer;
mod inspect;
mod json;
mod number;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_writer;
mod parse;
mod preamble;
mod quotes;
mod ranges;
mod raw;
mod read;
mod rows;
mod schema;
mod sniff;
mod source;
mod stream;
mod typed;
mod write;
mod writer;

use crate::table::raw::Lines;

pub(crate) use csv::{Gathered, gather_with};
pub(crate) use quotes::Stray;
pub(crate) use rows::RowStream;
pub(crate) use sniff::Hints;
pub(crate) use source::{Source, refuse_others};

pub use cells::CellValues;
pub use column::{Cells, Column, Levels, Numbers, Words};
pub use date::DateOrder;
pub use error::{HeaderLine, TableError, nearest_name};
pub use inspect::{
    ColumnInspection, Finding, Inspection, Measure, Summary, TargetInspection, find_leaks, inspect,
    looks_like_classes,
};
pub use number::{DecimalMark, NegativeForm, NumberStyle};
pub use options::{Encoding, ReadNote, ReadOptions, ReadReport};
pub use read::{read, read_csv, read_csv_with, read_with};
pub use schema::{
    BooleanWords, ColumnSchema, Kind, Overrides, Schema, UnknownKind, default_missing,
};
pub use stream::{Chunk, Passthrough, TableReader};
pub use writer::{CellKind, TableWriter, WriteError, written_columns};

/// Rows of named columns, held column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    lines: Lines,
    missing: Vec<String>,
    header: bool,
}

impl Table {
    /// A table that was not read from a file; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// If two columns have one name or are of different lengths.
    pub fn new(name: impl Into<String>, columns: Vec<Column>) -> Result<Self, TableError> {
        let name = name.into();
        let names: Vec<String> = columns
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        csv::check_distinct(&names, &name)?;
        let expected = columns.first().map_or(0, Column::len);
        if let Some(odd) = columns.iter().find(|column| column.len() != expected) {
            return Err(TableError::Lengths {
                column: odd.name().to_owned(),
                expected,
                found: odd.len(),
            });
        }
        Ok(Self {
            name,
            columns,
            lines: Lines::default(),
            missing: default_missing(),
            header: true,
        })
    }

    /// Its name in messages: the file it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// The columns in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column called `name`.
    ///
    /// # Errors
    ///
    /// If there is none; the error offers the name most like it.
    pub fn column(&self, name: &str) -> Result<&Column, TableError> {
        self.position(name).map(|at| &self.columns[at])
    }

    /// The position of the column called `name`.
    ///
    /// # Errors
    ///
    /// As [`column`](Self::column).
    pub fn position(&self, name: &str) -> Result<usize, TableError> {
        let names = || self.columns.iter().map(Column::name);
        names()
            .position(|other| other == name)
            .ok_or_else(|| TableError::no_column(&self.name, name, names(), self.header))
    }

    /// The line of the file that `row` starts on, counted from 1; of Parquet and of tables that were
    /// not read, the row counted from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.lines.line(row)
    }

    /// What is needed to read another file in the same way.
    pub fn schema(&self) -> Schema {
        Schema {
            columns: self
                .columns
                .iter()
                .map(|column| column.schema().clone())
                .collect(),
            missing: self.missing.clone(),
            header: self.header,
        }
    }

    /// The rows `rows`, in that order; a row may come more than once. Lines go with them.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            columns: self
                .columns
                .iter()
                .map(|column| column.take(rows))
                .collect(),
            lines: self.lines.take(rows),
            missing: self.missing.clone(),
            header: self.header,
        }
    }

    /// These rows and then those of `other`, which must have these columns; it may have more, in any
    /// order. Each row keeps the line of its own file.
    ///
    /// # Errors
    ///
    /// If it lacks a column, or holds one as another kind.
    pub fn append(self, other: &Self) -> Result<Self, TableError> {
        let columns = self.columns.iter().map(|column| {
            let more = other.column(column.name())?;
            column.append(more).ok_or_else(|| TableError::Kinds {
                column: column.name().to_owned(),
                first: column.kind(),
                second: more.kind(),
            })
        });
        let mut lines = Lines::default();
        (0..self.rows()).for_each(|row| lines.push(self.line(row)));
        (0..other.rows()).for_each(|row| lines.push(other.line(row)));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            lines,
            ..self
        })
    }

    /// Takes the column called `name` out.
    ///
    /// # Errors
    ///
    /// As [`column`](Self::column).
    pub fn remove(&mut self, name: &str) -> Result<Column, TableError> {
        let at = self.position(name)?;
        Ok(self.columns.remove(at))
    }

    /// Drops the columns called `names`.
    ///
    /// # Errors
    ///
    /// As [`column`](Self::column); then some may have been dropped.
    pub fn drop_columns<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), TableError> {
        names
            .iter()
            .try_for_each(|name| self.remove(name.as_ref()).map(drop))
    }

    /// Adds a column at the end.
    ///
    /// # Errors
    ///
    /// If there is one of that name, or its length is another.
    pub fn push(&mut self, column: Column) -> Result<(), TableError> {
        if !self.columns.is_empty() && column.len() != self.rows() {
            return Err(TableError::Lengths {
                column: column.name().to_owned(),
                expected: self.rows(),
                found: column.len(),
            });
        }
        if let Ok(first) = self.position(column.name()) {
            return Err(TableError::DuplicateColumn {
                file: self.name.clone(),
                name: column.name().to_owned(),
                first: first + 1,
                second: self.columns.len() + 1,
            });
        }
        self.columns.push(column);
        Ok(())
    }

    /// Writes the words of the column called `name` in another way; words that become equal are one.
    ///
    /// # Errors
    ///
    /// As [`column`](Self::column). A column of numbers is left as it is.
    pub fn rename_words(
        &mut self,
        name: &str,
        rename: impl Fn(&str) -> String,
    ) -> Result<(), TableError> {
        let at = self.position(name)?;
        let Column { schema, cells } = &mut self.columns[at];
        if let Cells::Words(words) = cells {
            let names: Vec<String> = words.levels().iter().map(rename).collect();
            let word = |&code: &u32| names.get(code as usize).map(String::as_str);
            let mut renamed: Words = words.codes().iter().map(word).collect();
            if schema.kind == Kind::Categorical {
                renamed.sort();
            }
            *words = renamed;
        }
        Ok(())
    }

    /// Bytes held, nearly.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum::<usize>() + self.lines.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let a = Column::numeric("a", vec![1.0, 2.0, f64::NAN]);
        let b = Column::categorical("b", [Some("x"), None, Some("y")]);
        Table::new("t", vec![a, b]).unwrap()
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let table = Table::new("t", vec![Column::numeric("SalePrice", vec![1.0])]).unwrap();
        let error = table.column("salesprice").unwrap_err().to_string();
        assert_eq!(
            error,
            "`t` has no column `salesprice` (did you mean `SalePrice`?); its column is `SalePrice`"
        );
        let error = table.column("zzz").unwrap_err().to_string();
        assert_eq!(error, "`t` has no column `zzz`; its column is `SalePrice`");
    }

    #[test]
    fn rows_are_taken_in_the_order_asked_for() {
        let part = table().take(&[2, 0, 0]);
        assert_eq!(part.rows(), 3);
        assert!(part.columns()[0].is_missing(0));
        assert_eq!(part.columns()[1].text(1), "x");
        assert_eq!([part.line(0), part.line(1)], [3, 1]);
    }

    #[test]
    fn columns_go_and_come() {
        let mut table = table();
        let a = table.remove("a").unwrap();
        assert!(table.column("a").is_err());
        table.push(a).unwrap();
        assert_eq!(table.position("a").unwrap(), 1);
        assert!(matches!(
            table.push(Column::numeric("a", vec![0.0; 3])),
            Err(TableError::DuplicateColumn {
                first: 2,
                second: 3,
                ..
            })
        ));
        assert!(matches!(
            table.push(Column::numeric("c", vec![0.0; 2])),
            Err(TableError::Lengths {
                expected: 3,
                found: 2,
                ..
            })
        ));
        table.drop_columns(&["a", "b"]).unwrap();
        assert_eq!((table.rows(), table.columns().len()), (0, 0));
    }

    #[test]
    fn words_that_become_equal_are_one() {
        let words = [Some("no."), Some("yes"), None, Some("no")];
        let mut table = Table::new("t", vec![Column::categorical("w", words)]).unwrap();
        table
            .rename_words("w", |word| word.trim_end_matches('.').to_owned())
            .unwrap();
        let words = table.columns()[0].words().unwrap();
        assert_eq!(words.codes(), [0, 1, Words::MISSING, 0]);
        assert_eq!(words.levels().len(), 2);
    }

    #[test]
    fn a_table_has_distinct_names_and_one_length() {
        let column = |name: &str, rows| Column::numeric(name, vec![0.0; rows]);
        assert!(matches!(
            Table::new("t", vec![column("a", 1), column("a", 1)]),
            Err(TableError::DuplicateColumn { .. })
        ));
        assert!(matches!(
            Table::new("t", vec![column("a", 1), column("b", 2)]),
            Err(TableError::Lengths { .. })
        ));
    }
}
