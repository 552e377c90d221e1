//! Logistic regression on word-window features, for tags.

use std::time::Instant;

use tinderbox_baselines::{LogisticConfig, WordWindowConfig};
use tinderbox_datasets::random::{permutation, stream};
use tinderbox_predict::text::Tokens;
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::{Evaluation, Predictions};
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Splits, TaskError};

use super::report;
use crate::text::data::LabeledTexts;

/// Most weights: features times tags. Their optimizer holds about 20 numbers for each.
const MAX_WEIGHTS: usize = 2_000_000;

/// Most words to learn from, so that the fit stays short compared with a training.
const MAX_WORDS: usize = 1_000_000;

/// Most steps of the optimizer: more hardly change a prediction.
const ITERATIONS: usize = 100;

/// The random stream of the texts to learn from.
const STREAM: u64 = 0x7461_6773;

/// Logistic regression of the tag of each word on its spelling, its shape and its neighbors, fitted on the
/// training and validation texts, as it has no early stopping. Of too many texts, `seed` chooses.
pub(super) fn windows(
    texts: &LabeledTexts,
    tags: &[Vec<usize>],
    tokens: &[Tokens],
    splits: &Splits,
    seed: u64,
    warnings: &mut Vec<String>,
) -> Result<BaselineReport, TaskError> {
    let started = Instant::now();
    let classes = texts.labels.len();
    let all = [&splits.train[..], &splits.valid].concat();
    let fitted = within(&all, tags, MAX_WORDS, seed);
    if fitted.len() < all.len() {
        warnings.push(format!(
            "the baseline is fitted on a random {} of {} texts, to limit its time",
            thousands(fitted.len()),
            thousands(all.len())
        ));
    }
    let sentences = sentences(texts, &fitted);
    let config = WordWindowConfig {
        max_features: (MAX_WEIGHTS / classes.max(1)).max(1),
        ..WordWindowConfig::default()
    };
    let window = config.fit(&sentences).map_err(TaskError::internal)?;
    if window.width() < window.frequent() {
        warnings.push(format!(
            "the baseline uses the {} most frequent of {} word-window features, to limit its memory",
            thousands(window.width()),
            thousands(window.frequent())
        ));
    }
    let labels: Vec<usize> = fitted.iter().flat_map(|&row| tags[row].clone()).collect();
    let config = LogisticConfig {
        iterations: ITERATIONS,
        ..LogisticConfig::default()
    };
    let model = config.fit(&window.transform(&sentences), &labels, classes);
    let model = model.map_err(TaskError::internal)?;

    let rows = window.transform(&self::sentences(texts, &splits.test));
    let mut words = Predictions::default();
    let (kept, lengths, truth) = kept_words(tags, tokens, &splits.test);
    let probabilities = model.predict(&rows.select(&kept));
    let probabilities = probabilities.map_err(TaskError::internal)?;
    words.extend(classes, &probabilities, truth);
    let evaluation = Evaluation::Tags {
        words,
        lengths,
        names: texts.labels.clone(),
    };
    let method = "word windows + logistic regression".to_owned();
    Ok(report(method, fitted.len(), started, evaluation))
}

/// All of these texts, or random ones with at most so many words together, but one at least.
fn within(rows: &[usize], tags: &[Vec<usize>], most: usize, seed: u64) -> Vec<usize> {
    let all: usize = rows.iter().map(|&row| tags[row].len()).sum();
    if all <= most {
        return rows.to_vec();
    }
    let order = permutation(rows.len(), &mut stream(seed, &[STREAM]));
    let mut words = 0;
    let fitting = order.into_iter().map(|at| rows[at]).take_while(|&row| {
        let is_first = words == 0;
        words += tags[row].len();
        is_first || words <= most
    });
    fitting.collect()
}

fn sentences<'a>(texts: &'a LabeledTexts, rows: &[usize]) -> Vec<Vec<&'a str>> {
    rows.iter().map(|&row| texts.inputs[row].texts()).collect()
}

