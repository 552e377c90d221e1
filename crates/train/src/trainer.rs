//! Training as one call.
//!
//! [`Trainer::fit`] takes a model that knows its training step, a loader of training batches and
//! one of validation batches, and returns the best weights. With a folder it also writes
//! `metrics.jsonl` and `checkpoint/` there, and can resume from them.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::Progress;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::{
    Adaptor, LearningRateMetric, LossInput, LossMetric, Metric as _, MetricMetadata, Numeric as _,
    NumericEntry,
};
use burn::train::renderer::MetricsRenderer;
use burn::train::{
    InferenceStep, Interrupter, Learner, LearnerModel, SupervisedTraining, TrainStep,
    TrainingStrategy,
};
use tinderbox_datasets::loader::{Collate, Loader, LoaderConfig, LoaderError};
use tinderbox_predict::error_chain;

use crate::ErrorKind;
use crate::budget::Plan;
use crate::checkpoint::{CheckpointContents, CheckpointError, Store};
use crate::config::{ConfigError, TrainConfig, TrainingOptions};
use crate::log::{Metrics, MetricsFile, Pace};
use crate::overlay::Reread;
use crate::param_groups::ParamGroups;
use crate::ranks::Ranks;
use crate::run_dir::write_length;
use crate::silent::Silent;
use crate::strategy::{
    BestListener, DATA, Job, Probe, State, StepListener, Strategy, Timings, TrainError,
    exchange_seconds, has_batch_norm,
};
use crate::tensorboard::WeightEvents;

/// Name of the metrics file in a run directory.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Name of the checkpoint folder in a run directory.
pub const CHECKPOINT_DIR: &str = "checkpoint";

/// Share of a time budget that is spent on steps to measure their time, and on validation batches.
const MEASURED: f64 = 0.02;

/// The result of a training.
pub struct Trained<M> {
    /// The weights of the best epoch, ready for inference.
    pub model: M,
    /// Epoch that the weights are from, from 1.
    pub best_epoch: usize,
    /// Validation metrics of that epoch.
    pub valid: Metrics,
    /// Epochs done.
    pub epochs: usize,
    /// Steps of the optimizer done.
    pub steps: usize,
    /// Training items seen, repetitions included.
    pub samples: usize,
    /// Whether training stopped early, before its last epoch.
    pub stopped_early: bool,
    /// Where the time went.
    pub timings: Timings,
    /// Time since the start, in s, interrupted sessions included.
    pub wall_s: f64,
    pub(crate) metrics: MetricsFile,
}

impl<M> Trained<M> {
    /// The model, and the rest without it.
    pub fn split(self) -> (M, Trained<()>) {
        let rest = Trained {
            model: (),
            best_epoch: self.best_epoch,
            valid: self.valid,
            epochs: self.epochs,
            steps: self.steps,
            samples: self.samples,
            stopped_early: self.stopped_early,
            timings: self.timings,
            wall_s: self.wall_s,
            metrics: self.metrics,
        };
        (self.model, rest)
    }

    /// Appends the metrics of the test split to `metrics.jsonl`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn log_test(&self, metrics: &Metrics) -> Result<(), TrainError> {
        self.metrics
            .log_test(metrics, self.best_epoch)
            .map_err(TrainError::Metrics)
    }
}

/// A training run, ready to be started with [`fit`](Self::fit).
pub struct Trainer<M: LearnerModel> {
    config: TrainConfig,
    dir: Option<PathBuf>,
    identity: String,
    reread: Reread,
    resume: bool,
    renderer: Box<dyn MetricsRenderer>,
    interrupter: Interrupter,
    ranks: Ranks,
    on_damage: Box<dyn Fn(&CheckpointError)>,
    on_note: Box<dyn Fn(&str)>,
    on_step: Option<Box<StepListener<M>>>,
    on_best: Option<Box<BestListener<M>>>,
    rates: Vec<(String, f64)>,
    unused_s: Rc<Cell<f64>>,
}

impl<M: LearnerModel> Trainer<M> {
    /// A run that writes no files and draws nothing.
    pub fn new(config: TrainConfig) -> Self {
        Self {
            config,
            dir: None,
            identity: String::new(),
            reread: |_| None,
            resume: false,
            renderer: Box::new(Silent),
            interrupter: Interrupter::new(),
            ranks: Ranks::default(),
            on_damage: Box::new(|error| tracing::warn!("{error}")),
            on_note: Box::new(|text| tracing::info!("{text}")),
            on_step: None,
            on_best: None,
            rates: Vec::new(),
            unused_s: Rc::default(),
        }
    }

