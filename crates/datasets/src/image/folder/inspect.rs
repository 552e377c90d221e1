//! Statistics of a data set of images, damaged ones included.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::listing::ImageFile;
use super::splits::{Part, find_parts};
use super::{FolderError, with_cause};
use crate::content::content_hash;
use crate::files::{SkippedFiles, SplitName};
use crate::image::{DecodeOptions, ImageError, MAX_PIXELS, check_bytes, decode_bytes, format_name};
use crate::parallel::parallel_map;

/// Side that images are decoded to, which is only to see whether they can be.
const SIDE: usize = 8;

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
    /// Images of the test split that are also in the training or validation split.
    pub test_overlap: usize,
    /// Different images that occur in more than one class.
    pub conflicting_labels: usize,
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
}

fn facts(file: &ImageFile) -> Result<Facts, ImageError> {
    let bytes = file.bytes()?;
    let size = check_bytes(&bytes, file.path(), MAX_PIXELS)?;
    decode_bytes(&bytes, file.path(), &DecodeOptions::new(SIDE, SIDE, 3))?;
    Ok(Facts {
        format: format_name(&bytes).unwrap_or("unknown"),
        size,
        content: content_hash(&bytes),
    })
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
    let mut classes_of: HashMap<u64, BTreeSet<String>> = HashMap::new();
    let mut contents: [Vec<u64>; 3] = Default::default();
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
        let own = report.add(name, source, &part);
        for (content, class) in &own {
            classes_of
                .entry(*content)
                .or_default()
                .insert(class.clone());
        }
        contents[at] = own.into_iter().map(|(content, _)| content).collect();
    }
    let found = report.splits.first().map_or(0, |split| split.classes.len());
    if found == 0 {
        return Err(FolderError::Classes {
            dir: path.to_owned(),
            found,
            skipped_files: report.skipped_files,
        });
    }
    let [train, valid, test] = contents;
    let known: HashSet<&u64> = train.iter().chain(&valid).collect();
    report.test_overlap = test
        .iter()
        .filter(|content| known.contains(content))
        .count();
    report.duplicates = train.len() + valid.len() + test.len() - classes_of.len();
    report.conflicting_labels = classes_of
        .values()
        .filter(|classes| classes.len() > 1)
        .count();
    Ok(report)
}

impl FolderReport {
    /// Adds a split, and gives the content and class of its good images.
    fn add(&mut self, name: &str, source: String, part: &Part) -> Vec<(u64, String)> {
        let results = parallel_map(&part.items, |(file, _)| facts(file));
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        let mut good = Vec::new();
        for ((_, class), result) in part.items.iter().zip(results) {
            let count = counts.entry(class).or_default();
            match result {
                Ok(facts) => {
                    *count += 1;
                    *self.formats.entry(facts.format.to_owned()).or_default() += 1;
                    *self.sizes.entry(facts.size).or_default() += 1;
                    good.push((facts.content, class.clone()));
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
