//! The networks that find landmarks.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::vision::{
    LandmarkCascade, LandmarkCascadeConfig, LandmarkCnn, LandmarkCnnConfig,
};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use crate::model_dir::{self, WeightsError};

/// Configuration of a [`LandmarkModel`]: that of its network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LandmarkModelConfig {
    /// Direct regression by a small network.
    LandmarkCnn(Template<LandmarkCnnConfig>),
    /// Linear steps on the features of a published network.
    LandmarkCascade(Template<LandmarkCascadeConfig>),
}

impl LandmarkModelConfig {
    /// The default of each kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "landmark-cnn" => Self::LandmarkCnn(Template::default()),
            "landmark-cascade" => Self::LandmarkCascade(Template::default()),
            _ => return None,
        })
    }

    fn with_sizes(mut self, [size, channels, points]: [usize; 3]) -> Self {
        match &mut self {
            Self::LandmarkCnn(Template(config)) => {
                (config.size, config.in_channels, config.points) = (size, channels, points);
            }
            Self::LandmarkCascade(Template(config)) => {
                (config.in_channels, config.points) = (channels, points);
            }
        }
        self
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::LandmarkCnn(config) => config.0.validate(),
            Self::LandmarkCascade(config) => config.0.validate(),
        };
        result.map_err(|error| error.within("model"))
    }

    /// Initializes a network for crops of `[size, channels]` and some points on `device`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(&self, sizes: [usize; 3], device: &Device) -> Result<LandmarkModel, ConfigError> {
        let config = self.clone().with_sizes(sizes);
        config.validate()?;
        Ok(match config {
            Self::LandmarkCnn(config) => LandmarkModel::LandmarkCnn(config.0.init(device)),
            Self::LandmarkCascade(config) => LandmarkModel::LandmarkCascade(config.0.init(device)),
        })
    }

    /// Describes the layers of the network without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(&self, sizes: [usize; 3]) -> Result<Vec<LayerSummary>, ConfigError> {
        let config = self.clone().with_sizes(sizes);
        config.validate()?;
        Ok(match config {
            Self::LandmarkCnn(config) => config.0.layers(),
            Self::LandmarkCascade(config) => config.0.layers([sizes[0]; 2]),
        })
    }
}

/// A network that finds landmarks.
#[derive(Module, Debug)]
pub enum LandmarkModel {
    /// Direct regression.
    LandmarkCnn(LandmarkCnn),
    /// Linear steps on features.
    LandmarkCascade(LandmarkCascade),
}

impl LandmarkModel {
    /// Computes x and y of each point, `[batch, 2 * points]`, of crops `[batch, channels, size, size]`; -1 is the
    /// left or top edge of the crop, 1 the right or bottom one.
    pub fn forward(&self, crops: Tensor<4>) -> Tensor<2> {
        match self {
            Self::LandmarkCnn(net) => net.forward(crops),
            Self::LandmarkCascade(net) => net.forward(crops),
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
            Self::LandmarkCnn(net) => model_dir::to_bytes(net),
            Self::LandmarkCascade(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with the weights of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::LandmarkCnn(net) => Self::LandmarkCnn(model_dir::from_bytes(bytes, net)?),
            Self::LandmarkCascade(net) => Self::LandmarkCascade(model_dir::from_bytes(bytes, net)?),
        })
    }
}
