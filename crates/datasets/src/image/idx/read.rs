//! Reading of one IDX file.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::IdxError;

/// Most bytes of one file that are held in memory, 4 GiB.
const MAX_BYTES: u64 = 1 << 32;

/// More than this, deflate cannot expand a byte (1032 in theory).
const MAX_GZIP_RATIO: u64 = 1040;

/// Reads a file with `AXES` axes, packed or not: the content decides.
pub(super) fn read_file<const AXES: usize>(
    path: &Path,
) -> Result<([u32; AXES], Vec<u8>), IdxError> {
    let read = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => IdxError::Missing {
            path: path.to_owned(),
        },
        _ => IdxError::Read {
            path: path.to_owned(),
            source,
        },
    };
    let file = File::open(path).map_err(read)?;
    let file_bytes = file.metadata().map_err(read)?.len();
    let mut file = BufReader::new(file);
    let gzip = file.fill_buf().map_err(read)?.starts_with(&[0x1F, 0x8B]);
    let reader = Source {
        path,
        file_bytes,
        gzip,
    };
    if gzip {
        reader.read(MultiGzDecoder::new(file))
    } else {
        reader.read(file)
    }
}

/// What is known of a file before its content is read.
struct Source<'a> {
    path: &'a Path,
    file_bytes: u64,
    gzip: bool,
}

impl Source<'_> {
    fn read<const AXES: usize>(
        &self,
        mut reader: impl Read,
    ) -> Result<([u32; AXES], Vec<u8>), IdxError> {
        let header_bytes = 4 + 4 * AXES as u64;
        let mut word = Vec::with_capacity(4);
        self.fill(&mut reader, &mut word, 4, 0, header_bytes)?;
        self.check_magic(number(&word), AXES as u8)?;
        let mut words = Vec::with_capacity(4 * AXES);
        self.fill(&mut reader, &mut words, 4 * AXES as u64, 4, header_bytes)?;
        let mut dims = [0; AXES];
        for (dim, word) in dims.iter_mut().zip(words.chunks_exact(4)) {
            *dim = number(word);
        }
        let bytes = self.check_size(&dims, header_bytes)?;

        let mut content = Vec::new();
        let expected = header_bytes + bytes;
        let memory = |_| IdxError::Memory {
            path: self.path.to_owned(),
            bytes,
        };
        content.try_reserve_exact(bytes as usize).map_err(memory)?;
        self.fill(&mut reader, &mut content, bytes, header_bytes, expected)?;
        // Reading on to the end also checks the gzip checksum.
        match reader.read(&mut [0]) {
            Ok(0) => Ok((dims, content)),
            Ok(_) => Err(IdxError::Trailing {
                path: self.path.to_owned(),
                expected,
            }),
            Err(source) => Err(self.failed(source, expected, expected)),
        }
    }

    /// Reads `bytes` more bytes into the empty `to`; `before` were read already.
    fn fill(
        &self,
        reader: &mut impl Read,
        to: &mut Vec<u8>,
        bytes: u64,
        before: u64,
        expected: u64,
    ) -> Result<(), IdxError> {
        let result = reader.take(bytes).read_to_end(to);
        let found = before + to.len() as u64;
        match result {
            Ok(_) if to.len() as u64 == bytes => Ok(()),
            Ok(_) => Err(IdxError::Truncated {
                path: self.path.to_owned(),
                expected,
                found,
            }),
            Err(source) => Err(self.failed(source, expected, found)),
        }
    }

    fn failed(&self, source: std::io::Error, expected: u64, found: u64) -> IdxError {
        let path = self.path.to_owned();
        match source.kind() {
            ErrorKind::UnexpectedEof if found < expected => IdxError::Truncated {
                path,
                expected,
                found,
            },
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
                if self.gzip =>
            {
                IdxError::Gzip { path, source }
            }
            _ => IdxError::Read { path, source },
        }
    }

    fn check_magic(&self, found: u32, axes: u8) -> Result<(), IdxError> {
        let path = self.path.to_owned();
        let expected = u32::from_be_bytes([0, 0, 8, axes]);
        match found.to_be_bytes() {
            _ if found == expected => Ok(()),
            [0, 0, 8, found] => Err(IdxError::Axes {
                path,
                found,
                expected: axes,
            }),
            _ => Err(IdxError::Magic {
                path,
                found,
                expected,
            }),
        }
    }

    /// Returns the bytes of content that the header announces, if the file can hold them.
    fn check_size(&self, dims: &[u32], header_bytes: u64) -> Result<u64, IdxError> {
        let path = self.path.to_owned();
        if dims.contains(&0) {
            return Err(IdxError::Empty {
                path,
                dims: dims.to_vec(),
            });
        }
        let bytes = dims
            .iter()
            .try_fold(1_u64, |size, &dim| size.checked_mul(u64::from(dim)));
        let holds = if self.gzip {
            self.file_bytes
                .saturating_mul(MAX_GZIP_RATIO)
                .min(MAX_BYTES)
        } else {
            MAX_BYTES
        };
        let bytes = bytes
            .filter(|&bytes| bytes <= holds)
            .ok_or_else(|| IdxError::TooLarge {
                path: path.clone(),
                dims: dims.to_vec(),
                file_bytes: self.file_bytes,
                limit: holds,
            })?;
        let expected = header_bytes + bytes;
        if self.gzip || expected == self.file_bytes {
            Ok(bytes)
        } else if expected < self.file_bytes {
            Err(IdxError::Trailing { path, expected })
        } else {
            Err(IdxError::Truncated {
                path,
                expected,
                found: self.file_bytes,
            })
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u32::from(byte))
}
