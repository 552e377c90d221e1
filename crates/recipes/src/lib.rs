//! Tasks on images, tables and texts: recipes as data, training as one call, evaluation, analyses.
//!
//! A recipe is a value with everything that determines a result. Training needs no command line and
//! prints nothing:
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::vision::{VisionRecipe, VisionTask};
//! use tinderbox_train::{Options, Task as _};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = VisionRecipe::builtin("digits").expect("it is built in");
//! let task = VisionTask::prepare(recipe)?;
//! let report = task.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["accuracy"]);
//! # Ok(())
//! # }
//! ```
//!
//! Non-goals: flags, progress (it takes any burn-train renderer), and backends (it takes a
//! [`Device`](burn::tensor::Device)).

#[cfg(feature = "baseline")]
mod baseline;
pub mod tabular;
#[cfg(feature = "text")]
pub mod text;
pub mod vision;
