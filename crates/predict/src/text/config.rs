//! Configurations of the networks for texts.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::{Activation, LoraConfig};
use tinderbox_models::text::{
    Bert, BertClassifier, BertConfig, BertTagger, ByteEncoderConfig, FastTextConfig, GptConfig,
    Head, PretrainedBert, TextCnnConfig, TextEncoderConfig, TextRnnConfig,
};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use super::error::UnsuitableModel;
use super::net::TextModel;
use super::task::HeadKind;
use crate::PredictError;
use crate::model_dir::portable;

/// Configuration of a [`TextModel`]: that of its network, without the sizes that follow from the data
/// and the tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TextModelConfig {
    /// Transformer encoder.
    Encoder(Template<TextEncoderConfig>),
    /// Mean of the embeddings of tokens and phrases.
    Bag(Template<FastTextConfig>),
    /// Convolutions over neighboring tokens.
    Cnn(Template<TextCnnConfig>),
    /// LSTM or GRU.
    Recurrent(Template<TextRnnConfig>),
    /// Transformer encoder on patches of bytes.
    Bytes(Template<ByteEncoderConfig>),
    /// Pretrained weights of BERT, `DistilBERT` or `MiniLM`, fine-tuned.
    Bert(PretrainedConfig),
    /// Transformer decoder, a language model.
    Gpt(Template<GptConfig>),
}

/// Pretrained weights and their fine-tuning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PretrainedConfig {
    /// Folder with `config.json`, `tokenizer.json` and `model.safetensors`.
    pub weights: String,
    /// Fine-tuning.
    pub fine_tune: FineTune,
    /// The network of the weights, stored with a trained model, which does not need their folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<PretrainedNetwork>,
}

/// The network of pretrained weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PretrainedNetwork {
    /// The network.
    pub bert: BertConfig,
    /// Activation after the first layer of a head that classifies texts.
    pub head_activation: Activation,
}

/// Fine-tuning of pretrained weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FineTune {
    /// Factor of the learning rate from each layer to the one below (Howard and Ruder 2018,
    /// <https://arxiv.org/abs/1801.06146>), in `(0, 1]`; 1 for the same everywhere.
    pub layer_decay: f64,
    /// Number of lowest layers that are not trained.
    pub frozen_layers: usize,
    /// Whether the token embeddings are not trained.
    pub freeze_embeddings: bool,
    /// Rank of low-rank adapters, which are trained in place of the network and merged into it at the
    /// end (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>); 0 for none.
    pub lora_rank: usize,
    /// Scale of an adapter: its product is multiplied by `lora_alpha / lora_rank`.
    pub lora_alpha: f64,
}

impl Default for FineTune {
    fn default() -> Self {
        Self {
            layer_decay: 0.9,
            frozen_layers: 0,
            freeze_embeddings: false,
            lora_rank: 0,
            lora_alpha: 16.0,
        }
    }
}

impl FineTune {
    fn validate(&self) -> Result<(), ConfigError> {
        let decay = self.layer_decay;
        if !(decay > 0.0 && decay <= 1.0) {
            let (key, expected) = ("model.fine_tune.layer_decay", "above 0 and at most 1");
            return Err(ConfigError::new(key, decay, expected));
        }
        let frozen = self.frozen_layers > 0 || self.freeze_embeddings;
        if frozen && self.lora_rank > 0 {
            let expected = "0 with frozen layers: adapters freeze the whole network";
            let (key, rank) = ("model.fine_tune.lora_rank", self.lora_rank);
            return Err(ConfigError::new(key, rank, expected));
        }
        if decay < 1.0 && self.lora_rank > 0 {
            let expected = "1 with adapters, which share one learning rate";
            return Err(ConfigError::new(
                "model.fine_tune.layer_decay",
                decay,
                expected,
            ));
        }
        Ok(())
    }

    /// Freezes the parameters that are not trained.
    fn apply(&self, bert: Bert) -> Result<Bert, ConfigError> {
        if self.lora_rank > 0 {
            let config = LoraConfig::new()
                .with_rank(self.lora_rank)
                .with_alpha(self.lora_alpha);
            return bert.with_lora(&config);
        }
        bert.freeze_first(self.freeze_embeddings, self.frozen_layers)
    }
}

impl PretrainedConfig {
    fn open(&self, sizes: TextSizes) -> Result<PretrainedBert, PredictError> {
        let pretrained = PretrainedBert::open(Path::new(&self.weights))?;
        check_vocabulary(sizes, pretrained.config())?;
        Ok(pretrained)
    }

