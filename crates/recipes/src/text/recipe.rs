//! What decides a model of texts.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::text::TextOptions;
use toml::Table;

use super::docs::DOCS;
use super::format::Format;
use super::net::Architecture;
use super::tokenizer::{TokenKind, TokenizerRecipe};
use tinderbox_predict::model_dir::portable;
use tinderbox_train::classify::Loss;
use tinderbox_train::docs::{OPTIMIZER_DOCS, TRAIN_DOCS};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, Optimizer, Schedule, TrainConfig, TrainingOptions, check_name, check_range,
    check_share,
};

/// Everything that decides a model of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Networks with other seeds that predict together.
    pub ensemble: usize,
    /// Whether probabilities are calibrated by a temperature, fitted on the validation texts (Guo et
    /// al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>).
    pub calibrate: bool,
    /// Which texts.
    pub data: Data,
    /// Which of them for what.
    pub split: Split,
    /// How a text becomes tokens.
    pub tokenizer: TokenizerRecipe,
    /// What is done to training texts.
    pub augment: Augment,
    /// Which network.
    pub model: Architecture,
    /// What is minimized.
    pub loss: Loss,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How long, and in what portions.
    pub train: TrainingOptions,
}

/// Where the texts come from, and with them what is to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// Support requests that are made up, with their topics.
    Requests {
        /// Seed of the texts.
        seed: u64,
    },
    /// AG's news: four topics.
    AgNews {
        /// The folder; empty for the official files, fetched once into the user's cache.
        path: String,
    },
    /// The SMS Spam Collection.
    SmsSpam {
        /// The file or its folder.
        path: String,
    },
    /// The Stanford Sentiment Treebank: sentences of two moods.
    Sst2 {
        /// The folder.
        path: String,
    },
    /// Movie reviews of two moods, with the ten folds of their authors.
    Reviews {
        /// The archive or its folder.
        path: String,
    },
    /// Clauses of commercial contracts (CUAD) with their types.
    Cuad {
        /// The file or its folder.
        path: String,
    },
    /// Lines of non-disclosure agreements (`ContractNLI`) with what they are evidence for.
    ContractNli {
        /// The folder.
        path: String,
    },
    /// A file or folder of texts with a class each.
    Texts {
        /// The file or folder.
        path: String,
        /// Another with the test texts; empty to hold some out.
        test: String,
        /// Columns or keys of the text, which are joined by a space.
        text: Vec<String>,
        /// Column or key of the label.
        label: String,
        /// Whether rows with an empty text are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// How the file is written.
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
        /// Whether rows with an empty text are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// How the file is written.
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
        /// Whether rows with an empty text are skipped and counted.
        #[serde(default)]
        skip_empty: bool,
        /// How the file is written.
        #[serde(default)]
        format: Format,
    },
    /// A file of sentences with a tag for each word: a word and its tag in a line and an empty line
    /// between sentences, or JSON with `tokens` and `tags`.
    Tagged {
        /// The file.
        path: String,
    },
    /// A file or folder of running text, to be gone on with.
    Running {
        /// The file or folder.
        path: String,
    },
}

impl Data {
    /// One of each kind, as a recipe that only names the kind gets it.
    pub(crate) fn of_kind(kind: &str) -> Option<Self> {
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
            "running" => Self::Running { path },
            _ => return None,
        })
    }

    /// The file or folder, for the kinds that have one.
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
            | Self::Running { path } => Some(path),
        }
    }

    /// The same without paths of this machine, as a model folder holds it.
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

    /// How the user's file is read; `None` for public data sets and plain text.
    ///
    /// # Errors
    ///
    /// If a key of `data.format` means nothing.
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

    /// Whether the files are the user's own, and have no splits of their authors.
    pub fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Texts { .. } | Self::Pairs { .. } | Self::MultiLabel { .. } | Self::Tagged { .. }
        )
    }

    /// Skips rows with an empty text, where that is possible.
    pub fn set_skip_empty(&mut self) {
        if let Self::Texts { skip_empty, .. }
        | Self::Pairs { skip_empty, .. }
        | Self::MultiLabel { skip_empty, .. } = self
        {
            *skip_empty = true;
        }
    }

    /// Whether a running text is learned, and not what to say of one.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

