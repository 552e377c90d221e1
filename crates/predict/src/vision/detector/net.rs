//! The networks that find objects.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::vision::{
    DetectorOutput, FastDetector, FastDetectorConfig, Yolox, YoloxConfig,
};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use crate::Detect;
use crate::model_dir::{self, WeightsError};

/// Configuration of a [`DetectionModel`]: that of its network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DetectionModelConfig {
    /// A small network for CPUs.
    FastDetector(Template<FastDetectorConfig>),
    /// YOLOX.
    Yolox(Template<YoloxConfig>),
}

impl DetectionModelConfig {
    /// The default of each kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "fast-detector" => Self::FastDetector(Template::default()),
            "yolox" => Self::Yolox(Template::default()),
            _ => return None,
        })
    }

    fn with_sizes(mut self, channels: usize, classes: usize) -> Self {
        match &mut self {
            Self::FastDetector(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
            Self::Yolox(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
        }
        self
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::FastDetector(config) => config.0.validate(),
            Self::Yolox(config) => config.0.validate(),
        };
        result.map_err(|error| error.within("model"))
    }

    /// Initializes a network for images of some channels on `device`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(
        &self,
        channels: usize,
        classes: usize,
        device: &Device,
    ) -> Result<DetectionModel, ConfigError> {
        let config = self.clone().with_sizes(channels, classes);
        config.validate()?;
        Ok(match config {
            Self::FastDetector(config) => DetectionModel::FastDetector(config.0.init(device)),
            Self::Yolox(config) => DetectionModel::Yolox(config.0.init(device)),
        })
    }

    /// Describes the layers of the network for images of `[height, width, channels]` without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(
        &self,
        [height, width, channels]: [usize; 3],
        classes: usize,
    ) -> Result<Vec<LayerSummary>, ConfigError> {
        let config = self.clone().with_sizes(channels, classes);
        config.validate()?;
        Ok(match config {
            Self::FastDetector(config) => config.0.layers([height, width]),
            Self::Yolox(config) => config.0.layers([height, width]),
        })
    }
}

/// A network that finds objects.
#[derive(Module, Debug)]
pub enum DetectionModel {
    /// A small network for CPUs.
    FastDetector(FastDetector),
    /// YOLOX.
    Yolox(Yolox),
}

impl DetectionModel {
    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::FastDetector(net) => model_dir::to_bytes(net),
            Self::Yolox(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with the weights of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::FastDetector(net) => Self::FastDetector(model_dir::from_bytes(bytes, net)?),
            Self::Yolox(net) => Self::Yolox(model_dir::from_bytes(bytes, net)?),
        })
    }
}

impl Detect for DetectionModel {
    fn detect(&self, images: Tensor<4>) -> DetectorOutput {
        match self {
            Self::FastDetector(net) => net.forward(images),
            Self::Yolox(net) => net.forward(images),
        }
    }
}
