//! Boxes around landmarks, to learn where the objects are that have them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{AnnotatedImage, Annotation, DetectionSet, LabelFormat};
use crate::image::bounds_of;
use crate::landmarks::{LandmarkFace, LandmarkFolder};

impl DetectionSet {
    /// A box around the points of each face, of a class with this name. `format` is that of the labels which
    /// will be written.
    pub fn around_points(folder: &LandmarkFolder, class: &str, format: LabelFormat) -> Self {
        let splits = ["train", "valid", "test"].into_iter().zip(folder.splits());
        let splits: Vec<_> = splits
            .filter_map(|(name, split)| Some((name, split.as_ref()?)))
            .collect();
        let mut images: BTreeMap<&Path, AnnotatedImage> = BTreeMap::new();
        for (row, face) in folder.faces().iter().enumerate() {
            let image = images.entry(&face.path).or_insert_with(|| {
                let mut own = splits.iter();
                let own = own.find(|(_, split)| split.rows.contains(&row));
                unlabeled(face, own.map(|(name, split)| (*name, &*split.source)))
            });
            image.objects.push(Annotation {
                bounds: bounds_of(&face.points).map(f64::from),
                class: 0,
                difficult: false,
                crowd: false,
                place: face.place.clone(),
            });
        }
        Self {
            format,
            classes: vec![class.to_owned()],
            images: images.into_values().collect(),
            problems: Vec::new(),
            notes: folder.notes().to_vec(),
        }
    }
}

/// The image of a face, without its box.
fn unlabeled(face: &LandmarkFace, split: Option<(&'static str, &str)>) -> AnnotatedImage {
    let (split, source) = split.unwrap_or_default();
    AnnotatedImage {
        path: face.path.clone(),
        height: face.size[0],
        width: face.size[1],
        oriented: face.size,
        labeled: Some(face.size),
        split,
        split_source: source.to_owned(),
        is_labeled: true,
        is_mismatched: false,
        objects: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use tempfile::tempdir;

    use super::*;
    use crate::detection;
    use crate::landmarks::{BadPoints, LandmarkOptions};

    #[test]
    fn boxes_around_points_are_read_again_with_their_splits() {
        let dir = tempdir().unwrap();
        let (input, output) = (dir.path().join("in"), dir.path().join("out"));
        for split in ["training", "test"] {
            std::fs::create_dir_all(input.join(split)).unwrap();
            let image = RgbImage::new(20, 10);
            image.save(input.join(split).join("a.png")).unwrap();
            let csv = "image,0,1,2,3,4,5\na.png,3,2.5,9,4,6,8\na.png,1,1,2,2,1,3\n";
            std::fs::write(input.join(format!("{split}.csv")), csv).unwrap();
        }
        let options = LandmarkOptions {
            bad_points: BadPoints::Refuse,
            channels: 3,
            points: 0,
        };
        let folder = LandmarkFolder::open(&input, &options).unwrap();
        let set = DetectionSet::around_points(&folder, "face", LabelFormat::Coco);
        detection::write(&set, LabelFormat::Coco, &output).unwrap();
        let read = detection::read(&output).unwrap();
        assert_eq!(
            (&read.classes[..], &read.problems[..]),
            (&["face".to_owned()][..], &[][..])
        );
        let splits: Vec<&str> = read.images.iter().map(|image| image.split).collect();
        assert_eq!(splits, ["test", "train"]);
        for image in &read.images {
            let boxes: Vec<[f64; 4]> = image.objects.iter().map(|object| object.bounds).collect();
            assert_eq!(boxes, [[3.0, 2.5, 9.0, 8.0], [1.0, 1.0, 2.0, 3.0]]);
        }
    }
}