    /// Keeps `metrics.jsonl` and checkpoints in `dir`, which must exist.
    #[must_use]
    pub fn in_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Text that determines the result, such as the resolved recipe: a checkpoint with another one is
    /// refused. A line that starts with `data ` has a hash of the data.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = identity.into();
        self
    }

    /// Reads the recipe that the identity in a checkpoint begins with, if an older version wrote it.
    #[must_use]
    pub fn reread(mut self, reread: Reread) -> Self {
        self.reread = reread;
        self
    }

    /// Resumes from the latest good checkpoint in the folder, if there is one.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Draws progress and metrics.
    #[must_use]
    pub fn renderer(mut self, renderer: Box<dyn MetricsRenderer>) -> Self {
        self.renderer = renderer;
        self
    }

    /// Lets the caller stop the run: it finishes its step, saves and returns
    /// [`TrainError::Interrupted`].
    #[must_use]
    pub fn interrupter(mut self, interrupter: Interrupter) -> Self {
        self.interrupter = interrupter;
        self
    }

    /// Trains together with other processes, all of which call the same functions with the same recipe
    /// and data. A batch then has the items of the configuration's batch size on each rank; steps, metrics
    /// and weights are those of one process with the batches of all ranks. Rank 0 validates, and only it
    /// should have a folder.
    #[must_use]
    pub fn ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// Called for each checkpoint that is skipped because it is damaged.
    #[must_use]
    pub fn on_damage(mut self, listener: impl Fn(&CheckpointError) + 'static) -> Self {
        self.on_damage = Box::new(listener);
        self
    }

    /// Called with what was decided for the user: the number of epochs of a time budget.
    #[must_use]
    pub fn on_note(mut self, listener: impl Fn(&str) + 'static) -> Self {
        self.on_note = Box::new(listener);
        self
    }

    /// Where [`fit`](Self::fit) leaves the time of its share of the budget that it did not use, in s, for the next
    /// training of the run; 0 if it took longer.
    #[must_use]
    pub fn unused_time(mut self, unused_s: Rc<Cell<f64>>) -> Self {
        self.unused_s = unused_s;
        self
    }

    /// Called with the model and its gradients at each step, before the update.
    #[must_use]
    pub fn on_step(mut self, listener: Box<StepListener<M>>) -> Self {
        self.on_step = Some(listener);
        self
    }

    /// Called with the model, ready for inference, after each epoch that is the best so far.
    #[must_use]
    pub fn on_best(mut self, listener: Option<Box<BestListener<M>>>) -> Self {
        self.on_best = listener;
        self
    }

    /// Multiplies the learning rate of parts of the model, as [`layer_factors`](crate::layer_factors) computes or by hand.
    ///
    /// A part is named by its path in the model, as `layers.1` or `bert`, and has all parameters
    /// whose paths contain these names in a row. Of the parts that a parameter is in the last
    /// counts. A checkpoint made with other factors is refused.
    #[must_use]
    pub fn learning_rates(mut self, parts: Vec<(String, f64)>) -> Self {
        self.rates = parts;
        self
    }

    /// Trains `model` on one dataset and validates it on another, in batches of the
    /// configuration's size, and returns its best weights.
    ///
    /// [`fit`](Self::fit) takes custom loaders and more metrics than the loss.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit), or if a dataset is empty.
    pub fn fit_sets<I: 'static, O: Send + 'static>(
        self,
        model: M,
        train: impl Dataset<I> + 'static,
        valid: impl Dataset<I> + 'static,
        collate: impl Collate<I, O> + 'static,
    ) -> Result<Trained<M>, FitError>
    where
        M: TrainStep<Input = O> + InferenceStep<Input = O>,
        <M as TrainStep>::Output: Adaptor<LossInput>,
        <M as InferenceStep>::Output: Adaptor<LossInput>,
    {
        self.config.validate()?;
        let device = model
            .devices()
            .into_iter()
            .next()
            .ok_or(FitError::NoParameters)?;
        let TrainingOptions {
            batch_size,
            seed,
            workers,
            ..
        } = self.config.train;
        let collate: Arc<dyn Collate<I, O>> = Arc::new(collate);
        let config = LoaderConfig::train(batch_size, seed).with_workers(workers);
        let train = Loader::shared(Arc::new(train), Arc::clone(&collate), config, &device)?;
        let config = LoaderConfig::eval(batch_size).with_workers(workers);
        let valid = Loader::shared(Arc::new(valid), collate, config, &device)?;
        self.fit(model, train, valid, |training| training)
    }

    /// Trains `model` on its device and returns its best weights.
    ///
    /// The loss and the learning rate are always measured; `extend` adds metrics of burn-train or
    /// anything else that its builder offers, as in
    /// `|training| training.metrics((AccuracyMetric::new(),))`.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, a batch cannot be loaded, the loss is no longer finite, the
    /// folder cannot be written, training is interrupted, or another rank fails.
    pub fn fit<I: 'static, V: 'static>(
        self,
        model: M,
        train: Loader<I, <M as TrainStep>::Input>,
        valid: Loader<V, <M as InferenceStep>::Input>,
        extend: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
    ) -> Result<Trained<M>, FitError>
    where
        <M as TrainStep>::Output: Adaptor<LossInput>,
        <M as InferenceStep>::Output: Adaptor<LossInput>,
    {
        let ranks = self.ranks.clone();
        self.fit_rank(model, train, valid, extend).map_err(|error| {
            let (kind, message) = error.for_ranks();
            match ranks.agree(Some((kind, message))) {
                Err(failure) if failure.rank != ranks.rank() => TrainError::Rank(failure).into(),
                _ => error,
            }
        })
    }

    fn fit_rank<I: 'static, V: 'static>(
        mut self,
        model: M,
        train: Loader<I, <M as TrainStep>::Input>,
        valid: Loader<V, <M as InferenceStep>::Input>,
        extend: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
    ) -> Result<Trained<M>, FitError>
    where
        <M as TrainStep>::Output: Adaptor<LossInput>,
        <M as InferenceStep>::Output: Adaptor<LossInput>,
    {
        self.config.validate()?;
        let rates = ParamGroups::new(&self.rates)?;
        rates.check(&model)?;
        let identity = std::mem::take(&mut self.identity) + &rates.identity();
        let device = model
            .devices()
            .into_iter()
            .next()
            .ok_or(FitError::NoParameters)?;
        let model = if is_tracked(&model) {
            model
        } else {
            model.train()
        };
        let valid = Arc::new(valid.on(&device.clone().inner()));

        let store = self
            .dir
            .as_deref()
            .map(|dir| Store::new(dir.join(CHECKPOINT_DIR)));
        let checkpoint = self.of_first(self.latest(store.as_ref())?, &identity)?;
        let state = checkpoint.as_ref().map(State::of).transpose()?;
        if let Some(state) = &state {
            state.check_identity(&identity, self.reread)?;
        }
        let train = self.dealt(train, state.as_ref());
        self.check_batch_norm(&model)?;
        // Dropout and batch statistics need batches that are on an autodiff device too.
        let train = Arc::new(train.on(&device.clone().autodiff()));
        let started = Instant::now();
        let probe = Probe {
            model: &model,
            config: &self.config,
            rates: &rates,
            device: &device,
            train: &train,
            valid: &valid,
            store: store.as_ref(),
            interrupter: &self.interrupter,
            started,
        };
        self.config.train.epochs = self.epochs_of_ranks(state.as_ref(), &probe)?;
        let pace = Pace {
            batches_per_epoch: train.num_batches(),
            gradient_accumulation: self.config.train.gradient_accumulation,
            log_every: self.config.train.log_every,
        };
        let epoch = state.as_ref().map_or(1, |state| state.epoch);
        let step = state.as_ref().map_or(0, |state| state.step);
        let events = self.dir.as_deref();
        let events = events.map(|dir| WeightEvents::open(dir, step, pace));
        let events = events.transpose().map_err(TrainError::Metrics)?.flatten();
        let log = state.map(|state| state.log).unwrap_or_default();
        let log = log.of_rank(self.ranks.rank(), self.ranks.size());
        let file = self.dir.as_deref().map(|dir| dir.join(METRICS_FILE));
        let metrics = MetricsFile::open(file.as_deref(), log, pace).map_err(TrainError::Metrics)?;

        let learner = Learner::new(model.clone(), self.config.optimizer.init(), 0.0);
        let strategy = Arc::new(Strategy::new(Job {
            identity,
            rates,
            model,
            device: device.inner(),
            feed: Box::new(Arc::clone(&train)),
            store,
            checkpoint,
            metrics: metrics.clone(),
            ranks: self.ranks.clone(),
            loss: Box::new(loss_of::<M>),
            interrupter: self.interrupter.clone(),
            on_step: self.on_step,
            weight_events: events,
            on_best: self.on_best,
            config: self.config.clone(),
        }));
        let training = SupervisedTraining::new(".", train, valid)
            .num_epochs(self.config.train.epochs)
            // Sets the first epoch of the renderer only: without its checkpointers nothing is loaded.
            .checkpoint(epoch - 1)
            .metrics((LossMetric::new(),))
            .metric_train_numeric(LearningRateMetric::new())
            .with_metric_logger(metrics.clone())
            .with_application_logger(None)
            .renderer(self.renderer)
            // One of its own: Burn's dashboard resets it at the end.
            .with_interrupter(Interrupter::new())
            .with_training_strategy(TrainingStrategy::Custom(strategy.clone()));
        let result = extend(training).launch(learner);
        drop(result.renderer);
        let outcome = strategy.outcome().ok_or(FitError::NotRun)??;
        let used = started.elapsed().as_secs_f64().max(metrics.wall_s());
        self.unused_s.set(self.config.unused_of_budget(used)?);
        Ok(Trained {
            model: outcome.model,
            best_epoch: outcome.best.epoch,
            valid: outcome.best.valid,
            epochs: outcome.epochs,
            steps: outcome.steps,
            samples: outcome.samples,
            stopped_early: outcome.stopped_early,
            timings: outcome.timings,
            wall_s: metrics.wall_s(),
            metrics,
        })
    }
}

