use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{is_worth_threads, run_tasks};
use crate::flex::simd_math::{sigmoid, silu, vectorized};
use crate::flex::tensors::{contiguous, tensor};

/// Cost of an element, in multiply-adds.
const COST: usize = 16;

/// Rows per task.
const ROWS: usize = 32;

pub(super) fn swiglu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    apply(SwiGlu, Inputs::new(input.into_dispatch(), vec![]))
}

/// Input: the concatenated gates and values.
#[derive(Debug)]
struct SwiGlu;

fn forward_rows(output: &mut [f32], input: &[f32], half: usize) {
    vectorized(
        #[inline(always)]
        || {
            let rows = output
                .chunks_exact_mut(half)
                .zip(input.chunks_exact(2 * half));
            for (output, input) in rows {
                let (gates, values) = input.split_at(half);
                for ((output, gate), value) in output.iter_mut().zip(gates).zip(values) {
                    *output = silu(*gate) * *value;
                }
            }
        },
    );
}

fn backward_rows(output: &mut [f32], input: &[f32], gradient: &[f32], half: usize) {
    vectorized(
        #[inline(always)]
        || {
            let rows = output
                .chunks_exact_mut(2 * half)
                .zip(input.chunks_exact(2 * half))
                .zip(gradient.chunks_exact(half));
            for ((output, input), gradient) in rows {
                let (gates, values) = input.split_at(half);
                let (gate_slopes, value_slopes) = output.split_at_mut(half);
                let inputs = gates.iter().zip(values).zip(gradient);
                let outputs = gate_slopes.iter_mut().zip(value_slopes);
                for ((gate_slope, value_slope), ((gate, value), gradient)) in outputs.zip(inputs) {
                    let sigmoid = sigmoid(*gate);
                    *value_slope = *gradient * *gate * sigmoid;
                    *gate_slope = *gradient * *value * sigmoid * (1.0 + *gate * (1.0 - sigmoid));
                }
            }
        },
    );
}

impl Operation for SwiGlu {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let input = contiguous(&inputs[0]);
        let mut shape = input.shape().to_vec();
        let width = shape.pop().unwrap_or_default();
        let half = width / 2;
        shape.push(half);
        let values = input.storage::<f32>();
        let mut output = vec![0.0; values.len() / 2];
        if output.is_empty() {
        } else if is_worth_threads(COST * output.len()) {
            let rows = output
                .chunks_mut(ROWS * half)
                .zip(values.chunks(ROWS * width));
            run_tasks(rows, true, |(output, input)| {
                forward_rows(output, input, half);
            });
        } else {
            forward_rows(&mut output, values, half);
        }
        tensor(output, shape)
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [input, gradient] = [&inputs[0], &gradient].map(contiguous);
        let width = input.shape().to_vec().pop().unwrap_or_default();
        let (values, gradient) = (input.storage::<f32>(), gradient.storage::<f32>());
        let mut output = vec![0.0; values.len()];
        if output.is_empty() {
        } else if is_worth_threads(COST * output.len()) {
            let rows = output
                .chunks_mut(ROWS * width)
                .zip(values.chunks(ROWS * width));
            let rows = rows.zip(gradient.chunks(ROWS * width / 2));
            run_tasks(rows, true, |((output, input), gradient)| {
                backward_rows(output, input, gradient, width / 2);
            });
        } else {
            backward_rows(&mut output, values, gradient, width / 2);
        }
        vec![Some(tensor(output, input.shape()))]
    }
}
