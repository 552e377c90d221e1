//! The splits that a data set names.

use std::collections::BTreeMap;
use std::ops::Range;

use super::DetectionSplit;
use super::clean::CleanImage;

/// The splits in the order of their images.
const ORDER: [&str; 3] = ["train", "valid", "test"];

/// The splits of the images in their new order.
pub(super) struct Arranged {
    splits: [Option<DetectionSplit>; 3],
    pub(super) notes: Vec<String>,
}

/// A class that the training split lacks and another one has.
#[derive(Clone, Debug)]
pub(super) struct Untrained {
    pub(super) class: usize,
    pub(super) split: &'static str,
    /// Its boxes in that split.
    pub(super) boxes: usize,
    /// Where the first of them is.
    pub(super) place: String,
}

/// Sorts images by split, and leaves out those that are in none where the data have a training split.
pub(super) fn arrange(images: &mut Vec<CleanImage>) -> Arranged {
    let mut notes = Vec::new();
    let count = |split: &str| images.iter().filter(|image| image.split == split).count();
    let counts = ORDER.map(count);
    let unnamed = count("");
    let named: usize = counts.iter().sum();
    if named == 0 || (counts[0] == 0 && unnamed == 0) {
        if named > 0 {
            let kept = ORDER.iter().zip(counts).filter(|(_, count)| *count > 0);
            let kept: Vec<&str> = kept.map(|(split, _)| *split).collect();
            notes.push(format!(
                "there is no training split: the images of the {} split are not told apart",
                kept.join(" and ")
            ));
        }
        let splits = [const { None }; 3];
        return Arranged { splits, notes };
    }
    let rest = if counts[0] == 0 { "train" } else { "" };
    if unnamed > 0 && counts[0] > 0 {
        let mut outside = images.iter().filter(|image| image.split.is_empty());
        let first = outside.next().map(|image| image.path.display().to_string());
        notes.push(format!(
            "{unnamed} images are in none of the splits and left out (the first: `{}`)",
            first.unwrap_or_default()
        ));
        images.retain(|image| !image.split.is_empty());
    }
    for image in images.iter_mut().filter(|image| image.split.is_empty()) {
        image.split = rest;
        "the other images".clone_into(&mut image.split_source);
    }
    let place = |image: &CleanImage| ORDER.iter().position(|split| *split == image.split);
    images.sort_by(|a, b| (place(a), &a.path).cmp(&(place(b), &b.path)));
    let splits = ORDER.map(|split| {
        let start = images.iter().position(|image| image.split == split)?;
        let count = images.iter().filter(|image| image.split == split).count();
        Some(DetectionSplit {
            rows: start..start + count,
            source: images[start].split_source.clone(),
        })
    });
    Arranged { splits, notes }
}

impl Arranged {
    /// The splits of the images that are kept, which are sorted.
    pub(super) fn splits_of(&self, kept: &[usize]) -> [Option<DetectionSplit>; 3] {
        let at = |row: usize| kept.partition_point(|&kept| kept < row);
        let rows = |rows: &Range<usize>| at(rows.start)..at(rows.end);
        self.splits.clone().map(|split| {
            let split = split?;
            let rows = rows(&split.rows);
            (!rows.is_empty()).then_some(DetectionSplit { rows, ..split })
        })
    }
}

/// The classes that the validation and test split have, and not the training split.
pub(super) fn untrained(
    images: &[CleanImage],
    splits: &[Option<DetectionSplit>; 3],
    kept: &[usize],
) -> Vec<Untrained> {
    let classes = |split: usize| {
        let rows = splits[split]
            .as_ref()
            .map_or(0..0, |split| split.rows.clone());
        let objects = kept[rows].iter().flat_map(|&row| &images[row].objects);
        let mut classes: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
        for object in objects {
            classes.entry(object.class).or_insert((0, &object.place)).0 += 1;
        }
        classes
    };
    let Some(train) = splits[0].as_ref().map(|_| classes(0)) else {
        return Vec::new();
    };
    let mut untrained: Vec<Untrained> = Vec::new();
    for split in [1, 2] {
        for (class, (boxes, place)) in classes(split) {
            let is_known = untrained.iter().any(|other| other.class == class);
            if !train.contains_key(&class) && !is_known {
                untrained.push(Untrained {
                    class,
                    split: ["training", "validation", "test"][split],
                    boxes,
                    place: place.to_owned(),
                });
            }
        }
    }
    untrained
}
