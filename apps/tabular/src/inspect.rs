//! The `inspect` command.

use std::path::PathBuf;

use anyhow::Context as _;
use tinderbox_cli::app::App as _;
use tinderbox_cli::{Failure, OrUserError as _, Output, sections};
use tinderbox_recipes::tabular::{analysis, read_options};
use tinderbox_train::overlay::assign;

use crate::TabularApp;

/// Keys that `--set` takes here: those about reading a file.
const KEYS: [&str; 6] = [
    "data.format.",
    "data.names",
    "data.numeric",
    "data.categorical",
    "data.boolean",
    "data.dates",
];

/// What `inspect` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// CSV, JSON or Parquet file; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Number of rows to sample from a large file
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Override how the file is read, e.g. data.format.encoding=windows-1252
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    for assignment in &args.set {
        if !KEYS.iter().any(|key| assignment.starts_with(key)) {
            let known = KEYS.map(|key| format!("`{key}…`")).join(", ");
            return Err(Failure::user(format!(
                "`--set {assignment}` has no effect on `inspect`, which takes {known}"
            )));
        }
    }
    let recipe = assign(TabularApp::recipes().get("file")?, &args.set);
    let recipe = recipe.context("`--set`").or_user_error()?;
    let mut options = read_options(&recipe.data).or_user_error()?;
    options.sample = args.sample;
    options.target.clone_from(&args.target);
    let inspected = analysis::inspect(&args.data, &options)?;
    let mut out = Output::Stdout;
    if args.json {
        return out.line(&inspected.to_json().to_string());
    }
    let sections = inspected.sections();
    sections
        .iter()
        .try_for_each(|section| out.line(&sections::text(section)))
}
