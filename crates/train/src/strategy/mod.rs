//! The training loop, as a learning strategy of burn-train.
//!
//! burn-train computes the metrics, draws them and can stop the loop from outside. What is done
//! here instead of in its own strategy: gradients are averaged and clipped by their global norm,
//! the weights are averaged over time, the state can be saved at any step, and no error is lost.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator as _, Progress};
use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::store::RecordError;
use burn::tensor::{Bytes, Device};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::{
    InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainOutput, TrainStep, TrainingComponents,
    TrainingError, TrainingItem, ValidLoader,
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::loader::{Batches, Loader};
use tinderbox_datasets::random::stream;

use super::checkpoint::{CheckpointContents, CheckpointError, Store};
use super::config::TrainConfig;
use super::ema::Ema;
use super::event_queue::{Event, Relay};
use super::gradients::{average, clip_global_norm};
use super::log::{LogState, Metrics, MetricsFile};
use super::param_groups::ParamGroups;
use super::saving::Saving;
use super::schedule::PlateauState;
use super::weights::{weights_from_bytes, weights_to_bytes};
use tinderbox_predict::model_dir::ModelError;

/// Keeps the device's random stream apart from those of the data.
const STEP: u64 = 4;

/// Why training ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A batch could not be loaded.
    #[error("cannot load a training batch")]
    Data(#[source] DatasetError),
    /// The loss is NaN or infinite.
    #[error(
        "the loss is no longer finite at step {step}; the last good state is kept: try a lower \
         `optimizer.learning_rate` or a `train.clip_norm` of 1"
    )]
    NotFinite {
        /// The first such step, from 1.
        step: usize,
    },
    /// The interrupt signal, or the dashboard's stop key.
    #[error("interrupted after step {step}, state saved")]
    Interrupted {
        /// Steps done.
        step: usize,
    },
    /// The monitored metric does not exist.
    #[error("`train.monitor` is `{name}`, but the validation metrics are {}", known.join(", "))]
    UnknownMonitor {
        /// What the recipe says.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A state could not be turned into bytes or back.
    #[error("cannot {action}: {source}")]
    Record {
        /// What was attempted.
        action: &'static str,
        /// Why.
        source: RecordError,
    },
    /// The device has no memory left for a step.
    #[error(
        "the device is out of memory at step {step} with batches of {batch_size}: try \
         `train.batch_size` {}, with `train.gradient_accumulation` 2 for the same steps", batch_size.div_ceil(2)
    )]
    OutOfMemory {
        /// The first such step, from 1.
        step: usize,
        /// Items in a batch.
        batch_size: usize,
    },
    /// The device gave up.
    #[error("the device failed at step {step}: {message}")]
    Device {
        /// The first such step, from 1.
        step: usize,
        /// What it said.
        message: String,
    },
    /// The metrics file could not be written.
    #[error("cannot write the metrics")]
    Metrics(#[source] std::io::Error),
    /// The checkpoint belongs to another run.
    #[error("the checkpoint is of another recipe, model or version: {0}")]
    Foreign(String),
    /// The checkpoint was made with other data.
    #[error(
        "the data changed since the checkpoint was written: restore the data to resume, or start a \
         new run"
    )]
    DataChanged,
    /// The best weights so far cannot be kept.
    #[error(transparent)]
    Best(#[from] ModelError),
    /// burn-train stopped with an error of its own.
    #[error("training stopped: {0}")]
    Burn(Arc<TrainingError>),
}

impl TrainError {
    /// Whether the user's recipe or data are wrong, as opposed to anything else.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Data(_)
                | Self::UnknownMonitor { .. }
                | Self::Foreign(_)
                | Self::DataChanged
                | Self::Best(ModelError::NotFinite(_))
        )
    }
}

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

/// What a checkpoint holds besides weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    identity: String,
    /// Epoch under way, from 1, and batches of it done.
    epoch: usize,
    batch: usize,
    /// Optimizer steps done.
    step: usize,
    samples: usize,
    best: Option<Best>,
    waited: usize,
    plateau: PlateauState,
    finished: bool,
    stopped_early: bool,
    /// Epochs and patience of the recipe, which a resumed run may raise.
    length: [usize; 2],
    timings: Timings,
    log: LogState,
}

