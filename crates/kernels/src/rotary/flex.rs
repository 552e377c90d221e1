use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::RotaryTable;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::into_contiguous;

/// Cost of an element, in multiply-adds.
const COST: usize = 8;

pub(super) fn apply_rotary(qkv: Tensor<3>, table: &RotaryTable, start: usize) -> Tensor<3> {
    let operation = Rotary {
        table: table.clone(),
        start,
    };
    apply(operation, Inputs::new(qkv.into_dispatch(), vec![]))
}

/// Input: the concatenated queries, keys and values.
#[derive(Debug)]
struct Rotary {
    table: RotaryTable,
    start: usize,
}

impl Rotary {
    /// Rotates in place if the storage is not shared; a `direction` of -1 is the inverse rotation.
    fn rotate(&self, qkv: FlexTensor, direction: f32) -> FlexTensor {
        let mut qkv = into_contiguous(qkv);
        let [_, seq, width] = qkv.shape().dims();
        let [cosines, sines] = self.table.slices(self.start, seq);
        let half = self.table.d_head() / 2;
        let values = qkv.storage_mut::<f32>();
        let parallel = is_worth_threads(COST * values.len());
        for_each_chunk(values, (seq * width).max(1), parallel, |_, item| {
            vectorized(
                #[inline(always)]
                || {
                    let angles = cosines.chunks_exact(half).zip(sines.chunks_exact(half));
                    for (row, (cosines, sines)) in item.chunks_exact_mut(width).zip(angles) {
                        for head in row[..2 * width / 3].chunks_exact_mut(2 * half) {
                            let (first, second) = head.split_at_mut(half);
                            let pairs = first.iter_mut().zip(second).zip(cosines.iter().zip(sines));
                            for ((first, second), (cosine, sine)) in pairs {
                                let sine = *sine * direction;
                                let rotated = [
                                    *first * *cosine - *second * sine,
                                    *second * *cosine + *first * sine,
                                ];
                                [*first, *second] = rotated;
                            }
                        }
                    }
                },
            );
        });
        qkv
    }
}

impl Operation for Rotary {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let qkv = inputs.into_iter().next();
        qkv.map_or_else(
            || unreachable!("it has one input"),
            |qkv| self.rotate(qkv, 1.0),
        )
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        vec![Some(self.rotate(gradient, -1.0))]
    }
}
