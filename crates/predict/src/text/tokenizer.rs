//! From text to numbers and back: Hugging Face's tokenizers, trained so that the same texts give
//! the same file, and plain bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::unicode::NFKC;
use tokenizers::normalizers::utils::{Lowercase, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{
    AddedToken, EncodeInput, Encoding, NormalizedString, Normalizer as _, OffsetReferential,
    OffsetType, PreTokenizedString, PreTokenizer as _, Tokenizer,
};

use super::error::TokenizerError;
use super::pre_tokenize::with_words;
use super::tokenizer_file::{CheckedFile, MAX_FILE, checked};
use tinderbox_datasets::contain::contained;
use tinderbox_train::{ConfigError, check_range};

/// Name of the tokenizer's file in a model folder, as on the Hugging Face hub.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

const PADDING: &str = "[PAD]";
const UNKNOWN: &str = "[UNK]";
const FIRST: &str = "[CLS]";
const BETWEEN: &str = "[SEP]";
const SPECIAL: [&str; 4] = [PADDING, UNKNOWN, FIRST, BETWEEN];

/// A text with letters of every length, digits, signs and white space, to try a file with.
const TRIAL: &str = "Hello, world! It's 3.14 €\n\tÄrger ﬁn ½ Привет 你好 ไทย 👍🏽";

/// Byte that stands between the texts of a pair, which no text holds.
const SEPARATOR: u8 = 0;

/// How a text becomes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerRecipe {
    /// What a token is.
    pub kind: TokenKind,
    /// Most tokens that there are, for the kinds that are trained.
    pub vocabulary: usize,
    /// Texts that a token must occur in at least, counted as often as it does.
    pub min_count: usize,
    /// Whether capital letters become small ones.
    pub lowercase: bool,
    /// Most tokens of a text; of a longer one the beginning is read.
    pub max_len: usize,
    /// Whether a token counts once in a text, however often it stands there: in long texts that it is
    /// there says more than how often (Pang, Lee and Vaithyanathan, *Thumbs up?*, 2002,
    /// <https://aclanthology.org/W02-1011/>). For a `bag` without phrases, which knows no order.
    pub distinct: bool,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Parts of words, longest first (Schuster and Nakajima 2012), as BERT has them.
    WordPiece,
    /// Parts of words by merging frequent neighbours, on bytes (Sennrich et al. 2016,
    /// <https://arxiv.org/abs/1508.07909>; Radford et al. 2019).
    Bpe,
    /// The likeliest parts of words (Kudo 2018, <https://arxiv.org/abs/1804.10959>).
    Unigram,
    /// Whole words and signs; the characters of scripts without spaces.
    Words,
    /// Bytes of UTF-8.
    Bytes,
    /// Those of `tokenizer.json` in the folder of published weights.
    Pretrained,
}

