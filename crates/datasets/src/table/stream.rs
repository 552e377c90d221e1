//! The rows of a large file, in chunks of bounded memory.
//!
//! [`read_with`](super::read_with) holds a whole file; [`TableReader`] holds a few thousand rows. Both
//! read the same rows: with a schema, every cell can be typed by itself.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use csv::ByteRecord;

use super::Table;
use super::csv::{Rows, Text, open_text};
use super::error::TableError;
use super::json::JsonRows;
use super::options::ReadOptions;
#[cfg(feature = "parquet")]
use super::parquet::ParquetRows;
use super::parse::Context;
use super::quotes::QuoteCheck;
use super::ranges;
use super::raw::{Lines, Markers};
use super::read::{Plan, parquet_file, typed};
use super::schema::Schema;
use super::source::{BUFFER, Source, open_file, read_error};
use super::typed::{Gathered, conform_gathered};
#[cfg(feature = "parquet")]
use crate::shard::FileHash;
use crate::shard::{InputRange, Shard};

/// Most bytes of text in a chunk: with long rows it has fewer of them.
const CHUNK_BYTES: usize = 8 << 20;

/// Rows that show what the rows of a file look like.
const ENOUGH: u64 = 1000;

/// Columns of a file that are passed through as text, in addition to those of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passthrough<'a> {
    /// These columns, in this order.
    Columns(&'a [String]),
    /// Every column of the file.
    All,
}

/// Some rows of a file in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The columns of the schema that the file has.
    pub table: Table,
    /// Number of each row in the file, counted from 1.
    pub rows: Vec<u64>,
    /// The text of the columns that are passed through, row by row.
    pub passthrough: Vec<Vec<String>>,
}

/// Reads a file in chunks with a known schema.
pub struct TableReader {
    schema: Schema,
    plan: Plan,
    markers: Markers,
    options: ReadOptions,
    source: Rowwise,
    file: String,
    comma_separates: bool,
    /// Names and places of the columns that come along.
    passthrough: Vec<(String, usize)>,
    /// Columns of the file that are read, in its order.
    kept: Vec<usize>,
    header: bool,
    row: u64,
    /// The number of the row before the first one.
    rows_before: u64,
    ready: VecDeque<Result<Chunk, TableError>>,
    done: bool,
}

/// Where rows come from.
enum Rowwise {
    Csv {
        rows: Box<Rows<'static>>,
        /// Whether the current row has not been taken yet.
        pending: bool,
        width: usize,
        quotes: QuoteCheck,
    },
    Json(Box<JsonRows>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows>),
}

/// Rows as they stand in the file, column by column.
struct RawChunk {
    columns: Vec<Gathered>,
    lines: Lines,
    rows: Vec<u64>,
    /// Bytes of text.
    bytes: usize,
}

impl Chunk {
    /// Some of the rows, by their positions in the chunk.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[must_use]
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Self {
        let positions: Vec<usize> = rows.clone().collect();
        let passthrough = self
            .passthrough
            .iter()
            .map(|cells| cells[rows.clone()].to_vec());
        Self {
            table: self.table.take(&positions),
            passthrough: passthrough.collect(),
            rows: self.rows[rows].to_vec(),
        }
    }
}

