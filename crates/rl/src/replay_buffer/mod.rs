//! The replay buffer: past transitions in host memory, and batches of them.
//!
//! Reference: Lin, *Self-improving reactive agents*, 1992, <https://doi.org/10.1007/BF00992699>;
//! prioritized: Schaul et al., *Prioritized experience replay*, 2016,
//! <https://arxiv.org/abs/1511.05952>; several steps: Sutton, *Learning to predict by the methods
//! of temporal differences*, 1988, <https://doi.org/10.1007/BF00115009>.
//! Differs from Schaul et al.: the importance weights are divided by the largest of the batch, not
//! of the replay.
//!
//! There is one ring per field, and an observation is stored once: the next observation is the next
//! entry of the ring. Only the final observations of truncated episodes are stored apart, because the
//! ring continues with the next episode.

mod storage;

use std::collections::VecDeque;
use std::ops::Range;

use crate::environment::Step;
use crate::random::{Stream, below, uniform};
use crate::sum_tree::SumTree;

const TERMINATED: u8 = 1;
const TRUNCATED: u8 = 2;

/// Added to an error, so that no probability is zero.
const SMALLEST_ERROR: f32 = 1e-6;

/// Why a replay buffer cannot be created or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayBufferError {
    /// It could never give a batch.
    #[error(
        "the replay buffer holds at most {capacity} transitions, fewer than a batch of {batch}"
    )]
    TooSmall {
        /// Most transitions it can hold.
        capacity: usize,
        /// Transitions in a batch.
        batch: usize,
    },
    /// It cannot give a batch yet.
    #[error("the replay buffer holds {len} transitions so far, fewer than a batch of {batch}")]
    TooFew {
        /// Transitions it holds.
        len: usize,
        /// Transitions in a batch.
        batch: usize,
    },
    /// A stored replay buffer is not one of this size.
    #[error("the stored replay buffer does not fit: {0}")]
    Foreign(String),
}

/// How transitions are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// All with the same probability, with replacement.
    Uniform,
    /// In proportion to a power of their last error.
    Prioritized {
        /// The exponent, in `[0, 1]`.
        alpha: f32,
    },
}

/// Sizes of a replay buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayBufferConfig {
    /// Capacity, in transitions; rounded down to full rows of the environments.
    pub capacity: usize,
    /// Environments that are stepped together.
    pub envs: usize,
    /// Values in an observation.
    pub width: usize,
    /// Transitions in a batch.
    pub batch: usize,
    /// Steps of the return before bootstrapping.
    pub n_step: usize,
    /// Discount of a reward one step later, in `[0, 1]`.
    pub gamma: f32,
    /// How transitions are drawn.
    pub sampling: Sampling,
}

/// Some transitions, one array per field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Observations before the action, `[batch, width]`.
    pub observations: Vec<f32>,
    /// Actions, `[batch]`.
    pub actions: Vec<i32>,
    /// Discounted sums of the rewards of up to `n_step` steps, `[batch]`.
    pub rewards: Vec<f32>,
    /// Observations after these steps, `[batch, width]`; zeros where nothing follows.
    pub next_observations: Vec<f32>,
    /// Factors of the values of the next observations, `[batch]`: the discount of as many steps as
    /// were summed, and 0 after a termination. A truncation changes nothing.
    pub discounts: Vec<f32>,
    /// Importance weights in the loss, `[batch]`, at most 1.
    pub weights: Vec<f32>,
    /// Indices of the transitions, for [`ReplayBuffer::update_priorities`].
    pub indices: Vec<usize>,
}

impl Batch {
    /// The transitions of a range.
    pub(crate) fn part(&self, range: &Range<usize>) -> Self {
        let width = self.observations.len() / self.actions.len().max(1);
        let values = |values: &[f32]| values[range.clone()].to_vec();
        let rows = |values: &[f32]| values[range.start * width..range.end * width].to_vec();
        Self {
            observations: rows(&self.observations),
            actions: self.actions[range.clone()].to_vec(),
            rewards: values(&self.rewards),
            next_observations: rows(&self.next_observations),
            discounts: values(&self.discounts),
            weights: values(&self.weights),
            indices: self.indices[range.clone()].to_vec(),
        }
    }
}

/// A ring of transitions.
#[derive(Clone, Debug)]
pub struct ReplayBuffer {
    config: ReplayBufferConfig,
    /// Rows, one per step of all environments, that fit.
    rows: usize,
    /// Rows ever written.
    written: u64,
    /// `[rows, envs, width]`, as are the other fields without their last axis.
    observations: Vec<f32>,
    actions: Vec<u16>,
    rewards: Vec<f32>,
    ends: Vec<u8>,
    /// The observations after the latest row, `[envs, width]`.
    head: Vec<f32>,
    /// Truncations, by the number of the transition since the start, oldest first.
    cuts: VecDeque<u64>,
    /// The final observations there, `[cuts, width]`.
    after_cuts: VecDeque<f32>,
    priorities: Option<SumTree>,
    largest_priority: f32,
}

