//! Words of a text in any script.
//!
//! Most scripts put spaces between words. Chinese, Japanese, Thai, Lao, Khmer and Burmese do not:
//! there, a character (a grapheme cluster of Unicode Standard Annex 29,
//! <https://www.unicode.org/reports/tr29/>) takes the place of a word, and runs of characters take
//! the place of phrases, as search engines index these languages. Katakana, which spells loanwords,
//! stays together, as in the annex.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// A word of a text, or a character of a script without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Position in the text, in bytes.
    pub at: Range<usize>,
    /// Whether it continues the word before without a space, in a script that has none.
    pub continues: bool,
}

/// The words of `text`: two or more letters, digits or underscores in a row, with the marks above
/// and below them (scikit-learn's `\b\w\w+\b` for English), and every character of a script without
/// spaces.
///
/// ```
/// use tinderbox_datasets::text::words;
///
/// let of = |text: &'static str| -> Vec<&str> {
///     words(text).into_iter().map(|word| &text[word.at]).collect()
/// };
/// assert_eq!(of("Win a prize, now!"), ["Win", "prize", "now"]);
/// assert_eq!(of("東京タワーへ行く"), ["東", "京", "タワー", "へ", "行", "く"]);
/// ```
pub fn words(text: &str) -> Vec<Word> {
    split(text, |first| first.is_alphanumeric() || first == '_')
        .into_iter()
        .filter(|(word, script)| {
            *script != Script::Spaced || text[word.at.clone()].chars().nth(1).is_some()
        })
        .map(|(word, _)| word)
        .collect()
}

/// Everything between white space, signs included, with the characters of a script without spaces
/// one by one.
pub fn segments(text: &str) -> Vec<Word> {
    split(text, |first| !first.is_whitespace())
        .into_iter()
        .map(|(word, _)| word)
        .collect()
}

/// How the words of a script are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// By spaces.
    Spaced,
    /// Not at all, but a run is a word more often than not.
    Katakana,
    /// Not at all.
    Unspaced,
}

/// Blocks of scripts without spaces.
const UNSPACED: [(char, char); 16] = [
    ('\u{0e00}', '\u{0eff}'),   // Thai, Lao
    ('\u{1000}', '\u{109f}'),   // Myanmar
    ('\u{1780}', '\u{17ff}'),   // Khmer
    ('\u{1950}', '\u{19ff}'),   // Tai Le, New Tai Lue, Khmer symbols
    ('\u{1a20}', '\u{1aaf}'),   // Tai Tham
    ('\u{2e80}', '\u{2fdf}'),   // radicals of Han
    ('\u{3005}', '\u{3007}'),   // iteration mark, closing mark and zero of Han
    ('\u{3021}', '\u{3029}'),   // Hangzhou numerals
    ('\u{3041}', '\u{309f}'),   // Hiragana
    ('\u{3105}', '\u{312f}'),   // Bopomofo
    ('\u{3400}', '\u{4dbf}'),   // Han
    ('\u{4e00}', '\u{9fff}'),   // Han
    ('\u{a9e0}', '\u{a9ff}'),   // Myanmar
    ('\u{aa60}', '\u{aa7f}'),   // Myanmar
    ('\u{f900}', '\u{faff}'),   // Han
    ('\u{20000}', '\u{3ffff}'), // Han
];

const KATAKANA: [(char, char); 4] = [
    ('\u{30a1}', '\u{30fa}'),
    ('\u{30fc}', '\u{30ff}'),
    ('\u{31f0}', '\u{31ff}'),
    ('\u{ff66}', '\u{ff9f}'),
];

/// Vowel signs of Myanmar and Tai Tham that Unicode, for old fonts, counts as clusters.
const SPACING_VOWELS: [char; 6] = [
    '\u{102b}', '\u{102c}', '\u{1038}', '\u{1a61}', '\u{1a63}', '\u{1a64}',
];

