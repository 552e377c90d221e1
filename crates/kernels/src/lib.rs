//! Operations that are faster than the backend's own where the backend is slow.
//!
//! Each function is one of Burn's operations, or a composition of a few, with the same result up to
//! rounding. It dispatches on the device of its input: to a kernel of this crate with its own
//! gradient where there is one, and to Burn everywhere else. Callers need not know which.
//!
//! The kernels are for single precision on Flex, Burn's CPU backend, behind the feature `flex`. They
//! sum in an order that does not depend on the number of threads: equal inputs give equal bits.
//!
//! | function | operation | gradient |
//! |---|---|---|
//! | [`conv2d`], [`conv2d_fused`] | two-dimensional convolution | yes, no |
//! | [`depthwise_conv2d`], [`depthwise_conv2d_fused`] | depthwise convolution | yes, no |
//! | [`conv_transpose2d`] | transposed convolution | yes |
//! | [`batch_norm_train`] | batch normalization while training, with a residual and an activation | yes |
//! | [`activation`] | ReLU, `ReLU6`, SiLU, hard-swish, sigmoid | yes |
//! | [`max_pool2x2`], [`max_pool3x3`], [`max_pool_same`] | max pooling | yes |
//! | [`avg_pool2d`], [`global_avg_pool`] | average pooling | yes |
//! | [`upsample_nearest`], [`upsample_bilinear`] | upsampling | yes |
//! | [`squares_to_channels`] | the pixels of 2×2 squares as channels | yes |
//! | [`linear`] | linear layers with a common input | yes |
//! | [`linear_gelu`] | a linear layer and GELU | yes |
//! | [`linear_relu`] | a linear layer, ReLU and dropout | yes |
//! | [`swiglu`] | Swish-gated linear unit | yes |
//! | [`layer_norm`], [`rms_norm`] | normalization of rows | yes |
//! | [`dropout`], [`dropout_add`] | dropout, with an optional residual | yes |
//! | [`self_attention`] | multi-head attention | yes |
//! | [`cached_attention`] | attention with a key-value cache | no |
//! | [`apply_rotary`] | rotary position embeddings | yes |
//! | [`lstm`], [`gru`] | recurrent networks | yes |
//! | [`mlp`] | linear layers and ReLU at inference | no |
//! | [`embed_and_concat`] | embeddings of table columns at inference | no |
//! | [`adam`] | one step of Adam or `AdamW` | no |
//!
//! The widest registers of the processor are chosen at run time; the environment variable
//! `TINDERBOX_SIMD` forces smaller ones (`avx512`, `avx2` or `scalar`). Without SIMD (AVX2, AVX-512,
//! NEON), or if a gradient is required where the kernel has none, Burn computes almost all results.
//!
//! Images travel between kernels as a [`FeatureMap`], in the memory layout that suits the device.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use tinderbox_kernels::{Conv2dGeometry, FeatureMap, conv2d, max_pool2x2};
//!
//! let device = Device::flex().autodiff();
//! let images = FeatureMap::from_nchw(Tensor::ones([8, 3, 28, 28], &device));
//! let weight = Tensor::<4>::ones([16, 3, 3, 3], &device).require_grad();
//! let geometry = Conv2dGeometry {
//!     stride: 1,
//!     padding: 1,
//! };
//! let features = max_pool2x2(conv2d(images, weight.clone(), geometry));
//! assert_eq!(features.dims(), [8, 16, 14, 14]);
//! let gradients = features.into_nchw().sum().backward();
//! assert!(weight.grad(&gradients).is_some());
//! ```
//!
//! # Non-goals
//!
//! - Operations that cannot be composed from Burn's: they belong next to the model that needs them.
//! - Layers with parameters: those are in `tinderbox-models`.
//! - GPU kernels: Burn generates and fuses its own.
//!
//! # Adding an operation
//!
//! A folder `src/<operation>` with `mod.rs`, the public function, which falls back to Burn, and
//! `flex.rs`, the kernel: an `Operation` passed to `flex::autodiff::apply`, which registers every
//! kernel with Burn. Then its line below, its row above, and a test against Burn in `tests`.

#![cfg_attr(
    feature = "flex",
    expect(
        clippy::inline_always,
        reason = "code uses the widest registers only when inlined into a function that enables them"
    )
)]

mod activation;
mod adam;
mod attention;
mod avg_pool;
mod batch_norm;
mod conv2d;
mod conv_transpose;
mod depthwise;
mod dropout;
mod embedding;
mod epilogue;
mod feature_map;
#[cfg(feature = "flex")]
mod flex;
mod linear;
mod max_pool;
mod mlp;
mod norm;
mod recurrent;
mod rotary;
mod squares;
mod swiglu;
mod upsample;

pub use activation::{Activation, activation, sigmoid};
pub use adam::{AdamState, AdamStep, adam};
pub use attention::{cached_attention, self_attention};
pub use avg_pool::{avg_pool2d, global_avg_pool};
pub use batch_norm::{BatchNormOutput, batch_norm_train, is_batch_norm_synchronized};
#[cfg(feature = "flex")]
pub use batch_norm::{BatchParts, with_synchronized_batch_norm};
pub use conv_transpose::conv_transpose2d;
pub use conv2d::{Conv2dGeometry, WeightCache, conv2d, conv2d_fused};
pub use depthwise::{depthwise_conv2d, depthwise_conv2d_fused};
pub use dropout::{dropout, dropout_add};
pub use embedding::embed_and_concat;
pub use epilogue::Epilogue;
pub use feature_map::FeatureMap;
pub use linear::{linear, linear_gelu, linear_relu};
pub use max_pool::{max_pool_same, max_pool2x2, max_pool3x3};
pub use mlp::mlp;
pub use norm::{layer_norm, rms_norm};
pub use recurrent::{gru, lstm};
pub use rotary::{RotaryTable, apply_rotary};
pub use squares::squares_to_channels;
pub use swiglu::swiglu;
pub use upsample::{upsample_bilinear, upsample_nearest};
