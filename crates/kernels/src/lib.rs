//! Operations that are faster than the backend's own, where the backend is slow.
//!
//! Each function here is one of Burn's operations or is made of a few of them, and gives the same
//! numbers, up to rounding. It looks at the device of its input: where there is a kernel of ours it
//! takes that, with a gradient of its own, and everywhere else it calls Burn. Callers need to know
//! nothing of this.
//!
//! Ours are for single-precision numbers on Flex, Burn's CPU backend, behind the feature `flex`;
//! those of text models also want a processor with AVX2, NEON or the like. They sum in an order that
//! does not depend on the number of threads: the same input gives the same bits.
//!
//! | function | for |
//! |---|---|
//! | [`conv2d`], [`batch_norm_train`], [`max_pool2x2`] | convolutional networks |
//! | [`adam`] | the optimizer |
//! | [`linear`], [`linear_gelu`], [`gated_silu`] | anything with linear layers |
//! | [`perceptron`], [`look_up`] | rows of tables, one at a time |
//! | [`layer_norm`], [`rms_norm`], [`add_dropout`], [`dropout`] | Transformers and others |
//! | [`self_attention`], [`cached_attention`], [`rotate`] | Transformers |
//! | [`lstm`], [`gru`] | recurrent networks |
//!
//! Not here: operations that cannot be written with Burn's. Those belong beside the model that needs
//! them.

#![cfg_attr(
    feature = "flex",
    expect(
        clippy::inline_always,
        reason = "code uses the widest registers only when inlined into a function that enables them"
    )
)]

mod adam;
mod attention;
mod batch_norm;
mod conv2d;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod linear;
mod max_pool;
mod mlp;
mod norm;
mod recurrent;
mod rotary;
mod swiglu;

pub use adam::{AdamStep, Moved, adam};
pub use attention::{cached_attention, self_attention};
pub use batch_norm::{Normalized, batch_norm_train};
pub use conv2d::{Walk, conv2d};
pub use dropout::{add_dropout, dropout};
pub use linear::{linear, linear_gelu};
pub use max_pool::max_pool2x2;
pub use mlp::{look_up, perceptron};
pub use norm::{layer_norm, rms_norm};
pub use recurrent::{gru, lstm};
pub use rotary::{RotaryTable, rotate};
pub use swiglu::gated_silu;
