//! The files of an IDX data set in a folder.

use std::path::{Path, PathBuf};

use super::IdxError;

/// Paths of images and labels.
pub(super) struct Files {
    pub(super) emnist: bool,
    pub(super) train: [PathBuf; 2],
    pub(super) test: [PathBuf; 2],
}

pub(super) fn find_files(dir: &Path) -> Result<Files, IdxError> {
    if !dir.is_dir() {
        let names = candidates("train-images", 3);
        return Err(IdxError::MissingFolder {
            dir: dir.to_owned(),
            names,
        });
    }
    let splits = emnist_splits(dir)?;
    let plain = candidates("train-images", 3)
        .iter()
        .any(|name| dir.join(name).is_file());
    let (prefix, test) = match splits.as_slice() {
        [split] if !plain => (split.as_str(), "test"),
        [_, _, ..] if !plain => {
            return Err(IdxError::SeveralSets {
                dir: dir.to_owned(),
                names: splits,
            });
        }
        _ => ("", "t10k"),
    };
    let part = |part: &str| -> Result<[PathBuf; 2], IdxError> {
        let images = find(dir, candidates(&format!("{prefix}{part}-images"), 3))?;
        Ok([
            images,
            find(dir, candidates(&format!("{prefix}{part}-labels"), 1))?,
        ])
    };
    Ok(Files {
        emnist: !prefix.is_empty(),
        train: part("train")?,
        test: part(test)?,
    })
}

/// Prefixes such as `emnist-digits-` of the training images in `dir`.
pub(super) fn emnist_splits(dir: &Path) -> Result<Vec<String>, IdxError> {
    let read = |source| IdxError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut splits = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let name = name.to_string_lossy();
        if let Some((split, _)) = name.split_once("train-images")
            && split.starts_with("emnist-")
        {
            splits.push(split.to_owned());
        }
    }
    splits.sort_unstable();
    splits.dedup();
    Ok(splits)
}

pub(super) fn candidates(stem: &str, axes: u8) -> Vec<String> {
    ["-", "."]
        .iter()
        .flat_map(|dot| ["", ".gz"].map(|gz| format!("{stem}{dot}idx{axes}-ubyte{gz}")))
        .collect()
}

fn find(dir: &Path, names: Vec<String>) -> Result<PathBuf, IdxError> {
    match names
        .iter()
        .map(|name| dir.join(name))
        .find(|path| path.is_file())
    {
        Some(path) => Ok(path),
        None => Err(IdxError::MissingInFolder {
            dir: dir.to_owned(),
            names,
        }),
    }
}
