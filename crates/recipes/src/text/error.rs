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
    /// A file of texts, with a key of the recipe or a change of the file that may help.
    #[error("{}; {advice}", without_hint(error))]
    Keyed {
        /// The error.
        error: TextError,
        /// The key and its value, or the change.
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
            Some((advice, _)) => Self::Keyed { error, advice },
            None => Self::Text(error),
        }
    }
}

impl DataError {
    /// The same where no key can be set: the advice is to change the file.
    pub(super) fn without_keys(self) -> Self {
        match self {
            Self::Keyed { error, advice: key } => {
                let advice = advice(&error).map_or(key, |(_, change)| change);
                Self::Keyed { error, advice }
            }
            other => other,
        }
    }
}

/// A key of the recipe that may help, and a change of the file that may help without it.
fn advice(error: &TextError) -> Option<(&'static str, &'static str)> {
    Some(match error {
        TextError::EmptyText { .. } => (
            "to skip such rows, use `--set data.skip_empty=true`",
            "remove such rows",
        ),
        TextError::EmptyLabel { .. } => (
            "add the label, or skip such rows with `--set data.skip_empty=true`",
            "add the label, or remove such rows",
        ),
        TextError::Encoding { .. } | TextError::Table(TableError::Encoding { .. }) => (
            "to read another encoding, use e.g. `--set data.format.encoding=windows-1252`",
            "convert the file to UTF-8, e.g. with `iconv -f windows-1252 -t UTF-8`",
        ),
        TextError::Table(TableError::Nul { .. }) => (
            "to read UTF-16, use `--set data.format.encoding=utf-16le`",
            "convert UTF-16 to UTF-8, e.g. with `iconv -f UTF-16LE -t UTF-8`",
        ),
        TextError::Table(TableError::OpenQuote { .. }) => (
            "if quotes are part of the texts, use `--set data.format.quoting=no`",
            "close the quotes, or double those that are part of a text",
        ),
        TextError::Table(TableError::Ragged { .. }) => (
            "if quotes enclose cells that span lines or contain delimiters, use `--set \
             data.format.quoting=yes`",
            "enclose cells that span lines or contain delimiters in double quotes",
        ),
        _ => return None,
    })
}

/// An error without its own advice on the encoding, which names no key.
fn without_hint(error: &TextError) -> String {
    match error {
        TextError::Table(error) => error.without_advice(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_once_and_can_be_followed() {
        let error = || {
            DataError::from(TextError::Table(TableError::Encoding {
                file: "a.csv".to_owned(),
                line: 2,
                byte: 0xE9,
                encoding: "UTF-8".to_owned(),
            }))
        };
        assert_eq!(
            error().to_string(),
            "`a.csv` line 2: byte 0xe9 is not UTF-8; to read another encoding, use e.g. `--set \
             data.format.encoding=windows-1252`"
        );
        let plain = error().without_keys().to_string();
        assert!(!plain.contains("--set"), "{plain}");
        assert!(plain.contains("; convert the file to UTF-8"), "{plain}");
        let other = DataError::NoPath.without_keys().to_string();
        assert_eq!(other, DataError::NoPath.to_string());
    }
}
