use std::path::PathBuf;

use burn::store::RecordError;
use tinderbox_predict::model_dir::ModelError;
use tinderbox_train::{CheckpointError, ConfigError};

use crate::env::UnknownEnvironment;
use crate::replay_buffer::ReplayBufferError;
use crate::vector_env::VectorEnvError;

/// Why there is no trained agent.
#[derive(Debug, thiserror::Error)]
pub enum RlError {
    /// A number that no training could use.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A name that no environment has.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// An environment gave or was given something that makes no sense.
    #[error(transparent)]
    VectorEnv(#[from] VectorEnvError),
    /// The replay is too small, or a stored one is of another run.
    #[error(transparent)]
    ReplayBuffer(#[from] ReplayBufferError),
    /// The loss is NaN or infinite.
    #[error(
        "the loss is no longer finite after {steps} steps; the last good state is kept: try a \
         lower `optimizer.learning_rate`"
    )]
    NotFinite {
        /// Steps of the environments.
        steps: u64,
    },
    /// Somebody asked for it.
    #[error("interrupted after {steps} steps, state saved")]
    Interrupted {
        /// Steps of the environments.
        steps: u64,
    },
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint belongs to another run.
    #[error("the checkpoint is of another recipe, environment or version: {0}")]
    Foreign(String),
    /// Weights could not be turned into bytes or back.
    #[error("cannot store or load weights: {0}")]
    Record(#[from] RecordError),
    /// The metrics file could not be written.
    #[error("cannot write `{}`", path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model folder cannot be written or read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A policy of another environment.
    #[error("the agent does not fit the environment: {0}")]
    Policy(String),
}

impl RlError {
    /// Whether the user stopped it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// Whether the user can mend it: the recipe, the environment or the files.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Environment(_)
            | Self::VectorEnv(_)
            | Self::ReplayBuffer(_)
            | Self::Foreign(_)
            | Self::Model(_)
            | Self::Policy(_) => true,
            Self::NotFinite { .. }
            | Self::Interrupted { .. }
            | Self::Checkpoint(_)
            | Self::Record(_)
            | Self::Metrics { .. } => false,
        }
    }
}
