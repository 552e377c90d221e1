//! Errors of opening images with landmarks.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::files::{ReadTextError, WalkError};
use crate::image::ImageError;

/// Errors of opening a [`LandmarkFolder`](super::LandmarkFolder).
#[derive(Debug, Error)]
pub enum LandmarkError {
    /// The folder cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The number of channels is not supported, or an image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A label file cannot be read.
    #[error(transparent)]
    Text(#[from] ReadTextError),
    /// A table cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no file with points.
    #[error(
        "`{}` has no landmarks: expected CSV files with a row per face (image, then x and y of each point), `.pts` \
         files next to images, or an XML file of dlib", path.display()
    )]
    NoLabels {
        /// The folder.
        path: PathBuf,
    },
    /// There are files of two formats.
    #[error(
        "`{}` has landmarks in two formats: `{}` and `{}`; keep one", path.display(), first.display(), second.display()
    )]
    Mixed {
        /// The folder.
        path: PathBuf,
        /// A file of one format.
        first: PathBuf,
        /// A file of another.
        second: PathBuf,
    },
    /// A face cannot be used.
    #[error(
        "`{place}`: {detail}{}; correct it or use `--set data.bad_points=clip` (moves points to the edge of their \
         image and leaves out other bad faces) or `data.bad_points=drop` (leaves out all bad faces)",
        more(*count)
    )]
    BadFace {
        /// The file with its line.
        place: String,
        /// What is wrong.
        detail: String,
        /// Number of faces with a problem.
        count: usize,
    },
    /// No face is left.
    #[error("`{}` has no faces with landmarks{}", path.display(), left_out(*dropped))]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Number of faces that were left out.
        dropped: usize,
    },
    /// Not the number of points that is expected.
    #[error("`{place}`: {found} points, and the model has {expected}")]
    OtherPoints {
        /// The file with its line.
        place: String,
        /// Points of the faces.
        found: usize,
        /// Points that are expected.
        expected: usize,
    },
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " (and 1 more face)".to_owned(),
        count => format!(" (and {} more faces)", count - 1),
    }
}

fn left_out(dropped: usize) -> String {
    match dropped {
        0 => String::new(),
        1 => " (1 bad face is left out)".to_owned(),
        dropped => format!(" ({dropped} bad faces are left out)"),
    }
}
