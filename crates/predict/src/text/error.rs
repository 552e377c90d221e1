//! Why a tokenizer or a network for texts cannot be used.

use std::path::PathBuf;

use tinderbox_datasets::table::TableError;
use tinderbox_datasets::text::TextError;
use tinderbox_models::text::PretrainedError;

use crate::PredictError;

/// Why a tokenizer cannot be trained or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// It cannot be trained on the texts.
    #[error("cannot train a tokenizer: {0}")]
    Training(String),
    /// A file that is not a tokenizer.
    #[error("`{}` cannot be used as a tokenizer: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A text that it cannot tokenize.
    #[error("the tokenizer failed: {0}")]
    Failed(#[from] tokenizers::Error),
    /// A word of which nothing is left, so that its tag would belong to no token.
    #[error(
        "the tokenizer keeps nothing of the word {word:?}, number {number} of its sentence; leave it out"
    )]
    LostWord {
        /// The word.
        word: String,
        /// Its number, counted from 1.
        number: usize,
    },
    /// A panic of the tokenizers crate, which a damaged file can cause.
    #[error("the tokenizer failed, its `tokenizer.json` may be damaged: {0}")]
    Panicked(String),
}

/// A network that does not fit the task or the tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum UnsuitableModel {
    /// A network that cannot do the task.
    #[error("the recipe's `model.kind` is `{kind}`, which cannot {task}; use {alternatives}")]
    Task {
        /// The network.
        kind: &'static str,
        /// The task.
        task: &'static str,
        /// The networks that can.
        alternatives: &'static str,
    },
    /// Pretrained weights with a tokenizer of another model.
    #[error(
        "the tokenizer has {tokenizer} tokens and the weights have vectors for {weights}: take both \
         files from the same folder"
    )]
    Vocabulary {
        /// Size of the tokenizer's vocabulary.
        tokenizer: usize,
        /// Number of token embeddings.
        weights: usize,
    },
}

/// A request that a model cannot fulfill, such as a prompt for a classifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

impl From<TokenizerError> for PredictError {
    fn from(error: TokenizerError) -> Self {
        Self::input(error)
    }
}

impl From<UnsuitableModel> for PredictError {
    fn from(error: UnsuitableModel) -> Self {
        Self::input(error)
    }
}

impl From<PretrainedError> for PredictError {
    fn from(error: PretrainedError) -> Self {
        Self::input(error)
    }
}

impl From<TextError> for PredictError {
    /// Prediction has no option for the encoding: a file in another one is to be converted.
    fn from(error: TextError) -> Self {
        match error {
            TextError::Table(ref table @ TableError::Encoding { ref encoding, .. }) => {
                Self::input(format!(
                    "{}; convert the file to {encoding}, e.g. with `iconv -f windows-1252 -t {encoding}`",
                    table.without_advice()
                ))
            }
            error => Self::input(error),
        }
    }
}

/// An error about a request that the model cannot fulfill.
pub(super) fn unsupported<T>(message: impl Into<String>) -> Result<T, PredictError> {
    Err(PredictError::input(Unsupported(message.into())))
}
