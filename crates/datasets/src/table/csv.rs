//! The rows of a CSV file, gathered column by column.

use std::io::{BufRead, Cursor, Read};

use csv::{ByteRecord, Reader};
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use super::decode::{Fault, MAX_ROW, Passed, Spaces, TextReader, count};
use super::error::{HeaderLine, TableError};
use super::json::{gather_json, is_json};
use super::options::{Encoding, ReadNote, ReadOptions};
use super::preamble::Preamble;
use super::quotes::{QuoteCheck, Stray};
use super::ranges::Form;
use super::raw::{Lines, Markers, RawColumn};
use super::schema::Schema;
use super::sniff::{Dialect, Hints, is_blank};
use super::source::{MEMORY_PER_BYTE, Source, memory_limit, unpack_error};
use crate::random::{Stream, below, stream};
use crate::shard::InputRange;

/// Bytes looked at to find the delimiter and the header.
const HEAD: usize = 1 << 18;

/// Rows between two looks at the memory used.
const ROWS_PER_CHECK: usize = 4096;

/// Most columns of a file. Each takes some hundred bytes whatever its cells are, and a line of nothing
/// but delimiters is no table.
pub(crate) const MAX_COLUMNS: usize = 100_000;

/// What a file of text holds, before the kinds of its columns are known.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Names of all columns of the file.
    pub(crate) names: Vec<String>,
    /// Cells of the columns that were kept, in the order of the file.
    pub(crate) columns: Vec<RawColumn>,
    pub(crate) lines: Lines,
    pub(crate) rows_in_file: usize,
    pub(crate) format: Format,
    /// The character between cells, of CSV.
    pub(crate) delimiter: Option<char>,
    pub(crate) header: bool,
    /// Whether the first column has no name in the header.
    pub(crate) unnamed_first: bool,
    pub(crate) encoding: &'static str,
    pub(crate) notes: Vec<ReadNote>,
    /// Rows that were probably lost to a stray quote.
    pub(crate) stray: Option<Stray>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Decides from the names of a file's columns which are kept.
pub(crate) type Keep<'k> = dyn Fn(&[String], bool) -> Result<Vec<bool>, TableError> + 'k;

/// Reads all rows of `source`: CSV, or JSON where the first characters are those of an object or of an
/// array of objects. `schema` is that of the columns, if it is known.
pub(crate) fn gather(
    source: Source<'_>,
    options: &ReadOptions,
    schema: Option<&Schema>,
    keep: &Keep<'_>,
) -> Result<Gathered, TableError> {
    match open_text(source, options)? {
        Text::Json { source, head } => gather_json(source, head, options, schema, keep),
        Text::Csv { rows, header } => rows.gather(header, options, keep),
    }
}

/// A file of text whose way of writing has been found out.
pub(crate) enum Text<'a> {
    Csv {
        rows: Box<Rows<'a>>,
        /// Whether the first line has the names of the columns.
        header: bool,
    },
    Json {
        source: Source<'a>,
        /// The beginning of its text.
        head: Vec<u8>,
    },
}

/// Finds out how `source` is written.
pub(crate) fn open_text<'a>(
    mut source: Source<'a>,
    options: &ReadOptions,
) -> Result<Text<'a>, TableError> {
    options.validate()?;
    let head = Head::read(&mut source)?;
    if is_json(&head.bytes) {
        let head = head.bytes;
        return Ok(Text::Json { source, head });
    }
    let (rows, header) = open_csv(source, head, options, &Hints::default());
    let rows = Box::new(rows);
    Ok(Text::Csv { rows, header })
}

/// Reads all rows of `source`, of which something is known.
pub(crate) fn gather_with(
    source: Source<'_>,
    options: &ReadOptions,
    hints: &Hints,
    keep: &Keep<'_>,
) -> Result<Gathered, TableError> {
    let (rows, header) = open_rows(source, options, hints)?;
    rows.gather(header, options, keep)
}

/// Finds out how CSV is written, and whether its first row holds names.
pub(crate) fn open_rows<'a>(
    mut source: Source<'a>,
    options: &ReadOptions,
    hints: &Hints,
) -> Result<(Rows<'a>, bool), TableError> {
    options.validate()?;
    let head = Head::read(&mut source)?;
    Ok(open_csv(source, head, options, hints))
}

/// The beginning of a file.
struct Head {
    bytes: Vec<u8>,
    /// Whether that is all of it.
    whole: bool,
}