impl TokenizerRecipe {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range(
            "tokenizer.vocabulary",
            self.vocabulary as f64,
            8.0..=1_000_000.0,
        )?;
        check_range(
            "tokenizer.min_count",
            self.min_count as f64,
            1.0..=1_000_000.0,
        )?;
        check_range("tokenizer.max_len", self.max_len as f64, 4.0..=1_048_576.0)
    }

    /// Trains a tokenizer on texts; bytes need none.
    ///
    /// The same texts give the same tokenizer, in any order.
    ///
    /// # Errors
    ///
    /// If the vocabulary has no room for all letters, or the texts hold none.
    pub fn train<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
    ) -> Result<TextTokenizer, TokenizerError> {
        let tokenizer = match self.kind {
            TokenKind::Bytes | TokenKind::Pretrained => return Ok(TextTokenizer::bytes()),
            TokenKind::WordPiece => self.word_piece(texts)?,
            TokenKind::Bpe => self.bpe(texts)?,
            TokenKind::Unigram => self.unigram(texts)?,
            TokenKind::Words => self.words(texts)?,
        };
        TextTokenizer::of(with_frame(tokenizer)?)
    }

    fn word_piece<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(WordPiece::default());
        with_words(&mut tokenizer, texts, self.lowercase)?;
        let words = Self::count(&tokenizer, texts)?;
        // The letters inside words, in a known order: the trainer would number them as they come.
        let mut special: Vec<AddedToken> = special();
        let inner: std::collections::BTreeSet<char> =
            words.keys().flat_map(|word| word.chars().skip(1)).collect();
        special.extend(
            inner
                .iter()
                .map(|letter| AddedToken::from(format!("##{letter}"), false)),
        );
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(self.vocabulary)
            .min_frequency(self.min_count as u64)
            .special_tokens(special)
            .continuing_subword_prefix("##".to_owned())
            .build();
        let mut model = BPE::default();
        let counted = words.iter();
        let counted = counted.map(|(word, count)| (word.as_str().into(), *count));
        trainer.do_train(&counted.collect(), &mut model)?;
        let mut model = WordPiece::from_bpe(&model);
        UNKNOWN.clone_into(&mut model.unk_token);
        tokenizer.with_model(model);
        tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
        Ok(tokenizer)
    }

    fn bpe<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(BPE::default());
        if self.lowercase {
            tokenizer.with_normalizer(Some(Lowercase))?;
        }
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        let words = Self::count(&tokenizer, texts)?;
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(self.vocabulary.max(256 + SPECIAL.len()))
            .min_frequency(self.min_count as u64)
            .special_tokens(special())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let mut model = BPE::default();
        let counted = words.iter();
        let counted = counted.map(|(word, count)| (word.as_str().into(), *count));
        trainer.do_train(&counted.collect(), &mut model)?;
        tokenizer.with_model(model);
        tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
        Ok(tokenizer)
    }

    fn unigram<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(Unigram::default());
        let mut steps = vec![NFKC.into()];
        if self.lowercase {
            steps.push(Lowercase.into());
        }
        tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
        let spaces = Metaspace::new('▁', PrependScheme::Always, true);
        tokenizer.with_pre_tokenizer(Some(spaces.clone()));
        let words = Self::count(&tokenizer, texts)?;
        let words = words.into_iter();
        let words = words.map(|(word, count)| (word, u32::try_from(count).unwrap_or(u32::MAX)));
        let trainer = UnigramTrainer::builder()
            .show_progress(false)
            .vocab_size(u32::try_from(self.vocabulary).unwrap_or(u32::MAX))
            .special_tokens(special())
            .unk_token(Some(UNKNOWN.to_owned()))
            .build()
            .map_err(|error| TokenizerError::Training(error.to_string()))?;
        let mut model = Unigram::default();
        // Sums of fractions in another order are other sums.
        let parallel = tokenizers::utils::parallelism::get_parallelism();
        tokenizers::utils::parallelism::set_parallelism(false);
        let trained = trainer.do_train(words.collect(), &mut model);
        tokenizers::utils::parallelism::set_parallelism(parallel);
        trained?;
        tokenizer.with_model(in_order(&model)?);
        tokenizer.with_decoder(Some(spaces));
        Ok(tokenizer)
    }

    fn words<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(WordLevel::default());
        with_words(&mut tokenizer, texts, self.lowercase)?;
        let words = Self::count(&tokenizer, texts)?;
        let mut words: Vec<(String, u64)> = words.into_iter().collect();
        words.retain(|(_, count)| *count >= self.min_count as u64);
        words.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let words = words.into_iter().map(|(word, _)| word);
        let special = SPECIAL.map(str::to_owned).into_iter();
        let all = special.chain(words).take(self.vocabulary);
        let model = WordLevel::builder()
            .vocab(all.zip(0..).collect())
            .unk_token(UNKNOWN.to_owned())
            .build()?;
        tokenizer.with_model(model);
        Ok(tokenizer)
    }

    /// How often each word occurs, as the tokenizer cuts texts into words.
    fn count<T: AsRef<str> + Sync>(
        tokenizer: &Tokenizer,
        texts: &[T],
    ) -> Result<BTreeMap<String, u64>, TokenizerError> {
        let counted = texts
            .par_chunks(256)
            .map(|texts| {
                let mut counts = BTreeMap::new();
                for text in texts {
                    add_words(tokenizer, text.as_ref(), &mut counts)?;
                }
                Ok(counts)
            })
            .collect::<Result<Vec<BTreeMap<String, u64>>, tokenizers::Error>>()?;
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for (word, count) in counted.into_iter().flatten() {
            *all.entry(word).or_default() += count;
        }
        if all.is_empty() {
            return Err(TokenizerError::Training("the texts hold no words".into()));
        }
        Ok(all)
    }
}

