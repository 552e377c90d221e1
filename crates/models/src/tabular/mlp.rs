//! Multilayer perceptron over the embedded columns of a table.
//!
//! Reference: Gorishniy, Rubachev and Babenko, *On embeddings for numerical features in tabular deep
//! learning*, 2022, <https://arxiv.org/abs/2203.05556>: with their embeddings of numeric columns a
//! perceptron reaches what transformers reach without.
//! Differs from it: a choice of nonlinearities and normalizations, and of learned vectors or one-hot
//! codes for categorical columns; weights that begin as [`Mlp`]'s.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::features::{Features, FeaturesConfig};
use super::piecewise::BinsError;
use super::rows::Rows;
use crate::config::{ConfigError, check_parameters};
use crate::layers::Activation;
use crate::layers::mlp::{Mlp, MlpConfig, Normalization};
use crate::summary::LayerSummary;
use crate::template::data_sized;

/// Configuration to create a [`TabularMlp`] with [`init`](TabularMlpConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TabularMlpConfig {
    /// The columns, and what is made of them.
    pub features: FeaturesConfig,
    /// Number of scores: classes, or regression targets.
    pub d_output: usize,
    /// Width of each hidden layer, first to last; empty makes a linear model.
    #[config(default = "vec![256, 256]")]
    pub hidden: Vec<usize>,
    /// Nonlinearity of the hidden layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Normalization in front of each hidden nonlinearity.
    #[config(default = "Normalization::None")]
    pub normalization: Normalization,
    /// Probability of zeroing a hidden activation, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
}

data_sized!(TabularMlpConfig::new(features, d_output));

impl TabularMlpConfig {
    /// Checks every field, and that all together fit.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.features.validate()?;
        self.mlp().validate()?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> TabularMlp {
        assert_eq!(self.validate(), Ok(()), "invalid TabularMlpConfig");
        TabularMlp {
            features: self.features.init(device),
            mlp: self.mlp().init(device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = self.features.layers();
        layers.extend(self.mlp().layers().into_iter().map(|layer| LayerSummary {
            name: format!("mlp.{}", layer.name),
            ..layer
        }));
        layers
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig {
            d_input: self.features.d_output(),
            d_output: self.d_output,
            hidden: self.hidden.clone(),
            activation: self.activation,
            normalization: self.normalization,
            dropout: self.dropout,
        }
    }
}

/// A perceptron that reads rows of a table.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::{FeaturesConfig, Rows, TabularMlpConfig};
///
/// let device = Device::flex();
/// let model = TabularMlpConfig::new(FeaturesConfig::new(2, vec![3]), 1).init(&device);
/// let rows = Rows::new(
///     Some(Tensor::zeros([8, 2], &device)),
///     Some(Tensor::<2, Int>::zeros([8, 1], &device)),
/// );
/// assert_eq!(model.forward(rows).dims(), [8, 1]);
/// ```
#[derive(Module, Debug)]
pub struct TabularMlp {
    features: Features,
    mlp: Mlp,
}

impl TabularMlp {
    /// Takes the bins of the numeric columns, as [`Features::with_bins`].
    ///
    /// # Errors
    ///
    /// If the network has no bins, or these do not fit it.
    pub fn with_bins(mut self, edges: &[Vec<f32>]) -> Result<Self, BinsError> {
        self.features = self.features.with_bins(edges)?;
        Ok(self)
    }

    /// Makes values of categorical columns count for nothing, `[column, code]` each: those that no
    /// training row has, such as the one for words yet unknown, whose weights would otherwise stay as
    /// they were drawn.
    ///
    /// # Panics
    ///
    /// If there is no such column or code.
    #[must_use]
    pub fn with_unseen(mut self, values: &[[usize; 2]]) -> Self {
        self.features.forget(values, self.mlp.input_mut());
        self
    }

    /// Scores every class, or predicts every target.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, d_output]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the rows have other columns.
    pub fn forward(&self, rows: Rows) -> Tensor<2> {
        self.mlp.forward(self.features.forward(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{all_features, assert_forgets, rows};
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, values,
    };

    fn all() -> impl Iterator<Item = TabularMlpConfig> {
        let config = |features| TabularMlpConfig::new(features, 2).with_hidden(vec![16, 16]);
        all_features().into_iter().map(config)
    }

    #[test]
    fn values_that_no_row_had_count_for_nothing() {
        for config in all() {
            let net = config.init(&Device::flex());
            assert_forgets(net, TabularMlp::with_unseen, TabularMlp::forward);
        }
    }

    #[test]
    fn what_has_forgotten_goes_on_learning() {
        let device = Device::flex().autodiff();
        for config in all() {
            let net = config.init(&device).with_unseen(&[[0, 1]]);
            let logits = net.forward(rows(32, &device));
            assert_every_parameter_gets_a_gradient(&net, &logits);
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
    fn it_is_a_perceptron_behind_the_features() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let rows = rows(5, &device);
            let expected = model.mlp.forward(model.features.forward(rows.clone()));
            assert_eq!(expected.dims(), [5, 2]);
            assert_close(model.forward(rows), &values(expected));
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
            assert_round_trips(&config.with_normalization(Normalization::Batch));
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TabularMlpConfig::new(FeaturesConfig::new(2, vec![3]), 1);
        for invalid in [
            TabularMlpConfig::new(FeaturesConfig::new(0, vec![]), 1),
            base.clone().with_hidden(vec![0]),
            base.clone().with_dropout(1.0),
            TabularMlpConfig::new(base.features.clone(), 0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
