//! The loop: epochs of optimizer steps, each followed by a validation and a checkpoint.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator as _, Progress};
use burn::tensor::Device;
use burn::train::{InferenceStep, Interrupter, LearnerEvent, LearnerModel, TrainingItem};
use rand::Rng as _;
use tinderbox_datasets::random::stream;

use super::error::TrainError;
use super::events::Events;
use super::state::{Best, State, Timings};
use super::step::{Stepper, weights};
use super::{BestListener, Feed, Job, TrainInput};
use crate::checkpoint::{CheckpointContents, Store};
use crate::config::TrainConfig;
use crate::log::{LogState, Metrics, MetricsFile};
use crate::param_groups::ParamGroups;

/// Keeps the device's random stream apart from those of the data.
const STEP: u64 = 4;

/// The result of the loop.
pub(crate) struct Outcome<M> {
    /// The weights of the best epoch, ready for inference.
    pub(crate) model: M,
    pub(crate) best: Best,
    pub(crate) epochs: usize,
    pub(crate) steps: usize,
    pub(crate) samples: usize,
    pub(crate) timings: Timings,
    pub(crate) stopped_early: bool,
}

pub(super) struct TrainingLoop<M: LearnerModel> {
    config: TrainConfig,
    rates: ParamGroups,
    device: Device,
    feed: Box<dyn Feed<TrainInput<M>>>,
    store: Option<Store>,
    metrics: MetricsFile,
    interrupter: Interrupter,
    on_best: Option<Box<BestListener<M>>>,
    stepper: Stepper<M>,
    best_weights: Option<Vec<u8>>,
    state: State,
    /// The metrics when the latest epoch was trained, and not validated.
    trained: LogState,
    total_steps: usize,
}

impl<M: LearnerModel> TrainingLoop<M> {
    /// The loop at its first step, or at that of the job's checkpoint.
    pub(super) fn start(job: Job<M>) -> Result<Self, TrainError> {
        let config = job.config;
        let steps = job
            .feed
            .num_batches()
            .div_ceil(config.train.gradient_accumulation);
        let mut started = Self {
            stepper: Stepper::new(job.model, &config, job.on_step, job.weight_events),
            best_weights: None,
            state: State::new(job.identity, &config),
            trained: LogState::default(),
            total_steps: steps * config.train.epochs,
            rates: job.rates,
            device: job.device,
            feed: job.feed,
            store: job.store,
            metrics: job.metrics,
            interrupter: job.interrupter,
            on_best: job.on_best,
            config,
        };
        if let Some(checkpoint) = job.checkpoint {
            started.restore(checkpoint)?;
        }
        Ok(started)
    }

    pub(super) fn train(mut self, events: &mut Events<M>) -> Result<Outcome<M>, TrainError> {
        if self.state.step == 0 && self.state.batch == 0 {
            // Finds a folder that cannot be written now and not after an hour.
            self.save(events)?;
        }
        while !self.state.finished {
            self.train_epoch(events)?;
            let improved = self.validate(events)?;
            let epoch = self.state.epoch;
            events.train(LearnerEvent::EndEpoch(epoch));
            let stop = events.should_stop(epoch);
            self.state.end_epoch(&self.config, improved, stop);
            self.save(events)?;
            if !self.state.finished {
                self.check_interrupt(events)?;
            }
        }
        self.finish()
    }

