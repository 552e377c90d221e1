//! The flags of the shared commands.

use std::path::PathBuf;

use clap::Args;
use tinderbox_backend::DeviceSpec;

use crate::app::{ModelOf, NoFlags, load};
use crate::{App, Failure, Output, open_device};

/// Help of `--device`.
pub const DEVICE_HELP: &str = "Device: auto, cpu, cuda[:N], wgpu[:N], libtorch or ndarray";

/// Help of `--run`.
pub const RUN_HELP: &str = "Run directory, or a model folder";

/// The flag `--device`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct DeviceArgs {
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
}

impl From<DeviceArgs> for DeviceSpec {
    fn from(args: DeviceArgs) -> Self {
        args.device
    }
}

/// What every `train` takes.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Built-in recipe or TOML file
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub recipe: Option<String>,
    /// Override a recipe key, e.g. train.epochs=3
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Passes over the training data
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Items per batch
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Learning rate
    #[arg(long, value_name = "X")]
    pub lr: Option<f64>,
    /// Cross-validation folds before the final training; 0 for none
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// Number of networks whose predictions are averaged
    #[arg(long, value_name = "N")]
    pub ensemble: Option<usize>,
    /// Random seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// New run directory
    #[arg(
        long,
        value_name = "DIR",
        help = "New run directory [default: runs/<recipe>/<UTC time>-<seed>]"
    )]
    pub out: Option<PathBuf>,
    /// Resume the run in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Device to compute on.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print the result only
    #[arg(long)]
    pub quiet: bool,
}

/// A flag of `train` that stands for a key of the recipe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shortcut {
    /// The flag.
    pub(crate) flag: &'static str,
    /// The keys that it stands for, of which a recipe has at most one.
    pub(crate) keys: &'static [&'static str],
    /// What a recipe without any of them lacks.
    pub(crate) lacks: &'static str,
    /// The value given.
    pub(crate) value: String,
}

impl RunArgs {
    /// The flags given that stand for keys.
    pub(crate) fn shortcuts(&self) -> Vec<Shortcut> {
        let shortcut = |flag, keys, lacks, value: Option<String>| {
            value.map(|value| Shortcut {
                flag,
                keys,
                lacks,
                value,
            })
        };
        let count = |value: Option<usize>| value.map(|value| value.to_string());
        let all = [
            shortcut("--epochs", &["train.epochs"], "epochs", count(self.epochs)),
            shortcut(
                "--batch-size",
                &["train.batch_size"],
                "batch size",
                count(self.batch_size),
            ),
            shortcut(
                "--lr",
                &["optimizer.learning_rate"],
                "learning rate",
                // TOML needs the decimal point or the exponent that `{:?}` keeps.
                self.lr.map(|rate| format!("{rate:?}")),
            ),
            shortcut(
                "--folds",
                &["split.folds"],
                "cross-validation",
                count(self.folds),
            ),
            shortcut(
                "--ensemble",
                &["ensemble"],
                "ensemble",
                count(self.ensemble),
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

/// What `train` takes where there is data.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainArgs {
    /// The flags of every `train`.
    #[command(flatten)]
    pub run: RunArgs,
    /// File or folder with the data
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Show a dashboard in the terminal
    #[arg(long, conflicts_with = "quiet")]
    pub tui: bool,
    /// Skip the classical baseline on the same split
    #[arg(long)]
    pub no_baseline: bool,
}

/// What `eval` takes.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR", help = RUN_HELP)]
    pub run: PathBuf,
    /// File or folder with the data [default: the training data]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Split to evaluate
    #[arg(long, value_name = "SPLIT", default_value = "test",
          value_parser = ["test", "valid", "train"])]
    pub split: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Decision threshold of two classes [default: the model's]
    #[arg(long, value_name = "X")]
    pub threshold: Option<f64>,
    /// Device to compute on.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What `predict` takes.
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR", help = RUN_HELP)]
    pub run: PathBuf,
    /// Print one JSON line per input
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV
    #[arg(long)]
    pub csv: bool,
    /// Leave CSV cells unchanged; by default `'` is put before cells that a spreadsheet would run as a
    /// formula
    #[arg(long)]
    pub raw: bool,
    /// Write to a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Decision threshold of two classes [default: the model's]
    #[arg(long, value_name = "X")]
    pub threshold: Option<f64>,
    /// Copy a column of the input into the predictions
    #[arg(long, value_name = "COLUMN")]
    pub id: Vec<String>,
    /// Copy all columns of the input into the predictions
    #[arg(long, conflicts_with = "id")]
    pub keep: bool,
    /// Skip inputs that cannot be read, and count them
    #[arg(long)]
    pub skip_errors: bool,
    /// Device to compute on.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Files to predict; `-` reads stdin
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}

impl PredictArgs {
    /// Writes a row of CSV as `--raw` says.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn csv_row<S: AsRef<str>>(&self, out: &mut Output, cells: &[S]) -> Result<(), Failure> {
        if self.raw {
            out.csv_raw(cells)
        } else {
            out.csv(cells)
        }
    }
}

/// What commands that use a trained model take.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
}

impl ModelArgs {
    /// Reads the model.
    ///
    /// # Errors
    ///
    /// If the device or the model cannot be used.
    pub fn load<A: App<ModelFlags = NoFlags>>(&self) -> Result<ModelOf<A>, Failure> {
        let device = open_device(self.device, A::NAME)?.device;
        load::<A>(&self.run, &NoFlags {}, None, &device)
    }
}

/// What `recipes` takes.
#[derive(Args, Clone, Debug)]
pub struct RecipesArgs {
    /// Print this recipe as TOML, with comments, ready to edit
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_are_values_of_toml() {
        let args = RunArgs {
            lr: Some(1.0),
            epochs: Some(3),
            ..RunArgs::default()
        };
        let values: Vec<String> = args.shortcuts().into_iter().map(|s| s.value).collect();
        assert_eq!(values, ["3", "1.0"]);
        assert!(RunArgs::default().shortcuts().is_empty());
    }
}
