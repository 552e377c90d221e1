//! Texts as tokens: Hugging Face's tokenizers, and plain bytes.

use std::fs;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::panics::catch_panic;
use tokenizers::{EncodeInput, Encoding, Tokenizer};

use super::error::TokenizerError;
use super::tokenizer_file::{CheckedFile, MAX_FILE, checked};
use crate::ModelFiles;

/// Name of the tokenizer's file in a model folder, as on the Hugging Face hub.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The padding token.
pub const PAD: &str = "[PAD]";
/// The token of unknown words.
pub const UNK: &str = "[UNK]";
/// The token in front of a text.
pub const CLS: &str = "[CLS]";
/// The token behind each text.
pub const SEP: &str = "[SEP]";

/// A text with letters of every length, digits, signs and white space, to try a file with.
const TRIAL: &str = "Hello, world! It's 3.14 €\n\tÄrger ﬁn ½ Привет 你好 ไทย 👍🏽";

/// Byte between the texts of a pair, which no text contains.
const SEPARATOR: u8 = 0;

/// Tokenizer of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Kind of tokens.
    pub kind: TokenKind,
    /// Largest size of the vocabulary, for the kinds that are trained.
    pub vocab_size: usize,
    /// Number of occurrences that a token needs to get into the vocabulary.
    pub min_frequency: usize,
    /// Whether texts are converted to lowercase.
    pub lowercase: bool,
    /// Largest number of tokens per text; longer texts are truncated.
    pub max_len: usize,
    /// Whether each token counts once per text, however often it occurs: in long texts presence says
    /// more than frequency (Pang, Lee and Vaithyanathan, *Thumbs up?*, 2002,
    /// <https://aclanthology.org/W02-1011/>). For a `bag` without phrases, which has no order.
    pub binary_counts: bool,
}

/// Kind of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Subwords, longest first (Schuster and Nakajima 2012), as of BERT.
    WordPiece,
    /// Subwords by merging frequent neighbors, on bytes (Sennrich et al. 2016,
    /// <https://arxiv.org/abs/1508.07909>; Radford et al. 2019).
    Bpe,
    /// The most likely subwords (Kudo 2018, <https://arxiv.org/abs/1804.10959>).
    Unigram,
    /// Whole words and signs; the characters of scripts without spaces.
    Words,
    /// Bytes of UTF-8.
    Bytes,
    /// Those of `tokenizer.json` in the folder of pretrained weights.
    Pretrained,
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextInput {
    /// One text.
    Single(String),
    /// A pair, such as a premise and a hypothesis.
    Pair(String, String),
    /// A text as words, each of which gets a tag.
    Words(Vec<String>),
}

impl TextInput {
    /// Everything as one text, for methods without pairs.
    pub fn joined(&self) -> String {
        match self {
            Self::Single(text) => text.clone(),
            Self::Pair(first, second) => format!("{first} {second}"),
            Self::Words(words) => words.join(" "),
        }
    }

    /// Its texts.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Single(text) => vec![text],
            Self::Pair(first, second) => vec![first, second],
            Self::Words(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Their ids.
    pub ids: Vec<u32>,
    /// Position of the second text of a pair; the number of tokens if there is none.
    pub second: usize,
    /// Position of each word, of a text as words; truncated words have none.
    pub words: Vec<usize>,
    /// Whether the text was truncated.
    pub truncated: bool,
}

/// Encodes texts as tokens and decodes them.
#[derive(Clone, Debug)]
pub struct TextTokenizer {
    /// `None` for bytes.
    hub: Option<Box<Tokenizer>>,
    padding: u32,
    binary_counts: bool,
}

impl TextTokenizer {
    /// Bytes of UTF-8.
    pub fn bytes() -> Self {
        Self {
            hub: None,
            padding: 0,
            binary_counts: false,
        }
    }

    /// A Hugging Face tokenizer with truncation and padding turned off.
    ///
    /// # Errors
    ///
    /// If it cannot be used without them.
    pub fn new(mut tokenizer: Tokenizer) -> Result<Self, TokenizerError> {
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        let padding = [PAD, "<pad>", "<|endoftext|>"]
            .iter()
            .find_map(|token| tokenizer.token_to_id(token));
        Ok(Self {
            hub: Some(Box::new(tokenizer)),
            padding: padding.unwrap_or(0),
            binary_counts: false,
        })
    }

