//! The kernels against Burn's operations, in one binary: each would link all of Burn again.

#![cfg(feature = "flex")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a helper that fails is a test that fails; some results are exact to the bit"
)]

mod activation;
mod adam;
mod attention;
mod avg_pool;
mod batch_norm;
mod checks;
mod conv2d;
mod conv_transpose;
mod depthwise;
mod dropout;
mod embedding;
mod functions;
mod linear;
mod max_pool;
mod mlp;
mod norm;
mod recurrent;
mod rotary;
mod shapes;
mod simd;
mod squares;
mod swiglu;
mod upsample;
