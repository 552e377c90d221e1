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

use std::collections::VecDeque;

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

/// The stored form: every field as little-endian bytes after its length, in this order.
impl ReplayBuffer {
    /// Writes everything held.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        let mut field = |field: &mut dyn Iterator<Item = u8>| {
            let start = bytes.len();
            bytes.extend([0; 8]);
            bytes.extend(field);
            let length = (bytes.len() - start - 8) as u64;
            bytes[start..start + 8].copy_from_slice(&length.to_le_bytes());
        };
        let floats = |values: &[f32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        field(&mut self.written.to_le_bytes().into_iter());
        field(&mut self.largest_priority.to_le_bytes().into_iter());
        field(&mut floats(&self.observations).into_iter());
        field(&mut self.actions.iter().flat_map(|action| action.to_le_bytes()));
        field(&mut floats(&self.rewards).into_iter());
        field(&mut self.ends.iter().copied());
        field(&mut floats(&self.head).into_iter());
        field(&mut self.cuts.iter().flat_map(|cut| cut.to_le_bytes()));
        field(&mut self.after_cuts.iter().flat_map(|value| value.to_le_bytes()));
        let priorities = self.priorities.as_ref();
        let priorities = priorities.map_or(&[][..], |tree| tree.weights(self.len()));
        field(&mut floats(priorities).into_iter());
        bytes
    }

    /// Fills an empty replay buffer from the bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If it is of another size, or cut off.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), ReplayBufferError> {
        let mut rest = bytes;
        let mut read = Self::new(self.config)?;
        read.written = u64::from_le_bytes(array(field(&mut rest)?)?);
        read.largest_priority = f32::from_le_bytes(array(field(&mut rest)?)?);
        read.observations.extend(floats(field(&mut rest)?));
        let actions = field(&mut rest)?;
        let (actions, _) = actions.as_chunks();
        read.actions
            .extend(actions.iter().map(|bytes| u16::from_le_bytes(*bytes)));
        read.rewards.extend(floats(field(&mut rest)?));
        read.ends.extend_from_slice(field(&mut rest)?);
        read.head = floats(field(&mut rest)?).collect();
        let cuts = field(&mut rest)?;
        let (cuts, _) = cuts.as_chunks();
        read.cuts = cuts
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .collect();
        read.after_cuts = floats(field(&mut rest)?).collect();
        let priorities: Vec<f32> = floats(field(&mut rest)?).collect();
        let ReplayBufferConfig { envs, width, .. } = self.config;
        let len = read.written.min(self.rows as u64) as usize * envs;
        let lengths = [
            (read.actions.len(), len),
            (read.observations.len(), len * width),
            (read.rewards.len(), len),
            (read.ends.len(), len),
            (read.head.len(), envs * width),
            (read.after_cuts.len(), read.cuts.len() * width),
            (
                priorities.len(),
                if self.priorities.is_some() { len } else { 0 },
            ),
        ];
        if let Some((found, expected)) = lengths.into_iter().find(|(a, b)| a != b) {
            let reason = format!("a field has {found} values, expected {expected}");
            return Err(ReplayBufferError::Foreign(reason));
        }
        if let Some(tree) = &mut read.priorities {
            tree.fill(&priorities);
        }
        *self = read;
        Ok(())
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ReplayBufferError> {
    let cut_off = || ReplayBufferError::Foreign("it is cut off".to_owned());
    let (length, after) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut_off())?;
    let (field, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
    *rest = after;
    Ok(field)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ReplayBufferError> {
    let wrong = |_| ReplayBufferError::Foreign("a field has the wrong length".to_owned());
    bytes.try_into().map_err(wrong)
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

/// The place of the next observation.
enum Next<'a> {
    Row(&'a [f32]),
    Cut(usize),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn config() -> ReplayBufferConfig {
        ReplayBufferConfig {
            capacity: 12,
            envs: 2,
            width: 1,
            batch: 4,
            n_step: 1,
            gamma: 0.5,
            sampling: Sampling::Uniform,
        }
    }

    fn rng(number: u64) -> Stream {
        Purpose::Sampling.stream(1, number)
    }

    /// Steps in which environment `e` shows `100 e + t`, gets the reward `t + 1`, and ends where
    /// `ends` says; a cut-off one would have shown `-t`.
    fn lived(
        config: ReplayBufferConfig,
        steps: usize,
        ends: impl Fn(usize, usize) -> u8,
    ) -> ReplayBuffer {
        let mut replay = ReplayBuffer::new(config).unwrap();
        for t in 0..steps {
            let show =
                |t: usize| -> Vec<f32> { (0..config.envs).map(|e| (100 * e + t) as f32).collect() };
            let ended: Vec<Step> = (0..config.envs)
                .map(|e| Step {
                    reward: (t + 1) as f32,
                    terminated: ends(t, e) == TERMINATED,
                    truncated: ends(t, e) == TRUNCATED,
                })
                .collect();
            let after = [-(t as f32)];
            let actions: Vec<u16> = (0..config.envs).map(|e| (t % 3 + e) as u16).collect();
            replay.push(&show(t), &actions, &ended, &show(t + 1), |_| &after);
        }
        replay
    }

    fn at(replay: &ReplayBuffer, indices: &[usize]) -> Batch {
        replay.gather(indices.to_vec(), vec![1.0; indices.len()])
    }

    #[test]
    fn what_follows_is_the_next_observation_of_the_same_environment() {
        let replay = lived(config(), 4, |_, _| 0);
        let batch = at(&replay, &[0, 1, 4, 7]);
        assert_eq!(batch.observations, [0.0, 100.0, 2.0, 103.0]);
        assert_eq!(batch.next_observations, [1.0, 101.0, 3.0, 104.0]);
        assert_eq!(batch.actions, [0, 1, 2, 1]);
        assert_eq!(batch.rewards, [1.0, 1.0, 3.0, 4.0]);
        assert_eq!(batch.discounts, [0.5; 4]);
    }

    #[test]
    fn the_oldest_row_is_overwritten() {
        let replay = lived(config(), 8, |_, _| 0);
        assert_eq!(replay.len(), 12);
        // Six rows fit: the times 6, 7, 2, 3, 4, 5.
        let batch = at(&replay, &[0, 2, 4, 11]);
        assert_eq!(batch.observations, [6.0, 7.0, 2.0, 105.0]);
        assert_eq!(batch.next_observations, [7.0, 8.0, 3.0, 106.0]);
    }

    #[test]
    fn a_termination_has_no_future_and_a_truncation_has_its_own() {
        let ends = |t, e| match (t, e) {
            (1, 0) => TERMINATED,
            (1, 1) => TRUNCATED,
            _ => 0,
        };
        let replay = lived(config(), 4, ends);
        let batch = at(&replay, &[2, 3]);
        assert_eq!(batch.discounts, [0.0, 0.5]);
        assert_eq!(batch.next_observations, [0.0, -1.0]);
        assert_eq!(batch.rewards, [2.0, 2.0]);
    }

    #[test]
    fn several_steps_stop_at_the_end_of_an_episode_and_at_the_present() {
        let config = ReplayBufferConfig {
            n_step: 3,
            ..config()
        };
        let ends = |t, e| match (t, e) {
            (2, 0) => TERMINATED,
            (2, 1) => TRUNCATED,
            _ => 0,
        };
        let replay = lived(config, 6, ends);
        let sums = |a: f32, b: f32, c: f32| a + 0.5 * b + 0.25 * c;
        // Times 0 and 1 of both environments, 3 whole, 4 and 5 cut short by the present.
        let batch = at(&replay, &[0, 1, 2, 3, 6, 8, 10]);
        let short = [2.0 + 0.5 * 3.0; 2];
        let expected = [sums(1.0, 2.0, 3.0), sums(1.0, 2.0, 3.0)];
        assert_eq!(batch.rewards[..2], expected);
        assert_eq!(batch.rewards[2..4], short);
        assert_eq!(
            batch.rewards[4..],
            [sums(4.0, 5.0, 6.0), 5.0 + 0.5 * 6.0, 6.0]
        );
        assert_eq!(batch.discounts, [0.0, 0.125, 0.0, 0.25, 0.125, 0.25, 0.5]);
        assert_eq!(
            batch.next_observations,
            [0.0, -2.0, 0.0, -2.0, 6.0, 6.0, 6.0]
        );
    }

    #[test]
    fn cut_observations_leave_with_their_transitions() {
        let replay = lived(config(), 50, |t, _| if t % 2 == 0 { TRUNCATED } else { 0 });
        assert_eq!(replay.cuts.len(), 6);
        assert_eq!(replay.after_cuts.len(), 6);
        for index in 0..12 {
            let batch = at(&replay, &[index]);
            let time = batch.observations[0] % 100.0;
            let cut = time % 2.0 == 0.0;
            let env = if index % 2 == 1 { 100.0 } else { 0.0 };
            let next = if cut { -time } else { env + time + 1.0 };
            assert_eq!(batch.next_observations, [next], "index {index}");
        }
    }

    #[test]
    fn every_transition_is_drawn_about_equally_often() {
        let replay = lived(config(), 6, |_, _| 0);
        let mut counts = [0_u32; 12];
        for number in 0..3000 {
            let batch = replay.sample(&mut rng(number), 1.0).unwrap();
            assert_eq!(batch.weights, [1.0; 4]);
            for index in batch.indices {
                counts[index] += 1;
            }
        }
        // Standard deviation 30.
        assert!(counts.iter().all(|n| n.abs_diff(1000) < 180), "{counts:?}");
    }

    #[test]
    fn large_errors_come_more_often_and_weigh_less() {
        let sampling = Sampling::Prioritized { alpha: 1.0 };
        let config = ReplayBufferConfig {
            sampling,
            ..config()
        };
        let mut replay = lived(config, 6, |_, _| 0);
        let indices: Vec<usize> = (0..12).collect();
        let errors: Vec<f32> = (0..12).map(|i| if i < 6 { 1.0 } else { -3.0 }).collect();
        replay.update_priorities(&indices, &errors);
        let mut large = 0;
        for number in 0..1000 {
            let batch = replay.sample(&mut rng(number), 1.0).unwrap();
            for (index, weight) in batch.indices.iter().zip(&batch.weights) {
                large += u32::from(*index >= 6);
                let rare = batch.indices.iter().any(|&index| index < 6);
                let expected = if *index >= 6 && rare { 1.0 / 3.0 } else { 1.0 };
                assert!((weight - expected).abs() < 1e-4, "{weight}");
            }
        }
        // Three quarters of 4000, standard deviation at most 27.
        assert!(u32::abs_diff(large, 3000) < 120, "{large}");
        // The newest is at least as urgent as any.
        let after = [0.0];
        let step = Step {
            reward: 0.0,
            terminated: false,
            truncated: false,
        };
        replay.push(&[0.0; 2], &[0; 2], &[step; 2], &[0.0; 2], |_| &after);
        let tree = replay.priorities.unwrap();
        assert!((tree.get(0) - 3.0).abs() < 1e-3);
    }

    #[test]
    fn a_restored_replay_gives_the_same_batches() {
        for sampling in [Sampling::Uniform, Sampling::Prioritized { alpha: 0.5 }] {
            for steps in [4, 9] {
                let config = ReplayBufferConfig {
                    sampling,
                    n_step: 3,
                    ..config()
                };
                let ends = |t, e| if (t + e) % 3 == 0 { TRUNCATED } else { 0 };
                let mut replay = lived(config, steps, ends);
                replay.update_priorities(&[0, 3], &[5.0, 0.1]);
                let bytes = replay.to_bytes();
                let mut restored = ReplayBuffer::new(config).unwrap();
                restored.restore(&bytes).unwrap();
                for number in 0..20 {
                    assert_eq!(
                        restored.sample(&mut rng(number), 0.4),
                        replay.sample(&mut rng(number), 0.4)
                    );
                }
                assert_eq!(restored.to_bytes(), bytes);
                for cut in [0, 7, bytes.len() - 1] {
                    assert!(restored.restore(&bytes[..cut]).is_err());
                }
                let other = ReplayBufferConfig { width: 2, ..config };
                let error = ReplayBuffer::new(other)
                    .unwrap()
                    .restore(&bytes)
                    .unwrap_err();
                assert!(matches!(error, ReplayBufferError::Foreign(_)));
            }
        }
    }

    #[test]
    fn a_million_transitions_of_cart_pole_take_less_than_60_megabytes() {
        let config = ReplayBufferConfig {
            capacity: 1_000_000,
            envs: 8,
            width: 4,
            batch: 64,
            n_step: 3,
            gamma: 0.99,
            sampling: Sampling::Prioritized { alpha: 0.5 },
        };
        let mut replay = ReplayBuffer::new(config).unwrap();
        let step = |cut| Step {
            reward: 1.0,
            terminated: false,
            truncated: cut,
        };
        let show = [0.0; 32];
        for t in 0..125_000 {
            // Cut off every 20 steps, far more often than a time limit of 500 does.
            let steps = [step(t % 20 == 0); 8];
            replay.push(&show, &[0; 8], &steps, &show, |_| &show[..4]);
        }
        assert_eq!(replay.len(), 1_000_000);
        assert!(replay.bytes() <= 60_000_000, "{}", replay.bytes());
    }

    #[test]
    fn a_replay_smaller_than_a_batch_is_refused() {
        let small = ReplayBufferConfig {
            capacity: 3,
            ..config()
        };
        assert_eq!(
            ReplayBuffer::new(small).unwrap_err().to_string(),
            "the replay buffer holds at most 2 transitions, fewer than a batch of 4"
        );
        let early = lived(config(), 1, |_, _| 0);
        let error = early.sample(&mut rng(0), 1.0).unwrap_err();
        assert_eq!(error, ReplayBufferError::TooFew { len: 2, batch: 4 });
    }
}
