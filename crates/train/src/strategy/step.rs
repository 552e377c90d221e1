//! One optimizer step: batches in, updated weights out.
//!
//! A step has two halves. [`Stepper::accumulate`] computes the gradients of one batch after another
//! and adds them up; [`Stepper::apply`] updates the weights with the sum. What passes from one to
//! the other is a [`GradientSum`]: that is where replicas exchange their gradients.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Bytes;
use burn::train::{LearnerModel, TrainOutput, TrainStep};
use tinderbox_kernels::with_synchronized_batch_norm;

use super::batch_parts::RankParts;
use super::error::{TrainError, panic_message};
use super::exchange::{Exchange, Packed};
use super::{StepListener, TrainInput};
use crate::checkpoint::CheckpointContents;
use crate::config::TrainConfig;
use crate::ema::Ema;
use crate::gradients::{average, clip_global_norm, scaled};
use crate::optimizer::Optimizer;
use crate::ranks::Ranks;
use crate::tensorboard::WeightEvents;
use crate::weights::{weights_from_bytes, weights_to_bytes};

/// The gradients of one or more batches, added up.
///
/// This is the seam for training on several ranks: each accumulates over its part of the batches,
/// weighted by the share of the items that it has, the sums are added over all ranks, and every rank
/// applies the same total. The mean over the batches is taken in [`Stepper::apply`].
pub(super) struct GradientSum {
    /// Sum of the gradients of the batches.
    pub(super) grads: GradientsParams,
    /// Number of batches.
    pub(super) batches: usize,
    /// What the gradients are to be multiplied by, when they are added to those of other ranks.
    pub(super) weight: f64,
}

/// The weights in training, and everything that changes them.
pub(super) struct Stepper<M: LearnerModel> {
    /// Stands in for `model` during an update.
    initial: M,
    model: M,
    optimizer: ModuleOptimizer,
    ema: Option<Ema<M>>,
    /// Gradients so far of the step in progress.
    group: GradientsAccumulator<M>,
    /// Batches in `group`.
    in_group: usize,
    /// Batches of a step.
    accumulation: usize,
    clip_norm: f64,
    batch_size: usize,
    /// Of a training on several ranks.
    exchange: Option<Exchange>,
    /// Whose items batch normalization normalizes together, if not only this rank's.
    normalized_with: Option<Ranks>,
    on_step: Option<Box<StepListener<M>>>,
    events: Option<WeightEvents>,
}

impl<M: LearnerModel> Stepper<M> {
    pub(super) fn new(
        model: M,
        config: &TrainConfig,
        on_step: Option<Box<StepListener<M>>>,
        events: Option<WeightEvents>,
    ) -> Self {
        let train = &config.train;
        Self {
            ema: (train.ema_decay > 0.0).then(|| Ema::new(&model, train.ema_decay)),
            initial: model.clone(),
            model,
            optimizer: config.optimizer.init(),
            group: GradientsAccumulator::new(),
            in_group: 0,
            accumulation: train.gradient_accumulation,
            clip_norm: train.clip_norm,
            batch_size: train.batch_size,
            exchange: None,
            normalized_with: None,
            on_step,
            events,
        }
    }

    /// Forward and backward pass of a batch for step number `step`, from 1.
    ///
    /// Returns the sum of the gradients once the batches of a step are complete, of which the
    /// `last` batch of an epoch is always the end. The gradients are weighted by `share`, that of the
    /// items of the batch which are this rank's.
    pub(super) fn accumulate(
        &mut self,
        batch: TrainInput<M>,
        step: usize,
        last: bool,
        share: f64,
    ) -> Result<(<M as TrainStep>::Output, Option<GradientSum>), TrainError> {
        let TrainOutput { mut grads, item } = self.forward_backward(batch, step, share)?;
        if share <= 0.0 {
            grads = GradientsParams::new();
        }
        if self.accumulation == 1 {
            let sum = GradientSum {
                grads,
                batches: 1,
                weight: share,
            };
            return Ok((item, Some(sum)));
        }
        // The parts of the batches of a step may differ.
        if share < 1.0 {
            grads = scaled(&self.model, grads, share);
        }
        self.group.accumulate(&self.model, grads);
        self.in_group += 1;
        let full = last || self.in_group == self.accumulation;
        let sum = full.then(|| GradientSum {
            grads: self.group.grads(),
            batches: mem::take(&mut self.in_group),
            weight: 1.0,
        });
        Ok((item, sum))
    }