impl TableReader {
    /// Opens a file, CSV, JSON or Parquet, or standard input if `path` is `-`.
    ///
    /// As for [`read_with`](super::read_with), columns may come in any order, and those in `optional`
    /// may be absent.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or lacks a column of the schema or one of `passthrough`.
    pub fn open(
        path: &Path,
        schema: &Schema,
        optional: &[&str],
        passthrough: Passthrough<'_>,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        if let Some(file) = parquet_file(path)? {
            return Self::parquet(file, path, schema, optional, passthrough, options);
        }
        // Only a chunk of the file is held.
        let options = ReadOptions {
            memory: Some(u64::MAX),
            missing: schema.missing.clone(),
            header: options.header.or(Some(schema.header)),
            names: None,
            sample: None,
            ..options.clone()
        };
        let source: Source<'static> = if path.as_os_str() == "-" {
            Source::new(Box::new(io::stdin()), "standard input", &options)?
        } else {
            Source::open(path, &options)?
        };
        Self::csv(source, schema, optional, passthrough, options)
    }

    /// [`open`](Self::open) for a CSV table from a stream; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_reader(
        reader: impl Read + 'static,
        name: &str,
        schema: &Schema,
        passthrough: Passthrough<'_>,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        let options = ReadOptions {
            missing: schema.missing.clone(),
            header: options.header.or(Some(schema.header)),
            ..options.clone()
        };
        let source = Source::new(Box::new(reader), name, &options)?;
        Self::csv(source, schema, &[], passthrough, options)
    }

    fn csv(
        source: Source<'static>,
        schema: &Schema,
        optional: &[&str],
        passthrough: Passthrough<'_>,
        options: ReadOptions,
    ) -> Result<Self, TableError> {
        let file = source.file.clone();
        let (mut rows, header) = match open_text(source, &options)? {
            Text::Csv { rows, header } => (rows, header),
            Text::Json { source, head } => {
                let rows = JsonRows::open(source, head, schema)?;
                let names = rows.names();
                let plan = Plan::new(&names, true, schema, optional, &file)?;
                let new = Parts {
                    file,
                    names,
                    source: Rowwise::Json(Box::new(rows)),
                    comma_separates: false,
                    header: true,
                };
                return Self::new(new, plan, schema, passthrough, options);
            }
        };
        let names = rows.start(header, &options)?;
        let plan = Plan::new(&names, header, schema, optional, &file)?;
        let comma_separates = rows.delimiter() == ',';
        let source = Rowwise::Csv {
            quotes: rows.quote_check(names.len()),
            rows,
            pending: true,
            width: names.len(),
        };
        let new = Parts {
            file,
            names,
            source,
            comma_separates,
            header,
        };
        Self::new(new, plan, schema, passthrough, options)
    }

    #[cfg(feature = "parquet")]
    fn parquet(
        file: File,
        path: &Path,
        schema: &Schema,
        optional: &[&str],
        passthrough: Passthrough<'_>,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        let rows = ParquetRows::open(file, path, options)?;
        let (file, names) = (path.display().to_string(), rows.names());
        let plan = Plan::new(&names, true, schema, optional, &file)?;
        let new = Parts {
            file,
            names,
            source: Rowwise::Parquet(Box::new(rows)),
            comma_separates: false,
            header: true,
        };
        Self::new(new, plan, schema, passthrough, options.clone())
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(
        _: File,
        path: &Path,
        _: &Schema,
        _: &[&str],
        _: Passthrough<'_>,
        _: &ReadOptions,
    ) -> Result<Self, TableError> {
        Err(TableError::NoParquet {
            file: path.display().to_string(),
        })
    }

    fn new(
        parts: Parts,
        plan: Plan,
        schema: &Schema,
        passthrough: Passthrough<'_>,
        options: ReadOptions,
    ) -> Result<Self, TableError> {
        let Parts {
            file,
            names,
            source,
            comma_separates,
            header,
        } = parts;
        let place = |name: &String| {
            let at = names.iter().position(|other| other == name);
            at.map(|at| (name.clone(), at)).ok_or_else(|| {
                let known = names.iter().filter(|name| !name.is_empty());
                TableError::no_column(&file, name, known.map(String::as_str), true)
            })
        };
        let passthrough: Vec<(String, usize)> = match passthrough {
            Passthrough::Columns(columns) => columns.iter().map(place).collect::<Result<_, _>>()?,
            Passthrough::All => {
                let named = names.iter().cloned().zip(0..);
                named.filter(|(name, _)| !name.is_empty()).collect()
            }
        };
        let of_schema = plan.of_column.iter().copied().flatten();
        let mut kept: Vec<usize> = of_schema
            .chain(passthrough.iter().map(|(_, at)| *at))
            .collect();
        kept.sort_unstable();
        kept.dedup();
        Ok(Self {
            markers: Markers::of(schema),
            schema: schema.clone(),
            plan,
            options,
            source,
            file,
            comma_separates,
            passthrough,
            kept,
            header,
            row: 0,
            rows_before: 0,
            ready: VecDeque::new(),
            done: false,
        })
    }

    /// Names of the columns that are passed through.
    pub fn passthrough(&self) -> impl Iterator<Item = &str> {
        self.passthrough.iter().map(|(name, _)| name.as_str())
    }

    /// How much has been read, in units of the source: bytes of text, rows of Parquet.
    pub fn position(&self) -> u64 {
        match &self.source {
            Rowwise::Csv { rows, .. } => rows.bytes(),
            Rowwise::Json(rows) => rows.bytes(),
            #[cfg(feature = "parquet")]
            Rowwise::Parquet(_) => self.row - self.rows_before,
        }
    }

    /// Number of rows, if the file says so: Parquet does.
    pub fn rows(&self) -> Option<u64> {
        match &self.source {
            Rowwise::Csv { .. } | Rowwise::Json(_) => None,
            #[cfg(feature = "parquet")]
            Rowwise::Parquet(rows) => Some(rows.len() - self.rows_before),
        }
    }

    /// The part of the file `path`, which this reads, that a shard is: bytes of CSV, from a row whose number is a
    /// multiple of `multiple` on, or row groups of Parquet.
    ///
    /// # Errors
    ///
    /// If it cannot be read in parts, as standard input, JSON and packed files, or not at all.
    pub fn range(
        &self,
        path: &Path,
        shard: Shard,
        multiple: u64,
    ) -> Result<InputRange, TableError> {
        let failed = |source| read_error(&self.file, source);
        let refuse = |reason| TableError::NoParts {
            file: self.file.clone(),
            reason,
        };
        if path.as_os_str() == "-" {
            return Err(refuse("save it as a file first"));
        }
        match &self.source {
            Rowwise::Csv { rows, .. } => {
                let form = rows.form(self.header)?;
                let data = std::fs::metadata(path).map_err(failed)?;
                if !data.is_file() {
                    return Err(refuse("it is not a file; save it as one first"));
                }
                ranges::find(open_file(path)?, data.len(), form, shard, multiple).map_err(failed)
            }
            Rowwise::Json(_) => Err(refuse("it is JSON; convert it to CSV or Parquet first")),
            #[cfg(feature = "parquet")]
            Rowwise::Parquet(rows) => {
                let groups = rows.groups() as u64;
                let own = shard.items(groups, 1);
                let mut hash = FileHash::new();
                io::copy(&mut open_file(path)?, &mut hash).map_err(failed)?;
                let group = usize::try_from(own.start).unwrap_or(usize::MAX);
                Ok(InputRange {
                    rows_before: rows.rows_before(group),
                    ..InputRange::of_whole(own, groups, hash.finish())
                })
            }
        }
    }

    /// Reads a [`range`](Self::range) of the file `path` only; before the first chunk.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn restrict(&mut self, path: &Path, range: &InputRange) -> Result<(), TableError> {
        match &mut self.source {
            Rowwise::Csv { rows, pending, .. } => {
                let failed = |source| read_error(&self.file, source);
                let mut file = open_file(path)?;
                file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
                let part = file.take(range.end.saturating_sub(range.start));
                let part = BufReader::with_capacity(BUFFER, part);
                rows.continue_with(Box::new(part), range);
                *pending = false;
            }
            Rowwise::Json(_) => {}
            #[cfg(feature = "parquet")]
            Rowwise::Parquet(rows) => {
                let place = |group: u64| usize::try_from(group).unwrap_or(usize::MAX);
                rows.restrict(place(range.start)..place(range.end));
                self.done = range.start >= range.end;
            }
        }
        (self.row, self.rows_before) = (range.rows_before, range.rows_before);
        Ok(())
    }

    /// The next rows, at most `rows`; `None` at the end. A chunk ends at a row whose number is a multiple of `rows`,
    /// so that a part of a file has the chunks of the whole.
    ///
    /// A row that cannot be used is an error, after the rows before it. After an error that
    /// [`is_row`](TableError::is_row) the next call continues behind that row; after any other the
    /// file is at its end.
    pub fn next_chunk(&mut self, rows: usize) -> Option<Result<Chunk, TableError>> {
        while self.ready.is_empty() && !self.done {
            if let Err(error) = self.fill(rows) {
                self.done |= !error.is_row();
                self.ready.push_back(Err(error));
            }
        }
        self.ready.pop_front()
    }

    /// Reads some rows and types them. An error comes after the rows that were read before it.
    fn fill(&mut self, rows: usize) -> Result<(), TableError> {
        let mut chunk = RawChunk {
            columns: self.kept.iter().map(|_| Gathered::text()).collect(),
            lines: Lines::default(),
            rows: Vec::new(),
            bytes: 0,
        };
        let multiple = rows.max(1) as u64;
        let rows = multiple - self.row % multiple;
        let outcome = self.read(usize::try_from(rows).unwrap_or(usize::MAX), &mut chunk);
        self.sort_out(&chunk);
        self.done |= !outcome?;
        Ok(())
    }

    /// Reads up to `rows` rows; `false` at the end of the file.
    fn read(&mut self, rows: usize, chunk: &mut RawChunk) -> Result<bool, TableError> {
        match &mut self.source {
            Rowwise::Csv {
                rows: source,
                pending,
                width,
                quotes,
            } => {
                while chunk.rows.len() < rows && chunk.bytes < CHUNK_BYTES {
                    if !std::mem::replace(pending, false) && !source.next()? {
                        source.check_end()?;
                        check_quotes(quotes, &self.file)?;
                        return Ok(false);
                    }
                    self.row += 1;
                    source.check_width(*width)?;
                    source.check_quotes(quotes);
                    chunk.push(source.record(), &self.kept, source.line(), self.row);
                }
                if self.row >= ENOUGH {
                    check_quotes(quotes, &self.file)?;
                }
                Ok(true)
            }
            Rowwise::Json(source) => {
                while chunk.rows.len() < rows && chunk.bytes < CHUNK_BYTES {
                    let Some((record, line)) = source.next()? else {
                        return Ok(false);
                    };
                    self.row += 1;
                    chunk.push(&record, &self.kept, line, self.row);
                }
                Ok(true)
            }
            #[cfg(feature = "parquet")]
            Rowwise::Parquet(source) => {
                let (columns, read) = source.read(&self.kept, rows)?;
                chunk.columns = columns;
                for _ in 0..read {
                    self.row += 1;
                    chunk.lines.push(self.row);
                    chunk.rows.push(self.row);
                }
                Ok(self.row < source.len())
            }
        }
    }

    /// Types rows. Where one is bad, the rows before it and behind it are chunks of their own.
    fn sort_out(&mut self, chunk: &RawChunk) {
        if chunk.rows.is_empty() {
            return;
        }
        match self.type_chunk(chunk) {
            Ok(typed) => self.ready.push_back(Ok(typed)),
            Err(error) if chunk.rows.len() == 1 => self.ready.push_back(Err(error)),
            Err(_) => {
                let middle = chunk.rows.len() / 2;
                self.sort_out(&chunk.slice(0..middle));
                self.sort_out(&chunk.slice(middle..chunk.rows.len()));
            }
        }
    }

    fn type_chunk(&self, chunk: &RawChunk) -> Result<Chunk, TableError> {
        let context = Context {
            file: &self.file,
            markers: &self.markers,
            lines: &chunk.lines,
            date_order: self.options.date_order,
            decimal: self.options.decimal,
            comma_separates: self.comma_separates,
        };
        let raw = |at: usize| self.kept.binary_search(&at).map(|at| &chunk.columns[at]);
        let columns = self.schema.columns.iter().zip(&self.plan.of_column);
        let columns = columns.filter_map(|(column, at)| Some((column, raw((*at)?).ok()?)));
        let columns = typed(columns, |(column, raw)| {
            conform_gathered(column, raw.clone(), &context)
        })?;
        let passthrough = self.passthrough.iter();
        let passthrough = passthrough.filter_map(|(_, at)| Some(raw(*at).ok()?.texts()));
        Ok(Chunk {
            passthrough: passthrough.collect(),
            rows: chunk.rows.clone(),
            table: Table {
                lines: chunk.lines.clone(),
                missing: self.schema.missing.clone(),
                header: self.schema.header,
                ..Table::new(self.file.clone(), columns)?
            },
        })
    }
}

