//! Errors of reading IDX files.

use std::path::PathBuf;

use thiserror::Error;

use crate::image::ImageSetError;

/// Errors of reading IDX files.
#[derive(Debug, Error)]
pub enum IdxError {
    /// The folder does not exist.
    #[error("there is no folder `{}`; expected a folder with {}", dir.display(), one_of(names))]
    MissingFolder {
        /// The folder.
        dir: PathBuf,
        /// Names of the first file looked for.
        names: Vec<String>,
    },
    /// The folder lacks a file.
    #[error("`{}` contains none of {}", dir.display(), one_of(names))]
    MissingInFolder {
        /// The folder.
        dir: PathBuf,
        /// Names looked for.
        names: Vec<String>,
    },
    /// The folder holds several EMNIST splits.
    #[error(
        "`{}` contains several datasets ({}); move each into its own folder",
        dir.display(), names.join(", ")
    )]
    SeveralSets {
        /// The folder.
        dir: PathBuf,
        /// Names of the training images found.
        names: Vec<String>,
    },
    /// The file does not exist.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The first bytes are not those of an IDX file of bytes.
    #[error("`{}` is not an IDX file of bytes: it starts with {found:#010x}, expected {expected:#010x}", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// The magic number found.
        found: u32,
        /// The magic number expected.
        expected: u32,
    },
    /// The file is IDX, but holds images instead of labels or the other way round.
    #[error(
        "`{}` has {found} axes, expected {expected}: images have 3 axes, labels have 1",
        path.display()
    )]
    Axes {
        /// The file.
        path: PathBuf,
        /// Axes found.
        found: u8,
        /// Axes expected.
        expected: u8,
    },
    /// An axis has length 0.
    #[error("`{}` is empty: its header says {}", path.display(), sizes(dims))]
    Empty {
        /// The file.
        path: PathBuf,
        /// Lengths of the axes.
        dims: Vec<u32>,
    },
    /// The header claims more than the file can hold, or more than we hold in memory.
    #[error(
        "`{}` is damaged: its header says {}, but a file of {file_bytes} bytes holds at most {limit} values",
        path.display(), sizes(dims)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Lengths of the axes.
        dims: Vec<u32>,
        /// Size of the file, in bytes.
        file_bytes: u64,
        /// Most bytes of content believed.
        limit: u64,
    },
    /// There is not enough memory.
    #[error("not enough memory for the {bytes} bytes of `{}`", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes needed.
        bytes: u64,
    },
    /// The file ends early.
    #[error("`{}` is truncated: expected {expected} bytes, found {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
        /// Bytes found, after unpacking.
        found: u64,
    },
    /// The file has data after its last item.
    #[error("`{}` is longer than the {expected} bytes in its header", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
    },
    /// The gzip data are damaged.
    #[error("the gzip data of `{}` is damaged; download the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: std::io::Error,
    },
    /// There are not as many labels as images.
    #[error(
        "`{}` has {images} images, but `{}` has {labels} labels",
        images_path.display(), labels_path.display()
    )]
    Counts {
        /// The file of images.
        images_path: PathBuf,
        /// Number of images.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// Number of labels.
        labels: usize,
    },
    /// A label names a class that does not exist.
    #[error(
        "`{}`: item {item} has label {label}, out of range for {classes} classes",
        path.display()
    )]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// Position of the label.
        item: usize,
        /// The label.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
    /// Images of the training set and of the test set differ in size.
    #[error(
        "the test images in `{}` are {}, but the training images are {}",
        path.display(), sizes(test), sizes(train)
    )]
    Sides {
        /// The file of test images.
        path: PathBuf,
        /// Height and width for training.
        train: [u32; 2],
        /// Height and width for testing.
        test: [u32; 2],
    },
    /// Images and labels do not make a set.
    #[error("`{}` is not a valid dataset", path.display())]
    Set {
        /// The file of images.
        path: PathBuf,
        /// The cause.
        source: ImageSetError,
    },
}

fn one_of(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn sizes(dims: &[u32]) -> String {
    let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
    dims.join(" x ")
}
