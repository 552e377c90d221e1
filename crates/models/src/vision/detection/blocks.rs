//! The blocks that detectors are built of.

use burn::module::Module;
use burn::tensor::Device;
use tinderbox_kernels::{Activation, FeatureMap, max_pool_same};

use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::depthwise_norm::{DepthwiseNorm, DepthwiseNormConfig};
use crate::layers::init::HE_FAN_IN;

/// Constant in the normalization of `YOLOX`.
const EPSILON: f64 = 1e-3;

/// How the blocks of a network are built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether 3×3 convolutions are depthwise, followed by one of single pixels.
    pub(super) depthwise: bool,
}

/// Convolution of `[d_input, d_output]` channels with batch normalization.
pub(super) fn conv_norm(
    [d_input, d_output]: [usize; 2],
    kernel: usize,
    stride: usize,
    device: &Device,
) -> ConvNorm {
    let config = ConvNormConfig {
        d_input,
        d_output,
        kernel,
        stride,
    };
    config.init(HE_FAN_IN, device).with_epsilon(EPSILON)
}

/// A convolution of single pixels with batch normalization.
pub(super) fn pointwise(channels: [usize; 2], device: &Device) -> ConvNorm {
    conv_norm(channels, 1, 1, device)
}

/// A 3×3 convolution, dense or depthwise followed by one of single pixels.
#[derive(Module, Debug)]
pub(super) struct Conv3x3 {
    pub(super) depthwise: Option<DepthwiseNorm>,
    pub(super) conv: ConvNorm,
}

impl Conv3x3 {
    pub(super) fn new(
        style: Style,
        [d_input, d_output]: [usize; 2],
        stride: usize,
        device: &Device,
    ) -> Self {
        if !style.depthwise {
            return Self {
                depthwise: None,
                conv: conv_norm([d_input, d_output], 3, stride, device),
            };
        }
        let config = DepthwiseNormConfig {
            channels: d_input,
            kernel: 3,
            stride,
        };
        let depthwise = config.init(HE_FAN_IN, device);
        Self {
            depthwise: Some(depthwise.with_epsilon(EPSILON)),
            conv: pointwise([d_input, d_output], device),
        }
    }

    /// `[batch, d_input, height, width]` to `[batch, d_output, height / stride, width / stride]`.
    pub(super) fn forward(&self, x: FeatureMap) -> FeatureMap {
        self.forward_residual(x, None)
    }

    /// Adds a map after the activation.
    fn forward_residual(&self, x: FeatureMap, residual: Option<FeatureMap>) -> FeatureMap {
        let x = match &self.depthwise {
            Some(depthwise) => depthwise.forward(x, Activation::Silu),
            None => x,
        };
        let x = self.conv.forward(x, Activation::Silu);
        match residual {
            Some(residual) => x + residual,
            None => x,
        }
    }
}

/// A convolution of single pixels and a 3×3 convolution, with or without a residual connection.
#[derive(Module, Debug)]
pub(super) struct Bottleneck {
    pub(super) reduce: ConvNorm,
    pub(super) expand: Conv3x3,
    #[module(skip)]
    residual: bool,
}

impl Bottleneck {
    fn new(style: Style, channels: usize, residual: bool, device: &Device) -> Self {
        Self {
            reduce: pointwise([channels; 2], device),
            expand: Conv3x3::new(style, [channels; 2], 1, device),
            residual,
        }
    }

    fn forward(&self, x: FeatureMap) -> FeatureMap {
        let residual = self.residual.then(|| x.clone());
        let x = self.reduce.forward(x, Activation::Silu);
        self.expand.forward_residual(x, residual)
    }
}

/// Bottlenecks that half of the channels bypass (Wang et al., *CSPNet*, 2019,
/// <https://arxiv.org/abs/1911.11929>).
#[derive(Module, Debug)]
pub(super) struct CspLayer {
    pub(super) main: ConvNorm,
    pub(super) bypass: ConvNorm,
    pub(super) blocks: Vec<Bottleneck>,
    pub(super) join: ConvNorm,
}

impl CspLayer {
    pub(super) fn new(
        style: Style,
        [d_input, d_output]: [usize; 2],
        blocks: usize,
        residual: bool,
        device: &Device,
    ) -> Self {
        let d_inner = d_output / 2;
        let block = |_| Bottleneck::new(style, d_inner, residual, device);
        Self {
            main: pointwise([d_input, d_inner], device),
            bypass: pointwise([d_input, d_inner], device),
            blocks: (0..blocks).map(block).collect(),
            join: pointwise([2 * d_inner, d_output], device),
        }
    }

    /// `[batch, d_input, height, width]` to `[batch, d_output, height, width]`.
    pub(super) fn forward(&self, x: FeatureMap) -> FeatureMap {
        let bypass = self.bypass.forward(x.clone(), Activation::Silu);
        let main = self.main.forward(x, Activation::Silu);
        let main = self.blocks.iter().fold(main, |x, block| block.forward(x));
        let joined = FeatureMap::cat(vec![main, bypass]);
        self.join.forward(joined, Activation::Silu)
    }
}

/// Spatial pyramid pooling: the largest values of windows of 5, 9 and 13 pixels (He et al., *Spatial pyramid
/// pooling*, 2014, <https://arxiv.org/abs/1406.4729>).
#[derive(Module, Debug)]
pub(super) struct SpatialPyramid {
    pub(super) reduce: ConvNorm,
    pub(super) join: ConvNorm,
}

impl SpatialPyramid {
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        let d_inner = channels / 2;
        Self {
            reduce: pointwise([channels, d_inner], device),
            join: pointwise([4 * d_inner, channels], device),
        }
    }

    /// `[batch, channels, height, width]`, in and out.
    pub(super) fn forward(&self, x: FeatureMap) -> FeatureMap {
        let x = self.reduce.forward(x, Activation::Silu);
        // A window of 9 is two of 5 after another, and one of 13 is three.
        let five = max_pool_same(x.clone(), 5);
        let nine = max_pool_same(five.clone(), 5);
        let thirteen = max_pool_same(nine.clone(), 5);
        let joined = FeatureMap::cat(vec![x, five, nine, thirteen]);
        self.join.forward(joined, Activation::Silu)
    }
}
