//! Texts as sparse rows: how often each term occurs, weighted by how rare it is.

use std::collections::HashMap;

use crate::{BaselineError, SparseRows};
use tinderbox_datasets::text::{Word, words};

/// Most characters in a run of a script without spaces: as many as most words of these have, and
/// longer runs are too rare to learn from.
const LONGEST_RUN: usize = 3;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Runs of [`words`]. In scripts without spaces, where these are characters, a run has up to
    /// three of them, or `most` if that is more.
    Words {
        /// Fewest words of a term.
        fewest: usize,
        /// Most words of a term.
        most: usize,
    },
    /// Runs of characters inside a word and the space on either side; here words are what white
    /// space separates. A word shorter than a run is a term as it is.
    Characters {
        /// Fewest characters of a term.
        fewest: usize,
        /// Most characters of a term.
        most: usize,
    },
}

/// How a [`Tfidf`] is made.
///
/// The weights are those of scikit-learn's `TfidfVectorizer`: the count of a term (or one plus its
/// logarithm), times `ln((1 + texts) / (1 + texts with the term)) + 1`, the row brought to length 1.
/// Texts are put in lower case.
///
/// Reference: Spärck Jones, *A statistical interpretation of term specificity and its application
/// in retrieval*, 1972, <https://doi.org/10.1108/eb026526>.
///
/// ```
/// use tinderbox_baselines::{LogisticConfig, TfidfConfig};
///
/// let texts = ["win free cash now", "free cash prize", "see you at lunch", "lunch at noon then"];
/// let tfidf = TfidfConfig { min_texts: 1, ..TfidfConfig::default() }.fit(&texts)?;
/// let model = LogisticConfig::default().fit(&tfidf.transform(&texts), &[1, 1, 0, 0], 2)?;
/// let spam = model.predict(&tfidf.transform(&["free lunch and cash"]))?[1];
/// assert!(spam > 0.5);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TfidfConfig {
    /// What a term is.
    pub terms: Terms,
    /// Texts that a term must occur in to be kept.
    pub min_texts: usize,
    /// Whether a count counts as one plus its logarithm.
    pub sublinear: bool,
}

impl Default for TfidfConfig {
    /// Words and pairs of words that occur in two texts or more, with sublinear counts.
    fn default() -> Self {
        Self {
            terms: Terms::Words { fewest: 1, most: 2 },
            min_texts: 2,
            sublinear: true,
        }
    }
}

/// Terms and their weights, as found in the training texts.
#[derive(Clone, Debug)]
pub struct Tfidf {
    config: TfidfConfig,
    columns: HashMap<String, u32>,
    weights: Vec<f64>,
}

impl TfidfConfig {
    /// Finds the terms of `texts`, and how rare they are.
    ///
    /// # Errors
    ///
    /// If no term occurs in enough texts, or a setting is out of range.
    pub fn fit<T: AsRef<str>>(&self, texts: &[T]) -> Result<Tfidf, BaselineError> {
        self.validate()?;
        let mut terms: Vec<(String, usize)> = self
            .texts_by_term(texts)
            .into_iter()
            .filter(|&(_, texts)| texts >= self.min_texts)
            .collect();
        if terms.is_empty() {
            return Err(BaselineError::NoTerms {
                min_texts: self.min_texts,
                texts: texts.len(),
            });
        }
        // A map's order is random.
        terms.sort_unstable();
        let count = texts.len() as f64;
        let weight = |&(_, texts): &(String, usize)| (1.0 + count) / (1.0 + texts as f64);
        let weights = terms.iter().map(|t| weight(t).ln() + 1.0).collect();
        let terms = terms.into_iter().map(|(term, _)| term);
        Ok(Tfidf {
            config: *self,
            columns: terms.zip(0..).collect(),
            weights,
        })
    }

    fn validate(&self) -> Result<(), BaselineError> {
        let (Terms::Words { fewest, most } | Terms::Characters { fewest, most }) = self.terms;
        for (name, value, right) in [
            ("fewest", fewest, (1..=most).contains(&fewest)),
            ("most", most, most <= 16),
            ("min_texts", self.min_texts, self.min_texts > 0),
        ] {
            if !right {
                return Err(BaselineError::Setting {
                    name,
                    range: match name {
                        "fewest" => "[1, `most`]",
                        "most" => "[1, 16]",
                        _ => "[1, number of texts]",
                    },
                    value: value as f64,
                });
            }
        }
        Ok(())
    }

    /// In how many texts each term occurs.
    fn texts_by_term<T: AsRef<str>>(&self, texts: &[T]) -> HashMap<String, usize> {
        // With the last text that a term was seen in, so that a text counts once.
        let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
        for (at, text) in texts.iter().enumerate() {
            self.terms.visit(text.as_ref(), |term| {
                if let Some((texts, last)) = seen.get_mut(term) {
                    *texts += usize::from(*last != at);
                    *last = at;
                } else {
                    seen.insert(term.to_owned(), (1, at));
                }
            });
        }
        let texts = |(term, (texts, _))| (term, texts);
        seen.into_iter().map(texts).collect()
    }
}

