//! What is tried next and what stops early: the one place that knows the crate `optimizer`.
//!
//! Its study is not used, because several processes ask at a time. Its samplers, pruners and its journal are:
//! each call gets the whole history.
//!
//! - Its samplers minimize, and find the earlier values of a parameter by its range: so each parameter is asked for
//!   alone, with scores of which less is better.
//! - Its Hyperband pruner deals trials to brackets in the order in which it meets them: so it meets them in the order
//!   of their numbers.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use optimizer::distribution::{
    CategoricalDistribution, Distribution, FloatDistribution, IntDistribution,
};
use optimizer::param::ParamValue;
use optimizer::parameter::ParamId;
use optimizer::pruner::{HyperbandPruner, Pruner as _};
use optimizer::sampler::{CompletedTrial, RandomSampler, Sampler as SampleOne, TpeSampler};
use optimizer::storage::{JournalStorage, MemoryStorage, Storage as _};
use optimizer::{AttrValue, Direction, Study, TrialState};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tinderbox_train::MonitorMode;
use toml::{Table, Value};

use crate::results::{Finished, Outcome};
use crate::space::{Parameter, Range, Space, Values};

/// How the values of a trial are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Where good trials are dense and bad ones are not: the tree-structured Parzen estimator (Bergstra et al. 2011).
    #[default]
    Tpe,
    /// At random (Bergstra and Bengio 2012).
    Random,
}

/// Which trials stop early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pruner {
    /// The worse two thirds at several points, each third of the trials with other points (Li et al. 2018).
    #[default]
    Hyperband,
    /// None.
    None,
}

/// Trials whose values are random before an estimate is made of them.
const STARTUP: usize = 8;

/// Share of the trials that count as good.
const GOOD: f64 = 0.15;

/// Weight of a random value against one good trial: with few good trials, most of the space is unknown, and what
/// they have in common may be chance.
const PRIOR: f64 = 1.5;

/// Width of the kernels, as a share of the range. The crate's own follows the spread of the good trials, which are few
/// and soon alike: by `tests::tpe_beats_random_search`, that is worse than random search, and this is better.
const BANDWIDTH: f64 = 0.12;

/// Share of trials whose survivors go on.
const REDUCTION: u64 = 3;

/// How a search chooses.
#[derive(Clone, Debug)]
pub struct Search {
    /// What the values are chosen from.
    pub space: Space,
    /// How they are chosen.
    pub sampler: Sampler,
    /// Which trials stop early.
    pub pruner: Pruner,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether the score should be high or low.
    pub mode: MonitorMode,
}

/// How much of the variance of the scores a parameter explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The key.
    pub key: String,
    /// The share, in `[0, 1]`.
    pub share: f64,
}

impl Search {
    /// The values of trial `number`, given the finished trials and those that run.
    ///
    /// The same history and number give the same values.
    pub fn suggest(
        &self,
        recipe: &Table,
        number: usize,
        finished: &[Finished],
        running: &[Values],
    ) -> Values {
        let random = RandomSampler::with_seed(self.seed);
        let history = self.history(finished, running);
        let mut values = Values::new();
        for (index, parameter) in self.space.parameters().iter().enumerate() {
            if !parameter.applies(&values, recipe) {
                continue;
            }
            // Parameters with equal ranges must not be drawn alike.
            let id = (number * self.space.parameters().len() + index) as u64;
            let range = distribution(&parameter.range);
            let is_random = self.sampler == Sampler::Random
                || history.len() < STARTUP
                || share(self.seed, id) < PRIOR / (PRIOR + (GOOD * history.len() as f64).ceil());
            let value = if is_random {
                random.sample(&range, id, &[])
            } else {
                let own = of_parameter(&history, index);
                tpe(self.seed, &parameter.range).sample(&range, id, &own)
            };
            values.insert(parameter.key.clone(), to_toml(&parameter.range, &value));
        }
        values
    }

    /// Whether trial `number` stops after the last of its `reports`, whose steps count from 1 to `steps`.
    pub fn stops(
        &self,
        number: usize,
        reports: &[(u64, f64)],
        steps: u64,
        mode: MonitorMode,
        finished: &[Finished],
    ) -> bool {
        let Some(&(step, _)) = reports.last() else {
            return false;
        };
        if self.pruner == Pruner::None || steps < REDUCTION {
            return false;
        }
        let direction = match mode {
            MonitorMode::Min => Direction::Minimize,
            MonitorMode::Max => Direction::Maximize,
        };
        let pruner = HyperbandPruner::new()
            .max_resource(steps)
            .reduction_factor(REDUCTION)
            .direction(direction);
        let last = finished.iter().map(|trial| trial.number).max().unwrap_or(0);
        for earlier in 0..=last.max(number) {
            // Deals it to its bracket.
            pruner.should_prune(earlier as u64, 0, &[], &[]);
        }
        let trials = finished
            .iter()
            .filter(|trial| trial.outcome != Outcome::Failed)
            .map(|trial| {
                let mut completed = self.completed(trial);
                completed.intermediate_values = dense(&trial.reports, steps);
                completed
            });
        let trials: Vec<CompletedTrial> = trials.collect();
        pruner.should_prune(number as u64, step, reports, &trials)
    }

