//! Tables of JSON: an object per line (<https://jsonlines.org>), or an array of objects.
//!
//! Keys are columns, in the order in which they first come; a key that an object lacks, and `null`,
//! are missing cells. Numbers are taken as they are written, so that no digit is lost, and typed with
//! the strings as the cells of a CSV file are; their mark stays a point where a known schema has decimal commas. Lists and objects are no cells: their columns are left
//! out, and the report says so.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Chain, Cursor, Read};

use csv::ByteRecord;
use serde::de::IgnoredAny;

use super::csv::{Format, Gathered, Keep, MAX_COLUMNS, Sink, text_error};
use super::decode::{Passed, TextReader};
use super::error::TableError;
use super::number::DecimalMark;
use super::options::{ReadNote, ReadOptions};
use super::raw::PLAIN_NUMBER;
use super::schema::Schema;
use super::source::Source;
use crate::format::json_reason;

/// Rows between two looks at the memory used.
const ROWS_PER_CHECK: usize = 1024;

/// Whether a file that starts with `head` holds JSON objects, one after another or in an array.
pub(crate) fn is_json(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let object = |text: &[u8]| {
        let rest = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| rest.starts_with(b"\"") || rest.starts_with(b"}"))
    };
    let array = head.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    object(head) || array.is_some_and(object)
}

/// Reads all objects; `head` is the beginning of the text of `source`, `schema` that of the columns, if it is known.
pub(crate) fn gather_json(
    source: Source<'_>,
    head: Vec<u8>,
    options: &ReadOptions,
    schema: Option<&Schema>,
    keep: &Keep<'_>,
) -> Result<Gathered, TableError> {
    let Source { file, text, packed } = source;
    let (passed, encoding) = (text.passed(), text.encoding().name());
    let mut objects = Objects::new(BufReader::new(Cursor::new(head).chain(text)));
    let mut rows = Rows::new(&file, schema);
    let (mut sink, mut count) = (Sink::growing(options), 0);
    let mut object = Vec::new();
    loop {
        let next = objects.next(&mut object);
        let next = next.map_err(|stop| stop.explain(&file, packed, objects.place.line))?;
        let Some(line) = next else { break };
        passed.row();
        sink.push(&rows.record(&object, line)?, line);
        count += 1;
        if count % ROWS_PER_CHECK == 0 {
            sink.check_memory(&file)?;
        }
    }
    let Rows { names, nested, .. } = rows;
    let (mut columns, lines) = sink.finish_with(names.len());
    let mut notes = Vec::new();
    let mut flat = nested.iter().map(|nested| !nested);
    columns.retain(|_| flat.next().unwrap_or(true));
    let (kept, left): (Vec<_>, Vec<_>) = names
        .into_iter()
        .zip(nested)
        .partition(|(_, nested)| !nested);
    notes.extend(
        left.into_iter()
            .map(|(column, _)| ReadNote::Nested { column }),
    );
    let names: Vec<String> = kept.into_iter().map(|(name, _)| name).collect();
    if names.is_empty() {
        return Err(TableError::Json {
            file,
            line: 1,
            reason: "no key holds a plain value; write one object per row, with numbers and \
                     strings as values"
                .to_owned(),
        });
    }
    let mut kept = keep(&names, true)?.into_iter();
    columns.retain(|_| kept.next().unwrap_or(true));
    Ok(Gathered {
        names,
        columns,
        lines,
        rows_in_file: count,
        format: Format::Json,
        delimiter: None,
        header: true,
        unnamed_first: false,
        encoding,
        notes,
        stray: None,
    })
}

/// Objects whose keys tell the columns of a file that is read in chunks.
const FIRST: usize = 1000;

/// The text of a file: its beginning, and what comes after it.
type JsonText = BufReader<Chain<Cursor<Vec<u8>>, TextReader<'static>>>;

/// The objects of a file, one by one. The first thousand tell its columns.
pub(crate) struct JsonRows {
    packed: bool,
    passed: Passed,
    objects: Objects<JsonText>,
    rows: Rows,
    object: Vec<u8>,
    waiting: VecDeque<(ByteRecord, u64)>,
}

impl JsonRows {
    pub(crate) fn open(
        source: Source<'static>,
        head: Vec<u8>,
        schema: &Schema,
    ) -> Result<Self, TableError> {
        let Source { file, text, packed } = source;
        let mut own = Self {
            packed,
            passed: text.passed(),
            objects: Objects::new(BufReader::new(Cursor::new(head).chain(text))),
            rows: Rows::new(&file, Some(schema)),
            object: Vec::new(),
            waiting: VecDeque::new(),
        };
        while own.waiting.len() < FIRST {
            let Some(row) = own.read()? else { break };
            own.waiting.push_back(row);
        }
        Ok(own)
    }

