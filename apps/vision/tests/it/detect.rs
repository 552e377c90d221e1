//! Object detection from the command line.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use serde_json::Value;
use tinderbox_cli::testing::Ran;
use tinderbox_models::vision::YoloxConfig;

use crate::common::Place;
use crate::transfer::random_weights;

/// Corner and size of the bright square in photo `at`, and of the dark one.
fn squares(at: u32) -> [[u32; 3]; 2] {
    [[4 + 5 * at % 24, 6, 22], [8 + 7 * at % 28, 36, 16]]
}

/// Photos of a bright and a dark square with YOLO labels.
pub(crate) fn photos(count: u32) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("set")).unwrap();
    place.write("set/classes.txt", "bright\ndark\n");
    for at in 0..count {
        let [bright, dark] = squares(at);
        let inside = |[left, top, side]: [u32; 3], x: u32, y: u32| {
            (left..left + side).contains(&x) && (top..top + side).contains(&y)
        };
        let photo = RgbImage::from_fn(64, 64, |x, y| {
            let noise = ((x * 31 + y * 17 + at * 7) % 30) as u8;
            match (inside(bright, x, y), inside(dark, x, y)) {
                (true, _) => Rgb([220 + noise, 210, 90]),
                (_, true) => Rgb([noise, 20, 60]),
                _ => Rgb([110 + noise, 128, 120]),
            }
        });
        photo.save(place.path(&format!("set/{at:02}.png"))).unwrap();
        let line = |class: usize, [left, top, side]: [u32; 3]| {
            let center = |from: u32| (f64::from(from) + 0.5 * f64::from(side)) / 64.0;
            let side = f64::from(side) / 64.0;
            format!("{class} {} {} {side} {side}\n", center(left), center(top))
        };
        let lines = line(0, bright) + &line(1, dark);
        place.write(&format!("set/{at:02}.txt"), &lines);
    }
    place
}

pub(crate) const TRAIN: [&str; 25] = [
    "train",
    "--data",
    "set",
    "--set",
    "model.channels=[4,8,8,8,8]",
    "--set",
    "model.neck_channels=8",
    "--set",
    "model.blocks_per_stage=0",
    "--set",
    "data.size=64",
    "--set",
    "mosaic.probability=0.3",
    "--set",
    "optimizer.learning_rate=0.02",
    "--set",
    "train.ema_decay=0.9",
    "--set",
    "augment.flip=0.5",
    "--batch-size",
    "4",
    "--seed",
    "1",
    "--epochs",
    "20",
];

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The result of the run.
fn summary(place: &Place) -> Value {
    serde_json::from_slice(&fs::read(place.path("run/summary.json")).unwrap()).unwrap()
}

#[test]
fn a_detector_is_trained_evaluated_and_draws_boxes() {
    let place = photos(20);
    let ran = place.run(&[&TRAIN[..], &["--out", "run"]].concat());
    assert!(
        ran.ok().stderr.contains("recipe `detect`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("images are only 80 steps"),
        "{}",
        ran.stderr
    );
    let baseline = &summary(&place)["baselines"][0];
    assert_eq!(baseline["method"], "HOG with logistic regression");
    for metric in ["map50", "map", "ap50_bright", "ap50_dark"] {
        let value = baseline["test"][metric].as_f64().unwrap();
        assert!(value > 0.1, "{metric}: {baseline}");
    }
    assert!(
        ran.stdout.contains("HOG with logistic regression on "),
        "{}",
        ran.stdout
    );
    let eval = json(place.run(&["eval", "--run", "run", "--json"]).ok());
    let map = eval["test"]["map50"].as_f64().unwrap();
    assert!(map > 0.5, "{eval}");
    assert!(eval["test"]["ap50_bright"].is_number(), "{eval}");
    for image in [
        "augmented",
        "learning-curves",
        "precision-recall",
        "confusion-matrix",
        "worst-detections",
        "best-detections",
    ] {
        let file = format!("run/images/{image}.png");
        assert!(place.path(&file).is_file(), "{file}");
    }
    let predict = [
        "predict",
        "--run",
        "run",
        "--json",
        "set",
        "--out",
        "found",
        "--coco",
        "found.json",
    ];
    let ran = place.run(&predict);
    let lines: Vec<Value> = ran
        .ok()
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 20);
    assert_eq!(
        (lines[0]["height"].as_u64(), lines[0]["width"].as_u64()),
        (Some(64), Some(64))
    );
    let objects = lines
        .iter()
        .flat_map(|line| line["objects"].as_array().unwrap());
    let objects: Vec<&Value> = objects.collect();
    assert!(
        objects
            .iter()
            .all(|object| object["box"].as_array().unwrap().len() == 4)
    );
    assert!(place.path("found/00.png").is_file());
    let results: Value =
        serde_json::from_slice(&fs::read(place.path("found.json")).unwrap()).unwrap();
    assert_eq!(results.as_array().unwrap().len(), objects.len());
    // A higher threshold leaves fewer.
    let strict = place.run(&["predict", "--run", "run", "--threshold", "1", "set/00.png"]);
    assert!(
        strict.ok().stdout.contains("nothing found"),
        "{}",
        strict.stdout
    );
    predicts_several_inputs(&place);
}

