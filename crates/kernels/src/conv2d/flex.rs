use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::Conv2dGeometry;
use super::direct::{convolve, weight_gradient};
use super::shape::Conv2dShape;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, tensor};

/// - input: `[batch, height, width, channels_in]`
/// - output: `[batch, height_out, width_out, channels_out]`
pub(super) fn conv2d(input: Tensor<4>, weight: Tensor<4>, geometry: Conv2dGeometry) -> Tensor<4> {
    let others = vec![weight.into_dispatch()];
    apply(
        Conv2d { geometry },
        Inputs::new(input.into_dispatch(), others),
    )
}

/// Inputs: the images and the weight.
#[derive(Debug)]
struct Conv2d {
    geometry: Conv2dGeometry,
}

impl Conv2d {
    fn shape(&self, input: &FlexTensor, weight: &FlexTensor) -> Conv2dShape {
        Conv2dShape::new(input.shape().dims(), weight.shape().dims(), self.geometry)
    }
}

impl Operation for Conv2d {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = self.shape(&inputs[0], &inputs[1]);
        let [input, weight] = [&inputs[0], &inputs[1]].map(contiguous);
        let pass = shape.forward_pass(weight.storage());
        let output = convolve(&[pass], shape.batch, input.storage(), |_, _| ());
        tensor(output, shape.shape_out())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape = self.shape(&inputs[0], &inputs[1]);
        let [input, weight] = [&inputs[0], &inputs[1]].map(contiguous);
        let gradient = contiguous(&gradient);
        let gradient = gradient.storage::<f32>();
        let input_gradient = needs_grad[0].then(|| {
            let passes = shape.backward_passes(weight.storage());
            let values = convolve(&passes, shape.batch, gradient, |_, _| ());
            tensor(values, input.shape())
        });
        let weight_gradient = needs_grad[1].then(|| {
            let sweep = shape.forward_sweep();
            let values = weight_gradient(
                &sweep,
                shape.batch,
                input.storage(),
                gradient,
                shape.channels_out,
            );
            tensor(values, weight.shape())
        });
        vec![input_gradient, weight_gradient]
    }
}
