use std::fs;

use tempfile::TempDir;

use super::*;

/// A folder with files; images are gray, of 100 by 80 pixels.
pub(in crate::detection) fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if content.is_empty() && path.extension().is_none_or(|end| end != "txt") {
            image::GrayImage::new(100, 80).save(&path).unwrap();
        } else {
            fs::write(&path, content).unwrap();
        }
    }
    dir
}

pub(in crate::detection) fn voc(
    name: &str,
    size: [usize; 2],
    objects: &[(&str, [&str; 4])],
) -> String {
    let objects = objects.iter().map(|(class, [left, top, right, bottom])| {
        format!(
            "<object><name>{class}</name><difficult>1</difficult><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>\
             <xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>\n"
        )
    });
    format!(
        "<annotation>\n<filename>{name}</filename>\n<size><width>{}</width><height>{}</height></size>\n{}</annotation>",
        size[0],
        size[1],
        objects.collect::<String>()
    )
}

/// The kinds of problems with their places, without the folder.
fn problems(set: &DetectionSet, dir: &TempDir) -> Vec<(ProblemKind, String)> {
    let folder = format!("{}/", dir.path().display());
    let problems = set.problems.iter();
    let mut problems: Vec<_> = problems
        .map(|problem| (problem.kind, problem.place.replace(&folder, "")))
        .collect();
    problems.sort();
    problems
}

#[test]
fn pascal_voc_is_read_and_every_problem_has_its_place() {
    let dir = folder(&[
        ("JPEGImages/a.png", ""),
        ("JPEGImages/b.png", ""),
        ("JPEGImages/c.png", ""),
        ("ImageSets/Main/train.txt", "a\n"),
        ("ImageSets/Main/val.txt", "b\n"),
        (
            "Annotations/a.xml",
            &voc(
                "a.png",
                [100, 80],
                &[
                    ("dog", ["1", "2", "30", "40"]),
                    ("cat", ["1", "2", "130", "40"]),
                    ("cat", ["5", "5", "5", "40"]),
                    ("dog", ["1", "2", "30", "40"]),
                    ("dog", ["x", "2", "30", "40"]),
                ],
            ),
        ),
        (
            "Annotations/b.xml",
            &("<!DOCTYPE annotation>\n".to_owned() + &voc("z.png", [64, 64], &[])),
        ),
        ("Annotations/d.xml", &voc("d.png", [0, 0], &[])),
    ]);
    let set = read(dir.path()).unwrap();
    assert_eq!(
        (set.format, &set.classes[..]),
        (LabelFormat::Voc, &["cat".to_owned(), "dog".to_owned()][..])
    );
    let splits: Vec<_> = set.images.iter().map(|image| image.split).collect();
    assert_eq!(splits, ["train", "valid", ""]);
    let first = &set.images[0].objects[0];
    assert_eq!(
        (first.bounds, first.class, first.difficult),
        ([1.0, 2.0, 30.0, 40.0], 1, true)
    );
    let expected = [
        (ProblemKind::BrokenLabel, "Annotations/a.xml:8"),
        (ProblemKind::EmptyBox, "Annotations/a.xml:6"),
        (ProblemKind::OutsideImage, "Annotations/a.xml:5"),
        (ProblemKind::DuplicateBox, "Annotations/a.xml:7"),
        (ProblemKind::MissingImage, "Annotations/d.xml"),
        (ProblemKind::MissingLabels, "JPEGImages/c.png"),
        (ProblemKind::OtherSize, "Annotations/b.xml"),
        (ProblemKind::OtherImage, "Annotations/b.xml"),
    ];
    let expected = expected.map(|(kind, place)| (kind, place.to_owned()));
    assert_eq!(problems(&set, &dir), expected);
}

