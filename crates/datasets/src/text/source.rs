//! Files of texts, unpacked and recognized by their content.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::documents::{open, read_error};
use super::ends;
use super::error::TextError;
use crate::table::{TableError, refuse_others};

/// Bytes asked of the system at once.
const BUFFER: usize = 1 << 17;

/// Bytes looked at to recognize the format.
const HEAD: u64 = 1 << 16;

/// Endings of files with a JSON object per line.
const JSON_LINES: [&str; 4] = [".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"];

/// Endings of files that are some kind of JSON.
const JSON: [&str; 2] = [".json", ".json.gz"];

/// Endings of archives.
const TAR: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// Endings of tables.
const TABLES: [&str; 4] = [".csv", ".tsv", ".csv.gz", ".tsv.gz"];

/// How a file holds its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// An archive of files.
    Tar,
    /// A JSON object per line.
    JsonLines,
    /// A JSON array.
    JsonArray,
    /// A table, or plain text: the content alone does not decide.
    Plain,
}

/// A file that was opened and recognized.
pub(super) struct Opened<'a> {
    /// Its name in messages.
    pub(super) name: String,
    pub(super) format: TextFormat,
    /// Whether its name is that of a table.
    pub(super) is_table: bool,
    /// The first bytes, unpacked, which `reader` gives as well.
    pub(super) head: Vec<u8>,
    pub(super) reader: Box<dyn BufRead + 'a>,
}

impl<'a> Opened<'a> {
    /// Opens a file, or standard input if `path` is `-`.
    pub(super) fn open(path: &Path) -> Result<Self, TextError> {
        if path.as_os_str() == "-" {
            return Self::new(std::io::stdin().lock(), "standard input");
        }
        Self::new(open(path)?, &path.display().to_string())
    }

    /// Unpacks and recognizes a stream; `name` stands for it in messages.
    pub(super) fn new(reader: impl Read + 'a, name: &str) -> Result<Self, TextError> {
        let failed = |source| read_error(name, source);
        let mut reader = BufReader::with_capacity(BUFFER, reader);
        let start = reader.fill_buf().map_err(failed)?;
        if start.starts_with(b"PAR1") {
            return Err(TextError::Table(TableError::Foreign {
                file: name.to_owned(),
                what: "a Parquet file; save it as CSV or as JSON lines",
            }));
        }
        refuse_others(start, name)?;
        let packed = start.starts_with(&[0x1F, 0x8B]);
        let mut reader: Box<dyn BufRead + 'a> = if packed {
            Box::new(BufReader::with_capacity(
                BUFFER,
                MultiGzDecoder::new(reader),
            ))
        } else {
            Box::new(reader)
        };
        let mut head = Vec::new();
        let read = (&mut reader).take(HEAD).read_to_end(&mut head);
        read.map_err(failed)?;
        let path = Path::new(name);
        Ok(Self {
            name: name.to_owned(),
            format: recognize(path, &head),
            is_table: ends(path, &TABLES),
            reader: Box::new(Cursor::new(head.clone()).chain(reader)),
            head,
        })
    }
}

/// An error for a file that is not text, named `name`.
pub(super) fn binary(name: &str) -> TextError {
    TextError::Table(TableError::Foreign {
        file: name.to_owned(),
        what: "a binary file: it contains NUL bytes, so it is not text",
    })
}

/// Whether these first bytes are not those of a text: NUL bytes are in UTF-16 alone.
pub(super) fn is_binary(head: &[u8]) -> bool {
    head.contains(&0) && !is_utf16(head)
}

/// Whether a text starts with the byte order mark of UTF-16.
pub(super) fn is_utf16(start: &[u8]) -> bool {
    start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF")
}

/// An error for a file in UTF-16, named `name`, whose lines cannot be told apart by a byte.
pub(super) fn utf16(name: &str) -> TextError {
    TextError::Table(TableError::Foreign {
        file: name.to_owned(),
        what: "in UTF-16; convert it to UTF-8, e.g. with `iconv -f UTF-16 -t UTF-8`",
    })
}

/// Recognizes a format by the first bytes of a file, and by its name where they leave it open.
fn recognize(path: &Path, head: &[u8]) -> TextFormat {
    if ends(path, &TAR) || head.get(257..262) == Some(b"ustar") {
        return TextFormat::Tar;
    }
    if ends(path, &JSON_LINES) {
        return TextFormat::JsonLines;
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = text.trim_ascii_start();
    let named = ends(path, &JSON);
    match text.first() {
        Some(b'{') if named || starts_with_object(text) => TextFormat::JsonLines,
        Some(b'[') if named || starts_with_key(text[1..].trim_ascii_start()) => {
            TextFormat::JsonArray
        }
        _ if named => TextFormat::JsonLines,
        _ => TextFormat::Plain,
    }
}

/// Whether the first line is a JSON object, or the start of one that is longer than `text`.
fn starts_with_object(text: &[u8]) -> bool {
    match text.iter().position(|&byte| byte == b'\n') {
        None if text.len() as u64 >= HEAD / 2 => starts_with_key(text),
        end => {
            let line = &text[..end.unwrap_or(text.len())];
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok()
        }
    }
}

/// Whether an object with a key begins here.
fn starts_with_key(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.starts_with(b"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_and_then_the_name() {
        let object = "{\"text\": \"a\", \"label\": \"b\"}\n";
        let array = "\u{FEFF}\n[\n {\n  \"text\": \"a\"}]";
        for (name, text, expected) in [
            ("a.json", object, TextFormat::JsonLines),
            ("a.csv", object, TextFormat::JsonLines),
            ("a.txt", object, TextFormat::JsonLines),
            ("a.json", array, TextFormat::JsonArray),
            ("a", array, TextFormat::JsonArray),
            ("a.JSON", "[\"a\", \"b\"]", TextFormat::JsonArray),
            ("a.json", "text,label\n", TextFormat::JsonLines),
            ("a.jsonl", "no", TextFormat::JsonLines),
            ("a.csv", "{name},[x]\n", TextFormat::Plain),
            ("a.txt", "[1] see you\n", TextFormat::Plain),
            ("a.txt", "{ not json }\n", TextFormat::Plain),
            ("a.csv", "", TextFormat::Plain),
            ("a.tgz", "", TextFormat::Tar),
        ] {
            assert_eq!(
                recognize(Path::new(name), text.as_bytes()),
                expected,
                "{name}: {text}"
            );
        }
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(recognize(Path::new("a"), &tar), TextFormat::Tar);
    }

    #[test]
    fn a_table_of_another_program_is_named() {
        for (bytes, words) in [
            (&b"PAR1..."[..], "a Parquet file"),
            (&b"PK\x03\x04..."[..], "a zip archive or an Excel workbook"),
        ] {
            let error = Opened::new(bytes, "a").err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn bytes_with_nul_are_binary_unless_they_are_utf_16() {
        assert!(is_binary(b"\x7FELF\x02\0"));
        assert!(!is_binary(b"\xFF\xFEa\0"));
        assert!(!is_binary("café".as_bytes()));
    }
}
