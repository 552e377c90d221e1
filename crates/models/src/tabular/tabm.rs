//! `TabM`: an ensemble of multilayer perceptrons that share most of their weights.
//!
//! Reference: Gorishniy, Kotelnikov and Babenko, *`TabM`: Advancing tabular deep learning with
//! parameter-efficient ensembling*, 2024, <https://arxiv.org/abs/2410.24210>; Wen, Tran and Ba,
//! *`BatchEnsemble`*, 2020, <https://arxiv.org/abs/2002.06715>.
//! Differs from it: an option for learned embeddings of categorical columns.
//!
//! | name | meaning and shape | symbol |
//! |---|---|---|
//! | `n_members` | number of ensemble members | k |
//! | `linear` | shared weights of a layer, `[d_input, d_output]` | W |
//! | `r`, `s` | scales of the inputs and outputs of each member, `[n_members, d]` | r, s |
//! | `bias` | bias of each member, `[n_members, d_output]` | b |
//!
//! Members come first inside: a layer is one matrix product of `n_members * batch` rows, and the
//! members of `[n_members, batch, d]` differ by one vector each.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::features::{Features, FeaturesConfig};
use super::inputs::TabularInputs;
use super::numeric::NumericEmbedding;
use super::piecewise::BinsError;
use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::dense::{drop_out, project, project_relu};
use crate::layers::init::{fan_in_linear, fan_in_uniform, linear_without_bias};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of members.
const MAX_MEMBERS: usize = 1024;

/// Maximum number of blocks.
const MAX_BLOCKS: usize = 64;

/// The weights that members do not share besides their output layers, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TabMVariant {
    /// Scales of the inputs and outputs of every layer, and biases.
    Full,
    /// Scales of the inputs of the network; costs little more than one multilayer perceptron on as
    /// many rows.
    Mini,
}

/// Configuration to create a [`TabM`] with [`init`](TabMConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TabMConfig {
    /// The columns and their embeddings.
    pub features: FeaturesConfig,
    /// Number of outputs: classes or regression targets.
    pub d_output: usize,
    /// The weights that members do not share.
    #[config(default = "TabMVariant::Mini")]
    pub variant: TabMVariant,
    /// Number of ensemble members.
    #[config(default = 16)]
    pub n_members: usize,
    /// Number of hidden layers.
    #[config(default = 2)]
    pub n_blocks: usize,
    /// Size of a hidden layer.
    #[config(default = 128)]
    pub d_block: usize,
    /// Dropout probability of the hidden activations, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

data_sized!(TabMConfig::new(features, d_output));

