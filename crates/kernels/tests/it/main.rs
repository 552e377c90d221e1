//! The kernels against Burn's operations, in one binary: each would link all of Burn again.

#[cfg(feature = "flex")]
mod adam;
#[cfg(feature = "flex")]
mod attention;
#[cfg(feature = "flex")]
mod batch_norm;
#[cfg(feature = "flex")]
mod checks;
#[cfg(feature = "flex")]
mod conv2d;
#[cfg(feature = "flex")]
mod linear;
#[cfg(feature = "flex")]
mod norm;
mod mlp;
#[cfg(feature = "flex")]
mod recurrent;
