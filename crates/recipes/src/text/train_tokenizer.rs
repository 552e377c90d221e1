//! Training of tokenizers: the same texts give the same file.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tinderbox_predict::text::{
    CLS, PAD, SEP, TextTokenizer, TokenKind, TokenizerConfig, TokenizerError, UNK,
};
use tinderbox_train::{ConfigError, check_range};
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
    AddedToken, NormalizedString, Normalizer as _, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer as _, Tokenizer,
};

use super::pre_tokenize::with_words;

const SPECIAL: [&str; 4] = [PAD, UNK, CLS, SEP];

/// Checks every number of a tokenizer's configuration.
pub(super) fn validate(config: &TokenizerConfig) -> Result<(), ConfigError> {
    let TokenizerConfig {
        vocab_size,
        min_frequency,
        max_len,
        ..
    } = *config;
    check_range("tokenizer.vocab_size", vocab_size, 8..=1_000_000)?;
    check_range("tokenizer.min_frequency", min_frequency, 1..=1_000_000)?;
    check_range("tokenizer.max_len", max_len, 4..=1_048_576)
}

/// Trains a tokenizer on texts; bytes need none.
///
/// The same texts give the same tokenizer, in any order.
///
/// # Errors
///
/// If the vocabulary has no room for all letters, or the texts contain none.
pub fn train_tokenizer<T: AsRef<str> + Sync>(
    config: &TokenizerConfig,
    texts: &[T],
) -> Result<TextTokenizer, TokenizerError> {
    let trainer = TokenizerTrainer { config };
    let tokenizer = match config.kind {
        TokenKind::Bytes | TokenKind::Pretrained => {
            return Ok(TextTokenizer::bytes().with_binary_counts(config.binary_counts));
        }
        TokenKind::WordPiece => trainer.word_piece(texts)?,
        TokenKind::Bpe => trainer.bpe(texts)?,
        TokenKind::Unigram => trainer.unigram(texts)?,
        TokenKind::Words => trainer.words(texts)?,
    };
    let tokenizer = TextTokenizer::new(with_special_tokens(tokenizer)?)?;
    Ok(tokenizer.with_binary_counts(config.binary_counts))
}

struct TokenizerTrainer<'a> {
    config: &'a TokenizerConfig,
}

