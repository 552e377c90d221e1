//! The loop: epochs of optimizer steps, each followed by a validation and a checkpoint.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator as _, Progress};
use burn::tensor::Device;
use burn::train::{
    InferenceStep, Interrupter, LearnerEvent, LearnerModel, TrainStep, TrainingItem,
};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::random::stream;

use super::error::TrainError;
use super::events::Events;
use super::exchange::Packed;
use super::state::{Best, State, Timings};
use super::step::{GradientSum, Stepper, weights};
use super::{BestListener, Feed, Job, LossOf, TrainInput};
use crate::checkpoint::{CheckpointContents, Store};
use crate::config::TrainConfig;
use crate::log::{LogState, Metrics, MetricsFile};
use crate::param_groups::ParamGroups;
use crate::ranks::Ranks;

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
    ranks: Ranks,
    loss: Box<LossOf<M>>,
    /// Whether a batch has a loss for each of its items.
    loss_is_by_item: bool,
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
            state: State::new(job.identity, &config, job.ranks.size()),
            trained: LogState::default(),
            total_steps: steps * config.train.epochs,
            rates: job.rates,
            device: job.device,
            feed: job.feed,
            store: job.store,
            metrics: job.metrics,
            ranks: job.ranks,
            loss: job.loss,
            loss_is_by_item: false,
            interrupter: job.interrupter,
            on_best: job.on_best,
            config,
        };
        let restored = match job.checkpoint {
            Some(checkpoint) => started.restore(checkpoint),
            None => started.share_weights(),
        };
        match restored.and_then(|()| started.prepare_exchange()) {
            Ok(()) => Ok(started),
            Err(error) => Err(started.ranks.fail(error)),
        }
    }

    /// Begins with the weights of rank 0: the same seed may draw others on another device.
    fn share_weights(&mut self) -> Result<(), TrainError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let own = if self.ranks.is_first() {
            self.stepper.weights()
        } else {
            Ok(Vec::new())
        };
        let mut all = self.ranks.share(own)?;
        if self.ranks.is_first() {
            return Ok(());
        }
        self.stepper.set_weights(all.swap_remove(0))
    }

    fn prepare_exchange(&mut self) -> Result<(), TrainError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let synchronized = self.config.train.sync_batch_norm;
        self.stepper
            .on_ranks(synchronized.then(|| self.ranks.clone()))
    }

    /// Trains to the end. A failure ends all ranks.
    pub(super) fn train(mut self, events: &mut Events<M>) -> Result<Outcome<M>, TrainError> {
        match self.run(events) {
            Ok(()) => self.finish(),
            Err(error) => Err(self.ranks.fail(error)),
        }
    }

    fn run(&mut self, events: &mut Events<M>) -> Result<(), TrainError> {
        if self.state.step == 0 && self.state.batch == 0 {
            // Finds a folder that cannot be written now and not after an hour.
            self.save(events)?;
        }
        while !self.state.finished {
            self.train_epoch(events)?;
            let Verdict { improved, stop, .. } = self.validate(events)?;
            self.state.end_epoch(&self.config, improved, stop);
            self.save(events)?;
            if !self.state.finished {
                let stop = self.stops_anywhere(events)?;
                self.check_interrupt(events, stop)?;
            }
        }
        Ok(())
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
            let share = self.feed.share(self.state.batch);
            let computed = self.compute(batch, step, is_last);
            let mut computed = self.tell(computed, share, events)?;
            self.state.batch += 1;
            let rate = self.rates.at(self.learning_rate());
            let stepped = computed.sum.is_some();
            if let Some(sum) = computed.sum.take() {
                let sum = self.stepper.add(&self.ranks, sum, computed.packed)?;
                self.stepper.apply(sum, rate.clone(), step);
                self.state.step = step;
            }
            self.state.timings.compute_s += seconds(computing.elapsed());

            let progress = batches.progress();
            self.state.samples = (epoch - 1) * total_items + progress.items_processed;
            // The only item that a rank has of a batch which is too small for it is that of another one.
            if share > 0.0 {
                events.train_item(TrainingItem::new(
                    computed.item,
                    progress,
                    Some(self.state.batch),
                    Some(rate),
                ));
            }
            if stepped {
                if every > 0 && step.is_multiple_of(every) && !is_last {
                    self.save(events)?;
                }
                let stop = if self.ranks.is_alone() {
                    self.is_interrupted(events)
                } else {
                    computed.stop
                };
                self.check_interrupt(events, stop)?;
            }
        }
        drop(batches);
        events.flush();
        self.check_metrics(events)?;
        // The last safe point: after it the epoch's means are logged, and its validation is not.
        self.trained = self.of_all_ranks(self.metrics.state())?;
        if self.ranks.is_first() {
            self.metrics.add_ranks(&self.trained);
        }
        events.train(LearnerEvent::EndSplit(epoch));
        events.flush();
        self.check_metrics(events)
    }

    /// Forward and backward pass of a batch, and what this rank sends of it.
    fn compute(
        &mut self,
        batch: TrainInput<M>,
        step: usize,
        is_last: bool,
    ) -> Result<Computed<M>, TrainError> {
        let share = self.feed.share(self.state.batch);
        let (item, sum) = self.stepper.accumulate(batch, step, is_last, share)?;
        let packed = sum.as_ref().map(|sum| self.stepper.pack(sum, share));
        let packed = packed.transpose()?.flatten();
        Ok(Computed {
            item,
            sum,
            packed,
            stop: false,
        })
    }

    /// Tells the other ranks that this one is well, with its loss and whether it is to stop.
    fn tell(
        &mut self,
        computed: Result<Computed<M>, TrainError>,
        share: f64,
        events: &Events<M>,
    ) -> Result<Computed<M>, TrainError> {
        if self.ranks.is_alone() {
            return computed;
        }
        let mut computed = computed?;
        // NaN times 0 is NaN, and an item that does not count may have such a loss.
        let own = if share > 0.0 {
            let (loss, count) = (self.loss)(&computed.item)?;
            Told {
                loss: share * loss,
                count,
                stop: false,
            }
        } else {
            Told::default()
        };
        let own = Told {
            stop: self.is_interrupted(events),
            ..own
        };
        let all = self.ranks.share(Ok(own.to_bytes()))?;
        let all: Option<Vec<Told>> = all.iter().map(|bytes| Told::of_bytes(bytes)).collect();
        let all = all.ok_or_else(|| self.ranks.out_of_step())?;
        if self.ranks.is_first() {
            let loss = all.iter().map(|told| told.loss).sum();
            // One for each item, or one for the batch, which is that of all ranks then.
            self.loss_is_by_item |= all.iter().any(|told| told.count > 1);
            let count = all.iter().map(|told| told.count).sum();
            let count = if self.loss_is_by_item { count } else { 1 };
            self.metrics.set_loss(self.state.batch, (loss, count));
        }
        computed.stop = all.iter().any(|told| told.stop);
        Ok(computed)
    }

    /// Whether any rank is to stop.
    fn stops_anywhere(&self, events: &Events<M>) -> Result<bool, TrainError> {
        let own = self.is_interrupted(events);
        let all = self.ranks.share(Ok(vec![u8::from(own)]))?;
        Ok(all.contains(&vec![1]))
    }

    /// The state of the metrics with that of the other ranks.
    fn of_all_ranks(&self, mut log: LogState) -> Result<LogState, TrainError> {
        if self.ranks.is_alone() {
            return Ok(log);
        }
        let foreign = |error: serde_json::Error| TrainError::Foreign(error.to_string());
        let all = self.ranks.share(log.sums().map_err(foreign))?;
        log.set_others(&all).map_err(foreign)?;
        Ok(log)
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
        let rank = self.ranks.rank() as u64;
        let words = [STEP, self.state.epoch as u64, self.state.batch as u64, rank];
        // Rank 0 draws what a single process draws.
        let used = if rank == 0 { 3 } else { 4 };
        let seed = stream(self.config.train.seed, &words[..used]).next_u64();
        self.device.seed(seed);
    }

    /// Validates, which rank 0 does for all, and keeps the weights if none were better.
    fn validate(&mut self, events: &mut Events<M>) -> Result<Verdict, TrainError> {
        let started = Instant::now();
        let model = self.stepper.inference_model();
        let own = if self.ranks.is_first() {
            self.judge(&model, events)
        } else {
            Ok(Verdict::default())
        };
        let verdict = self.ranks.of_first(own)?;
        if !self.ranks.is_first() {
            events.train(LearnerEvent::EndEpoch(self.state.epoch));
            if let Some(best) = &verdict.best {
                self.state.best = Some(best.clone());
                self.best_weights = Some(weights(&model)?);
            }
        }
        self.state.timings.valid_s += seconds(started.elapsed());
        Ok(verdict)
    }

    fn judge(&mut self, model: &M, events: &mut Events<M>) -> Result<Verdict, TrainError> {
        self.measure(model, events)?;
        let metrics = self.metrics.valid();
        let (improved, kept) = self.keep_best(model, metrics)?;
        let epoch = self.state.epoch;
        events.train(LearnerEvent::EndEpoch(epoch));
        Ok(Verdict {
            improved,
            best: self.state.best.clone().filter(|_| kept),
            stop: events.should_stop(epoch) || self.is_out_of_time(epoch)?,
        })
    }

    /// Whether the next epoch would end after the time budget: the machine has become slower than it was when the
    /// number of epochs was decided.
    fn is_out_of_time(&self, epoch: usize) -> Result<bool, TrainError> {
        let budget = self.config.share_of_budget();
        let budget = budget.map_err(|error| TrainError::Foreign(error.to_string()))?;
        let trained = self.metrics.wall_s();
        let next = trained / epoch as f64;
        Ok(budget.is_some_and(|budget| trained + next > LATEST * budget))
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
                events.flush();
                self.check_metrics(events)?;
                // The file may be longer than that, and must be on the disk.
                self.metrics.checkpoint().map_err(TrainError::Metrics)?;
                self.write(self.trained.clone())?;
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
    fn keep_best(&mut self, model: &M, metrics: Metrics) -> Result<(bool, bool), TrainError> {
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
        let kept = improved || best.is_some_and(|best| value == best.value);
        if kept {
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
        Ok((improved, kept))
    }

    /// Saves and stops if somebody asked for it.
    fn check_interrupt(&mut self, events: &mut Events<M>, stop: bool) -> Result<(), TrainError> {
        self.check_metrics(events)?;
        if stop {
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
        events.flush();
        // A state after a loss that is not finite is no good state.
        self.check_metrics(events)?;
        let latest = self.metrics.checkpoint().map_err(TrainError::Metrics)?;
        let latest = self.of_all_ranks(latest)?;
        let written = self.write(latest);
        self.ranks.all_well(written)
    }

    /// Writes the state with that of the metrics, which rank 0 does for all.
    fn write(&mut self, log: LogState) -> Result<(), TrainError> {
        let started = Instant::now();
        self.state.log = log;
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

/// Share of a time budget after which no epoch ends; the rest is for measuring and testing.
const LATEST: f64 = 0.94;

/// A batch on this rank.
struct Computed<M: LearnerModel> {
    item: <M as TrainStep>::Output,
    /// The gradients, at the end of a step.
    sum: Option<GradientSum>,
    /// What the other ranks get of them.
    packed: Option<Packed>,
    /// Whether any rank is to stop.
    stop: bool,
}

/// What a rank tells the others of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    /// Its loss times its share of the items.
    loss: f64,
    /// Weight of the loss in the mean of the epoch.
    count: usize,
    /// Whether it is to stop.
    stop: bool,
}

impl Told {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.stop)];
        bytes.extend(self.loss.to_le_bytes());
        bytes.extend((self.count as u64).to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (stop, rest) = bytes.split_first()?;
        let (loss, rest) = rest.split_first_chunk()?;
        Some(Self {
            loss: f64::from_le_bytes(*loss),
            // Nothing follows: another message has another length.
            count: u64::from_le_bytes(rest.try_into().ok()?) as usize,
            stop: *stop == 1,
        })
    }
}

/// What a validation decides for all ranks.
#[derive(Default, Serialize, Deserialize)]
struct Verdict {
    /// Whether no epoch was better.
    improved: bool,
    /// The epoch, if its weights are kept.
    best: Option<Best>,
    /// Whether training is over.
    stop: bool,
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
