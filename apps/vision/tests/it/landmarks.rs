//! Landmarks from the command line.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::fs;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use serde_json::Value;
use tinderbox_cli::testing::Ran;
use tinderbox_models::vision::EfficientNetLiteConfig;

use crate::common::Place;
use crate::transfer::random_weights;

/// The corner of the bright square of face `at`.
fn corner(at: u32) -> [u32; 2] {
    [6 + 5 * at % 17, 8 + 7 * at % 13]
}

/// Faces of four points, the corners of a bright square with one dark corner, in a table.
pub(crate) fn faces(count: u32) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("set")).unwrap();
    let mut rows = ",0,1,2,3,4,5,6,7\n".to_owned();
    for at in 0..count {
        let [left, top] = corner(at);
        let side = 18 + at % 5;
        let photo = RgbImage::from_fn(48, 48, |x, y| {
            let noise = ((x * 31 + y * 17 + at * 7) % 30) as u8;
            let inside = (left..left + side).contains(&x) && (top..top + side).contains(&y);
            match inside {
                true if x < left + 7 && y < top + 7 => Rgb([30 + noise, 40, 60]),
                true => Rgb([220 + noise, 210, 190]),
                false => Rgb([90 + noise, 100, 110]),
            }
        });
        photo
            .save(place.path(&format!("set/face_{at:02}.png")))
            .unwrap();
        let (right, bottom) = (left + side, top + side);
        writeln!(
            rows,
            "face_{at:02}.png,{left},{top},{right},{top},{right},{bottom},{left},{bottom}"
        )
        .unwrap();
    }
    place.write("set/points.csv", &rows);
    place
}

