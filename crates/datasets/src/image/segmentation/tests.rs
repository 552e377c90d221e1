use image::{GrayImage, Luma, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::image::IGNORE;

fn options() -> SegmentationOptions {
    SegmentationOptions {
        decode: DecodeOptions::new(4, 4, 3),
        values: MaskValues::Auto,
        skip_broken: false,
    }
}

fn open(dir: &TempDir) -> Result<SegmentationSplits, SegmentationError> {
    SegmentationFolder::open_splits(dir.path(), &options(), None)
}

fn error(dir: &TempDir, classes: Option<&[&str]>) -> String {
    let classes = classes.map(|names| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    });
    let result = SegmentationFolder::open_splits(dir.path(), &options(), classes.as_deref());
    let text = result.unwrap_err().to_string();
    text.replace(&format!("{}/", dir.path().display()), "")
}

fn put(dir: &TempDir, name: &str) -> std::path::PathBuf {
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

fn photo(dir: &TempDir, name: &str, [width, height]: [u32; 2]) {
    let path = put(dir, name);
    let pixels = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
    let picture = RgbImage::from_raw(width, height, pixels).unwrap();
    picture
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

/// A mask whose left half has a value, and the other half another.
fn mask(dir: &TempDir, name: &str, [width, height]: [u32; 2], values: [u8; 2]) {
    let value = |x, _| Luma([values[usize::from(2 * x >= width)]]);
    let picture = GrayImage::from_fn(width, height, value);
    picture.save(put(dir, name)).unwrap();
}

fn keys(folder: &SegmentationFolder) -> Vec<&str> {
    folder.keys().collect()
}

#[test]
fn photos_and_masks_are_paired_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["2", "10"] {
        photo(&dir, &format!("Training_Images/{name}.jpg"), [8, 6]);
        mask(&dir, &format!("Ground_Truth/{name}.png"), [8, 6], [0, 255]);
    }
    mask(&dir, "Ground_Truth/3.png", [8, 6], [0, 255]);
    photo(&dir, "cover.png", [8, 6]);
    put(&dir, "masks/.DS_Store");
    std::fs::write(put(&dir, "notes.txt"), "text").unwrap();
    let splits = open(&dir).unwrap();
    assert_eq!(
        keys(&splits.train),
        ["Training_Images/10.jpg", "Training_Images/2.jpg"]
    );
    assert_eq!(splits.train.class_names(), ["background", "foreground"]);
    assert_eq!(splits.values, MaskValues::Threshold);
    let skipped = splits.skipped_files.to_string();
    assert_eq!(
        skipped,
        "3 files skipped: 1 mask without a photo, 1 not an image (.txt), \
         1 outside of the folders of photos and masks"
    );
    let sample = splits.train.get(0).unwrap();
    assert_eq!(sample.target.classes, [0, 0, 1, 1].repeat(4));
    let full = splits.train.full(0).unwrap();
    assert_eq!((full.image.height, full.target.width), (6, 8));
    let contents = splits.train.contents();
    assert_eq!(contents[0], contents[1], "both photos have the same pixels");
}

#[test]
fn splits_are_around_or_inside_the_folders_and_suffixes_work_too() {
    for names in [
        [
            "train/image/1",
            "train/label/1",
            "test/image/1",
            "test/label/1",
        ],
        [
            "images/train/1",
            "masks/train/1",
            "images/val/2",
            "masks/val/2",
        ],
        [
            "Images/Training/1",
            "SegmentationClass/1",
            "Images/test/2",
            "SegmentationClass/2",
        ],
        ["train/1", "train/1_mask", "test/1", "test/1_MASK"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        for pair in names.chunks(2) {
            photo(&dir, &format!("{}.png", pair[0]), [4, 4]);
            mask(&dir, &format!("{}.png", pair[1]), [4, 4], [0, 1]);
        }
        let splits = open(&dir).unwrap();
        let other = splits.valid.or(splits.test);
        assert_eq!(
            (splits.train.len(), other.map(|split| split.len())),
            (1, Some(1)),
            "{names:?}"
        );
    }
}

#[test]
fn a_smaller_mask_of_the_same_shape_is_scaled_and_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    photo(&dir, "images/a.png", [100, 50]);
    mask(&dir, "masks/a.png", [50, 25], [0, 255]);
    let splits = open(&dir).unwrap();
    assert_eq!(splits.scaled, 1);
    let full = splits.train.full(0).unwrap().target;
    assert_eq!((full.height, full.width), (50, 100));
    assert_eq!((full.classes[49], full.classes[50]), (0, 1));
    photo(&dir, "images/b.png", [100, 50]);
    mask(&dir, "masks/b.png", [50, 50], [0, 255]);
    assert_eq!(
        error(&dir, None),
        "mask and photo of different size: `images/b.png` is 100 x 50 pixels and `masks/b.png` is 50 x 50 \
         (width x height); only a mask of the same aspect ratio is scaled"
    );
}

#[test]
fn a_photo_without_a_mask_and_empty_masks_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    photo(&dir, "images/a.png", [4, 4]);
    photo(&dir, "images/b.png", [4, 4]);
    mask(&dir, "masks/a.png", [4, 4], [0, 0]);
    assert_eq!(
        error(&dir, None),
        "the photo `images/b.png` has no mask (1 of 2 have none); expected a mask of the same name, as in \
         `masks/b.png`"
    );
    mask(&dir, "masks/b.png", [4, 4], [0, 0]);
    assert!(error(&dir, None).starts_with("all 2 masks of"));
    photo(&dir, "images/b.jpg", [4, 4]);
    assert!(error(&dir, None).contains("have the same name"));
    let empty = tempfile::tempdir().unwrap();
    photo(&empty, "a.png", [4, 4]);
    assert!(error(&empty, None).contains("has no photos with masks"));
}

