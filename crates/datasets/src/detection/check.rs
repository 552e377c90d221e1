//! Problems of labels.

use std::collections::HashSet;

use super::{Annotation, DetectionSet};

/// Pixels that a box may reach beyond its image, for rounding.
const TOLERANCE: f64 = 0.5;

/// Kinds of problems of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// An image cannot be read.
    BrokenImage,
    /// A label file cannot be understood, or a part of it.
    BrokenLabel,
    /// A class has no name.
    UnknownClass,
    /// A box has no area.
    EmptyBox,
    /// A box reaches beyond its image.
    OutsideImage,
    /// The same box with the same class again.
    DuplicateBox,
    /// Labels without their image.
    MissingImage,
    /// An image without labels.
    MissingLabels,
    /// A second label file for an image.
    SecondLabels,
    /// The labels have another image size.
    OtherSize,
    /// The labels name another image.
    OtherImage,
    /// The image size in the labels is 0.
    MissingSize,
    /// Lists of several splits have the image.
    SeveralSplits,
    /// Categories with one name, which are one class.
    SameName,
    /// An id that occurred before.
    SameId,
    /// A label file without a list of objects.
    NoAnnotations,
}

impl ProblemKind {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::BrokenImage => "damaged images",
            Self::BrokenLabel => "damaged labels",
            Self::UnknownClass => "boxes of unknown classes",
            Self::EmptyBox => "empty boxes",
            Self::OutsideImage => "boxes outside the image",
            Self::DuplicateBox => "duplicate boxes",
            Self::MissingImage => "labels without an image",
            Self::MissingLabels => "images without labels",
            Self::SecondLabels => "extra label files of an image",
            Self::OtherSize => "image size mismatches",
            Self::OtherImage => "image name mismatches",
            Self::MissingSize => "labels without an image size",
            Self::SeveralSplits => "images in several splits",
            Self::SameName => "categories of the same name",
            Self::SameId => "ids that occur again",
            Self::NoAnnotations => "label files without annotations",
        }
    }
}

/// A problem of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// Where: a file, with a line or the number of an annotation if that is known.
    pub place: String,
    /// What, in a few words.
    pub detail: String,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, place: String, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind,
            place,
            detail,
        }
    }
}

/// Adds the problems of the boxes, and of images without labels where all labels could be read.
pub(super) fn check(set: &mut DetectionSet, is_complete: bool) {
    let mut found = Vec::new();
    for image in &set.images {
        if !image.is_labeled && is_complete {
            let place = image.path.display().to_string();
            found.push(Problem::new(
                ProblemKind::MissingLabels,
                place,
                "no label file",
            ));
        }
        let mut seen = HashSet::new();
        for object in &image.objects {
            let wrong = geometry_problem(&object.bounds, image.label_size()).or_else(|| {
                let is_new = seen.insert(key(object));
                (!is_new).then(|| (ProblemKind::DuplicateBox, text_of(&object.bounds)))
            });
            found.extend(
                wrong.map(|(kind, detail)| Problem::new(kind, object.place.clone(), detail)),
            );
        }
    }
    set.problems.extend(found);
}

/// What is wrong with the edges of a box in an image of this height and width.
pub(super) fn geometry_problem(
    bounds: &[f64; 4],
    [height, width]: [usize; 2],
) -> Option<(ProblemKind, String)> {
    let &[left, top, right, bottom] = bounds;
    let area = (right - left).max(0.0) * (bottom - top).max(0.0);
    // Also where a number is missing.
    if !(area > 0.0 && area.is_finite()) {
        return Some((ProblemKind::EmptyBox, text_of(bounds)));
    }
    let is_outside = left < -TOLERANCE
        || top < -TOLERANCE
        || right > width as f64 + TOLERANCE
        || bottom > height as f64 + TOLERANCE;
    let detail = || format!("{} in {width} x {height} pixels", text_of(bounds));
    is_outside.then(|| (ProblemKind::OutsideImage, detail()))
}

/// The corners of a box.
fn text_of([left, top, right, bottom]: &[f64; 4]) -> String {
    format!("{left:.1}, {top:.1} to {right:.1}, {bottom:.1}")
}

/// A box and its class, to a hundredth of a pixel.
pub(super) fn key(object: &Annotation) -> ([i64; 4], usize) {
    let bounds = object.bounds.map(|edge| (edge * 100.0).round() as i64);
    (bounds, object.class)
}
