//! What decides a training run besides its data and its model.

use std::time::Duration;

use serde::{Deserialize, Serialize};
pub use tinderbox_models::{ConfigError, check_range};
use toml::Table;

use super::optimizer::Optimizer;
use super::schedule::Schedule;
use super::tensorboard::EventOptions;

/// Checks that a share lies between 0 and 1, both left out.
///
/// # Errors
///
/// If it does not, NaN included.
pub fn check_share(key: &str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(ConfigError::new(key, value, "above 0 and below 1"))
    }
}

/// Checks the name of a recipe, which is a folder's too.
///
/// # Errors
///
/// If it is empty, hidden, or leaves its folder.
pub fn check_name(name: &str) -> Result<(), ConfigError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    let expected = "letters, digits, `-`, `_` and `.`: it names a folder";
    Err(ConfigError::new("name", format!("\"{name}\""), expected))
}

fn check_count(
    key: &str,
    value: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        Ok(())
    } else {
        let expected = if *range.end() == usize::MAX {
            format!("at least {}", range.start())
        } else {
            format!("between {} and {}", range.start(), range.end())
        };
        Err(ConfigError::new(key, value, expected))
    }
}

/// Whether more of a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorMode {
    /// As for a loss.
    Min,
    /// As for an accuracy.
    Max,
}

impl MonitorMode {
    /// Whether `value` beats `best`. NaN never does.
    pub fn improves(self, value: f64, best: f64) -> bool {
        match self {
            Self::Min => value < best,
            Self::Max => value > best,
        }
    }
}

/// Reads `train.budget`; none if it is empty.
///
/// # Errors
///
/// If it is no duration.
pub fn check_budget(budget: &str) -> Result<Option<Duration>, ConfigError> {
    if budget.is_empty() {
        return Ok(None);
    }
    let expected = "a time such as 90s, 20m or 1h30m, up to a year, or empty for no budget";
    let refuse = || ConfigError::new("train.budget", format!("{budget:?}"), expected);
    crate::budget::parse(budget).map(Some).ok_or_else(refuse)
}

/// How long and in what portions to train, and what to keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingOptions {
    /// Passes over the training split; with a budget, the most.
    pub epochs: usize,
    /// Time that training may take, such as `20m` or `1h30m`, of which the number of epochs follows on this
    /// machine; empty for none. The folds and the networks of an ensemble share it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub budget: String,
    /// Items in a batch.
    pub batch_size: usize,
    /// Whether batch normalization normalizes with the items of all ranks, as `SyncBatchNorm` of `PyTorch` does,
    /// instead of each rank's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sync_batch_norm: bool,
    /// Seed of everything random: initial weights, shuffling, augmentation, dropout.
    pub seed: u64,
    /// Whether every class is drawn equally often, items of rare classes several times in an epoch;
    /// for classification.
    #[serde(default)]
    pub balanced_sampling: bool,
    /// Batches whose gradients are averaged before one step of the optimizer.
    pub gradient_accumulation: usize,
    /// Largest global norm of the gradient (Pascanu et al. 2013); 0 switches clipping off.
    pub clip_norm: f64,
    /// Decay of the exponential moving average of the weights (Polyak and Juditsky 1992), which
    /// is then what is validated and kept; 0 switches it off.
    pub ema_decay: f64,
    /// The validation metric that decides which weights are the best.
    pub monitor: String,
    /// Whether `monitor` should be high or low.
    pub monitor_mode: MonitorMode,
    /// Epochs without improvement after which training stops; 0 never stops early.
    pub patience: usize,
    /// Steps between two checkpoints; 0 writes one at the end of each epoch only.
    pub checkpoint_every: usize,
    /// Steps between two points of the training curve in `metrics.jsonl`.
    pub log_every: usize,
    /// Threads that prepare batches ahead of the model. Never changes the result.
    pub workers: usize,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            budget: String::new(),
            batch_size: 64,
            sync_batch_norm: false,
            seed: 42,
            balanced_sampling: false,
            gradient_accumulation: 1,
            clip_norm: 0.0,
            ema_decay: 0.0,
            monitor: "loss".to_owned(),
            monitor_mode: MonitorMode::Min,
            patience: 0,
            checkpoint_every: 0,
            log_every: 10,
            workers: 1,
        }
    }
}

