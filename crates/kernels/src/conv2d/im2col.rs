//! Convolution as im2col and a matrix product, on slices.
//!
//! Im2col copies an image to a matrix with one column per output pixel and one row per weight of a
//! filter. Whole rows of the image are copied at a time, so this costs little compared to the
//! product. Sums over the batch do not depend on the number of threads.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::Conv2dGeometry;
use super::shape::Conv2dShape;
use crate::flex::parallel::sum_vectors;

/// Columns that a matrix product should have at least: small images are merged into one product.
const MIN_COLUMNS: usize = 256;

/// Parts of a batch whose weight gradients are summed independently.
const MAX_PARTS: usize = 16;

/// Images per matrix product.
fn images_per_product(shape: &Conv2dShape) -> usize {
    (MIN_COLUMNS / shape.pixels_out().max(1)).clamp(1, shape.batch.max(1))
}

/// Maps the matrix to the image: calls `visit` with a row of the matrix, a range of its columns
/// and the index of the first of their pixels in the image, or `None` for padding.
fn for_each_run(shape: &Conv2dShape, mut visit: impl FnMut(usize, Range<usize>, Option<usize>)) {
    let Conv2dGeometry { stride, padding } = shape.geometry;
    let [height, width] = shape.size_in;
    let [height_out, width_out] = shape.size_out();
    let [kernel_height, kernel_width] = shape.kernel;
    let mut row = 0;
    for channel in 0..shape.channels_in {
        for ky in 0..kernel_height {
            for kx in 0..kernel_width {
                let valid = shape.valid_range(kx);
                for y_out in 0..height_out {
                    let start = y_out * width_out;
                    let y = y_out * stride + ky;
                    if y < padding || y >= height + padding || valid.is_empty() {
                        visit(row, start..start + width_out, None);
                        continue;
                    }
                    let line = (channel * height + y - padding) * width;
                    let x = valid.start * stride + kx - padding;
                    visit(row, start..start + valid.start, None);
                    visit(row, start + valid.start..start + valid.end, Some(line + x));
                    visit(row, start + valid.end..start + width_out, None);
                }
                row += 1;
            }
        }
    }
}

/// Copies one image to a matrix of `columns` columns, from column `first`.
fn im2col(shape: &Conv2dShape, image: &[f32], matrix: &mut [f32], columns: usize, first: usize) {
    let stride = shape.geometry.stride;
    for_each_run(shape, |row, range, source| {
        let start = row * columns + first;
        let target = &mut matrix[start + range.start..start + range.end];
        match source {
            None => target.fill(0.0),
            Some(at) if stride == 1 => {
                target.copy_from_slice(&image[at..at + target.len()]);
            }
            Some(at) => {
                let pixels = image[at..].iter().step_by(stride);
                for (target, pixel) in target.iter_mut().zip(pixels) {
                    *target = *pixel;
                }
            }
        }
    });
}

/// Sums the columns of a matrix into one image: the transpose of [`im2col`].
fn col2im(shape: &Conv2dShape, matrix: &[f32], columns: usize, first: usize, image: &mut [f32]) {
    let stride = shape.geometry.stride;
    for_each_run(shape, |row, range, target| {
        let Some(at) = target else { return };
        let start = row * columns + first;
        let source = &matrix[start + range.start..start + range.end];
        let pixels = if stride == 1 {
            &mut image[at..at + source.len()]
        } else {
            &mut image[at..]
        };
        for (pixel, value) in pixels.iter_mut().step_by(stride).zip(source) {
            *pixel += *value;
        }
    });
}

/// - input: `[batch, channels_in, height, width]`
/// - weight: `[channels_out, filter_len]`
/// - output: `[batch, channels_out, height_out, width_out]`
pub(super) fn forward(shape: &Conv2dShape, input: &[f32], weight: &[f32]) -> Vec<f32> {
    let images = images_per_product(shape);
    let pixels = shape.pixels_out();
    let weight = matrix(shape.channels_out, shape.filter_len(), weight);
    let mut output = vec![0.0; shape.batch * shape.image_len_out()];
    output
        .par_chunks_mut(images * shape.image_len_out())
        .zip(input.par_chunks(images * shape.image_len_in()))
        .for_each_init(Buffers::default, |buffers, (output, input)| {
            let columns = output.len() / shape.channels_out;
            let patches = im2col_batch(shape, input, &mut buffers.patches, columns);
            if columns == pixels {
                let mut output = matrix_mut(shape.channels_out, columns, output);
                general_mat_mul(1.0, &weight, &patches, 0.0, &mut output);
            } else {
                let merged = resized(&mut buffers.merged, output.len());
                let mut product = matrix_mut(shape.channels_out, columns, merged);
                general_mat_mul(1.0, &weight, &patches, 0.0, &mut product);
                split_images(shape, merged, columns, output);
            }
        });
    output
}

