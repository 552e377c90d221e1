//! The command `sweep` of every app: a search over the keys of a recipe.
//!
//! Every process of a search does the same: it takes the next trial, trains it, stores its score, until none is left.
//! Then one of them trains the best recipe again, to the same weights, and tests it: the only use of the test split.

mod board;
mod watch;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::escape::shell_word;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tinderbox_backend::DeviceSpec;
use tinderbox_predict::error_chain;
use tinderbox_sweep::{Pruner, Range, Sampler, Settings, Space, SweepDir, SweepError};
use tinderbox_train::format::counted;
use tinderbox_train::overlay::document;
use tinderbox_train::{Task as _, TaskRecipe, parse_duration};

use crate::app::{App, RecipeOf};
use crate::args::DEVICE_HELP;
use crate::interrupt::set_sweep;
use crate::recipe::stamp;
use crate::{Failure, OrUserError as _, RunArgs, TrainArgs, mpi, note, table, threads};
use worker::Worker;

/// Trials unless `--trials` says otherwise.
const TRIALS: usize = 30;

/// What `sweep` takes, with the flags `F` of `train` that only this app has.
#[derive(Args, Clone, Debug)]
pub struct SweepArgs<F: Args> {
    /// Built-in recipe or TOML file
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub recipe: Option<String>,
    /// File or folder with the data
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Override a recipe key, e.g. train.seed=3
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Search space: keys with ranges and choices [default: one that fits the recipe]
    #[arg(long, value_name = "FILE.toml")]
    pub space: Option<PathBuf>,
    /// Number of trials
    #[arg(long, value_name = "N", default_value_t = TRIALS, value_parser = count)]
    pub trials: usize,
    /// Start no new trial after this time, e.g. 20m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub budget: Option<Duration>,
    /// Processes on this machine, which share its cores
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = workers)]
    pub workers: usize,
    /// Cross-validation folds in each trial; 0 for none
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// Number of seeds per trial
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count)]
    pub seeds: usize,
    /// Sampler of values
    #[arg(long, value_enum, value_name = "NAME", default_value_t = SamplerArg::Tpe)]
    pub sampler: SamplerArg,
    /// Pruner, which stops trials early
    #[arg(long, value_enum, value_name = "NAME", default_value_t = PrunerArg::Hyperband)]
    pub pruner: PrunerArg,
    /// Random seed of the search and of its trials
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// New folder for the sweep
    #[arg(
        long,
        value_name = "DIR",
        help = "New folder for the sweep [default: sweeps/<recipe>/<UTC time>-<seed>]"
    )]
    pub out: Option<PathBuf>,
    /// Add this process to the sweep in this folder, or resume it
    #[arg(long, value_name = "DIR", conflicts_with_all = NEW)]
    pub join: Option<PathBuf>,
    /// Show the leaderboard of the sweep in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = NEW, conflicts_with_all = ["join", "budget", "workers", "device", "quiet"])]
    pub show: Option<PathBuf>,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
    /// Skip the baseline comparison of the best trial
    #[arg(long)]
    pub no_baseline: bool,
    /// Print only the result
    #[arg(long)]
    pub quiet: bool,
    /// Train trials only: another process prints and tests the best one
    #[arg(long, hide = true, requires = "join")]
    pub worker: bool,
    /// The flags of `train` that only this app has.
    #[command(flatten)]
    pub own: F,
}

/// The flags of a new sweep.
const NEW: [&str; 12] = [
    "recipe",
    "data",
    "set",
    "space",
    "trials",
    "folds",
    "seeds",
    "sampler",
    "pruner",
    "seed",
    "out",
    "no_baseline",
];

/// A command line whose `sweep` refuses the flags that only this app has together with a sweep that has begun: its
/// recipe is settled.
pub(crate) fn with_conflicts<A: App>(command: clap::Command) -> clap::Command {
    let own = <A::TrainFlags as Args>::augment_args(clap::Command::new(A::NAME));
    command.mut_subcommand("sweep", |sweep| {
        own.get_arguments().fold(sweep, |sweep, flag| {
            sweep.mut_arg(flag.get_id(), |flag| {
                flag.conflicts_with_all(["join", "show"])
            })
        })
    })
}

