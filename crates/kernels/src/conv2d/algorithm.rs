//! Which algorithm computes a convolution, and its weights.

use super::direct::{self, Pass};
use super::shape::Conv2dShape;
use super::weights::Axes;
use super::winograd::{self, Tiling, TransformedWeights};
use crate::flex::gemm::PackedRhs;

/// The weights as the algorithm for a shape reads them.
#[derive(Debug)]
pub(crate) enum Weights {
    Direct(PackedRhs),
    Winograd(TransformedWeights),
}

impl Weights {
    pub(crate) fn forward(shape: &Conv2dShape, weight: &[f32]) -> Self {
        if winograd::is_supported(shape) {
            let axes = Axes::forward(shape.channels_out, shape.channels_in, 9);
            let taps = std::array::from_fn(|tap| tap);
            Self::Winograd(TransformedWeights::new(axes, weight, &taps))
        } else {
            Self::Direct(shape.forward_weights(weight))
        }
    }

    /// Whether these are the weights for another batch or size of the images, too.
    pub(super) fn fits(&self, shape: &Conv2dShape) -> bool {
        match self {
            Self::Direct(_) => !winograd::is_supported(shape),
            Self::Winograd(_) => winograd::is_supported(shape),
        }
    }

    pub(crate) fn convolve(
        &self,
        shape: &Conv2dShape,
        input: &[f32],
        epilogue: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<f32> {
        match self {
            Self::Direct(weights) => {
                let sweep = shape.forward_sweep();
                direct::convolve(&[Pass { sweep, weights }], shape.batch, input, epilogue)
            }
            Self::Winograd(weights) => {
                winograd::convolve(&Tiling::forward(shape), weights, input, epilogue)
            }
        }
    }
}

/// Gradient of the input from that of the output.
pub(crate) fn input_gradient(shape: &Conv2dShape, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    if winograd::is_supported(shape) {
        let axes = Axes::backward(shape.channels_out, shape.channels_in, 9);
        let taps = std::array::from_fn(|tap| 8 - tap);
        let weights = TransformedWeights::new(axes, weight, &taps);
        return winograd::convolve(&Tiling::backward(shape), &weights, gradient, |_, _| ());
    }
    let sweeps = shape.backward_sweeps(weight);
    let passes = sweeps.iter().map(|(sweep, weights)| Pass {
        sweep: *sweep,
        weights,
    });
    let passes: Vec<Pass<'_>> = passes.collect();
    direct::convolve(&passes, shape.batch, gradient, |_, _| ())
}

/// Gradient of the weights from that of the output.
pub(crate) fn weight_gradient(shape: &Conv2dShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let channels_out = shape.channels_out;
    if winograd::is_supported(shape) {
        let tiling = Tiling::forward(shape);
        return winograd::weight_gradient(&tiling, input, gradient, channels_out);
    }
    let sweep = shape.forward_sweep();
    direct::weight_gradient(&sweep, shape.batch, input, gradient, channels_out)
}
