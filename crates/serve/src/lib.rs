//! An HTTP server for trained models.
//!
//! Requests are decoded next to each other, wait in a queue of their model, and are predicted in batches.
//! The answers are those of the command `predict --json`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use burn::tensor::Device;
//! use tinderbox_predict::ModelFiles;
//! use tinderbox_serve::{Loaded, ModelSource, Server, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let load = || {
//!     let files = ModelFiles::open("runs/mine/model".as_ref());
//!     Loaded::open(&files, &Device::flex()).map_err(|error| error.to_string())
//! };
//! let sources = vec![ModelSource { name: "mine".to_owned(), load: Arc::new(load) }];
//! Server::bind(Settings::default(), sources)?.run()?;
//! # Ok(())
//! # }
//! ```
//!
//! Non-goals: training, TLS and user accounts, which a reverse proxy does better.

mod access;
mod base64_images;
mod batcher;
mod body;
mod docs;
#[cfg(feature = "text")]
mod generate;
mod health;
mod limits;
mod listen;
mod metrics;
mod mlflow;
mod model;
mod models;
mod ndjson;
mod openapi;
mod predict;
mod problem;
mod protocol;
mod registry;
mod router;
mod server;
mod strict_json;

pub use limits::Limits;
pub use model::{AnswerForm, InputForm, Loaded, ModelInfo, Served};
pub use registry::{LoadModel, ModelSource};
pub use server::{Event, ServeError, Server, Settings, StopHandle};
