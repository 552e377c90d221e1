//! Train, evaluate and use models of texts from one command.

mod explain;
mod input;
mod reading;
mod train;
mod usage;
mod write;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{EvalArgs, Failure, RecipesArgs, check, finish, list_devices};
use tinderbox_recipes::text::{BUILTIN, Recipe, TextRecipeError};

/// The recipes of this app.
const RECIPES: Catalogue<Recipe> = Catalogue {
    names: &BUILTIN,
    builtin: Recipe::builtin,
};

/// Train, evaluate and use models of texts, and let one write
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
    /// Measure a trained model on a split, or on another file
    Eval(EvalArgs),
    /// Say what texts are
    Predict(usage::PredictArgs),
    /// Go on with a text
    Generate(write::Args),
    /// Pick the sentences of a text that matter
    Summarise(reading::SummariseArgs),
    /// Find the texts of a folder that are most like a query
    Similar(reading::SimilarArgs),
    /// Show which words carried a decision
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
        Some(Command::Predict(args)) => usage::predict(&args),
        Some(Command::Generate(args)) => write::run(&args),
        Some(Command::Summarise(args)) => reading::summarise(&args),
        Some(Command::Similar(args)) => reading::similar(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Recipes(args)) => RECIPES.print(&args),
        Some(Command::Devices) => list_devices(),
        Some(Command::Doctor) => check::doctor(),
        Some(Command::Parity) => check::parity(),
    })
}

/// Gives an error the exit code that it deserves.
fn failure(error: TextRecipeError) -> Failure {
    let (interrupted, input) = (error.is_interrupted(), error.is_input());
    Failure::of(error, interrupted, input)
}
