//! The recipe of a model for texts.

use serde::{Deserialize, Serialize};
use tinderbox_predict::text::{TextModelConfig, TokenKind, TokenizerConfig};
use tinderbox_train::classify::Loss;
use tinderbox_train::docs::{
    LOSS_DOCS, METRICS_DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, RECIPE_DOCS, SPLIT_DOCS, TRAIN_DOCS,
};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, Split, TrainConfig, TrainingOptions,
    check_name, check_range,
};
use toml::Table;

use super::docs::DOCS;
use super::source::Data;
use super::train_tokenizer::validate as validate_tokenizer;

/// Everything that determines a model for texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Number of networks, with different seeds, whose predictions are averaged.
    pub ensemble: usize,
    /// Whether probabilities are calibrated by a temperature, fitted on the validation split (Guo et
    /// al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>).
    pub calibrate: bool,
    /// The texts.
    pub data: Data,
    /// Their splits.
    pub split: Split,
    /// The tokenizer.
    pub tokenizer: TokenizerConfig,
    /// Random changes of training texts.
    pub augment: Augment,
    /// The network.
    pub model: TextModelConfig,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Epochs, batches, seed and checkpoints.
    pub train: TrainingOptions,
    /// What is recorded besides `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
    pub metrics: MetricsOptions,
}

/// Random changes of training texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Probability of leaving a token out (Iyyer et al., *Deep Unordered Composition Rivals Syntactic
    /// Methods for Text Classification*, 2015, <https://aclanthology.org/P15-1162/>), in `[0, 1)`.
    pub token_dropout: f64,
    /// Probability of replacing a token by the unknown token, so that unknown words are known from
    /// training (word dropout, Dai and Le, *Semi-supervised Sequence Learning*, 2015,
    /// <https://arxiv.org/abs/1511.01432>), in `[0, 1)`.
    pub unk_dropout: f64,
}

tinderbox_train::task_recipe!(Recipe, self => self.data.path_mut());

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "data" => Data::of_kind(kind).and_then(|data| Table::try_from(data).ok()),
            "model" => Table::try_from(TextModelConfig::of_kind(kind)?).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[
            RECIPE_DOCS,
            SPLIT_DOCS,
            DOCS,
            LOSS_DOCS,
            OPTIMIZER_DOCS,
            PLATEAU_DOCS,
            TRAIN_DOCS,
            METRICS_DOCS,
        ]
    }
}

impl Recipe {
    /// The settings of the training loop.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = (self.split.folds + 1) * self.ensemble;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.split.validate()?;
        check_range("ensemble", self.ensemble, 1..=100)?;
        self.validate_augment()?;
        self.data.options()?;
        validate_tokenizer(&self.tokenizer)?;
        self.check_tokenizer()?;
        self.model.validate()?;
        self.loss.validate()?;
        self.train_config().validate()?;
        check_range("train.batch_size", self.train.batch_size, 1..=65_536)
    }

    fn validate_augment(&self) -> Result<(), ConfigError> {
        let Augment {
            token_dropout,
            unk_dropout,
        } = self.augment;
        check_range("augment.token_dropout", token_dropout, 0.0..1.0)?;
        check_range("augment.unk_dropout", unk_dropout, 0.0..1.0)?;
        if unk_dropout > 0.0 && self.tokenizer.kind == TokenKind::Bytes {
            let expected = "0 for bytes, which have no unknown token";
            return Err(ConfigError::new(
                "augment.unk_dropout",
                unk_dropout,
                expected,
            ));
        }
        if self.data.is_plain_text() && self.augment != Augment::default() {
            let expected = "0 for a language model, as `augment.unk_dropout`";
            return Err(ConfigError::new(
                "augment.token_dropout",
                token_dropout,
                expected,
            ));
        }
        Ok(())
    }

    /// Checks that the tokenizer fits the network.
    fn check_tokenizer(&self) -> Result<(), ConfigError> {
        let kind = self.tokenizer.kind;
        let refuse = |expected: &str| {
            let value = format!("{kind:?}").to_lowercase();
            Err(ConfigError::new("tokenizer.kind", value, expected))
        };
        let pretrained = matches!(self.model, TextModelConfig::Bert(_));
        if pretrained != (kind == TokenKind::Pretrained) {
            return refuse("`pretrained` if and only if `model.kind` is `bert`");
        }
        if matches!(self.model, TextModelConfig::Bytes(_)) && kind != TokenKind::Bytes {
            return refuse("`bytes` if `model.kind` is `bytes`");
        }
        let unordered =
            matches!(&self.model, TextModelConfig::Bag(config) if config.0.max_ngram == 1);
        if self.tokenizer.binary_counts && !unordered {
            let expected = "false unless `model.kind` is `bag` and `model.max_ngram` is 1";
            return Err(ConfigError::new("tokenizer.binary_counts", true, expected));
        }
        Ok(())
    }
}
