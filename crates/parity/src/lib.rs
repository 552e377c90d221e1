//! Compares what a device computes with values that PyTorch computed in float64.
//!
//! Every layer, loss and model family is run. The reference values are part of the crate;
//! `references/references.py` and its neighbors make them. Those of texts need the feature `text`.
//!
//! ```no_run
//! use burn::tensor::Device;
//!
//! for check in tinderbox_parity::parity(&Device::flex()) {
//!     assert!(check.passed(), "{}: {:?}", check.name, check.difference);
//! }
//! ```
//!
//! Non-goals: tests of code that is not numerical, and measurements of speed.

mod backbones;
mod tabular;
#[cfg(feature = "text")]
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::module::{layer_norm, linear};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use burn::train::{ClassificationOutput, TrainStep};
use serde::Deserialize;
use tinderbox_kernels::{
    Activation as KernelActivation, Conv2dGeometry, FeatureMap, batch_norm_train, conv2d,
    global_avg_pool, max_pool2x2, max_pool3x3,
};
use tinderbox_models::layers::{Activation, MlpConfig, Normalization};
use tinderbox_models::vision::{CnnConfig, ResNetConfig};

use tinderbox_predict::Classify as _;
use tinderbox_predict::vision::{ImageModel, ImageModelConfig};
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss, Mixed};
use tinderbox_train::{Optimizer, panic_message};

/// Largest relative difference of a layer's output or gradient.
const LAYER_TOLERANCE: f64 = 1e-5;
/// Largest relative difference of a model's logits.
const LOGITS_TOLERANCE: f64 = 1e-4;
/// Largest relative difference of a loss within 20 training steps.
const CURVE_TOLERANCE: f64 = 1e-3;

const LAYERS: &str = include_str!("../references/layers.json");
const MODELS: &str = include_str!("../references/models.json");

/// The checks that [`probe`] makes: the pieces that most of the time is spent in.
const PROBED: [&str; 3] = ["matmul", "conv2d", "cnn, 20 steps of adamw"];

/// One comparison on one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// The largest difference, relative to the largest value; or why there is none.
    pub difference: Result<f64, String>,
    /// The largest difference that is all right.
    pub tolerance: f64,
}

impl Check {
    /// Whether the device computes this as it should.
    pub fn passed(&self) -> bool {
        matches!(self.difference, Ok(difference) if difference <= self.tolerance)
    }

    fn run(name: String, tolerance: f64, compute: impl FnOnce() -> Result<f64, String>) -> Self {
        // A backend reports a missing library or a refused allocation by a panic.
        let difference = catch_unwind(AssertUnwindSafe(compute))
            .unwrap_or_else(|panic| Err(panic_message(panic.as_ref())));
        Self {
            name,
            difference,
            tolerance,
        }
    }
}

/// Compares every layer, loss and model family on a device with the references.
pub fn parity(device: &Device) -> Vec<Check> {
    checks(device, |_| true)
}

/// A second's worth of [`parity`].
pub fn probe(device: &Device) -> Vec<Check> {
    checks(device, |name| PROBED.contains(&name))
}

/// Trains a model on one device and compares its predictions on another.
pub fn transfer(from: &Device, to: &Device) -> Check {
    Check::run(
        "moved to another device".to_owned(),
        LOGITS_TOLERANCE,
        || {
            let models: Vec<Model> = read(MODELS)?;
            let model = models.last().ok_or("there is no model")?;
            let (_, trained) = model.train(&adamw(), from)?;
            let weights = trained.to_bytes().map_err(|error| error.to_string())?;
            let moved = model.net(to)?.with_bytes(weights);
            let moved = moved.map_err(|error| error.to_string())?;
            let predict = |net: &ImageModel, device: &Device| {
                let logits = net.classify(model.input.tensor(device));
                let classes = logits.clone().argmax(1);
                let classes = classes
                    .try_into_vec_as::<i64>()
                    .map_err(|error| error.to_string())?;
                Ok::<_, String>((classes, values(logits)?))
            };
            let (classes, logits) = predict(&trained, from)?;
            let (moved_classes, moved_logits) = predict(&moved, to)?;
            if classes != moved_classes {
                return Err(format!("predicts {moved_classes:?} instead of {classes:?}"));
            }
            let largest = difference(&moved_logits, &logits)?;
            #[cfg(feature = "text")]
            let largest = largest.max(text::references()?.transfer(from, to)?);
            Ok(largest)
        },
    )
}