impl TabMConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.features.validate()?;
        check_size("d_output", self.d_output)?;
        check_range("n_members", self.n_members, 1..=MAX_MEMBERS)?;
        check_range("n_blocks", self.n_blocks, 1..=MAX_BLOCKS)?;
        check_size("d_block", self.d_block)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> TabM {
        assert_eq!(self.validate(), Ok(()), "invalid TabMConfig");
        let (k, d) = (self.n_members, self.d_block);
        let blocks = self.inputs().enumerate();
        let blocks = blocks.map(|(index, d_input)| self.init_block(index, d_input, device));
        TabM {
            features: self.features.init(device),
            scale: match self.variant {
                TabMVariant::Full => None,
                TabMVariant::Mini => Some(self.initial_scales(device)),
            },
            blocks: blocks.collect(),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: Heads {
                weight: fan_in_uniform(d).init([k, d, self.d_output], device),
                bias: fan_in_uniform(d).init([k, self.d_output], device),
            },
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let (k, d) = (self.n_members, self.d_block);
        let layer = |name: String, kind: &str, width: usize, parameters: usize| LayerSummary {
            name,
            kind: kind.into(),
            output_shape: vec![k, width],
            parameters,
        };
        let mut layers = self.features.layers();
        let d_features = self.features.d_output();
        let full = self.variant == TabMVariant::Full;
        if !full {
            let parameters = k.saturating_mul(d_features);
            layers.push(layer("scale".into(), "scale", d_features, parameters));
        }
        for (index, d_input) in self.inputs().enumerate() {
            let shared = linear_parameters(d_input, d, !full);
            let own = if full {
                d_input.saturating_add(2 * d)
            } else {
                0
            };
            let kind = if full {
                "linear with adapters + relu"
            } else {
                "linear + relu"
            };
            let parameters = shared.saturating_add(k.saturating_mul(own));
            layers.push(layer(format!("blocks.{index}"), kind, d, parameters));
        }
        let parameters = linear_parameters(d, self.d_output, true).saturating_mul(k);
        let kind = "linear per member";
        layers.push(layer("output".into(), kind, self.d_output, parameters));
        layers
    }

    /// Input size of each block.
    fn inputs(&self) -> impl Iterator<Item = usize> {
        let rest = std::iter::repeat_n(self.d_block, self.n_blocks.saturating_sub(1));
        std::iter::once(self.features.d_output()).chain(rest)
    }

    fn init_block(&self, index: usize, d_input: usize, device: &Device) -> Block {
        let (k, d) = (self.n_members, self.d_block);
        if self.variant == TabMVariant::Mini {
            return Block {
                linear: fan_in_linear(d_input, d, device),
                adapters: None,
            };
        }
        let ones = |width: usize| Initializer::Ones.init([k, width], device);
        let bias = Tensor::random([1, d], uniform(d_input), device);
        Block {
            linear: linear_without_bias(d_input, d, fan_in_uniform(d_input), device),
            adapters: Some(Adapters {
                // Only the first scales differ initially, which suffices to make the members diverse.
                r: if index == 0 {
                    self.initial_scales(device)
                } else {
                    ones(d_input)
                },
                s: ones(d),
                bias: Param::from_tensor(bias.repeat_dim(0, k)),
            }),
        }
    }

    /// Initial scales of the inputs, one sample per column: from a normal distribution if numeric
    /// columns are embedded, else 1 or -1.
    fn initial_scales(&self, device: &Device) -> Param<Tensor<2>> {
        let widths: Vec<_> = self.features.widths().collect();
        let shape = [self.n_members, widths.len()];
        let embedded =
            self.features.n_numeric > 0 && self.features.numeric != NumericEmbedding::None;
        let draws = if embedded {
            Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
        } else {
            Tensor::random(shape, Distribution::Bernoulli(0.5), device) * 2.0 - 1.0
        };
        let columns: Vec<i32> = (0..).zip(widths).flat_map(|(i, n)| vec![i; n]).collect();
        let count = columns.len();
        let columns = Tensor::<1, Int>::from_data(TensorData::new(columns, [count]), device);
        Param::from_tensor(draws.select(1, columns))
    }
}

fn uniform(d_input: usize) -> Distribution {
    let max = (d_input as f64).sqrt().recip();
    Distribution::Uniform(-max, max)
}

/// An ensemble of multilayer perceptrons with shared weights.
///
/// In training, the loss is the mean over the members. The prediction is the mean of the members'
/// probabilities ([`mean_log_probabilities`]) or values.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::tabular::{FeaturesConfig, TabularInputs, TabMConfig, mean_log_probabilities};
///
/// let device = Device::flex();
/// let model = TabMConfig::new(FeaturesConfig::new(5, vec![]), 3)
///     .with_n_members(4)
///     .init(&device);
/// let scores = model.forward(TabularInputs::new(Some(Tensor::zeros([8, 5], &device)), None));
/// assert_eq!(scores.dims(), [8, 4, 3]);
/// assert_eq!(mean_log_probabilities(scores).dims(), [8, 3]);
/// ```
#[derive(Module, Debug)]
pub struct TabM {
    features: Features,
    scale: Option<Param<Tensor<2>>>,
    blocks: Vec<Block>,
    dropout: Dropout,
    output: Heads,
}

#[derive(Module, Debug)]
struct Block {
    linear: Linear,
    adapters: Option<Adapters>,
}

#[derive(Module, Debug)]
struct Adapters {
    r: Param<Tensor<2>>,
    s: Param<Tensor<2>>,
    bias: Param<Tensor<2>>,
}

/// A linear layer per member.
#[derive(Module, Debug)]
struct Heads {
    /// `[n_members, d_block, d_output]`
    weight: Param<Tensor<3>>,
    /// `[n_members, d_output]`
    bias: Param<Tensor<2>>,
}

