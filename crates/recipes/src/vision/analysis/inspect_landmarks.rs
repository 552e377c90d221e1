//! Statistics and problems of images with landmarks.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::count_duplicates;
use tinderbox_datasets::image::FolderReport;
use tinderbox_datasets::landmarks::{BadPoints, LandmarkError, LandmarkFolder, LandmarkOptions};
use tinderbox_train::task::{Noun, Overview, SplitOverview};
use tinderbox_train::{Section, TaskError};

use super::inspect::{Inspection, count, sizes};

/// Inspects images with landmarks.
///
/// # Errors
///
/// If no face can be used.
pub(super) fn inspect(data: &Path) -> Result<Inspection, TaskError> {
    let (folder, mut warnings) = match open(data, BadPoints::Refuse) {
        // Bad faces stop `train`; here they are a warning.
        Err(error @ LandmarkError::BadFace { .. }) => {
            let folder = open(data, BadPoints::Clip).map_err(TaskError::user)?;
            (folder, vec![error.to_string()])
        }
        other => (other.map_err(TaskError::user)?, Vec::new()),
    };
    let faces = folder.faces();
    // An image may have several faces.
    let images: BTreeMap<&Path, ([usize; 2], u64)> = faces
        .iter()
        .map(|face| (face.path.as_path(), (face.size, face.content)))
        .collect();
    let mut report = FolderReport::default();
    for ([height, width], _) in images.values() {
        *report.sizes.entry((*height, *width)).or_default() += 1;
    }
    let contents: Vec<u64> = images.values().map(|(_, content)| *content).collect();
    report.duplicates = count_duplicates(&contents);
    let overlap = overlap(&folder);
    for (images, one, many) in [
        (
            report.duplicates,
            "image is a duplicate of another one; `train` keeps duplicates in one split",
            "images are duplicates of others; `train` keeps duplicates in one split",
        ),
        (
            overlap,
            "image of the validation or test split also occurs in the training split: the score is too good",
            "images of the validation or test split also occur in the training split: the score is too good",
        ),
    ] {
        if images > 0 {
            warnings.push(count(images, one, many));
        }
    }
    let splits = splits(&folder);
    let parts = splits
        .iter()
        .map(|split| json!({"name": split.name, "source": split.source, "faces": split.count}));
    let by_size = report.sizes.iter().map(
        |((height, width), images)| json!({"height": height, "width": width, "images": images}),
    );
    let details = json!({
        "data": data,
        "format": folder.format().name(),
        "points": folder.points(),
        "faces": faces.len(),
        "images": images.len(),
        "splits": parts.collect::<Vec<_>>(),
        "sizes": by_size.collect::<Vec<_>>(),
        "duplicates": report.duplicates,
        "overlap": overlap,
        "notes": folder.notes(),
        "warnings": warnings,
    });
    let details = match details {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    let summary = format!(
        "{}: {} with {} each in {}, {}",
        data.display(),
        count(faces.len(), "face", "faces"),
        count(folder.points(), "landmark", "landmarks"),
        count(images.len(), "image", "images"),
        folder.format().name(),
    );
    let sizes = format!("sizes (height x width): {}", sizes(&report));
    let overview = Overview {
        summary,
        splits,
        item: Some(Noun("face", "faces")),
        notes: folder.notes().to_vec(),
        warnings,
        sections: vec![Section::text(sizes)],
        ..Overview::default()
    };
    Ok(Inspection { overview, details })
}

fn open(data: &Path, bad_points: BadPoints) -> Result<LandmarkFolder, LandmarkError> {
    let options = LandmarkOptions {
        bad_points,
        channels: 3,
        points: 0,
    };
    LandmarkFolder::open(data, &options)
}

/// The splits that the data name.
fn splits(folder: &LandmarkFolder) -> Vec<SplitOverview> {
    let names = ["train", "valid", "test"].into_iter().zip(folder.splits());
    let splits = names.filter_map(|(name, split)| {
        let split = split.as_ref()?;
        Some(SplitOverview {
            name: name.to_owned(),
            count: split.rows.len(),
            source: split.source.clone(),
            ..SplitOverview::default()
        })
    });
    splits.collect()
}

/// Different images of the validation and test split that are also in the training split.
fn overlap(folder: &LandmarkFolder) -> usize {
    let contents = |at: usize| -> HashSet<u64> {
        let split = folder.splits()[at].as_ref();
        let faces = split.map_or(&[][..], |split| &folder.faces()[split.rows.clone()]);
        faces.iter().map(|face| face.content).collect()
    };
    let [train, valid, test] = [0, 1, 2].map(contents);
    valid
        .union(&test)
        .filter(|content| train.contains(*content))
        .count()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::GrayImage;

    use super::super::inspect::inspect;

    #[test]
    fn faces_are_counted_and_bad_ones_are_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        for (name, value) in [("a.png", 1), ("b.png", 1), ("c.png", 2)] {
            let image = GrayImage::from_pixel(8, 6, image::Luma([value]));
            image.save(dir.path().join(name)).unwrap();
        }
        let write = |name: &str, rows: &str| fs::write(dir.path().join(name), rows).unwrap();
        write("train.csv", "a.png,1,2,3,4\nc.png,1,2,3,5\n");
        write("test.csv", "b.png,1,2,3,4\n");
        let found = inspect(dir.path()).unwrap();
        let (details, overview) = (found.details, found.overview);
        let expected = "3 faces with 2 landmarks each in 3 images, CSV";
        assert!(overview.summary.ends_with(expected), "{}", overview.summary);
        assert_eq!(details["splits"][1]["faces"], 1);
        assert_eq!(details["sizes"][0]["width"], 8);
        assert_eq!(
            (&details["duplicates"], &details["overlap"]),
            (&1.into(), &1.into())
        );
        assert_eq!(overview.warnings.len(), 2, "{:?}", overview.warnings);
        write("test.csv", "b.png,1,2,30,4\n");
        let warnings = inspect(dir.path()).unwrap().overview.warnings;
        assert!(
            warnings[0].contains("test.csv:1`: point 1 (from 0) at 30 4 is outside"),
            "{warnings:?}"
        );
    }
}
