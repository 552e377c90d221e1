//! Errors of environments, replay buffers and policies as errors of a task.

use tinderbox_train::{TaskError, TrainError};

use crate::env::UnknownEnvironment;
use crate::policy::PolicyError;
use crate::replay_buffer::ReplayBufferError;
use crate::vector_env::VectorEnvError;

impl From<UnknownEnvironment> for TaskError {
    fn from(error: UnknownEnvironment) -> Self {
        Self::user(error)
    }
}

impl From<VectorEnvError> for TaskError {
    fn from(error: VectorEnvError) -> Self {
        match error {
            VectorEnvError::Rank(failure) => TrainError::Rank(failure).into(),
            _ => Self::user(error),
        }
    }
}

impl From<ReplayBufferError> for TaskError {
    fn from(error: ReplayBufferError) -> Self {
        Self::user(error)
    }
}

impl From<PolicyError> for TaskError {
    fn from(error: PolicyError) -> Self {
        Self::user(error)
    }
}
