//! Files and folders as people keep them: leftovers of operating systems, sub-folders, and folders
//! that are named after a split.

#[cfg(feature = "loader")]
mod text;

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use thiserror::Error;

#[cfg(feature = "loader")]
pub use self::text::ReadTextError;
#[cfg(feature = "loader")]
pub(crate) use self::text::read_text;

/// Deepest nesting of folders that is followed.
const MAX_DEPTH: usize = 32;

/// Files and folders that operating systems leave behind, in lower case. Names that begin with a dot
/// are hidden anyway, such as `.DS_Store` and the `._` files of macOS.
const LEFTOVERS: [&str; 5] = [
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
];

/// Extensions of image files that are read, in lower case.
#[cfg(feature = "loader")]
pub(crate) const IMAGE_EXTENSIONS: [&str; 10] = [
    "jpg", "jpeg", "jfif", "jpe", "png", "webp", "bmp", "gif", "tif", "tiff",
];

/// Why a link to what is not there is skipped.
const BROKEN_LINK: &str = "missing (broken link)";

/// Whether a file or folder of this name is hidden or a leftover of an operating system, and so never
/// part of a data set: `.DS_Store`, `__MACOSX`, `Thumbs.db`, `desktop.ini`, `.git`.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || LEFTOVERS.contains(&name.to_lowercase().as_str())
}

/// Whether any part of a relative path [is hidden](is_hidden).
pub fn has_hidden_part(path: &Path) -> bool {
    path.iter().any(|part| is_hidden(&part.to_string_lossy()))
}

/// Whether a name has the extension of an image that is read.
#[cfg(feature = "loader")]
pub(crate) fn is_image_name(name: &str) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    IMAGE_EXTENSIONS.contains(&extension.to_string_lossy().to_lowercase().as_str())
}

/// The last part of a path as text.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Whether two paths name the same existing file, so that writing one would overwrite the other.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// A folder that cannot be listed.
#[derive(Debug, Error)]
#[error("cannot list `{}`{}", path.display(), advice(source))]
pub struct WalkError {
    /// The folder.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotADirectory => {
            ", which is not a folder; unpack an archive first, and name the folder"
        }
        _ => "",
    }
}

/// The files and folders directly in `dir` that are not [hidden](is_hidden), sorted by name.
///
/// # Errors
///
/// If the folder cannot be listed.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, WalkError> {
    let failed = |source| WalkError {
        path: dir.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !is_hidden(&file_name(&path)) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// All files in `dir` and its sub-folders that are not [hidden](is_hidden), sorted by path.
///
/// A link to a folder is followed unless the folder is one of those it lies in. Devices, sockets and
/// broken links are no files.
///
/// # Errors
///
/// If a folder cannot be listed.
pub fn walk(dir: &Path) -> Result<Vec<PathBuf>, WalkError> {
    walk_counting(dir, &mut SkippedFiles::default())
}

/// The files of [`walk`]; links to what is not there are counted among those that are skipped.
///
/// # Errors
///
/// If a folder cannot be listed.
pub fn walk_counting(
    dir: &Path,
    skipped_files: &mut SkippedFiles,
) -> Result<Vec<PathBuf>, WalkError> {
    let mut files = Vec::new();
    walk_into(dir, &mut HashSet::new(), &mut files, skipped_files, 0)?;
    files.sort_unstable();
    Ok(files)
}

fn walk_into(
    dir: &Path,
    parents: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
    skipped_files: &mut SkippedFiles,
    depth: usize,
) -> Result<(), WalkError> {
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if depth > MAX_DEPTH || !parents.insert(real.clone()) {
        return Ok(());
    }
    for path in list(dir)? {
        if path.is_dir() {
            walk_into(&path, parents, files, skipped_files, depth + 1)?;
        } else if path.is_file() {
            files.push(path);
        } else if path.is_symlink() && !path.exists() {
            skipped_files.add(BROKEN_LINK);
        }
    }
    parents.remove(&real);
    Ok(())
}

/// Files that are not used, counted by reason.
///
/// ```
/// use tinderbox_datasets::files::SkippedFiles;
///
/// let mut skipped_files = SkippedFiles::default();
/// skipped_files.add("damaged");
/// skipped_files.add("not an image (.txt)");
/// skipped_files.add("not an image (.txt)");
/// assert_eq!(skipped_files.to_string(), "3 files skipped: 1 damaged, 2 not an image (.txt)");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedFiles {
    counts: BTreeMap<String, usize>,
}

impl SkippedFiles {
    /// Counts a file.
    pub fn add(&mut self, reason: impl Into<String>) {
        *self.counts.entry(reason.into()).or_default() += 1;
    }

