//! The command `predict` of every app: reads inputs in batches and prints as it goes.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tinderbox_backend::DeviceSpec;
use tinderbox_datasets::files::is_same_file;
use tinderbox_datasets::table::{CellKind, TableWriter};
use tinderbox_predict::{Prediction, error_chain};
use tinderbox_train::task::{InputItem, InputOptions, Noun, Position};
use tinderbox_train::{Task, TaskError};

use crate::app::{App, ModelOf, PredictCommand, load};
use crate::escape::escape_cell;
use crate::output::{csv_text, shorten};
use crate::shards;
use crate::skipped::Skipped;

use crate::{Failure, OrUserError as _, Output, PredictArgs, ReadProgress, note, open_device};

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
    Parquet,
}

impl Format {
    /// The format that a flag or the name of the file says; text by default.
    fn of(args: &PredictArgs) -> Result<Self, Failure> {
        let chosen = Self::of_flags(args);
        let Some(out) = &args.out else {
            return Ok(chosen.unwrap_or(Self::Text));
        };
        let extension = out.extension().unwrap_or_default();
        let ends_as = |known: &&str| extension.eq_ignore_ascii_case(known);
        if let Some(packed) = ["gz", "zst"].into_iter().find(ends_as) {
            return Err(Failure::user(format!(
                "cannot write `{}`: predictions are not compressed; leave out `.{packed}`",
                out.display()
            )));
        }
        let mut known = [Self::Text, Self::Json, Self::Csv, Self::Parquet].into_iter();
        let named = known.find(|format| format.extensions().iter().any(ends_as));
        // A flag says what is in a file that ends in `.txt`, or as no format does.
        let special = fs::metadata(out).is_ok_and(|file| !file.is_file() && !file.is_dir());
        if chosen.is_none() && named.is_none() && !extension.is_empty() && !special {
            return Err(Failure::user(format!(
                "cannot write `{}`: the file name must end in `.txt`, `.csv`, `.parquet`, `.jsonl`, `.ndjson` or `.json`",
                out.display()
            )));
        }
        let named = named.filter(|format| *format != Self::Text);
        match (chosen, named) {
            (Some(chosen), Some(named)) if chosen != named => Err(Failure::user(format!(
                "`--{}` does not fit `--out {}`: name a file that ends in `.{}`, or leave out the flag",
                chosen.flag(),
                out.display(),
                chosen.extension()
            ))),
            _ => Ok(chosen.or(named).unwrap_or(Self::Text)),
        }
    }

    /// The format that a flag chooses.
    fn of_flags(args: &PredictArgs) -> Option<Self> {
        match (args.json, args.csv, args.parquet) {
            (true, ..) => Some(Self::Json),
            (_, true, _) => Some(Self::Csv),
            (.., true) => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format of the files of a part, for which `--out` names a folder: CSV by default.
    pub(crate) fn of_part(args: &PredictArgs) -> Self {
        Self::of_flags(args).unwrap_or(Self::Csv)
    }

    /// The flag that chooses it, without dashes.
    fn flag(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// All ends of names of files that mean it, the usual one first.
    pub(crate) fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["txt"],
            Self::Json => &["jsonl", "ndjson", "json"],
            Self::Csv => &["csv"],
            Self::Parquet => &["parquet"],
        }
    }

    /// The end of the name of a file.
    pub(crate) fn extension(self) -> &'static str {
        self.extensions()[0]
    }
}

/// Predicts the inputs that the flags name, or a part of them, or merges parts.
pub(crate) fn run<A: App>(
    args: &PredictCommand<A::ModelFlags, A::InputFlags>,
) -> Result<(), Failure> {
    let common = &args.predict;
    if let Some(dir) = &common.merge {
        return shards::merge(dir, common.out.as_deref());
    }
    if let Some(shard) = common.shard {
        return shards::run::<A>(args, shard);
    }
    let mut job = Job::<A>::open(args)?;
    job.options.out = output_folder::<A>(&job.model, common)?;
    check_output(common)?;
    let (format, out) = match job.options.out {
        // A folder, whose name says nothing of what is printed.
        Some(_) => (Format::of_flags(common).unwrap_or(Format::Text), None),
        None => (Format::of(common)?, common.out.as_deref()),
    };
    job.predict(format, out, &common.inputs)?;
    job.finish()
}

