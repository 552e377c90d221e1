//! Finished trials: who leads, how many there were, and how values and scores go together.

use serde::{Deserialize, Serialize};
use tinderbox_train::MonitorMode;
use tinderbox_train::section::{Axis, Body, Section};
use toml::Value;

use crate::space::{Range, Space, Values};

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was trained to its end.
    Complete,
    /// It was stopped early.
    Pruned,
    /// It could not be trained, such as with a loss that is not finite.
    Failed,
}

/// A finished trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Its number, from 0.
    #[serde(default)]
    pub number: usize,
    /// The values of its recipe.
    #[serde(default, skip_serializing)]
    pub values: Values,
    /// How it ended.
    pub outcome: Outcome,
    /// The metric that its score is of.
    pub metric: String,
    /// Whether the score should be high or low.
    pub mode: MonitorMode,
    /// Its score on validation data, over its folds and seeds; the last report of one that was stopped early, 0 for one
    /// that failed.
    pub score: f64,
    /// Standard deviation of the scores of its folds and seeds; 0 where there is one only.
    pub deviation: f64,
    /// The scores of its folds and seeds.
    pub scores: Vec<f64>,
    /// How many of them are of trainings that did not reach their goal: these scores only rank the training.
    #[serde(default)]
    pub unsolved: usize,
    /// Validation metrics while it was trained, with the epoch of each.
    pub reports: Vec<(u64, f64)>,
    /// How long it took, in s.
    pub seconds: f64,
    /// Why it failed; empty for others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// How many trials ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Trained to their end.
    pub complete: usize,
    /// Stopped early.
    pub pruned: usize,
    /// Not trained.
    pub failed: usize,
}

impl Tally {
    /// Counts trials.
    pub fn of(trials: &[Finished]) -> Self {
        let count = |outcome| {
            trials
                .iter()
                .filter(|trial| trial.outcome == outcome)
                .count()
        };
        Self {
            complete: count(Outcome::Complete),
            pruned: count(Outcome::Pruned),
            failed: count(Outcome::Failed),
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.complete + self.pruned + self.failed
    }

    /// As in `20 trained to the end, 9 stopped early, 1 failed`.
    pub fn text(&self) -> String {
        let mut parts = vec![format!("{} trained to the end", self.complete)];
        if self.pruned > 0 {
            parts.push(format!("{} stopped early", self.pruned));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        parts.join(", ")
    }
}

/// The complete trials, the best first.
pub(crate) fn ranked(trials: &[Finished], mode: MonitorMode) -> Vec<&Finished> {
    let complete = |trial: &&Finished| trial.outcome == Outcome::Complete;
    let mut ranked: Vec<&Finished> = trials.iter().filter(complete).collect();
    ranked.sort_by(|a, b| {
        let order = match mode {
            MonitorMode::Min => a.score.total_cmp(&b.score),
            MonitorMode::Max => b.score.total_cmp(&a.score),
        };
        order.then(a.number.cmp(&b.number))
    });
    ranked
}

/// Parallel coordinates: an axis for each parameter and one for the score, a line for each complete trial.
pub fn parallel_coordinates(space: &Space, trials: &[Finished], metric: &str) -> Section {
    let complete: Vec<&Finished> = trials
        .iter()
        .filter(|trial| trial.outcome == Outcome::Complete)
        .collect();
    let mut axes: Vec<Axis> = Vec::new();
    let mut lines = vec![Vec::new(); complete.len()];
    for parameter in space.parameters() {
        let values = complete
            .iter()
            .map(|trial| trial.values.get(&parameter.key));
        match &parameter.range {
            Range::Choices(choices) => {
                axes.push(Axis {
                    name: parameter.key.clone(),
                    log: false,
                    ticks: choices.iter().map(shown).collect(),
                });
                for (line, value) in lines.iter_mut().zip(values) {
                    let index = value.and_then(|value| choices.iter().position(|one| one == value));
                    line.push(index.map(|index| index as f64));
                }
            }
            Range::Float { log, .. } | Range::Int { log, .. } => {
                axes.push(Axis {
                    name: parameter.key.clone(),
                    log: *log,
                    ticks: Vec::new(),
                });
                for (line, value) in lines.iter_mut().zip(values) {
                    line.push(value.and_then(number));
                }
            }
        }
    }
    axes.push(Axis {
        name: metric.to_owned(),
        log: false,
        ticks: Vec::new(),
    });
    for (line, trial) in lines.iter_mut().zip(&complete) {
        line.push(Some(trial.score));
    }
    Section {
        title: "Trials, one line each".to_owned(),
        body: Body::Parallel { axes, lines },
    }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| Some(value.as_integer()? as f64))
}

/// A value as people read it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
