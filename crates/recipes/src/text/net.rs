//! The network of a recipe, whichever it is.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::LayerSummary;
use tinderbox_models::layers::{Activation, LoraConfig, Pooling, merge_lora};
use tinderbox_models::text::{
    Bert, BertClassifier, BertConfig, BertTagger, ByteEncoder, ByteEncoderConfig, CellKind,
    FastText, FastTextConfig, Gpt, GptConfig, Head, Positions, PretrainedBert, StatePooling,
    TextCnn, TextCnnConfig, TextEncoder, TextEncoderConfig, TextRnn, TextRnnConfig,
};

use super::error::TextRecipeError;
use tinderbox_predict::model_dir::{self, WeightsError, portable};
use tinderbox_train::{ConfigError, layer_factors};

/// Which network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Architecture {
    /// Transformer encoder.
    Encoder {
        /// Width of a token's vector.
        d_model: usize,
        /// Number of attention heads; a divisor of `d_model`.
        heads: usize,
        /// Number of layers.
        layers: usize,
        /// Width of the hidden layer that follows attention.
        d_feed_forward: usize,
        /// `learned` or `rotary`.
        positions: Positions,
        /// `mean` or `cls`.
        pooling: Pooling,
        /// Probability of zeroing a number of a branch, in `[0, 1)`.
        dropout: f64,
    },
    /// Mean of the vectors of tokens and of phrases.
    Bag {
        /// Width of a vector.
        d_embedding: usize,
        /// Most tokens in a phrase that has a vector of its own; 1 for none.
        phrases: usize,
        /// Number of vectors that all phrases share.
        buckets: usize,
        /// Probability of zeroing what the last layer reads, in `[0, 1)`.
        dropout: f64,
    },
    /// Convolutions over neighbouring tokens.
    Cnn {
        /// Width of a token's vector.
        d_embedding: usize,
        /// Tokens that a filter looks at, one number for each group of filters.
        windows: Vec<usize>,
        /// Filters in a group.
        filters: usize,
        /// Probability of zeroing what the last layer reads, in `[0, 1)`.
        dropout: f64,
    },
    /// Recurrent network.
    Recurrent {
        /// `lstm` or `gru`.
        cell: CellKind,
        /// Width of a token's vector.
        d_embedding: usize,
        /// Width of the state.
        d_hidden: usize,
        /// Number of layers.
        layers: usize,
        /// Whether a second network reads from the end.
        bidirectional: bool,
        /// What of the states is read.
        pooling: StatePooling,
        /// Probability of zeroing what a layer reads, in `[0, 1)`.
        dropout: f64,
    },
    /// Transformer encoder on bytes, joined to patches.
    Bytes {
        /// Width of a byte's vector.
        d_byte: usize,
        /// Bytes that are looked at together before they are joined.
        window: usize,
        /// Bytes that are joined to one vector.
        patch: usize,
        /// Width of a patch's vector.
        d_model: usize,
        /// Number of attention heads.
        heads: usize,
        /// Number of layers.
        layers: usize,
        /// Width of the hidden layer that follows attention.
        d_feed_forward: usize,
        /// Probability of zeroing a number of a branch, in `[0, 1)`.
        dropout: f64,
    },
    /// Published weights of BERT, `DistilBERT` or `MiniLM`, to be fine-tuned.
    Bert {
        /// Folder with `config.json`, `tokenizer.json` and `model.safetensors`.
        weights: String,
        /// How much of the network learns, and how fast.
        fine_tune: FineTune,
    },
    /// Decoder of a language model.
    Gpt {
        /// Width of a token's vector.
        d_model: usize,
        /// Number of attention heads; `d_model` is an even multiple of it.
        heads: usize,
        /// Number of layers.
        layers: usize,
        /// Width of the gated hidden layer that follows attention.
        d_feed_forward: usize,
        /// Whether the scores are products with the embedding.
        tied: bool,
        /// Probability of zeroing a number of a branch, in `[0, 1)`.
        dropout: f64,
    },
}

