//! Models of tables, from a recipe to a model folder and back.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::tabular::{Recipe, Tabular};
//! use tinderbox_train::{Options, Task};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("cancer").expect("it is built in");
//! let report = Tabular::prepare(recipe)?.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["auroc"]);
//! # Ok(())
//! # }
//! ```

pub mod analysis;
#[cfg(feature = "baseline")]
mod baseline;
mod builtin;
mod classical;
mod data;
mod dataset;
mod docs;
mod error;
mod evaluate;
mod fit;
mod headline;
mod input;
mod predictor;
mod random;
mod recipe;
mod targets;
mod task;
mod train_step;

#[cfg(feature = "baseline")]
pub use baseline::BaselineKind;
pub use builtin::BUILTIN;
pub use data::{TableDataset, describe_note, folds, open, read_options, split};
pub use dataset::{BatchTargets, EncodedDataset, TableBatch};
pub use error::DataError;
pub use predictor::TabularPredictor;
pub use recipe::{Data, Loss, Recipe, Source, Split, SplitBy, TaskType};
pub use targets::Targets;
pub use task::Tabular;
pub use train_step::{TabularModel, ValidationOutput};