impl<M: LearnerModel> Trainer<M> {
    /// The checkpoint to resume from.
    fn latest(&self, store: Option<&Store>) -> Result<Option<CheckpointContents>, TrainError> {
        let Some(store) = store.filter(|_| self.resume) else {
            return Ok(None);
        };
        let (checkpoint, damaged) = store.latest()?;
        for error in &damaged {
            (self.on_damage)(error);
        }
        Ok(checkpoint)
    }

    /// Checks that all ranks train the same, and gives them the checkpoint that rank 0 has read.
    fn of_first(
        &self,
        own: Option<CheckpointContents>,
        identity: &str,
    ) -> Result<Option<CheckpointContents>, TrainError> {
        let (data, recipe): (Vec<&str>, Vec<&str>) =
            identity.lines().partition(|line| line.starts_with(DATA));
        let mut config = self.config.clone();
        // Left out of the comparison: ranks may use different numbers of loader threads.
        config.train.workers = 0;
        // Only rank 0 decides what fits into a budget.
        config.unused_s = 0.0;
        let recipe = format!("{}\n{config:?}", recipe.join("\n"));
        self.ranks.check_same(&recipe, &data.join("\n"))?;
        self.ranks.checkpoint_of_first(own)
    }

    /// The loader of this rank's part of each batch. A run that is resumed keeps the batches that it was
    /// begun with.
    fn dealt<I: 'static, O: Send + 'static>(
        &self,
        train: Loader<I, O>,
        state: Option<&State>,
    ) -> Loader<I, O> {
        let (rank, now) = (self.ranks.rank(), self.ranks.size());
        let before = state.map_or(now, |state| state.ranks);
        let batch_size = self.config.train.batch_size * before;
        if before != now && self.ranks.is_first() {
            (self.on_note)(&format!(
                "this run was begun on {before} rank{}: its batches of {batch_size} are now shared by \
                 {now}, so its results are no longer equal to the bit",
                if before == 1 { "" } else { "s" }
            ));
        }
        if before == 1 && now == 1 {
            return train;
        }
        train.dealt(rank, now, batch_size)
    }