/// How much of a published network learns, and how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FineTune {
    /// Factor of the learning rate from each layer to the one below (Howard and Ruder 2018,
    /// <https://arxiv.org/abs/1801.06146>), in `(0, 1]`; 1 for the same everywhere.
    pub layer_decay: f64,
    /// Lowest layers that do not learn.
    pub frozen_layers: usize,
    /// Whether the vectors of tokens do not learn.
    pub freeze_embeddings: bool,
    /// Rank of low-rank adapters, which learn in place of the network and are folded into it at the
    /// end (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>); 0 for none.
    pub lora_rank: usize,
    /// Worth of an adapter: its product counts `lora_alpha / lora_rank` times.
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
            let expected = "0 where layers are frozen: with adapters all of the network is";
            let (key, rank) = ("model.fine_tune.lora_rank", self.lora_rank);
            return Err(ConfigError::new(key, rank, expected));
        }
        if decay < 1.0 && self.lora_rank > 0 {
            let expected = "1 with adapters, which all learn alike";
            return Err(ConfigError::new(
                "model.fine_tune.layer_decay",
                decay,
                expected,
            ));
        }
        Ok(())
    }

    /// Freezes what does not learn.
    fn apply(&self, bert: Bert) -> Result<Bert, tinderbox_models::ConfigError> {
        if self.lora_rank > 0 {
            let config = LoraConfig::new()
                .with_rank(self.lora_rank)
                .with_alpha(self.lora_alpha);
            return bert.with_lora(&config);
        }
        bert.freeze_first(self.freeze_embeddings, self.frozen_layers)
    }
}

/// Sizes that follow from the data and the tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Number of tokens that there are.
    pub vocabulary: usize,
    /// Scores of a text, or of a token where each has its own.
    pub outputs: usize,
    /// Most tokens of a text.
    pub max_len: usize,
}

/// What a network is to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scored {
    /// Texts.
    Texts,
    /// Each word of a text.
    Words,
    /// What comes next in a running text.
    Next,
}

impl Scored {
    fn verb(self) -> &'static str {
        match self {
            Self::Texts => "classify texts",
            Self::Words => "tag words",
            Self::Next => "go on with a text",
        }
    }

    fn networks(self) -> &'static str {
        match self {
            Self::Texts => "`encoder`, `bag`, `cnn`, `recurrent`, `bytes` or `bert`",
            Self::Words => "`encoder` or `bert`",
            Self::Next => "`gpt`",
        }
    }
}

/// What of published weights a new network of the same form needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BertForm {
    config: BertConfig,
    activation: Activation,
}

impl Architecture {
    /// The same without paths of this machine, as a model folder holds it.
    pub fn portable(&self) -> Self {
        let mut model = self.clone();
        if let Self::Bert { weights, .. } = &mut model {
            *weights = portable(weights);
        }
        model
    }

