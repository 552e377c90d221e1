//! Inverted residual blocks: wide inside, narrow between each other.
//!
//! Reference: Sandler et al., *`MobileNetV2`: inverted residuals and linear bottlenecks*, 2018,
//! <https://arxiv.org/abs/1801.04381>; with squeeze-and-excitation as in Howard et al., *Searching for
//! `MobileNetV3`*, 2019, <https://arxiv.org/abs/1905.02244>.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::{Activation, FeatureMap};

use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::depthwise_norm::{DepthwiseNorm, DepthwiseNormConfig};
use crate::layers::init::HE_FAN_OUT;
use crate::layers::squeeze_excitation::{SqueezeExcitation, SqueezeExcitationConfig};
use crate::pretrained::NameTable;
use crate::summary::LayerSummary;

/// Channels are multiples of this.
const DIVISOR: usize = 8;

/// Where convolutions of stride 2 add zeros to an axis of even size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Half a kernel on both sides, as PyTorch does.
    #[default]
    Symmetric,
    /// One pixel more at the end than at the start: TensorFlow's `SAME`.
    ///
    /// At stride 2 and an even size, [`Symmetric`](Self::Symmetric) reads one pixel of padding more at the
    /// start than at the end: the mirror image. So such a network sees images turned by 180 degrees, and
    /// its kernels are those of the published network turned in the same way.
    Same,
}

impl Padding {
    /// Turns images or feature maps by 180 degrees, if the network sees them so.
    pub(crate) fn turn(self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Symmetric => images,
            Self::Same => images.flip([2, 3]),
        }
    }

    /// Names of published tensors whose kernels are turned, if those of the network are.
    pub(crate) fn turn_kernels(self, names: NameTable) -> NameTable {
        match self {
            Self::Symmetric => names,
            Self::Same => names.with_turned_kernels(),
        }
    }
}

/// The nearest multiple of 8 that is not more than 10% less.
pub(crate) fn round_channels(channels: f64) -> usize {
    let nearest = (channels / DIVISOR as f64 + 0.5) as usize * DIVISOR;
    let rounded = nearest.max(DIVISOR);
    if (rounded as f64) < 0.9 * channels {
        rounded + DIVISOR
    } else {
        rounded
    }
}

/// Divides height and width by a stride, rounded up.
pub(crate) fn shrink(plane: [usize; 2], stride: usize) -> [usize; 2] {
    plane.map(|side| side.div_ceil(stride))
}

/// A convolution of single pixels.
pub(crate) fn pointwise(d_input: usize, d_output: usize) -> ConvNormConfig {
    ConvNormConfig {
        d_input,
        d_output,
        kernel: 1,
        stride: 1,
    }
}

/// Initializes a convolution whose normalization adds `epsilon` to the variance.
pub(crate) fn init_conv(config: ConvNormConfig, epsilon: f64, device: &Device) -> ConvNorm {
    config.init(HE_FAN_OUT, device).with_epsilon(epsilon)
}

/// Describes a convolution with what follows it.
pub(crate) fn describe_conv(
    name: &str,
    kind: String,
    conv: ConvNormConfig,
    [height, width]: [usize; 2],
) -> LayerSummary {
    LayerSummary {
        name: name.into(),
        kind,
        output_shape: vec![conv.d_output, height, width],
        parameters: conv.parameters(),
    }
}

/// Configuration of an [`InvertedResidual`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvertedResidualConfig {
    pub(crate) d_input: usize,
    /// Channels of the depthwise convolution; those of the input for no expansion.
    pub(crate) d_inner: usize,
    pub(crate) d_output: usize,
    /// Channels inside of squeeze-and-excitation; None without.
    pub(crate) d_squeezed: Option<usize>,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) activation: Activation,
}

impl InvertedResidualConfig {
    pub(crate) fn expansion(self) -> Option<ConvNormConfig> {
        (self.d_inner != self.d_input).then(|| pointwise(self.d_input, self.d_inner))
    }

    fn depthwise(self) -> DepthwiseNormConfig {
        DepthwiseNormConfig {
            channels: self.d_inner,
            kernel: self.kernel,
            stride: self.stride,
        }
    }

    pub(crate) fn squeeze(self) -> Option<SqueezeExcitationConfig> {
        self.d_squeezed.map(|d_squeezed| SqueezeExcitationConfig {
            channels: self.d_inner,
            d_squeezed,
        })
    }

    fn projection(self) -> ConvNormConfig {
        pointwise(self.d_inner, self.d_output)
    }

    pub(crate) fn init(self, epsilon: f64, device: &Device) -> InvertedResidual {
        let depthwise = self.depthwise().init(HE_FAN_OUT, device);
        let expansion = self.expansion();
        InvertedResidual {
            expansion: expansion.map(|conv| init_conv(conv, epsilon, device)),
            depthwise: depthwise.with_epsilon(epsilon),
            squeeze: self.squeeze().map(|squeeze| squeeze.init(device)),
            projection: init_conv(self.projection(), epsilon, device),
            residual: self.stride == 1 && self.d_input == self.d_output,
            activation: self.activation,
        }
    }

    fn describe(self, name: String, [height, width]: [usize; 2]) -> LayerSummary {
        let Self { kernel, stride, .. } = self;
        let stride = if stride == 1 { "" } else { " stride 2" };
        let squeeze = self.squeeze().map_or("", |_| " + squeeze-excitation");
        let parts = [
            self.expansion().map_or(0, ConvNormConfig::parameters),
            self.depthwise().parameters(),
            self.squeeze()
                .map_or(0, SqueezeExcitationConfig::parameters),
            self.projection().parameters(),
        ];
        LayerSummary {
            name,
            kind: format!("inverted residual block {kernel}x{kernel}{stride}{squeeze}"),
            output_shape: vec![self.d_output, height, width],
            parameters: parts.into_iter().fold(0, usize::saturating_add),
        }
    }
}

