//! The `predict` command: reads a file in chunks and prints as it goes.

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_cli::output::thousands;
use tinderbox_cli::skipped::Skipped;
use tinderbox_cli::splits::ROW;
use tinderbox_cli::{
    Failure, OrUserError as _, Output, PredictArgs, ReadProgress, note, open_device,
};
use tinderbox_datasets::table::{Carry, Chunk, TableReader};
use tinderbox_recipes::tabular::{DataError, Prediction, Predictor, Target, UnseenCategories};

use crate::failure;
use crate::usage::Which;

/// Rows that are held at a time.
const CHUNK: usize = 4_096;

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The flags of every `predict`.
    #[command(flatten)]
    predict: PredictArgs,
    #[command(flatten)]
    which: Which,
}

/// How predictions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Csv,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let PredictArgs {
        run,
        json,
        csv,
        raw: _,
        out,
        threshold,
        device,
        inputs,
        ..
    } = &args.predict;
    let device = open_device(*device, env!("CARGO_PKG_NAME"))?.device;
    let model = args.which.load(run, *threshold, &device)?;
    let csv = *csv || (!json && out.as_ref().is_some_and(|out| is_csv(out)));
    let mut writer = Writer {
        args: &args.predict,
        format: match (json, csv) {
            (true, _) => Format::Json,
            (false, true) => Format::Csv,
            (false, false) => Format::Text,
        },
        to_stdout: out.is_none(),
        out: Output::new(out.as_deref())?,
        carried: None,
    };
    for input in inputs {
        predict_file(args, &model, input, &mut writer)?;
    }
    writer.out.finish()
}

/// A file that ends in `.csv` is meant to be one.
fn is_csv(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("csv"))
}

fn predict_file(
    args: &Args,
    model: &Predictor,
    input: &Path,
    writer: &mut Writer<'_>,
) -> Result<(), Failure> {
    let carry = if args.predict.keep {
        Carry::All
    } else {
        Carry::Columns(&args.predict.id)
    };
    let mut reader = model.reader(input, carry).or_user_error()?;
    let name = input.to_string_lossy().into_owned();
    writer.begin(&name, &reader, model)?;
    let total = reader.rows().or_else(|| plain_size(input));
    let mut progress = ReadProgress::new(&name, total, writer.to_stdout);
    let (mut skipped, mut unseen) = (Skipped::default(), Vec::new());
    let mut rows = 0;
    while let Some(chunk) = reader.next_chunk(CHUNK) {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) if args.predict.skip_errors && error.is_row() => {
                skipped.add(&error);
                continue;
            }
            Err(error) => return Err(DataError::of_new_file(error)).or_user_error(),
        };
        let mut rest = Some(chunk);
        while let Some(chunk) = rest.take() {
            let count = chunk.rows.len();
            let (usable, bad) = match model.first_unusable(&chunk.table) {
                None => (chunk, None),
                Some((row, error)) => {
                    rest = (row + 1 < count).then(|| chunk.slice(row + 1..count));
                    (chunk.slice(0..row), Some(error))
                }
            };
            if !usable.rows.is_empty() {
                let new = model.encoder().unseen_categories(&usable.table)?;
                merge(&mut unseen, new);
                let predictions = model.predict(&usable.table).map_err(failure)?;
                writer.chunk(&name, &usable, &predictions)?;
                rows += usable.rows.len();
            }
            match bad {
                None => {}
                Some(error) if args.predict.skip_errors => skipped.add(&error),
                Some(error) => return Err(error).or_user_error(),
            }
        }
        progress.set(reader.position(), rows);
    }
    drop(progress);
    skipped.report(ROW, Some(&name));
    warn_unseen(&unseen, rows, &name);
    Ok(())
}

/// Bytes of a file that is not packed; of others the size of the text is unknown.
fn plain_size(input: &Path) -> Option<u64> {
    let packed = input
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    let data = std::fs::metadata(input).ok()?;
    (data.is_file() && !packed).then_some(data.len())
}

fn merge(all: &mut Vec<UnseenCategories>, more: Vec<UnseenCategories>) {
    for new in more {
        match all.iter_mut().find(|known| known.column == new.column) {
            Some(known) => known.cells += new.cells,
            None => all.push(new),
        }
    }
}

/// One warning for each column with categories that no training row has.
pub(crate) fn warn_unseen(unseen: &[UnseenCategories], rows: usize, name: &str) {
    for UnseenCategories {
        column,
        cells,
        example,
        line,
    } in unseen
    {
        let verb = if *cells == 1 { "holds" } else { "hold" };
        note(&format!(
            "warning: column `{column}`: {} of {} cells {verb} a category that was never seen in \
             training, such as `{example}` in line {line} of `{name}`",
            thousands(*cells),
            thousands(rows),
        ));
    }
}

/// Writes predictions, with the columns of the input that come along.
struct Writer<'a> {
    args: &'a PredictArgs,
    format: Format,
    out: Output,
    to_stdout: bool,
    /// Names of these columns in the first file.
    carried: Option<Vec<String>>,
}

