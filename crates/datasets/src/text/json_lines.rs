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
    let (mut found, mut line, mut number) = (Vec::new(), Vec::new(), 0);
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
            return TextSet::gather(name, found, options);
        }
        let place = Place::Line {
            file: name.to_owned(),
            line: number,
        };
        if length as u64 == longest && !line.ends_with(b"\n") {
            return Err(TextError::TooLong {
                place,
                limit: options.max_bytes,
            });
        }
        if !line.trim_ascii().is_empty() {
            let object = Object::parse(&line, name, number)?;
            found.push(object.labelled(place, options)?);
        }
    }
}

/// The object of a line.
struct Object<'a> {
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

    fn labelled(&self, place: Place, options: &TextOptions) -> Result<Found, TextError> {
        let texts: Result<Vec<String>, TextError> =
            options.text.iter().map(|key| self.get(key)).collect();
        Found::new(
            &texts?.join(" "),
            &self.get(&options.label)?,
            place,
            options,
        )
    }

    fn get(&self, key: &str) -> Result<String, TextError> {
        let (file, line) = (self.file.to_owned(), self.line);
        match self.keys.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Null) => Ok(String::new()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            Some(_) => Err(TextError::Value {
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
