//! The `predict` command: reads texts one after the other and prints as it goes.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_cli::skipped::Skipped;
use tinderbox_cli::splits::TEXT;
use tinderbox_cli::{Failure, Output, PredictArgs, ReadProgress, note, open_device};
use tinderbox_datasets::text::{TextError, TextReport};
use tinderbox_recipes::text::{
    DataError, Input, Prediction, Predictor, ReadOptions, ReadText, Task, TextRecipeError,
};

use crate::usage::{load_at, warn_truncated, words};
use crate::{failure, input};

/// Texts that are predicted together.
const BATCH: usize = 256;

/// Bytes of texts that are held at a time.
const BATCH_BYTES: usize = 1 << 20;

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Inputs may be texts, tables (CSV, TSV), JSON, folders, archives and plain text files, recognized by \
content. A table is read by the text column of the training data. A plain text file has one text per \
line; for a model that was trained on files of one text each, it is one text.")]
pub(crate) struct Args {
    /// The flags of every `predict`.
    #[command(flatten)]
    predict: PredictArgs,
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

/// How predictions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Csv,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.predict;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load_at(&common.run, common.threshold, &device)?;
    let out = common.out.as_deref();
    let is_csv = |path: &Path| {
        let extension = path.extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
    };
    let mut writer = Writer {
        format: match (common.json, common.csv || out.is_some_and(is_csv)) {
            (true, _) => Format::Json,
            (false, true) => Format::Csv,
            (false, false) => Format::Text,
        },
        raw: common.raw,
        to_stdout: out.is_none(),
        out: Output::new(out)?,
        carried: None,
    };
    for argument in &common.inputs {
        predict_input(args, &model, argument, &mut writer)?;
    }
    warn_truncated(&model);
    writer.out.finish()
}

fn predict_input(
    args: &Args,
    model: &Predictor,
    argument: &Path,
    writer: &mut Writer,
) -> Result<(), Failure> {
    let how = ReadOptions {
        text: args.text.clone(),
        whole: match (args.whole, args.lines) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        cells: args.predict.keep || !args.predict.id.is_empty(),
    };
    let name = argument.display().to_string();
    let mut batch = Batch {
        args,
        model,
        name: &name,
        texts: Vec::new(),
        bytes: 0,
        done: 0,
        progress: ReadProgress::new(&name, None, writer.to_stdout),
        writer,
    };
    let (mut skipped, mut failed) = (Skipped::default(), None);
    let report = input::each_text(model, argument, &how, &mut |text| {
        let pushed = match text {
            Ok(text) => batch.push(text),
            Err(error) if args.predict.skip_errors && error.is_input() => {
                skipped.add(&error);
                Ok(())
            }
            Err(error) => Err(with_advice(error)),
        };
        match pushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    // Answers to the texts before a bad one are not lost.
    batch.flush()?;
    let done = batch.done;
    drop(batch);
    if let Some(failed) = failed {
        return Err(failed);
    }
    let report = report.map_err(with_column_advice)?;
    skipped.report(TEXT, Some(&name));
    if done == 0 && skipped.count() == 0 {
        return Err(input::nothing(argument));
    }
    explain_rule(&report, &name, how.whole.is_none(), done);
    Ok(())
}

/// A file without the text column, with the flag that names another.
fn with_column_advice(error: Failure) -> Failure {
    match error {
        Failure::UserError(error) if error.to_string().contains("has no column") => Failure::user(
            format!("{error:#}; name the column of the text with `--text COLUMN`"),
        ),
        other => other,
    }
}

/// A text that cannot be read, with what to do about it.
fn with_advice(error: TextRecipeError) -> Failure {
    if !error.is_input() {
        return failure(error);
    }
    let is_empty = matches!(
        error,
        TextRecipeError::Data(DataError::Text(TextError::EmptyText { .. }))
    );
    let whole = if is_empty {
        ", or `--whole` to read a plain text file as one text"
    } else {
        ""
    };
    Failure::user(format!(
        "{error}; use `--skip-errors` to skip such texts{whole}"
    ))
}

/// Tells what was dropped, and how a plain text file was read.
fn explain_rule(report: &TextReport, name: &str, by_default: bool, done: usize) {
    for message in report.messages() {
        note(&format!("warning: {message}"));
    }
    if by_default && report.lines && done > 1 {
        note(&format!(
            "`{name}`: read one text per line; use `--whole` to read the file as one text"
        ));
    }
    if by_default && report.documents && done == 1 && Path::new(name).is_file() {
        note(&format!(
            "`{name}`: read as one text, as in training; use `--lines` to read one text per line"
        ));
    }
}

/// Texts that are held until there are enough to predict them together.
struct Batch<'a> {
    args: &'a Args,
    model: &'a Predictor,
    name: &'a str,
    texts: Vec<ReadText>,
    bytes: usize,
    done: usize,
    progress: ReadProgress,
    writer: &'a mut Writer,
}

impl Batch<'_> {
    fn push(&mut self, mut text: ReadText) -> Result<(), Failure> {
        text.cells = carried(self.args, self.name, std::mem::take(&mut text.cells))?;
        self.bytes += text.name.len();
        self.texts.push(text);
        if self.texts.len() < BATCH && self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let texts = std::mem::take(&mut self.texts);
        self.bytes = 0;
        if texts.is_empty() {
            return Ok(());
        }
        let inputs: Vec<Input> = texts.iter().map(|text| text.input.clone()).collect();
        let predictions = self.model.predict(&inputs).map_err(failure)?;
        for (text, prediction) in texts.iter().zip(&predictions) {
            self.writer.text(text, prediction, self.model)?;
        }
        self.done += texts.len();
        self.progress.set(self.done as u64, self.done);
        Ok(())
    }
}

