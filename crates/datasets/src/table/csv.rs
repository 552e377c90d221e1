//! The rows of a CSV file, gathered column by column.

use std::io::{Cursor, Read};

use csv::{ByteRecord, Reader};

use super::decode::{Fault, MAX_ROW, Passed, Spaces, TextReader, count};
use super::error::TableError;
use super::options::{ReadNote, ReadOptions};
use super::raw::{Lines, Markers, RawColumn};
use super::sniff::{Dialect, Hints, is_blank};
use super::source::{MEMORY_PER_BYTE, Source, memory_limit, unpack_error};
use crate::random::{Stream, below, stream};

/// Bytes looked at to find the delimiter and the header.
const HEAD: usize = 1 << 18;

/// Rows between two looks at the memory used.
const ROWS_PER_CHECK: usize = 4096;

/// What a CSV file holds, before the kinds of its columns are known.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Names of all columns of the file.
    pub(crate) names: Vec<String>,
    /// Cells of the columns that were kept, in the order of the file.
    pub(crate) columns: Vec<RawColumn>,
    pub(crate) lines: Lines,
    pub(crate) rows_in_file: usize,
    pub(crate) delimiter: char,
    pub(crate) header: bool,
    pub(crate) encoding: &'static str,
    pub(crate) notes: Vec<ReadNote>,
}

/// Decides from the names of a file's columns which are kept.
pub(crate) type Keep<'k> = dyn Fn(&[String], bool) -> Result<Vec<bool>, TableError> + 'k;

/// Reads all rows of `source`.
pub(crate) fn gather(
    source: Source<'_>,
    options: &ReadOptions,
    keep: &Keep<'_>,
) -> Result<Gathered, TableError> {
    gather_with(source, options, &Hints::default(), keep)
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

/// Finds out how `source` is written, and whether its first row holds names.
pub(crate) fn open_rows<'a>(
    mut source: Source<'a>,
    options: &ReadOptions,
    hints: &Hints,
) -> Result<(Rows<'a>, bool), TableError> {
    options.validate()?;
    let (mut head, whole) = read_head(&mut source)?;
    if head.trim_ascii().is_empty() && whole {
        return Err(TableError::Empty { file: source.file });
    }
    let dialect = Dialect::with_hints(&head, whole, options, hints);
    let mut spaces = Spaces::new(dialect.delimiter);
    if dialect.quoting && spaces.are_in(&head) {
        let kept = spaces.skip(&mut head);
        head.truncate(kept);
        source.text.skip_spaces(spaces);
    }
    let markers = Markers::new(&options.missing);
    let header = match (&options.names, options.header) {
        (_, Some(header)) => header,
        (Some(_), None) => false,
        (None, None) => {
            dialect.names_one_of(&head, &hints.columns)
                || dialect.has_header(&head, whole, &markers)
        }
    };
    Ok((Rows::new(source, head, dialect), header))
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
fn text_error(file: &str, packed: bool, line: u64, error: std::io::Error) -> TableError {
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
        None => unpack_error(&file, packed, error),
    }
}

/// Rows with the lines they start on.
pub(crate) struct Rows<'a> {
    pub(super) file: String,
    packed: bool,
    reader: Reader<std::io::Chain<Cursor<Vec<u8>>, TextReader<'a>>>,
    passed: Passed,
    encoding: &'static str,
    dialect: Dialect,
    pub(super) record: ByteRecord,
    /// The line that `record` starts on, and whether it goes over several.
    pub(super) line: u64,
    several: bool,
}

impl<'a> Rows<'a> {
    fn new(source: Source<'a>, head: Vec<u8>, dialect: Dialect) -> Self {
        let Source { file, text, packed } = source;
        Self {
            file,
            packed,
            passed: text.passed(),
            encoding: text.encoding().name(),
            reader: dialect.reader(Cursor::new(head).chain(text)),
            dialect,
            record: ByteRecord::new(),
            line: 0,
            several: false,
        }
    }

    /// Reads the next row into `record`; `false` at the end.
    pub(super) fn next(&mut self) -> Result<bool, TableError> {
        loop {
            let before = self.reader.position().line();
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
            self.line += 1;
            return;
        }
        // Every row ends with a line feed, so the reader is on the line after it.
        let last = self.reader.position().line().saturating_sub(1);
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
        let more = self.next()?;
        if !more {
            return Err(TableError::Empty { file: self.file });
        }
        let (names, notes) = self.names(header, options)?;
        let kept = keep(&names, header)?;
        let kept: Vec<usize> = (0..kept.len()).filter(|&at| kept[at]).collect();
        let open = self.is_open();
        let more = if header { self.next()? } else { true };
        if !more && open {
            return Err(self.open_quote());
        }
        if !more {
            return Err(TableError::NoRows {
                file: self.file,
                columns: names.len(),
            });
        }
        let mut sink = Sink::new(kept, options);
        let rows_in_file = self.fill(&mut sink, names.len())?;
        let (columns, lines) = sink.finish();
        Ok(Gathered {
            names,
            columns,
            lines,
            rows_in_file,
            delimiter: self.dialect.delimiter.into(),
            header,
            encoding: self.encoding,
            notes,
        })
    }

    /// Takes every row from the current one on and says how many there were.
    fn fill(&mut self, sink: &mut Sink, width: usize) -> Result<usize, TableError> {
        let mut rows = 0;
        loop {
            self.check_width(width)?;
            sink.push(&self.record, self.line);
            rows += 1;
            if rows % ROWS_PER_CHECK == 0 {
                sink.check_memory(&self.file)?;
            }
            if !self.next()? {
                break;
            }
        }
        if self.is_open() {
            return Err(self.open_quote());
        }
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
            expected,
            found,
        })
    }

    /// Whether the row goes on to the end of the file because of a quote that nothing closes.
    pub(super) fn is_open(&self) -> bool {
        let at_end = self.reader.position().byte() == self.passed.bytes();
        self.dialect.quoting && self.several && at_end && self.passed.odd_quotes()
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
    });
    column
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
struct Sink {
    kept: Vec<usize>,
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
            columns,
            lines: Lines::default(),
            sample,
            limit,
        }
    }

    fn push(&mut self, record: &ByteRecord, line: u64) {
        match &mut self.sample {
            Some(sample) => sample.push(record, line),
            None => self.add(record, line),
        }
    }

    fn add(&mut self, record: &ByteRecord, line: u64) {
        for (column, &at) in self.columns.iter_mut().zip(&self.kept) {
            column.push(&record[at]);
        }
        self.lines.push(line);
    }

    /// Of a packed file the size is known only once it has been read.
    fn check_memory(&self, file: &str) -> Result<(), TableError> {
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