impl TrainingOptions {
    /// What a checkpoint must share with the run that is resumed from it: all but how long it
    /// trains and how many threads make batches.
    pub fn identity(&self) -> Self {
        Self {
            epochs: 0,
            budget: String::new(),
            patience: 0,
            workers: 0,
            ..self.clone()
        }
    }

    /// The time budget; none if it is empty.
    ///
    /// # Errors
    ///
    /// If it is no duration.
    pub fn time_budget(&self) -> Result<Option<Duration>, ConfigError> {
        check_budget(&self.budget)
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_count("train.epochs", self.epochs, 1..=1_000_000)?;
        self.time_budget()?;
        check_count("train.batch_size", self.batch_size, 1..=65_536)?;
        check_count(
            "train.gradient_accumulation",
            self.gradient_accumulation,
            1..=65_536,
        )?;
        check_range("train.clip_norm", self.clip_norm, 0.0..=1e9)?;
        check_range("train.ema_decay", self.ema_decay, 0.0..1.0)?;
        check_count("train.log_every", self.log_every, 1..=usize::MAX)?;
        check_count("train.workers", self.workers, 0..=256)?;
        // TOML has no unsigned 64-bit integers, and a recipe must survive its own `recipe.toml`.
        if i64::try_from(self.seed).is_err() {
            return Err(ConfigError::new(
                "train.seed",
                self.seed,
                "at most 9223372036854775807",
            ));
        }
        if self.monitor.is_empty() {
            return Err(ConfigError::new(
                "train.monitor",
                "empty",
                "the name of a metric",
            ));
        }
        Ok(())
    }

    /// Checks that `monitor` is one of the metrics that a task measures on the validation split.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check_monitor(&self, metrics: &[&str]) -> Result<(), ConfigError> {
        if metrics.contains(&self.monitor.as_str()) {
            return Ok(());
        }
        let value = format!("\"{}\"", self.monitor);
        let expected = format!("one of {}", metrics.join(", "));
        let expected = if metrics.len() == 1 {
            format!("\"{}\"", metrics[0])
        } else {
            expected
        };
        Err(ConfigError::new("train.monitor", value, expected))
    }
}

/// What a run records besides `metrics.jsonl`. It changes no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsOptions {
    /// Whether event files for `TensorBoard` are written.
    pub tensorboard: bool,
    /// Whether these have histograms of the weights, too; they are then written in any case.
    pub histograms: bool,
    /// Whether there is a report with a model card at the end.
    pub report: bool,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            tensorboard: false,
            histograms: false,
            report: true,
        }
    }
}

impl MetricsOptions {
    /// Whether these are the defaults, which a recipe leaves out.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The event files to write, if any.
    pub fn events(self) -> Option<EventOptions> {
        let histograms = self.histograms;
        (self.tensorboard || histograms).then_some(EventOptions { histograms })
    }
}

/// Everything that decides a training run besides its data and its model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainConfig {
    /// The loop.
    pub train: TrainingOptions,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// Trainings of the run, which share its time budget; 0 is 1.
    pub trainings: usize,
    /// Time that earlier trainings of the run left of their shares of the budget, in s, at least 0.
    pub unused_s: f64,
}

impl TrainConfig {
    /// What a recipe says of its training, for a run of so many trainings.
    pub fn of(
        train: &TrainingOptions,
        optimizer: &Optimizer,
        schedule: &Schedule,
        trainings: usize,
    ) -> Self {
        Self {
            train: train.clone(),
            optimizer: optimizer.clone(),
            schedule: schedule.clone(),
            trainings,
            unused_s: 0.0,
        }
    }

