//! Multilayer perceptron over the embedded columns of a table.
//!
//! Reference: Gorishniy, Rubachev and Babenko, *On embeddings for numerical features in tabular deep
//! learning*, 2022, <https://arxiv.org/abs/2203.05556>: with numeric embeddings, a
//! multilayer perceptron matches transformers.
//! Differs from it: a choice of activations, normalizations and learned or one-hot encodings of
//! categorical columns; initial weights of [`Mlp`].

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::features::{Features, FeaturesConfig};
use super::inputs::TabularInputs;
use super::piecewise::BinsError;
use crate::config::{ConfigError, check_parameters};
use crate::layers::Activation;
use crate::layers::mlp::{Mlp, MlpConfig, Normalization};
use crate::summary::LayerSummary;
use crate::template::data_sized;

/// Configuration to create a [`TabularMlp`] with [`init`](TabularMlpConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TabularMlpConfig {
    /// The columns and their embeddings.
    pub features: FeaturesConfig,
    /// Number of outputs: classes or regression targets.
    pub d_output: usize,
    /// Width of each hidden layer, first to last; empty for a linear model.
    #[config(default = "vec![256, 256]")]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Normalization before each hidden activation.
    #[config(default = "Normalization::None")]
    pub normalization: Normalization,
    /// Dropout probability of the hidden activations, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
}

data_sized!(TabularMlpConfig::new(features, d_output));

impl TabularMlpConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
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

/// A multilayer perceptron on the features of a row.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::{FeaturesConfig, TabularInputs, TabularMlpConfig};
///
/// let device = Device::flex();
/// let model = TabularMlpConfig::new(FeaturesConfig::new(2, vec![3]), 1).init(&device);
/// let rows = TabularInputs::new(
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
        self.features.zero_categories(values, self.mlp.input_mut());
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
        self.mlp.forward(self.features.forward(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{all_features, assert_zeroes_categories, rows};
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
    fn unseen_categories_do_not_affect_the_output() {
        for config in all() {
            let net = config.init(&Device::flex());
            assert_zeroes_categories(net, TabularMlp::with_zeroed_categories, TabularMlp::forward);
        }
    }

    #[test]
    fn a_network_with_zeroed_categories_keeps_learning() {
        let device = Device::flex().autodiff();
        for config in all() {
            let net = config.init(&device).with_zeroed_categories(&[[0, 1]]);
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
    fn it_is_an_mlp_on_the_features() {
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
