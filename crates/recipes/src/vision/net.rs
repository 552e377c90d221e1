//! The network of a recipe, whichever it is.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_models::layers::{Activation, Mlp, MlpConfig, Normalization};
use tinderbox_models::vision::{BlockKind, Cnn, CnnConfig, ResNet, ResNetConfig, Stem};
use tinderbox_models::{ConfigError, LayerSummary};

use tinderbox_predict::model_dir::{self, WeightsError};
use tinderbox_train::classify::Classify;

/// Which network, without the sizes that follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Architecture {
    /// Multilayer perceptron on the flattened image.
    Mlp {
        /// Width of each hidden layer.
        hidden: Vec<usize>,
        /// Nonlinearity of the hidden layers.
        activation: Activation,
        /// Normalisation in front of it.
        normalization: Normalization,
        /// Probability of zeroing a hidden activation, in `[0, 1)`.
        dropout: f64,
    },
    /// Small plain convolutional network.
    Cnn {
        /// Channels behind each block.
        blocks: Vec<usize>,
        /// Convolutions in a block.
        convs_per_block: usize,
        /// Width of the hidden layer; 0 averages every plane instead.
        hidden: usize,
        /// Probability of zeroing what the last layer reads, in `[0, 1)`.
        dropout: f64,
    },
    /// Residual network; blocks of 2, 2, 2, 2 are ResNet-18.
    Resnet {
        /// `small` for images up to about 64 pixels, else `large`.
        stem: Stem,
        /// `basic` or `bottleneck`.
        block: BlockKind,
        /// Blocks in each stage.
        blocks: Vec<usize>,
        /// Channels of the first stage.
        width: usize,
        /// Probability of zeroing what the last layer reads, in `[0, 1)`.
        dropout: f64,
    },
}

enum Config {
    Mlp(MlpConfig),
    Cnn(CnnConfig),
    Resnet(ResNetConfig),
}

impl Architecture {
    /// One of each kind, as a recipe that only names the kind gets it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "mlp" => Self::Mlp {
                hidden: vec![128, 64],
                activation: Activation::Relu,
                normalization: Normalization::None,
                dropout: 0.1,
            },
            "cnn" => Self::Cnn {
                blocks: vec![32, 64],
                convs_per_block: 1,
                hidden: 128,
                dropout: 0.25,
            },
            "resnet" => Self::Resnet {
                stem: Stem::Small,
                block: BlockKind::Basic,
                blocks: vec![1, 1, 1],
                width: 16,
                dropout: 0.0,
            },
            _ => return None,
        })
    }

    fn config(&self, [height, width, channels]: [usize; 3], classes: usize) -> Config {
        match self {
            Self::Mlp {
                hidden,
                activation,
                normalization,
                dropout,
            } => Config::Mlp(
                MlpConfig::new(
                    height.saturating_mul(width).saturating_mul(channels),
                    classes,
                )
                .with_hidden(hidden.clone())
                .with_activation(*activation)
                .with_normalization(*normalization)
                .with_dropout(*dropout),
            ),
            Self::Cnn {
                blocks,
                convs_per_block,
                hidden,
                dropout,
            } => Config::Cnn(
                CnnConfig::new(channels, height, width, classes)
                    .with_block_channels(blocks.clone())
                    .with_convs_per_block(*convs_per_block)
                    .with_d_hidden(*hidden)
                    .with_dropout(*dropout),
            ),
            Self::Resnet {
                stem,
                block,
                blocks,
                width,
                dropout,
            } => Config::Resnet(
                ResNetConfig::new(channels, classes)
                    .with_stem(*stem)
                    .with_block(*block)
                    .with_blocks_per_stage(blocks.clone())
                    .with_base_channels(*width)
                    .with_dropout(*dropout),
            ),
        }
    }

    /// Whether the network has batch normalization, which needs two images in a batch.
    pub fn normalizes_batches(&self) -> bool {
        match self {
            Self::Mlp { normalization, .. } => *normalization == Normalization::Batch,
            Self::Cnn { .. } | Self::Resnet { .. } => true,
        }
    }

    /// Makes the network, untrained, for images of `[height, width, channels]`.
    ///
    /// # Errors
    ///
    /// If a size is out of range or the network would not fit in memory.
    pub fn init(
        &self,
        shape: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<ImageNet, ConfigError> {
        Ok(match self.config(shape, classes) {
            Config::Mlp(config) => {
                config.validate()?;
                ImageNet::Mlp(config.init(device))
            }
            Config::Cnn(config) => {
                config.validate()?;
                ImageNet::Cnn(config.init(device))
            }
            Config::Resnet(config) => {
                config.validate()?;
                ImageNet::Resnet(config.init(device))
            }
        })
    }

    /// The layers of the network, without building it.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    pub fn layers(
        &self,
        shape: [usize; 3],
        classes: usize,
    ) -> Result<Vec<LayerSummary>, ConfigError> {
        Ok(match self.config(shape, classes) {
            Config::Mlp(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Cnn(config) => {
                config.validate()?;
                config.layers()
            }
            Config::Resnet(config) => {
                config.validate()?;
                config.layers([shape[0], shape[1]])
            }
        })
    }
}

/// A network for images.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum ImageNet {
    /// On the flattened image.
    Mlp(Mlp),
    /// Plain convolutional.
    Cnn(Cnn),
    /// Residual.
    Resnet(ResNet),
}

impl ImageNet {
    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names
    /// are those of the network.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Mlp(net) => model_dir::to_bytes(net),
            Self::Cnn(net) => model_dir::to_bytes(net),
            Self::Resnet(net) => model_dir::to_bytes(net),
        }
    }

    /// Fills the network with what [`to_bytes`](Self::to_bytes) gave.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Mlp(net) => Self::Mlp(model_dir::from_bytes(bytes, net)?),
            Self::Cnn(net) => Self::Cnn(model_dir::from_bytes(bytes, net)?),
            Self::Resnet(net) => Self::Resnet(model_dir::from_bytes(bytes, net)?),
        })
    }
}

impl Classify for ImageNet {
    type Input = Tensor<4>;

    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(images.flatten(1, 3)),
            Self::Cnn(net) => net.forward(images),
            Self::Resnet(net) => net.forward(images),
        }
    }
}
