//! The file with the weights in a folder.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::PublishedError;
use crate::FileError;

/// Endings of files that PyTorch writes with pickle.
const PICKLES: [&str; 6] = ["bin", "pth", "pt", "ckpt", "pkl", "tar"];

/// The SafeTensors file of a folder, or the file itself.
pub(in crate::vision) fn find_weights(path: &Path) -> Result<PathBuf, PublishedError> {
    if !path.is_dir() {
        check_format(path)?;
        return Ok(path.to_owned());
    }
    let weights = path.join("model.safetensors");
    if weights.is_file() {
        check_format(&weights)?;
        return Ok(weights);
    }
    let mut files = files(path)?;
    files.sort();
    let with_ending = |endings: &[&str]| -> Vec<PathBuf> {
        let has_ending = |file: &&PathBuf| {
            let ending = file.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| endings.contains(&ending.to_ascii_lowercase().as_str()))
        };
        files.iter().filter(has_ending).cloned().collect()
    };
    match &with_ending(&["safetensors"])[..] {
        [only] => {
            check_format(only)?;
            Ok(only.clone())
        }
        _ => match with_ending(&PICKLES).into_iter().next() {
            Some(path) => Err(PublishedError::Pickle { path }),
            None => Err(PublishedError::NoWeights(path.to_owned())),
        },
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, PublishedError> {
    let entries = fs::read_dir(folder).map_err(FileError::new("read", folder))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let paths: std::io::Result<Vec<PathBuf>> = paths.collect();
    Ok(paths.map_err(FileError::new("read", folder))?)
}

/// Refuses a pickle, by its content and not its name: a zip archive or the pickle protocol itself.
fn check_format(path: &Path) -> Result<(), PublishedError> {
    let mut start = [0; 4];
    let read = File::open(path)
        .and_then(|file| file.take(4).read(&mut start))
        .map_err(FileError::new("read", path))?;
    let is_pickle = start == *b"PK\x03\x04" || (read > 1 && start[0] == 0x80 && start[1] <= 5);
    // A SafeTensors file begins with the length of its header, which is far below 2^40.
    if is_pickle && !is_safetensors(path) {
        return Err(PublishedError::Pickle {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// Whether a file has the opening brace of a SafeTensors header.
fn is_safetensors(path: &Path) -> bool {
    let mut start = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[8] == b'{'
}
