//! Inference with trained models: the model folder, written and read, without the trainer.
//!
//! Non-goals: training, evaluation against targets, and reading of large data sets.

pub mod calibration;
mod classify;
pub mod decision;
pub mod ensemble;
mod error;
mod file_error;
mod finite;
pub mod layout;
mod model;
pub mod model_dir;
mod model_files;
mod prediction;
pub mod tabular;
#[cfg(feature = "text")]
pub mod text;
pub mod vision;

pub use classify::Classify;
pub use error::PredictError;
pub use file_error::FileError;
pub use model::Model;
pub use model_files::ModelFiles;
pub use prediction::{Action, Prediction};

/// Version of Burn that the crate is built on.
pub const BURN_VERSION: &str = "0.22.1";
