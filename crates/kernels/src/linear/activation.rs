//! What follows a linear layer, in the same pass over the rows.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Device;

use crate::dropout::mask::Mask;
use crate::flex::bias::{add_bias, add_bias_and_rectify};
use crate::flex::parallel::{CHUNK, is_worth_threads, run_tasks};
use crate::flex::simd_math::{gelu, gelu_derivative, vectorized};
use crate::flex::tensors::tensor;

/// Cost of GELU or its derivative, in multiply-adds.
const GELU_COST: usize = 32;

/// Cost of `ReLU`'s derivative, in multiply-adds.
const RELU_COST: usize = 4;

/// Follows a linear layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    None,
    Gelu,
    /// With or without dropout.
    Relu(Option<Mask>),
}

impl Activation {
    /// `ReLU` and dropout.
    pub(super) fn rectify(device: &Device, dropout_probability: f64) -> Self {
        Self::Relu((dropout_probability > 0.0).then(|| Mask::draw(device, dropout_probability)))
    }

    /// Whether the gradient is computed from the input.
    pub(super) fn saves_input(self) -> bool {
        matches!(self, Self::Gelu)
    }

    /// Whether the gradient is computed from the output.
    pub(super) fn saves_output(self) -> bool {
        matches!(self, Self::Relu(_))
    }

    /// Adds the bias to some rows and applies the function in place.
    pub(super) fn apply(self, first: usize, rows: &mut [f32], columns: usize, bias: &[f32]) {
        match self {
            Self::None => add_bias(rows, bias),
            Self::Gelu => {
                add_bias(rows, bias);
                gelu_in_place(rows);
            }
            Self::Relu(mask) => {
                add_bias_and_rectify(rows, columns, bias);
                if let Some(mask) = mask {
                    drop_out(mask, first, rows);
                }
            }
        }
    }

    /// Gradient of the input from that of the output and what was saved of them.
    pub(super) fn backward(self, gradient: FlexTensor, saved: &FlexTensor) -> FlexTensor {
        match self {
            Self::None => gradient,
            Self::Gelu => update(gradient, saved, GELU_COST, gelu_backward),
            Self::Relu(mask) => {
                let scale = mask.map_or(1.0, |mask| mask.scale);
                update(gradient, saved, RELU_COST, |gradient, output| {
                    relu_backward(gradient, output, scale);
                })
            }
        }
    }
}

fn gelu_backward(gradient: &mut [f32], input: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (gradient, input) in gradient.iter_mut().zip(input) {
                *gradient *= gelu_derivative(*input);
            }
        },
    );
}

/// What was dropped is zero as well, so that its gradient needs no mask.
fn relu_backward(gradient: &mut [f32], output: &[f32], scale: f32) {
    vectorized(
        #[inline(always)]
        || {
            // Not read again after each element is written.
            let factor = scale;
            for (gradient, output) in gradient.iter_mut().zip(output) {
                let scaled = *gradient * factor;
                *gradient = if *output <= 0.0 { 0.0 } else { scaled };
            }
        },
    );
}

/// Applies a mask to elements whose first has an index.
fn drop_out(mask: Mask, first: usize, values: &mut [f32]) {
    // Larger tensors repeat the mask.
    let first = first as u32;
    vectorized(
        #[inline(always)]
        || {
            let factors = mask;
            for (value, index) in values.iter_mut().zip(0_u32..) {
                *value *= factors.factor(first.wrapping_add(index));
            }
        },
    );
}

fn gelu_in_place(values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for value in &mut *values {
                *value = gelu(*value);
            }
        },
    );
}

/// GELU of each element.
pub(super) fn gelu_of(input: &FlexTensor) -> FlexTensor {
    let values = input.storage::<f32>();
    let mut output = vec![0.0; values.len()];
    let chunk = |(output, values): (&mut [f32], &[f32])| {
        vectorized(
            #[inline(always)]
            || {
                for (output, value) in output.iter_mut().zip(values) {
                    *output = gelu(*value);
                }
            },
        );
    };
    if is_worth_threads(GELU_COST * values.len()) {
        let chunks = output.chunks_mut(CHUNK).zip(values.chunks(CHUNK));
        run_tasks(chunks, true, chunk);
    } else {
        chunk((&mut output, values));
    }
    tensor(output, input.shape())
}

/// Applies a function to chunks of a gradient and of what was saved.
fn update(
    mut gradient: FlexTensor,
    saved: &FlexTensor,
    cost: usize,
    function: impl Fn(&mut [f32], &[f32]) + Sync,
) -> FlexTensor {
    let saved = saved.storage::<f32>();
    let values = gradient.storage_mut::<f32>();
    if is_worth_threads(cost * values.len()) {
        let chunks = values.chunks_mut(CHUNK).zip(saved.chunks(CHUNK));
        run_tasks(chunks, true, |(gradient, saved)| function(gradient, saved));
    } else {
        function(values, saved);
    }
    gradient
}
