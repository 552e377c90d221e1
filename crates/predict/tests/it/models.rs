//! Model folders of the first version (format 2) stay readable, from a folder and from memory.
//!
//! Do not make them again: a change that cannot read them breaks the models of users. They were made by
//!
//! ```text
//! vision train --recipe mlp-digits --set model.hidden=[6] --epochs 4 --no-baseline
//! tabular train --set ensemble=2 --set model.hidden=[4] --epochs 4 --no-baseline
//! text train --set model.kind=bag --set model.d_embedding=4 --set tokenizer.kind=words
//!     --set tokenizer.vocab_size=120 --epochs 8 --no-baseline
//! ```
//!
//! and `NAME.jsonl` is what `predict --json` printed for `NAME.in.*`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use tinderbox_predict::{Model, ModelFiles};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/models")
        .join(name)
}

/// The predictions of a stored model for these inputs are the stored ones.
fn check(name: &str, inputs: &[(&str, &[u8])]) {
    let folder = path(name);
    let files = fs::read_dir(&folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    let memory = ModelFiles::from_memory(files.collect::<BTreeMap<_, _>>());
    let stored = fs::read_to_string(path(&format!("{name}.jsonl"))).unwrap();
    let stored: Vec<Value> = stored
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for files in [ModelFiles::open(&folder), memory] {
        let model = Model::load(&files, &Device::flex()).unwrap();
        let found = model.predict_json(inputs).unwrap();
        assert_eq!(found.len(), stored.len());
        for (found, stored) in found.into_iter().zip(&stored) {
            assert_close(&Value::Object(found), stored);
        }
    }
}

/// Equal but for the last digits of numbers, which other processors round differently.
fn assert_close(found: &Value, stored: &Value) {
    match (found, stored) {
        (Value::Object(found), Value::Object(stored)) => {
            assert!(found.keys().eq(stored.keys()), "{found:?} {stored:?}");
            for (key, value) in found.iter().filter(|(key, _)| *key != "input") {
                assert_close(value, &stored[key]);
            }
        }
        (Value::Number(found), Value::Number(stored)) => {
            let difference = found.as_f64().unwrap() - stored.as_f64().unwrap();
            assert!(difference.abs() < 1e-4, "{found} is not {stored}");
        }
        _ => assert_eq!(found, stored),
    }
}

#[test]
fn an_image_classifier_of_the_first_version_is_read() {
    let image = fs::read(path("image-classifier.in.png")).unwrap();
    check("image-classifier", &[("digit.png", &image)]);
}

#[test]
fn a_table_model_of_the_first_version_is_read() {
    let rows = fs::read(path("table-model.in.csv")).unwrap();
    check("table-model", &[("cells.csv", &rows)]);
}

#[cfg(feature = "text")]
#[test]
fn a_text_model_of_the_first_version_is_read() {
    let texts = fs::read_to_string(path("text-model.in.txt")).unwrap();
    let inputs = texts.lines().map(|line| (line, line.as_bytes()));
    check("text-model", &inputs.collect::<Vec<_>>());
}
