//! Train, evaluate and use text models from one command.

mod commands;

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use tinderbox_cli::app::{NoFlags, with_data};
use tinderbox_cli::recipe::{Catalogue, data_path, overridden};
use tinderbox_cli::{App, Failure, Output, TrainArgs};
use tinderbox_recipes::text::{BUILTIN, Recipe, TextInputOptions, TextModeling, analysis};
use tinderbox_train::{Report, TaskError};

tinderbox_cli::main!(Text);

/// Models for texts.
struct Text;

#[derive(Args, Clone, Debug, Default)]
struct Columns {
    /// Column or key of the text; repeat it to join columns, or for the two texts of a pair
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Column or key of the label
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
struct TrainFlags {
    #[command(flatten)]
    columns: Columns,
    /// Folder with pretrained weights: config.json, tokenizer.json, model.safetensors
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct InputFlags {
    /// Column or key of the text [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Read each plain text file as one text
    #[arg(long)]
    whole: bool,
    /// Read each line of a plain text file as one text
    #[arg(long, conflicts_with = "whole")]
    lines: bool,
}

impl App for Text {
    type Task = TextModeling;
    type TrainFlags = TrainFlags;
    type EvalFlags = NoFlags;
    type ModelFlags = NoFlags;
    type InputFlags = InputFlags;
    type Command = commands::Command;

    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = "Train, evaluate and use text models";

    fn recipes() -> Catalogue<Recipe> {
        Catalogue {
            names: &BUILTIN,
            builtin: Recipe::builtin,
        }
    }

    fn resolve(flags: &TrainFlags, args: &TrainArgs) -> Result<Recipe, Failure> {
        let TrainFlags { columns, weights } = flags;
        let mut run = args.run.clone();
        if run.recipe.is_none() && run.resume.is_none() {
            let own = args.data.is_some() || columns.label.is_some() || !columns.text.is_empty();
            let name = weights.as_ref().map(|_| "fine-tune");
            run.recipe = name.or(own.then_some("texts")).map(str::to_owned);
        }
        let mut recipe = Self::recipes().named(&run)?;
        if let Some(dir) = weights {
            recipe.set_pretrained(data_path(dir)?);
        }
        let recipe = columns.set(overridden(recipe, &run)?)?;
        with_data(recipe, args.data.as_deref())
    }

    fn input_options(flags: &InputFlags) -> TextInputOptions {
        TextInputOptions {
            text: flags.text.clone(),
            whole: (flags.whole || flags.lines).then_some(flags.whole),
        }
    }

    fn after_training(
        task: &TextModeling,
        report: &Report,
        device: &Device,
        _: bool,
    ) -> Result<(), Failure> {
        let lines = analysis::samples(task, &report.run.model_dir(), device)?;
        lines.iter().try_for_each(|line| Output::Stdout.line(line))
    }

    fn run(command: commands::Command) -> Result<(), Failure> {
        command.run()
    }
}

impl Columns {
    fn set(&self, mut recipe: Recipe) -> Result<Recipe, TaskError> {
        recipe.data.set_columns(&self.text, self.label.as_deref())?;
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(Text::NAME, &Text::recipes());
    }
}
