//! The networks that score every pixel of an image.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::vision::{BackboneUNet, BackboneUNetConfig, UNet, UNetConfig};
use tinderbox_models::{ConfigError, LayerSummary, Template, trainable_parameters};

use crate::Segment;
use crate::model_dir::{self, WeightsError};

/// Configuration of a [`SegmentationModel`]: that of its network, without the sizes that follow from the
/// data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SegmentationModelConfig {
    /// U-Net.
    Unet(Template<UNetConfig>),
    /// U-Net with the stages of a classifier as its encoder.
    BackboneUnet(Template<BackboneUNetConfig>),
}

impl SegmentationModelConfig {
    /// The default of each kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "unet" => Self::Unet(Template::default()),
            "backbone-unet" => Self::BackboneUnet(Template::default()),
            _ => return None,
        })
    }

    fn with_sizes(mut self, channels: usize, classes: usize) -> Self {
        match &mut self {
            Self::Unet(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
            Self::BackboneUnet(Template(config)) => {
                (config.in_channels, config.num_classes) = (channels, classes);
            }
        }
        self
    }

    /// The number of pixels that the height and width of an image must be multiples of.
    pub fn min_multiple(&self) -> usize {
        match self {
            Self::Unet(config) => config.0.min_multiple(),
            Self::BackboneUnet(config) => config.0.min_multiple(),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::Unet(config) => config.0.validate(),
            Self::BackboneUnet(config) => config.0.validate(),
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
    ) -> Result<SegmentationModel, ConfigError> {
        let config = self.clone().with_sizes(channels, classes);
        config.validate()?;
        Ok(match config {
            Self::Unet(config) => SegmentationModel::Unet(config.0.init(device)),
            Self::BackboneUnet(config) => SegmentationModel::BackboneUnet(config.0.init(device)),
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
            Self::Unet(config) => config.0.layers([height, width]),
            Self::BackboneUnet(config) => config.0.layers([height, width]),
        })
    }
}

/// A network that scores every pixel.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum SegmentationModel {
    /// U-Net.
    Unet(UNet),
    /// With a classifier as its encoder.
    BackboneUnet(BackboneUNet),
}

impl SegmentationModel {
    /// Number of trainable parameters that the scores depend on.
    pub fn used_parameters(&self) -> usize {
        match self {
            Self::Unet(net) => trainable_parameters(net),
            Self::BackboneUnet(net) => net.used_parameters(),
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
            Self::Unet(net) => model_dir::to_bytes(net),
            Self::BackboneUnet(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with the weights of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Unet(net) => Self::Unet(model_dir::from_bytes(bytes, net)?),
            Self::BackboneUnet(net) => Self::BackboneUnet(model_dir::from_bytes(bytes, net)?),
        })
    }
}

impl Segment for SegmentationModel {
    fn segment(&self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Unet(net) => net.forward(images),
            Self::BackboneUnet(net) => net.forward(images),
        }
    }

    fn min_multiple(&self) -> usize {
        match self {
            Self::Unet(net) => net.min_multiple(),
            Self::BackboneUnet(net) => net.min_multiple(),
        }
    }
}
