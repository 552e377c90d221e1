//! The network of a recipe, whichever it is.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::{Activation, Normalization};
use tinderbox_models::tabular::{
    BinsError, FeaturesConfig, FtTransformer, FtTransformerConfig, Rows, TabM, TabMConfig,
    TabMVariant, TabularMlp, TabularMlpConfig, TabularResNet, TabularResNetConfig,
};
use tinderbox_models::{ConfigError, LayerSummary};

use super::recipe::Model;
use tinderbox_predict::model_dir::{self, WeightsError};

/// A network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Architecture {
    /// Multilayer perceptron.
    Mlp {
        /// Width of each hidden layer.
        hidden: Vec<usize>,
        /// Nonlinearity of the hidden layers.
        activation: Activation,
        /// Normalization in front of it.
        normalization: Normalization,
        /// Probability of zeroing a hidden activation, in `[0, 1)`.
        dropout: f64,
    },
    /// Residual network.
    Resnet {
        /// Number of blocks.
        n_blocks: usize,
        /// Width between blocks.
        d_block: usize,
        /// Width inside a block.
        d_hidden: usize,
        /// Probability of zeroing an activation inside a block, in `[0, 1)`.
        dropout: f64,
        /// Probability of zeroing what a block adds, in `[0, 1)`.
        residual_dropout: f64,
    },
    /// Transformer over the columns.
    FtTransformer {
        /// Width of a column's token.
        d_token: usize,
        /// Number of blocks.
        n_blocks: usize,
        /// Number of attention heads.
        n_heads: usize,
        /// Width inside a feed-forward layer.
        d_hidden: usize,
        /// Probability of zeroing an attention weight, in `[0, 1)`.
        attention_dropout: f64,
        /// Probability of zeroing an activation inside a feed-forward layer, in `[0, 1)`.
        dropout: f64,
        /// Probability of zeroing what a block adds, in `[0, 1)`.
        residual_dropout: f64,
    },
    /// Many perceptrons that share most of their weights.
    Tabm {
        /// What the members do not share.
        variant: TabMVariant,
        /// Number of members.
        n_members: usize,
        /// Number of hidden layers.
        n_blocks: usize,
        /// Width of a hidden layer.
        d_block: usize,
        /// Probability of zeroing a hidden activation, in `[0, 1)`.
        dropout: f64,
    },
}

enum Config {
    Mlp(TabularMlpConfig),
    Resnet(TabularResNetConfig),
    FtTransformer(FtTransformerConfig),
    Tabm(TabMConfig),
}

/// Sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Numeric columns, as a network sees them.
    pub n_numeric: usize,
    /// Values of each categorical column, as a network sees them.
    pub cardinalities: Vec<usize>,
    /// Classes, or 1 for a number.
    pub d_output: usize,
}

impl Architecture {
    /// Whether it normalizes features over the rows of a batch.
    pub fn normalizes_batches(&self) -> bool {
        match self {
            Self::Mlp { normalization, .. } => *normalization == Normalization::Batch,
            Self::Resnet { .. } => true,
            Self::FtTransformer { .. } | Self::Tabm { .. } => false,
        }
    }

    /// One of each kind, as a recipe that only names the kind gets it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "mlp" => Self::Mlp {
                hidden: vec![256, 256],
                activation: Activation::Relu,
                normalization: Normalization::None,
                dropout: 0.2,
            },
            "resnet" => Self::Resnet {
                n_blocks: 2,
                d_block: 192,
                d_hidden: 384,
                dropout: 0.2,
                residual_dropout: 0.0,
            },
            "ft-transformer" => Self::FtTransformer {
                d_token: 64,
                n_blocks: 2,
                n_heads: 4,
                d_hidden: 128,
                attention_dropout: 0.2,
                dropout: 0.1,
                residual_dropout: 0.0,
            },
            "tabm" => Self::Tabm {
                variant: TabMVariant::Mini,
                n_members: 16,
                n_blocks: 2,
                d_block: 128,
                dropout: 0.1,
            },
            _ => return None,
        })
    }
}

