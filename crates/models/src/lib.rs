//! Neural network architectures, one per file.
//!
//! Each file reads top to bottom as its paper does: the reference, a `Config`, `validate`, `init`,
//! the network, `forward`, tests. A configuration is plain data: it is part of a recipe, it is
//! checked before the first tensor exists, and it lists its layers without building them.
//!
//! | file | network | input | paper |
//! |---|---|---|---|
//! | [`mlp`] | multilayer perceptron | `[batch, d_input]` | Rumelhart et al., 1986 |
//! | [`cnn`] | small plain convolutional network | `[batch, channels, height, width]` | `LeCun` et al., 1998; Simonyan and Zisserman, 2015 |
//! | [`actor_critic`] | policy and value: proximal policy optimization | `[batch, d_input]` | Schulman et al., 2017 |
//! | [`q_network`] | action values: deep Q-learning to Rainbow | `[batch, d_input]` | Mnih et al., 2015; Hessel et al., 2018 |
//! | [`resnet`] | residual network of any depth | `[batch, channels, height, width]` | He et al., 2016 |
//! | [`tabular::mlp`] | perceptron over embedded columns | [`Rows`] | Gorishniy et al., 2022 |
//! | [`tabular::resnet`] | residual perceptron | [`Rows`] | Gorishniy et al., 2021 |
//! | [`tabular::ft_transformer`] | attention between columns | [`Rows`] | Gorishniy et al., 2021 |
//! | [`tabular::tabm`] | many perceptrons with shared weights | [`Rows`] | Gorishniy et al., 2024 |
//! | [`tabular::autoencoder`] | finds the rows it cannot rebuild | [`Rows`] | Hawkins et al., 2002; Vincent et al., 2008 |
//! | [`text_encoder`] | Transformer encoder | `[batch, seq]` of tokens | Vaswani et al., 2017; Xiong et al., 2020 |
//! | [`bert`] | BERT, `DistilBERT`, `MiniLM`, from published weights | `[batch, seq]` of tokens | Devlin et al., 2019 |
//! | [`gpt`] | Transformer decoder, writes | `[batch, seq]` of tokens | Radford et al., 2019; Touvron et al., 2023 |
//! | [`recurrent`] | LSTM and GRU | `[batch, seq]` of tokens | Hochreiter and Schmidhuber, 1997; Cho et al., 2014 |
//! | [`text_cnn`] | convolutional network for texts | `[batch, seq]` of tokens | Kim, 2014 |
//! | [`bag`] | bag of embeddings | `[batch, seq]` of tokens | Joulin et al., 2016 |
//! | [`byte_encoder`] | Transformer encoder for bytes | `[batch, seq]` of bytes | Clark et al., 2021 |
//!
//! Networks for texts also take a mask of padding, `[batch, seq]` and true where there is no token:
//! padding changes no prediction.
//!
//! What the networks for tables make of a column, whatever they are: [`NumericEmbedding`] (as it is,
//! linear, piecewise-linear, periodic) and [`CategoricalEmbedding`] (one-hot, learned).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use tinderbox_models::{CnnConfig, trainable_parameters};
//!
//! let device = Device::flex();
//! let model = CnnConfig::new(1, 28, 28, 10).init(&device);
//! let logits = model.forward(Tensor::zeros([2, 1, 28, 28], &device));
//! assert_eq!(logits.dims(), [2, 10]);
//! assert_eq!(trainable_parameters(&model), 421_738);
//! ```
//!
//! Published networks are tuned as a whole, in part ([`Bert::freeze_first`]) or by low-rank adapters
//! ([`lora`]).
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

mod activation;
pub mod actor_critic;
mod attention;
pub mod bag;
pub mod bert;
pub mod byte_encoder;
pub mod cnn;
mod config;
mod conv_norm;
mod dense;
pub mod gpt;
mod init;
pub mod lora;
pub mod mlp;
mod norm;
mod pool;
pub mod q_network;
pub mod recurrent;
pub mod resnet;
mod summary;
pub mod tabular;
#[cfg(test)]
mod testing;
pub mod text_cnn;
pub mod text_encoder;
mod windows;

pub use activation::Activation;
pub use actor_critic::{ActorCritic, ActorCriticConfig};
pub use bag::{Bag, BagConfig};
pub use bert::{Bert, BertClassifier, BertConfig, BertTagger, Head, Pretrained, PretrainedError};
pub use byte_encoder::{ByteEncoder, ByteEncoderConfig};
pub use cnn::{Cnn, CnnConfig};
pub use config::{ConfigError, MAX_PARAMETERS, MAX_SIZE};
pub use gpt::{Cache, Gpt, GptConfig};
pub use lora::{LoraConfig, LoraTarget, merge_lora};
pub use mlp::{Mlp, MlpConfig, Normalization};
pub use pool::Pooling;
pub use q_network::{Noise, QNetwork, QNetworkConfig};
pub use recurrent::{CellKind, Recurrent, RecurrentConfig, StatePooling};
pub use resnet::{BlockKind, ResNet, ResNetConfig, Stem};
pub use summary::{LayerSummary, trainable_parameters};
pub use tabular::{
    Autoencoder, AutoencoderConfig, BinsError, CategoricalEmbedding, Features, FeaturesConfig,
    FtTransformer, FtTransformerConfig, NumericEmbedding, Rows, TabM, TabMConfig, TabMVariant,
    TabularMlp, TabularMlpConfig, TabularResNet, TabularResNetConfig, mean_log_probabilities,
    quantile_bins,
};
pub use text_cnn::{TextCnn, TextCnnConfig};
pub use text_encoder::{Positions, TextEncoder, TextEncoderConfig};
