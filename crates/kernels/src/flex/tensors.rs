//! Tensors of Flex as slices of numbers.

use burn::backend::flex::FlexTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};

use super::gemm::Matrix;
use super::parallel::has_simd;

fn is_flex(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether a tensor is in single precision and on Flex, with or without autodiff.
pub(crate) fn is_supported<const D: usize>(tensor: &Tensor<D>) -> bool {
    is_flex(&tensor.device().inner()) && tensor.dtype() == DType::F32
}

/// Like [`is_supported`], for kernels that are slower than Burn without SIMD.
pub(crate) fn is_supported_simd<const D: usize>(tensor: &Tensor<D>) -> bool {
    is_supported(tensor) && has_simd()
}

/// Like [`is_supported`], for kernels without a gradient.
pub(crate) fn is_supported_untracked<const D: usize>(tensor: &Tensor<D>) -> bool {
    !tensor.device().is_autodiff() && is_supported(tensor)
}

/// Whether integers are 32 bits wide and on Flex, without autodiff.
pub(crate) fn is_supported_int<const D: usize>(tensor: &Tensor<D, Int>) -> bool {
    is_flex(&tensor.device()) && tensor.dtype() == DType::I32
}

/// Unwraps a tensor for which [`is_supported_untracked`] holds.
pub(crate) fn into_flex<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let primitive = tensor.try_into_primitive::<Flex>();
    primitive.unwrap_or_else(|error| unreachable!("the caller checked the backend: {error:?}"))
}

/// Unwraps a tensor for which [`is_supported_int`] holds.
pub(crate) fn int_into_flex<const D: usize>(tensor: Tensor<D, Int>) -> FlexTensor {
    let primitive = tensor.try_into_primitive::<Flex>();
    primitive.unwrap_or_else(|error| unreachable!("the caller checked the backend: {error:?}"))
}

/// Creates a tensor from values in row-major order.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The tensor in row-major order; shares the storage if it already is.
pub(crate) fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// Like [`contiguous`], but drops the argument, so that storage nobody else shares can be written
/// in place.
pub(crate) fn into_contiguous(tensor: FlexTensor) -> FlexTensor {
    let contiguous = contiguous(&tensor);
    drop(tensor);
    contiguous
}

/// The tensor with strides that [`matrix`] can represent; copied only if one is negative.
pub(crate) fn with_positive_strides(tensor: &FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        tensor.clone()
    } else {
        tensor.to_contiguous()
    }
}

/// View of a two-dimensional tensor, transposed or not.
pub(crate) fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let layout = tensor.layout();
    Matrix {
        values: &tensor.storage::<f32>()[layout.start_offset()..],
        strides: [0, 1].map(|axis| layout.strides()[axis].unsigned_abs()),
    }
}