impl State {
    fn new(identity: String, config: &TrainConfig) -> Self {
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
        }
    }

    /// Decides anew whether training is over if it may be longer than when the state was saved.
    fn set_length(&mut self, [epochs, patience]: [usize; 2]) {
        if self.length == [epochs, patience] {
            return;
        }
        self.length = [epochs, patience];
        let stop = patience > 0 && self.waited >= patience;
        self.stopped_early = stop && self.epoch <= epochs;
        self.finished = stop || self.epoch > epochs;
    }
}

/// The best epoch so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) epoch: usize,
    pub(crate) value: f64,
    pub(crate) valid: Metrics,
}

/// What the loop leaves behind.
pub(crate) struct Outcome<M> {
    pub(crate) model: M,
    pub(crate) best: Best,
    pub(crate) epochs: usize,
    pub(crate) steps: usize,
    pub(crate) samples: usize,
    pub(crate) timings: Timings,
    pub(crate) stopped_early: bool,
}

type TrainInput<M> = <M as TrainStep>::Input;

/// All that [`Strategy`] needs, prepared by [`super::Trainer`].
pub(crate) struct Job<M: LearnerModel> {
    pub(crate) config: TrainConfig,
    pub(crate) identity: String,
    pub(crate) rates: ParamGroups,
    pub(crate) model: M,
    pub(crate) device: Device,
    pub(crate) feed: Box<dyn Feed<TrainInput<M>>>,
    pub(crate) store: Option<Store>,
    pub(crate) parts: Option<CheckpointContents>,
    pub(crate) metrics: MetricsFile,
    /// Stops that burn-train's own interrupter may lose (its dashboard resets it).
    pub(crate) interrupter: Interrupter,
    pub(crate) on_step: Option<Box<StepListener<M>>>,
    pub(crate) on_best: Option<Box<BestListener<M>>>,
}

/// Sees the model after an epoch that is the best so far.
pub type BestListener<M> = dyn FnMut(&M) -> Result<(), ModelError> + Send;

/// Sees the model and its gradients between the backward pass and the update.
pub type StepListener<M> = dyn FnMut(&M, &GradientsParams, usize) + Send;

/// Training batches, from any epoch and batch on.
pub(crate) trait Feed<O>: Send {
    fn batches(&self, epoch: usize, first: usize) -> Batches<O>;
    fn num_batches(&self) -> usize;
    fn num_items(&self) -> usize;
}

impl<I: 'static, O: Send + 'static> Feed<O> for Arc<Loader<I, O>> {
    fn batches(&self, epoch: usize, first: usize) -> Batches<O> {
        self.iter_from(epoch, first)
    }
    fn num_batches(&self) -> usize {
        Loader::num_batches(self)
    }
    fn num_items(&self) -> usize {
        burn::data::dataloader::DataLoader::num_items(self.as_ref())
    }
}

/// The log part of a stored state, which is needed before the rest.
pub(crate) fn log_state(parts: Option<&CheckpointContents>) -> Result<LogState, TrainError> {
    Ok(parts
        .map(state_of)
        .transpose()?
        .map(|state| state.log)
        .unwrap_or_default())
}

/// The epoch that a stored state stands in, from 1.
pub(crate) fn epoch(parts: Option<&CheckpointContents>) -> Result<usize, TrainError> {
    Ok(parts
        .map(state_of)
        .transpose()?
        .map_or(1, |state| state.epoch))
}

fn state_of(parts: &CheckpointContents) -> Result<State, TrainError> {
    serde_json::from_value(parts.state.clone())
        .map_err(|error| TrainError::Foreign(error.to_string()))
}

/// How the line of an identity starts that has the hash of the data.
const DATA: &str = "data ";

