//! Text networks: tokens or bytes, `[batch, seq]`.
//!
//! They also take a padding mask, `[batch, seq]`, true at padding positions. Padding never changes a
//! prediction.

pub mod bert;
pub mod byte_encoder;
pub mod cnn;
pub mod encoder;
pub mod fasttext;
pub mod gpt;
pub mod rnn;

pub use bert::{
    Bert, BertClassifier, BertConfig, BertTagger, Head, PretrainedBert, PretrainedError,
};
pub use byte_encoder::{ByteEncoder, ByteEncoderConfig};
pub use cnn::{TextCnn, TextCnnConfig};
pub use encoder::{Positions, TextEncoder, TextEncoderConfig};
pub use fasttext::{FastText, FastTextConfig};
pub use gpt::{Gpt, GptConfig, KvCache};
pub use rnn::{CellKind, StatePooling, TextRnn, TextRnnConfig};