    /// Adds the counts of another part of the data.
    pub fn merge(&mut self, other: &Self) {
        for (reason, count) in &other.counts {
            *self.counts.entry(reason.clone()).or_default() += count;
        }
    }

    /// Number of files skipped.
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Whether no file was skipped.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Number of files by reason.
    pub fn counts(&self) -> &BTreeMap<String, usize> {
        &self.counts
    }
}

impl Display for SkippedFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let files = if total == 1 { "file" } else { "files" };
        let reasons: Vec<String> = self
            .counts
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        write!(out, "{total} {files} skipped: {}", reasons.join(", "))
    }
}

/// A split that a folder can be named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SplitName {
    /// `train` or `training`.
    Train,
    /// `valid`, `val`, `validation`, `dev` or `development`.
    Valid,
    /// `test` or `testing`.
    Test,
}

impl SplitName {
    /// The split that a folder or file stem of this name holds, in any case and with a year at its end:
    /// `Train`, `val`, `testing`, `train2014`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let word = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        // Folders `dev1` and `dev2` may be classes.
        let has_year = name.len() - word.len() == 4;
        Some(match if has_year { word } else { name.as_str() } {
            "train" | "training" => Self::Train,
            "valid" | "val" | "validation" | "dev" | "development" => Self::Valid,
            "test" | "testing" => Self::Test,
            _ => return None,
        })
    }

    /// The split of the first word in a name that is that of a split, as in `instances_val2017.json`.
    pub fn of_words(name: &str) -> Option<Self> {
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        words.find_map(Self::parse)
    }

    /// The name of the split in metrics and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

impl Display for SplitName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// The folders of the splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitFolders {
    /// The folder of the training split.
    pub train: PathBuf,
    /// The folder of the validation split.
    pub valid: Option<PathBuf>,
    /// The folder of the test split.
    pub test: Option<PathBuf>,
    /// Folders next to them whose names are not those of splits.
    pub others: Vec<PathBuf>,
}

/// Two folders are named after one split.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{}` and `{}` are both named after the {split} split; keep one of them",
    first.display(), second.display()
)]
pub struct SplitFoldersError {
    /// The split.
    pub split: SplitName,
    /// A folder.
    pub first: PathBuf,
    /// Another folder.
    pub second: PathBuf,
}

