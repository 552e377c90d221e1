//! The flags of the shared commands.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use tinderbox_backend::DeviceSpec;
use tinderbox_datasets::Shard;
use tinderbox_train::overlay::assign;
use tinderbox_train::section::Analysis;
use tinderbox_train::task::{Noun, Overview};
use tinderbox_train::{Task, TaskError};

use crate::app::{ModelOf, NoFlags, RecipeOf, load, with_data};
use crate::escape::escape_document;
use crate::output::check_extension;
use crate::{
    App, Failure, OrUserError as _, Output, highlights, inspect, model_dir, open_device, sections,
};

/// Help of `--device`.
pub const DEVICE_HELP: &str =
    "Device: auto, cpu, cuda[:N], wgpu[:N] or another name that `devices` lists";

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
    /// Override a recipe key, e.g. train.seed=3
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Passes over the training data
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Time for training, e.g. 20m or 1h30m; sets the number of epochs
    #[arg(long, value_name = "TIME")]
    pub budget: Option<String>,
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
    /// Write event files.
    #[arg(
        long,
        help = "Write event files for TensorBoard to tensorboard/ in the run directory: scalars, or also histograms \
                of the weights",
        value_enum,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "scalars"
    )]
    pub tensorboard: Option<EventKinds>,
    /// Skip report.html and the model card, also when the run is resumed
    #[arg(long)]
    pub no_report: bool,
    /// Print only the result
    #[arg(long)]
    pub quiet: bool,
}

/// What `train --tensorboard` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventKinds {
    /// Metrics and the norm of the gradient
    Scalars,
    /// Also the weights of each epoch
    Histograms,
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
                "--budget",
                &["train.budget"],
                "time budget",
                // Quoted: not every time is a word of TOML.
                self.budget.as_ref().map(|time| format!("{time:?}")),
            ),
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
            shortcut(
                "--tensorboard",
                &["metrics.tensorboard"],
                "event files",
                self.tensorboard.map(|_| true.to_string()),
            ),
            shortcut(
                "--tensorboard=histograms",
                &["metrics.histograms"],
                "histograms",
                self.tensorboard
                    .filter(|kinds| *kinds == EventKinds::Histograms)
                    .map(|_| true.to_string()),
            ),
            shortcut(
                "--no-report",
                &["metrics.report"],
                "report",
                self.no_report.then(|| false.to_string()),
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
    /// Skip the baseline comparison
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
    pub run: Option<PathBuf>,
    /// Print one JSON line per input
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV
    #[arg(long)]
    pub csv: bool,
    /// Write Parquet
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub parquet: bool,
    /// Leave CSV cells unchanged; by default `'` is put before cells that a spreadsheet would run as a formula
    #[arg(long)]
    pub raw: bool,
    /// Write to a file instead of the terminal; models that make images write them to this folder. The extension of a
    /// file sets its format: CSV (.csv), JSON lines (.jsonl, .ndjson, .json) or Parquet (.parquet)
    #[arg(long, value_name = "PATH")]
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
    /// Predict part I of N into a file in the folder `--out`, for N processes or machines; finished parts
    /// are skipped
    #[arg(long, value_name = "I/N", requires = "run", requires = "out")]
    pub shard: Option<Shard>,
    /// Merge the parts in a folder into one file, or print them
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["run", "json", "csv", "parquet", "raw", "threshold", "id", "keep", "skip_errors", "shard"]
    )]
    pub merge: Option<PathBuf>,
    /// Files to predict; `-` reads stdin
    #[arg(
        required_unless_present = "merge",
        conflicts_with = "merge",
        value_name = "INPUT"
    )]
    pub inputs: Vec<PathBuf>,
}

impl PredictArgs {
    /// Writes rows of CSV as `--raw` says.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn csv_rows(&self, out: &mut Output, rows: &[Vec<String>]) -> Result<(), Failure> {
        out.csv_rows(rows, self.raw)
    }
}

/// What commands that use a trained model take.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR", alias = "weights")]
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
    pub fn load<A: App>(&self) -> Result<ModelOf<A>, Failure> {
        let device = open_device(self.device, A::NAME)?.device;
        load::<A>(&self.run, &A::ModelFlags::default(), None, &device)
    }

    /// The model folder of the run, or the folder itself if it has no run, with the device.
    ///
    /// # Errors
    ///
    /// If the device cannot be used, or the run is one of another app.
    pub fn open<A: App>(&self) -> Result<(PathBuf, Device), Failure> {
        let device = open_device(self.device, A::NAME)?.device;
        // Weights from elsewhere.
        let dir = if self.run.join("config.json").is_file() {
            self.run.clone()
        } else {
            model_dir(&self.run, A::NAME)?
        };
        Ok((dir, device))
    }
}