/// What is known of a file once it is open.
struct Parts {
    file: String,
    names: Vec<String>,
    source: Rowwise,
    comma_separates: bool,
    /// Whether the names of the columns stand in the file.
    header: bool,
}

/// Refuses rows that were lost to a stray quote.
fn check_quotes(quotes: &QuoteCheck, file: &str) -> Result<(), TableError> {
    match quotes.finish() {
        None => Ok(()),
        Some(stray) => Err(TableError::StrayQuote {
            file: file.to_owned(),
            line: stray.line,
            lines: stray.lines,
        }),
    }
}

impl RawChunk {
    /// Adds a row of text; cells that it lacks are missing.
    fn push(&mut self, record: &ByteRecord, kept: &[usize], line: u64, row: u64) {
        self.bytes += record.as_slice().len();
        for (column, &at) in self.columns.iter_mut().zip(kept) {
            column.push_raw(record.get(at).unwrap_or_default());
        }
        self.lines.push(line);
        self.rows.push(row);
    }

    fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let rows: Vec<usize> = range.clone().collect();
        Self {
            columns: self
                .columns
                .iter()
                .map(|column| column.slice(range.clone()))
                .collect(),
            lines: self.lines.take(&rows),
            rows: self.rows[range].to_vec(),
            bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_csv, read_csv_with};
    use super::*;