fn add_words(
    tokenizer: &Tokenizer,
    text: &str,
    counts: &mut BTreeMap<String, u64>,
) -> Result<(), tokenizers::Error> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized)?;
    }
    let mut words = PreTokenizedString::from(normalized);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut words)?;
    }
    for (word, _, _) in words.get_splits(OffsetReferential::Original, OffsetType::Byte) {
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                counts.insert(word.to_owned(), 1);
            }
        }
    }
    Ok(())
}

fn special() -> Vec<AddedToken> {
    let token = |token: &str| AddedToken::from(token.to_owned(), true);
    SPECIAL.map(token).to_vec()
}

/// Puts a mark in front of a text and one behind each.
fn with_frame(mut tokenizer: Tokenizer) -> Result<Tokenizer, TokenizerError> {
    tokenizer.add_special_tokens(special())?;
    let id = |token: &str| tokenizer.token_to_id(token).unwrap_or(0);
    let frame = TemplateProcessing::builder()
        .try_single(format!("{FIRST} $A {BETWEEN}"))
        .and_then(|builder| builder.try_pair(format!("{FIRST} $A {BETWEEN} $B:1 {BETWEEN}:1")))
        .map_err(TokenizerError::Training)?
        .special_tokens(vec![(FIRST, id(FIRST)), (BETWEEN, id(BETWEEN))])
        .build()
        .map_err(|error| TokenizerError::Training(error.to_string()))?;
    tokenizer.with_post_processor(Some(frame));
    Ok(tokenizer)
}

/// Letters that no part of a word needs get scores in the order of a hash table; here, in their own.
fn in_order(model: &Unigram) -> Result<Unigram, TokenizerError> {
    let mut pieces: Vec<(String, f64)> = model.iter().cloned().collect();
    let is_letter = |piece: &str| piece.chars().count() == 1;
    let known = pieces
        .iter()
        .filter(|(piece, _)| !SPECIAL.contains(&&**piece));
    let least = known.map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let letters = pieces.iter().filter(|(piece, _)| is_letter(piece)).count();
    let most = least + 1e-4 * (letters + 1) as f64;
    let rare = |piece: &(String, f64)| is_letter(&piece.0) && piece.1 <= most;
    let mut names: Vec<String> = pieces
        .iter()
        .filter(|piece| rare(piece))
        .map(|(piece, _)| piece.clone())
        .collect();
    names.sort_unstable();
    let mut names = names.into_iter();
    for piece in &mut pieces {
        if rare(piece)
            && let Some(name) = names.next()
        {
            piece.0 = name;
        }
    }
    // Equal scores in the order of their names.
    let from = pieces
        .iter()
        .take_while(|(piece, _)| SPECIAL.contains(&&**piece))
        .count();
    pieces[from..].sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    let unknown = pieces.iter().position(|(piece, _)| piece == UNKNOWN);
    Ok(Unigram::from(pieces, unknown, false)?)
}

/// A text, or two that belong together, or one that is cut into words already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One text.
    One(String),
    /// A pair, as a premise and a hypothesis.
    Two(String, String),
    /// Words that get a tag each.
    Words(Vec<String>),
}

