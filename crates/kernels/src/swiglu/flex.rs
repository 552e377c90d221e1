use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::is_worth_threads;
use crate::flex::simd_math::{sigmoid, vectorized};
use crate::flex::tensors::{contiguous, tensor};

/// Multiplications that one number takes as long as.
const COST: usize = 16;

/// Rows of a task.
const ROWS: usize = 32;

pub(crate) fn gated_silu<const D: usize>(packed: Tensor<D>) -> Tensor<D> {
    apply(Gated, Inputs::new(packed.into_dispatch(), vec![]))
}

/// Input: gates and values side by side.
#[derive(Debug)]
struct Gated;

fn forward(output: &mut [f32], packed: &[f32], half: usize) {
    vectorized(
        #[inline(always)]
        || {
            let rows = output
                .chunks_exact_mut(half)
                .zip(packed.chunks_exact(2 * half));
            for (output, packed) in rows {
                let (gates, values) = packed.split_at(half);
                for ((output, gate), value) in output.iter_mut().zip(gates).zip(values) {
                    *output = *gate * sigmoid(*gate) * *value;
                }
            }
        },
    );
}

fn backward(output: &mut [f32], packed: &[f32], gradient: &[f32], half: usize) {
    vectorized(
        #[inline(always)]
        || {
            let rows = output
                .chunks_exact_mut(2 * half)
                .zip(packed.chunks_exact(2 * half))
                .zip(gradient.chunks_exact(half));
            for ((output, packed), gradient) in rows {
                let (gates, values) = packed.split_at(half);
                let (gate_slopes, value_slopes) = output.split_at_mut(half);
                let inputs = gates.iter().zip(values).zip(gradient);
                let outputs = gate_slopes.iter_mut().zip(value_slopes);
                for ((gate_slope, value_slope), ((gate, value), gradient)) in outputs.zip(inputs) {
                    let open = sigmoid(*gate);
                    *value_slope = *gradient * *gate * open;
                    *gate_slope = *gradient * *value * open * (1.0 + *gate * (1.0 - open));
                }
            }
        },
    );
}

impl Operation for Gated {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let packed = contiguous(&inputs[0]);
        let mut shape = packed.shape().to_vec();
        let width = shape.pop().unwrap_or_default();
        let half = width / 2;
        shape.push(half);
        let values = packed.storage::<f32>();
        let mut output = vec![0.0; values.len() / 2];
        if output.is_empty() {
        } else if is_worth_threads(COST * output.len()) {
            output
                .par_chunks_mut(ROWS * half)
                .zip(values.par_chunks(ROWS * width))
                .for_each(|(output, packed)| forward(output, packed, half));
        } else {
            forward(&mut output, values, half);
        }
        tensor(output, shape)
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [packed, gradient] = [&inputs[0], &gradient].map(contiguous);
        let width = packed.shape().to_vec().pop().unwrap_or_default();
        let (values, gradient) = (packed.storage::<f32>(), gradient.storage::<f32>());
        let mut output = vec![0.0; values.len()];
        if output.is_empty() {
        } else if is_worth_threads(COST * output.len()) {
            output
                .par_chunks_mut(ROWS * width)
                .zip(values.par_chunks(ROWS * width))
                .zip(gradient.par_chunks(ROWS * width / 2))
                .for_each(|((output, packed), gradient)| {
                    backward(output, packed, gradient, width / 2);
                });
        } else {
            backward(&mut output, values, gradient, width / 2);
        }
        vec![Some(tensor(output, packed.shape()))]
    }
}
