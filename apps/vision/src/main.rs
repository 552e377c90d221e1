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
use tinderbox_cli::{
    EvalArgs, Failure, RecipesArgs, TrainArgs, check, finish, list_devices, parse,
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
    /// Train a model (the default command)
    Train(TrainArgs),
    /// Evaluate a trained model on a split or on other data
    Eval(EvalArgs),
    /// Classify images: files, folders and archives
    Predict(predict::Args),
    /// Show statistics and problems of a data set
    Inspect(inspect::Args),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// List compiled backends and detected devices
    Devices,
    /// Check each device and suggest fixes
    Doctor,
    /// Compare each device with stored reference values
    Parity,
}

#[global_allocator]
static ALLOCATOR: tinderbox_cli::MiMalloc = tinderbox_cli::MiMalloc;

fn main() -> ExitCode {
    tinderbox_cli::init(env!("CARGO_PKG_NAME"));
    let cli: Cli = match parse(&RECIPES.keys()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    finish(match cli.command {
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(env!("CARGO_PKG_NAME"), &super::RECIPES);
    }
}
