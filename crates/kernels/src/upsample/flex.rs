use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use burn::tensor::ops::InterpolateMode;

use super::resample::{Axis, resample};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, tensor};

/// Upsamples an input of shape `[batch, height, width, channels]`.
pub(super) fn upsample(input: Tensor<4>, factor: usize, mode: &InterpolateMode) -> Tensor<4> {
    let [batch, height, width, channels] = input.dims();
    let axis = |size: usize| match mode {
        InterpolateMode::Nearest => Axis::nearest(size, factor),
        _ => Axis::bilinear(size, factor),
    };
    let operation = Upsample {
        batch,
        channels,
        rows: axis(height),
        columns: axis(width),
    };
    apply(operation, Inputs::new(input.into_dispatch(), vec![]))
}

/// Input: the images.
#[derive(Debug)]
struct Upsample {
    batch: usize,
    channels: usize,
    rows: Axis,
    columns: Axis,
}

impl Upsample {
    fn resample(&self, input: &FlexTensor, rows: &Axis, columns: &Axis) -> FlexTensor {
        let input = contiguous(input);
        let values = input.storage::<f32>();
        let output = resample(values, self.batch, self.channels, [rows, columns]);
        let size = [rows, columns].map(Axis::size_out);
        tensor(output, [self.batch, size[0], size[1], self.channels])
    }
}

impl Operation for Upsample {
    fn saves_inputs(&self) -> bool {
        false
    }

    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        self.resample(&inputs[0], &self.rows, &self.columns)
    }

    fn backward(
        &self,
        _inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let (rows, columns) = (self.rows.transposed(), self.columns.transposed());
        vec![Some(self.resample(&gradient, &rows, &columns))]
    }
}
