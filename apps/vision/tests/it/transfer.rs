//! Transfer learning from published weights, here random ones of a small network.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use serde_json::{Map, Value, json};
use tinderbox_cli::testing::{Ran, result};
use tinderbox_models::vision::MobileNetV3Config;

use crate::common::Place;

/// A value for each entry of a tensor, with which features differ and stay of one size.
fn values(name: &str, shape: &[usize], count: usize) -> Vec<f32> {
    let is_scale = name.ends_with("running_var") || (name.ends_with("weight") && shape.len() == 1);
    let fan_in: usize = shape.iter().skip(1).product();
    let scale = (6.0 / fan_in.max(1) as f32).sqrt();
    let mut state = 1_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let value = |_| match (is_scale, shape.len()) {
        (true, _) => 1.0,
        (false, 1) => 0.0,
        _ => scale * draw(),
    };
    (0..count).map(value).collect()
}

/// Writes `mobilenetv3_small_100` for three classes in the format of SafeTensors.
fn put_weights(place: &Place) {
    let config = MobileNetV3Config::small(3, 3);
    let names = config.timm_names();
    fs::create_dir(place.path("weights")).unwrap();
    let shapes = names.shapes(&config.init(&Device::flex()));
    let file = random_weights(shapes);
    place.write("weights/model.safetensors", file);
}

