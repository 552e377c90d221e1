//! Opening a data set of photos with masks: finding, pairing and checking its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{MaskFacts, check_classes, class_names, decide};
use super::coco::Coco;
use super::layout::{Paired, pair};
use super::{
    Pair, SegmentationError, SegmentationFolder, SegmentationOptions, SegmentationSplits, Target,
};
use crate::content::content_hash;
use crate::files::{SkippedFiles, SplitName, file_name, walk};
use crate::image::folder::Listing;
use crate::image::{
    FolderError, ImageFile, MaskValues, check_bytes, is_archive, oriented_size, read_file,
    read_mask,
};
use crate::parallel::parallel_map;

/// Largest difference of the aspect ratios of a photo and its mask, as a fraction.
const ASPECT_TOLERANCE: f64 = 0.02;

/// A photo with its mask, before its files were read.
struct Found {
    photo: ImageFile,
    target: Target,
    split: Option<SplitName>,
}

/// What was found, and notes for the user.
#[derive(Default)]
struct Findings {
    pairs: Vec<Found>,
    classes: Option<Vec<String>>,
    skipped_files: SkippedFiles,
    notes: Vec<String>,
}

pub(super) fn open_splits(
    path: &Path,
    options: &SegmentationOptions,
    classes: Option<&[String]>,
) -> Result<SegmentationSplits, SegmentationError> {
    options.decode.validate()?;
    let mut findings = find(path, classes)?;
    let splits = splits_of(&mut findings)?;
    let limit = options.decode.max_pixels;
    let results = parallel_map(&findings.pairs, |found| read_pair(found, limit));
    let (mut pairs, mut masks) = (Vec::new(), Vec::new());
    for ((result, found), split) in results.into_iter().zip(findings.pairs).zip(splits) {
        match result {
            Ok((size, content, facts)) => {
                masks.push(facts);
                let Found { photo, target, .. } = found;
                pairs.push((
                    split,
                    Pair {
                        photo,
                        target,
                        size,
                        content,
                    },
                ));
            }
            Err(error) if options.skip_broken && error.is_damage() => {
                findings.skipped_files.add("damaged");
            }
            Err(error) => return Err(error),
        }
    }
    if pairs.is_empty() {
        return Err(SegmentationError::NoPairs {
            path: path.to_owned(),
        });
    }
    let classes = classes.map(<[String]>::to_vec).or(findings.classes);
    let values = match options.values {
        MaskValues::Auto => decide(&masks, classes.as_ref().map(Vec::len), &mut findings.notes)?,
        values => values,
    };
    let classes = classes.unwrap_or_else(|| class_names(&masks, values));
    check_classes(&masks, values, &classes)?;
    check_empty(path, &masks, values, &mut findings.notes)?;
    let scaled = count_scaled(&pairs, &masks, &mut findings.notes);
    let mut by_split: BTreeMap<SplitName, Vec<Pair>> = BTreeMap::new();
    for (split, pair) in pairs {
        by_split.entry(split).or_default().push(pair);
    }
    let mut folder = |split| {
        by_split.remove(&split).map(|pairs| SegmentationFolder {
            decode: options.decode.clone(),
            values,
            class_names: classes.clone(),
            pairs,
        })
    };
    let no_pairs = || SegmentationError::NoPairs {
        path: path.to_owned(),
    };
    Ok(SegmentationSplits {
        train: folder(SplitName::Train).ok_or_else(no_pairs)?,
        valid: folder(SplitName::Valid),
        test: folder(SplitName::Test),
        values,
        scaled,
        skipped_files: findings.skipped_files,
        notes: findings.notes,
    })
}

fn find(path: &Path, classes: Option<&[String]>) -> Result<Findings, SegmentationError> {
    let mut listing = if path.is_dir() {
        Listing::of_folder(path)?.skip_tables()?
    } else if path.is_file() && is_archive(path) {
        Listing::of_archive(path)?.skip_tables()?
    } else {
        return Err(SegmentationError::NoPairs {
            path: path.to_owned(),
        });
    };
    let mut findings = Findings {
        skipped_files: std::mem::take(&mut listing.skipped_files),
        ..Findings::default()
    };
    let annotations = if path.is_dir() {
        annotations(path)?
    } else {
        Vec::new()
    };
    if let Some(pairs) = pair(&listing, &mut findings.skipped_files)? {
        let found = |Paired { photo, mask, split }| Found {
            photo,
            target: Target::File(mask),
            split,
        };
        findings.pairs = pairs.into_iter().map(found).collect();
    } else {
        draw(path, &annotations, &listing.files, classes, &mut findings)?;
    }
    Ok(findings)
}

/// The JSON files of annotations: those of objects if there are other ones, such as captions.
pub(super) fn annotations(path: &Path) -> Result<Vec<PathBuf>, SegmentationError> {
    let mut files = walk(path).map_err(FolderError::from)?;
    files.retain(|file| {
        let name = file_name(file).to_lowercase();
        let folder = file.parent().map(file_name).unwrap_or_default();
        let coco = folder.eq_ignore_ascii_case("annotations") || name.contains("coco");
        coco && file
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("json"))
    });
    let is_objects = |file: &PathBuf| file_name(file).starts_with("instances");
    if files.iter().any(is_objects) {
        files.retain(is_objects);
    }
    Ok(files)
}

