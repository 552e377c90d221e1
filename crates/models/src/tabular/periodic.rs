use std::f64::consts::TAU;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::layers::init::fan_in_uniform;

/// Cosines and sines of learned frequencies, a linear layer and `ReLU`.
#[derive(Module, Debug)]
pub(super) struct Periodic {
    /// In periods per unit of the column, `[n_numeric, n_frequencies]`.
    frequency: Param<Tensor<2>>,
    /// `[n_numeric, 2 * n_frequencies, d_embedding]`, or 1 instead of `n_numeric` if shared.
    weight: Param<Tensor<3>>,
    /// `[n_numeric, d_embedding]`, or 1 instead of `n_numeric` if shared.
    bias: Param<Tensor<2>>,
}

impl Periodic {
    /// With `[n_numeric, n_frequencies, d_embedding]`.
    pub(super) fn init([n, k, d]: [usize; 3], sigma: f64, lite: bool, device: &Device) -> Self {
        let layers = if lite { 1 } else { n };
        let frequencies = Initializer::Normal {
            mean: 0.0,
            std: sigma,
        };
        Self {
            frequency: frequencies.init([n, k], device),
            weight: fan_in_uniform(2 * k).init([layers, 2 * k, d], device),
            bias: fan_in_uniform(2 * k).init([layers, d], device),
        }
    }

    /// - input: `[n_numeric, batch, 1]`
    /// - output: `[n_numeric, batch, d_embedding]`
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let angle = x * (self.frequency.val() * TAU).unsqueeze_dim(1);
        let x = waves(angle).matmul(self.weight.val());
        relu(x + self.bias.val().unsqueeze_dim(1))
    }
}

/// Cosines of the last axis, then sines.
///
/// Each is the gradient of the other, and both are slow where they are not vectorized: through
/// `zero`, whose value is 0 and whose gradient is 1, the backward pass reuses them.
fn waves(angle: Tensor<3>) -> Tensor<3> {
    let fixed = angle.clone().detach();
    let (cos, sin) = (fixed.clone().cos(), fixed.clone().sin());
    if !angle.device().is_autodiff() {
        return Tensor::cat(vec![cos, sin], 2);
    }
    let zero = angle - fixed;
    let cosines = cos.clone() - sin.clone() * zero.clone();
    let sines = sin + cos * zero;
    Tensor::cat(vec![cosines, sines], 2)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{affine, rectified};
    use super::*;
    use crate::testing::{assert_close, normal, values};

    #[test]
    fn the_gradient_is_that_of_cosines_and_sines() {
        let device = Device::flex().autodiff();
        let angle: Tensor<3> = normal([2, 3, 4], &device).require_grad();
        let upstream: Tensor<3> = normal([2, 3, 8], &device);
        let gradient = |waves: Tensor<3>| {
            let gradients = (waves * upstream.clone()).sum().backward();
            angle.grad(&gradients).unwrap()
        };
        let direct = Tensor::cat(vec![angle.clone().cos(), angle.clone().sin()], 2);
        assert_close(waves(angle.clone()), &values(direct.clone()));
        assert_close(gradient(waves(angle.clone())), &values(gradient(direct)));
    }

    #[test]
    fn agrees_with_the_formula() {
        let device = Device::flex();
        let [n, k, d] = [2, 3, 4];
        for lite in [false, true] {
            let layer = Periodic::init([n, k, d], 0.7, lite, &device);
            let x = normal([n, 5, 1], &device);
            let frequency = values(layer.frequency.val());
            let (weight, bias) = (values(layer.weight.val()), values(layer.bias.val()));
            let mut expected = Vec::new();
            for (column, inputs) in values(x.clone()).chunks(5).enumerate() {
                let own = if lite { 0 } else { column };
                for x in inputs {
                    let own_frequency = &frequency[column * k..][..k];
                    let angles = own_frequency.iter().map(|f| std::f32::consts::TAU * f * x);
                    let waves: Vec<f32> = angles
                        .clone()
                        .map(f32::cos)
                        .chain(angles.map(f32::sin))
                        .collect();
                    let weight = &weight[own * 2 * k * d..][..2 * k * d];
                    expected.extend(rectified(affine(&waves, weight, &bias[own * d..][..d])));
                }
            }
            assert_close(layer.forward(x), &expected);
        }
    }
}