    /// Says so where there is nothing to synchronize.
    fn check_batch_norm(&self, model: &M) -> Result<(), TrainError> {
        if !self.config.train.sync_batch_norm || !self.ranks.is_first() {
            return Ok(());
        }
        let cause = if self.ranks.is_alone() {
            "training on one rank"
        } else if has_batch_norm(model)? {
            return Ok(());
        } else {
            "the network has no batch normalization"
        };
        (self.on_note)(&format!("`train.sync_batch_norm` has no effect: {cause}"));
        Ok(())
    }

    /// The number of epochs, which rank 0 decides on.
    fn epochs_of_ranks(
        &self,
        state: Option<&State>,
        probe: &Probe<'_, M>,
    ) -> Result<usize, FitError> {
        let planned = state.is_none() && !self.config.train.budget.is_empty();
        let exchange_s = if planned && !self.ranks.is_alone() {
            exchange_seconds(&self.ranks, probe.model)?
        } else {
            0.0
        };
        let epochs = if self.ranks.is_first() {
            self.epochs(state, probe, exchange_s)?
        } else {
            self.config.train.epochs
        };
        Ok(self.ranks.of_first(Ok(epochs))?)
    }

    /// The number of epochs: that of the recipe or, with a time budget, what fits into it, which is decided
    /// once and is part of every checkpoint. A step takes `exchange_s` longer than on one rank.
    fn epochs(
        &self,
        state: Option<&State>,
        probe: &Probe<'_, M>,
        exchange_s: f64,
    ) -> Result<usize, FitError> {
        let train = &self.config.train;
        let Some(budget) = self.config.share_of_budget()? else {
            return Ok(train.epochs);
        };
        if let Some(state) = state {
            return Ok(state.epochs());
        }
        (self.on_note)(&format!(
            "`train.budget` {}: measuring the time of an epoch",
            train.budget
        ));
        let steps = probe
            .train
            .num_batches()
            .div_ceil(train.gradient_accumulation);
        let epoch_s = probe.epoch_seconds(MEASURED * budget)? + exchange_s * steps as f64;
        let plan = Plan {
            text: &train.budget,
            left_s: budget - probe.started.elapsed().as_secs_f64(),
            trainings: self.config.trainings,
            epoch_s,
            most: train.epochs,
        };
        let epochs = plan.epochs()?;
        (self.on_note)(&plan.note(epochs));
        if let Some(dir) = &self.dir
            && let Err(error) = write_length(dir, "epochs", epochs)
        {
            (self.on_note)(&format!(
                "warning: the number of epochs is not in `recipe.toml`: {error}"
            ));
        }
        Ok(epochs)
    }
}

