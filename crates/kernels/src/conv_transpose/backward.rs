//! The gradients: products with the gradient of the output, gathered by pixel of the input.

use std::ops::Range;

use rayon::prelude::*;

use super::shape::{Run, Shape};
use crate::flex::gemm::{Gemm, Matrix, PackedRhs, Rhs};
use crate::flex::parallel::{is_worth_threads, sum_vectors};
use crate::flex::scratch::Scratch;

/// Parts of the rows of a batch whose gradients of the weights are summed independently.
const PARTS: usize = 8;

/// Elements of a gathered gradient that stays in the second-level cache.
const GATHERED: usize = 1 << 17;

/// Inputs of the backward pass.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    pub(super) shape: &'a Shape,
    /// `[batch, height, width, channels_in]`
    pub(super) input: &'a [f32],
    /// `[kernel_height * kernel_width * channels_out, channels_in]`, if the gradient of the input is
    /// needed.
    pub(super) weight: Option<&'a PackedRhs>,
    /// `[batch, height_out, width_out, channels_out]`
    pub(super) gradient: &'a [f32],
    /// Whether the gradient of the weights is needed.
    pub(super) of_weight: bool,
}

impl Backward<'_> {
    /// Gradients of the input and of the weights,
    /// `[channels_in, kernel_height * kernel_width * channels_out]`.
    pub(super) fn run(self) -> [Vec<f32>; 2] {
        let shape = self.shape;
        let rows = shape.rows();
        let size = rows.div_ceil(PARTS).max(1);
        let row_in = shape.size_in[1] * shape.channels_in;
        let mut output = vec![0.0; rows * row_in];
        let len = shape.channels_in * shape.pixel_len();
        let part = |(index, output): (usize, &mut [f32])| {
            let first = index * size;
            let mut sums = vec![0.0; if self.of_weight { len } else { 0 }];
            self.part(first..(first + size).min(rows), output, &mut sums);
            sums
        };
        let chunk = (size * row_in).max(1);
        let parts: Vec<Vec<f32>> = if is_worth_threads(2 * shape.operations()) {
            let parts = output.par_chunks_mut(chunk).enumerate();
            parts.map(part).collect()
        } else {
            output.chunks_mut(chunk).enumerate().map(part).collect()
        };
        let of_weight = if self.of_weight {
            sum_vectors(&parts, len)
        } else {
            Vec::new()
        };
        [output, of_weight]
    }

    fn part(&self, rows: Range<usize>, output: &mut [f32], sums: &mut [f32]) {
        let shape = self.shape;
        let [_, width] = shape.size_in;
        let row_len = width * shape.pixel_len();
        let step = (GATHERED / row_len.max(1)).clamp(1, rows.len());
        let mut gathered = Scratch::new(step * row_len);
        let row_in = width * shape.channels_in;
        for (start, output) in rows
            .clone()
            .step_by(step)
            .zip(output.chunks_mut(step * row_in))
        {
            let count = output.len() / row_in;
            for (row, gathered) in (start..).zip(gathered.chunks_exact_mut(row_len).take(count)) {
                self.gather(row, gathered);
            }
            let gathered = &gathered[..count * row_len];
            self.of_input(gathered, output);
            if self.of_weight {
                self.of_weight(&self.input[start * row_in..], gathered, sums);
            }
        }
    }

    /// Copies what a row of the input needs of the gradient to `[width, pixel_len]`.
    fn gather(&self, row: usize, gathered: &mut [f32]) {
        let shape = self.shape;
        let (image, row) = (row / shape.size_in[0], row % shape.size_in[0]);
        let (len, kernel_len) = (shape.row_out(), shape.kernel_row());
        for kernel_row in 0..shape.kernel[0] {
            let parts = gathered
                .chunks_exact_mut(kernel_len)
                .skip(kernel_row)
                .step_by(shape.kernel[0]);
            let Some(source) = shape.target(row, kernel_row) else {
                parts.for_each(|part| part.fill(0.0));
                continue;
            };
            let start = (image * shape.size_out[0] + source) * len;
            let line = &self.gradient[start..start + len];
            for (column, part) in parts.enumerate() {
                let Run { output, start } = shape.run(column);
                let end = start + output.len();
                part[..start].fill(0.0);
                part[start..end].copy_from_slice(&line[output]);
                part[end..].fill(0.0);
            }
        }
    }

    fn of_input(&self, gathered: &[f32], output: &mut [f32]) {
        let Some(weight) = self.weight else { return };
        let shape = self.shape;
        Gemm {
            lhs: Matrix::new(gathered, shape.pixel_len()),
            rows: output.len() / shape.channels_in,
            rhs: Rhs::Packed(weight),
            columns: shape.channels_in,
            output,
            stride: shape.channels_in,
            accumulate: false,
        }
        .run();
    }

    fn of_weight(&self, input: &[f32], gathered: &[f32], sums: &mut [f32]) {
        let columns = self.shape.pixel_len();
        Gemm {
            lhs: Matrix::new(input, self.shape.channels_in).transposed(),
            rows: self.shape.channels_in,
            rhs: Rhs::Strided {
                matrix: Matrix::new(gathered, columns),
                depth: gathered.len() / columns,
            },
            columns,
            output: sums,
            stride: columns,
            accumulate: true,
        }
        .run();
    }
}