/// How values are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SamplerArg {
    /// Tree-structured Parzen estimator: values near those of good trials
    Tpe,
    /// Random values
    Random,
}

/// Which trials stop early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrunerArg {
    /// Stop trials that are behind after a few epochs
    Hyperband,
    /// Stop no trial
    None,
}

impl From<SamplerArg> for Sampler {
    fn from(arg: SamplerArg) -> Self {
        match arg {
            SamplerArg::Tpe => Self::Tpe,
            SamplerArg::Random => Self::Random,
        }
    }
}

impl From<PrunerArg> for Pruner {
    fn from(arg: PrunerArg) -> Self {
        match arg {
            PrunerArg::Hyperband => Self::Hyperband,
            PrunerArg::None => Self::None,
        }
    }
}

fn count(text: &str) -> Result<usize, String> {
    within(text, 1..=100_000)
}

fn workers(text: &str) -> Result<usize, String> {
    within(text, 1..=256)
}

fn within(text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!(
            "expected a number from {} to {}",
            range.start(),
            range.end()
        )
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as 90s, 20m or 1h30m".to_owned())
}

/// An error of the folder of a sweep, by who can do something about it.
fn of_folder(error: SweepError) -> Failure {
    let is_user = error.is_user();
    Failure::of(error, false, is_user)
}

/// Begins a sweep, joins one, or shows one.
pub(crate) fn run<A: App>(args: &SweepArgs<A::TrainFlags>) -> Result<(), Failure> {
    if let Some(dir) = &args.show {
        return board::show::<A>(&SweepDir::open(dir, A::NAME, A::VERSION).map_err(of_folder)?);
    }
    let advice = "begin it on one, then start others with `sweep --join DIR`";
    if args.join.is_none() && !mpi::is_alone("sweep", advice)? {
        return Ok(());
    }
    let started = Instant::now();
    if args.workers > 1 {
        threads::share(threads_of(args.workers));
    }
    let (sweep, recipe) = match &args.join {
        Some(dir) => {
            let sweep = SweepDir::open(dir, A::NAME, A::VERSION).map_err(of_folder)?;
            let recipe = A::recipes().load(sweep.recipe(), &sweep.recipe_file())?;
            (sweep, recipe)
        }
        None => begin::<A>(args)?,
    };
    set_sweep(sweep.path());
    let worker = Worker::<A>::new(&sweep, recipe, args, started)?;
    // After the checks: otherwise each of them would print the same error.
    let helpers = Helpers::start(&sweep, args)?;
    worker.work()?;
    helpers.wait();
    if args.worker {
        return Ok(());
    }
    worker.test_best()
}

