//! Words in their sentence as sparse rows: spelling, shape and neighbors.

use std::collections::HashMap;

use crate::{BaselineError, SparseRows};

/// Characters of a prefix or suffix.
const AFFIX: usize = 3;

/// How a [`WordWindow`] is made.
///
/// A word has the features of linear taggers: the word as it is and in lower case, its first and last
/// three characters, its shape, and of both neighbors the lower case and the shape. A shape has `X` for upper
/// case, `x` for other letters and `d` for digits, each once for a run, and other characters as they are.
///
/// Reference: Ratinov and Roth, *Design challenges and misconceptions in named entity recognition*, 2009,
/// <https://aclanthology.org/W09-1119/>. Differs from it: no gazetteers, clusters or earlier tags.
///
/// ```
/// use tinderbox_baselines::{LogisticConfig, WordWindowConfig};
///
/// let sentences = [["Anna", "lives", "in", "Oslo"], ["Bert", "lives", "in", "Rome"]];
/// let window = WordWindowConfig { min_words: 1, ..WordWindowConfig::default() }.fit(&sentences)?;
/// let tags = [1, 0, 0, 2, 1, 0, 0, 2];
/// let model = LogisticConfig::default().fit(&window.transform(&sentences), &tags, 3)?;
/// let new = model.predict(&window.transform(&[["Carl", "lives", "in", "Bonn"]]))?;
/// assert!(new[1] > 0.5 && new[11] > 0.5);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordWindowConfig {
    /// Words that must have a feature for it to be kept.
    pub min_words: usize,
    /// Most features: of more, those that most words have are kept.
    pub max_features: usize,
}

impl Default for WordWindowConfig {
    fn default() -> Self {
        Self {
            min_words: 2,
            max_features: 500_000,
        }
    }
}

/// The features of training words, whose columns are those of the rows.
#[derive(Clone, Debug)]
pub struct WordWindow {
    columns: HashMap<String, u32>,
    frequent: usize,
}

impl WordWindowConfig {
    /// Finds the features of the words of `sentences`.
    ///
    /// # Errors
    ///
    /// If no feature is frequent enough, or a setting is 0.
    pub fn fit<W: AsRef<str>>(
        &self,
        sentences: &[impl AsRef<[W]>],
    ) -> Result<WordWindow, BaselineError> {
        for (name, value) in [
            ("min_words", self.min_words),
            ("max_features", self.max_features),
        ] {
            let value = value as f64;
            crate::error::check_setting(name, value, 1.0..=1e9, "[1, 1000000000]")?;
        }
        let mut words = 0;
        let mut counts: HashMap<String, usize> = HashMap::new();
        for sentence in sentences {
            words += sentence.as_ref().len();
            each_word(sentence.as_ref(), |features| {
                for feature in features {
                    if let Some(count) = counts.get_mut(feature) {
                        *count += 1;
                    } else {
                        counts.insert(feature.clone(), 1);
                    }
                }
            });
        }
        let counts = counts.into_iter();
        let mut kept: Vec<(String, usize)> = counts
            .filter(|&(_, count)| count >= self.min_words)
            .collect();
        if kept.is_empty() {
            return Err(BaselineError::NoFeatures {
                min_words: self.min_words,
                words,
            });
        }
        // A map's order is random.
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let frequent = kept.len();
        kept.truncate(self.max_features);
        let kept = kept.into_iter().map(|(feature, _)| feature);
        Ok(WordWindow {
            columns: kept.zip(0..).collect(),
            frequent,
        })
    }
}

impl WordWindow {
    /// Number of features: the width of the rows.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Number of features that enough training words have: more than the width if the setting limits it.
    pub fn frequent(&self) -> usize {
        self.frequent
    }

    /// Makes a row of each word, sentence after sentence. Features that the training words lack are passed
    /// over.
    pub fn transform<W: AsRef<str>>(&self, sentences: &[impl AsRef<[W]>]) -> SparseRows {
        let mut rows = SparseRows::new(self.width());
        let mut columns = Vec::new();
        for sentence in sentences {
            each_word(sentence.as_ref(), |features| {
                columns.clear();
                let known = features.iter().filter_map(|one| self.columns.get(one));
                columns.extend(known.map(|&column| column as usize));
                // The features of a word differ in their first letters, so no column comes twice.
                columns.sort_unstable();
                let pushed = rows.push(columns.iter().map(|&column| (column, 1.0)));
                debug_assert_eq!(pushed, Ok(()));
            });
        }
        rows
    }
}

