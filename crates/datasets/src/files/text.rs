//! Label files as text.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, WINDOWS_1252};
use thiserror::Error;

/// Most bytes of a label file, 1 GiB; that of the training split of COCO has 448 MiB.
const MAX_LABEL_BYTES: u64 = 1 << 30;

/// A label file that cannot be read.
#[derive(Debug, Error)]
pub enum ReadTextError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is longer than labels may be.
    #[error("`{}` is too large for a label file: more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes allowed.
        limit: u64,
    },
}

/// Reads a label file as text, in any of the usual encodings.
pub(crate) fn read_text(path: &Path) -> Result<String, ReadTextError> {
    read_within(path, MAX_LABEL_BYTES)
}

fn read_within(path: &Path, limit: u64) -> Result<String, ReadTextError> {
    let read = |source| ReadTextError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(read)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > limit {
        return Err(ReadTextError::TooLong {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(text_of(bytes))
}

/// UTF-8, or what its byte order mark says, or else Windows-1252, of which Latin-1 is a part.
fn text_of(bytes: Vec<u8>) -> String {
    let Some((encoding, start)) = Encoding::for_bom(&bytes) else {
        // A large file is not copied.
        return String::from_utf8(bytes).unwrap_or_else(|error| {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(error.as_bytes());
            text.into_owned()
        });
    };
    let (text, _) = encoding.decode_without_bom_handling(&bytes[start..]);
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_other_encodings_is_read() {
        for bytes in [
            &b"Stra\xc3\x9fe"[..],
            b"\xef\xbb\xbfStra\xc3\x9fe",
            b"Stra\xdfe",
            b"\xff\xfeS\0t\0r\0a\0\xdf\0e\0",
        ] {
            assert_eq!(text_of(bytes.to_vec()), "Straße");
        }
    }

    #[test]
    fn a_file_above_the_limit_is_refused_and_never_cut() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "12345678").unwrap();
        assert_eq!(read_within(file.path(), 8).unwrap(), "12345678");
        let error = read_within(file.path(), 7).unwrap_err();
        assert!(matches!(error, ReadTextError::TooLong { limit: 7, .. }));
        let error = error.to_string();
        assert!(error.ends_with("more than 7 bytes"), "{error}");
        let error = read_text(Path::new("none.json")).unwrap_err().to_string();
        assert_eq!(error, "cannot read `none.json`");
    }
}
