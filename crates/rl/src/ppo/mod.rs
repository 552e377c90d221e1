//! Proximal policy optimization, for numbered actions and for vectors.
//!
//! Reference: Schulman et al., *Proximal policy optimization algorithms*, 2017,
//! <https://arxiv.org/abs/1707.06347>; advantages: Schulman et al., *High-dimensional continuous
//! control using generalized advantage estimation*, 2016, <https://arxiv.org/abs/1506.02438>.
//! Differs from it: advantages are normalized within a minibatch, and the gradient's norm is
//! limited, as in its authors' own code.

pub mod loss;

use std::convert::Infallible;

use burn::module::Module as _;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tinderbox_models::rl::{ActorCritic, ActorCriticConfig};
use tinderbox_train::gradients::clip_global_norm;
use tinderbox_train::{ConfigError, Optimizer, check_range, init_seeded};

use crate::dqn::{read, rows};
use crate::environment::{BoxSpace, Environment};
use crate::policy::Actions;
use crate::random::{Purpose, below, normal, uniform};
use crate::vector::{Vector, VectorError};
use loss::{Minibatch, Outputs, Row, Taken, Weights, advantages, clipped, log_probs, log_sum_exp};

/// Everything that decides a PPO agent besides its optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PpoConfig {
    /// Widths of the hidden layers of the policy, and of the value.
    pub hidden: Vec<usize>,
    /// Steps of each copy between two rounds of updates.
    pub rollout: usize,
    /// How often a round goes over these steps.
    pub epochs: usize,
    /// Steps in an update.
    pub batch_size: usize,
    /// Discount of a reward one step later.
    pub gamma: f64,
    /// How far advantages look ahead, from 0 (one step) to 1 (to the end).
    pub gae_lambda: f64,
    /// How far a probability may move in a round, as a share of itself.
    pub clip_range: f64,
    /// Whether that falls as the step size does.
    pub anneal_clip: bool,
    /// Weight of the policy's entropy in the objective.
    pub entropy_weight: f64,
    /// Weight of half the squared error of the value.
    pub value_weight: f64,
    /// Largest global L2 norm of the gradients; 0 for no limit.
    pub clip_norm: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            rollout: 32,
            epochs: 20,
            batch_size: 256,
            gamma: 0.98,
            gae_lambda: 0.8,
            clip_range: 0.2,
            anneal_clip: true,
            entropy_weight: 0.0,
            value_weight: 1.0,
            clip_norm: 0.5,
        }
    }
}

impl PpoConfig {
    /// Checks every field, and that the network can be made.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, network: &ActorCriticConfig, envs: usize) -> Result<(), ConfigError> {
        let count = |key: &str, value: usize, most: usize| {
            if (1..=most).contains(&value) {
                return Ok(());
            }
            Err(ConfigError::new(
                key,
                value,
                format!("between 1 and {most}"),
            ))
        };
        count("agent.rollout", self.rollout, 1 << 20)?;
        count("agent.epochs", self.epochs, 1 << 16)?;
        count("agent.batch_size", self.batch_size, 1 << 20)?;
        check_range("agent.gamma", self.gamma, 0.0..=1.0)?;
        check_range("agent.gae_lambda", self.gae_lambda, 0.0..=1.0)?;
        check_range("agent.clip_range", self.clip_range, 1e-6..=1e3)?;
        check_range("agent.entropy_weight", self.entropy_weight, 0.0..=1e3)?;
        check_range("agent.value_weight", self.value_weight, 0.0..=1e3)?;
        check_range("agent.clip_norm", self.clip_norm, 0.0..=1e9)?;
        if self.batch_size > self.rollout.saturating_mul(envs) {
            let expected = format!(
                "at most `agent.rollout` times `train.envs`, {}",
                self.rollout * envs
            );
            return Err(ConfigError::new(
                "agent.batch_size",
                self.batch_size,
                expected,
            ));
        }
        network
            .validate()
            .map_err(|error| ConfigError::new("agent", error, "a network that can be made"))
    }
}

/// What a round has done.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// Undiscounted returns of the episodes that ended.
    pub returns: Vec<f64>,
    /// Sum of the losses.
    pub loss_sum: f64,
    /// Number of updates.
    pub updates: u64,
}

/// A policy and a value in training.
pub struct Ppo {
    config: PpoConfig,
    /// On the autodiff device.
    pub(crate) online: ActorCritic,
    /// The same weights on the plain device.
    acting: ActorCritic,
    pub(crate) optimizer: ModuleOptimizer,
    optimizer_config: Optimizer,
    bounds: Option<BoxSpace>,
    device: Device,
    seed: u64,
    /// Updates done.
    pub(crate) updates: u64,
}

/// What was seen between two rounds of updates.
#[derive(Default)]
struct Rollout {
    rows: Vec<Row>,
    observations: Vec<f32>,
    numbers: Vec<u16>,
    vectors: Vec<f32>,
    log_probs: Vec<f32>,
}

