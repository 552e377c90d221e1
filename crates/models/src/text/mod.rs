//! Networks for texts: tokens or bytes, `[batch, seq]`.
//!
//! They also take a padding mask, `[batch, seq]`, which is true where there is no token. Padding
//! changes no prediction.

pub mod bag;
pub mod bert;
pub mod byte_encoder;
pub mod cnn;
pub mod encoder;
pub mod gpt;
pub mod recurrent;

pub use bag::{Bag, BagConfig};
pub use bert::{
    Bert, BertClassifier, BertConfig, BertTagger, Head, PretrainedBert, PretrainedError,
};
pub use byte_encoder::{ByteEncoder, ByteEncoderConfig};
pub use cnn::{TextCnn, TextCnnConfig};
pub use encoder::{Positions, TextEncoder, TextEncoderConfig};
pub use gpt::{Cache, Gpt, GptConfig};
pub use recurrent::{CellKind, Recurrent, RecurrentConfig, StatePooling};
