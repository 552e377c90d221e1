//! The `explain` command.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tinderbox_cli::app::App as _;
use tinderbox_cli::args::DeviceArgs;
use tinderbox_cli::output::check_extension;
use tinderbox_cli::{
    Failure, OrUserError as _, Output, chart, model_dir, open_device, progress, sections,
};
use tinderbox_predict::tabular::Predictor;
use tinderbox_recipes::tabular::analysis;
use tinderbox_train::Section;

use crate::TabularApp;

/// What `explain` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// CSV or Parquet file; must have the target column unless `--row` is given
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Explain the prediction for one row; the first is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    row: Option<u64>,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
    /// Permutations per column, or samples for one row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeats: Option<u32>,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.out {
        check_extension(path, &["svg"])?;
    }
    let device = open_device(args.device, TabularApp::NAME)?.device;
    let dir = model_dir(&args.run, TabularApp::NAME)?;
    let model = Predictor::load(&dir, &device).or_user_error()?;
    let (section, json) = match args.row {
        None => columns(args, &model)?,
        Some(row) => one_row(args, &model, row as usize)?,
    };
    let mut out = Output::Stdout;
    if args.json {
        return out.line(&json.to_string());
    }
    out.line(&sections::text(&section))?;
    if let (Some(path), Some((title, bars))) = (&args.out, sections::bars(&[section])) {
        let mut file = Output::new(Some(path))?;
        file.write_all(chart::svg(title, bars).as_bytes())?;
        file.finish()?;
        out.line(&format!("chart {}", path.display()))?;
    }
    Ok(())
}

fn columns(args: &Args, model: &Predictor) -> Result<(Section, Value), Failure> {
    let options = model.spec().file_format.options().or_user_error()?;
    let table = model
        .read_with(&args.data, true, &options)
        .or_user_error()?;
    let mut options = analysis::ImportanceOptions {
        repeats: args.repeats.unwrap_or(5) as usize,
        seed: args.seed,
        limit: None,
        progress: &mut progress::counter("columns"),
    };
    let importances = analysis::feature_importance(model, &table, &mut options)?;
    let json = json!({ "run": args.run, "importance": importances });
    Ok((analysis::importance_section(model, &importances), json))
}

fn one_row(args: &Args, model: &Predictor, row: usize) -> Result<(Section, Value), Failure> {
    let table = model.read(&args.data).or_user_error()?;
    if row > table.rows() {
        return Err(Failure::user(format!(
            "there is no row {row}: `{}` has {} rows",
            args.data.display(),
            table.rows()
        )));
    }
    let samples = args.repeats.unwrap_or(200) as usize;
    let effects = analysis::explain_row(model, &table, row - 1, &table, samples, args.seed)?;
    let json = json!({ "run": args.run, "row": row, "effects": effects });
    Ok((analysis::attribution_section(model, row, &effects), json))
}