/// Finds the splits among the sub-folders of a data set, by their names.
///
/// There are splits if one folder is named after the training split and another after the validation or
/// test split, or if the training folder is the only one. Otherwise the folders are something else, such
/// as classes, one of which may well be called `train`.
///
/// ```
/// use std::path::PathBuf;
/// use tinderbox_datasets::files::find_splits;
///
/// let folders = ["Testing", "Training"].map(PathBuf::from);
/// let splits = find_splits(&folders)?.expect("there are two");
/// assert_eq!(splits.train, PathBuf::from("Training"));
/// assert_eq!(splits.test, Some(PathBuf::from("Testing")));
/// assert_eq!(find_splits(&["bus", "train"].map(PathBuf::from))?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If two folders are named after the same split.
pub fn find_splits(folders: &[PathBuf]) -> Result<Option<SplitFolders>, SplitFoldersError> {
    let mut by_split: BTreeMap<SplitName, &PathBuf> = BTreeMap::new();
    let mut others = Vec::new();
    let mut twice = None;
    for folder in folders {
        match SplitName::parse(&file_name(folder)) {
            None => others.push(folder.clone()),
            Some(split) => {
                if let Some(first) = by_split.insert(split, folder) {
                    twice = Some(SplitFoldersError {
                        split,
                        first: first.clone(),
                        second: folder.clone(),
                    });
                }
            }
        }
    }
    let Some(&train) = by_split.get(&SplitName::Train) else {
        return Ok(None);
    };
    if by_split.len() == 1 && folders.len() > 1 && twice.is_none() {
        return Ok(None);
    }
    if let Some(error) = twice {
        return Err(error);
    }
    let get = |split| by_split.get(&split).map(|&folder| folder.clone());
    Ok(Some(SplitFolders {
        train: train.clone(),
        valid: get(SplitName::Valid),
        test: get(SplitName::Test),
        others,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_operating_systems_are_hidden() {
        for name in [
            ".DS_Store",
            "._a.png",
            "__MACOSX",
            "Thumbs.db",
            "THUMBS.DB",
            "desktop.ini",
            ".git",
        ] {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["a.png", "thumbs", "macosx", "train"] {
            assert!(!is_hidden(name), "{name}");
        }
        assert!(has_hidden_part(Path::new("__MACOSX/cat/a.png")));
        assert!(!has_hidden_part(Path::new("photos/cat/a.png")));
    }

    #[test]
    fn an_archive_in_the_place_of_a_folder_is_named_as_such() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = list(file.path()).unwrap_err().to_string();
        assert!(error.contains("unpack an archive"), "{error}");
        let error = list(Path::new("none")).unwrap_err().to_string();
        assert_eq!(error, "cannot list `none`");
    }

    #[test]
    fn the_usual_names_of_splits_are_known_in_any_case() {
        use SplitName::{Test, Train, Valid};
        for (split, names) in [
            (Train, vec!["train", "Train", "TRAINING", "train2014"]),
            (Valid, vec!["valid", "val", "Validation", "dev", "VAL2017"]),
            (Test, vec!["test", "Testing", "TEST", " test2015 "]),
        ] {
            for name in names {
                assert_eq!(SplitName::parse(name), Some(split), "{name}");
            }
        }
        for name in [
            "trains",
            "cat",
            "tests",
            "",
            "2014",
            "2014train",
            "train2014a",
        ] {
            assert_eq!(SplitName::parse(name), None, "{name}");
        }
        for (name, split) in [
            ("instances_val2014.json", Some(Valid)),
            ("cells-dev", Some(Valid)),
            ("trained_val.txt", Some(Valid)),
            ("instances.json", None),
        ] {
            assert_eq!(SplitName::of_words(name), split, "{name}");
        }
    }

    fn splits(names: &[&str]) -> Option<(String, Option<String>, Option<String>, usize)> {
        let folders: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        let found = find_splits(&folders).unwrap()?;
        let name = |path: PathBuf| file_name(&path);
        Some((
            name(found.train),
            found.valid.map(name),
            found.test.map(name),
            found.others.len(),
        ))
    }

    #[test]
    fn folders_are_splits_only_beside_a_training_folder() {
        let some = |name: &str| Some(name.to_owned());
        for (names, expected) in [
            (
                vec!["Test", "Train"],
                Some(("Train".to_owned(), None, some("Test"), 0)),
            ),
            (
                vec!["test", "training", "val"],
                Some(("training".to_owned(), some("val"), some("test"), 0)),
            ),
            (
                vec!["train", "unlabeled", "dev"],
                Some(("train".to_owned(), some("dev"), None, 1)),
            ),
            (vec!["train"], Some(("train".to_owned(), None, None, 0))),
            (vec!["bus", "car", "train"], None),
            (vec!["test", "val"], None),
            (vec!["cat", "dog"], None),
            (vec![], None),
        ] {
            assert_eq!(splits(&names), expected, "{names:?}");
        }
    }

    #[test]
    fn two_folders_of_one_split_are_refused() {
        let folders = ["train", "val", "validation"].map(PathBuf::from);
        let error = find_splits(&folders).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`val` and `validation` are both named after the valid split; keep one of them"
        );
    }

    #[test]
    fn sub_folders_are_read_and_hidden_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/2.png",
            "b/session/1.png",
            "a.txt",
            "__MACOSX/a.txt",
            "b/.DS_Store",
            "b/Thumbs.db",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names = || -> Vec<String> {
            let files = walk(dir.path()).unwrap();
            let relative = files.iter().map(|file| file.strip_prefix(dir.path()));
            relative
                .map(|file| file.unwrap().to_string_lossy().into_owned())
                .collect()
        };
        let expected = ["a.txt", "b/2.png", "b/session/1.png"];
        assert_eq!(names(), expected);
        #[cfg(unix)]
        {
            // A link back into its own folder would never end.
            std::os::unix::fs::symlink(dir.path().join("b"), dir.path().join("b/loop")).unwrap();
            assert_eq!(names(), expected);
            // What a link names may be gone.
            std::os::unix::fs::symlink("gone.png", dir.path().join("b/link.png")).unwrap();
            assert_eq!(names(), expected);
            let mut skipped_files = SkippedFiles::default();
            walk_counting(dir.path(), &mut skipped_files).unwrap();
            let expected = "1 file skipped: 1 missing (broken link)";
            assert_eq!(skipped_files.to_string(), expected);
        }
        assert!(walk(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn skipped_files_are_counted_by_reason() {
        let mut skipped_files = SkippedFiles::default();
        assert!(skipped_files.is_empty());
        skipped_files.add("damaged");
        assert_eq!(skipped_files.to_string(), "1 file skipped: 1 damaged");
        let mut other = SkippedFiles::default();
        other.add("damaged");
        other.add("not an image (.txt)");
        skipped_files.merge(&other);
        assert_eq!(skipped_files.total(), 3);
        assert_eq!(skipped_files.counts()["damaged"], 2);
    }
}
