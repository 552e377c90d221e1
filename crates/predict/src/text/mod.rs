//! Models for texts: classes, labels, pairs, tags of words, and language models.
//!
//! [`TextPredictor`] reads a model folder. Beyond predictions it gives the words that decided one
//! ([`TextPredictor::explain`]), summaries ([`TextPredictor::summarize`]) and generated text
//! ([`TextPredictor::generate`]); [`Embedder`] finds similar texts.

mod config;
mod embed;
mod ensemble;
mod error;
mod explain;
mod format;
mod generate;
mod inputs;
mod net;
mod predictor;
mod similar;
mod spec;
mod summarize;
mod task;
mod tokenizer;
mod tokenizer_file;
mod truncation;

pub use config::{FineTune, PretrainedConfig, PretrainedNetwork, TextModelConfig, TextSizes};
pub use embed::Embedder;
pub use ensemble::{MAX_BATCH_TOKENS, TextEnsemble};
pub use error::{TokenizerError, UnsuitableModel, Unsupported};
pub use explain::WordEffect;
pub use format::{Choice, Format};
pub use generate::{Generator, Sampling};
pub use inputs::{NamedTexts, ReadOptions, ReadText, ReadTextSink, read_document};
pub use net::{TextModel, TokenBatch, token_id};
pub use predictor::TextPredictor;
pub use similar::Match;
pub use spec::{InputSpec, TextSpec};
pub use summarize::{Sentence, sentences};
pub use task::{HeadKind, TextTask};
pub use tokenizer::{
    CLS, PAD, SEP, TOKENIZER_FILE, TextInput, TextTokenizer, TokenKind, TokenizerConfig, Tokens,
    UNK,
};
pub use truncation::Truncation;