    fn train_epoch(&mut self, events: &mut Events<M>) -> Result<(), TrainError> {
        let epoch = self.state.epoch;
        let total_items = self.feed.num_items();
        events.train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        });
        let every = self.config.train.checkpoint_every;
        let last = self.feed.num_batches();
        let mut batches = self.feed.batches(epoch, self.state.batch);
        while self.state.batch < last {
            let waiting = Instant::now();
            let Some(batch) = batches.next() else { break };
            let batch = batch.map_err(TrainError::Data)?;
            self.state.timings.data_s += seconds(waiting.elapsed());

            let computing = Instant::now();
            self.seed_device();
            let is_last = self.state.batch + 1 == last;
            let step = self.state.step + 1;
            let (item, sum) = self.stepper.accumulate(batch, step, is_last)?;
            self.state.batch += 1;
            let rate = self.rates.at(self.learning_rate());
            let stepped = sum.is_some();
            if let Some(sum) = sum {
                // Replicas add up their sums here.
                self.stepper.apply(sum, rate.clone(), step);
                self.state.step = step;
            }
            self.state.timings.compute_s += seconds(computing.elapsed());

            let progress = batches.progress();
            self.state.samples = (epoch - 1) * total_items + progress.items_processed;
            events.train_item(TrainingItem::new(
                item,
                progress,
                Some(self.state.batch),
                Some(rate),
            ));
            if stepped {
                if every > 0 && step.is_multiple_of(every) && !is_last {
                    self.save(events)?;
                }
                self.check_interrupt(events)?;
            }
        }
        drop(batches);
        events.flush();
        self.check_metrics(events)?;
        // The last safe point: after it the epoch's means are logged, and its validation is not.
        self.trained = self.metrics.state();
        events.train(LearnerEvent::EndSplit(epoch));
        events.flush();
        self.check_metrics(events)
    }

    fn learning_rate(&self) -> f64 {
        let factor = self
            .config
            .schedule
            .factor(self.state.step, self.total_steps);
        // A rate of exactly 0 is a step lost.
        (self.config.optimizer.learning_rate() * factor * self.state.plateau.scale())
            .max(f64::MIN_POSITIVE)
    }

    /// Makes dropout a function of the seed and the step: Burn's generator cannot be saved.
    fn seed_device(&self) {
        let words = [STEP, self.state.epoch as u64, self.state.batch as u64];
        let seed = stream(self.config.train.seed, &words).next_u64();
        self.device.seed(seed);
    }

    /// Validates, keeps the weights if none were better, and returns whether all were worse.
    fn validate(&mut self, events: &mut Events<M>) -> Result<bool, TrainError> {
        let started = Instant::now();
        let model = self.stepper.inference_model();
        self.measure(&model, events)?;
        let metrics = self.metrics.valid();
        let improved = self.keep_best(&model, metrics)?;
        self.state.timings.valid_s += seconds(started.elapsed());
        Ok(improved)
    }

    /// Runs the model on the validation split, whose metrics are then in the metrics file.
    fn measure(&mut self, model: &M, events: &mut Events<M>) -> Result<(), TrainError> {
        let epoch = self.state.epoch;
        let total_items = events.valid_loader().num_items();
        events.valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        });
        let loader = events.valid_loader();
        let mut batches = loader.iter();
        let mut number = 0;
        while let Some(batch) = batches.next() {
            let item = InferenceStep::step(model, batch.map_err(TrainError::Data)?);
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
        self.check_metrics(events)
    }

    #[expect(
        clippy::float_cmp,
        reason = "equal scores of whole counts are equal to the bit"
    )]
    fn keep_best(&mut self, model: &M, metrics: Metrics) -> Result<bool, TrainError> {
        let config = &self.config.train;
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
                epoch: self.state.epoch,
                value,
                valid: metrics,
            });
            self.best_weights = Some(weights(model)?);
            if let Some(listener) = &mut self.on_best {
                listener(model)?;
            }
        }
        Ok(improved)
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
        self.interrupter.should_stop() || events.is_interrupted()
    }

    fn check_metrics(&mut self, events: &Events<M>) -> Result<(), TrainError> {
        if let Some(step) = self.metrics.not_finite() {
            return Err(TrainError::NotFinite { step });
        }
        let failure = self.metrics.failure();
        if let Some(error) = failure.or_else(|| self.stepper.failure()) {
            return Err(TrainError::Metrics(error));
        }
        events.error().map_or(Ok(()), Err)
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
        let latest = self.metrics.checkpoint().map_err(TrainError::Metrics)?;
        self.state.log = log.unwrap_or(latest);
        let Some(store) = &self.store else {
            return Ok(());
        };
        let mut blobs = BTreeMap::new();
        self.stepper.save(&mut blobs)?;
        if let Some(best) = &self.best_weights {
            blobs.insert("best".to_owned(), best.clone());
        }
        let state = serde_json::to_value(&self.state)
            .map_err(|error| TrainError::Foreign(error.to_string()))?;
        store.save(self.state.step, &CheckpointContents { state, blobs })?;
        self.state.timings.checkpoint_s += seconds(started.elapsed());
        Ok(())
    }

    fn restore(&mut self, mut checkpoint: CheckpointContents) -> Result<(), TrainError> {
        self.state = State::of(&checkpoint)?;
        let train = &self.config.train;
        self.state.set_length([train.epochs, train.patience]);
        self.stepper
            .restore(&mut checkpoint, &self.config.optimizer)?;
        self.best_weights = checkpoint.blobs.remove("best");
        Ok(())
    }

    fn finish(self) -> Result<Outcome<M>, TrainError> {
        let missing = || TrainError::Foreign("it has no best weights".to_owned());
        let best = self.state.best.ok_or_else(missing)?;
        let stored = self.best_weights.ok_or_else(missing)?;
        Ok(Outcome {
            model: self.stepper.with_weights(stored)?,
            best,
            epochs: self.state.epoch - 1,
            steps: self.state.step,
            samples: self.state.samples,
            timings: self.state.timings,
            stopped_early: self.state.stopped_early,
        })
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