/// The columns of a row that come along.
fn carried(
    args: &Args,
    file: &str,
    cells: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Failure> {
    if args.predict.id.is_empty() {
        return Ok(cells);
    }
    let find = |id: &String| {
        let found = cells.iter().find(|(name, _)| name == id).cloned();
        found.ok_or_else(|| {
            let known: Vec<String> = cells.iter().map(|(name, _)| format!("`{name}`")).collect();
            Failure::user(if known.is_empty() {
                format!("`{file}` has no columns, so `--id {id}` names none: leave it out")
            } else {
                let known = known.join(", ");
                format!("`{file}` has no column `{id}` for `--id`; its columns are {known}")
            })
        })
    };
    args.predict.id.iter().map(find).collect()
}

/// Writes predictions, with the columns of the input that come along.
struct Writer {
    format: Format,
    /// Whether cells that a spreadsheet would run are written as they are.
    raw: bool,
    out: Output,
    to_stdout: bool,
    /// Names of these columns in the first file.
    carried: Option<Vec<String>>,
}

impl Writer {
    fn csv(&mut self, row: &[String]) -> Result<(), Failure> {
        if self.raw {
            self.out.csv_raw(row)
        } else {
            self.out.csv(row)
        }
    }

    fn text(
        &mut self,
        text: &ReadText,
        prediction: &Prediction,
        model: &Predictor,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.out.line(&json_line(text, prediction).to_string()),
            Format::Csv => {
                self.start_csv(text, model)?;
                self.csv(&cells(text, prediction))
            }
            Format::Text => {
                let mut line = words(&text.name, prediction);
                for (name, cell) in &text.cells {
                    line.push_str("  ");
                    line.push_str(name);
                    line.push('=');
                    line.push_str(cell);
                }
                self.out.line(&line)
            }
        }
    }

    /// Writes the header before the first text, which decides the columns.
    fn start_csv(&mut self, text: &ReadText, model: &Predictor) -> Result<(), Failure> {
        let carried: Vec<String> = text.cells.iter().map(|(name, _)| name.clone()).collect();
        match &self.carried {
            None => {
                self.csv(&head(model, &carried))?;
                self.carried = Some(carried);
            }
            Some(first) if *first != carried => {
                return Err(Failure::user(format!(
                    "{} has other columns than the texts before it: with `--keep` and CSV, predict \
                     inputs of the same columns, or use `--json`",
                    text.place
                )));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

/// The columns of the CSV output, all of them different.
///
/// A column of the input that is called as one of our own gets the suffix `_input`. Where a class is
/// called as another column, all classes get the prefix `p_`.
fn head(model: &Predictor, carried: &[String]) -> Vec<String> {
    let labels: &[String] = match model.task() {
        Task::Tags => &[],
        _ => model.labels(),
    };
    head_of(labels, carried)
}

fn head_of(labels: &[String], carried: &[String]) -> Vec<String> {
    let own = ["input", "label"];
    let renamed = |name: &String| {
        let mut renamed = name.clone();
        while own.contains(&renamed.as_str()) || (renamed != *name && carried.contains(&renamed)) {
            renamed.push_str("_input");
        }
        renamed
    };
    let mut head = vec!["input".to_owned()];
    head.extend(carried.iter().map(renamed));
    head.push("label".to_owned());
    let mut names = labels.to_vec();
    while names.iter().any(|name| head.contains(name)) {
        for name in &mut names {
            name.insert_str(0, "p_");
        }
    }
    head.extend(names);
    head
}

fn cells(text: &ReadText, prediction: &Prediction) -> Vec<String> {
    let numbers = |all: &[(String, f32)]| -> Vec<String> {
        all.iter().map(|(_, value)| value.to_string()).collect()
    };
    let (label, rest) = match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => (label.clone(), numbers(probabilities)),
        Prediction::Labels {
            labels,
            probabilities,
        } => (labels.join("|"), numbers(probabilities)),
        Prediction::Tags(tags) => {
            let tags: Vec<&str> = tags.iter().map(|(_, tag)| tag.as_str()).collect();
            (tags.join(" "), Vec::new())
        }
    };
    let carried = text.cells.iter().map(|(_, cell)| cell.clone());
    let mut cells = vec![text.name.clone()];
    cells.extend(carried);
    cells.push(label);
    cells.extend(rest);
    cells
}

fn json_line(text: &ReadText, prediction: &Prediction) -> Value {
    let object = |all: &[(String, f32)]| -> Map<String, Value> {
        let pairs = all.iter();
        pairs.map(|(label, p)| (label.clone(), json!(p))).collect()
    };
    let mut line = Map::new();
    line.insert("input".to_owned(), json!(text.name));
    if !text.cells.is_empty() {
        let cells = text.cells.iter();
        let cells: Map<String, Value> = cells
            .map(|(name, cell)| (name.clone(), json!(cell)))
            .collect();
        line.insert("columns".to_owned(), Value::Object(cells));
    }
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => {
            put("label", json!(label));
            put("probabilities", Value::Object(object(probabilities)));
        }
        Prediction::Labels {
            labels,
            probabilities,
        } => {
            put("labels", json!(labels));
            put("probabilities", Value::Object(object(probabilities)));
        }
        Prediction::Tags(tags) => {
            put("tags", json!(tags));
        }
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_output_has_a_name_of_its_own() {
        let strings =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        for (labels, carried, expected) in [
            (&["ham", "spam"][..], &[][..], "input,label,ham,spam"),
            (&["ham", "spam"], &["id"], "input,id,label,ham,spam"),
            (&["label", "input"], &[], "input,label,p_label,p_input"),
            (
                &["a", "b"],
                &["label", "a"],
                "input,label_input,a,label,p_a,p_b",
            ),
        ] {
            let head = head_of(&strings(labels), &strings(carried));
            assert_eq!(head.join(","), expected);
        }
    }
}
