//! Neural network architectures, one per file.
//!
//! Each file reads top to bottom as its paper does: reference, configuration, `validate`, `init`, the
//! network, `forward`, tests. A configuration is plain data: a recipe contains it ([`Template`]), it
//! is checked before the first tensor exists, and it lists its layers without building them.
//!
//! | network | input | paper |
//! |---|---|---|
//! | [`vision::Cnn`]: plain convolutional network | `[batch, channels, height, width]` | `LeCun` et al., 1998; Simonyan and Zisserman, 2015 |
//! | [`vision::ResNet`]: residual network, also with torchvision's weights | `[batch, channels, height, width]` | He et al., 2016 |
//! | [`vision::EfficientNetLite`]: inverted residual blocks | `[batch, channels, height, width]` | Tan and Le, 2019 |
//! | [`vision::UNet`]: a score per pixel | `[batch, channels, height, width]` | Ronneberger et al., 2015 |
//! | [`layers::Mlp`]: multilayer perceptron | `[batch, d_input]` | Rumelhart et al., 1986 |
//! | [`tabular::TabularMlp`]: multilayer perceptron on embedded columns | [`tabular::TabularInputs`] | Gorishniy et al., 2022 |
//! | [`tabular::TabularResNet`]: residual network | [`tabular::TabularInputs`] | Gorishniy et al., 2021 |
//! | [`tabular::FtTransformer`]: attention between columns | [`tabular::TabularInputs`] | Gorishniy et al., 2021 |
//! | [`tabular::TabM`]: ensemble with shared weights | [`tabular::TabularInputs`] | Gorishniy et al., 2024 |
//! | [`tabular::Autoencoder`]: anomaly detection | [`tabular::TabularInputs`] | Hawkins et al., 2002; Vincent et al., 2008 |
//! | [`text::TextEncoder`]: Transformer encoder | `[batch, seq]` of tokens | Vaswani et al., 2017; Xiong et al., 2020 |
//! | [`text::Bert`]: BERT, `DistilBERT`, `MiniLM` with published weights | `[batch, seq]` of tokens | Devlin et al., 2019 |
//! | [`text::Gpt`]: Transformer decoder, language model | `[batch, seq]` of tokens | Radford et al., 2019; Touvron et al., 2023 |
//! | [`text::TextRnn`]: LSTM and GRU | `[batch, seq]` of tokens | Hochreiter and Schmidhuber, 1997; Cho et al., 2014 |
//! | [`text::TextCnn`]: convolutional network | `[batch, seq]` of tokens | Kim, 2014 |
//! | [`text::FastText`]: bag of embeddings | `[batch, seq]` of tokens | Joulin et al., 2016 |
//! | [`text::ByteEncoder`]: Transformer encoder | `[batch, seq]` of bytes | Clark et al., 2021 |
//! | [`rl::QNetwork`]: action values, from deep Q-learning to Rainbow | `[batch, d_input]` | Mnih et al., 2015; Hessel et al., 2018 |
//! | [`rl::ActorCritic`]: policy and state value | `[batch, d_input]` | Schulman et al., 2017 |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use tinderbox_models::trainable_parameters;
//! use tinderbox_models::vision::CnnConfig;
//!
//! let device = Device::flex();
//! let config = CnnConfig::new(1, 28, 28, 10).with_block_channels(vec![32, 64]);
//! config.validate()?;
//! let model = config.init(&device);
//! let logits = model.forward(Tensor::zeros([2, 1, 28, 28], &device));
//! assert_eq!(logits.dims(), [2, 10]);
//! assert_eq!(trainable_parameters(&model), 421_738);
//! # Ok::<(), tinderbox_models::ConfigError>(())
//! ```
//!
//! [`pretrained`] loads published weights from SafeTensors files. They are fine-tuned as a whole, in
//! part ([`Bert::freeze_first`](text::Bert::freeze_first)) or through low-rank adapters
//! ([`layers::lora`]).
//!
//! # Non-goals
//!
//! - No datasets, recipes, losses, optimizers or training loops: sizes in, logits out.
//! - No backend: a model lives on the [`Device`](burn::tensor::Device) it is given. For training, it
//!   is initialized on an autodiff device.
//! - No downloads and no zoo of variants: a variant is a field of a configuration, a known size a
//!   named constructor.
//! - No repair of shapes: a wrong input panics and names the axis.

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
