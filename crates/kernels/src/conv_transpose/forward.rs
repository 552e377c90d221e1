//! The output: a product, whose rows are added to the pixels they belong to.

use super::shape::{Run, Shape};
use crate::flex::gemm::{Gemm, Matrix, PackedRhs, Rhs};
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;
use crate::flex::simd_math::vectorized;

/// Elements of a product that stays in the second-level cache.
const PRODUCT: usize = 1 << 17;

/// Rows of the input per task.
const BAND: usize = 8;

/// - input: `[batch, height, width, channels_in]`
/// - weight: `[channels_in, kernel_height * kernel_width * channels_out]`
/// - output: `[batch, height_out, width_out, channels_out]`
pub(super) fn forward(shape: &Shape, input: &[f32], weight: Matrix<'_>) -> Vec<f32> {
    let mut output = vec![0.0; shape.shape_out().iter().product()];
    let parallel = is_worth_threads(shape.operations());
    if shape.is_disjoint() {
        disjoint(shape, input, weight, &mut output, parallel);
        return output;
    }
    let weight = PackedRhs::new(weight, [shape.channels_in, shape.pixel_len()]);
    // Bands within an image compute rows at their borders twice.
    let [height, row] = [shape.size_out[0], shape.row_out()];
    let bands = if parallel {
        (2 * rayon::current_num_threads()).div_ceil(shape.batch)
    } else {
        1
    };
    let band_rows = height.div_ceil(bands);
    for_each_chunk(&mut output, height * row, parallel, |image, output| {
        for_each_chunk(
            output,
            band_rows * row,
            parallel && bands > 1,
            |band, output| {
                let len = shape.size_in[0] * shape.size_in[1] * shape.channels_in;
                Band {
                    shape,
                    input: &input[image * len..(image + 1) * len],
                    weight: &weight,
                    first: band * band_rows,
                    output,
                }
                .run();
            },
        );
    });
    output
}

/// Rows of an image of the output.
struct Band<'a> {
    shape: &'a Shape,
    /// The image of the input.
    input: &'a [f32],
    weight: &'a PackedRhs,
    first: usize,
    output: &'a mut [f32],
}

impl Band<'_> {
    fn run(mut self) {
        let shape = self.shape;
        let [_, width] = shape.size_in;
        let row_len = width * shape.pixel_len();
        let rows = self.output.len() / shape.row_out();
        let sources = shape.sources(self.first..self.first + rows);
        let step = (PRODUCT / row_len).clamp(1, sources.len().max(1));
        let mut product = Scratch::new(step * row_len);
        for start in sources.clone().step_by(step) {
            let rows = step.min(sources.end - start);
            let input = &self.input[start * width * shape.channels_in..];
            Gemm {
                lhs: Matrix::new(input, shape.channels_in),
                rows: rows * width,
                rhs: Rhs::Packed(self.weight),
                columns: shape.pixel_len(),
                output: &mut product,
                stride: shape.pixel_len(),
                accumulate: false,
            }
            .run();
            for (row, product) in (start..start + rows).zip(product.chunks_exact(row_len)) {
                self.scatter(row, product);
            }
        }
    }

    /// Adds the product of a row of the input, `[width, kernel_height, kernel_width * channels]`.
    fn scatter(&mut self, row: usize, product: &[f32]) {
        let shape = self.shape;
        let len = shape.row_out();
        for kernel_row in 0..shape.kernel[0] {
            let Some(target) = shape.target(row, kernel_row) else {
                continue;
            };
            let Some(target) = target.checked_sub(self.first) else {
                continue;
            };
            let Some(output) = self.output.get_mut(target * len..(target + 1) * len) else {
                continue;
            };
            vectorized(
                #[inline(always)]
                || {
                    let pixels = product.chunks_exact(shape.pixel_len());
                    for (column, pixel) in pixels.enumerate() {
                        let Run {
                            output: range,
                            start,
                        } = shape.run(column);
                        let source = &pixel[kernel_row * shape.kernel_row() + start..];
                        for (output, value) in output[range].iter_mut().zip(source) {
                            *output += *value;
                        }
                    }
                },
            );
        }
    }
}

/// Each row of the output is one product: that of a row of the input and a row of the kernel.
fn disjoint(shape: &Shape, input: &[f32], weight: Matrix<'_>, output: &mut [f32], parallel: bool) {
    let [depth, columns] = [shape.channels_in, shape.kernel_row()];
    let pack = |row: usize| PackedRhs::new(weight.from(0, row * columns), [depth, columns]);
    let weights: Vec<PackedRhs> = (0..shape.kernel[0]).map(pack).collect();
    let row_in = shape.size_in[1] * depth;
    let rows_out = shape.kernel[0] * shape.row_out();
    for_each_chunk(output, BAND * rows_out, parallel, |band, output| {
        let input = &input[band * BAND * row_in..];
        for (input, output) in input
            .chunks_exact(row_in)
            .zip(output.chunks_exact_mut(rows_out))
        {
            for (weight, output) in weights.iter().zip(output.chunks_exact_mut(shape.row_out())) {
                Gemm {
                    lhs: Matrix::new(input, depth),
                    rows: shape.size_in[1],
                    rhs: Rhs::Packed(weight),
                    columns,
                    output,
                    stride: columns,
                    accumulate: false,
                }
                .run();
            }
        }
    });
}
