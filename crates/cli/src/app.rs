//! An app: the commands of a task, written once.
//!
//! An app names its [`Task`], its recipes, and the flags and commands that only it has; everything
//! else is here. [`main!`](crate::main) makes the program.

use std::fmt::Debug;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use burn::tensor::Device;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tinderbox_predict::ModelFiles;
use tinderbox_serve::Loaded;
use tinderbox_train::{Options, Report, Task, TaskRecipe};

use crate::model_dir::model_dir;
use crate::recipe::{Catalogue, data_path};
use crate::{
    EvalArgs, ExportArgs, Failure, PredictArgs, RecipesArgs, ReportArgs, ServeArgs, SweepArgs,
    TrainArgs, finish, init, list_devices, parse_command,
};

/// The commands of a task.
///
/// `examples/own-task` is a complete one.
pub trait App: Sized + 'static {
    /// The task.
    type Task: Task<Recipe: 'static, InputOptions: Clone>;
    /// Flags that only `train` of this app has.
    type TrainFlags: Args + Clone + Debug + Default;
    /// Flags that choose one of the models of a run, for `eval` and `predict`.
    type ModelFlags: Args + Clone + Debug + Default;
    /// Flags that only `eval` of this app has.
    type EvalFlags: Args + Clone + Debug;
    /// Flags that only `predict` of this app has.
    type InputFlags: Args + Clone + Debug;
    /// Commands that only this app has.
    type Command: Subcommand + Debug;

    /// Name of the program.
    const NAME: &'static str;
    /// Version of the program: `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What the program is for, in one line.
    const ABOUT: &'static str;

    /// The built-in recipes, the default one first.
    fn recipes() -> Catalogue<RecipeOf<Self>>;

    /// The recipe that the flags describe.
    ///
    /// # Errors
    ///
    /// If a flag does not fit the recipe.
    fn resolve(flags: &Self::TrainFlags, args: &TrainArgs) -> Result<RecipeOf<Self>, Failure> {
        let _ = flags;
        let recipe = Self::recipes().of_run(&args.run)?;
        with_data(recipe, args.data.as_deref())
    }

    /// Sets the options of training that flags or recipes of this app determine.
    fn set_options(
        args: &TrainCommand<Self::TrainFlags>,
        task: &Self::Task,
        options: &mut Options,
    ) {
        let _ = (args, task, options);
    }

    /// The flags among these that the training of the best trial of a sweep has too, as words of a command line: those
    /// that are not part of its recipe.
    fn best_flags(flags: &Self::TrainFlags) -> Vec<String> {
        let _ = flags;
        Vec::new()
    }

    /// Reads the model that the flags choose from its folder.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    fn load(
        dir: &Path,
        flags: &Self::ModelFlags,
        device: &Device,
    ) -> Result<ModelOf<Self>, Failure> {
        let _ = flags;
        Ok(Self::Task::load(dir, device)?)
    }

    /// How `predict` reads its inputs.
    ///
    /// # Errors
    ///
    /// If a file that a flag names cannot be used.
    fn input_options(
        flags: &Self::InputFlags,
    ) -> Result<<Self::Task as Task>::InputOptions, Failure> {
        let _ = flags;
        Ok(<Self::Task as Task>::InputOptions::default())
    }

    /// Reads the model in a folder for the command `serve`.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    fn served(dir: &Path, device: &Device) -> Result<Loaded, Failure> {
        let loaded = Loaded::open(&ModelFiles::open(dir), device);
        loaded.map_err(|error| {
            let is_user = error.is_user();
            Failure::of(error, false, is_user)
        })
    }

    /// The model that flags of `predict` choose instead of a run, such as published weights, with what was
    /// assumed about it.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    fn published(
        flags: &Self::InputFlags,
        device: &Device,
    ) -> Result<Option<WithNotes<ModelOf<Self>>>, Failure> {
        let _ = (flags, device);
        Ok(None)
    }

    /// Adds what only this app finds after training to the run, and prints it unless `quiet`.
    ///
    /// # Errors
    ///
    /// If the model cannot be used or nothing can be printed.
    fn after_training(
        task: &Self::Task,
        report: &Report,
        device: &Device,
        quiet: bool,
    ) -> Result<(), Failure> {
        let _ = (task, report, device, quiet);
        Ok(())
    }

    /// Evaluates a trained model; apps without data have their own way.
    ///
    /// # Errors
    ///
    /// If the model or the data cannot be used.
    fn eval(args: &EvalCommand<Self::ModelFlags, Self::EvalFlags>) -> Result<(), Failure> {
        crate::eval::run::<Self>(args)
    }

    /// A trained model as an ONNX file; apps whose models are of their own kind have their own way.
    ///
    /// # Errors
    ///
    /// If the model cannot be read or ONNX cannot express it.
    fn onnx(files: &ModelFiles) -> Result<Vec<u8>, Failure> {
        crate::export::onnx(files, Self::NAME)
    }

    /// Runs a command that only this app has; not called for [`NoCommand`].
    ///
    /// # Errors
    ///
    /// If the command fails, or the app does not implement its commands.
    fn run(command: Self::Command) -> Result<(), Failure> {
        Err(Failure::user(format!(
            "{} does not implement {command:?}",
            Self::NAME
        )))
    }
}

/// The recipe of an app.
pub type RecipeOf<A> = <<A as App>::Task as Task>::Recipe;

/// The model of an app.
pub type ModelOf<A> = <<A as App>::Task as Task>::Model;

/// A model with what was assumed about it, as whole lines.
pub type WithNotes<M> = (M, Vec<String>);

/// Stands for flags that an app does not have.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct NoFlags {}

/// Stands for commands that an app does not have.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum NoCommand {}

