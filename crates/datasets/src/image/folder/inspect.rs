//! Statistics of a data set of images, damaged ones included.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use image::DynamicImage;

use super::listing::ImageFile;
use super::near::{Thumbnail, find_pairs};
use super::splits::{Part, find_parts};
use super::{FolderError, with_cause};
use crate::content::content_hash;
use crate::files::{SkippedFiles, SplitName};
use crate::image::animated::is_animated;
use crate::image::decode::decode_picture;
use crate::image::{ImageError, MAX_PIXELS, check_bytes, fit, format_name};
use crate::parallel::parallel_map;

/// Most pairs that are named.
const MAX_PAIRS: usize = 10;

/// Largest value of a camera of 12 bits.
const MAX_12_BITS: u16 = 4095;

/// A split of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitReport {
    /// Its name, as in `train`; `all` where the data has no splits.
    pub name: String,
    /// Where its images are from, as in `Training/`; empty for all.
    pub source: String,
    /// Number of good images.
    pub images: usize,
    /// Classes with the number of their good images.
    pub classes: Vec<(String, usize)>,
}

/// What [`inspect`] finds.
#[derive(Clone, Debug, Default)]
pub struct FolderReport {
    /// The splits, that for training first.
    pub splits: Vec<SplitReport>,
    /// Number of images by format.
    pub formats: BTreeMap<String, usize>,
    /// Number of images by height and width, in pixels.
    pub sizes: BTreeMap<(usize, usize), usize>,
    /// What is wrong with each damaged image.
    pub damaged: Vec<String>,
    /// Images that duplicate another one.
    pub duplicates: usize,
    /// The first of them, each with the image before it, those of different splits first.
    pub duplicate_pairs: Vec<[String; 2]>,
    /// Images of the validation split that are also in the training split.
    pub valid_overlap: usize,
    /// Images of the test split that are also in the training or validation split.
    pub test_overlap: usize,
    /// Pairs of images that differ, but look the same when they are small; none if there are too many
    /// images to compare.
    pub near_duplicates: Option<usize>,
    /// Those of them that are in different splits.
    pub near_overlap: usize,
    /// The first pairs, those of different splits first.
    pub near_pairs: Vec<[String; 2]>,
    /// Different images that occur in more than one class.
    pub conflicting_labels: usize,
    /// Images that store 16 bits per value, none of which needs more than 12: they are read as nearly black.
    pub dark_16_bit: usize,
    /// Animations, of which the first frame is read.
    pub animated: usize,
    /// Files that are not used.
    pub skipped_files: SkippedFiles,
    /// Further notes for the user.
    pub notes: Vec<String>,
}

/// A good image.
struct Facts {
    format: &'static str,
    size: (usize, usize),
    content: u64,
    thumbnail: Thumbnail,
    is_dark_16_bit: bool,
    is_animated: bool,
}

/// A good image with its place.
struct Good {
    /// Position of its split.
    split: usize,
    key: String,
    class: String,
    content: u64,
    thumbnail: Thumbnail,
}

fn facts(file: &ImageFile) -> Result<Facts, ImageError> {
    let bytes = file.bytes()?;
    let size = check_bytes(&bytes, file.path(), MAX_PIXELS)?;
    let picture = decode_picture(&bytes, file.path(), MAX_PIXELS)?;
    let is_dark_16_bit = is_dark_16_bit(&picture);
    let small = fit::fit(picture, &Thumbnail::options());
    Ok(Facts {
        format: format_name(&bytes).unwrap_or("unknown"),
        size,
        content: content_hash(&bytes),
        thumbnail: Thumbnail::new(&small),
        is_dark_16_bit,
        is_animated: is_animated(&bytes),
    })
}

/// Whether an image of 16 bits uses at most 12 of them; a black one is black however it is read.
pub(super) fn is_dark_16_bit(picture: &DynamicImage) -> bool {
    let values: &[u16] = match picture {
        DynamicImage::ImageLuma16(picture) => picture.as_raw(),
        DynamicImage::ImageRgb16(picture) => picture.as_raw(),
        // Values of 8 bits, and with transparency: no camera writes it.
        _ => return false,
    };
    let largest = values.iter().max().copied().unwrap_or_default();
    (1..=MAX_12_BITS).contains(&largest)
}

/// A line about images of 16 bits that use at most 12, if there are any.
pub fn dark_16_bit_note(count: usize) -> Option<String> {
    let images = match count {
        0 => return None,
        1 => "1 image is".to_owned(),
        _ => format!("{count} images are"),
    };
    Some(format!(
        "{images} stored with 16 bits but without a value above 4,095, as cameras of 12 bits write them: \
         `train` and `predict` see almost black; multiply the values by 16"
    ))
}