impl Ppo {
    /// Makes an untrained agent; `bounds` are those of its actions, if these are vectors.
    ///
    /// # Panics
    ///
    /// If the network's sizes are out of range, which [`PpoConfig::validate`] finds.
    pub fn new(
        config: &PpoConfig,
        optimizer: &Optimizer,
        network: &ActorCriticConfig,
        bounds: Option<BoxSpace>,
        seed: u64,
        device: &Device,
    ) -> Self {
        let device = device.clone().inner();
        let Ok(online) = init_seeded(Purpose::Weights.seed(seed, 0), &device, || {
            Ok::<_, Infallible>(network.init(&device.clone().autodiff()))
        });
        Self {
            config: config.clone(),
            acting: online.valid(),
            online,
            optimizer: optimizer.init(),
            optimizer_config: optimizer.clone(),
            bounds,
            device,
            seed,
            updates: 0,
        }
    }

    /// The network in training, for inference.
    pub fn network(&self) -> &ActorCritic {
        &self.acting
    }

    /// An optimizer without a past.
    pub(crate) fn fresh_optimizer(&self) -> ModuleOptimizer {
        self.optimizer_config.init()
    }

    /// Takes weights over, as from a checkpoint.
    pub(crate) fn refresh(&mut self) {
        self.acting = self.online.valid();
    }

    /// Steps of each copy in a round.
    pub(crate) fn rollout(&self) -> usize {
        self.config.rollout
    }

    /// Plays, and learns from it; `step` numbers the round's first step, and `rate` is the step
    /// size as a share of the optimizer's.
    ///
    /// # Errors
    ///
    /// If the environment gives something that is not finite.
    pub fn round<E: Environment>(
        &mut self,
        envs: &mut Vector<E>,
        step: u64,
        rate: f64,
    ) -> Result<Learned, VectorError> {
        let mut learned = Learned::default();
        let mut rollout = Rollout::default();
        let copies = envs.len() as u64;
        for row in 0..self.config.rollout as u64 {
            self.play(envs, step + row * copies, &mut rollout, &mut learned)?;
        }
        self.learn(envs.observations(), &rollout, rate, &mut learned);
        Ok(learned)
    }

    /// One step of every copy.
    fn play<E: Environment>(
        &self,
        envs: &mut Vector<E>,
        step: u64,
        rollout: &mut Rollout,
        learned: &mut Learned,
    ) -> Result<(), VectorError> {
        let seen = envs.observations().to_vec();
        let inputs = rows(&seen, self.acting.d_input(), &self.device);
        let (policy, value) = self.acting.forward(inputs);
        let (policy, values) = (read(policy), read(value));
        let log_std = self.acting.log_std().map(read);
        let mut rng = Purpose::Exploration.stream(self.seed, step);
        let width = self.acting.d_action();
        let (taken, actions) = if let (Some(log_std), Some(bounds)) = (&log_std, &self.bounds) {
            let draw = |(at, mean): (usize, &f32)| {
                mean + log_std[at % width].exp() * normal(&mut rng) as f32
            };
            let drawn: Vec<f32> = policy.iter().enumerate().map(draw).collect();
            let values = within(&drawn, bounds);
            (
                Taken::Continuous(drawn),
                Actions::Continuous { values, width },
            )
        } else {
            let draw = |logits: &[f32]| {
                let (mut left, total) = (uniform(&mut rng), log_sum_exp(logits));
                let stop = |logit: &f32| {
                    left -= (logit - total).exp();
                    left < 0.0
                };
                logits.iter().position(stop).unwrap_or(logits.len() - 1) as u16
            };
            let drawn: Vec<u16> = policy.chunks_exact(width).map(draw).collect();
            (Taken::Discrete(drawn.clone()), Actions::Discrete(drawn))
        };
        let outputs = outputs(&policy, log_std.as_deref());
        rollout
            .log_probs
            .extend(log_probs(outputs, &taken, envs.len()));
        envs.step(|copy| actions.get(copy))?;
        learned
            .returns
            .extend(envs.ended().map(|episode| episode.total));
        let mut rewards: Vec<f32> = envs.steps().iter().map(|step| step.reward).collect();
        for (copy, step) in envs.steps().iter().enumerate() {
            if step.truncated && !step.terminated {
                // What would have followed counts, but there is no row for it.
                let last = rows(
                    envs.next_observation(copy),
                    self.acting.d_input(),
                    &self.device,
                );
                let value = read(self.acting.value(last))[0];
                rewards[copy] += self.config.gamma as f32 * value;
            }
        }
        rollout.rows.push(Row {
            rewards,
            values,
            done: envs
                .steps()
                .iter()
                .map(crate::environment::Step::done)
                .collect(),
        });
        rollout.observations.extend(seen);
        match taken {
            Taken::Discrete(numbers) => rollout.numbers.extend(numbers),
            Taken::Continuous(vectors) => rollout.vectors.extend(vectors),
        }
        Ok(())
    }