/// The detections of several inputs are in one file, and an image of one does not take the place of another.
fn predicts_several_inputs(place: &Place) {
    for (folder, photo) in [("a", "00"), ("b", "01")] {
        fs::create_dir(place.path(folder)).unwrap();
        let photo = place.path(&format!("set/{photo}.png"));
        fs::copy(photo, place.path(folder).join("x.png")).unwrap();
    }
    let predict = |more: &[&str]| {
        let both = ["predict", "--run", "run", "--json", "a/x.png", "b/x.png"];
        place.run(&[&both[..], more].concat())
    };
    let ran = predict(&["--threshold", "0.01", "--coco", "both.json"]);
    let found = fs::read(place.path("both.json")).unwrap();
    let found: Vec<Value> = serde_json::from_slice(&found).unwrap();
    for (line, number) in ran.ok().stdout.lines().zip(1_u64..) {
        let line: Value = serde_json::from_str(line).unwrap();
        let is_own = |one: &&Value| one["image_id"] == number && one["file_name"] == line["input"];
        let objects = line["objects"].as_array().unwrap().len();
        assert!(objects > 0, "{line}");
        assert_eq!(found.iter().filter(is_own).count(), objects, "{line}");
    }
    let shard = ["--shard", "1/1", "--out", "parts", "--coco", "shard.json"];
    predict(&shard).failed(2, &["`--coco` does not apply to a part"]);
    predict(&["--out", "clash"]).failed(
        2,
        &["`a/x.png` and `b/x.png` would both be written to `clash/x.png`"],
    );
    assert!(!place.path("clash").exists());
    let ran = predict(&["--coco", "no/both.json"]);
    ran.failed(2, &["cannot write `no/both.json`"]);
    assert_eq!(
        ran.stdout, "",
        "nothing is predicted before the file is open"
    );
    assert!(!ran.stderr.contains(".tinderbox-"), "{}", ran.stderr);
    let one = ["predict", "--run", "run", "a/x.png", "--out", "x.png"];
    place.run(&one).failed(2, &["`--out x.png`", "folder"]);
    assert!(!place.path("x.png").exists());
}

#[test]
fn a_rare_class_is_warned_of_and_the_baseline_is_skipped() {
    let place = photos(40);
    // Dark squares are on the first photo only.
    for at in 1..40 {
        let file = format!("set/{at:02}.txt");
        let text = fs::read_to_string(place.path(&file)).unwrap();
        place.write(&file, text.lines().next().unwrap());
    }
    let epochs = TRAIN.len() - 2;
    let short = ["--epochs", "1", "--out", "run", "--quiet", "--no-baseline"];
    let ran = place.run(&[&TRAIN[..epochs], &short].concat());
    assert_eq!(summary(&place)["baselines"], Value::Array(Vec::new()));
    let stderr = &ran.ok().stderr;
    for words in [
        "the classes are imbalanced: `dark` has ",
        " training boxes (",
        "loss.class_weights=balanced",
    ] {
        assert!(stderr.contains(words), "`{words}` is not in: {stderr}");
    }
}

#[test]
fn published_weights_find_objects_and_start_a_training() {
    let place = photos(12);
    let config = YoloxConfig::of_size("nano", 3, 3).unwrap();
    let names = config.release_names();
    let file = random_weights(names.shapes(&config.init(&Device::flex())));
    fs::create_dir_all(place.path("nano")).unwrap();
    place.write("nano/model.safetensors", file);
    let write = |text: &str| place.write("nano/config.json", text);
    write(
        r#"{"architecture": "yolox_nano", "input_size": [3, 64, 64], "label_names": ["a", "b", "c"]}"#,
    );
    let ran = place.run(&["predict", "--weights", "nano", "--json", "set/00.png"]);
    assert_eq!(json(ran.ok())["width"], 64);
    let mut args = vec![
        "train",
        "--weights",
        "nano",
        "--data",
        "set",
        "--out",
        "run",
    ];
    args.extend([
        "--epochs",
        "1",
        "--no-baseline",
        "--set",
        "data.size=64",
        "--batch-size",
        "4",
    ]);
    let ran = place.run(&args);
    assert!(ran.ok().stderr.contains("yolox_nano"), "{}", ran.stderr);
    let recipe = fs::read_to_string(place.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains("kind = \"yolox\""), "{recipe}");
    // Weights of another size than `config.json` names.
    write(r#"{"architecture": "yolox_s"}"#);
    let ran = place.run(&["predict", "--weights", "nano", "set/00.png"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("they fit yolox_nano"), "{}", ran.stderr);
}

#[test]
fn boxes_that_cannot_be_used_are_refused_with_their_place() {
    let place = photos(3);
    let refused = |args: &[&str], words: &str| {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(!Path::new(&place.path("run")).exists());
    };
    let train = [&TRAIN[..], &["--out", "run"]].concat();
    place.write("set/00.txt", "0 0.9 0.5 0.4 0.5\n");
    refused(&train, "set/00.txt:1");
    place.write("set/00.txt", "5 0.5 0.5 0.4 0.5\n");
    refused(&train, "set/00.txt:1");
    for file in ["set/00.txt", "set/01.txt", "set/02.txt"] {
        place.write(file, "");
    }
    let train = [&train[..], &["--recipe", "detect"]].concat();
    refused(&train, "no labels of boxes");
    let predict = ["predict", "--run", "run", "--background", "white", "set"];
    refused(&predict, "run");
    let set = |key: &'static str| ["train", "--recipe", "detect", "--data", "set", "--set", key];
    refused(&set("data.size=100"), "a multiple of 32");
    refused(&set("augment.mixup=1"), "boxes cannot be blended");
    refused(&set("mosaic.scale=[2,1]"), "mosaic.scale");
}
