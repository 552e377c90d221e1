use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::backward::Backward;
use super::forward::forward;
use super::shape::Shape;
use crate::Conv2dGeometry;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::gemm::{Matrix, PackedRhs};
use crate::flex::tensors::{contiguous, tensor};

/// For an input of shape `[batch, height, width, channels]`.
pub(super) fn conv_transpose2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
) -> Tensor<4> {
    let others = vec![weight.into_dispatch()];
    let inputs = Inputs::new(input.into_dispatch(), others);
    apply(ConvTranspose { geometry }, inputs)
}

/// Inputs: the images and the weights.
#[derive(Debug)]
struct ConvTranspose {
    geometry: Conv2dGeometry,
}

impl ConvTranspose {
    fn shape(&self, inputs: &[FlexTensor]) -> Shape {
        let [input, weight] = [&inputs[0], &inputs[1]].map(|tensor| tensor.shape().dims());
        Shape::new(input, weight, self.geometry)
    }
}

impl Operation for ConvTranspose {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = self.shape(&inputs);
        let input = contiguous(&inputs[0]);
        let weight = by_tap(&inputs[1]);
        let weight = Matrix::new(weight.storage::<f32>(), shape.pixel_len());
        let output = forward(&shape, input.storage::<f32>(), weight);
        tensor(output, shape.shape_out())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape = self.shape(inputs);
        let [input, gradient] = [&inputs[0], &gradient].map(contiguous);
        let weight = needs_grad[0].then(|| {
            let weight = by_tap(&inputs[1]);
            let weight = Matrix::new(weight.storage::<f32>(), shape.pixel_len());
            PackedRhs::new(weight.transposed(), [shape.pixel_len(), shape.channels_in])
        });
        let [of_input, of_weight] = Backward {
            shape: &shape,
            input: input.storage::<f32>(),
            weight: weight.as_ref(),
            gradient: gradient.storage::<f32>(),
            of_weight: needs_grad[1],
        }
        .run();
        let [kernel_height, kernel_width] = shape.kernel;
        let of_weight = needs_grad[1].then(|| {
            let axes = [
                shape.channels_in,
                kernel_height,
                kernel_width,
                shape.channels_out,
            ];
            tensor(of_weight, axes).permute(&[0, 3, 1, 2])
        });
        vec![
            needs_grad[0].then(|| tensor(of_input, input.shape())),
            of_weight,
        ]
    }
}

/// The weights as `[channels_in, kernel_height, kernel_width, channels_out]`.
fn by_tap(weight: &FlexTensor) -> FlexTensor {
    weight.permute(&[0, 2, 3, 1]).to_contiguous()
}