impl Head {
    fn read(source: &mut Source<'_>) -> Result<Self, TableError> {
        let (bytes, whole) = read_head(source)?;
        if bytes.trim_ascii().is_empty() && whole {
            let file = source.file.clone();
            return Err(TableError::Empty { file });
        }
        Ok(Self { bytes, whole })
    }
}

fn open_csv<'a>(
    mut source: Source<'a>,
    head: Head,
    options: &ReadOptions,
    hints: &Hints,
) -> (Rows<'a>, bool) {
    let Head { mut bytes, whole } = head;
    let preamble = Preamble::find(&bytes, whole, options);
    bytes.drain(..preamble.bytes);
    let options = &ReadOptions {
        delimiter: options.delimiter.or(preamble.delimiter),
        ..options.clone()
    };
    let dialect = Dialect::with_hints(&bytes, whole, options, hints);
    source.text.count_cells(dialect.delimiter);
    let mut dropped = preamble.bytes;
    let mut spaces = Spaces::new(dialect.delimiter);
    let has_spaces = dialect.quoting && spaces.are_in(&bytes);
    if has_spaces {
        let kept = spaces.skip(&mut bytes);
        dropped += bytes.len() - kept;
        bytes.truncate(kept);
        source.text.skip_spaces(spaces);
    }
    let markers = Markers::new(&options.missing);
    let header = match (&options.names, options.header) {
        (_, Some(header)) => header,
        (Some(_), None) => false,
        (None, None) => dialect.names_expected(&bytes, options).unwrap_or_else(|| {
            dialect.names_one_of(&bytes, &hints.columns)
                || dialect.has_header(&bytes, whole, &markers)
        }),
    };
    let mut rows = Rows::new(source, bytes, dialect);
    rows.skipped = (preamble.lines, dropped as u64);
    rows.titles = preamble.titles;
    rows.spaces = has_spaces.then(|| Spaces::new(dialect.delimiter));
    (rows, header)
}

/// Reads the beginning of the text, and whether that is all of it.
fn read_head(source: &mut Source<'_>) -> Result<(Vec<u8>, bool), TableError> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    // Room for one letter at least.
    while filled + 4 <= HEAD {
        let read = source.text.read(&mut head[filled..]);
        match read.map_err(|error| text_error(&source.file, source.packed, 1, error))? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok((head, filled + 4 <= HEAD))
}

/// Says what stopped the reading of text, at the row that starts on `line`.
pub(crate) fn text_error(file: &str, packed: bool, line: u64, error: std::io::Error) -> TableError {
    let file = file.to_owned();
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Fault>())
    {
        Some(&Fault::Encoding {
            line,
            byte,
            encoding,
        }) => TableError::Encoding {
            file,
            line,
            byte,
            encoding: encoding.to_owned(),
        },
        Some(&Fault::Nul { line }) => TableError::Nul { file, line },
        Some(Fault::LongRow) => TableError::LongRow {
            file,
            line,
            mebibytes: MAX_ROW >> 20,
        },
        Some(Fault::ManyCells) => TableError::TooManyColumns {
            file,
            line,
            most: MAX_COLUMNS,
        },
        None => unpack_error(&file, packed, error),
    }
}

/// Rows with the lines they start on.
pub(crate) struct Rows<'a> {
    pub(super) file: String,
    packed: bool,
    reader: Reader<std::io::Chain<Cursor<Vec<u8>>, TextReader<'a>>>,
    passed: Passed,
    encoding: Encoding,
    pub(super) dialect: Dialect,
    /// Takes away spaces before quotes, from the beginning of a row on, if the file has some.
    spaces: Option<Spaces>,
    /// Whether no quote is open at the end.
    is_closed: bool,
    pub(super) record: ByteRecord,
    /// The line that `record` starts on, and whether it goes over several.
    pub(super) line: u64,
    pub(super) several: bool,
    /// Lines and bytes that stand before the first row.
    skipped: (u64, u64),
    /// Lines of them that are titles.
    titles: u64,
    /// The names and where they stand, once they are known.
    pub(super) header: HeaderLine,
}

impl<'a> Rows<'a> {
    fn new(source: Source<'a>, head: Vec<u8>, dialect: Dialect) -> Self {
        let Source { file, text, packed } = source;
        Self {
            file,
            packed,
            passed: text.passed(),
            encoding: text.encoding(),
            spaces: None,
            is_closed: false,
            reader: dialect.reader(Cursor::new(head).chain(text)),
            dialect,
            record: ByteRecord::new(),
            line: 0,
            several: false,
            skipped: (0, 0),
            titles: 0,
            header: HeaderLine::default(),
        }
    }