impl Model {
    fn config(&self, sizes: &Sizes) -> Config {
        let features = FeaturesConfig::new(sizes.n_numeric, sizes.cardinalities.clone())
            .with_numeric(self.numeric.clone())
            .with_d_numeric(self.d_numeric)
            .with_categorical(self.categorical.clone());
        match self.net.clone() {
            Architecture::Mlp {
                hidden,
                activation,
                normalization,
                dropout,
            } => Config::Mlp(
                TabularMlpConfig::new(features, sizes.d_output)
                    .with_hidden(hidden)
                    .with_activation(activation)
                    .with_normalization(normalization)
                    .with_dropout(dropout),
            ),
            Architecture::Resnet {
                n_blocks,
                d_block,
                d_hidden,
                dropout,
                residual_dropout,
            } => Config::Resnet(
                TabularResNetConfig::new(features, sizes.d_output)
                    .with_n_blocks(n_blocks)
                    .with_d_block(d_block)
                    .with_d_hidden(d_hidden)
                    .with_dropout(dropout)
                    .with_residual_dropout(residual_dropout),
            ),
            Architecture::FtTransformer {
                d_token,
                n_blocks,
                n_heads,
                d_hidden,
                attention_dropout,
                dropout,
                residual_dropout,
            } => Config::FtTransformer(
                FtTransformerConfig::new(
                    sizes.n_numeric,
                    sizes.cardinalities.clone(),
                    sizes.d_output,
                )
                .with_numeric(self.numeric.clone())
                .with_d_model(d_token)
                .with_n_layers(n_blocks)
                .with_n_heads(n_heads)
                .with_d_hidden(d_hidden)
                .with_attention_dropout(attention_dropout)
                .with_dropout(dropout)
                .with_residual_dropout(residual_dropout),
            ),
            Architecture::Tabm {
                variant,
                n_members,
                n_blocks,
                d_block,
                dropout,
            } => Config::Tabm(
                TabMConfig::new(features, sizes.d_output)
                    .with_variant(variant)
                    .with_n_members(n_members)
                    .with_n_blocks(n_blocks)
                    .with_d_block(d_block)
                    .with_dropout(dropout),
            ),
        }
    }

    /// Makes the network, untrained.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(&self, sizes: &Sizes, device: &Device) -> Result<TabularNet, ConfigError> {
        Ok(match self.config(sizes) {
            Config::Mlp(config) => {
                config.validate()?;
                TabularNet::Mlp(config.init(device))
            }
            Config::Resnet(config) => {
                config.validate()?;
                TabularNet::Resnet(config.init(device))
            }
            Config::FtTransformer(config) => {
                config.validate()?;
                TabularNet::FtTransformer(config.init(device))
            }
            Config::Tabm(config) => {
                config.validate()?;
                TabularNet::Tabm(config.init(device))
            }
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(&self, sizes: &Sizes) -> Result<Vec<LayerSummary>, ConfigError> {
        Ok(match self.config(sizes) {
            Config::Mlp(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Resnet(config) => {
                config.validate()?;
                config.layers()
            }
            Config::FtTransformer(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Tabm(config) => {
                config.validate()?;
                config.layers()
            }
        })
    }
}

/// A network for rows of a table.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum TabularNet {
    /// Multilayer perceptron.
    Mlp(TabularMlp),
    /// Residual network.
    Resnet(TabularResNet),
    /// Transformer over the columns.
    FtTransformer(FtTransformer),
    /// Many perceptrons in one.
    Tabm(TabM),
}

impl TabularNet {
    /// Sets the bins of each numeric column, for the embeddings that have them.
    ///
    /// # Errors
    ///
    /// If they do not fit the columns.
    pub fn with_bins(self, edges: &[Vec<f32>]) -> Result<Self, BinsError> {
        Ok(match self {
            Self::Mlp(net) => Self::Mlp(net.with_bins(edges)?),
            Self::Resnet(net) => Self::Resnet(net.with_bins(edges)?),
            Self::FtTransformer(net) => Self::FtTransformer(net.with_bins(edges)?),
            Self::Tabm(net) => Self::Tabm(net.with_bins(edges)?),
        })
    }

    /// Makes values of codes that no training row has count for nothing, `[column, code]` each.
    #[must_use]
    pub fn with_unseen(self, values: &[[usize; 2]]) -> Self {
        match self {
            Self::Mlp(net) => Self::Mlp(net.with_unseen(values)),
            Self::Resnet(net) => Self::Resnet(net.with_unseen(values)),
            Self::FtTransformer(net) => Self::FtTransformer(net.with_unseen(values)),
            Self::Tabm(net) => Self::Tabm(net.with_unseen(values)),
        }
    }

    /// What each member says of each row, `[batch, members, d_output]`; most networks have one
    /// member.
    pub fn forward(&self, rows: Rows) -> Tensor<3> {
        match self {
            Self::Mlp(net) => net.forward(rows).unsqueeze_dim(1),
            Self::Resnet(net) => net.forward(rows).unsqueeze_dim(1),
            Self::FtTransformer(net) => net.forward(rows).unsqueeze_dim(1),
            Self::Tabm(net) => net.forward(rows),
        }
    }

    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Mlp(net) => model_dir::to_bytes(net),
            Self::Resnet(net) => model_dir::to_bytes(net),
            Self::FtTransformer(net) => model_dir::to_bytes(net),
            Self::Tabm(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with what [`to_bytes`](Self::to_bytes) gave.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Mlp(net) => Self::Mlp(model_dir::from_bytes(bytes, net)?),
            Self::Resnet(net) => Self::Resnet(model_dir::from_bytes(bytes, net)?),
            Self::FtTransformer(net) => Self::FtTransformer(model_dir::from_bytes(bytes, net)?),
            Self::Tabm(net) => Self::Tabm(model_dir::from_bytes(bytes, net)?),
        })
    }
}