    /// The pretrained network with a new head, or one to be filled with trained weights.
    fn init(
        &self,
        sizes: TextSizes,
        head: HeadKind,
        device: &Device,
    ) -> Result<TextModel, PredictError> {
        let is_tagger = head == HeadKind::TokenClassification;
        let outputs = sizes.num_classes;
        if let Some(network) = &self.network {
            network.bert.validate()?;
            check_vocabulary(sizes, &network.bert)?;
            let bert = network.bert.init(device);
            let activation = network.head_activation;
            return Ok(if is_tagger {
                TextModel::Tagger(BertTagger::new(bert, outputs, 0.0)?)
            } else {
                TextModel::Bert(BertClassifier::new(bert, outputs, activation, 0.0)?)
            });
        }
        let pretrained = self.open(sizes)?;
        let tune = |bert| self.fine_tune.apply(bert);
        let new = Head::New(outputs);
        Ok(if is_tagger {
            TextModel::Tagger(pretrained.tagger(new, device)?.map_bert(tune)?)
        } else {
            TextModel::Bert(pretrained.classifier(new, device)?.map_bert(tune)?)
        })
    }
}

fn check_vocabulary(sizes: TextSizes, bert: &BertConfig) -> Result<(), UnsuitableModel> {
    if sizes.vocab_size > bert.vocab_size {
        return Err(UnsuitableModel::Vocabulary {
            tokenizer: sizes.vocab_size,
            weights: bert.vocab_size,
        });
    }
    Ok(())
}

/// Sizes of a network that follow from the data and the tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSizes {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Number of scores: of classes, labels or tags, or of the vocabulary for a language model.
    pub num_classes: usize,
    /// Largest number of tokens per text.
    pub max_len: usize,
}

