//! Logistic regression on windows of words, for tags.

use std::time::Instant;

use tinderbox_baselines::{LogisticConfig, WordWindowConfig};
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

/// Logistic regression of the tag of each word on its spelling, its shape and its neighbors, fitted on the
/// training and validation texts, as it has no early stopping.
pub(super) fn windows(
    texts: &LabeledTexts,
    tags: &[Vec<usize>],
    tokens: &[Tokens],
    splits: &Splits,
    warnings: &mut Vec<String>,
) -> Result<BaselineReport, TaskError> {
    let started = Instant::now();
    let classes = texts.labels.len();
    let all = [&splits.train[..], &splits.valid].concat();
    let fitted = within(&all, tags, MAX_WORDS);
    if fitted.len() < all.len() {
        warnings.push(format!(
            "the baseline is fitted on the first {} of {} texts, to limit its time",
            thousands(fitted.len()),
            thousands(all.len())
        ));
    }
    let sentences = sentences(texts, fitted);
    let config = WordWindowConfig {
        max_features: (MAX_WEIGHTS / classes.max(1)).max(1),
        ..WordWindowConfig::default()
    };
    let window = config.fit(&sentences).map_err(TaskError::internal)?;
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

/// The first of these texts, with at most so many words together, but one at least.
fn within<'a>(rows: &'a [usize], tags: &[Vec<usize>], most: usize) -> &'a [usize] {
    let mut words = 0;
    let fitting = rows.iter().take_while(|&&row| {
        words += tags[row].len();
        words <= most
    });
    let count = fitting.count().max(1).min(rows.len());
    &rows[..count]
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

    /// Sentences with a name and a town, of which the network reads `read` words.
    fn texts(read: usize) -> (LabeledTexts, Vec<Vec<usize>>, Vec<Tokens>) {
        let sentence = |at: usize| {
            let name = ["Anna", "Bert", "Carl", "Dora"][at % 4];
            let town = ["Rome", "Oslo", "Bonn"][at % 3];
            TextInput::Words([name, "lives", "in", town].map(str::to_owned).to_vec())
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
            valid: (12..16).collect(),
            test: (16..24).collect(),
        }
    }

    #[test]
    fn names_are_found_by_their_window_with_the_metrics_of_the_network() {
        let (texts, tags, tokens) = texts(4);
        let mut warnings = Vec::new();
        let found = windows(&texts, &tags, &tokens, &splits(), &mut warnings).unwrap();
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
        let found = windows(&texts, &tags, &tokens, &splits(), &mut Vec::new()).unwrap();
        let Evaluation::Tags { words, lengths, .. } = &found.evaluation else {
            panic!("no tags");
        };
        assert_eq!(lengths, &[3; 8]);
        assert_eq!(words.labels, [1, 0, 0].repeat(8));
    }

    #[test]
    fn the_first_texts_within_the_limit_are_learned_from() {
        let tags = vec![vec![0; 4]; 5];
        assert_eq!(within(&[4, 2, 0], &tags, 9), [4, 2]);
        assert_eq!(within(&[4, 2, 0], &tags, 12), [4, 2, 0]);
        assert_eq!(within(&[4, 2, 0], &tags, 1), [4]);
        assert!(within(&[], &tags, 1).is_empty());
    }
}
