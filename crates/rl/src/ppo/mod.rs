//! Proximal policy optimization, for discrete and continuous actions.
//!
//! Reference: Schulman et al., *Proximal policy optimization algorithms*, 2017,
//! <https://arxiv.org/abs/1707.06347>; advantages: Schulman et al., *High-dimensional continuous
//! control using generalized advantage estimation*, 2016, <https://arxiv.org/abs/1506.02438>.
//! Differs from it: advantages are normalized within a minibatch, and the gradient's norm is
//! clipped, as in the authors' code.

pub mod loss;

use std::convert::Infallible;

use burn::module::Module as _;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tinderbox_models::rl::{ActorCritic, ActorCriticConfig};
use tinderbox_train::gradients::{clip_global_norm, global_norm};
use tinderbox_train::{
    ConfigError, Optimizer, Ranks, TaskError, TrainError, check_range, init_seeded, sum_gradients,
};

use crate::dqn::{read, rows};
use crate::environment::{BoxSpace, Environment};
use crate::policy::Actions;
use crate::random::{Purpose, below, normal, uniform};
use crate::recipe::{TrainingOptions, check_count, of_agent};
use crate::vector_env::{VectorEnv, VectorEnvError};
use loss::{
    ActionBatch, Coefficients, Minibatch, PolicyOutputs, RolloutRow, advantages, clipped,
    log_probs, log_sum_exp,
};

/// Hyperparameters of a PPO agent, besides its optimizer and batch size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PpoConfig {
    /// Widths of the hidden layers of the policy and of the value function.
    pub net_arch: Vec<usize>,
    /// Steps of each environment in a rollout.
    pub n_steps: usize,
    /// Passes over each rollout.
    pub n_epochs: usize,
    /// Discount of a reward one step later.
    pub gamma: f64,
    /// Lambda of generalized advantage estimation, from 0 (one step) to 1 (to the end).
    pub gae_lambda: f64,
    /// Clip range of the probability ratio.
    pub clip_range: f64,
    /// Whether the clip range follows the schedule of the learning rate.
    pub anneal_clip_range: bool,
    /// Coefficient of the entropy in the objective.
    pub ent_coef: f64,
    /// Coefficient of half the squared error of the value.
    pub vf_coef: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            net_arch: vec![64, 64],
            n_steps: 32,
            n_epochs: 20,
            gamma: 0.98,
            gae_lambda: 0.8,
            clip_range: 0.2,
            anneal_clip_range: true,
            ent_coef: 0.0,
            vf_coef: 1.0,
        }
    }
}

impl PpoConfig {
    /// Checks every field, and that the network can be built.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, network: &ActorCriticConfig) -> Result<(), ConfigError> {
        check_count("agent.n_steps", self.n_steps, 1, 1 << 20)?;
        check_count("agent.n_epochs", self.n_epochs, 1, 1 << 16)?;
        check_range("agent.gamma", self.gamma, 0.0..=1.0)?;
        check_range("agent.gae_lambda", self.gae_lambda, 0.0..=1.0)?;
        check_range("agent.clip_range", self.clip_range, 1e-6..=1e3)?;
        check_range("agent.ent_coef", self.ent_coef, 0.0..=1e3)?;
        check_range("agent.vf_coef", self.vf_coef, 0.0..=1e3)?;
        network.validate().map_err(of_agent)
    }
}

/// The result of a rollout and its updates.
#[derive(Clone, Debug, Default)]
pub struct RolloutReport {
    /// Undiscounted returns of the episodes that ended.
    pub returns: Vec<f64>,
    /// Sum of the losses.
    pub loss_sum: f64,
    /// Number of updates.
    pub updates: u64,
}

/// A policy and a value function in training.
pub struct Ppo {
    config: PpoConfig,
    /// On the autodiff device.
    pub(crate) online: ActorCritic,
    /// The same weights on the plain device.
    acting: ActorCritic,
    pub(crate) optimizer: ModuleOptimizer,
    optimizer_config: Optimizer,
    train: TrainingOptions,
    bounds: Option<BoxSpace>,
    device: Device,
    ranks: Ranks,
    /// Updates done.
    pub(crate) updates: u64,
    /// L2 norm of the gradient of the first update since this was taken, before clipping: to read it back after
    /// each update would cost more than it tells.
    pub(crate) gradient_norm: Option<f64>,
}

/// Everything that was recorded between two rounds of updates.
#[derive(Default)]
struct Rollout {
    rows: Vec<RolloutRow>,
    observations: Vec<f32>,
    numbers: Vec<u16>,
    vectors: Vec<f32>,
    log_probs: Vec<f32>,
}

