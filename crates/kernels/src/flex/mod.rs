//! Shared by the kernels for Burn's Flex backend: registration with Burn's autodiff, the matrix
//! product, loops over pixels, threads, SIMD and scratch memory.

pub(crate) mod arch;
pub(crate) mod autodiff;
pub(crate) mod bias;
pub(crate) mod blocks;
pub(crate) mod gemm;
pub(crate) mod parallel;
pub(crate) mod scratch;
pub(crate) mod simd_math;
pub(crate) mod tensors;
