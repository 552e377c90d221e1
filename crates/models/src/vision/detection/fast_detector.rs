//! A small detector that two CPU cores train in minutes.
//!
//! Dense 3×3 convolutions of few channels compute faster on a CPU than the depthwise ones of mobile networks. The
//! head is that of PicoDet (Yu et al., 2021, <https://arxiv.org/abs/2111.00902>): the score of a class is also that of
//! its box, and the distance to each edge is a distribution over a few bins (Li et al., *Generalized focal loss*,
//! 2020, <https://arxiv.org/abs/2006.04388>).
//!
//! | here | shape |
//! |---|---|
//! | `stem` | `[batch, channels[0], height / 2, width / 2]` |
//! | `stages.i` | `[batch, channels[i + 1], ..]` at half the resolution of the one before |
//! | `neck` | `[batch, neck_channels, ..]` at strides of 8, 16 and 32 pixels |
//! | `heads.i` | classes and distances of each cell of a map |

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{Activation, FeatureMap, upsample_nearest};

use super::yolox_head::{output, prior_bias, project};
use super::{CellGrid, DetectorOutput, STRIDES};
use crate::config::{ConfigError, check_list, check_parameters, check_range, check_size};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::init::HE_FAN_IN;
use crate::summary::{LayerSummary, trainable_parameters};
use crate::template::data_sized;

/// The number of pixels that the height and width of an image must be multiples of.
const MIN_MULTIPLE: usize = STRIDES[2];

/// Edges of a box.
const EDGES: usize = 4;

/// Configuration of a [`FastDetector`].
#[derive(Config, Debug, PartialEq)]
pub struct FastDetectorConfig {
    /// Channels of an image.
    pub in_channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Channels of the stem and of each of the four stages.
    #[config(default = "vec![16, 32, 64, 96, 128]")]
    pub channels: Vec<usize>,
    /// Residual blocks of each stage but the first.
    #[config(default = 1)]
    pub blocks_per_stage: usize,
    /// Channels of the neck and the heads.
    #[config(default = 64)]
    pub neck_channels: usize,
    /// Convolutions of each head.
    #[config(default = 2)]
    pub head_convs: usize,
    /// Bins of the distance to an edge, each as long as the stride.
    #[config(default = 8)]
    pub bins: usize,
}

data_sized!(FastDetectorConfig::new(in_channels, num_classes));

impl FastDetectorConfig {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// If one is out of range or the network would be too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        check_list("channels", &self.channels, 5..=5, &(1..=4096))?;
        check_range("blocks_per_stage", self.blocks_per_stage, 0..=100)?;
        check_range("neck_channels", self.neck_channels, 1..=4096)?;
        check_range("head_convs", self.head_convs, 0..=16)?;
        check_range("bins", self.bins, 2..=64)?;
        check_parameters(&self.layers([MIN_MULTIPLE; 2]))
    }

    /// Initializes the network on `device`.
    pub fn init(&self, device: &Device) -> FastDetector {
        let stages = self.channels.windows(2).enumerate();
        let stages = stages.map(|(at, pair)| Stage {
            down: conv3x3([pair[0], pair[1]], 2, device),
            blocks: (0..if at == 0 { 0 } else { self.blocks_per_stage })
                .map(|_| Block::new(pair[1], device))
                .collect(),
        });
        let inner = self.neck_channels;
        let lateral = self.channels.iter().skip(2);
        let lateral = lateral.map(|&channels| conv([channels, inner], 1, 1, device));
        let pair = |stride| {
            vec![
                conv3x3([inner; 2], stride, device),
                conv3x3([inner; 2], stride, device),
            ]
        };
        let head = || Head {
            convs: (0..self.head_convs)
                .map(|_| conv3x3([inner; 2], 1, device))
                .collect(),
            classes: output(inner, self.num_classes, prior_bias(), device),
            distances: output(inner, EDGES * self.bins, 0.0, device),
        };
        FastDetector {
            stem: conv3x3([self.in_channels, self.channels[0]], 2, device),
            stages: stages.collect(),
            neck: Neck {
                lateral: lateral.collect(),
                up: pair(1),
                down: pair(2),
                out: pair(1),
            },
            heads: STRIDES.iter().map(|_| head()).collect(),
            bins: self.bins,
        }
    }

    /// Describes the parts of a valid configuration for images of `[height, width]` pixels.
    pub fn layers(&self, [height, width]: [usize; 2]) -> Vec<LayerSummary> {
        // Parameters are made when they are used, so this network costs nothing.
        let network = self.init(&Device::default());
        let plane = |stride: usize| [height / stride, width / stride];
        let shape = |channels: usize, [height, width]: [usize; 2]| vec![channels, height, width];
        let mut layers = vec![LayerSummary {
            name: "stem".to_owned(),
            kind: "conv 3x3 stride 2 + batch norm + relu".to_owned(),
            output_shape: shape(self.channels[0], plane(2)),
            parameters: trainable_parameters(&network.stem),
        }];
        for (at, stage) in network.stages.iter().enumerate() {
            layers.push(LayerSummary {
                name: format!("stages.{at}"),
                kind: "conv 3x3 stride 2 + residual blocks".to_owned(),
                output_shape: shape(self.channels[at + 1], plane(4 << at)),
                parameters: trainable_parameters(stage),
            });
        }
        layers.push(LayerSummary {
            name: "neck".to_owned(),
            kind: "path aggregation".to_owned(),
            output_shape: shape(self.neck_channels, plane(STRIDES[0])),
            parameters: trainable_parameters(&network.neck),
        });
        for (stride, (at, head)) in STRIDES.into_iter().zip(network.heads.iter().enumerate()) {
            layers.push(LayerSummary {
                name: format!("heads.{at}"),
                kind: "classes and distances of each cell".to_owned(),
                output_shape: shape(self.num_classes + EDGES * self.bins, plane(stride)),
                parameters: trainable_parameters(head),
            });
        }
        layers
    }
}

fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> ConvNorm {
    let config = ConvNormConfig {
        d_input: channels[0],
        d_output: channels[1],
        kernel,
        stride,
    };
    config.init(HE_FAN_IN, device)
}

fn conv3x3(channels: [usize; 2], stride: usize, device: &Device) -> ConvNorm {
    conv(channels, 3, stride, device)
}

/// A detector of dense convolutions.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::FastDetectorConfig;
///
/// let device = Device::flex();
/// let model = FastDetectorConfig::new(3, 4).init(&device);
/// let output = model.forward(Tensor::zeros([1, 3, 64, 96], &device));
/// assert_eq!(output.boxes.dims(), [1, 8 * 12 + 4 * 6 + 2 * 3, 4]);
/// assert_eq!(output.scores().dims(), [1, 126, 4]);
/// ```
#[derive(Module, Debug)]
pub struct FastDetector {
    stem: ConvNorm,
    stages: Vec<Stage>,
    neck: Neck,
    heads: Vec<Head>,
    #[module(skip)]
    bins: usize,
}

#[derive(Module, Debug)]
struct Stage {
    down: ConvNorm,
    blocks: Vec<Block>,
}

/// Two convolutions with a residual connection (He et al., 2016, <https://arxiv.org/abs/1512.03385>).
#[derive(Module, Debug)]
struct Block {
    first: ConvNorm,
    second: ConvNorm,
}

/// From coarse to fine, then from fine to coarse; maps are added.
#[derive(Module, Debug)]
struct Neck {
    lateral: Vec<ConvNorm>,
    up: Vec<ConvNorm>,
    down: Vec<ConvNorm>,
    out: Vec<ConvNorm>,
}

#[derive(Module, Debug)]
struct Head {
    convs: Vec<ConvNorm>,
    classes: Conv2d,
    distances: Conv2d,
}

impl FastDetector {
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
        let device = images.device();
        let x = self
            .stem
            .forward(FeatureMap::from_nchw(images), Activation::Relu);
        let mut maps: Vec<FeatureMap> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let x = maps.last().unwrap_or(&x).clone();
            maps.push(stage.forward(x));
        }
        // The first stage is finer than the finest stride.
        let maps = self.neck.forward(&maps[1..]);
        let outputs = self.heads.iter().zip(maps);
        let (classes, distances): (Vec<_>, Vec<_>) =
            outputs.map(|(head, map)| head.forward(map)).unzip();
        let distances = Tensor::cat(distances, 1);
        let grid = CellGrid::new([height, width]);
        DetectorOutput {
            boxes: decode(distances.clone(), self.bins, &grid, &device),
            classes: Tensor::cat(classes, 1),
            objectness: None,
            raw_boxes: distances,
        }
    }
}

