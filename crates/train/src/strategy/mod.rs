//! The training loop, as a learning strategy of burn-train.
//!
//! burn-train computes the metrics, draws them and can stop the loop from outside. Done here and
//! not in its own strategy: gradients are averaged and clipped by their global norm, the weights
//! are averaged over time, the state can be saved at any step, and no error is lost.

mod batch_parts;
mod error;
mod events;
mod exchange;
mod probe;
mod state;
mod step;
mod training_loop;

use std::sync::{Arc, Mutex, PoisonError};

use burn::optim::GradientsParams;
use burn::tensor::Device;
use burn::train::{
    Interrupter, Learner, LearnerModel, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingComponents, ValidLoader,
};
use tinderbox_datasets::loader::{Batches, Loader};
use tinderbox_predict::model_dir::ModelError;

use crate::checkpoint::{CheckpointContents, Store};
use crate::config::TrainConfig;
use crate::log::MetricsFile;
use crate::param_groups::ParamGroups;
use crate::ranks::Ranks;
use crate::saving::Saving;
use crate::tensorboard::WeightEvents;

pub use error::{TrainError, panic_message};
use events::Events;
pub use exchange::sum_gradients;
pub(crate) use exchange::{exchange_seconds, has_batch_norm};
pub(crate) use probe::Probe;
pub use state::Timings;
pub(crate) use state::{DATA, State};
use training_loop::{Outcome, TrainingLoop};

type TrainInput<M> = <M as TrainStep>::Input;

/// Everything that [`Strategy`] needs, prepared by [`super::Trainer`].
pub(crate) struct Job<M: LearnerModel> {
    pub(crate) config: TrainConfig,
    pub(crate) identity: String,
    pub(crate) rates: ParamGroups,
    pub(crate) model: M,
    pub(crate) device: Device,
    pub(crate) feed: Box<dyn Feed<TrainInput<M>>>,
    pub(crate) store: Option<Store>,
    pub(crate) checkpoint: Option<CheckpointContents>,
    pub(crate) metrics: MetricsFile,
    pub(crate) ranks: Ranks,
    /// The loss in an output of the model.
    pub(crate) loss: Box<LossOf<M>>,
    /// Stops that burn-train's own interrupter may lose (its dashboard resets it).
    pub(crate) interrupter: Interrupter,
    pub(crate) on_step: Option<Box<StepListener<M>>>,
    pub(crate) weight_events: Option<WeightEvents>,
    pub(crate) on_best: Option<Box<BestListener<M>>>,
}

/// Reads the loss from the output of a training step, with its weight in the mean of the epoch.
pub(crate) type LossOf<M> =
    dyn Fn(&<M as TrainStep>::Output) -> Result<(f64, usize), TrainError> + Send;

/// Sees the model after an epoch that is the best so far.
pub type BestListener<M> = dyn FnMut(&M) -> Result<(), ModelError> + Send;

/// Sees the model and its gradients between the backward pass and the update.
pub type StepListener<M> = dyn FnMut(&M, &GradientsParams, usize) + Send;

/// Training batches, from any epoch and batch on.
pub(crate) trait Feed<O>: Send {
    fn batches(&self, epoch: usize, first: usize) -> Batches<O>;
    fn num_batches(&self) -> usize;
    fn num_items(&self) -> usize;
    /// The share of the items of a batch that this rank has.
    fn share(&self, batch: usize) -> f64;
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
    fn share(&self, batch: usize) -> f64 {
        Loader::share(self, batch)
    }
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
        let mut events = Events::new(components, valid);
        if let Some(job) = job {
            let saves = job.store.is_some() || !job.ranks.is_alone();
            let _saving = saves.then(Saving::begin);
            let outcome = TrainingLoop::start(job).and_then(|started| started.train(&mut events));
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
        (learner.model(), events.end())
    }
}
