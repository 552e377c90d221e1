//! Why training ended without a model.

use std::any::Any;
use std::sync::Arc;

use burn::data::dataset::DatasetError;
use burn::store::RecordError;
use burn::train::TrainingError;
use tinderbox_predict::model_dir::ModelError;

use crate::ErrorKind;
use crate::checkpoint::CheckpointError;
use crate::ranks::RankFailure;

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
        /// The name in the recipe.
        name: String,
        /// The metrics of the validation split.
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
    /// The device failed.
    #[error("the device failed at step {step}: {message}")]
    Device {
        /// The first such step, from 1.
        step: usize,
        /// Its message.
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
    /// Another process of the training failed.
    #[error(transparent)]
    Rank(RankFailure),
    /// The ranks do not train the same.
    #[error("the ranks have different {what}: {ranks} from rank 0; {advice}")]
    Differ {
        /// What differs.
        what: &'static str,
        /// The ranks that differ from rank 0, as in `rank 1 differs`.
        ranks: String,
        /// What to do.
        advice: &'static str,
    },
    /// Gradients could not be read from the device, to exchange them with other ranks.
    #[error("cannot read the gradients: {0}")]
    Exchange(String),
    /// burn-train reported an error.
    #[error("training stopped: {0}")]
    Burn(Arc<TrainingError>),
}

impl From<RankFailure> for TrainError {
    fn from(failure: RankFailure) -> Self {
        Self::Rank(failure)
    }
}

impl TrainError {
    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            Self::Rank(failure) => failure.kind,
            Self::Checkpoint(CheckpointError::Format { .. }) => ErrorKind::User,
            _ if self.is_input() => ErrorKind::User,
            _ => ErrorKind::Internal,
        }
    }

    /// Whether the user's recipe or data are wrong, as opposed to anything else.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Data(_)
                | Self::UnknownMonitor { .. }
                | Self::Foreign(_)
                | Self::DataChanged
                | Self::Differ { .. }
                | Self::Best(ModelError::NotFinite(_))
        )
    }
}

/// The message of a panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a message").to_owned()
}
