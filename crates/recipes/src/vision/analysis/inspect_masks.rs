//! Statistics and problems of a data set of photos with masks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::image::{
    DecodeOptions, FolderReport, IGNORE, MaskValues, SegmentationError, SegmentationFolder,
    SegmentationOptions, SegmentationSplits, SplitReport,
};
use tinderbox_datasets::parallel_map;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{Overview, SplitOverview};
use tinderbox_train::{Section, TaskError};

use super::inspect::{Inspection, aspect_ratios, sizes};

/// Most pairs of copies that are named.
const MAX_PAIRS: usize = 10;

/// A class in the masks.
#[derive(Clone, Debug, Default)]
struct ClassArea {
    /// Photos in which it occurs.
    photos: usize,
    pixels: u64,
}

/// What was counted.
struct Counts {
    classes: Vec<(String, ClassArea)>,
    report: FolderReport,
    /// Photos with an equal one in another split.
    across: usize,
}

/// Inspects photos with masks.
///
/// # Errors
///
/// If photos and masks cannot be read, or do not fit each other.
pub(super) fn inspect(data: &Path) -> Result<Inspection, TaskError> {
    let options = SegmentationOptions {
        // Masks are counted in their own size.
        decode: DecodeOptions::new(64, 64, 3),
        values: MaskValues::Auto,
        skip_broken: true,
    };
    let splits = SegmentationFolder::open_splits(data, &options, None);
    let splits = &splits.map_err(TaskError::user)?;
    let named = [
        ("train", Some(&splits.train)),
        ("valid", splits.valid.as_ref()),
        ("test", splits.test.as_ref()),
    ];
    let has_splits = splits.valid.is_some() || splits.test.is_some();
    let mut counts = Counts::new(splits.train.class_names());
    let mut first: HashMap<u64, (usize, String)> = HashMap::new();
    for (at, (name, folder)) in named.into_iter().enumerate() {
        let Some(folder) = folder else { continue };
        counts.add_masks(folder)?;
        counts.add_copies(at, folder, &mut first);
        counts.report.splits.push(SplitReport {
            name: if has_splits { name } else { "all" }.to_owned(),
            source: String::new(),
            images: folder.contents().len(),
            classes: Vec::new(),
        });
    }
    let warnings = counts.warnings();
    Ok(Inspection {
        details: counts.details(data, splits, &warnings),
        overview: counts.overview(data, splits, warnings),
    })
}

impl Counts {
    fn new(classes: &[String]) -> Self {
        let classes = classes.iter().cloned();
        Self {
            classes: classes.map(|class| (class, ClassArea::default())).collect(),
            report: FolderReport::default(),
            across: 0,
        }
    }

    fn add_masks(&mut self, folder: &SegmentationFolder) -> Result<(), TaskError> {
        let rows: Vec<usize> = (0..folder.contents().len()).collect();
        let areas = parallel_map(&rows, |&row| {
            let mut pixels: BTreeMap<u16, u64> = BTreeMap::new();
            for &class in &folder.mask(row)?.classes {
                *pixels.entry(class).or_default() += 1;
            }
            Ok(pixels)
        });
        for (row, pixels) in areas.into_iter().enumerate() {
            *self.report.sizes.entry(folder.full_size(row)).or_default() += 1;
            for (class, count) in
                pixels.map_err(|error: SegmentationError| TaskError::user(error))?
            {
                if class == IGNORE {
                    continue;
                }
                if let Some((_, area)) = self.classes.get_mut(usize::from(class)) {
                    area.photos += 1;
                    area.pixels += count;
                }
            }
        }
        Ok(())
    }

    fn add_copies(
        &mut self,
        split: usize,
        folder: &SegmentationFolder,
        first: &mut HashMap<u64, (usize, String)>,
    ) {
        for (content, key) in folder.contents().into_iter().zip(folder.keys()) {
            let Some((other, before)) = first.get(&content) else {
                first.insert(content, (split, key.to_owned()));
                continue;
            };
            self.report.duplicates += 1;
            self.across += usize::from(*other != split);
            if self.report.duplicate_pairs.len() < MAX_PAIRS {
                let pair = [before.clone(), key.to_owned()];
                self.report.duplicate_pairs.push(pair);
            }
        }
    }

    fn warnings(&self) -> Vec<String> {
        let (copies, across) = (self.report.duplicates, self.across);
        let mut warnings = Vec::new();
        if copies > 0 {
            let photos = if copies == 1 {
                "photo is a duplicate"
            } else {
                "photos are duplicates"
            };
            warnings.push(format!("{} {photos} of another one", thousands(copies)));
        }
        if across > 0 {
            let photos = if across == 1 {
                "of these is"
            } else {
                "of these are"
            };
            warnings.push(format!(
                "{} {photos} in different splits: the test score is too good",
                thousands(across)
            ));
        }
        warnings
    }