/// Hands over the features of each word of a sentence.
fn each_word<W: AsRef<str>>(sentence: &[W], mut each: impl FnMut(&[String])) {
    let words: Vec<(String, String)> = sentence
        .iter()
        .map(|word| (word.as_ref().to_lowercase(), shape(word.as_ref())))
        .collect();
    let mut features: Vec<String> = Vec::new();
    for (at, word) in sentence.iter().enumerate() {
        let (word, (lower, shape)) = (word.as_ref(), &words[at]);
        features.clear();
        features.extend([
            format!("w={word}"),
            format!("l={lower}"),
            format!("p={}", prefix(word)),
            format!("s={}", suffix(word)),
            format!("h={shape}"),
        ]);
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        for (side, neighbor) in [('-', before), ('+', words.get(at + 1))] {
            // At the ends of the sentence there is no neighbor, which is a feature as well.
            features.extend(match neighbor {
                Some((lower, shape)) => [format!("{side}l={lower}"), format!("{side}h={shape}")],
                None => [format!("{side}l"), format!("{side}h")],
            });
        }
        each(&features);
    }
}

fn prefix(word: &str) -> &str {
    let end = word.char_indices().nth(AFFIX);
    end.map_or(word, |(end, _)| &word[..end])
}

fn suffix(word: &str) -> &str {
    let start = word.char_indices().rev().nth(AFFIX - 1);
    start.map_or(word, |(start, _)| &word[start..])
}

/// `Xx` for `Oslo`, `dx` for `3rd`, `X.X.` for `U.S.`.
fn shape(word: &str) -> String {
    let class = |character: char| match character {
        c if c.is_uppercase() => 'X',
        c if c.is_alphabetic() => 'x',
        c if c.is_numeric() => 'd',
        c => c,
    };
    let mut shape = String::new();
    for class in word.chars().map(class) {
        if !shape.ends_with(class) {
            shape.push(class);
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogisticConfig;

    const ALL: WordWindowConfig = WordWindowConfig {
        min_words: 1,
        max_features: 1_000,
    };

    fn features(sentence: &[&str], at: usize) -> Vec<String> {
        let mut all = Vec::new();
        each_word(sentence, |features| all.push(features.to_vec()));
        all.swap_remove(at)
    }

    #[test]
    fn a_word_has_its_spelling_its_shape_and_its_neighbors() {
        let expected = [
            "w=Özil", "l=özil", "p=Özi", "s=zil", "h=Xx", "-l=mr.", "-h=Xx.", "+l", "+h",
        ];
        assert_eq!(features(&["Mr.", "Özil"], 1), expected);
        let shapes = ["3rd", "U.S.", "iPhone", "1,000", "--", "", "東京"].map(shape);
        assert_eq!(shapes, ["dx", "X.X.", "xXx", "d,d", "-", "", "x"]);
        assert_eq!(
            [prefix("ab"), suffix("ab"), suffix("äöüß")],
            ["ab", "ab", "öüß"]
        );
    }

    #[test]
    fn rows_follow_the_words_and_skip_rare_features() {
        let sentences = [vec!["Go", "now"], vec![], vec!["Go"]];
        let window = WordWindowConfig::default().fit(&sentences).unwrap();
        let rows = window.transform(&sentences);
        assert_eq!((rows.len(), rows.width()), (3, window.width()));
        // `Go` in both sentences: spelling, shape and the begin; the neighbors behind differ, but both sentences
        // have an end.
        assert_eq!([0, 1, 2].map(|row| rows.row(row).len()), [7, 2, 9]);
        let few = WordWindowConfig {
            max_features: 3,
            ..ALL
        };
        let all = ALL.fit(&sentences).unwrap();
        let few = few.fit(&sentences).unwrap();
        assert_eq!((few.width(), few.frequent()), (3, all.width()));
        assert!(all.width() > 9);
        assert_eq!(all.frequent(), all.width());
        let unknown = window.transform(&[["x!y?z", "#"]]);
        assert_eq!((unknown.len(), unknown.width()), (2, window.width()));
    }

    #[test]
    fn words_that_never_occurred_are_known_by_shape_and_neighbors() {
        let names = ["Anna", "Bert", "Carl", "Dora"];
        let sentences = names.map(|name| ["Today", name, "paid", "12.50", "there"]);
        let window = ALL.fit(&sentences).unwrap();
        let tags = [0, 1, 0, 2, 0].repeat(4);
        let model = LogisticConfig::default();
        let model = model.fit(&window.transform(&sentences), &tags, 3).unwrap();
        let new = window.transform(&[["Today", "Zoe", "paid", "7.99", "there"]]);
        let found = model.predict(&new).unwrap();
        let best = found.chunks_exact(3).map(|row| {
            let all = row.iter().enumerate();
            all.max_by(|a, b| a.1.total_cmp(b.1)).map(|(tag, _)| tag)
        });
        let best: Vec<usize> = best.flatten().collect();
        assert_eq!(best, [0, 1, 0, 2, 0]);
    }

    #[test]
    fn nothing_to_learn_from_and_settings_of_zero_are_refused() {
        let error = WordWindowConfig::default().fit(&[["once"]]).unwrap_err();
        let expected = BaselineError::NoFeatures {
            min_words: 2,
            words: 1,
        };
        assert_eq!(error, expected);
        let none = WordWindowConfig {
            max_features: 0,
            ..ALL
        };
        let error = none.fit(&[["once"]]).unwrap_err();
        assert!(error.to_string().contains("`max_features`"), "{error}");
    }
}
