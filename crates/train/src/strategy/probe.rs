//! The time of an epoch, measured before training.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::Device;
use burn::train::{InferenceStep, Interrupter, LearnerModel};
use serde_json::Value;

use super::error::TrainError;
use super::step::{Stepper, weights};
use super::{Feed, TrainInput};
use crate::budget::seconds_per_call;
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
        // Not a clone, which would share the running statistics of normalization layers.
        let copy = self.model.valid().train();
        let mut stepper = Stepper::new(copy, self.config, None);
        let step_s = self.step_seconds(&mut stepper, limit_s)?;
        let valid_s = self.valid_seconds(&stepper, limit_s)?;
        let steps = self
            .train
            .num_batches()
            .div_ceil(train.gradient_accumulation);
        let checkpoints = 1 + steps
            .saturating_sub(1)
            .checked_div(train.checkpoint_every)
            .unwrap_or(0);
        Ok(step_s * steps as f64
            + valid_s * self.valid.num_batches() as f64
            + self.checkpoint_seconds(&stepper, limit_s)? * checkpoints as f64)
    }

    /// The time of a step, with its batches.
    fn step_seconds(&self, stepper: &mut Stepper<M>, limit_s: f64) -> Result<f64, TrainError> {
        let mut batches = self.endless(self.train);
        // As good as 0: weights that change little are computed as fast as any.
        let rate = self.rates.at(f64::MIN_POSITIVE);
        let step = || {
            for _ in 0..self.config.train.gradient_accumulation {
                let (_, sum) = stepper.accumulate(batches()?, 1, false)?;
                if let Some(sum) = sum {
                    stepper.apply(sum, rate.clone(), 1);
                }
            }
            Ok(())
        };
        seconds_per_call(step, || self.now(), WARM_UP, limit_s)
    }

    /// The time of a validation batch.
    fn valid_seconds(&self, stepper: &Stepper<M>, limit_s: f64) -> Result<f64, TrainError> {
        let mut batches = self.endless(self.valid);
        let model = stepper.inference_model();
        let validate = || {
            InferenceStep::step(&model, batches()?);
            Ok(())
        };
        seconds_per_call(validate, || self.now(), 1, limit_s)
    }

    /// The time of a checkpoint; 0 of a run that writes none.
    fn checkpoint_seconds(&self, stepper: &Stepper<M>, limit_s: f64) -> Result<f64, TrainError> {
        let Some(store) = self.store else {
            return Ok(0.0);
        };
        let save = || {
            let mut blobs = BTreeMap::new();
            stepper.save(&mut blobs)?;
            blobs.insert("best".to_owned(), weights(&stepper.inference_model())?);
            let state = Value::Null;
            Ok(store.rehearse(&CheckpointContents { state, blobs })?)
        };
        seconds_per_call(save, || self.now(), 1, limit_s)
    }

    /// The time since the probe began, in s, when the device has done all of its work.
    fn now(&self) -> f64 {
        // A device that fails says so at the next step.
        let _ = self.device.sync();
        self.started.elapsed().as_secs_f64()
    }

    /// The batches of one epoch after the other, until the run is interrupted.
    fn endless<'a, O: Send + 'static>(
        &'a self,
        feed: &'a dyn Feed<O>,
    ) -> impl FnMut() -> Result<O, TrainError> + 'a {
        let mut batches = (1..).flat_map(move |epoch| feed.batches(epoch, 0));
        move || {
            if self.interrupter.should_stop() {
                return Err(TrainError::Interrupted { step: 0 });
            }
            let batch = batches.next();
            let missing = || TrainError::Foreign("it has no batches".to_owned());
            batch.ok_or_else(missing)?.map_err(TrainError::Data)
        }
    }
}
