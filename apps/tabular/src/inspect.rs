//! The `inspect` command.

use std::path::PathBuf;

use tinderbox_cli::splits::ROW;
use tinderbox_cli::{Failure, inspect};
use tinderbox_recipes::tabular::analysis;

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
    let mut options = analysis::options_for(&args.set)?;
    options.sample = args.sample;
    options.target.clone_from(&args.target);
    let inspected = analysis::inspect(&args.data, &options)?;
    inspect::print(&inspected.overview, &inspected.details, ROW, args.json)
}
