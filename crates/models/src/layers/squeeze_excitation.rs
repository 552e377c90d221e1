//! Squeeze-and-excitation: every channel is weighed by what the whole image shows.
//!
//! Reference: Hu, Shen and Sun, *Squeeze-and-excitation networks*, 2018,
//! <https://arxiv.org/abs/1709.01507>.
//! Differs from it: a hard sigmoid, as in Howard et al., *Searching for `MobileNetV3`*, 2019,
//! <https://arxiv.org/abs/1905.02244>.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{FeatureMap, global_avg_pool};

use crate::layers::dense::project;
use crate::layers::init::{HE_FAN_OUT, linear};
use crate::summary::linear_parameters;

/// Configuration of a [`SqueezeExcitation`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SqueezeExcitationConfig {
    pub(crate) channels: usize,
    pub(crate) d_squeezed: usize,
}

impl SqueezeExcitationConfig {
    /// Initializes the weights on `device`.
    pub(crate) fn init(self, device: &Device) -> SqueezeExcitation {
        let layer = |d_input, d_output| linear(d_input, d_output, HE_FAN_OUT, device);
        SqueezeExcitation {
            reduce: layer(self.channels, self.d_squeezed),
            expand: layer(self.d_squeezed, self.channels),
        }
    }

    /// Counts the trainable parameters.
    pub(crate) fn parameters(self) -> usize {
        let reduce = linear_parameters(self.channels, self.d_squeezed, true);
        reduce.saturating_add(linear_parameters(self.d_squeezed, self.channels, true))
    }
}

/// Average pooling, two linear layers and a gate per channel.
#[derive(Module, Debug)]
pub(crate) struct SqueezeExcitation {
    reduce: Linear,
    expand: Linear,
}

impl SqueezeExcitation {
    /// Weighs the channels.
    ///
    /// - input and output: `[batch, channels, height, width]`
    pub(crate) fn forward(&self, x: FeatureMap) -> FeatureMap {
        let means = global_avg_pool(x.clone());
        let squeezed = relu(project(&self.reduce, means));
        let gates = hard_sigmoid(project(&self.expand, squeezed));
        x.scale_channels(gates)
    }
}

/// `relu6(x + 3) / 6`
pub(crate) fn hard_sigmoid(x: Tensor<2>) -> Tensor<2> {
    relu(x + 3.0).clamp_max(6.0) / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, values};

    #[test]
    fn channels_are_weighed_as_by_hand() {
        let device = Device::flex();
        let config = SqueezeExcitationConfig {
            channels: 3,
            d_squeezed: 2,
        };
        let layer = config.init(&device);
        let input = normal([2, 3, 2, 4], &device).mul_scalar(4.0);
        let x = values(input.clone());
        let matrices = [&layer.reduce, &layer.expand].map(|layer| values(layer.weight.val()));
        let product = |x: &[f32], weight: &[f32], d_output: usize| -> Vec<f32> {
            (0..d_output)
                .map(|o| {
                    x.iter()
                        .enumerate()
                        .map(|(i, x)| x * weight[i * d_output + o])
                        .sum()
                })
                .collect()
        };
        let expected: Vec<f32> = x
            .chunks(24)
            .flat_map(|image| {
                let means: Vec<f32> = image
                    .chunks(8)
                    .map(|c| c.iter().sum::<f32>() / 8.0)
                    .collect();
                let squeezed: Vec<f32> = product(&means, &matrices[0], 2)
                    .into_iter()
                    .map(|x| x.max(0.0))
                    .collect();
                let gates = product(&squeezed, &matrices[1], 3);
                let planes = image.chunks(8).zip(gates);
                planes
                    .flat_map(|(plane, gate)| {
                        let gate = ((gate + 3.0) / 6.0).clamp(0.0, 1.0);
                        plane.iter().map(move |x| x * gate).collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let output = layer.forward(FeatureMap::from_nchw(input));
        assert_close(output.into_nchw(), &expected);
    }
}
