//! The texts in a file, a folder or an archive.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::text::{
    Labels, Location, PlainText, RowOptions, TextOptions, TextReport, TextRow, for_each_sentence,
    for_each_text,
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
    /// Its location.
    pub location: Location,
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
    pub fn for_each_text(
        &self,
        path: &Path,
        options: &ReadOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, PredictError> {
        let mut reader = self.text_options(options)?;
        if options.whole.is_none() {
            // By them, a file of classes and texts is recognized.
            reader.classes = Some(self.labels().to_vec());
        }
        if self.task() == TextTask::TokenClassification && options.whole != Some(true) {
            return self.for_each_sentence(path, &reader, sink);
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
        let report = for_each_text(path, rows, &reader, &mut |row| {
            sink(match row {
                Ok(row) => self.read_text(row),
                Err(error) => Err(error.into()),
            })
        });
        Ok(report?)
    }

    fn for_each_sentence(
        &self,
        path: &Path,
        reader: &TextOptions,
        sink: &mut ReadTextSink<'_>,
    ) -> Result<TextReport, PredictError> {
        let report = for_each_sentence(path, self.labels(), reader, &mut |sentence| {
            sink(match sentence {
                Ok((words, location)) => Ok(ReadText {
                    name: words.join(" "),
                    input: TextInput::Words(words),
                    cells: Vec::new(),
                    location,
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
            location,
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
                    PredictError::input(Unsupported(format!("{location}: {error}")))
                }
                other => other,
            };
            let input = self.parse(&text).map_err(at_place)?;
            let name = match &location {
                Location::File(file) => file.clone(),
                _ => text,
            };
            (name, input)
        };
        Ok(ReadText {
            input,
            name,
            cells,
            location,
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

/// Most bytes of a document, 1 GiB.
const MAX_DOCUMENT: u64 = 1 << 30;

/// Reads a whole file, or standard input for `-`, as one text.
///
/// # Errors
///
/// If it cannot be read, is too large or not UTF-8.
pub fn read_document(path: &Path) -> Result<String, PredictError> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().take(MAX_DOCUMENT + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| PredictError::input(format!("cannot read `{name}`: {error}")))?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return unsupported(format!(
            "`{name}` has more than {MAX_DOCUMENT} bytes: split it"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|&byte| byte == b'\n').count();
        PredictError::input(format!(
            "`{name}` line {line} is not UTF-8: convert the file, e.g. with `iconv -t UTF-8`"
        ))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// Texts with their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedTexts {
    /// Names: files of a folder, or a file with a line or a number.
    pub names: Vec<String>,
    /// The texts.
    pub texts: Vec<String>,
    /// Notes and warnings of the reader.
    pub messages: Vec<String>,
}

impl NamedTexts {
    /// Reads the files of a folder, the rows of a table, or the lines of a file.
    ///
    /// # Errors
    ///
    /// If there is no such file, it cannot be read, or it has no text.
    pub fn read(path: &Path) -> Result<Self, PredictError> {
        let name = path.display();
        if path.as_os_str() != "-" && !path.exists() {
            return unsupported(format!(
                "there is no `{name}`: name a folder of text files, a table, or a file with one text per \
                 line"
            ));
        }
        let rows = RowOptions {
            labels: Labels::None,
            pair: false,
            cells: false,
            plain: PlainText::TableOrLines,
        };
        let (mut all, mut failed) = (Self::default(), None);
        let report = for_each_text(path, rows, &TextOptions::default(), &mut |row| match row {
            Ok(row) => {
                all.names.push(match &row.location {
                    Location::Line { file, line } => format!("{file}:{line}"),
                    Location::Element { file, number } => format!("{file}:{number}"),
                    Location::File(file) => file.clone(),
                });
                all.texts.push(row.text());
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        all.messages = report?.messages();
        if all.texts.is_empty() {
            let skipped = match all.messages.as_slice() {
                [] => String::new(),
                messages => format!(" ({})", messages.join("; ")),
            };
            return unsupported(format!("`{name}` contains no text{skipped}"));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_texts_says_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "text\nhello there\n").unwrap();
        let error = NamedTexts::read(folder.path()).unwrap_err().to_string();
        let end = "contains no text (1 file skipped: 1 not a text file (.csv))";
        assert!(error.ends_with(end), "{error}");
    }

    #[test]
    fn a_file_in_another_encoding_is_to_be_converted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, b"text,label\ncaf\xe9 noir,a\nplain words,b\n").unwrap();
        let error = NamedTexts::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("is not UTF-8; convert the file to UTF-8"),
            "{error}"
        );
        assert!(!error.contains("set the encoding"), "{error}");
    }
}