    /// Share of the labeled pixels.
    fn share(&self, area: &ClassArea) -> f64 {
        let total: u64 = self.classes.iter().map(|(_, area)| area.pixels).sum();
        area.pixels as f64 / total.max(1) as f64
    }

    fn class_table(&self) -> Section {
        let head = ["class", "photos", "pixels"].map(str::to_owned).to_vec();
        // Annotations name many classes that a subset of the photos lacks.
        let present = self.classes.iter().filter(|(_, area)| area.photos > 0);
        let rows = present.map(|(class, area)| {
            let share = format!("{:.1}%", 100.0 * self.share(area));
            vec![class.clone(), thousands(area.photos), share]
        });
        Section::table("", std::iter::once(head).chain(rows).collect())
    }

    fn overview(
        &self,
        data: &Path,
        splits: &SegmentationSplits,
        warnings: Vec<String>,
    ) -> Overview {
        let report = &self.report;
        let mut sections = vec![self.class_table()];
        let sizes = format!("sizes (height x width): {}", sizes(report));
        sections.push(Section::text(sizes));
        sections.extend(aspect_ratios(report).map(Section::text));
        if !report.duplicate_pairs.is_empty() {
            let head = ["photo", "copy"].map(str::to_owned).to_vec();
            let rows = report.duplicate_pairs.iter().map(|pair| pair.to_vec());
            let rows = std::iter::once(head).chain(rows).collect();
            sections.push(Section::table("Duplicates (first pairs)", rows));
        }
        let total: usize = report.splits.iter().map(|split| split.images).sum();
        let mut notes = splits.notes.clone();
        if !splits.skipped_files.is_empty() {
            notes.push(splits.skipped_files.to_string());
        }
        let split = |split: &SplitReport| SplitOverview {
            name: split.name.clone(),
            count: split.images,
            ..SplitOverview::default()
        };
        Overview {
            summary: match total {
                1 => format!("{}: 1 photo with its mask", data.display()),
                total => format!("{}: {} photos with masks", data.display(), thousands(total)),
            },
            splits: report.splits.iter().map(split).collect(),
            notes,
            warnings,
            sections,
            ..Overview::default()
        }
    }

    fn details(
        &self,
        data: &Path,
        splits: &SegmentationSplits,
        warnings: &[String],
    ) -> Map<String, Value> {
        let classes: Map<String, Value> = self
            .classes
            .iter()
            .map(|(class, area)| {
                let value = json!({"images": area.photos, "pixels": self.share(area)});
                (class.clone(), value)
            })
            .collect();
        let sizes = self.report.sizes.iter().map(
            |((height, width), images)| json!({"height": height, "width": width, "images": images}),
        );
        let parts = self.report.splits.iter();
        let parts = parts.map(|split| json!({"name": split.name, "images": split.images}));
        let details = json!({
            "data": data,
            "splits": parts.collect::<Vec<_>>(),
            "classes": classes,
            "sizes": sizes.collect::<Vec<_>>(),
            "scaled_masks": splits.scaled,
            "duplicates": self.report.duplicates,
            "duplicate_pairs": self.report.duplicate_pairs,
            "overlap": self.across,
            "notes": splits.notes,
            "skipped_files": splits.skipped_files.counts(),
            "warnings": warnings,
        });
        match details {
            Value::Object(details) => details,
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, RgbImage};

    use super::super::inspect::inspect;

    #[test]
    fn photos_with_masks_are_no_classes() {
        let dir = tempfile::tempdir().unwrap();
        let [photos, masks] = ["images", "masks"].map(|name| dir.path().join(name));
        std::fs::create_dir_all(&photos).unwrap();
        std::fs::create_dir_all(&masks).unwrap();
        for name in ["a.png", "b.png"] {
            RgbImage::new(8, 4).save(photos.join(name)).unwrap();
            let mask = GrayImage::from_fn(8, 4, |x, _| Luma([if x < 2 { 255 } else { 0 }]));
            mask.save(masks.join(name)).unwrap();
        }
        let found = inspect(dir.path()).unwrap();
        assert!(found.overview.summary.ends_with("2 photos with masks"));
        assert_eq!(found.details["classes"]["foreground"]["pixels"], 0.25);
        assert_eq!(found.details["classes"]["foreground"]["images"], 2);
        assert_eq!(found.details["duplicates"], 1);
        assert_eq!(
            found.overview.warnings,
            ["1 photo is a duplicate of another one"]
        );
        // A photo without a mask.
        RgbImage::new(8, 4).save(photos.join("c.png")).unwrap();
        let error = inspect(dir.path()).err().unwrap().to_string();
        assert!(error.contains("c.png` has no mask"), "{error}");
    }
}
