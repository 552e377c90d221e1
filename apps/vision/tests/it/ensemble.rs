//! Folds, ensembles and calibration.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use crate::common::Place;
use serde_json::Value;

const FLAGS: [&str; 5] = ["--folds", "2", "--ensemble", "2", "--quiet"];

fn json(place: &Place, file: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path(file)).unwrap()).unwrap()
}

#[test]
fn folds_and_an_ensemble_are_trained_and_evaluated() {
    let place = Place::new();
    place.train(&[&["--out", "run"], &FLAGS[..]].concat()).ok();
    for file in [
        "model/weights-1.safetensors",
        "members/1/metrics.jsonl",
        "folds/2/metrics.jsonl",
        "folds/2/members/1/metrics.jsonl",
    ] {
        assert!(place.path("run").join(file).is_file(), "{file}");
    }
    let summary = json(&place, "run/summary.json");
    assert_eq!(summary["folds"]["count"], 2);
    let auroc = &summary["folds"]["test"]["this model"]["auroc"];
    assert!(auroc["mean"].as_f64().unwrap() > 0.9, "{summary}");
    let spec = json(&place, "run/model/model.json");
    assert_eq!(spec["members"], 2);

    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let line: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    for metric in ["accuracy", "auroc", "ece", "f1", "loss"] {
        assert!(line["test"][metric].is_f64(), "{metric}");
        assert_eq!(line["test"][metric], summary["test"][metric], "{metric}");
    }
    let ran = place.run(&["eval", "--run", "run"]);
    let stdout = &ran.ok().stdout;
    assert!(
        stdout.contains("precision") && stdout.contains("recall"),
        "{stdout}"
    );
}

#[test]
fn the_first_network_of_an_ensemble_is_that_of_a_run_without() {
    let place = Place::new();
    place.train(&[&["--out", "run"], &FLAGS[..]].concat()).ok();
    place.train(&["--out", "alone", "--quiet"]).ok();
    let weights = |file: &str| fs::read(place.path(file)).unwrap();
    let first = weights("run/model/weights.safetensors");
    assert!(first == weights("alone/model/weights.safetensors"));
    assert!(first != weights("run/model/weights-1.safetensors"));
}

#[test]
fn calibration_lowers_the_validation_loss_and_keeps_the_labels() {
    let place = Place::new();
    for (out, calibrate) in [
        ("plain", "calibrate=false"),
        ("calibrated", "calibrate=true"),
    ] {
        let args = ["train", "--epochs", "1", "--no-baseline", "--quiet"];
        let args = [&args[..], &["--out", out, "--set", calibrate]].concat();
        place.run(&args).ok();
    }
    let spec = |run: &str| json(&place, &format!("{run}/model/model.json"));
    assert_eq!(spec("plain")["temperature"], serde_json::json!(1.0));
    assert_ne!(spec("calibrated")["temperature"], serde_json::json!(1.0));
    let [plain, calibrated] =
        ["plain", "calibrated"].map(|run| json(&place, &format!("{run}/summary.json")));
    let loss = |summary: &Value| summary["valid"]["loss"].as_f64().unwrap();
    assert!(loss(&calibrated) < loss(&plain), "{calibrated}");
    assert_eq!(calibrated["test"]["accuracy"], plain["test"]["accuracy"]);
}