    /// Names of the columns; none for those that hold lists or objects.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.rows.names.iter().zip(&self.rows.nested);
        let flat = |(name, nested): (&String, &bool)| {
            if *nested { String::new() } else { name.clone() }
        };
        names.map(flat).collect()
    }

    /// Bytes of text read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.passed.bytes()
    }

    /// The cells of the next object, which may be fewer than there are columns, and its line.
    pub(crate) fn next(&mut self) -> Result<Option<(ByteRecord, u64)>, TableError> {
        match self.waiting.pop_front() {
            Some(row) => Ok(Some(row)),
            None => self.read(),
        }
    }

    fn read(&mut self) -> Result<Option<(ByteRecord, u64)>, TableError> {
        let next = self.objects.next(&mut self.object);
        let (file, line) = (&self.rows.file, self.objects.place.line);
        let Some(line) = next.map_err(|stop| stop.explain(file, self.packed, line))? else {
            return Ok(None);
        };
        self.passed.row();
        Ok(Some((self.rows.record(&self.object, line)?, line)))
    }
}

/// The columns as they are found.
struct Rows {
    file: String,
    names: Vec<String>,
    places: HashMap<Vec<u8>, usize>,
    /// Whether a column holds a list or an object in some row.
    nested: Vec<bool>,
    /// The columns whose texts have decimal commas.
    commas: Vec<String>,
}

impl Rows {
    fn new(file: &str, schema: Option<&Schema>) -> Self {
        let columns = schema.map_or(&[][..], |schema| &schema.columns);
        let with_commas = columns
            .iter()
            .filter(|column| column.number.decimal == DecimalMark::Comma);
        Self {
            file: file.to_owned(),
            names: Vec::new(),
            places: HashMap::new(),
            nested: Vec::new(),
            commas: with_commas.map(|column| column.name.clone()).collect(),
        }
    }

