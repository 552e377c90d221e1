//! The convolution, and its gradient with respect to the input.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::axis::Axis;
use super::register::{add_products, load, store};
use crate::flex::arch::arch;
use crate::flex::parallel::{for_each_chunk, is_worth_threads};

/// Elements of the output per task: it stays in the second-level cache with its input.
const BAND: usize = 1 << 15;

/// Registers of channels that are computed together.
const GROUP: usize = 4;

/// Each channel of an image times its own kernel.
pub(super) struct Correlation<'a> {
    /// `[batch, height, width, channels]`
    pub(super) input: &'a [f32],
    /// `[kernel_height * kernel_width, channels]`
    pub(super) weight: &'a [f32],
    pub(super) kernel_width: usize,
    pub(super) channels: usize,
    /// Height and width.
    pub(super) size_out: [usize; 2],
    /// Row `y` of the output is row `y / rows.len()` of `rows[y % rows.len()]`.
    pub(super) rows: &'a [Axis],
    /// As `rows`.
    pub(super) columns: &'a [Axis],
}

/// Cost of reading and writing an element, in multiply-adds of a matrix product.
pub(super) const COST: usize = 32;

impl Correlation<'_> {
    /// Computes the output, `[batch, height, width, channels]`, in bands of rows. Each is passed to
    /// `finish` with the index of its first element while it is in cache.
    pub(super) fn run(&self, output: &mut [f32], finish: impl Fn(usize, &mut [f32]) + Sync + Send) {
        let row = self.size_out[1] * self.channels;
        if output.is_empty() {
            return;
        }
        let taps = self.rows[0].taps * self.columns[0].taps;
        let parallel = is_worth_threads((COST + taps) * output.len());
        let share = if parallel {
            output.len() / (2 * rayon::current_num_threads())
        } else {
            output.len()
        };
        let rows = (share.min(BAND) / row).max(1);
        for_each_chunk(output, rows * row, parallel, |band, output| {
            arch().dispatch(Band {
                correlation: self,
                first: band * rows,
                output: &mut *output,
            });
            finish(band * rows * row, output);
        });
    }
}

/// Rows of the output.
struct Band<'a, 'b> {
    correlation: &'a Correlation<'b>,
    /// Index of the first row in the batch.
    first: usize,
    output: &'a mut [f32],
}

impl WithSimd for Band<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Correlation {
            channels,
            size_out: [height, width],
            rows,
            columns,
            ..
        } = *self.correlation;
        let lines = self.output.chunks_exact_mut(width * channels);
        for (index, output) in (self.first..).zip(lines) {
            let (image, y) = (index / height, index % height);
            for columns in columns {
                let line = Line::new(self.correlation, image, rows[y % rows.len()], columns);
                line.at(y / rows.len()).run(simd, output);
            }
        }
    }
}

/// A row of the output, or those of its pixels that have the same taps.
struct Line<'a> {
    /// The image.
    input: &'a [f32],
    weight: &'a [f32],
    channels: usize,
    kernel_width: usize,
    row_axis: Axis,
    columns: &'a Axis,
    /// Taps along the column, and the input row of the first.
    taps: (Range<usize>, usize),
}

impl<'a> Line<'a> {
    #[inline(always)]
    fn new(from: &Correlation<'a>, image: usize, row_axis: Axis, columns: &'a Axis) -> Self {
        let len = row_axis.size_in * columns.size_in * from.channels;
        Self {
            input: &from.input[image * len..(image + 1) * len],
            weight: from.weight,
            channels: from.channels,
            kernel_width: from.kernel_width,
            row_axis,
            columns,
            taps: (0..0, 0),
        }
    }

    /// Moves to a row.
    #[inline(always)]
    fn at(self, row: usize) -> Self {
        Self {
            taps: self.row_axis.taps_of(row),
            ..self
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, output: &mut [f32]) {
        let Axis { taps, count, .. } = *self.columns;
        let inner = self.columns.pixels_of(0..taps);
        for pixel in (0..inner.start).chain(inner.end..count) {
            self.pixels::<S, 1>(simd, output, pixel);
        }
        let mut pixel = inner.start;
        // With registers of 16 elements there are 32, else 16.
        while S::F32_LANES == 16 && inner.end - pixel >= 4 {
            self.pixels::<S, 4>(simd, output, pixel);
            pixel += 4;
        }
        while inner.end - pixel >= 2 {
            self.pixels::<S, 2>(simd, output, pixel);
            pixel += 2;
        }
        if inner.end > pixel {
            self.pixels::<S, 1>(simd, output, pixel);
        }
    }

    /// Computes neighboring pixels that read no padding, or one that does.
    #[inline(always)]
    fn pixels<S: Simd, const PIXELS: usize>(&self, simd: S, output: &mut [f32], first: usize) {
        let lanes = S::F32_LANES;
        let whole = self.channels - self.channels % lanes;
        let grouped = whole - whole % (GROUP * lanes);
        for channel in (0..grouped).step_by(GROUP * lanes) {
            self.sum::<S, PIXELS, GROUP, true>(simd, output, first, channel);
        }
        for channel in (grouped..whole).step_by(lanes) {
            self.sum::<S, PIXELS, 1, true>(simd, output, first, channel);
        }
        if whole < self.channels {
            self.sum::<S, PIXELS, 1, false>(simd, output, first, whole);
        }
    }

    /// Sums the taps of some pixels for `N` registers of channels.
    #[inline(always)]
    fn sum<S: Simd, const PIXELS: usize, const N: usize, const WHOLE: bool>(
        &self,
        simd: S,
        output: &mut [f32],
        first: usize,
        channel: usize,
    ) {
        let (channels, rest) = (self.channels, self.channels - channel);
        let step = self.columns.stride * channels;
        let (taps, source) = self.columns.taps_of(first);
        let (tap_rows, first_row) = self.taps.clone();
        let mut sums = [[simd.splat_f32s(0.0); N]; PIXELS];
        for (tap_row, row) in tap_rows.zip(first_row..) {
            let line = (row * self.columns.size_in + source) * channels + channel;
            let weights = self.row_axis.weight(tap_row) * self.kernel_width;
            for (index, tap) in taps.clone().enumerate() {
                let weight = (weights + self.columns.weight(tap)) * channels + channel;
                let weight = load::<S, N, WHOLE>(simd, &self.weight[weight..], rest);
                let input = &self.input[line + index * channels..];
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let input = load::<S, N, WHOLE>(simd, &input[pixel * step..], rest);
                    add_products(simd, input, weight, sums);
                }
            }
        }
        for (pixel, sums) in (first..).zip(sums) {
            let start = self.columns.position(pixel) * channels + channel;
            store::<S, N, WHOLE>(simd, &mut output[start..], rest, sums);
        }
    }
}
