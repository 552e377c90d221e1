//! The networks for texts, as `parity/text.py` has them.

use burn::module::Module as _;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use serde::Deserialize;
use tinderbox_kernels::{
    RotaryTable, apply_rotary, gru, layer_norm, linear, linear_gelu, lstm, rms_norm,
    self_attention, swiglu,
};
use tinderbox_models::Template;
use tinderbox_models::layers::{Activation, Pooling};
use tinderbox_models::text::{
    BertClassifier, BertConfig, ByteEncoderConfig, CellKind, FastTextConfig, GptConfig, Positions,
    StatePooling, TextCnnConfig, TextEncoderConfig, TextRnnConfig,
};

use super::{
    CURVE_TOLERANCE, Check, Inputs, LOGITS_TOLERANCE, Layer, Value, adamw, curve, difference, flat,
    labels, read, sgd, values,
};
use tinderbox_predict::text::{HeadKind, TextModel, TextModelConfig, TextSizes, TokenBatch};
use tinderbox_recipes::text::{BatchTargets, TextBatch, TrainableTextModel, label_loss};
use tinderbox_train::Optimizer;
use tinderbox_train::classify::Loss;

const REFERENCES: &str = include_str!("../references/text.json");

const VOCABULARY: usize = 12;
const CLASSES: usize = 3;
const HEADS: usize = 2;
const D_MODEL: usize = 8;
const D_FEED_FORWARD: usize = 12;
const D_EMBEDDING: usize = 6;
const MAX_LEN: usize = 8;
const MAX_BYTES: usize = 16;

/// What `text.json` holds.
#[derive(Deserialize)]
pub(super) struct References {
    pub(super) layers: Vec<Layer>,
    models: Vec<Case>,
}

pub(super) fn references() -> Result<References, String> {
    read(REFERENCES)
}

/// A layer or loss of these networks, if it is called `name`.
pub(super) fn layer(name: &str, x: &mut Inputs<'_>) -> Option<Tensor<1>> {
    Some(match name {
        "self-attention" => {
            let (packed, ignored) = padded(x);
            flat(self_attention(packed, HEADS, Some(ignored), false))
        }
        "self-attention-causal" => flat(self_attention(x.next(), HEADS, None, true)),
        "rotary-places" => {
            let table = RotaryTable::new(D_MODEL / HEADS, MAX_LEN, 10_000.0);
            flat(apply_rotary(x.next(), &table, 3))
        }
        "projections" => {
            let input = x.next::<3>();
            let weights = (0..3).map(|_| x.next()).collect();
            let biases = (0..3).map(|_| x.next()).collect();
            flat(linear(input, weights, biases))
        }
        "linear-gelu" => flat(linear_gelu(x.next::<3>(), x.next(), Some(x.next()))),
        "layer-norm-of-tokens" => flat(layer_norm(x.next::<3>(), x.next(), x.next(), 1e-5)),
        "rms-norm" => flat(rms_norm(x.next::<3>(), x.next(), 1e-5)),
        "gated-silu" => flat(swiglu(x.next::<3>())),
        "lstm" | "lstm-backwards" => {
            let (gates, ignored) = padded(x);
            let backwards = name.ends_with("backwards");
            flat(lstm(gates, x.next(), Some(ignored), backwards))
        }
        "gru" | "gru-backwards" => {
            let (gates, ignored) = padded(x);
            let backwards = name.ends_with("backwards");
            flat(gru(gates, x.next(), x.next(), Some(ignored), backwards))
        }
        "label-loss" => {
            let logits = x.next::<2>();
            let flags = x.labels().float().reshape(logits.dims());
            label_loss(logits, flags)
        }
        _ => return None,
    })
}

/// The next input, `[batch, seq, ..]`, and what is beyond the lengths that are its labels.
fn padded(x: &mut Inputs<'_>) -> (Tensor<3>, Tensor<2, Bool>) {
    let input = x.next::<3>();
    let [_, seq, _] = input.dims();
    (input, padding(&x.layer.labels, seq, x.device))
}

fn padding(lengths: &[i32], seq: usize, device: &Device) -> Tensor<2, Bool> {
    let beyond = |&length: &i32| (0..seq).map(move |place| place >= length as usize);
    let marks: Vec<bool> = lengths.iter().flat_map(beyond).collect();
    Tensor::from_data(TensorData::new(marks, [lengths.len(), seq]), device)
}

