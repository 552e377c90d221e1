//! The command line of every app: commands, flags, progress, messages, exit codes.
//!
//! A flag means the same in every app because it is declared here. Results go to stdout, progress
//! and messages to stderr; a closed pipe ends the program quietly. An app names its task and its
//! recipes:
//!
//! ```
//! use tinderbox_cli::app::{App, NoCommand, NoFlags};
//! use tinderbox_cli::recipe::Catalogue;
//! use tinderbox_train::{ItemRecipe, ItemTask, Items};
//!
//! /// The app of a task over items whose network has one setting.
//! struct Program<T>(T);
//!
//! impl<T: ItemTask<Config = u32>> App for Program<T> {
//!     type Task = Items<T>;
//!     type TrainFlags = NoFlags;
//!     type ModelFlags = NoFlags;
//!     type EvalFlags = NoFlags;
//!     type InputFlags = NoFlags;
//!     type Command = NoCommand;
//!     const NAME: &'static str = "program";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     const ABOUT: &'static str = "Predict something";
//!
//!     fn recipes() -> Catalogue<ItemRecipe<u32>> {
//!         let builtin = |name: &str| (name == "small").then(|| ItemRecipe::new(name, 8));
//!         Catalogue { names: &[("small", "a small network")], builtin }
//!     }
//! }
//! // In a program: `tinderbox_cli::main!(Program<MyTask>);`
//! ```
//!
//! Non-goals: tasks, models and recipes, which it knows only through their contract.

pub mod app;
pub mod args;
mod chart;
#[cfg(feature = "parity")]
mod check;
mod dashboard;
mod device;
mod download_progress;
mod epoch_line;
pub mod escape;
mod eval;
pub mod explain;
pub mod export;
mod failure;
mod highlights;
pub mod inspect;
mod interrupt;
mod metric_names;
mod model_dir;
mod mpi;
pub mod output;
mod parse;
mod predict;
pub mod progress;
mod read_progress;
pub mod recipe;
mod report;
mod run_report;
#[cfg(any(feature = "mpi", test))]
mod scratch;
pub mod sections;
mod serve;
mod shards;
mod skipped;
pub mod splits;
mod summary;
mod sweep;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;
mod train;

pub use app::App;
pub use args::{EvalArgs, ModelArgs, PredictArgs, RecipesArgs, RunArgs, TrainArgs};
pub use device::{list_devices, open_device};
pub use download_progress::DownloadProgress;
pub use export::ExportArgs;
pub use failure::{Failure, OrUserError, finish};
pub use interrupt::interrupter;
pub use mimalloc::MiMalloc;
pub use model_dir::model_dir;
pub use output::{Output, note, table};
pub use parse::{parse, parse_command};
pub use progress::Progress;
pub use read_progress::ReadProgress;
pub use run_report::ReportArgs;
pub use serve::ServeArgs;
pub use sweep::SweepArgs;

/// Prepares the program named `app`: its log, its signals and its threads.
pub fn init(app: &'static str) {
    init_logging();
    if let Err(error) = interrupt::install(app) {
        note(&format!("warning: signals cannot be handled: {error}"));
    }
    threads::limit();
}

/// Sends the log to stderr: warnings, or what `TINDERBOX_LOG` says, as in `debug`.
fn init_logging() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("TINDERBOX_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second call, as from a test, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .try_init();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A backend's way to say so; training turns it into an error with advice.
        let full = panic
            .payload_as_str()
            .is_some_and(|text| text.to_lowercase().contains("out of memory"));
        if !full && !tinderbox_datasets::panics::is_caught() {
            report(panic);
        }
    }));
}
