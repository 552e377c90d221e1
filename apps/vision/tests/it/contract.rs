//! The command-line contract: files, flags and lines that other programs rely on.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::common::Place;
use serde_json::Value;
use tinderbox_cli::testing::result;
use tinderbox_cli::testing::{
    AppUnderTest, Request, check_mistakes, check_report, check_serve, check_sweep,
};

fn trained() -> Place {
    let place = Place::new();
    place.train(&["--out", "run", "--quiet"]).ok();
    place
}

#[test]
fn a_sweep_tests_its_best_trial_only() {
    let place = Place::new();
    check_sweep(&place, &place.train_args(&[])[1..]);
}

/// A gray picture of the left class, of another size and color type than the training images.
fn picture(place: &Place, name: &str) -> String {
    let pixel = |x, _| image::Rgba([if x < 20 { 250 } else { 10 }; 4]).0;
    let picture = image::RgbImage::from_fn(40, 30, |x, y| {
        let [r, g, b, _] = pixel(x, y);
        image::Rgb([r, g, b])
    });
    picture.save(place.path(name)).unwrap();
    name.to_owned()
}

#[test]
fn a_run_leaves_what_the_contract_says() {
    let place = trained();
    for file in [
        "recipe.toml",
        "metrics.jsonl",
        "model/weights.safetensors",
        "model/model.json",
    ] {
        assert!(place.path("run").join(file).is_file(), "{file}");
    }
    assert!(fs::read_dir(place.path("run/checkpoint")).unwrap().count() > 0);
    let summary: Value =
        serde_json::from_slice(&fs::read(place.path("run/summary.json")).unwrap()).unwrap();
    for key in [
        "app",
        "recipe",
        "device",
        "backend",
        "seed",
        "burn",
        "version",
        "epochs",
        "steps",
        "samples",
        "wall_s",
        "train_s",
        "samples_per_s",
        "peak_rss_bytes",
        "parameters",
        "valid",
        "test",
    ] {
        assert!(summary.get(key).is_some(), "{key}");
    }
    assert_eq!(summary["app"], "vision");
    assert_eq!(summary["epochs"], 3);
    assert!(
        summary["test"]["accuracy"].as_f64().unwrap() > 0.9,
        "{summary}"
    );
    assert!(summary["valid"]["loss"].is_f64());
}

#[test]
fn every_line_of_the_metrics_has_its_keys() {
    let place = trained();
    let text = fs::read_to_string(place.path("run/metrics.jsonl")).unwrap();
    let mut splits: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in ["step", "epoch", "split", "name", "value", "wall_s"] {
            assert!(line.get(key).is_some(), "{key} in {line}");
        }
        splits.push(line["split"].as_str().unwrap().to_owned());
    }
    for split in ["train", "valid", "test"] {
        assert!(splits.iter().any(|found| found == split), "{split}");
    }
}

#[test]
fn the_stored_recipe_repeats_the_run() {
    let place = trained();
    let args = [
        "train",
        "--recipe",
        "run/recipe.toml",
        "--out",
        "again",
        "--no-baseline",
    ];
    place.run(&args).ok();
    assert!(result(&place.path("run")) == result(&place.path("again")));
}

#[test]
fn eval_repeats_the_test_score_of_the_run() {
    let place = trained();
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let line: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    let summary: Value =
        serde_json::from_slice(&fs::read(place.path("run/summary.json")).unwrap()).unwrap();
    assert_eq!(line["split"], "test");
    assert_eq!(line["samples"], 24);
    assert_eq!(line["test"]["accuracy"], summary["test"]["accuracy"]);
    let ran = place.run(&["eval", "--run", "run", "--split", "valid", "--data", "data"]);
    assert!(ran.ok().stdout.contains("valid split"), "{}", ran.stdout);
    // Everything is the second of the two classes.
    let ran = place.run(&["eval", "--run", "run", "--json", "--threshold", "0"]);
    let all: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    assert_eq!(all["test"]["accuracy"], 0.5);
    assert_eq!(all["test"]["loss"], line["test"]["loss"]);
}

