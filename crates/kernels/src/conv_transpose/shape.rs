use std::ops::Range;

use crate::Conv2dGeometry;

/// Shapes of the tensors of a transposed convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) channels_in: usize,
    pub(super) channels_out: usize,
    /// Height and width of the input.
    pub(super) size_in: [usize; 2],
    /// Height and width of the output.
    pub(super) size_out: [usize; 2],
    /// Height and width of the kernel.
    pub(super) kernel: [usize; 2],
    geometry: Conv2dGeometry,
}

/// A row of the kernel at a pixel: where its part that is not padding lies.
pub(super) struct Run {
    /// Elements of the output row.
    pub(super) output: Range<usize>,
    /// First element of the row of the kernel.
    pub(super) start: usize,
}

impl Shape {
    /// From the shapes `[batch, height, width, channels]` and
    /// `[channels_in, channels_out, height, width]`.
    pub(super) fn new(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Self {
        let [batch, height, width, channels_in] = input;
        let [channels, channels_out, kernel_height, kernel_width] = weight;
        assert_eq!(channels, channels_in, "input and weight differ in channels");
        let Conv2dGeometry { stride, padding } = geometry;
        assert!(stride > 0, "the stride is 0");
        let (size_in, kernel) = ([height, width], [kernel_height, kernel_width]);
        let size_out = [0, 1].map(|axis| {
            let padded = size_in[axis].saturating_sub(1) * stride + kernel[axis];
            assert!(
                size_in[axis] > 0 && padded > 2 * padding,
                "the output is empty"
            );
            padded - 2 * padding
        });
        Self {
            batch,
            channels_in,
            channels_out,
            size_in,
            size_out,
            kernel,
            geometry,
        }
    }

    /// `[batch, height_out, width_out, channels_out]`
    pub(super) fn shape_out(&self) -> [usize; 4] {
        let [height, width] = self.size_out;
        [self.batch, height, width, self.channels_out]
    }

    /// Elements that a pixel of the input adds to the output: its row of the product.
    pub(super) fn pixel_len(&self) -> usize {
        self.kernel[0] * self.kernel_row()
    }

    /// Elements of a row of the kernel.
    pub(super) fn kernel_row(&self) -> usize {
        self.kernel[1] * self.channels_out
    }

    /// Elements of a row of the output.
    pub(super) fn row_out(&self) -> usize {
        self.size_out[1] * self.channels_out
    }

    /// Multiply-adds.
    pub(super) fn operations(&self) -> usize {
        self.rows() * self.size_in[1] * self.channels_in * self.pixel_len()
    }

    /// Rows of the inputs of the batch.
    pub(super) fn rows(&self) -> usize {
        self.batch * self.size_in[0]
    }

    /// Whether the pixels of the input add to disjoint parts of the output, which they cover.
    pub(super) fn is_disjoint(&self) -> bool {
        let Conv2dGeometry { stride, padding } = self.geometry;
        padding == 0 && self.kernel == [stride; 2]
    }

    /// Row of the output to which a row of the input adds with a row of the kernel.
    pub(super) fn target(&self, row: usize, kernel_row: usize) -> Option<usize> {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let target = (row * stride + kernel_row).checked_sub(padding)?;
        (target < self.size_out[0]).then_some(target)
    }

    /// Rows of the input that add to some rows of the output.
    pub(super) fn sources(&self, output: Range<usize>) -> Range<usize> {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let start = (output.start + padding + 1).saturating_sub(self.kernel[0]);
        let end = (output.end + padding).div_ceil(stride);
        let end = end.min(self.size_in[0]);
        start.div_ceil(stride).min(end)..end
    }

    /// Elements of a row of the output to which a pixel of the input adds.
    pub(super) fn run(&self, column: usize) -> Run {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let first = column * stride;
        let start = first.max(padding);
        let end = (first + self.kernel[1]).min(self.size_out[1] + padding);
        if end <= start {
            return Run {
                output: 0..0,
                start: 0,
            };
        }
        Run {
            output: (start - padding) * self.channels_out..(end - padding) * self.channels_out,
            start: (start - first) * self.channels_out,
        }
    }
}
