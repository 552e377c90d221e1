//! Initial weights.
//!
//! Reference: He, Zhang, Ren and Sun, *Delving deep into rectifiers*, 2015,
//! <https://arxiv.org/abs/1502.01852>; Glorot and Bengio, *Understanding the difficulty of training
//! deep feedforward neural networks*, 2010, <https://proceedings.mlr.press/v9/glorot10a.html>.
//!
//! Burn draws a bias from the initializer of its weight; here, as in both papers, biases are zero.

use std::f64::consts::SQRT_2;

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::Device;

/// Preserves the variance of the activations through `ReLU` (He et al., equation 10).
pub(crate) const HE_FAN_IN: Initializer = Initializer::KaimingNormal {
    gain: SQRT_2,
    fan_out_only: false,
};

/// Preserves the variance of the gradients through `ReLU` (He et al., equation 14).
pub(crate) const HE_FAN_OUT: Initializer = Initializer::KaimingNormal {
    gain: SQRT_2,
    fan_out_only: true,
};

/// Compromise between both directions, for a layer that no `ReLU` follows (Glorot, equation 16).
pub(crate) const XAVIER: Initializer = Initializer::XavierUniform { gain: 1.0 };

/// Standard deviation of the weights of a Transformer (Radford et al., *Language models are unsupervised
/// multitask learners*, 2019; Devlin et al., *BERT*, 2019).
const TRANSFORMER_STD: f64 = 0.02;

/// Initializer of a Transformer.
pub(crate) const TRANSFORMER: Initializer = Initializer::Normal {
    mean: 0.0,
    std: TRANSFORMER_STD,
};

/// As [`TRANSFORMER`], for the last layer of a residual branch: scaled down by the number of
/// branches, two per layer, so that their sum does not grow (Radford et al., section 2.3).
pub(crate) fn transformer_residual(n_layers: usize) -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: TRANSFORMER_STD / (2.0 * n_layers.max(1) as f64).sqrt(),
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

/// Builds a linear layer without a bias, as before a normalization that subtracts the mean.
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

/// Uniform in ±1 / sqrt(inputs): the default of PyTorch, on which the published hyperparameters of
/// the tabular networks were tuned.
pub(crate) fn fan_in_uniform(d_input: usize) -> Initializer {
    let max = (d_input as f64).sqrt().recip();
    Initializer::Uniform { min: -max, max }
}

/// Builds a linear layer with weights and biases from [`fan_in_uniform`].
pub(crate) fn fan_in_linear(d_input: usize, d_output: usize, device: &Device) -> Linear {
    let bias = fan_in_uniform(d_input).init([d_output], device);
    Linear {
        bias: Some(bias),
        ..linear_without_bias(d_input, d_output, fan_in_uniform(d_input), device)
    }
}