    const OPTIONS: fn() -> ReadOptions = ReadOptions::default;

    /// Rows with numbers, words, a cell over two lines and a missing cell.
    fn csv(rows: usize) -> String {
        let row = |at: usize| match at % 5 {
            0 => format!("{at},red,\"two\nlines\",id{at}\n"),
            1 => format!("{at},,plain,id{at}\n"),
            _ => format!("{at}.5,blue,plain,id{at}\n"),
        };
        let rows: String = (0..rows).map(row).collect();
        format!("size,color,note,id\n{rows}")
    }

    fn schema() -> Schema {
        let (table, _) = read_csv(csv(50).as_bytes(), "t", &OPTIONS()).unwrap();
        let mut schema = table.schema();
        schema
            .columns
            .retain(|column| ["size", "color"].contains(&column.name.as_str()));
        schema
    }

    fn reader(text: String, passthrough: Passthrough<'_>) -> TableReader {
        let text = io::Cursor::new(text.into_bytes());
        TableReader::from_reader(text, "t", &schema(), passthrough, &OPTIONS()).unwrap()
    }

    #[test]
    fn chunks_are_the_rows_of_the_whole_file() {
        let (whole, _) =
            read_csv_with(csv(103).as_bytes(), "t", &schema(), &[], &OPTIONS()).unwrap();
        let mut reader = reader(csv(103), Passthrough::Columns(&["id".to_owned()]));
        let (mut rows, mut ids) = (0, Vec::new());
        while let Some(chunk) = reader.next_chunk(10) {
            let chunk = chunk.unwrap();
            for row in 0..chunk.table.rows() {
                assert_eq!(chunk.rows[row], rows as u64 + 1);
                assert_eq!(chunk.table.line(row), whole.line(rows));
                for (column, expected) in chunk.table.columns().iter().zip(whole.columns()) {
                    assert_eq!(column.text(row), expected.text(rows));
                }
                rows += 1;
            }
            ids.extend(chunk.passthrough.into_iter().flatten());
        }
        assert_eq!(rows, 103);
        assert_eq!(
            ids,
            (0..103).map(|at| format!("id{at}")).collect::<Vec<_>>()
        );
    }