impl Stage {
    fn forward(&self, x: FeatureMap) -> FeatureMap {
        let x = self.down.forward(x, Activation::Relu);
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

impl Block {
    fn new(channels: usize, device: &Device) -> Self {
        Self {
            first: conv3x3([channels; 2], 1, device),
            second: conv3x3([channels; 2], 1, device),
        }
    }

    fn forward(&self, x: FeatureMap) -> FeatureMap {
        let inner = self.first.forward(x.clone(), Activation::Relu);
        self.second
            .forward_residual(inner, Some(x), Activation::Relu)
    }
}

impl Neck {
    /// Maps from fine to coarse, in and out.
    fn forward(&self, maps: &[FeatureMap]) -> [FeatureMap; 3] {
        let lateral = |at: usize| self.lateral[at].forward(maps[at].clone(), Activation::Relu);
        let relu = |conv: &ConvNorm, x| conv.forward(x, Activation::Relu);
        let coarse = lateral(2);
        let middle = relu(
            &self.up[0],
            lateral(1) + upsample_nearest(coarse.clone(), 2),
        );
        let fine = relu(
            &self.up[1],
            lateral(0) + upsample_nearest(middle.clone(), 2),
        );
        let middle = relu(&self.out[0], middle + relu(&self.down[0], fine.clone()));
        let coarse = relu(&self.out[1], coarse + relu(&self.down[1], middle.clone()));
        [fine, middle, coarse]
    }
}

impl Head {
    /// Classes and distances of each cell, `[batch, cells, ..]`.
    fn forward(&self, map: FeatureMap) -> (Tensor<3>, Tensor<3>) {
        let convs = self.convs.iter();
        let x = convs.fold(map, |x, conv| conv.forward(x, Activation::Relu));
        (
            project(x.clone(), &self.classes),
            project(x, &self.distances),
        )
    }
}

/// Boxes in pixels, from the distribution of the distance to each edge.
fn decode(logits: Tensor<3>, bins: usize, grid: &CellGrid, device: &Device) -> Tensor<3> {
    let [batch, cells, _] = logits.dims();
    let (centers, strides) = grid.tensors(0.5, device);
    let values: Vec<f32> = (0..bins).map(|bin| bin as f32).collect();
    let values = Tensor::<1>::from_floats(values.as_slice(), device);
    let probabilities = softmax(logits.reshape([batch, cells, EDGES, bins]), 3);
    let distances = probabilities * values.reshape([1, 1, 1, bins]);
    let distances: Tensor<3> = distances.sum_dim(3).squeeze_dim(3);
    let near = centers.clone() - distances.clone().narrow(2, 0, 2);
    let far = centers + distances.narrow(2, 2, 2);
    Tensor::cat(vec![near * strides.clone(), far * strides], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    #[test]
    fn a_certain_distance_is_that_of_its_bin() {
        let device = Device::flex();
        let grid = CellGrid::new([32, 32]);
        let bins = 4;
        // The first cell, of stride 8 around (4, 4): distances of 0, 1, 2 and 3 strides.
        let mut logits = vec![0.0; grid.len() * EDGES * bins];
        for edge in 0..EDGES {
            logits[edge * bins + edge] = 100.0;
        }
        let logits = Tensor::<1>::from_floats(logits.as_slice(), &device);
        let logits = logits.reshape([1, grid.len(), EDGES * bins]);
        let boxes = decode(logits, bins, &grid, &device).narrow(1, 0, 2);
        // All distances are equally likely in the second one: 1.5 strides.
        assert_close(boxes, &[4.0, -4.0, 20.0, 28.0, 0.0, -8.0, 24.0, 16.0]);
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let config = FastDetectorConfig::new(3, 2);
        assert_eq!(config.validate(), Ok(()));
        assert!(config.clone().with_channels(vec![8; 4]).validate().is_err());
        assert!(config.clone().with_bins(1).validate().is_err());
        assert!(config.with_neck_channels(0).validate().is_err());
    }
}