    /// How rows are told apart without reading them.
    ///
    /// # Errors
    ///
    /// If that takes more than a look at the bytes.
    pub(super) fn form(&self, header: bool) -> Result<Form, TableError> {
        let refuse = |reason| TableError::NoParts {
            file: self.file.clone(),
            reason,
        };
        if self.packed {
            return Err(refuse("it is packed; unpack it first"));
        }
        let encoding = self.encoding.0;
        if encoding == UTF_16LE || encoding == UTF_16BE {
            return Err(refuse("it is UTF-16; save it as UTF-8 first"));
        }
        if encoding != UTF_8 && !encoding.is_single_byte() {
            return Err(refuse(
                "its letters take several bytes; save it as UTF-8 first",
            ));
        }
        Ok(Form {
            dialect: self.dialect,
            spaces: self.spaces,
            above: self.skipped.0,
            header,
        })
    }

    /// Goes on with a part of the file, which begins at a row and, unless it is the last one, ends with one.
    pub(super) fn continue_with(&mut self, part: Box<dyn BufRead + 'a>, range: &InputRange) {
        let mut text = TextReader::behind(part, self.encoding, range.odd_quotes);
        text.count_cells(self.dialect.delimiter);
        if let Some(spaces) = self.spaces {
            text.skip_spaces(spaces);
        }
        self.passed = text.passed();
        self.reader = self.dialect.reader(Cursor::new(Vec::new()).chain(text));
        self.skipped = (range.lines_before, 0);
        self.is_closed = range.end < range.total;
        self.line = 0;
    }

    /// The character between cells.
    pub(crate) fn delimiter(&self) -> char {
        self.dialect.delimiter.into()
    }

    /// The cells of the current row.
    pub(crate) fn record(&self) -> &ByteRecord {
        &self.record
    }

    /// The line that the current row starts on.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes of text read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// Reads the next row into `record`; `false` at the end.
    pub(super) fn next(&mut self) -> Result<bool, TableError> {
        loop {
            let before = self.reader.position().line() + self.skipped.0;
            let more = self
                .reader
                .read_byte_record(&mut self.record)
                .map_err(|error| {
                    let error = match error.into_kind() {
                        csv::ErrorKind::Io(error) => error,
                        other => std::io::Error::other(format!("{other:?}")),
                    };
                    text_error(&self.file, self.packed, before, error)
                })?;
            if !more {
                return Ok(false);
            }
            self.passed.row();
            self.locate();
            if !is_blank(&self.record) {
                return Ok(true);
            }
        }
    }

    /// Finds the line that the row starts on.
    fn locate(&mut self) {
        if self.dialect.terminator != b'\n' {
            self.line = self.line.max(self.skipped.0) + 1;
            return;
        }
        // Every row ends with a line feed, so the reader is on the line after it.
        let last = self.reader.position().line().saturating_sub(1) + self.skipped.0;
        let inside = count(self.record.as_slice(), b'\n');
        self.line = last.saturating_sub(inside);
        self.several = inside > 0;
    }

    fn gather(
        mut self,
        header: bool,
        options: &ReadOptions,
        keep: &Keep<'_>,
    ) -> Result<Gathered, TableError> {
        let (names, notes) = self.read_names(header, options)?;
        let unnamed_first = header && notes.iter().any(|note| is_first(note, &names));
        let kept = keep(&names, header)?;
        let kept: Vec<usize> = (0..kept.len()).filter(|&at| kept[at]).collect();
        self.first_row(header, names.len())?;
        let mut sink = Sink::new(kept, options);
        let mut quotes = self.quote_check(names.len());
        let rows_in_file = self.fill(&mut sink, &mut quotes, names.len())?;
        let (columns, lines) = sink.finish();
        Ok(Gathered {
            names,
            columns,
            lines,
            rows_in_file,
            format: Format::Csv,
            delimiter: Some(self.dialect.delimiter.into()),
            header,
            unnamed_first,
            encoding: self.encoding.name(),
            notes,
            stray: quotes.finish(),
        })
    }

    /// A check for stray quotes in rows of so many cells.
    pub(crate) fn quote_check(&self, width: usize) -> QuoteCheck {
        QuoteCheck::new(self.dialect.delimiter, width)
    }

    /// Shows the current row to a check for stray quotes.
    pub(crate) fn check_quotes(&self, quotes: &mut QuoteCheck) {
        quotes.row(&self.record, self.line, self.several);
    }

