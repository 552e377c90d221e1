//! Inference with trained models: the model folder, written and read, without the trainer.
//!
//! A model folder is read from a path or from memory, by its kind; inputs are bytes, predictions are
//! structured and in batches. The crate compiles for `wasm32-unknown-unknown`.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_predict::{Model, ModelFiles};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::load(&ModelFiles::open("runs/mine/model".as_ref()), &Device::flex())?;
//! let rows = std::fs::read("new.csv")?;
//! for (file, row, prediction) in model.predict(&[("new.csv", &rows)])? {
//!     println!("{file} {row:?} {}", prediction.text());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Non-goals: training, evaluation against targets, and reading of large data sets.

pub mod calibration;
mod classify;
pub mod decision;
mod detect;
pub mod ensemble;
mod error;
mod file_error;
mod finite;
mod inputs;
pub mod layout;
mod model;
pub mod model_dir;
mod model_files;
mod prediction;
mod segment;
pub mod tabular;
#[cfg(feature = "text")]
pub mod text;
pub mod vision;

pub use classify::Classify;
pub use detect::Detect;
pub use error::{PredictError, error_chain};
pub use file_error::FileError;
pub use inputs::Inputs;
pub use model::Model;
pub use model_files::ModelFiles;
pub use prediction::{Action, FoundFace, FoundObject, Prediction};
pub use segment::Segment;

/// Version of Burn that the crate is built on.
pub const BURN_VERSION: &str = "0.22.1";

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_of_burn_is_that_of_the_workspace() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
        let line = format!("burn = {{ version = \"={}\"", super::BURN_VERSION);
        assert!(manifest.unwrap().contains(&line));
    }
}
