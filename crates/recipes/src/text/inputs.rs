//! Texts to predict: files, folders, archives, stdin, or the text itself.

use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::text::{Location, TextError, TextReport};
use tinderbox_datasets::{FileHash, InputRange, Shard};
use tinderbox_predict::PredictError;
use tinderbox_predict::text::{
    ReadOptions, ReadText, ReadTextSink, TextInput, TextPredictor, TextTask,
};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputItem, InputOptions, InputReport, Position, PredictionListener};

use super::truncation::truncation_warning;

/// Texts that are predicted together. Parts of an input begin at multiples of it.
const BATCH: usize = 256;

/// Bytes of texts that are kept at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Extensions of an input that is a file, and not a text.
const FILES: [&str; 21] = [
    "csv", "tsv", "txt", "text", "md", "json", "jsonl", "ndjson", "gz", "tgz", "tar", "zip",
    "conll", "iob2", "parquet", "xlsx", "xls", "pdf", "docx", "html", "eml",
];

/// Ends of names of files whose texts are rows and not lines.
const ROWS: [&str; 5] = [".csv", ".tsv", ".json", ".jsonl", ".ndjson"];

/// How texts are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextInputOptions {
    /// Columns or keys of the text, other than those of the training data.
    pub text: Vec<String>,
    /// Whether a plain text file is one text, or each of its lines; as in training if not set.
    pub whole: Option<bool>,
}

/// Reads every text of a file, a folder or stdin (`-`); an input that is none of them is a text itself.
///
/// # Errors
///
/// If the input is the name of a missing file, or cannot be read any further. An error of one text
/// goes to `sink`.
pub(super) fn for_each_text(
    model: &TextPredictor,
    input: &Path,
    options: &ReadOptions,
    sink: &mut ReadTextSink<'_>,
) -> Result<TextReport, TaskError> {
    let Some(text) = as_text(input)? else {
        let report = model.for_each_text(input, options, sink);
        return report.map_err(|error| with_column_advice(error.into()));
    };
    let read = model.parse(text).map(|input| ReadText {
        input,
        name: text.trim().to_owned(),
        cells: Vec::new(),
        location: Location::File("the command line".to_owned()),
    });
    let _: ControlFlow<()> = sink(read);
    Ok(TextReport::default())
}

/// The input, if it is a text and not a file, a folder or stdin.
fn as_text(input: &Path) -> Result<Option<&str>, TaskError> {
    // A named pipe is a file too.
    if input.as_os_str() == "-" || input.exists() {
        return Ok(None);
    }
    let text = input.to_str();
    let text = text.ok_or_else(|| TaskError::user("an input is not UTF-8"))?;
    let extension = input
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    let is_name = !text.contains(char::is_whitespace)
        && extension.is_some_and(|end| FILES.contains(&end.as_str()));
    if is_name {
        return Err(TaskError::user(format!(
            "there is no file `{text}`; to classify these words as a text, pipe them in: `echo {text} \
             | text predict --run DIR -`"
        )));
    }
    if text.trim().is_empty() {
        return Err(TaskError::user("an input is empty: there is no text in it"));
    }
    Ok(Some(text))
}

/// A file without the text column, with the flag that names another.
fn with_column_advice(error: TaskError) -> TaskError {
    let text = error.to_string();
    if error.is_user() && text.contains("has no column") {
        return TaskError::user(format!(
            "{text}; name the column of the text with `--text COLUMN`"
        ));
    }
    error
}

/// The texts of an input that a shard is, by their order; a first pass over the input counts them.
pub(super) fn range(
    model: &TextPredictor,
    input: &Path,
    options: &TextInputOptions,
    shard: Shard,
) -> Result<InputRange, TaskError> {
    if input.as_os_str() == "-" {
        return Err(TaskError::user(
            "standard input cannot be read in parts: save it as a file first",
        ));
    }
    let read = ReadOptions {
        text: options.text.clone(),
        whole: options.whole,
        cells: true,
    };
    let (mut hash, mut count) = (FileHash::new(), 0);
    for_each_text(model, input, &read, &mut |text| {
        count += 1;
        // One that cannot be read counts by its error.
        let content = match text {
            Ok(text) => format!("{:?}", (text.name, text.input, text.cells)),
            Err(error) => error.to_string(),
        };
        hash.update(content.as_bytes());
        ControlFlow::Continue(())
    })?;
    let own = shard.items(count, BATCH as u64);
    Ok(InputRange::of_whole(own, count, hash.finish()))
}

