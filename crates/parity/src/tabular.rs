//! The networks for tables, as `parity/tabular.py` has them.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::module::embedding;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Deserialize;
use tinderbox_models::tabular::{
    AutoencoderConfig, CategoricalEmbedding, FeaturesConfig, FtTransformerConfig, NumericEmbedding,
    TabMConfig, TabMVariant, TabularInputs, TabularMlpConfig, TabularResNetConfig,
};

use super::{
    CURVE_TOLERANCE, Check, Inputs, LAYER_TOLERANCE, Layer, Value, adamw, difference, flat, labels,
    read, sgd, values,
};
use tinderbox_predict::model_dir::from_bytes;
use tinderbox_train::Optimizer;
use tinderbox_train::classify::Loss;

const REFERENCES: &str = include_str!("../references/tabular.json");

const N_NUMERIC: usize = 2;
const N_BINS: usize = 3;
const CARDINALITIES: [usize; 2] = [3, 2];
const CLASSES: usize = 3;

/// What `tabular.json` holds.
#[derive(Deserialize)]
pub(super) struct References {
    pub(super) layers: Vec<Layer>,
    models: Vec<TableModel>,
}

pub(super) fn references() -> Result<References, String> {
    read(REFERENCES)
}

/// A layer of these networks, if it is called `name`.
pub(super) fn layer(name: &str, x: &mut Inputs<'_>) -> Result<Tensor<1>, String> {
    match name {
        "embedding" => {
            let codes = x.labels().unsqueeze_dim(1);
            Ok(flat(embedding(x.next(), codes)))
        }
        name => Err(format!("nothing here computes `{name}`")),
    }
}

/// One model: what it begins with is in the file of weights with its name.
#[derive(Deserialize)]
struct TableModel {
    name: String,
    numeric: Value,
    codes: Vec<i32>,
    labels: Vec<i32>,
    output: Value,
    /// Loss of each of 20 steps, before its update.
    sgd: Vec<f64>,
    adamw: Vec<f64>,
}

impl References {
    pub(super) fn checks(&self, device: &Device, wanted: impl Fn(&str) -> bool) -> Vec<Check> {
        let mut checks = Vec::new();
        for model in &self.models {
            let name = format!("{}, output", model.name);
            if wanted(&name) {
                let run = || model.compare(device, &Task::Output);
                checks.push(Check::run(name, LAYER_TOLERANCE, run));
            }
            for (kind, optimizer) in [("sgd", sgd()), ("adamw", adamw())] {
                let name = format!("{}, {} steps of {kind}", model.name, model.sgd.len());
                if wanted(&name) {
                    let run = || model.compare(device, &Task::Train(optimizer.clone()));
                    checks.push(Check::run(name, CURVE_TOLERANCE, run));
                }
            }
        }
        checks
    }
}

/// What is done with a model.
enum Task {
    Output,
    Train(Optimizer),
}

impl TableModel {
    /// The largest difference from the references.
    fn compare(&self, device: &Device, task: &Task) -> Result<f64, String> {
        let device = &device.clone().autodiff();
        macro_rules! run {
            ($config:expr, $file:literal, $forward:expr) => {{
                let weights = include_bytes!(concat!("../references/", $file, ".safetensors"));
                let model = from_bytes(weights.to_vec(), $config.init(device));
                let model = model.map_err(|error| error.to_string())?;
                self.run(model, device, task, $forward)
            }};
        }
        match self.name.as_str() {
            "tabular-mlp" => run!(perceptron(), "tabular-mlp", |model, rows| {
                scores(model.forward(rows))
            }),
            "tabular-resnet" => run!(residual(), "tabular-resnet", |model, rows| {
                scores(model.forward(rows))
            }),
            "ft-transformer" => run!(transformer(), "ft-transformer", |model, rows| {
                scores(model.forward(rows))
            }),
            "tabm" => run!(members(), "tabm", |model, rows| {
                Output::Scores(model.forward(rows))
            }),
            "tabm-mini" => run!(mini_members(), "tabm-mini", |model, rows| {
                Output::Scores(model.forward(rows))
            }),
            "autoencoder" => run!(autoencoder(), "autoencoder", |model, rows| {
                Output::Errors(model.errors(rows))
            }),
            name => Err(format!("no network is called `{name}`")),
        }
    }