    /// The cells of the object that starts on `line`, in the order of the columns known.
    fn record(&mut self, object: &[u8], line: u64) -> Result<ByteRecord, TableError> {
        let wrong = |line, reason| TableError::Json {
            file: self.file.clone(),
            line,
            reason,
        };
        serde_json::from_slice::<IgnoredAny>(object)
            .map_err(|error| wrong(line + error.line() as u64 - 1, json_reason(&error)))?;
        let mut cells: Vec<Option<Vec<u8>>> = vec![None; self.names.len()];
        for (key, value) in fields(object) {
            let at = self.column(key, line)?;
            cells.resize(cells.len().max(at + 1), None);
            if cells[at].is_some() {
                let reason = format!("the key `{}` comes twice", self.names[at]);
                return Err(TableError::Json {
                    file: self.file.clone(),
                    line,
                    reason,
                });
            }
            self.nested[at] |= matches!(value.first(), Some(b'{' | b'['));
            cells[at] = Some(self.cell(at, value, line)?);
        }
        Ok(cells.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn column(&mut self, key: &[u8], line: u64) -> Result<usize, TableError> {
        if let Some(&at) = self.places.get(key) {
            return Ok(at);
        }
        let at = self.names.len();
        if at == MAX_COLUMNS {
            let file = self.file.clone();
            return Err(TableError::TooManyColumns {
                file,
                line,
                most: MAX_COLUMNS,
            });
        }
        let name = self.text(key, line)?;
        // One name may be written in two ways, as in `\u0061`.
        let plain = serde_json::to_vec(&name).unwrap_or_default();
        let at = self.places.get(&plain).copied().unwrap_or(at);
        if at == self.names.len() {
            self.names.push(name);
            self.nested.push(false);
            self.places.insert(plain, at);
        }
        self.places.insert(key.to_vec(), at);
        Ok(at)
    }

    /// A value of column `at` as the cell of a CSV file would have it.
    ///
    /// The point of a JSON number is a decimal point, also where texts of the column have decimal commas.
    fn cell(&self, at: usize, value: &[u8], line: u64) -> Result<Vec<u8>, TableError> {
        Ok(match value.first() {
            Some(b'"') => self.text(value, line)?.into_bytes(),
            None | Some(b'n' | b'{' | b'[') => Vec::new(),
            _ if value.contains(&b'.') && self.commas.contains(&self.names[at]) => {
                [&[PLAIN_NUMBER as u8], value].concat()
            }
            _ => value.to_vec(),
        })
    }

    fn text(&self, string: &[u8], line: u64) -> Result<String, TableError> {
        let text: String = serde_json::from_slice(string).map_err(|error| TableError::Json {
            file: self.file.clone(),
            line,
            reason: error.to_string(),
        })?;
        if text.contains('\0') {
            let file = self.file.clone();
            return Err(TableError::Nul { file, line });
        }
        Ok(text.trim().to_owned())
    }
}

/// Keys and values of an object that is well formed, as they are written.
fn fields(object: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = Vec::new();
    let mut rest = object.get(1..).unwrap_or_default();
    while let Some(start) = rest.iter().position(|&byte| byte == b'"') {
        let (key, after) = rest[start..].split_at(value_end(&rest[start..]));
        let Some(colon) = after.iter().position(|&byte| byte == b':') else {
            break;
        };
        let value = after[colon + 1..].trim_ascii_start();
        let (value, after) = value.split_at(value_end(value));
        fields.push((key, value));
        rest = after;
    }
    fields
}

/// The length of the value that well-formed text starts with.
fn value_end(text: &[u8]) -> usize {
    let mut scan = Scan::default();
    for (at, &byte) in text.iter().enumerate() {
        let plain = !scan.string && scan.depth == 0;
        if plain
            && at > 0
            && (matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace())
        {
            return at;
        }
        scan.step(byte);
        if scan.depth == 0 && !scan.string && matches!(byte, b'"' | b'}' | b']') {
            return at + 1;
        }
    }
    text.len()
}

/// How deep a byte stands in objects and arrays, and whether in a string.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    string: bool,
    escaped: bool,
}

impl Scan {
    fn step(&mut self, byte: u8) {
        match (self.string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.string = false,
            (false, b'"') => self.string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// Cuts text into the objects at its top.
struct Objects<R> {
    reader: R,
    place: Place,
}

/// Where the text has been read to.
struct Place {
    scan: Scan,
    /// The line, counted from 1, and the one that the object starts on.
    line: u64,
    start: u64,
    inside: bool,
    array: bool,
    started: bool,
    ended: bool,
    /// Whether a comma must stand before the next object of an array.
    comma: bool,
}

/// What to do with a byte.
#[derive(PartialEq)]
enum Step {
    Skip,
    Keep,
    /// Keep it: it ends the object.
    Last,
}

/// Why there is no next object.
enum Stop {
    Read(std::io::Error),
    Unexpected(char),
    Cut,
}

impl Stop {
    fn explain(self, file: &str, packed: bool, line: u64) -> TableError {
        let reason = match self {
            Self::Read(error) => return text_error(file, packed, line, error),
            Self::Unexpected(found) => format!("expected a JSON object, found `{found}`"),
            Self::Cut => "the file ends within an object or array".to_owned(),
        };
        TableError::Json {
            file: file.to_owned(),
            line,
            reason,
        }
    }
}

impl<R: BufRead> Objects<R> {
    fn new(reader: R) -> Self {
        let place = Place {
            scan: Scan::default(),
            line: 1,
            start: 1,
            inside: false,
            array: false,
            started: false,
            ended: false,
            comma: false,
        };
        Self { reader, place }
    }

    /// Puts the next object into `object` and says which line it starts on.
    fn next(&mut self, object: &mut Vec<u8>) -> Result<Option<u64>, Stop> {
        object.clear();
        loop {
            let buffer = self.reader.fill_buf().map_err(Stop::Read)?;
            if buffer.is_empty() {
                return self.place.end().map(|()| None);
            }
            let (mut used, mut last) = (0, false);
            for &byte in buffer {
                used += 1;
                let step = self.place.step(byte)?;
                if step != Step::Skip {
                    object.push(byte);
                }
                last = step == Step::Last;
                if last {
                    break;
                }
            }
            self.reader.consume(used);
            if last {
                return Ok(Some(self.place.start));
            }
        }
    }
}

impl Place {
    fn step(&mut self, byte: u8) -> Result<Step, Stop> {
        self.line += u64::from(byte == b'\n');
        if self.inside {
            self.scan.step(byte);
            self.inside = self.scan.depth > 0;
            return Ok(if self.inside { Step::Keep } else { Step::Last });
        }
        match byte {
            _ if byte.is_ascii_whitespace() => {}
            b'[' if !self.started => (self.array, self.started) = (true, true),
            b',' if self.comma && !self.ended => self.comma = false,
            b']' if self.array && !self.ended => self.ended = true,
            b'{' if !self.ended && !self.comma => {
                (self.started, self.inside, self.comma) = (true, true, self.array);
                self.start = self.line;
                self.scan.step(byte);
                return Ok(Step::Keep);
            }
            _ => return Err(Stop::Unexpected(char::from(byte))),
        }
        Ok(Step::Skip)
    }

    fn end(&self) -> Result<(), Stop> {
        let whole = !self.inside && (!self.array || self.ended);
        if whole { Ok(()) } else { Err(Stop::Cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Kind, Table, read_csv};

    fn read(text: &str) -> Result<Table, TableError> {
        read_csv(text.as_bytes(), "t", &ReadOptions::default()).map(|(table, report)| {
            assert_eq!((report.format, report.delimiter), ("json", None));
            table
        })
    }

    fn texts(table: &Table, name: &str) -> Vec<String> {
        let column = table.column(name).unwrap();
        (0..table.rows())
            .map(|row| column.text(row).into_owned())
            .collect()
    }

    #[test]
    fn json_is_told_by_its_first_characters() {
        for (head, json) in [
            ("{\"a\": 1}\n", true),
            ("\n [\n  { \"a\": 1 }]", true),
            ("[{}]", true),
            ("{a},{b}\n1,2\n", false),
            ("[1,2]\n", false),
            ("a,b\n{\"x\":1},2\n", false),
        ] {
            assert_eq!(is_json(head.as_bytes()), json, "{head}");
        }
    }

    #[test]
    fn lines_and_arrays_are_one_table() {
        let lines = "{\"x\": 1.5, \"w\": \"a, \\\"b\\\"\", \"t\": true}\n\n{\"w\": null, \"t\": false, \"x\": 2}\n";
        let array = "[\n{\"x\": 1.5,\n \"w\": \"a, \\\"b\\\"\", \"t\": true},\n {\"t\": false, \"x\": 2}\n]\n";
        for (text, second) in [(lines, 3), (array, 4)] {
            let table = read(text).unwrap();
            assert_eq!(texts(&table, "x"), ["1.5", "2"]);
            assert_eq!(texts(&table, "w"), ["a, \"b\"", ""]);
            let kinds: Vec<Kind> = table.columns().iter().map(Column::kind).collect();
            assert_eq!(kinds, [Kind::Numeric, Kind::Categorical, Kind::Boolean]);
            assert_eq!(table.line(1), second);
        }
    }

    #[test]
    fn keys_may_come_late_and_no_digit_is_lost() {
        let table =
            read("{\"id\": 1152921504606846977}\n{\"id\": 123456789012345678901, \"b\": \"z\"}\n");
        let table = table.unwrap();
        assert_eq!(
            texts(&table, "id"),
            ["1152921504606846977", "123456789012345678901"]
        );
        assert_eq!(texts(&table, "b"), ["", "z"]);
    }

    #[test]
    fn nested_values_are_left_out_and_named() {
        let text = "{\"a\": [1, {\"b\": \"}\"}], \"c\": 1}\n{\"a\": 3, \"c\": 2}\n";
        let (table, report) = read_csv(text.as_bytes(), "t", &ReadOptions::default()).unwrap();
        assert_eq!(table.columns().len(), 1);
        let column = "a".to_owned();
        assert_eq!(report.notes, [ReadNote::Nested { column }]);
        let error = read("{\"a\": {\"0\": 1}}").unwrap_err().to_string();
        assert!(error.contains("no key holds a plain value"), "{error}");
    }

    #[test]
    fn a_sample_of_objects_has_all_columns() {
        let lines: Vec<String> = (0..100)
            .map(|x| format!("{{\"x\": {x}.5, \"y\": \"{x}\"}}"))
            .collect();
        let options = ReadOptions {
            sample: Some(7),
            ..ReadOptions::default()
        };
        let (table, report) = read_csv(lines.join("\n").as_bytes(), "t", &options).unwrap();
        assert_eq!(
            (table.rows(), report.rows_in_file, table.columns().len()),
            (7, 100, 2)
        );
        let row = table.column("x").unwrap().number(3) as u64;
        assert_eq!(table.line(3), row + 1);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        for (text, line, words) in [
            ("{\"a\": 1}\n{\"a\": }\n", 2, "expected value"),
            ("{\"a\": 1}\nhello\n", 2, "found `h`"),
            ("[{\"a\": 1},\n{\"a\": 2}\n", 3, "ends within"),
            ("[{\"a\": 1}\n{\"a\": 2}]\n", 2, "found `{`"),
            ("{\"a\": 1}\n{\"a\": \"x\n", 3, "ends within"),
            ("{\"a\": 1, \"a\": 2}\n", 1, "twice"),
            ("{\"a\": 1, \"\\u0061\": 2}\n", 1, "twice"),
            ("{\"a\": \"\\u0000\"}\n", 1, "NUL"),
        ] {
            let error = read(text).unwrap_err().to_string();
            let start = format!("`t` line {line}");
            assert!(
                error.starts_with(&start) && error.contains(words),
                "{text}: {error}"
            );
        }
    }
}
