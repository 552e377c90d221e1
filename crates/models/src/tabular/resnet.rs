//! Residual network over the embedded columns of a table.
//!
//! Reference: Gorishniy, Rubachev, Khrulkov and Babenko, *Revisiting deep learning models for tabular
//! data*, 2021, <https://arxiv.org/abs/2106.11959>, section 3.2.
//! Differs from it: a choice of embeddings, also for numeric columns; no bias where batch
//! normalization (Ioffe and Szegedy, 2015, <https://arxiv.org/abs/1502.03167>) would subtract it
//! again, which is everywhere but inside a block and at the end.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::features::{Features, FeaturesConfig};
use super::inputs::TabularInputs;
use super::piecewise::BinsError;
use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::batch_norm::batch_norm;
use crate::layers::dense::{add_branch, drop_out, project};
use crate::layers::init::{fan_in_linear, fan_in_uniform, linear_without_bias};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of blocks.
const MAX_BLOCKS: usize = 64;

/// Configuration to create a [`TabularResNet`] with [`init`](TabularResNetConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TabularResNetConfig {
    /// The columns and their embeddings.
    pub features: FeaturesConfig,
    /// Number of outputs: classes or regression targets.
    pub d_output: usize,
    /// Number of blocks.
    #[config(default = 2)]
    pub n_blocks: usize,
    /// Size of the residual stream.
    #[config(default = 192)]
    pub d_block: usize,
    /// Hidden size of a block.
    #[config(default = 384)]
    pub d_hidden: usize,
    /// Dropout probability of the hidden activations of a block, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
    /// Dropout probability of the residual branches, in `[0, 1)`.
    #[config(default = 0.0)]
    pub residual_dropout: f64,
}

data_sized!(TabularResNetConfig::new(features, d_output));

