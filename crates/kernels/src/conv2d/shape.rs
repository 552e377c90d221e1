use super::Conv2dGeometry;
use super::sweep::Sweep;
use super::weights::Axes;
use crate::flex::gemm::PackedRhs;

/// Shapes of the tensors of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv2dShape {
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
    /// - input: `[batch, height, width, channels_in]`
    /// - weight: `[channels_out, channels_in, kernel_height, kernel_width]`
    pub(super) fn new(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Self {
        let [batch, height, width, channels_in] = input;
        let [channels_out, channels, kernel_height, kernel_width] = weight;
        assert_eq!(channels_in, channels, "input and weight differ in channels");
        // Checks the sizes.
        let _ = geometry.size_out([height, width], [kernel_height, kernel_width]);
        Self {
            batch,
            channels_in,
            channels_out,
            size_in: [height, width],
            kernel: [kernel_height, kernel_width],
            geometry,
        }
    }

    /// The shapes of the convolution whose gradient with respect to the input is a transposed
    /// convolution.
    ///
    /// - output: `[batch, height_out, width_out, channels_out]`
    /// - weight: `[channels_out, channels_in, kernel_height, kernel_width]`
    pub(crate) fn transposed(
        output: [usize; 4],
        weight: [usize; 4],
        geometry: Conv2dGeometry,
    ) -> Self {
        let [batch, height, width, channels_out] = output;
        let [channels, channels_in, kernel_height, kernel_width] = weight;
        let Conv2dGeometry { stride, padding } = geometry;
        assert_eq!(
            channels_out, channels,
            "input and weight differ in channels"
        );
        assert!(stride > 0, "the stride is 0");
        let size = |positions: usize, kernel: usize| {
            let padded = positions.saturating_sub(1) * stride + kernel;
            assert!(positions > 0 && padded > 2 * padding, "the output is empty");
            padded - 2 * padding
        };
        let (height, width) = (size(height, kernel_height), size(width, kernel_width));
        Self::new([batch, height, width, channels_in], weight, geometry)
    }

    /// `[batch, height, width, channels_in]`
    pub(crate) fn shape_in(&self) -> [usize; 4] {
        let [height, width] = self.size_in;
        [self.batch, height, width, self.channels_in]
    }

    /// `[batch, height_out, width_out, channels_out]`
    pub(super) fn shape_out(&self) -> [usize; 4] {
        let [height, width] = self.size_out();
        [self.batch, height, width, self.channels_out]
    }

    /// Height and width of the output.
    pub(super) fn size_out(&self) -> [usize; 2] {
        self.geometry.size_out(self.size_in, self.kernel)
    }

    /// Weights of one filter and channel.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Windows over the input, one per output pixel.
    pub(super) fn forward_sweep(&self) -> Sweep {
        Sweep {
            size: self.size_in,
            channels: self.channels_in,
            window: self.kernel,
            step: self.geometry.stride,
            origin: [-self.geometry.padding.cast_signed(); 2],
            positions: self.size_out(),
            size_out: self.size_out(),
            step_out: 1,
            origin_out: [0; 2],
        }
    }

    /// The weights for [`forward_sweep`](Self::forward_sweep).
    pub(super) fn forward_weights(&self, weight: &[f32]) -> PackedRhs {
        let taps: Vec<usize> = (0..self.taps()).collect();
        let axes = Axes::forward(self.channels_out, self.channels_in, self.taps());
        axes.pack(weight, &taps)
    }

    /// Windows over the gradient of the output, for that of the input, and their weights: one pair
    /// for each remainder of the input's pixels by the stride, as each meets other weights.
    pub(super) fn backward_sweeps(&self, weight: &[f32]) -> Vec<(Sweep, PackedRhs)> {
        let stride = self.geometry.stride;
        let phases = (0..stride).flat_map(|y| (0..stride).map(move |x| [y, x]));
        phases
            .filter_map(|phase| self.backward_sweep(weight, phase))
            .collect()
    }

    /// The windows of the input's pixels at `phase` minus the padding, modulo the stride.
    fn backward_sweep(&self, weight: &[f32], phase: [usize; 2]) -> Option<(Sweep, PackedRhs)> {
        let Conv2dGeometry { stride, padding } = self.geometry;
        let mut window = [0, 1].map(|axis| {
            self.kernel[axis]
                .saturating_sub(phase[axis])
                .div_ceil(stride)
        });
        if window.contains(&0) {
            window = [0; 2];
        }
        // Pixel `y` of the input is `position * stride + phase - padding`.
        let first = phase.map(|phase| padding.saturating_sub(phase).div_ceil(stride));
        let origin_out = [0, 1].map(|axis| first[axis] * stride + phase[axis] - padding);
        let positions = [0, 1].map(|axis| {
            self.size_in[axis]
                .saturating_sub(origin_out[axis])
                .div_ceil(stride)
        });
        if positions.contains(&0) {
            return None;
        }
        let origin = [0, 1].map(|axis| first[axis].cast_signed() - window[axis].cast_signed() + 1);
        let sweep = Sweep {
            size: self.size_out(),
            channels: self.channels_out,
            window,
            step: 1,
            origin,
            positions,
            size_out: self.size_in,
            step_out: stride,
            origin_out,
        };
        let tap =
            |y: usize, x: usize| (phase[0] + y * stride) * self.kernel[1] + phase[1] + x * stride;
        let taps: Vec<usize> = (0..window[0])
            .rev()
            .flat_map(|y| (0..window[1]).rev().map(move |x| tap(y, x)))
            .collect();
        let axes = Axes::backward(self.channels_out, self.channels_in, self.taps());
        Some((sweep, axes.pack(weight, &taps)))
    }
}
