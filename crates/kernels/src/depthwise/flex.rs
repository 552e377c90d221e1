use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::correlate::Correlation;
use super::shape::Shape;
use super::weight;
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, into_flex, tensor};
use crate::{Conv2dGeometry, Epilogue};

/// Convolves an input of shape `[batch, height, width, channels]`.
pub(super) fn depthwise_conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
) -> Tensor<4> {
    let others = vec![weight.into_dispatch()];
    apply(
        Depthwise { geometry },
        Inputs::new(input.into_dispatch(), others),
    )
}

/// As [`depthwise_conv2d`]. The epilogue is applied to each band of rows while it is in cache.
pub(super) fn depthwise_conv2d_fused(
    input: Tensor<4>,
    weight: Tensor<4>,
    geometry: Conv2dGeometry,
    epilogue: Epilogue,
) -> Tensor<4> {
    let shape = Shape::new(input.dims(), weight.dims(), geometry);
    let epilogue = epilogue.prepare(shape.shape_out());
    let finish = |start: usize, pixels: &mut [f32]| epilogue.apply(start, pixels);
    let output = forward(&shape, &into_flex(input), &into_flex(weight), finish);
    Tensor::from_primitive::<Flex>(output)
}

/// Inputs: the images and the weights.
#[derive(Debug)]
struct Depthwise {
    geometry: Conv2dGeometry,
}

impl Operation for Depthwise {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        forward(
            &shape(&inputs, self.geometry),
            &inputs[0],
            &inputs[1],
            |_, _| {},
        )
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let shape = shape(inputs, self.geometry);
        let gradient = contiguous(&gradient);
        let gradient = gradient.storage::<f32>();
        let of_input = needs_grad[0].then(|| {
            let values = input_gradient(&shape, &inputs[1], gradient);
            tensor(values, inputs[0].shape())
        });
        let of_weight = needs_grad[1].then(|| {
            let input = contiguous(&inputs[0]);
            let sums = weight::gradient(&shape, input.storage::<f32>(), gradient);
            tensor(transposed(&sums, shape.channels), inputs[1].shape())
        });
        vec![of_input, of_weight]
    }
}

fn shape(inputs: &[FlexTensor], geometry: Conv2dGeometry) -> Shape {
    let [input, weight] = [&inputs[0], &inputs[1]].map(|tensor| tensor.shape().dims());
    Shape::new(input, weight, geometry)
}

fn forward(
    shape: &Shape,
    input: &FlexTensor,
    weight: &FlexTensor,
    finish: impl Fn(usize, &mut [f32]) + Sync + Send,
) -> FlexTensor {
    let (input, weight) = (contiguous(input), by_tap(shape, weight));
    let mut output = vec![0.0; shape.shape_out().iter().product()];
    let [rows, columns] = shape.forward();
    Correlation {
        input: input.storage::<f32>(),
        weight: &weight,
        kernel_width: shape.kernel[1],
        channels: shape.channels,
        size_out: shape.size_out,
        rows: &[rows],
        columns: &[columns],
    }
    .run(&mut output, finish);
    tensor(output, shape.shape_out())
}

fn input_gradient(shape: &Shape, weight: &FlexTensor, gradient: &[f32]) -> Vec<f32> {
    let mut weight = by_tap(shape, weight);
    // The last tap comes first.
    weight.reverse();
    for channels in weight.chunks_exact_mut(shape.channels.max(1)) {
        channels.reverse();
    }
    let [height, width] = shape.size_in;
    let mut output = vec![0.0; shape.batch * height * width * shape.channels];
    let [rows, columns] = shape.gradient();
    Correlation {
        input: gradient,
        weight: &weight,
        kernel_width: shape.kernel[1],
        channels: shape.channels,
        size_out: shape.size_in,
        rows: &rows,
        columns: &columns,
    }
    .run(&mut output, |_, _| {});
    output
}

/// The weights as `[kernel_height * kernel_width, channels]`.
fn by_tap(shape: &Shape, weight: &FlexTensor) -> Vec<f32> {
    let weight = contiguous(weight);
    transposed(weight.storage::<f32>(), shape.kernel[0] * shape.kernel[1])
}

/// Transposes a matrix with a number of columns.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let column = |index: usize| matrix.iter().skip(index).step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}
