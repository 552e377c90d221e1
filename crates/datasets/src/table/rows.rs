//! The rows of a CSV file one after the other, in memory that does not grow with the file.

use csv::ByteRecord;

use super::csv::{MAX_COLUMNS, Rows, open_rows};
use super::error::{HeaderLine, TableError};
use super::options::{ReadNote, ReadOptions};
use super::quotes::{QuoteCheck, Stray};
use super::sniff::Hints;
use super::source::Source;

/// Rows of a CSV file, read one by one.
pub(crate) struct RowStream<'a> {
    rows: Rows<'a>,
    quotes: QuoteCheck,
    names: Vec<String>,
    notes: Vec<ReadNote>,
    header: bool,
    /// Whether the current row has not been handed out yet.
    pending: bool,
}

impl<'a> RowStream<'a> {
    /// Opens a file and reads its first row.
    pub(crate) fn open(
        source: Source<'a>,
        options: &ReadOptions,
        hints: &Hints,
    ) -> Result<Self, TableError> {
        let (mut rows, header) = open_rows(source, options, hints)?;
        if !rows.next()? {
            return Err(TableError::Empty { file: rows.file });
        }
        if rows.record.len() > MAX_COLUMNS {
            return Err(TableError::TooManyColumns {
                file: rows.file,
                line: rows.line,
                most: MAX_COLUMNS,
            });
        }
        let (names, notes) = rows.names(header, options)?;
        rows.header = HeaderLine::new(rows.line, header.then_some(&names));
        Ok(Self {
            quotes: QuoteCheck::new(rows.dialect.delimiter, names.len()),
            rows,
            names,
            notes,
            header,
            pending: !header,
        })
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What a user may want to decide otherwise.
    pub(crate) fn notes(&self) -> &[ReadNote] {
        &self.notes
    }

    /// Whether the first row holds the names of the columns.
    pub(crate) fn header(&self) -> bool {
        self.header
    }

    /// Where rows were probably lost to a stray quote, of those read so far.
    pub(crate) fn stray(&self) -> Option<Stray> {
        self.quotes.finish()
    }

    /// The next row with the line it starts on.
    ///
    /// The inner error is one of this row, after which reading can continue: it is too short or too
    /// long.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any further.
    #[expect(clippy::type_complexity, reason = "a row, or an error of one row")]
    pub(crate) fn next(
        &mut self,
    ) -> Result<Option<(u64, Result<&ByteRecord, TableError>)>, TableError> {
        if !std::mem::take(&mut self.pending) && !self.rows.next()? {
            return Ok(None);
        }
        if self.rows.is_open() {
            return Err(self.rows.open_quote());
        }
        let line = self.rows.line;
        let row = self.rows.check_width(self.names.len());
        if row.is_ok() {
            self.quotes.row(&self.rows.record, line, self.rows.several);
        }
        Ok(Some((line, row.map(|()| &self.rows.record))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Result<Vec<String>, String>)> {
        let options = ReadOptions::default();
        let source = Source::new(Box::new(text.as_bytes()), "t.csv", &options).unwrap();
        let mut stream = RowStream::open(source, &options, &Hints::default()).unwrap();
        let mut rows = Vec::new();
        while let Some((line, row)) = stream.next().unwrap() {
            let cells = row.map(|row| {
                let cells = row
                    .iter()
                    .map(|cell| String::from_utf8_lossy(cell).into_owned());
                cells.collect()
            });
            let line_of = |error: TableError| {
                let message = error.to_string();
                if message.contains("line 6") {
                    "line 6".to_owned()
                } else {
                    message
                }
            };
            rows.push((line, cells.map_err(line_of)));
        }
        rows
    }

    #[test]
    fn rows_come_with_their_lines_and_a_bad_one_does_not_end_the_file() {
        let words = |cells: [&str; 2]| Ok(cells.map(str::to_owned).to_vec());
        assert_eq!(
            rows("a,b\n1,x\n\n2,\"y\nz\"\n3\n4,w\n"),
            [
                (2, words(["1", "x"])),
                (4, words(["2", "y\nz"])),
                (6, Err("line 6".to_owned())),
                (7, words(["4", "w"])),
            ]
        );
    }
}