/// Which texts are for what, where the data does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Share held out for the test, in `(0, 1)`, where the data has no test of its own.
    pub test_fraction: f64,
    /// Share of the rest that is held out for validation, in `(0, 1)`.
    pub valid_fraction: f64,
    /// Parts of a cross-validation before the training proper; 0 for none.
    pub folds: usize,
    /// Seed of the split.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            test_fraction: 0.2,
            valid_fraction: 0.1,
            folds: 0,
            seed: 0,
        }
    }
}

/// What is done to training texts, each time they are seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Probability of leaving a token out (Iyyer et al., *Deep Unordered Composition Rivals Syntactic
    /// Methods for Text Classification*, 2015, <https://aclanthology.org/P15-1162/>), in `[0, 1)`.
    pub drop_tokens: f64,
    /// Probability of putting the unknown token in a token's place, so that unknown words at the time
    /// of use are no surprise (word dropout, Dai and Le, *Semi-supervised Sequence Learning*, 2015,
    /// <https://arxiv.org/abs/1511.01432>), in `[0, 1)`.
    pub hide_tokens: f64,
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "data" => Data::of_kind(kind).and_then(|data| Table::try_from(data).ok()),
            "model" => Architecture::of_kind(kind).and_then(|model| Table::try_from(model).ok()),
            "optimizer" => Optimizer::of_kind(kind).and_then(|kind| Table::try_from(kind).ok()),
            "schedule" => Schedule::of_kind(kind).and_then(|kind| Table::try_from(kind).ok()),
            _ => None,
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS, TRAIN_DOCS]
    }
}

impl Recipe {
    /// The part that does not concern texts.
    pub fn train_config(&self) -> TrainConfig {
        TrainConfig {
            train: self.train.clone(),
            optimizer: self.optimizer.clone(),
            schedule: self.schedule.clone(),
        }
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        check_share("split.test_fraction", self.split.test_fraction)?;
        check_share("split.valid_fraction", self.split.valid_fraction)?;
        if self.split.folds == 1 {
            return Err(ConfigError::new("split.folds", 1, "0, or 2 and more"));
        }
        check_range("split.folds", self.split.folds as f64, 0.0..=1_000.0)?;
        check_range("ensemble", self.ensemble as f64, 1.0..=100.0)?;
        check_range("augment.drop_tokens", self.augment.drop_tokens, 0.0..1.0)?;
        check_range("augment.hide_tokens", self.augment.hide_tokens, 0.0..1.0)?;
        if self.augment.hide_tokens > 0.0 && self.tokenizer.kind == TokenKind::Bytes {
            let expected = "0 where tokens are bytes, of which none is unknown";
            let found = self.augment.hide_tokens;
            return Err(ConfigError::new("augment.hide_tokens", found, expected));
        }
        if self.data.is_running() && self.augment != Augment::default() {
            let expected = "0 for a running text, and so must `augment.hide_tokens`";
            let found = self.augment.drop_tokens;
            return Err(ConfigError::new("augment.drop_tokens", found, expected));
        }
        self.data.options()?;
        self.tokenizer.validate()?;
        let pretrained = matches!(self.model, Architecture::Bert { .. });
        if pretrained != (self.tokenizer.kind == TokenKind::Pretrained) {
            let expected = "`pretrained` if and only if `model.kind` is `bert`";
            let found = format!("{:?}", self.tokenizer.kind).to_lowercase();
            return Err(ConfigError::new("tokenizer.kind", found, expected));
        }
        let on_bytes = matches!(self.model, Architecture::Bytes { .. });
        if on_bytes && self.tokenizer.kind != TokenKind::Bytes {
            let found = format!("{:?}", self.tokenizer.kind).to_lowercase();
            let expected = "`bytes` where `model.kind` is `bytes`";
            return Err(ConfigError::new("tokenizer.kind", found, expected));
        }
        let in_any_order = matches!(self.model, Architecture::Bag { phrases: 1, .. });
        if self.tokenizer.distinct && !in_any_order {
            let expected = "false, but for `model.kind` `bag` with `model.phrases` 1";
            return Err(ConfigError::new("tokenizer.distinct", true, expected));
        }
        self.model.validate()?;
        self.loss.validate()?;
        self.train_config().validate()?;
        let batch = self.train.batch_size as f64;
        check_range("train.batch_size", batch, 1.0..=65_536.0)
    }
}
