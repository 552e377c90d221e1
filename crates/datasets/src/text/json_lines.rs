//! Texts as JSON objects, one per line: <https://jsonlines.org>.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value};

use super::TextOptions;
use super::error::{Place, TextError};
use super::set::{Found, TextSet};

/// Reads labelled texts from a stream of JSON objects, packed with gzip or not; `name` stands for it in
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
    let mut found = Vec::new();
    each_object(reader, name, options, |object| {
        found.push(object.labelled(options)?);
        Ok(())
    })?;
    TextSet::gather(name, found, options)
}

/// Hands every object to `take`, in the order of the file.
pub(super) fn each_object(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
    mut take: impl FnMut(&Object<'_>) -> Result<(), TextError>,
) -> Result<(), TextError> {
    let read = |source| TextError::Read {
        file: name.to_owned(),
        source,
    };
    let mut reader = BufReader::new(reader);
    let packed = reader.fill_buf().map_err(read)?.starts_with(&[0x1F, 0x8B]);
    let mut reader: Box<dyn BufRead + '_> = if packed {
        Box::new(BufReader::new(MultiGzDecoder::new(reader)))
    } else {
        Box::new(reader)
    };
    let (mut line, mut number) = (Vec::new(), 0);
    // Escapes take up to six bytes for one; the rest of the object has to fit as well.
    let longest = options.max_bytes.saturating_mul(6).saturating_add(1 << 20) as u64;
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
        if length as u64 == longest && !line.ends_with(b"\n") {
            let (file, line) = (name.to_owned(), number);
            return Err(TextError::TooLong {
                place: Place::Line { file, line },
                limit: options.max_bytes,
            });
        }
        if !line.trim_ascii().is_empty() {
            take(&Object::parse(&line, name, number)?)?;
        }
    }
}

/// The object of a line.
pub(super) struct Object<'a> {
    keys: Map<String, Value>,
    file: &'a str,
    line: u64,
}

impl<'a> Object<'a> {
    fn parse(bytes: &[u8], file: &'a str, line: u64) -> Result<Self, TextError> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            let place = Place::Line {
                file: file.to_owned(),
                line,
            };
            return Err(TextError::Encoding {
                place,
                encoding: "UTF-8",
            });
        };
        // A byte order mark is no JSON.
        let keys = serde_json::from_str(text.trim_start_matches('\u{FEFF}'));
        let keys = keys.map_err(|error| TextError::Json {
            file: file.to_owned(),
            line,
            reason: error.to_string(),
        })?;
        Ok(Self { keys, file, line })
    }

    fn labelled(&self, options: &TextOptions) -> Result<Found, TextError> {
        let texts = self.texts(options)?.join(" ");
        Found::new(&texts, &self.get(&options.label)?, self.place(), options)
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        Place::Line {
            file: self.file.to_owned(),
            line: self.line,
        }
    }

    /// The values of the keys that hold text.
    pub(super) fn texts(&self, options: &TextOptions) -> Result<Vec<String>, TextError> {
        options.text.iter().map(|key| self.get(key)).collect()
    }

    /// The value of a key that holds a list, or `None` if it holds something else.
    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.keys.get(key) {
            Some(Value::Array(values)) => values.iter().map(word).collect(),
            _ => None,
        }
    }

    /// The value of a key as text.
    pub(super) fn get(&self, key: &str) -> Result<String, TextError> {
        let (file, line) = (self.file.to_owned(), self.line);
        match self.keys.get(key) {
            Some(value) => word(value).ok_or_else(|| TextError::Value {
                file,
                line,
                key: key.to_owned(),
            }),
            None => Err(TextError::NoKey {
                file,
                line,
                key: key.to_owned(),
                keys: self.keys.keys().map(|key| format!("`{key}`")).collect(),
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
