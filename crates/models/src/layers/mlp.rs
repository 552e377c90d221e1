//! Multilayer perceptron of any depth and widths.
//!
//! Reference: Rumelhart, Hinton and Williams, *Learning representations by back-propagating
//! errors*, 1986, <https://doi.org/10.1038/323533a0>.
//! Differs from it: a choice of activations instead of the logistic unit; batch normalization
//! (Ioffe and Szegedy, 2015, <https://arxiv.org/abs/1502.03167>) or layer normalization (Ba, Kiros
//! and Hinton, 2016, <https://arxiv.org/abs/1607.06450>) before them; dropout (Srivastava et
//! al., 2014, <https://jmlr.org/papers/v15/srivastava14a.html>) after them; initial weights of He
//! et al., 2015, <https://arxiv.org/abs/1502.01852>, before `ReLU` and of Glorot and Bengio,
//! 2010, <https://proceedings.mlr.press/v9/glorot10a.html>, elsewhere.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear,
};
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::config::{
    ConfigError, MAX_SIZE, check_list, check_parameters, check_probability, check_size,
};
use crate::layers::Activation;
use crate::layers::batch_norm::batch_norm;
use crate::layers::dense::{drop_out, project, project_rectified, project_relu};
use crate::layers::init::{XAVIER, linear, linear_without_bias};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of hidden layers.
const MAX_DEPTH: usize = 1024;

/// Normalization before each hidden activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// No normalization.
    None,
    /// Batch normalization: each feature over the batch, or over the running statistics in inference.
    Batch,
    /// Layer normalization: each row over its features.
    Layer,
}

/// Configuration to create an [`Mlp`] with [`init`](MlpConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct MlpConfig {
    /// Number of features in a row.
    pub d_input: usize,
    /// Number of outputs: classes or regression targets.
    pub d_output: usize,
    /// Width of each hidden layer, first to last; empty for a linear model.
    #[config(default = "vec![128, 64]")]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Normalization before each hidden activation.
    #[config(default = "Normalization::None")]
    pub normalization: Normalization,
    /// Dropout probability of the hidden activations, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

data_sized!(MlpConfig::new(d_input, d_output));

impl MlpConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("d_input", self.d_input)?;
        check_size("d_output", self.d_output)?;
        check_list("hidden", &self.hidden, 0..=MAX_DEPTH, &(1..=MAX_SIZE))?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Mlp {
        assert_eq!(self.validate(), Ok(()), "invalid MlpConfig");
        let hidden = self
            .hidden_sizes()
            .map(|[d_in, d_out]| self.init_hidden(d_in, d_out, device));
        Mlp {
            hidden: hidden.collect(),
            activation: self.activation,
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(self.d_last(), self.d_output, XAVIER, device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers: Vec<_> = self
            .hidden_sizes()
            .enumerate()
            .map(|(i, d)| self.describe(i, d))
            .collect();
        layers.push(LayerSummary {
            name: "output".into(),
            kind: "linear".into(),
            output_shape: vec![self.d_output],
            parameters: linear_parameters(self.d_last(), self.d_output, true),
        });
        layers
    }

    /// Pairs each hidden layer's input width with its output width.
    fn hidden_sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        let inputs = std::iter::once(&self.d_input).chain(&self.hidden);
        inputs
            .zip(&self.hidden)
            .map(|(&d_in, &d_out)| [d_in, d_out])
    }

    /// Input size of the output layer.
    fn d_last(&self) -> usize {
        self.hidden.last().copied().unwrap_or(self.d_input)
    }

    /// Batch normalization would subtract the bias again (Ioffe and Szegedy, section 3.2).
    fn has_hidden_bias(&self) -> bool {
        self.normalization != Normalization::Batch
    }

    fn init_hidden(&self, d_in: usize, d_out: usize, device: &Device) -> HiddenLayer {
        let build = if self.has_hidden_bias() {
            linear
        } else {
            linear_without_bias
        };
        HiddenLayer {
            linear: build(d_in, d_out, self.activation.initializer(), device),
            norm: match self.normalization {
                Normalization::None => None,
                Normalization::Batch => Some(Norm::Batch(BatchNormConfig::new(d_out).init(device))),
                Normalization::Layer => Some(Norm::Layer(LayerNormConfig::new(d_out).init(device))),
            },
        }
    }

    fn describe(&self, index: usize, [d_in, d_out]: [usize; 2]) -> LayerSummary {
        let (norm, norm_parameters) = match self.normalization {
            Normalization::None => ("", 0),
            Normalization::Batch => ("batch norm + ", 2 * d_out),
            Normalization::Layer => ("layer norm + ", 2 * d_out),
        };
        LayerSummary {
            name: format!("hidden.{index}"),
            kind: format!("linear + {norm}{}", self.activation),
            output_shape: vec![d_out],
            parameters: linear_parameters(d_in, d_out, self.has_hidden_bias())
                .saturating_add(norm_parameters),
        }
    }
}

/// Linear layers with an activation between them.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::layers::MlpConfig;
///
/// let device = Device::flex();
/// let model = MlpConfig::new(4, 3).with_hidden(vec![16, 2, 16]).init(&device);
/// let logits = model.forward(Tensor::zeros([8, 4], &device));
/// assert_eq!(logits.dims(), [8, 3]);
/// ```
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<HiddenLayer>,
    #[module(skip)]
    activation: Activation,
    dropout: Dropout,
    output: Linear,
}

#[derive(Module, Debug)]
struct HiddenLayer {
    linear: Linear,
    norm: Option<Norm>,
}

#[derive(Module, Debug)]
enum Norm {
    Batch(BatchNorm),
    Layer(LayerNorm),
}

