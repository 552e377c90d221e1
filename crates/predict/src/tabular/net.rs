//! The networks for rows of a table, and their configurations.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::Normalization;
use tinderbox_models::tabular::{
    BinsError, FeaturesConfig, FtTransformer, FtTransformerConfig, Rows, TabM, TabMConfig,
    TabularMlp, TabularMlpConfig, TabularResNet, TabularResNetConfig,
};
use tinderbox_models::{ConfigError, LayerSummary};

use super::features::Features;
use crate::model_dir::{self, WeightsError};

/// The configuration of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Architecture {
    /// Multilayer perceptron.
    Mlp(TabularMlpConfig),
    /// Residual network.
    Resnet(TabularResNetConfig),
    /// Transformer over the columns.
    FtTransformer(FtTransformerConfig),
    /// Many perceptrons that share most of their weights.
    Tabm(TabMConfig),
}

/// Runs the same code for the configuration of each kind.
macro_rules! with_config {
    ($self:expr, $config:ident => $code:expr) => {
        match $self {
            Architecture::Mlp($config) => $code,
            Architecture::Resnet($config) => $code,
            Architecture::FtTransformer($config) => $code,
            Architecture::Tabm($config) => $code,
        }
    };
}

/// Sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numeric inputs of the network.
    pub n_numeric: usize,
    /// Number of values of each categorical input.
    pub cardinalities: Vec<usize>,
    /// Number of classes, or 1 for a number.
    pub d_output: usize,
}

impl Architecture {
    /// The kinds, as in a recipe.
    pub const KINDS: &'static [&'static str] = &["mlp", "resnet", "ft-transformer", "tabm"];

    /// Fields of the configurations that are inferred from the data and its preprocessing.
    pub const INFERRED: &'static [&'static str] = &[
        "features",
        "n_numeric",
        "cardinalities",
        "numeric",
        "d_output",
    ];

    /// The default configuration of a kind, without the sizes of the data.
    pub fn of_kind(kind: &str) -> Option<Self> {
        let features = FeaturesConfig::new(0, Vec::new());
        Some(match kind {
            "mlp" => Self::Mlp(TabularMlpConfig::new(features, 0)),
            "resnet" => Self::Resnet(TabularResNetConfig::new(features, 0)),
            "ft-transformer" => Self::FtTransformer(FtTransformerConfig::new(0, Vec::new(), 0)),
            "tabm" => Self::Tabm(TabMConfig::new(features, 0)),
            _ => return None,
        })
    }

    /// The same network for data of these sizes.
    #[must_use]
    pub fn with_data(mut self, sizes: &Sizes, features: &Features) -> Self {
        let inputs = FeaturesConfig::new(sizes.n_numeric, sizes.cardinalities.clone())
            .with_numeric(features.numeric_embedding.clone())
            .with_d_numeric(features.d_numeric)
            .with_categorical(features.categorical_embedding.clone());
        match &mut self {
            Self::Mlp(config) => config.features = inputs,
            Self::Resnet(config) => config.features = inputs,
            Self::Tabm(config) => config.features = inputs,
            Self::FtTransformer(config) => {
                config.n_numeric = inputs.n_numeric;
                config.cardinalities = inputs.cardinalities;
                config.numeric = inputs.numeric;
            }
        }
        with_config!(&mut self, config => config.d_output = sizes.d_output);
        self
    }

    /// The sizes of the data.
    pub fn sizes(&self) -> Sizes {
        let (n_numeric, cardinalities) = match self {
            Self::Mlp(TabularMlpConfig { features, .. })
            | Self::Resnet(TabularResNetConfig { features, .. })
            | Self::Tabm(TabMConfig { features, .. }) => {
                (features.n_numeric, &features.cardinalities)
            }
            Self::FtTransformer(config) => (config.n_numeric, &config.cardinalities),
        };
        Sizes {
            n_numeric,
            cardinalities: cardinalities.clone(),
            d_output: with_config!(self, config => config.d_output),
        }
    }

    /// Whether features are normalized over the rows of a batch.
    pub fn has_batch_norm(&self) -> bool {
        match self {
            Self::Mlp(config) => config.normalization == Normalization::Batch,
            Self::Resnet(_) => true,
            Self::FtTransformer(_) | Self::Tabm(_) => false,
        }
    }

    /// Initializes the network on `device`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(&self, device: &Device) -> Result<TabularNet, ConfigError> {
        self.validate()?;
        Ok(match self {
            Self::Mlp(config) => TabularNet::Mlp(config.init(device)),
            Self::Resnet(config) => TabularNet::Resnet(config.init(device)),
            Self::FtTransformer(config) => TabularNet::FtTransformer(config.init(device)),
            Self::Tabm(config) => TabularNet::Tabm(config.init(device)),
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        self.validate()?;
        Ok(with_config!(self, config => config.layers()))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        with_config!(self, config => config.validate())
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

    /// Zeroes the weights of codes that no training row has, `[column, code]` each.
    #[must_use]
    pub fn with_unseen(self, values: &[[usize; 2]]) -> Self {
        match self {
            Self::Mlp(net) => Self::Mlp(net.with_unseen(values)),
            Self::Resnet(net) => Self::Resnet(net.with_unseen(values)),
            Self::FtTransformer(net) => Self::FtTransformer(net.with_unseen(values)),
            Self::Tabm(net) => Self::Tabm(net.with_unseen(values)),
        }
    }

    /// The scores of each member for each row, `[batch, members, d_output]`; most networks have one
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
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Mlp(net) => model_dir::to_bytes(net),
            Self::Resnet(net) => model_dir::to_bytes(net),
            Self::FtTransformer(net) => model_dir::to_bytes(net),
            Self::Tabm(net) => model_dir::to_bytes(net),
        }
    }

    /// Loads the weights that [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Mlp(net) => Self::Mlp(model_dir::from_bytes(bytes, net)?),
            Self::Resnet(net) => Self::Resnet(model_dir::from_bytes(bytes, net)?),
            Self::FtTransformer(net) => Self::FtTransformer(model_dir::from_bytes(bytes, net)?),
            Self::Tabm(net) => Self::Tabm(model_dir::from_bytes(bytes, net)?),
        })
    }
}