impl Input {
    /// Everything as one text, for methods that know no pairs.
    pub fn joined(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Two(first, second) => format!("{first} {second}"),
            Self::Words(words) => words.join(" "),
        }
    }

    /// All texts of it.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Two(first, second) => vec![first, second],
            Self::Words(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Their numbers.
    pub ids: Vec<u32>,
    /// Where the second text of a pair begins; their number if there is none.
    pub second: usize,
    /// Where each word begins, of a text that was cut into words; words that were cut off have none.
    pub words: Vec<usize>,
    /// Whether the end was cut off.
    pub cut: bool,
}

/// Turns texts into numbers and back.
#[derive(Clone, Debug)]
pub struct TextTokenizer {
    /// Absent for bytes.
    hub: Option<Box<Tokenizer>>,
    padding: u32,
    distinct: bool,
}

impl TextTokenizer {
    /// Bytes of UTF-8.
    pub fn bytes() -> Self {
        Self {
            hub: None,
            padding: 0,
            distinct: false,
        }
    }

    fn of(mut tokenizer: Tokenizer) -> Result<Self, TokenizerError> {
        // Length and padding are ours to decide.
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        let padding = [PADDING, "<pad>", "<|endoftext|>"]
            .iter()
            .find_map(|token| tokenizer.token_to_id(token));
        Ok(Self {
            hub: Some(Box::new(tokenizer)),
            padding: padding.unwrap_or(0),
            distinct: false,
        })
    }

    /// The same with each token once in a text, if so.
    #[must_use]
    pub fn with_distinct(mut self, distinct: bool) -> Self {
        self.distinct = distinct;
        self
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// If it is missing, too large or no tokenizer.
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
        let CheckedFile { json, added } = checked(&bytes).map_err(refuse)?;
        let tokenizer = contained(|| Tokenizer::from_bytes(&json)).map_err(refuse)?;
        let tokenizer = tokenizer.map_err(|error| refuse(error.to_string()))?;
        for (content, id) in added {
            let found = tokenizer.token_to_id(&content);
            if found.is_none_or(|found| found as usize != id) {
                return Err(refuse(format!(
                    "the token `{content}` has the number {id} in `added_tokens` and another in \
                     `model.vocab`"
                )));
            }
        }
        let tokenizer = Self::of(tokenizer)?;
        // What is damaged may show only in use.
        let trial = Input::One(TRIAL.to_owned());
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

    /// Number of tokens that there are.
    pub fn vocabulary(&self) -> usize {
        match &self.hub {
            None => 256,
            // A file may leave numbers out: what counts is the largest.
            Some(hub) => {
                let largest = hub.get_vocab(true).into_values().max();
                largest.map_or(0, |id| id as usize + 1)
            }
        }
    }

    /// Whether tokens are bytes.
    pub fn is_bytes(&self) -> bool {
        self.hub.is_none()
    }

    /// What stands for a word that is not known; bytes and some published tokenizers have none.
    pub fn unknown(&self) -> Option<u32> {
        let hub = self.hub.as_ref()?;
        let names = [UNKNOWN, "<unk>"];
        names.iter().find_map(|token| hub.token_to_id(token))
    }

    /// What stands where there is no token.
    pub fn padding(&self) -> u32 {
        self.padding
    }

    /// The tokens of texts, on all cores.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot take a text.
    pub fn encode(&self, inputs: &[Input], max_len: usize) -> Result<Vec<Tokens>, TokenizerError> {
        let encode = |input: &Input| self.encode_one(input, max_len);
        if inputs.len() < 16 {
            return inputs.iter().map(encode).collect();
        }
        inputs.par_iter().map(encode).collect()
    }

    fn encode_one(&self, input: &Input, max_len: usize) -> Result<Tokens, TokenizerError> {
        if !self.distinct {
            return self.encode_all(input, max_len);
        }
        let mut tokens = self.encode_all(input, usize::MAX)?;
        let mut seen = std::collections::HashSet::new();
        tokens.ids.retain(|&id| seen.insert(id));
        tokens.cut = tokens.ids.len() > max_len;
        tokens.ids.truncate(max_len);
        tokens.second = tokens.ids.len();
        Ok(tokens)
    }

    /// The tokens as they stand there.
    fn encode_all(&self, input: &Input, max_len: usize) -> Result<Tokens, TokenizerError> {
        let Some(hub) = &self.hub else {
            return Ok(bytes(input, max_len));
        };
        let wanted: EncodeInput<'_> = match input {
            Input::One(text) => text.as_str().into(),
            Input::Two(first, second) => (first.as_str(), second.as_str()).into(),
            Input::Words(words) => words.as_slice().into(),
        };
        // The fast way forgets which word a token is of.
        let in_words = matches!(input, Input::Words(_));
        let encoding = contained(|| {
            if in_words {
                hub.encode(wanted, true)
            } else {
                hub.encode_fast(wanted, true)
            }
        });
        let encoding = encoding.map_err(TokenizerError::Panicked)??;
        Ok(tokens(&encoding, in_words, max_len))
    }

