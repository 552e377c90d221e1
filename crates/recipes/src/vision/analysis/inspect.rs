//! Statistics and problems of a data set of images.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::count_duplicates;
use tinderbox_datasets::detection::{self, DetectionError, DetectionSet};
use tinderbox_datasets::image::{
    FolderReport, MaskLayout, MaskSearch, SplitReport, animated_note, dark_16_bit_note,
    inspect as inspect_folder, is_idx_folder,
};
use tinderbox_datasets::landmarks::landmark_format;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{Overview, SplitOverview};
use tinderbox_train::{Section, TaskError, TaskRecipe as _};

use super::{inspect_boxes, inspect_landmarks, inspect_masks};
use crate::vision::classify::InferredRecipe;
use crate::vision::data::{DataError, open};

/// How many times as many images as the smallest class the largest may have without a warning.
const IMBALANCE: usize = 10;

/// Images that a class should have at least.
const FEW: usize = 20;

/// Most classes that are listed.
const MAX_LISTED: usize = 100;

/// Statistics and problems of a data set.
pub struct Inspection {
    /// For people.
    pub overview: Overview,
    /// The same as data.
    pub details: Map<String, Value>,
}

/// Inspects a folder, an archive, a table of paths, IDX files, photos with masks, images with landmarks, or images
/// with boxes in Pascal VOC, COCO or YOLO.
///
/// # Errors
///
/// If the data cannot be read.
pub fn inspect(data: &Path) -> Result<Inspection, TaskError> {
    let mut without_boxes = None;
    if data.is_dir() {
        match detection::read(data) {
            Ok(set) if is_unannotated(data, &set) => without_boxes = Some(set),
            Ok(set) => return Ok(inspect_boxes::inspect(data, set)),
            Err(DetectionError::NoLabels { .. }) => {}
            Err(error) => return Err(TaskError::user(error)),
        }
    }
    let MaskSearch {
        layout,
        passed_over,
    } = MaskLayout::search(data);
    if layout.is_some() {
        return inspect_masks::inspect(data);
    }
    if landmark_format(data).is_some() {
        return inspect_landmarks::inspect(data);
    }
    let report = if is_idx_folder(data) {
        idx_report(data)
    } else {
        inspect_folder(data).map_err(|error| DataError::Folder(error).into())
    };
    if let Some(set) = without_boxes
        && !report.as_ref().is_ok_and(has_classes)
    {
        return Ok(inspect_boxes::inspect(data, set));
    }
    let mut report = report?;
    report.notes.extend(passed_over);
    let warnings = warnings(&report);
    let details = details(data, &report, &warnings);
    Ok(Inspection {
        overview: overview(data, &report, warnings),
        details,
    })
}

/// Whether the labels are COCO files without annotations, which may also describe the images of class folders.
fn is_unannotated(data: &Path, set: &DetectionSet) -> bool {
    let has_boxes = set.images.iter().any(|image| !image.objects.is_empty());
    !has_boxes && detection::label_format(data).is_none()
}

fn has_classes(report: &FolderReport) -> bool {
    let first = report.splits.first();
    first.is_some_and(|split| split.classes.len() > 1)
}

/// IDX files in the form of a folder: all images are of one size and none can be damaged.
fn idx_report(path: &Path) -> Result<FolderReport, TaskError> {
    let mut recipe = InferredRecipe::of(path)?.recipe;
    if let Some(slot) = recipe.data_path() {
        *slot = path.to_string_lossy().into_owned();
    }
    let data = open(&recipe.data)?;
    let [height, width, _] = data.shape();
    let split = |name: &str| -> Option<SplitReport> {
        let split = data.named(name)?;
        let rows: Vec<usize> = split.range.clone().collect();
        Some(SplitReport {
            name: name.to_owned(),
            source: split.source.clone(),
            classes: data.class_counts(&rows),
            images: rows.len(),
        })
    };
    let total = data.labels.len();
    Ok(FolderReport {
        splits: ["train", "valid", "test"]
            .into_iter()
            .filter_map(split)
            .collect(),
        formats: [("IDX".to_owned(), total)].into(),
        sizes: [((height, width), total)].into(),
        duplicates: count_duplicates(&data.contents),
        skipped_files: data.skipped_files,
        notes: data.notes,
        ..FolderReport::default()
    })
}

