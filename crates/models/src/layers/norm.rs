//! Layer and root-mean-square normalization, computed by the kernels of this project.
//!
//! The epsilon of Burn's layers is private. Structs and fields have Burn's names, so that weights are
//! converted to and from PyTorch's names.

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

/// Root-mean-square normalization (Zhang and Sennrich, 2019,
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