#[test]
fn an_unknown_class_is_refused_and_the_largest_value_is_not_labeled() {
    let dir = tempfile::tempdir().unwrap();
    photo(&dir, "images/a.png", [4, 4]);
    mask(&dir, "masks/a.png", [4, 4], [2, 255]);
    assert_eq!(
        error(&dir, Some(&["sky", "road"])),
        "the mask `masks/a.png` has class 2, and the recipe has only 2 classes (0 sky, 1 road)"
    );
    let splits = open(&dir).unwrap();
    assert_eq!(splits.train.class_names(), ["background", "1", "2"]);
    let classes = splits.train.get(0).unwrap().target.classes;
    assert_eq!(classes[..4], [2, 2, IGNORE, IGNORE]);
    assert!(
        splits.notes[0].contains("not labeled"),
        "{:?}",
        splits.notes
    );
}

#[test]
fn damaged_files_are_an_error_or_skipped() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        photo(&dir, &format!("images/{name}.png"), [4, 4]);
        mask(&dir, &format!("masks/{name}.png"), [4, 4], [0, 255]);
    }
    let path = dir.path().join("masks/b.png");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    assert!(error(&dir, None).contains("masks/b.png"));
    let skip = SegmentationOptions {
        skip_broken: true,
        ..options()
    };
    let splits = SegmentationFolder::open_splits(dir.path(), &skip, None).unwrap();
    assert_eq!(splits.train.len(), 1);
    assert_eq!(splits.skipped_files.counts()["damaged"], 1);
}

fn coco(dir: &TempDir, segmentation: &str, crowd: u8) {
    let json = format!(
        r#"{{"images": [{{"id": 7, "file_name": "a.png", "height": 3, "width": 4}}],
            "categories": [{{"id": 3, "name": "car"}}, {{"id": 1, "name": "person"}}],
            "annotations": [{{"id": 1, "image_id": 7, "category_id": 3, "iscrowd": {crowd},
                              "segmentation": {segmentation}}}]}}"#
    );
    std::fs::write(put(dir, "annotations/instances_train2017.json"), json).unwrap();
    photo(dir, "train2017/a.png", [4, 3]);
}

#[test]
fn annotations_of_coco_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    // Drawn by pycocotools; all three are one rectangle.
    for outline in [
        "[[1, 0, 3, 0, 3, 2, 1, 2]]",
        r#"{"size": [3, 4], "counts": [3, 2, 1, 2, 4]}"#,
        r#"{"size": [3, 4], "counts": "32103"}"#,
    ] {
        coco(&dir, outline, 0);
        let splits = open(&dir).unwrap();
        assert_eq!(splits.train.class_names(), ["background", "person", "car"]);
        let full = splits.train.full(0).unwrap().target;
        assert_eq!(
            full.classes,
            [0, 2, 2, 0, 0, 2, 2, 0, 0, 0, 0, 0],
            "{outline}"
        );
    }
    coco(&dir, r#"{"size": [3, 4], "counts": [3, 2, 1, 2, 4]}"#, 1);
    assert!(error(&dir, None).starts_with("all 1 masks"));
    coco(&dir, "[[1, 0, 3, 0, 3, 2, 1, 2]]", 0);
    assert!(
        error(&dir, Some(&["background", "dog"])).contains("no category `dog`, only person, car")
    );
    let names = ["background".to_owned(), "car".to_owned()];
    let splits = SegmentationFolder::open_splits(dir.path(), &options(), Some(&names)).unwrap();
    assert_eq!(splits.train.full(0).unwrap().target.present(), [0, 1]);
    coco(&dir, r#"{"size": [3, 4], "counts": [3, 2]}"#, 0);
    assert!(error(&dir, None).contains("do not add up to 12 pixels"));
    coco(&dir, "[[1, 0, 3]]", 0);
    assert!(error(&dir, None).contains("a polygon of 3 numbers"));
}
