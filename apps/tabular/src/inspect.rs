//! The `inspect` command.

use std::path::PathBuf;

use anyhow::Context as _;
use tinderbox_cli::output::thousands;
use tinderbox_cli::{Failure, OrInput as _, Output, table};
use tinderbox_datasets::table::{
    ColumnInspection, Inspection, ReadReport, Summary, Table, TargetInspection, inspect, read,
    read_csv,
};
use tinderbox_recipes::overlay::assign;
use tinderbox_recipes::tabular::{DataError, read_options};

use crate::RECIPES;

/// What `--set` can change here: how a file is read.
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
    /// CSV or Parquet file; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column that will be predicted
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Rows kept of a large file, drawn over the whole of it
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Change one key of how it is read, as in `data.format.encoding=windows-1252`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn open(args: &Args) -> Result<(Table, ReadReport), Failure> {
    for assignment in &args.set {
        if !KEYS.iter().any(|key| assignment.starts_with(key)) {
            let known = KEYS.map(|key| format!("`{key}…`")).join(", ");
            return Err(Failure::input(format!(
                "`--set {assignment}` changes nothing here; `inspect` takes {known}"
            )));
        }
    }
    let recipe = assign(RECIPES.get("file")?, &args.set)
        .context("`--set`")
        .or_input()?;
    let mut options = read_options(&recipe.data).or_input()?;
    options.sample = args.sample;
    if args.data.as_os_str() == "-" {
        read_csv(std::io::stdin(), "-", &options)
    } else {
        read(&args.data, &options)
    }
    .map_err(DataError::from)
    .or_input()
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (rows, report) = open(args)?;
    let inspection = inspect(&rows, args.target.as_deref()).or_input()?;
    let mut out = Output::Stdout;
    if args.json {
        let line = serde_json::json!({ "report": report, "inspection": inspection });
        return out.line(&line.to_string());
    }
    out.line(&format!(
        "{}: {} rows, {} columns",
        inspection.name,
        thousands(inspection.rows),
        inspection.columns.len()
    ))?;
    out.line(&table(&columns(&inspection)))?;
    if let Some(target) = &inspection.target {
        out.line(&of_target(target))?;
    }
    for note in &report.notes {
        out.line(&format!("note: {note}"))?;
    }
    for finding in &inspection.findings {
        out.line(&format!("look at: {finding}"))?;
    }
    if inspection.findings.is_empty() {
        out.line("nothing stands out")?;
    }
    Ok(())
}

fn columns(inspection: &Inspection) -> Vec<Vec<String>> {
    let head = ["column", "kind", "missing", "different", "values"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(inspection.columns.iter().map(column));
    rows
}

fn column(column: &ColumnInspection) -> Vec<String> {
    let values = match &column.summary {
        Summary::Nothing => "-".to_owned(),
        Summary::Numbers { min, median, max } => {
            let [min, median, max] = [min, median, max].map(|value| short(*value));
            format!("{min} to {max}, median {median}")
        }
        Summary::Dates {
            first,
            median,
            last,
        } => format!("{first} to {last}, median {median}"),
        Summary::Words { top } => {
            let words = top.iter().map(|(word, rows)| {
                let word: String = word.chars().take(24).collect();
                format!("{word} ({})", thousands(*rows))
            });
            words.take(4).collect::<Vec<_>>().join(", ")
        }
    };
    vec![
        column.name.clone(),
        column.kind.name().to_owned(),
        format!("{:.1} %", 100.0 * column.missing_share),
        thousands(column.distinct),
        values,
    ]
}

fn of_target(target: &TargetInspection) -> String {
    match target {
        TargetInspection::Classes { column, counts } => {
            let all: usize = counts.iter().map(|(_, rows)| rows).sum();
            let rows: Vec<Vec<String>> = counts
                .iter()
                .map(|(class, rows)| {
                    let share = 100.0 * *rows as f64 / all.max(1) as f64;
                    vec![class.clone(), thousands(*rows), format!("{share:.1} %")]
                })
                .collect();
            format!(
                "the target `{column}` has {} classes\n{}",
                counts.len(),
                table(&rows)
            )
        }
        TargetInspection::Numbers { column, quantiles } => {
            let names = ["least", "5 %", "25 %", "50 %", "75 %", "95 %", "most"];
            let rows = vec![
                names.map(str::to_owned).to_vec(),
                quantiles.map(short).to_vec(),
            ];
            format!("the target `{column}` is a number\n{}", table(&rows))
        }
    }
}

/// Five digits at most.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        let digits = (4 - value.abs().max(1.0).log10().floor() as usize).min(4);
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            return text.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        return text;
    }
    format!("{value:.3e}")
}
