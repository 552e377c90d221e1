//! Where the bytes come from: a file or standard input, packed or not; and how much memory there is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::decode::TextReader;
use super::error::TableError;
use super::options::ReadOptions;
use crate::memory::available_memory;

/// Bytes asked of the system at once.
pub(crate) const BUFFER: usize = 1 << 18;

/// Memory that reading takes, as a multiple of the text: the cells as they stand in the file, and
/// the typed columns made of them.
pub(crate) const MEMORY_PER_BYTE: u64 = 3;

/// An opened source.
pub(crate) struct Source<'a> {
    /// Its name in messages.
    pub(crate) file: String,
    /// The text.
    pub(crate) text: TextReader<'a>,
    /// Whether it is unpacked on the way.
    pub(crate) packed: bool,
}

impl<'a> Source<'a> {
    /// Opens a file, or standard input if `path` is `-`.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        if path.as_os_str() == "-" {
            return Self::new(Box::new(io::stdin().lock()), "standard input", options);
        }
        let name = path.display().to_string();
        let file = open_file(path)?;
        let bytes = file
            .metadata()
            .map_err(|source| read_error(&name, source))?
            .len();
        let source = Self::new(Box::new(file), &name, options)?;
        if !source.packed && options.sample.is_none() {
            check_memory(&name, bytes.saturating_mul(MEMORY_PER_BYTE), options)?;
        }
        Ok(source)
    }

    /// Unpacks what is packed, and finds the encoding.
    pub(crate) fn new(
        reader: Box<dyn Read + 'a>,
        file: &str,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        let failed = |source| read_error(file, source);
        let mut reader = BufReader::with_capacity(BUFFER, reader);
        let start = reader.fill_buf().map_err(failed)?;
        refuse_others(start, file)?;
        let packed = start.starts_with(&[0x1F, 0x8B]);
        let inner: Box<dyn BufRead + 'a> = if packed {
            Box::new(BufReader::with_capacity(
                BUFFER,
                MultiGzDecoder::new(reader),
            ))
        } else {
            Box::new(reader)
        };
        let text = TextReader::new(inner, options.encoding)
            .map_err(|source| unpack_error(file, packed, source))?;
        Ok(Self {
            file: file.to_owned(),
            text,
            packed,
        })
    }
}

/// Opens `path`, with errors that name it.
pub(crate) fn open_file(path: &Path) -> Result<File, TableError> {
    File::open(path).map_err(|source| read_error(&path.display().to_string(), source))
}

pub(crate) fn read_error(file: &str, source: io::Error) -> TableError {
    let file = file.to_owned();
    match source.kind() {
        ErrorKind::NotFound => TableError::Missing { file },
        _ => TableError::Read { file, source },
    }
}

pub(crate) fn unpack_error(file: &str, packed: bool, source: io::Error) -> TableError {
    if packed {
        TableError::Gzip {
            file: file.to_owned(),
            source,
        }
    } else {
        read_error(file, source)
    }
}

/// Tells files that people often take for CSV or plain text.
pub(crate) fn refuse_others(start: &[u8], file: &str) -> Result<(), TableError> {
    let what = match start {
        [b'P', b'K', 3, 4, ..] => {
            "a zip archive or an Excel workbook; unpack it, or save it as CSV"
        }
        [0xD0, 0xCF, 0x11, 0xE0, ..] => "an old Excel workbook; save it as CSV",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "packed with zstd; unpack it first",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "packed with bzip2; unpack it first",
        [0xFD, b'7', b'z', b'X', b'Z', ..] => "packed with xz; unpack it first",
        _ => return Ok(()),
    };
    Err(TableError::Foreign {
        file: file.to_owned(),
        what,
    })
}

/// Compares bytes needed with those that may be used.
pub(crate) fn check_memory(
    file: &str,
    needed: u64,
    options: &ReadOptions,
) -> Result<(), TableError> {
    let limit = memory_limit(options);
    if needed <= limit {
        return Ok(());
    }
    Err(TableError::Memory {
        file: file.to_owned(),
        needed,
        limit,
    })
}

/// Bytes that may be used: as set, or half of what Linux says is available; elsewhere no limit is known.
pub(crate) fn memory_limit(options: &ReadOptions) -> u64 {
    options
        .memory
        .or_else(|| available_memory().map(|bytes| bytes / 2))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workbooks_and_archives_are_told_from_text() {
        for start in [&b"PK\x03\x04..."[..], b"\xD0\xCF\x11\xE0", b"BZh9"] {
            assert!(matches!(
                refuse_others(start, "f"),
                Err(TableError::Foreign { .. })
            ));
        }
        assert!(refuse_others(b"PK,name\n", "f").is_ok());
        assert!(refuse_others(b"BZhang wrote\n", "f").is_ok());
        assert!(refuse_others(b"", "f").is_ok());
    }
}