    /// How much each parameter matters, most first, by functional analysis of variance (Hutter et al. 2014) of the
    /// complete trials; nothing before there are enough of them.
    ///
    /// A parameter that does not apply to a trial counts as its least value there.
    pub fn importance(&self, finished: &[Finished]) -> Vec<Importance> {
        let complete = |trial: &&Finished| trial.outcome == Outcome::Complete;
        let trials: Vec<CompletedTrial> = finished
            .iter()
            .filter(complete)
            .map(|trial| {
                let mut completed = self.completed(trial);
                for (index, parameter) in self.space.parameters().iter().enumerate() {
                    let least = least(&parameter.range);
                    completed.params.entry(id(index)).or_insert(least);
                    completed
                        .param_labels
                        .entry(id(index))
                        .or_insert_with(|| parameter.key.clone());
                }
                completed
            })
            .collect();
        if trials.len() < STARTUP {
            return Vec::new();
        }
        let study: Study<f64> = Study::with_sampler_and_storage(
            Direction::Minimize,
            RandomSampler::with_seed(self.seed),
            MemoryStorage::with_trials(trials),
        );
        let Ok(result) = study.fanova() else {
            return Vec::new();
        };
        let shares = result.main_effects.into_iter();
        shares
            .filter(|(_, share)| share.is_finite())
            .map(|(key, share)| Importance { key, share })
            .collect()
    }

    /// Finished and running trials, of which less is better. One that failed, was stopped or still runs counts as the
    /// worst complete one, so that its surroundings are left alone.
    fn history(&self, finished: &[Finished], running: &[Values]) -> Vec<CompletedTrial> {
        let mut trials: Vec<CompletedTrial> =
            finished.iter().map(|trial| self.completed(trial)).collect();
        let complete = finished
            .iter()
            .filter(|trial| trial.outcome == Outcome::Complete);
        let worst = complete
            .map(|trial| self.loss(trial.score))
            .fold(f64::NEG_INFINITY, f64::max);
        let worst = if worst.is_finite() { worst } else { 0.0 };
        for (trial, finished) in trials.iter_mut().zip(finished) {
            trial.value = match finished.outcome {
                Outcome::Complete => self.loss(finished.score),
                Outcome::Pruned | Outcome::Failed => worst,
            };
        }
        trials.extend(running.iter().map(|values| {
            let (params, distributions, labels) = self.maps(values);
            CompletedTrial::new(0, params, distributions, labels, worst)
        }));
        trials
    }

    fn loss(&self, score: f64) -> f64 {
        match self.mode {
            MonitorMode::Min => score,
            MonitorMode::Max => -score,
        }
    }

    fn completed(&self, trial: &Finished) -> CompletedTrial {
        let (params, distributions, labels) = self.maps(&trial.values);
        let mut completed = CompletedTrial::new(
            trial.number as u64,
            params,
            distributions,
            labels,
            trial.score,
        );
        completed.state = match trial.outcome {
            Outcome::Complete => TrialState::Complete,
            Outcome::Pruned => TrialState::Pruned,
            Outcome::Failed => TrialState::Failed,
        };
        completed.intermediate_values.clone_from(&trial.reports);
        completed
    }

    fn maps(
        &self,
        values: &Values,
    ) -> (
        HashMap<ParamId, ParamValue>,
        HashMap<ParamId, Distribution>,
        HashMap<ParamId, String>,
    ) {
        let (mut params, mut distributions, mut labels) =
            (HashMap::new(), HashMap::new(), HashMap::new());
        for (index, parameter) in self.space.parameters().iter().enumerate() {
            let Some(value) = from_toml(parameter, values) else {
                continue;
            };
            params.insert(id(index), value);
            distributions.insert(id(index), distribution(&parameter.range));
            labels.insert(id(index), parameter.key.clone());
        }
        (params, distributions, labels)
    }

    /// Appends a finished trial to the journal, marked with what it is a trial of.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub(crate) fn append(&self, journal: &Path, mark: &str, trial: &Finished) -> io::Result<()> {
        let storage = JournalStorage::<f64>::new(journal);
        let mut completed = self.completed(trial);
        completed.user_attrs = HashMap::from([
            (MARK.to_owned(), AttrValue::String(mark.to_owned())),
            ("seconds".to_owned(), AttrValue::Float(trial.seconds)),
        ]);
        storage.push(completed);
        // The crate keeps an error to itself.
        let written = numbers(journal)?;
        if written.iter().any(|(number, _)| *number == trial.number) {
            return Ok(());
        }
        Err(io::Error::other(
            "the trial is not there after it was written",
        ))
    }
}

/// Attribute that says what a trial is one of.
const MARK: &str = "search";

