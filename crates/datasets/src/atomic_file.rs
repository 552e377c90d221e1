//! Files that appear under their name only when they are complete.
//!
//! Every file that the workspace writes goes through [`AtomicFile`]. It is written under a unique
//! temporary name in the same directory, synced, and renamed, so that neither a crash nor a signal
//! leaves half of it, and no other file is touched. What is not a regular file (a device, a named
//! pipe, the standard output under a name such as `/dev/stdout`) is written directly. A symbolic
//! link stays: the file that it points to is replaced.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

/// Beginning of the name of every temporary file and directory.
const PREFIX: &str = ".tinderbox-";
const SUFFIX: &str = ".tmp";

/// Links followed before they are taken for a loop; Linux follows as many.
const MAX_LINKS: usize = 40;

const BUFFER: usize = 64 * 1024;

/// Temporary files and directories of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file being written; dropped without [`commit`](Self::commit), it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile(Inner);

#[derive(Debug)]
enum Inner {
    Temporary {
        file: BufWriter<NamedTempFile>,
        target: PathBuf,
        _registered: Registered,
    },
    Direct(BufWriter<File>),
}

/// What a path stands for.
#[derive(Debug, PartialEq)]
enum Target {
    /// A regular file, or one that does not exist yet.
    Regular(PathBuf),
    /// A device, a named pipe or an open file descriptor.
    Special(PathBuf),
}

impl AtomicFile {
    /// Starts to write the file `path`.
    ///
    /// # Errors
    ///
    /// If `path` is a directory or a read-only file, or its directory cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let target = match resolve(path)? {
            // Appended, for a descriptor may be that of a file that others write to.
            Target::Special(path) => {
                return Ok(direct(OpenOptions::new().append(true).open(path)?));
            }
            Target::Regular(target) => target,
        };
        let existing = match fs::metadata(&target) {
            Ok(metadata) if metadata.permissions().readonly() => {
                return Err(io::Error::new(
                    ErrorKind::PermissionDenied,
                    "it is read-only",
                ));
            }
            Ok(metadata) => Some(metadata.permissions()),
            Err(_) => None,
        };
        let file = match temporary_in(directory(&target)) {
            // A file in a directory that is not ours can be writable all the same.
            Err(error) if existing.is_some() && is_forbidden(&error) => {
                let mut options = OpenOptions::new();
                return Ok(direct(options.write(true).truncate(true).open(target)?));
            }
            other => other?,
        };
        if let Some(permissions) = existing {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(Self(Inner::Temporary {
            _registered: Registered::new(file.path()),
            file: BufWriter::with_capacity(BUFFER, file),
            target,
        }))
    }

    /// Makes the file appear, and makes it last through a power cut.
    ///
    /// # Errors
    ///
    /// If it cannot be written; what was there before is then unchanged.
    pub fn commit(self) -> io::Result<()> {
        self.persist(true)
    }

    /// Makes the file appear, without waiting for the disk: it is complete after any end of this
    /// process, and may not be after a power cut.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Self::commit).
    pub fn commit_unsynced(self) -> io::Result<()> {
        self.persist(false)
    }

    fn persist(self, sync: bool) -> io::Result<()> {
        let (file, target) = match self.0 {
            Inner::Direct(mut file) => return file.flush(),
            Inner::Temporary { file, target, .. } => (file, target),
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if sync {
            file.as_file().sync_all()?;
        }
        match file.persist(&target) {
            Ok(_) if sync => sync_parent(&target),
            Ok(_) => Ok(()),
            // A file that is mounted by itself, as in a container.
            Err(error) if cannot_be_replaced(&error.error) => copy(error.file, &target),
            Err(error) => Err(error.error),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Temporary { file, .. } => file.write(bytes),
            Inner::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Temporary { file, .. } => file.flush(),
            Inner::Direct(file) => file.flush(),
        }
    }
}

/// Writes a file so that its name only ever stands for the whole of it.
///
/// # Errors
///
/// If `write` fails, or the file cannot be written; what was there before is then unchanged.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut AtomicFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file)?;
    file.commit()
}

/// Fills a new directory and gives it the name `path` when it is complete, in place of what may be
/// there.
///
/// # Errors
///
/// If `fill` fails, or the directory cannot be written.
pub fn write_dir_atomic(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let parent = directory(path);
    fs::create_dir_all(parent)?;
    let (new, _new) = directory_in(parent)?;
    fill(new.path())?;
    let (old, _old) = directory_in(parent)?;
    swap(path, new.path(), &old.path().join("old"))?;
    let _ = new.keep();
    sync_parent(path)
}

/// Puts `new` in the place of `path`, if there is one, and that at `old`.
fn swap(path: &Path, new: &Path, old: &Path) -> io::Result<()> {
    // A signal waits until one of the two has the name.
    let _unfinished = unfinished();
    let replaces = fs::symlink_metadata(path).is_ok();
    if replaces {
        fs::rename(path, old)?;
    }
    let result = fs::rename(new, path);
    if result.is_err() && replaces {
        fs::rename(old, path)?;
    }
    result
}

/// Removes the temporary files of this process, before it exits in the middle of its work.
pub fn remove_unfinished() {
    for path in unfinished().iter() {
        // Whatever is left behind has a name that says what it is.
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    }
}

/// Whether a file or directory of this name is a leftover of a killed process.
pub fn is_leftover(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Makes a rename in the directory of `path` last through a power cut.
///
/// # Errors
///
/// If the directory cannot be synced.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory(path))?.sync_all()?;
    }
    Ok(())
}

/// A path in [`UNFINISHED`] for as long as this lives.
#[derive(Debug)]
struct Registered(PathBuf);

