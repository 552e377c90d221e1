//! Folders for what a rank writes and nobody reads, as only the first one has a run directory.
//!
//! A rank that is killed leaves its folder, and the next training on ranks of this machine removes it. A folder in use is
//! locked; the system releases the lock when the process ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// How the names of the folders begin.
const PREFIX: &str = "tinderbox-rank-";
/// Locked by the process that uses a folder.
const LOCK_FILE: &str = ".lock";

/// A folder that is removed in the end.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: TempDir,
    #[expect(dead_code, reason = "it is locked while it is open")]
    lock: File,
}

impl Scratch {
    /// Makes a folder in `parent`.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(crate) fn in_dir(parent: &Path) -> io::Result<Self> {
        loop {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let path = dir.path().join(LOCK_FILE);
            let lock = File::create(&path)?;
            // Some file systems have no locks: then folders are left.
            let is_taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            // Before it was locked, another rank may have taken it for abandoned.
            if !is_taken && path.exists() {
                return Ok(Self { dir, lock });
            }
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the folders in `parent` whose processes have ended without doing so. What cannot be removed does no harm.
pub(crate) fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::options().write(true).open(path.join(LOCK_FILE)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_ended_processes_are_removed_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let used = Scratch::in_dir(parent).unwrap();
        fs::write(used.path().join("file"), "").unwrap();
        // As a killed process leaves it: with its file and without its lock.
        let abandoned = parent.join(format!("{PREFIX}a"));
        fs::create_dir_all(abandoned.join("run")).unwrap();
        fs::write(abandoned.join(LOCK_FILE), "").unwrap();
        // Just made by another process, which has not locked it yet; and somebody's own.
        let new = parent.join(format!("{PREFIX}b"));
        fs::create_dir(&new).unwrap();
        let own = parent.join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join(LOCK_FILE), "").unwrap();
        remove_abandoned(parent);
        assert!(!abandoned.exists());
        assert!(used.path().join("file").exists() && new.exists() && own.exists());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let own = parent.path().join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join(LOCK_FILE), "").unwrap();
        std::os::unix::fs::symlink(&own, parent.path().join(format!("{PREFIX}c"))).unwrap();
        remove_abandoned(parent.path());
        assert!(own.join(LOCK_FILE).exists());
    }
}
