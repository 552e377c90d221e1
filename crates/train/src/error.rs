//! The one error of every task: its kind alone determines the exit code of a program.

use std::error::Error;
use std::fmt;
use std::io;

use burn::data::dataset::DatasetError;
use burn::store::RecordError;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::loader::LoaderError;
use tinderbox_predict::PredictError;
use tinderbox_predict::model_dir::{ModelError, WeightsError};

use crate::memory::MemoryError;
use crate::run_dir::RunError;
use crate::splits::SplitsError;
use crate::{CheckpointError, ConfigError, FitError, TrainError};

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The user: the command line, the recipe, a file or the data is wrong. Exit code 2.
    User,
    /// Nobody needs to: the run was interrupted and can be resumed. Exit code 130.
    Interrupted,
    /// Anything else, such as a full disk or a failing device. Exit code 1.
    Internal,
}

/// Why a task could not be prepared, trained, evaluated or used.
///
/// ```
/// use tinderbox_train::{ConfigError, ErrorKind, TaskError};
///
/// let error = TaskError::from(ConfigError::new("train.epochs", 0, "at least 1"));
/// assert_eq!(error.kind(), ErrorKind::User);
/// assert_eq!(error.to_string(), "invalid recipe");
/// ```
pub struct TaskError {
    kind: ErrorKind,
    /// What was attempted, where the source does not say it.
    context: Option<&'static str>,
    source: Box<dyn Error + Send + Sync>,
}

impl TaskError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            context: None,
            source: source.into(),
        }
    }

    /// An error that the user can fix.
    pub fn user(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::User, source)
    }

    /// An error that the user cannot fix by another command line, recipe or file.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Internal, source)
    }

    /// The same error with what was attempted.
    #[must_use]
    pub fn context(mut self, context: &'static str) -> Self {
        self.context = Some(context);
        self
    }

    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the user can fix it.
    pub fn is_user(&self) -> bool {
        self.kind == ErrorKind::User
    }

    /// The error underneath, if it is a `T`.
    pub fn downcast_ref<T: Error + 'static>(&self) -> Option<&T> {
        self.source.downcast_ref()
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("kind", &self.kind)
            .field("context", &self.context)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.context {
            Some(context) => f.write_str(context),
            None => self.source.fmt(f),
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.context {
            Some(_) => Some(&*self.source),
            None => self.source.source(),
        }
    }
}

impl From<ConfigError> for TaskError {
    fn from(error: ConfigError) -> Self {
        Self::user(error).context("invalid recipe")
    }
}

impl From<MemoryError> for TaskError {
    fn from(error: MemoryError) -> Self {
        Self::user(error)
    }
}

impl From<ModelError> for TaskError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Memory(_) => Self::internal(error),
            _ => Self::user(error),
        }
    }
}

impl From<PredictError> for TaskError {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Model(error) => error.into(),
            PredictError::Device(_) => Self::internal(error),
            PredictError::Setting(_) | PredictError::Input(_) | PredictError::NotFinite => {
                Self::user(error)
            }
        }
    }
}

impl From<WeightsError> for TaskError {
    fn from(error: WeightsError) -> Self {
        Self::internal(error)
    }
}

impl From<SplitsError> for TaskError {
    fn from(error: SplitsError) -> Self {
        match error {
            SplitsError::Io(_) => Self::internal(error),
            _ => Self::user(error),
        }
    }
}

impl From<RunError> for TaskError {
    fn from(error: RunError) -> Self {
        // A folder that cannot be written is another `--out`; a full disk is not.
        let kind = match &error {
            RunError::Io(error) => match error.source.kind() {
                io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::InvalidFilename
                | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::User,
                _ => ErrorKind::Internal,
            },
            _ => ErrorKind::User,
        };
        Self::new(kind, error)
    }
}

impl From<LoaderError> for TaskError {
    fn from(error: LoaderError) -> Self {
        Self::user(error).context("cannot make batches")
    }
}

impl From<FitError> for TaskError {
    fn from(error: FitError) -> Self {
        match error {
            FitError::Config(error) => error.into(),
            FitError::Loader(error) => error.into(),
            FitError::Train(error) => error.into(),
            FitError::NoParameters | FitError::NotRun => Self::internal(error),
        }
    }
}

impl From<TrainError> for TaskError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Checkpoint(error) => error.into(),
            _ => Self::new(error.kind(), error),
        }
    }
}

impl From<CheckpointError> for TaskError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Format { .. } => Self::user(error),
            CheckpointError::Io(_) | CheckpointError::Damaged { .. } => Self::internal(error),
        }
    }
}

impl From<toml::ser::Error> for TaskError {
    fn from(error: toml::ser::Error) -> Self {
        Self::internal(error).context("the recipe cannot be written as TOML")
    }
}

impl From<RecordError> for TaskError {
    fn from(error: RecordError) -> Self {
        Self::internal(error).context("cannot save or load weights")
    }
}

impl From<io::Error> for TaskError {
    fn from(error: io::Error) -> Self {
        Self::internal(error)
    }
}

impl From<DatasetError> for TaskError {
    fn from(error: DatasetError) -> Self {
        Self::user(error)
    }
}