    /// Reads the names of the columns and the first row.
    pub(crate) fn start(
        &mut self,
        header: bool,
        options: &ReadOptions,
    ) -> Result<Vec<String>, TableError> {
        let (names, _) = self.read_names(header, options)?;
        self.first_row(header, names.len())?;
        Ok(names)
    }

    fn read_names(
        &mut self,
        header: bool,
        options: &ReadOptions,
    ) -> Result<(Vec<String>, Vec<ReadNote>), TableError> {
        if !self.next()? {
            let file = self.file.clone();
            return Err(TableError::Empty { file });
        }
        if self.record.len() > MAX_COLUMNS {
            return Err(TableError::TooManyColumns {
                file: self.file.clone(),
                line: self.line,
                most: MAX_COLUMNS,
            });
        }
        let (names, notes) = self.names(header, options)?;
        self.header = HeaderLine::new(self.line, header.then_some(&names));
        Ok((names, notes))
    }

    /// Goes to the first row, behind the names if they stand in the file.
    fn first_row(&mut self, header: bool, columns: usize) -> Result<(), TableError> {
        let open = self.is_open();
        if !header || self.next()? {
            return Ok(());
        }
        if open {
            return Err(self.open_quote());
        }
        let file = self.file.clone();
        Err(TableError::NoRows { file, columns })
    }

    /// Checks at the end of the file that no quote is open.
    pub(crate) fn check_end(&self) -> Result<(), TableError> {
        if self.is_open() {
            return Err(self.open_quote());
        }
        Ok(())
    }

    /// Takes every row from the current one on and says how many there were.
    fn fill(
        &mut self,
        sink: &mut Sink,
        quotes: &mut QuoteCheck,
        width: usize,
    ) -> Result<usize, TableError> {
        let mut rows = 0;
        loop {
            self.check_width(width)?;
            self.check_quotes(quotes);
            sink.push(&self.record, self.line);
            rows += 1;
            if rows % ROWS_PER_CHECK == 0 {
                sink.check_memory(&self.file)?;
            }
            if !self.next()? {
                break;
            }
        }
        self.check_end()?;
        Ok(rows)
    }

    pub(super) fn check_width(&self, expected: usize) -> Result<(), TableError> {
        let found = self.record.len();
        if found == expected {
            return Ok(());
        }
        if self.is_open() {
            return Err(self.open_quote());
        }
        Err(TableError::Ragged {
            file: self.file.clone(),
            line: self.line,
            header: self.header.clone(),
            expected,
            found,
            spans: 1 + count(self.record.as_slice(), b'\n'),
        })
    }

    /// Whether the row reaches the end of the file because of an unclosed quote.
    pub(super) fn is_open(&self) -> bool {
        let at_end = self.reader.position().byte() + self.skipped.1 == self.passed.bytes();
        let may_be_open = self.dialect.quoting && !self.is_closed && self.several;
        may_be_open && at_end && self.passed.odd_quotes()
    }

    pub(super) fn open_quote(&self) -> TableError {
        // The last line feed is part of the cell and ends no row.
        TableError::OpenQuote {
            file: self.file.clone(),
            line: self.line + 1,
        }
    }

    /// The names in the current row, or made for it.
    pub(super) fn names(
        &self,
        header: bool,
        options: &ReadOptions,
    ) -> Result<(Vec<String>, Vec<ReadNote>), TableError> {
        let mut notes = Vec::new();
        if self.titles > 0 {
            notes.push(ReadNote::Titles {
                lines: self.titles,
                header: self.skipped.0 + 1,
            });
        }
        let width = self.record.len();
        let names: Vec<String> = match &options.names {
            Some(names) if names.len() != width => {
                return Err(TableError::ColumnCount {
                    file: self.file.clone(),
                    expected: names.len(),
                    found: width,
                });
            }
            Some(names) => names.clone(),
            None if header => {
                let cells = self
                    .record
                    .iter()
                    .map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned());
                cells
                    .enumerate()
                    .map(|(at, name)| named(name, at, &mut notes))
                    .collect()
            }
            None => (1..=width).map(|at| format!("column_{at}")).collect(),
        };
        check_distinct(&names, &self.file)?;
        Ok((names, notes))
    }
}

/// Gives a column without a name one.
fn named(name: String, at: usize, notes: &mut Vec<ReadNote>) -> String {
    if !name.is_empty() {
        return name;
    }
    let column = format!("column_{}", at + 1);
    notes.push(ReadNote::Named {
        column: column.clone(),
        index: false,
    });
    column
}

