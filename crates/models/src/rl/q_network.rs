//! Q-network: action values of a vector observation, with the network extensions of Rainbow.
//!
//! Reference: Mnih et al., *Human-level control through deep reinforcement learning*, 2015,
//! <https://doi.org/10.1038/nature14236>. The extensions:
//!
//! | field | paper |
//! |---|---|
//! | `dueling` | Wang et al., *Dueling network architectures for deep reinforcement learning*, 2016, <https://arxiv.org/abs/1511.06581> |
//! | `noisy` | Fortunato et al., *Noisy networks for exploration*, 2018, <https://arxiv.org/abs/1706.10295>, with factorized Gaussian noise |
//! | `n_atoms` | Bellemare, Dabney and Munos, *A distributional perspective on reinforcement learning*, 2017, <https://arxiv.org/abs/1707.06887> (C51) |
//!
//! Differs from them: linear layers instead of convolutions. The first layer, in place of the
//! convolutions, has no noise, and the streams of a dueling network share all hidden layers but the
//! last.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};

use crate::config::{ConfigError, MAX_SIZE, check_list, check_parameters, check_range, check_size};
use crate::layers::Activation;
use crate::layers::init::{XAVIER, linear};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of hidden layers.
const MAX_DEPTH: usize = 64;

/// Maximum number of atoms.
const MAX_ATOMS: usize = 1001;

/// Initial standard deviation of the noise, times the square root of the number of inputs (Fortunato
/// et al., section 3.2).
const SIGMA_0: f64 = 0.5;

/// Configuration to create a [`QNetwork`] with [`init`](QNetworkConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct QNetworkConfig {
    /// Size of an observation.
    pub d_input: usize,
    /// Number of actions.
    pub n_actions: usize,
    /// Width of each hidden layer, first to last; empty for a linear model.
    #[config(default = "vec![128, 128]")]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Whether state value and action advantages have separate streams.
    #[config(default = false)]
    pub dueling: bool,
    /// Whether all layers but the first are noisy.
    #[config(default = false)]
    pub noisy: bool,
    /// Number of atoms of the return distribution; 1 for the expected return alone.
    #[config(default = 1)]
    pub n_atoms: usize,
    /// Return of the lowest atom; unused with a single atom.
    #[config(default = 0.0)]
    pub v_min: f64,
    /// Return of the highest atom; unused with a single atom.
    #[config(default = 100.0)]
    pub v_max: f64,
}

data_sized!(QNetworkConfig::new(d_input, n_actions));