/// The numbers of the trials in a journal, with the search that each belongs to.
///
/// # Errors
///
/// If it cannot be read, or a line is no trial.
pub(crate) fn numbers(journal: &Path) -> io::Result<Vec<(usize, String)>> {
    let storage = JournalStorage::<f64>::open(journal).map_err(io::Error::other)?;
    let trials = storage.trials_arc().read();
    Ok(trials
        .iter()
        .map(|trial| {
            let mark = match trial.user_attr(MARK) {
                Some(AttrValue::String(mark)) => mark.clone(),
                _ => String::new(),
            };
            (trial.id as usize, mark)
        })
        .collect())
}

/// Whether a line of a journal is a whole trial.
pub(crate) fn is_trial(line: &str) -> bool {
    serde_json::from_str::<CompletedTrial<f64>>(line).is_ok_and(|trial| trial.validate().is_ok())
}

fn tpe(seed: u64, range: &Range) -> TpeSampler {
    let sampler = TpeSampler::builder()
        .n_startup_trials(STARTUP / 2)
        .gamma(GOOD)
        .seed(seed);
    let width = match range {
        Range::Float {
            min,
            max,
            log: true,
        } => (max / min).ln(),
        Range::Float { min, max, .. } => max - min,
        Range::Int {
            min,
            max,
            log: true,
        } => (*max as f64 / *min as f64).ln(),
        Range::Int { min, max, .. } => (max - min) as f64,
        Range::Choices(_) => 1.0,
    };
    // Only numbers out of range are refused, and these are not.
    sampler
        .kde_bandwidth(BANDWIDTH * width)
        .build()
        .unwrap_or_default()
}

/// A number in `[0, 1)` that a seed and a number determine.
fn share(seed: u64, number: u64) -> f64 {
    let digest = Sha256::digest([seed.to_le_bytes(), number.to_le_bytes()].concat());
    f64::from(u32::from_le_bytes([
        digest[0], digest[1], digest[2], digest[3],
    ])) / (f64::from(u32::MAX) + 1.0)
}

/// A history with one parameter only.
fn of_parameter(history: &[CompletedTrial], index: usize) -> Vec<CompletedTrial> {
    let id = id(index);
    let own = history.iter().filter_map(|trial| {
        let value = trial.params.get(&id)?.clone();
        let range = trial.distributions.get(&id)?.clone();
        Some(CompletedTrial::new(
            trial.id,
            HashMap::from([(id, value)]),
            HashMap::from([(id, range)]),
            HashMap::new(),
            trial.value,
        ))
    });
    own.collect()
}

/// The same in every process: the place in the space.
fn id(index: usize) -> ParamId {
    let id = serde_json::from_value(serde_json::Value::from(index));
    id.unwrap_or_default()
}

fn distribution(range: &Range) -> Distribution {
    match range {
        Range::Float { min, max, log } => Distribution::Float(FloatDistribution {
            low: *min,
            high: *max,
            log_scale: *log,
            step: None,
        }),
        Range::Int { min, max, log } => Distribution::Int(IntDistribution {
            low: *min,
            high: *max,
            log_scale: *log,
            step: None,
        }),
        Range::Choices(values) => Distribution::Categorical(CategoricalDistribution {
            n_choices: values.len(),
        }),
    }
}

fn least(range: &Range) -> ParamValue {
    match range {
        Range::Float { min, .. } => ParamValue::Float(*min),
        Range::Int { min, .. } => ParamValue::Int(*min),
        Range::Choices(_) => ParamValue::Categorical(0),
    }
}

fn to_toml(range: &Range, value: &ParamValue) -> Value {
    match (range, value) {
        (Range::Choices(values), ParamValue::Categorical(index)) => values
            .get(*index)
            .cloned()
            .unwrap_or_else(|| values[0].clone()),
        (Range::Float { min, max, .. }, ParamValue::Float(value)) => {
            // Four digits are enough to choose by, and can be read.
            let rounded = format!("{value:.3e}").parse().unwrap_or(*value);
            Value::Float(f64::clamp(rounded, *min, *max))
        }
        (_, ParamValue::Float(value)) => Value::Float(*value),
        (_, ParamValue::Int(value)) => Value::Integer(*value),
        // No range gives such a pair.
        (_, ParamValue::Categorical(_)) => Value::Integer(0),
    }
}

fn from_toml(parameter: &Parameter, values: &Values) -> Option<ParamValue> {
    let value = values.get(&parameter.key)?;
    match &parameter.range {
        Range::Float { .. } => value.as_float().map(ParamValue::Float),
        Range::Int { .. } => value.as_integer().map(ParamValue::Int),
        Range::Choices(choices) => {
            let index = choices.iter().position(|choice| choice == value);
            index.map(ParamValue::Categorical)
        }
    }
}

/// Reports with a value at each step up to the last, the latest where there was none.
fn dense(reports: &[(u64, f64)], steps: u64) -> Vec<(u64, f64)> {
    let Some(&(last, _)) = reports.last() else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let (mut at, mut value) = (0, None);
    for step in 1..=last.min(steps) {
        while reports
            .get(at)
            .is_some_and(|(reported, _)| *reported <= step)
        {
            value = Some(reports[at].1);
            at += 1;
        }
        if let Some(value) = value {
            all.push((step, value));
        }
    }
    all
}

#[cfg(test)]
mod tests;