impl ReplayBuffer {
    /// Creates an empty replay buffer.
    ///
    /// # Errors
    ///
    /// If it is too small for one batch.
    pub fn new(config: ReplayBufferConfig) -> Result<Self, ReplayBufferError> {
        let rows = config.capacity / config.envs.max(1);
        let capacity = rows * config.envs;
        if capacity < config.batch.max(1) {
            return Err(ReplayBufferError::TooSmall {
                capacity,
                batch: config.batch.max(1),
            });
        }
        let priorities = match config.sampling {
            Sampling::Uniform => None,
            Sampling::Prioritized { .. } => Some(SumTree::new(capacity)),
        };
        Ok(Self {
            config,
            rows,
            written: 0,
            observations: Vec::with_capacity(capacity * config.width),
            actions: Vec::with_capacity(capacity),
            rewards: Vec::with_capacity(capacity),
            ends: Vec::with_capacity(capacity),
            head: vec![0.0; config.envs * config.width],
            cuts: VecDeque::new(),
            after_cuts: VecDeque::new(),
            priorities,
            largest_priority: 1.0,
        })
    }

    /// Number of transitions held.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Transitions in a batch.
    pub fn batch_size(&self) -> usize {
        self.config.batch
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Appends one step of all environments.
    ///
    /// `after` gives the observation of an environment before any reset; `head` are the current
    /// observations, after it.
    ///
    /// # Shapes
    ///
    /// - before, head: `[envs, width]`
    /// - actions, steps: `[envs]`
    ///
    /// # Panics
    ///
    /// If a slice has another length.
    pub fn push<'a>(
        &mut self,
        before: &[f32],
        actions: &[u16],
        steps: &[Step],
        head: &[f32],
        after: impl Fn(usize) -> &'a [f32],
    ) {
        let ReplayBufferConfig { envs, width, .. } = self.config;
        assert_eq!(
            [before.len(), actions.len(), steps.len()],
            [envs * width, envs, envs],
            "a step of another number of environments"
        );
        self.head.copy_from_slice(head);
        let row = (self.written % self.rows as u64) as usize;
        let end = |step: &Step| {
            // A termination in the last step of a time limit is a termination.
            match (step.terminated, step.truncated) {
                (true, _) => TERMINATED,
                (false, true) => TRUNCATED,
                (false, false) => 0,
            }
        };
        if self.actions.len() == row * envs {
            self.observations.extend_from_slice(before);
            self.actions.extend_from_slice(actions);
            self.rewards.extend(steps.iter().map(|step| step.reward));
            self.ends.extend(steps.iter().map(end));
        } else {
            let at = row * envs..(row + 1) * envs;
            self.observations[at.start * width..at.end * width].copy_from_slice(before);
            self.actions[at.clone()].copy_from_slice(actions);
            for (index, step) in at.zip(steps) {
                self.rewards[index] = step.reward;
                self.ends[index] = end(step);
            }
        }
        let oldest = (self.written + 1).saturating_sub(self.rows as u64) * envs as u64;
        while self.cuts.front().is_some_and(|&cut| cut < oldest) {
            self.cuts.pop_front();
            self.after_cuts.drain(..width);
        }
        for (env, step) in steps.iter().enumerate() {
            if end(step) == TRUNCATED {
                self.cuts.push_back(self.written * envs as u64 + env as u64);
                self.after_cuts.extend(after(env));
            }
        }
        if let Some(priorities) = &mut self.priorities {
            for index in row * envs..(row + 1) * envs {
                priorities.set(index, self.largest_priority);
            }
        }
        self.written += 1;
    }

    /// Samples a batch.
    ///
    /// `beta` is the exponent of the importance weights, which correct for unequal probabilities: 0
    /// not at all, 1 fully.
    ///
    /// # Errors
    ///
    /// If there are fewer transitions than a batch has.
    pub fn sample(&self, rng: &mut Stream, beta: f32) -> Result<Batch, ReplayBufferError> {
        let (len, batch) = (self.len(), self.config.batch);
        if len < batch.max(1) {
            return Err(ReplayBufferError::TooFew { len, batch });
        }
        let mut indices = Vec::with_capacity(batch);
        let mut weights = vec![1.0; batch];
        match &self.priorities {
            None => indices.extend((0..batch).map(|_| below(rng, len))),
            Some(priorities) => {
                let total = priorities.total();
                let stratum = total / batch as f32;
                for (number, weight) in weights.iter_mut().enumerate() {
                    let sum = (number as f32 + uniform(rng)) * stratum;
                    let index = priorities.find(sum).min(len - 1);
                    let chance = priorities.get(index).max(f32::MIN_POSITIVE) / total;
                    *weight = (len as f32 * chance).powf(-beta);
                    indices.push(index);
                }
                let largest = weights.iter().fold(f32::MIN_POSITIVE, |a, &b| a.max(b));
                for weight in &mut weights {
                    *weight /= largest;
                }
            }
        }
        Ok(self.gather(indices, weights))
    }

