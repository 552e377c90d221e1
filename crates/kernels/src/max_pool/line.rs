//! Max pooling along one axis with stride 1.

use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData};

use super::flex::COST;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{for_each_chunk, is_worth_threads, run_tasks};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, tensor};

/// Pools windows of `side` positions along an axis of an input, `[batch, height, width, channels]`.
pub(super) fn max_pool_line(input: Tensor<4>, axis: usize, side: usize) -> Tensor<4> {
    let shape = input.dims();
    let lines = Lines {
        len: shape[axis],
        inner: shape[axis + 1..].iter().product(),
        reach: side / 2,
    };
    let operation = MaxPoolLine { shape, lines };
    apply(operation, Inputs::new(input.into_dispatch(), vec![]))
}

/// Positions along the axis, each of `inner` elements, one line after the other.
#[derive(Clone, Copy, Debug)]
struct Lines {
    len: usize,
    inner: usize,
    /// Positions of a window on each side of its center.
    reach: usize,
}

impl Lines {
    /// The positions of the window around one.
    fn window(self, center: usize) -> std::ops::Range<usize> {
        center.saturating_sub(self.reach)..(center + self.reach + 1).min(self.len)
    }

    /// The elements of a position.
    fn at<T>(self, line: &[T], position: usize) -> &[T] {
        &line[position * self.inner..][..self.inner]
    }
}

/// Input: the images. Saves where in its window each maximum is.
#[derive(Debug)]
struct MaxPoolLine {
    shape: [usize; 4],
    lines: Lines,
}

impl MaxPoolLine {
    fn pool(&self, input: &[f32], positions: &mut [u8]) -> Vec<f32> {
        let lines = self.lines;
        let size = (lines.len * lines.inner).max(1);
        let mut output = vec![0.0; input.len()];
        let is_kept = !positions.is_empty();
        let mut kept = positions.chunks_mut(size);
        let tasks: Vec<_> = input
            .chunks(size)
            .zip(output.chunks_mut(size))
            .map(|(input, output)| (input, output, kept.next().unwrap_or_default()))
            .collect();
        let parallel = is_worth_threads(COST * input.len());
        run_tasks(tasks.into_iter(), parallel, |(input, output, kept)| {
            let mut kept = kept.chunks_mut(lines.inner);
            for (center, output) in output.chunks_mut(lines.inner).enumerate() {
                let kept = kept.next().unwrap_or_default();
                vectorized(
                    #[inline(always)]
                    || {
                        if is_kept {
                            lines.largest::<true>(input, center, output, kept);
                        } else {
                            lines.largest::<false>(input, center, output, kept);
                        }
                    },
                );
            }
        });
        output
    }
}

impl Lines {
    /// The maximum of each element of a window, and its position: the first among equals. The last NaN wins, as
    /// in `PyTorch`.
    #[inline(always)]
    fn largest<const POSITIONS: bool>(
        self,
        line: &[f32],
        center: usize,
        output: &mut [f32],
        positions: &mut [u8],
    ) {
        let window = self.window(center);
        let start = window.start;
        output.copy_from_slice(self.at(line, start));
        if POSITIONS {
            positions.fill((start + self.reach - center) as u8);
        }
        for position in start + 1..window.end {
            let values = &self.at(line, position)[..output.len()];
            let offset = (position + self.reach - center) as u8;
            if POSITIONS {
                let positions = &mut positions[..output.len()];
                for i in 0..output.len() {
                    let wins = (values[i] > output[i]) | values[i].is_nan();
                    output[i] = if wins { values[i] } else { output[i] };
                    positions[i] = if wins { offset } else { positions[i] };
                }
            } else {
                for (output, &value) in output.iter_mut().zip(values) {
                    let wins = (value > *output) | value.is_nan();
                    *output = if wins { value } else { *output };
                }
            }
        }
    }

    /// The gradient of a position: that of each window whose maximum it is.
    #[inline(always)]
    fn routed(self, position: usize, (gradient, positions): (&[f32], &[u8]), output: &mut [f32]) {
        // A window contains a position if its center is in the window around that position.
        for center in self.window(position) {
            let gradient = &self.at(gradient, center)[..output.len()];
            let positions = &self.at(positions, center)[..output.len()];
            let offset = (position + self.reach - center) as u8;
            for i in 0..output.len() {
                output[i] += if positions[i] == offset {
                    gradient[i]
                } else {
                    0.0
                };
            }
        }
    }
}

impl Operation for MaxPoolLine {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let input = contiguous(&inputs[0]);
        let input = input.storage::<f32>();
        let len = input.len();
        let mut positions = vec![0; if saved.is_some() { len } else { 0 }];
        let output = self.pool(input, &mut positions);
        if let Some(saved) = saved {
            saved.push(FlexTensor::from_data(TensorData::new(
                positions, self.shape,
            )));
        }
        tensor(output, self.shape)
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let lines = self.lines;
        let gradient = contiguous(&gradient);
        let (gradient, positions) = (gradient.storage::<f32>(), saved[0].storage::<u8>());
        let size = (lines.len * lines.inner).max(1);
        let mut output = vec![0.0; gradient.len()];
        let parallel = is_worth_threads(COST * gradient.len());
        for_each_chunk(&mut output, size, parallel, |line, output| {
            let elements = line * size..line * size + output.len();
            let source = (&gradient[elements.clone()], &positions[elements]);
            for (position, output) in output.chunks_mut(lines.inner).enumerate() {
                vectorized(
                    #[inline(always)]
                    || lines.routed(position, source, output),
                );
            }
        });
        vec![Some(tensor(output, self.shape))]
    }
}
