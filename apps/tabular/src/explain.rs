//! The `explain` command.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::output::check_extension;
use tinderbox_cli::{Failure, OrUserError as _, Output, open_device, progress};
use tinderbox_recipes::tabular::{Effort, Importance, Predictor, Share, Target, headline};

use crate::{failure, usage};
use tinderbox_cli::chart::{lines, svg};
use tinderbox_train::section::Bar;

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
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.out {
        check_extension(path, &["svg"])?;
    }
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = usage::load(&args.run, &device)?;
    match args.row {
        None => columns(args, &model),
        Some(row) => one(args, &model, row as usize),
    }
}

fn columns(args: &Args, model: &Predictor) -> Result<(), Failure> {
    let target = model.data().target.clone();
    let table = model.read(&args.data, false).or_user_error()?;
    let repeats = args.repeats.unwrap_or(5) as usize;
    let mut effort = Effort {
        repeats,
        seed: args.seed,
        limit: None,
        progress: &mut progress::counter("columns"),
    };
    let importance = model.importance(&table, &target, &mut effort);
    let importance = importance.map_err(failure)?;
    if args.json {
        return Output::Stdout
            .line(&json!({ "run": args.run, "importance": importance }).to_string());
    }
    let (metric, _) = headline(model.target());
    let bar = |importance: &Importance| Bar {
        name: importance.column.clone(),
        value: importance.mean,
        note: format!("{:.4} ± {:.4}", importance.mean, importance.deviation),
    };
    let bars: Vec<Bar> = importance.iter().map(bar).collect();
    let title = format!("how much {metric} suffers when a column of `{target}` is shuffled");
    show(args, &title, &bars)
}

fn one(args: &Args, model: &Predictor, row: usize) -> Result<(), Failure> {
    let table = model.read(&args.data, true).or_user_error()?;
    if row > table.rows() {
        return Err(Failure::user(format!(
            "`--row` is {row}, and `{}` has {} rows",
            args.data.display(),
            table.rows()
        )));
    }
    let walks = args.repeats.unwrap_or(200) as usize;
    let shares = model
        .explain_row(&table, row - 1, &table, walks, args.seed)
        .map_err(failure)?;
    if args.json {
        let line = json!({ "run": args.run, "row": row, "effects": shares });
        return Output::Stdout.line(&line.to_string());
    }
    let digits = match model.target() {
        Target::Number { .. } => 1,
        Target::Classes { .. } => 4,
    };
    let bar = |share: &Share| Bar {
        name: format!("{} = {}", share.column, share.cell),
        value: share.effect,
        note: format!("{:+.digits$}", share.effect),
    };
    let bars: Vec<Bar> = shares.iter().map(bar).collect();
    let what = match model.target() {
        Target::Number { .. } => format!("`{}`", model.data().target),
        Target::Classes { labels } if labels.len() == 2 => {
            format!("the probability of `{}`", labels[1])
        }
        Target::Classes { .. } => "the probability of its class".to_owned(),
    };
    let title = format!("how the cells of row {row} move {what} from its mean over the file");
    show(args, &title, &bars)
}

fn show(args: &Args, title: &str, bars: &[Bar]) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    out.line(title)?;
    out.line(&lines(bars))?;
    if let Some(path) = &args.out {
        let mut file = Output::new(Some(path))?;
        file.write_all(svg(title, bars).as_bytes())?;
        file.finish()?;
        out.line(&format!("chart {}", path.display()))?;
    }
    Ok(())
}