#[test]
fn predict_takes_pictures_of_any_kind_in_every_form() {
    let place = trained();
    let (png, jpeg) = (picture(&place, "a.png"), picture(&place, "b.jpg"));
    let ran = place.run(&["predict", "--run", "run", "--json", &png, &jpeg]);
    let lines: Vec<Value> = ran
        .ok()
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["label"], "left", "{line}");
        let sum: f64 = line["probabilities"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_f64)
            .sum();
        assert!((sum - 1.0).abs() < 1e-5, "{line}");
    }
    let ran = place.run(&["predict", "--run", "run", "--csv", &png, "--out", "out.csv"]);
    assert_eq!(ran.ok().stdout, "");
    let csv = fs::read_to_string(place.path("out.csv")).unwrap();
    assert!(
        csv.starts_with("input,label,left,right\na.png,left,"),
        "{csv}"
    );
    let ran = place.run(&["predict", "--run", "run", &jpeg]);
    assert!(
        ran.ok().stdout.starts_with("b.jpg  left  "),
        "{}",
        ran.stdout
    );

    let mut child = place
        .command(&["predict", "--run", "run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&fs::read(place.path(&png)).unwrap())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("-  left  ")
    );
}

#[test]
fn a_reader_that_leaves_early_ends_the_program_quietly() {
    let place = trained();
    let png = picture(&place, "a.png");
    let mut args = vec!["predict", "--run", "run", "--json"];
    args.extend(std::iter::repeat_n(png.as_str(), 3000));
    let mut child = place
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("left"));
    let mut complaints = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaints)
        .unwrap();
    assert_eq!(complaints, "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn without_a_terminal_there_is_a_plain_line_per_epoch() {
    let place = Place::new();
    let ran = place.train(&["--out", "run"]);
    let epochs: Vec<&str> = ran
        .ok()
        .stderr
        .lines()
        .filter(|line| line.starts_with("epoch "))
        .collect();
    assert_eq!(epochs.len(), 3, "{}", ran.stderr);
    for word in ["train", "valid", "loss", "accuracy", "learning_rate"] {
        assert!(epochs[0].contains(word), "{}", epochs[0]);
    }
    assert!(
        !ran.stdout.contains("epoch 1/3"),
        "progress is not a result"
    );
    assert!(ran.stdout.contains("this model"), "{}", ran.stdout);
    assert!(ran.stdout.contains("data wait"), "{}", ran.stdout);
}

#[test]
fn recipes_are_listed_and_printed_ready_to_edit() {
    let place = Place::new();
    let list = place.run(&["recipes"]).ok().stdout.clone();
    for name in [
        "digits",
        "mnist",
        "fashion-mnist",
        "mlp-digits",
        "image-folder",
    ] {
        assert!(list.contains(name), "{list}");
    }
    let text = place.run(&["recipes", "mlp-digits"]).ok().stdout.clone();
    fs::write(
        place.path("mine.toml"),
        text.replace("epochs = 30", "epochs = 2"),
    )
    .unwrap();
    let ran = place.run(&["train", "--recipe", "mine.toml", "--out", "run"]);
    let stderr = &ran.ok().stderr;
    for word in ["layer", "backward, step 1", "training loss, epoch by epoch"] {
        assert!(stderr.contains(word), "{word} is not in {stderr}");
    }
    assert!(ran.stdout.contains("logistic regression"), "{}", ran.stdout);
}

#[test]
fn devices_says_what_there_is() {
    let place = Place::new();
    let stdout = place.run(&["devices"]).ok().stdout.clone();
    assert!(
        stdout.contains("cpu") && stdout.contains("chosen by `auto`"),
        "{stdout}"
    );
}

#[test]
fn doctor_and_parity_pass_on_every_device_of_this_build() {
    let place = Place::new();
    let doctor = place.run(&["doctor"]).ok().stdout.clone();
    assert!(
        doctor.contains("cpu") && doctor.contains("pass"),
        "{doctor}"
    );
    let parity = place.run(&["parity"]).ok().stdout.clone();
    assert!(parity.contains("resnet, 20 steps of adamw"), "{parity}");
    assert!(!parity.contains("FAIL"), "{parity}");
}

#[test]
fn the_same_mistakes_end_as_in_every_app() {
    let app = AppUnderTest {
        name: "vision",
        binary: env!("CARGO_BIN_EXE_vision"),
        short: &["--epochs", "1", "--no-baseline"],
        has_data: true,
    };
    check_mistakes(&app);
    check_report(&app);
    check_serve(&app, |_| Request {
        media: "image/png",
        body: fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates/predict/tests/models/image-classifier.in.png"
        ))
        .unwrap(),
        key: "probabilities",
    });
}
