//! What can be wrong with a text recipe, its files or its model.

use std::path::PathBuf;

use tinderbox_datasets::SplitError;
use tinderbox_datasets::download::DownloadError;
use tinderbox_datasets::loader::LoaderError;
use tinderbox_datasets::table::TableError;
use tinderbox_datasets::text::TextError;
use tinderbox_models::text::PretrainedError;

use tinderbox_predict::model_dir::ModelError;
use tinderbox_train::run_dir::RunError;
use tinderbox_train::splits::SplitsError;
use tinderbox_train::{ConfigError, FitError, TrainError};

/// Why a tokenizer cannot be trained or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The texts give none.
    #[error("cannot train a tokenizer: {0}")]
    Training(String),
    /// A file that is no tokenizer.
    #[error("`{}` cannot be used as a tokenizer: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A text that it cannot take.
    #[error("the tokenizer failed: {0}")]
    Failed(#[from] tokenizers::Error),
    /// A panic of the tokenizers crate, which a damaged file can cause.
    #[error("the tokenizer failed, its `tokenizer.json` may be damaged: {0}")]
    Panicked(String),
}

/// Why the texts of a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file of texts.
    #[error(transparent)]
    Text(TextError),
    /// A file of texts that a key of the recipe reads in another way.
    #[error("{error}; {advice}")]
    Keyed {
        /// What is wrong with the file.
        error: TextError,
        /// The key, and what to set it to.
        advice: &'static str,
    },
    /// A key of `data.format`.
    #[error(transparent)]
    Format(#[from] ConfigError),
    /// A download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The texts cannot be split.
    #[error("cannot split the texts")]
    Split(#[from] SplitError),
    /// No file was named.
    #[error("the recipe needs texts: name a file or a folder with `--data PATH` or `data.path`")]
    NoPath,
    /// A running text that leaves nothing to learn.
    #[error(
        "the text has {tokens} tokens, too few for windows of {window}: lower \
         `tokenizer.max_len` or give more text"
    )]
    TooShort {
        /// Tokens of the part.
        tokens: usize,
        /// Tokens of a window.
        window: usize,
    },
    /// There is no such split.
    #[error("there is no split `{0}`")]
    NoSplit(String),
    /// A split without texts.
    #[error("the {0} split has no text in this data")]
    EmptySplit(String),
    /// A class that was not learned.
    #[error("there is no class `{class}`; there are {}", known.join(", "))]
    UnknownClass {
        /// The class.
        class: String,
        /// Those that there are.
        known: Vec<String>,
    },
}

impl From<TextError> for DataError {
    /// With the key that reads the file in another way, if there is one.
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
            "if quotes enclose cells that span lines or hold delimiters, use `--set \
             data.format.quoting=yes`"
        }
        _ => return None,
    })
}

/// Why a text recipe could not be trained or used.
#[derive(Debug, thiserror::Error)]
pub enum TextRecipeError {
    /// A number in the recipe.
    #[error("invalid recipe")]
    Config(#[from] ConfigError),
    /// A network that does not do what the texts are for.
    #[error("the recipe's `model.kind` is `{kind}`, which cannot {task}; use {instead}")]
    Unfit {
        /// The network.
        kind: &'static str,
        /// What is to be done.
        task: &'static str,
        /// Which networks can.
        instead: &'static str,
    },
    /// The texts.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Published weights.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    /// Published weights with a tokenizer that is not theirs.
    #[error(
        "the tokenizer has {tokenizer} tokens and the weights have vectors for {weights}: take both \
         files from the same folder"
    )]
    OtherVocabulary {
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Vectors of the network.
        weights: usize,
    },
    /// The texts cannot be put in batches.
    #[error("cannot make batches")]
    Loader(#[from] LoaderError),
    /// The run directory.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The list of the splits of a run.
    #[error(transparent)]
    Splits(#[from] SplitsError),
    /// Training itself.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The model folder.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The recipe cannot be written as TOML: a mistake of ours.
    #[error("the recipe cannot be written as TOML")]
    Recipe(#[from] toml::ser::Error),
    /// What was asked of a model that does something else.
    #[error("{0}")]
    Asked(String),
    /// A device failed while a model was used.
    #[error("cannot run the network: {0}")]
    Device(String),
    /// The classical method.
    #[cfg(feature = "baseline")]
    #[error(transparent)]
    Baseline(#[from] tinderbox_baselines::BaselineError),
}

impl TextRecipeError {
    /// Whether the user's recipe, flags or files are wrong, as opposed to anything else.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Splits(error) => error.is_input(),
            Self::Run(error) => !matches!(error, RunError::Io(_)),
            Self::Fit(FitError::Train(error)) => error.is_input(),
            Self::Fit(FitError::Config(_)) => true,
            Self::Fit(_) | Self::Recipe(_) | Self::Device(_) => false,
            #[cfg(feature = "baseline")]
            Self::Baseline(_) => false,
            _ => true,
        }
    }

    /// Whether somebody stopped the run, which can be gone on with.
    pub fn is_interrupted(&self) -> bool {
        matches!(
            self,
            Self::Fit(FitError::Train(TrainError::Interrupted { .. }))
        )
    }

    pub(crate) fn device(error: impl std::fmt::Display) -> Self {
        Self::Device(error.to_string())
    }
}
