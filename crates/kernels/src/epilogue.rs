//! What follows a convolution at inference.

#[cfg(feature = "flex")]
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::activation::by_burn;
#[cfg(feature = "flex")]
use crate::activation::functions::{Function, with_function};
#[cfg(feature = "flex")]
use crate::flex::simd_math::vectorized;
#[cfg(feature = "flex")]
use crate::flex::tensors::{contiguous, into_flex, is_supported_untracked};
use crate::{Activation, FeatureMap};

/// Batch normalization with stored statistics, an optional residual and an activation: at inference
/// they are computed while the output of the convolution is still in registers.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Scale of the normalization, `[channels]`.
    pub gamma: Tensor<1>,
    /// Shift of the normalization, `[channels]`.
    pub beta: Tensor<1>,
    /// Running mean, `[channels]`.
    pub mean: Tensor<1>,
    /// Running variance, `[channels]`.
    pub variance: Tensor<1>,
    /// Added to the variance.
    pub epsilon: f64,
    /// Added to the normalized output, before the activation.
    pub residual: Option<FeatureMap>,
    /// Applied last.
    pub activation: Activation,
}

impl Epilogue {
    /// Applies everything with Burn's operations.
    pub(crate) fn by_burn(self, x: FeatureMap) -> FeatureMap {
        let [_, channels, _, _] = x.dims();
        let x = x.into_nchw();
        let scale = self.gamma * (self.variance + self.epsilon).sqrt().recip();
        let shift = self.beta - self.mean * scale.clone();
        let shape = [1, channels, 1, 1];
        let x = x * scale.reshape(shape) + shift.reshape(shape);
        let x = match self.residual {
            Some(residual) => x + residual.into_nchw(),
            None => x,
        };
        FeatureMap::from_nchw(by_burn(x, self.activation))
    }

    /// Whether [`coefficients`](Self::coefficients) can be computed and nothing needs a gradient.
    #[cfg(feature = "flex")]
    pub(crate) fn is_supported(&self, input: &Tensor<4>) -> bool {
        let statistics = [&self.gamma, &self.beta, &self.mean, &self.variance];
        let residual = self.residual.as_ref();
        is_supported_untracked(input)
            && statistics.into_iter().all(is_supported_untracked)
            && residual.is_none_or(|map| is_supported_untracked(&map.clone().into_nchw()))
    }

    /// The normalization as an affine function, if [`is_supported`](Self::is_supported).
    #[cfg(feature = "flex")]
    pub(crate) fn coefficients(&self) -> ChannelAffine {
        let values = |tensor: &Tensor<1>| contiguous(&into_flex(tensor.clone()));
        let [gamma, beta, mean, variance] =
            [&self.gamma, &self.beta, &self.mean, &self.variance].map(values);
        let [gamma, beta, mean, variance] =
            [&gamma, &beta, &mean, &variance].map(FlexTensor::storage::<f32>);
        let coefficients = |channel: usize| {
            let variance = f64::from(variance[channel]) + self.epsilon;
            let scale = f64::from(gamma[channel]) / variance.sqrt();
            let shift = f64::from(beta[channel]) - f64::from(mean[channel]) * scale;
            (scale as f32, shift as f32)
        };
        let (scale, shift) = (0..gamma.len()).map(coefficients).unzip();
        ChannelAffine { scale, shift }
    }

    /// The residual as `[batch, height, width, channels]`, in row-major order.
    #[cfg(feature = "flex")]
    pub(crate) fn residual(&self) -> Option<FlexTensor> {
        let residual = self.residual.clone()?;
        let residual = residual.into_nchw().permute([0, 2, 3, 1]);
        Some(contiguous(&into_flex(residual)))
    }
}

/// `scale * x + shift` of each channel.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
pub(crate) struct ChannelAffine {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

#[cfg(feature = "flex")]
impl ChannelAffine {
    /// Replaces pixels, `[pixels, channels]`, by `activation(scale * x + shift + residual)`.
    pub(crate) fn apply(
        &self,
        pixels: &mut [f32],
        residual: Option<&[f32]>,
        activation: Activation,
    ) {
        with_function!(activation, |function| vectorized(
            #[inline(always)]
            || self.apply_function(pixels, residual, function),
        ));
    }

    /// As [`apply`](Self::apply), for a caller that is vectorized.
    #[inline(always)]
    pub(crate) fn apply_function(
        &self,
        pixels: &mut [f32],
        residual: Option<&[f32]>,
        function: impl Function,
    ) {
        let channels = self.scale.len();
        let shift = &self.shift[..channels];
        let mut residual = residual.map(|residual| residual.chunks_exact(channels));
        for pixel in pixels.chunks_exact_mut(channels) {
            if let Some(residual) = residual.as_mut().and_then(Iterator::next) {
                for i in 0..channels {
                    let value = pixel[i] * self.scale[i] + shift[i] + residual[i];
                    pixel[i] = function.value(value);
                }
            } else {
                for i in 0..channels {
                    pixel[i] = function.value(pixel[i] * self.scale[i] + shift[i]);
                }
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn epilogue(channels: usize, residual: Option<FeatureMap>) -> Epilogue {
        let device = Device::flex();
        let vector = |start: f32, step: f32| {
            let values: Vec<f32> = (0..channels).map(|i| start + step * i as f32).collect();
            Tensor::from_data(TensorData::new(values, [channels]), &device)
        };
        Epilogue {
            gamma: vector(0.5, 0.1),
            beta: vector(-1.0, 0.2),
            mean: vector(3.0, -0.3),
            variance: vector(0.1, 0.05),
            epsilon: 1e-5,
            residual,
            activation: Activation::HardSwish,
        }
    }

    fn sines(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i as f32).sin()).collect()
    }

    #[test]
    fn coefficients_equal_burns_operations() {
        let device = Device::flex();
        for (channels, with_residual) in [(1, true), (3, false), (16, true), (67, true)] {
            let shape = [2, channels, 3, 5];
            let values = TensorData::new(sines(30 * channels), shape);
            let input = Tensor::<4>::from_data(values, &device);
            let residual = with_residual.then(|| FeatureMap::from_nchw(input.clone().cos()));
            let epilogue = epilogue(channels, residual);
            assert!(epilogue.is_supported(&input));
            let pixels = contiguous(&into_flex(input.clone().permute([0, 2, 3, 1])));
            let mut pixels = pixels.storage::<f32>().to_vec();
            let residual = epilogue.residual();
            let residual = residual.as_ref().map(FlexTensor::storage::<f32>);
            let affine = epilogue.coefficients();
            affine.apply(&mut pixels, residual, Activation::HardSwish);
            let expected = epilogue.by_burn(FeatureMap::from_nchw(input));
            let expected = expected.into_nchw().permute([0, 2, 3, 1]).into_data();
            for (ours, burns) in pixels.iter().zip(expected.iter::<f32>()) {
                let error = (ours - burns).abs() / burns.abs().max(1.0);
                assert!(error < 1e-5, "{ours} is not {burns}");
            }
        }
    }

    #[test]
    fn a_gradient_excludes_the_kernel() {
        let (plain, tracked) = (Device::flex(), Device::flex().autodiff());
        let epilogue = epilogue(2, None);
        assert!(epilogue.is_supported(&Tensor::zeros([1, 1, 1, 2], &plain)));
        assert!(!epilogue.is_supported(&Tensor::zeros([1, 1, 1, 2], &tracked)));
    }
}
