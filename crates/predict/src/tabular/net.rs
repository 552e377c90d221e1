//! The networks for rows of a table, and their configurations.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::Normalization;
use tinderbox_models::tabular::{
    BinsError, FeaturesConfig, FtTransformer, FtTransformerConfig, TabM, TabMConfig, TabularInputs,
    TabularMlp, TabularMlpConfig, TabularResNet, TabularResNetConfig,
};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use super::features::Features;
use crate::model_dir::{self, WeightsError};

/// The configuration of a network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Architecture {
    /// Multilayer perceptron.
    Mlp(Template<TabularMlpConfig>),
    /// Residual network.
    Resnet(Template<TabularResNetConfig>),
    /// Transformer over the columns.
    FtTransformer(Template<FtTransformerConfig>),
    /// Many perceptrons that share most of their weights.
    Tabm(Template<TabMConfig>),
}

/// Sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Numeric inputs of the network.
    pub n_numeric: usize,
    /// Number of values of each categorical input.
    pub cardinalities: Vec<usize>,
    /// Number of classes, or 1 for a number.
    pub d_output: usize,
}

/// Runs the same code for the configuration of each kind.
macro_rules! with_config {
    ($architecture:expr, $config:ident => $code:expr) => {
        match $architecture {
            Architecture::Mlp(Template($config)) => $code,
            Architecture::Resnet(Template($config)) => $code,
            Architecture::FtTransformer(Template($config)) => $code,
            Architecture::Tabm(Template($config)) => $code,
        }
    };
}

impl Architecture {
    /// The default configuration of a kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "mlp" => Self::Mlp(Template::default()),
            "resnet" => Self::Resnet(Template::default()),
            "ft-transformer" => Self::FtTransformer(Template::default()),
            "tabm" => Self::Tabm(Template::default()),
            _ => return None,
        })
    }

    /// Whether features are normalized over the rows of a batch.
    pub fn has_batch_norm(&self) -> bool {
        match self {
            Self::Mlp(Template(config)) => config.normalization == Normalization::Batch,
            Self::Resnet(_) => true,
            Self::FtTransformer(_) | Self::Tabm(_) => false,
        }
    }

    /// Initializes the network for data of these sizes on `device`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(
        &self,
        sizes: &Sizes,
        features: &Features,
        device: &Device,
    ) -> Result<TabularNet, ConfigError> {
        let sized = self.with_data(sizes, features);
        with_config!(&sized, config => config.validate())?;
        Ok(match sized {
            Self::Mlp(Template(config)) => TabularNet::Mlp(config.init(device)),
            Self::Resnet(Template(config)) => TabularNet::Resnet(config.init(device)),
            Self::FtTransformer(Template(config)) => TabularNet::FtTransformer(config.init(device)),
            Self::Tabm(Template(config)) => TabularNet::Tabm(config.init(device)),
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(
        &self,
        sizes: &Sizes,
        features: &Features,
    ) -> Result<Vec<LayerSummary>, ConfigError> {
        let sized = self.with_data(sizes, features);
        with_config!(&sized, config => config.validate())?;
        Ok(with_config!(&sized, config => config.layers()))
    }

    /// The complete configuration.
    fn with_data(&self, sizes: &Sizes, features: &Features) -> Self {
        let mut sized = self.clone();
        let inputs = FeaturesConfig::new(sizes.n_numeric, sizes.cardinalities.clone())
            .with_numeric(features.numeric_embedding.clone())
            .with_d_numeric(features.d_numeric)
            .with_categorical(features.categorical_embedding.clone());
        match &mut sized {
            Self::Mlp(Template(config)) => config.features = inputs,
            Self::Resnet(Template(config)) => config.features = inputs,
            Self::Tabm(Template(config)) => config.features = inputs,
            Self::FtTransformer(Template(config)) => {
                config.n_numeric = inputs.n_numeric;
                config.cardinalities = inputs.cardinalities;
                config.numeric = inputs.numeric;
            }
        }
        with_config!(&mut sized, config => config.d_output = sizes.d_output);
        sized
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
    pub fn with_zeroed_categories(self, values: &[[usize; 2]]) -> Self {
        match self {
            Self::Mlp(net) => Self::Mlp(net.with_zeroed_categories(values)),
            Self::Resnet(net) => Self::Resnet(net.with_zeroed_categories(values)),
            Self::FtTransformer(net) => Self::FtTransformer(net.with_zeroed_categories(values)),
            Self::Tabm(net) => Self::Tabm(net.with_zeroed_categories(values)),
        }
    }

    /// The scores of each member for each row, `[batch, members, d_output]`; most networks have one
    /// member.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<3> {
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
