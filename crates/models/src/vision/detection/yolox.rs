//! YOLOX: an anchor-free detector in several sizes.
//!
//! Reference: Ge et al., *YOLOX: exceeding YOLO series in 2021*, 2021, <https://arxiv.org/abs/2107.08430>.
//! Differs from it: a batch has a share of 0.1 in the running statistics instead of 0.03, which is too slow for small
//! data.
//!
//! | here | shape |
//! |---|---|
//! | `backbone` | maps of `[256, 512, 1024] * width_multiplier` channels with strides of 8, 16 and 32 pixels |
//! | `neck` | the same shapes |
//! | `head` | a box, the scores of the classes and of any object for every cell |

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::blocks::Style;
use super::{CspDarknet, DetectorOutput, PathAggregation, STRIDES, YoloxHead};
use crate::config::{ConfigError, check_parameters, check_range, check_size};
use crate::summary::{LayerSummary, trainable_parameters};
use crate::template::data_sized;

/// Channels of the stem of a network of width 1.
const STEM: f64 = 64.0;

/// Blocks in the smallest stage of a network of depth 1.
const BLOCKS: f64 = 3.0;

/// The number of pixels that the height and width of an image must be multiples of.
const MIN_MULTIPLE: usize = STRIDES[2];

/// Configuration of a [`Yolox`] network.
#[derive(Config, Debug, PartialEq)]
pub struct YoloxConfig {
    /// Channels of an image.
    pub in_channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Factor of the number of blocks.
    #[config(default = 0.33)]
    pub depth_multiplier: f64,
    /// Factor of the number of channels.
    #[config(default = 0.25)]
    pub width_multiplier: f64,
    /// Whether 3×3 convolutions are depthwise, followed by one of single pixels.
    #[config(default = true)]
    pub depthwise: bool,
}

data_sized!(YoloxConfig::new(in_channels, num_classes));

impl YoloxConfig {
    /// A published size: `nano`, `tiny`, `s`, `m`, `l` or `x`.
    pub fn of_size(size: &str, in_channels: usize, num_classes: usize) -> Option<Self> {
        let (depth, width) = match size {
            "nano" => (0.33, 0.25),
            "tiny" => (0.33, 0.375),
            "s" => (0.33, 0.5),
            "m" => (0.67, 0.75),
            "l" => (1.0, 1.0),
            "x" => (1.33, 1.25),
            _ => return None,
        };
        let config = Self::new(in_channels, num_classes)
            .with_depth_multiplier(depth)
            .with_width_multiplier(width)
            .with_depthwise(size == "nano");
        Some(config)
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// If one is out of range or the network would be too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        check_range("depth_multiplier", self.depth_multiplier, 0.0..=4.0)?;
        check_range("width_multiplier", self.width_multiplier, 0.125..=4.0)?;
        check_parameters(&self.layers([MIN_MULTIPLE; 2]))
    }

    /// Initializes the network on `device`.
    pub fn init(&self, device: &Device) -> Yolox {
        let style = Style {
            depthwise: self.depthwise,
        };
        let stem = self.stem();
        let depth = self.depth();
        let maps = [4 * stem, 8 * stem, 16 * stem];
        let head = 4 * stem;
        Yolox {
            backbone: CspDarknet::new(style, self.in_channels, stem, depth, device),
            neck: PathAggregation::new(style, maps, depth, device),
            head: YoloxHead::new(style, maps, head, self.num_classes, device),
        }
    }

    /// Describes the parts of a valid configuration for images of `[height, width]` pixels.
    pub fn layers(&self, [height, width]: [usize; 2]) -> Vec<LayerSummary> {
        // Parameters are made when they are used, so this network costs nothing.
        let network = self.init(&Device::default());
        let stem = self.stem();
        let mut layers = vec![LayerSummary {
            name: "backbone.stem".to_owned(),
            kind: "2x2 squares to channels + conv 3x3 + batch norm + silu".to_owned(),
            output_shape: vec![stem, height / 2, width / 2],
            parameters: trainable_parameters(&network.backbone.stem),
        }];
        for (at, stage) in network.backbone.stages.iter().enumerate() {
            layers.push(LayerSummary {
                name: format!("backbone.stages.{at}"),
                kind: "conv 3x3 stride 2 + CSP layer".to_owned(),
                output_shape: vec![stem << (at + 1), height >> (at + 2), width >> (at + 2)],
                parameters: trainable_parameters(stage),
            });
        }
        let cells = STRIDES.map(|stride| (height / stride) * (width / stride));
        layers.push(LayerSummary {
            name: "neck".to_owned(),
            kind: "path aggregation".to_owned(),
            output_shape: vec![4 * stem, height / STRIDES[0], width / STRIDES[0]],
            parameters: trainable_parameters(&network.neck),
        });
        layers.push(LayerSummary {
            name: "head".to_owned(),
            kind: "boxes, classes and objectness of each cell".to_owned(),
            output_shape: vec![cells.iter().sum(), 5 + self.num_classes],
            parameters: trainable_parameters(&network.head),
        });
        layers
    }

    fn stem(&self) -> usize {
        (STEM * self.width_multiplier) as usize
    }

    fn depth(&self) -> usize {
        ((BLOCKS * self.depth_multiplier).round() as usize).max(1)
    }
}

/// An anchor-free detector with a decoupled head.
///
/// Its published weights take images of blue, green and red values from 0 to 255.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::YoloxConfig;
///
/// let device = Device::flex();
/// let model = YoloxConfig::new(3, 80).init(&device);
/// let output = model.forward(Tensor::zeros([1, 3, 64, 96], &device));
/// assert_eq!(output.boxes.dims(), [1, 8 * 12 + 4 * 6 + 2 * 3, 4]);
/// assert_eq!(output.scores().dims(), [1, 126, 80]);
/// ```
#[derive(Module, Debug)]
pub struct Yolox {
    pub(super) backbone: CspDarknet,
    pub(super) neck: PathAggregation,
    pub(super) head: YoloxHead,
}

impl Yolox {
    /// The same network for images whose channels are in the reverse order: from blue, green, red to red, green,
    /// blue.
    #[must_use]
    pub fn with_reversed_channels(mut self) -> Self {
        let conv = &mut self.backbone.stem.conv;
        conv.weight = conv.weight.clone().map(|weight| {
            let [d_output, d_input, height, width] = weight.dims();
            // The stem reads four pixels of each square, one after the other.
            let channels = d_input / 4;
            let requires_grad = weight.is_require_grad();
            let reversed = weight
                .reshape([d_output, 4, channels, height * width])
                .flip([2])
                .reshape([d_output, d_input, height, width]);
            // A parameter is no result of a computation.
            reversed.detach().set_require_grad(requires_grad)
        });
        self
    }

    /// Predicts a box with its scores for every cell.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, in_channels, height, width]`, sides that are multiples of 32
    ///
    /// # Panics
    ///
    /// If a side is no multiple of 32.
    pub fn forward(&self, images: Tensor<4>) -> DetectorOutput {
        let [_, _, height, width] = images.dims();
        assert!(
            height.is_multiple_of(MIN_MULTIPLE) && width.is_multiple_of(MIN_MULTIPLE),
            "{height}x{width} are no multiples of {MIN_MULTIPLE}"
        );
        self.head
            .forward(self.neck.forward(self.backbone.forward(images)))
    }
}
