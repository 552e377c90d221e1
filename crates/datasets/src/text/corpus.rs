//! Plain text to model a language on.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::documents::{open, read_error, text_files};
use super::error::{Location, TextError};
use super::rows::TextReport;
use super::source::{is_utf16, utf16};

/// Most bytes of a corpus that is read whole, 1 GiB.
pub const MAX_CORPUS_BYTES: u64 = 1 << 30;

/// Reads one text: a file, or all text files of a folder and its sub-folders, in the order of their names
/// with a line feed between them.
///
/// Nothing is changed but that a byte order mark is taken off.
///
/// # Errors
///
/// If a file is missing or not UTF-8 (the line is named), if there is nothing but white space, or if
/// there are more than [`MAX_CORPUS_BYTES`] bytes.
pub fn read_corpus(path: &Path) -> Result<String, TextError> {
    Ok(read_corpus_with_report(path)?.0)
}

/// As [`read_corpus`], with the skipped files.
///
/// # Errors
///
/// As [`read_corpus`].
pub fn read_corpus_with_report(path: &Path) -> Result<(String, TextReport), TextError> {
    read_up_to(path, MAX_CORPUS_BYTES)
}

fn read_up_to(path: &Path, limit: u64) -> Result<(String, TextReport), TextError> {
    let file = path.display().to_string();
    let (mut corpus, mut report) = (String::new(), TextReport::default());
    if path.is_dir() {
        for path in text_files(path, &mut report)? {
            if !corpus.is_empty() && !corpus.ends_with('\n') {
                corpus.push('\n');
            }
            let left = limit.saturating_sub(corpus.len() as u64);
            let text = read_utf8(&path, left).map_err(|error| match error {
                TextError::TooLarge { .. } => TextError::TooLarge {
                    file: file.clone(),
                    limit,
                },
                other => other,
            })?;
            corpus.push_str(&text);
        }
    } else {
        corpus = read_utf8(path, limit)?;
    }
    if corpus.trim().is_empty() {
        return Err(TextError::Empty { file });
    }
    Ok((corpus, report))
}

/// The text of a file of at most `limit` bytes, packed with gzip or not.
pub(super) fn read_utf8(path: &Path, limit: u64) -> Result<String, TextError> {
    let name = path.display().to_string();
    utf8(read_bytes(path, limit)?, &name)
}

/// The text of a stream of at most `limit` bytes; `name` stands for it in messages.
pub(super) fn utf8_of(reader: impl Read, name: &str, limit: u64) -> Result<String, TextError> {
    utf8(up_to(reader, name, limit)?, name)
}

fn utf8(mut bytes: Vec<u8>, file: &str) -> Result<String, TextError> {
    if is_utf16(&bytes) {
        return Err(utf16(file));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|&byte| byte == b'\n').count() as u64;
        TextError::Encoding {
            location: Location::Line {
                file: file.to_owned(),
                line,
            },
            encoding: "UTF-8",
        }
    })
}

fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, TextError> {
    let file = path.display().to_string();
    let failed = |source| read_error(&file, source);
    let mut reader = BufReader::new(open(path)?);
    let packed = reader
        .fill_buf()
        .map_err(failed)?
        .starts_with(&[0x1F, 0x8B]);
    let text: Box<dyn Read> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    up_to(text, &file, limit)
}

fn up_to(reader: impl Read, file: &str, limit: u64) -> Result<Vec<u8>, TextError> {
    let mut bytes = Vec::new();
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(file, source))?;
    if bytes.len() as u64 > limit {
        let file = file.to_owned();
        return Err(TextError::TooLarge { file, limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    #[test]
    fn files_of_a_folder_come_by_name() {
        let dir = write(&[
            ("b.txt", b"two\n"),
            ("a.txt", b"\xEF\xBB\xBFone"),
            ("c.pdf", b"no"),
            (".DS_Store", b"\0"),
        ]);
        std::fs::create_dir(dir.path().join("more")).unwrap();
        std::fs::write(dir.path().join("more/d.md"), "three").unwrap();
        let (corpus, report) = read_corpus_with_report(dir.path()).unwrap();
        assert_eq!(corpus, "one\ntwo\nthree");
        let skipped_files = "1 file skipped: 1 not a text file (.pdf)";
        assert_eq!(report.messages(), [skipped_files]);
        assert_eq!(read_corpus(&dir.path().join("c.pdf")).unwrap(), "no");
    }

    #[test]
    fn what_is_empty_missing_or_no_text_is_named() {
        let dir = write(&[("a.txt", b" \n"), ("b.txt", b"one\ncaf\xE9\n")]);
        let message = |name: &str| read_corpus(&dir.path().join(name)).unwrap_err().to_string();
        assert!(message("a.txt").ends_with("a.txt` is empty"));
        assert!(message("c.txt").starts_with("there is no file"));
        assert!(message("b.txt").contains("b.txt` line 2: not UTF-8"));
        assert!(message("").contains("b.txt` line 2: not UTF-8"));
        assert!(
            read_corpus(write(&[]).path())
                .unwrap_err()
                .to_string()
                .ends_with("is empty")
        );
    }

    #[test]
    fn what_is_too_large_is_refused_with_advice() {
        let dir = write(&[("a.txt", b"12345"), ("b.txt", b"6789")]);
        assert_eq!(read_up_to(dir.path(), 10).unwrap().0, "12345\n6789");
        let message = read_up_to(dir.path(), 9).unwrap_err().to_string();
        assert!(message.contains("larger than 9 bytes"), "{message}");
        assert!(read_up_to(&dir.path().join("a.txt"), 4).is_err());
    }
}