/// A model and the way to read its inputs.
pub(crate) struct Job<'a, A: App> {
    args: &'a PredictArgs,
    pub(crate) model: ModelOf<A>,
    pub(crate) options: InputOptions<<A::Task as Task>::InputOptions>,
    /// The device that is used; never `auto`.
    pub(crate) device: DeviceSpec,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) rows: usize,
    pub(crate) skipped: usize,
    /// Bytes of the names of the columns, of CSV.
    pub(crate) header: usize,
}

impl<'a, A: App> Job<'a, A> {
    /// Reads the model.
    pub(crate) fn open(
        args: &'a PredictCommand<A::ModelFlags, A::InputFlags>,
    ) -> Result<Self, Failure> {
        let common = &args.predict;
        let opened = open_device(common.device, A::NAME)?;
        Ok(Self {
            args: common,
            device: opened.spec,
            model: model::<A>(args, &opened.device)?,
            options: InputOptions {
                columns: common.id.clone(),
                all_columns: common.keep,
                out: None,
                range: None,
                own: A::input_options(&args.inputs)?,
            },
        })
    }

    /// Predicts the part of an input into a file.
    pub(crate) fn predict_to(&self, file: &Path, input: &Path) -> Result<Written, Failure> {
        let format = Format::of_part(self.args);
        self.predict(format, Some(file), &[input.to_owned()])
    }

    /// Writes what is of all inputs of the call together, once all are predicted.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        Ok(A::Task::finish_inputs(&self.model, &self.options)?)
    }

    fn predict(
        &self,
        format: Format,
        out: Option<&Path>,
        inputs: &[PathBuf],
    ) -> Result<Written, Failure> {
        A::Task::check_inputs(&self.model, inputs, &self.options)?;
        let mut writer = Writer {
            args: self.args,
            out: Sink::new(format, out)?,
            columns: A::Task::columns(&self.model),
            copied: None,
            written: Written::default(),
        };
        for input in inputs {
            predict_input(self, input, &mut writer)?;
        }
        if writer.lacks_columns() {
            self.begin_table(inputs, &mut writer)?;
        }
        writer.out.finish()?;
        Ok(writer.written)
    }

    /// Begins a table without rows, whose columns are those of a prediction for another part of the inputs.
    fn begin_table(&self, inputs: &[PathBuf], writer: &mut Writer<'_>) -> Result<(), Failure> {
        let whole = InputOptions {
            range: None,
            ..self.options.clone()
        };
        // Without parts, all of them have been tried.
        let others = inputs.iter().filter(|_| self.options.range.is_some());
        let (mut begun, mut is_empty) = (None, self.options.range.is_some());
        for input in others {
            A::Task::predict(&self.model, input, &whole, &mut |batch, _| {
                is_empty = false;
                begun = match batch.as_deref() {
                    Ok([(item, prediction), ..]) => {
                        Some(writer.begin(item, prediction).map(|_| ()))
                    }
                    // The part that a wrong row belongs to reports it.
                    Ok([]) => None,
                    Err(error) if error.is_user() => None,
                    Err(_) => batch.err().map(|error| Err(error.into())),
                };
                match begun {
                    Some(_) => ControlFlow::Break(()),
                    None => ControlFlow::Continue(()),
                }
            })?;
            if let Some(begun) = begun {
                return begun;
            }
        }
        let Noun(one, many) = A::Task::ITEM;
        Err(Failure::user(match inputs {
            [input] if is_empty => format!("`{}` contains no {many}", input.display()),
            _ => format!(
                "no {one} could be predicted, so the columns of the Parquet file are unknown; use `--csv` or `--json`"
            ),
        }))
    }
}

