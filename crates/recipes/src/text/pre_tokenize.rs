//! Splitting of texts into words before a tokenizer is trained: as of BERT, and in scripts without
//! spaces as of the classical baseline.

use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::unicode::NFD;
use tokenizers::normalizers::utils::{Lowercase, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use tinderbox_predict::text::TokenizerError;

/// Characters of scripts without spaces one by one, with their marks and the consonants stacked below;
/// Katakana stays together. The
/// words of [`tinderbox_datasets::text::words`], as `tokenizer.json` can hold them.
const CHARACTERS: &str = r"(?:[\p{Katakana}\x{30FC}\x{FF70}\x{FF9E}\x{FF9F}]\p{M}*)+|[\p{L}&&[\p{Han}\p{Hiragana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}]](?:[\x{1039}\x{17D2}\x{1A60}][\p{L}&&[\p{Khmer}\p{Myanmar}\p{Tai_Tham}]]|[\p{M}\x{0E33}\x{0EB3}])*";

/// Accents that are left out with the capital letters: those of Latin, Greek, Cyrillic, Hebrew and
/// Arabic. In other scripts a mark is a vowel or a tone, and without it the word is another.
const ACCENTS: &str = r"[\p{Mn}&&[\x{0300}-\x{036F}\x{0483}-\x{0487}\x{0591}-\x{05C7}\x{0610}-\x{061A}\x{064B}-\x{065F}\x{0670}\x{06D6}-\x{06ED}\x{1DC0}-\x{1DFF}\x{20D0}-\x{20F0}\x{FE20}-\x{FE2F}]]";

/// Scripts that have no spaces, or marks for vowels: from Devanagari to Myanmar, of the Philippines
/// and Khmer, from Limbu to Vedic, Han and Kana, and the blocks beyond.
const OTHERS: [(char, char); 10] = [
    ('\u{0900}', '\u{109f}'),
    ('\u{1700}', '\u{18af}'),
    ('\u{1900}', '\u{1cff}'),
    ('\u{2e80}', '\u{a4cf}'),
    ('\u{a800}', '\u{aadf}'),
    ('\u{abc0}', '\u{abff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ff9f}'),
    ('\u{11000}', '\u{11fff}'),
    ('\u{20000}', '\u{3ffff}'),
];

/// Makes `tokenizer` split texts like `texts` into words: at white space, with punctuation as words.
///
/// Texts in Latin, Cyrillic and other scripts with spaces get BERT's own steps, which other programs
/// run fastest.
pub(super) fn with_words<T: AsRef<str>>(
    tokenizer: &mut Tokenizer,
    texts: &[T],
    lowercase: bool,
) -> Result<(), TokenizerError> {
    if !texts.iter().any(|text| has_others(text.as_ref())) {
        tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, None, lowercase)))?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        return Ok(());
    }
    let mut steps: Vec<NormalizerWrapper> =
        vec![BertNormalizer::new(true, false, Some(false), false).into()];
    if lowercase {
        let accents = ReplacePattern::Regex(ACCENTS.to_owned());
        steps.extend([
            NFD.into(),
            Replace::new(accents, "")?.into(),
            Lowercase.into(),
        ]);
    }
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    let characters = SplitPattern::Regex(CHARACTERS.to_owned());
    let characters = Split::new(characters, SplitDelimiterBehavior::Isolated, false)?;
    let steps: Vec<PreTokenizerWrapper> = vec![BertPreTokenizer.into(), characters.into()];
    tokenizer.with_pre_tokenizer(Some(PreSequence::new(steps)));
    Ok(())
}