impl TabM {
    /// Sets the bins of the numeric columns, as [`Features::with_bins`].
    ///
    /// # Errors
    ///
    /// If the network has no bins or these do not match it.
    pub fn with_bins(mut self, edges: &[Vec<f32>]) -> Result<Self, BinsError> {
        self.features = self.features.with_bins(edges)?;
        Ok(self)
    }

    /// Zeroes the weights of categories, `[column, code]` each, that do not occur in the training
    /// rows, such as the one for unseen values. Never trained, they would stay random.
    ///
    /// # Panics
    ///
    /// If there is no such column or code.
    #[must_use]
    pub fn with_zeroed_categories(mut self, values: &[[usize; 2]]) -> Self {
        if let Some(first) = self.blocks.first_mut() {
            self.features.zero_categories(values, &mut first.linear);
        }
        self
    }

    /// Computes the logits, or predicts the regression targets, with every member.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, n_members, d_output]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<3> {
        let x = self.features.forward(rows).unsqueeze_dim::<3>(0);
        let mut x = match &self.scale {
            Some(scale) => x * per_member(scale),
            None => x,
        };
        for block in &self.blocks {
            x = block.forward(x, &self.dropout);
        }
        let scores = x.matmul(self.output.weight.val()) + per_member(&self.output.bias);
        scores.swap_dims(0, 1)
    }

    /// Number of members.
    pub fn n_members(&self) -> usize {
        let [n_members, _, _] = self.output.weight.dims();
        n_members
    }
}

impl Block {
    /// Applies the linear layer, `ReLU` and dropout.
    ///
    /// - input: `[n_members, batch, d_input]`, or 1 instead of `n_members` if all have the same input
    /// - output: `[n_members, batch, d_output]`
    fn forward(&self, x: Tensor<3>, dropout: &Dropout) -> Tensor<3> {
        match &self.adapters {
            None => rows_of_members(x, |x| project_relu(&self.linear, dropout, x)),
            Some(Adapters { r, s, bias }) => {
                let x = rows_of_members(x * per_member(r), |x| project(&self.linear, x));
                drop_out(dropout, relu(x * per_member(s) + per_member(bias)))
            }
        }
    }
}

/// Applies a layer that the members share to all their rows.
fn rows_of_members(x: Tensor<3>, layer: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [n_members, batch, d_input] = x.dims();
    let x = layer(x.reshape([n_members * batch, d_input]));
    let [_, d_output] = x.dims();
    x.reshape([n_members, batch, d_output])
}

/// `[n_members, 1, d]`
fn per_member(vectors: &Param<Tensor<2>>) -> Tensor<3> {
    vectors.val().unsqueeze_dim(1)
}

