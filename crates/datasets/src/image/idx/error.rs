//! Errors of reading IDX files.

use std::path::PathBuf;

use thiserror::Error;

use crate::image::ImageSetError;

/// Why IDX files could not be read.
#[derive(Debug, Error)]
pub enum IdxError {
    /// The folder does not exist.
    #[error("there is no folder `{}`; it should hold {}", dir.display(), one_of(names))]
    MissingFolder {
        /// The folder.
        dir: PathBuf,
        /// Names of the first file looked for.
        names: Vec<String>,
    },
    /// The folder lacks a file.
    #[error("`{}` holds none of {}", dir.display(), one_of(names))]
    MissingInFolder {
        /// The folder.
        dir: PathBuf,
        /// Names looked for.
        names: Vec<String>,
    },
    /// The folder holds several EMNIST splits.
    #[error(
        "`{}` holds several sets ({}); keep the files of one in a folder of its own",
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
        /// What the system said.
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
    #[error("`{}` claims to be of size {}, there is nothing in it", path.display(), sizes(dims))]
    Empty {
        /// The file.
        path: PathBuf,
        /// Lengths of the axes.
        dims: Vec<u32>,
    },
    /// The header claims more than the file can hold, or more than we hold in memory.
    #[error(
        "`{}` claims to be of size {}; of a file of {file_bytes} bytes, at most {limit} are believed",
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
    /// The file goes on after its last item.
    #[error("`{}` has more than the {expected} bytes that its header announces", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
    },
    /// The gzip data are damaged.
    #[error("the gzip data of `{}` are damaged; fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// There are not as many labels as images.
    #[error(
        "`{}` holds {images} images, but `{}` holds {labels} labels",
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
        "`{}`: item {item} has label {label}, but there are {classes} classes, counted from 0",
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
        "the images of `{}` are {}, but those for training are {}",
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
    #[error("`{}` does not make a data set", path.display())]
    Set {
        /// The file of images.
        path: PathBuf,
        /// Why not.
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