fn has_others(text: &str) -> bool {
    let is_other = |letter: char| {
        let inside = |&(from, to): &(char, char)| (from..=to).contains(&letter);
        letter >= OTHERS[0].0 && OTHERS.iter().any(inside)
    };
    !text.is_ascii() && text.chars().any(is_other)
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::text::words;

    use tinderbox_predict::text::{
        TOKENIZER_FILE, TextInput, TextTokenizer, TokenKind, TokenizerConfig,
    };

    use crate::text::train_tokenizer;

    const TEXTS: [&str; 9] = [
        "我們在2024年買iPhone。",
        "東京タワーへ行く、らーめん",
        "ｶﾞﾗｽ と がらす",
        "ฉันรักน้ำ เมื่อวาน",
        "ພາສາລາວ",
        "ខ្មែរ",
        "မြန်မာ",
        "हिन्दी में लिखा है",
        "Plain English words, too",
    ];

    fn config(kind: TokenKind) -> TokenizerConfig {
        TokenizerConfig {
            kind,
            vocab_size: 400,
            min_frequency: 1,
            lowercase: false,
            max_len: 256,
            binary_counts: false,
        }
    }

    #[test]
    fn tokens_are_the_words_of_the_baseline() {
        let tokenizer = train_tokenizer(&config(TokenKind::Words), &TEXTS).unwrap();
        let hub: tokenizers::Tokenizer = tokenizer.to_json().unwrap().unwrap().parse().unwrap();
        for text in TEXTS {
            let expected: Vec<&str> = words(text).into_iter().map(|word| &text[word.at]).collect();
            let tokens = hub.encode(text, false).unwrap();
            let tokens = tokens.get_tokens().iter();
            let letters = |token: &&String| token.chars().any(char::is_alphanumeric);
            let found: Vec<&String> = tokens.filter(letters).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn marks_that_are_letters_stay_and_accents_go_with_capital_letters() {
        let texts = ["CAFÉ Ёлка שָׁלוֹם", "ต่า ตา", "हिन्दी", "か が"];
        let lowercase = TokenizerConfig {
            lowercase: true,
            ..config(TokenKind::Words)
        };
        let tokenizer = train_tokenizer(&lowercase, &texts).unwrap();
        let hub: tokenizers::Tokenizer = tokenizer.to_json().unwrap().unwrap().parse().unwrap();
        let known = |token: &str| hub.token_to_id(token).is_some();
        for token in [
            "cafe",
            "елка",
            "שלום",
            "हिन्दी",
            "か",
            "か\u{3099}",
            "ต\u{e48}",
            "ต",
        ] {
            assert!(known(token), "{token}");
        }
    }

    #[test]
    fn a_sentence_without_spaces_is_not_unknown() {
        for kind in [TokenKind::Words, TokenKind::WordPiece] {
            let text = "きのうとうきょうでともだちにあいました".repeat(8);
            let tokenizer = train_tokenizer(&config(kind), &[&text]).unwrap();
            let other = TextInput::Single("ともだちときのうあいました".repeat(10));
            let tokens = tokenizer.encode(std::slice::from_ref(&other), 256);
            let tokens = tokens.unwrap().remove(0);
            let unknown = tokenizer.unknown().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(TOKENIZER_FILE);
            std::fs::write(&path, tokenizer.to_json().unwrap().unwrap()).unwrap();
            let loaded = TextTokenizer::load(&path).unwrap();
            let again = loaded.encode(&[other], 256).unwrap().remove(0);
            assert_eq!(tokens, again, "{kind:?}");
            assert!(
                tokens.ids.len() > 100 && !tokens.ids.contains(&unknown),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn texts_with_spaces_keep_the_steps_of_bert() {
        let json = |texts: &[&str]| {
            train_tokenizer(&config(TokenKind::Words), texts)
                .unwrap()
                .to_json()
        };
        let bert = json(&["naïve café – “Größe” Привет"]).unwrap().unwrap();
        assert!(
            bert.contains("BertNormalizer") && !bert.contains("Regex"),
            "{bert}"
        );
        let other = json(&["Tōkyō 東京"]).unwrap().unwrap();
        assert!(other.contains("Regex"), "{other}");
    }
}