/// What `inspect` takes where a recipe reads the data, with flags `F` of the app.
#[derive(Args, Clone, Debug)]
pub struct InspectArgs<F: Args> {
    /// File or folder with the data
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Recipe to read the data with
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub recipe: Option<String>,
    /// The flags of the app.
    #[command(flatten)]
    pub flags: F,
    /// Override a recipe key, e.g. data.format.encoding=windows-1252
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl<F: Args> InspectArgs<F> {
    /// The recipe, `default` unless one is named, with the data.
    ///
    /// # Errors
    ///
    /// If there is no such recipe or key, or the recipe generates its data.
    pub fn recipe<A: App>(&self, default: &str) -> Result<RecipeOf<A>, Failure> {
        let name = self.recipe.as_deref().unwrap_or(default);
        let recipe = A::recipes().resolve(Some(name), &[])?;
        let recipe = assign(recipe, &self.set)
            .context("`--set`")
            .or_user_error()?;
        with_data(recipe, Some(&self.data))
    }

    /// The name of the data.
    pub fn name(&self) -> String {
        self.data.display().to_string()
    }

    /// Prints the statistics of the data.
    ///
    /// # Errors
    ///
    /// If nothing can be printed.
    pub fn print(
        &self,
        overview: &Overview,
        details: &Map<String, Value>,
        item: Noun,
    ) -> Result<(), Failure> {
        inspect::print(overview, details, item, self.json)
    }
}

/// What `explain` takes, with flags `F` that describe the inputs.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs<F: Args> {
    /// The model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The flags that describe the inputs.
    #[command(flatten)]
    pub flags: F,
    /// Write a web page with colors
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// Inputs as of `predict`; `-` reads stdin
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}

impl<F: Args> ExplainArgs<F> {
    /// Explains the predictions for the inputs and prints the explanations.
    ///
    /// # Errors
    ///
    /// If the model cannot be used, `explain` fails, or nothing can be written.
    pub fn run<A: App<ModelFlags = NoFlags, InputFlags = F>>(
        &self,
        explain: impl Fn(
            &ModelOf<A>,
            &[PathBuf],
            &<A::Task as Task>::InputOptions,
        ) -> Result<Analysis, TaskError>,
    ) -> Result<(), Failure> {
        if let Some(path) = &self.out {
            check_extension(path, &["html", "htm"])?;
        }
        let options = A::input_options(&self.flags)?;
        let explained = explain(&self.model.load::<A>()?, &self.inputs, &options)?;
        if let Some(path) = &self.out {
            highlights::write(path, &explained.sections)?;
        }
        sections::print(&explained, self.model.json)
    }
}

/// What `generate` takes.
#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    /// The model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Prompt to continue
    #[arg(long, value_name = "TEXT", default_value = "\n")]
    pub prompt: String,
    /// Number of tokens to generate
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub tokens: u32,
    /// Sampling temperature; 0 is greedy
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    pub temperature: f64,
    /// Sample from the K most likely tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: usize,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Disable the key-value cache
    #[arg(long)]
    pub no_cache: bool,
}

impl GenerateArgs {
    /// Prints a piece of the generated text, unless it is printed as JSON at the end.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        if !self.model.json {
            let mut out = Output::Stdout;
            write!(out, "{}", escape_document(text))?;
            out.flush()?;
        }
        Ok(())
    }

    /// Ends the text, or prints it as JSON.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(&self, done: &Analysis) -> Result<(), Failure> {
        self.print("\n")?;
        sections::print(done, self.model.json)
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
    fn the_help_of_a_device_names_devices_and_where_all_are() {
        let (named, rest) = DEVICE_HELP.split_once(" or ").unwrap();
        assert!(rest.contains("`devices`"), "{rest}");
        let names = named.trim_start_matches("Device: ").replace("[:N]", ":1");
        for name in names.split(", ") {
            assert!(name.parse::<DeviceSpec>().is_ok(), "{name}");
        }
    }

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
