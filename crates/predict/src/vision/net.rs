//! The networks that classify images.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::{Mlp, MlpConfig, Normalization};
use tinderbox_models::vision::{Cnn, CnnConfig, ResNet, ResNetConfig};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use crate::Classify;
use crate::model_dir::{self, WeightsError};

/// Configuration of an [`ImageModel`]: that of its network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ImageModelConfig {
    /// Multilayer perceptron on the flattened image.
    Mlp(Template<MlpConfig>),
    /// Small plain convolutional network.
    Cnn(Template<CnnConfig>),
    /// Residual network.
    Resnet(Template<ResNetConfig>),
}

impl From<MlpConfig> for ImageModelConfig {
    fn from(config: MlpConfig) -> Self {
        Self::Mlp(Template(config))
    }
}

impl From<CnnConfig> for ImageModelConfig {
    fn from(config: CnnConfig) -> Self {
        Self::Cnn(Template(config))
    }
}

impl From<ResNetConfig> for ImageModelConfig {
    fn from(config: ResNetConfig) -> Self {
        Self::Resnet(Template(config))
    }
}

impl ImageModelConfig {
    /// The default of each kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "mlp" => Self::Mlp(Template::default()),
            "cnn" => Self::Cnn(Template::default()),
            "resnet" => Self::Resnet(Template::default()),
            _ => return None,
        })
    }

    /// The same for images of `[height, width, channels]` and a number of classes.
    fn with_sizes(mut self, [height, width, channels]: [usize; 3], classes: usize) -> Self {
        match &mut self {
            Self::Mlp(Template(config)) => {
                config.d_input = height.saturating_mul(width).saturating_mul(channels);
                config.d_output = classes;
            }
            Self::Cnn(Template(config)) => {
                (config.height, config.width, config.in_channels) = (height, width, channels);
                config.num_classes = classes;
            }
            Self::Resnet(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
        }
        self
    }

    /// Whether the network has batch normalization, which needs two images in a batch.
    pub fn normalizes_batches(&self) -> bool {
        match self {
            Self::Mlp(config) => config.0.normalization == Normalization::Batch,
            Self::Cnn(_) | Self::Resnet(_) => true,
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::Mlp(config) => config.0.validate(),
            Self::Cnn(config) => config.0.validate(),
            Self::Resnet(config) => config.0.validate(),
        };
        result.map_err(|error| {
            let key = format!("model.{}", error.key);
            ConfigError { key, ..error }
        })
    }

    /// Initializes a network for images of `[height, width, channels]` on `device`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(
        &self,
        shape: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<ImageModel, ConfigError> {
        let config = self.clone().with_sizes(shape, classes);
        config.validate()?;
        Ok(match config {
            Self::Mlp(config) => ImageModel::Mlp(config.0.init(device)),
            Self::Cnn(config) => ImageModel::Cnn(config.0.init(device)),
            Self::Resnet(config) => ImageModel::Resnet(config.0.init(device)),
        })
    }

    /// Describes the layers of the network without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(
        &self,
        shape: [usize; 3],
        classes: usize,
    ) -> Result<Vec<LayerSummary>, ConfigError> {
        let config = self.clone().with_sizes(shape, classes);
        config.validate()?;
        Ok(match config {
            Self::Mlp(config) => config.0.layers(),
            Self::Cnn(config) => config.0.layers(),
            Self::Resnet(config) => config.0.layers([shape[0], shape[1]]),
        })
    }
}

/// A network for images.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum ImageModel {
    /// On the flattened image.
    Mlp(Mlp),
    /// Plain convolutional.
    Cnn(Cnn),
    /// Residual.
    Resnet(ResNet),
}

impl ImageModel {
    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Mlp(net) => model_dir::to_bytes(net),
            Self::Cnn(net) => model_dir::to_bytes(net),
            Self::Resnet(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with the weights of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Mlp(net) => Self::Mlp(model_dir::from_bytes(bytes, net)?),
            Self::Cnn(net) => Self::Cnn(model_dir::from_bytes(bytes, net)?),
            Self::Resnet(net) => Self::Resnet(model_dir::from_bytes(bytes, net)?),
        })
    }
}

impl Classify for ImageModel {
    type Input = Tensor<4>;

    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(images.flatten(1, 3)),
            Self::Cnn(net) => net.forward(images),
            Self::Resnet(net) => net.forward(images),
        }
    }
}