pub(crate) const TRAIN: [&str; 21] = [
    "train",
    "--data",
    "set",
    "--set",
    "augment.flip=0",
    "--set",
    "average_flip=false",
    "--set",
    "data.size=24",
    "--set",
    "model.block_channels=[4,8]",
    "--set",
    "model.d_hidden=16",
    "--set",
    "model.modes=4",
    "--batch-size",
    "8",
    "--seed",
    "1",
    "--epochs",
    "30",
];

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn points_are_learned_evaluated_drawn_and_tracked() {
    let place = faces(30);
    let ran = place.run(&[&TRAIN[..], &["--out", "run"]].concat());
    assert!(
        ran.ok().stderr.contains("recipe `landmarks`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("mean shape"), "{}", ran.stdout);
    let eval = json(place.run(&["eval", "--run", "run", "--json"]).ok());
    let nme = eval["test"]["nme"].as_f64().unwrap();
    assert!(nme < 0.15, "{eval}");
    for image in ["augmented", "learning-curves", "worst-faces", "best-faces"] {
        let file = format!("run/images/{image}.png");
        assert!(place.path(&file).is_file(), "{file}");
    }
    let ran = place.run(&["predict", "--run", "run", "--json", "set", "--out", "drawn"]);
    assert!(
        ran.ok().stderr.contains("`--detector RUN`"),
        "{}",
        ran.stderr
    );
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 30);
    assert_eq!(lines[0]["faces"][0]["points"].as_array().unwrap().len(), 4);
    assert!(place.path("drawn/face_00.png").is_file());
    track(&place);
}

#[test]
fn points_are_written_to_a_gif_only() {
    let place = Place::new();
    for out in ["faces.mp4", "faces"] {
        let ran = place.run(&["track", "--run", "run", "frames", "--out", out]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("must end in `.gif`"), "{}", ran.stderr);
        assert!(!place.path(out).exists());
    }
}

/// Tracks the images as frames, and then the GIF of them.
fn track(place: &Place) {
    fs::remove_file(place.path("set/points.csv")).unwrap();
    let ran = place.run(&["track", "--run", "run", "set", "--out", "faces.gif"]);
    assert!(ran.ok().stdout.contains("30 frames"), "{}", ran.stdout);
    let lines = fs::read_to_string(place.path("faces.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (first["frame"].as_u64(), first["new"].as_bool()),
        (Some(1), Some(true))
    );
    assert_eq!(first["points"].as_array().unwrap().len(), 4);
    assert_eq!(lines.lines().count(), 30);
    assert!(!place.path("faces.gif.part").exists());
    let ran = place.run(&["track", "--run", "run", "--json", "faces.gif"]);
    assert_eq!(ran.ok().stdout.lines().count(), 30, "{}", ran.stderr);
    let ran = place.run(&["track", "--run", "run", "--fps", "0", "set"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = place.run(&["track", "--run", "run", "--detector", "run", "set"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = place.run(&["explain", "--run", "run", "set"]);
    assert!(
        ran.stderr.contains("the run has one of landmarks"),
        "{}",
        ran.stderr
    );
    place.write("set/face_03.png", "text");
    let broken = ["track", "--run", "run", "--json", "set"];
    let words = [
        "input 4 of 30: ",
        "face_03.png",
        "use `--skip-errors` to skip such frames",
    ];
    place.run(&broken).failed(2, &words);
    let ran = place.run(&[&broken[..], &["--skip-errors"]].concat());
    assert_eq!(ran.ok().stdout.lines().count(), 29, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("skipped 1 of 30 frames"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_cascade_reads_published_features() {
    let place = faces(24);
    let config = EfficientNetLiteConfig::lite0(3, 3);
    let names = config.timm_names();
    let file = random_weights(names.shapes(&config.init(&Device::flex())));
    fs::create_dir_all(place.path("lite")).unwrap();
    place.write("lite/model.safetensors", file);
    let config = r#"{"architecture": "efficientnet_lite0", "num_classes": 3}"#;
    place.write("lite/config.json", config);
    let more = ["--set", "augment.flip=0", "--set", "cascade.versions=2"];
    let train = |out| {
        [
            &["train", "--data", "set", "--weights", "lite", "--out", out][..],
            &more,
        ]
        .concat()
    };
    let ran = place.run(&train("run"));
    assert!(
        ran.ok().stderr.contains("a cascade on the features"),
        "{}",
        ran.stderr
    );
    let recipe = fs::read_to_string(place.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains("kind = \"landmark-cascade\""), "{recipe}");
    let eval = json(place.run(&["eval", "--run", "run", "--json"]).ok());
    assert!(eval["test"]["nme"].as_f64().unwrap() < 0.25, "{eval}");
    place.run(&train("again")).ok();
    let [a, b] = ["run", "again"]
        .map(|run| fs::read(place.path(&format!("{run}/model/weights.safetensors"))).unwrap());
    assert!(a == b);
    // Without weights there is nothing to read.
    let ran = place.run(
        &[
            &TRAIN[..3],
            &more,
            &["--set", "model.kind=landmark-cascade"],
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--weights DIR"), "{}", ran.stderr);
}

#[test]
fn faces_that_cannot_be_used_are_refused_with_their_place() {
    let place = faces(3);
    let refused = |args: &[&str], words: &str| {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(!place.path("run").exists());
    };
    refused(
        &["train", "--data", "set", "--out", "run"],
        "set `augment.flip=0`",
    );
    let train = [&TRAIN[..], &["--out", "run"]].concat();
    place.write("set/points.csv", "face_00.png,1,2,3,400\n");
    refused(
        &train,
        "set/points.csv:1`: point 1 (from 0) at 3 400 is outside",
    );
    place.write(
        "set/points.csv",
        "face_00.png,1,2,3,4\nface_77.png,1,2,3,4\n",
    );
    refused(&train, "set/points.csv:2`: there is no image `face_77.png`");
    refused(
        &[&train[..], &["--set", "augment.mixup=0.5"]].concat(),
        "augment.mixup",
    );
}

#[test]
fn landmarks_are_converted_into_boxes_around_them() {
    let place = faces(3);
    for (args, words) in [
        (
            &["convert", "--to=coco", "set", "coco"][..],
            "3 images with 3 boxes",
        ),
        (
            &["convert", "--from=landmarks", "--to=voc", "set", "voc"],
            "smallest one around the points",
        ),
    ] {
        let ran = place.run(args);
        ran.ok();
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(shown.contains(words), "{shown}");
    }
    let inspected = place.run(&["inspect", "--data", "coco"]);
    assert!(
        inspected.ok().stdout.contains("face"),
        "{}",
        inspected.stdout
    );
    let json = fs::read(place.path("coco/annotations/instances_all.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let [left, top] = corner(0).map(f64::from);
    assert_eq!(
        json["annotations"][0]["bbox"],
        serde_json::json!([left, top, 18.0, 18.0])
    );
    // What cannot be used is counted.
    RgbImage::new(8, 8)
        .save(place.path("set/none.png"))
        .unwrap();
    let rows = fs::read_to_string(place.path("set/points.csv")).unwrap();
    let outside = format!("{rows}face_00.png,{}\n", ["99"; 8].join(","));
    place.write("set/points.csv", &outside);
    let ran = place.run(&["convert", "--to=yolo", "set", "yolo"]);
    let noted = &ran.ok().stderr;
    assert!(noted.contains("1 faces left out"), "{noted}");
    assert!(noted.contains("1 image without usable points"), "{noted}");
    let ran = place.run(&["convert", "--from=landmarks", "--to=voc", "coco", "new"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(!place.path("new").exists());
}
