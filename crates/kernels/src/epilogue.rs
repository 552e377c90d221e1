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

    /// Whether the kernels of Flex can run: nothing needs a gradient.
    #[cfg(feature = "flex")]
    pub(crate) fn is_supported(&self, input: &Tensor<4>, weight: &Tensor<4>) -> bool {
        let statistics = [&self.gamma, &self.beta, &self.mean, &self.variance];
        let residual = self.residual.as_ref();
        is_supported_untracked(input)
            && is_supported_untracked(weight)
            && statistics.into_iter().all(is_supported_untracked)
            && residual.is_none_or(|map| is_supported_untracked(&map.clone().into_nchw()))
    }

    /// Prepares the epilogue of an output, `[batch, height, width, channels]`, if
    /// [`is_supported`](Self::is_supported).
    #[cfg(feature = "flex")]
    pub(crate) fn prepare(self, shape_out: [usize; 4]) -> PreparedEpilogue {
        let affine = self.coefficients();
        let residual = self.residual.map(|residual| {
            let residual = residual.into_nchw().permute([0, 2, 3, 1]);
            assert_eq!(
                residual.dims(),
                shape_out,
                "the residual has another shape than the output"
            );
            contiguous(&into_flex(residual))
        });
        PreparedEpilogue {
            affine,
            residual,
            activation: self.activation,
        }
    }

    /// The normalization as an affine function.
    #[cfg(feature = "flex")]
    fn coefficients(&self) -> ChannelAffine {
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
        let (mut scale, mut shift): (Vec<f32>, Vec<f32>) =
            (0..gamma.len()).map(coefficients).unzip();
        if !scale.is_empty() {
            let pixels = MIN_PERIOD.div_ceil(scale.len());
            (scale, shift) = (scale.repeat(pixels), shift.repeat(pixels));
        }
        ChannelAffine { scale, shift }
    }
}

/// An [`Epilogue`] as numbers.
#[cfg(feature = "flex")]
pub(crate) struct PreparedEpilogue {
    affine: ChannelAffine,
    residual: Option<FlexTensor>,
    activation: Activation,
}

#[cfg(feature = "flex")]
impl PreparedEpilogue {
    /// Finishes some pixels of the output, `[pixels, channels]`, given the index of their first
    /// element.
    pub(crate) fn apply(&self, start: usize, pixels: &mut [f32]) {
        let residual = self.residual.as_ref();
        let residual =
            residual.map(|residual| &residual.storage::<f32>()[start..start + pixels.len()]);
        with_function!(self.activation, |function| vectorized(
            #[inline(always)]
            || self.affine.apply(pixels, residual, function),
        ));
    }
}

/// Elements that are finished by one loop, at least: one over the channels of a single pixel would be too short
/// for wide registers.
#[cfg(feature = "flex")]
const MIN_PERIOD: usize = 256;

/// `scale * x + shift` of each channel, repeated for some neighboring pixels.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
struct ChannelAffine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

#[cfg(feature = "flex")]
impl ChannelAffine {
    /// Replaces pixels, `[pixels, channels]`, by `function(scale * x + shift + residual)`.
    #[inline(always)]
    fn apply(&self, pixels: &mut [f32], residual: Option<&[f32]>, function: impl Function) {
        let period = self.scale.len().max(1);
        let mut residual = residual.map(|residual| residual.chunks(period));
        for pixels in pixels.chunks_mut(period) {
            let n = pixels.len();
            let (scale, shift) = (&self.scale[..n], &self.shift[..n]);
            if let Some(residual) = residual.as_mut().and_then(Iterator::next) {
                let residual = &residual[..n];
                for i in 0..n {
                    let value = pixels[i] * scale[i] + shift[i] + residual[i];
                    pixels[i] = function.value(value);
                }
            } else {
                for i in 0..n {
                    pixels[i] = function.value(pixels[i] * scale[i] + shift[i]);
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
            assert!(epilogue.is_supported(&input, &input));
            let pixels = contiguous(&into_flex(input.clone().permute([0, 2, 3, 1])));
            let mut pixels = pixels.storage::<f32>().to_vec();
            let prepared = epilogue.clone().prepare([2, 3, 5, channels]);
            let (first, rest) = pixels.split_at_mut(10 * channels);
            prepared.apply(0, first);
            prepared.apply(10 * channels, rest);
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
        let zeros = |device| Tensor::zeros([1, 1, 1, 2], device);
        assert!(epilogue.is_supported(&zeros(&plain), &zeros(&plain)));
        assert!(!epilogue.is_supported(&zeros(&tracked), &zeros(&plain)));
        assert!(!epilogue.is_supported(&zeros(&plain), &zeros(&tracked)));
    }
}
