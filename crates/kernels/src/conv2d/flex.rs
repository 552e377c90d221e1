use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::Conv2dGeometry;
use super::direct::{self, Pass};
use super::shape::Conv2dShape;
use super::weights::Axes;
use super::winograd::{self, Tiling, TransformedWeights};
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

/// The weights as the algorithm for a shape reads them.
#[derive(Debug)]
enum Weights {
    Direct(Pass),
    Winograd(TransformedWeights),
}

impl Weights {
    fn forward(shape: &Conv2dShape, weight: &[f32]) -> Self {
        if winograd::is_supported(shape) {
            let axes = Axes::forward(shape.channels_out, shape.channels_in, 9);
            let taps = std::array::from_fn(|tap| tap);
            Self::Winograd(TransformedWeights::new(axes, weight, &taps))
        } else {
            Self::Direct(shape.forward_pass(weight))
        }
    }

    fn convolve(
        &self,
        shape: &Conv2dShape,
        input: &[f32],
        epilogue: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<f32> {
        match self {
            Self::Direct(pass) => {
                let passes = std::slice::from_ref(pass);
                direct::convolve(passes, shape.batch, input, epilogue)
            }
            Self::Winograd(weights) => {
                winograd::convolve(&Tiling::forward(shape), weights, input, epilogue)
            }
        }
    }
}

fn input_gradient(shape: &Conv2dShape, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    if winograd::is_supported(shape) {
        let axes = Axes::backward(shape.channels_out, shape.channels_in, 9);
        let taps = std::array::from_fn(|tap| 8 - tap);
        let weights = TransformedWeights::new(axes, weight, &taps);
        return winograd::convolve(&Tiling::backward(shape), &weights, gradient, |_, _| ());
    }
    let passes = shape.backward_passes(weight);
    direct::convolve(&passes, shape.batch, gradient, |_, _| ())
}

fn weight_gradient(shape: &Conv2dShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let channels_out = shape.channels_out;
    if winograd::is_supported(shape) {
        let tiling = Tiling::forward(shape);
        return winograd::weight_gradient(&tiling, input, gradient, channels_out);
    }
    let sweep = shape.forward_sweep();
    direct::weight_gradient(&sweep, shape.batch, input, gradient, channels_out)
}

impl Operation for Conv2d {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let shape = self.shape(&inputs[0], &inputs[1]);
        let [input, weight] = [&inputs[0], &inputs[1]].map(contiguous);
        let weights = Weights::forward(&shape, weight.storage());
        let output = weights.convolve(&shape, input.storage(), |_, _| ());
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
            tensor(
                input_gradient(&shape, weight.storage(), gradient),
                input.shape(),
            )
        });
        let weight_gradient = needs_grad[1].then(|| {
            let values = weight_gradient(&shape, input.storage(), gradient);
            tensor(values, weight.shape())
        });
        vec![input_gradient, weight_gradient]
    }
}
