//! The section `data` of a recipe for texts.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::text::TextOptions;
use tinderbox_predict::model_dir::portable;
use tinderbox_predict::text::{Format, InputSpec};
use tinderbox_train::ConfigError;

use super::error::DataError;

/// The texts, and with them the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// Generated support requests with their topics.
    Requests {
        /// Random seed of the texts.
        seed: u64,
    },
    /// AG's news, in four topics.
    AgNews {
        /// The folder; empty for the official files, downloaded once into the user's cache.
        path: String,
    },
    /// The SMS Spam Collection.
    SmsSpam {
        /// The file or its folder.
        path: String,
    },
    /// The Stanford Sentiment Treebank: positive and negative sentences.
    Sst2 {
        /// The folder.
        path: String,
    },
    /// Positive and negative movie reviews, with the ten folds of their authors.
    Reviews {
        /// The archive or its folder.
        path: String,
    },
    /// Clauses of commercial contracts (CUAD) with their types.
    Cuad {
        /// The file or its folder.
        path: String,
    },
    /// Lines of non-disclosure agreements (`ContractNLI`), as evidence for and against hypotheses.
    ContractNli {
        /// The folder.
        path: String,
    },
    /// A file or folder of texts with a class each.
    Texts {
        /// The file or folder.
        path: String,
        /// File or folder of the test texts; empty to hold some out.
        test: String,
        /// Columns or keys of the text, joined by a space.
        text: Vec<String>,
        /// Column or key of the label.
        label: String,
        /// Whether rows with an empty text or label are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// Format of the file.
        #[serde(default)]
        format: Format,
    },
    /// A file of pairs of texts with a class each.
    Pairs {
        /// The file.
        path: String,
        /// Column or key of the first text.
        first: String,
        /// Column or key of the second text.
        second: String,
        /// Column or key of the label.
        label: String,
        /// Whether rows with an empty text or label are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// Format of the file.
        #[serde(default)]
        format: Format,
    },
    /// A file of texts with any number of labels each.
    MultiLabel {
        /// The file.
        path: String,
        /// Column or key of the text.
        text: String,
        /// Column or key of the labels.
        label: String,
        /// Whether rows with an empty text or label are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// Format of the file.
        #[serde(default)]
        format: Format,
    },
    /// A file of sentences with a tag for each word: a word and its tag in a line and an empty line
    /// between sentences, or JSON with `tokens` and `tags`.
    Tagged {
        /// The file.
        path: String,
    },
    /// A file or folder of plain text, for a language model.
    PlainText {
        /// The file or folder.
        path: String,
    },
}

