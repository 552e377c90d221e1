//! Training as one call: recipes as data, the loop, checkpoints, evaluation.
//!
//! A recipe is a value that states everything that decides a result. Training one is a function
//! call: no command line is needed, nothing is printed, and every failure is a typed error.
//!
//! What it refuses to do: parse flags, draw progress (it takes any burn-train renderer), or know
//! which backends exist (it takes a [`Device`](burn::tensor::Device)).

pub mod tabular;
#[cfg(feature = "text")]
pub mod text;
pub mod vision;
