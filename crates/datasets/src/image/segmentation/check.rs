//! What the values of a data set's masks mean, and whether all of them are known classes.

use std::path::{Path, PathBuf};

use super::SegmentationError;
use crate::image::{IGNORE, MaskValues, RawMask, RawSource};

/// Gray masks with at least this many values, black and white among them, have soft edges.
const SOFT_VALUES: usize = 16;

/// What is known of a mask after it was read once.
#[derive(Clone, Debug)]
pub(super) struct MaskFacts {
    pub(super) path: PathBuf,
    /// Height and width.
    pub(super) size: (usize, usize),
    /// The values that occur, sorted; those of drawn objects are classes already.
    pub(super) values: Vec<u16>,
    pub(super) largest: u16,
    pub(super) source: Option<RawSource>,
}

impl MaskFacts {
    pub(super) fn of_file(path: &Path, raw: &RawMask) -> Self {
        let mut seen = vec![false; usize::from(u16::MAX) + 1];
        for &value in &raw.values {
            seen[usize::from(value)] = true;
        }
        Self {
            path: path.to_owned(),
            size: (raw.height, raw.width),
            values: (0..=u16::MAX)
                .filter(|&value| seen[usize::from(value)])
                .collect(),
            largest: raw.largest,
            source: Some(raw.source),
        }
    }

    /// Whether the format leaves nothing but background and foreground.
    fn is_lossy(&self) -> bool {
        matches!(self.source, Some(RawSource::Lossy | RawSource::Alpha))
    }

    fn is_black_and_white(&self) -> bool {
        let ends = |&value: &u16| value == 0 || value == self.largest;
        self.source == Some(RawSource::Gray) && self.values.iter().all(ends)
    }

    /// The classes that occur, without those that are not labeled.
    pub(super) fn classes(&self, values: MaskValues) -> Vec<u16> {
        if values == MaskValues::Threshold && self.source.is_some() {
            let class = |&value: &u16| u16::from(value > self.largest / 2);
            let mut classes: Vec<u16> = self.values.iter().map(class).collect();
            classes.dedup();
            return classes;
        }
        let unlabeled = |value: u16| {
            value == IGNORE || self.source.is_some() && value == self.largest && self.largest >= 255
        };
        let values = self.values.iter().copied();
        values.filter(|&value| !unlabeled(value)).collect()
    }
}

/// Decides what the values of all masks mean; says what was assumed.
pub(super) fn decide(
    masks: &[MaskFacts],
    classes: Option<usize>,
    notes: &mut Vec<String>,
) -> Result<MaskValues, SegmentationError> {
    let lossy = masks.iter().find(|mask| mask.is_lossy());
    let exact: Vec<&MaskFacts> = masks.iter().filter(|mask| !mask.is_lossy()).collect();
    if exact.iter().all(|mask| mask.is_black_and_white()) {
        notes.push(match lossy {
            Some(_) => {
                "masks: values above half of white are class 1, the others class 0".to_owned()
            }
            None => "masks: black is class 0, white is class 1".to_owned(),
        });
        return Ok(MaskValues::Threshold);
    }
    let largest = exact.iter().map(|mask| mask.values.last().copied());
    let is_white = exact.iter().map(|mask| mask.largest).max() == largest.max().flatten();
    let mut all: Vec<u16> = exact.iter().flat_map(|mask| mask.values.clone()).collect();
    all.sort_unstable();
    all.dedup();
    let gray = exact
        .iter()
        .all(|mask| mask.source == Some(RawSource::Gray));
    let two = classes.is_none_or(|classes| classes == 2);
    if gray && two && is_white && all.first() == Some(&0) && all.len() >= SOFT_VALUES {
        notes.push(format!(
            "masks: {} gray values from black to white are taken as soft edges; above half of white is \
             class 1",
            all.len()
        ));
        return Ok(MaskValues::Threshold);
    }
    let more = |mask: &&&MaskFacts| mask.classes(MaskValues::Classes).last() > Some(&1);
    if let (Some(binary), Some(other)) = (lossy, exact.iter().find(more)) {
        let class = other.classes(MaskValues::Classes).last().copied();
        return Err(SegmentationError::MixedMasks {
            binary: binary.path.clone(),
            other: other.path.clone(),
            class: class.unwrap_or(0),
        });
    }
    let unlabeled =
        |mask: &&MaskFacts| mask.largest >= 255 && mask.values.last() == Some(&mask.largest);
    let unlabeled = exact.iter().copied().filter(|mask| unlabeled(mask)).count();
    if unlabeled > 0 {
        notes.push(format!(
            "masks: a value is a class; the largest value (255 of 8 bits), which {unlabeled} masks have, is \
             not labeled"
        ));
    }
    Ok(MaskValues::Classes)
}

/// The names of the classes where the recipe has none.
pub(super) fn class_names(masks: &[MaskFacts], values: MaskValues) -> Vec<String> {
    let last = masks
        .iter()
        .filter_map(|mask| mask.classes(values).last().copied());
    let last = last.max().unwrap_or(0).max(1);
    let name = |class: u16| match (class, last) {
        (0, _) => "background".to_owned(),
        (1, 1) => "foreground".to_owned(),
        _ => class.to_string(),
    };
    (0..=last).map(name).collect()
}

/// Checks that every class is known.
pub(super) fn check_classes(
    masks: &[MaskFacts],
    values: MaskValues,
    classes: &[String],
) -> Result<(), SegmentationError> {
    for mask in masks {
        let unknown = mask
            .classes(values)
            .into_iter()
            .find(|&class| usize::from(class) >= classes.len());
        if let Some(class) = unknown {
            return Err(SegmentationError::UnknownClass {
                mask: mask.path.clone(),
                class,
                classes: classes.to_vec(),
            });
        }
    }
    Ok(())
}
