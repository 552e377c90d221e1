use std::ops::Range;

use crate::Conv2dGeometry;

/// What the output pixels read along one axis: tap `t` of pixel `m` is the input pixel
/// `m * stride + t - offset`, multiplied by the weight `first_tap + t * tap_step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Position of the first output pixel.
    pub(super) first: usize,
    /// Distance between output pixels.
    pub(super) step: usize,
    /// Output pixels.
    pub(super) count: usize,
    pub(super) stride: usize,
    pub(super) offset: isize,
    pub(super) taps: usize,
    pub(super) first_tap: usize,
    pub(super) tap_step: usize,
    /// Input pixels.
    pub(super) size_in: usize,
}

impl Axis {
    /// A convolution.
    pub(super) fn forward(
        [size_in, size_out]: [usize; 2],
        kernel: usize,
        geometry: Conv2dGeometry,
    ) -> Self {
        Self {
            first: 0,
            step: 1,
            count: size_out,
            stride: geometry.stride,
            offset: geometry.padding.cast_signed(),
            taps: kernel,
            first_tap: 0,
            tap_step: 1,
            size_in,
        }
    }

    /// The gradient of a convolution with respect to its input, which is a convolution with stride 1
    /// for each remainder of the position by the stride. The weights are in reverse order.
    pub(super) fn gradient(
        [size_in, size_out]: [usize; 2],
        kernel: usize,
        Conv2dGeometry { stride, padding }: Conv2dGeometry,
    ) -> Vec<Self> {
        let pass = |first: usize| {
            let (last, first_of_kernel) = ((first + padding) / stride, (first + padding) % stride);
            let taps = kernel.saturating_sub(first_of_kernel).div_ceil(stride);
            let span = first_of_kernel + taps.saturating_sub(1) * stride + 1;
            Self {
                first,
                step: stride,
                count: size_in.saturating_sub(first).div_ceil(stride),
                stride: 1,
                offset: taps.cast_signed() - 1 - last.cast_signed(),
                taps,
                first_tap: kernel.saturating_sub(span),
                tap_step: stride,
                size_in: size_out,
            }
        };
        (0..stride).map(pass).collect()
    }

    /// Input pixel of a tap; negative in the padding.
    fn source(&self, pixel: usize, tap: usize) -> isize {
        (pixel * self.stride + tap).cast_signed() - self.offset
    }

    /// Taps of a pixel that do not read padding, and the input pixel of the first.
    pub(super) fn taps_of(&self, pixel: usize) -> (Range<usize>, usize) {
        let zero = self.source(pixel, 0);
        let end = (self.size_in.cast_signed() - zero).clamp(0, self.taps.cast_signed());
        let start = (-zero).clamp(0, end);
        (
            start.cast_unsigned()..end.cast_unsigned(),
            (zero + start).max(0).cast_unsigned(),
        )
    }

    /// Output pixels for which none of some taps reads padding.
    pub(super) fn pixels_of(&self, taps: Range<usize>) -> Range<usize> {
        let stride = self.stride.cast_signed();
        let last = taps.end.cast_signed() - 1;
        let reach = self.size_in.cast_signed() + self.offset - last;
        let end = reach.max(0).cast_unsigned().div_ceil(self.stride);
        let start = (self.offset - taps.start.cast_signed()).max(0);
        let start = (start + stride - 1) / stride;
        let end = end.min(self.count);
        start.cast_unsigned().min(end)..end
    }

    /// Position of an output pixel.
    pub(super) fn position(&self, pixel: usize) -> usize {
        self.first + pixel * self.step
    }

    /// Index of the weight of a tap.
    pub(super) fn weight(&self, tap: usize) -> usize {
        self.first_tap + tap * self.tap_step
    }
}