impl TextModelConfig {
    /// The default of a kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "encoder" => Self::Encoder(Template::default()),
            "bag" => Self::Bag(Template::default()),
            "cnn" => Self::Cnn(Template::default()),
            "recurrent" => Self::Recurrent(Template::default()),
            "bytes" => Self::Bytes(Template::default()),
            "bert" => Self::Bert(PretrainedConfig::default()),
            "gpt" => Self::Gpt(Template::default()),
            _ => return None,
        })
    }

    /// Its name in a recipe.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Encoder(_) => "encoder",
            Self::Bag(_) => "bag",
            Self::Cnn(_) => "cnn",
            Self::Recurrent(_) => "recurrent",
            Self::Bytes(_) => "bytes",
            Self::Bert(_) => "bert",
            Self::Gpt(_) => "gpt",
        }
    }

    /// The same configuration with the sizes that follow from the data and the tokenizer.
    fn with_sizes(mut self, sizes: TextSizes) -> Self {
        let TextSizes {
            vocab_size,
            num_classes,
            max_len,
        } = sizes;
        match &mut self {
            Self::Encoder(Template(config)) => {
                (config.vocab_size, config.num_classes) = (vocab_size, num_classes);
                config.max_len = max_len;
            }
            Self::Bag(Template(config)) => {
                (config.vocab_size, config.num_classes) = (vocab_size, num_classes);
            }
            Self::Cnn(Template(config)) => {
                (config.vocab_size, config.num_classes) = (vocab_size, num_classes);
            }
            Self::Recurrent(Template(config)) => {
                (config.vocab_size, config.num_classes) = (vocab_size, num_classes);
            }
            Self::Bytes(Template(config)) => {
                (config.num_classes, config.max_len) = (num_classes, max_len);
            }
            Self::Bert(_) => {}
            Self::Gpt(Template(config)) => {
                (config.vocab_size, config.max_len) = (vocab_size, max_len);
            }
        }
        self
    }

    /// The configuration that a model folder stores: without paths of this machine, and with the
    /// network of pretrained weights.
    ///
    /// # Errors
    ///
    /// If the pretrained weights cannot be read.
    pub fn stored(&self, sizes: TextSizes) -> Result<Self, PredictError> {
        let Self::Bert(config) = self else {
            return Ok(self.clone());
        };
        let pretrained = config.open(sizes)?;
        Ok(Self::Bert(PretrainedConfig {
            weights: portable(&config.weights),
            network: Some(PretrainedNetwork {
                bert: pretrained.config().clone(),
                head_activation: pretrained.head_activation(),
            }),
            ..config.clone()
        }))
    }

    /// Checks every field that does not need sizes.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Bert(config) => config.fine_tune.validate(),
            _ => Ok(()),
        }
    }

    /// Checks that the network can have a head of this kind.
    ///
    /// # Errors
    ///
    /// If it cannot; names the networks that can.
    pub fn check_head(&self, head: HeadKind) -> Result<(), UnsuitableModel> {
        let fits = match self {
            Self::Encoder(_) | Self::Bert(_) => head != HeadKind::LanguageModeling,
            Self::Gpt(_) => head == HeadKind::LanguageModeling,
            _ => head == HeadKind::SequenceClassification,
        };
        if fits {
            return Ok(());
        }
        let (task, alternatives) = match head {
            HeadKind::SequenceClassification => (
                "classify texts",
                "`encoder`, `bag`, `cnn`, `recurrent`, `bytes` or `bert`",
            ),
            HeadKind::TokenClassification => ("tag words", "`encoder` or `bert`"),
            HeadKind::LanguageModeling => ("generate text", "`gpt`"),
        };
        Err(UnsuitableModel::Task {
            kind: self.kind(),
            task,
            alternatives,
        })
    }

    /// Initializes the network: untrained, or pretrained with a new head.
    ///
    /// # Errors
    ///
    /// If a size is out of range, the network would not fit in memory, it cannot have this head, or
    /// the pretrained weights cannot be used.
    pub fn init(
        &self,
        sizes: TextSizes,
        head: HeadKind,
        device: &Device,
    ) -> Result<TextModel, PredictError> {
        self.check_head(head)?;
        Ok(match self.clone().with_sizes(sizes) {
            Self::Encoder(Template(config)) => {
                config.validate()?;
                TextModel::Encoder(config.init(device))
            }
            Self::Bag(Template(config)) => {
                config.validate()?;
                TextModel::Bag(config.init(device))
            }
            Self::Cnn(Template(config)) => {
                config.validate()?;
                TextModel::Cnn(config.init(device))
            }
            Self::Recurrent(Template(config)) => {
                config.validate()?;
                TextModel::Recurrent(config.init(device))
            }
            Self::Bytes(Template(config)) => {
                config.validate()?;
                TextModel::Bytes(config.init(device))
            }
            Self::Bert(config) => config.init(sizes, head, device)?,
            Self::Gpt(Template(config)) => {
                config.validate()?;
                TextModel::Gpt(config.init(device))
            }
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(&self, sizes: TextSizes) -> Result<Vec<LayerSummary>, PredictError> {
        let layers = match self.clone().with_sizes(sizes) {
            Self::Encoder(Template(config)) => config.validate().map(|()| config.layers()),
            Self::Bag(Template(config)) => config.validate().map(|()| config.layers()),
            Self::Cnn(Template(config)) => config.validate().map(|()| config.layers()),
            Self::Recurrent(Template(config)) => config.validate().map(|()| config.layers()),
            Self::Bytes(Template(config)) => config.validate().map(|()| config.layers()),
            Self::Bert(config) => return Ok(config.open(sizes)?.config().layers()),
            Self::Gpt(Template(config)) => config.validate().map(|()| config.layers()),
        };
        Ok(layers?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 7] = ["encoder", "bag", "cnn", "recurrent", "bytes", "bert", "gpt"];

    #[test]
    fn every_kind_survives_json_and_has_layers_for_its_sizes() {
        let sizes = TextSizes {
            vocab_size: 256,
            num_classes: 3,
            max_len: 32,
        };
        for kind in KINDS {
            let config = TextModelConfig::of_kind(kind).unwrap();
            assert_eq!(config.kind(), kind);
            let json = serde_json::to_string(&config).unwrap();
            assert!(!json.contains("vocab_size"), "{json}");
            let loaded: TextModelConfig = serde_json::from_str(&json).unwrap();
            assert_eq!(loaded, config);
            assert!(kind == "bert" || !config.layers(sizes).unwrap().is_empty());
        }
        assert_eq!(TextModelConfig::of_kind("transformer"), None);
    }

    #[test]
    fn a_network_that_cannot_do_the_task_names_those_that_can() {
        let bag = TextModelConfig::of_kind("bag").unwrap();
        let error = bag.check_head(HeadKind::TokenClassification).unwrap_err();
        assert!(
            error.to_string().contains("use `encoder` or `bert`"),
            "{error}"
        );
        assert!(bag.check_head(HeadKind::SequenceClassification).is_ok());
    }
}
