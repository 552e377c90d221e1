use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::mask::Mask;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{CHUNK, for_each_chunk, is_worth_threads};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{into_contiguous, tensor};

/// Cost of an element, in multiply-adds.
const COST: usize = 16;

/// `residual + dropout(branch)`, or `dropout(branch)` without a residual.
pub(super) fn dropout_add<const D: usize>(
    residual: Option<Tensor<D>>,
    branch: Tensor<D>,
    probability: f64,
) -> Tensor<D> {
    let operation = DropoutAdd(Mask::draw(&branch.device(), probability));
    let others = Vec::from_iter(residual.map(Tensor::into_dispatch));
    apply(operation, Inputs::new(branch.into_dispatch(), others))
}

/// Inputs: the branch, and optionally the residual.
#[derive(Debug)]
struct DropoutAdd(Mask);

impl DropoutAdd {
    /// Applies the mask to a chunk in place and adds the residual.
    fn apply_chunk(&self, chunk: usize, values: &mut [f32], residual: Option<&[f32]>) {
        let first = (chunk * CHUNK) as u32;
        vectorized(
            #[inline(always)]
            || {
                let mask = self.0;
                for (value, index) in values.iter_mut().zip(0_u32..) {
                    *value *= mask.factor(first.wrapping_add(index));
                }
                for (value, residual) in values.iter_mut().zip(residual.unwrap_or_default()) {
                    *value += *residual;
                }
            },
        );
    }

    fn apply_mask(&self, branch: FlexTensor, residual: Option<&FlexTensor>) -> FlexTensor {
        let mut branch = into_contiguous(branch);
        let values = branch.storage_mut::<f32>();
        let residual = residual.map(FlexTensor::storage::<f32>);
        let parallel = is_worth_threads(COST * values.len());
        for_each_chunk(values, CHUNK, parallel, |chunk, values| {
            let start = chunk * CHUNK;
            let residual =
                residual.map(|residual| &residual[start..(start + CHUNK).min(residual.len())]);
            self.apply_chunk(chunk, values, residual);
        });
        branch
    }
}

impl Operation for DropoutAdd {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let mut inputs = inputs.into_iter();
        let branch = inputs.next();
        let residual = inputs.next().map(into_contiguous);
        let branch = branch.unwrap_or_else(|| tensor(Vec::new(), [0]));
        self.apply_mask(branch, residual.as_ref())
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let residual = needs_grad.get(1).map(|_| gradient.clone());
        let branch = needs_grad[0].then(|| self.apply_mask(gradient, None));
        vec![branch, residual]
    }
}