    /// The sections `optimizer` and `schedule` of a kind, for [`Patchable::variant`].
    ///
    /// [`Patchable::variant`]: crate::overlay::Patchable::variant
    pub fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "optimizer" => Table::try_from(Optimizer::of_kind(kind)?).ok(),
            "schedule" => Table::try_from(Schedule::of_kind(kind)?).ok(),
            _ => None,
        }
    }

    /// The time that this training has, in s: an equal share of the budget, and what earlier trainings left;
    /// none without a budget.
    ///
    /// # Errors
    ///
    /// If the budget is no duration.
    pub fn share_of_budget(&self) -> Result<Option<f64>, ConfigError> {
        let budget = self.train.time_budget()?;
        let share = |budget: Duration| budget.as_secs_f64() / self.trainings.max(1) as f64;
        Ok(budget.map(|budget| share(budget) + self.unused_s))
    }

    /// The time that a training leaves which took `used_s`, in s; 0 without a budget.
    pub(crate) fn unused_of_budget(&self, used_s: f64) -> Result<f64, ConfigError> {
        let share = self.share_of_budget()?;
        Ok(share.map_or(0.0, |share| (share - used_s).max(0.0)))
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.train.validate()?;
        self.optimizer.validate()?;
        self.schedule.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut TrainConfig)) -> String {
        let mut config = TrainConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_recipe_of_the_defaults_has_the_default_training() {
        let TrainConfig {
            train,
            optimizer,
            schedule,
            ..
        } = TrainConfig::default();
        let config = TrainConfig::of(&train, &optimizer, &schedule, 6);
        assert_eq!(config.trainings, 6);
        let trainings = TrainConfig::default().trainings;
        assert_eq!(
            TrainConfig {
                trainings,
                ..config
            },
            TrainConfig::default()
        );
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(TrainConfig::default().validate(), Ok(()));
    }

    #[test]
    fn a_recipe_without_a_budget_has_no_key_for_it() {
        let mut train = TrainingOptions::default();
        let text = toml::to_string(&train).unwrap();
        assert!(!text.contains("budget"), "{text}");
        assert_eq!(toml::from_str::<TrainingOptions>(&text).unwrap(), train);
        train.budget = "1m30s".to_owned();
        assert_eq!(train.time_budget(), Ok(Some(Duration::from_secs(90))));
        let text = toml::to_string(&train).unwrap();
        assert_eq!(toml::from_str::<TrainingOptions>(&text).unwrap(), train);
    }

    #[test]
    fn histograms_are_events_too() {
        let events = |tensorboard, histograms| {
            let options = MetricsOptions {
                tensorboard,
                histograms,
                ..MetricsOptions::default()
            };
            options.events().map(|events| events.histograms)
        };
        assert!(MetricsOptions::default().is_default());
        assert_eq!(events(false, false), None);
        assert_eq!(events(true, false), Some(false));
        assert_eq!(events(true, true), Some(true));
        assert_eq!(events(false, true), Some(true));
    }

    #[test]
    fn an_unknown_monitor_is_refused_with_the_known_ones() {
        let train = TrainingOptions {
            monitor: "banana".to_owned(),
            ..TrainingOptions::default()
        };
        for (known, words) in [
            (&["loss", "accuracy"][..], "must be one of loss, accuracy"),
            (&["loss"], "must be \"loss\""),
        ] {
            let message = train.check_monitor(known).unwrap_err().to_string();
            let expected = format!("`train.monitor` {words} (got \"banana\")");
            assert_eq!(message, expected);
        }
        assert_eq!(TrainingOptions::default().check_monitor(&["loss"]), Ok(()));
    }

    #[test]
    fn hostile_numbers_are_refused_by_key() {
        for (change, message) in [
            (
                (|c| c.train.epochs = 0) as fn(&mut TrainConfig),
                "`train.epochs` must be between 1 and 1000000 (got 0)",
            ),
            (
                |c| c.train.batch_size = 1 << 40,
                "`train.batch_size` must be between 1 and 65536 (got 1099511627776)",
            ),
            (
                |c| c.train.ema_decay = f64::NAN,
                "`train.ema_decay` must be at least 0 and below 1 (got NaN)",
            ),
            (
                |c| c.train.log_every = 0,
                "`train.log_every` must be at least 1 (got 0)",
            ),
        ] {
            assert_eq!(refusal(change), message);
        }
        let message = refusal(|c| c.train.budget = "20 min".to_owned());
        assert_eq!(
            message,
            "`train.budget` must be a time such as 90s, 20m or 1h30m, up to a year, or empty for no \
             budget (got \"20 min\")"
        );
        assert!(refusal(|c| c.train.seed = u64::MAX).contains("`train.seed`"));
        for rate in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            let message = refusal(|c| *c.optimizer.learning_rate_mut() = rate);
            assert!(message.contains("`optimizer.learning_rate`"), "{message}");
        }
    }
}