    /// The tokens of a running text, without marks at its ends.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot take the text.
    pub fn encode_running(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let Some(hub) = &self.hub else {
            return Ok(text.bytes().map(u32::from).collect());
        };
        // Paragraph by paragraph, on all cores: a tokenizer is slow on one long line.
        let parts: Vec<&str> = text.split_inclusive('\n').collect();
        let parts = parts
            .par_iter()
            .map(|part| {
                let encoding = contained(|| hub.encode_fast(*part, false));
                let encoding = encoding.map_err(TokenizerError::Panicked)??;
                Ok(encoding.get_ids().to_vec())
            })
            .collect::<Result<Vec<Vec<u32>>, TokenizerError>>()?;
        Ok(parts.concat())
    }

    /// The text of tokens; bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        match &self.hub {
            None => {
                let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Some(hub) => {
                let text = contained(|| hub.decode(ids, true));
                Ok(text.map_err(TokenizerError::Panicked)??)
            }
        }
    }
}

fn bytes(input: &Input, max_len: usize) -> Tokens {
    let (mut ids, mut words, mut second) = (Vec::new(), Vec::new(), None);
    match input {
        Input::One(text) => ids.extend(text.bytes()),
        Input::Two(first, other) => {
            ids.extend(first.bytes());
            ids.push(SEPARATOR);
            second = Some(ids.len());
            ids.extend(other.bytes());
        }
        Input::Words(all) => {
            for word in all {
                words.push(ids.len());
                ids.extend(word.bytes());
                ids.push(b' ');
            }
        }
    }
    let cut = ids.len() > max_len;
    ids.truncate(max_len);
    words.retain(|&word| word < ids.len());
    Tokens {
        second: second.unwrap_or(ids.len()).min(ids.len()),
        ids: ids.into_iter().map(u32::from).collect(),
        words,
        cut,
    }
}

