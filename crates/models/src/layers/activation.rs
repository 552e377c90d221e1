//! Element-wise activation functions.

use std::f64::consts::FRAC_1_SQRT_2;
use std::fmt;

use burn::nn::Initializer;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::layers::init::{HE_FAN_IN, XAVIER};

/// Slope of leaky ReLU for negative inputs (Maas, Hannun and Ng, 2013).
const LEAKY_SLOPE: f64 = 0.01;

/// Element-wise activation function, serialized in kebab case: `leaky-relu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Rectified linear unit, `max(x, 0)`.
    Relu,
    /// Gaussian error linear unit, exact (Hendrycks and Gimpel, 2016, <https://arxiv.org/abs/1606.08415>).
    Gelu,
    /// Sigmoid-weighted linear unit, `x sigmoid(x)` (Elfwing et al., 2017, <https://arxiv.org/abs/1702.03118>).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// Leaky rectified linear unit with a slope of 0.01 for negative inputs.
    LeakyRelu,
}

impl Activation {
    /// Applies the function to every element.
    ///
    /// # Shapes
    ///
    /// - input: `[..]`
    /// - output: `[..]`, as the input
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::Gelu => gelu(x),
            Self::Silu => activation::silu(x),
            Self::Tanh => activation::tanh(x),
            Self::LeakyRelu => activation::leaky_relu(x, LEAKY_SLOPE),
        }
    }

    /// Initializer of the layer before the activation.
    ///
    /// GELU and `SiLU` use that of `ReLU`: the literature gives no gain for them.
    pub(crate) fn initializer(self) -> Initializer {
        match self {
            Self::Relu | Self::Gelu | Self::Silu => HE_FAN_IN,
            Self::Tanh => XAVIER,
            Self::LeakyRelu => Initializer::KaimingNormal {
                gain: (2.0 / (1.0 + LEAKY_SLOPE * LEAKY_SLOPE)).sqrt(),
                fan_out_only: false,
            },
        }
    }
}

/// From its definition: on some backends the gradient of Burn's `gelu` is that of an approximation.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let share = (x.clone() * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * share
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::LeakyRelu => "leaky-relu",
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::testing::assert_close;

    const ALL: [Activation; 5] = [
        Activation::Relu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Tanh,
        Activation::LeakyRelu,
    ];

    #[test]
    fn display_matches_the_serialized_name() {
        for activation in ALL {
            let written = serde_json::to_string(&activation).unwrap();
            assert_eq!(written, format!("\"{activation}\""));
            assert_eq!(
                serde_json::from_str::<Activation>(&written).unwrap(),
                activation
            );
        }
    }

    #[test]
    fn agrees_with_the_formulas() {
        // Each at -1 and 2; the Gaussian distribution function is tabulated: 0.158655, 0.977250.
        let expected = [
            [0.0, 2.0],
            [-0.158_655, 2.0 * 0.977_250],
            [-1.0 / (1.0 + 1_f32.exp()), 2.0 / (1.0 + (-2_f32).exp())],
            [(-1_f32).tanh(), 2_f32.tanh()],
            [-0.01, 2.0],
        ];
        for (activation, expected) in ALL.into_iter().zip(expected) {
            let x = Tensor::<1>::from_floats([-1.0, 2.0], &Device::flex());
            assert_close(activation.forward(x), &expected);
        }
    }
}