    /// Turns the panic of a backend, which is how it reports a full memory, into an error.
    fn forward_backward(
        &self,
        batch: TrainInput<M>,
        step: usize,
        share: f64,
    ) -> Result<TrainOutput<<M as TrainStep>::Output>, TrainError> {
        let ranks = self.normalized_with.clone();
        let parts = ranks.map(|ranks| Arc::new(RankParts::new(ranks, share)));
        let pass = || TrainStep::step(&self.model, batch);
        let compute = || match &parts {
            Some(parts) => with_synchronized_batch_norm(parts.clone(), pass),
            None => pass(),
        };
        let computed = catch_unwind(AssertUnwindSafe(compute));
        if let Some(failure) = parts.and_then(|parts| parts.failure()) {
            return Err(TrainError::Rank(failure));
        }
        computed.map_err(|panic| {
            let message = panic_message(panic.as_ref());
            let batch_size = self.batch_size;
            if message.to_lowercase().contains("out of memory") {
                TrainError::OutOfMemory { step, batch_size }
            } else {
                TrainError::Device { step, message }
            }
        })
    }

    /// Prepares the exchange with other ranks, which all have the same weights, and also for batch normalization
    /// if that is given them.
    pub(super) fn on_ranks(&mut self, normalized_with: Option<Ranks>) -> Result<(), TrainError> {
        self.exchange = Some(Exchange::new(&self.model, normalized_with.is_some())?);
        self.normalized_with = normalized_with;
        Ok(())
    }

    /// The part of this rank in the sum of all ranks; none on one rank.
    pub(super) fn pack(
        &mut self,
        sum: &GradientSum,
        share: f64,
    ) -> Result<Option<Packed>, TrainError> {
        let exchange = self.exchange.as_mut();
        let packed = exchange.map(|exchange| exchange.pack(&self.model, sum, share));
        packed.transpose()
    }

    /// The sum of the parts of all ranks.
    pub(super) fn add(
        &mut self,
        ranks: &Ranks,
        own: GradientSum,
        packed: Option<Packed>,
    ) -> Result<GradientSum, TrainError> {
        let (Some(exchange), Some(packed)) = (&mut self.exchange, packed) else {
            return Ok(own);
        };
        let model = mem::replace(&mut self.model, self.initial.clone());
        let (model, sum) = exchange.add(ranks, model, packed)?;
        self.model = model;
        Ok(sum)
    }

    /// Optimizer step number `step`, from 1.
    pub(super) fn apply(&mut self, sum: GradientSum, rate: ModuleLearningRate, step: usize) {
        let mut grads = average(&self.model, sum.grads, sum.batches);
        if let Some(events) = &mut self.events {
            events.step(&self.model, &grads, step);
        }
        if self.clip_norm > 0.0 {
            grads = clip_global_norm(&self.model, grads, self.clip_norm);
        }
        if let Some(listener) = &mut self.on_step {
            listener(&self.model, &grads, step);
        }
        // Handed over whole: weights that nobody else holds are updated in place.
        let model = mem::replace(&mut self.model, self.initial.clone());
        self.model = self.optimizer.step(rate, model, grads);
        if let Some(ema) = &mut self.ema {
            ema.update(&self.model, step);
        }
    }

    /// Why an event file could not be written, once.
    pub(super) fn failure(&mut self) -> Option<std::io::Error> {
        self.events.as_mut().and_then(WeightEvents::failure)
    }

    /// The model for inference: the averaged weights if weights are averaged.
    pub(super) fn inference_model(&self) -> M {
        self.ema
            .as_ref()
            .map_or_else(|| self.model.valid(), |ema| ema.model().clone())
    }

    /// The model for inference with stored weights.
    pub(super) fn with_weights(&self, stored: Vec<u8>) -> Result<M, TrainError> {
        load(self.model.valid(), stored)
    }

    /// Adds the weights and the optimizer to the contents of a checkpoint.
    pub(super) fn save(&self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), TrainError> {
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
        Ok(())
    }

    /// The weights as they are in training, for ranks that begin with those of another one.
    pub(super) fn weights(&self) -> Result<Vec<u8>, TrainError> {
        weights(&self.model.valid())
    }

    /// Begins with the weights of another rank.
    pub(super) fn set_weights(&mut self, bytes: Vec<u8>) -> Result<(), TrainError> {
        self.model = load(self.model.valid(), bytes)?.train();
        if let Some(ema) = &mut self.ema {
            ema.set(self.model.valid());
        }
        Ok(())
    }

    /// Takes the weights and the optimizer out of the contents of a checkpoint.
    pub(super) fn restore(
        &mut self,
        checkpoint: &mut CheckpointContents,
        optimizer: &Optimizer,
    ) -> Result<(), TrainError> {
        let mut blob = |name: &str| {
            let blob = checkpoint.blobs.remove(name);
            blob.ok_or_else(|| TrainError::Foreign(format!("`{name}` is missing")))
        };
        self.model = load(self.model.valid(), blob("model")?)?.train();
        self.optimizer = optimizer
            .init()
            .from_bytes(Bytes::from_bytes_vec(blob("optimizer")?))
            .map_err(|source| TrainError::Record {
                action: "load the optimizer",
                source,
            })?;
        if let Some(ema) = &mut self.ema {
            ema.set(load(self.model.valid(), blob("ema")?)?);
        }
        Ok(())
    }
}

/// The weights of a model as they are stored.
pub(super) fn weights<M: Module>(model: &M) -> Result<Vec<u8>, TrainError> {
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
