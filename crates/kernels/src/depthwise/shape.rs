use super::axis::Axis;
use crate::Conv2dGeometry;

/// Shapes of the tensors of a depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) channels: usize,
    /// Height and width of the input.
    pub(super) size_in: [usize; 2],
    /// Height and width of the output.
    pub(super) size_out: [usize; 2],
    /// Height and width of the kernel.
    pub(super) kernel: [usize; 2],
    geometry: Conv2dGeometry,
}

impl Shape {
    /// From the shapes `[batch, height, width, channels]` and `[channels, 1, height, width]`.
    pub(super) fn new(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Self {
        let [batch, height, width, channels] = input;
        let [channels_out, one, kernel_height, kernel_width] = weight;
        assert_eq!(
            [channels_out, one],
            [channels, 1],
            "input and weight differ in channels"
        );
        let (size_in, kernel) = ([height, width], [kernel_height, kernel_width]);
        let size_out = geometry.size_out(size_in, kernel);
        Self {
            batch,
            channels,
            size_in,
            size_out,
            kernel,
            geometry,
        }
    }

    /// `[batch, height_out, width_out, channels]`
    pub(super) fn shape_out(&self) -> [usize; 4] {
        let [height, width] = self.size_out;
        [self.batch, height, width, self.channels]
    }

    /// Elements of all weights.
    pub(super) fn weights(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// Rows and columns of the convolution.
    pub(super) fn forward(&self) -> [Axis; 2] {
        [0, 1].map(|axis| Axis::forward(self.sizes(axis), self.kernel[axis], self.geometry))
    }

    /// Rows and columns of the gradient of the input.
    pub(super) fn gradient(&self) -> [Vec<Axis>; 2] {
        [0, 1].map(|axis| Axis::gradient(self.sizes(axis), self.kernel[axis], self.geometry))
    }

    fn sizes(&self, axis: usize) -> [usize; 2] {
        [self.size_in[axis], self.size_out[axis]]
    }
}
