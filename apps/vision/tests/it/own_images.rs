//! The user's own images: digits in both polarities, folders, archives, tables of paths, duplicates.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use crate::common::Place;
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;
use tinderbox_cli::testing::{Ran, check_shards};

/// Ten test digits that ship with the crate, scaled up to sheets of 200 by 300 pixels.
fn sheets(place: &Place, folder: &str, inverted: bool) -> Vec<usize> {
    let (_, test) = tinderbox_datasets::sets::digits().unwrap();
    fs::create_dir(place.path(folder)).unwrap();
    let mut digits = Vec::new();
    for digit in 0..10 {
        let at = test
            .labels()
            .iter()
            .position(|&label| label == digit)
            .unwrap();
        let pixels = test.pixels()[64 * at..64 * (at + 1)].to_vec();
        let small = GrayImage::from_raw(8, 8, pixels).unwrap();
        let large =
            image::imageops::resize(&small, 120, 120, image::imageops::FilterType::Triangle);
        // The digit lies off the middle of a sheet that is no square.
        let mut sheet = GrayImage::new(200, 300);
        image::imageops::replace(&mut sheet, &large, 30, 140);
        if inverted {
            image::imageops::invert(&mut sheet);
        }
        sheet
            .save(place.path(folder).join(format!("{digit}.png")))
            .unwrap();
        digits.push(usize::from(digit));
    }
    digits
}