impl QNetworkConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("d_input", self.d_input)?;
        check_size("n_actions", self.n_actions)?;
        check_list("hidden", &self.hidden, 0..=MAX_DEPTH, &(1..=MAX_SIZE))?;
        check_range("n_atoms", self.n_atoms, 1..=MAX_ATOMS)?;
        self.check_support()?;
        check_parameters(&self.layers())
    }

    /// Checks the bounds of the return distribution in single precision, the precision of the atoms.
    fn check_support(&self) -> Result<(), ConfigError> {
        let [low, high] = [self.v_min, self.v_max].map(|bound| bound as f32);
        if !low.is_finite() {
            return Err(ConfigError::new("v_min", self.v_min, "a finite number"));
        }
        if low < high && (high - low).is_finite() {
            return Ok(());
        }
        let expected = format!("a finite number above `v_min` = {}", self.v_min);
        Err(ConfigError::new("v_max", self.v_max, expected))
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> QNetwork {
        assert_eq!(self.validate(), Ok(()), "invalid QNetworkConfig");
        let mut builder = Builder {
            config: self,
            device,
            layers: 0,
            noisy_layers: 0,
        };
        let (shared, d_streams) = self.shared();
        let mut d_last = self.d_input;
        let mut trunk = Vec::new();
        for &width in shared {
            trunk.push(builder.hidden(d_last, width));
            d_last = width;
        }
        let value = self
            .dueling
            .then(|| builder.head(d_last, d_streams, self.n_atoms));
        let advantage = builder.head(d_last, d_streams, self.n_actions * self.n_atoms);
        QNetwork {
            trunk,
            value,
            advantage,
            d_input: self.d_input,
            n_actions: self.n_actions,
            activation: self.activation,
            support: self.support(),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = Vec::new();
        let mut describe = |name: String, [d_in, d_out]: [usize; 2], hidden: bool| {
            let noisy = self.noisy && !layers.is_empty();
            let kind = if noisy { "noisy linear" } else { "linear" };
            layers.push(LayerSummary {
                name,
                kind: if hidden {
                    format!("{kind} + {}", self.activation)
                } else {
                    kind.into()
                },
                output_shape: vec![d_out],
                parameters: linear_parameters(d_in, d_out, true).saturating_mul(if noisy {
                    2
                } else {
                    1
                }),
            });
        };
        let (shared, d_streams) = self.shared();
        let mut d_last = self.d_input;
        for (index, &width) in shared.iter().enumerate() {
            describe(format!("trunk.{index}"), [d_last, width], true);
            d_last = width;
        }
        let d_advantage = self.n_actions.saturating_mul(self.n_atoms);
        let streams = [
            self.dueling.then_some(("value", self.n_atoms)),
            Some(("advantage", d_advantage)),
        ];
        for (name, d_output) in streams.into_iter().flatten() {
            if let Some(width) = d_streams {
                describe(format!("{name}.hidden"), [d_last, width], true);
            }
            let d_in = d_streams.unwrap_or(d_last);
            describe(format!("{name}.output"), [d_in, d_output], false);
        }
        layers
    }

    /// Widths of the shared hidden layers, and of the last one in each stream of a dueling network.
    fn shared(&self) -> (&[usize], Option<usize>) {
        match self.hidden.split_last() {
            Some((&last, shared)) if self.dueling => (shared, Some(last)),
            _ => (&self.hidden, None),
        }
    }

    /// Returns of the atoms, lowest first.
    fn support(&self) -> Vec<f32> {
        let step = (self.v_max - self.v_min) / (self.n_atoms.max(2) - 1) as f64;
        let atom = |index| (self.v_min + step * index as f64) as f32;
        (0..self.n_atoms).map(atom).collect()
    }
}

/// Builds layers and numbers the noisy ones.
struct Builder<'a> {
    config: &'a QNetworkConfig,
    device: &'a Device,
    layers: usize,
    noisy_layers: usize,
}

impl Builder<'_> {
    fn hidden(&mut self, d_in: usize, d_out: usize) -> Dense {
        self.dense(d_in, d_out, self.config.activation.initializer())
    }

    fn head(&mut self, d_in: usize, d_hidden: Option<usize>, d_out: usize) -> Head {
        Head {
            hidden: d_hidden.map(|width| self.hidden(d_in, width)),
            output: self.dense(d_hidden.unwrap_or(d_in), d_out, XAVIER),
        }
    }

    fn dense(&mut self, d_in: usize, d_out: usize, weights: Initializer) -> Dense {
        self.layers += 1;
        if !self.config.noisy || self.layers == 1 {
            return Dense::Plain(linear(d_in, d_out, weights, self.device));
        }
        let index = self.noisy_layers;
        self.noisy_layers += 1;
        Dense::Noisy(NoisyLinear::new(index, d_in, d_out, self.device))
    }
}

/// Linear layers, in one stream or two, with a value or a return distribution per action.
///
/// The network draws no random numbers: the caller samples [`noise`](Self::noise) and passes it in.
/// Without noise, the network uses the mean weights.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::rl::QNetworkConfig;
///
/// let device = Device::flex();
/// let rainbow = QNetworkConfig::new(4, 2)
///     .with_dueling(true)
///     .with_noisy(true)
///     .with_n_atoms(51)
///     .init(&device);
/// let values = rainbow.forward(Tensor::zeros([8, 4], &device));
/// assert_eq!(values.dims(), [8, 2]);
/// ```
#[derive(Module, Debug)]
pub struct QNetwork {
    trunk: Vec<Dense>,
    value: Option<Head>,
    advantage: Head,
    #[module(skip)]
    d_input: usize,
    #[module(skip)]
    n_actions: usize,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    support: Vec<f32>,
}

#[derive(Module, Debug)]
struct Head {
    hidden: Option<Dense>,
    output: Dense,
}

#[derive(Module, Debug)]
enum Dense {
    Plain(Linear),
    Noisy(NoisyLinear),
}

