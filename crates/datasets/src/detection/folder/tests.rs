//! Each kind of bad label, and what is kept.

mod layouts;

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::detection::tests::{folder, voc};

fn open(dir: &TempDir, bad_boxes: BadBoxes) -> Result<DetectionFolder, DetectionFolderError> {
    let options = DetectionOptions {
        bad_boxes,
        ..DetectionOptions::default()
    };
    DetectionFolder::open(dir.path(), &options)
}

/// The message of a data set that is refused, without its folder.
fn refused(dir: &TempDir) -> String {
    let error = open(dir, BadBoxes::Refuse).unwrap_err().to_string();
    error.replace(&format!("{}/", dir.path().display()), "")
}

fn usable(dir: &TempDir, bad_boxes: BadBoxes) -> (Vec<Vec<[f32; 4]>>, String) {
    let folder = open(dir, bad_boxes).unwrap();
    let boxes = (0..folder.len()).map(|row| edges(&folder, row)).collect();
    (boxes, folder.notes().join("\n"))
}

fn edges(folder: &DetectionFolder, row: usize) -> Vec<[f32; 4]> {
    let objects = folder.objects(row).iter().map(|object| object.bounds);
    objects
        .map(|b| [b.x_min, b.y_min, b.x_max, b.y_max])
        .collect()
}

const GOOD: &str = "0 0.5 0.5 0.5 0.5\n";

#[test]
fn a_box_outside_the_image_is_refused_clipped_or_dropped() {
    let label = voc(
        "a.png",
        [100, 80],
        &[
            ("dog", ["10", "10", "130", "40"]),
            ("cat", ["1", "2", "30", "40"]),
            ("cat", ["101", "2", "130", "40"]),
        ],
    );
    let dir = folder(&[("a.png", ""), ("a.xml", &label)]);
    let error = refused(&dir);
    assert!(
        error.starts_with("`a.xml:4`: the box 10.0, 10.0 to 130.0, 40.0 in 100 x 80 pixels reaches outside of the image (and 1 more problem)"),
        "{error}"
    );
    assert!(
        error.contains("--set data.bad_boxes=clip") && error.contains("vision inspect --data"),
        "{error}"
    );
    let (boxes, notes) = usable(&dir, BadBoxes::Clip);
    assert_eq!(
        boxes,
        [vec![[10.0, 10.0, 100.0, 40.0], [1.0, 2.0, 30.0, 40.0]]]
    );
    assert!(
        notes.contains("1 box is clipped")
            && notes.contains("boxes outside the image: 1 (the first: `"),
        "{notes}"
    );
    let (boxes, notes) = usable(&dir, BadBoxes::Drop);
    assert_eq!(boxes, [vec![[1.0, 2.0, 30.0, 40.0]]]);
    assert!(notes.contains("boxes outside the image: 2"), "{notes}");
}

#[test]
fn an_empty_box_is_refused_or_dropped() {
    let dir = folder(&[
        ("a.png", ""),
        ("a.txt", &format!("{GOOD}\n0 0.5 0.5 0 0.5\n")),
    ]);
    let error = refused(&dir);
    assert!(
        error.starts_with("`a.txt:3`: the box 50.0, 20.0 to 50.0, 60.0 is empty; list all"),
        "{error}"
    );
    let (boxes, notes) = usable(&dir, BadBoxes::Clip);
    assert_eq!(boxes, [vec![[25.0, 20.0, 75.0, 60.0]]]);
    assert!(notes.contains("empty boxes: 1"), "{notes}");
}

#[test]
fn stray_clicks_duplicates_and_missing_sizes_are_never_refused() {
    let cat = ("cat", ["1", "2", "30", "40"]);
    let label = voc("a.png", [0, 0], &[cat, ("cat", ["5", "5", "5", "5"]), cat]);
    let dir = folder(&[("a.png", ""), ("a.xml", &label)]);
    let (boxes, notes) = usable(&dir, BadBoxes::Refuse);
    assert_eq!(boxes, [vec![[1.0, 2.0, 30.0, 40.0]]]);
    assert!(
        notes.contains("1 box of a single point is left out")
            && notes.contains("1 duplicate box is used once"),
        "{notes}"
    );
}

#[test]
fn an_unknown_class_is_refused_or_dropped() {
    let names = ("data.yaml", "names: [dog, cat]");
    let label = format!("{GOOD}2 0.5 0.5 0.1 0.1\n");
    let dir = folder(&[("a.png", ""), ("a.txt", &label), names]);
    let error = refused(&dir);
    assert!(
        error.starts_with("`a.txt:2`: unknown class: class 2, and there are 2 names"),
        "{error}"
    );
    let (boxes, notes) = usable(&dir, BadBoxes::Drop);
    assert_eq!(boxes[0].len(), 1);
    assert!(notes.contains("boxes of unknown classes: 1"), "{notes}");
}

