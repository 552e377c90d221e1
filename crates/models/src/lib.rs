//! Neural network architectures, one per file.
//!
//! Each file reads top to bottom as its paper does: the reference, a `Config`, `validate`, `init`,
//! the network, `forward`, tests. A configuration is plain data: it is part of a recipe, it is
//! checked before the first tensor exists, and it lists its layers without building them.
//!
//! | file | network | input | paper |
//! |---|---|---|---|
//! | [`layers::mlp`] | multilayer perceptron | `[batch, d_input]` | Rumelhart et al., 1986 |
//! | [`vision::cnn`] | small plain convolutional network | `[batch, channels, height, width]` | `LeCun` et al., 1998; Simonyan and Zisserman, 2015 |
//! | [`rl::actor_critic`] | policy and value: proximal policy optimization | `[batch, d_input]` | Schulman et al., 2017 |
//! | [`rl::q_network`] | action values: deep Q-learning to Rainbow | `[batch, d_input]` | Mnih et al., 2015; Hessel et al., 2018 |
//! | [`vision::resnet`] | residual network of any depth | `[batch, channels, height, width]` | He et al., 2016 |
//! | [`tabular::mlp`] | perceptron over embedded columns | [`Rows`](tabular::Rows) | Gorishniy et al., 2022 |
//! | [`tabular::resnet`] | residual perceptron | [`Rows`](tabular::Rows) | Gorishniy et al., 2021 |
//! | [`tabular::ft_transformer`] | attention between columns | [`Rows`](tabular::Rows) | Gorishniy et al., 2021 |
//! | [`tabular::tabm`] | many perceptrons with shared weights | [`Rows`](tabular::Rows) | Gorishniy et al., 2024 |
//! | [`tabular::autoencoder`] | finds the rows it cannot rebuild | [`Rows`](tabular::Rows) | Hawkins et al., 2002; Vincent et al., 2008 |
//! | [`text::encoder`] | Transformer encoder | `[batch, seq]` of tokens | Vaswani et al., 2017; Xiong et al., 2020 |
//! | [`text::bert`] | BERT, `DistilBERT`, `MiniLM`, from published weights | `[batch, seq]` of tokens | Devlin et al., 2019 |
//! | [`text::gpt`] | Transformer decoder, writes | `[batch, seq]` of tokens | Radford et al., 2019; Touvron et al., 2023 |
//! | [`text::recurrent`] | LSTM and GRU | `[batch, seq]` of tokens | Hochreiter and Schmidhuber, 1997; Cho et al., 2014 |
//! | [`text::cnn`] | convolutional network for texts | `[batch, seq]` of tokens | Kim, 2014 |
//! | [`text::bag`] | bag of embeddings | `[batch, seq]` of tokens | Joulin et al., 2016 |
//! | [`text::byte_encoder`] | Transformer encoder for bytes | `[batch, seq]` of bytes | Clark et al., 2021 |
//!
//! Networks for texts also take a mask of padding, `[batch, seq]` and true where there is no token:
//! padding changes no prediction.
//!
//! What the networks for tables make of a column, whatever they are: [`NumericEmbedding`](tabular::NumericEmbedding) (as it is,
//! linear, piecewise-linear, periodic) and [`CategoricalEmbedding`](tabular::CategoricalEmbedding) (one-hot, learned).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use tinderbox_models::trainable_parameters;
//! use tinderbox_models::vision::CnnConfig;
//!
//! let device = Device::flex();
//! let model = CnnConfig::new(1, 28, 28, 10).init(&device);
//! let logits = model.forward(Tensor::zeros([2, 1, 28, 28], &device));
//! assert_eq!(logits.dims(), [2, 10]);
//! assert_eq!(trainable_parameters(&model), 421_738);
//! ```
//!
//! Published networks are tuned as a whole, in part ([`Bert::freeze_first`](text::Bert::freeze_first)) or by low-rank adapters
//! ([`layers::lora`]).
//!
//! What this crate refuses to do:
//!
//! - It knows no dataset and no recipe: sizes come in, logits go out. Losses, optimizers and the
//!   training loop live elsewhere.
//! - It names no backend: a model lives on the [`Device`](burn::tensor::Device) it is given. To be
//!   trained, it is initialized on an autodiff device.
//! - It downloads no weights and keeps no zoo of variants: a variant is a field of a configuration,
//!   a known size is a named constructor.
//! - It repairs no shape: a wrong input panics and names the axis.

mod config;
pub mod layers;
pub mod pretrained;
pub mod rl;
mod summary;
pub mod tabular;
mod template;
#[cfg(test)]
mod testing;
pub mod text;
pub mod vision;

pub use config::{ConfigError, MAX_PARAMETERS, MAX_SIZE, check_probability, check_range};
pub use summary::{LayerSummary, trainable_parameters};
pub use template::{DataSized, Template};
