//! The splits that data name, copies, and photos turned by their EXIF note.

use super::*;

#[test]
fn lists_of_pascal_voc_are_the_splits() {
    let label = |name: &str| voc(name, [100, 80], &[("cat", ["1", "2", "30", "40"])]);
    let (a, b, c, d) = (
        label("a.png"),
        label("b.png"),
        label("c.png"),
        label("d.png"),
    );
    let dir = folder(&[
        ("JPEGImages/a.png", ""),
        ("JPEGImages/b.png", ""),
        ("JPEGImages/c.png", ""),
        ("JPEGImages/d.png", ""),
        ("Annotations/a.xml", &a),
        ("Annotations/b.xml", &b),
        ("Annotations/c.xml", &c),
        ("Annotations/d.xml", &d),
        ("ImageSets/Main/train.txt", "c\nb\n"),
        ("ImageSets/Main/trainval.txt", "c\nb\nd\n"),
        ("ImageSets/Main/test.txt", "a\nb\n"),
    ]);
    let opened = open(&dir, BadBoxes::Refuse).unwrap();
    let names: Vec<_> = (0..opened.len())
        .map(|row| opened.path(row).file_stem().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["c", "a", "b"]);
    let [train, valid, test] = opened.splits().clone();
    let (train, test) = (train.unwrap(), test.unwrap());
    assert_eq!((train.rows, valid, test.rows), (0..1, None, 1..3));
    assert_eq!(test.source, "`ImageSets/Main/test.txt`");
    let notes = opened.notes().join("\n");
    assert!(
        notes.contains("1 images are in none of the splits")
            && notes.contains("1 images are listed in several splits"),
        "{notes}"
    );
}

#[test]
fn the_names_of_coco_files_are_the_splits_and_captions_are_not_read() {
    let json = |image: &str| {
        format!(
            r#"{{"images": [{{"id": 7, "file_name": "{image}"}}], "categories": [{{"id": 3, "name": "dog"}}],
            "annotations": [{{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20]}}]}}"#
        )
    };
    let (a, b) = (json("a.png"), json("b.png"));
    let captions =
        r#"{"images": [{"id": 7, "file_name": "a.png"}], "annotations": [{"caption": "dog"}]}"#;
    let dir = folder(&[
        ("images/a.png", ""),
        ("images/b.png", ""),
        ("annotations/instances_train2014.json", &b),
        ("annotations/instances_val2014.json", &a),
        ("annotations/captions_val2014.json", captions),
    ]);
    let opened = open(&dir, BadBoxes::Refuse).unwrap();
    assert!(opened.path(0).ends_with("b.png"));
    let valid = opened.splits()[1].clone().unwrap();
    assert_eq!(valid.source, "`annotations/instances_val2014.json`");
}

#[test]
fn folders_of_splits_may_have_a_year_and_any_of_the_usual_names() {
    let dir = folder(&[
        ("train2014/a.png", ""),
        ("train2014/a.txt", GOOD),
        ("dev/images/b.png", ""),
        ("dev/labels/b.txt", GOOD),
    ]);
    // The content of an image decides on its format, so any extension of one will do.
    let image = dir.path().join("train2014/a.png");
    std::fs::rename(&image, image.with_extension("jfif")).unwrap();
    let opened = open(&dir, BadBoxes::Refuse).unwrap();
    let sources = opened.splits().clone().map(|split| Some(split?.source));
    let expected = [Some("`train2014/`"), Some("`dev/`"), None];
    assert_eq!(sources, expected.map(|source| source.map(str::to_owned)));
}

#[test]
fn data_with_one_split_other_than_training_are_not_split() {
    let dir = folder(&[("test/a.png", ""), ("test/a.txt", GOOD)]);
    let opened = open(&dir, BadBoxes::Refuse).unwrap();
    assert_eq!(opened.splits(), &[None, None, None]);
    let notes = opened.notes().join("\n");
    assert!(notes.contains("there is no training split"), "{notes}");
}

#[test]
fn equal_images_have_equal_contents() {
    let dir = folder(&[
        ("a.png", ""),
        ("a.txt", GOOD),
        ("b.png", ""),
        ("c.png", "gray"),
    ]);
    ::image::GrayImage::from_pixel(100, 80, ::image::Luma([9]))
        .save(dir.path().join("c.png"))
        .unwrap();
    let contents = open(&dir, BadBoxes::Refuse).unwrap().contents();
    assert!(contents[0] == contents[1] && contents[1] != contents[2]);
}

/// A JPEG of 64 by 32 pixels, black but for a white box of 16..40 by 8..24, with the orientation of EXIF.
fn photo(orientation: u8) -> Vec<u8> {
    let picture = ::image::GrayImage::from_fn(64, 32, |x, y| {
        let is_inside = (16..40).contains(&x) && (8..24).contains(&y);
        ::image::Luma([if is_inside { 255 } else { 0 }])
    });
    let mut bytes = Vec::new();
    let mut to = std::io::Cursor::new(&mut bytes);
    picture
        .write_to(&mut to, ::image::ImageFormat::Jpeg)
        .unwrap();
    let mut exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes.splice(2..2, exif);
    bytes
}

/// Whether the box is around the white part of the image.
fn is_around(folder: &DetectionFolder) -> bool {
    let image = folder.image(0).unwrap();
    assert_eq!([image.height, image.width], folder.size(0));
    let [left, top, right, bottom] = edges(folder, 0)[0];
    let mut pixels = image.pixels.chunks_exact(3).enumerate();
    pixels.all(|(at, pixel)| {
        let (x, y) = (
            (at % image.width) as f32 + 0.5,
            (at / image.width) as f32 + 0.5,
        );
        let is_inside = x > left && x < right && y > top && y < bottom;
        is_inside == (pixel[0] > 128)
    })
}

#[test]
fn boxes_of_turned_photos_are_in_the_pixels_that_their_labels_say() {
    let stored = ("cat", ["16", "8", "40", "24"]);
    // Turned to the right by 90 degrees, the row 8 becomes the column 32 - 8.
    let turned = ("cat", ["8", "16", "24", "40"]);
    for (size, object, note) in [
        ([64, 32], stored, "of 1, boxes are in the stored pixels, as"),
        ([32, 64], turned, "of 1, boxes are in the turned image, as"),
        (
            [0, 0],
            stored,
            "of 1, boxes are assumed to be in the stored pixels",
        ),
    ] {
        let dir = folder(&[("a.xml", &voc("a.jpg", size, &[object]))]);
        std::fs::write(dir.path().join("a.jpg"), photo(6)).unwrap();
        let opened = open(&dir, BadBoxes::Refuse).unwrap();
        assert_eq!(opened.size(0), [64, 32]);
        assert!(is_around(&opened), "{size:?}: {:?}", edges(&opened, 0));
        let notes = opened.notes().join("\n");
        assert!(notes.contains(note), "{notes}");
    }
}

#[test]
fn boxes_in_shares_are_turned_with_the_stored_photo() {
    for orientation in [1, 3, 8] {
        let dir = folder(&[("a.txt", "0 0.4375 0.5 0.375 0.5")]);
        std::fs::write(dir.path().join("a.jpg"), photo(orientation)).unwrap();
        let opened = open(&dir, BadBoxes::Refuse).unwrap();
        assert!(is_around(&opened), "{orientation}: {:?}", edges(&opened, 0));
        let notes = opened.notes().join("\n");
        assert_eq!(notes.contains("EXIF"), orientation != 1, "{notes}");
    }
}
