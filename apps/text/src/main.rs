//! Train, evaluate and use text models from one command.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tinderbox_cli::app::{NoFlags, with_data};
use tinderbox_cli::args::{ExplainArgs, GenerateArgs, InspectArgs, ModelArgs};
use tinderbox_cli::recipe::{Catalogue, data_path, overridden};
use tinderbox_cli::splits::TEXT;
use tinderbox_cli::{App, Failure, TrainArgs, sections};
use tinderbox_predict::text::Sampling;
use tinderbox_recipes::text::{BUILTIN, Recipe, TextInputOptions, TextModeling, analysis};
use tinderbox_train::TaskError;

tinderbox_cli::main!(Text);

/// Models for texts.
#[derive(Clone, Copy, Debug)]
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

impl Columns {
    fn set(&self, mut recipe: Recipe) -> Result<Recipe, TaskError> {
        recipe.data.set_columns(&self.text, self.label.as_deref())?;
        Ok(recipe)
    }
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

#[derive(Args, Debug)]
struct Summarize {
    #[command(flatten)]
    model: ModelArgs,
    /// Number of sentences to pick [default: one in five, at most 10]
    #[arg(long, value_name = "N")]
    sentences: Option<usize>,
    /// Reference summary to compare with by ROUGE
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Text file; `-` reads stdin
    file: PathBuf,
}

#[derive(Args, Debug)]
struct Similar {
    #[command(flatten)]
    model: ModelArgs,
    /// Query text
    #[arg(long, value_name = "TEXT")]
    query: String,
    /// Number of texts to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Folder of text files, table, or file with one text per line
    folder: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show statistics and problems of a dataset
    Inspect(InspectArgs<Columns>),
    /// Show word attributions for a prediction
    Explain(ExplainArgs<InputFlags>),
    /// Generate text from a prompt
    Generate(GenerateArgs),
    /// Summarize a text by its most important sentences
    #[command(alias = "summarise")]
    Summarize(Summarize),
    /// Find the texts most similar to a query, with a run or a folder of pretrained weights
    Similar(Similar),
}

impl App for Text {
    type Task = TextModeling;
    type TrainFlags = TrainFlags;
    type EvalFlags = NoFlags;
    type ModelFlags = NoFlags;
    type InputFlags = InputFlags;
    type Command = Command;

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

    fn input_options(flags: &InputFlags) -> Result<TextInputOptions, Failure> {
        Ok(TextInputOptions {
            text: flags.text.clone(),
            whole: (flags.whole || flags.lines).then_some(flags.whole),
        })
    }

    fn run(command: Command) -> Result<(), Failure> {
        match command {
            Command::Inspect(args) => {
                let recipe = args.flags.set(args.recipe::<Self>("texts")?)?;
                let found = analysis::inspect(&recipe)?;
                args.print(&found.overview(&args.name()), &found.details(), TEXT)
            }
            Command::Explain(args) => args.run::<Self>(analysis::explain),
            Command::Generate(args) => {
                let sampling = Sampling {
                    temperature: args.temperature,
                    top_k: args.top_k,
                    seed: args.seed,
                    cached: !args.no_cache,
                };
                let model = args.model.load::<Self>()?;
                let (prompt, tokens) = (&args.prompt, args.tokens);
                let print = |text: &str| args.print(text);
                let done = analysis::generate(&model, prompt, sampling, tokens, print)?;
                args.finish(&done)
            }
            Command::Summarize(args) => {
                let (model, reference) = (args.model.load::<Self>()?, args.reference.as_deref());
                let found = analysis::summarize(&model, &args.file, args.sentences, reference)?;
                sections::print(&found, args.model.json)
            }
            Command::Similar(args) => {
                let (dir, device) = args.model.open::<Self>()?;
                let found = analysis::similar(&dir, &device, &args.query, &args.folder, args.top)?;
                sections::print(&found, args.model.json)
            }
        }
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