#[test]
fn given_classes_are_matched_by_name_and_others_are_unknown() {
    let (dog, cat) = (["1", "2", "30", "40"], ["3", "4", "30", "40"]);
    let label = voc("a.png", [100, 80], &[("dog", dog), ("cat", cat)]);
    let dir = folder(&[("a.png", ""), ("a.xml", &label)]);
    let with = |classes: &[&str]| {
        let options = DetectionOptions {
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            ..DetectionOptions::default()
        };
        DetectionFolder::open(dir.path(), &options)
    };
    let folder = with(&["dog", "bird", "cat"]).unwrap();
    let classes: Vec<u16> = folder.objects(0).iter().map(|o| o.bounds.class).collect();
    assert_eq!(classes, [0, 2]);
    let error = with(&["cat"]).unwrap_err().to_string();
    assert!(
        error.contains("a.xml:4`: unknown class: class `dog` is not one of the classes cat"),
        "{error}"
    );
}

#[test]
fn a_number_that_is_not_finite_is_refused_or_dropped() {
    let dir = folder(&[
        ("a.png", ""),
        ("a.txt", &format!("{GOOD}0 nan 0.5 0.1 0.1\n")),
    ]);
    let error = refused(&dir);
    assert!(
        error.starts_with("`a.txt:2`: `nan` is not a number"),
        "{error}"
    );
    let (boxes, notes) = usable(&dir, BadBoxes::Drop);
    assert_eq!(boxes[0].len(), 1);
    assert!(notes.contains("damaged labels: 1"), "{notes}");
}

#[test]
fn coco_ids_that_do_not_match_are_refused_or_dropped() {
    let json = |image: u32, category: u32| {
        format!(
            r#"{{"images": [{{"id": 7, "file_name": "a.png"}}, {{"id": 8, "file_name": "b.png"}}],
            "categories": [{{"id": 3, "name": "dog"}}],
            "annotations": [{{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20]}},
            {{"id": 2, "image_id": {image}, "category_id": {category}, "bbox": [1, 2, 10, 30]}}]}}"#
        )
    };
    let dir = |image, category| {
        let json = json(image, category);
        folder(&[
            ("a.png", ""),
            ("b.png", ""),
            ("c.png", ""),
            ("labels.json", &json),
        ])
    };
    let error = refused(&dir(9, 3));
    assert!(
        error.starts_with("`labels.json, annotation 2`: labels without an image: image 9"),
        "{error}"
    );
    let error = refused(&dir(7, 4));
    assert!(
        error.starts_with("`labels.json, annotation 2`: unknown class: category 4"),
        "{error}"
    );
    let (boxes, notes) = usable(&dir(9, 4), BadBoxes::Drop);
    // `b.png` is listed without objects, `c.png` is not listed.
    assert_eq!(boxes, [vec![[1.0, 2.0, 11.0, 22.0]], vec![]]);
    assert!(
        notes.contains("1 image has no box and is a negative")
            && notes.contains("1 image not listed in the labels is left out"),
        "{notes}"
    );
}

#[test]
fn labels_of_another_image_or_size_are_refused_or_left_out_with_their_image() {
    let good = voc("b.png", [100, 80], &[("cat", ["1", "2", "30", "40"])]);
    for (label, message) in [
        (
            voc("z.png", [100, 80], &[("cat", ["1", "2", "30", "40"])]),
            "`a.xml`: labels of another image: it names `z.png`",
        ),
        (
            voc("a.png", [50, 40], &[("cat", ["1", "2", "30", "40"])]),
            "`a.xml`: labels of another image size: 50 x 40 in the labels, the image is 100 x 80",
        ),
    ] {
        let dir = folder(&[
            ("a.png", ""),
            ("a.xml", &label),
            ("b.png", ""),
            ("b.xml", &good),
        ]);
        let error = refused(&dir);
        assert!(error.starts_with(message), "{error}");
        let folder = open(&dir, BadBoxes::Drop).unwrap();
        assert_eq!((folder.len(), folder.path(0).ends_with("b.png")), (1, true));
        let notes = folder.notes().join("\n");
        assert!(
            notes.contains("1 images with labels of another image or size"),
            "{notes}"
        );
    }
}