    /// One of each kind, as a recipe that only names the kind gets it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "encoder" => Self::Encoder {
                d_model: 128,
                heads: 4,
                layers: 2,
                d_feed_forward: 256,
                positions: Positions::Learned,
                pooling: Pooling::Mean,
                dropout: 0.1,
            },
            "bag" => Self::Bag {
                d_embedding: 64,
                phrases: 2,
                buckets: 100_000,
                dropout: 0.2,
            },
            "cnn" => Self::Cnn {
                d_embedding: 128,
                windows: vec![3, 4, 5],
                filters: 100,
                dropout: 0.5,
            },
            "recurrent" => Self::Recurrent {
                cell: CellKind::Lstm,
                d_embedding: 128,
                d_hidden: 128,
                layers: 1,
                bidirectional: true,
                pooling: StatePooling::Mean,
                dropout: 0.3,
            },
            "bytes" => Self::Bytes {
                d_byte: 32,
                window: 5,
                patch: 4,
                d_model: 128,
                heads: 4,
                layers: 2,
                d_feed_forward: 256,
                dropout: 0.1,
            },
            "bert" => Self::Bert {
                weights: String::new(),
                fine_tune: FineTune::default(),
            },
            "gpt" => Self::Gpt {
                d_model: 128,
                heads: 4,
                layers: 4,
                d_feed_forward: 384,
                tied: true,
                dropout: 0.1,
            },
            _ => return None,
        })
    }

    /// Its name in a recipe.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Encoder { .. } => "encoder",
            Self::Bag { .. } => "bag",
            Self::Cnn { .. } => "cnn",
            Self::Recurrent { .. } => "recurrent",
            Self::Bytes { .. } => "bytes",
            Self::Bert { .. } => "bert",
            Self::Gpt { .. } => "gpt",
        }
    }

    /// Checks what can be checked without sizes.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self::Bert { fine_tune, .. } = self else {
            return Ok(());
        };
        fine_tune.validate()
    }

    /// Checks that the network does what it is wanted for.
    ///
    /// # Errors
    ///
    /// If it does not; names those that do.
    pub fn check(&self, scored: Scored) -> Result<(), TextRecipeError> {
        let fits = match self {
            Self::Encoder { .. } | Self::Bert { .. } => scored != Scored::Next,
            Self::Gpt { .. } => scored == Scored::Next,
            _ => scored == Scored::Texts,
        };
        if fits {
            return Ok(());
        }
        Err(TextRecipeError::Unfit {
            kind: self.kind(),
            task: scored.verb(),
            instead: scored.networks(),
        })
    }

    /// Makes the network: untrained, or with its published weights and a new head.
    ///
    /// # Errors
    ///
    /// If a size is out of range, the network would not fit in memory, or the weights cannot be
    /// used.
    pub fn init(
        &self,
        sizes: Sizes,
        scored: Scored,
        device: &Device,
    ) -> Result<TextNet, TextRecipeError> {
        self.check(scored)?;
        if let Self::Bert { weights, fine_tune } = self {
            let pretrained = PretrainedBert::open(Path::new(weights))?;
            check_vocabulary(sizes, pretrained.config())?;
            let head = Head::New(sizes.outputs);
            let tune = |bert| fine_tune.apply(bert);
            return Ok(match scored {
                Scored::Words => TextNet::Tagger(pretrained.tagger(head, device)?.map_bert(tune)?),
                _ => TextNet::Bert(pretrained.classifier(head, device)?.map_bert(tune)?),
            });
        }
        Ok(match self.config(sizes) {
            Config::Encoder(config) => {
                config.validate()?;
                TextNet::Encoder(config.init(device))
            }
            Config::Bag(config) => {
                config.validate()?;
                TextNet::Bag(config.init(device))
            }
            Config::Cnn(config) => {
                config.validate()?;
                TextNet::Cnn(config.init(device))
            }
            Config::Recurrent(config) => {
                config.validate()?;
                TextNet::Recurrent(config.init(device))
            }
            Config::Bytes(config) => {
                config.validate()?;
                TextNet::Bytes(config.init(device))
            }
            Config::Gpt(config) => {
                config.validate()?;
                TextNet::Gpt(config.init(device))
            }
        })
    }

    /// Factors of the learning rate of parts of a network.
    pub fn learning_rates(&self, net: &TextNet) -> Vec<(String, f64)> {
        let Self::Bert { fine_tune, .. } = self else {
            return Vec::new();
        };
        let layers = match net {
            TextNet::Bert(net) => net.num_layers(),
            TextNet::Tagger(net) => net.num_layers(),
            _ => 0,
        };
        if fine_tune.layer_decay < 1.0 {
            layer_factors(layers, fine_tune.layer_decay)
        } else {
            Vec::new()
        }
    }

    /// The form of published weights, to be kept beside those that were fine-tuned.
    pub fn form(&self) -> Result<Option<BertForm>, TextRecipeError> {
        let Self::Bert { weights, .. } = self else {
            return Ok(None);
        };
        let pretrained = PretrainedBert::open(Path::new(weights))?;
        Ok(Some(BertForm {
            config: pretrained.config().clone(),
            activation: pretrained.head_activation(),
        }))
    }

    /// Makes an untrained network to be filled with weights of a model folder.
    pub fn empty(
        &self,
        form: Option<&BertForm>,
        sizes: Sizes,
        scored: Scored,
        device: &Device,
    ) -> Result<TextNet, TextRecipeError> {
        let Some(form) = form else {
            return self.init(sizes, scored, device);
        };
        form.config.validate()?;
        check_vocabulary(sizes, &form.config)?;
        let bert = form.config.init(device);
        Ok(match scored {
            Scored::Words => TextNet::Tagger(BertTagger::new(bert, sizes.outputs, 0.0)?),
            _ => TextNet::Bert(BertClassifier::new(
                bert,
                sizes.outputs,
                form.activation,
                0.0,
            )?),
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(&self, sizes: Sizes) -> Result<Vec<LayerSummary>, TextRecipeError> {
        if let Self::Bert { weights, .. } = self {
            let pretrained = PretrainedBert::open(Path::new(weights))?;
            check_vocabulary(sizes, pretrained.config())?;
            return Ok(pretrained.config().layers());
        }
        Ok(match self.config(sizes) {
            Config::Encoder(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Bag(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Cnn(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Recurrent(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Bytes(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Gpt(config) => {
                config.validate()?;
                config.layers()
            }
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each network, all alike")]
    fn config(&self, sizes: Sizes) -> Config {
        let Sizes {
            vocabulary,
            outputs,
            max_len,
        } = sizes;
        match self.clone() {
            Self::Encoder {
                d_model,
                heads,
                layers,
                d_feed_forward,
                positions,
                pooling,
                dropout,
            } => Config::Encoder(
                TextEncoderConfig::new(vocabulary, outputs)
                    .with_max_len(max_len)
                    .with_d_model(d_model)
                    .with_n_heads(heads)
                    .with_n_layers(layers)
                    .with_d_hidden(d_feed_forward)
                    .with_positions(positions)
                    .with_pooling(pooling)
                    .with_dropout(dropout),
            ),
            Self::Bag {
                d_embedding,
                phrases,
                buckets,
                dropout,
            } => Config::Bag(
                FastTextConfig::new(vocabulary, outputs)
                    .with_d_embedding(d_embedding)
                    .with_max_ngram(phrases)
                    .with_n_buckets(buckets)
                    .with_dropout(dropout),
            ),
            Self::Cnn {
                d_embedding,
                windows,
                filters,
                dropout,
            } => Config::Cnn(
                TextCnnConfig::new(vocabulary, outputs)
                    .with_d_embedding(d_embedding)
                    .with_kernel_sizes(windows)
                    .with_n_filters(filters)
                    .with_dropout(dropout),
            ),
            Self::Recurrent {
                cell,
                d_embedding,
                d_hidden,
                layers,
                bidirectional,
                pooling,
                dropout,
            } => Config::Recurrent(
                TextRnnConfig::new(vocabulary, outputs)
                    .with_cell(cell)
                    .with_d_embedding(d_embedding)
                    .with_d_hidden(d_hidden)
                    .with_n_layers(layers)
                    .with_bidirectional(bidirectional)
                    .with_pooling(pooling)
                    .with_dropout(dropout),
            ),
            Self::Bytes {
                d_byte,
                window,
                patch,
                d_model,
                heads,
                layers,
                d_feed_forward,
                dropout,
            } => Config::Bytes(
                ByteEncoderConfig::new(outputs)
                    .with_max_len(max_len)
                    .with_d_byte(d_byte)
                    .with_kernel_size(window)
                    .with_patch_size(patch)
                    .with_d_model(d_model)
                    .with_n_heads(heads)
                    .with_n_layers(layers)
                    .with_d_hidden(d_feed_forward)
                    .with_dropout(dropout),
            ),
            Self::Gpt {
                d_model,
                heads,
                layers,
                d_feed_forward,
                tied,
                dropout,
            } => Config::Gpt(
                GptConfig::new(vocabulary)
                    .with_max_len(max_len)
                    .with_d_model(d_model)
                    .with_n_heads(heads)
                    .with_n_layers(layers)
                    .with_d_hidden(d_feed_forward)
                    .with_tie_embeddings(tied)
                    .with_dropout(dropout),
            ),
            // Its sizes are those of the weights; nothing asks for them here.
            Self::Bert { .. } => Config::Bag(FastTextConfig::new(vocabulary, outputs)),
        }
    }
}

fn check_vocabulary(sizes: Sizes, config: &BertConfig) -> Result<(), TextRecipeError> {
    if sizes.vocabulary > config.vocab_size {
        return Err(TextRecipeError::OtherVocabulary {
            tokenizer: sizes.vocabulary,
            weights: config.vocab_size,
        });
    }
    Ok(())
}

enum Config {
    Encoder(TextEncoderConfig),
    Bag(FastTextConfig),
    Cnn(TextCnnConfig),
    Recurrent(TextRnnConfig),
    Bytes(ByteEncoderConfig),
    Gpt(GptConfig),
}

/// A network for texts.
#[derive(Module, Debug)]
pub enum TextNet {
    /// Transformer encoder.
    Encoder(TextEncoder),
    /// Mean of vectors.
    Bag(FastText),
    /// Convolutional.
    Cnn(TextCnn),
    /// LSTM or GRU.
    Recurrent(TextRnn),
    /// Transformer encoder on bytes.
    Bytes(ByteEncoder),
    /// BERT that classifies texts.
    Bert(BertClassifier),
    /// BERT that tags words.
    Tagger(BertTagger),
    /// Language model.
    Gpt(Gpt),
}

/// Texts as a network takes them.
#[derive(Clone, Debug)]
pub struct TextInputs {
    /// Tokens, `[batch, seq]`.
    pub ids: Tensor<2, Int>,
    /// Which text of a pair a token is of, `[batch, seq]`, where there are pairs.
    pub types: Option<Tensor<2, Int>>,
    /// True where there is no token, `[batch, seq]`.
    pub padding: Tensor<2, Bool>,
}

impl TextNet {
    /// Scores texts.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, outputs]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If it is no network for that.
    pub fn forward(&self, inputs: TextInputs) -> Tensor<2> {
        let TextInputs {
            ids,
            types,
            padding,
        } = inputs;
        match self {
            Self::Encoder(net) => net.forward(ids, padding),
            Self::Bag(net) => net.forward(ids, padding),
            Self::Cnn(net) => net.forward(ids, padding),
            Self::Recurrent(net) => net.forward(ids, padding),
            Self::Bytes(net) => net.forward(ids, padding),
            Self::Bert(net) => net.forward(ids, types, padding),
            Self::Tagger(_) | Self::Gpt(_) => unreachable!("it scores tokens"),
        }
    }

    /// Scores each token: its tag, or the token that comes next.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, seq, outputs]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If it is no network for that.
    pub fn forward_tokens(&self, inputs: TextInputs) -> Tensor<3> {
        match self {
            Self::Encoder(net) => net.forward_tokens(inputs.ids, inputs.padding),
            Self::Tagger(net) => net.forward(inputs.ids, inputs.types, inputs.padding),
            Self::Gpt(net) => net.forward(inputs.ids),
            _ => unreachable!("it scores texts"),
        }
    }

    /// Most tokens that published weights have positions for; nothing for other networks.
    pub fn max_len(&self) -> Option<usize> {
        match self {
            Self::Bert(net) => Some(net.bert().max_len()),
            Self::Tagger(net) => Some(net.bert().max_len()),
            _ => None,
        }
    }

    /// One vector for each text, `[batch, d_model]`, for the networks that have one.
    pub fn embed(&self, inputs: TextInputs) -> Option<Tensor<2>> {
        let TextInputs { ids, padding, .. } = inputs;
        match self {
            Self::Encoder(net) => Some(net.embed(ids, padding)),
            Self::Bag(net) => Some(net.embed(ids, padding)),
            Self::Bert(net) => Some(net.bert().embed(ids, padding)),
            Self::Tagger(net) => Some(net.bert().embed(ids, padding)),
            _ => None,
        }
    }

    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Encoder(net) => model_dir::to_bytes(net),
            Self::Bag(net) => model_dir::to_bytes(net),
            Self::Cnn(net) => model_dir::to_bytes(net),
            Self::Recurrent(net) => model_dir::to_bytes(net),
            Self::Bytes(net) => model_dir::to_bytes(net),
            // A network with adapters becomes a plain one.
            Self::Bert(net) => model_dir::to_bytes(&merge_lora(net.clone())),
            Self::Tagger(net) => model_dir::to_bytes(&merge_lora(net.clone())),
            Self::Gpt(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with what [`to_bytes`](Self::to_bytes) gave.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Encoder(net) => Self::Encoder(model_dir::from_bytes(bytes, net)?),
            Self::Bag(net) => Self::Bag(model_dir::from_bytes(bytes, net)?),
            Self::Cnn(net) => Self::Cnn(model_dir::from_bytes(bytes, net)?),
            Self::Recurrent(net) => Self::Recurrent(model_dir::from_bytes(bytes, net)?),
            Self::Bytes(net) => Self::Bytes(model_dir::from_bytes(bytes, net)?),
            Self::Bert(net) => Self::Bert(model_dir::from_bytes(bytes, net)?),
            Self::Tagger(net) => Self::Tagger(model_dir::from_bytes(bytes, net)?),
            Self::Gpt(net) => Self::Gpt(model_dir::from_bytes(bytes, net)?),
        })
    }
}