fn checks(device: &Device, wanted: impl Fn(&str) -> bool) -> Vec<Check> {
    let References {
        layers,
        models,
        backbones,
        tables,
        #[cfg(feature = "text")]
        texts,
    } = match References::read() {
        Ok(references) => references,
        Err(error) => {
            return vec![Check::run("references".to_owned(), 0.0, || Err(error))];
        }
    };
    let mut checks = Vec::new();
    let all = layers.iter().chain(&tables.layers);
    #[cfg(feature = "text")]
    let all = all.chain(&texts.layers);
    for layer in all.filter(|layer| wanted(&layer.name)) {
        let name = layer.name.clone();
        checks.push(Check::run(name, LAYER_TOLERANCE, || layer.check(device)));
    }
    for model in &models {
        let name = format!("{}, logits", model.name);
        if wanted(&name) {
            let run = || model.check_logits(device);
            checks.push(Check::run(name, LOGITS_TOLERANCE, run));
        }
        for (kind, optimizer, losses) in
            [("sgd", sgd(), &model.sgd), ("adamw", adamw(), &model.adamw)]
        {
            let name = format!("{}, {} steps of {kind}", model.name, losses.len());
            if wanted(&name) {
                let run = || difference(&model.train(&optimizer, device)?.0, losses);
                checks.push(Check::run(name, CURVE_TOLERANCE, run));
            }
        }
    }
    checks.extend(backbones.checks(device, &wanted));
    checks.extend(tables.checks(device, &wanted));
    #[cfg(feature = "text")]
    checks.extend(texts.checks(device, &wanted));
    checks
}

/// All that there is to compare with.
struct References {
    layers: Vec<Layer>,
    models: Vec<Model>,
    backbones: backbones::References,
    tables: tabular::References,
    #[cfg(feature = "text")]
    texts: text::References,
}

impl References {
    fn read() -> Result<Self, String> {
        Ok(Self {
            layers: read(LAYERS)?,
            models: read(MODELS)?,
            backbones: backbones::references()?,
            tables: tabular::references()?,
            #[cfg(feature = "text")]
            texts: text::references()?,
        })
    }
}

fn sgd() -> Optimizer {
    Optimizer::Sgd {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    }
}

fn adamw() -> Optimizer {
    Optimizer::Adamw {
        learning_rate: 0.003,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A tensor of the references.
#[derive(Deserialize)]
struct Value {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Value {
    fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        let data: Vec<f32> = self.data.iter().map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(data, self.shape.clone()), device)
    }

    fn flat(&self, device: &Device) -> Tensor<1> {
        let data: Vec<f32> = self.data.iter().map(|&value| value as f32).collect();
        let count = data.len();
        Tensor::from_data(TensorData::new(data, [count]), device)
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, String> {
    tensor
        .try_into_vec_as::<f64>()
        .map_err(|error| error.to_string())
}

/// The largest difference, relative to the largest of the expected values.
fn difference(found: &[f64], expected: &[f64]) -> Result<f64, String> {
    if found.len() != expected.len() {
        return Err(format!("{} values, not {}", found.len(), expected.len()));
    }
    let largest = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(0.0_f64, |largest, value| {
            if value.is_nan() {
                f64::INFINITY
            } else {
                largest.max(value.abs())
            }
        })
    };
    let apart = largest(&mut found.iter().zip(expected).map(|(left, right)| left - right));
    Ok(apart / largest(&mut expected.iter().copied()).max(f64::MIN_POSITIVE))
}

fn labels(labels: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(labels.to_vec(), [labels.len()]), device)
}

/// One layer or loss: what goes in, and what comes out of it forward and backward.
#[derive(Deserialize)]
struct Layer {
    name: String,
    inputs: Vec<Value>,
    labels: Vec<i32>,
    upstream: Value,
    output: Value,
    gradients: Vec<Value>,
}

type ReadGradient = Box<dyn Fn(&Gradients) -> Option<Result<Vec<f64>, String>>>;

/// The inputs of a layer on a device, and how to read their gradients.
struct Inputs<'a> {
    layer: &'a Layer,
    device: &'a Device,
    gradients: Vec<ReadGradient>,
}

