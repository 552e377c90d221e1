//! Depthwise convolution followed by batch normalization.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Initializer};
use burn::tensor::Device;
use tinderbox_kernels::{Activation, FeatureMap, depthwise_conv2d, depthwise_conv2d_fused};

use crate::layers::conv_norm::{epilogue, geometry, is_training, normalize, square_conv};

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
        let conv = square_conv([self.channels; 2], self.kernel, self.stride)
            .with_groups(self.channels)
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
    /// The same layer with another constant in its normalization.
    pub(crate) fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.norm.epsilon = epsilon;
        self
    }

    /// Depthwise convolution, batch normalization and an activation.
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, channels, height / stride, width / stride]`, rounded up
    pub(crate) fn forward(&self, x: FeatureMap, activation: Activation) -> FeatureMap {
        let geometry = geometry(&self.conv);
        let weight = self.conv.weight.val();
        if is_training(&self.norm, &x.device()) {
            let x = depthwise_conv2d(x, weight, geometry);
            return normalize(&self.norm, x, None, activation);
        }
        let epilogue = epilogue(&self.norm, None, activation);
        depthwise_conv2d_fused(x, weight, geometry, epilogue)
    }
}