/// Reads and decodes all images of a folder, an archive or a table of paths, and counts what there is.
///
/// # Errors
///
/// If the path cannot be read, or has no class folders with images.
pub fn inspect(path: &Path) -> Result<FolderReport, FolderError> {
    let mut parts = find_parts(path, None)?;
    let mut report = FolderReport {
        skipped_files: std::mem::take(&mut parts.skipped_files),
        notes: std::mem::take(&mut parts.notes),
        ..FolderReport::default()
    };
    let mut images = Vec::new();
    let named = [
        (SplitName::Train, Some(parts.train)),
        (SplitName::Valid, parts.valid),
        (SplitName::Test, parts.test),
    ];
    for (at, (split, part)) in named.into_iter().enumerate() {
        let Some(part) = part else { continue };
        let source = parts.sources.iter().find(|(name, _)| *name == split);
        let name = source.map_or("all", |_| split.as_str());
        let source = source.map_or(String::new(), |(_, source)| source.clone());
        images.extend(report.add(at, name, source, &part));
    }
    let found = report.splits.first().map_or(0, |split| split.classes.len());
    if found == 0 {
        return Err(FolderError::Classes {
            dir: path.to_owned(),
            found,
            skipped_files: report.skipped_files,
        });
    }
    report.compare(&images);
    report.compare_looks(&images);
    Ok(report)
}

/// The first pairs by name, those of different splits first.
fn named_pairs(images: &[Good], mut pairs: Vec<[usize; 2]>) -> Vec<[String; 2]> {
    pairs.sort_by_key(|[a, b]| images[*a].split == images[*b].split);
    pairs.truncate(MAX_PAIRS);
    let named = |pair: [usize; 2]| pair.map(|at| images[at].key.clone());
    pairs.into_iter().map(named).collect()
}

impl FolderReport {
    /// Counts images of the same content.
    fn compare(&mut self, images: &[Good]) {
        let mut first: HashMap<u64, usize> = HashMap::new();
        let mut classes: HashMap<u64, BTreeSet<&str>> = HashMap::new();
        let mut pairs = Vec::new();
        for (at, image) in images.iter().enumerate() {
            classes
                .entry(image.content)
                .or_default()
                .insert(&image.class);
            let before = *first.entry(image.content).or_insert(at);
            if before != at {
                pairs.push([before, at]);
            }
        }
        let overlap = |split: usize| {
            let own = pairs.iter().filter(|[_, at]| images[*at].split == split);
            own.filter(|[before, _]| images[*before].split < split)
                .count()
        };
        (self.valid_overlap, self.test_overlap) = (overlap(1), overlap(2));
        self.duplicates = pairs.len();
        self.conflicting_labels = classes.values().filter(|classes| classes.len() > 1).count();
        self.duplicate_pairs = named_pairs(images, pairs);
    }

    /// Counts pairs that look the same.
    fn compare_looks(&mut self, images: &[Good]) {
        let mut seen = HashSet::new();
        // A copy looks like whatever its original looks like.
        let different: Vec<usize> = (0..images.len())
            .filter(|&at| seen.insert(images[at].content))
            .collect();
        let thumbnails: Vec<&Thumbnail> =
            different.iter().map(|&at| &images[at].thumbnail).collect();
        let Some(pairs) = find_pairs(&thumbnails) else {
            return;
        };
        let pairs: Vec<[usize; 2]> = pairs
            .into_iter()
            .map(|pair| pair.map(|at| different[at]))
            .collect();
        self.near_duplicates = Some(pairs.len());
        self.near_overlap = pairs
            .iter()
            .filter(|[a, b]| images[*a].split != images[*b].split)
            .count();
        self.near_pairs = named_pairs(images, pairs);
    }

    /// Adds a split, and gives its good images.
    fn add(&mut self, split: usize, name: &str, source: String, part: &Part) -> Vec<Good> {
        let results = parallel_map(&part.items, |(file, _)| facts(file));
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        let mut good = Vec::new();
        for ((file, class), result) in part.items.iter().zip(results) {
            let count = counts.entry(class).or_default();
            match result {
                Ok(facts) => {
                    *count += 1;
                    *self.formats.entry(facts.format.to_owned()).or_default() += 1;
                    *self.sizes.entry(facts.size).or_default() += 1;
                    self.dark_16_bit += usize::from(facts.is_dark_16_bit);
                    self.animated += usize::from(facts.is_animated);
                    good.push(Good {
                        split,
                        key: file.key.clone(),
                        class: class.clone(),
                        content: facts.content,
                        thumbnail: facts.thumbnail,
                    });
                }
                Err(error) => self.damaged.push(with_cause(&error)),
            }
        }
        self.splits.push(SplitReport {
            name: name.to_owned(),
            source,
            images: good.len(),
            classes: counts
                .into_iter()
                .map(|(class, count)| (class.clone(), count))
                .collect(),
        });
        good
    }
}
