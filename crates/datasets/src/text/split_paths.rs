//! The split folders or split files of a folder of texts.

use std::path::{Path, PathBuf};

use super::documents::read_error;
use super::ends;
use super::error::TextError;
use crate::files::{file_name, find_splits, list};

/// Endings of files that hold many texts.
const FILES: [&str; 13] = [
    ".csv",
    ".tsv",
    ".jsonl",
    ".ndjson",
    ".json",
    ".csv.gz",
    ".tsv.gz",
    ".jsonl.gz",
    ".conll",
    ".iob2",
    ".tar",
    ".tar.gz",
    ".tgz",
];

/// The files or folders of the splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitPaths {
    /// The file or folder to train on.
    pub train: PathBuf,
    /// The file or folder to validate with, if there is one.
    pub valid: Option<PathBuf>,
    /// The file or folder to test on, if there is one.
    pub test: Option<PathBuf>,
}

impl SplitPaths {
    /// One file or folder that is not split.
    pub fn unsplit(path: &Path) -> Self {
        Self {
            train: path.to_owned(),
            valid: None,
            test: None,
        }
    }

    /// Whether the data comes with splits.
    pub fn has_splits(&self) -> bool {
        self.valid.is_some() || self.test.is_some()
    }
}

/// Finds the split folders of a folder such as `train/`, `validation/` and `test/`, or its split files
/// such as `train.csv` and `test.csv`, or its only table or archive. Anything else is the data itself.
///
/// # Errors
///
/// If the folder cannot be listed, two entries are named after the same split, or it has several tables
/// and no class folder.
pub fn find_split_paths(path: &Path) -> Result<SplitPaths, TextError> {
    if !path.is_dir() {
        return Ok(SplitPaths::unsplit(path));
    }
    let entries =
        list(path).map_err(|error| read_error(&error.path.display().to_string(), error.source))?;
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.into_iter().partition(|path| path.is_dir());
    if let Some(splits) = find_splits(&folders)? {
        return Ok(SplitPaths {
            train: splits.train,
            valid: splits.valid,
            test: splits.test,
        });
    }
    let files: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| ends(path, &FILES))
        .collect();
    if folders.is_empty() && !files.is_empty() {
        return in_files(path, &files);
    }
    Ok(SplitPaths::unsplit(path))
}

/// Files named after splits, or the only file.
fn in_files(folder: &Path, files: &[PathBuf]) -> Result<SplitPaths, TextError> {
    let stem =
        |path: &PathBuf| PathBuf::from(file_name(path).split('.').next().unwrap_or_default());
    let stems: Vec<PathBuf> = files.iter().map(stem).collect();
    let file = |stem: PathBuf| {
        let at = stems.iter().position(|other| *other == stem);
        at.map_or(stem, |at| files[at].clone())
    };
    if let Some(splits) = find_splits(&stems)? {
        return Ok(SplitPaths {
            train: file(splits.train),
            valid: splits.valid.map(file),
            test: splits.test.map(file),
        });
    }
    match files {
        [one] => Ok(SplitPaths::unsplit(one)),
        _ => Err(TextError::SeveralFiles {
            folder: folder.display().to_string(),
            files: files
                .iter()
                .map(|path| format!("`{}`", file_name(path)))
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`find_split_paths`] finds in a folder of those files and folders, by name.
    fn located(names: &[&str]) -> Result<[Option<String>; 3], String> {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            if name.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::write(path, "x").unwrap();
            }
        }
        let located = find_split_paths(dir.path()).map_err(|error| error.to_string())?;
        let name = |path: PathBuf| {
            if path == dir.path() {
                "itself".to_owned()
            } else {
                file_name(&path)
            }
        };
        Ok([Some(located.train), located.valid, located.test].map(|path| path.map(name)))
    }

    #[test]
    fn splits_tables_and_class_folders_are_found() {
        for (names, expected) in [
            (
                &["Train/", "Test/"][..],
                [Some("Train"), None, Some("Test")],
            ),
            (
                &["training/", "validation/", "testing/", "readme.md"],
                [Some("training"), Some("validation"), Some("testing")],
            ),
            (&["train/", "val/"], [Some("train"), Some("val"), None]),
            (&["neg/", "pos/"], [Some("itself"), None, None]),
            (&["train/", "bus/"], [Some("itself"), None, None]),
            (
                &["dev.tsv", "test.tsv", "train.tsv", "README.txt"],
                [Some("train.tsv"), Some("dev.tsv"), Some("test.tsv")],
            ),
            (
                &["My texts.csv", ".DS_Store"],
                [Some("My texts.csv"), None, None],
            ),
            (
                &["texts.tar.gz", "readme.md"],
                [Some("texts.tar.gz"), None, None],
            ),
            (&["a.txt", "b.txt"], [Some("itself"), None, None]),
            (&["neg/", "pos/", "index.csv"], [Some("itself"), None, None]),
        ] {
            let expected = expected.map(|name: Option<&str>| name.map(str::to_owned));
            assert_eq!(located(names).unwrap(), expected, "{names:?}");
        }
        let message = located(&["a.csv", "b.csv"]).unwrap_err();
        assert!(message.contains("`a.csv`, `b.csv`"), "{message}");
        assert!(
            located(&["train/", "val/", "dev/"])
                .unwrap_err()
                .contains("valid split")
        );
    }
}
