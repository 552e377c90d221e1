#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
pub(crate) mod functions;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::FeatureMap;

/// An element-wise function after a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// `x`
    #[default]
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)` (Sandler et al., 2018, <https://arxiv.org/abs/1801.04381>).
    Relu6,
    /// `x * sigmoid(x)` (Elfwing, Uchibe and Doya, 2017, <https://arxiv.org/abs/1702.03118>).
    Silu,
    /// `x * relu6(x + 3) / 6` (Howard et al., 2019, <https://arxiv.org/abs/1905.02244>).
    HardSwish,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
}

/// Applies an [`Activation`] to every element; on Flex in place, if nothing else holds the input.
///
/// Where there is no derivative, the gradient is that of `PyTorch`: 0 at both ends of `ReLU6`.
pub fn activation(x: FeatureMap, activation: Activation) -> FeatureMap {
    if activation == Activation::Identity {
        return x;
    }
    #[cfg(feature = "flex")]
    let x = match x.try_channels_last() {
        Ok(x) => return FeatureMap::channels_last(flex::activation(x, activation)),
        Err(x) => x,
    };
    x.map(|x| by_burn(x, activation))
}

/// The logistic function of every element, `1 / (1 + exp(-x))`; on Flex in place, if nothing else holds the input.
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&x) {
        let shape = x.dims();
        let row = x.reshape([1, 1, 1, shape.iter().product()]);
        return flex::activation(row, Activation::Sigmoid).reshape(shape);
    }
    burn::tensor::activation::sigmoid(x)
}

/// Composed from Burn's operations.
pub(crate) fn by_burn(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => relu(x).clamp_max(6.0),
        Activation::Silu => x.clone() * burn::tensor::activation::sigmoid(x),
        Activation::HardSwish => x.clone() * relu(x + 3.0).clamp_max(6.0) / 6.0,
        Activation::Sigmoid => burn::tensor::activation::sigmoid(x),
    }
}