    /// The same tokenizer, with each token once per text if `binary_counts` is set.
    #[must_use]
    pub fn with_binary_counts(mut self, binary_counts: bool) -> Self {
        self.binary_counts = binary_counts;
        self
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// If it is missing, too large or not a tokenizer.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let refuse = |reason: String| TokenizerError::File {
            path: path.to_owned(),
            reason,
        };
        let size = fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
        if size.len() > MAX_FILE {
            return Err(refuse(format!("it has {} bytes", size.len())));
        }
        let bytes = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        Self::from_json(&bytes, path)
    }

    /// Reads the tokenizer of a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing or not a tokenizer.
    pub fn from_files(files: &ModelFiles) -> Result<Self, TokenizerError> {
        let path = files.path(TOKENIZER_FILE);
        let bytes = files.read(TOKENIZER_FILE);
        let bytes = bytes.map_err(|error| TokenizerError::File {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Self::from_json(&bytes, &path)
    }

    fn from_json(bytes: &[u8], path: &Path) -> Result<Self, TokenizerError> {
        let refuse = |reason: String| TokenizerError::File {
            path: path.to_owned(),
            reason,
        };
        let CheckedFile { json, added } = checked(bytes).map_err(refuse)?;
        let tokenizer = catch_panic(|| Tokenizer::from_bytes(&json)).map_err(refuse)?;
        let tokenizer = tokenizer.map_err(|error| refuse(error.to_string()))?;
        for (content, id) in added {
            let stored = tokenizer.token_to_id(&content);
            if stored.is_none_or(|stored| stored as usize != id) {
                return Err(refuse(format!(
                    "the token `{content}` has the number {id} in `added_tokens` and another in \
                     `model.vocab`"
                )));
            }
        }
        let tokenizer = Self::new(tokenizer)?;
        // Some damage shows only in use.
        let trial = TextInput::Single(TRIAL.to_owned());
        let tokens = tokenizer.encode_all(&trial, usize::MAX);
        match tokens.and_then(|tokens| tokenizer.decode(&tokens.ids)) {
            Err(TokenizerError::Panicked(reason)) => Err(refuse(reason)),
            _ => Ok(tokenizer),
        }
    }

    /// The file that [`load`](Self::load) reads; bytes have none.
    ///
    /// # Errors
    ///
    /// If it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Option<String>, TokenizerError> {
        let json = self.hub.as_ref().map(|hub| hub.to_string(false));
        Ok(json.transpose()?)
    }

    /// Size of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        match &self.hub {
            None => 256,
            // A file may leave ids out: the largest counts.
            Some(hub) => {
                let largest = hub.get_vocab(true).into_values().max();
                largest.map_or(0, |id| id as usize + 1)
            }
        }
    }

    /// The token of unknown words; bytes and some pretrained tokenizers have none.
    pub fn unknown(&self) -> Option<u32> {
        let hub = self.hub.as_ref()?;
        let names = [UNK, "<unk>"];
        names.iter().find_map(|token| hub.token_to_id(token))
    }

    /// The padding token.
    pub fn padding(&self) -> u32 {
        self.padding
    }

    /// The tokens of texts, on all cores.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot encode a text.
    pub fn encode(
        &self,
        inputs: &[TextInput],
        max_len: usize,
    ) -> Result<Vec<Tokens>, TokenizerError> {
        let encode = |input: &TextInput| self.encode_one(input, max_len);
        if inputs.len() < 16 {
            return inputs.iter().map(encode).collect();
        }
        inputs.par_iter().map(encode).collect()
    }

    fn encode_one(&self, input: &TextInput, max_len: usize) -> Result<Tokens, TokenizerError> {
        if !self.binary_counts {
            return self.encode_all(input, max_len);
        }
        let mut tokens = self.encode_all(input, usize::MAX)?;
        let mut seen = std::collections::HashSet::new();
        tokens.ids.retain(|&id| seen.insert(id));
        tokens.truncated = tokens.ids.len() > max_len;
        tokens.ids.truncate(max_len);
        tokens.second = tokens.ids.len();
        Ok(tokens)
    }

    /// All tokens, repeated ones too.
    fn encode_all(&self, input: &TextInput, max_len: usize) -> Result<Tokens, TokenizerError> {
        let Some(hub) = &self.hub else {
            return Ok(bytes(input, max_len));
        };
        let encoded: EncodeInput<'_> = match input {
            TextInput::Single(text) => text.as_str().into(),
            TextInput::Pair(first, second) => (first.as_str(), second.as_str()).into(),
            TextInput::Words(words) => return self.encode_words(hub, words, max_len),
        };
        let encoding = catch_panic(|| hub.encode_fast(encoded, true));
        let encoding = encoding.map_err(TokenizerError::Panicked)??;
        Ok(tokens(&encoding, false, max_len))
    }

    /// The tokens of words, each of which gets one at least: a word of which the tokenizer keeps nothing,
    /// such as an accent alone, is an unknown one.
    fn encode_words(
        &self,
        hub: &Tokenizer,
        words: &[String],
        max_len: usize,
    ) -> Result<Tokens, TokenizerError> {
        let encode = |words: &[String]| {
            // `encode_fast` does not keep the word of each token.
            let encoding = catch_panic(|| hub.encode(words, true));
            Ok::<_, TokenizerError>(encoding.map_err(TokenizerError::Panicked)??)
        };
        let mut encoding = encode(words)?;
        let mut lost = lost_words(&encoding, words.len());
        let unknown = self.unknown().and_then(|id| hub.id_to_token(id));
        if let (false, Some(unknown)) = (lost.is_empty(), unknown) {
            let mut words = words.to_vec();
            for &at in &lost {
                words[at].clone_from(&unknown);
            }
            encoding = encode(&words)?;
            lost = lost_words(&encoding, words.len());
        }
        match lost.first() {
            Some(&at) => Err(TokenizerError::LostWord {
                word: words[at].clone(),
                number: at + 1,
            }),
            None => Ok(tokens(&encoding, true, max_len)),
        }
    }

    /// The tokens of plain text, without special tokens at its ends.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot encode the text.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let Some(hub) = &self.hub else {
            return Ok(text.bytes().map(u32::from).collect());
        };
        // Paragraph by paragraph, on all cores: a tokenizer is slow on one long line.
        let parts: Vec<&str> = text.split_inclusive('\n').collect();
        let parts = parts
            .par_iter()
            .map(|part| {
                let encoding = catch_panic(|| hub.encode_fast(*part, false));
                let encoding = encoding.map_err(TokenizerError::Panicked)??;
                Ok(encoding.get_ids().to_vec())
            })
            .collect::<Result<Vec<Vec<u32>>, TokenizerError>>()?;
        Ok(parts.concat())
    }

    /// Decodes tokens; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    ///
    /// If the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        match &self.hub {
            None => {
                let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Some(hub) => {
                let text = catch_panic(|| hub.decode(ids, true));
                Ok(text.map_err(TokenizerError::Panicked)??)
            }
        }
    }
}

