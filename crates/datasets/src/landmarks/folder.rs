//! Images with usable landmarks, for training and evaluation.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::files::{Files, split_of};
use super::{LandmarkError, LandmarkFormat, RawFace};
use crate::content::content_hash;
use crate::files::SplitName;
use crate::image::{
    DecodeOptions, Image, ImageError, MAX_PIXELS, decode_full, read_file, stored_size,
};
use crate::parallel::parallel_map;

/// What is done with faces whose points cannot be used as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadPoints {
    /// The first one is an error.
    #[default]
    Refuse,
    /// Points outside the image are moved to its edge, and other bad faces are left out; both are counted.
    Clip,
    /// All bad faces are left out and counted.
    Drop,
}

/// Options for opening a [`LandmarkFolder`].
#[derive(Clone, Debug, PartialEq)]
pub struct LandmarkOptions {
    /// What is done with faces that cannot be used as they are.
    pub bad_points: BadPoints,
    /// Values per pixel of the images: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// The number of points of a face; 0 for that of the first one.
    pub points: usize,
}

/// A face in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct LandmarkFace {
    /// The image file.
    pub path: PathBuf,
    /// Height and width of the image, in pixels.
    pub size: [usize; 2],
    /// The points, in pixels.
    pub points: Vec<[f32; 2]>,
    /// A hash of the image file: equal ones are copies.
    pub content: u64,
    /// Where it is written: `file:line`.
    pub place: String,
}

/// A split of the data itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandmarkSplit {
    /// Its faces.
    pub rows: Range<usize>,
    /// The file or folder that names it.
    pub source: String,
}

/// Faces with landmarks, whose images are decoded on demand.
///
/// Faces are sorted by split (training, validation, test), then as they are in the label files.
#[derive(Clone, Debug)]
pub struct LandmarkFolder {
    format: LandmarkFormat,
    channels: usize,
    points: usize,
    faces: Vec<LandmarkFace>,
    splits: [Option<LandmarkSplit>; 3],
    notes: Vec<String>,
}

/// A face that was read, with its split.
struct Read {
    face: LandmarkFace,
    split: Option<(SplitName, String)>,
    /// Whether points were moved to the edge.
    clipped: bool,
}

/// A face that cannot be used.
struct Problem {
    place: String,
    detail: String,
}

/// Size and content of an image, or what is wrong with it.
type Checked = Result<([usize; 2], u64), String>;

impl LandmarkFolder {
    /// Opens a folder of images with landmarks, and checks every point.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or has no faces, its labels have two formats, or a face cannot be used
    /// ([`BadPoints::Refuse`]).
    pub fn open(dir: &Path, options: &LandmarkOptions) -> Result<Self, LandmarkError> {
        DecodeOptions::new(1, 1, options.channels).validate()?;
        let files = Files::list(dir)?;
        let format = files.format(dir)?;
        let raw = files.faces()?;
        let first = raw.iter().find(|face| face.problem.is_none());
        let points = first.map_or(0, |face| face.points.len());
        if let Some(face) = first.filter(|_| ![0, points].contains(&options.points)) {
            return Err(LandmarkError::OtherPoints {
                place: place(face),
                found: points,
                expected: options.points,
            });
        }
        let images = check_images(&files, &raw);
        let (mut read, mut problems) = (Vec::new(), Vec::new());
        for face in raw {
            match use_face(dir, &files, &images, face, points, options.bad_points) {
                Ok(face) => read.push(face),
                Err(problem) => problems.push(problem),
            }
        }
        if let (BadPoints::Refuse, Some(first)) = (options.bad_points, problems.first()) {
            return Err(LandmarkError::BadFace {
                place: first.place.clone(),
                detail: first.detail.clone(),
                count: problems.len(),
            });
        }
        if read.is_empty() || points == 0 {
            let dropped = problems.len();
            let path = dir.to_owned();
            return Err(LandmarkError::Empty { path, dropped });
        }
        let mut folder = Self::arrange(format, options.channels, points, read, &problems);
        if !files.left_out.is_empty() {
            folder.notes.push(files.left_out.to_string());
        }
        Ok(folder)
    }

    /// Brings faces into the order of their splits.
    fn arrange(
        format: LandmarkFormat,
        channels: usize,
        points: usize,
        mut read: Vec<Read>,
        problems: &[Problem],
    ) -> Self {
        let mut notes = notes(&read, problems);
        let has_train = |face: &Read| matches!(face.split, Some((SplitName::Train, _)));
        if !read.iter().any(has_train) {
            for face in &mut read {
                face.split = None;
            }
        }
        let unnamed = read.iter().filter(|face| face.split.is_none()).count();
        if unnamed > 0 && unnamed < read.len() {
            read.retain(|face| face.split.is_some());
            notes.push(format!(
                "{unnamed} faces left out: they are in no split, and others are"
            ));
        }
        let order = |face: &Read| face.split.as_ref().map(|(split, _)| *split);
        read.sort_by_key(order);
        let names = [SplitName::Train, SplitName::Valid, SplitName::Test];
        let splits = names.map(|name| {
            let is_own = |face: &&Read| order(face) == Some(name);
            let start = read.iter().position(|face| is_own(&face))?;
            let count = read.iter().filter(is_own).count();
            let (_, source) = read[start].split.clone()?;
            let rows = start..start + count;
            Some(LandmarkSplit { rows, source })
        });
        Self {
            format,
            channels,
            points,
            faces: read.into_iter().map(|read| read.face).collect(),
            splits,
            notes,
        }
    }

