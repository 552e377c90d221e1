//! The whole state of a training run in one file, written atomically.
//!
//! A file begins with a magic word, then a JSON header that lists the parts with their lengths,
//! then the parts, then a CRC-32 of all that. It is written under a temporary name, synced and
//! renamed, so a name that exists is a file that is whole; the checksum is for disks that lie.
//! The two latest are kept: a damaged one costs the steps since the one before.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_predict::FileError;

/// What a file begins with, before the digit of its format.
const MAGIC: &[u8; 7] = b"TINDERC";
/// Version of the layout.
const FORMAT: u8 = b'2';
const SUFFIX: &str = "ckpt";
const KEPT: usize = 2;

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Another version wrote it.
    #[error(
        "`{}` has format {found}, and Tinderbox {} reads format {}; resume the run with the version \
         that began it or start a new run",
        path.display(), env!("CARGO_PKG_VERSION"), char::from(FORMAT)
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: char,
    },
    /// The file is not what was written.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

impl CheckpointError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let wrap = FileError::new(action, path);
        move |source| Self::Io(wrap(source))
    }
}

/// The parts of a state: a few numbers as JSON, and blobs by name.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointContents {
    /// What is small. Numbers with a fraction may lose their last bit.
    pub state: Value,
    /// What is large, or must come back to the bit.
    pub blobs: BTreeMap<String, Vec<u8>>,
}

impl CheckpointContents {
    /// The contents of a file with these parts.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = Vec::new();
        let path = Path::new("checkpoint");
        write_parts(&mut bytes, self).map_err(CheckpointError::io("send", path))?;
        Ok(bytes)
    }

    /// The parts in the contents of a file; else why there are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        parse(bytes)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    state: Value,
    blobs: Vec<(String, usize)>,
}

