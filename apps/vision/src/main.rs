//! Train, evaluate and use image classifiers from one command.

mod textbook;
mod train;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{
    EvalArgs, Failure, Output, PredictArgs, RecipesArgs, TrainArgs, check, finish, table,
};
use tinderbox_recipes::vision::{BUILTIN, Recipe};

/// The recipes of this app.
const RECIPES: Catalogue<Recipe> = Catalogue {
    names: &BUILTIN,
    builtin: Recipe::builtin,
};

/// Train, evaluate and use image classifiers
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Train a recipe; without a command, the default one
    Train(TrainArgs),
    /// Measure a trained model on a split
    Eval(EvalArgs),
    /// Classify image files
    Predict(PredictArgs),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// List the devices of this binary and this machine
    Devices,
    /// Probe each device for a second, with the line that mends what fails
    Doctor,
    /// Compare layers, losses and models on each device with stored references
    Parity,
}

fn main() -> ExitCode {
    tinderbox_cli::init_logging();
    finish(match Cli::parse().command {
        None => train::run(&TrainArgs::default()),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Eval(args)) => usage::eval(&args),
        Some(Command::Predict(args)) => usage::predict(&args),
        Some(Command::Recipes(args)) => recipes(&args),
        Some(Command::Devices) => devices(),
        Some(Command::Doctor) => check::doctor(),
        Some(Command::Parity) => check::parity(),
    })
}

fn recipes(args: &RecipesArgs) -> Result<(), Failure> {
    let text = match &args.name {
        Some(name) => RECIPES.text(name)?,
        None => table(&BUILTIN.map(|(name, line)| vec![name.to_owned(), line.to_owned()])),
    };
    Output::Stdout.line(text.trim_end())
}

fn devices() -> Result<(), Failure> {
    for status in tinderbox_backend::devices() {
        Output::Stdout.line(&status.to_string())?;
    }
    Ok(())
}

/// Gives a vision error the exit code that it deserves.
fn failure(error: tinderbox_recipes::vision::VisionError) -> Failure {
    if error.is_interrupted() {
        Failure::Interrupted(error.into())
    } else if error.is_input() {
        Failure::Input(error.into())
    } else {
        Failure::Other(error.into())
    }
}

/// Opens a device, and says which command has it if this one has not.
fn open(device: tinderbox_backend::DeviceSpec) -> Result<tinderbox_backend::Opened, Failure> {
    tinderbox_backend::open(device).map_err(|error| match error.fix("vision") {
        Some(fix) => Failure::input(format!("{error}: {fix}")),
        None => Failure::Input(error.into()),
    })
}