fn overview(data: &Path, report: &FolderReport, warnings: Vec<String>) -> Overview {
    let total: usize = report.splits.iter().map(|split| split.images).sum();
    let splits = report.splits.iter().map(|split| SplitOverview {
        name: split.name.clone(),
        count: split.images,
        source: split.source.clone(),
        classes: Vec::new(),
    });
    let formats = report.formats.iter();
    let formats: Vec<String> = formats
        .map(|(format, count)| format!("{format} {}", thousands(*count)))
        .collect();
    let mut sections: Vec<Section> = class_table(report).into_iter().collect();
    sections.push(Section::text(format!("formats: {}", formats.join(", "))));
    sections.push(Section::text(format!(
        "sizes (height x width): {}",
        sizes(report)
    )));
    sections.extend(aspect_ratios(report).map(Section::text));
    for (title, other, pairs) in [
        ("Duplicates (first pairs)", "copy", &report.duplicate_pairs),
        (
            "Near duplicates (first pairs)",
            "looks like",
            &report.near_pairs,
        ),
    ] {
        if !pairs.is_empty() {
            let head = vec!["image".to_owned(), other.to_owned()];
            let rows = pairs.iter().map(|pair| pair.to_vec());
            let rows = std::iter::once(head).chain(rows).collect();
            sections.push(Section::table(title, rows));
        }
    }
    let mut notes = report.notes.clone();
    if !report.skipped_files.is_empty() {
        notes.push(report.skipped_files.to_string());
    }
    Overview {
        summary: format!("{}: {}", data.display(), count(total, "image", "images")),
        splits: splits.collect(),
        notes,
        warnings,
        sections,
        ..Overview::default()
    }
}

fn details(data: &Path, report: &FolderReport, warnings: &[String]) -> Map<String, Value> {
    let sizes = report.sizes.iter();
    let sizes: Vec<Value> = sizes
        .map(
            |((height, width), images)| json!({"height": height, "width": width, "images": images}),
        )
        .collect();
    let splits = report.splits.iter().map(|split| {
        let classes = split.classes.iter();
        let classes: Map<String, Value> = classes
            .map(|(class, count)| (class.clone(), json!(count)))
            .collect();
        json!({"name": split.name, "source": split.source, "images": split.images, "classes": classes})
    });
    let details = json!({
        "data": data,
        "splits": splits.collect::<Vec<_>>(),
        "formats": report.formats,
        "sizes": sizes,
        "damaged": report.damaged,
        "duplicates": report.duplicates,
        "duplicate_pairs": report.duplicate_pairs,
        "valid_overlap": report.valid_overlap,
        "test_overlap": report.test_overlap,
        "near_duplicates": report.near_duplicates,
        "near_overlap": report.near_overlap,
        "near_pairs": report.near_pairs,
        "conflicting_labels": report.conflicting_labels,
        "dark_16_bit": report.dark_16_bit,
        "animated": report.animated,
        "skipped_files": report.skipped_files.counts(),
        "warnings": warnings,
    });
    match details {
        Value::Object(details) => details,
        _ => Map::new(),
    }
}

/// The images of each class in each split.
fn class_table(report: &FolderReport) -> Option<Section> {
    let names: BTreeSet<&String> = report
        .splits
        .iter()
        .flat_map(|split| split.classes.iter().map(|(class, _)| class))
        .collect();
    if names.len() > MAX_LISTED {
        return None;
    }
    let head = std::iter::once("class".to_owned());
    let head = head.chain(report.splits.iter().map(|split| split.name.clone()));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for name in names {
        let counts = report.splits.iter().map(|split| {
            let own = split.classes.iter().find(|(class, _)| class == name);
            thousands(own.map_or(0, |(_, count)| *count))
        });
        rows.push(std::iter::once(name.clone()).chain(counts).collect());
    }
    Some(Section::table("", rows))
}

pub(super) fn sizes(report: &FolderReport) -> String {
    let mut sizes: Vec<_> = report.sizes.iter().collect();
    sizes.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    if let [((height, width), _)] = sizes[..] {
        return format!("all {height}x{width}");
    }
    let side = |of: &dyn Fn(&(usize, usize)) -> usize| {
        let sides = report.sizes.keys().map(of);
        (sides.clone().min().unwrap_or(0), sides.max().unwrap_or(0))
    };
    let (heights, widths) = (side(&|size| size.0), side(&|size| size.1));
    let common = sizes.iter().take(3);
    let common: Vec<String> = common
        .map(|((height, width), count)| format!("{height}x{width} ({})", thousands(**count)))
        .collect();
    format!(
        "{}x{} to {}x{}, most often {}",
        heights.0,
        widths.0,
        heights.1,
        widths.1,
        common.join(", ")
    )
}

/// Range and median of width / height, if images differ in it.
pub(super) fn aspect_ratios(report: &FolderReport) -> Option<String> {
    let ratio = |&(height, width): &(usize, usize)| width as f64 / height.max(1) as f64;
    let mut ratios: Vec<(f64, usize)> = report
        .sizes
        .iter()
        .map(|(size, count)| (ratio(size), *count))
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (ratios.first()?.0, ratios.last()?.0);
    let total: usize = ratios.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let median = ratios.iter().find(|(_, count)| {
        before += count;
        2 * before >= total
    })?;
    (least < most).then(|| {
        format!(
            "aspect ratios (width / height): {least:.2} to {most:.2}, median {:.2}",
            median.0
        )
    })
}