impl Writer<'_> {
    /// Starts a file: the first one decides the columns.
    fn begin(
        &mut self,
        name: &str,
        reader: &TableReader,
        model: &Predictor,
    ) -> Result<(), Failure> {
        let carried: Vec<String> = reader.carried().map(str::to_owned).collect();
        match &self.carried {
            Some(first) if *first != carried && self.format == Format::Csv => {
                return Err(Failure::user(format!(
                    "`{name}` has other columns than the file before it: with `--keep` and CSV, \
                     predict one file at a time"
                )));
            }
            None if self.format == Format::Csv => {
                let head = head(model.target(), &carried);
                self.args.csv_row(&mut self.out, &head)?;
            }
            _ => {}
        }
        self.carried = Some(carried);
        Ok(())
    }

    fn chunk(
        &mut self,
        input: &str,
        chunk: &Chunk,
        predictions: &[Prediction],
    ) -> Result<(), Failure> {
        for (at, (prediction, row)) in predictions.iter().zip(&chunk.rows).enumerate() {
            let carried = chunk.carried.iter().map(|cells| cells[at].as_str());
            self.row(input, *row, &carried.collect::<Vec<_>>(), prediction)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        input: &str,
        row: u64,
        carried: &[&str],
        prediction: &Prediction,
    ) -> Result<(), Failure> {
        let names = self.carried.as_deref().unwrap_or_default();
        let columns = names
            .iter()
            .map(String::as_str)
            .zip(carried.iter().copied());
        match self.format {
            Format::Json => {
                let line = json_line(input, row, columns, prediction).to_string();
                self.out.line(&line)
            }
            Format::Csv => {
                let cells = cells(input, row, carried, prediction);
                self.args.csv_row(&mut self.out, &cells)
            }
            Format::Text => {
                let mut line = format!("{input}:{row}");
                for (name, cell) in columns {
                    line.extend(["  ", name, "=", cell]);
                }
                self.out.line(&format!("{line}  {}", words(prediction)))
            }
        }
    }
}

/// The columns of the CSV output, all of them different.
///
/// A column of the input that is called as one of our own gets the suffix `_input`. Where a class is
/// called as another column, all classes get the prefix `p_`.
fn head(target: &Target, carried: &[String]) -> Vec<String> {
    let answer = match target {
        Target::Number { .. } => "value",
        Target::Classes { .. } => "label",
    };
    let own = ["input", "row", answer];
    let renamed = |name: &String| {
        let mut renamed = name.clone();
        while own.contains(&renamed.as_str()) || (renamed != *name && carried.contains(&renamed)) {
            renamed.push_str("_input");
        }
        renamed
    };
    let mut head: Vec<String> = own[..2].iter().map(|&name| name.to_owned()).collect();
    head.extend(carried.iter().map(renamed));
    head.push(answer.to_owned());
    if let Target::Classes { labels } = target {
        let mut names = labels.clone();
        while names.iter().any(|name| head.contains(name)) {
            for name in &mut names {
                name.insert_str(0, "p_");
            }
        }
        head.extend(names);
    }
    head
}

fn cells(input: &str, row: u64, carried: &[&str], prediction: &Prediction) -> Vec<String> {
    let mut cells = vec![input.to_owned(), row.to_string()];
    cells.extend(carried.iter().map(|cell| (*cell).to_owned()));
    match prediction {
        Prediction::Number(value) => cells.push(value.to_string()),
        Prediction::Class {
            label,
            probabilities,
        } => {
            cells.push(label.clone());
            cells.extend(probabilities.iter().map(|(_, value)| value.to_string()));
        }
    }
    cells
}

fn words(prediction: &Prediction) -> String {
    match prediction {
        Prediction::Number(value) => format!("{value:.6}"),
        Prediction::Class {
            label,
            probabilities,
        } => {
            // Below the decision threshold this is not the largest one.
            let own = probabilities.iter().find(|(name, _)| name == label);
            let own = own.map_or(0.0, |(_, value)| *value);
            format!("{label}  {:.1}%", 100.0 * own)
        }
    }
}

fn json_line<'a>(
    input: &str,
    row: u64,
    columns: impl Iterator<Item = (&'a str, &'a str)>,
    prediction: &Prediction,
) -> Value {
    let mut line = Map::new();
    line.insert("input".to_owned(), json!(input));
    line.insert("row".to_owned(), json!(row));
    let columns: Map<String, Value> = columns
        .map(|(name, cell)| (name.to_owned(), json!(cell)))
        .collect();
    if !columns.is_empty() {
        line.insert("columns".to_owned(), Value::Object(columns));
    }
    match prediction {
        Prediction::Number(value) => {
            line.insert("value".to_owned(), json!(value));
        }
        Prediction::Class {
            label,
            probabilities,
        } => {
            let probabilities: Map<String, Value> = probabilities
                .iter()
                .map(|(label, value)| (label.clone(), json!(value)))
                .collect();
            line.insert("label".to_owned(), json!(label));
            line.insert("probabilities".to_owned(), Value::Object(probabilities));
        }
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_output_has_a_name_of_its_own() {
        let classes = |labels: &[&str]| Target::Classes {
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
        };
        let number = Target::Number {
            log: false,
            mean: 0.0,
            deviation: 1.0,
        };
        for (target, carried, expected) in [
            (classes(&["no", "yes"]), &[][..], "input,row,label,no,yes"),
            (
                classes(&["no", "yes"]),
                &["id"],
                "input,row,id,label,no,yes",
            ),
            (
                classes(&["row", "label"]),
                &[],
                "input,row,label,p_row,p_label",
            ),
            (
                classes(&["no", "yes"]),
                &["row", "label", "yes"],
                "input,row,row_input,label_input,yes,label,p_no,p_yes",
            ),
            (
                classes(&["row", "p_a"]),
                &["p_row"],
                "input,row,p_row,label,p_p_row,p_p_p_a",
            ),
            (number, &["value"], "input,row,value_input,value"),
        ] {
            let carried: Vec<String> = carried.iter().map(|&name| name.to_owned()).collect();
            let head = head(&target, &carried);
            assert_eq!(head.join(","), expected);
            let mut names = head.clone();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), head.len());
        }
    }
}
