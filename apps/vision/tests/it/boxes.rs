//! Images with boxes from the command line.

use std::fs;

use image::{GrayImage, ImageResult};
use serde_json::Value;

use crate::common::Place;

/// Two images with YOLO labels, of which one has problems.
fn place() -> ImageResult<Place> {
    let place = Place::new();
    for (split, labels) in [
        ("train", "0 0.5 0.5 0.5 0.5\n1 0.9 0.5 0.4 0.5\n"),
        ("val", "0 0.5 0.5 0 0.1\n7 0.5 0.5 0.1 0.1\n"),
    ] {
        fs::create_dir_all(place.path(&format!("set/images/{split}")))?;
        let image = format!("set/images/{split}/{split}.png");
        GrayImage::new(40, 20).save(place.path(&image))?;
        fs::create_dir_all(place.path(&format!("set/labels/{split}")))?;
        place.write(&format!("set/labels/{split}/{split}.txt"), labels);
    }
    place.write("set/data.yaml", "names: [cat, dog]");
    Ok(place)
}

#[test]
fn problems_of_boxes_are_counted_with_their_places() {
    let place = place().unwrap();
    let text = place.run(&["inspect", "--data", "set"]).ok().stdout.clone();
    for words in [
        "2 images with 3 boxes of 2 classes, YOLO text files",
        "set/labels/train/train.txt:2: 28.0, 5.0 to 44.0, 15.0 in 40 x 20 pixels",
        "set/labels/val/val.txt:2: class 7, and there are 2 names",
        "warning: empty boxes: 1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = place.run(&["inspect", "--data", "set", "--json"]);
    let json: Value = serde_json::from_str(&json.ok().stdout).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), 3, "{json}");
}

#[test]
fn labels_are_converted_into_a_new_folder() {
    let place = place().unwrap();
    let convert = ["convert", "--to", "coco", "set", "out/coco"];
    let ran = place.run(&convert);
    assert!(
        ran.ok().stdout.contains("2 images with 3 boxes"),
        "{}",
        ran.stdout
    );
    let json = fs::read(place.path("out/coco/annotations/instances_train.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        json["annotations"][0]["bbox"],
        serde_json::json!([10.0, 5.0, 20.0, 10.0])
    );
    assert!(place.path("out/coco/val/val.png").is_file());
    for (args, words) in [
        (convert, "exists already"),
        (
            ["convert", "--to", "voc", "set/images", "new"],
            "no labels of boxes",
        ),
        (["convert", "--to", "voc", "gone", "new"], "gone"),
        (["convert", "--to", "voc", "set", "set/new"], "inside of"),
    ] {
        let ran = place.run(&args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let from = ["convert", "--from=voc", "--to=coco", "set", "new"];
    let ran = place.run(&from);
    assert!(
        ran.code == Some(2) && ran.stderr.contains("not Pascal VOC"),
        "{}",
        ran.stderr
    );
    // Labels that are all lost are no result.
    GrayImage::new(4, 4).save(place.path("lost.png")).unwrap();
    fs::create_dir_all(place.path("lost")).unwrap();
    fs::rename(place.path("lost.png"), place.path("lost/a.png")).unwrap();
    place.write("lost/a.txt", "0 nan 0.5 0.1 0.1\n");
    let ran = place.run(&["convert", "--to", "voc", "lost", "new"]);
    assert!(
        ran.code == Some(2) && ran.stderr.contains("a.txt"),
        "{}",
        ran.stderr
    );
    assert!(!place.path("new").exists());
}