/// Why Parquet is not printed.
pub(crate) fn needs_file() -> Failure {
    Failure::user("Parquet is not text: name a file for it with `--out FILE.parquet`")
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
    match &args.out {
        Some(out) => check_not_input(out, &args.inputs),
        None => Ok(()),
    }
}

/// Refuses a file for the results that is one of the inputs.
pub(crate) fn check_not_input(out: &Path, inputs: &[PathBuf]) -> Result<(), Failure> {
    if out.is_file() && inputs.iter().any(|input| is_same_file(out, input)) {
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
    job: &Job<'_, A>,
    input: &Path,
    writer: &mut Writer<'_>,
) -> Result<(), Failure> {
    let name = input.display().to_string();
    let mut progress: Option<ReadProgress> = None;
    let to_stdout = writer.args.out.is_none();
    let (mut skipped, mut failed, mut done) = (Skipped::default(), None, 0);
    let report = A::Task::predict(&job.model, input, &job.options, &mut |batch, position| {
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
    writer.written.rows += done;
    writer.written.skipped += skipped.count();
    let is_part = job.options.range.is_some();
    if done + report.already_done + skipped.count() == 0 && !is_part {
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

/// Where predictions go.
enum Sink {
    Text(Output),
    Json(Output),
    Csv(Output),
    /// A table, which begins with the first row, as its columns are known then.
    Parquet(Option<Output>, Option<Box<TableWriter<Output>>>),
}

impl Sink {
    fn new(format: Format, out: Option<&Path>) -> Result<Self, Failure> {
        let out = Output::new(out)?;
        Ok(match format {
            Format::Text => Self::Text(out),
            Format::Json => Self::Json(out),
            Format::Csv => Self::Csv(out),
            Format::Parquet if matches!(out, Output::Stdout) => return Err(needs_file()),
            Format::Parquet => Self::Parquet(Some(out), None),
        })
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Text(out) | Self::Json(out) | Self::Csv(out) => out.finish(),
            Self::Parquet(out, table) => {
                if let Some(table) = table {
                    table.finish().map_err(anyhow::Error::from)?.finish()?;
                }
                out.map_or(Ok(()), Output::finish)
            }
        }
    }
}

/// Writes predictions, with the columns of the input that are copied.
struct Writer<'a> {
    args: &'a PredictArgs,
    out: Sink,
    /// Names of the columns of a prediction.
    columns: Vec<String>,
    /// Names of the copied columns of the first input.
    copied: Option<Vec<String>>,
    written: Written,
}

impl Writer<'_> {
    /// Whether nothing has determined the columns of a table yet, which must have some.
    fn lacks_columns(&self) -> bool {
        matches!(self.out, Sink::Parquet(_, None))
    }

    fn batch(&mut self, batch: &[(InputItem, Prediction)]) -> Result<(), Failure> {
        match &mut self.out {
            Sink::Text(out) => batch
                .iter()
                .try_for_each(|(item, prediction)| out.line(&text_line(item, prediction))),
            Sink::Json(out) => batch.iter().try_for_each(|(item, prediction)| {
                out.line(&json_line(item, prediction).to_string())
            }),
            Sink::Csv(_) | Sink::Parquet(..) => self.rows(batch),
        }
    }

    /// Writes the rows of a table, after its names of columns.
    fn rows(&mut self, batch: &[(InputItem, Prediction)]) -> Result<(), Failure> {
        let mut rows = Vec::with_capacity(batch.len() + 1);
        for (item, prediction) in batch {
            rows.extend(self.begin(item, prediction)?);
            let mut cells = vec![item.name.clone()];
            cells.extend(item.row.map(|row| row.to_string()));
            cells.extend(item.columns.iter().map(|(_, cell)| cell.clone()));
            cells.extend(prediction.cells());
            rows.push(cells);
        }
        match &mut self.out {
            Sink::Parquet(_, Some(table)) => {
                let mut rows = rows.iter();
                rows.try_for_each(|row| table.row(row))
                    .map_err(|error| anyhow::Error::from(error).into())
            }
            Sink::Csv(out) => self.args.csv_rows(out, &rows),
            _ => Ok(()),
        }
    }

    /// The names of the columns before the first input, which determines them, for CSV.
    fn begin(
        &mut self,
        item: &InputItem,
        prediction: &Prediction,
    ) -> Result<Option<Vec<String>>, Failure> {
        let copied = || item.columns.iter().map(|(name, _)| name);
        if let Some(first) = &self.copied {
            if !first.iter().eq(copied()) {
                return Err(Failure::user(format!(
                    "`{}` has other columns than the inputs before it: with `--keep` and a table, predict \
                     inputs with the same columns, or use `--json`",
                    item.name
                )));
            }
            return Ok(None);
        }
        let copied: Vec<String> = copied().cloned().collect();
        let head = head(&self.columns, &copied, item.row.is_some());
        let count = copied.len();
        self.copied = Some(copied);
        if let Sink::Parquet(out, table) = &mut self.out {
            let Some(out) = out.take() else {
                return Ok(None);
            };
            let kinds = kinds(item.row.is_some(), count, prediction);
            let columns: Vec<(String, CellKind)> = head.into_iter().zip(kinds).collect();
            let new = TableWriter::new(out, &columns).or_user_error()?;
            *table = Some(Box::new(new));
            return Ok(None);
        }
        self.written.header = csv_text(std::slice::from_ref(&head), self.args.raw, false)?.len();
        Ok(Some(head))
    }
}

/// What the columns of a table hold: numbers where every prediction of the model has one.
fn kinds(rows: bool, copied: usize, prediction: &Prediction) -> impl Iterator<Item = CellKind> {
    let own = match prediction {
        Prediction::Class { .. } | Prediction::Labels { .. } => [CellKind::Text, CellKind::Number],
        Prediction::Number { .. } | Prediction::Values { .. } | Prediction::Action { .. } => {
            [CellKind::Number; 2]
        }
        Prediction::Mask { .. }
        | Prediction::Objects { .. }
        | Prediction::Landmarks { .. }
        | Prediction::Tags { .. } => [CellKind::Text; 2],
    };
    let row = rows.then_some(CellKind::Whole);
    let copied = std::iter::repeat_n(CellKind::Text, copied);
    let [first, rest] = own;
    std::iter::once(CellKind::Text)
        .chain(row)
        .chain(copied)
        .chain(std::iter::once(first))
        .chain(std::iter::repeat(rest))
}

/// A line for a person: the prediction of a text before the text, else the input before it. It is one line also where a
/// name has line breaks.
fn text_line(item: &InputItem, prediction: &Prediction) -> String {
    let mut columns = String::new();
    for (name, cell) in &item.columns {
        columns.extend(["  ", name, "=", cell]);
    }
    let line = match (item.row, item.is_text) {
        (Some(row), _) => format!("{}:{row}{columns}  {}", item.name, prediction.text()),
        (None, true) => {
            let words: Vec<&str> = item.name.split_whitespace().collect();
            let text = shorten(&words.join(" "), 80);
            format!("{}  {text}{columns}", prediction.text())
        }
        (None, false) => format!("{}{columns}  {}", item.name, prediction.text()),
    };
    escape_cell(&line).into_owned()
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
    use clap::{Args as _, FromArgMatches as _};
    use tinderbox_datasets::table::written_columns;

    use super::*;

    #[test]
    fn a_table_without_rows_has_its_columns_or_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part.parquet");
        let args = flags(&[]);
        let columns = ["label", "no", "yes"].map(str::to_owned);
        let mut writer = Writer {
            args: &args,
            out: Sink::new(Format::Parquet, Some(&path)).unwrap(),
            columns: columns.to_vec(),
            copied: None,
            written: Written::default(),
        };
        assert!(writer.lacks_columns());
        let item = InputItem {
            name: "many.csv".to_owned(),
            row: Some(1),
            columns: vec![("id".to_owned(), "c0".to_owned())],
            ..InputItem::default()
        };
        let prediction = Prediction::Class {
            label: "no".to_owned(),
            probabilities: vec![("no".to_owned(), 0.75), ("yes".to_owned(), 0.25)],
        };
        let begun = writer.begin(&item, &prediction);
        if !cfg!(feature = "parquet") {
            let failure = begun.unwrap_err();
            assert!(matches!(failure, Failure::UserError(_)));
            assert!(failure.message().contains("the feature `parquet`"));
            drop(writer);
            assert!(!path.exists());
            return;
        }
        begun.unwrap();
        assert!(!writer.lacks_columns());
        writer.out.finish().unwrap();
        let (names, kinds): (Vec<String>, Vec<CellKind>) =
            written_columns(&path).unwrap().into_iter().unzip();
        assert_eq!(names.join(","), "input,row,id,label,no,yes");
        let [text, number] = [CellKind::Text, CellKind::Number];
        assert_eq!(kinds, [text, CellKind::Whole, text, text, number, number]);
    }

    /// What these flags are for one input.
    fn flags(words: &[&str]) -> PredictArgs {
        let command = PredictArgs::augment_args(clap::Command::new("predict"));
        let words = [&["predict", "--run", "run", "a.csv"][..], words].concat();
        PredictArgs::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    #[test]
    fn the_name_of_a_file_says_what_is_in_it() {
        for (words, format) in [
            (&[][..], Format::Text),
            (&["--csv"], Format::Csv),
            (&["--out", "p.json"], Format::Json),
            (&["--out", "p.jsonl"], Format::Json),
            (&["--out", "p.NDJSON"], Format::Json),
            (&["--out", "p.csv"], Format::Csv),
            (&["--out", "p.parquet"], Format::Parquet),
            (&["--out", "p.txt"], Format::Text),
            (&["--out", "p"], Format::Text),
            (&["--out", "-", "--json"], Format::Json),
            (&["--out", "p.txt", "--csv"], Format::Csv),
            (&["--out", "p.json", "--json"], Format::Json),
        ] {
            assert_eq!(Format::of(&flags(words)).unwrap(), format, "{words:?}");
        }
        for (words, told) in [
            (
                ["--out", "q.parquet", "--csv"],
                "`--csv` does not fit `--out q.parquet`: name a file that ends in `.csv`",
            ),
            (["--out", "p.csv", "--json"], "ends in `.jsonl`"),
            (["--out", "p.json", "--parquet"], "`--parquet` does not fit"),
            (["--out", "p.csv.gz", "--csv"], "leave out `.gz`"),
            (["--out", "p.jsonl.zst", "--json"], "leave out `.zst`"),
        ] {
            let failure = Format::of(&flags(&words)).unwrap_err();
            assert!(matches!(failure, Failure::UserError(_)));
            assert!(failure.message().contains(told), "{}", failure.message());
        }
        let failure = Format::of(&flags(&["--out", "p.xlsx"])).unwrap_err();
        let told = "cannot write `p.xlsx`: the file name must end in `.txt`, `.csv`";
        assert!(failure.message().contains(told), "{}", failure.message());
        assert_eq!(
            Format::of(&flags(&["--out", "p.log", "--csv"])).unwrap(),
            Format::Csv
        );
    }

    #[test]
    fn a_prediction_is_one_line_whatever_the_names_are() {
        let item = InputItem {
            name: "a\nb.jpg".to_owned(),
            columns: vec![("id".to_owned(), "1\r\n2".to_owned())],
            ..InputItem::default()
        };
        let prediction = Prediction::Class {
            label: "no\n".to_owned(),
            probabilities: vec![("no\n".to_owned(), 0.75), ("yes".to_owned(), 0.25)],
        };
        assert_eq!(
            text_line(&item, &prediction),
            "a\\nb.jpg  id=1\\r\\n2  no\\n  75.0%"
        );
    }

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