impl TokenizerTrainer<'_> {
    fn word_piece<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(WordPiece::default());
        with_words(&mut tokenizer, texts, self.config.lowercase)?;
        let words = Self::count(&tokenizer, texts)?;
        // The letters inside words, in a fixed order: the trainer would number them as they come.
        let mut special: Vec<AddedToken> = special_tokens();
        let inner: std::collections::BTreeSet<char> =
            words.keys().flat_map(|word| word.chars().skip(1)).collect();
        special.extend(
            inner
                .iter()
                .map(|letter| AddedToken::from(format!("##{letter}"), false)),
        );
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(self.config.vocab_size)
            .min_frequency(self.config.min_frequency as u64)
            .special_tokens(special)
            .continuing_subword_prefix("##".to_owned())
            .build();
        let mut model = BPE::default();
        let counted = words.iter();
        let counted = counted.map(|(word, count)| (word.as_str().into(), *count));
        trainer.do_train(&counted.collect(), &mut model)?;
        let mut model = WordPiece::from_bpe(&model);
        UNK.clone_into(&mut model.unk_token);
        tokenizer.with_model(model);
        tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
        Ok(tokenizer)
    }

    fn bpe<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tokenizer, TokenizerError> {
        let mut tokenizer = Tokenizer::new(BPE::default());
        if self.config.lowercase {
            tokenizer.with_normalizer(Some(Lowercase))?;
        }
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        let words = Self::count(&tokenizer, texts)?;
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(self.config.vocab_size.max(256 + SPECIAL.len()))
            .min_frequency(self.config.min_frequency as u64)
            .special_tokens(special_tokens())
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
        if self.config.lowercase {
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
            .vocab_size(u32::try_from(self.config.vocab_size).unwrap_or(u32::MAX))
            .special_tokens(special_tokens())
            .unk_token(Some(UNK.to_owned()))
            .build()
            .map_err(|error| TokenizerError::Training(error.to_string()))?;
        let mut model = Unigram::default();
        // Floating-point sums depend on their order.
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
        with_words(&mut tokenizer, texts, self.config.lowercase)?;
        let words = Self::count(&tokenizer, texts)?;
        let mut words: Vec<(String, u64)> = words.into_iter().collect();
        words.retain(|(_, count)| *count >= self.config.min_frequency as u64);
        words.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let words = words.into_iter().map(|(word, _)| word);
        let special = SPECIAL.map(str::to_owned).into_iter();
        let all = special.chain(words).take(self.config.vocab_size);
        let model = WordLevel::builder()
            .vocab(all.zip(0..).collect())
            .unk_token(UNK.to_owned())
            .build()?;
        tokenizer.with_model(model);
        Ok(tokenizer)
    }

    /// Number of occurrences of each word, as the tokenizer splits texts into words.
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
            return Err(TokenizerError::Training(
                "the texts contain no words".into(),
            ));
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

fn special_tokens() -> Vec<AddedToken> {
    let token = |token: &str| AddedToken::from(token.to_owned(), true);
    SPECIAL.map(token).to_vec()
}

/// Adds a special token in front of a text and one behind each.
fn with_special_tokens(mut tokenizer: Tokenizer) -> Result<Tokenizer, TokenizerError> {
    tokenizer.add_special_tokens(special_tokens())?;
    let id = |token: &str| tokenizer.token_to_id(token).unwrap_or(0);
    let frame = TemplateProcessing::builder()
        .try_single(format!("{CLS} $A {SEP}"))
        .and_then(|builder| builder.try_pair(format!("{CLS} $A {SEP} $B:1 {SEP}:1")))
        .map_err(TokenizerError::Training)?
        .special_tokens(vec![(CLS, id(CLS)), (SEP, id(SEP))])
        .build()
        .map_err(|error| TokenizerError::Training(error.to_string()))?;
    tokenizer.with_post_processor(Some(frame));
    Ok(tokenizer)
}

/// Letters that no subword needs get scores in the order of a hash table; here, in their own.
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
    let unknown = pieces.iter().position(|(piece, _)| piece == UNK);
    Ok(Unigram::from(pieces, unknown, false)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tinderbox_predict::text::{TOKENIZER_FILE, TextInput};

    use super::*;

    const TEXTS: [&str; 6] = [
        "The parcel was delivered to the wrong house.",
        "My parcel has not been delivered yet, where is the parcel?",
        "I cannot log in: the password is wrong!",
        "The invoice shows the wrong amount; I was charged twice",
        "Größe und Maß: naïve café, 50 % off",
        "delivering, delivered, delivery; logging, logged, login",
    ];

    fn config(kind: TokenKind) -> TokenizerConfig {
        TokenizerConfig {
            kind,
            vocab_size: 120,
            min_frequency: 1,
            lowercase: true,
            max_len: 64,
            binary_counts: false,
        }
    }

    fn one(text: &str) -> TextInput {
        TextInput::Single(text.to_owned())
    }

    #[test]
    fn the_same_texts_in_any_order_give_the_same_tokenizer() {
        for kind in [
            TokenKind::WordPiece,
            TokenKind::Bpe,
            TokenKind::Unigram,
            TokenKind::Words,
        ] {
            let first = train_tokenizer(&config(kind), &TEXTS)
                .unwrap()
                .to_json()
                .unwrap();
            let mut texts = TEXTS;
            texts.reverse();
            for _ in 0..3 {
                let again = train_tokenizer(&config(kind), &texts)
                    .unwrap()
                    .to_json()
                    .unwrap();
                assert_eq!(first, again, "{kind:?}");
            }
        }
    }

    #[test]
    fn every_kind_survives_its_file_and_decodes_the_text() {
        for kind in [TokenKind::WordPiece, TokenKind::Bpe, TokenKind::Unigram] {
            let tokenizer = train_tokenizer(&config(kind), &TEXTS).unwrap();
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
            assert!(tokenizer.vocab_size() >= 60, "{kind:?}");
        }
    }

    #[test]
    fn a_truncated_text_keeps_its_beginning_and_its_last_special_token() {
        let tokenizer = train_tokenizer(&config(TokenKind::Words), &TEXTS).unwrap();
        let whole = tokenizer.encode(&[one(TEXTS[0])], 64).unwrap().remove(0);
        let short = tokenizer.encode(&[one(TEXTS[0])], 5).unwrap().remove(0);
        assert!(short.truncated && !whole.truncated);
        assert_eq!(short.ids[..4], whole.ids[..4]);
        assert_eq!(short.ids[4], *whole.ids.last().unwrap());
    }

    #[test]
    fn binary_counts_keep_the_first_of_equal_tokens() {
        let tokenizer = train_tokenizer(&config(TokenKind::Words), &TEXTS).unwrap();
        let text = [one("the wrong house, the wrong parcel")];
        let all = tokenizer.encode(&text, 64).unwrap().remove(0);
        let once = tokenizer
            .with_binary_counts(true)
            .encode(&text, 64)
            .unwrap();
        assert_eq!((all.ids.len(), once[0].ids.len()), (9, 7));
        assert_eq!(all.ids[..5], once[0].ids[..5]);
    }

    #[test]
    fn pairs_and_words_keep_their_positions() {
        for kind in [TokenKind::WordPiece, TokenKind::Bytes] {
            let tokenizer = train_tokenizer(&config(kind), &TEXTS).unwrap();
            let pair = TextInput::Pair("wrong house".to_owned(), "login".to_owned());
            let tokens = tokenizer.encode(&[pair], 64).unwrap().remove(0);
            let second = tokenizer.decode(&tokens.ids[tokens.second..]).unwrap();
            assert_eq!(second, "login", "{kind:?}");
            let words = ["delivering", "wrong"].map(str::to_owned).to_vec();
            let tokens = tokenizer
                .encode(&[TextInput::Words(words)], 64)
                .unwrap()
                .remove(0);
            assert_eq!(tokens.words.len(), 2, "{kind:?}");
            let from = &tokens.ids[tokens.words[1]..];
            assert_eq!(tokenizer.decode(from).unwrap().trim(), "wrong", "{kind:?}");
        }
    }

    #[test]
    fn a_word_that_the_tokenizer_drops_loses_no_other_word() {
        let tokenizer = train_tokenizer(&config(TokenKind::WordPiece), &TEXTS).unwrap();
        for dropped in ["", "\u{200b}", "\u{1}"] {
            let words = ["delivering", dropped, "wrong"].map(str::to_owned).to_vec();
            let tokens = tokenizer
                .encode(&[TextInput::Words(words)], 64)
                .unwrap()
                .remove(0);
            assert_eq!(tokens.words.len(), 3, "{dropped:?}");
            let from = &tokens.ids[tokens.words[2]..];
            assert_eq!(
                tokenizer.decode(from).unwrap().trim(),
                "wrong",
                "{dropped:?}"
            );
            assert_eq!(Some(tokens.ids[tokens.words[1]]), tokenizer.unknown());
        }
    }

    #[test]
    fn a_file_that_is_not_a_tokenizer_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKENIZER_FILE);
        fs::write(&path, "{\"model\": 3}").unwrap();
        let error = TextTokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains(TOKENIZER_FILE), "{error}");
    }
}