/// Keeps the beginning of a long text and the mark at its end.
fn tokens(encoding: &Encoding, in_words: bool, max_len: usize) -> Tokens {
    let all = encoding.get_ids();
    let mut ids = all.to_vec();
    let cut = ids.len() > max_len;
    if cut {
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
        cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 6] = [
        "The parcel was delivered to the wrong house.",
        "My parcel has not been delivered yet, where is the parcel?",
        "I cannot log in: the password is wrong!",
        "The invoice shows the wrong amount; I was charged twice",
        "Größe und Maß: naïve café, 50 % off",
        "delivering, delivered, delivery; logging, logged, login",
    ];

    fn recipe(kind: TokenKind) -> TokenizerRecipe {
        TokenizerRecipe {
            kind,
            vocabulary: 120,
            min_count: 1,
            lowercase: true,
            max_len: 64,
            distinct: false,
        }
    }

    fn one(text: &str) -> Input {
        Input::One(text.to_owned())
    }

    #[test]
    fn the_same_texts_in_any_order_give_the_same_tokenizer() {
        for kind in [
            TokenKind::WordPiece,
            TokenKind::Bpe,
            TokenKind::Unigram,
            TokenKind::Words,
        ] {
            let first = recipe(kind).train(&TEXTS).unwrap().to_json().unwrap();
            let mut texts = TEXTS;
            texts.reverse();
            for _ in 0..3 {
                let again = recipe(kind).train(&texts).unwrap().to_json().unwrap();
                assert_eq!(first, again, "{kind:?}");
            }
        }
    }

    #[test]
    fn every_kind_survives_its_file_and_says_the_text_again() {
        for kind in [TokenKind::WordPiece, TokenKind::Bpe, TokenKind::Unigram] {
            let tokenizer = recipe(kind).train(&TEXTS).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(TOKENIZER_FILE);
            fs::write(&path, tokenizer.to_json().unwrap().unwrap()).unwrap();
            let loaded = TextTokenizer::load(&path).unwrap();
            let inputs = [one(TEXTS[1])];
            let tokens = tokenizer.encode(&inputs, 64).unwrap();
            assert_eq!(tokens, loaded.encode(&inputs, 64).unwrap(), "{kind:?}");
            let text = loaded.decode(&tokens[0].ids).unwrap();
            let letters = |text: &str| text.to_lowercase().replace(' ', "");
            assert_eq!(letters(&text), letters(TEXTS[1]), "{kind:?}");
            assert!(tokenizer.vocabulary() >= 60, "{kind:?}");
        }
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end_mark() {
        let tokenizer = recipe(TokenKind::Words).train(&TEXTS).unwrap();
        let whole = tokenizer.encode(&[one(TEXTS[0])], 64).unwrap().remove(0);
        let short = tokenizer.encode(&[one(TEXTS[0])], 5).unwrap().remove(0);
        assert!(short.cut && !whole.cut);
        assert_eq!(short.ids[..4], whole.ids[..4]);
        assert_eq!(short.ids[4], *whole.ids.last().unwrap());
    }

    #[test]
    fn distinct_tokens_stand_once_and_the_first_time() {
        let tokenizer = recipe(TokenKind::Words).train(&TEXTS).unwrap();
        let text = [one("the wrong house, the wrong parcel")];
        let all = tokenizer.encode(&text, 64).unwrap().remove(0);
        let once = tokenizer.with_distinct(true).encode(&text, 64).unwrap();
        assert_eq!((all.ids.len(), once[0].ids.len()), (9, 7));
        assert_eq!(all.ids[..5], once[0].ids[..5]);
    }

    #[test]
    fn pairs_and_words_know_where_they_begin() {
        for kind in [TokenKind::WordPiece, TokenKind::Bytes] {
            let tokenizer = recipe(kind).train(&TEXTS).unwrap();
            let pair = Input::Two("wrong house".to_owned(), "login".to_owned());
            let tokens = tokenizer.encode(&[pair], 64).unwrap().remove(0);
            let second = tokenizer.decode(&tokens.ids[tokens.second..]).unwrap();
            assert_eq!(second, "login", "{kind:?}");
            let words = ["delivering", "wrong"].map(str::to_owned).to_vec();
            let tokens = tokenizer
                .encode(&[Input::Words(words)], 64)
                .unwrap()
                .remove(0);
            assert_eq!(tokens.words.len(), 2, "{kind:?}");
            let from = &tokens.ids[tokens.words[1]..];
            assert_eq!(tokenizer.decode(from).unwrap().trim(), "wrong", "{kind:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKENIZER_FILE);
        fs::write(&path, "{\"model\": 3}").unwrap();
        let error = TextTokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains(TOKENIZER_FILE), "{error}");
    }
}
