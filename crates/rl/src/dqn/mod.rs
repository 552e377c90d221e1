//! Deep Q-learning, with each extension of Rainbow as an option.
//!
//! Reference: Mnih et al., *Human-level control through deep reinforcement learning*, 2015,
//! <https://doi.org/10.1038/nature14236>; all options together: Hessel et al., *Rainbow:
//! Combining improvements in deep reinforcement learning*, 2018, <https://arxiv.org/abs/1710.02298>.
//!
//! | option | effect | where |
//! |---|---|---|
//! | `double` | the online network selects the next action, the target network evaluates it | [`loss::targets`] |
//! | `prioritized_replay` | transitions with a large error are sampled more often | [`replay_buffer`](crate::replay_buffer) |
//! | `n_step` | n-step returns before bootstrapping | [`replay_buffer`](crate::replay_buffer) |
//! | `dueling`, `noisy`, `n_atoms` | the network | [`QNetwork`] |
//!
//! Differs from the papers: the priorities of a distributional agent's transitions are the
//! divergences, as in Hessel et al., and noisy exploration can be combined with a small epsilon.

mod config;
pub mod loss;

use std::convert::Infallible;

use burn::module::Module as _;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_models::rl::{Noise, QNetwork, QNetworkConfig};
use tinderbox_train::gradients::{clip_global_norm, global_norm};
use tinderbox_train::{Optimizer, Ranks, TrainError, blend, init_seeded, sum_gradients};

pub use config::DqnConfig;

use crate::random::{Purpose, below, normal, uniform};
use crate::recipe::TrainingOptions;
use crate::replay_buffer::{Batch, ReplayBuffer, ReplayBufferConfig, ReplayBufferError, Sampling};
use loss::{LossGradient, argmax, cross_entropy, expectations, huber, project, targets};

/// A Q-network in training with its target network.
pub struct Dqn {
    pub(crate) config: DqnConfig,
    /// On the autodiff device.
    pub(crate) online: QNetwork,
    pub(crate) target: QNetwork,
    /// The weights of `online`, on the plain device.
    acting: QNetwork,
    pub(crate) optimizer: ModuleOptimizer,
    optimizer_config: Optimizer,
    train: TrainingOptions,
    device: Device,
    ranks: Ranks,
    /// Updates done.
    pub(crate) updates: u64,
    /// L2 norm of the gradient of the first update since this was taken, before clipping: to read it back after
    /// each update would cost more than it tells.
    pub(crate) gradient_norm: Option<f64>,
}

impl Dqn {
    /// Creates an untrained agent for observations of `d_input` values.
    ///
    /// # Panics
    ///
    /// If the network's sizes are out of range, which [`DqnConfig::validate`] finds.
    pub fn new(
        config: &DqnConfig,
        optimizer: &Optimizer,
        train: &TrainingOptions,
        [d_input, n_actions]: [usize; 2],
        device: &Device,
    ) -> Self {
        let device = device.clone().inner();
        let network = config.network(d_input, n_actions);
        let Ok(online) = init_seeded(Purpose::Weights.seed(train.seed, 0), &device, || {
            Ok::<_, Infallible>(network.init(&device.clone().autodiff()))
        });
        Self {
            config: config.clone(),
            target: online.valid(),
            acting: online.valid(),
            online,
            optimizer: optimizer.init(),
            optimizer_config: optimizer.clone(),
            train: train.clone(),
            device,
            ranks: Ranks::default(),
            updates: 0,
            gradient_norm: None,
        }
    }

