//! The head of YOLOX: classes and boxes are predicted by branches of their own.
//!
//! Reference: Ge et al., *YOLOX: exceeding YOLO series in 2021*, 2021, section 2.1,
//! <https://arxiv.org/abs/2107.08430>.

use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{Activation, Conv2dGeometry, FeatureMap, conv2d};

use super::blocks::{Conv3x3, Style, pointwise};
use super::{CellGrid, DetectorOutput, STRIDES};
use crate::layers::conv_norm::ConvNorm;

/// Numbers of a box.
const BOX: usize = 4;

/// The probability of an object that an untrained network predicts (Lin et al., *Focal loss*, 2017,
/// <https://arxiv.org/abs/1708.02002>).
const PRIOR: f64 = 0.01;

/// Initial weights of the outputs: small, so that the bias decides at first.
const SMALL: Initializer = Initializer::Normal {
    mean: 0.0,
    std: 0.01,
};

/// Decoupled head of all three maps.
#[derive(Module, Debug)]
pub struct YoloxHead {
    pub(super) levels: Vec<Level>,
}

/// The head of one map.
#[derive(Module, Debug)]
pub(super) struct Level {
    pub(super) stem: ConvNorm,
    pub(super) class_convs: Vec<Conv3x3>,
    pub(super) box_convs: Vec<Conv3x3>,
    pub(super) classes: Conv2d,
    pub(super) boxes: Conv2d,
    pub(super) objectness: Conv2d,
}

impl YoloxHead {
    /// For maps of some channels, with `width` channels inside.
    pub(super) fn new(
        style: Style,
        channels: [usize; 3],
        width: usize,
        num_classes: usize,
        device: &Device,
    ) -> Self {
        let branch = || (0..2).map(|_| Conv3x3::new(style, [width; 2], 1, device));
        let levels = channels.map(|channels| Level {
            stem: pointwise([channels, width], device),
            class_convs: branch().collect(),
            box_convs: branch().collect(),
            classes: output(width, num_classes, prior_bias(), device),
            boxes: output(width, BOX, 0.0, device),
            objectness: output(width, 1, prior_bias(), device),
        });
        Self {
            levels: levels.into(),
        }
    }

    /// The predictions from maps with the [`STRIDES`].
    pub(super) fn forward(&self, maps: [FeatureMap; 3]) -> DetectorOutput {
        let [_, _, rows, columns] = maps[0].dims();
        let grid = CellGrid::new([rows, columns].map(|cells| cells * STRIDES[0]));
        let device = maps[0].device();
        let levels = self.levels.iter().zip(maps);
        let outputs: Vec<[Tensor<3>; 3]> = levels.map(|(level, map)| level.forward(map)).collect();
        let join = |at: usize| {
            let parts = outputs.iter().map(|output| output[at].clone());
            Tensor::cat(parts.collect(), 1)
        };
        let raw = join(0);
        DetectorOutput {
            boxes: decode(raw.clone(), &grid, &device),
            classes: join(1),
            objectness: Some(join(2)),
            raw_boxes: raw,
        }
    }
}

impl Level {
    /// Boxes, classes and objectness of each cell, `[batch, cells, ..]`.
    fn forward(&self, map: FeatureMap) -> [Tensor<3>; 3] {
        let stem = self.stem.forward(map, Activation::Silu);
        let branch = |convs: &[Conv3x3]| convs.iter().fold(stem.clone(), |x, conv| conv.forward(x));
        let classes = branch(&self.class_convs);
        let boxes = branch(&self.box_convs);
        [
            project(boxes.clone(), &self.boxes),
            project(classes, &self.classes),
            project(boxes, &self.objectness),
        ]
    }
}

/// A convolution of single pixels with a bias of this initial value.
pub(super) fn output(d_input: usize, d_output: usize, bias: f64, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([d_input, d_output], [1, 1]).with_bias(false);
    Conv2d {
        bias: Some(Initializer::Constant { value: bias }.init([d_output], device)),
        ..config.with_initializer(SMALL).init(device)
    }
}

/// The bias with which an untrained network predicts the [`PRIOR`].
pub(super) fn prior_bias() -> f64 {
    -((1.0 - PRIOR) / PRIOR).ln()
}

/// Applies a convolution of single pixels with a bias: the output of each cell, `[batch, height * width,
/// channels]`.
pub(super) fn project(map: FeatureMap, conv: &Conv2d) -> Tensor<3> {
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 0,
    };
    let output = conv2d(map, conv.weight.val(), geometry).into_pixels();
    match &conv.bias {
        Some(bias) => {
            let channels = bias.dims()[0];
            output + bias.val().reshape([1, 1, channels])
        }
        None => output,
    }
}

/// Boxes in pixels, from the shift of the center and the logarithm of the size, in strides.
fn decode(raw: Tensor<3>, grid: &CellGrid, device: &Device) -> Tensor<3> {
    let (positions, strides) = grid.tensors(0.0, device);
    let centers = (raw.clone().narrow(2, 0, 2) + positions) * strides.clone();
    // An untrained network must not overflow.
    let halves = raw.narrow(2, 2, 2).clamp_max(10.0).exp() * strides * 0.5;
    Tensor::cat(vec![centers.clone() - halves.clone(), centers + halves], 2)
}