impl Inputs<'_> {
    /// The next input.
    fn next<const D: usize>(&mut self) -> Tensor<D> {
        let index = self.gradients.len();
        let tensor = self.layer.inputs[index]
            .tensor::<D>(self.device)
            .require_grad();
        let kept = tensor.clone();
        self.gradients
            .push(Box::new(move |gradients| kept.grad(gradients).map(values)));
        tensor
    }

    fn labels(&self) -> Tensor<1, Int> {
        labels(&self.layer.labels, self.device)
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.reshape([-1])
}

impl Layer {
    fn check(&self, device: &Device) -> Result<f64, String> {
        let device = device.clone().autodiff();
        let mut inputs = Inputs {
            layer: self,
            device: &device,
            gradients: Vec::new(),
        };
        let output = self.forward(&mut inputs)?;
        let upstream = self.upstream.flat(&device);
        let gradients = (output.clone() * upstream).sum().backward();
        let mut largest = difference(&values(output.inner())?, &self.output.data)?;
        for (read, expected) in inputs.gradients.iter().zip(&self.gradients) {
            let found = read(&gradients).ok_or("an input has no gradient")??;
            largest = largest.max(difference(&found, &expected.data)?);
        }
        Ok(largest)
    }

    fn forward(&self, x: &mut Inputs<'_>) -> Result<Tensor<1>, String> {
        let geometry = |stride, padding| Conv2dGeometry { stride, padding };
        let maps = |x: &mut Inputs<'_>| FeatureMap::from_nchw(x.next());
        Ok(match self.name.as_str() {
            "matmul" => flat(x.next::<2>().matmul(x.next())),
            "linear" => {
                let (input, weight, bias) = (x.next::<2>(), x.next(), x.next());
                flat(linear(input, weight, Some(bias)))
            }
            "conv2d" => flat(conv2d(maps(x), x.next(), geometry(1, 1)).into_nchw()),
            "conv2d-stride-2" => flat(conv2d(maps(x), x.next(), geometry(2, 1)).into_nchw()),
            "conv2d-1x1" => flat(conv2d(maps(x), x.next(), geometry(2, 0)).into_nchw()),
            "batch-norm" | "batch-norm-relu" => {
                let activation = if self.name.ends_with("relu") {
                    KernelActivation::Relu
                } else {
                    KernelActivation::Identity
                };
                let (input, gamma, beta) = (maps(x), x.next(), x.next());
                let result = batch_norm_train(input, gamma, beta, 1e-5, None, activation);
                flat(result.output.into_nchw())
            }
            "layer-norm" => {
                let (input, gamma, beta) = (x.next::<2>(), x.next(), x.next());
                flat(layer_norm(input, gamma, Some(beta), 1e-5))
            }
            "max-pool-2x2" => flat(max_pool2x2(maps(x)).into_nchw()),
            "max-pool-3x3" => flat(max_pool3x3(maps(x)).into_nchw()),
            "global-average" => flat(global_avg_pool(maps(x))),
            "relu" => flat(Activation::Relu.forward(x.next::<2>())),
            "gelu" => flat(Activation::Gelu.forward(x.next::<2>())),
            "silu" => flat(Activation::Silu.forward(x.next::<2>())),
            "tanh" => flat(Activation::Tanh.forward(x.next::<2>())),
            "leaky-relu" => flat(Activation::LeakyRelu.forward(x.next::<2>())),
            "softmax" => flat(softmax(x.next::<2>(), 1)),
            "cross-entropy" => Loss::default().forward(x.next(), x.labels()),
            "cross-entropy-smoothed" => {
                let label_smoothing = 0.1;
                Loss {
                    label_smoothing,
                    ..Loss::default()
                }
                .forward(x.next(), x.labels())
            }
            "cross-entropy-mixed" => {
                let mut partners = self.labels.clone();
                partners.rotate_left(1);
                let mixed = Mixed {
                    labels: labels(&partners, x.device),
                    weight: 0.3,
                };
                Loss::default().forward_mixed(x.next(), x.labels(), Some(mixed), &[])
            }
            name => {
                #[cfg(feature = "text")]
                if let Some(output) = text::layer(name, x) {
                    return Ok(output);
                }
                tabular::layer(name, x)?
            }
        })
    }
}

