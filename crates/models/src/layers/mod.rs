//! Layers that several networks share, the multilayer perceptron and low-rank adapters.

mod activation;
pub(crate) mod attention;
pub(crate) mod batch_norm;
pub(crate) mod conv1d;
pub(crate) mod conv_norm;
pub(crate) mod dense;
pub(crate) mod depthwise_norm;
pub(crate) mod init;
pub(crate) mod inverted_residual;
pub mod lora;
pub mod mlp;
pub(crate) mod norm;
pub(crate) mod pooling;
pub(crate) mod squeeze_excitation;

pub use activation::Activation;
pub use lora::{LoraConfig, LoraTarget, merge_lora};
pub use mlp::{Mlp, MlpConfig, Normalization};
pub use pooling::Pooling;