/// Of the words of these texts those that the network predicts, which are not truncated: their positions among
/// all words, their number in each text, and their tags.
fn kept_words(
    tags: &[Vec<usize>],
    tokens: &[Tokens],
    rows: &[usize],
) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let (mut kept, mut lengths, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    let mut from = 0;
    for &row in rows {
        let count = tokens[row].words.len().min(tags[row].len());
        kept.extend(from..from + count);
        lengths.push(count);
        truth.extend_from_slice(&tags[row][..count]);
        from += tags[row].len();
    }
    (kept, lengths, truth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::data::Targets;
    use tinderbox_datasets::text::TextReport;
    use tinderbox_predict::text::TextInput;

    /// Texts of the training and validation splits, before those of the test split.
    const SEEN: usize = 16;

    /// Sentences with a name and a town, of which the network reads `read` words.
    ///
    /// Those of the test split occur in no other one and have the same shape: only the context tells them apart.
    fn texts(read: usize) -> (LabeledTexts, Vec<Vec<usize>>, Vec<Tokens>) {
        let sentence = |at: usize| {
            let (names, towns) = if at < SEEN {
                (["Anna", "Bert", "Carl", "Dora"], ["Rome", "Oslo", "Bonn"])
            } else {
                (["Emil", "Fred", "Gina", "Hugo"], ["Bern", "Graz", "Kiel"])
            };
            let words = [names[at % 4], "lives", "in", towns[at % 3]];
            TextInput::Words(words.map(str::to_owned).to_vec())
        };
        let tags = vec![vec![1, 0, 0, 2]; 24];
        let tokens = Tokens {
            words: (1..=read).collect(),
            ..Tokens::default()
        };
        let texts = LabeledTexts {
            inputs: (0..24).map(sentence).collect(),
            targets: Targets::Tags(tags.clone()),
            labels: ["O", "B-PER", "B-LOC"].map(str::to_owned).to_vec(),
            splits: Splits::default(),
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: TextReport::default(),
        };
        (texts, tags, vec![tokens; 24])
    }

    fn splits() -> Splits {
        Splits {
            train: (0..12).collect(),
            valid: (12..SEEN).collect(),
            test: (SEEN..24).collect(),
        }
    }

    #[test]
    fn unseen_names_are_found_by_their_context_with_the_metrics_of_the_network() {
        let (texts, tags, tokens) = texts(4);
        let mut warnings = Vec::new();
        let found = windows(&texts, &tags, &tokens, &splits(), 7, &mut warnings).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!((found.result.samples, found.evaluation.len()), (16, 8));
        let test = &found.result.test;
        for name in ["accuracy", "f1", "f1_spans"] {
            assert!((test[name] - 1.0).abs() < 1e-12, "{name} {test:?}");
        }
        assert!(test["loss"] < 0.5, "{test:?}");
    }

    #[test]
    fn truncated_words_are_not_measured() {
        let (texts, tags, tokens) = texts(3);
        let found = windows(&texts, &tags, &tokens, &splits(), 7, &mut Vec::new());
        let found = found.unwrap();
        let Evaluation::Tags { words, lengths, .. } = &found.evaluation else {
            panic!("no tags");
        };
        assert_eq!(lengths, &[3; 8]);
        assert_eq!(words.labels, [1, 0, 0].repeat(8));
    }

    #[test]
    fn random_texts_within_the_limit_are_learned_from() {
        let tags = vec![vec![0; 4]; 100];
        let rows: Vec<usize> = (0..50).map(|at| 2 * at).collect();
        assert_eq!(within(&rows, &tags, 200, 7), rows);
        let some = within(&rows, &tags, 43, 7);
        assert_eq!(some, within(&rows, &tags, 43, 7));
        assert_ne!(some, within(&rows, &tags, 43, 8));
        // Of all parts of the list, each once.
        let mut sorted = some;
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 10);
        assert!(sorted.iter().all(|row| rows.contains(row)), "{sorted:?}");
        assert!(sorted[9] >= 50, "{sorted:?}");
        assert_eq!(within(&rows, &tags, 1, 7).len(), 1);
        assert!(within(&[], &tags, 1, 7).is_empty());
    }
}
