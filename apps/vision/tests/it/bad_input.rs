//! Wrong input ends with one clear message, the exit code of its kind, and nothing left behind.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use crate::common::{Place, gzip, idx_images, idx_labels};

/// `train` on changed data fails as the user's mistake, before a run directory exists.
fn refused(place: &Place, more: &[&str], words: &[&str]) {
    let mut args = vec!["--out", "run"];
    args.extend(more);
    place.train(&args).failed(2, words);
    assert!(
        !place.path("run").exists(),
        "a run directory was left behind"
    );
}

const IMAGES: &str = "data/train-images-idx3-ubyte";
const LABELS: &str = "data/train-labels-idx1-ubyte";

#[test]
fn a_missing_folder_is_named() {
    let place = Place::new();
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    refused(&place, &[], &["`data`"]);
}

#[test]
fn without_a_folder_and_a_network_it_says_where_to_put_the_files() {
    let place = Place::new();
    place
        .run(&["train", "--recipe", "mnist", "--out", "run"])
        .failed(2, &["--data", "cache"]);
    assert!(!place.path("run").exists());
}

#[test]
fn broken_idx_files_are_refused() {
    let images = idx_images(96);
    let mut magic = images.clone();
    magic[2] = 0x0d;
    let mut count = images.clone();
    count[7] = 95;
    let longer = [&images[..], &[0]].concat();
    let gz = gzip(&images);
    let mut corrupt = gz.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0xff;
    let mut absurd = images.clone();
    absurd[4..8].copy_from_slice(&[0x7f; 4]);
    for broken in [
        &magic[..],
        &count,
        &images[..images.len() - 1],
        &longer,
        &corrupt,
        &gz[..gz.len() / 2],
        &absurd,
        &images[..10],
        &[],
    ] {
        let place = Place::new();
        fs::write(place.path(IMAGES), broken).unwrap();
        refused(&place, &[], &["train-images-idx3-ubyte"]);
    }
}

#[test]
fn gzipped_idx_files_are_read() {
    let place = Place::new();
    fs::write(place.path(IMAGES), gzip(&idx_images(96))).unwrap();
    place.train(&["--out", "run", "--quiet"]).ok();
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let place = Place::new();
    fs::write(place.path(LABELS), idx_labels(95)).unwrap();
    refused(&place, &[], &["95", "96"]);
    let mut labels = idx_labels(96);
    labels[20] = 7;
    fs::write(place.path(LABELS), labels).unwrap();
    refused(&place, &[], &["train-labels-idx1-ubyte", "7", "12"]);
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(width, height)
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// A PNG whose header claims a size that its content does not have.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(4, 4);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn folder() -> Place {
    let place = Place::new();
    for class in ["cat", "dog"] {
        fs::create_dir_all(place.path("images").join(class)).unwrap();
        for image in 0..8 {
            let path = place
                .path("images")
                .join(class)
                .join(format!("{image}.png"));
            fs::write(path, png(9 + image, 12)).unwrap();
        }
    }
    place
}

const FOLDER: [&str; 18] = [
    "train",
    "--recipe",
    "image-folder",
    "--data",
    "images",
    "--no-baseline",
    "--out",
    "run",
    "--quiet",
    "--set",
    "train.epochs=1",
    "--set",
    "train.batch_size=4",
    "--set",
    "model.blocks_per_stage=[1]",
    "--set",
    "data.height=16",
    "--set=data.width=16",
];

#[test]
fn an_image_folder_is_trained_on() {
    let place = folder();
    place.run(&FOLDER).ok();
}

#[test]
fn an_empty_class_is_named() {
    let place = folder();
    fs::create_dir(place.path("images/emu")).unwrap();
    place.run(&FOLDER).failed(2, &["emu"]);
    assert!(!place.path("run").exists());
}

#[test]
fn broken_images_are_named_or_left_out_on_request() {
    for (name, broken) in [
        ("no-image.jpg", b"not an image".to_vec()),
        ("empty.png", Vec::new()),
        ("zero.png", claims(0, 0)),
        ("huge.png", claims(100_000, 100_000)),
    ] {
        let place = folder();
        fs::write(place.path("images/cat").join(name), broken).unwrap();
        place.run(&FOLDER).failed(2, &[name]);
        assert!(!place.path("run").exists());
        let mut args = FOLDER.to_vec();
        args.extend(["--set", "data.skip_broken=true"]);
        place.run(&args).ok();
    }
}

#[test]
fn an_image_to_predict_is_checked_too() {
    let place = Place::new();
    place.train(&["--out", "run", "--quiet"]).ok();
    fs::write(place.path("huge.png"), claims(100_000, 100_000)).unwrap();
    fs::write(place.path("text.png"), "text").unwrap();
    place
        .run(&["predict", "--run", "run", "--id", "name", "text.png"])
        .failed(2, &["`--id`", "no columns"]);
    for name in ["huge.png", "text.png", "missing.png"] {
        let args = ["predict", "--run", "run", "--out", "out.csv", "--csv", name];
        place.run(&args).failed(2, &[name]);
        assert!(!place.path("out.csv").exists());
    }
    place
        .run(&["predict", "--run", "nowhere", "huge.png"])
        .failed(2, &["nowhere"]);
}

