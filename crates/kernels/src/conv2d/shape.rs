use std::ops::Range;

use super::Conv2dGeometry;

/// Shapes of the tensors of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv2dShape {
    pub(super) batch: usize,
    pub(super) channels_in: usize,
    pub(super) channels_out: usize,
    /// Height and width of the input.
    pub(super) size_in: [usize; 2],
    /// Height and width of the kernel.
    pub(super) kernel: [usize; 2],
    pub(super) geometry: Conv2dGeometry,
}

impl Conv2dShape {
    pub(super) fn new(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Self {
        let [batch, channels_in, height, width] = input;
        let [channels_out, channels, kernel_height, kernel_width] = weight;
        assert_eq!(channels_in, channels, "input and weight differ in channels");
        assert!(geometry.stride > 0, "the stride is 0");
        let border = 2 * geometry.padding;
        assert!(
            height + border >= kernel_height && width + border >= kernel_width,
            "the kernel is larger than the padded input"
        );
        Self {
            batch,
            channels_in,
            channels_out,
            size_in: [height, width],
            kernel: [kernel_height, kernel_width],
            geometry,
        }
    }

    /// `[batch, channels_out, height_out, width_out]`
    pub(super) fn shape_out(&self) -> [usize; 4] {
        let [height, width] = self.size_out();
        [self.batch, self.channels_out, height, width]
    }

    /// Height and width of the output.
    pub(super) fn size_out(&self) -> [usize; 2] {
        let Conv2dGeometry { stride, padding } = self.geometry;
        [0, 1].map(|axis| (self.size_in[axis] + 2 * padding - self.kernel[axis]) / stride + 1)
    }

    /// Elements of an input image.
    pub(super) fn image_len_in(&self) -> usize {
        self.channels_in * self.size_in[0] * self.size_in[1]
    }

    /// Elements of an output image.
    pub(super) fn image_len_out(&self) -> usize {
        self.channels_out * self.pixels_out()
    }

    /// Pixels of an output channel.
    pub(super) fn pixels_out(&self) -> usize {
        let [height, width] = self.size_out();
        height * width
    }

    /// Weights of one filter: rows of the im2col matrix.
    pub(super) fn filter_len(&self) -> usize {
        self.channels_in * self.kernel[0] * self.kernel[1]
    }

    /// Range of an output row that does not read padding at kernel column `kx`.
    pub(super) fn valid_range(&self, kx: usize) -> Range<usize> {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let width_out = self.size_out()[1];
        let start = padding.saturating_sub(kx).div_ceil(stride);
        let end = (self.size_in[1] + padding)
            .saturating_sub(kx)
            .div_ceil(stride);
        let end = end.min(width_out);
        start.min(end)..end
    }
}