fn bytes(input: &TextInput, max_len: usize) -> Tokens {
    let (mut ids, mut words, mut second) = (Vec::new(), Vec::new(), None);
    match input {
        TextInput::Single(text) => ids.extend(text.bytes()),
        TextInput::Pair(first, other) => {
            ids.extend(first.bytes());
            ids.push(SEPARATOR);
            second = Some(ids.len());
            ids.extend(other.bytes());
        }
        TextInput::Words(all) => {
            for word in all {
                words.push(ids.len());
                ids.extend(word.bytes());
                ids.push(b' ');
            }
        }
    }
    let truncated = ids.len() > max_len;
    ids.truncate(max_len);
    words.retain(|&word| word < ids.len());
    Tokens {
        second: second.unwrap_or(ids.len()).min(ids.len()),
        ids: ids.into_iter().map(u32::from).collect(),
        words,
        truncated,
    }
}

/// The words without a token, by their positions.
fn lost_words(encoding: &Encoding, words: usize) -> Vec<usize> {
    let mut has_token = vec![false; words];
    for &word in encoding.get_word_ids().iter().flatten() {
        if let Some(has_token) = has_token.get_mut(word as usize) {
            *has_token = true;
        }
    }
    (0..words).filter(|&at| !has_token[at]).collect()
}

/// Truncates a long text, but keeps the special token at its end.
fn tokens(encoding: &Encoding, in_words: bool, max_len: usize) -> Tokens {
    let all = encoding.get_ids();
    let mut ids = all.to_vec();
    let truncated = ids.len() > max_len;
    if truncated {
        ids.truncate(max_len);
        if let (Some(last), Some(mark), 1) = (
            ids.last_mut(),
            all.last(),
            encoding
                .get_special_tokens_mask()
                .last()
                .copied()
                .unwrap_or(0),
        ) {
            *last = *mark;
        }
    }
    let types = encoding.get_type_ids();
    let second = types.iter().position(|&kind| kind == 1);
    let mut words = Vec::new();
    if in_words {
        for (at, word) in encoding.get_word_ids().iter().enumerate().take(ids.len()) {
            if word.is_some_and(|word| word as usize == words.len()) {
                words.push(at);
            }
        }
    }
    Tokens {
        second: second.unwrap_or(ids.len()).min(ids.len()),
        ids,
        words,
        truncated,
    }
}
