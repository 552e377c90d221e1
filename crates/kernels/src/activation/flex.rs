use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::Activation;
use super::functions::{Function, with_function};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::blocks::{change_blocks, collect_blocks};
use crate::flex::parallel::is_worth_threads;
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, into_contiguous, tensor};

/// Cost of an element, in multiply-adds.
const COST: usize = 16;

pub(super) fn activation(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    apply(Apply(activation), Inputs::new(x.into_dispatch(), vec![]))
}

/// Input: the values.
#[derive(Debug)]
struct Apply(Activation);

fn change(values: &mut [f32], function: impl Function) {
    let parallel = is_worth_threads(COST * values.len());
    change_blocks(values, parallel, |_, values| {
        vectorized(
            #[inline(always)]
            || {
                for value in &mut *values {
                    *value = function.value(*value);
                }
            },
        );
    });
}

fn collect(input: &[f32], function: impl Function) -> Vec<f32> {
    let parallel = is_worth_threads(COST * input.len());
    collect_blocks(input.len(), parallel, |elements, output| {
        let input = &input[elements];
        vectorized(
            #[inline(always)]
            || {
                for (output, input) in output.iter_mut().zip(input) {
                    *output = function.value(*input);
                }
            },
        );
    })
}

fn change_gradient(gradient: &mut [f32], input: &[f32], function: impl Function) {
    let parallel = is_worth_threads(COST * input.len());
    change_blocks(gradient, parallel, |elements, gradient| {
        let input = &input[elements];
        vectorized(
            #[inline(always)]
            || {
                for (gradient, input) in gradient.iter_mut().zip(input) {
                    *gradient = function.gradient(*input, *gradient);
                }
            },
        );
    });
}

impl Operation for Apply {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let mut inputs = inputs.into_iter();
        let input = inputs.next().unwrap_or_else(|| tensor(Vec::new(), [0]));
        let mut input = into_contiguous(input);
        // In place if nobody else reads the storage.
        if let Some(values) = input.try_storage_mut::<f32>() {
            with_function!(self.0, |function| change(values, function));
            return input;
        }
        let values = input.storage::<f32>();
        let values = with_function!(self.0, |function| collect(values, function));
        tensor(values, input.shape())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let input = contiguous(&inputs[0]);
        let input = input.storage::<f32>();
        let mut gradient = into_contiguous(gradient);
        let values = gradient.storage_mut::<f32>();
        with_function!(self.0, |function| change_gradient(values, input, function));
        vec![Some(gradient)]
    }
}