#[test]
fn coco_is_read_by_ids() {
    let json = r#"{"images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 80},
        {"id": 8, "file_name": "gone.png"}], "categories": [{"id": 3, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1.5, 2, 10, 20], "iscrowd": 1},
        {"id": 2, "image_id": 9, "category_id": 3, "bbox": [1, 2, 10, 20]},
        {"id": 3, "image_id": 7, "category_id": 4, "bbox": [1, 2, 10, 20]},
        {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10]}]}"#;
    let dir = folder(&[
        ("train/a.png", ""),
        ("masks/a.png", ""),
        ("labels.json", json),
        ("other.json", "{}"),
    ]);
    let set = read(dir.path()).unwrap();
    assert_eq!(
        (set.format, set.images.len(), set.images[0].split),
        (LabelFormat::Coco, 1, "train")
    );
    let object = &set.images[0].objects[0];
    assert_eq!(
        (object.bounds, object.class, object.crowd),
        ([1.5, 2.0, 11.5, 22.0], 0, true)
    );
    assert_eq!(set.notes.len(), 1, "{:?}", set.notes);
    let expected = [
        (ProblemKind::BrokenLabel, "labels.json, annotation number 4"),
        (ProblemKind::UnknownClass, "labels.json, annotation 3"),
        (ProblemKind::MissingImage, "labels.json, annotation 2"),
        (ProblemKind::MissingImage, "labels.json, image 8"),
    ];
    assert_eq!(
        problems(&set, &dir),
        expected.map(|(kind, place)| (kind, place.to_owned()))
    );
}

#[test]
fn ids_of_coco_are_numbers_or_texts_and_one_bad_annotation_is_one_problem() {
    let json = r#"{"images": [{"id": "7", "file_name": "a.png"}, {"id": "x", "file_name": "b.png"}],
        "categories": [{"id": "0", "name": "dog"}],
        "annotations": [{"id": "1", "image_id": 7, "category_id": 0, "bbox": [1, 2, 10, 20]},
        {"id": 2, "image_id": "x", "category_id": "0", "segmentation": [[5, 6, 15, 6, 15, 26]]},
        {"id": "c", "image_id": "x", "category_id": "0"},
        {"image_id": null, "category_id": "0", "bbox": [1, 2, 10, 20]}]}"#;
    let dir = folder(&[("a.png", ""), ("b.png", ""), ("labels.json", json)]);
    let set = read(dir.path()).unwrap();
    let bounds = set.images.iter().map(|image| {
        assert_eq!(image.objects.len(), 1);
        image.objects[0].bounds
    });
    let bounds: Vec<[f64; 4]> = bounds.collect();
    assert_eq!(bounds, [[1.0, 2.0, 11.0, 22.0], [5.0, 6.0, 15.0, 26.0]]);
    assert!(set.notes[0].starts_with("1 object has no `bbox`"));
    let expected = [
        (ProblemKind::BrokenLabel, "labels.json, annotation c"),
        (ProblemKind::BrokenLabel, "labels.json, annotation number 4"),
    ];
    assert_eq!(
        problems(&set, &dir),
        expected.map(|(kind, place)| (kind, place.to_owned()))
    );
    assert_eq!(set.problems[0].detail, "missing field `bbox`");
}

#[test]
fn names_and_ids_that_occur_again_are_problems_of_coco() {
    let json = r#"{"images": [{"id": 7, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "a"}, {"id": 9, "name": "a"}],
        "annotations": [{"id": 5, "image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 20]},
        {"id": 5, "image_id": 7, "category_id": 9, "bbox": [3, 2, 10, 20]}]}"#;
    let dir = folder(&[("a.png", ""), ("labels.json", json)]);
    let set = read(dir.path()).unwrap();
    assert_eq!((set.classes.len(), set.images[0].objects.len()), (1, 2));
    let expected = [
        (ProblemKind::SameName, "labels.json, category 9"),
        (ProblemKind::SameId, "labels.json, annotation 5"),
    ];
    assert_eq!(
        problems(&set, &dir),
        expected.map(|(kind, place)| (kind, place.to_owned()))
    );
    let detail = "`a` is also the name of category 1: both are one class";
    assert_eq!(set.problems[0].detail, detail);
    // They are no reason to refuse the data.
    let options = DetectionOptions::default();
    let notes = DetectionFolder::open(dir.path(), &options).unwrap();
    let notes = notes.notes().join("\n");
    assert!(
        notes.contains("category 9`: `a` is also the name of category 1")
            && notes.contains("annotation 5`"),
        "{notes}"
    );
}