/// Whether the note is that the first of several columns has no name.
fn is_first(note: &ReadNote, names: &[String]) -> bool {
    matches!(note, ReadNote::Named { column, .. } if names.len() > 1 && names.first() == Some(column))
}

pub(crate) fn check_distinct(names: &[String], file: &str) -> Result<(), TableError> {
    let mut seen = std::collections::HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, at) {
            return Err(TableError::DuplicateColumn {
                file: file.to_owned(),
                name: name.clone(),
                first: first + 1,
                second: at + 1,
            });
        }
    }
    Ok(())
}

/// Where rows go: into the columns, or first into a sample.
pub(crate) struct Sink {
    kept: Vec<usize>,
    /// Whether a row may have more cells than those before it, each of which is a new column.
    grows: bool,
    columns: Vec<RawColumn>,
    lines: Lines,
    sample: Option<Sample>,
    limit: u64,
}

/// A uniform sample of a stream whose length is not known: Vitter, *Random sampling with a
/// reservoir*, 1985, <https://doi.org/10.1145/3147.3165>, its algorithm R.
struct Sample {
    size: usize,
    rng: Stream,
    seen: usize,
    /// Position in the file, line and row.
    rows: Vec<(usize, u64, ByteRecord)>,
}

impl Sink {
    fn new(kept: Vec<usize>, options: &ReadOptions) -> Self {
        let columns = kept.iter().map(|_| RawColumn::default()).collect();
        let sample = options.sample.map(|size| Sample {
            size,
            rng: stream(options.seed, &[]),
            seen: 0,
            rows: Vec::new(),
        });
        let limit = memory_limit(options);
        Self {
            kept,
            grows: false,
            columns,
            lines: Lines::default(),
            sample,
            limit,
        }
    }

    /// One without columns, to which rows add them.
    pub(crate) fn growing(options: &ReadOptions) -> Self {
        Self {
            grows: true,
            ..Self::new(Vec::new(), options)
        }
    }

    pub(crate) fn push(&mut self, record: &ByteRecord, line: u64) {
        match &mut self.sample {
            Some(sample) => sample.push(record, line),
            None => self.add(record, line),
        }
    }

    fn add(&mut self, record: &ByteRecord, line: u64) {
        if self.grows {
            self.grow(record.len());
        }
        for (column, &at) in self.columns.iter_mut().zip(&self.kept) {
            column.push(record.get(at).unwrap_or_default());
        }
        self.lines.push(line);
    }

    fn grow(&mut self, width: usize) {
        for at in self.columns.len()..width {
            self.kept.push(at);
            self.columns.push(RawColumn::missing(self.lines.rows()));
        }
    }

    /// Of a packed file the size is known only once it has been read.
    pub(crate) fn check_memory(&self, file: &str) -> Result<(), TableError> {
        let held: usize = self.columns.iter().map(RawColumn::bytes).sum();
        let needed = held as u64 * MEMORY_PER_BYTE;
        if needed > self.limit {
            return Err(TableError::Memory {
                file: file.to_owned(),
                needed,
                limit: self.limit,
            });
        }
        Ok(())
    }

    /// [`finish`](Self::finish) with at least so many columns.
    pub(crate) fn finish_with(mut self, width: usize) -> (Vec<RawColumn>, Lines) {
        if self.sample.is_none() {
            self.grow(width);
            return self.finish();
        }
        let (mut columns, lines) = self.finish();
        columns.resize_with(columns.len().max(width), || {
            RawColumn::missing(lines.rows())
        });
        (columns, lines)
    }

    fn finish(mut self) -> (Vec<RawColumn>, Lines) {
        if let Some(sample) = self.sample.take() {
            let mut rows = sample.rows;
            rows.sort_unstable_by_key(|(at, ..)| *at);
            for (_, line, record) in &rows {
                self.add(record, *line);
            }
        }
        (self.columns, self.lines)
    }
}

impl Sample {
    fn push(&mut self, record: &ByteRecord, line: u64) {
        let row = (self.seen, line);
        self.seen += 1;
        if self.rows.len() < self.size {
            self.rows.push((row.0, row.1, record.clone()));
            return;
        }
        let place = below(&mut self.rng, self.seen);
        if let Some(slot) = self.rows.get_mut(place) {
            *slot = (row.0, row.1, record.clone());
        }
    }
}