#[test]
fn unknown_names_and_types_are_refused() {
    let place = Place::new();
    place
        .run(&["train", "--recipe", "mnits"])
        .failed(2, &["mnits", "did you mean `mnist`"]);
    refused(
        &place,
        &["--set", "train.epoch=3"],
        &["train.epoch", "did you mean `train.epochs`"],
    );
    refused(
        &place,
        &["--set", "train.epochs=many"],
        &["train.epochs", "whole number"],
    );
    refused(&place, &["--set", "train.epochs=-1"], &["-1"]);
    refused(&place, &["--set", "model.kind=gnn"], &["gnn", "resnet"]);
    refused(
        &place,
        &["--set", "model.d_hidden=1000000000000"],
        &["model.d_hidden"],
    );
    fs::write(
        place.path("bad.toml"),
        "name = \"x\"\n[train]\nepochs = \"3\"\n",
    )
    .unwrap();
    place
        .run(&["train", "--recipe", "bad.toml"])
        .failed(2, &["bad.toml", "train.epochs"]);
    fs::write(place.path("bad.toml"), "name = [").unwrap();
    place
        .run(&["train", "--recipe", "bad.toml"])
        .failed(2, &["bad.toml"]);
    place
        .run(&["train", "--recipe", "gone.toml"])
        .failed(2, &["gone.toml"]);
    place
        .run(&["train", "--device", "rocm:1"])
        .failed(2, &["rocm", "cargo run -p vision --features rocm"]);
    place
        .run(&["train", "--device", "gpu"])
        .failed(2, &["`gpu` is not a device", "did you mean `cuda`?"]);
}

#[test]
fn a_learning_rate_that_cannot_learn_is_refused() {
    let place = Place::new();
    for rate in ["0", "-0.1", "nan", "inf"] {
        let set = format!("optimizer.learning_rate={rate}");
        refused(&place, &["--set", &set], &["optimizer.learning_rate"]);
    }
}

#[test]
fn a_loss_that_becomes_nan_stops_the_run_and_keeps_the_last_good_state() {
    let place = Place::new();
    let ran = place.train(&[
        "--out",
        "run",
        "--set",
        "optimizer.kind=sgd",
        "--set",
        "optimizer.learning_rate=1e30",
    ]);
    ran.failed(1, &["no longer finite at step", "learning_rate"]);
    assert!(fs::read_dir(place.path("run/checkpoint")).unwrap().count() > 0);
    assert!(!place.path("run/summary.json").exists());
    assert!(!place.path("run/model").exists());
}

#[test]
fn a_finished_run_is_not_overwritten_and_another_recipe_not_resumed() {
    let place = Place::new();
    place.train(&["--out", "run", "--quiet"]).ok();
    let before = fs::read(place.path("run/summary.json")).unwrap();
    place
        .train(&["--out", "run"])
        .failed(2, &["run", "finished run", "--out"]);
    place
        .run(&["train", "--resume", "run"])
        .failed(2, &["`run` is finished", "--epochs 6"]);
    assert_eq!(fs::read(place.path("run/summary.json")).unwrap(), before);

    fs::remove_file(place.path("run/summary.json")).unwrap();
    place
        .train(&["--out", "run"])
        .failed(2, &["unfinished run", "--resume run"]);
    let args = ["train", "--resume", "run", "--recipe", "digits"];
    place
        .run(&args)
        .failed(2, &["another recipe", "mnist", "digits"]);
    place
        .run(&["train", "--resume", "nowhere"])
        .failed(2, &["nowhere", "no run"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_an_error_and_not_an_abort() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let ran = place.train(&["--out", "file/run"]);
    assert!(
        matches!(ran.code, Some(1 | 2)),
        "{:?} {}",
        ran.code,
        ran.stderr
    );
    assert!(ran.stderr.contains("file/run"), "{}", ran.stderr);
}

#[test]
fn a_changed_model_folder_is_refused() {
    let place = Place::new();
    place.train(&["--out", "run", "--quiet"]).ok();
    let weights = place.path("run/model/weights.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() - 7]).unwrap();
    let eval = ["eval", "--run", "run"];
    place.run(&eval).failed(2, &["weights.safetensors"]);
    fs::write(&weights, &whole).unwrap();
    let spec = place.path("run/model/model.json");
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
    place.run(&eval).failed(2, &["model.json", "format is 3"]);
    fs::write(&spec, text.replace("\"d_hidden\": 8", "\"d_hidden\": 9")).unwrap();
    place.run(&eval).failed(2, &["weights.safetensors"]);
}

/// Wrong commands that only this app has, and words of the advice; the others are in
/// `check_mistakes`.
const WRONG: &[(&str, &[&str])] = &[
    ("train --set epochs=3", &["did you mean `train.epochs`?"]),
    (
        "train --set early_stopping=3",
        &["did you mean `train.patience`?"],
    ),
    (
        "train --set train.epochs=many",
        &["`train.epochs` must be a whole number (got `many`)"],
    ),
    (
        "train --epochs 0",
        &["invalid recipe", "`train.epochs` must be between 1 and"],
    ),
    (
        "train --folds 1",
        &["`split.folds` must be 0, or 2 and more (got 1)"],
    ),
    (
        "train --ensemble 0",
        &["`ensemble` must be between 1 and 100 (got 0)"],
    ),
    (
        "train photos/",
        &["did you mean `vision train --data photos/`?"],
    ),
    ("classify x.png", &["did you mean `vision predict`?"]),
    (
        "predict --model m x.png",
        &["unknown flag `--model`: use `--run`"],
    ),
    (
        "predict --run nowhere x.png",
        &["`nowhere` contains no trained model"],
    ),
];

#[test]
fn wrong_commands_get_advice_and_leave_nothing_behind() {
    let place = Place::new();
    for (line, words) in WRONG {
        let args: Vec<&str> = line.split(' ').collect();
        place.run(&args).failed(2, words);
    }
    let left = fs::read_dir(place.path("")).unwrap();
    assert_eq!(left.count(), 1);
}
