//! Train, evaluate and use text models from one command.

mod explain;
mod input;
mod inspect;
mod predict;
mod reading;
mod train;
mod usage;
mod write;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{EvalArgs, Failure, RecipesArgs, check, finish, list_devices, parse};
use tinderbox_recipes::text::{BUILTIN, Recipe, TextRecipeError};

/// The recipes of this app.
const RECIPES: Catalogue<Recipe> = Catalogue {
    names: &BUILTIN,
    builtin: Recipe::builtin,
};

/// Train, evaluate and use text models
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Train a model (the default command)
    Train(train::Args),
    /// Evaluate a trained model on a split or on other data
    Eval(EvalArgs),
    /// Classify texts
    Predict(predict::Args),
    /// Show statistics and problems of a data set
    Inspect(inspect::Args),
    /// Generate text from a prompt
    Generate(write::Args),
    /// Summarize a text by its most important sentences
    #[command(name = "summarize", alias = "summarise")]
    Summarise(reading::SummariseArgs),
    /// Find the texts most similar to a query
    Similar(reading::SimilarArgs),
    /// Show which words decided a prediction
    Explain(explain::Args),
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
        None => train::run(&train::Args::default()),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Eval(args)) => usage::eval(&args),
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(env!("CARGO_PKG_NAME"), &super::RECIPES);
    }
}