/// What `train` takes.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainCommand<F: Args> {
    /// The flags of every `train`.
    #[command(flatten)]
    pub train: TrainArgs,
    /// The flags of this app.
    #[command(flatten)]
    pub own: F,
}

/// What `eval` takes.
#[derive(Args, Clone, Debug)]
pub struct EvalCommand<F: Args, E: Args> {
    /// The flags of every `eval`.
    #[command(flatten)]
    pub eval: EvalArgs,
    /// The flags that choose a model.
    #[command(flatten)]
    pub model: F,
    /// The flags of this app.
    #[command(flatten)]
    pub own: E,
}

/// What `predict` takes.
#[derive(Args, Clone, Debug)]
pub struct PredictCommand<F: Args, I: Args> {
    /// The flags of every `predict`.
    #[command(flatten)]
    pub predict: PredictArgs,
    /// The flags that choose a model.
    #[command(flatten)]
    pub own: F,
    /// The flags that describe the inputs.
    #[command(flatten)]
    pub inputs: I,
}

#[derive(Parser, Debug)]
struct Cli<A: App> {
    #[command(subcommand)]
    command: Option<Command<A>>,
}

#[derive(Subcommand, Debug)]
enum Command<A: App> {
    /// Train a model (the default command)
    Train(Box<TrainCommand<A::TrainFlags>>),
    /// Evaluate a trained model on a split or on other data
    Eval(EvalCommand<A::ModelFlags, A::EvalFlags>),
    /// Write an HTML report of finished runs, and a model card
    Report(ReportArgs),
    /// Predict new inputs with a trained model
    Predict(PredictCommand<A::ModelFlags, A::InputFlags>),
    /// Write a trained model as a file for other software
    Export(ExportArgs),
    /// Serve trained models over HTTP
    Serve(ServeArgs),
    /// Search the keys of a recipe for the best values
    Sweep(Box<SweepArgs<A::TrainFlags>>),
    #[command(flatten)]
    Own(A::Command),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// List compiled backends and detected devices
    Devices,
    /// Check each device and suggest fixes
    #[cfg(feature = "parity")]
    Doctor,
    /// Compare each device with stored reference values
    #[cfg(feature = "parity")]
    Parity,
}

/// Makes the program of an app: its allocator and its `main`.
///
/// A training step allocates and frees the same sizes again and again, which the allocator keeps for
/// the next step.
#[macro_export]
macro_rules! main {
    ($app:ty) => {
        #[global_allocator]
        static ALLOCATOR: $crate::MiMalloc = $crate::MiMalloc;

        fn main() -> std::process::ExitCode {
            $crate::app::run::<$app>(option_env!("TINDERBOX_COMMIT"))
        }
    };
}

/// Commit that the program was built from.
static COMMIT: OnceLock<Option<&str>> = OnceLock::new();

/// Commit that the program was built from, if its build script knew it.
pub(crate) fn commit() -> Option<String> {
    (*COMMIT.get()?).map(str::to_owned)
}

/// Runs an app with the arguments of the process; `commit` is the one that it was built from.
pub fn run<A: App>(commit: Option<&'static str>) -> ExitCode {
    init(A::NAME);
    let _ = COMMIT.set(commit);
    let command = Cli::<A>::command()
        .name(A::NAME)
        .version(A::VERSION)
        .about(A::ABOUT);
    let command = crate::sweep::with_conflicts::<A>(command);
    let matches = match parse_command(command, &A::recipes().keys()) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let cli = match Cli::<A>::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    finish(dispatch(cli))
}

fn dispatch<A: App>(cli: Cli<A>) -> Result<(), Failure> {
    match cli.command {
        None => crate::train::run::<A>(&TrainCommand::default()),
        Some(Command::Train(args)) => crate::train::run::<A>(&args),
        Some(Command::Eval(args)) => A::eval(&args),
        Some(Command::Report(args)) => crate::run_report::run(&args, A::NAME),
        Some(Command::Predict(args)) => crate::predict::run::<A>(&args),
        Some(Command::Export(args)) => crate::export::run::<A>(&args),
        Some(Command::Serve(args)) => crate::serve::run::<A>(&args),
        Some(Command::Sweep(args)) => crate::sweep::run::<A>(&args),
        Some(Command::Own(command)) => A::run(command),
        Some(Command::Recipes(args)) => A::recipes().print(&args),
        Some(Command::Devices) => list_devices(),
        #[cfg(feature = "parity")]
        Some(Command::Doctor) => crate::check::doctor(),
        #[cfg(feature = "parity")]
        Some(Command::Parity) => crate::check::parity(),
    }
}

/// A recipe with the data that `--data` names.
///
/// # Errors
///
/// If the recipe has no place for it.
pub fn with_data<R: TaskRecipe>(mut recipe: R, data: Option<&Path>) -> Result<R, Failure> {
    let Some(data) = data else {
        return Ok(recipe);
    };
    let path = data_path(data)?.to_owned();
    match recipe.data_path() {
        Some(slot) => *slot = path,
        None => {
            return Err(Failure::user(format!(
                "`--data` does not apply to the recipe `{}`, whose data is bundled or generated; leave \
                 out `--recipe`, or choose another one",
                recipe.name()
            )));
        }
    }
    Ok(recipe)
}

/// Reads the model of a run, with a decision threshold that the user gave.
///
/// # Errors
///
/// If there is none, it is one of another app, or it cannot be used.
pub fn load<A: App>(
    run: &Path,
    flags: &A::ModelFlags,
    threshold: Option<f64>,
    device: &Device,
) -> Result<ModelOf<A>, Failure> {
    let model = A::load(&model_dir(run, A::NAME)?, flags, device)?;
    match threshold {
        Some(threshold) => Ok(A::Task::with_threshold(model, threshold)?),
        None => Ok(model),
    }
}
