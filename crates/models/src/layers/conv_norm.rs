//! Convolution followed by batch normalization.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::Device;
use tinderbox_kernels::{
    Activation, Conv2dGeometry, Epilogue, FeatureMap, WeightCache, batch_norm_train, conv2d,
    conv2d_fused,
};

/// Square convolution with an odd kernel, zero padding that keeps the size at stride 1, and no bias:
/// batch normalization would subtract it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvNormConfig {
    pub(crate) d_input: usize,
    pub(crate) d_output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl ConvNormConfig {
    pub(crate) fn init(self, weights: Initializer, device: &Device) -> ConvNorm {
        let conv = square_conv([self.d_input, self.d_output], self.kernel, self.stride);
        ConvNorm {
            conv: conv.with_initializer(weights).init(device),
            norm: BatchNormConfig::new(self.d_output).init(device),
            cache: WeightCache::default(),
        }
    }

    /// Number of parameters, including the scale and shift of the normalization; saturates.
    pub(crate) fn parameters(self) -> usize {
        let taps = self.d_input.saturating_mul(self.kernel * self.kernel);
        taps.saturating_add(2).saturating_mul(self.d_output)
    }
}

#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: BatchNorm,
    #[module(skip)]
    cache: WeightCache,
}

impl ConvNorm {
    /// The same layer with another constant in its normalization.
    pub(crate) fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.norm.epsilon = epsilon;
        self
    }

    /// Convolution, batch normalization and an activation.
    ///
    /// - input: `[batch, d_input, height, width]`
    /// - output: `[batch, d_output, height / stride, width / stride]`, rounded up
    pub(crate) fn forward(&self, x: FeatureMap, activation: Activation) -> FeatureMap {
        self.forward_residual(x, None, activation)
    }

    /// As [`forward`](Self::forward), with a residual of the shape of the output that is added before
    /// the activation.
    pub(crate) fn forward_residual(
        &self,
        x: FeatureMap,
        residual: Option<FeatureMap>,
        activation: Activation,
    ) -> FeatureMap {
        let geometry = geometry(&self.conv);
        let weight = self.conv.weight.val();
        if is_training(&self.norm, &x.device()) {
            let x = conv2d(x, weight, geometry);
            return normalize(&self.norm, x, residual, activation);
        }
        let epilogue = epilogue(&self.norm, residual, activation);
        conv2d_fused(x, weight, geometry, epilogue, &self.cache)
    }
}

/// Configuration of a convolution with a square, odd kernel, zero padding that keeps the size at
/// stride 1, and no bias.
pub(crate) fn square_conv(channels: [usize; 2], kernel: usize, stride: usize) -> Conv2dConfig {
    let border = kernel / 2;
    // Not `Same`: at stride 2 it pads one side only, unlike published networks.
    let padding = PaddingConfig2d::Explicit(border, border, border, border);
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(padding)
        .with_bias(false)
}

/// Stride and padding of a layer made by [`square_conv`].
pub(crate) fn geometry(conv: &Conv2d) -> Conv2dGeometry {
    Conv2dGeometry {
        stride: conv.stride[0],
        padding: conv.kernel_size[0] / 2,
    }
}

/// Whether to normalize with the statistics of the batch: the condition of Burn's layer.
pub(crate) fn is_training(norm: &BatchNorm, device: &Device) -> bool {
    device.is_autodiff() && norm.training.is_enabled()
}

/// What follows a convolution at inference.
pub(crate) fn epilogue(
    norm: &BatchNorm,
    residual: Option<FeatureMap>,
    activation: Activation,
) -> Epilogue {
    Epilogue {
        gamma: norm.gamma.val(),
        beta: norm.beta.val(),
        mean: norm.running_mean.value(),
        variance: norm.running_var.value(),
        epsilon: norm.epsilon,
        residual,
        activation,
    }
}

/// Normalizes with the statistics of the batch and updates the running ones.
pub(crate) fn normalize(
    norm: &BatchNorm,
    x: FeatureMap,
    residual: Option<FeatureMap>,
    activation: Activation,
) -> FeatureMap {
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    let result = batch_norm_train(x, gamma, beta, norm.epsilon, residual, activation);
    for (running, batch) in [
        (&norm.running_mean, result.mean),
        (&norm.running_var, result.variance),
    ] {
        let previous = running.value_sync().to_device(&batch.device());
        let updated = previous.mul_scalar(1.0 - norm.momentum) + batch.mul_scalar(norm.momentum);
        running.update(updated.detach());
    }
    result.output
}
