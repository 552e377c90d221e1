use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, tensor};

pub(super) fn max_pool2x2(input: Tensor<4>) -> Tensor<4> {
    apply(MaxPool, Inputs::new(input.into_dispatch(), vec![]))
}

/// Input: the image.
#[derive(Debug)]
struct MaxPool;

/// Larger of two pixels; NaN propagates.
fn max(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() {
        second
    } else {
        first
    }
}

/// Marks the largest pixel of a window, the first one among equals.
#[expect(clippy::float_cmp, reason = "the maximum is one of them, to the bit")]
fn first_max(pixels: [f32; 4]) -> [bool; 4] {
    let [a, b, c, d] = pixels;
    let largest = a.max(b).max(c.max(d));
    let [a, b, c, d] = [a, b, c, d].map(|pixel| pixel == largest);
    [a, b && !a, c && !(a || b), d && !(a || b || c)]
}

/// Pools one channel of one image.
fn pool_plane(output: &mut [f32], input: &[f32], [width, width_out]: [usize; 2]) {
    for (y, row) in output.chunks_mut(width_out).enumerate() {
        let rows = &input[2 * y * width..2 * (y + 1) * width];
        let (upper, lower) = rows.split_at(width);
        let windows = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (value, (upper, lower)) in row.iter_mut().zip(windows) {
            *value = max(max(upper[0], upper[1]), max(lower[0], lower[1]));
        }
    }
}

/// Routes the gradient of one channel of one image to the largest pixels.
fn unpool_plane(output: &mut [f32], input: &[f32], gradient: &[f32], width: usize) {
    let rows = output
        .chunks_exact_mut(2 * width)
        .zip(input.chunks_exact(2 * width))
        .zip(gradient.chunks_exact(width / 2));
    for ((output, input), gradient) in rows {
        let (upper_out, lower_out) = output.split_at_mut(width);
        let (upper, lower) = input.split_at(width);
        let inputs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        let outputs = upper_out
            .chunks_exact_mut(2)
            .zip(lower_out.chunks_exact_mut(2));
        for (((upper_out, lower_out), (upper, lower)), &gradient) in
            outputs.zip(inputs).zip(gradient)
        {
            let pixels = [upper[0], upper[1], lower[0], lower[1]];
            let slopes = first_max(pixels).map(|is_max| if is_max { gradient } else { 0.0 });
            upper_out.copy_from_slice(&slopes[..2]);
            lower_out.copy_from_slice(&slopes[2..]);
        }
    }
}

impl Operation for MaxPool {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let [batch, channels, height, width] = inputs[0].shape().dims();
        let [height_out, width_out] = [height / 2, width / 2];
        assert!(
            height_out > 0 && width_out > 0,
            "the input is smaller than 2x2"
        );
        let input = contiguous(&inputs[0]);
        let mut output = vec![0.0_f32; batch * channels * height_out * width_out];
        output
            .par_chunks_mut(height_out * width_out)
            .zip(input.storage::<f32>().par_chunks(height * width))
            .for_each(|(output, input)| pool_plane(output, input, [width, width_out]));
        tensor(output, [batch, channels, height_out, width_out])
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape: [usize; 4] = inputs[0].shape().dims();
        let [batch, channels, height, width] = shape;
        let [input, gradient] = [&inputs[0], &gradient].map(contiguous);
        let gradient = gradient.storage::<f32>();
        let mut output = vec![0.0_f32; batch * channels * height * width];
        output
            .par_chunks_mut(height * width)
            .zip(input.storage::<f32>().par_chunks(height * width))
            .zip(gradient.par_chunks((height / 2) * (width / 2)))
            .for_each(|((output, input), gradient)| unpool_plane(output, input, gradient, width));
        vec![Some(tensor(output, shape))]
    }
}
