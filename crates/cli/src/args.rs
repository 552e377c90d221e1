//! The flags of the shared commands.

use std::path::PathBuf;

use clap::Args;
use tinderbox_backend::DeviceSpec;

/// Help of `--device`.
pub const DEVICE_HELP: &str = "Device: auto, cpu, ndarray, libtorch, cuda[:N] or wgpu[:N]";

/// What every `train` takes.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Built-in recipe or TOML file
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub recipe: Option<String>,
    /// Change one key, as in `train.seed=3`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Run directory
    #[arg(
        long,
        value_name = "DIR",
        help = "Run directory [default: runs/<recipe>/<UTC time>-<seed>]"
    )]
    pub out: Option<PathBuf>,
    /// Go on with the unfinished run in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the result only
    #[arg(long)]
    pub quiet: bool,
}

/// What `train` takes where there is data.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    /// The flags of every `train`.
    #[command(flatten)]
    pub run: RunArgs,
    /// Folder or file with the data
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Show a dashboard in the terminal
    #[arg(long, conflicts_with = "quiet")]
    pub tui: bool,
    /// Skip the classical method on the same split
    #[arg(long)]
    pub no_baseline: bool,
}

/// What `eval` takes.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Folder or file with the data [default: where it was in training]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Which split
    #[arg(long, value_name = "SPLIT", default_value = "test",
          value_parser = ["test", "valid", "train"])]
    pub split: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Decision threshold of two classes [default: the model's]
    #[arg(long, value_name = "X")]
    pub threshold: Option<f64>,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
}

/// What `predict` takes.
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Print one JSON line per input
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print a table as CSV
    #[arg(long)]
    pub csv: bool,
    /// Write to a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Decision threshold of two classes [default: the model's]
    #[arg(long, value_name = "X")]
    pub threshold: Option<f64>,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
    /// Files to predict; `-` reads stdin
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}

/// What `recipes` takes.
#[derive(Args, Clone, Debug)]
pub struct RecipesArgs {
    /// Print this recipe as TOML, ready to save and edit
    pub name: Option<String>,
}
