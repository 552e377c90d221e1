//! Why a model cannot be exported.

use tinderbox_predict::PredictError;
use tinderbox_predict::model_dir::{ModelError, WeightsError};

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The model folder cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model folder cannot be used, for a reason that depends on the kind of the model.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// ONNX cannot express the model, or there is no writer for it.
    #[error("{what} cannot be exported to ONNX: {reason}; use `--format safetensors`")]
    Unsupported {
        /// The architecture or the part of it.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The weights lack a tensor that the architecture has, or have another shape.
    #[error("the weights do not fit the architecture: {0}")]
    Mismatch(String),
    /// Protocol Buffers cannot hold the file.
    #[error(
        "the model has {bytes} bytes, and an ONNX file holds 2 GiB at most; use `--format safetensors`"
    )]
    TooLarge {
        /// Size of the file.
        bytes: usize,
    },
}

impl ExportError {
    /// ONNX cannot express a model.
    pub(crate) fn unsupported(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            reason: reason.into(),
        }
    }

    /// Whether another model or another format helps.
    pub fn is_user(&self) -> bool {
        match self {
            Self::Model(_) | Self::Unsupported { .. } | Self::TooLarge { .. } => true,
            Self::Predict(error) => error.is_user(),
            Self::Weights(_) | Self::Mismatch(_) => false,
        }
    }
}
