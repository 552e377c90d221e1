//! Errors of opening images with boxes for training or evaluation.

use std::path::PathBuf;

use thiserror::Error;

use crate::detection::DetectionError;
use crate::escape::shell_word;
use crate::image::ImageError;

/// Errors of opening a [`DetectionFolder`](super::DetectionFolder).
#[derive(Debug, Error)]
pub enum DetectionFolderError {
    /// The folder cannot be read, or has no labels or images.
    #[error(transparent)]
    Labels(#[from] DetectionError),
    /// The number of channels is not supported, or an image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image is damaged.
    #[error(
        "{detail}{}; replace {} or use `--set data.skip_broken=true`",
        more(*count, "damaged image"), if *count == 1 { "it" } else { "them" }
    )]
    BrokenImage {
        /// What is wrong with the first one, with its path.
        detail: String,
        /// Number of damaged images.
        count: usize,
    },
    /// A box or label file cannot be used.
    #[error(
        "`{place}`: {detail}{}; list all with `vision inspect --data {}`, and correct them or use `--set \
         data.bad_boxes=clip` (clips boxes to their image and leaves out other bad ones) or \
         `data.bad_boxes=drop` (leaves out all bad boxes)",
        more(*count, "problem"), shell_word(path)
    )]
    BadBox {
        /// Where it is: the file with its line, or with the number of the annotation.
        place: String,
        /// What is wrong.
        detail: String,
        /// Number of problems like this.
        count: usize,
        /// The data set.
        path: PathBuf,
    },
    /// No label file lists objects.
    #[error("{detail}; there are no boxes to learn from")]
    NoAnnotations {
        /// What is wrong with the first file.
        detail: String,
    },
    /// There is no box to use.
    #[error(
        "`{}` has no boxes: none of {images} images has an object{}",
        path.display(), if *dropped > 0 { format!(" ({dropped} bad boxes or files are left out)") } else { String::new() }
    )]
    NoBoxes {
        /// The data set.
        path: PathBuf,
        /// Number of images.
        images: usize,
        /// Number of bad boxes and label files that were left out.
        dropped: usize,
    },
    /// The training split has no box.
    #[error("{split} has no boxes: none of its {images} training images has an object")]
    NoTrainBoxes {
        /// Where the training split is from.
        split: String,
        /// Number of its images.
        images: usize,
    },
    /// A class occurs, but not in the training split.
    #[error(
        "`{place}`: class `{class}` is in the {split} split (boxes: {boxes}) and not in the training split \
         {train}, so it cannot be learned{}; move images with it there, or remove the class",
        if *more_classes > 0 { format!(" (and {more_classes} more classes like it)") } else { String::new() }
    )]
    UntrainedClass {
        /// The class.
        class: String,
        /// Where its first box is.
        place: String,
        /// Number of its boxes in that split.
        boxes: usize,
        /// The split that has it.
        split: &'static str,
        /// Where the training split is from.
        train: String,
        /// Number of further classes like this.
        more_classes: usize,
    },
    /// There are more classes than numbers for them.
    #[error("`{}` has {classes} classes, more than 65,536", path.display())]
    TooManyClasses {
        /// The data set.
        path: PathBuf,
        /// Number of classes.
        classes: usize,
    },
}

/// How many there are besides the first.
fn more(count: usize, what: &str) -> String {
    match count {
        0 | 1 => String::new(),
        2 => format!(" (and 1 more {what})"),
        _ => format!(" (and {} more {what}s)", count - 1),
    }
}