/// Whether a stored state is of the run that `identity` names.
pub(crate) fn check_identity(parts: &CheckpointContents, identity: &str) -> Result<(), TrainError> {
    let found = state_of(parts)?.identity;
    if found == identity {
        return Ok(());
    }
    let differs = identity
        .lines()
        .zip(found.lines())
        .find(|(ours, theirs)| ours != theirs);
    if differs.is_some_and(|(ours, _)| ours.starts_with(DATA)) {
        return Err(TrainError::DataChanged);
    }
    Err(TrainError::Foreign(match differs {
        Some((ours, theirs)) => format!("it has `{theirs}` where this run has `{ours}`"),
        None => "they differ in length".to_owned(),
    }))
}

/// Runs a [`Job`] once.
pub(crate) struct Strategy<M: LearnerModel> {
    job: Mutex<Option<Job<M>>>,
    outcome: Mutex<Option<Result<Outcome<M>, TrainError>>>,
}

impl<M: LearnerModel> Strategy<M> {
    pub(crate) fn new(job: Job<M>) -> Self {
        Self {
            job: Mutex::new(Some(job)),
            outcome: Mutex::new(None),
        }
    }

    pub(crate) fn outcome(&self) -> Option<Result<Outcome<M>, TrainError>> {
        self.outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl<M: LearnerModel> SupervisedLearningStrategy<M> for Strategy<M> {
    fn fit(
        &self,
        components: TrainingComponents<M>,
        learner: Learner<M>,
        _train: TrainLoader<M>,
        valid: ValidLoader<M>,
        _starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let job = self
            .job
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut events = Events {
            relay: Relay::new(components.event_processor, components.interrupter.clone()),
            interrupter: components.interrupter,
            early_stopping: components.early_stopping.map(|mut strategy| {
                let should_stop = move |epoch, store: &_| strategy.should_stop(epoch, store);
                Box::new(should_stop) as EarlyStopping
            }),
            store: components.event_store,
            valid,
        };
        if let Some(job) = job {
            let _saving = job.store.is_some().then(Saving::begin);
            let outcome = Run::start(job).and_then(|run| run.train(&mut events));
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
        (learner.model(), events.relay.end())
    }
}

/// Whether to stop after an epoch.
type EarlyStopping = Box<dyn FnMut(usize, &EventStoreClient) -> bool>;

/// burn-train's side of the loop.
struct Events<M: LearnerModel> {
    relay: Relay<M>,
    interrupter: Interrupter,
    early_stopping: Option<EarlyStopping>,
    store: Arc<EventStoreClient>,
    valid: ValidLoader<M>,
}

impl<M: LearnerModel> Events<M> {
    fn train(&mut self, event: LearnerEvent<<M as TrainStep>::Output>) {
        self.relay.send(Event::Train(event));
    }

    fn valid(&mut self, event: LearnerEvent<<M as InferenceStep>::Output>) {
        self.relay.send(Event::Valid(event));
    }

    /// Waits until every event so far has reached the metrics file.
    fn flush(&mut self) {
        self.relay.flush();
        // The store has a queue of its own, which answers in order: any question empties it.
        let _ = self
            .store
            .find_metric("", 0, Aggregate::Mean, &Split::Train);
    }
}

struct Run<M: LearnerModel> {
    job: Job<M>,
    model: M,
    optimizer: ModuleOptimizer,
    ema: Option<Ema<M>>,
    best_weights: Option<Vec<u8>>,
    state: State,
    /// The metrics when the latest epoch was trained, and not validated.
    trained: LogState,
    total_steps: usize,
}

impl<M: LearnerModel> Run<M> {
    fn start(job: Job<M>) -> Result<Self, TrainError> {
        let model = job.model.clone();
        let config = &job.config;
        let ema = (config.train.ema_decay > 0.0).then(|| Ema::new(&model, config.train.ema_decay));
        let steps = job
            .feed
            .num_batches()
            .div_ceil(config.train.gradient_accumulation);
        let total_steps = steps * config.train.epochs;
        let optimizer = config.optimizer.init();
        let state = State::new(job.identity.clone(), &job.config);
        let mut run = Self {
            model,
            optimizer,
            ema,
            best_weights: None,
            state,
            trained: LogState::default(),
            total_steps,
            job,
        };
        if let Some(parts) = run.job.parts.take() {
            run.restore(parts)?;
        }
        Ok(run)
    }

    fn train(mut self, events: &mut Events<M>) -> Result<Outcome<M>, TrainError> {
        if self.state.step == 0 && self.state.batch == 0 {
            // Finds a folder that cannot be written now and not after an hour.
            self.save(events)?;
        }
        while !self.state.finished {
            self.train_epoch(events)?;
            let improved = self.validate(events)?;
            let epoch = self.state.epoch;
            events.train(LearnerEvent::EndEpoch(epoch));
            self.state
                .plateau
                .end_epoch(&self.job.config.schedule, improved);
            self.state.waited = if improved { 0 } else { self.state.waited + 1 };
            let patience = self.job.config.train.patience;
            let mut stop = patience > 0 && self.state.waited >= patience;
            if let Some(should_stop) = &mut events.early_stopping {
                stop |= should_stop(epoch, &events.store);
            }
            self.state.epoch += 1;
            self.state.batch = 0;
            self.state.stopped_early = stop && epoch < self.job.config.train.epochs;
            self.state.finished = stop || epoch >= self.job.config.train.epochs;
            self.save(events)?;
            if !self.state.finished {
                self.check_interrupt(events)?;
            }
        }
        self.finish()
    }

    fn train_epoch(&mut self, events: &mut Events<M>) -> Result<(), TrainError> {
        let epoch = self.state.epoch;
        let total_items = self.job.feed.num_items();
        events.train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        });
        let accumulation = self.job.config.train.gradient_accumulation;
        let every = self.job.config.train.checkpoint_every;
        let last = self.job.feed.num_batches();
        let mut batches = self.job.feed.batches(epoch, self.state.batch);
        let mut group = GradientsAccumulator::new();
        let mut in_group = 0;
        while self.state.batch < last {
            let waiting = Instant::now();
            let Some(batch) = batches.next() else { break };
            let batch = batch.map_err(TrainError::Data)?;
            self.state.timings.data_s += seconds(waiting.elapsed());

            let computing = Instant::now();
            self.seed_device();
            let model = &self.model;
            let TrainOutput { grads, item } = self.guard(|| TrainStep::step(model, batch))?;
            self.state.batch += 1;
            in_group += 1;
            let full = in_group == accumulation || self.state.batch == last;
            let rate = self.job.rates.at(self.learning_rate());
            if accumulation == 1 {
                self.update(grads, 1, rate.clone());
            } else {
                group.accumulate(&self.model, grads);
                if full {
                    self.update(group.grads(), in_group, rate.clone());
                }
            }
            self.state.timings.compute_s += seconds(computing.elapsed());

            let progress = batches.progress();
            self.state.samples = (epoch - 1) * total_items + progress.items_processed;
            let item = TrainingItem::new(item, progress, Some(self.state.batch), Some(rate));
            events.train(LearnerEvent::ProcessedItem(item));
            if full {
                in_group = 0;
                if every > 0 && self.state.step.is_multiple_of(every) && self.state.batch < last {
                    self.save(events)?;
                }
                self.check_interrupt(events)?;
            }
        }
        drop(batches);
        events.flush();
        self.check_metrics(events)?;
        // The last safe point: after it the epoch's means are logged, and its validation is not.
        self.trained = self.job.metrics.state();
        events.train(LearnerEvent::EndSplit(epoch));
        events.flush();
        self.check_metrics(events)
    }

    /// Turns the panic of a backend, which is how it reports a full memory, into an error.
    fn guard<T>(&self, compute: impl FnOnce() -> T) -> Result<T, TrainError> {
        catch_unwind(AssertUnwindSafe(compute)).map_err(|panic| {
            let step = self.state.step + 1;
            let message = panic_message(panic.as_ref());
            if message.to_lowercase().contains("out of memory") {
                let batch_size = self.job.config.train.batch_size;
                TrainError::OutOfMemory { step, batch_size }
            } else {
                TrainError::Device { step, message }
            }
        })
    }

    /// One step of the optimizer with a sum of `count` gradients.
    fn update(&mut self, grads: GradientsParams, count: usize, rate: ModuleLearningRate) {
        let mut grads = average(&self.model, grads, count);
        let limit = self.job.config.train.clip_norm;
        if limit > 0.0 {
            grads = clip_global_norm(&self.model, grads, limit);
        }
        self.state.step += 1;
        if let Some(listener) = &mut self.job.on_step {
            listener(&self.model, &grads, self.state.step);
        }
        // Handed over whole: weights that nobody else holds are updated in place.
        let model = std::mem::replace(&mut self.model, self.job.model.clone());
        self.model = self.optimizer.step(rate, model, grads);
        if let Some(ema) = &mut self.ema {
            ema.update(&self.model, self.state.step);
        }
    }

    fn learning_rate(&self) -> f64 {
        let factor = self
            .job
            .config
            .schedule
            .factor(self.state.step, self.total_steps);
        // A rate of exactly 0 is a step lost.
        (self.job.config.optimizer.learning_rate() * factor * self.state.plateau.scale())
            .max(f64::MIN_POSITIVE)
    }

    /// Makes dropout a function of the seed and the step: Burn's generator cannot be saved.
    fn seed_device(&self) {
        let words = [STEP, self.state.epoch as u64, self.state.batch as u64];
        let seed = stream(self.job.config.train.seed, &words).next_u64();
        self.job.device.seed(seed);
    }

    /// Validates, remembers the weights if none were better, and says whether all were worse.
    #[expect(
        clippy::float_cmp,
        reason = "equal scores of whole counts are equal to the bit"
    )]
    fn validate(&mut self, events: &mut Events<M>) -> Result<bool, TrainError> {
        let started = Instant::now();
        let epoch = self.state.epoch;
        let total_items = events.valid.num_items();
        events.valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        });
        let model = self.inference_model();
        let valid = Arc::clone(&events.valid);
        let mut batches = valid.iter();
        let mut number = 0;
        while let Some(batch) = batches.next() {
            let item = InferenceStep::step(&model, batch.map_err(TrainError::Data)?);
            number += 1;
            let progress: Progress = batches.progress();
            let item = TrainingItem::new(item, progress, Some(number), None);
            events.valid(LearnerEvent::ProcessedItem(item));
            if self.is_interrupted(events) {
                self.save_at(events, Some(self.trained.clone()))?;
                let step = self.state.step;
                return Err(TrainError::Interrupted { step });
            }
        }
        events.valid(LearnerEvent::EndSplit(epoch));
        events.flush();
        self.check_metrics(events)?;
        let metrics = self.job.metrics.valid();
        let config = &self.job.config.train;
        let Some(&value) = metrics.get(&config.monitor) else {
            let known = metrics.into_keys().collect();
            return Err(TrainError::UnknownMonitor {
                name: config.monitor.clone(),
                known,
            });
        };
        let best = self.state.best.as_ref();
        let improved = best.is_none_or(|best| config.monitor_mode.improves(value, best.value));
        // Of equals the latest is kept: it has seen more, at a lower rate.
        if improved || best.is_some_and(|best| value == best.value) {
            self.state.best = Some(Best {
                epoch,
                value,
                valid: metrics,
            });
            self.best_weights = Some(weights(&model)?);
            if let Some(listener) = &mut self.job.on_best {
                listener(&model)?;
            }
        }
        self.state.timings.valid_s += seconds(started.elapsed());
        Ok(improved)
    }

    fn inference_model(&self) -> M {
        self.ema
            .as_ref()
            .map_or_else(|| self.model.valid(), |ema| ema.model().clone())
    }

    /// Saves and stops if somebody asked for it.
    fn check_interrupt(&mut self, events: &mut Events<M>) -> Result<(), TrainError> {
        self.check_metrics(events)?;
        if self.is_interrupted(events) {
            self.save(events)?;
            return Err(TrainError::Interrupted {
                step: self.state.step,
            });
        }
        Ok(())
    }

    fn is_interrupted(&self, events: &Events<M>) -> bool {
        self.job.interrupter.should_stop() || events.interrupter.should_stop()
    }

    fn check_metrics(&self, events: &Events<M>) -> Result<(), TrainError> {
        if let Some(step) = self.job.metrics.not_finite() {
            return Err(TrainError::NotFinite { step });
        }
        if let Some(error) = self.job.metrics.failure() {
            return Err(TrainError::Metrics(error));
        }
        let interrupter = &events.interrupter;
        interrupter
            .error()
            .map_or(Ok(()), |error| Err(TrainError::Burn(error)))
    }

    fn save(&mut self, events: &mut Events<M>) -> Result<(), TrainError> {
        self.save_at(events, None)
    }

    /// Saves the state, with that of the metrics at an earlier point if one is given.
    fn save_at(&mut self, events: &mut Events<M>, log: Option<LogState>) -> Result<(), TrainError> {
        let started = Instant::now();
        events.flush();
        // A state after a loss that is not finite is no good state.
        self.check_metrics(events)?;
        let latest = self.job.metrics.checkpoint().map_err(TrainError::Metrics)?;
        self.state.log = log.unwrap_or(latest);
        let Some(store) = &self.job.store else {
            return Ok(());
        };
        let mut blobs = BTreeMap::new();
        // `valid` also takes in the running statistics of the latest batch.
        blobs.insert("model".to_owned(), weights(&self.model.valid())?);
        let optimizer = self
            .optimizer
            .into_bytes()
            .map_err(|source| TrainError::Record {
                action: "save the optimizer",
                source,
            })?;
        blobs.insert("optimizer".to_owned(), optimizer.to_vec());
        if let Some(ema) = &self.ema {
            blobs.insert("ema".to_owned(), weights(ema.model())?);
        }
        if let Some(best) = &self.best_weights {
            blobs.insert("best".to_owned(), best.clone());
        }
        let state = serde_json::to_value(&self.state)
            .map_err(|error| TrainError::Foreign(error.to_string()))?;
        store.save(self.state.step, &CheckpointContents { state, blobs })?;
        self.state.timings.checkpoint_s += seconds(started.elapsed());
        Ok(())
    }

    fn restore(&mut self, mut parts: CheckpointContents) -> Result<(), TrainError> {
        self.state = state_of(&parts)?;
        let train = &self.job.config.train;
        self.state.set_length([train.epochs, train.patience]);
        let mut part = |name: &str| parts.blobs.remove(name);
        let missing = |name: &str| TrainError::Foreign(format!("`{name}` is missing"));
        let model = part("model").ok_or_else(|| missing("model"))?;
        self.model = load(self.model.valid(), model)?.train();
        let optimizer = part("optimizer").ok_or_else(|| missing("optimizer"))?;
        self.optimizer = self
            .job
            .config
            .optimizer
            .init()
            .from_bytes(Bytes::from_bytes_vec(optimizer))
            .map_err(|source| TrainError::Record {
                action: "load the optimizer",
                source,
            })?;
        if let Some(ema) = &mut self.ema {
            let stored = part("ema").ok_or_else(|| missing("ema"))?;
            let shadow = load(self.model.valid(), stored)?;
            ema.set(shadow);
        }
        self.best_weights = part("best");
        Ok(())
    }

    fn finish(self) -> Result<Outcome<M>, TrainError> {
        let missing = || TrainError::Foreign("it has no best weights".to_owned());
        let best = self.state.best.ok_or_else(missing)?;
        let stored = self.best_weights.ok_or_else(missing)?;
        Ok(Outcome {
            model: load(self.model.valid(), stored)?,
            best,
            epochs: self.state.epoch - 1,
            steps: self.state.step,
            samples: self.state.samples,
            timings: self.state.timings,
            stopped_early: self.state.stopped_early,
        })
    }
}

fn weights<M: Module>(model: &M) -> Result<Vec<u8>, TrainError> {
    weights_to_bytes(model).map_err(|source| TrainError::Record {
        action: "save the weights",
        source,
    })
}

fn load<M: Module>(model: M, bytes: Vec<u8>) -> Result<M, TrainError> {
    weights_from_bytes(model, bytes).map_err(|source| TrainError::Record {
        action: "load the weights",
        source,
    })
}

/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a word").to_owned()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