    /// The format of the labels.
    pub fn format(&self) -> LandmarkFormat {
        self.format
    }

    /// Number of points of a face.
    pub fn points(&self) -> usize {
        self.points
    }

    /// The faces.
    pub fn faces(&self) -> &[LandmarkFace] {
        &self.faces
    }

    /// The training, validation and test split that the data name. Without a training split there is none.
    pub fn splits(&self) -> &[Option<LandmarkSplit>; 3] {
        &self.splits
    }

    /// What was counted, assumed and left out, as whole lines for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Decodes the image of the face at `index` in its own size.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more, or its pixels are damaged.
    ///
    /// # Panics
    ///
    /// If there is no such face.
    pub fn image(&self, index: usize) -> Result<Image, ImageError> {
        let path = &self.faces[index].path;
        decode_full(&read_file(path)?, path, self.channels, MAX_PIXELS)
    }
}

fn place(face: &RawFace) -> String {
    format!("{}:{}", face.file.display(), face.line)
}

/// Size and content of each image that a face names.
fn check_images(files: &Files, raw: &[RawFace]) -> HashMap<PathBuf, Checked> {
    let paths = raw.iter().filter_map(|face| files.image_of(face).ok());
    let mut paths: Vec<&Path> = paths.collect();
    paths.sort_unstable();
    paths.dedup();
    let checked = parallel_map(&paths, |path| check_image(path));
    paths.into_iter().map(Path::to_owned).zip(checked).collect()
}

fn check_image(path: &Path) -> Checked {
    let words = |error: ImageError| error.to_string();
    let bytes = read_file(path).map_err(words)?;
    let ((height, width), orientation) = stored_size(&bytes, path, MAX_PIXELS).map_err(words)?;
    if orientation != Orientation::NoTransforms {
        return Err(format!(
            "the EXIF note of `{}` turns it, and the points do not say whether they are turned too",
            path.display()
        ));
    }
    Ok(([height, width], content_hash(&bytes)))
}

/// Checks a face, and finds its image and split.
fn use_face(
    dir: &Path,
    files: &Files,
    images: &HashMap<PathBuf, Checked>,
    mut face: RawFace,
    points: usize,
    bad_points: BadPoints,
) -> Result<Read, Problem> {
    let place = place(&face);
    let bad = |detail: String| Problem {
        place: place.clone(),
        detail,
    };
    if let Some(detail) = face.problem.take() {
        return Err(bad(detail));
    }
    let found = face.points.len();
    if found != points || found == 0 {
        return Err(bad(format!(
            "{found} points, and the first face has {points}"
        )));
    }
    let path = files.image_of(&face).map_err(bad)?;
    let checked = images.get(path).cloned();
    let ([height, width], content) = checked
        .unwrap_or_else(|| Err("its image is gone".to_owned()))
        .map_err(bad)?;
    let most = [width as f32, height as f32];
    let mut clipped = false;
    for (at, point) in face.points.iter_mut().enumerate() {
        let [x, y] = *point;
        if !x.is_finite() || !y.is_finite() {
            return Err(bad(format!("point {at} (from 0) is not finite: {x} {y}")));
        }
        if (0.0..=most[0]).contains(&x) && (0.0..=most[1]).contains(&y) {
            continue;
        }
        if bad_points != BadPoints::Clip {
            return Err(bad(format!(
                "point {at} (from 0) at {x} {y} is outside of the image of {width}x{height} pixels"
            )));
        }
        *point = [x.clamp(0.0, most[0]), y.clamp(0.0, most[1])];
        clipped = true;
    }
    let first = face.points[0];
    let differs = |point: &[f32; 2]| (0..2).any(|axis| (point[axis] - first[axis]).abs() > 0.0);
    if !face.points.iter().any(differs) {
        return Err(bad("all points are at one place".to_owned()));
    }
    Ok(Read {
        split: split_of(dir, &face.file, path),
        face: LandmarkFace {
            path: path.to_owned(),
            size: [height, width],
            points: face.points,
            content,
            place,
        },
        clipped,
    })
}

fn notes(read: &[Read], problems: &[Problem]) -> Vec<String> {
    let mut notes = Vec::new();
    let clipped = read.iter().filter(|face| face.clipped).count();
    if clipped > 0 {
        notes.push(format!(
            "points of {clipped} faces were outside of their image and moved to its edge"
        ));
    }
    if let Some(first) = problems.first() {
        notes.push(format!(
            "{} faces left out; the first: `{}`: {}",
            problems.len(),
            first.place,
            first.detail
        ));
    }
    notes
}
