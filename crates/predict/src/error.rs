//! Why a model cannot give a prediction.

use std::error::Error;

use tinderbox_models::ConfigError;

use crate::model_dir::ModelError;

/// An error with its causes on one line; a transparent error, which repeats its cause, is written once.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Why a model cannot be read or give a prediction.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The model folder cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A setting of the user's, such as a decision threshold.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// An input that the model cannot take.
    #[error(transparent)]
    Input(Box<dyn Error + Send + Sync>),
    /// A model whose outputs are not numbers.
    #[error(
        "the model computes values that are not numbers: its weights are damaged, or its training has \
         diverged; copy the folder again, or train the model again"
    )]
    NotFinite,
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

impl PredictError {
    /// An input that the model cannot take.
    pub fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Input(error.into())
    }

    /// A failure of the device.
    pub fn device(error: impl std::fmt::Display) -> Self {
        Self::Device(error.to_string())
    }

    /// Whether another model folder, setting or input helps: everything but a failing device.
    pub fn is_user(&self) -> bool {
        !matches!(self, Self::Device(_))
    }
}
