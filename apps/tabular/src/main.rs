//! Train, evaluate, explain and use models for tables from one command.

mod explain;
mod inspect;

use std::path::Path;

use burn::tensor::Device;
use clap::Subcommand;
use tinderbox_cli::app::{App, NoFlags, TrainCommand, with_data};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_cli::{Failure, TrainArgs, progress, sections};
use tinderbox_recipes::tabular::{BUILTIN, BaselineKind, Recipe, Tabular, TabularPredictor};
use tinderbox_train::{Options, Report};

struct TabularApp;

#[derive(clap::Args, Clone, Debug, Default)]
struct TrainFlags {
    /// Column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Keep the fitted baselines in the model folder, for `--model` of `eval` and `predict`
    #[arg(long, conflicts_with = "no_baseline")]
    keep_baselines: bool,
}

#[derive(clap::Args, Clone, Debug, Default)]
struct ModelFlags {
    /// Use a baseline that `train --keep-baselines` saved: trees or linear
    #[arg(long, value_name = "NAME")]
    model: Option<BaselineKind>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show statistics and problems of a data file
    Inspect(inspect::Args),
    /// Show feature importance, or explain one prediction
    Explain(explain::Args),
}

impl App for TabularApp {
    type Task = Tabular;
    type TrainFlags = TrainFlags;
    type ModelFlags = ModelFlags;
    type EvalFlags = NoFlags;
    type InputFlags = NoFlags;
    type Command = Command;

    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = "Train, evaluate, explain and use models for tables";

    fn recipes() -> Catalogue<Recipe> {
        Catalogue {
            names: &BUILTIN,
            builtin: Recipe::builtin,
        }
    }

    /// A file of the user's needs no recipe.
    fn resolve(flags: &TrainFlags, args: &TrainArgs) -> Result<Recipe, Failure> {
        let mut run = args.run.clone();
        let has_file = args.data.is_some() || flags.target.is_some();
        if has_file && run.recipe.is_none() && run.resume.is_none() {
            run.recipe = Some("file".to_owned());
        }
        let mut recipe = Self::recipes().of_run(&run)?;
        if let Some(target) = &flags.target {
            target.clone_into(&mut recipe.data.target);
        }
        with_data(recipe, args.data.as_deref())
    }

    fn set_options(args: &TrainCommand<TrainFlags>, _: &Tabular, options: &mut Options) {
        options.keep_baselines = args.own.keep_baselines;
    }

    fn best_flags(flags: &TrainFlags) -> Vec<String> {
        let keep = flags.keep_baselines.then(|| "--keep-baselines".to_owned());
        keep.into_iter().collect()
    }

    fn load(dir: &Path, flags: &ModelFlags, device: &Device) -> Result<TabularPredictor, Failure> {
        let model = TabularPredictor::load(dir, device)?;
        match flags.model {
            Some(kind) => Ok(model.with_baseline(dir, kind)?),
            None => Ok(model),
        }
    }

    /// Adds the most important features to the sections of the run.
    fn after_training(
        task: &Tabular,
        report: &Report,
        device: &Device,
        quiet: bool,
    ) -> Result<(), Failure> {
        let mut counter = progress::counter("columns ranked");
        let mut count = |done: usize, total: usize| {
            if !quiet {
                counter(done, total);
            }
        };
        let features = task.rank_features(&report.run, device, &mut count)?;
        sections::add(report, &features, quiet)
    }

    fn run(command: Command) -> Result<(), Failure> {
        match command {
            Command::Inspect(args) => inspect::run(&args),
            Command::Explain(args) => explain::run(&args),
        }
    }
}

tinderbox_cli::main!(TabularApp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(TabularApp::NAME, &TabularApp::recipes());
    }
}