/// The checkpoints of one run.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The checkpoints in the folder `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes the state after `step` steps and removes all but the latest files.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the older ones are then still there.
    pub fn save(&self, step: usize, parts: &CheckpointContents) -> Result<(), CheckpointError> {
        fs::create_dir_all(&self.dir)
            .map_err(CheckpointError::io("create the folder", &self.dir))?;
        let path = self.dir.join(format!("step-{step:09}.{SUFFIX}"));
        write_atomic(&path, |file| write_parts(file, parts))
            .map_err(CheckpointError::io("write", &path))?;
        let files = self.files()?;
        for old in files.iter().rev().skip(KEPT) {
            fs::remove_file(old).map_err(CheckpointError::io("remove the old checkpoint", old))?;
        }
        Ok(())
    }

    /// Writes a state as [`save`](Self::save) does and removes it again, to measure the time.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn rehearse(&self, parts: &CheckpointContents) -> Result<(), CheckpointError> {
        fs::create_dir_all(&self.dir)
            .map_err(CheckpointError::io("create the folder", &self.dir))?;
        let path = self.dir.join(format!("probe.{SUFFIX}.tmp"));
        write_atomic(&path, |file| write_parts(file, parts))
            .map_err(CheckpointError::io("write", &path))?;
        fs::remove_file(&path).map_err(CheckpointError::io("remove", &path))
    }

    /// The latest state that can be read, and the files that could not.
    ///
    /// # Errors
    ///
    /// If the folder or a file cannot be read at all.
    pub fn latest(
        &self,
    ) -> Result<(Option<CheckpointContents>, Vec<CheckpointError>), CheckpointError> {
        let mut damaged = Vec::new();
        for path in self.files()?.iter().rev() {
            match read_parts(path) {
                Ok(parts) => return Ok((Some(parts), damaged)),
                Err(error @ CheckpointError::Damaged { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((None, damaged))
    }

    /// Finished files, oldest first.
    fn files(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(CheckpointError::io("list", &self.dir)(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry
                .map_err(CheckpointError::io("list", &self.dir))?
                .path();
            if path
                .extension()
                .is_some_and(|extension| extension == SUFFIX)
            {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The step of the checkpoint in a file of this name.
pub(crate) fn step_of(name: &OsStr) -> Option<usize> {
    let number = name.to_str()?.strip_prefix("step-")?;
    number.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok()
}

/// Passes bytes on and keeps their checksum.
struct Checked<W> {
    inner: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn write_parts(file: &mut impl Write, parts: &CheckpointContents) -> io::Result<()> {
    let blobs = parts
        .blobs
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.len()))
        .collect();
    let header = serde_json::to_vec(&Header {
        state: parts.state.clone(),
        blobs,
    })?;
    let mut out = Checked {
        inner: file,
        crc: crc32fast::Hasher::new(),
    };
    out.write_all(MAGIC)?;
    out.write_all(&[FORMAT])?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for bytes in parts.blobs.values() {
        out.write_all(bytes)?;
    }
    let crc = out.crc.finalize();
    out.inner.write_all(&crc.to_le_bytes())
}

fn read_parts(path: &Path) -> Result<CheckpointContents, CheckpointError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(CheckpointError::io("read", path))?;
    if let Some(found) = other_format(&bytes) {
        return Err(CheckpointError::Format {
            path: path.to_owned(),
            found: char::from(found),
        });
    }
    parse(&bytes).map_err(|reason| CheckpointError::Damaged {
        path: path.to_owned(),
        reason,
    })
}

/// The format of a file that another version wrote.
fn other_format(bytes: &[u8]) -> Option<u8> {
    let format = *bytes.strip_prefix(MAGIC)?.first()?;
    (format != FORMAT && format.is_ascii_digit()).then_some(format)
}

fn parse(bytes: &[u8]) -> Result<CheckpointContents, String> {
    let body = bytes.len().checked_sub(4).ok_or("it is too short")?;
    let (body, crc) = bytes.split_at(body);
    if crc32fast::hash(body).to_le_bytes() != crc {
        return Err("its checksum is wrong".to_owned());
    }
    let rest = body
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(&[FORMAT]))
        .ok_or("it is not a checkpoint")?;
    let (length, rest) = rest
        .split_first_chunk::<8>()
        .ok_or("its header is cut off")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    let (header, mut rest) = rest
        .split_at_checked(length)
        .ok_or("its header is cut off")?;
    let header: Header = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    let mut blobs = BTreeMap::new();
    for (name, length) in header.blobs {
        let (blob, after) = rest
            .split_at_checked(length)
            .ok_or_else(|| format!("`{name}` is cut off"))?;
        blobs.insert(name, blob.to_vec());
        rest = after;
    }
    Ok(CheckpointContents {
        state: header.state,
        blobs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(step: usize) -> CheckpointContents {
        let blobs = BTreeMap::from([("model".to_owned(), vec![step as u8; 100])]);
        CheckpointContents {
            state: serde_json::json!({ "step": step }),
            blobs,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("checkpoint"));
        (dir, store)
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (_dir, store) = store();
        store.rehearse(&parts(3)).unwrap();
        assert_eq!(store.latest().unwrap().0, None);
        store.save(7, &parts(7)).unwrap();
        assert_eq!(store.latest().unwrap().0, Some(parts(7)));
    }

    #[test]
    fn a_checkpoint_of_another_version_is_refused_by_name() {
        let (_dir, store) = store();
        store.save(7, &parts(7)).unwrap();
        let file = store.files().unwrap().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        bytes[MAGIC.len()] = b'1';
        fs::write(&file, bytes).unwrap();
        let error = store.latest().unwrap_err().to_string();
        assert!(
            error.contains("format 1") && error.contains("reads format 2"),
            "{error}"
        );
    }

    #[test]
    fn the_two_latest_are_kept() {
        let (_dir, store) = store();
        for step in [9, 10, 11, 100] {
            store.save(step, &parts(step)).unwrap();
        }
        assert_eq!(store.files().unwrap().len(), 2);
        assert_eq!(store.latest().unwrap().0, Some(parts(100)));
    }

    #[test]
    fn a_damaged_file_falls_back_to_the_one_before() {
        let (_dir, store) = store();
        store.save(1, &parts(1)).unwrap();
        store.save(2, &parts(2)).unwrap();
        let latest = store.files().unwrap().pop().unwrap();
        let whole = fs::read(&latest).unwrap();
        let mut flipped = whole.clone();
        flipped[60] ^= 1;
        for broken in [&flipped[..], &whole[..whole.len() - 10], &[]] {
            fs::write(&latest, broken).unwrap();
            let (found, damaged) = store.latest().unwrap();
            assert_eq!(found, Some(parts(1)));
            assert_eq!(damaged.len(), 1);
            assert!(damaged[0].to_string().contains("is damaged"));
        }
    }

    #[test]
    fn a_failed_write_leaves_the_older_one_and_no_scrap() {
        let (dir, store) = store();
        store.save(1, &parts(1)).unwrap();
        let target = dir.path().join("checkpoint/step-000000002.ckpt");
        let failed = write_atomic(&target, |file| {
            file.write_all(&vec![0; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(store.latest().unwrap().0, Some(parts(1)));
        assert_eq!(
            fs::read_dir(dir.path().join("checkpoint")).unwrap().count(),
            1
        );
    }
}
