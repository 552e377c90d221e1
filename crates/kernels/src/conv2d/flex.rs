use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::Conv2dGeometry;
use super::algorithm::{Weights, input_gradient, weight_gradient};
use super::cache::WeightCache;
use super::shape::Conv2dShape;
use crate::Epilogue;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, into_flex, tensor};

/// - input: `[batch, height, width, channels_in]`
/// - output: `[batch, height_out, width_out, channels_out]`
pub(super) fn conv2d(input: Tensor<4>, weight: Tensor<4>, geometry: Conv2dGeometry) -> Tensor<4> {
    let others = vec![weight.into_dispatch()];
    apply(
        Conv2d { geometry },
        Inputs::new(input.into_dispatch(), others),
    )
}

/// As [`conv2d`], with what follows it.
pub(super) fn conv2d_fused(
    input: Tensor<4>,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
    epilogue: Epilogue,
    cache: &WeightCache,
) -> Tensor<4> {
    let shape = Conv2dShape::new(input.dims(), weight.dims(), geometry);
    let [input, weight] = [input, weight].map(|tensor| contiguous(&into_flex(tensor)));
    let weights = cache.weights(&shape, &weight);
    let epilogue = epilogue.prepare(shape.shape_out());
    let output = weights.convolve(&shape, input.storage(), |first, pixels| {
        epilogue.apply(first * shape.channels_out, pixels);
    });
    Tensor::from_primitive::<Flex>(tensor(output, shape.shape_out()))
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