    fn run<M: Module>(
        &self,
        mut model: M,
        device: &Device,
        task: &Task,
        forward: impl Fn(&M, TabularInputs) -> Output,
    ) -> Result<f64, String> {
        let rows = self.rows(device);
        let Task::Train(optimizer) = task else {
            let found = forward(&model, rows).values()?;
            return difference(&found, &self.output.data);
        };
        let expected = match optimizer {
            Optimizer::Sgd { .. } => &self.sgd,
            _ => &self.adamw,
        };
        let rate = optimizer.learning_rate();
        let mut optimizer = optimizer.init();
        let mut losses = Vec::with_capacity(expected.len());
        for _ in expected {
            let loss = forward(&model, rows.clone()).loss(&self.labels);
            losses.push(loss.clone().into_scalar::<f64>());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(rate, model, gradients);
        }
        difference(&losses, expected)
    }

    fn rows(&self, device: &Device) -> TabularInputs {
        let shape = [self.labels.len(), CARDINALITIES.len()];
        let codes = TensorData::new(self.codes.clone(), shape);
        let codes = Tensor::<2, Int>::from_data(codes, device);
        TabularInputs::new(Some(self.numeric.tensor(device)), Some(codes))
    }
}

fn features(numeric: NumericEmbedding, categorical: CategoricalEmbedding) -> FeaturesConfig {
    FeaturesConfig::new(N_NUMERIC, CARDINALITIES.to_vec())
        .with_numeric(numeric)
        .with_d_numeric(4)
        .with_categorical(categorical)
}

fn periodic(lite: bool) -> NumericEmbedding {
    NumericEmbedding::Periodic {
        n_frequencies: 3,
        sigma: 0.3,
        lite,
    }
}

fn perceptron() -> TabularMlpConfig {
    let learned = CategoricalEmbedding::Learned { d_embedding: 3 };
    TabularMlpConfig::new(features(periodic(false), learned), CLASSES)
        .with_hidden(vec![8])
        .with_dropout(0.0)
}

fn residual() -> TabularResNetConfig {
    let features = features(NumericEmbedding::LinearRelu, CategoricalEmbedding::OneHot);
    TabularResNetConfig::new(features, CLASSES)
        .with_d_block(6)
        .with_d_hidden(8)
        .with_dropout(0.0)
}

fn transformer() -> FtTransformerConfig {
    FtTransformerConfig::new(N_NUMERIC, CARDINALITIES.to_vec(), CLASSES)
        .with_numeric(NumericEmbedding::PiecewiseLinear {
            n_bins: N_BINS,
            rectify: true,
        })
        .with_d_model(8)
        .with_n_layers(2)
        .with_n_heads(2)
        .with_d_hidden(6)
        .with_attention_dropout(0.0)
        .with_dropout(0.0)
}

fn members() -> TabMConfig {
    let numeric = NumericEmbedding::Encoding { n_bins: N_BINS };
    let learned = CategoricalEmbedding::Learned { d_embedding: 2 };
    small(features(numeric, learned)).with_variant(TabMVariant::Full)
}

fn mini_members() -> TabMConfig {
    small(features(periodic(true), CategoricalEmbedding::OneHot))
}

fn small(features: FeaturesConfig) -> TabMConfig {
    TabMConfig::new(features, CLASSES)
        .with_n_members(3)
        .with_n_blocks(2)
        .with_d_block(6)
        .with_dropout(0.0)
}

fn autoencoder() -> AutoencoderConfig {
    AutoencoderConfig::new(N_NUMERIC, CARDINALITIES.to_vec())
        .with_hidden(vec![6, 3])
        .with_noise(0.0)
}

/// What a network gives.
enum Output {
    /// `[batch, n_members, classes]`
    Scores(Tensor<3>),
    /// `[batch]`
    Errors(Tensor<1>),
}

fn scores(logits: Tensor<2>) -> Output {
    Output::Scores(logits.unsqueeze_dim(1))
}

impl Output {
    fn values(self) -> Result<Vec<f64>, String> {
        match self {
            Self::Scores(scores) => values(scores.inner()),
            Self::Errors(errors) => values(errors.inner()),
        }
    }

    /// Cross-entropy, the mean of the members'; or the mean error.
    fn loss(self, classes: &[i32]) -> Tensor<1> {
        match self {
            Self::Scores(scores) => {
                let [_, members, _] = scores.dims();
                let repeated = classes.iter().flat_map(|&class| vec![class; members]);
                let labels = labels(&repeated.collect::<Vec<_>>(), &scores.device());
                Loss::default().forward(scores.flatten(0, 1), labels).mean()
            }
            Self::Errors(errors) => errors.mean(),
        }
    }
}