/// Gradient of the weights, `[channels_out, filter_len]`.
pub(super) fn weight_gradient(shape: &Conv2dShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let images = images_per_product(shape);
    let products = shape.batch.div_ceil(images);
    let part = images * products.div_ceil(MAX_PARTS).max(1);
    let sums: Vec<Vec<f32>> = input
        .par_chunks(part * shape.image_len_in())
        .zip(gradient.par_chunks(part * shape.image_len_out()))
        .map(|(input, gradient)| {
            let mut buffers = Buffers::default();
            let mut sum = vec![0.0; shape.channels_out * shape.filter_len()];
            let pairs = input
                .chunks(images * shape.image_len_in())
                .zip(gradient.chunks(images * shape.image_len_out()));
            for (input, gradient) in pairs {
                let columns = gradient.len() / shape.channels_out;
                let patches = im2col_batch(shape, input, &mut buffers.patches, columns);
                let gradient = merge_images(shape, gradient, &mut buffers.merged, columns);
                let mut sum = matrix_mut(shape.channels_out, shape.filter_len(), &mut sum);
                general_mat_mul(1.0, &gradient, &patches.t(), 1.0, &mut sum);
            }
            sum
        })
        .collect();
    sum_vectors(&sums, shape.channels_out * shape.filter_len())
}

/// Gradient of the input, `[batch, channels_in, height, width]`.
pub(super) fn input_gradient(shape: &Conv2dShape, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    let images = images_per_product(shape);
    let pixels = shape.pixels_out();
    let weight = matrix(shape.channels_out, shape.filter_len(), weight);
    let mut output = vec![0.0; shape.batch * shape.image_len_in()];
    output
        .par_chunks_mut(images * shape.image_len_in())
        .zip(gradient.par_chunks(images * shape.image_len_out()))
        .for_each_init(Buffers::default, |buffers, (output, gradient)| {
            let columns = gradient.len() / shape.channels_out;
            let gradient = merge_images(shape, gradient, &mut buffers.merged, columns);
            let patches = resized(&mut buffers.patches, shape.filter_len() * columns);
            let mut product = matrix_mut(shape.filter_len(), columns, patches);
            general_mat_mul(1.0, &weight.t(), &gradient, 0.0, &mut product);
            for (index, image) in output.chunks_mut(shape.image_len_in()).enumerate() {
                col2im(shape, patches, columns, index * pixels, image);
            }
        });
    output
}

fn im2col_batch<'a>(
    shape: &Conv2dShape,
    input: &[f32],
    buffer: &'a mut Vec<f32>,
    columns: usize,
) -> ArrayView2<'a, f32> {
    let pixels = shape.pixels_out();
    let patches = resized(buffer, shape.filter_len() * columns);
    for (index, image) in input.chunks(shape.image_len_in()).enumerate() {
        im2col(shape, image, patches, columns, index * pixels);
    }
    matrix(shape.filter_len(), columns, patches)
}

/// Concatenates images along the pixels: `[channels_out, columns]`.
fn merge_images<'a>(
    shape: &Conv2dShape,
    images: &'a [f32],
    buffer: &'a mut Vec<f32>,
    columns: usize,
) -> ArrayView2<'a, f32> {
    let pixels = shape.pixels_out();
    if columns == pixels {
        return matrix(shape.channels_out, columns, images);
    }
    let merged = resized(buffer, images.len());
    for (index, plane) in images.chunks(pixels).enumerate() {
        let (image, channel) = (index / shape.channels_out, index % shape.channels_out);
        let start = channel * columns + image * pixels;
        merged[start..start + pixels].copy_from_slice(plane);
    }
    matrix(shape.channels_out, columns, merged)
}

/// Inverse of [`merge_images`].
fn split_images(shape: &Conv2dShape, merged: &[f32], columns: usize, images: &mut [f32]) {
    let pixels = shape.pixels_out();
    for (index, plane) in images.chunks_mut(pixels).enumerate() {
        let (image, channel) = (index / shape.channels_out, index % shape.channels_out);
        let start = channel * columns + image * pixels;
        plane.copy_from_slice(&merged[start..start + pixels]);
    }
}

/// Buffers that a thread reuses.
#[derive(Default)]
struct Buffers {
    patches: Vec<f32>,
    merged: Vec<f32>,
}

fn resized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    &mut buffer[..len]
}

#[expect(clippy::expect_used, reason = "the lengths follow from `Conv2dShape`")]
fn matrix(rows: usize, columns: usize, values: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("matching shapes")
}

#[expect(clippy::expect_used, reason = "the lengths follow from `Conv2dShape`")]
fn matrix_mut(rows: usize, columns: usize, values: &mut [f32]) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("matching shapes")
}