impl Data {
    /// The default of a kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        let path = String::new();
        let [text, label] = ["text", "label"].map(str::to_owned);
        Some(match kind {
            "requests" => Self::Requests { seed: 0 },
            "ag-news" => Self::AgNews { path },
            "sms-spam" => Self::SmsSpam { path },
            "sst2" => Self::Sst2 { path },
            "reviews" => Self::Reviews { path },
            "cuad" => Self::Cuad { path },
            "contract-nli" => Self::ContractNli { path },
            "texts" => Self::Texts {
                path,
                test: String::new(),
                text: vec![text],
                label,
                skip_empty: false,
                format: Format::default(),
            },
            "pairs" => Self::Pairs {
                path,
                first: "first".to_owned(),
                second: "second".to_owned(),
                label,
                skip_empty: false,
                format: Format::default(),
            },
            "multi-label" => Self::MultiLabel {
                path,
                text,
                label,
                skip_empty: false,
                format: Format::default(),
            },
            "tagged" => Self::Tagged { path },
            "plain-text" => Self::PlainText { path },
            _ => return None,
        })
    }

    /// The file or folder; `None` for generated texts.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Requests { .. } => None,
            Self::AgNews { path }
            | Self::SmsSpam { path }
            | Self::Sst2 { path }
            | Self::Reviews { path }
            | Self::Cuad { path }
            | Self::ContractNli { path }
            | Self::Texts { path, .. }
            | Self::Pairs { path, .. }
            | Self::MultiLabel { path, .. }
            | Self::Tagged { path }
            | Self::PlainText { path } => Some(path),
        }
    }

    /// The same without paths of this machine, for a model folder.
    pub(super) fn portable(&self) -> Self {
        let mut data = self.clone();
        if let Self::Texts { test, .. } = &mut data {
            *test = portable(test);
        }
        if let Some(path) = data.path_mut() {
            *path = portable(path);
        }
        data
    }

    /// The options of the reader; `None` for public data sets and plain text.
    ///
    /// # Errors
    ///
    /// If a key of `data.format` has an invalid value.
    pub fn options(&self) -> Result<Option<TextOptions>, ConfigError> {
        let (text, label, skip_empty, format) = match self {
            Self::Texts {
                text,
                label,
                skip_empty,
                format,
                ..
            } => (text.clone(), label, *skip_empty, format),
            Self::Pairs {
                first,
                second,
                label,
                skip_empty,
                format,
                ..
            } => (
                vec![first.clone(), second.clone()],
                label,
                *skip_empty,
                format,
            ),
            Self::MultiLabel {
                text,
                label,
                skip_empty,
                format,
                ..
            } => (vec![text.clone()], label, *skip_empty, format),
            Self::Tagged { .. } => return Ok(Some(TextOptions::default())),
            _ => return Ok(None),
        };
        let mut options = TextOptions {
            text,
            label: label.clone(),
            skip_empty,
            ..TextOptions::default()
        };
        format.apply(&mut options)?;
        if options.text.contains(label) {
            let expected = "another column than the text, which `data.text` or `--text` names";
            return Err(ConfigError::new("data.label", label, expected));
        }
        Ok(Some(options))
    }

    /// Sets the columns or keys of the texts and of the label, where any are given.
    ///
    /// # Errors
    ///
    /// If the texts are not the user's own file, or a pair does not get two columns.
    pub fn set_columns(&mut self, texts: &[String], label: Option<&str>) -> Result<(), DataError> {
        if !texts.is_empty() {
            self.set_text_columns(texts)?;
        }
        let Some(column) = label else {
            return Ok(());
        };
        match self {
            Self::Texts { label, .. }
            | Self::MultiLabel { label, .. }
            | Self::Pairs { label, .. } => {
                column.clone_into(label);
                Ok(())
            }
            _ => Err(DataError::Columns("--label")),
        }
    }

    fn set_text_columns(&mut self, columns: &[String]) -> Result<(), DataError> {
        match (self, columns) {
            (Self::Texts { text, .. }, _) => *text = columns.to_vec(),
            (Self::MultiLabel { text, .. }, [column]) => text.clone_from(column),
            (Self::Pairs { first, second, .. }, [one, two]) => {
                first.clone_from(one);
                second.clone_from(two);
            }
            (Self::Pairs { .. }, _) => return Err(DataError::PairColumns),
            _ => return Err(DataError::Columns("--text")),
        }
        Ok(())
    }

    /// The inputs of a model of these texts; `columns` are those of the training texts, where they were
    /// in a table.
    pub(super) fn input_spec(&self, columns: &[String], documents: bool) -> InputSpec {
        let numbered = |numbers: &[usize]| {
            let columns = numbers.iter().map(|number| format!("column_{number}"));
            columns.collect::<Vec<_>>()
        };
        let options = self.options().ok().flatten().unwrap_or_default();
        InputSpec {
            pair: matches!(self, Self::Pairs { .. }),
            documents: documents || matches!(self, Self::Reviews { .. }),
            clauses: matches!(self, Self::Cuad { .. }),
            text: options.text,
            label: options.label,
            skip_empty: options.skip_empty,
            headerless: match self {
                Self::SmsSpam { .. } => numbered(&[2]),
                Self::Sst2 { .. } => numbered(&[1]),
                Self::AgNews { .. } => numbered(&[2, 3]),
                _ => {
                    let numbered = columns.iter().filter(|name| name.starts_with("column_"));
                    numbered.cloned().collect()
                }
            },
            format: match self {
                Self::Texts { format, .. }
                | Self::Pairs { format, .. }
                | Self::MultiLabel { format, .. } => format.clone(),
                _ => Format::default(),
            },
        }
    }

    /// Whether the files are the user's own, without splits of their authors.
    pub fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Texts { .. } | Self::Pairs { .. } | Self::MultiLabel { .. } | Self::Tagged { .. }
        )
    }

    /// Whether the authors of the set say which texts are for testing: those of other sets are held out by us.
    pub(super) fn has_official_splits(&self) -> bool {
        matches!(
            self,
            Self::Requests { .. }
                | Self::AgNews { .. }
                | Self::Sst2 { .. }
                | Self::ContractNli { .. }
        )
    }

    /// Skips rows with an empty text or label, where there is such a key.
    pub fn set_skip_empty(&mut self) {
        if let Self::Texts { skip_empty, .. }
        | Self::Pairs { skip_empty, .. }
        | Self::MultiLabel { skip_empty, .. } = self
        {
            *skip_empty = true;
        }
    }

    /// Whether a language model is trained on the texts.
    pub fn is_plain_text(&self) -> bool {
        matches!(self, Self::PlainText { .. })
    }
}