impl Tfidf {
    /// Number of terms: the width of the rows.
    pub fn width(&self) -> usize {
        self.weights.len()
    }

    /// The terms, in the order of their columns.
    pub fn terms(&self) -> Vec<&str> {
        let mut terms = vec![""; self.width()];
        for (term, &column) in &self.columns {
            terms[column as usize] = term;
        }
        terms
    }

    /// Makes a row of each text. Terms that the training texts lack are passed over; a text of such
    /// terms only is a row of zeros.
    pub fn transform<T: AsRef<str>>(&self, texts: &[T]) -> SparseRows {
        let mut rows = SparseRows::new(self.width());
        for text in texts {
            // Numbers between 0 and 1 in ascending columns: nothing that is refused.
            let pushed = rows.push(self.row(text.as_ref()));
            debug_assert_eq!(pushed, Ok(()));
        }
        rows
    }

    fn row(&self, text: &str) -> Vec<(usize, f64)> {
        let mut columns = Vec::new();
        self.config.terms.visit(text, |term| {
            columns.extend(self.columns.get(term).map(|&column| column as usize));
        });
        columns.sort_unstable();
        let mut row: Vec<(usize, f64)> = columns
            .chunk_by(|left, right| left == right)
            .map(|same| (same[0], self.weight(same[0], same.len())))
            .collect();
        let length = row.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        for (_, weight) in &mut row {
            *weight /= length;
        }
        row
    }

    fn weight(&self, column: usize, count: usize) -> f64 {
        let count = count as f64;
        let frequency = if self.config.sublinear {
            1.0 + count.ln()
        } else {
            count
        };
        frequency * self.weights[column]
    }
}

impl Terms {
    /// Hands over each term of `text`, as often as it occurs.
    fn visit(self, text: &str, mut each: impl FnMut(&str)) {
        let text = text.to_lowercase();
        match self {
            Self::Words { fewest, most } => {
                let words = words(&text);
                let mut term = String::new();
                for start in 0..words.len() {
                    term.clear();
                    for (at, word) in words[start..].iter().enumerate() {
                        if at >= most && !is_run(&words[start..=start + at]) {
                            break;
                        }
                        if at > 0 && !word.continues {
                            term.push(' ');
                        }
                        term.push_str(&text[word.at.clone()]);
                        if at + 1 >= fewest {
                            each(&term);
                        }
                    }
                }
            }
            Self::Characters { fewest, most } => {
                for word in text.split_whitespace() {
                    runs(&format!(" {word} "), fewest, most, &mut each);
                }
            }
        }
    }
}

/// Whether these are characters in a row, and not too many.
fn is_run(words: &[Word]) -> bool {
    words.len() <= LONGEST_RUN && words[1..].iter().all(|word| word.continues)
}