impl TabularResNetConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.features.validate()?;
        check_size("d_output", self.d_output)?;
        check_range("n_blocks", self.n_blocks, 1..=MAX_BLOCKS)?;
        check_size("d_block", self.d_block)?;
        check_size("d_hidden", self.d_hidden)?;
        check_probability("dropout", self.dropout)?;
        check_probability("residual_dropout", self.residual_dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> TabularResNet {
        assert_eq!(self.validate(), Ok(()), "invalid TabularResNetConfig");
        let d_input = self.features.d_output();
        let blocks = (0..self.n_blocks).map(|_| self.init_block(device));
        TabularResNet {
            features: self.features.init(device),
            input: linear_without_bias(d_input, self.d_block, fan_in_uniform(d_input), device),
            blocks: blocks.collect(),
            norm: BatchNormConfig::new(self.d_block).init(device),
            output: fan_in_linear(self.d_block, self.d_output, device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let (d, d_hidden) = (self.d_block, self.d_hidden);
        let norm = d.saturating_mul(2);
        let layer = |name: String, kind: &str, width: usize, parameters: usize| LayerSummary {
            name,
            kind: kind.into(),
            output_shape: vec![width],
            parameters,
        };
        let input = linear_parameters(self.features.d_output(), d, false);
        let inner = linear_parameters(d, d_hidden, true);
        let block = norm
            .saturating_add(inner)
            .saturating_add(linear_parameters(d_hidden, d, false));
        let output = norm.saturating_add(linear_parameters(d, self.d_output, true));
        let mut layers = self.features.layers();
        layers.push(layer("input".into(), "linear", d, input));
        layers.extend((0..self.n_blocks).map(|index| {
            let kind = "batch norm + linear + relu + linear";
            layer(format!("blocks.{index}"), kind, d, block)
        }));
        let kind = "batch norm + relu + linear";
        layers.push(layer("output".into(), kind, self.d_output, output));
        layers
    }

    fn init_block(&self, device: &Device) -> Block {
        let (d, d_hidden) = (self.d_block, self.d_hidden);
        Block {
            norm: BatchNormConfig::new(d).init(device),
            hidden: fan_in_linear(d, d_hidden, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear_without_bias(d_hidden, d, fan_in_uniform(d_hidden), device),
            residual_dropout: DropoutConfig::new(self.residual_dropout).init(),
        }
    }
}

/// Residual blocks on the features of a row.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::tabular::{FeaturesConfig, TabularInputs, TabularResNetConfig};
///
/// let device = Device::flex();
/// let model = TabularResNetConfig::new(FeaturesConfig::new(5, vec![]), 3).init(&device);
/// let rows = TabularInputs::new(Some(Tensor::zeros([8, 5], &device)), None);
/// assert_eq!(model.forward(rows).dims(), [8, 3]);
/// ```
#[derive(Module, Debug)]
pub struct TabularResNet {
    features: Features,
    input: Linear,
    blocks: Vec<Block>,
    norm: BatchNorm,
    output: Linear,
}

#[derive(Module, Debug)]
struct Block {
    norm: BatchNorm,
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
    residual_dropout: Dropout,
}

impl TabularResNet {
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
        self.features.zero_categories(values, &mut self.input);
        self
    }

    /// Computes the logits, or predicts the regression targets.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, d_output]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<2> {
        let mut x = project(&self.input, self.features.forward(rows));
        for block in &self.blocks {
            x = block.forward(x);
        }
        project(&self.output, relu(batch_norm(&self.norm, x)))
    }
}

impl Block {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let x = batch_norm(&self.norm, input.clone());
        let x = relu(project(&self.hidden, x));
        let x = drop_out(&self.dropout, x);
        let x = project(&self.output, x);
        add_branch(&self.residual_dropout, input, x)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{affine, all_features, assert_zeroes_categories, rectified, rows};
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, values,
    };

    fn all() -> impl Iterator<Item = TabularResNetConfig> {
        let config = |features| {
            TabularResNetConfig::new(features, 2)
                .with_d_block(12)
                .with_d_hidden(16)
        };
        all_features().into_iter().map(config)
    }

    #[test]
    fn unseen_categories_do_not_affect_the_output() {
        for config in all() {
            let net = config.init(&Device::flex());
            assert_zeroes_categories(
                net,
                TabularResNet::with_zeroed_categories,
                TabularResNet::forward,
            );
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
        }
    }

    #[test]
    fn outputs_agree_with_matrices_by_hand() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let batch = rows(3, &device);
            let weight = |layer: &Linear| values(layer.weight.val());
            let bias = |layer: &Linear| values(layer.bias.as_ref().unwrap().val());
            // Fresh running statistics are mean 0 and variance 1.
            let norm = |row: &[f32]| row.iter().map(|x| x / (1.0 + 1e-5_f32).sqrt()).collect();
            let mut expected = Vec::new();
            let features = values(model.features.forward(batch.clone()));
            for row in features.chunks(config.features.d_output()) {
                let mut x = affine(row, &weight(&model.input), &[0.0; 12]);
                for block in &model.blocks {
                    let inner: Vec<f32> = norm(&x);
                    let inner = affine(&inner, &weight(&block.hidden), &bias(&block.hidden));
                    x = affine(&rectified(inner), &weight(&block.output), &x);
                }
                let last = rectified(norm(&x));
                expected.extend(affine(&last, &weight(&model.output), &bias(&model.output)));
            }
            assert_eq!(expected.len(), 3 * 2);
            assert_close(model.forward(batch), &expected);
        }
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
            let logits = model.forward(rows(32, &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn config_round_trips() {
        for config in all() {
            assert_round_trips(&config);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TabularResNetConfig::new(FeaturesConfig::new(2, vec![3]), 1);
        for invalid in [
            TabularResNetConfig::new(FeaturesConfig::new(0, vec![]), 1),
            TabularResNetConfig::new(base.features.clone(), 0),
            base.clone().with_n_blocks(0),
            base.clone().with_n_blocks(MAX_BLOCKS + 1),
            base.clone().with_d_block(0),
            base.clone().with_d_hidden(usize::MAX),
            base.clone().with_dropout(f64::NAN),
            base.clone().with_residual_dropout(1.0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
