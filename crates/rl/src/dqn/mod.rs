//! Deep Q-learning, with every part of Rainbow as a switch of its own.
//!
//! Reference: Mnih et al., *Human-level control through deep reinforcement learning*, 2015,
//! <https://doi.org/10.1038/nature14236>; all switches together: Hessel et al., *Rainbow:
//! Combining improvements in deep reinforcement learning*, 2018, <https://arxiv.org/abs/1710.02298>.
//!
//! | switch | what it changes | where |
//! |---|---|---|
//! | `double` | one network chooses the next action, the other values it | [`loss::targets`] |
//! | `prioritized` | what was wrong comes again sooner | [`replay`](crate::replay) |
//! | `n_step` | several rewards before the value of what follows | [`replay`](crate::replay) |
//! | `dueling`, `noisy`, `atoms` | the network | [`QNetwork`] |
//!
//! Differs from the papers: the priorities of a distributional agent's transitions are the
//! divergences, as in Hessel et al., and exploration by noise may be joined with a small `epsilon`.

mod config;
pub mod loss;

use std::convert::Infallible;

use burn::module::Module as _;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_models::rl::{Noise, QNetwork, QNetworkConfig};
use tinderbox_train::gradients::clip_global_norm;
use tinderbox_train::{Optimizer, blend, init_seeded};

pub use config::DqnConfig;

use crate::random::{Purpose, below, normal, uniform};
use crate::replay::{Batch, Replay, ReplayConfig, ReplayError, Sampling};
use loss::{Feedback, argmax, cross_entropy, expectations, huber, project, targets};

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
    device: Device,
    seed: u64,
    /// Updates done.
    pub(crate) updates: u64,
}

impl Dqn {
    /// Makes an untrained agent for observations of `d_input` values.
    ///
    /// # Panics
    ///
    /// If the network's sizes are out of range, which [`DqnConfig::validate`] finds.
    pub fn new(
        config: &DqnConfig,
        optimizer: &Optimizer,
        [d_input, n_actions]: [usize; 2],
        seed: u64,
        device: &Device,
    ) -> Self {
        let device = device.clone().inner();
        let network = config.network(d_input, n_actions);
        let Ok(online) = init_seeded(Purpose::Weights.seed(seed, 0), &device, || {
            Ok::<_, Infallible>(network.init(&device.clone().autodiff()))
        });
        Self {
            config: config.clone(),
            target: online.valid(),
            acting: online.valid(),
            online,
            optimizer: optimizer.init(),
            optimizer_config: optimizer.clone(),
            device,
            seed,
            updates: 0,
        }
    }

    /// The network in training, for inference.
    pub fn network(&self) -> &QNetwork {
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

    /// Chooses an action for each of `rows` observations: at random in a share `epsilon` of cases,
    /// else the best by the network, with noise in its weights if it is noisy.
    ///
    /// `step` numbers the choice: the same number gives the same random numbers.
    pub fn act(&self, observations: &[f32], epsilon: f64, step: u64) -> Vec<u16> {
        let n_actions = self.acting.n_actions();
        let rows = observations.len() / self.acting.d_input();
        let mut rng = Purpose::Exploration.stream(self.seed, step);
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
        let mut rng = purpose.stream(self.seed, number);
        self.acting.noise(|| normal(&mut rng) as f32)
    }

    /// Draws the batch of the next update.
    ///
    /// `progress` is how much of the training is done, from 0 to 1: the importance weights reach
    /// their full size at its end.
    ///
    /// # Errors
    ///
    /// If the replay holds too little.
    pub fn sample(&self, replay: &Replay, progress: f32) -> Result<Batch, ReplayError> {
        let start = self.config.importance as f32;
        let importance = start + (1.0 - start) * progress.clamp(0.0, 1.0);
        let mut rng = Purpose::Sampling.stream(self.seed, self.updates);
        replay.sample(&mut rng, importance)
    }

    /// Learns from one batch with step size `rate`, and gives the loss and the errors.
    pub fn update(&mut self, batch: &Batch, rate: f64) -> Feedback {
        let noise = |part| self.noise(Purpose::LearningNoise, 3 * self.updates + part);
        let [own_noise, choice_noise, target_noise] = [0, 1, 2].map(noise);
        let d_input = self.online.d_input();
        let next = rows(&batch.next_observations, d_input, &self.device);
        let valued = read(self.target.logits(next.clone(), target_noise.as_ref()));
        let chosen = self
            .config
            .double
            .then(|| read(self.acting.logits(next, choice_noise.as_ref())));
        let inputs = rows(&batch.observations, d_input, &self.device);
        let output = self.online.logits(inputs, own_noise.as_ref());
        let said = read(output.clone().inner());
        let feedback = self.feedback(batch, &said, chosen.as_deref(), &valued);

        let shape = output.dims();
        let gradient = TensorData::new(feedback.gradient.clone(), shape);
        // The derivative of this sum by the output is the gradient of the loss by it.
        let grads = (output * Tensor::from_data(gradient, &self.device))
            .sum()
            .backward();
        let mut grads = GradientsParams::from_grads(grads, &self.online);
        if self.config.clip_norm > 0.0 {
            grads = clip_global_norm(&self.online, grads, self.config.clip_norm);
        }
        let rate = ModuleLearningRate::from(rate.max(f64::MIN_POSITIVE));
        // The copy has to go first: weights that nobody else holds are updated in place.
        let online = std::mem::replace(&mut self.online, self.target.clone());
        self.acting = self.target.clone();
        self.online = self.optimizer.step(rate, online, grads);
        self.updates += 1;
        self.refresh();
        self.follow();
        feedback
    }

    fn feedback(
        &self,
        batch: &Batch,
        said: &[f32],
        chosen: Option<&[f32]>,
        valued: &[f32],
    ) -> Feedback {
        let support = self.online.support();
        let n_actions = self.online.n_actions();
        if support.len() == 1 {
            let targets = targets(batch, chosen.unwrap_or(valued), valued, n_actions);
            return huber(batch, said, &targets, n_actions);
        }
        let choice = expectations(chosen.unwrap_or(valued), support);
        let targets = project(batch, &choice, valued, support);
        cross_entropy(batch, said, &targets, support.len())
    }

    /// Lets the target network follow.
    fn follow(&mut self) {
        if !self.updates.is_multiple_of(self.config.target_every as u64) {
            return;
        }
        let share = self.config.target_share;
        self.target = if share >= 1.0 {
            self.acting.clone()
        } else {
            blend(self.target.clone(), &self.acting, share)
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
            .with_hidden(self.hidden.clone())
            .with_dueling(self.dueling)
            .with_noisy(self.noisy)
            .with_n_atoms(self.atoms)
            .with_v_min(self.v_min)
            .with_v_max(self.v_max)
    }

    /// The replay of `envs` environments with observations of `width` values.
    pub fn replay(&self, envs: usize, width: usize) -> ReplayConfig {
        ReplayConfig {
            capacity: self.replay_size,
            envs,
            width,
            batch: self.batch_size,
            n_step: self.n_step,
            gamma: self.gamma as f32,
            sampling: if self.prioritized {
                Sampling::Prioritized {
                    exponent: self.priority_exponent as f32,
                }
            } else {
                Sampling::Uniform
            },
        }
    }
}