/// One model: what it begins with is in the file of weights with its name.
#[derive(Deserialize)]
struct Case {
    name: String,
    /// `[batch, seq]`
    ids: Vec<i32>,
    /// Tokens of each text that count.
    lengths: Vec<i32>,
    /// `[batch, seq]`
    types: Vec<i32>,
    truth: ReferenceTargets,
    logits: Value,
    /// Loss of each of 20 steps, before its update.
    sgd: Vec<f64>,
    adamw: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ReferenceTargets {
    Classes(Vec<i32>),
    /// 1 for each label that a text has, `[batch, labels]`.
    Labels(Vec<i32>),
    /// The token behind each, `[batch, seq]`.
    Next(Vec<i32>),
}

impl References {
    pub(super) fn checks(&self, device: &Device, wanted: impl Fn(&str) -> bool) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut check = |name: String, tolerance, run: &dyn Fn() -> Result<f64, String>| {
            if wanted(&name) {
                checks.push(Check::run(name, tolerance, run));
            }
        };
        for model in &self.models {
            let name = &model.name;
            check(format!("{name}, logits"), LOGITS_TOLERANCE, &|| {
                model.check_logits(device)
            });
            if matches!(model.truth, ReferenceTargets::Next(_)) {
                let name = format!("{name}, token by token");
                check(name, LOGITS_TOLERANCE, &|| model.check_cache(device));
            }
            for (kind, optimizer, losses) in
                [("sgd", sgd(), &model.sgd), ("adamw", adamw(), &model.adamw)]
            {
                let name = format!("{name}, {} steps of {kind}", losses.len());
                check(name, CURVE_TOLERANCE, &|| {
                    difference(&model.train(&optimizer, device)?.0, losses)
                });
            }
        }
        checks
    }

    /// Trains a model on one device and compares its predictions on another.
    pub(super) fn transfer(&self, from: &Device, to: &Device) -> Result<f64, String> {
        let model = self.models.first().ok_or("there is no model")?;
        let (_, trained) = model.train(&adamw(), from)?;
        let weights = trained.to_bytes().map_err(|error| error.to_string())?;
        let moved = model.net(to)?.with_bytes(weights);
        let moved = moved.map_err(|error| error.to_string())?;
        difference(&model.scores(&moved, to)?, &model.scores(&trained, from)?)
    }
}

impl Case {
    /// The network with its stored weights.
    fn net(&self, device: &Device) -> Result<TextModel, String> {
        let weights = weights(&self.name)?;
        let net = match self.name.as_str() {
            "bert" => bert(device),
            name => {
                let (head, max_len) = match name {
                    "gpt" => (HeadKind::LanguageModeling, MAX_LEN),
                    "byte-encoder" => (HeadKind::SequenceClassification, MAX_BYTES),
                    _ => (HeadKind::SequenceClassification, MAX_LEN),
                };
                let sizes = TextSizes {
                    vocab_size: VOCABULARY,
                    num_classes: CLASSES,
                    max_len,
                };
                let net = model_config(name)?.init(sizes, head, device);
                net.map_err(|error| error.to_string())
            }
        };
        net?.with_bytes(weights.to_vec())
            .map_err(|error| error.to_string())
    }

    fn seq(&self) -> usize {
        self.ids.len() / self.lengths.len()
    }

    fn ids(&self, numbers: &[i32], device: &Device) -> Tensor<2, Int> {
        let shape = [self.lengths.len(), self.seq()];
        Tensor::from_data(TensorData::new(numbers.to_vec(), shape), device)
    }

    fn inputs(&self, device: &Device) -> TokenBatch {
        TokenBatch {
            ids: self.ids(&self.ids, device),
            types: Some(self.ids(&self.types, device)),
            padding: padding(&self.lengths, self.seq(), device),
        }
    }

    fn batch(&self, device: &Device) -> TextBatch {
        let targets = match &self.truth {
            ReferenceTargets::Classes(classes) => BatchTargets::Classes(labels(classes, device)),
            ReferenceTargets::Labels(flags) => {
                let shape = [self.lengths.len(), CLASSES];
                BatchTargets::Labels(labels(flags, device).float().reshape(shape))
            }
            ReferenceTargets::Next(next) => BatchTargets::Tokens {
                targets: labels(next, device),
                positions: None,
            },
        };
        TextBatch {
            inputs: self.inputs(device),
            targets,
        }
    }

    fn scores(&self, net: &TextModel, device: &Device) -> Result<Vec<f64>, String> {
        let inputs = self.inputs(device);
        match self.truth {
            ReferenceTargets::Next(_) => values(net.forward_tokens(inputs)),
            _ => values(net.forward(inputs)),
        }
    }

    fn check_logits(&self, device: &Device) -> Result<f64, String> {
        let net = self.net(device)?;
        difference(&self.scores(&net, device)?, &self.logits.data)
    }

