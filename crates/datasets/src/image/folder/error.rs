//! Errors of opening a dataset of image files.

use std::path::PathBuf;

use thiserror::Error;

use crate::archive::ArchiveError;
use crate::files::{SkippedFiles, SplitFoldersError, WalkError};
use crate::image::ImageError;

/// Errors of opening a dataset of images.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is nothing at the path.
    #[error(
        "there is no folder `{}`; expected a folder with one sub-folder of images per class, an archive \
         of one, or a CSV file with the columns `path` and `label`",
        dir.display()
    )]
    Missing {
        /// The path.
        dir: PathBuf,
    },
    /// The file is neither an archive nor a table.
    #[error(
        "`{}` is neither a folder, a .zip or .tar.gz archive, nor a CSV file with the columns `path` and \
         `label`",
        path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A folder or file cannot be read.
    #[error("cannot read `{}`", dir.display())]
    Read {
        /// The folder or file.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A table of paths is not as expected.
    #[error("`{}` line {line}: {reason}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The problem.
        reason: String,
    },
    /// The data is laid out in two ways.
    #[error("`{}` mixes two layouts: {first} and {second}; {advice}", path.display())]
    Mixed {
        /// The dataset.
        path: PathBuf,
        /// One layout.
        first: String,
        /// The other.
        second: String,
        /// What to do.
        advice: String,
    },
    /// Archives in a folder have files of the same name.
    #[error(
        "`{}` and `{}` have the same place in the dataset; unpack each archive into a separate folder",
        first.display(), second.display()
    )]
    SameName {
        /// A file.
        first: PathBuf,
        /// Another file.
        second: PathBuf,
    },
    /// Two folders are named after one split.
    #[error(transparent)]
    Splits(#[from] SplitFoldersError),
    /// There are not enough or too many classes.
    #[error(
        "`{}` has {found} class folders with images, expected 2 to 65536{}",
        dir.display(), skipped_hint(skipped_files)
    )]
    Classes {
        /// The dataset.
        dir: PathBuf,
        /// Number of classes found.
        found: usize,
        /// The skipped files.
        skipped_files: SkippedFiles,
    },
    /// The folder of a class has no image.
    #[error("the class folder `{}` has no image (JPEG, PNG, GIF, TIFF, WebP or BMP)", dir.display())]
    EmptyClass {
        /// The folder of the class.
        dir: PathBuf,
    },
    /// All images of a class are damaged.
    #[error("all {skipped} images of the class `{class}` in `{}` are damaged", dir.display())]
    BrokenClass {
        /// The dataset.
        dir: PathBuf,
        /// The class.
        class: String,
        /// Number of damaged images.
        skipped: usize,
    },
    /// The options are invalid, or a file cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Images are damaged.
    #[error(
        "{count} of {total} images are damaged (skip them with `data.skip_broken=true`); the first: {reason}"
    )]
    Damaged {
        /// Number of damaged images.
        count: usize,
        /// Number of images.
        total: usize,
        /// What is wrong with the first.
        reason: String,
    },
    /// There are images of a class that is not known.
    #[error(
        "{} has images of {}, expected only the classes {}",
        part,
        quoted(unknown),
        quoted(classes)
    )]
    UnknownClasses {
        /// The dataset or its split.
        part: String,
        /// The classes that are not known.
        unknown: Vec<String>,
        /// The classes that are.
        classes: Vec<String>,
    },
    /// A split that a table names has no image.
    #[error("`{}` has no row in the train split", path.display())]
    NoTrain {
        /// The table.
        path: PathBuf,
    },
}

pub(super) fn quoted(names: &[String]) -> String {
    let shown = names.iter().take(20).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > 20 {
        text.push_str(", ...");
    }
    text
}

fn skipped_hint(skipped_files: &SkippedFiles) -> String {
    if skipped_files.is_empty() {
        String::new()
    } else {
        format!(" ({skipped_files})")
    }
}
