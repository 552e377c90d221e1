//! Depthwise convolution followed by batch normalization.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::Device;
use tinderbox_kernels::{
    Activation, Conv2dGeometry, FeatureMap, depthwise_conv2d, depthwise_conv2d_fused,
};

use crate::layers::conv_norm::{epilogue, is_training, normalize};

/// Depthwise convolution with an odd square kernel, zero padding that keeps the size at stride 1,
/// and no bias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DepthwiseNormConfig {
    pub(crate) channels: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl DepthwiseNormConfig {
    pub(crate) fn init(self, weights: Initializer, device: &Device) -> DepthwiseNorm {
        let border = self.kernel / 2;
        let padding = PaddingConfig2d::Explicit(border, border, border, border);
        let conv = Conv2dConfig::new([self.channels; 2], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(padding)
            .with_groups(self.channels)
            .with_bias(false)
            .with_initializer(weights);
        DepthwiseNorm {
            conv: conv.init(device),
            norm: BatchNormConfig::new(self.channels).init(device),
        }
    }

    /// Number of parameters, including the scale and shift of the normalization; saturates.
    pub(crate) fn parameters(self) -> usize {
        let taps = self.kernel * self.kernel;
        self.channels.saturating_mul(taps + 2)
    }
}

#[derive(Module, Debug)]
pub(crate) struct DepthwiseNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: BatchNorm,
}

impl DepthwiseNorm {
    /// Depthwise convolution, batch normalization and an activation.
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, channels, height / stride, width / stride]`, rounded up
    pub(crate) fn forward(&self, x: FeatureMap, activation: Activation) -> FeatureMap {
        let geometry = Conv2dGeometry {
            stride: self.conv.stride[0],
            padding: self.conv.kernel_size[0] / 2,
        };
        let weight = self.conv.weight.val();
        if is_training(&self.norm, &x) {
            let x = depthwise_conv2d(x, weight, geometry);
            return normalize(&self.norm, x, None, activation);
        }
        let epilogue = epilogue(&self.norm, None, activation);
        depthwise_conv2d_fused(x, weight, geometry, epilogue)
    }
}