    fn learn(&mut self, head: &[f32], rollout: &Rollout, rate: f64, learned: &mut Learned) {
        let config = self.config.clone();
        let inputs = rows(head, self.acting.d_input(), &self.device);
        let last = read(self.acting.value(inputs));
        let (gamma, lambda) = (config.gamma as f32, config.gae_lambda as f32);
        let advantages = advantages(&rollout.rows, &last, gamma, lambda);
        let values = rollout.rows.iter().flat_map(|row| &row.values);
        let returns: Vec<f32> = advantages.iter().zip(values).map(|(a, v)| a + v).collect();
        let clip = config.clip_range * if config.anneal_clip { rate } else { 1.0 };
        let weights = Weights {
            clip_range: clip as f32,
            entropy: config.entropy_weight as f32,
            value: config.value_weight as f32,
        };
        let rate = self.optimizer_config.learning_rate() * rate;
        for _ in 0..config.epochs {
            let mut order: Vec<usize> = (0..returns.len()).collect();
            let mut rng = Purpose::Sampling.stream(self.seed, self.updates);
            for last in (1..order.len()).rev() {
                order.swap(last, below(&mut rng, last + 1));
            }
            for places in order.chunks(config.batch_size) {
                let pick = |from: &[f32]| places.iter().map(|&at| from[at]).collect::<Vec<_>>();
                let batch = Minibatch {
                    taken: rollout.taken(places, self.online.d_action()),
                    log_probs: pick(&rollout.log_probs),
                    advantages: normalized(pick(&advantages)),
                    returns: pick(&returns),
                };
                let seen = chosen(&rollout.observations, places, self.online.d_input());
                learned.loss_sum += f64::from(self.update(&batch, &seen, weights, rate));
                learned.updates += 1;
            }
        }
        self.refresh();
    }

    fn update(&mut self, batch: &Minibatch, seen: &[f32], weights: Weights, rate: f64) -> f32 {
        let inputs = rows(seen, self.online.d_input(), &self.device);
        let (policy, value) = self.online.forward(inputs);
        let log_std = self.online.log_std();
        let said = read(policy.clone().inner());
        let valued = read(value.clone().inner());
        let deviations = log_std.clone().map(|log_std| read(log_std.inner()));
        let outputs = outputs(&said, deviations.as_deref());
        let feedback = clipped(batch, outputs, &valued, weights);
        // The derivatives of these sums by the outputs are those of the loss.
        let mut sum = weighted(policy, feedback.policy) + weighted(value, feedback.value);
        if let Some(log_std) = log_std {
            sum = sum + weighted(log_std, feedback.log_std);
        }
        let mut grads = GradientsParams::from_grads(sum.backward(), &self.online);
        if self.config.clip_norm > 0.0 {
            grads = clip_global_norm(&self.online, grads, self.config.clip_norm);
        }
        let rate = ModuleLearningRate::from(rate.max(f64::MIN_POSITIVE));
        self.online = self.optimizer.step(rate, self.online.clone(), grads);
        self.updates += 1;
        feedback.loss
    }
}

impl Rollout {
    fn taken(&self, places: &[usize], width: usize) -> Taken {
        if self.vectors.is_empty() {
            Taken::Discrete(places.iter().map(|&at| self.numbers[at]).collect())
        } else {
            Taken::Continuous(chosen(&self.vectors, places, width))
        }
    }
}

fn outputs<'a>(policy: &'a [f32], log_std: Option<&'a [f32]>) -> Outputs<'a> {
    log_std.map_or(Outputs::Discrete(policy), |log_std| {
        Outputs::Gaussian(policy, log_std)
    })
}

/// Brings vectors into their bounds.
pub(crate) fn within(values: &[f32], bounds: &BoxSpace) -> Vec<f32> {
    let bounds = bounds.low.iter().zip(&bounds.high).cycle();
    let clamp = |(value, (low, high)): (&f32, (&f32, &f32))| value.max(*low).min(*high);
    values.iter().zip(bounds).map(clamp).collect()
}

fn chosen(values: &[f32], places: &[usize], width: usize) -> Vec<f32> {
    let row = |&at: &usize| &values[at * width..(at + 1) * width];
    places.iter().flat_map(row).copied().collect()
}

/// Mean 0 and deviation 1.
fn normalized(mut values: Vec<f32>) -> Vec<f32> {
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    let square = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f32>()
        / count;
    for value in &mut values {
        *value = (*value - mean) / (square.sqrt() + 1e-8);
    }
    values
}

fn weighted<const D: usize>(tensor: Tensor<D>, weights: Vec<f32>) -> Tensor<1> {
    let weights = TensorData::new(weights, tensor.dims());
    let device = tensor.device().inner();
    (tensor * Tensor::from_data(weights, &device)).sum()
}
