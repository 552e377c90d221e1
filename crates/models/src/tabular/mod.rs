//! Networks that read rows of a table: what their columns become, and what is made of them.
//!
//! [`Rows`] go in. Every network takes any [`NumericEmbedding`], but that a transformer needs vectors
//! of columns and an autoencoder the columns themselves. Bins are measured by the caller
//! ([`quantile_bins`] finds them in the training rows), given with `with_bins`, and stored with the
//! weights, so that these alone predict.

pub mod autoencoder;
mod categorical;
mod features;
pub mod ft_transformer;
pub mod mlp;
mod numeric;
mod periodic;
mod piecewise;
pub mod resnet;
mod rows;
pub mod tabm;
#[cfg(test)]
mod testing;

pub use autoencoder::{Autoencoder, AutoencoderConfig};
pub use categorical::CategoricalEmbedding;
pub use features::{Features, FeaturesConfig};
pub use ft_transformer::{FtTransformer, FtTransformerConfig};
pub use mlp::{TabularMlp, TabularMlpConfig};
pub use numeric::NumericEmbedding;
pub use piecewise::{BinsError, quantile_bins};
pub use resnet::{TabularResNet, TabularResNetConfig};
pub use rows::Rows;
pub use tabm::{TabM, TabMConfig, TabMVariant, mean_log_probabilities};