/// What may spoil a training.
fn warnings(report: &FolderReport) -> Vec<String> {
    let mut warnings = Vec::new();
    if let [first, ..] = &report.damaged[..] {
        warnings.push(match report.damaged.len() {
            1 => format!("1 image is damaged (`data.skip_broken=true` leaves it out): {first}"),
            images => format!(
                "{} images are damaged (`data.skip_broken=true` leaves them out); the first: {first}",
                thousands(images)
            ),
        });
    }
    if report.duplicates > 0 {
        warnings.push(format!(
            "{} of another image; `train` keeps duplicates in one split",
            count(
                report.duplicates,
                "image is a duplicate",
                "images are duplicates"
            )
        ));
    }
    if report.test_overlap > 0 {
        warnings.push(format!(
            "{} in the training split: the test score is too good",
            count(
                report.test_overlap,
                "test image also occurs",
                "test images also occur"
            )
        ));
    }
    if report.valid_overlap > 0 {
        warnings.push(format!(
            "{} in the training split: the validation score is too good",
            count(
                report.valid_overlap,
                "validation image also occurs",
                "validation images also occur"
            )
        ));
    }
    if report.near_overlap > 0 {
        warnings.push(format!(
            "{} the same and in different splits",
            count(
                report.near_overlap,
                "pair of images looks",
                "pairs of images look"
            )
        ));
    } else if let Some(pairs @ 1..) = report.near_duplicates {
        warnings.push(format!(
            "{} the same, though the files differ",
            count(pairs, "pair of images looks", "pairs of images look")
        ));
    }
    warnings.extend(dark_16_bit_note(report.dark_16_bit));
    warnings.extend(animated_note(report.animated));
    if report.conflicting_labels > 0 {
        warnings.push(format!(
            "{} in several classes",
            count(report.conflicting_labels, "image occurs", "images occur")
        ));
    }
    let train = report.splits.first();
    let counts = train.map(|split| &split.classes[..]).unwrap_or_default();
    let smallest = counts.iter().min_by_key(|(_, count)| *count);
    let largest = counts.iter().max_by_key(|(_, count)| *count);
    if let (Some((small, few)), Some((large, many))) = (smallest, largest) {
        if *many >= IMBALANCE * (*few).max(1) {
            warnings.push(format!(
                "imbalanced classes: `{large}` has {} images and `{small}` {}",
                thousands(*many),
                thousands(*few)
            ));
        }
        let small = counts.iter().filter(|(_, count)| *count < FEW).count();
        if small > 0 {
            warnings.push(format!(
                "{} fewer than {FEW} images",
                count(small, "class has", "classes have")
            ));
        }
    }
    warnings
}

pub(super) fn count(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(count),
        if count == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    #[test]
    fn a_coco_file_without_annotations_is_named_unless_there_are_class_folders() {
        let list = r#"{"images": [{"id": 7, "file_name": "1.png"}], "categories": [{"id": 1, "name": "a"}]}"#;
        let inspected = |names: [&str; 2]| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("info.json"), list).unwrap();
            for (at, name) in names.into_iter().enumerate() {
                let path = dir.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let color = image::Rgb([50 * at as u8; 3]);
                RgbImage::from_pixel(4, 4, color).save(path).unwrap();
            }
            (inspect(dir.path()).unwrap(), dir)
        };
        let (classes, dir) = inspected(["cat/1.png", "dog/2.png"]);
        assert_eq!(
            classes.details["splits"][0]["classes"],
            json!({"cat": 1, "dog": 1})
        );
        let inferred = InferredRecipe::of(dir.path()).unwrap();
        assert_eq!(inferred.recipe.name, "image-folder");
        for names in [["1.png", "2.png"], ["images/1.png", "images/2.png"]] {
            let (boxes, _dir) = inspected(names);
            let summary = &boxes.overview.summary;
            assert!(summary.ends_with("COCO JSON"), "{summary}");
            let warnings = boxes.overview.warnings.join("\n");
            assert!(warnings.contains("without annotations"), "{warnings}");
        }
    }

    #[test]
    fn class_folders_count_more_than_a_pair_of_photo_and_mask() {
        let dir = tempfile::tempdir().unwrap();
        for (at, name) in [
            "region/images/1.png",
            "region/masks/1.png",
            "train/a/2.png",
            "train/b/3.png",
            "test/a/4.png",
        ]
        .into_iter()
        .enumerate()
        {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let color = image::Rgb([50 * at as u8; 3]);
            RgbImage::from_pixel(4, 4, color).save(path).unwrap();
        }
        let overview = inspect(dir.path()).unwrap().overview;
        assert!(overview.summary.ends_with(": 3 images"));
        let notes = overview.notes.join("\n");
        assert!(
            notes.contains("1 photo with a mask (`region/images/1.png`)")
                && notes.contains("in `region/`, which is not a split"),
            "{notes}"
        );
    }
}
