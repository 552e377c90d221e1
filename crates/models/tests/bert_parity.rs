//! Published networks give the same outputs as in `transformers`.
//!
//! The networks are small and random; `data/bert.py` creates them and their outputs in float64.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing helper fails the test, and the differences are printed"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use serde::Deserialize;
use tinderbox_models::text::{Head, PretrainedBert};

/// Maximum difference of an output, relative to its largest value.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Reference {
    ids: Vec<Vec<i32>>,
    types: Vec<Vec<i32>>,
    mask: Vec<Vec<i32>>,
    outputs: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    shape: Vec<usize>,
    data: Vec<f64>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn pretrained(folder: &str) -> PretrainedBert {
    PretrainedBert::open(&data().join(folder)).unwrap()
}

impl Reference {
    fn read() -> Self {
        let text = std::fs::read_to_string(data().join("bert.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn ids(&self) -> Tensor<2, Int> {
        ints(&self.ids)
    }

    fn types(&self) -> Tensor<2, Int> {
        ints(&self.types)
    }

    fn padding(&self) -> Tensor<2, Bool> {
        ints(&self.mask).equal_elem(0)
    }

    /// Panics if an output differs; ignores padding positions.
    fn check<const D: usize>(&self, name: &str, found: Tensor<D>) {
        let expected = &self.outputs[name];
        assert_eq!(found.dims().to_vec(), expected.shape, "{name}");
        let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
        let tokens: Vec<i32> = self.mask.concat();
        let width = found.len() / tokens.len();
        let counts = |index: usize| D < 3 || tokens[index / width] == 1;
        let largest = expected.data.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let difference = found
            .iter()
            .zip(&expected.data)
            .enumerate()
            .filter(|(index, _)| counts(*index))
            .map(|(_, (found, expected))| (f64::from(*found) - expected).abs() / largest)
            .fold(0.0, f64::max);
        println!("{name}: {difference:.1e}");
        assert!(difference <= TOLERANCE, "{name} differ by {difference:e}");
    }
}

fn ints(rows: &[Vec<i32>]) -> Tensor<2, Int> {
    let shape = [rows.len(), rows[0].len()];
    Tensor::from_data(TensorData::new(rows.concat(), shape), &Device::flex())
}

#[test]
fn bert_and_its_classifier_give_the_published_outputs() {
    let (reference, device) = (Reference::read(), Device::flex());
    let published = pretrained("hub-bert");
    assert_eq!(published.labels(), ["negative", "positive"]);
    let model = published.classifier(Head::Stored, &device).unwrap();
    let (ids, padding) = (reference.ids(), reference.padding());
    let hidden = model
        .bert()
        .forward(ids.clone(), Some(reference.types()), padding.clone());
    reference.check("hub-bert hidden", hidden);
    let logits = model.forward(ids, Some(reference.types()), padding);
    reference.check("hub-bert logits", logits);
}

#[test]
fn distilbert_of_half_precision_gives_the_published_logits() {
    let (reference, device) = (Reference::read(), Device::flex());
    let published = pretrained("distilbert");
    let model = published.classifier(Head::Stored, &device).unwrap();
    let logits = model.forward(reference.ids(), None, reference.padding());
    reference.check("distilbert logits", logits);
}

#[test]
fn minilm_of_half_precision_gives_the_published_embeddings() {
    let (reference, device) = (Reference::read(), Device::flex());
    let model = pretrained("minilm").bert(&device).unwrap();
    let embeddings = model.embed(reference.ids(), reference.padding());
    reference.check("minilm embeddings", embeddings);
}

#[test]
fn a_tagger_gives_the_published_logits_of_each_token() {
    let (reference, device) = (Reference::read(), Device::flex());
    let published = pretrained("tagger");
    assert_eq!(published.labels(), ["O", "B-PER", "I-PER"]);
    let model = published.tagger(Head::Stored, &device).unwrap();
    let logits = model.forward(
        reference.ids(),
        Some(reference.types()),
        reference.padding(),
    );
    reference.check("tagger logits", logits);
}

/// The comparison is sensitive: without token types the outputs differ.
#[test]
#[should_panic(expected = "hub-bert hidden differ by")]
fn different_inputs_fail_the_comparison() {
    let reference = Reference::read();
    let model = pretrained("hub-bert").bert(&Device::flex()).unwrap();
    let hidden = model.forward(reference.ids(), None, reference.padding());
    reference.check("hub-bert hidden", hidden);
}
