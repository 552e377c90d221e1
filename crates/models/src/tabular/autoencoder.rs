//! Autoencoder for anomaly detection: anomalous rows have a high reconstruction error.
//!
//! Reference: Hawkins, He, Williams and Baxter, *Outlier detection using replicator neural networks*,
//! 2002, <https://doi.org/10.1007/3-540-46145-0_17>; Vincent, Larochelle, Bengio and Manzagol,
//! *Extracting and composing robust features with denoising autoencoders*, 2008,
//! <https://doi.org/10.1145/1390156.1390294>.
//! Differs from them: a choice of depth and activations; initial weights of [`Mlp`].

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

use super::features::{Features, FeaturesConfig};
use super::inputs::TabularInputs;
use crate::config::{ConfigError, MAX_SIZE, check_list, check_parameters, check_probability};
use crate::layers::Activation;
use crate::layers::dense::drop_out;
use crate::layers::mlp::{Mlp, MlpConfig};
use crate::summary::LayerSummary;
use crate::template::data_sized;

/// Maximum number of layers of the encoder.
const MAX_DEPTH: usize = 64;

/// Configuration to create an [`Autoencoder`] with [`init`](AutoencoderConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct AutoencoderConfig {
    /// Number of numeric columns.
    pub n_numeric: usize,
    /// Cardinality of each categorical column, including the codes of missing and unseen values.
    pub cardinalities: Vec<usize>,
    /// Width of each layer of the encoder, first to last. The last is the bottleneck; the decoder
    /// mirrors the encoder.
    #[config(default = "vec![64, 16]")]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Dropout probability of the input features, in `[0, 1)`.
    #[config(default = 0.1)]
    pub noise: f64,
}

data_sized!(AutoencoderConfig::new(n_numeric, cardinalities));

impl AutoencoderConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.features().validate()?;
        check_list("hidden", &self.hidden, 1..=MAX_DEPTH, &(1..=MAX_SIZE))?;
        check_probability("noise", self.noise)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Autoencoder {
        assert_eq!(self.validate(), Ok(()), "invalid AutoencoderConfig");
        Autoencoder {
            features: self.features().init(device),
            noise: DropoutConfig::new(self.noise).init(),
            mlp: self.mlp().init(device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = self.features().layers();
        layers.extend(self.mlp().layers().into_iter().map(|layer| LayerSummary {
            name: format!("mlp.{}", layer.name),
            ..layer
        }));
        layers
    }

    fn features(&self) -> FeaturesConfig {
        FeaturesConfig::new(self.n_numeric, self.cardinalities.clone())
    }

    fn mlp(&self) -> MlpConfig {
        let d_row = self.features().d_output();
        let back = self.hidden.iter().rev().skip(1);
        let hidden = self.hidden.iter().chain(back).copied().collect();
        MlpConfig::new(d_row, d_row)
            .with_hidden(hidden)
            .with_activation(self.activation)
            .with_dropout(0.0)
    }
}

/// An encoder to a bottleneck and a decoder back to the row.
///
/// A row consists of the plain numeric columns, which should have similar scales, and one-hot encoded
/// categorical columns.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::tabular::{AutoencoderConfig, TabularInputs};
///
/// let device = Device::flex();
/// let model = AutoencoderConfig::new(5, vec![]).init(&device);
/// let errors = model.errors(TabularInputs::new(Some(Tensor::zeros([8, 5], &device)), None));
/// assert_eq!(errors.dims(), [8]);
/// ```
#[derive(Module, Debug)]
pub struct Autoencoder {
    features: Features,
    noise: Dropout,
    mlp: Mlp,
}

impl Autoencoder {
    /// Reconstructs rows.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, n_numeric + sum of cardinalities]`
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<2> {
        self.reconstruct(self.features.forward(rows))
    }

    /// Reconstruction error of each row: mean squared error over its features. The mean is the loss.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch]`
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn errors(&self, rows: TabularInputs) -> Tensor<1> {
        let row = self.features.forward(rows);
        let difference = self.reconstruct(row.clone()) - row;
        difference.powi_scalar(2).mean_dim(1).squeeze_dim(1)
    }

    fn reconstruct(&self, row: Tensor<2>) -> Tensor<2> {
        self.mlp.forward(drop_out(&self.noise, row))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CARDINALITIES, N_NUMERIC, rows};
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    const D_ROW: usize = 3 + 4 + 3;

    fn small() -> AutoencoderConfig {
        AutoencoderConfig::new(N_NUMERIC, CARDINALITIES.to_vec()).with_hidden(vec![8, 6])
    }

    #[test]
    fn layers_mirror_the_encoder_and_add_up_to_the_model() {
        let config = small().with_hidden(vec![8, 6, 2]);
        let layers = config.layers();
        let shapes: Vec<_> = layers
            .iter()
            .map(|layer| layer.output_shape.clone())
            .collect();
        let perceptron = shapes[2..].concat();
        assert_eq!(perceptron, [8, 6, 2, 6, 8, D_ROW]);
        let model = config.init(&Device::flex());
        assert_eq!(total_parameters(&layers), trainable_parameters(&model));
    }

    #[test]
    fn the_error_is_the_mean_squared_difference() {
        let device = Device::flex();
        let model = small().init(&device);
        let batch = rows(4, &device);
        let row = values(model.features.forward(batch.clone()));
        let reconstructed = model.forward(batch.clone());
        assert_eq!(reconstructed.dims(), [4, D_ROW]);
        let reconstructed = values(reconstructed);
        let pairs = row.chunks(D_ROW).zip(reconstructed.chunks(D_ROW));
        let error = |(row, rebuilt): (&[f32], &[f32])| -> f32 {
            let squares = row.iter().zip(rebuilt).map(|(x, y)| (x - y) * (x - y));
            squares.sum::<f32>() / D_ROW as f32
        };
        let expected: Vec<f32> = pairs.map(error).collect();
        assert_close(model.errors(batch), &expected);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 3, got 2")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        let codes = Tensor::zeros([4, 2], &device);
        let model = small().init(&device);
        model.errors(TabularInputs::new(
            Some(normal([4, 2], &device)),
            Some(codes),
        ));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let model = small().init(&device);
        let batch = rows(8, &device);
        let alone = model.errors(batch.clone().slice(2..3));
        assert_close(model.errors(batch).slice(2..3), &values(alone));
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        let model = small().init(&device);
        let errors = model.errors(rows(32, &device)).unsqueeze_dim(1);
        assert_every_parameter_gets_a_gradient(&model, &errors);
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small().with_activation(Activation::Silu));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            AutoencoderConfig::new(0, vec![]),
            AutoencoderConfig::new(2, vec![0]),
            small().with_hidden(vec![]),
            small().with_hidden(vec![4, 0]),
            small().with_hidden(vec![1; MAX_DEPTH + 1]),
            small().with_noise(1.0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
