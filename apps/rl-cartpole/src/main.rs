//! Train reinforcement-learning agents and watch them.

mod ablation;
mod eval;
mod live;
mod picture;
mod play;
mod screen;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{Failure, RecipesArgs, finish, list_devices, parse};
use tinderbox_rl::RlError;
use tinderbox_rl::recipe::{BUILTIN, Recipe};

/// The recipes of this app.
const RECIPES: Catalogue<Recipe> = Catalogue {
    names: &BUILTIN,
    builtin: Recipe::builtin,
};

/// Train reinforcement-learning agents and watch them
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
    /// Evaluate a trained agent over greedy episodes
    Eval(eval::Args),
    /// Watch a trained agent, or write an animated GIF
    Play(play::Args),
    /// Train several recipes with several seeds and compare the results
    Ablation(ablation::Args),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// List compiled backends and detected devices
    Devices,
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
        Some(Command::Eval(args)) => eval::run(&args),
        Some(Command::Play(args)) => play::run(&args),
        Some(Command::Ablation(args)) => ablation::run(&args),
        Some(Command::Recipes(args)) => RECIPES.print(&args),
        Some(Command::Devices) => list_devices(),
    })
}

/// Gives an error the exit code that it deserves.
fn failure(error: RlError) -> Failure {
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
