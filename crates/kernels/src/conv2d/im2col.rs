//! Convolution as matrix products, on plain slices.
//!
//! A plane is unrolled to a matrix with one column per output pixel and one row per weight of a
//! filter. Rows of the image are copied whole, so unrolling costs little beside the product.
//! Sums over the batch are made in an order that does not depend on the number of threads.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::Walk;

/// Columns that make a product worth its overhead: small planes are joined until they have these.
const COLUMNS: usize = 256;

/// Portions of a batch whose weight gradients are summed apart.
const PARTS: usize = 16;

/// All sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
    /// Height and width.
    pub(crate) plane: [usize; 2],
    /// Height and width.
    pub(crate) kernel: [usize; 2],
    pub(crate) walk: Walk,
}

impl Sizes {
    pub(crate) fn new(input: [usize; 4], weight: [usize; 4], walk: Walk) -> Self {
        let [batch, channels_in, height, width] = input;
        let [channels_out, channels, kernel_height, kernel_width] = weight;
        assert_eq!(
            channels_in, channels,
            "input and weight differ in their channels"
        );
        assert!(walk.stride > 0, "the stride is 0");
        let border = 2 * walk.padding;
        assert!(
            height + border >= kernel_height && width + border >= kernel_width,
            "the kernel is larger than the padded plane"
        );
        Self {
            batch,
            channels_in,
            channels_out,
            plane: [height, width],
            kernel: [kernel_height, kernel_width],
            walk,
        }
    }

    /// Height and width of the output.
    pub(crate) fn plane_out(&self) -> [usize; 2] {
        let Walk { stride, padding } = self.walk;
        [0, 1].map(|axis| (self.plane[axis] + 2 * padding - self.kernel[axis]) / stride + 1)
    }

    pub(crate) fn len_in(&self) -> usize {
        self.batch * self.image_in()
    }

    fn image_in(&self) -> usize {
        self.channels_in * self.plane[0] * self.plane[1]
    }

    fn image_out(&self) -> usize {
        self.channels_out * self.pixels_out()
    }

    fn pixels_out(&self) -> usize {
        let [height, width] = self.plane_out();
        height * width
    }

    /// Weights of one filter.
    fn taps(&self) -> usize {
        self.channels_in * self.kernel[0] * self.kernel[1]
    }

    /// Images in one matrix product.
    fn images_per_product(&self) -> usize {
        (COLUMNS / self.pixels_out().max(1)).clamp(1, self.batch.max(1))
    }

    /// The part of an output row that tap `kx` has pixels for.
    fn covered(&self, kx: usize) -> std::ops::Range<usize> {
        let Walk { stride, padding } = self.walk;
        let width_out = self.plane_out()[1];
        let start = padding.saturating_sub(kx).div_ceil(stride);
        let end = (self.plane[1] + padding)
            .saturating_sub(kx)
            .div_ceil(stride);
        let end = end.min(width_out);
        start.min(end)..end
    }

