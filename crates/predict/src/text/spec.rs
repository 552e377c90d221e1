//! `model.json` of a model for texts.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::text::TextOptions;
use tinderbox_models::ConfigError;

use super::config::{TextModelConfig, TextSizes};
use super::format::Format;
use super::task::TextTask;
use super::tokenizer::TokenizerConfig;
use crate::calibration::Temperature;

/// Specification of a model for texts: `model.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextSpec {
    /// [`TextPredictor::KIND`](super::TextPredictor::KIND).
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// The task.
    pub task: TextTask,
    /// Number of networks that predict together.
    pub members: usize,
    /// The network.
    pub model: TextModelConfig,
    /// Its sizes.
    pub sizes: TextSizes,
    /// Names of the classes, labels or tags.
    pub labels: Vec<String>,
    /// The tokenizer; that of `tokenizer.json` unless tokens are bytes.
    pub tokenizer: TokenizerConfig,
    /// The inputs.
    pub input: InputSpec,
    /// Calibrates probabilities.
    pub temperature: Temperature,
    /// Data of the training, which only the crate that trained the model reads.
    pub training: Value,
}

/// Inputs of a model for texts, and where a file has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Whether an input is a pair of texts.
    pub pair: bool,
    /// Whether a plain text file is one text, as in training, and not one text per line.
    pub documents: bool,
    /// Columns or keys of the text.
    pub text: Vec<String>,
    /// Columns of the text in a table without a header, as in `column_2`.
    pub headerless: Vec<String>,
    /// Column or key of the label, which is ignored.
    pub label: String,
    /// Whether rows with an empty text are skipped.
    pub skip_empty: bool,
    /// Format of a table.
    pub format: Format,
    /// Whether the training texts are clauses of documents, which have no class of their own.
    pub clauses: bool,
}

impl InputSpec {
    /// The options of a reader of files like the training data.
    ///
    /// # Errors
    ///
    /// If a key of the format has no meaning.
    pub fn options(&self) -> Result<TextOptions, ConfigError> {
        let mut options = TextOptions {
            text: self.text.clone(),
            headerless: self.headerless.clone(),
            label: self.label.clone(),
            skip_empty: self.skip_empty,
            ..TextOptions::default()
        };
        self.format.apply(&mut options)?;
        // Whether one file has a header says nothing about the next.
        options.header = None;
        Ok(options)
    }
}
