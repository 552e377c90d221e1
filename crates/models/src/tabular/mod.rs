//! Tabular networks and the embeddings of their columns.
//!
//! The input is [`TabularInputs`]. All networks support every [`NumericEmbedding`], except that a
//! transformer needs one that makes vectors and an autoencoder reads the plain columns. The caller
//! computes bins from the training rows ([`quantile_bins`]) and sets them with `with_bins`; they are
//! stored with the weights.

pub mod autoencoder;
mod categorical;
mod features;
pub mod ft_transformer;
mod inputs;
pub mod mlp;
mod numeric;
mod periodic;
mod piecewise;
pub mod resnet;
pub mod tabm;
#[cfg(test)]
mod testing;

pub use autoencoder::{Autoencoder, AutoencoderConfig};
pub use categorical::CategoricalEmbedding;
pub use features::{Features, FeaturesConfig};
pub use ft_transformer::{FtTransformer, FtTransformerConfig};
pub use inputs::TabularInputs;
pub use mlp::{TabularMlp, TabularMlpConfig};
pub use numeric::NumericEmbedding;
pub use piecewise::{BinsError, quantile_bins};
pub use resnet::{TabularResNet, TabularResNetConfig};
pub use tabm::{TabM, TabMConfig, TabMVariant, mean_log_probabilities};