/// The loss in the output of a training step, with its weight in the mean of the epoch.
fn loss_of<M: LearnerModel>(output: &<M as TrainStep>::Output) -> Result<(f64, usize), TrainError>
where
    <M as TrainStep>::Output: Adaptor<LossInput>,
{
    let mut metric = LossMetric::new();
    let metadata = MetricMetadata {
        progress: Progress::new(0, 1, None),
        iteration: None,
        lr: None,
    };
    let read = metric.update(&output.adapt(), &metadata);
    read.map_err(|error| TrainError::Exchange(error.to_string()))?;
    Ok(match metric.value() {
        Some(NumericEntry::Aggregated {
            aggregated_value,
            count,
        }) => (aggregated_value, count),
        Some(value) => (value.current(), 1),
        None => (f64::NAN, 1),
    })
}

/// Why [`Trainer::fit`] failed.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// An invalid configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A dataset that cannot be batched.
    #[error("cannot make batches")]
    Loader(#[from] LoaderError),
    /// The model has no parameters.
    #[error("the model has no parameters")]
    NoParameters,
    /// The learning strategy was replaced in `extend`.
    #[error("the training loop was replaced by another and did not run")]
    NotRun,
    /// Training failed or was interrupted.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl FitError {
    /// What other ranks hear of it.
    fn for_ranks(&self) -> (ErrorKind, String) {
        let kind = match self {
            Self::Config(_) | Self::Loader(_) => ErrorKind::User,
            Self::Train(error) => error.kind(),
            Self::NoParameters | Self::NotRun => ErrorKind::Internal,
        };
        (kind, error_chain(self))
    }
}

/// Whether the backward pass would find the model's parameters.
fn is_tracked<M: Module>(model: &M) -> bool {
    model.devices().first().is_some_and(Device::is_autodiff)
}