    /// Some tokens at once, then one by one, as a text is written.
    fn check_cache(&self, device: &Device) -> Result<f64, String> {
        let TextModel::Gpt(net) = self.net(device)? else {
            return Err("it does not write".to_owned());
        };
        let ids = self.ids(&self.ids, device);
        let [batch, seq] = ids.dims();
        let prompt = 3;
        let mut cache = net.cache(batch, seq, device);
        let mut scores = vec![net.next(ids.clone().narrow(1, 0, prompt), &mut cache)];
        for place in prompt..seq {
            scores.push(net.next(ids.clone().narrow(1, place, 1), &mut cache));
        }
        let expected = self.logits.tensor::<3>(device);
        let expected = expected.narrow(1, prompt - 1, seq + 1 - prompt);
        difference(&values(Tensor::stack::<3>(scores, 1))?, &values(expected)?)
    }

    /// The loss of each step, and what was trained.
    fn train(
        &self,
        optimizer: &Optimizer,
        device: &Device,
    ) -> Result<(Vec<f64>, TextModel), String> {
        let model = TrainableTextModel::new(self.net(device)?, Loss::default()).train();
        let batch = self.batch(&device.clone().autodiff());
        let (losses, model) = curve(model, &batch, optimizer, self.sgd.len());
        Ok((losses, model.valid().model))
    }
}

fn weights(name: &str) -> Result<&'static [u8], String> {
    macro_rules! files {
        ($($name:literal),*) => {
            match name {
                $($name => Ok(include_bytes!(concat!("../references/", $name, ".safetensors"))),)*
                name => Err(format!("no network is called `{name}`")),
            }
        };
    }
    files!(
        "text-encoder",
        "rotary-encoder",
        "byte-encoder",
        "bert",
        "gpt",
        "lstm",
        "gru",
        "text-cnn",
        "bag"
    )
}

fn bert(device: &Device) -> Result<TextModel, String> {
    let bert = BertConfig::new(VOCABULARY)
        .with_max_len(MAX_LEN)
        .with_d_model(D_MODEL)
        .with_n_heads(HEADS)
        .with_n_layers(2)
        .with_d_hidden(D_FEED_FORWARD)
        .with_dropout(0.0)
        .init(device);
    let net = BertClassifier::new(bert, CLASSES, Activation::Tanh, 0.0);
    net.map(TextModel::Bert).map_err(|error| error.to_string())
}

fn model_config(name: &str) -> Result<TextModelConfig, String> {
    Ok(match name {
        "text-encoder" => encoder(2, Positions::Learned, Pooling::Mean),
        "rotary-encoder" => encoder(1, Positions::Rotary, Pooling::Cls),
        "byte-encoder" => TextModelConfig::Bytes(Template(
            ByteEncoderConfig::new(0)
                .with_d_byte(4)
                .with_kernel_size(5)
                .with_patch_size(4)
                .with_d_model(D_MODEL)
                .with_n_heads(HEADS)
                .with_n_layers(1)
                .with_d_hidden(D_FEED_FORWARD)
                .with_dropout(0.0),
        )),
        "gpt" => TextModelConfig::Gpt(Template(
            GptConfig::new(0)
                .with_d_model(D_MODEL)
                .with_n_heads(HEADS)
                .with_n_layers(2)
                .with_d_hidden(D_FEED_FORWARD)
                .with_tie_embeddings(true)
                .with_dropout(0.0),
        )),
        "lstm" => recurrent(CellKind::Lstm, 1, StatePooling::Mean),
        "gru" => recurrent(CellKind::Gru, 2, StatePooling::Last),
        "text-cnn" => TextModelConfig::Cnn(Template(
            TextCnnConfig::new(0, 0)
                .with_d_embedding(D_EMBEDDING)
                .with_kernel_sizes(vec![2, 3])
                .with_n_filters(5)
                .with_dropout(0.0),
        )),
        "bag" => TextModelConfig::Bag(Template(
            FastTextConfig::new(0, 0)
                .with_d_embedding(D_EMBEDDING)
                .with_max_ngram(3)
                .with_n_buckets(9)
                .with_dropout(0.0),
        )),
        name => return Err(format!("there is no network `{name}`")),
    })
}

fn encoder(layers: usize, positions: Positions, pooling: Pooling) -> TextModelConfig {
    TextModelConfig::Encoder(Template(
        TextEncoderConfig::new(0, 0)
            .with_d_model(D_MODEL)
            .with_n_heads(HEADS)
            .with_n_layers(layers)
            .with_d_hidden(D_FEED_FORWARD)
            .with_positions(positions)
            .with_pooling(pooling)
            .with_dropout(0.0),
    ))
}

/// The LSTM is bidirectional, the GRU is not.
fn recurrent(cell: CellKind, layers: usize, pooling: StatePooling) -> TextModelConfig {
    let bidirectional = cell == CellKind::Lstm;
    TextModelConfig::Recurrent(Template(
        TextRnnConfig::new(0, 0)
            .with_cell(cell)
            .with_d_embedding(D_EMBEDDING)
            .with_d_hidden(5)
            .with_n_layers(layers)
            .with_bidirectional(bidirectional)
            .with_pooling(pooling)
            .with_dropout(0.0),
    ))
}
