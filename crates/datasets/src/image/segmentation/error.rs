//! Errors of opening a data set of photos with masks.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::image::{FolderError, ImageError, MaskFileError};

/// Errors of opening a data set of photos with masks.
#[derive(Debug, Error)]
pub enum SegmentationError {
    /// The path cannot be listed, or is neither a folder nor an archive.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The options are invalid, or a photo cannot be decoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A mask cannot be read.
    #[error(transparent)]
    Mask(#[from] MaskFileError),
    /// There is nothing to pair.
    #[error(
        "`{}` has no photos with masks; expected `images/` with `masks/` of the same file names, with \
         `train/`, `val/` and `test/` around or inside them if there are splits, or `annotations/*.json` \
         of COCO with the images",
        path.display()
    )]
    NoPairs {
        /// The data set.
        path: PathBuf,
    },
    /// A photo has no mask.
    #[error(
        "the photo `{}` has no mask ({count} of {photos} have none); expected a mask of the same name, as \
         in `masks/{stem}.png`",
        photo.display()
    )]
    NoMask {
        /// The first photo without a mask.
        photo: PathBuf,
        /// Its name without extension.
        stem: String,
        /// Number of photos without masks.
        count: usize,
        /// Number of photos.
        photos: usize,
    },
    /// Two photos or two masks have one name.
    #[error(
        "`{}` and `{}` have the same name, so it is not clear which belong together; remove one",
        first.display(), second.display()
    )]
    Twice {
        /// A file.
        first: PathBuf,
        /// Another file.
        second: PathBuf,
    },
    /// Some files lie in folders of splits, and others do not.
    #[error(
        "some photos lie in the folders of splits, as `{}`, and others do not, as `{}`; move them into one \
         layout",
        split.display(), other.display()
    )]
    MixedLayouts {
        /// A photo in the folder of a split.
        split: PathBuf,
        /// A photo outside of them.
        other: PathBuf,
    },
    /// A photo and its mask have different shapes.
    #[error(
        "mask and photo of different size: `{}` is {} x {} pixels and `{}` is {} x {} (width x height); \
         only a mask of the same aspect ratio is scaled",
        photo.display(), photo_size.1, photo_size.0, mask.display(), mask_size.1, mask_size.0
    )]
    Size {
        /// The photo.
        photo: PathBuf,
        /// Its height and width.
        photo_size: (usize, usize),
        /// The mask.
        mask: PathBuf,
        /// Its height and width.
        mask_size: (usize, usize),
    },
    /// A mask has a class that is not known.
    #[error(
        "the mask `{}` has class {class}, and the recipe has only {} ({})",
        mask.display(), count(classes.len()), numbered(classes)
    )]
    UnknownClass {
        /// The mask.
        mask: PathBuf,
        /// The class.
        class: u16,
        /// The names of the classes that are known.
        classes: Vec<String>,
    },
    /// No mask has anything but background.
    #[error(
        "all {masks} masks of `{}` are empty: every pixel is class 0, so there is nothing to learn",
        path.display()
    )]
    AllEmpty {
        /// The data set.
        path: PathBuf,
        /// Number of masks.
        masks: usize,
    },
    /// Masks that can only be background and foreground are mixed with masks of more classes.
    #[error(
        "`{}` can only be background and foreground, but `{}` has class {class}; store all masks as PNG \
         with one value per class",
        binary.display(), other.display()
    )]
    MixedMasks {
        /// A JPEG or transparent mask.
        binary: PathBuf,
        /// A mask with more classes.
        other: PathBuf,
        /// A class of it.
        class: u16,
    },
    /// A JSON file of annotations is not as expected.
    #[error("the annotations `{}` cannot be used: {reason}", path.display())]
    Annotations {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl SegmentationError {
    pub(super) fn annotations(path: &Path, reason: impl Into<String>) -> Self {
        Self::Annotations {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

fn count(classes: usize) -> String {
    if classes == 1 {
        "1 class".to_owned()
    } else {
        format!("{classes} classes")
    }
}

fn numbered(classes: &[String]) -> String {
    let shown = classes.iter().take(20).enumerate();
    let mut names: Vec<String> = shown.map(|(at, name)| format!("{at} {name}")).collect();
    if classes.len() > 20 {
        names.push("...".to_owned());
    }
    names.join(", ")
}
