//! Which photo belongs to which mask, from the names of files and folders.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::SegmentationError;
use crate::files::{SkippedFiles, SplitName};
use crate::image::ImageFile;
use crate::image::folder::Listing;

/// Names of folders of photos, in lower case.
const PHOTOS: [&str; 15] = [
    "images",
    "image",
    "imgs",
    "img",
    "photos",
    "photo",
    "pictures",
    "inputs",
    "input",
    "jpegimages",
    "training_images",
    "train_images",
    "test_images",
    "val_images",
    "original",
];

/// Names of folders of masks.
const MASKS: [&str; 22] = [
    "masks",
    "mask",
    "labels",
    "label",
    "ground_truth",
    "groundtruth",
    "ground truth",
    "gt",
    "segmentationclass",
    "segmentation",
    "segmentations",
    "segmentation_masks",
    "annotations",
    "trimaps",
    "targets",
    "target",
    "mattes",
    "alpha",
    "training_masks",
    "train_masks",
    "test_masks",
    "val_masks",
];

/// Ends of the names of masks, next to those of their photos.
const SUFFIXES: [&str; 10] = [
    "_mask",
    "-mask",
    "_masks",
    "_seg",
    "-seg",
    "_segmentation",
    "_label",
    "-label",
    "_labels",
    "_gt",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Photo,
    Mask,
}

/// What the name of a file says.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) split: Option<SplitName>,
    pub(super) role: Option<Role>,
    /// Folders without those of the split and the role, and the name without extension.
    pub(super) id: String,
    file: ImageFile,
}

/// A photo with its mask.
#[derive(Clone, Debug)]
pub(super) struct Paired {
    pub(super) photo: ImageFile,
    pub(super) mask: ImageFile,
    pub(super) split: Option<SplitName>,
}

/// Pairs photos with masks; none if there are no masks.
pub(super) fn pair(
    listing: &Listing,
    skipped_files: &mut SkippedFiles,
) -> Result<Option<Vec<Paired>>, SegmentationError> {
    let mut places: Vec<Place> = listing.files.iter().map(place).collect();
    if places.iter().all(|place| place.role != Some(Role::Mask)) {
        return Ok(None);
    }
    let has_folder = places.iter().any(|place| place.role == Some(Role::Photo));
    places.retain(|place| {
        let keep = place.role.is_some() || !has_folder;
        if !keep {
            skipped_files.add("outside of the folders of photos and masks");
        }
        keep
    });
    let (masks, photos) = places
        .into_iter()
        .partition(|place| place.role == Some(Role::Mask));
    join(photos, masks, skipped_files).map(Some)
}

/// What the folders and the name of a file say; the innermost folder counts.
pub(super) fn place(file: &ImageFile) -> Place {
    let (folders, name) = file.key().rsplit_once('/').unwrap_or(("", file.key()));
    let mut place = Place {
        split: None,
        role: None,
        id: String::new(),
        file: file.clone(),
    };
    let mut kept = Vec::new();
    for folder in folders.split('/').rev().filter(|folder| !folder.is_empty()) {
        let lower = folder.to_lowercase();
        let split = SplitName::parse(folder);
        if place.role.is_none() && PHOTOS.contains(&lower.as_str()) {
            place.role = Some(Role::Photo);
        } else if place.role.is_none() && MASKS.contains(&lower.as_str()) {
            place.role = Some(Role::Mask);
        } else if place.split.is_none() && split.is_some() {
            place.split = split;
        } else {
            kept.push(folder);
        }
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if place.role.is_none() && without_suffix(stem).is_some() {
        place.role = Some(Role::Mask);
    }
    kept.reverse();
    kept.push(stem);
    place.id = kept.join("/");
    place
}

pub(super) fn without_suffix(stem: &str) -> Option<&str> {
    let end = |suffix: &&str| {
        let cut = stem.len().checked_sub(suffix.len())?;
        let (start, end) = (stem.get(..cut)?, stem.get(cut..)?);
        (end.eq_ignore_ascii_case(suffix) && !start.is_empty()).then_some(start)
    };
    SUFFIXES.iter().find_map(end)
}

fn join(
    mut photos: Vec<Place>,
    mut masks: Vec<Place>,
    skipped_files: &mut SkippedFiles,
) -> Result<Vec<Paired>, SegmentationError> {
    if names_are_enough(&photos) && names_are_enough(&masks) {
        for place in photos.iter_mut().chain(&mut masks) {
            place.id = last(&place.id).to_owned();
        }
    }
    let masks = by_id(masks)?;
    let mut used: HashSet<&(Option<SplitName>, String)> = HashSet::new();
    let (mut pairs, mut lacking) = (Vec::new(), Vec::new());
    let with_masks: HashSet<Option<SplitName>> = masks.keys().map(|(split, _)| *split).collect();
    for ((split, id), photo) in by_id(photos)? {
        let keys = [(split, id.clone()), (None, id)];
        if let Some((key, mask)) = keys.iter().find_map(|key| masks.get_key_value(key)) {
            used.insert(key);
            let mask = mask.file.clone();
            let photo = photo.file;
            pairs.push(Paired { photo, mask, split });
        } else if !with_masks.contains(&split) && !with_masks.contains(&None) {
            skipped_files.add("photo of a split without masks");
        } else {
            lacking.push(photo.file);
        }
    }
    for _ in used.len()..masks.len() {
        skipped_files.add("mask without a photo");
    }
    match lacking.first() {
        Some(photo) => Err(SegmentationError::NoMask {
            photo: photo.path().to_owned(),
            stem: stem_of(photo),
            count: lacking.len(),
            photos: lacking.len() + pairs.len(),
        }),
        None => Ok(pairs),
    }
}

fn stem_of(file: &ImageFile) -> String {
    let stem = Path::new(file.key()).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

pub(super) fn last(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, name)| name)
}

/// Whether no two files of a split have one name, so that their folders do not matter.
fn names_are_enough(places: &[Place]) -> bool {
    let mut names = HashSet::new();
    places
        .iter()
        .all(|place| names.insert((place.split, last(&place.id))))
}

/// The files by split and name; the suffix of a mask is no part of its name.
fn by_id(
    places: Vec<Place>,
) -> Result<BTreeMap<(Option<SplitName>, String), Place>, SegmentationError> {
    let mut found: BTreeMap<(Option<SplitName>, String), Place> = BTreeMap::new();
    for place in places {
        let suffix = (place.role == Some(Role::Mask)).then(|| without_suffix(&place.id));
        let id = suffix.flatten().unwrap_or(&place.id).to_owned();
        let first = place.file.path().to_owned();
        if let Some(other) = found.insert((place.split, id), place) {
            return Err(SegmentationError::Twice {
                first: other.file.path().to_owned(),
                second: first,
            });
        }
    }
    Ok(found)
}