    /// Calls `visit` with the row of the matrix, the place in it and the place in the image for
    /// each piece of a row that both have, and with no place in the image for what is padding.
    fn pieces(&self, mut visit: impl FnMut(usize, std::ops::Range<usize>, Option<usize>)) {
        let Walk { stride, padding } = self.walk;
        let [height, width] = self.plane;
        let [height_out, width_out] = self.plane_out();
        let [kernel_height, kernel_width] = self.kernel;
        let mut row = 0;
        for channel in 0..self.channels_in {
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let covered = self.covered(kx);
                    for y_out in 0..height_out {
                        let at = y_out * width_out;
                        let y = y_out * stride + ky;
                        if y < padding || y >= height + padding || covered.is_empty() {
                            visit(row, at..at + width_out, None);
                            continue;
                        }
                        let line = (channel * height + y - padding) * width;
                        let x = covered.start * stride + kx - padding;
                        visit(row, at..at + covered.start, None);
                        visit(row, at + covered.start..at + covered.end, Some(line + x));
                        visit(row, at + covered.end..at + width_out, None);
                    }
                    row += 1;
                }
            }
        }
    }

    /// Unrolls one image into `columns` of a matrix.
    fn unroll(&self, image: &[f32], matrix: &mut [f32], columns: usize, first: usize) {
        let stride = self.walk.stride;
        self.pieces(|row, place, source| {
            let line = row * columns + first;
            let target = &mut matrix[line + place.start..line + place.end];
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

    /// Adds `columns` of a matrix up to one image: the transpose of [`unroll`](Self::unroll).
    fn roll_up(&self, matrix: &[f32], columns: usize, first: usize, image: &mut [f32]) {
        let stride = self.walk.stride;
        self.pieces(|row, place, target| {
            let Some(at) = target else { return };
            let line = row * columns + first;
            let source = &matrix[line + place.start..line + place.end];
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
    /// - weight: `[channels_out, taps]`
    /// - output: `[batch, channels_out, height_out, width_out]`
    pub(crate) fn forward(&self, input: &[f32], weight: &[f32]) -> Vec<f32> {
        let images = self.images_per_product();
        let pixels = self.pixels_out();
        let weight = matrix(self.channels_out, self.taps(), weight);
        let mut output = vec![0.0; self.batch * self.image_out()];
        output
            .par_chunks_mut(images * self.image_out())
            .zip(input.par_chunks(images * self.image_in()))
            .for_each_init(Scratch::default, |scratch, (output, input)| {
                let columns = output.len() / self.channels_out;
                let unrolled = self.unroll_all(input, &mut scratch.unrolled, columns);
                if columns == pixels {
                    let mut output = matrix_mut(self.channels_out, columns, output);
                    general_mat_mul(1.0, &weight, &unrolled, 0.0, &mut output);
                } else {
                    let joined = resized(&mut scratch.joined, output.len());
                    let mut product = matrix_mut(self.channels_out, columns, joined);
                    general_mat_mul(1.0, &weight, &unrolled, 0.0, &mut product);
                    self.split(joined, columns, output);
                }
            });
        output
    }

    /// Gradient of the weights, `[channels_out, taps]`.
    pub(crate) fn weight_gradient(&self, input: &[f32], gradient: &[f32]) -> Vec<f32> {
        let images = self.images_per_product();
        let products = self.batch.div_ceil(images);
        let part = images * products.div_ceil(PARTS).max(1);
        let sums: Vec<Vec<f32>> = input
            .par_chunks(part * self.image_in())
            .zip(gradient.par_chunks(part * self.image_out()))
            .map(|(input, gradient)| {
                let mut scratch = Scratch::default();
                let mut sum = vec![0.0; self.channels_out * self.taps()];
                let pairs = input
                    .chunks(images * self.image_in())
                    .zip(gradient.chunks(images * self.image_out()));
                for (input, gradient) in pairs {
                    let columns = gradient.len() / self.channels_out;
                    let unrolled = self.unroll_all(input, &mut scratch.unrolled, columns);
                    let gradient = self.joined(gradient, &mut scratch.joined, columns);
                    let mut sum = matrix_mut(self.channels_out, self.taps(), &mut sum);
                    general_mat_mul(1.0, &gradient, &unrolled.t(), 1.0, &mut sum);
                }
                sum
            })
            .collect();
        let mut total = vec![0.0; self.channels_out * self.taps()];
        for sum in &sums {
            for (total, value) in total.iter_mut().zip(sum) {
                *total += *value;
            }
        }
        total
    }

    /// Gradient of the input, `[batch, channels_in, height, width]`.
    pub(crate) fn input_gradient(&self, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
        let images = self.images_per_product();
        let pixels = self.pixels_out();
        let weight = matrix(self.channels_out, self.taps(), weight);
        let mut output = vec![0.0; self.len_in()];
        output
            .par_chunks_mut(images * self.image_in())
            .zip(gradient.par_chunks(images * self.image_out()))
            .for_each_init(Scratch::default, |scratch, (output, gradient)| {
                let columns = gradient.len() / self.channels_out;
                let gradient = self.joined(gradient, &mut scratch.joined, columns);
                let unrolled = resized(&mut scratch.unrolled, self.taps() * columns);
                let mut product = matrix_mut(self.taps(), columns, unrolled);
                general_mat_mul(1.0, &weight.t(), &gradient, 0.0, &mut product);
                for (index, image) in output.chunks_mut(self.image_in()).enumerate() {
                    self.roll_up(unrolled, columns, index * pixels, image);
                }
            });
        output
    }

    fn unroll_all<'a>(
        &self,
        input: &[f32],
        buffer: &'a mut Vec<f32>,
        columns: usize,
    ) -> ArrayView2<'a, f32> {
        let pixels = self.pixels_out();
        let unrolled = resized(buffer, self.taps() * columns);
        for (index, image) in input.chunks(self.image_in()).enumerate() {
            self.unroll(image, unrolled, columns, index * pixels);
        }
        matrix(self.taps(), columns, unrolled)
    }

    /// Images side by side, `[channels_out, columns]`.
    fn joined<'a>(
        &self,
        images: &'a [f32],
        buffer: &'a mut Vec<f32>,
        columns: usize,
    ) -> ArrayView2<'a, f32> {
        let pixels = self.pixels_out();
        if columns == pixels {
            return matrix(self.channels_out, columns, images);
        }
        let joined = resized(buffer, images.len());
        for (index, plane) in images.chunks(pixels).enumerate() {
            let (image, channel) = (index / self.channels_out, index % self.channels_out);
            let at = channel * columns + image * pixels;
            joined[at..at + pixels].copy_from_slice(plane);
        }
        matrix(self.channels_out, columns, joined)
    }

    /// The opposite of [`joined`](Self::joined).
    fn split(&self, joined: &[f32], columns: usize, images: &mut [f32]) {
        let pixels = self.pixels_out();
        for (index, plane) in images.chunks_mut(pixels).enumerate() {
            let (image, channel) = (index / self.channels_out, index % self.channels_out);
            let at = channel * columns + image * pixels;
            plane.copy_from_slice(&joined[at..at + pixels]);
        }
    }
}

/// Buffers that a thread uses again.
#[derive(Default)]
struct Scratch {
    unrolled: Vec<f32>,
    joined: Vec<f32>,
}

fn resized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    &mut buffer[..len]
}

#[expect(clippy::expect_used, reason = "the sizes come from `Sizes`")]
fn matrix(rows: usize, columns: usize, values: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("sizes that fit")
}

#[expect(clippy::expect_used, reason = "the sizes come from `Sizes`")]
fn matrix_mut(rows: usize, columns: usize, values: &mut [f32]) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("sizes that fit")
}