    #[test]
    fn bad_rows_are_told_by_their_line_and_the_others_are_read() {
        let mut lines: Vec<String> = csv(40).lines().map(str::to_owned).collect();
        // A word for a number and a missing cell, each in a line that is a row of its own.
        let bad = [9, 29];
        lines[9] = "many,blue,plain,x".to_owned();
        lines[29] = "3,blue,x".to_owned();
        let mut reader = reader(lines.join("\n"), Passthrough::All);
        let (mut good, mut errors) = (0, Vec::new());
        while let Some(chunk) = reader.next_chunk(16) {
            match chunk {
                Ok(chunk) => good += chunk.rows.len(),
                Err(error) => {
                    assert!(error.is_row());
                    errors.push(error.to_string());
                }
            }
        }
        assert_eq!(good, 38);
        assert_eq!(errors.len(), 2);
        for (error, line) in errors.iter().zip(bad) {
            assert!(error.contains(&format!("line {}", line + 1)), "{error}");
        }
    }

    #[test]
    fn a_column_to_carry_that_is_not_there_is_an_error() {
        let text = io::Cursor::new(csv(5).into_bytes());
        let passthrough = ["ids".to_owned()];
        let passthrough = Passthrough::Columns(&passthrough);
        let error = TableReader::from_reader(text, "t", &schema(), passthrough, &OPTIONS());
        let error = error.err().unwrap().to_string();
        assert!(error.contains("`ids`") && error.contains("`id`"), "{error}");
    }
}