impl Ppo {
    /// Creates an untrained agent; `bounds` are those of continuous actions.
    ///
    /// # Panics
    ///
    /// If the network's sizes are out of range, which [`PpoConfig::validate`] finds.
    pub fn new(
        config: &PpoConfig,
        optimizer: &Optimizer,
        train: &TrainingOptions,
        network: &ActorCriticConfig,
        bounds: Option<BoxSpace>,
        device: &Device,
    ) -> Self {
        let device = device.clone().inner();
        let Ok(online) = init_seeded(Purpose::Weights.seed(train.seed, 0), &device, || {
            Ok::<_, Infallible>(network.init(&device.clone().autodiff()))
        });
        Self {
            config: config.clone(),
            acting: online.valid(),
            online,
            optimizer: optimizer.init(),
            optimizer_config: optimizer.clone(),
            train: train.clone(),
            bounds,
            device,
            ranks: Ranks::default(),
            updates: 0,
            gradient_norm: None,
        }
    }

    /// The same agent, whose updates several ranks share: each computes the gradients of its part of a
    /// minibatch.
    #[must_use]
    pub fn on_ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// The online network, for inference.
    pub fn network(&self) -> &ActorCritic {
        &self.acting
    }

    /// An optimizer without state.
    pub(crate) fn fresh_optimizer(&self) -> ModuleOptimizer {
        self.optimizer_config.init()
    }

    /// Acts with the weights of the online network from now on, as after a checkpoint was loaded.
    pub(crate) fn refresh(&mut self) {
        self.acting = self.online.valid();
    }

    /// Steps of each environment in a rollout.
    pub(crate) fn n_steps(&self) -> usize {
        self.config.n_steps
    }

