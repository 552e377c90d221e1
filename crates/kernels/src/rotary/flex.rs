use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::RotaryTable;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::owned;

/// Multiplications that one number takes as long as.
const COST: usize = 8;

pub(crate) fn rotate(packed: Tensor<3>, table: &RotaryTable, start: usize) -> Tensor<3> {
    let operation = Rotate {
        table: table.clone(),
        start,
    };
    apply(operation, Inputs::new(packed.into_dispatch(), vec![]))
}

#[derive(Debug)]
struct Rotate {
    table: RotaryTable,
    start: usize,
}

impl Rotate {
    /// Turns in place, if nobody else has the tensor; by the opposite angle in direction -1.
    fn turn(&self, packed: FlexTensor, direction: f32) -> FlexTensor {
        let mut packed = owned(packed);
        let [_, seq, width] = packed.shape().dims();
        let [cosines, sines] = self.table.slices(self.start, seq);
        let half = self.table.d_head() / 2;
        let values = packed.storage_mut::<f32>();
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
                                let turned = [
                                    *first * *cosine - *second * sine,
                                    *second * *cosine + *first * sine,
                                ];
                                [*first, *second] = turned;
                            }
                        }
                    }
                },
            );
        });
        packed
    }
}

impl Operation for Rotate {
    fn keeps_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let packed = inputs.into_iter().next();
        packed.map_or_else(
            || unreachable!("it has one input"),
            |packed| self.turn(packed, 1.0),
        )
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        vec![Some(self.turn(gradient, -1.0))]
    }
}