/// One model: what it begins with is in the file of weights with its name.
#[derive(Deserialize)]
struct Model {
    name: String,
    input: Value,
    labels: Vec<i32>,
    logits: Value,
    /// Loss of each of 20 steps, before its update.
    sgd: Vec<f64>,
    adamw: Vec<f64>,
}

impl Model {
    /// The network with its stored weights.
    fn net(&self, device: &Device) -> Result<ImageModel, String> {
        let dropout = 0.0;
        let (config, weights): (ImageModelConfig, &[u8]) = match self.name.as_str() {
            "mlp" => (
                MlpConfig::new(0, 0)
                    .with_hidden(vec![12, 8])
                    .with_activation(Activation::Gelu)
                    .with_normalization(Normalization::Layer)
                    .with_dropout(dropout)
                    .into(),
                include_bytes!("../references/mlp.safetensors"),
            ),
            "cnn" => (
                CnnConfig::new(0, 0, 0, 0)
                    .with_block_channels(vec![4, 6])
                    .with_d_hidden(10)
                    .with_dropout(dropout)
                    .into(),
                include_bytes!("../references/cnn.safetensors"),
            ),
            "resnet" => (
                ResNetConfig::new(0, 0)
                    .with_blocks_per_stage(vec![1, 1])
                    .with_base_channels(4)
                    .with_dropout(dropout)
                    .into(),
                include_bytes!("../references/resnet.safetensors"),
            ),
            name => return Err(format!("no architecture is called `{name}`")),
        };
        let net = config
            .init([8, 8, 1], 3, device)
            .map_err(|error| error.to_string())?;
        net.with_bytes(weights.to_vec())
            .map_err(|error| error.to_string())
    }

    /// With the statistics of the batch, as while training.
    fn check_logits(&self, device: &Device) -> Result<f64, String> {
        let net = self.net(device)?.train();
        let logits = net.classify(self.input.tensor(&device.clone().autodiff()));
        difference(&values(logits.inner())?, &self.logits.data)
    }

    /// The loss of each step, and what was trained.
    fn train(
        &self,
        optimizer: &Optimizer,
        device: &Device,
    ) -> Result<(Vec<f64>, ImageModel), String> {
        let model = Classifier::new(self.net(device)?, Loss::default()).train();
        let device = device.clone().autodiff();
        let batch = LabeledBatch::new(self.input.tensor(&device), labels(&self.labels, &device));
        let (losses, model) = curve(model, &batch, optimizer, self.sgd.len());
        Ok((losses, model.valid().net))
    }
}

/// The loss of each of some steps on one batch, before its update; and what was trained.
fn curve<M>(mut model: M, batch: &M::Input, optimizer: &Optimizer, steps: usize) -> (Vec<f64>, M)
where
    M: Module + TrainStep<Output = ClassificationOutput>,
    M::Input: Clone,
{
    let rate = optimizer.learning_rate();
    let mut optimizer = optimizer.init();
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let output = model.step(batch.clone());
        losses.push(output.item.loss.mean().into_scalar::<f64>());
        model = optimizer.step(rate, model, output.grads);
    }
    (losses, model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_passes_every_check() {
        let device = Device::flex();
        let checks = parity(&device);
        assert!(checks.len() > 95, "{}", checks.len());
        for check in checks.iter().chain([&transfer(&device, &device)]) {
            assert!(check.passed(), "{check:?}");
        }
    }

    #[test]
    fn the_probe_makes_the_checks_it_names() {
        let names: Vec<_> = probe(&Device::flex())
            .into_iter()
            .map(|check| check.name)
            .collect();
        assert_eq!(names, PROBED);
    }

    #[test]
    fn differences_are_relative_and_nan_is_one() {
        assert_eq!(difference(&[100.0, 1.0], &[100.0, 2.0]), Ok(0.01));
        assert_eq!(difference(&[f64::NAN], &[1.0]), Ok(f64::INFINITY));
        assert!(difference(&[1.0], &[1.0, 2.0]).is_err());
    }

    #[test]
    fn a_panic_is_a_failed_check() {
        let check = Check::run("boom".to_owned(), 1.0, || panic!("no such library"));
        assert_eq!(check.difference, Err("no such library".to_owned()));
        assert!(!check.passed());
    }
}
