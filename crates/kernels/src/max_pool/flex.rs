use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData};

use super::windows::{Windows, pool_row, unpool_block};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::blocks::collect_blocks;
use crate::flex::parallel::{is_worth_threads, run_tasks};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, tensor};

/// Cost of an input element, in multiply-adds.
pub(super) const COST: usize = 8;

/// `PIXELS` is the number of pixels of a window. Input: `[batch, height, width, channels]`.
pub(super) fn max_pool<const PIXELS: usize>(input: Tensor<4>) -> Tensor<4> {
    let [_, height, width, channels] = input.dims();
    let operation = MaxPool(Windows::<PIXELS>::new([height, width], channels));
    apply(operation, Inputs::new(input.into_dispatch(), vec![]))
}

/// Input: the images. Saves the position of each maximum in its window.
#[derive(Debug)]
struct MaxPool<const PIXELS: usize>(Windows<PIXELS>);

impl<const PIXELS: usize> MaxPool<PIXELS> {
    fn pool<const POSITIONS: bool>(&self, input: &[f32], batch: usize) -> (Vec<f32>, Vec<u8>) {
        let windows = &self.0;
        let row = windows.output[1] * windows.channels;
        let len = batch * windows.output[0] * row;
        let mut output = vec![0.0_f32; len];
        let mut positions = vec![0_u8; if POSITIONS { len } else { 0 }];
        let absent = vec![f32::NEG_INFINITY; windows.channels];
        let visit = |(index, (output, positions)): (usize, (&mut [f32], &mut [u8]))| {
            vectorized(
                #[inline(always)]
                || {
                    let outputs = (&mut *output, &mut *positions);
                    pool_row::<PIXELS, POSITIONS>(windows, index, input, &absent, outputs);
                },
            );
        };
        // Without positions, each row has an empty slice of them.
        let positions_of_rows: Vec<&mut [u8]> = if POSITIONS {
            positions.chunks_mut(row).collect()
        } else {
            (0..len / row.max(1)).map(|_| Default::default()).collect()
        };
        let rows = output.chunks_mut(row.max(1)).zip(positions_of_rows);
        run_tasks(
            rows.enumerate(),
            is_worth_threads(COST * input.len()),
            visit,
        );
        (output, positions)
    }
}

impl<const PIXELS: usize> Operation for MaxPool<PIXELS> {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let [batch, ..]: [usize; 4] = inputs[0].shape().dims();
        let [height, width] = self.0.output;
        let shape = [batch, height, width, self.0.channels];
        let input = contiguous(&inputs[0]);
        let Some(saved) = saved else {
            return tensor(self.pool::<false>(input.storage(), batch).0, shape);
        };
        let (output, positions) = self.pool::<true>(input.storage(), batch);
        saved.push(FlexTensor::from_data(TensorData::new(positions, shape)));
        tensor(output, shape)
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [batch, ..]: [usize; 4] = gradient.shape().dims();
        let [height, width] = self.0.input;
        let shape = [batch, height, width, self.0.channels];
        let gradient = contiguous(&gradient);
        let sources = (gradient.storage::<f32>(), saved[0].storage::<u8>());
        let len = shape.iter().product();
        let parallel = is_worth_threads(COST * len);
        let output = collect_blocks(len, parallel, |elements, output| {
            vectorized(
                #[inline(always)]
                || unpool_block(&self.0, &elements, sources, output),
            );
        });
        vec![Some(tensor(output, shape))]
    }
}