#[test]
fn images_of_a_damaged_file_or_one_without_annotations_are_not_without_labels() {
    let images =
        r#"{"categories": [{"id": 1, "name": "a"}], "images": [{"id": 7, "file_name": "a.png"}]"#;
    let damaged = format!(r#"{images}, "annotations": [{{"id": 1,"#);
    let dir = folder(&[("a.png", ""), ("labels.json", &damaged)]);
    let kinds =
        |set: DetectionSet| -> Vec<_> { set.problems.iter().map(|problem| problem.kind).collect() };
    assert_eq!(kinds(read(dir.path()).unwrap()), [ProblemKind::BrokenLabel]);
    let dir = folder(&[("a.png", ""), ("labels.json", &format!("{images}}}"))]);
    let set = read(dir.path()).unwrap();
    assert_eq!((set.format, set.images.len()), (LabelFormat::Coco, 1));
    assert_eq!(kinds(set), [ProblemKind::NoAnnotations]);
    let error = DetectionFolder::open(dir.path(), &DetectionOptions::default()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("labels.json`: this COCO file has no `annotations`"),
        "{error}"
    );
}

#[test]
fn a_coco_file_without_annotations_does_not_count_next_to_classes_or_other_labels() {
    let list =
        r#"{"images": [{"id": 7, "file_name": "a.png"}], "categories": [{"id": 1, "name": "a"}]}"#;
    let classes = folder(&[("cat/a.png", ""), ("dog/b.png", ""), ("info.json", list)]);
    assert_eq!(label_format(classes.path()), None);
    for (name, labels, format) in [
        (
            "a.xml",
            voc("a.png", [100, 80], &[]).as_str(),
            LabelFormat::Voc,
        ),
        ("a.txt", "0 0.5 0.5 0.1 0.1", LabelFormat::Yolo),
    ] {
        let dir = folder(&[("a.png", ""), (name, labels), ("info.json", list)]);
        assert_eq!(label_format(dir.path()), Some(format));
        assert_eq!(read(dir.path()).unwrap().format, format);
    }
}

#[cfg(unix)]
#[test]
fn broken_links_are_counted() {
    let dir = folder(&[("a.png", ""), ("a.txt", "0 0.5 0.5 0.1 0.1")]);
    std::os::unix::fs::symlink("gone.png", dir.path().join("b.png")).unwrap();
    let set = read(dir.path()).unwrap();
    let expected = "1 file skipped: 1 missing (broken link)".to_owned();
    assert!(set.notes.contains(&expected), "{:?}", set.notes);
}

#[test]
fn yolo_is_read_with_names_of_any_kind_and_polygons() {
    let dir = folder(&[
        ("images/val/a.png", ""),
        (
            "labels/val/a.txt",
            "0 0.5 0.5 0.2 0.5\n2 0.1 0.1 0.3 0.1 0.3 0.2\n\n5 0.5 0.5 0.1 0.1\n1 0.5 0.5\n99999999999 0.5 0.5 0.1 0.1\n0 nan 0.5 0.1 0.1\n",
        ),
        ("labels/val/b.txt", ""),
        ("data.yaml", "nc: 3\nnames:\n  0: dog\n  \"2\": cat\n"),
    ]);
    let set = read(dir.path()).unwrap();
    assert_eq!(
        (set.format, set.images[0].split),
        (LabelFormat::Yolo, "valid")
    );
    assert_eq!(set.classes, ["dog", "class 1", "cat"]);
    let bounds: Vec<_> = set.images[0]
        .objects
        .iter()
        .map(|object| object.bounds)
        .collect();
    let close = |a: [f64; 4], b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(
        close(bounds[0], [40.0, 20.0, 60.0, 60.0]) && close(bounds[1], [10.0, 8.0, 30.0, 16.0]),
        "{bounds:?}"
    );
    let expected = [
        (ProblemKind::BrokenLabel, "labels/val/a.txt:5"),
        (ProblemKind::BrokenLabel, "labels/val/a.txt:6"),
        (ProblemKind::BrokenLabel, "labels/val/a.txt:7"),
        (ProblemKind::UnknownClass, "labels/val/a.txt:4"),
        (ProblemKind::MissingImage, "labels/val/b.txt"),
    ];
    assert_eq!(
        problems(&set, &dir),
        expected.map(|(kind, place)| (kind, place.to_owned()))
    );
}

#[test]
fn names_in_a_damaged_file_are_an_error_with_its_line() {
    let files = [("a.png", ""), ("a.txt", "1 0.5 0.5 0.1 0.1")];
    let damaged = ("data.yaml", "nc: 2\nnames: *gone\n");
    let dir = folder(&[files[0], files[1], damaged]);
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, DetectionError::Yaml { line: 2, .. }));
    let error = error.to_string();
    assert!(error.contains("data.yaml:2`: not valid YAML: "), "{error}");
    // Not so where there are none.
    let other = ("compose.yaml", "{{ template }} *gone");
    assert!(read(folder(&[files[0], files[1], other]).path()).is_ok());
}

