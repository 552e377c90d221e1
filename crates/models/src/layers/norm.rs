//! Normalizations of a row over its features, by way of our kernels.
//!
//! Burn's own layers keep their epsilon to themselves. The names of the structs and their fields are
//! Burn's, so that weights are written and read under the names of PyTorch.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{layer_norm, rms_norm};

/// Layer normalization (Ba, Kiros and Hinton, 2016, <https://arxiv.org/abs/1607.06450>).
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    pub(crate) gamma: Param<Tensor<1>>,
    pub(crate) beta: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(d_model: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([d_model], device),
            beta: Initializer::Zeros.init([d_model], device),
            epsilon,
        }
    }

    /// - input and output: `[.., d_model]`
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.gamma.val(), self.beta.val(), self.epsilon)
    }
}

/// Normalization by the root mean square (Zhang and Sennrich, 2019,
/// <https://arxiv.org/abs/1910.07467>).
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    pub(crate) gamma: Param<Tensor<1>>,
    epsilon: f64,
}

impl RmsNorm {
    pub(crate) fn new(d_model: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([d_model], device),
            epsilon,
        }
    }

    /// - input and output: `[.., d_model]`
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        rms_norm(x, self.gamma.val(), self.epsilon)
    }
}
