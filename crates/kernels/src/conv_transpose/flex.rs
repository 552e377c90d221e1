use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::Conv2dGeometry;
use crate::conv2d::algorithm::{Weights, input_gradient, weight_gradient};
use crate::conv2d::shape::Conv2dShape;
use crate::flex::autodiff::{Inputs, Operation, apply};
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
    /// The convolution whose output has the shape of our input.
    fn convolution(&self, inputs: &[FlexTensor]) -> Conv2dShape {
        let [input, weight] = [&inputs[0], &inputs[1]].map(|tensor| tensor.shape().dims());
        Conv2dShape::transposed(input, weight, self.geometry)
    }
}

impl Operation for ConvTranspose {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = self.convolution(&inputs);
        let [input, weight] = [&inputs[0], &inputs[1]].map(contiguous);
        let output = input_gradient(&shape, weight.storage(), input.storage());
        tensor(output, shape.shape_in())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape = self.convolution(inputs);
        let [input, weight, gradient] = [&inputs[0], &inputs[1], &gradient].map(contiguous);
        let gradient = gradient.storage::<f32>();
        let of_input = needs_grad[0].then(|| {
            let weights = Weights::forward(&shape, weight.storage());
            let values = weights.convolve(&shape, gradient, |_, _| ());
            tensor(values, input.shape())
        });
        let of_weight = needs_grad[1].then(|| {
            let values = weight_gradient(&shape, gradient, input.storage());
            tensor(values, weight.shape())
        });
        vec![of_input, of_weight]
    }
}
