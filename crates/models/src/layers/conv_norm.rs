//! Convolution followed by batch normalization.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{Conv2dGeometry, batch_norm_train, conv2d};

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
        let border = self.kernel / 2;
        // Not `Same`: at stride 2 it pads one side only, unlike published networks.
        let padding = PaddingConfig2d::Explicit(border, border, border, border);
        let conv = Conv2dConfig::new([self.d_input, self.d_output], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(padding)
            .with_bias(false)
            .with_initializer(weights);
        ConvNorm {
            conv: conv.init(device),
            norm: BatchNormConfig::new(self.d_output).init(device),
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
}

impl ConvNorm {
    /// - input: `[batch, d_input, height, width]`
    /// - output: `[batch, d_output, height / stride, width / stride]`, rounded up
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.normalize(x, false)
    }

    /// As [`forward`](Self::forward), followed by `ReLU`.
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.normalize(x, true)
    }

    fn normalize(&self, x: Tensor<4>, rectify: bool) -> Tensor<4> {
        let geometry = Conv2dGeometry {
            stride: self.conv.stride[0],
            padding: self.conv.kernel_size[0] / 2,
        };
        let x = conv2d(x, self.conv.weight.val(), geometry);
        let norm = &self.norm;
        // The same condition as in Burn's layer.
        if !(x.device().is_autodiff() && norm.training.is_enabled()) {
            let x = norm.forward(x);
            return if rectify { relu(x) } else { x };
        }
        let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
        let result = batch_norm_train(x, gamma, beta, norm.epsilon, rectify);
        for (running, batch) in [
            (&norm.running_mean, result.mean),
            (&norm.running_var, result.variance),
        ] {
            let previous = running.value_sync().to_device(&batch.device());
            let updated =
                previous.mul_scalar(1.0 - norm.momentum) + batch.mul_scalar(norm.momentum);
            running.update(updated.detach());
        }
        result.output
    }
}

/// Global average pooling.
///
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels]`
pub(crate) fn global_average(x: Tensor<4>) -> Tensor<2> {
    x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
}
