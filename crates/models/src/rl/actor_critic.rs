//! Actor-critic network: a policy and a state value for the same observations.
//!
//! Reference: Schulman et al., *Proximal policy optimization algorithms*, 2017,
//! <https://arxiv.org/abs/1707.06347>, section 6.1: two hidden layers of 64 units with tanh, a
//! Gaussian whose standard deviations do not depend on the state. Weights are initialized as
//! orthogonal (Saxe, `McClelland` and Ganguli, 2014, <https://arxiv.org/abs/1312.6120>), the last
//! layer of the policy close to zero, so that the initial policy is nearly uniform (Andrychowicz et
//! al., 2021, <https://arxiv.org/abs/2006.05990>, section 3.2).

use std::f64::consts::SQRT_2;

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::{Device, Tensor, assert_shape};

use crate::config::{ConfigError, MAX_SIZE, check_list, check_parameters, check_size};
use crate::layers::Activation;
use crate::layers::init::linear;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of hidden layers.
const MAX_DEPTH: usize = 64;

/// Configuration to create an [`ActorCritic`] with [`init`](ActorCriticConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct ActorCriticConfig {
    /// Size of an observation.
    pub d_input: usize,
    /// Number of discrete actions, or size of a continuous action.
    pub d_action: usize,
    /// Whether actions are continuous.
    #[config(default = false)]
    pub continuous: bool,
    /// Width of each hidden layer of both networks, first to last.
    #[config(default = "vec![64, 64]")]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[config(default = "Activation::Tanh")]
    pub activation: Activation,
}

data_sized!(ActorCriticConfig::new(d_input, d_action), continuous);

impl ActorCriticConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("d_input", self.d_input)?;
        check_size("d_action", self.d_action)?;
        check_list("hidden", &self.hidden, 0..=MAX_DEPTH, &(1..=MAX_SIZE))?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> ActorCritic {
        assert_eq!(self.validate(), Ok(()), "invalid ActorCriticConfig");
        let stack = |d_output: usize, gain: f64| {
            let widths = self.widths(d_output);
            let last = widths.len() - 2;
            let layer = |(index, pair): (usize, &[usize])| {
                let gain = if index == last { gain } else { SQRT_2 };
                linear(pair[0], pair[1], Initializer::Orthogonal { gain }, device)
            };
            widths.windows(2).enumerate().map(layer).collect()
        };
        let zeros = || Initializer::Zeros.init([self.d_action], device);
        ActorCritic {
            actor: stack(self.d_action, 0.01),
            critic: stack(1, 1.0),
            log_std: self.continuous.then(zeros),
            activation: self.activation,
            d_input: self.d_input,
            d_action: self.d_action,
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = Vec::new();
        for (name, d_output) in [("actor", self.d_action), ("critic", 1)] {
            let widths = self.widths(d_output);
            let last = widths.len() - 2;
            for (index, pair) in widths.windows(2).enumerate() {
                layers.push(LayerSummary {
                    name: format!("{name}.{index}"),
                    kind: if index == last {
                        "linear".into()
                    } else {
                        format!("linear + {}", self.activation)
                    },
                    output_shape: vec![pair[1]],
                    parameters: linear_parameters(pair[0], pair[1], true),
                });
            }
        }
        if self.continuous {
            layers.push(LayerSummary {
                name: "log_std".into(),
                kind: "deviations".into(),
                output_shape: vec![self.d_action],
                parameters: self.d_action,
            });
        }
        layers
    }

    fn widths(&self, d_output: usize) -> Vec<usize> {
        let mut widths = vec![self.d_input];
        widths.extend(&self.hidden);
        widths.push(d_output);
        widths
    }
}

/// Two separate multilayer perceptrons, and the standard deviations of a Gaussian policy.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::rl::ActorCriticConfig;
///
/// let device = Device::flex();
/// let net = ActorCriticConfig::new(4, 2).init(&device);
/// let (policy, value) = net.forward(Tensor::zeros([8, 4], &device));
/// assert_eq!((policy.dims(), value.dims()), ([8, 2], [8, 1]));
/// ```
#[derive(Module, Debug)]
pub struct ActorCritic {
    actor: Vec<Linear>,
    critic: Vec<Linear>,
    /// Logarithms of the standard deviations, `[d_action]`.
    log_std: Option<Param<Tensor<1>>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    d_input: usize,
    #[module(skip)]
    d_action: usize,
}

impl ActorCritic {
    /// Computes the policy and the value.
    ///
    /// # Shapes
    ///
    /// - observations: `[batch, d_input]`
    /// - policy: `[batch, d_action]`, logits of discrete actions, or means of a Gaussian
    /// - value: `[batch, 1]`
    ///
    /// # Panics
    ///
    /// If the last axis of `observations` is not `d_input`.
    pub fn forward(&self, observations: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        (self.policy(observations.clone()), self.value(observations))
    }

    /// Computes the policy alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn policy(&self, observations: Tensor<2>) -> Tensor<2> {
        self.stack(&self.actor, observations)
    }

    /// Computes the value alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn value(&self, observations: Tensor<2>) -> Tensor<2> {
        self.stack(&self.critic, observations)
    }

    /// Logarithms of the standard deviations, `[d_action]`, of a continuous policy.
    pub fn log_std(&self) -> Option<Tensor<1>> {
        self.log_std.as_ref().map(Param::val)
    }

    /// Size of an observation.
    pub fn d_input(&self) -> usize {
        self.d_input
    }

    /// Number of discrete actions, or size of a continuous action.
    pub fn d_action(&self) -> usize {
        self.d_action
    }

    fn stack(&self, layers: &[Linear], observations: Tensor<2>) -> Tensor<2> {
        let d_input = self.d_input;
        assert_shape!(observations, [_, d_input]);
        let mut x = observations;
        for (index, layer) in layers.iter().enumerate() {
            if index > 0 {
                x = self.activation.forward(x);
            }
            x = layer.forward(x);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::trainable_parameters;
    use crate::testing::{assert_round_trips, normal, values};

    #[test]
    fn shapes_and_parameters_are_as_described() {
        let device = Device::flex();
        for continuous in [false, true] {
            let config = ActorCriticConfig::new(3, 2)
                .with_continuous(continuous)
                .with_hidden(vec![5, 4]);
            let net = config.init(&device);
            let described: usize = config.layers().iter().map(|layer| layer.parameters).sum();
            assert_eq!(trainable_parameters(&net), described);
            let (policy, value) = net.forward(normal([7, 3], &device));
            assert_eq!((policy.dims(), value.dims()), ([7, 2], [7, 1]));
            assert_eq!(net.log_std().is_some(), continuous);
        }
    }

    #[test]
    fn the_initial_policy_is_nearly_uniform() {
        let device = Device::flex();
        let net = ActorCriticConfig::new(4, 3).init(&device);
        let logits = values(net.policy(normal([16, 4], &device)));
        assert!(logits.iter().all(|logit| logit.abs() < 0.1), "{logits:?}");
    }

    #[test]
    fn config_round_trips() {
        for continuous in [false, true] {
            assert_round_trips(&ActorCriticConfig::new(4, 3).with_continuous(continuous));
        }
    }
}
