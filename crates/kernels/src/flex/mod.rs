//! The kernels as operations of Burn's Flex backend, with their gradients.

mod adam;
mod batch_norm;
mod conv2d;
mod im2col;
mod max_pool;

use burn::backend::DispatchDevice;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape, Tensor, TensorData};

pub(crate) use adam::adam;
pub(crate) use batch_norm::batch_norm_train;
pub(crate) use conv2d::conv2d;
pub(crate) use max_pool::max_pool2x2;

/// Whether a tensor is where our kernels can read it.
pub(crate) fn takes(tensor: &Tensor<4>) -> bool {
    let device = tensor.device().inner();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && tensor.dtype() == DType::F32
}

/// Whether tensors are where our kernels can read them, and belong to no graph.
pub(crate) fn takes_all<const D: usize>(tensors: [&Tensor<D>; 4]) -> bool {
    tensors.into_iter().all(|tensor| {
        let device = tensor.device();
        !device.is_autodiff()
            && matches!(device.as_dispatch(), DispatchDevice::Flex(_))
            && tensor.dtype() == DType::F32
    })
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