    /// The transitions at `indices`.
    fn gather(&self, indices: Vec<usize>, weights: Vec<f32>) -> Batch {
        let (count, width) = (indices.len(), self.config.width);
        let mut batch = Batch {
            observations: Vec::with_capacity(count * width),
            actions: Vec::with_capacity(count),
            rewards: Vec::with_capacity(count),
            next_observations: Vec::with_capacity(count * width),
            discounts: Vec::with_capacity(count),
            weights,
            indices: Vec::new(),
        };
        for &index in &indices {
            batch.observations.extend_from_slice(self.row(index));
            batch.actions.push(i32::from(self.actions[index]));
            let (reward, discount, next) = self.look_ahead(index);
            batch.rewards.push(reward);
            batch.discounts.push(discount);
            match next {
                Next::Row(row) => batch.next_observations.extend_from_slice(row),
                Next::Cut(cut) => {
                    let values = self.after_cuts.range(cut * width..(cut + 1) * width);
                    batch.next_observations.extend(values);
                }
                Next::Nothing => batch
                    .next_observations
                    .extend(std::iter::repeat_n(0.0, width)),
            }
        }
        batch.indices = indices;
        batch
    }

    /// The n-step return from `index` on, the discount after it, and the next observation.
    ///
    /// It ends with the episode, and at the latest row: a return of fewer steps is as valid.
    fn look_ahead(&self, index: usize) -> (f32, f32, Next<'_>) {
        let ReplayBufferConfig {
            envs,
            n_step,
            gamma,
            ..
        } = self.config;
        let len = self.len();
        let newest = ((self.written - 1) % self.rows as u64) as usize;
        let (mut reward, mut discount, mut at) = (0.0, 1.0, index);
        for step in 1.. {
            reward += discount * self.rewards[at];
            discount *= gamma;
            if self.ends[at] == TERMINATED {
                return (reward, 0.0, Next::Nothing);
            }
            if self.ends[at] == TRUNCATED {
                // A cut is always found: it lies apart as long as its transition is held.
                let cut = self.cuts.binary_search(&self.number(at)).unwrap_or(0);
                return (reward, discount, Next::Cut(cut));
            }
            if at / envs == newest {
                let env = at % envs;
                let width = self.config.width;
                let head = &self.head[env * width..][..width];
                return (reward, discount, Next::Row(head));
            }
            at = if at + envs < len {
                at + envs
            } else {
                at + envs - len
            };
            if step == n_step {
                break;
            }
        }
        (reward, discount, Next::Row(self.row(at)))
    }

    fn row(&self, index: usize) -> &[f32] {
        let width = self.config.width;
        &self.observations[index * width..][..width]
    }

    /// Number of transitions before the one at `index`, since the start.
    fn number(&self, index: usize) -> u64 {
        let envs = self.config.envs;
        let newest = self.written - 1;
        let age = (newest % self.rows as u64 + self.rows as u64 - (index / envs) as u64)
            % self.rows as u64;
        (newest - age) * envs as u64 + (index % envs) as u64
    }

    /// Sets the priorities of transitions from their errors.
    ///
    /// # Panics
    ///
    /// If there are not as many errors as indices.
    pub fn update_priorities(&mut self, indices: &[usize], errors: &[f32]) {
        assert_eq!(indices.len(), errors.len(), "one error per index");
        let Sampling::Prioritized { alpha } = self.config.sampling else {
            return;
        };
        let Some(priorities) = &mut self.priorities else {
            return;
        };
        for (&index, error) in indices.iter().zip(errors) {
            let priority = (error.abs() + SMALLEST_ERROR).powf(alpha);
            self.largest_priority = self.largest_priority.max(priority);
            priorities.set(index, priority);
        }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let floats = self.observations.capacity()
            + self.rewards.capacity()
            + self.head.capacity()
            + self.after_cuts.capacity();
        let tree = self.priorities.as_ref().map_or(0, SumTree::bytes);
        floats * size_of::<f32>()
            + self.actions.capacity() * size_of::<u16>()
            + self.ends.capacity()
            + self.cuts.capacity() * size_of::<u64>()
            + tree
    }
}

/// The place of the next observation.
enum Next<'a> {
    Row(&'a [f32]),
    Cut(usize),
    Nothing,
}

#[cfg(test)]
mod tests;
