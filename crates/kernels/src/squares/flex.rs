use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::tensors::{contiguous, tensor};

/// Cost of an element, in multiply-adds of a matrix product.
const COST: usize = 32;

/// - input: `[batch, channels, height, width]`
/// - output: `[batch, height / 2, width / 2, 4 * channels]`
pub(super) fn squares_to_channels(images: Tensor<4>) -> Tensor<4> {
    let shape = images.dims();
    apply(
        SquaresToChannels { shape },
        Inputs::new(images.into_dispatch(), vec![]),
    )
}

/// Input: the images.
#[derive(Debug)]
struct SquaresToChannels {
    /// Of the input.
    shape: [usize; 4],
}

impl Operation for SquaresToChannels {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let [batch, channels, height, width] = self.shape;
        let (rows, columns) = (height / 2, width / 2);
        let input = contiguous(&inputs[0]);
        let input = input.storage::<f32>();
        let mut output = vec![0.0; input.len()];
        let parallel = is_worth_threads(COST * input.len());
        let row_len = (4 * channels * columns).max(1);
        for_each_chunk(&mut output, row_len, parallel, |index, output| {
            let (image, row) = (index / rows, index % rows);
            for channel in 0..channels {
                for dy in 0..2 {
                    let line = (image * channels + channel) * height + 2 * row + dy;
                    let line = &input[line * width..(line + 1) * width];
                    let (pairs, _) = line.as_chunks::<2>();
                    let squares = output.chunks_exact_mut(4 * channels);
                    for (square, pair) in squares.zip(pairs) {
                        square[dy * channels + channel] = pair[0];
                        square[(2 + dy) * channels + channel] = pair[1];
                    }
                }
            }
        });
        tensor(output, [batch, rows, columns, 4 * channels])
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [_, channels, height, width] = self.shape;
        let (rows, columns) = (height / 2, width / 2);
        let gradient = contiguous(&gradient);
        let gradient = gradient.storage::<f32>();
        let mut output = vec![0.0; gradient.len()];
        let parallel = is_worth_threads(COST * gradient.len());
        for_each_chunk(&mut output, width.max(1), parallel, |line, output| {
            let (plane, y) = (line / height, line % height);
            let (image, channel) = (plane / channels, plane % channels);
            let row = image * rows + y / 2;
            for (x, value) in output.iter_mut().enumerate() {
                let square = (row * columns + x / 2) * 4 * channels;
                *value = gradient[square + (2 * (x % 2) + y % 2) * channels + channel];
            }
        });
        vec![Some(tensor(output, self.shape))]
    }
}