/// Finds the images that annotations name.
fn draw(
    path: &Path,
    annotations: &[PathBuf],
    images: &[ImageFile],
    classes: Option<&[String]>,
    findings: &mut Findings,
) -> Result<(), SegmentationError> {
    let mut used = 0;
    for json in annotations {
        let coco = Coco::read(
            &read_file(json)?,
            json,
            classes.or(findings.classes.as_deref()),
        )?;
        let split = split_of_json(json.strip_prefix(path).unwrap_or(json));
        for (name, objects) in coco.objects {
            let end = format!("/{name}");
            let named = |file: &&ImageFile| file.key() == name || file.key().ends_with(&end);
            let mut named = images.iter().filter(named);
            // The same name may be in several splits.
            let same_split = |file: &ImageFile| {
                file.key()
                    .split('/')
                    .any(|part| SplitName::parse(part) == split && split.is_some())
            };
            let photo = named
                .clone()
                .find(|file| same_split(file))
                .or_else(|| named.next());
            let Some(photo) = photo else {
                let reason = format!("there is no image `{name}` in `{}`", path.display());
                return Err(SegmentationError::annotations(json, reason));
            };
            used += 1;
            findings.pairs.push(Found {
                photo: photo.clone(),
                target: Target::Objects {
                    objects: Arc::new(objects),
                    path: json.clone(),
                },
                split,
            });
        }
        for (count, what) in [
            (coco.crowds, "crowds are not labeled"),
            (
                coco.without_outline,
                "objects have no outline and are left out",
            ),
        ] {
            if count > 0 {
                findings
                    .notes
                    .push(format!("`{}`: {count} {what}", file_name(json)));
            }
        }
        findings.classes = Some(coco.classes);
    }
    if findings.pairs.is_empty() {
        return Err(SegmentationError::NoPairs {
            path: path.to_owned(),
        });
    }
    for _ in used..images.len() {
        findings.skipped_files.add("not named in the annotations");
    }
    Ok(())
}

/// The split that the name or a folder of annotations says, as in `instances_val2017.json`.
fn split_of_json(path: &Path) -> Option<SplitName> {
    SplitName::of_words(&path.to_string_lossy())
}

/// The split of every pair: training where there is no training split.
fn splits_of(findings: &mut Findings) -> Result<Vec<SplitName>, SegmentationError> {
    let pairs = &findings.pairs;
    if pairs
        .iter()
        .all(|pair| pair.split != Some(SplitName::Train))
    {
        return Ok(vec![SplitName::Train; pairs.len()]);
    }
    let other = pairs.iter().find(|pair| pair.split.is_none());
    let split = pairs.iter().find(|pair| pair.split.is_some());
    match (split, other) {
        (Some(split), Some(other)) => Err(SegmentationError::MixedLayouts {
            split: split.photo.path().to_owned(),
            other: other.photo.path().to_owned(),
        }),
        _ => Ok(pairs.iter().filter_map(|pair| pair.split).collect()),
    }
}

type PairFacts = ((usize, usize), u64, MaskFacts);

/// Checks the photo's header and reads the whole mask.
fn read_pair(found: &Found, limit: u64) -> Result<PairFacts, SegmentationError> {
    let photo = &found.photo;
    let bytes = photo.bytes()?;
    check_bytes(&bytes, photo.path(), limit)?;
    let size = oriented_size(&bytes, photo.path(), limit)?;
    let facts = match &found.target {
        Target::File(file) => {
            let raw = read_mask(&file.bytes()?, file.path(), limit)?;
            MaskFacts::of_file(file.path(), &raw)
        }
        Target::Objects { objects, path } => {
            let mask = objects
                .mask()
                .map_err(|reason| SegmentationError::annotations(path, reason))?;
            MaskFacts {
                path: photo.path().to_owned(),
                size: objects.size(),
                values: mask.present(),
                largest: u16::MAX,
                source: None,
            }
        }
    };
    let aspect = |(height, width): (usize, usize)| width as f64 / height as f64;
    let ratio = aspect(facts.size) / aspect(size);
    if facts.size != size && (ratio - 1.0).abs() > ASPECT_TOLERANCE {
        return Err(SegmentationError::Size {
            photo: photo.path().to_owned(),
            photo_size: size,
            mask: facts.path,
            mask_size: facts.size,
        });
    }
    Ok((size, content_hash(&bytes), facts))
}

fn check_empty(
    path: &Path,
    masks: &[MaskFacts],
    values: MaskValues,
    notes: &mut Vec<String>,
) -> Result<(), SegmentationError> {
    let is_empty = |mask: &&MaskFacts| mask.classes(values).iter().all(|&class| class == 0);
    let empty = masks.iter().filter(is_empty).count();
    if empty == masks.len() {
        return Err(SegmentationError::AllEmpty {
            path: path.to_owned(),
            masks: masks.len(),
        });
    }
    if empty > 0 {
        notes.push(format!("{empty} of {} masks are empty", masks.len()));
    }
    Ok(())
}

fn count_scaled(
    pairs: &[(SplitName, Pair)],
    masks: &[MaskFacts],
    notes: &mut Vec<String>,
) -> usize {
    let differs = |((_, pair), mask): &(&(SplitName, Pair), &MaskFacts)| pair.size != mask.size;
    let scaled = pairs.iter().zip(masks).filter(differs).count();
    if scaled > 0 {
        notes.push(format!(
            "{scaled} of {} masks have another size than their photo and are scaled to it",
            masks.len()
        ));
    }
    scaled
}
