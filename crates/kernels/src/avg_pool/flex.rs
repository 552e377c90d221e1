use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::blocks::{collect_blocks, for_each_pixel};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, tensor};

/// Cost of an input element, in multiply-adds.
const COST: usize = 8;

/// Windows of `size` rows and columns that do not overlap. Input: `[batch, height, width, channels]`.
pub(super) fn avg_pool(input: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, height, width, channels] = input.dims();
    let input_size = [height, width];
    let output_size = [height / size[0], width / size[1]];
    assert!(
        output_size.iter().all(|&size| size > 0),
        "the window is larger than the input"
    );
    let operation = AvgPool {
        size,
        input_size,
        output_size,
        channels,
    };
    apply(operation, Inputs::new(input.into_dispatch(), vec![]))
}

/// Input: the images.
#[derive(Debug)]
struct AvgPool {
    /// Rows and columns of a window.
    size: [usize; 2],
    input_size: [usize; 2],
    output_size: [usize; 2],
    channels: usize,
}

impl AvgPool {
    fn factor(&self) -> f32 {
        1.0 / (self.size[0] * self.size[1]) as f32
    }

    /// Averages one row of windows. Each row of a window is summed on its own, for accuracy.
    #[inline(always)]
    fn pool_row(&self, row: usize, input: &[f32], output: &mut [f32], sums: &mut [f32]) {
        let ([height, width], channels) = (self.input_size, self.channels);
        let (image, y) = (row / self.output_size[0], row % self.output_size[0]);
        let factor = self.factor();
        for (x, output) in output.chunks_exact_mut(channels).enumerate() {
            output.fill(0.0);
            for y in y * self.size[0]..(y + 1) * self.size[0] {
                let start = ((image * height + y) * width + x * self.size[1]) * channels;
                let pixels = &input[start..start + self.size[1] * channels];
                add_pixels(pixels, sums);
                for (output, sum) in output.iter_mut().zip(&*sums) {
                    *output += *sum;
                }
            }
            for output in output {
                *output *= factor;
            }
        }
    }

    /// Computes a block of the gradient of the input.
    #[inline(always)]
    fn unpool_block(
        &self,
        elements: &std::ops::Range<usize>,
        gradient: &[f32],
        output: &mut [f32],
    ) {
        let ([height, width], channels) = (self.output_size, self.channels);
        let shape = [self.input_size[0], self.input_size[1], channels];
        let factor = self.factor();
        for_each_pixel(
            elements,
            shape,
            output,
            #[inline(always)]
            |[image, y, x], range, output| {
                let [y, x] = [y / self.size[0], x / self.size[1]];
                if y >= height || x >= width {
                    output.fill(0.0);
                    return;
                }
                let start = ((image * height + y) * width + x) * channels;
                let gradient = &gradient[start + range.start..start + range.end];
                for (output, gradient) in output.iter_mut().zip(gradient) {
                    *output = *gradient * factor;
                }
            },
        );
    }
}

/// Sums the channels of consecutive pixels.
#[inline(always)]
fn add_pixels(pixels: &[f32], sums: &mut [f32]) {
    let channels = sums.len();
    sums.fill(0.0);
    let pairs = pixels.chunks_exact(2 * channels);
    for (sum, value) in sums.iter_mut().zip(pairs.remainder()) {
        *sum = *value;
    }
    for pair in pairs {
        let (left, right) = pair.split_at(channels);
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += *left + *right;
        }
    }
}

impl Operation for AvgPool {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let [batch, ..]: [usize; 4] = inputs[0].shape().dims();
        let ([height, width], channels) = (self.output_size, self.channels);
        let input = contiguous(&inputs[0]);
        let input = input.storage::<f32>();
        let mut output = vec![0.0; batch * height * width * channels];
        let parallel = is_worth_threads(COST * input.len());
        for_each_chunk(&mut output, width * channels, parallel, |row, output| {
            let mut sums = Scratch::new(channels);
            vectorized(
                #[inline(always)]
                || self.pool_row(row, input, output, &mut sums),
            );
        });
        tensor(output, [batch, height, width, channels])
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [batch, ..]: [usize; 4] = gradient.shape().dims();
        let [height, width] = self.input_size;
        let shape = [batch, height, width, self.channels];
        let gradient = contiguous(&gradient);
        let gradient = gradient.storage::<f32>();
        let len = shape.iter().product();
        let output = collect_blocks(len, is_worth_threads(COST * len), |elements, output| {
            vectorized(
                #[inline(always)]
                || self.unpool_block(&elements, gradient, output),
            );
        });
        vec![Some(tensor(output, shape))]
    }
}
