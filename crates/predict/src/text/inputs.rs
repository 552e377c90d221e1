//! The texts in a file, a folder or an archive.

use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::text::{
    Labels, Place, PlainText, RowOptions, TextOptions, TextReport, TextRow, each_sentence,
    each_text,
};

use super::error::{Unsupported, unsupported};
use super::predictor::TextPredictor;
use super::task::TextTask;
use super::tokenizer::TextInput;
use crate::PredictError;

/// How the texts of a file are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Columns or keys of the text, other than those of the training data.
    pub text: Vec<String>,
    /// Whether a plain text file is one text, or each of its lines; as in training if not set.
    pub whole: Option<bool>,
    /// Whether [`ReadText::cells`] is filled.
    pub cells: bool,
}

/// A text from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadText {
    /// The text as the model takes it.
    pub input: TextInput,
    /// Its name in the output: the text, or its file.
    pub name: String,
    /// The columns or keys of its row.
    pub cells: Vec<(String, String)>,
    /// Its place.
    pub place: Place,
}

/// Called with each text, or the error of one that cannot be read; decides whether to continue.
pub type ReadTextSink<'s> = dyn FnMut(Result<ReadText, PredictError>) -> ControlFlow<()> + 's;

impl TextPredictor {
    /// Reads every text of a file, a folder, an archive or standard input (`-`), in order, in memory
    /// that does not grow with the file. It reads everything that training reads: tables and JSON by
    /// the columns of the training data, and plain text as one text, if the model was trained on files
    /// of one text each, or else line by line.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any further. An error of one text goes to `sink`.
    pub fn each_text(
        &self,
        path: &Path,
        options: &ReadOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, PredictError> {
        let reader = self.text_options(options)?;
        if self.task() == TextTask::TokenClassification && options.whole != Some(true) {
            return self.each_sentence(path, &reader, sink);
        }
        let plain = match options.whole {
            Some(true) => PlainText::Whole,
            None if self.spec().input.documents => PlainText::TableOrWhole,
            Some(false) | None => PlainText::TableOrLines,
        };
        let rows = RowOptions {
            labels: Labels::None,
            pair: self.spec().input.pair,
            cells: options.cells,
            plain,
        };
        let report = each_text(path, rows, &reader, &mut |row| {
            sink(match row {
                Ok(row) => self.read_text(row),
                Err(error) => Err(error.into()),
            })
        });
        Ok(report?)
    }

    fn each_sentence(
        &self,
        path: &Path,
        reader: &TextOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, PredictError> {
        let report = each_sentence(path, self.labels(), reader, &mut |sentence| {
            sink(match sentence {
                Ok((words, place)) => Ok(ReadText {
                    name: words.join(" "),
                    input: TextInput::Words(words),
                    cells: Vec::new(),
                    place,
                }),
                Err(error) => Err(error.into()),
            })
        });
        Ok(report?)
    }

    fn read_text(&self, row: TextRow) -> Result<ReadText, PredictError> {
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
            (name, TextInput::Pair(first, second))
        } else {
            let text = texts.pop().unwrap_or_default();
            let at_place = |error: PredictError| match error {
                PredictError::Input(error) if error.is::<Unsupported>() => {
                    PredictError::input(Unsupported(format!("{place}: {error}")))
                }
                other => other,
            };
            let input = self.parse(&text).map_err(at_place)?;
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

    /// The options of a reader of files like the training data.
    fn text_options(&self, options: &ReadOptions) -> Result<TextOptions, PredictError> {
        let input = &self.spec().input;
        let mut reader = input.options()?;
        if !options.text.is_empty() {
            reader.text.clone_from(&options.text);
            reader.headerless.clear();
        }
        if input.pair && reader.text.len() != 2 {
            return unsupported(
                "this model reads pairs of texts: give `--text` twice, as in `--text premise --text \
                 hypothesis`",
            );
        }
        Ok(reader)
    }
}
