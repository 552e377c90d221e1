//! What the user should know about a data set with boxes.

use std::collections::BTreeMap;

use super::DetectionFolder;
use super::load::Turned;
use crate::detection::{LabelFormat, ProblemKind};

/// Classes whose boxes are counted in a note.
const MAX_CLASSES: usize = 20;

/// What was done with boxes and images that cannot be used as they are.
#[derive(Default)]
pub(super) struct Counts {
    /// Notes of the reader.
    pub(super) notes: Vec<String>,
    /// Bad boxes and label files that are left out: how many of a kind, and where the first is.
    pub(super) bad: BTreeMap<ProblemKind, (usize, String)>,
    /// What only looks wrong: how often, and the first place with what is there.
    pub(super) noted: BTreeMap<ProblemKind, (usize, String)>,
    /// Boxes clipped to their image.
    pub(super) clipped: usize,
    /// Boxes of a single point, with the place of the first.
    pub(super) points: (usize, String),
    /// Boxes that occur again.
    pub(super) duplicates: usize,
    /// Images that lists of several splits have, with the first.
    pub(super) several_splits: (usize, String),
    /// Images that cannot be read.
    pub(super) broken_images: usize,
    /// Images whose labels name another image or another size.
    pub(super) mismatched_images: usize,
    /// Images that the labels do not mention.
    pub(super) unlabeled_images: usize,
}

impl Counts {
    /// Number of bad boxes and label files that are left out.
    pub(super) fn dropped(&self) -> usize {
        self.bad.values().map(|(count, _)| count).sum()
    }
}

/// What was counted while the images were read.
#[derive(Default)]
pub(super) struct DecodeCounts {
    pub(super) broken: usize,
    already: usize,
    from_stored: usize,
    assumed: usize,
}

impl DecodeCounts {
    pub(super) fn add(&mut self, turned: Turned) {
        match turned {
            Turned::No => {}
            Turned::Already => self.already += 1,
            Turned::FromStored => self.from_stored += 1,
            Turned::Assumed => self.assumed += 1,
        }
    }

    fn turned(&self) -> Option<String> {
        let total = self.already + self.from_stored + self.assumed;
        let parts = [
            (
                self.already,
                "in the turned image, as their image size says",
            ),
            (
                self.from_stored,
                "in the stored pixels, as their image size says, and turned",
            ),
            (
                self.assumed,
                "assumed to be in the stored pixels, and turned: their labels do not say",
            ),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, text)| format!("of {count}, boxes are {text}"))
            .collect();
        (total > 0).then(|| {
            let images = counted(
                total,
                "image is turned by its",
                "images are turned by their",
            );
            format!("{images} EXIF note: {}", parts.join("; "))
        })
    }
}

/// All notes of a data set.
pub(super) fn notes(
    folder: &DetectionFolder,
    counts: Counts,
    decoded: &DecodeCounts,
    splits: Vec<String>,
) -> Vec<String> {
    let mut notes = vec![boxes(folder)];
    let empty = folder
        .images
        .iter()
        .filter(|image| image.objects.is_empty());
    let empty = empty.count();
    let mut add = |count: usize, note: String| {
        if count > 0 {
            notes.push(note);
        }
    };
    add(
        empty,
        counted(
            empty,
            "image has no box and is a negative",
            "images have no box and are negatives",
        ),
    );
    let broken = counts.broken_images + decoded.broken;
    add(
        broken,
        counted(
            broken,
            "damaged image is left out",
            "damaged images are left out",
        ),
    );
    let without = counts.unlabeled_images;
    let what = match folder.format {
        LabelFormat::Coco => "not listed in the labels",
        _ => "without a label file",
    };
    add(
        without,
        format!(
            "{} left out",
            counted(
                without,
                &format!("image {what} is"),
                &format!("images {what} are")
            )
        ),
    );
    for (kind, (count, first)) in &counts.bad {
        add(
            *count,
            format!("left out, {}: {count} (the first: `{first}`)", kind.name()),
        );
    }
    let mismatched = counts.mismatched_images;
    add(
        mismatched,
        format!("{mismatched} images with labels of another image or size are left out"),
    );
    let clipped = counts.clipped;
    add(
        clipped,
        counted(
            clipped,
            "box is clipped to its image",
            "boxes are clipped to their image",
        ),
    );
    let (points, first) = &counts.points;
    let text = counted(
        *points,
        "box of a single point is",
        "boxes of a single point are",
    );
    add(*points, format!("{text} left out (the first: `{first}`)"));
    let duplicates = counts.duplicates;
    add(
        duplicates,
        counted(
            duplicates,
            "duplicate box is used once",
            "duplicate boxes are used once",
        ),
    );
    let (several, first) = &counts.several_splits;
    add(
        *several,
        format!(
            "{several} images are listed in several splits and used in the last of training, validation and \
             test (the first: `{first}`)"
        ),
    );
    notes.extend(noted(&counts));
    notes.extend(decoded.turned());
    notes.extend(splits);
    notes.extend(untrained(folder));
    [counts.notes, notes].concat()
}

/// What only looks wrong.
fn noted(counts: &Counts) -> impl Iterator<Item = String> {
    let noted = counts.noted.iter();
    noted.map(|(kind, (count, first))| format!("{}: {count} (the first: {first})", kind.name()))
}

/// Images, boxes, and boxes per class.
fn boxes(folder: &DetectionFolder) -> String {
    let mut of_class = vec![0_usize; folder.classes.len()];
    for object in folder.images.iter().flat_map(|image| &image.objects) {
        of_class[usize::from(object.bounds.class)] += 1;
    }
    let total: usize = of_class.iter().sum();
    let mut classes: Vec<(&String, usize)> = folder.classes.iter().zip(of_class).collect();
    classes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let more = classes.len().saturating_sub(MAX_CLASSES);
    classes.truncate(MAX_CLASSES);
    let mut named: Vec<String> = classes
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if more > 0 {
        named.push(counted(more, "more class", "more classes"));
    }
    format!(
        "{} with {} ({}): {}",
        counted(folder.len(), "image", "images"),
        counted(total, "box", "boxes"),
        folder.format.name(),
        named.join(", ")
    )
}

fn untrained(folder: &DetectionFolder) -> impl Iterator<Item = String> {
    folder.untrained.iter().map(|found| {
        format!(
            "class `{}` is in the {} split ({}; the first: `{}`) and not in the training split, so it cannot be \
             learned",
            folder.classes[found.class],
            found.split,
            counted(found.boxes, "box", "boxes"),
            found.place
        )
    })
}

/// A count with the word for one or for several.
fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
