//! Small random models of every architecture with inputs and the predictions of this project, for other
//! software to agree with.

#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "helpers of tests and of an example, which do not read all of it"
)]

pub mod images;
mod policies;
pub mod tables;
#[cfg(feature = "text")]
mod texts;

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tinderbox_export::{Weights, safetensors};
use tinderbox_predict::{Model, ModelFiles};

/// A tensor for another runtime.
#[derive(Clone, Debug)]
pub enum Data {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int(Vec<i64>),
    Text(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// A model with inputs and its predictions.
pub struct Case {
    pub name: String,
    pub onnx: Vec<u8>,
    /// The weights, and the inputs of the networks themselves, after preprocessing.
    pub weights: Option<(Weights, Vec<(String, Array)>)>,
    pub inputs: Vec<(String, Array)>,
    /// Outputs by name, in row-major order.
    pub outputs: Vec<(String, Vec<f64>)>,
}

pub fn all() -> Vec<Case> {
    let mut all = tables::cases();
    all.extend(images::cases());
    all.extend(policies::cases());
    #[cfg(feature = "text")]
    all.extend(texts::cases());
    all
}

/// Numbers that are equal on every machine, from 0 to 1.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The first numbers after a small state are small.
        (0..32).for_each(|_| {
            random.next();
        });
        random
    }

    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From -1 to 1.
    pub fn signed(&mut self) -> f64 {
        2.0 * self.next() - 1.0
    }
}

/// Weights of the same names and shapes with other values, of which none is special: also normalizations
/// and residual branches do something.
fn randomized(weights: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let file = SafeTensors::deserialize(weights).unwrap();
    let mut tensors: Vec<_> = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let tensors = tensors.into_iter().map(|(name, tensor)| {
        let shape = tensor.shape().to_vec();
        let values: Vec<f32> = if matches!(name.rsplit('.').next(), Some("left" | "slope")) {
            let bytes = tensor.data().as_chunks::<4>().0.iter();
            bytes.map(|&bytes| f32::from_le_bytes(bytes)).collect()
        } else {
            let count = shape.iter().product();
            let fan_in: usize = shape.iter().skip(1).product();
            let is_vector = shape.len() == 1;
            let value = |random: &mut Random| match name.rsplit('.').next() {
                Some("running_var") => 0.5 + random.next(),
                Some("weight" | "r" | "s") if is_vector => 1.0 + 0.3 * random.signed(),
                Some("bias" | "running_mean") => 0.2 * random.signed(),
                // The last layer decides.
                _ => {
                    let size = if name.contains("output") { 4.0 } else { 2.0 };
                    random.signed() * size / (fan_in.max(1) as f64).sqrt()
                }
            };
            (0..count).map(|_| value(&mut random) as f32).collect()
        };
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        (name, shape, bytes)
    });
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors.collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// A model of its specification, of which some fields are the same everywhere, and weights.
fn load(spec: &mut Value, weights: &[Vec<u8>]) -> (Model, Weights) {
    spec["format"] = json!(2);
    spec["recipe"] = json!("test");
    if spec.get("training").is_none() {
        spec["training"] = Value::Null;
    }
    let mut files = BTreeMap::from([("model.json".to_owned(), spec.to_string().into_bytes())]);
    for (member, weights) in weights.iter().enumerate() {
        let name = if member == 0 {
            "weights.safetensors".to_owned()
        } else {
            format!("weights-{member}.safetensors")
        };
        files.insert(name, weights.clone());
    }
    let device = burn::tensor::Device::flex();
    let files = ModelFiles::from_memory(files);
    (
        Model::load(&files, &device).unwrap(),
        safetensors(&files).unwrap(),
    )
}