impl Registered {
    fn new(path: &Path) -> Self {
        unfinished().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new file without the owner's exclusive permissions that temporary files usually have.
fn temporary_in(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    // Opened here, as an error of `tempfile_in` shows the temporary name, which nobody chose.
    builder.make_in(dir, |path| options.open(path))
}

fn directory_in(dir: &Path) -> io::Result<(TempDir, Registered)> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let dir = builder.tempdir_in(dir)?;
    let registered = Registered::new(dir.path());
    Ok((dir, registered))
}

fn direct(file: File) -> AtomicFile {
    AtomicFile(Inner::Direct(BufWriter::with_capacity(BUFFER, file)))
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

fn cannot_be_replaced(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy | ErrorKind::CrossesDevices
    )
}

fn copy(mut from: NamedTempFile, target: &Path) -> io::Result<()> {
    let mut to = OpenOptions::new().write(true).truncate(true).open(target)?;
    from.as_file_mut().rewind()?;
    io::copy(from.as_file_mut(), &mut to)?;
    to.sync_all()
}

/// The directory that a path is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Follows links to what a path stands for.
fn resolve(path: &Path) -> io::Result<Target> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Target::Regular(path)),
            Err(error) => return Err(error),
        };
        if kind.is_symlink() {
            // These links name what a descriptor is open on, which need not be a path.
            if path.starts_with("/proc") || path.starts_with("/dev/fd") {
                return Ok(Target::Special(path));
            }
            path = directory(&path).join(fs::read_link(&path)?);
        } else if kind.is_file() {
            return Ok(Target::Regular(path));
        } else if kind.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
        } else {
            return Ok(Target::Special(path));
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        write_atomic(path, |file| file.write_all(text.as_bytes()))
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(dir.path().join("a.csv.tmp"), "mine").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.flush().unwrap();
        assert!(!path.exists());
        let unfinished: Vec<String> = names(dir.path());
        assert!(
            is_leftover(&unfinished[0]),
            "a killed process leaves a name of its own: {unfinished:?}"
        );
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["a.csv", "a.csv.tmp"]);
        assert_eq!(fs::read(dir.path().join("a.csv.tmp")).unwrap(), b"mine");
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, "old").unwrap();
        let failed = write_atomic(&path, |file| {
            file.write_all(&vec![0; 2 * BUFFER])?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a"]);
        for wrong in [dir.path().to_owned(), dir.path().join("no/a")] {
            let error = AtomicFile::create(&wrong).unwrap_err().to_string();
            assert!(!error.contains(PREFIX), "{error}");
        }
    }

    #[test]
    fn a_directory_is_replaced_as_a_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        let fill = |text: &'static str| {
            move |dir: &Path| -> io::Result<()> { fs::write(dir.join(text), text) }
        };
        write_dir_atomic(&path, fill("a")).unwrap();
        write_dir_atomic(&path, fill("b")).unwrap();
        assert_eq!(names(&path), ["b"]);
        let failed = write_dir_atomic(&path, |_| Err(io::Error::other("no")));
        assert!(failed.is_err());
        assert_eq!(names(&path), ["b"]);
        assert_eq!(names(dir.path()), ["model"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

        use super::*;

        #[test]
        fn permissions_are_those_of_any_new_file_or_of_the_replaced_one() {
            let dir = tempfile::tempdir().unwrap();
            let mode = |name: &str| {
                let metadata = fs::metadata(dir.path().join(name)).unwrap();
                metadata.permissions().mode() & 0o7777
            };
            fs::write(dir.path().join("plain"), "").unwrap();
            fs::create_dir(dir.path().join("plain dir")).unwrap();
            write(&dir.path().join("a"), "").unwrap();
            let fill = |_: &Path| -> io::Result<()> { Ok(()) };
            write_dir_atomic(&dir.path().join("dir"), fill).unwrap();
            assert_eq!(mode("a"), mode("plain"));
            assert_eq!(mode("dir"), mode("plain dir"));
            fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o600)).unwrap();
            write(&dir.path().join("a"), "new").unwrap();
            assert_eq!(mode("a"), 0o600);
            fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o400)).unwrap();
            let error = write(&dir.path().join("a"), "newer").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }

        #[test]
        fn a_link_stays_and_the_file_behind_it_is_replaced() {
            let dir = tempfile::tempdir().unwrap();
            let path = |name: &str| dir.path().join(name);
            fs::create_dir(path("data")).unwrap();
            fs::write(path("data/real"), "old").unwrap();
            symlink("data/real", path("link")).unwrap();
            symlink("link", path("second")).unwrap();
            symlink("data/later", path("dangling")).unwrap();
            symlink("loop", path("loop")).unwrap();
            for (link, file) in [("second", "data/real"), ("dangling", "data/later")] {
                write(&path(link), link).unwrap();
                assert!(path(link).is_symlink(), "{link}");
                assert_eq!(fs::read_to_string(path(file)).unwrap(), link);
            }
            assert!(write(&path("loop"), "").is_err());
            assert_eq!(names(&path("data")), ["later", "real"]);
        }

        #[test]
        fn a_device_and_a_descriptor_are_written_directly() {
            write(Path::new("/dev/null"), "x").unwrap();
            let kind = fs::symlink_metadata("/dev/null").unwrap().file_type();
            assert!(kind.is_char_device());
            for name in ["/dev/fd/1", "/proc/self/fd/1"] {
                if fs::symlink_metadata(name).is_ok() {
                    assert_eq!(
                        resolve(Path::new(name)).unwrap(),
                        Target::Special(name.into())
                    );
                }
            }
            if Path::new("/dev/full").exists() {
                let error = write(Path::new("/dev/full"), "x").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
            }
        }
    }
}
