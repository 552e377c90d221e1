//! The time of an epoch, measured before training.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Device;
use burn::train::{InferenceStep, Interrupter, LearnerModel};
use serde_json::Value;
use tinderbox_datasets::loader::Batches;

use super::error::TrainError;
use super::step::{Stepper, weights};
use super::{Feed, TrainInput};
use crate::budget::{Pass, seconds_per_pass};
use crate::checkpoint::{CheckpointContents, Store};
use crate::config::TrainConfig;
use crate::param_groups::ParamGroups;

/// Steps that are not timed: a device compiles kernels and reserves memory in the first ones.
const WARM_UP: usize = 3;

/// What an epoch consists of.
pub(crate) struct Probe<'a, M: LearnerModel> {
    pub(crate) model: &'a M,
    pub(crate) config: &'a TrainConfig,
    pub(crate) rates: &'a ParamGroups,
    pub(crate) device: &'a Device,
    pub(crate) train: &'a dyn Feed<TrainInput<M>>,
    pub(crate) valid: &'a dyn Feed<<M as InferenceStep>::Input>,
    pub(crate) store: Option<&'a Store>,
    pub(crate) interrupter: &'a Interrupter,
    pub(crate) started: Instant,
}

impl<M: LearnerModel> Probe<'_, M> {
    /// The time of an epoch, in s: of its steps, its validation and its checkpoints, by some of each, for
    /// which about three times `limit_s` is spent.
    ///
    /// The model and the random numbers of the training are as before: the steps are those of a copy, each
    /// training step seeds the device, and batches depend on nothing but their epoch and number.
    pub(crate) fn epoch_seconds(&self, limit_s: f64) -> Result<f64, TrainError> {
        let train = &self.config.train;
        let steps = self
            .train
            .num_batches()
            .div_ceil(train.gradient_accumulation);
        let mut training = Training {
            // Not a clone, which would share the running statistics of normalization layers.
            stepper: Stepper::new(self.model.valid().train(), self.config, None, None),
            // As good as 0: weights that change little are computed as fast as any.
            rate: self.rates.at(f64::MIN_POSITIVE),
            batches: self.epochs(self.train),
        };
        let now = || self.now();
        let train_s = seconds_per_pass(&mut training, steps, now, WARM_UP, limit_s)?;
        let stepper = training.stepper;
        let mut validation = Validation {
            model: stepper.inference_model(),
            batches: self.epochs(self.valid),
        };
        let batches = self.valid.num_batches();
        let valid_s = seconds_per_pass(&mut validation, batches, now, 1, limit_s)?;
        let Some(store) = self.store else {
            return Ok(train_s + valid_s);
        };
        let mut saving = Saving { stepper, store };
        let save_s = seconds_per_pass(&mut saving, 1, now, 1, limit_s)?;
        let within = (steps - 1).checked_div(train.checkpoint_every);
        Ok(train_s + valid_s + save_s * (1 + within.unwrap_or(0)) as f64)
    }

    /// The time since the probe began, in s, when the device has done all of its work.
    fn now(&self) -> f64 {
        // A device that fails says so at the next step.
        let _ = self.device.sync();
        self.started.elapsed().as_secs_f64()
    }

    fn epochs<'a, O>(&'a self, feed: &'a dyn Feed<O>) -> Epochs<'a, O> {
        Epochs {
            feed,
            epoch: 0,
            number: 0,
            batches: None,
            first: None,
            interrupter: self.interrupter,
        }
    }
}

/// The batches of one epoch after the other, until the run is interrupted.
struct Epochs<'a, O> {
    feed: &'a dyn Feed<O>,
    epoch: usize,
    /// Batches of the epoch so far.
    number: usize,
    batches: Option<Batches<O>>,
    /// The first batch of the epoch, for which there is more to wait than for others.
    first: Option<O>,
    interrupter: &'a Interrupter,
}

impl<O: Send + 'static> Epochs<'_, O> {
    fn begin(&mut self) -> Result<(), TrainError> {
        self.epoch += 1;
        self.number = 0;
        self.batches = Some(self.feed.batches(self.epoch, 0));
        self.first = Some(self.load()?);
        Ok(())
    }

    /// A batch, and whether it is the last one of its epoch.
    fn next(&mut self) -> Result<(O, bool), TrainError> {
        if self.number == self.feed.num_batches() {
            self.begin()?;
        }
        let batch = match self.first.take() {
            Some(first) => first,
            None => self.load()?,
        };
        self.number += 1;
        Ok((batch, self.number == self.feed.num_batches()))
    }

    fn load(&mut self) -> Result<O, TrainError> {
        if self.interrupter.should_stop() {
            return Err(TrainError::Interrupted { step: 0 });
        }
        let batch = self.batches.as_mut().and_then(Iterator::next);
        let missing = || TrainError::Foreign("an epoch has too few batches".to_owned());
        batch.ok_or_else(missing)?.map_err(TrainError::Data)
    }
}

/// The steps of an epoch.
struct Training<'a, M: LearnerModel> {
    stepper: Stepper<M>,
    rate: ModuleLearningRate,
    batches: Epochs<'a, TrainInput<M>>,
}

impl<M: LearnerModel> Pass for Training<'_, M> {
    type Error = TrainError;

    fn begin(&mut self) -> Result<(), TrainError> {
        self.batches.begin()
    }

    fn call(&mut self) -> Result<(), TrainError> {
        loop {
            let (batch, is_last) = self.batches.next()?;
            if let (_, Some(sum)) = self.stepper.accumulate(batch, 1, is_last, 1.0)? {
                self.stepper.apply(sum, self.rate.clone(), 1);
                return Ok(());
            }
        }
    }
}

/// The batches of a validation.
struct Validation<'a, M: LearnerModel> {
    model: M,
    batches: Epochs<'a, <M as InferenceStep>::Input>,
}

impl<M: LearnerModel> Pass for Validation<'_, M> {
    type Error = TrainError;

    fn begin(&mut self) -> Result<(), TrainError> {
        self.batches.begin()
    }

    fn call(&mut self) -> Result<(), TrainError> {
        InferenceStep::step(&self.model, self.batches.next()?.0);
        Ok(())
    }
}

/// A checkpoint.
struct Saving<'a, M: LearnerModel> {
    stepper: Stepper<M>,
    store: &'a Store,
}

impl<M: LearnerModel> Pass for Saving<'_, M> {
    type Error = TrainError;

    fn begin(&mut self) -> Result<(), TrainError> {
        Ok(())
    }

    fn call(&mut self) -> Result<(), TrainError> {
        let mut blobs = BTreeMap::new();
        self.stepper.save(&mut blobs)?;
        blobs.insert("best".to_owned(), weights(&self.stepper.inference_model())?);
        let state = Value::Null;
        Ok(self.store.rehearse(&CheckpointContents { state, blobs })?)
    }
}
