//! The command `predict` of every app: reads inputs in batches and prints as it goes.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Map, Value, json};
use tinderbox_datasets::files::is_same_file;
use tinderbox_predict::{Prediction, error_chain};
use tinderbox_train::task::{InputItem, InputOptions, Noun, Position};
use tinderbox_train::{Task, TaskError};

use crate::app::{App, ModelOf, PredictCommand, load};
use crate::output::shorten;
use crate::skipped::Skipped;

use crate::{Failure, Output, PredictArgs, ReadProgress, note, open_device};

/// How predictions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Csv,
}

impl Format {
    fn of(args: &PredictArgs) -> Self {
        let is_csv = |path: &Path| {
            let extension = path.extension();
            extension.is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        };
        match (
            args.json,
            args.csv || args.out.as_deref().is_some_and(is_csv),
        ) {
            (true, _) => Self::Json,
            (false, true) => Self::Csv,
            (false, false) => Self::Text,
        }
    }
}

/// Predicts the inputs that the flags name.
pub(crate) fn run<A: App>(
    args: &PredictCommand<A::ModelFlags, A::InputFlags>,
) -> Result<(), Failure> {
    let common = &args.predict;
    let device = open_device(common.device, A::NAME)?.device;
    let model = model::<A>(args, &device)?;
    let options = InputOptions {
        columns: common.id.clone(),
        all_columns: common.keep,
        out: output_folder::<A>(&model, common)?,
        own: A::input_options(&args.inputs)?,
    };
    check_output(common)?;
    let mut writer = Writer {
        args: common,
        format: Format::of(common),
        out: match options.out {
            Some(_) => Output::Stdout,
            None => Output::new(common.out.as_deref())?,
        },
        columns: A::Task::columns(&model),
        copied: None,
    };
    for input in &common.inputs {
        predict_input::<A>(&model, input, &options, &mut writer)?;
    }
    writer.out.finish()
}

/// The model of the run, or the one that flags of the app choose.
fn model<A: App>(
    args: &PredictCommand<A::ModelFlags, A::InputFlags>,
    device: &Device,
) -> Result<ModelOf<A>, Failure> {
    let common = &args.predict;
    match (&common.run, A::published(&args.inputs, device)?) {
        (Some(run), None) => load::<A>(run, &args.own, common.threshold, device),
        (None, Some((model, notes))) => {
            for line in &notes {
                note(line);
            }
            match common.threshold {
                Some(threshold) => Ok(A::Task::with_threshold(model, threshold)?),
                None => Ok(model),
            }
        }
        (None, None) => Err(Failure::user("no model: name a run with `--run DIR`")),
        (Some(_), Some(_)) => Err(Failure::user(
            "`--run` and `--weights` both name a model: use one of them",
        )),
    }
}

/// Refuses to write the results over an input.
fn check_output(args: &PredictArgs) -> Result<(), Failure> {
    let Some(out) = &args.out else {
        return Ok(());
    };
    if out.is_file() && args.inputs.iter().any(|input| is_same_file(out, input)) {
        return Err(Failure::user(format!(
            "`--out {}` is an input; name another file",
            out.display()
        )));
    }
    Ok(())
}

/// The folder that a model writes files to, if it does and `--out` names one.
fn output_folder<A: App>(
    model: &ModelOf<A>,
    args: &PredictArgs,
) -> Result<Option<PathBuf>, Failure> {
    let Some(out) = args.out.as_deref().filter(|_| A::Task::writes_files(model)) else {
        return Ok(None);
    };
    if out.exists() && !out.is_dir() {
        return Err(Failure::user(format!(
            "`{}` is a file, and `--out` must be a folder: this model writes one {} for each input",
            out.display(),
            A::Task::ITEM.0
        )));
    }
    Ok(Some(out.to_owned()))
}

