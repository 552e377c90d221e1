//! Optimizers by name, with the usual constants of their papers and of PyTorch.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::config::{ConfigError, check_range};

/// What turns gradients into steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum (Sutskever et al. 2013).
    Sgd {
        /// Step size at schedule factor 1.
        learning_rate: f64,
        /// Momentum, in `[0, 1)`.
        momentum: f64,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
        /// L2 penalty added to the gradient.
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015, <https://arxiv.org/abs/1412.6980>).
    Adam {
        /// Step size at schedule factor 1.
        learning_rate: f64,
        /// Decay of the mean, in `[0, 1)`.
        beta_1: f64,
        /// Decay of the square, in `[0, 1)`.
        beta_2: f64,
        /// Added to the denominator.
        epsilon: f64,
    },
    /// AdamW (Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>). Biases and
    /// normalisation parameters are not decayed.
    Adamw {
        /// Step size at schedule factor 1.
        learning_rate: f64,
        /// Decay of the mean, in `[0, 1)`.
        beta_1: f64,
        /// Decay of the square, in `[0, 1)`.
        beta_2: f64,
        /// Added to the denominator.
        epsilon: f64,
        /// Decoupled decay of the weights.
        weight_decay: f64,
    },
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adamw {
            learning_rate: 1e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

impl Optimizer {
    /// One of each kind, as a recipe that only names the kind gets it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "sgd" => Self::Sgd {
                learning_rate: 0.1,
                momentum: 0.9,
                nesterov: true,
                weight_decay: 5e-4,
            },
            "adam" => Self::Adam {
                learning_rate: 1e-3,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
            },
            "adamw" => Self::default(),
            _ => return None,
        })
    }

    /// Step size at schedule factor 1.
    pub fn learning_rate(&self) -> f64 {
        match *self {
            Self::Sgd { learning_rate, .. }
            | Self::Adam { learning_rate, .. }
            | Self::Adamw { learning_rate, .. } => learning_rate,
        }
    }

    /// Step size at schedule factor 1, to change it.
    pub fn learning_rate_mut(&mut self) -> &mut f64 {
        match self {
            Self::Sgd { learning_rate, .. }
            | Self::Adam { learning_rate, .. }
            | Self::Adamw { learning_rate, .. } => learning_rate,
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let rate = self.learning_rate();
        if !(rate > 0.0 && rate.is_finite()) {
            let expected = "a positive, finite number such as 0.001";
            return Err(ConfigError::new("optimizer.learning_rate", rate, expected));
        }
        match *self {
            Self::Sgd {
                momentum,
                weight_decay,
                ..
            } => {
                check_range("optimizer.momentum", momentum, 0.0..1.0)?;
                check_range("optimizer.weight_decay", weight_decay, 0.0..=1e3)
            }
            Self::Adam {
                beta_1,
                beta_2,
                epsilon,
                ..
            } => check_adam(beta_1, beta_2, epsilon),
            Self::Adamw {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                ..
            } => {
                check_adam(beta_1, beta_2, epsilon)?;
                check_range("optimizer.weight_decay", weight_decay, 0.0..=1e3)
            }
        }
    }

    /// Makes the optimizer, with fresh state.
    pub fn init(&self) -> ModuleOptimizer {
        match *self {
            Self::Sgd {
                momentum,
                nesterov,
                weight_decay,
                ..
            } => {
                let mut config = SgdConfig::new();
                if momentum > 0.0 {
                    config = config.with_momentum(Some(MomentumConfig {
                        momentum,
                        // PyTorch's default; Burn's is 0.1.
                        dampening: 0.0,
                        nesterov,
                    }));
                }
                if weight_decay > 0.0 {
                    config =
                        config.with_weight_decay(Some(WeightDecayConfig::new(weight_decay as f32)));
                }
                config.init()
            }
            Self::Adam {
                beta_1,
                beta_2,
                epsilon,
                ..
            } => Adam::new([beta_1, beta_2, epsilon], 0.0).into(),
            Self::Adamw {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                ..
            } => {
                let constants = [beta_1, beta_2, epsilon];
                let undecayed = Adam::new(constants, 0.0);
                let names = [".bias", ".gamma", ".beta"].map(str::to_owned).to_vec();
                ModuleOptimizer::from(Adam::new(constants, weight_decay)).with_group(
                    ParamGroup::from_any_predicates(names),
                    undecayed,
                    None,
                )
            }
        }
    }
}

fn check_adam(beta_1: f64, beta_2: f64, epsilon: f64) -> Result<(), ConfigError> {
    check_range("optimizer.beta_1", beta_1, 0.0..1.0)?;
    check_range("optimizer.beta_2", beta_2, 0.0..1.0)?;
    check_range("optimizer.epsilon", epsilon, 1e-15..=1.0)
}