/// Logarithm of the mean of the members' probabilities.
///
/// # Shapes
///
/// - scores: `[batch, n_members, num_classes]`, unnormalized log-probabilities
/// - output: `[batch, num_classes]`, log-probabilities
pub fn mean_log_probabilities(scores: Tensor<3>) -> Tensor<2> {
    let x = log_softmax(scores, 2);
    // Relative to the maximum, so that not all terms underflow.
    let largest = x.clone().max_dim(1);
    let mean = (x - largest.clone()).exp().mean_dim(1).log() + largest;
    mean.squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{affine, all_features, assert_zeroes_categories, rectified, rows};
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    fn all() -> impl Iterator<Item = TabMConfig> {
        let variants = [TabMVariant::Full, TabMVariant::Mini];
        let features = all_features().into_iter().enumerate();
        // Both variants with learned and with one-hot encodings.
        features.map(move |(index, features)| {
            TabMConfig::new(features, 2)
                .with_variant(variants[index / 2 % 2])
                .with_n_members(4)
                .with_n_blocks(2)
                .with_d_block(12)
        })
    }

    #[test]
    fn unseen_categories_do_not_affect_the_output() {
        for config in all() {
            let net = config.init(&Device::flex());
            assert_zeroes_categories(net, TabM::with_zeroed_categories, TabM::forward);
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in all() {
            let model = config.init(&Device::flex());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
            assert_eq!(model.n_members(), 4);
        }
    }

    #[test]
    fn every_member_is_an_independent_mlp() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let batch = rows(3, &device);
            let mut expected = Vec::new();
            let features = values(model.features.forward(batch.clone()));
            for row in features.chunks(config.features.d_output()) {
                for member in 0..4 {
                    expected.extend(one_member(&model, row, member));
                }
            }
            let scores = model.forward(batch);
            assert_eq!(scores.dims(), [3, 4, 2]);
            assert_close(scores, &expected);
        }
    }

    /// Output of one member for one row, from the equations of the paper.
    fn one_member(model: &TabM, row: &[f32], member: usize) -> Vec<f32> {
        let own = |vectors: &Param<Tensor<2>>| values(vectors.val().narrow(0, member, 1));
        let times = |left: &[f32], right: &[f32]| -> Vec<f32> {
            left.iter().zip(right).map(|(l, r)| l * r).collect()
        };
        let mut x = row.to_vec();
        if let Some(scale) = &model.scale {
            x = times(&x, &own(scale));
        }
        for block in &model.blocks {
            let weight = values(block.linear.weight.val());
            x = rectified(match &block.adapters {
                None => affine(
                    &x,
                    &weight,
                    &values(block.linear.bias.as_ref().unwrap().val()),
                ),
                Some(Adapters { r, s, bias }) => {
                    let x = affine(&times(&x, &own(r)), &weight, &[0.0; 12]);
                    let bias = own(bias);
                    times(&x, &own(s))
                        .iter()
                        .zip(bias)
                        .map(|(x, b)| x + b)
                        .collect()
                }
            });
        }
        let weight = values(model.output.weight.val().narrow(0, member, 1));
        affine(&x, &weight, &own(&model.output.bias))
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let batch = rows(8, &device);
            let alone = model.forward(batch.clone().slice(2..3));
            assert_close(model.forward(batch).slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for config in all() {
            let model = config.init(&device);
            let scores = model.forward(rows(32, &device));
            assert_every_parameter_gets_a_gradient(&model, &scores.flatten(1, 2));
        }
    }

    #[test]
    fn initial_scales_are_equal_within_a_column() {
        let device = Device::flex();
        for config in all() {
            let factors = values(config.initial_scales(&device).val());
            let signs = config.features.numeric == NumericEmbedding::None;
            for member in factors.chunks(config.features.d_output()) {
                let mut rest = member;
                for width in config.features.widths() {
                    let (column, others) = rest.split_at(width);
                    assert!(
                        column
                            .iter()
                            .all(|&factor| factor.to_bits() == column[0].to_bits())
                    );
                    assert!(!signs || column[0].abs().to_bits() == 1.0_f32.to_bits());
                    rest = others;
                }
            }
        }
    }

    #[test]
    fn the_mean_is_of_probabilities() {
        let device = Device::flex();
        let scores = normal([5, 4, 3], &device) * 3.0;
        let mut expected = Vec::new();
        for row in values(scores.clone()).chunks(4 * 3) {
            let mut mean = [0.0; 3];
            for member in row.chunks(3) {
                let total: f32 = member.iter().map(|score| score.exp()).sum();
                for (mean, score) in mean.iter_mut().zip(member) {
                    *mean += score.exp() / total / 4.0;
                }
            }
            expected.extend(mean.map(f32::ln));
        }
        assert_close(mean_log_probabilities(scores), &expected);
        // Probabilities that underflow.
        let far = Tensor::<3>::from_floats([[[0.0, -500.0], [0.0, -500.0]]], &device);
        assert_close(mean_log_probabilities(far), &[0.0, -500.0]);
    }

    #[test]
    fn config_round_trips() {
        for config in all() {
            assert_round_trips(&config);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TabMConfig::new(FeaturesConfig::new(2, vec![3]), 1);
        for invalid in [
            TabMConfig::new(FeaturesConfig::new(0, vec![]), 1),
            TabMConfig::new(base.features.clone(), 0),
            base.clone().with_n_members(0),
            base.clone().with_n_members(MAX_MEMBERS + 1),
            base.clone().with_n_blocks(0),
            base.clone().with_d_block(usize::MAX),
            base.clone().with_dropout(1.0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
