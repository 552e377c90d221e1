//! What the kernels for Burn's Flex backend have in common.

pub(crate) mod autodiff;
pub(crate) mod gemm;
pub(crate) mod parallel;
pub(crate) mod scratch;
pub(crate) mod simd_math;
pub(crate) mod tensors;
