//! Tensors of Flex as slices of numbers.

use burn::backend::DispatchDevice;
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};

use super::gemm::Matrix;

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
pub(crate) fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let primitive = tensor.try_into_primitive::<Flex>();
    primitive.unwrap_or_else(|error| unreachable!("the caller has looked: {error:?}"))
}

pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Whether a tensor is where our kernels can read it, and the processor is one they are for.
pub(crate) fn takes_vectors<const D: usize>(tensor: &Tensor<D>) -> bool {
    takes(tensor) && super::parallel::has_vectors()
}

/// A tensor whose numbers lie in their order.
pub(crate) fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// As [`contiguous`], without holding on to the tensor: nobody else may have its numbers then.
pub(crate) fn owned(tensor: FlexTensor) -> FlexTensor {
    let ready = contiguous(&tensor);
    drop(tensor);
    ready
}

/// A tensor that can be read as [`matrix`].
pub(crate) fn forwards(tensor: &FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        tensor.clone()
    } else {
        tensor.to_contiguous()
    }
}

/// A tensor of two axes, wherever its rows and columns lie.
pub(crate) fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let layout = tensor.layout();
    Matrix {
        values: &tensor.storage::<f32>()[layout.start_offset()..],
        strides: [0, 1].map(|axis| layout.strides()[axis].unsigned_abs()),
    }
}