/// Checks everything that a sweep needs, and makes its folder.
fn begin<A: App>(args: &SweepArgs<A::TrainFlags>) -> Result<(SweepDir, RecipeOf<A>), Failure> {
    let train = TrainArgs {
        run: RunArgs {
            recipe: args.recipe.clone(),
            set: args.set.clone(),
            folds: args.folds,
            seed: args.seed,
            quiet: args.quiet,
            ..RunArgs::default()
        },
        data: args.data.clone(),
        ..TrainArgs::default()
    };
    let given = match &args.space {
        Some(file) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read the search space `{}`", file.display()))
                .or_user_error()?;
            Some((file, text))
        }
        None => None,
    };
    // Before anything is written: the data, and the recipe as it is. What follows from the data or from published
    // weights is in the recipe then, and is not searched.
    let task = A::Task::prepare(A::resolve(&args.own, &train)?)?;
    let recipe = task.recipe().clone();
    let space = if let Some((file, text)) = given {
        let valid = |recipe: &RecipeOf<A>| {
            A::Task::check_recipe(recipe).map_err(|error| {
                let reason = error_chain(&error);
                let about_the_key = reason.strip_prefix("invalid recipe: ");
                about_the_key.unwrap_or(&reason).to_owned()
            })
        };
        let space = Space::parse(&text, &recipe)
            .and_then(|space| space.check(&recipe, valid).map(|()| space));
        space
            .with_context(|| format!("`{}`", file.display()))
            .or_user_error()?
    } else {
        let keys = args.set.iter().filter_map(|set| set.split_once('='));
        let fixed: Vec<&str> = keys.map(|(key, _)| key.trim()).collect();
        Space::around(&recipe, recipe.name(), &fixed).or_user_error()?
    };
    let out = args.out.clone().unwrap_or_else(|| {
        Path::new("sweeps")
            .join(recipe.name())
            .join(stamp(recipe.seed()))
    });
    let settings = Settings {
        app: A::NAME.to_owned(),
        version: A::VERSION.to_owned(),
        trials: args.trials,
        seeds: args.seeds,
        seed: recipe.seed(),
        sampler: args.sampler.into(),
        pruner: args.pruner.into(),
        device: args.device.to_string(),
        baselines: !args.no_baseline,
        flags: A::best_flags(&args.own),
    };
    let data = task.split_list();
    let sweep = SweepDir::create(&out, settings, &document(&recipe)?, &space, data);
    let sweep = sweep.map_err(of_folder)?;
    if !args.quiet {
        crate::train::describe::<A::Task>(recipe.name(), &task.overview());
        note(&format!(
            "{} over {}; the other keys keep their values",
            counted(args.trials, "trial"),
            counted(space.parameters().len(), "key")
        ));
        note(&table(&rows(&space)));
        let dir = out.display();
        note(&format!(
            "writing to {dir}; another process or machine joins with `{} sweep --join {}`",
            A::NAME,
            shell_word(&out)
        ));
    }
    Ok((sweep, recipe))
}

/// The search space for people.
fn rows(space: &Space) -> Vec<Vec<String>> {
    let rows = space.parameters().iter().map(|parameter| {
        let spaced = |log: bool| if log { ", logarithmic" } else { "" };
        let mut values = match &parameter.range {
            Range::Float { min, max, log } => {
                let [min, max] = [min, max].map(|end| number(*end));
                format!("{min} to {max}{}", spaced(*log))
            }
            Range::Int { min, max, log } => format!("{min} to {max}{}", spaced(*log)),
            Range::Choices(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                values.join(", ")
            }
        };
        for (key, wanted) in &parameter.when {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            values.push_str("; where ");
            values.push_str(key);
            values.push_str(" is ");
            values.push_str(&wanted.join(" or "));
        }
        vec![parameter.key.clone(), values]
    });
    rows.collect()
}

/// A number as short as it is exact.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

fn threads_of(workers: usize) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    (cores / workers).max(1)
}

/// More processes of the same sweep on this machine; they end with this one.
struct Helpers(Vec<Child>);

impl Helpers {
    fn start<F: Args>(sweep: &SweepDir, args: &SweepArgs<F>) -> Result<Self, Failure> {
        let mut helpers = Self(Vec::new());
        for _ in 1..args.workers {
            let program = std::env::current_exe().context("cannot find this program")?;
            let mut command = Command::new(program);
            command
                .args(["sweep", "--worker", "--quiet", "--join"])
                .arg(sweep.path())
                .args(["--device", &args.device.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            if let Some(budget) = args.budget {
                command.args(["--budget", &format!("{}s", budget.as_secs())]);
            }
            if std::env::var_os(threads::VARIABLE).is_none() {
                command.env(threads::VARIABLE, threads_of(args.workers).to_string());
            }
            let child = command.spawn().context("cannot start another process")?;
            helpers.0.push(child);
        }
        Ok(helpers)
    }

    /// Waits for their last trials, which this process has seen finished.
    fn wait(mut self) {
        for mut child in self.0.drain(..) {
            // If it failed, it has printed its error, and this process has resumed its trial.
            let _ = child.wait();
        }
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // A trial that loses its process is resumed by the next one.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
