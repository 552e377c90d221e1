//! Inference with trained models: the model folder, written and read, without the trainer.
//!
//! Non-goals: training, evaluation against targets, and reading of large data sets.

pub mod calibration;
mod finite;
pub mod layout;
pub mod model_dir;
mod prediction;

pub use prediction::Prediction;

/// Version of Burn that the crate is built on.
pub const BURN_VERSION: &str = "0.22.1";
