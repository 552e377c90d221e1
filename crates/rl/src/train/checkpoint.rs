//! The state of the loop in a checkpoint, besides the learner and the environments.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use tinderbox_train::{TaskError, TrainError};

use super::learner::Round;

/// Episodes of the running mean.
const RECENT: usize = 20;

/// A point in time of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Milestone {
    /// Environment steps.
    pub steps: u64,
    /// Time since the start, evaluations included, in s.
    pub wall_s: f64,
}

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEvaluation {
    /// Environment steps before it.
    pub steps: u64,
    /// Its number, from 1.
    pub evaluation: u64,
    /// Mean of the returns.
    pub return_mean: f64,
    /// Standard deviation of the returns.
    pub return_std: f64,
}

/// What the ranks share, in all. A training keeps it on any number of ranks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) ranks: usize,
    pub(super) num_envs: usize,
    pub(super) batch_size: usize,
}

impl Totals {
    /// Says that a training continues on another number of ranks.
    pub(super) fn note(&self, now: usize) -> String {
        let Self {
            ranks,
            num_envs,
            batch_size,
        } = self;
        let plural = if *ranks == 1 { "" } else { "s" };
        format!(
            "this run was begun on {ranks} rank{plural}: its {num_envs} environments and batches of \
             {batch_size} are now shared by {now}, so its results are no longer equal to the bit"
        )
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) steps: u64,
    pub(super) episodes: u64,
    pub(super) evaluations: u64,
    pub(super) best: Option<BestEvaluation>,
    /// Consecutive evaluations that reached the threshold.
    pub(super) streak: usize,
    pub(super) solved: Option<Milestone>,
    pub(super) finished: bool,
    pub(super) not_finite: bool,
    pub(super) wall_s: f64,
    pub(super) evaluation_s: f64,
    /// Steps that fit into the time budget, once they are known; 0 before.
    #[serde(default)]
    pub(super) planned: u64,
    /// Environments and transitions in a batch, over all ranks that the training was begun on.
    #[serde(default)]
    pub(super) totals: Option<Totals>,
    /// Length of `metrics.jsonl`.
    pub(super) metrics_bytes: u64,
    pub(super) recent: VecDeque<f64>,
    pub(super) loss_sum: f64,
    pub(super) losses: u64,
    /// Norm of the gradient that the next point of the curve has, if it was measured already.
    #[serde(default)]
    pub(super) gradient_norm: Option<f64>,
}

impl State {
    pub(super) fn add(&mut self, round: &Round, envs: usize) {
        self.steps += round.rows * envs as u64;
        self.episodes += round.returns.len() as u64;
        self.recent.extend(&round.returns);
        self.recent
            .drain(..self.recent.len().saturating_sub(RECENT));
        self.loss_sum += round.loss_sum;
        self.losses += round.losses;
        self.not_finite |= !round.loss_sum.is_finite();
    }

    pub(super) fn recent_mean(&self) -> f64 {
        self.recent.iter().sum::<f64>() / self.recent.len() as f64
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss_sum / self.losses as f64
    }

    pub(super) fn clear_loss(&mut self) {
        (self.loss_sum, self.losses) = (0.0, 0);
    }
}

/// Exact for floating-point numbers, which text is not.
pub(super) fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, TaskError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(foreign)?;
    Ok(bytes)
}

pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TaskError> {
    ciborium::from_reader(bytes).map_err(foreign)
}

/// The checkpoint does not fit the run.
pub(super) fn foreign(reason: impl Display) -> TaskError {
    TrainError::Foreign(format!("{reason}")).into()
}

/// Takes a blob out of a checkpoint.
pub(super) fn take(
    blobs: &mut BTreeMap<String, Vec<u8>>,
    name: &str,
) -> Result<Vec<u8>, TaskError> {
    let missing = || foreign(format!("`{name}` is missing"));
    blobs.remove(name).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_from_before_there_were_gradient_norms_is_read() {
        let state = State {
            steps: 7,
            gradient_norm: Some(0.5),
            ..State::default()
        };
        let bytes = to_bytes(&state).unwrap();
        let kept: State = from_bytes(&bytes).unwrap();
        assert_eq!(kept.gradient_norm, Some(0.5));
        let mut stored: BTreeMap<String, ciborium::Value> = from_bytes(&bytes).unwrap();
        assert!(stored.remove("gradient_norm").is_some());
        let old: State = from_bytes(&to_bytes(&stored).unwrap()).unwrap();
        assert_eq!((old.steps, old.gradient_norm), (7, None));
    }
}