/// Random weights in the format of SafeTensors.
pub(crate) fn random_weights<'a>(
    shapes: impl IntoIterator<Item = (&'a str, Vec<usize>)>,
) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, shape) in shapes {
        let start = data.len();
        let values = values(name, &shape, shape.iter().product());
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let offsets = [start, data.len()];
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": offsets});
        header.insert(name.to_owned(), entry);
    }
    let header = Value::Object(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

/// Two classes that are told apart by a bright half, every image different.
fn put_photos(place: &Place) {
    for (class, left) in [("left", true), ("right", false)] {
        fs::create_dir_all(place.path("photos").join(class)).unwrap();
        for number in 0..16_u32 {
            let photo = RgbImage::from_fn(32, 32, |x, y| {
                let bright = (x < 16) == left;
                let noise = (x * 31 + y * 17 + number * 53) % 60;
                Rgb([if bright { 190 } else { 0 } + noise as u8; 3])
            });
            let file = format!("photos/{class}/{number}.png");
            photo.save(place.path(&file)).unwrap();
        }
    }
}

pub(crate) fn place() -> Place {
    let place = Place::new();
    put_weights(&place);
    put_photos(&place);
    place
}

pub(crate) fn train(place: &Place, out: &str, more: &[&str]) -> Ran {
    place.run(&[&train_args(out)[..], more].concat())
}

pub(crate) fn train_args(out: &str) -> [&str; 11] {
    [
        "train",
        "--weights",
        "weights",
        "--data",
        "photos",
        "--no-baseline",
        "--set=data.height=32",
        "--set=data.width=32",
        "--set=split.valid_fraction=0.25",
        "--out",
        out,
    ]
}

fn summary(place: &Place, run: &str) -> Value {
    let text = fs::read(place.path(run).join("summary.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// All files of cached features.
fn cached(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(cached(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn a_frozen_network_is_complete_without_its_weights_and_is_repeated_from_the_cache() {
    let place = place();
    // Mirrored images would be of the other class.
    let ran = train(&place, "run", &["--set=transfer.flip=false"]);
    let stderr = &ran.ok().stderr;
    assert!(stderr.contains("mode `frozen` for"), "{stderr}");
    let own = summary(&place, "run");
    assert_eq!(own["test"]["accuracy"], 1.0, "{own}");
    assert_eq!(own["transfer"]["architecture"], "mobilenetv3_small_100");
    let recipe = fs::read_to_string(place.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains("mode = \"frozen\""), "{recipe}");
    assert!(recipe.contains("kind = \"mobilenet-v3\""), "{recipe}");
    assert!(!recipe.contains("digest = \"\""), "{recipe}");

    // One file is damaged, one is missing, the others are used: the result is the same to the byte.
    let files = cached(&place.path("cache/features"));
    assert_eq!(
        files.len(),
        2 * 26,
        "training and validation images, of two sizes"
    );
    fs::write(&files[0], "damaged").unwrap();
    fs::remove_file(&files[1]).unwrap();
    let again = [
        "train",
        "--recipe",
        "run/recipe.toml",
        "--no-baseline",
        "--out",
        "again",
    ];
    place.run(&again).ok();
    assert_eq!(result(&place.path("run")), result(&place.path("again")));

    fs::remove_dir_all(place.path("weights")).unwrap();
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let found: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    assert_eq!(found["test"], own["test"]);
    let ran = place.run(&["predict", "--run", "run", "--json", "photos/left/3.png"]);
    assert!(
        ran.ok().stdout.contains("\"label\":\"left\""),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_part_of_an_image_that_a_frozen_network_sees_is_chosen_by_cross_validation() {
    let place = place();
    let input = |run: &str| {
        let text = fs::read(place.path(run).join("model/model.json")).unwrap();
        let model: Value = serde_json::from_slice(&text).unwrap();
        (
            model["input"]["height"].clone(),
            model["input"]["crop"].clone(),
        )
    };
    let (center, whole) = ((json!(32), json!(0.875)), (json!(36), json!(1.0)));
    let ran = train(&place, "auto", &["--set=transfer.flip=false"]);
    let own = summary(&place, "auto");
    let losses = &own["transfer"]["cross_validated_loss"];
    let [by_center, by_whole] = ["center", "whole"].map(|crop| losses[crop].as_f64().unwrap());
    let (crop, expected) = if by_whole < by_center {
        ("whole", &whole)
    } else {
        ("center", &center)
    };
    assert_eq!(own["transfer"]["crop"], crop);
    assert_eq!(&input("auto"), expected);
    let stdout = &ran.ok().stdout;
    assert!(stdout.contains("in cross-validation"), "{stdout}");
    for (crop, expected) in [("center", &center), ("whole", &whole)] {
        let set = format!("--set=transfer.crop={crop}");
        let ran = train(&place, crop, &["--set=transfer.flip=false", &set]);
        assert!(!ran.ok().stdout.contains("in cross-validation"));
        assert_eq!(&input(crop), expected);
        let own = summary(&place, crop);
        assert_eq!(
            own["transfer"]["cross_validated_loss"]
                .as_object()
                .unwrap()
                .len(),
            1
        );
        let ran = place.run(&["eval", "--run", crop, "--json"]);
        let found: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
        assert_eq!(found["test"], own["test"]);
        place
            .run(&["predict", "--run", crop, "photos/left/3.png"])
            .ok();
    }
    train(&place, "wrong", &["--set=transfer.crop=left"]).failed(2, &["`center`", "`whole`"]);
}

#[test]
fn the_whole_network_is_trained_in_the_other_modes() {
    let place = place();
    for mode in ["staged", "full"] {
        let set = format!("--set=transfer.mode={mode}");
        let more = [
            &set,
            "--set=transfer.flip=false",
            "--epochs=2",
            "--batch-size=8",
        ];
        train(&place, mode, &more).ok();
        let summary = summary(&place, mode);
        // Two whole batches of the 19 or 20 training images, twice.
        assert_eq!(summary["steps"], 4, "{summary}");
        let recipe = fs::read_to_string(place.path(mode).join("recipe.toml")).unwrap();
        assert!(recipe.contains(&format!("mode = \"{mode}\"")), "{recipe}");
    }
    let weights = |run: &str| fs::read(place.path(run).join("model/weights.safetensors")).unwrap();
    assert_ne!(weights("staged"), weights("full"));
}

#[test]
fn a_sweep_leaves_alone_what_follows_from_the_weights() {
    let place = place();
    let train = train_args("sweep");
    let sweep = [&["sweep", "--trials", "2"][..], &train[1..]].concat();
    place.run(&sweep).ok();
    let space = fs::read_to_string(place.path("sweep/space.toml")).unwrap();
    let keys: Vec<&str> = space
        .lines()
        .filter_map(|line| line.split(" = ").next())
        .collect();
    assert_eq!(keys, ["loss.label_smoothing", "transfer.l2"]);
}

#[test]
fn what_does_not_fit_published_weights_is_one_clear_error() {
    let place = place();
    for (more, words) in [
        (
            &["--set=model.kind=cnn"][..],
            &["`model` follows from the weights"][..],
        ),
        (&["--set=ensemble=2"], &["`ensemble` must be 1", "frozen"]),
        (&["--set=data.channels=1"], &["3 channels"]),
        (&["--set=transfer.mode=some"], &["`frozen`", "`staged`"]),
        (
            &["--set=transfer.layer_decay=2.0"],
            &["`transfer.layer_decay`"],
        ),
    ] {
        train(&place, "run", more).failed(2, words);
    }
    let digest = format!("--set=transfer.digest={}", "0".repeat(64));
    train(&place, "run", &[&digest]).failed(2, &["has the SHA-256", "transfer.digest"]);
    let digits = ["train", "--recipe", "digits", "--weights", "weights"];
    place.run(&digits).failed(2, &["--weights", "from scratch"]);
    let none = ["train", "--recipe", "transfer", "--data", "photos"];
    place.run(&none).failed(2, &["`--weights DIR`"]);
    assert!(!place.path("run").exists());
}
