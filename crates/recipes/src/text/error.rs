//! Errors in the texts of a recipe.

use tinderbox_datasets::SplitError;
use tinderbox_datasets::download::DownloadError;
use tinderbox_datasets::table::TableError;
use tinderbox_datasets::text::TextError;
use tinderbox_train::{ConfigError, TaskError};

/// Texts that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file of texts.
    #[error(transparent)]
    Text(TextError),
    /// A file of texts, with a key of the recipe that may help.
    #[error("{error}; {advice}")]
    Keyed {
        /// The error.
        error: TextError,
        /// The key and its value.
        advice: &'static str,
    },
    /// A key of `data`.
    #[error(transparent)]
    Key(#[from] ConfigError),
    /// A download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The texts cannot be split.
    #[error("cannot split the texts")]
    Split(#[from] SplitError),
    /// Nearly every text has a different class.
    #[error(
        "{classes} classes in {texts} texts, such as `{example}`: too few texts of each class to split; check \
         that the labels are classes"
    )]
    TooManyClassesToSplit {
        /// Classes.
        classes: usize,
        /// Texts.
        texts: usize,
        /// One of the classes.
        example: String,
    },
    /// No file was named.
    #[error("the recipe needs texts: name a file or a folder with `--data PATH` or `data.path`")]
    NoPath,
    /// Plain text that is too short.
    #[error(
        "the text has {tokens} tokens, too few for windows of {window}: lower \
         `tokenizer.max_len` or provide more text"
    )]
    TooShort {
        /// Number of tokens of the split.
        tokens: usize,
        /// Number of tokens of a window.
        window: usize,
    },
    /// A split that does not exist.
    #[error("there is no split `{0}`")]
    NoSplit(String),
    /// A split without texts.
    #[error("the {0} split of this data is empty")]
    EmptySplit(String),
    /// A class that the model does not have.
    #[error("there is no class `{class}`; there are {}", known.join(", "))]
    UnknownClass {
        /// The class.
        class: String,
        /// The classes of the model.
        known: Vec<String>,
    },
    /// Columns of a file for a recipe that does not read the user's own file.
    #[error(
        "`{0}` does not fit this recipe: it fits `texts`, `labels`, `pairs` and `fine-tune`, which read \
         your own file"
    )]
    Columns(&'static str),
    /// Columns of a pair that are not two.
    #[error("a pair has two texts: give `--text` twice, as in `--text premise --text hypothesis`")]
    PairColumns,
    /// A folder of pretrained weights that was not named.
    #[error(
        "the recipe needs pretrained weights: name their folder with `--weights DIR` or \
         `model.weights`"
    )]
    NoWeights,
    /// A path that is not a folder of pretrained weights, such as the name of a model on the hub.
    #[error(
        "the weights folder `{name}` {reason}: nothing is downloaded; name a folder with config.json, \
         tokenizer.json and model.safetensors, e.g. from `hf download {name} --local-dir weights`"
    )]
    WeightsFolder {
        /// The path.
        name: String,
        /// The reason.
        reason: &'static str,
    },
}

impl From<DataError> for TaskError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Key(error) => error.into(),
            error => Self::user(error),
        }
    }
}

impl From<TextError> for DataError {
    /// With a key of the recipe that may help, if there is one.
    fn from(error: TextError) -> Self {
        match advice(&error) {
            Some(advice) => Self::Keyed { error, advice },
            None => Self::Text(error),
        }
    }
}

fn advice(error: &TextError) -> Option<&'static str> {
    Some(match error {
        TextError::EmptyText { .. } => "to skip such rows, use `--set data.skip_empty=true`",
        TextError::Encoding { .. }
        | TextError::Table(TableError::Encoding { .. } | TableError::Nul { .. }) => {
            "to read another encoding, use e.g. `--set data.format.encoding=windows-1252`"
        }
        TextError::Table(TableError::OpenQuote { .. }) => {
            "if quotes are part of the texts, use `--set data.format.quoting=no`"
        }
        TextError::Table(TableError::Ragged { .. }) => {
            "if quotes enclose cells that span lines or contain delimiters, use `--set \
             data.format.quoting=yes`"
        }
        _ => return None,
    })
}
