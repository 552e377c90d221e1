//! Texts as JSON objects: one per line (<https://jsonlines.org>), or in an array.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::TextOptions;
use super::error::{Location, TextError};
use super::rows::{Labels, PlainText, RowOptions, TextReport, TextRow, TextSink, gather};
use super::set::TextSet;
use super::source::{Opened, TextFormat};

/// Reads labeled texts from a stream of JSON objects, packed with gzip or not; `name` stands for it in
/// messages. Empty lines are skipped.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if a line is no object or lacks a key.
pub fn read_json_lines(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<TextSet, TextError> {
    let wanted = RowOptions {
        labels: Labels::One,
        pair: false,
        cells: false,
        plain: PlainText::Table,
    };
    let opened = Opened {
        format: TextFormat::JsonLines,
        ..Opened::new(reader, name)?
    };
    let (rows, _) = gather(
        |sink| super::rows::each_opened(opened, wanted, options, sink),
        options,
    )?;
    TextSet::of_rows(name, rows, options)
}

/// Takes each object, or the reason why one cannot be used, and decides whether to continue.
pub(super) type ObjectSink<'s> = dyn FnMut(Result<Object, TextError>) -> ControlFlow<()> + 's;

/// Hands every object of a file of JSON lines or of an array to `sink`, as a row.
pub(super) fn each_json_row(
    opened: Opened<'_>,
    wanted: RowOptions,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    each_object(opened, options, &mut |object| {
        sink(object.and_then(|object| object.row(wanted, options)))
    })?;
    Ok(TextReport {
        text_columns: options.text.clone(),
        ..TextReport::default()
    })
}

/// Hands every object of a file of JSON lines or of an array to `sink`.
pub(super) fn each_object(
    opened: Opened<'_>,
    options: &TextOptions,
    sink: &mut ObjectSink<'_>,
) -> Result<(), TextError> {
    let Opened { name, reader, .. } = opened;
    match opened.format {
        TextFormat::JsonArray => each_in_array(reader, &name, options, sink),
        _ => each_line(reader, &name, options, sink),
    }
}

/// Most bytes of an object. Escapes take up to six bytes for one; the rest of the object has to fit as
/// well.
fn longest(options: &TextOptions) -> u64 {
    options.max_bytes.saturating_mul(6).saturating_add(1 << 20) as u64
}

fn each_line(
    mut reader: impl BufRead,
    name: &str,
    options: &TextOptions,
    sink: &mut ObjectSink<'_>,
) -> Result<(), TextError> {
    let read = |source| TextError::Read {
        file: name.to_owned(),
        source,
    };
    let (mut line, mut number) = (Vec::new(), 0);
    let longest = longest(options);
    loop {
        line.clear();
        number += 1;
        let length = (&mut reader)
            .take(longest)
            .read_until(b'\n', &mut line)
            .map_err(read)?;
        if length == 0 {
            return Ok(());
        }
        let location = Location::Line {
            file: name.to_owned(),
            line: number,
        };
        if length as u64 == longest && !line.ends_with(b"\n") {
            let limit = options.max_bytes;
            return Err(TextError::TooLong { location, limit });
        }
        if !line.trim_ascii().is_empty() && sink(Object::parse(&line, location)).is_break() {
            return Ok(());
        }
    }
}

/// An element of an array may also be a text alone, where there is one text and no label.
fn each_in_array(
    reader: impl BufRead,
    name: &str,
    options: &TextOptions,
    sink: &mut ObjectSink<'_>,
) -> Result<(), TextError> {
    let since = Rc::new(Cell::new(0));
    let reader = Limited {
        inner: without_mark(reader),
        since: Rc::clone(&since),
        limit: longest(options),
    };
    let mut elements = Elements {
        file: name,
        options,
        sink,
        since,
        number: 0,
        stopped: false,
    };
    let mut json = serde_json::Deserializer::from_reader(reader);
    let result = json.deserialize_seq(&mut elements);
    match result.and_then(|()| json.end()) {
        Err(error) if !elements.stopped => Err(TextError::Layout {
            file: name.to_owned(),
            expected: "JSON array of objects",
            reason: error.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Passes a byte order mark over.
fn without_mark(mut reader: impl BufRead) -> impl BufRead {
    if reader
        .fill_buf()
        .is_ok_and(|start| start.starts_with(b"\xEF\xBB\xBF"))
    {
        reader.consume(3);
    }
    reader
}

/// Fails where an element is longer than a limit, which would take any amount of memory.
struct Limited<R> {
    inner: R,
    /// Bytes read since the last element ended.
    since: Rc<Cell<u64>>,
    limit: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.since.set(self.since.get() + read as u64);
        if self.since.get() > self.limit {
            let limit = self.limit;
            return Err(io::Error::other(format!(
                "an element has more than {limit} bytes"
            )));
        }
        Ok(read)
    }
}

/// The elements of an array, handed on as they are read.
struct Elements<'a, 's> {
    file: &'a str,
    options: &'a TextOptions,
    sink: &'a mut ObjectSink<'s>,
    since: Rc<Cell<u64>>,
    number: u64,
    stopped: bool,
}

impl<'de> Visitor<'de> for &mut Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(&mut *self)?.is_some() {
            self.since.set(0);
            if self.stopped {
                // The rest is not wanted.
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let value: Value = serde::Deserialize::deserialize(json)?;
        self.number += 1;
        let location = Location::Element {
            file: self.file.to_owned(),
            number: self.number,
        };
        let object = match (value, self.options.text.as_slice()) {
            (Value::Object(keys), _) => Ok(Object { keys, location }),
            (Value::String(text), [key]) => Ok(Object {
                keys: Map::from_iter([(key.clone(), Value::String(text))]),
                location,
            }),
            (other, _) => Err(TextError::malformed(
                location,
                &other.to_string(),
                "a JSON object",
            )),
        };
        self.stopped = (self.sink)(object).is_break();
        Ok(())
    }
}

/// An object of a file.
pub(super) struct Object {
    keys: Map<String, Value>,
    location: Location,
}

impl Object {
    fn parse(bytes: &[u8], location: Location) -> Result<Self, TextError> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(TextError::Encoding {
                location,
                encoding: "UTF-8",
            });
        };
        // A byte order mark is no JSON.
        match serde_json::from_str(text.trim_start_matches('\u{FEFF}')) {
            Ok(keys) => Ok(Self { keys, location }),
            Err(error) => Err(TextError::Json {
                location,
                reason: error.to_string(),
            }),
        }
    }

    fn row(&self, wanted: RowOptions, options: &TextOptions) -> Result<TextRow, TextError> {
        let texts = options.text.iter().map(|key| self.get(key));
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        let labels = match (wanted.labels, self.list(&options.label)) {
            (Labels::None, _) => Vec::new(),
            (Labels::Many, Some(list)) => list,
            (labels, _) => labels.split(&self.get(&options.label)?),
        };
        let location = self.location.clone();
        let mut row = TextRow::new(&texts, labels, wanted.pair, location, options)?;
        if wanted.cells {
            let cell = |(key, value): (&String, &Value)| {
                (
                    key.clone(),
                    word(value).unwrap_or_else(|| value.to_string()),
                )
            };
            row.cells = self.keys.iter().map(cell).collect();
        }
        Ok(row)
    }

    /// Where it is.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// Its keys, in backticks.
    pub(super) fn keys(&self) -> Vec<String> {
        self.keys.keys().map(|key| format!("`{key}`")).collect()
    }

    /// The value of a key that holds a list, or `None` if it holds something else.
    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.keys.get(key) {
            Some(Value::Array(values)) => values.iter().map(word).collect(),
            _ => None,
        }
    }

    /// The value of a key as text.
    fn get(&self, key: &str) -> Result<String, TextError> {
        let location = || self.location.clone();
        match self.keys.get(key) {
            Some(value) => word(value).ok_or_else(|| TextError::Value {
                location: location(),
                key: key.to_owned(),
                hint: match value {
                    Value::Object(_) => {
                        "; pandas writes one object per row with `to_json(path, \
                         orient=\"records\", lines=True)`"
                    }
                    _ => "",
                },
            }),
            None => Err(TextError::NoKey {
                location: location(),
                key: key.to_owned(),
                keys: self.keys(),
            }),
        }
    }
}

/// A value as text, unless it is a list or an object; `null` is empty.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
