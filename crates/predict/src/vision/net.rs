//! The networks that classify images.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::{Mlp, MlpConfig, Normalization};
use tinderbox_models::vision::{
    Cnn, CnnConfig, EfficientNetLite, EfficientNetLiteConfig, ImageBackbone, MobileNetV3,
    MobileNetV3Config, ResNet, ResNetConfig,
};
use tinderbox_models::{ConfigError, LayerSummary, Template};

use crate::Classify;
use crate::model_dir::{self, WeightsError};

/// Applies the same expression to the network or configuration of every kind.
macro_rules! each {
    ($kind:ident, $value:expr, $name:pat => $result:expr) => {
        match $value {
            $kind::Mlp($name) => $result,
            $kind::Cnn($name) => $result,
            $kind::Resnet($name) => $result,
            $kind::EfficientnetLite($name) => $result,
            $kind::MobilenetV3($name) => $result,
        }
    };
}

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
    /// EfficientNet-Lite.
    EfficientnetLite(Template<EfficientNetLiteConfig>),
    /// MobileNetV3-Small.
    MobilenetV3(Template<MobileNetV3Config>),
}

macro_rules! from_config {
    ($($config:ident => $kind:ident),*) => {$(
        impl From<$config> for ImageModelConfig {
            fn from(config: $config) -> Self {
                Self::$kind(Template(config))
            }
        }
    )*};
}

from_config!(
    MlpConfig => Mlp,
    CnnConfig => Cnn,
    ResNetConfig => Resnet,
    EfficientNetLiteConfig => EfficientnetLite,
    MobileNetV3Config => MobilenetV3
);

impl ImageModelConfig {
    /// The default of each kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "mlp" => Self::Mlp(Template::default()),
            "cnn" => Self::Cnn(Template::default()),
            "resnet" => Self::Resnet(Template::default()),
            "efficientnet-lite" => Self::EfficientnetLite(Template::default()),
            "mobilenet-v3" => Self::MobilenetV3(Template::default()),
            _ => return None,
        })
    }

    /// The same for images of `[height, width, channels]` and a number of classes.
    pub(super) fn with_sizes(
        mut self,
        [height, width, channels]: [usize; 3],
        classes: usize,
    ) -> Self {
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
            Self::EfficientnetLite(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
            Self::MobilenetV3(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
        }
        self
    }

    /// Whether the network has batch normalization, which needs two images in a batch.
    pub fn normalizes_batches(&self) -> bool {
        match self {
            Self::Mlp(config) => config.0.normalization == Normalization::Batch,
            Self::Cnn(_) | Self::Resnet(_) | Self::EfficientnetLite(_) | Self::MobilenetV3(_) => {
                true
            }
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let result = each!(Self, self, config => config.0.validate());
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
        Ok(each!(Self, config, config => config.0.init(device).into()))
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
        let image = [shape[0], shape[1]];
        Ok(match config {
            Self::Mlp(config) => config.0.layers(),
            Self::Cnn(config) => config.0.layers(),
            Self::Resnet(config) => config.0.layers(image),
            Self::EfficientnetLite(config) => config.0.layers(image),
            Self::MobilenetV3(config) => config.0.layers(image),
        })
    }
}

/// A network for images.
#[derive(Module, Debug)]
pub enum ImageModel {
    /// On the flattened image.
    Mlp(Mlp),
    /// Plain convolutional.
    Cnn(Cnn),
    /// Residual.
    Resnet(ResNet),
    /// EfficientNet-Lite.
    EfficientnetLite(EfficientNetLite),
    /// MobileNetV3-Small.
    MobilenetV3(MobileNetV3),
}

macro_rules! from_network {
    ($($network:ident => $kind:ident),*) => {$(
        impl From<$network> for ImageModel {
            fn from(network: $network) -> Self {
                Self::$kind(network)
            }
        }
    )*};
}

from_network!(Mlp => Mlp, Cnn => Cnn, ResNet => Resnet, EfficientNetLite => EfficientnetLite, MobileNetV3 => MobilenetV3);

impl ImageModel {
    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        each!(Self, self, net => model_dir::to_bytes(net))
    }

    /// Fills the network with the weights of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(each!(Self, self, net => model_dir::from_bytes(bytes, net)?.into()))
    }

    /// The last feature map `[batch, d_map, height, width]` of images `[batch, channels, height, width]`;
    /// `None` for a network without feature maps.
    pub fn forward_map(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        match self {
            Self::Mlp(_) => None,
            Self::Cnn(net) => Some(net.forward_map(images)),
            Self::Resnet(net) => Some(net.forward_map(images)),
            Self::EfficientnetLite(net) => Some(net.forward_map(images)),
            Self::MobilenetV3(net) => Some(net.forward_map(images)),
        }
    }

    /// The logits that follow from [`forward_map`](Self::forward_map); `None` as there.
    pub fn classify_map(&self, map: Tensor<4>) -> Option<Tensor<2>> {
        match self {
            Self::Mlp(_) => None,
            Self::Cnn(net) => Some(net.classify_map(map)),
            Self::Resnet(net) => Some(net.classify_map(map)),
            Self::EfficientnetLite(net) => Some(net.classify_map(map)),
            Self::MobilenetV3(net) => Some(net.classify_map(map)),
        }
    }

    /// The network as one whose features others can use; `None` without stages and a linear
    /// classifier.
    pub fn backbone(&self) -> Option<&dyn ImageBackbone> {
        match self {
            Self::Resnet(net) => Some(net),
            Self::EfficientnetLite(net) => Some(net),
            Self::MobilenetV3(net) => Some(net),
            Self::Mlp(_) | Self::Cnn(_) => None,
        }
    }

    /// As [`backbone`](Self::backbone), to replace its classifier.
    pub fn backbone_mut(&mut self) -> Option<&mut dyn ImageBackbone> {
        match self {
            Self::Resnet(net) => Some(net),
            Self::EfficientnetLite(net) => Some(net),
            Self::MobilenetV3(net) => Some(net),
            Self::Mlp(_) | Self::Cnn(_) => None,
        }
    }
}

impl Classify for ImageModel {
    type Input = Tensor<4>;

    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(images.flatten(1, 3)),
            Self::Cnn(net) => net.forward(images),
            Self::Resnet(net) => net.forward(images),
            Self::EfficientnetLite(net) => net.forward(images),
            Self::MobilenetV3(net) => net.forward(images),
        }
    }
}