#[test]
fn names_that_disagree_are_said() {
    let dir = folder(&[
        ("a.png", ""),
        ("a.txt", "1 0.5 0.5 0.1 0.1"),
        ("one.names", "ladder\ncone\n"),
        ("two.names", "ladder\ndelineator"),
    ]);
    let set = read(dir.path()).unwrap();
    assert_eq!(set.classes, ["ladder", "cone"]);
    assert!(
        set.notes[0].contains("`cone` and `delineator`"),
        "{:?}",
        set.notes
    );
}

#[test]
fn what_is_no_set_of_boxes_is_refused() {
    let empty = folder(&[("a.png", "")]);
    assert!(matches!(
        read(empty.path()),
        Err(DetectionError::NoLabels { .. })
    ));
    assert_eq!(label_format(empty.path()), None);
    // Files of other programs.
    let other = folder(&[("cat/a.png", ""), ("list.json", r#"{"images": ["a"]}"#)]);
    assert_eq!(label_format(other.path()), None);
    let captions = folder(&[("a.png", ""), ("a.txt", "a photo of a cat")]);
    assert_eq!(label_format(captions.path()), None);
    let alone = folder(&[("a.xml", &voc("a.png", [1, 1], &[]))]);
    assert!(matches!(
        read(alone.path()),
        Err(DetectionError::NoImages { .. })
    ));
    let mixed = folder(&[
        ("a.png", ""),
        ("a.txt", "0 0.5 0.5 1 1"),
        ("a.xml", &voc("a.png", [1, 1], &[])),
    ]);
    let error = read(mixed.path()).unwrap_err().to_string();
    assert!(
        error.contains("two formats") && error.contains("a.txt"),
        "{error}"
    );
    let broken = folder(&[
        ("a.png", ""),
        ("a.xml", "<annotation><object>"),
        ("b.png", "no image"),
    ]);
    let set = read(broken.path()).unwrap();
    let kinds: Vec<_> = set.problems.iter().map(|problem| problem.kind).collect();
    let expected = [
        ProblemKind::BrokenImage,
        ProblemKind::BrokenLabel,
        ProblemKind::MissingLabels,
    ];
    assert_eq!(kinds, expected);
}
