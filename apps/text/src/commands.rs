//! The commands that only this app has.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::app::with_data;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::escape::escape_document;
use tinderbox_cli::output::check_extension;
use tinderbox_cli::splits::TEXT;
use tinderbox_cli::{
    App as _, Failure, ModelArgs, OrUserError as _, Output, highlights, inspect, model_dir,
    open_device, sections,
};
use tinderbox_predict::text::{Embedder, Sampling};
use tinderbox_recipes::text::{TextInputOptions, TextModeling, analysis};
use tinderbox_train::Task as _;
use tinderbox_train::overlay::assign;

use crate::{Columns, Text};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show statistics and problems of a data set
    Inspect(Inspect),
    /// Show which words decided a prediction
    Explain(Explain),
    /// Generate text from a prompt
    Generate(Generate),
    /// Summarize a text by its most important sentences
    #[command(alias = "summarise")]
    Summarize(Summarize),
    /// Find the texts most similar to a query
    Similar(Similar),
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Inspect(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Generate(args) => args.run(),
            Self::Summarize(args) => args.run(),
            Self::Similar(args) => args.run(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// File or folder with the data
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Recipe that would be trained on the data
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "texts")]
    recipe: String,
    #[command(flatten)]
    columns: Columns,
    /// Override a recipe key, e.g. data.format.encoding=windows-1252
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    fn run(&self) -> Result<(), Failure> {
        let recipe = Text::recipes().resolve(Some(&self.recipe), &[])?;
        let recipe = assign(recipe, &self.set)
            .context("`--set`")
            .or_user_error()?;
        let recipe = with_data(self.columns.set(recipe)?, Some(&self.data))?;
        let found = analysis::inspect(&recipe)?;
        let overview = found.overview(&self.data.display().to_string());
        inspect::print(&overview, &found.details(), TEXT, self.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    model: ModelArgs,
    /// Write a web page with colored words
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Read each plain text file as one text
    #[arg(long)]
    whole: bool,
    /// Texts, tables, JSON, folders or plain text files; `-` reads stdin
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

impl Explain {
    fn run(&self) -> Result<(), Failure> {
        if let Some(path) = &self.out {
            check_extension(path, &["html", "htm"])?;
        }
        let options = TextInputOptions {
            whole: self.whole.then_some(true),
            ..TextInputOptions::default()
        };
        let explained = analysis::explain(&self.model.load::<Text>()?, &self.inputs, &options)?;
        if let Some(path) = &self.out {
            highlights::write(path, &explained.sections)?;
        }
        sections::print(&explained, self.model.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Generate {
    #[command(flatten)]
    model: ModelArgs,
    /// Prompt to continue
    #[arg(long, value_name = "TEXT", default_value = "\n")]
    prompt: String,
    /// Number of tokens to generate
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tokens: u32,
    /// Sampling temperature; 0 is greedy
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    temperature: f64,
    /// Sample from the K most likely tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Disable the key-value cache
    #[arg(long)]
    no_cache: bool,
}

impl Generate {
    fn run(&self) -> Result<(), Failure> {
        let model = self.model.load::<Text>()?;
        let sampling = Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            seed: self.seed,
            cached: !self.no_cache,
        };
        let mut out = Output::Stdout;
        let mut print = |text: &str| -> Result<(), Failure> {
            if !self.model.json {
                write!(out, "{}", escape_document(text))?;
                out.flush()?;
            }
            Ok(())
        };
        let done = analysis::generate(&model, &self.prompt, sampling, self.tokens, &mut print)?;
        print("\n")?;
        sections::print(&done, self.model.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Summarize {
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

impl Summarize {
    fn run(&self) -> Result<(), Failure> {
        let (model, reference) = (self.model.load::<Text>()?, self.reference.as_deref());
        let summary = analysis::summarize(&model, &self.file, self.sentences, reference)?;
        sections::print(&summary, self.model.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Similar {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR", required_unless_present = "weights")]
    run: Option<PathBuf>,
    /// Folder with a pretrained sentence encoder instead of a run: config.json, tokenizer.json,
    /// model.safetensors
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    weights: Option<PathBuf>,
    /// Query text
    #[arg(long, value_name = "TEXT")]
    query: String,
    /// Number of texts to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Print one JSON line per text
    #[arg(long)]
    json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
    /// Folder of `.txt` files, table, or file with one text per line
    folder: PathBuf,
}

impl Similar {
    fn run(&self) -> Result<(), Failure> {
        let device = open_device(self.device, Text::NAME)?.device;
        let embedder = match (&self.run, &self.weights) {
            (Some(run), _) => {
                Embedder::trained(&TextModeling::load(&model_dir(run, Text::NAME)?, &device)?)
            }
            (None, Some(weights)) => Embedder::pretrained(weights, &device),
            (None, None) => return Err(Failure::user("name a run with `--run`, or `--weights`")),
        };
        let embedder = embedder.or_user_error()?;
        let found = analysis::similar(&embedder, &self.query, &self.folder, self.top)?;
        sections::print(&found, self.json)
    }
}
