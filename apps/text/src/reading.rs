//! The commands that read for a person: `summarise` and `similar`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::report::confusion_rows;
use tinderbox_cli::{Failure, OrUserError as _, Output, note, open_device, table};
use tinderbox_datasets::text::{Labels, Place, PlainText, RowOptions, TextOptions, each_text};
use tinderbox_recipes::text::{Embedder, Input, Reading, VERDICTS, sentences};
use tinderbox_train::metrics::rouge;

use crate::{failure, input, usage};

/// What `summarise` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SummariseArgs {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Number of sentences to pick [default: one in five, at most 10]
    #[arg(long, value_name = "N")]
    sentences: Option<usize>,
    /// Reference summary to compare with by ROUGE
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
    /// Text file; `-` reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn summarise(args: &SummariseArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = usage::load(&args.run, &device)?;
    let text = input::read(&args.file)?;
    let all = sentences(&text).len();
    let count = args.sentences.unwrap_or(all.div_ceil(5).clamp(1, 10));
    let picked = model.summarise(&text, count).map_err(failure)?;
    let mut out = Output::Stdout;
    let reference = args.reference.as_deref().map(input::read).transpose()?;
    let rouge = reference.map(|reference| {
        let lines: Vec<&str> = picked.iter().map(|s| s.text.as_str()).collect();
        rouge(&lines.join("\n"), &reference)
    });
    if args.json {
        let rouge =
            rouge.map(|r| json!({ "rouge1": r.rouge1, "rouge2": r.rouge2, "rougeL": r.rouge_l }));
        let line = json!({ "input": args.file, "of": all, "sentences": picked, "rouge": rouge });
        return out.line(&line.to_string());
    }
    for sentence in &picked {
        let text = sentence
            .text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        out.line(&format!(
            "{:>4}  {:.3}  {}  {text}",
            sentence.number, sentence.score, sentence.label
        ))?;
    }
    out.line(&format!("{} of {all} sentences", picked.len()))?;
    if let Some(rouge) = rouge {
        out.line(&format!(
            "ROUGE-1 {:.4}, ROUGE-2 {:.4}, ROUGE-L {:.4}",
            rouge.rouge1, rouge.rouge2, rouge.rouge_l
        ))?;
    }
    Ok(())
}

/// What `similar` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SimilarArgs {
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
    /// Folder of `.txt` files, or a file with one text per line
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn similar(args: &SimilarArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = match (&args.run, &args.weights) {
        (Some(run), _) => Embedder::trained(usage::load(run, &device)?),
        (None, Some(weights)) => Embedder::published(weights, &device),
        (None, None) => return Err(Failure::user("name a run with `--run`, or `--weights`")),
    };
    let model = model.map_err(failure)?;
    if args.query.trim().is_empty() {
        return Err(Failure::user("`--query` is empty"));
    }
    let texts = collect(&args.folder)?;
    let mut inputs = vec![Input::One(args.query.clone())];
    inputs.extend(texts.iter().map(|(_, text)| Input::One(text.clone())));
    let vectors = model.embed(&inputs).map_err(failure)?;
    let likeness =
        |vector: &Vec<f32>| -> f32 { vector.iter().zip(&vectors[0]).map(|(a, b)| a * b).sum() };
    let mut found: Vec<(f32, usize)> = vectors[1..].iter().map(likeness).zip(0..).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut out = Output::Stdout;
    for (score, at) in found.into_iter().take(args.top) {
        let (name, text) = &texts[at];
        if args.json {
            out.line(&json!({ "input": name, "similarity": score }).to_string())?;
        } else {
            out.line(&format!("{score:.3}  {name}  {}", usage::shorten(text, 80)))?;
        }
    }
    Ok(())
}

/// Texts with their names: files of a folder and the folders in it, rows of a table, or lines of a file.
fn collect(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    if path.as_os_str() != "-" && !path.exists() {
        return Err(Failure::user(format!(
            "there is no `{}`: name a folder of text files, a table, or a file with a text on each line",
            path.display()
        )));
    }
    let rows = RowOptions {
        labels: Labels::None,
        pair: false,
        cells: false,
        plain: PlainText::TableOrLines,
    };
    let (mut texts, mut failed) = (Vec::new(), None);
    let report = each_text(path, rows, &TextOptions::default(), &mut |row| match row {
        Ok(row) => {
            let name = match &row.place {
                Place::Line { file, line } => format!("{file}:{line}"),
                Place::Element { file, number } => format!("{file}:{number}"),
                Place::File(file) => file.clone(),
            };
            texts.push((name, row.text()));
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Some(error) = failed {
        return Err(error).or_user_error();
    }
    for message in report.or_user_error()?.messages() {
        note(&format!("warning: {message}"));
    }
    if texts.is_empty() {
        return Err(input::nothing(path));
    }
    Ok(texts)
}

/// What agreements are read as.
pub(crate) fn print(out: &mut Output, reading: &Reading) -> Result<(), Failure> {
    let names = VERDICTS.map(str::to_owned);
    out.line("Verdicts on hypotheses (rows: true, columns: predicted)")?;
    out.line(&table(&confusion_rows(&names, &reading.confusion)))?;
    let percent = |value: f64| format!("{:.1}%", 100.0 * value);
    out.line(&format!(
        "to find 95% of the evidence, {} of the lines can be skipped; for a single hypothesis, {}",
        percent(reading.skipped),
        percent(reading.skipped_per_claim)
    ))
}
