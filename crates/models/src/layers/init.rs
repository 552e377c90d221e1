//! How weights begin.
//!
//! Reference: He, Zhang, Ren and Sun, *Delving deep into rectifiers*, 2015,
//! <https://arxiv.org/abs/1502.01852>; Glorot and Bengio, *Understanding the difficulty of training
//! deep feedforward neural networks*, 2010, <https://proceedings.mlr.press/v9/glorot10a.html>.
//!
//! Burn draws a bias from the initializer of its weight; here, as in both papers, it begins at zero.

use std::f64::consts::SQRT_2;

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::Device;

/// Keeps the variance of the activations through a rectifier (He et al., equation 10).
pub(crate) const HE_FAN_IN: Initializer = Initializer::KaimingNormal {
    gain: SQRT_2,
    fan_out_only: false,
};

/// Keeps the variance of the gradients through a rectifier (He et al., equation 14).
pub(crate) const HE_FAN_OUT: Initializer = Initializer::KaimingNormal {
    gain: SQRT_2,
    fan_out_only: true,
};

/// Compromise between both directions, for a layer no rectifier follows (Glorot, equation 16).
pub(crate) const XAVIER: Initializer = Initializer::XavierUniform { gain: 1.0 };

/// Deviation of the weights of a Transformer (Radford et al., *Language models are unsupervised
/// multitask learners*, 2019; Devlin et al., *BERT*, 2019).
const DEVIATION: f64 = 0.02;

/// How the weights of a Transformer begin.
pub(crate) const SMALL: Initializer = Initializer::Normal {
    mean: 0.0,
    std: DEVIATION,
};

/// As [`SMALL`], for the last weights of a branch: each of `layers` layers adds two branches to the
/// same sum, which would grow otherwise (Radford et al., section 2.3).
pub(crate) fn smaller(layers: usize) -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: DEVIATION / (2.0 * layers.max(1) as f64).sqrt(),
    }
}

/// Builds a linear layer with zero biases.
pub(crate) fn linear(
    d_input: usize,
    d_output: usize,
    weights: Initializer,
    device: &Device,
) -> Linear {
    let bias = Initializer::Zeros.init([d_output], device);
    Linear {
        bias: Some(bias),
        ..linear_without_bias(d_input, d_output, weights, device)
    }
}

/// Builds a linear layer for a normalization that subtracts the mean anyway.
pub(crate) fn linear_without_bias(
    d_input: usize,
    d_output: usize,
    weights: Initializer,
    device: &Device,
) -> Linear {
    LinearConfig::new(d_input, d_output)
        .with_bias(false)
        .with_initializer(weights)
        .init(device)
}

/// Uniform within one over the root of the number of inputs, as PyTorch begins, and with it the
/// networks for tables whose published settings were found on it.
pub(crate) fn fan_in_uniform(d_input: usize) -> Initializer {
    let max = (d_input as f64).sqrt().recip();
    Initializer::Uniform { min: -max, max }
}

/// Builds a linear layer whose weights and biases begin as [`fan_in_uniform`].
pub(crate) fn fan_in_linear(d_input: usize, d_output: usize, device: &Device) -> Linear {
    let bias = fan_in_uniform(d_input).init([d_output], device);
    Linear {
        bias: Some(bias),
        ..linear_without_bias(d_input, d_output, fan_in_uniform(d_input), device)
    }
}
