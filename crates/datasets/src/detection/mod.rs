//! Images with boxes around objects, in the label formats that people have.
//!
//! | format | files | boxes |
//! |---|---|---|
//! | Pascal VOC | an XML file per image | corners in pixels |
//! | COCO | a JSON file per split | corner and size in pixels |
//! | YOLO | a text file per image, names in `data.yaml`, `*.names` or `classes.txt` | center and size, relative |
//!
//! [`read`] recognizes the format and finds the image of each label file by its name. It reads what can be
//! read, and lists what is wrong as [`Problem`]s with their places; whether a box with a problem is used is the
//! decision of the caller.

mod around_points;
mod check;
mod coco;
mod files;
mod folder;
mod images;
mod lists;
mod outline;
#[cfg(test)]
mod tests;
mod voc;
mod write;
mod yolo;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::check::{Problem, ProblemKind};
use self::files::{Files, has_annotations};
pub use self::folder::{
    BadBoxes, DetectionFolder, DetectionFolderError, DetectionOptions, DetectionSplit,
    LabeledObject,
};
pub use self::write::{WriteError, write};
use crate::files::{ReadTextError, WalkError};

/// A format of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// Pascal VOC (Everingham et al., 2010, <https://doi.org/10.1007/s11263-009-0275-4>).
    Voc,
    /// COCO (Lin et al., 2014, <https://arxiv.org/abs/1405.0312>).
    Coco,
    /// YOLO, as Darknet (Redmon et al., 2016, <https://arxiv.org/abs/1506.02640>) and Ultralytics read it.
    Yolo,
}

impl LabelFormat {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Voc => "Pascal VOC XML",
            Self::Coco => "COCO JSON",
            Self::Yolo => "YOLO text files",
        }
    }
}

/// An object in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// Left, top, right and bottom edge, in pixels.
    pub bounds: [f64; 4],
    /// The class, from 0.
    pub class: usize,
    /// Marked as hard to recognize; not counted in the benchmark of Pascal VOC.
    pub difficult: bool,
    /// A crowd that was not taken apart; not counted in the benchmark of COCO.
    pub crowd: bool,
    /// Where it is written: `file:line`, or the file with the number of the annotation.
    pub place: String,
}

impl Annotation {
    /// Its width times its height; 0 if an edge lies beyond the opposite one.
    pub fn area(&self) -> f64 {
        let [left, top, right, bottom] = self.bounds;
        (right - left).max(0.0) * (bottom - top).max(0.0)
    }
}

/// An image with its objects.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotatedImage {
    /// The image file.
    pub path: PathBuf,
    /// Number of rows, of the stored image.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Height and width after it is turned as its EXIF note says.
    pub oriented: [usize; 2],
    /// Height and width according to its labels, if they have them.
    pub labeled: Option<[usize; 2]>,
    /// `train`, `valid` or `test`; empty where the data do not say.
    pub split: &'static str,
    /// The list or folder that says so.
    pub split_source: String,
    /// Whether there is a label file for it.
    pub is_labeled: bool,
    /// Whether its labels name another image or another size.
    pub is_mismatched: bool,
    /// Its objects.
    pub objects: Vec<Annotation>,
}

impl AnnotatedImage {
    /// Height and width of the image that its boxes are in: turned as its EXIF note says where the labels
    /// have that size, and else as it is stored.
    pub fn label_size(&self) -> [usize; 2] {
        let stored = [self.height, self.width];
        match self.labeled {
            Some(labeled) if labeled == self.oriented => labeled,
            _ => stored,
        }
    }

    /// Takes the size from its labels, and returns what is wrong with it.
    fn set_labeled(&mut self, width: usize, height: usize) -> Option<(ProblemKind, String)> {
        let actual = [self.width, self.height];
        if width == 0 || height == 0 {
            let detail = files::size_mismatch([width, height], actual);
            return Some((ProblemKind::MissingSize, detail));
        }
        self.labeled = Some([height, width]);
        if self.label_size() == [height, width] {
            return None;
        }
        self.is_mismatched = true;
        let detail = files::size_mismatch([width, height], actual);
        Some((ProblemKind::OtherSize, detail))
    }
}

/// Images with boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionSet {
    /// The format of the labels.
    pub format: LabelFormat,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images, sorted by path.
    pub images: Vec<AnnotatedImage>,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// What was assumed, as whole lines.
    pub notes: Vec<String>,
}

/// Errors of reading images with boxes.
#[derive(Debug, Error)]
pub enum DetectionError {
    /// A folder cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// There are no labels in a known format.
    #[error(
        "`{}` has no labels of boxes: expected Pascal VOC XML, COCO JSON or YOLO text files next to the images",
        path.display()
    )]
    NoLabels {
        /// The folder.
        path: PathBuf,
    },
    /// There are no images.
    #[error("`{}` has labels of boxes, but none of their images", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// There are labels in two formats.
    #[error(
        "`{}` has labels in two formats: {} (as `{}`) and {} (as `{}`); name a folder with one of them",
        path.display(), first.0.name(), first.1.display(), second.0.name(), second.1.display()
    )]
    Mixed {
        /// The folder.
        path: PathBuf,
        /// A format with a file of it.
        first: (LabelFormat, PathBuf),
        /// Another format with a file of it.
        second: (LabelFormat, PathBuf),
    },
    /// A label file cannot be read.
    #[error(transparent)]
    Text(#[from] ReadTextError),
    /// A YAML file that may name the classes cannot be parsed.
    #[error("`{}:{line}`: not valid YAML: {reason}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the images of a folder with the boxes around their objects.
///
/// # Errors
///
/// If the folder or a file cannot be read, or it has no labels, labels in two formats, or no images.
pub fn read(dir: &Path) -> Result<DetectionSet, DetectionError> {
    let files = Files::list(dir)?;
    let format = files.format(dir)?;
    let (mut set, is_complete) = match format {
        LabelFormat::Voc => (voc::read(&files)?, true),
        LabelFormat::Coco => coco::read(&files)?,
        LabelFormat::Yolo => (yolo::read(&files)?, true),
    };
    if set.images.is_empty() {
        return Err(DetectionError::NoImages {
            path: dir.to_owned(),
        });
    }
    set.images.sort_by(|a, b| a.path.cmp(&b.path));
    check::check(&mut set, is_complete);
    Ok(set)
}

/// The format of the labels in a folder; none if it has no labels of boxes, or two formats, or only COCO files
/// without annotations.
pub fn label_format(dir: &Path) -> Option<LabelFormat> {
    let files = Files::list(dir).ok().filter(|_| dir.is_dir())?;
    let format = files.format(dir).ok()?;
    let has_boxes = || files.json.iter().any(|path| has_annotations(path));
    (format != LabelFormat::Coco || has_boxes()).then_some(format)
}