impl Script {
    fn of(first: char) -> Self {
        let within = |blocks: &[(char, char)]| {
            let inside = |&(from, to): &(char, char)| (from..=to).contains(&first);
            blocks.iter().any(inside)
        };
        // Digits make numbers in every script.
        if first < UNSPACED[0].0 || first.is_numeric() {
            Self::Spaced
        } else if within(&KATAKANA) {
            Self::Katakana
        } else if within(&UNSPACED) {
            Self::Unspaced
        } else {
            Self::Spaced
        }
    }
}

/// Runs of grapheme clusters whose first characters are `part` of a word, cut where the script asks
/// for it.
fn split(text: &str, part: impl Fn(char) -> bool) -> Vec<(Word, Script)> {
    let mut all: Vec<(Word, Script)> = Vec::new();
    let mut add = |at: usize, cluster: &str| {
        let Some(first) = cluster.chars().next().filter(|&first| part(first)) else {
            return;
        };
        let script = Script::of(first);
        let end = at + cluster.len();
        let before = all.last_mut().filter(|(word, _)| word.at.end == at);
        match before {
            Some((word, kind)) if *kind == script && joins(first, script) => word.at.end = end,
            before => {
                let continues =
                    before.is_some_and(|(_, kind)| ![*kind, script].contains(&Script::Spaced));
                let word = Word {
                    at: at..end,
                    continues,
                };
                all.push((word, script));
            }
        }
    };
    // Looking clusters up takes time, and ASCII has none.
    if text.is_ascii() {
        for at in 0..text.len() {
            add(at, &text[at..=at]);
        }
    } else {
        for (at, cluster) in text.grapheme_indices(true) {
            add(at, cluster);
        }
    }
    all
}

/// Whether a cluster belongs to the one before, of the same script.
fn joins(first: char, script: Script) -> bool {
    script != Script::Unspaced || SPACING_VOWELS.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, of: fn(&str) -> Vec<Word>) -> Vec<&str> {
        of(text).into_iter().map(|word| &text[word.at]).collect()
    }

    #[test]
    fn words_of_every_script_are_told_apart() {
        for (text, expected) in [
            ("A dog's day, the_cat & 42 x", "dog|day|the_cat|42"),
            ("Äpfel und Cafe\u{301}s", "Äpfel|und|Cafe\u{301}s"),
            ("Привет, мир", "Привет|мир"),
            ("हिन्दी में लिखा है", "हिन्दी|में|लिखा|है"),
            ("مرحبا بالعالم", "مرحبا|بالعالم"),
            ("한국어 문장", "한국어|문장"),
            ("我們在2024年買iPhone。", "我|們|在|2024|年|買|iPhone"),
            ("東京タワーへ行く", "東|京|タワー|へ|行|く"),
            ("ｶﾞﾗｽ と がらす", "ｶﾞﾗｽ|と|が|ら|す"),
            ("か\u{3099}く", "か\u{3099}|く"),
            ("ฉันรักน้ำ", "ฉั|น|รั|ก|น้ำ"),
            ("ພາສາລາວ", "ພ|າ|ສ|າ|ລ|າ|ວ"),
            ("ខ្មែរ", "ខ្មែ|រ"),
            ("မြန်မာ", "မြ|န်|မာ"),
            ("ปี ๒๕๖๗", "ปี|๒๕๖๗"),
        ] {
            assert_eq!(texts(text, words).join("|"), expected, "{text}");
        }
        assert_eq!(texts("", words), [""; 0]);
    }

    #[test]
    fn segments_keep_signs_and_lone_letters() {
        for (text, expected) in [
            (" win a  prize!! ", "win|a|prize!!"),
            ("你好，world。", "你|好|，world。"),
            ("สวัสดี 5", "ส|วั|ส|ดี|5"),
        ] {
            assert_eq!(texts(text, segments).join("|"), expected, "{text}");
        }
    }

    #[test]
    fn a_word_continues_only_without_a_space_in_a_script_without_spaces() {
        let continues = |text| -> Vec<bool> { words(text).iter().map(|w| w.continues).collect() };
        assert_eq!(continues("two words"), [false, false]);
        assert_eq!(continues("日本 語を"), [false, true, false, true]);
        assert_eq!(continues("私のiPhoneは"), [false, true, false, false]);
    }
}