#[test]
fn a_label_file_without_image_is_refused_or_skipped() {
    for layout in [
        ["a.png", "a.txt", "b.txt"],
        ["images/a.png", "labels/a.txt", "labels/b.txt"],
    ] {
        let [image, label, other] = layout;
        let dir = folder(&[(image, ""), (label, GOOD), (other, GOOD)]);
        let error = refused(&dir);
        let expected = format!("`{other}`: labels without an image: no image `b`");
        assert!(error.starts_with(&expected), "{error}");
        let (boxes, notes) = usable(&dir, BadBoxes::Drop);
        assert_eq!(boxes.len(), 1);
        assert!(notes.contains("labels without an image: 1"), "{notes}");
    }
}

#[test]
fn two_label_files_for_one_image_are_refused_or_the_first_is_used() {
    let label = |left: &str| voc("a.png", [100, 80], &[("cat", [left, "2", "30", "40"])]);
    let dir = folder(&[
        ("a.png", ""),
        ("one/a.xml", &label("1")),
        ("two/a.xml", &label("2")),
    ]);
    let error = refused(&dir);
    assert!(
        error.starts_with("`two/a.xml`: a second label file for `"),
        "{error}"
    );
    let (boxes, _) = usable(&dir, BadBoxes::Drop);
    assert_eq!(boxes, [vec![[1.0, 2.0, 30.0, 40.0]]]);
}

#[test]
fn a_data_set_without_images_labels_or_boxes_is_refused() {
    assert!(refused(&folder(&[])).contains("has no labels of boxes"));
    let none = voc("a.png", [100, 80], &[]);
    let error = refused(&folder(&[("a.png", ""), ("a.xml", &none)]));
    assert!(
        error.contains("has no boxes: none of 1 images has an object"),
        "{error}"
    );
    let bad = voc("a.png", [100, 80], &[("cat", ["9", "2", "3", "40"])]);
    let dir = folder(&[("a.png", ""), ("a.xml", &bad)]);
    let error = open(&dir, BadBoxes::Drop).unwrap_err().to_string();
    assert!(
        error.contains("(1 bad boxes or files are left out)"),
        "{error}"
    );
    assert!(refused(&folder(&[("a.xml", &none)])).contains("none of their images"));
    let missing = DetectionFolder::open(Path::new("/nowhere/at/all"), &DetectionOptions::default());
    assert!(missing.unwrap_err().to_string().contains("/nowhere/at/all"));
}

#[test]
fn a_damaged_image_is_refused_or_skipped() {
    let dir = folder(&[
        ("a.png", ""),
        ("a.txt", GOOD),
        ("b.png", "no image"),
        ("b.txt", ""),
        ("c.png", ""),
    ]);
    let error = refused(&dir);
    assert!(
        error.contains("b.png") && error.contains("data.skip_broken=true"),
        "{error}"
    );
    let options = DetectionOptions {
        skip_broken: true,
        bad_boxes: BadBoxes::Drop,
        ..DetectionOptions::default()
    };
    let opened = DetectionFolder::open(dir.path(), &options).unwrap();
    // In YOLO, an image without a label file has no objects.
    assert_eq!((opened.len(), opened.objects(1).len()), (2, 0));
    let notes = opened.notes().join("\n");
    assert!(notes.contains("1 damaged image is left out"), "{notes}");
}

#[test]
fn a_class_only_in_validation_is_noted_and_refused_for_training() {
    let dir = folder(&[
        ("images/train/a.png", ""),
        ("labels/train/a.txt", GOOD),
        ("images/val/b.png", ""),
        ("labels/val/b.txt", &format!("{GOOD}1 0.5 0.5 0.1 0.1\n")),
        ("data.yaml", "names: [dog, cat, bird]"),
    ]);
    let opened = open(&dir, BadBoxes::Refuse).unwrap();
    let notes = opened.notes().join("\n");
    assert!(
        notes.contains("class `cat` is in the validation split (1 box"),
        "{notes}"
    );
    let error = opened.check_trainable().unwrap_err().to_string();
    assert!(
        error.contains("labels/val/b.txt:2`: class `cat`") && error.contains("`images/train/`"),
        "{error}"
    );
    let splits = opened
        .splits()
        .clone()
        .map(|split| split.map(|split| split.rows));
    assert_eq!(splits, [Some(0..1), Some(1..2), None]);
}

#[test]
fn thousands_of_boxes_in_an_image_are_read() {
    let mut label = String::new();
    for at in 0..5_000 {
        let (x, y) = (
            f64::from(at % 100) / 101.0 + 0.01,
            f64::from(at / 100) / 51.0 + 0.01,
        );
        writeln!(label, "0 {x} {y} 0.005 0.005").unwrap();
    }
    let dir = folder(&[("a.png", ""), ("a.txt", &label)]);
    assert_eq!(
        open(&dir, BadBoxes::Refuse).unwrap().objects(0).len(),
        5_000
    );
}