fn runs(word: &str, fewest: usize, most: usize, each: &mut impl FnMut(&str)) {
    let mut ends: Vec<usize> = word.char_indices().map(|(at, _)| at).collect();
    ends.push(word.len());
    for length in fewest..=most {
        if ends.len() <= length + 1 {
            each(word);
            break;
        }
        for run in ends.windows(length + 1) {
            each(&word[run[0]..run[length]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 3] = [
        "The cat sat on the mat.",
        "A dog sat; the DOG barked at the_cat!",
        "Äpfel 42 kosten 3 Euro",
    ];

    fn config(terms: Terms, sublinear: bool) -> TfidfConfig {
        TfidfConfig {
            terms,
            min_texts: 1,
            sublinear,
        }
    }

    fn words_of(text: &str, fewest: usize, most: usize) -> Vec<String> {
        let mut terms = Vec::new();
        Terms::Words { fewest, most }.visit(text, |term| terms.push(term.to_owned()));
        terms
    }

    #[test]
    fn words_are_two_letters_or_digits_or_more() {
        let expected = ["dog", "sat", "the", "dog", "barked", "at", "the_cat"];
        assert_eq!(words_of(TEXTS[1], 1, 1), expected);
        assert_eq!(words_of(TEXTS[2], 1, 1), ["äpfel", "42", "kosten", "euro"]);
        assert_eq!(words_of("x y, z", 1, 1), [""; 0]);
    }

    #[test]
    fn pairs_of_words_skip_what_is_no_word() {
        let expected = ["see", "see you", "you", "you at", "at"];
        assert_eq!(words_of("See -- you, @ a at", 1, 2), expected);
        assert_eq!(words_of("one two three", 3, 3), ["one two three"]);
        assert_eq!(words_of("one two", 3, 3), [""; 0]);
    }

    #[test]
    fn scripts_without_spaces_have_runs_of_characters() {
        let expected = ["我", "我们", "我们好", "们", "们好", "好", "好 ok", "ok"];
        assert_eq!(words_of("我们好, OK", 1, 2), expected);
        assert_eq!(
            words_of("日本語", 1, 1),
            ["日", "日本", "日本語", "本", "本語", "語"]
        );
        assert_eq!(words_of("น้ำ", 1, 2), ["น้ำ"]);
    }

    /// Sentences with no space in them, told apart by a word inside.
    #[test]
    fn sentences_without_spaces_are_told_apart() {
        for (first, second, middle) in [
            (
                ["猫", "小猫"],
                ["狗", "小狗"],
                ["我昨天看见一只", "在院子里"],
            ),
            (
                ["ねこ", "こねこ"],
                ["いぬ", "こいぬ"],
                ["きのう", "をみました"],
            ),
            (["แมว", "ลูกแมว"], ["หมา", "ลูกหมา"], ["เมื่อวานฉันเห็น", "ในสวน"]),
        ] {
            let text = |word: &str, at: usize| match at % 3 {
                0 => format!("{}{word}{}", middle[0], middle[1]),
                1 => format!("{word}{}", middle[1]),
                _ => format!("{}{word}", middle[0]),
            };
            let (texts, labels): (Vec<String>, Vec<usize>) = (0..12)
                .map(|at| (text([first, second][at % 2][0], at / 2), at % 2))
                .unzip();
            let tfidf = TfidfConfig::default().fit(&texts).unwrap();
            let rows = tfidf.transform(&texts);
            let model = crate::LogisticConfig::default()
                .fit(&rows, &labels, 2)
                .unwrap();
            for (words, class) in [(first, 0), (second, 1)] {
                // Another word around it, in a sentence that was not learned from.
                let new = format!("{}{}{}", middle[0], words[1], middle[0]);
                let said = model.predict(&tfidf.transform(&[&new])).unwrap();
                assert!(said[class] > 0.5, "{new} {said:?}");
            }
        }
    }

    /// Expected: scikit-learn 1.9.1, `TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))`.
    #[test]
    fn runs_of_characters_stay_inside_a_word() {
        let mut terms = Vec::new();
        let characters = Terms::Characters { fewest: 2, most: 4 };
        characters.visit("Äb c", |term| terms.push(term.to_owned()));
        terms.sort();
        let mut expected = [" ä", "äb", "b ", " äb", "äb ", " äb ", " c", "c ", " c "];
        expected.sort_unstable();
        assert_eq!(terms, expected);
    }

    /// Expected: scikit-learn 1.9.1, `TfidfVectorizer(sublinear_tf=..)`.
    #[test]
    fn weights_agree_with_scikit_learn() {
        let terms = Terms::Words { fewest: 1, most: 1 };
        let names = [
            "42", "at", "barked", "cat", "dog", "euro", "kosten", "mat", "on", "sat", "the",
            "the_cat", "äpfel",
        ];
        let plain = [
            0.350_138_7,
            0.350_138_7,
            0.700_277_4,
            0.266_289_5,
            0.266_289_5,
            0.350_138_7,
        ];
        let logs = [
            0.377_330_4,
            0.377_330_4,
            0.638_875_9,
            0.286_969_5,
            0.286_969_5,
            0.377_330_4,
        ];
        for (sublinear, expected) in [(false, plain), (true, logs)] {
            let tfidf = config(terms, sublinear).fit(&TEXTS).unwrap();
            assert_eq!(tfidf.terms(), names);
            let rows = tfidf.transform(&TEXTS);
            let row: Vec<_> = rows.row(1).collect();
            assert_eq!(row.len(), 6);
            for ((column, weight), (at, expected)) in row
                .into_iter()
                .zip([1, 2, 4, 9, 10, 11].into_iter().zip(expected))
            {
                assert_eq!(column, at);
                assert!((weight - expected).abs() < 1e-6, "{weight} {expected}");
            }
        }
    }

    #[test]
    fn a_term_of_too_few_texts_is_dropped() {
        let terms = Terms::Words { fewest: 1, most: 1 };
        let config = TfidfConfig {
            min_texts: 2,
            ..config(terms, false)
        };
        let tfidf = config.fit(&TEXTS).unwrap();
        assert_eq!(tfidf.terms(), ["sat", "the"]);
        let rows = tfidf.transform(&["nothing known", "the rest"]);
        assert_eq!(rows.row(0).len(), 0);
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [(1, 1.0)]);
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let error = TfidfConfig::default().fit(&["", "?!"]).unwrap_err();
        assert!(
            error.to_string().contains("at least 2 of the 2 texts"),
            "{error}"
        );
        let none: [&str; 0] = [];
        assert!(matches!(
            TfidfConfig::default().fit(&none),
            Err(BaselineError::NoTerms { .. })
        ));
        let terms = Terms::Words { fewest: 3, most: 2 };
        let setting = config(terms, true).fit(&TEXTS);
        assert!(matches!(
            setting,
            Err(BaselineError::Setting { name: "fewest", .. })
        ));
    }
}
