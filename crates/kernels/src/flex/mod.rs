//! The kernels as operations of Burn's Flex backend, with their gradients.

#![expect(
    clippy::inline_always,
    reason = "a function uses the widest registers only where it is inlined into one that may"
)]

mod adam;
mod attention;
mod batch_norm;
mod conv2d;
mod dropout;
mod gated;
mod gemm;
mod im2col;
mod linear;
mod max_pool;
mod norm;
mod numbers;
mod operation;
mod perceptron;
mod recurrent;
mod rotary;
mod scratch;
mod work;

use burn::backend::DispatchDevice;
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};

pub(crate) use adam::adam;
pub(crate) use attention::{cached_attention, self_attention};
pub(crate) use batch_norm::batch_norm_train;
pub(crate) use conv2d::conv2d;
pub(crate) use dropout::add_dropout;
pub(crate) use gated::gated_silu;
pub(crate) use linear::linear;
pub(crate) use max_pool::max_pool2x2;
pub(crate) use norm::layer_norm;
pub(crate) use perceptron::{look_up, perceptron};
pub(crate) use recurrent::{gru, lstm};
pub(crate) use rotary::rotate;

/// Whether a tensor is where our kernels can read it.
pub(crate) fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device().inner();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && tensor.dtype() == DType::F32
}

/// As [`takes`], of a tensor that belongs to no graph.
pub(crate) fn takes_plain<const D: usize>(tensor: &Tensor<D>) -> bool {
    !tensor.device().is_autodiff() && takes(tensor)
}

/// The same of codes, which are 32-bit numbers.
pub(crate) fn takes_codes(codes: &Tensor<2, Int>) -> bool {
    let device = codes.device();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && codes.dtype() == DType::I32
}

/// The numbers of a tensor that is in no graph.
fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let primitive = tensor.try_into_primitive::<Flex>();
    primitive.unwrap_or_else(|error| unreachable!("the caller has looked: {error:?}"))
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Whether a tensor is where our kernels can read it, and the processor is one they are for.
pub(crate) fn takes_vectors<const D: usize>(tensor: &Tensor<D>) -> bool {
    takes(tensor) && work::has_vectors()
}

/// A tensor whose numbers lie in their order.
fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// As [`contiguous`], without holding on to the tensor: nobody else may have its numbers then.
fn owned(tensor: FlexTensor) -> FlexTensor {
    let ready = contiguous(&tensor);
    drop(tensor);
    ready
}

/// A tensor that can be read as [`matrix`].
fn forwards(tensor: &FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        tensor.clone()
    } else {
        tensor.to_contiguous()
    }
}

/// A tensor of two axes, wherever its rows and columns lie.
fn matrix(tensor: &FlexTensor) -> gemm::Matrix<'_> {
    let layout = tensor.layout();
    gemm::Matrix {
        values: &tensor.storage::<f32>()[layout.start_offset()..],
        strides: [0, 1].map(|axis| layout.strides()[axis].unsigned_abs()),
    }
}