    /// Collects a rollout and learns from it; `step` is the number of its first step, and `rate` the
    /// factor of the schedule on the learning rate.
    ///
    /// # Errors
    ///
    /// If the environment gives something that is not finite, or another rank fails.
    pub fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        step: u64,
        rate: f64,
    ) -> Result<RolloutReport, TaskError> {
        let mut learned = RolloutReport::default();
        let mut rollout = Rollout::default();
        let count = envs.len() as u64;
        for row in 0..self.config.n_steps as u64 {
            self.play(envs, step + row * count, &mut rollout, &mut learned)?;
        }
        self.learn(envs.observations(), &rollout, rate, &mut learned)?;
        Ok(learned)
    }

    /// One step of every environment.
    fn play<E: Environment>(
        &self,
        envs: &mut VectorEnv<E>,
        step: u64,
        rollout: &mut Rollout,
        learned: &mut RolloutReport,
    ) -> Result<(), VectorEnvError> {
        let seen = envs.observations().to_vec();
        let inputs = rows(&seen, self.acting.d_input(), &self.device);
        let (policy, value) = self.acting.forward(inputs);
        let (policy, values) = (read(policy), read(value));
        let log_std = self.acting.log_std().map(read);
        let mut rng = Purpose::Exploration.stream(self.train.seed, step);
        let width = self.acting.d_action();
        let (taken, actions) = if let (Some(log_std), Some(bounds)) = (&log_std, &self.bounds) {
            let draw = |(at, mean): (usize, &f32)| {
                mean + log_std[at % width].exp() * normal(&mut rng) as f32
            };
            let drawn: Vec<f32> = policy.iter().enumerate().map(draw).collect();
            let values = clip_to(&drawn, bounds);
            (
                ActionBatch::Continuous(drawn),
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
            (
                ActionBatch::Discrete(drawn.clone()),
                Actions::Discrete(drawn),
            )
        };
        let outputs = outputs(&policy, log_std.as_deref());
        rollout
            .log_probs
            .extend(log_probs(outputs, &taken, envs.len()));
        envs.step(|env| actions.get(env))?;
        learned
            .returns
            .extend(envs.ended().map(|episode| episode.total));
        let mut rewards: Vec<f32> = envs.steps().iter().map(|step| step.reward).collect();
        for (env, step) in envs.steps().iter().enumerate() {
            if step.truncated && !step.terminated {
                // Bootstraps here, because the rollout has no row for the final observation.
                let last = rows(
                    envs.next_observation(env),
                    self.acting.d_input(),
                    &self.device,
                );
                let value = read(self.acting.value(last))[0];
                rewards[env] += self.config.gamma as f32 * value;
            }
        }
        rollout.rows.push(RolloutRow {
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
            ActionBatch::Discrete(numbers) => rollout.numbers.extend(numbers),
            ActionBatch::Continuous(vectors) => rollout.vectors.extend(vectors),
        }
        Ok(())
    }

    fn learn(
        &mut self,
        head: &[f32],
        rollout: &Rollout,
        rate: f64,
        learned: &mut RolloutReport,
    ) -> Result<(), TrainError> {
        let config = self.config.clone();
        let inputs = rows(head, self.acting.d_input(), &self.device);
        let last = read(self.acting.value(inputs));
        let (gamma, lambda) = (config.gamma as f32, config.gae_lambda as f32);
        let advantages = advantages(&rollout.rows, &last, gamma, lambda);
        let values = rollout.rows.iter().flat_map(|row| &row.values);
        let returns: Vec<f32> = advantages.iter().zip(values).map(|(a, v)| a + v).collect();
        let clip = config.clip_range * if config.anneal_clip_range { rate } else { 1.0 };
        let coefficients = Coefficients {
            clip_range: clip as f32,
            entropy: config.ent_coef as f32,
            value: config.vf_coef as f32,
        };
        let rate = self.optimizer_config.learning_rate() * rate;
        for _ in 0..config.n_epochs {
            let mut order: Vec<usize> = (0..returns.len()).collect();
            let mut rng = Purpose::Sampling.stream(self.train.seed, self.updates);
            for last in (1..order.len()).rev() {
                order.swap(last, below(&mut rng, last + 1));
            }
            for indices in order.chunks(self.train.batch_size) {
                let pick = |from: &[f32], indices: &[usize]| -> Vec<f32> {
                    indices.iter().map(|&at| from[at]).collect()
                };
                // The whole minibatch is normalized, of which this rank learns from its part.
                let own = self.ranks.part(indices.len());
                let share = own.len() as f64 / indices.len() as f64;
                let advantages = normalized(pick(&advantages, indices))[own.clone()].to_vec();
                let indices = &indices[own];
                let batch = Minibatch {
                    actions: rollout.actions(indices, self.online.d_action()),
                    log_probs: pick(&rollout.log_probs, indices),
                    advantages,
                    returns: pick(&returns, indices),
                };
                let seen = chosen(&rollout.observations, indices, self.online.d_input());
                let (loss, grads) = if indices.is_empty() {
                    (0.0, GradientsParams::new())
                } else {
                    self.gradients(&batch, &seen, coefficients)
                };
                learned.loss_sum += f64::from(self.update(loss, grads, share, rate)?);
                learned.updates += 1;
            }
        }
        self.refresh();
        Ok(())
    }

    /// The loss of a batch and its gradients.
    fn gradients(
        &self,
        batch: &Minibatch,
        seen: &[f32],
        coefficients: Coefficients,
    ) -> (f32, GradientsParams) {
        let inputs = rows(seen, self.online.d_input(), &self.device);
        let (policy, value) = self.online.forward(inputs);
        let log_std = self.online.log_std();
        let policy_values = read(policy.clone().inner());
        let state_values = read(value.clone().inner());
        let log_std_values = log_std.clone().map(|log_std| read(log_std.inner()));
        let outputs = outputs(&policy_values, log_std_values.as_deref());
        let loss = clipped(batch, outputs, &state_values, coefficients);
        // The derivatives of these sums with respect to the outputs are those of the loss.
        let mut sum = weighted(policy, loss.policy) + weighted(value, loss.value);
        if let Some(log_std) = log_std {
            sum = sum + weighted(log_std, loss.log_std);
        }
        let grads = GradientsParams::from_grads(sum.backward(), &self.online);
        (loss.loss, grads)
    }

    /// A step by the gradients of all ranks, of which this one has `share` of the minibatch. The loss of the
    /// whole minibatch.
    fn update(
        &mut self,
        loss: f32,
        grads: GradientsParams,
        share: f64,
        rate: f64,
    ) -> Result<f32, TrainError> {
        let mut also = [loss * share as f32];
        let mut grads = sum_gradients(&self.ranks, &self.online, grads, share, &mut also)?;
        if self.gradient_norm.is_none() {
            self.gradient_norm = global_norm(&self.online, &grads);
        }
        if self.train.clip_norm > 0.0 {
            grads = clip_global_norm(&self.online, grads, self.train.clip_norm);
        }
        let rate = ModuleLearningRate::from(rate.max(f64::MIN_POSITIVE));
        self.online = self.optimizer.step(rate, self.online.clone(), grads);
        self.updates += 1;
        Ok(also[0])
    }
}

impl Rollout {
    fn actions(&self, indices: &[usize], width: usize) -> ActionBatch {
        if self.vectors.is_empty() {
            ActionBatch::Discrete(indices.iter().map(|&at| self.numbers[at]).collect())
        } else {
            ActionBatch::Continuous(chosen(&self.vectors, indices, width))
        }
    }
}

fn outputs<'a>(policy: &'a [f32], log_std: Option<&'a [f32]>) -> PolicyOutputs<'a> {
    log_std.map_or(PolicyOutputs::Discrete(policy), |log_std| {
        PolicyOutputs::Gaussian(policy, log_std)
    })
}

/// Clips vectors to their bounds.
pub(crate) fn clip_to(values: &[f32], bounds: &BoxSpace) -> Vec<f32> {
    let bounds = bounds.low.iter().zip(&bounds.high).cycle();
    let clamp = |(value, (low, high)): (&f32, (&f32, &f32))| value.max(*low).min(*high);
    values.iter().zip(bounds).map(clamp).collect()
}

fn chosen(values: &[f32], indices: &[usize], width: usize) -> Vec<f32> {
    let row = |&at: &usize| &values[at * width..(at + 1) * width];
    indices.iter().flat_map(row).copied().collect()
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
