//! Train, evaluate, explain and use models of tables from one command.

mod chart;
mod credit;
mod explain;
mod inspect;
mod map;
mod predict;
mod story;
mod train;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{EvalArgs, Failure, RecipesArgs, check, finish, list_devices};
use tinderbox_recipes::tabular::{BUILTIN, Recipe, TabularError};

/// The recipes of this app.
const RECIPES: Catalogue<Recipe> = Catalogue {
    names: &BUILTIN,
    builtin: Recipe::builtin,
};

/// Train, evaluate, explain and use models of tables
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Train a recipe; without a command, the default one
    Train(train::Args),
    /// Measure a trained model on a split
    Eval(EvalArgs),
    /// Predict the rows of CSV or Parquet files
    Predict(predict::Args),
    /// Show what is in a file, and what could go wrong with it
    Inspect(inspect::Args),
    /// Show which columns a trained model goes by
    Explain(explain::Args),
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
        None => train::run(&train::Args::default()),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Eval(args)) => usage::eval(&args),
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Recipes(args)) => RECIPES.print(&args),
        Some(Command::Devices) => list_devices(),
        Some(Command::Doctor) => check::doctor(),
        Some(Command::Parity) => check::parity(),
    })
}

/// Gives an error the exit code that it deserves.
fn failure(error: TabularError) -> Failure {
    let (interrupted, input) = (error.is_interrupted(), error.is_input());
    Failure::of(error, interrupted, input)
}