/// Describes the blocks of all stages, and returns the size of the last feature map.
pub(crate) fn describe_stages(
    stages: Vec<Vec<InvertedResidualConfig>>,
    mut plane: [usize; 2],
    layers: &mut Vec<LayerSummary>,
) -> [usize; 2] {
    for (stage, blocks) in stages.into_iter().enumerate() {
        for (index, block) in blocks.into_iter().enumerate() {
            plane = shrink(plane, block.stride);
            layers.push(block.describe(format!("stages.{stage}.{index}"), plane));
        }
    }
    plane
}

/// Initializes the blocks of all stages.
pub(crate) fn init_stages(
    stages: Vec<Vec<InvertedResidualConfig>>,
    epsilon: f64,
    device: &Device,
) -> Vec<Vec<InvertedResidual>> {
    let init = |block: InvertedResidualConfig| block.init(epsilon, device);
    let stages = stages.into_iter();
    stages
        .map(|blocks| blocks.into_iter().map(init).collect())
        .collect()
}

/// A pointwise expansion, a depthwise convolution, squeeze-and-excitation if there is one, and a
/// pointwise projection without activation, with a shortcut around them where the shapes are equal.
#[derive(Module, Debug)]
pub(crate) struct InvertedResidual {
    pub(crate) expansion: Option<ConvNorm>,
    pub(crate) depthwise: DepthwiseNorm,
    squeeze: Option<SqueezeExcitation>,
    pub(crate) projection: ConvNorm,
    residual: bool,
    #[module(skip)]
    activation: Activation,
}

impl InvertedResidual {
    /// - input: `[batch, d_input, height, width]`
    /// - output: `[batch, d_output, height / stride, width / stride]`, rounded up
    pub(crate) fn forward(&self, input: FeatureMap) -> FeatureMap {
        let residual = self.residual.then(|| input.clone());
        let x = match &self.expansion {
            Some(expansion) => expansion.forward(input, self.activation),
            None => input,
        };
        let x = self.depthwise.forward(x, self.activation);
        let x = match &self.squeeze {
            Some(squeeze) => squeeze.forward(x),
            None => x,
        };
        self.projection
            .forward_residual(x, residual, Activation::Identity)
    }
}

/// Runs all stages and calls `visit` with the output of each, so that a classifier keeps none of them.
pub(crate) fn run_stages(
    stages: &[Vec<InvertedResidual>],
    x: FeatureMap,
    mut visit: impl FnMut(&FeatureMap),
) -> FeatureMap {
    stages.iter().fold(x, |x, stage| {
        let x = stage.iter().fold(x, |x, block| block.forward(x));
        visit(&x);
        x
    })
}

/// Number of output channels of every stage.
pub(crate) fn stage_channels(stages: &[Vec<InvertedResidual>]) -> Vec<usize> {
    let channels = |stage: &Vec<InvertedResidual>| {
        let last = stage.last()?;
        Some(last.projection.conv.weight.dims()[0])
    };
    stages.iter().filter_map(channels).collect()
}

/// Stride of the output of every stage after a stem, in pixels of the image.
pub(crate) fn stage_strides(stem: &ConvNorm, stages: &[Vec<InvertedResidual>]) -> Vec<usize> {
    let strides = stages.iter().scan(stem.conv.stride[0], |stride, stage| {
        let own = stage.iter().map(|block| block.depthwise.conv.stride[0]);
        *stride *= own.product::<usize>();
        Some(*stride)
    });
    strides.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, naive_conv3x3, normal, values};

    /// A 1×1 convolution of planes of 12 pixels; fresh running statistics are mean 0 and variance 1.
    fn naive_conv1x1(x: &[f32], conv: &ConvNorm) -> Vec<f32> {
        let weight = values(conv.conv.weight.val());
        let outputs = weight.chunks(x.len() / 12).flat_map(|weight| {
            (0..12).map(|pixel| {
                let terms = weight.iter().zip(x.chunks(12));
                NORM * terms
                    .map(|(weight, plane)| weight * plane[pixel])
                    .sum::<f32>()
            })
        });
        outputs.collect()
    }

    /// The scale of a fresh normalization, the inverse root of 1 + 1e-5.
    const NORM: f32 = 0.999_995;

    #[test]
    fn a_block_agrees_with_loops_by_hand() {
        let device = Device::flex();
        let config = InvertedResidualConfig {
            d_input: 2,
            d_inner: 6,
            d_output: 2,
            d_squeezed: None,
            kernel: 3,
            stride: 1,
            activation: Activation::Relu6,
        };
        let block = config.init(1e-5, &device);
        let input = normal([1, 2, 3, 4], &device).mul_scalar(3.0);
        let relu6 = |x: Vec<f32>| -> Vec<f32> { x.iter().map(|x| x.clamp(0.0, 6.0)).collect() };

        let x = values(input.clone());
        let inner = relu6(naive_conv1x1(&x, block.expansion.as_ref().unwrap()));
        let taps = values(block.depthwise.conv.weight.val());
        let planes = inner.chunks(12).zip(taps.chunks(9));
        let filtered = planes.flat_map(|(plane, taps)| naive_conv3x3(plane, [1, 3, 4], taps, 1));
        let filtered = relu6(filtered.map(|x| x * NORM).collect());
        let output = naive_conv1x1(&filtered, &block.projection);
        let expected: Vec<f32> = output.iter().zip(&x).map(|(y, x)| y + x).collect();
        let output = block.forward(FeatureMap::from_nchw(input));
        assert_close(output.into_nchw(), &expected);
    }
}