/// Predicts the texts of an input, in batches.
pub(super) fn predict(
    model: &TextPredictor,
    input: &Path,
    options: &InputOptions<TextInputOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    if model.task() == TextTask::LanguageModeling {
        // Not an error of one text, which could be skipped.
        return Err(TaskError::user(
            "this model is a language model and does not classify texts; use `generate`",
        ));
    }
    let read = ReadOptions {
        text: options.own.text.clone(),
        whole: options.own.whole,
        cells: options.all_columns || !options.columns.is_empty(),
    };
    let truncated = model.truncation().truncated;
    let part = match &options.range {
        Some(range) => range.start..range.end,
        None => 0..u64::MAX,
    };
    let mut batch = Batch {
        model,
        input,
        columns: &options.columns,
        pending: Vec::new(),
        bytes: 0,
        done: 0,
        total: options.range.as_ref().map(|range| range.end - range.start),
        each,
    };
    let (mut failed, mut number) = (None, 0);
    let report = for_each_text(model, input, &read, &mut |text| {
        number += 1;
        if number <= part.start {
            return ControlFlow::Continue(());
        }
        if number > part.end {
            return ControlFlow::Break(());
        }
        let flow = match text {
            Ok(text) => batch.push(text),
            Err(error) => batch.error(error),
        };
        let flow = match flow {
            Ok(ControlFlow::Continue(())) if number % BATCH as u64 == 0 => batch.flush(),
            other => other,
        };
        flow.unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    });
    // The predictions for the texts before an error are not lost.
    let _: ControlFlow<()> = batch.flush()?;
    let done = batch.done;
    if let Some(failed) = failed {
        return Err(failed);
    }
    let mut notes = notes(&report?, input, options.own.whole.is_none(), done);
    if model.truncation().truncated > truncated {
        notes.extend(truncation_warning(model));
    }
    Ok(InputReport {
        notes,
        already_done: 0,
    })
}

/// Texts that are kept until there are enough to predict them together.
struct Batch<'a, 'l> {
    model: &'a TextPredictor,
    input: &'a Path,
    columns: &'a [String],
    pending: Vec<(TextInput, InputItem)>,
    bytes: usize,
    done: usize,
    total: Option<u64>,
    each: &'a mut PredictionListener<'l>,
}

impl Batch<'_, '_> {
    fn push(&mut self, text: ReadText) -> Result<ControlFlow<()>, TaskError> {
        self.bytes += text.name.len();
        let item = InputItem {
            is_text: true,
            columns: self.copied(text.cells)?,
            name: text.name,
            ..InputItem::default()
        };
        self.pending.push((text.input, item));
        if self.bytes < BATCH_BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        self.flush()
    }

    fn error(&mut self, error: PredictError) -> Result<ControlFlow<()>, TaskError> {
        if self.flush()?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let position = self.position();
        Ok((self.each)(
            Err(with_whole_advice(error, self.input)),
            position,
        ))
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, TaskError> {
        self.bytes = 0;
        if self.pending.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let (inputs, items): (Vec<TextInput>, Vec<InputItem>) = self.pending.drain(..).unzip();
        let predictions = self.model.predict(&inputs)?;
        self.done += items.len();
        let batch = items.into_iter().zip(predictions).collect();
        let position = self.position();
        Ok((self.each)(Ok(batch), position))
    }

    fn position(&self) -> Position {
        Position {
            done: self.done as u64,
            total: self.total,
        }
    }

    /// The columns to copy into the prediction.
    fn copied(&self, cells: Vec<(String, String)>) -> Result<Vec<(String, String)>, TaskError> {
        if self.columns.is_empty() {
            return Ok(cells);
        }
        let find = |id: &String| {
            let cell = cells.iter().find(|(name, _)| name == id).cloned();
            cell.ok_or_else(|| self.missing_column(id, &cells))
        };
        self.columns.iter().map(find).collect()
    }

    fn missing_column(&self, id: &str, cells: &[(String, String)]) -> TaskError {
        let file = self.input.display();
        let known: Vec<String> = cells.iter().map(|(name, _)| format!("`{name}`")).collect();
        TaskError::user(if known.is_empty() {
            format!("`{file}` has no columns: leave out `--id {id}`")
        } else {
            let known = known.join(", ");
            format!("`{file}` has no column `{id}` for `--id`; its columns are {known}")
        })
    }
}

/// An empty line of a plain text file, with the flag that reads the file as one text.
fn with_whole_advice(error: PredictError, input: &Path) -> TaskError {
    let name = input.to_string_lossy().to_lowercase();
    let is_rows = ROWS
        .iter()
        .any(|end| name.trim_end_matches(".gz").ends_with(end));
    let is_empty = !is_rows
        && matches!(
            &error,
            PredictError::Input(source)
                if matches!(source.downcast_ref(), Some(TextError::EmptyText { .. }))
        );
    if is_empty {
        return TaskError::user(format!(
            "{error}; use `--whole` to read a plain text file as one text"
        ));
    }
    error.into()
}

/// Notes on skipped texts and on the reading of a plain text file.
fn notes(report: &TextReport, input: &Path, by_default: bool, done: usize) -> Vec<String> {
    let messages = report.messages().into_iter();
    let mut notes: Vec<String> = messages
        .map(|message| format!("warning: {message}"))
        .collect();
    let name = input.display();
    if by_default && report.lines && done > 1 {
        notes.push(format!(
            "`{name}`: read one text per line; use `--whole` to read the file as one text"
        ));
    }
    if by_default && report.labeled_lines {
        notes.push(format!(
            "`{name}`: read as a table of classes and texts, as in training; use `--lines` to read each line as \
             a text"
        ));
    }
    if by_default && report.documents && done == 1 && input.is_file() {
        notes.push(format!(
            "`{name}`: read as one text, as in training; use `--lines` to read one text per line"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_of_a_table_is_not_to_be_read_whole() {
        let told = |name: &str| {
            let location = Location::Line {
                file: name.to_owned(),
                line: 3,
            };
            let error = PredictError::from(TextError::EmptyText { location });
            with_whole_advice(error, Path::new(name)).to_string()
        };
        assert!(told("a.txt").contains("use `--whole`"));
        for name in ["a.csv", "a.TSV.gz", "a.jsonl"] {
            assert!(!told(name).contains("--whole"), "{name}");
        }
    }
}
