//! Train, evaluate and use image classifiers from one command.

mod choose;
mod inspect;
mod predict;
mod textbook;
mod train;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{EvalArgs, Failure, RecipesArgs, TrainArgs, check, finish, list_devices};
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
    /// Classify images: files, folders and archives
    Predict(predict::Args),
    /// Show statistics and problems of a data set
    Inspect(inspect::Args),
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
    tinderbox_cli::init(env!("CARGO_PKG_NAME"));
    finish(match Cli::parse().command {
        None => train::run(&TrainArgs::default()),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Eval(args)) => usage::eval(&args),
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Recipes(args)) => RECIPES.print(&args),
        Some(Command::Devices) => list_devices(),
        Some(Command::Doctor) => check::doctor(),
        Some(Command::Parity) => check::parity(),
    })
}

/// Gives a vision error the exit code that it deserves.
fn failure(error: tinderbox_recipes::vision::VisionError) -> Failure {
    let (interrupted, input) = (error.is_interrupted(), error.is_input());
    Failure::of(error, interrupted, input)
}