impl Mlp {
    /// Computes the logits, or predicts the regression targets.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, d_input]`
    /// - output: `[batch, d_output]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the last axis of `input` is not `d_input`.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let d_input = self.d_input();
        assert_shape!(input, [_, d_input]);
        if self.is_plain_relu(&input) {
            let linears = self.hidden.iter().map(|layer| &layer.linear);
            return project_rectified(linears.chain([&self.output]), input);
        }
        let mut x = input;
        for layer in &self.hidden {
            if layer.norm.is_none() && self.activation == Activation::Relu {
                x = project_relu(&layer.linear, &self.dropout, x);
                continue;
            }
            x = layer.forward(x);
            x = self.activation.forward(x);
            x = drop_out(&self.dropout, x);
        }
        project(&self.output, x)
    }

    /// Whether the network is a plain chain of linear layers and `ReLU`, which one kernel computes.
    fn is_plain_relu(&self, input: &Tensor<2>) -> bool {
        !input.device().is_autodiff()
            && self.activation == Activation::Relu
            && self.hidden.iter().all(|layer| layer.norm.is_none())
    }

    /// The first layer.
    pub(crate) fn input_mut(&mut self) -> &mut Linear {
        match self.hidden.first_mut() {
            Some(layer) => &mut layer.linear,
            None => &mut self.output,
        }
    }

    fn d_input(&self) -> usize {
        let first = self
            .hidden
            .first()
            .map_or(&self.output, |layer| &layer.linear);
        let [d_input, _d_output] = first.weight.dims();
        d_input
    }
}

impl HiddenLayer {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = project(&self.linear, x);
        match &self.norm {
            None => x,
            Some(Norm::Batch(norm)) => batch_norm(norm, x),
            Some(Norm::Layer(norm)) => norm.forward(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};

    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    const NORMALIZATIONS: [Normalization; 3] = [
        Normalization::None,
        Normalization::Batch,
        Normalization::Layer,
    ];

    fn small(normalization: Normalization) -> MlpConfig {
        MlpConfig::new(4, 3)
            .with_hidden(vec![6, 2, 5])
            .with_normalization(normalization)
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for hidden in [vec![], vec![7], vec![6, 2, 5]] {
            let model = MlpConfig::new(4, 3).with_hidden(hidden).init(&device);
            assert_eq!(model.forward(normal([8, 4], &device)).dims(), [8, 3]);
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        small(Normalization::None)
            .init(&device)
            .forward(normal([8, 5], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for normalization in NORMALIZATIONS {
            let model = small(normalization).init(&device);
            let batch = normal([8, 4], &device);
            let alone = model.forward(batch.clone().slice(2..3));
            assert_close(model.forward(batch).slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for normalization in NORMALIZATIONS {
            let config = MlpConfig::new(4, 3).with_hidden(vec![16, 16]);
            let model = config.with_normalization(normalization).init(&device);
            let logits = model.forward(normal([32, 4], &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn outputs_agree_with_matrices_by_hand() {
        let device = Device::flex();
        let mut model = MlpConfig::new(2, 1).with_hidden(vec![2]).init(&device);
        model.hidden[0].linear.weight = Param::from_data([[1.0, -1.0], [2.0, 0.5]], &device);
        model.hidden[0].linear.bias = Some(Param::from_data([0.5, -0.25], &device));
        model.output.weight = Param::from_data([[3.0], [-2.0]], &device);
        model.output.bias = Some(Param::from_data([0.125], &device));
        // Row 1: relu([1 + 4 + 0.5, -1 + 1 - 0.25]) = [5.5, 0]; row 2: relu([-1.5, 0.75]).
        let x = Tensor::from_floats([[1.0, 2.0], [-1.0, 0.0]], &device);
        assert_close(model.forward(x), &[3.0 * 5.5 + 0.125, -2.0 * 0.75 + 0.125]);
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for normalization in NORMALIZATIONS {
            let config = small(normalization);
            let model = config.init(&Device::flex());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
        let linear = MlpConfig::new(4, 3).with_hidden(vec![]);
        assert_eq!(linear.layers().len(), 1);
        assert_eq!(linear.init(&Device::flex()).num_params(), 15);
    }

    #[test]
    fn initial_weights_follow_the_papers() {
        let model = MlpConfig::new(256, 128)
            .with_hidden(vec![512])
            .init(&Device::flex());
        let [hidden, output] = [&model.hidden[0].linear, &model.output];
        let std = |layer: &Linear| layer.weight.val().powi_scalar(2).mean().sqrt();
        // With tens of thousands of draws the standard deviation is accurate to about a percent.
        let relative = |layer, expected: f64| std(layer).div_scalar(expected).into_scalar::<f32>();
        assert!((relative(hidden, (2.0 / 256.0_f64).sqrt()) - 1.0).abs() < 0.05);
        assert!((relative(output, (2.0 / (512.0 + 128.0_f64)).sqrt()) - 1.0).abs() < 0.05);
        for layer in [hidden, output] {
            assert!(
                values(layer.bias.as_ref().unwrap().val())
                    .iter()
                    .all(|&bias| bias == 0.0)
            );
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(Normalization::Layer).with_activation(Activation::LeakyRelu));
        assert_round_trips(&MlpConfig::new(1, 1).with_hidden(vec![]));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = MlpConfig::new(4, 3);
        for invalid in [
            MlpConfig::new(0, 3),
            MlpConfig::new(4, usize::MAX),
            base.clone().with_hidden(vec![8, 0]),
            base.clone().with_hidden(vec![1_000_000_000_000]),
            base.clone().with_hidden(vec![1; MAX_DEPTH + 1]),
            base.clone().with_hidden(vec![MAX_SIZE; 2]),
            base.clone().with_dropout(1.0),
            base.clone().with_dropout(f64::NAN),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
