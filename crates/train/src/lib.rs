//! The contract of a task and the training loop: recipes as data, checkpoints, run directories, metrics.
//!
//! Any [`Task`] is used in the same way:
//!
//! ```
//! use burn::tensor::Device;
//! use tinderbox_train::{Options, Task, TaskError};
//!
//! fn train<T: Task>(recipe: T::Recipe, device: &Device) -> Result<f64, TaskError> {
//!     let report = T::prepare(recipe)?.train(device, Options::new("runs/mine"))?;
//!     Ok(report.test["loss"])
//! }
//! ```
//!
//! [`ItemTask`] is the short way to a task of your own, and [`Trainer`] the loop without a task.
//!
//! [`Trainer::fit`] takes a model that knows its training step, a loader of training batches and
//! one of validation batches, and returns the best weights. With a directory it also writes
//! `metrics.jsonl` and `checkpoint/` there, and can resume from them.
//!
//! Non-goals: architectures, data formats, drawing progress (it takes any burn-train renderer), and
//! the model folder, which belongs to `tinderbox-predict`.

mod adam;
mod budget;
pub mod checkpoint;
mod class_balance;
pub mod classify;
mod config;
pub mod detect;
mod direct_fit;
pub mod docs;
mod ema;
mod error;
mod event_queue;
pub mod format;
pub mod gradients;
pub mod item_task;
pub mod landmarks;
mod log;
mod loss_output;
pub mod memory;
pub mod metrics;
mod metrics_reader;
mod metrics_writer;
mod optimizer;
pub mod overlay;
mod param_groups;
mod parameter_stats;
pub mod ranks;
mod result_warnings;
pub mod run;
pub mod run_dir;
pub mod run_options;
mod saving;
mod schedule;
pub mod section;
pub mod segment;
mod shared_items;
mod silent;
pub mod split;
pub mod splits;
mod strategy;
pub mod task;
pub mod tensorboard;
mod trainer;
mod weights;

pub use budget::parse as parse_duration;
pub use checkpoint::CheckpointError;
pub use class_balance::{box_warnings, class_warnings};
pub use config::{
    ConfigError, MetricsOptions, MonitorMode, TrainConfig, TrainingOptions, check_budget,
    check_name, check_range, check_share,
};
pub use direct_fit::DirectFit;
pub use ema::blend;
pub use error::{ErrorKind, TaskError};
pub use item_task::{ItemRecipe, ItemTask, Items};
pub use log::{Metrics, metric_name};
pub use loss_output::LossOutput;
pub use metrics_reader::{MetricLine, MetricLinesError, read_metrics, read_running_metrics};
pub use metrics_writer::MetricLines;
pub use optimizer::Optimizer;
pub use param_groups::layer_factors;
pub use parameter_stats::{ParameterStats, parameter_stats};
pub use ranks::Ranks;
pub use result_warnings::result_warnings;
pub use run_options::{Options, Renderers, Stage};
pub use saving::{Saving, saves_when_interrupted};
pub use schedule::Schedule;
pub use section::Section;
pub use shared_items::SharedItems;
pub use silent::Silent;
pub use split::{Split, Splits};
pub use strategy::{BestListener, StepListener, Timings, TrainError, panic_message, sum_gradients};
pub use task::{Report, Task, TaskRecipe};
pub use trainer::{CHECKPOINT_DIR, FitError, METRICS_FILE, Trained, Trainer};
pub use weights::{init_seeded, weights_from_bytes, weights_to_bytes};