fn labels(ran: &Ran) -> Vec<String> {
    let lines = ran.ok().stdout.lines();
    lines
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["label"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn digits_of_both_polarities_and_any_shape_are_recognized() {
    let place = Place::new();
    place
        .run(&[
            "train",
            "--out",
            "run",
            "--no-baseline",
            "--quiet",
            "--set",
            "train.epochs=12",
        ])
        .ok();
    for (folder, inverted) in [("light", false), ("dark", true)] {
        let digits = sheets(&place, folder, inverted);
        let ran = place.run(&["predict", "--run", "run", "--json", folder]);
        let right = labels(&ran)
            .iter()
            .zip(&digits)
            .filter(|(label, digit)| **label == digit.to_string())
            .count();
        assert!(right >= 8, "{folder}: {right} of 10");
    }
    let spec = fs::read_to_string(place.path("run/model/model.json")).unwrap();
    let spec: Value = serde_json::from_str(&spec).unwrap();
    assert_eq!(spec["input"]["fit"], "pad");
    assert_eq!(spec["input"]["polarity"], "dark-background");
    assert_eq!(spec["input"]["ink_size"], 8);
}

/// Two classes that are told apart by a bright half, every image different.
fn put_photos(place: &Place, folder: &str, count: u32) {
    for (class, left) in [("left", true), ("right", false)] {
        fs::create_dir_all(place.path(folder).join(class)).unwrap();
        for number in 0..count {
            let photo = RgbImage::from_fn(20, 16, |x, y| {
                let bright = (x < 10) == left;
                let noise = (x * 31 + y * 17 + number * 53) % 60;
                Rgb([if bright { 190 } else { 0 } + noise as u8; 3])
            });
            photo
                .save(place.path(folder).join(class).join(format!("{number}.png")))
                .unwrap();
        }
    }
}

const SMALL: [&str; 12] = [
    "--no-baseline",
    "--set",
    "train.epochs=3",
    "--set",
    "train.batch_size=4",
    "--set",
    "model.blocks_per_stage=[1]",
    "--set",
    "data.height=16",
    "--set=data.width=16",
    "--set=train.ema_decay=0",
    "--seed=1",
];

fn train(place: &Place, data: &str, out: &str) -> Ran {
    let args = ["train", "--data", data, "--out", out];
    place.run(&[&args[..], &SMALL].concat())
}

#[test]
fn parts_of_images_are_the_bytes_of_one_prediction() {
    let place = Place::new();
    // Parts begin at a multiple of 64 images.
    put_photos(&place, "photos", 70);
    train(&place, "photos", "run").ok();
    check_shards(&place, &["--run", "run", "photos"], 140);
}

#[test]
fn the_data_chooses_the_recipe_and_a_folder_is_predicted() {
    let place = Place::new();
    put_photos(&place, "photos", 10);
    let ran = train(&place, "photos", "run");
    let stderr = &ran.ok().stderr;
    assert!(
        stderr.contains("`photos` is a folder: recipe `image-folder`"),
        "{stderr}"
    );
    for line in ["train  ", "valid  ", "test   "] {
        assert!(
            stderr.lines().any(|found| found.starts_with(line)),
            "{stderr}"
        );
    }
    fs::write(place.path("photos/left/cut.jpg"), b"\xFF\xD8\xFF\xE0").unwrap();
    let predict = ["predict", "--run", "run", "--json", "photos"];
    place
        .run(&predict)
        .failed(2, &["input 11 of 21", "cut.jpg", "damaged"]);
    let ran = place.run(&[&predict[..], &["--skip-errors"]].concat());
    assert_eq!(labels(&ran).len(), 20);
    assert!(
        ran.stderr
            .contains("skipped 1 image of `photos`; the first: input 11 of 21"),
        "{}",
        ran.stderr
    );

    let ran = place.run(&[
        "train",
        "--data",
        "data",
        "--out",
        "digits",
        "--no-baseline",
        "--set",
        "train.epochs=1",
    ]);
    let words = "`data` is IDX files: recipe `mnist`, classes named 0 to 1";
    assert!(ran.ok().stderr.contains(words), "{}", ran.stderr);
    place
        .run(&["train", "--data", "nowhere"])
        .failed(2, &["there is no folder `nowhere`"]);
}

#[test]
fn a_quiet_sweep_says_nothing_of_the_recipe_that_the_data_chooses() {
    let place = Place::new();
    // It ends before anything is trained, and after the recipe is chosen.
    let args = ["sweep", "--data", "data", "--set", "nonsense=1"];
    for (more, expected) in [(&[][..], true), (&["--quiet"][..], false)] {
        let ran = place.run(&[&args[..], more].concat());
        ran.failed(2, &["unknown key `nonsense`"]);
        let found = ran.stderr.contains("is IDX files: recipe `mnist`");
        assert_eq!(found, expected, "{}", ran.stderr);
    }
}

#[test]
fn eval_is_on_the_stored_items_or_on_all_of_other_data() {
    let place = Place::new();
    put_photos(&place, "photos", 20);
    train(&place, "photos", "run").ok();
    let eval = |more: &[&str]| {
        let ran = place.run(&[&["eval", "--run", "run", "--json"], more].concat());
        let line: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
        (
            line["samples"].as_u64().unwrap(),
            line["test"]["loss"].as_f64().unwrap(),
            ran.stderr,
        )
    };
    let (samples, loss, _) = eval(&[]);
    assert_eq!(samples, 8);
    // Files that come or go do not move the others into another split.
    fs::copy(place.path("photos/left/0.png"), place.path("spare.png")).unwrap();
    fs::write(
        place.path("photos/left/new.png"),
        fs::read(place.path("photos/right/3.png")).unwrap(),
    )
    .unwrap();
    let (again, same, stderr) = eval(&[]);
    assert_eq!((again, same), (samples, loss));
    assert!(stderr.contains("1 image is new since training"), "{stderr}");
    put_photos(&place, "others", 3);
    let white = GrayImage::from_pixel(9, 9, Luma([255]));
    white.save(place.path("others/left/white.png")).unwrap();
    fs::remove_dir_all(place.path("others/right")).unwrap();
    let (all, _, stderr) = eval(&["--data", "others"]);
    assert_eq!(all, 4);
    assert!(stderr.contains("evaluating all 4 images"), "{stderr}");
}

#[test]
fn duplicates_stay_in_one_split_and_are_counted() {
    let place = Place::new();
    put_photos(&place, "photos", 10);
    for class in ["left", "right"] {
        for number in 0..10 {
            let of = |name: String| place.path("photos").join(class).join(name);
            fs::copy(
                of(format!("{number}.png")),
                of(format!("copy {number}.png")),
            )
            .unwrap();
        }
    }
    let ran = train(&place, "photos", "run");
    assert!(
        ran.ok()
            .stderr
            .contains("20 of 40 images are duplicates of another image"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("also occur"), "{}", ran.stderr);
    let ran = place.run(&["inspect", "--data", "photos", "--json"]);
    let found: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    assert_eq!(found["duplicates"], 20);
    let ran = place.run(&["inspect", "--data", "photos"]);
    assert!(
        ran.ok()
            .stdout
            .contains("warning: 20 images are duplicates"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_validation_folder_is_used_and_the_rest_is_reported() {
    let place = Place::new();
    for (split, count) in [("Train", 10), ("Validation", 4)] {
        put_photos(&place, &format!("photos/{split}"), count);
    }
    let ran = train(&place, "photos", "run");
    let stderr = &ran.ok().stderr;
    let line = |name: &str| stderr.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        line("valid").contains("8 images from `Validation/`"),
        "{stderr}"
    );
    assert!(
        line("test").contains("20% of `Train/` (no test split found)"),
        "{stderr}"
    );
}

#[test]
fn a_network_that_cannot_fit_is_refused_before_anything_is_written() {
    let place = Place::new();
    put_photos(&place, "photos", 4);
    let args = [
        "train",
        "--data",
        "photos",
        "--out",
        "run",
        "--set",
        "data.height=16000",
        "--set",
        "data.width=16000",
    ];
    let refused = place.run(&args);
    refused.failed(2, &["training needs at least", "GB", "data.height"]);
    assert!(!place.path("run").exists());
    let one = [
        &["train", "--data", "photos", "--out", "run"][..],
        &["--set", "train.batch_size=1"],
    ]
    .concat();
    place
        .run(&one)
        .failed(2, &["train.batch_size", "batch normalization"]);
    assert!(!place.path("run").exists());
}