/// One sample of the noise of every noisy layer.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Noise factors of each layer, `[d_in]` and `[d_out]`.
    layers: Vec<[Tensor<1>; 2]>,
}

impl QNetwork {
    /// Computes the action values: expected discounted returns.
    ///
    /// # Shapes
    ///
    /// - observations: `[batch, d_input]`
    /// - output: `[batch, n_actions]`
    ///
    /// # Panics
    ///
    /// If the last axis of `observations` is not `d_input`.
    pub fn forward(&self, observations: Tensor<2>) -> Tensor<2> {
        self.forward_with(observations, None)
    }

    /// As [`forward`](Self::forward), with noise added to the weights.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if `noise` was sampled for another network.
    pub fn forward_with(&self, observations: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        if self.support.len() > 1 {
            return self.expectation(self.logits(observations, noise));
        }
        let (value, advantage) = self.streams(observations, noise);
        match value {
            Some(value) => value + advantage.clone() - advantage.mean_dim(1),
            None => advantage,
        }
    }

    /// Computes the logits of the return distribution of every action.
    ///
    /// # Shapes
    ///
    /// - observations: `[batch, d_input]`
    /// - output: `[batch, n_actions, n_atoms]`, unnormalized log-probabilities over the last axis; with
    ///   a single atom, the values
    ///
    /// # Panics
    ///
    /// As [`forward_with`](Self::forward_with).
    pub fn logits(&self, observations: Tensor<2>, noise: Option<&Noise>) -> Tensor<3> {
        let n_atoms = self.support.len();
        let (value, advantage) = self.streams(observations, noise);
        let [batch, _] = advantage.dims();
        let advantage = advantage.reshape([batch, self.n_actions, n_atoms]);
        match value {
            Some(value) => {
                let value = value.reshape([batch, 1, n_atoms]);
                value + advantage.clone() - advantage.mean_dim(1)
            }
            None => advantage,
        }
    }

