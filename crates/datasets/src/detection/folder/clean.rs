//! Which boxes and images can be used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::notes::Counts;
use super::{BadBoxes, DetectionFolderError, DetectionOptions};
use crate::detection::check::{geometry_problem, key};
use crate::detection::{
    AnnotatedImage, Annotation, DetectionSet, LabelFormat, Problem, ProblemKind,
};

/// Most classes, as many as there are numbers for them.
const MAX_CLASSES: usize = 1 << 16;

/// Side below which a box is a point, in pixels.
const POINT: f64 = 1e-6;

/// Classes that a message names.
const MAX_NAMED: usize = 10;

/// Images with usable boxes, and what was counted.
pub(super) struct Cleaned {
    pub(super) images: Vec<CleanImage>,
    pub(super) classes: Vec<String>,
    pub(super) counts: Counts,
}

/// An image with usable boxes, in the pixels of its labels.
pub(super) struct CleanImage {
    pub(super) path: PathBuf,
    pub(super) oriented: [usize; 2],
    pub(super) labeled: Option<[usize; 2]>,
    pub(super) split: &'static str,
    pub(super) split_source: String,
    pub(super) objects: Vec<Annotation>,
}

/// Takes the usable boxes of a data set.
pub(super) fn clean(
    path: &Path,
    set: DetectionSet,
    options: &DetectionOptions,
) -> Result<Cleaned, DetectionFolderError> {
    let DetectionSet {
        format,
        classes: names,
        images,
        problems,
        notes,
    } = set;
    let classes = if options.classes.is_empty() {
        names.clone()
    } else {
        options.classes.clone()
    };
    if classes.len() > MAX_CLASSES {
        return Err(DetectionFolderError::TooManyClasses {
            path: path.to_owned(),
            classes: classes.len(),
        });
    }
    let mut cleaner = Cleaner {
        options,
        numbers: names
            .iter()
            .map(|name| classes.iter().position(|class| class == name))
            .collect(),
        names: &names,
        bad: Vec::new(),
        counts: Counts {
            notes,
            ..Counts::default()
        },
    };
    cleaner.add_problems(problems)?;
    let images: Vec<CleanImage> = images
        .into_iter()
        .filter_map(|image| cleaner.image(image, format))
        .collect();
    let Cleaner {
        bad, mut counts, ..
    } = cleaner;
    if let Some(first) = bad
        .first()
        .filter(|_| options.bad_boxes == BadBoxes::Refuse)
    {
        return Err(DetectionFolderError::BadBox {
            place: first.place.clone(),
            detail: sentence(first),
            count: bad.len(),
            path: path.to_owned(),
        });
    }
    if images.is_empty()
        && let Some((_, first)) = counts.noted.get(&ProblemKind::NoAnnotations)
    {
        return Err(DetectionFolderError::NoAnnotations {
            detail: first.clone(),
        });
    }
    for Problem { kind, place, .. } in bad {
        counts.bad.entry(kind).or_insert((0, place)).0 += 1;
    }
    Ok(Cleaned {
        images,
        classes,
        counts,
    })
}

struct Cleaner<'a> {
    options: &'a DetectionOptions,
    /// The number of each class of the data among the classes asked for.
    numbers: Vec<Option<usize>>,
    names: &'a [String],
    /// Boxes and label files that cannot be used.
    bad: Vec<Problem>,
    counts: Counts,
}

