//! The texts that a trained model is to predict, read from whatever file they are in.

use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::text::{
    Labels, Place, PlainText, RowOptions, TextOptions, TextReport, TextRow, each_sentence,
    each_text,
};

use super::answers::Task;
use super::error::{DataError, TextRecipeError};
use super::predict::Predictor;
use super::recipe::Data;
use super::tokenizer::Input;

/// How texts to be predicted are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Columns or keys of the text, other than those of the training data.
    pub text: Vec<String>,
    /// Whether a plain text file is one text, or each of its lines; as in training if not set.
    pub whole: Option<bool>,
    /// Whether [`ReadText::cells`] is filled.
    pub cells: bool,
}

/// A text to be predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadText {
    /// The text as the model takes it.
    pub input: Input,
    /// What stands for it in the output: the text, or its file.
    pub name: String,
    /// The columns or keys of its row.
    pub cells: Vec<(String, String)>,
    /// Where it is.
    pub place: Place,
}

/// Takes each text, or the reason why one cannot be used, and decides whether to continue.
pub type ReadTextSink<'s> = dyn FnMut(Result<ReadText, TextRecipeError>) -> ControlFlow<()> + 's;

impl Predictor {
    /// Hands every text of a file, a folder, an archive or standard input (`-`) to `sink`, in order, in
    /// memory that does not grow with the file. It reads everything that training reads: tables and
    /// JSON by the columns of the training data, and plain text as one text, if the model was trained
    /// on files of one text each, or else line by line.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any further. An error of one text goes to `sink`.
    pub fn each_text(
        &self,
        path: &Path,
        how: &ReadOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, TextRecipeError> {
        let options = self.text_options(how)?;
        if self.task() == Task::Tags && how.whole != Some(true) {
            return self.each_sentence(path, &options, sink);
        }
        let pair = self.takes_pairs();
        let plain = match how.whole {
            Some(true) => PlainText::Whole,
            None if self.spec.documents => PlainText::TableOrWhole,
            Some(false) | None => PlainText::TableOrLines,
        };
        let rows = RowOptions {
            labels: Labels::None,
            pair,
            cells: how.cells,
            plain,
        };
        let report = each_text(path, rows, &options, &mut |row| {
            let text = row.map_err(|error| DataError::Text(error).into());
            sink(text.and_then(|row| self.read_text(row)))
        });
        report.map_err(|error| DataError::Text(error).into())
    }

    fn each_sentence(
        &self,
        path: &Path,
        options: &TextOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, TextRecipeError> {
        let report = each_sentence(path, self.labels(), options, &mut |sentence| {
            sink(match sentence {
                Ok((words, place)) => Ok(ReadText {
                    name: words.join(" "),
                    input: Input::Words(words),
                    cells: Vec::new(),
                    place,
                }),
                Err(error) => Err(DataError::Text(error).into()),
            })
        });
        report.map_err(|error| DataError::Text(error).into())
    }

    fn read_text(&self, row: TextRow) -> Result<ReadText, TextRecipeError> {
        let TextRow {
            mut texts,
            cells,
            place,
            ..
        } = row;
        let (name, input) = if texts.len() == 2 {
            let name = texts.join("\t");
            let second = texts.pop().unwrap_or_default();
            let first = texts.pop().unwrap_or_default();
            (name, Input::Two(first, second))
        } else {
            let text = texts.pop().unwrap_or_default();
            let input = self.input(&text).map_err(|error| match error {
                TextRecipeError::Asked(message) => {
                    TextRecipeError::Asked(format!("{place}: {message}"))
                }
                other => other,
            })?;
            let name = match &place {
                Place::File(file) => file.clone(),
                _ => text,
            };
            (name, input)
        };
        Ok(ReadText {
            input,
            name,
            cells,
            place,
        })
    }

    /// Whether the model reads two texts together.
    fn takes_pairs(&self) -> bool {
        matches!(self.spec.data, Data::Pairs { .. })
    }

    /// How a file like the training data is read.
    fn text_options(&self, how: &ReadOptions) -> Result<TextOptions, TextRecipeError> {
        let columns = |numbers: &[usize]| {
            let columns = numbers.iter().map(|number| format!("column_{number}"));
            columns.collect::<Vec<_>>()
        };
        let mut options = self.data().options()?.unwrap_or_default();
        // Whether one file has a header says nothing of the next.
        options.header = None;
        options.headerless = match self.data() {
            Data::SmsSpam { .. } => columns(&[2]),
            Data::Sst2 { .. } => columns(&[1]),
            Data::AgNews { .. } => columns(&[2, 3]),
            _ => {
                let known = self.spec.text_columns.iter();
                let known = known.filter(|name| name.starts_with("column_"));
                known.cloned().collect()
            }
        };
        if !how.text.is_empty() {
            options.text.clone_from(&how.text);
            options.headerless.clear();
        }
        if self.takes_pairs() && options.text.len() != 2 {
            return Err(TextRecipeError::Asked(
                "this model reads two texts: give `--text` twice, as in `--text premise --text \
                 hypothesis`"
                    .to_owned(),
            ));
        }
        Ok(options)
    }
}
