//! The gradient of the weights.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::axis::Axis;
use super::correlate::COST;
use super::register::{add_products, load, store};
use super::shape::Shape;
use crate::flex::arch::arch;
use crate::flex::parallel::{is_worth_threads, map_tasks, sum_vectors};

/// Parts of the rows of a batch that are summed independently.
const PARTS: usize = 16;

/// Gradient of the weights, `[kernel_height * kernel_width, channels]`.
///
/// - input: `[batch, height, width, channels]`
/// - gradient: `[batch, height_out, width_out, channels]`
pub(super) fn gradient(shape: &Shape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let rows = shape.batch * shape.size_out[0];
    let size = rows.div_ceil(PARTS).max(1);
    let part = |first: usize| {
        let mut sums = vec![0.0; shape.weights()];
        arch().dispatch(Part {
            shape,
            axes: shape.forward(),
            input,
            gradient,
            rows: first..(first + size).min(rows),
            sums: &mut sums,
        });
        sums
    };
    let starts = (0..rows).step_by(size);
    let taps = shape.kernel[0] * shape.kernel[1];
    let parallel = is_worth_threads((COST + taps) * gradient.len());
    let parts = map_tasks(starts, parallel, part);
    sum_vectors(&parts, shape.weights())
}

struct Part<'a> {
    shape: &'a Shape,
    axes: [Axis; 2],
    input: &'a [f32],
    gradient: &'a [f32],
    /// Rows of the gradient.
    rows: Range<usize>,
    sums: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Shape {
            channels,
            size_in: [height, width],
            size_out: [height_out, width_out],
            kernel: [_, kernel_width],
            ..
        } = *self.shape;
        for row in self.rows {
            let (image, y) = (row / height_out, row % height_out);
            let gradient = &self.gradient[row * width_out * channels..][..width_out * channels];
            let (taps, source) = self.axes[0].taps_of(y);
            for (tap, y) in taps.zip(source..) {
                let input = &self.input[(image * height + y) * width * channels..];
                let len = kernel_width * channels;
                Line {
                    input: &input[..width * channels],
                    gradient,
                    channels,
                    axis: &self.axes[1],
                    sums: &mut self.sums[tap * len..][..len],
                }
                .run(simd);
            }
        }
    }
}

/// A row of the gradient and a row of the input.
struct Line<'a> {
    input: &'a [f32],
    gradient: &'a [f32],
    channels: usize,
    axis: &'a Axis,
    /// `[kernel_width, channels]`
    sums: &'a mut [f32],
}

impl Line<'_> {
    /// Accumulates as many taps at once as there are registers for.
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let width = self.axis.taps;
        if width.is_multiple_of(5) {
            for tap in (0..width).step_by(5) {
                self.taps::<S, 5, 2>(simd, tap);
            }
        } else if width.is_multiple_of(3) {
            for tap in (0..width).step_by(3) {
                self.taps::<S, 3, 4>(simd, tap);
            }
        } else {
            for tap in 0..width {
                self.taps::<S, 1, 4>(simd, tap);
            }
        }
    }

    /// Accumulates neighboring taps: together where none reads padding, then each at the border.
    #[inline(always)]
    fn taps<S: Simd, const TAPS: usize, const N: usize>(&mut self, simd: S, first: usize) {
        let inner = self.axis.pixels_of(first..first + TAPS);
        self.channels::<S, TAPS, N>(simd, first, inner.clone());
        if TAPS == 1 {
            return;
        }
        for tap in first..first + TAPS {
            let all = self.axis.pixels_of(tap..tap + 1);
            if inner.is_empty() {
                self.channels::<S, 1, 1>(simd, tap, all);
            } else {
                self.channels::<S, 1, 1>(simd, tap, all.start..inner.start);
                self.channels::<S, 1, 1>(simd, tap, inner.end..all.end);
            }
        }
    }

    #[inline(always)]
    fn channels<S: Simd, const TAPS: usize, const N: usize>(
        &mut self,
        simd: S,
        first: usize,
        pixels: Range<usize>,
    ) {
        if pixels.is_empty() {
            return;
        }
        let lanes = S::F32_LANES;
        let whole = self.channels - self.channels % lanes;
        let grouped = whole - whole % (N * lanes);
        for channel in (0..grouped).step_by(N * lanes) {
            self.accumulate::<S, TAPS, N, true>(simd, first, pixels.clone(), channel);
        }
        for channel in (grouped..whole).step_by(lanes) {
            self.accumulate::<S, TAPS, 1, true>(simd, first, pixels.clone(), channel);
        }
        if whole < self.channels {
            self.accumulate::<S, TAPS, 1, false>(simd, first, pixels, whole);
        }
    }

    /// Accumulates `TAPS` taps of `N` registers of channels.
    #[inline(always)]
    fn accumulate<S: Simd, const TAPS: usize, const N: usize, const WHOLE: bool>(
        &mut self,
        simd: S,
        first: usize,
        pixels: Range<usize>,
        channel: usize,
    ) {
        let channels = self.channels;
        let rest = channels - channel;
        let stride = self.axis.stride;
        let source = (pixels.start * stride + first).cast_signed() - self.axis.offset;
        let step = stride * channels;
        let start = source.cast_unsigned() * channels + channel;
        let mut sums = [[simd.splat_f32s(0.0); N]; TAPS];
        for (index, pixel) in pixels.enumerate() {
            let gradient = &self.gradient[pixel * channels + channel..];
            let gradient = load::<S, N, WHOLE>(simd, gradient, rest);
            let input = &self.input[start + index * step..];
            for (tap, sums) in sums.iter_mut().enumerate() {
                let input = load::<S, N, WHOLE>(simd, &input[tap * channels..], rest);
                add_products(simd, input, gradient, sums);
            }
        }
        for (tap, sums) in (first..).zip(sums) {
            let total = &mut self.sums[tap * channels + channel..];
            let mut totals = load::<S, N, WHOLE>(simd, total, rest);
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = simd.add_f32s(*total, sum);
            }
            store::<S, N, WHOLE>(simd, total, rest, totals);
        }
    }
}