impl Cleaner<'_> {
    /// Takes the problems that the reader found. Those of boxes are found again, with what is done about them.
    fn add_problems(&mut self, problems: Vec<Problem>) -> Result<(), DetectionFolderError> {
        let is_broken = |problem: &&Problem| problem.kind == ProblemKind::BrokenImage;
        let broken = problems.iter().filter(is_broken).count();
        if let Some(first) = problems.iter().find(is_broken)
            && !self.options.skip_broken
        {
            return Err(DetectionFolderError::BrokenImage {
                detail: first.detail.clone(),
                count: broken,
            });
        }
        self.counts.broken_images = broken;
        for problem in problems {
            match problem.kind {
                ProblemKind::BrokenLabel
                | ProblemKind::UnknownClass
                | ProblemKind::MissingImage
                | ProblemKind::SecondLabels
                | ProblemKind::OtherSize
                | ProblemKind::OtherImage => self.bad.push(problem),
                ProblemKind::SeveralSplits => count(&mut self.counts.several_splits, problem.place),
                ProblemKind::SameName | ProblemKind::SameId | ProblemKind::NoAnnotations => {
                    let first = format!("`{}`: {}", problem.place, problem.detail);
                    count(self.counts.noted.entry(problem.kind).or_default(), first);
                }
                ProblemKind::BrokenImage
                | ProblemKind::EmptyBox
                | ProblemKind::OutsideImage
                | ProblemKind::DuplicateBox
                | ProblemKind::MissingLabels
                | ProblemKind::MissingSize => {}
            }
        }
        Ok(())
    }

    /// The image with its usable boxes; none if it is left out.
    fn image(&mut self, image: AnnotatedImage, format: LabelFormat) -> Option<CleanImage> {
        // In YOLO, an image without objects often has no file.
        if !image.is_labeled && format != LabelFormat::Yolo {
            self.counts.unlabeled_images += 1;
            return None;
        }
        if image.is_mismatched {
            self.counts.mismatched_images += 1;
            return None;
        }
        let size = image.label_size();
        let mut seen = HashSet::new();
        let mut objects = Vec::with_capacity(image.objects.len());
        for object in image.objects {
            let Some(object) = self.object(object, size) else {
                continue;
            };
            if seen.insert(key(&object)) {
                objects.push(object);
            } else {
                self.counts.duplicates += 1;
            }
        }
        Some(CleanImage {
            path: image.path,
            oriented: image.oriented,
            labeled: image.labeled,
            split: image.split,
            split_source: image.split_source,
            objects,
        })
    }

    /// The object as it is used; none if it is left out.
    fn object(&mut self, mut object: Annotation, size: [usize; 2]) -> Option<Annotation> {
        let [left, top, right, bottom] = object.bounds;
        let mut drop = |kind, detail: String| {
            self.bad
                .push(Problem::new(kind, object.place.clone(), detail));
        };
        let Some(class) = self.numbers.get(object.class).copied().flatten() else {
            let detail = self.unknown_class(object.class);
            self.bad.push(Problem::new(
                ProblemKind::UnknownClass,
                object.place,
                detail,
            ));
            return None;
        };
        object.class = class;
        let is_point = (right - left).abs() < POINT && (bottom - top).abs() < POINT;
        let clipped = clip(object.bounds, size);
        match geometry_problem(&object.bounds, size) {
            Some((ProblemKind::EmptyBox, _)) if is_point => {
                count(&mut self.counts.points, object.place);
                return None;
            }
            Some((ProblemKind::OutsideImage, detail))
                if self.options.bad_boxes != BadBoxes::Clip || is_empty(clipped) =>
            {
                drop(ProblemKind::OutsideImage, detail);
                return None;
            }
            Some((ProblemKind::OutsideImage, _)) => self.counts.clipped += 1,
            Some((kind, detail)) => {
                drop(kind, detail);
                return None;
            }
            // All of it is within the tolerance beyond the border.
            None if is_empty(clipped) => {
                drop(ProblemKind::OutsideImage, "it is at the border".to_owned());
                return None;
            }
            None => {}
        }
        object.bounds = clipped;
        Some(object)
    }

    fn unknown_class(&self, class: usize) -> String {
        let known = &self.options.classes;
        let mut names = known.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>();
        if known.len() > MAX_NAMED {
            names.push("...".to_owned());
        }
        let name = self.names.get(class).map_or("", String::as_str);
        format!(
            "class `{name}` is not one of the classes {}",
            names.join(", ")
        )
    }
}

fn count((number, first): &mut (usize, String), place: String) {
    if *number == 0 {
        *first = place;
    }
    *number += 1;
}

fn clip([left, top, right, bottom]: [f64; 4], [height, width]: [usize; 2]) -> [f64; 4] {
    let (height, width) = (height as f64, width as f64);
    [
        left.clamp(0.0, width),
        top.clamp(0.0, height),
        right.clamp(0.0, width),
        bottom.clamp(0.0, height),
    ]
}

/// Whether it has no area, in the precision of the boxes.
fn is_empty(bounds: [f64; 4]) -> bool {
    let [left, top, right, bottom] = bounds.map(|edge| edge as f32);
    right <= left || bottom <= top
}

/// What is wrong, as a sentence.
fn sentence(problem: &Problem) -> String {
    let detail = &problem.detail;
    match problem.kind {
        ProblemKind::EmptyBox => format!("the box {detail} is empty"),
        ProblemKind::OutsideImage => format!("the box {detail} reaches outside of the image"),
        ProblemKind::MissingImage => format!("labels without an image: {detail}"),
        ProblemKind::SecondLabels => format!("a second label file {detail}"),
        ProblemKind::OtherImage => format!("labels of another image: {detail}"),
        ProblemKind::OtherSize => format!("labels of another image size: {detail}"),
        ProblemKind::UnknownClass => format!("unknown class: {detail}"),
        _ => detail.clone(),
    }
}