    /// The same agent, whose updates several ranks share: each computes the gradients of its part of a batch.
    #[must_use]
    pub fn on_ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// The online network, for inference.
    pub fn network(&self) -> &QNetwork {
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

    /// The epsilon-greedy action for each observation, with noise in the weights if the network is
    /// noisy.
    ///
    /// The same `step` gives the same random numbers.
    pub fn act(&self, observations: &[f32], epsilon: f64, step: u64) -> Vec<u16> {
        let n_actions = self.acting.n_actions();
        let rows = observations.len() / self.acting.d_input();
        let mut rng = Purpose::Exploration.stream(self.train.seed, step);
        let random: Vec<Option<u16>> = (0..rows)
            .map(|_| {
                (f64::from(uniform(&mut rng)) < epsilon).then(|| below(&mut rng, n_actions) as u16)
            })
            .collect();
        if let Some(actions) = random.iter().copied().collect::<Option<Vec<u16>>>() {
            return actions;
        }
        let noise = self.noise(Purpose::ActingNoise, step);
        let values = self.values(observations, noise.as_ref());
        let best = values.chunks_exact(n_actions).map(|row| argmax(row) as u16);
        random
            .into_iter()
            .zip(best)
            .map(|(random, best)| random.unwrap_or(best))
            .collect()
    }

    fn values(&self, observations: &[f32], noise: Option<&Noise>) -> Vec<f32> {
        let inputs = rows(observations, self.acting.d_input(), &self.device);
        read(self.acting.forward_with(inputs, noise))
    }

    fn noise(&self, purpose: Purpose, number: u64) -> Option<Noise> {
        if !self.config.noisy {
            return None;
        }
        let mut rng = purpose.stream(self.train.seed, number);
        self.acting.noise(|| normal(&mut rng) as f32)
    }

    /// Samples the batch of the next update.
    ///
    /// `progress` is the share of the training that is done, from 0 to 1: the exponent of the
    /// importance weights reaches 1 at its end.
    ///
    /// # Errors
    ///
    /// If the replay buffer has fewer transitions than a batch.
    pub fn sample(&self, buffer: &ReplayBuffer, progress: f32) -> Result<Batch, ReplayBufferError> {
        let beta0 = self.config.prioritized_replay_beta0 as f32;
        let beta = beta0 + (1.0 - beta0) * progress.clamp(0.0, 1.0);
        let mut rng = Purpose::Sampling.stream(self.train.seed, self.updates);
        buffer.sample(&mut rng, beta)
    }

    /// One gradient step on a batch with learning rate `rate`. Gives the loss of the batch, and the error of each
    /// of its transitions.
    ///
    /// # Errors
    ///
    /// If another rank fails.
    pub fn update(&mut self, batch: &Batch, rate: f64) -> Result<(f32, Vec<f32>), TrainError> {
        let count = batch.actions.len();
        let own = self.ranks.part(count);
        let share = own.len() as f64 / count as f64;
        // The loss, and the errors of the transitions of this rank in their places.
        let mut also = vec![0.0; 1 + count];
        let grads = if own.is_empty() {
            GradientsParams::new()
        } else {
            let (loss, grads) = if self.ranks.is_alone() {
                self.gradients(batch)
            } else {
                self.gradients(&batch.part(&own))
            };
            also[0] = loss.loss * share as f32;
            also[1..][own].copy_from_slice(&loss.errors);
            grads
        };
        let mut grads = sum_gradients(&self.ranks, &self.online, grads, share, &mut also)?;
        if self.gradient_norm.is_none() {
            self.gradient_norm = global_norm(&self.online, &grads);
        }
        if self.train.clip_norm > 0.0 {
            grads = clip_global_norm(&self.online, grads, self.train.clip_norm);
        }
        let rate = ModuleLearningRate::from(rate.max(f64::MIN_POSITIVE));
        // The copy has to go first: weights that nobody else holds are updated in place.
        let online = std::mem::replace(&mut self.online, self.target.clone());
        self.acting = self.target.clone();
        self.online = self.optimizer.step(rate, online, grads);
        self.updates += 1;
        self.refresh();
        self.update_target();
        let errors = also.split_off(1);
        Ok((also[0], errors))
    }

    /// The loss of a batch and its gradients.
    fn gradients(&self, batch: &Batch) -> (LossGradient, GradientsParams) {
        let noise = |part| self.noise(Purpose::LearningNoise, 3 * self.updates + part);
        let [online_noise, choice_noise, target_noise] = [0, 1, 2].map(noise);
        let d_input = self.online.d_input();
        let next = rows(&batch.next_observations, d_input, &self.device);
        let target_output = read(self.target.logits(next.clone(), target_noise.as_ref()));
        let choice_output = self
            .config
            .double
            .then(|| read(self.acting.logits(next, choice_noise.as_ref())));
        let inputs = rows(&batch.observations, d_input, &self.device);
        let output = self.online.logits(inputs, online_noise.as_ref());
        let values = read(output.clone().inner());
        let loss = self.loss(batch, &values, choice_output.as_deref(), &target_output);

        let shape = output.dims();
        let gradient = TensorData::new(loss.gradient.clone(), shape);
        // The derivative of this sum with respect to the output is that of the loss.
        let grads = (output * Tensor::from_data(gradient, &self.device))
            .sum()
            .backward();
        let grads = GradientsParams::from_grads(grads, &self.online);
        (loss, grads)
    }

    fn loss(
        &self,
        batch: &Batch,
        values: &[f32],
        choice_output: Option<&[f32]>,
        target_output: &[f32],
    ) -> LossGradient {
        let choice_output = choice_output.unwrap_or(target_output);
        let support = self.online.support();
        let n_actions = self.online.n_actions();
        if support.len() == 1 {
            let targets = targets(batch, choice_output, target_output, n_actions);
            return huber(batch, values, &targets, n_actions);
        }
        let choice = expectations(choice_output, support);
        let targets = project(batch, &choice, target_output, support);
        cross_entropy(batch, values, &targets, support.len())
    }

    /// Moves the target network towards the online network when it is due.
    fn update_target(&mut self) {
        let interval = self.config.target_update_interval as u64;
        if !self.updates.is_multiple_of(interval) {
            return;
        }
        let tau = self.config.tau;
        self.target = if tau >= 1.0 {
            self.acting.clone()
        } else {
            blend(self.target.clone(), &self.acting, tau)
        };
    }
}

/// `[rows, width]` on the device.
pub(crate) fn rows(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    let shape = [values.len() / width, width];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// All values, on the host.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let values = tensor.into_data().convert::<f32>().try_into_vec();
    values.unwrap_or_else(|error| unreachable!("it has just become f32: {error:?}"))
}

impl DqnConfig {
    /// The network for observations of `d_input` values.
    pub fn network(&self, d_input: usize, n_actions: usize) -> QNetworkConfig {
        QNetworkConfig::new(d_input, n_actions)
            .with_hidden(self.net_arch.clone())
            .with_dueling(self.dueling)
            .with_noisy(self.noisy)
            .with_n_atoms(self.n_atoms)
            .with_v_min(self.v_min)
            .with_v_max(self.v_max)
    }

    /// The replay buffer for observations of `width` values.
    pub fn replay_buffer(&self, train: &TrainingOptions, width: usize) -> ReplayBufferConfig {
        ReplayBufferConfig {
            capacity: self.buffer_size,
            envs: train.num_envs,
            width,
            batch: train.batch_size,
            n_step: self.n_step,
            gamma: self.gamma as f32,
            sampling: if self.prioritized_replay {
                Sampling::Prioritized {
                    alpha: self.prioritized_replay_alpha as f32,
                }
            } else {
                Sampling::Uniform
            },
        }
    }
}