    /// Computes action values from [`logits`](Self::logits).
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, n_actions, n_atoms]`
    /// - output: `[batch, n_actions]`
    pub fn expectation(&self, logits: Tensor<3>) -> Tensor<2> {
        let [batch, n_actions, n_atoms] = logits.dims();
        if n_atoms == 1 {
            return logits.reshape([batch, n_actions]);
        }
        let support = TensorData::new(self.support.clone(), [1, 1, n_atoms]);
        let support = Tensor::<3>::from_data(support, &logits.device());
        (softmax(logits, 2) * support)
            .sum_dim(2)
            .reshape([batch, n_actions])
    }

    /// Returns of the atoms, lowest first.
    pub fn support(&self) -> &[f32] {
        &self.support
    }

    /// Number of actions.
    pub fn n_actions(&self) -> usize {
        self.n_actions
    }

    /// Size of an observation.
    pub fn d_input(&self) -> usize {
        self.d_input
    }

    /// Samples noise for every noisy layer; `None` without noisy layers.
    ///
    /// `normal` must return independent samples of the standard normal distribution.
    pub fn noise(&self, mut normal: impl FnMut() -> f32) -> Option<Noise> {
        let layers: Vec<_> = self
            .dense_layers()
            .filter_map(|layer| match layer {
                Dense::Noisy(layer) => Some(layer.noise(&mut normal)),
                Dense::Plain(_) => None,
            })
            .collect();
        (!layers.is_empty()).then_some(Noise { layers })
    }

    fn dense_layers(&self) -> impl Iterator<Item = &Dense> {
        let heads = self.value.iter().chain([&self.advantage]);
        let heads = heads.flat_map(|head| head.hidden.iter().chain([&head.output]));
        self.trunk.iter().chain(heads)
    }

    /// State values `[batch, n_atoms]`, if dueling, and advantages `[batch, n_actions * n_atoms]`.
    fn streams(
        &self,
        observations: Tensor<2>,
        noise: Option<&Noise>,
    ) -> (Option<Tensor<2>>, Tensor<2>) {
        let d_input = self.d_input;
        assert_shape!(observations, [_, d_input]);
        let mut x = observations;
        for layer in &self.trunk {
            x = self.activation.forward(layer.forward(x, noise));
        }
        let value = self
            .value
            .as_ref()
            .map(|head| self.head(head, x.clone(), noise));
        (value, self.head(&self.advantage, x, noise))
    }

    fn head(&self, head: &Head, x: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let x = match &head.hidden {
            Some(layer) => self.activation.forward(layer.forward(x, noise)),
            None => x,
        };
        head.output.forward(x, noise)
    }
}

impl Dense {
    fn forward(&self, x: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        match self {
            Self::Plain(layer) => layer.forward(x),
            Self::Noisy(layer) => layer.forward(x, noise),
        }
    }
}

/// A linear layer with noise of learned scale on its weights.
///
/// | name | shape | symbol |
/// |---|---|---|
/// | `weight`, `weight_sigma` | `[d_in, d_out]` | mu, sigma of w |
/// | `bias`, `bias_sigma` | `[d_out]` | mu, sigma of b |
#[derive(Module, Debug)]
struct NoisyLinear {
    weight: Param<Tensor<2>>,
    weight_sigma: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    bias_sigma: Param<Tensor<1>>,
    #[module(skip)]
    index: usize,
}

impl NoisyLinear {
    fn new(index: usize, d_in: usize, d_out: usize, device: &Device) -> Self {
        let bound = 1.0 / (d_in as f64).sqrt();
        let mean = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let sigma = Initializer::Constant {
            value: SIGMA_0 * bound,
        };
        Self {
            weight: mean.init([d_in, d_out], device),
            weight_sigma: sigma.init([d_in, d_out], device),
            bias: mean.init([d_out], device),
            bias_sigma: sigma.init([d_out], device),
            index,
        }
    }

    fn noise(&self, normal: &mut impl FnMut() -> f32) -> [Tensor<1>; 2] {
        let device = self.weight.val().device().inner();
        self.weight.lazy_shape().dims::<2>().map(|size| {
            // f(x) = sgn(x) sqrt |x|, equation 10 of the paper.
            let factor = |x: f32| x.signum() * x.abs().sqrt();
            let values: Vec<f32> = (0..size).map(|_| factor(normal())).collect();
            Tensor::from_data(TensorData::new(values, [size]), &device)
        })
    }

    /// The noise of a weight matrix is an outer product, so that it is never materialized:
    /// `x (sigma * in out^T) = ((x * in) sigma) * out`.
    fn forward(&self, x: Tensor<2>, noise: Option<&Noise>) -> Tensor<2> {
        let mean = x.clone().matmul(self.weight.val()) + self.bias.val().unsqueeze();
        let Some(noise) = noise else { return mean };
        let [inputs, outputs] = noise.layers[self.index].clone();
        let spread = (x * inputs.unsqueeze()).matmul(self.weight_sigma.val())
            + self.bias_sigma.val().unsqueeze();
        mean + spread * outputs.unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    /// Every combination of the extensions.
    fn all() -> impl Iterator<Item = QNetworkConfig> {
        (0..8).map(|bits| {
            QNetworkConfig::new(4, 3)
                .with_hidden(vec![8, 6])
                .with_dueling(bits & 1 > 0)
                .with_noisy(bits & 2 > 0)
                .with_n_atoms(if bits & 4 > 0 { 5 } else { 1 })
        })
    }

    /// A deterministic sequence that looks random.
    fn numbers() -> impl FnMut() -> f32 {
        let mut at = 0.0_f32;
        move || {
            at += 1.0;
            (at * 12.9898).sin() * 1.7
        }
    }

    #[test]
    fn output_has_a_value_per_action() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let x = normal([8, 4], &device);
            assert_eq!(model.forward(x.clone()).dims(), [8, 3], "{config}");
            assert_eq!(model.logits(x, None).dims(), [8, 3, config.n_atoms]);
        }
        let linear = QNetworkConfig::new(4, 3).with_hidden(vec![]);
        let model = linear.with_dueling(true).init(&device);
        assert_eq!(model.forward(normal([8, 4], &device)).dims(), [8, 3]);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        let model = QNetworkConfig::new(4, 2).init(&device);
        model.forward(normal([8, 5], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let noise = model.noise(numbers());
            let batch = normal([8, 4], &device);
            let alone = model.forward_with(batch.clone().slice(2..3), noise.as_ref());
            let together = model.forward_with(batch, noise.as_ref());
            assert_close(together.slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for config in all() {
            let model = config.with_hidden(vec![16, 16]).init(&device);
            let noise = model.noise(numbers());
            let logits = model.logits(normal([32, 4], &device), noise.as_ref());
            // Through a softmax the state value of a dueling network would get no gradient.
            assert_every_parameter_gets_a_gradient(&model, &logits.flatten(1, 2));
        }
    }

    #[test]
    fn dueling_agrees_with_the_formula() {
        let device = Device::flex();
        let model = QNetworkConfig::new(2, 3)
            .with_hidden(vec![])
            .with_dueling(true)
            .init(&device);
        let x = normal([1, 2], &device);
        let (value, advantage) = model.streams(x.clone(), None);
        let value = values(value.unwrap())[0];
        let advantages = values(advantage);
        let mean = advantages.iter().sum::<f32>() / 3.0;
        let expected: Vec<f32> = advantages.iter().map(|a| value + a - mean).collect();
        assert_close(model.forward(x), &expected);
    }

    #[test]
    fn noise_agrees_with_materialized_weights() {
        let device = Device::flex();
        let config = QNetworkConfig::new(2, 3)
            .with_hidden(vec![4])
            .with_noisy(true);
        let model = config.init(&device);
        let noise = model.noise(numbers()).unwrap();
        let Dense::Noisy(layer) = &model.advantage.output else {
            panic!("the output has noise");
        };
        let [inputs, outputs] = noise.layers[0].clone();
        let outer = inputs
            .clone()
            .reshape([4, 1])
            .matmul(outputs.clone().reshape([1, 3]));
        let weight = layer.weight.val() + layer.weight_sigma.val() * outer;
        let bias = layer.bias.val() + layer.bias_sigma.val() * outputs;
        let x = normal([5, 4], &device);
        let expected = x.clone().matmul(weight) + bias.unsqueeze();
        assert_close(layer.forward(x, Some(&noise)), &values(expected));
        let mut draw = numbers();
        let first = draw();
        assert_close(inputs.slice(0..1), &[first.signum() * first.abs().sqrt()]);
    }

    #[test]
    fn without_noise_the_network_is_the_mean() {
        let device = Device::flex();
        let model = QNetworkConfig::new(4, 2).with_noisy(true).init(&device);
        let x = normal([8, 4], &device);
        assert_close(model.forward(x.clone()), &values(model.forward(x.clone())));
        let noise = model.noise(numbers());
        let difference = model.forward(x.clone()) - model.forward_with(x, noise.as_ref());
        assert!(values(difference.abs().max())[0] > 1e-3);
        assert!(
            QNetworkConfig::new(4, 2)
                .init(&device)
                .noise(numbers())
                .is_none()
        );
    }

    #[test]
    fn values_are_the_means_of_the_distributions() {
        let device = Device::flex();
        let config = QNetworkConfig::new(4, 2).with_n_atoms(3);
        let model = config.with_v_min(-1.0).with_v_max(2.0).init(&device);
        assert_eq!(model.support(), [-1.0, 0.5, 2.0]);
        // Probabilities 1/4, 1/4, 1/2 and 0, 0, 1.
        let logits = [[0.0, 0.0, 2.0_f32.ln()], [-99.0, -99.0, 99.0]];
        let logits = Tensor::<2>::from_floats(logits, &device).reshape([1, 2, 3]);
        assert_close(model.expectation(logits), &[0.875, 2.0]);
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in all() {
            let model = config.init(&Device::flex());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model),
                "{config}"
            );
        }
    }

    #[test]
    fn config_round_trips() {
        all().for_each(|config| assert_round_trips(&config));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = QNetworkConfig::new(4, 2);
        for invalid in [
            QNetworkConfig::new(0, 2),
            QNetworkConfig::new(4, usize::MAX),
            base.clone().with_hidden(vec![8, 0]),
            base.clone().with_hidden(vec![1; MAX_DEPTH + 1]),
            base.clone().with_n_atoms(0),
            base.clone().with_n_atoms(MAX_ATOMS + 1),
            base.clone().with_v_max(f64::NAN),
            base.clone().with_v_min(100.0),
            base.clone().with_v_min(f64::NEG_INFINITY),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