fn predict_input<A: App>(
    model: &ModelOf<A>,
    input: &Path,
    options: &InputOptions<<A::Task as Task>::InputOptions>,
    writer: &mut Writer<'_>,
) -> Result<(), Failure> {
    let name = input.display().to_string();
    let mut progress: Option<ReadProgress> = None;
    let to_stdout = writer.args.out.is_none();
    let (mut skipped, mut failed, mut done) = (Skipped::default(), None, 0);
    let report = A::Task::predict(model, input, options, &mut |batch, position| {
        let Position { done: read, total } = position;
        let written = match batch {
            Ok(batch) => {
                done += batch.len();
                writer.batch(&batch)
            }
            Err(error) if writer.args.skip_errors && error.is_user() => {
                skipped.add(&error_chain(&error));
                Ok(())
            }
            Err(error) => Err(error.into()),
        };
        let progress = progress.get_or_insert_with(|| ReadProgress::new(&name, total, to_stdout));
        progress.set(read, done);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    drop(progress);
    if let Some(failed) = failed {
        return Err(with_advice(failed, A::Task::ITEM));
    }
    let report = report?;
    skipped.report(A::Task::ITEM, Some(&name));
    for line in &report.notes {
        note(line);
    }
    if done + report.already_done + skipped.count() == 0 {
        return Err(Failure::user(format!(
            "`{name}` contains no {}",
            A::Task::ITEM.0
        )));
    }
    Ok(())
}

/// An input that cannot be read, with the flag that skips it.
fn with_advice(failure: Failure, item: Noun) -> Failure {
    match failure {
        Failure::UserError(error) if error.downcast_ref::<TaskError>().is_some() => Failure::user(
            format!("{error:#}; use `--skip-errors` to skip such {}", item.1),
        ),
        other => other,
    }
}

/// Writes predictions, with the columns of the input that are copied.
struct Writer<'a> {
    args: &'a PredictArgs,
    format: Format,
    out: Output,
    /// Names of the columns of a prediction.
    columns: Vec<String>,
    /// Names of the copied columns of the first input, and whether inputs have rows.
    copied: Option<(Vec<String>, bool)>,
}

impl Writer<'_> {
    fn batch(&mut self, batch: &[(InputItem, Prediction)]) -> Result<(), Failure> {
        batch
            .iter()
            .try_for_each(|(item, prediction)| self.item(item, prediction))
    }

    fn item(&mut self, item: &InputItem, prediction: &Prediction) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let line = json_line(item, prediction).to_string();
                self.out.line(&line)
            }
            Format::Csv => {
                self.begin_csv(item)?;
                let mut cells = vec![item.name.clone()];
                cells.extend(item.row.map(|row| row.to_string()));
                cells.extend(item.columns.iter().map(|(_, cell)| cell.clone()));
                cells.extend(prediction.cells());
                self.args.csv_row(&mut self.out, &cells)
            }
            Format::Text => self.out.line(&text_line(item, prediction)),
        }
    }

    /// Writes the header before the first input, which determines the columns.
    fn begin_csv(&mut self, item: &InputItem) -> Result<(), Failure> {
        let copied: Vec<String> = item.columns.iter().map(|(name, _)| name.clone()).collect();
        match &self.copied {
            None => {
                let head = head(&self.columns, &copied, item.row.is_some());
                self.args.csv_row(&mut self.out, &head)?;
                self.copied = Some((copied, item.row.is_some()));
                Ok(())
            }
            Some((first, _)) if *first != copied => Err(Failure::user(format!(
                "`{}` has other columns than the inputs before it: with `--keep` and CSV, predict inputs \
                 with the same columns, or use `--json`",
                item.name
            ))),
            Some(_) => Ok(()),
        }
    }
}

/// A line for a person: the prediction of a text before the text, else the input before it.
fn text_line(item: &InputItem, prediction: &Prediction) -> String {
    let mut columns = String::new();
    for (name, cell) in &item.columns {
        columns.extend(["  ", name, "=", cell]);
    }
    match (item.row, item.is_text) {
        (Some(row), _) => format!("{}:{row}{columns}  {}", item.name, prediction.text()),
        (None, true) => {
            let words: Vec<&str> = item.name.split_whitespace().collect();
            let text = shorten(&words.join(" "), 80);
            format!("{}  {text}{columns}", prediction.text())
        }
        (None, false) => format!("{}{columns}  {}", item.name, prediction.text()),
    }
}

/// The columns of the CSV output, all of them different.
///
/// A copied column that has the name of one of ours gets the suffix `_input`. Where a class has the
/// name of another column, all classes get the prefix `p_`.
fn head(columns: &[String], copied: &[String], rows: bool) -> Vec<String> {
    let mut head = vec!["input".to_owned()];
    if rows {
        head.push("row".to_owned());
    }
    let (first, classes) = columns.split_at(columns.len().min(1));
    let own = [head.clone(), first.to_vec()].concat();
    let renamed = |name: &String| {
        let mut renamed = name.clone();
        while own.contains(&renamed) || (renamed != *name && copied.contains(&renamed)) {
            renamed.push_str("_input");
        }
        renamed
    };
    head.extend(copied.iter().map(renamed));
    head.extend_from_slice(first);
    let mut names = classes.to_vec();
    while names.iter().any(|name| head.contains(name)) {
        for name in &mut names {
            name.insert_str(0, "p_");
        }
    }
    head.extend(names);
    head
}

fn json_line(item: &InputItem, prediction: &Prediction) -> Value {
    let mut line = Map::new();
    line.insert("input".to_owned(), json!(item.name));
    if let Some(row) = item.row {
        line.insert("row".to_owned(), json!(row));
    }
    if !item.columns.is_empty() {
        let columns = item.columns.iter();
        let columns: Map<String, Value> = columns
            .map(|(name, cell)| (name.clone(), json!(cell)))
            .collect();
        line.insert("columns".to_owned(), Value::Object(columns));
    }
    line.extend(prediction.to_json());
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_output_has_a_name_of_its_own() {
        let strings =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        for (columns, copied, rows, expected) in [
            (
                &["label", "no", "yes"][..],
                &[][..],
                true,
                "input,row,label,no,yes",
            ),
            (
                &["label", "no", "yes"],
                &["id"],
                true,
                "input,row,id,label,no,yes",
            ),
            (
                &["label", "row", "label"],
                &[],
                true,
                "input,row,label,p_row,p_label",
            ),
            (
                &["label", "no", "yes"],
                &["row", "label", "yes"],
                true,
                "input,row,row_input,label_input,yes,label,p_no,p_yes",
            ),
            (
                &["label", "row", "p_a"],
                &["p_row"],
                true,
                "input,row,p_row,label,p_p_row,p_p_p_a",
            ),
            (&["value"], &["value"], true, "input,row,value_input,value"),
            (
                &["label", "ham", "spam"],
                &[],
                false,
                "input,label,ham,spam",
            ),
            (
                &["label", "label", "input"],
                &[],
                false,
                "input,label,p_label,p_input",
            ),
            (
                &["label", "a", "b"],
                &["label", "a"],
                false,
                "input,label_input,a,label,p_a,p_b",
            ),
        ] {
            let head = head(&strings(columns), &strings(copied), rows);
            assert_eq!(head.join(","), expected);
            let mut names = head.clone();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), head.len());
        }
    }
}
