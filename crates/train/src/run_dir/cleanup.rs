//! What killed processes leave in run directories, and how to get rid of it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tinderbox_datasets::atomic_file;

use super::lock::LOCK_FILE;
use crate::checkpoint;

/// Whether a run directory with nothing but this is a new one.
pub(super) fn is_leftover(name: &OsStr) -> bool {
    name == LOCK_FILE || is_temporary(name)
}

fn is_temporary(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    // The last three are those of earlier versions.
    atomic_file::is_leftover(name)
        || ["recipe.toml.tmp", "summary.json.tmp", "model.tmp"].contains(&name)
        || name.ends_with(".ckpt.tmp")
}

/// Removes unfinished files from a run directory that no process writes to.
pub(super) fn remove_leftovers(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_temporary(&entry.file_name()) {
            // They do no harm, so neither does one that stays.
            let _ = if is_dir {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        } else if is_dir {
            remove_leftovers(&path);
        }
    }
}

/// Whether there is a checkpoint of more than the initial weights, of any part of the run.
pub(super) fn has_trained(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let step = checkpoint::step_of(&entry.file_name());
        step.is_some_and(|step| step > 0)
            || entry.file_type().is_ok_and(|kind| kind.is_dir()) && has_trained(&entry.path())
    })
}

/// Removes all that is in `dir`, and, if `top` was created for it, the directories from it up to
/// that one, unless others use them. What cannot be removed stays.
pub(super) fn discard(dir: &Path, top: Option<&Path>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
    let Some(top) = top else { return };
    for dir in dir.ancestors() {
        if fs::remove_dir(dir).is_err() || dir == top {
            return;
        }
    }
}
