//! The state of the loop that is not weights: how far it is and what it has measured.

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::checkpoint::CheckpointContents;
use crate::config::TrainConfig;
use crate::log::{LogState, Metrics};
use crate::overlay::Reread;
use crate::run_dir::finite;
use crate::schedule::PlateauState;

/// Where the time of a run went, in s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Waiting for batches.
    pub data_s: f64,
    /// Forward, backward and update.
    pub compute_s: f64,
    /// Validation.
    pub valid_s: f64,
    /// Writing checkpoints.
    pub checkpoint_s: f64,
}

/// The contents of a checkpoint besides weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    identity: String,
    /// Current epoch, from 1.
    pub(crate) epoch: usize,
    /// Batches of the current epoch done.
    pub(super) batch: usize,
    /// Optimizer steps done.
    pub(crate) step: usize,
    /// Training items seen, repetitions included.
    pub(super) samples: usize,
    pub(super) best: Option<Best>,
    /// Epochs since the best one.
    waited: usize,
    pub(super) plateau: PlateauState,
    pub(super) finished: bool,
    pub(super) stopped_early: bool,
    /// Epochs and patience of the recipe, which a resumed run may raise.
    length: [usize; 2],
    pub(super) timings: Timings,
    /// State of the metrics file.
    pub(crate) log: LogState,
    /// Ranks that the run was begun with, which its batches are made for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) ranks: usize,
}

const fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// How the line of an identity starts that has the hash of the data.
pub(crate) const DATA: &str = "data ";

impl State {
    pub(super) fn new(identity: String, config: &TrainConfig, ranks: usize) -> Self {
        Self {
            identity,
            length: [config.train.epochs, config.train.patience],
            epoch: 1,
            batch: 0,
            step: 0,
            samples: 0,
            best: None,
            waited: 0,
            plateau: PlateauState::default(),
            finished: false,
            stopped_early: false,
            timings: Timings::default(),
            log: LogState::default(),
            ranks,
        }
    }

    /// Epochs of the whole run.
    pub(crate) fn epochs(&self) -> usize {
        self.length[0]
    }

    /// Decides anew whether training is over if it may be longer than when the state was saved.
    pub(super) fn set_length(&mut self, [epochs, patience]: [usize; 2]) {
        if self.length == [epochs, patience] {
            return;
        }
        self.length = [epochs, patience];
        let stop = patience > 0 && self.waited >= patience;
        self.stopped_early = stop && self.epoch <= epochs;
        self.finished = stop || self.epoch > epochs;
    }

    /// Counts an epoch and decides whether training is over; `stop` ends it in any case.
    pub(super) fn end_epoch(&mut self, config: &TrainConfig, improved: bool, stop: bool) {
        self.plateau.end_epoch(&config.schedule, improved);
        self.waited = if improved { 0 } else { self.waited + 1 };
        let [epochs, patience] = self.length;
        let stop = stop || (patience > 0 && self.waited >= patience);
        self.stopped_early = stop && self.epoch < epochs;
        self.finished = stop || self.epoch >= epochs;
        self.epoch += 1;
        self.batch = 0;
    }

    /// The state in a checkpoint.
    pub(crate) fn of(checkpoint: &CheckpointContents) -> Result<Self, TrainError> {
        serde_json::from_value(checkpoint.state.clone())
            .map_err(|error| TrainError::Foreign(error.to_string()))
    }

    /// Refuses the state of another run than that of `identity`, which begins with a recipe.
    pub(crate) fn check_identity(&self, identity: &str, reread: Reread) -> Result<(), TrainError> {
        if self.identity == identity {
            return Ok(());
        }
        // The recipe of an older version lacks keys that are newer.
        let data = format!("\n{DATA}");
        let parts = self.identity.rsplit_once(&data);
        let read = parts.and_then(|(recipe, rest)| Some(reread(recipe)? + &data + rest));
        let stored = read.as_ref().unwrap_or(&self.identity);
        if stored == identity {
            return Ok(());
        }
        let differs = identity
            .lines()
            .zip(stored.lines())
            .find(|(ours, theirs)| ours != theirs);
        if differs.is_some_and(|(ours, _)| ours.starts_with(DATA)) {
            return Err(TrainError::DataChanged);
        }
        Err(TrainError::Foreign(match differs {
            Some((ours, theirs)) => format!("it has `{theirs}` where this run has `{ours}`"),
            None => "they differ in length".to_owned(),
        }))
    }
}

/// The best epoch so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) epoch: usize,
    pub(crate) value: f64,
    // JSON has no infinity, which the error of a wild prediction may be.
    #[serde(deserialize_with = "finite")]
    pub(crate) valid: Metrics,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_is_not_finite_does_not_make_a_checkpoint_unreadable() {
        let valid = [("loss", 0.5), ("rmse", f64::INFINITY)];
        let valid = valid.map(|(name, value)| (name.to_owned(), value));
        let best = Best {
            epoch: 1,
            value: 0.5,
            valid: valid.into(),
        };
        let stored = serde_json::to_value(&best).unwrap();
        let best: Best = serde_json::from_value(stored).unwrap();
        assert_eq!(best.valid, Metrics::from([("loss".to_owned(), 0.5)]));
    }
}
