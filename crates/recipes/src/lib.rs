//! Training as one call: recipes as data, the loop, checkpoints, evaluation.
//!
//! A recipe is a value that states everything that decides a result. Training one is a function
//! call: no command line is needed, nothing is printed, and every failure is a typed error.
//!
//! What it refuses to do: parse flags, draw progress (it takes any burn-train renderer), or know
//! which backends exist (it takes a [`Device`](burn::tensor::Device)).

pub mod calibration;
pub mod classify;
pub use tinderbox_datasets::contain;
mod finite;
pub mod memory;
pub mod metrics;
pub mod model_dir;
pub mod overlay;
pub mod parity;
pub mod run_dir;
pub mod splits;
pub mod tabular;
#[cfg(feature = "text")]
pub mod text;
pub mod train;
pub mod vision;
pub mod watch;
