//! Classical methods on the same texts, to compare with.

mod plain;
mod tags;

use std::time::Instant;

use tinderbox_baselines::{LogisticConfig, TfidfConfig};
use tinderbox_predict::text::TextSizes;
use tinderbox_train::metrics::{Evaluation, Labels, Predictions};
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{FitError, Splits, TaskError};

use super::analysis::ContractNliReport;
use super::data::{Corpus, LabeledTexts, Targets};
use super::fit::Encoded;

/// Weight decay: most texts are short, and TF-IDF has unit length.
const L2: f64 = 0.1;

/// The classical method for these texts: TF-IDF with logistic regression for classes and labels, logistic
/// regression on word-window features for tags, n-grams for plain text.
///
/// `tokens` are those of the network, so that all methods are measured on the same words or tokens. Of too
/// many texts, `seed` chooses. What a method leaves out is added to `warnings`.
pub(super) fn baselines(
    corpus: &Corpus,
    tokens: &Encoded,
    splits: &Splits,
    sizes: TextSizes,
    seed: u64,
    warnings: &mut Vec<String>,
) -> Result<Vec<BaselineReport>, TaskError> {
    let report = match (corpus, tokens) {
        (Corpus::Plain(text), Encoded::Plain { train, valid, test }) => {
            plain::ngrams([train, valid, test], &text.test, sizes, warnings)
        }
        (Corpus::Labeled(texts), Encoded::Labeled(tokens)) => match &texts.targets {
            Targets::Tags(tags) => tags::windows(texts, tags, tokens, splits, seed, warnings),
            Targets::Classes(_) | Targets::Labels(_) => tfidf(texts, splits),
        },
        _ => Err(FitError::NotRun.into()),
    };
    Ok(vec![report?])
}

/// The result of a method that was begun at `started`.
fn report(
    method: String,
    samples: usize,
    started: Instant,
    evaluation: Evaluation,
) -> BaselineReport {
    BaselineReport {
        result: Baseline {
            method,
            samples,
            wall_s: started.elapsed().as_secs_f64(),
            threshold: None,
            test: evaluation.metrics(),
        },
        evaluation,
    }
}

fn tfidf(texts: &LabeledTexts, splits: &Splits) -> Result<BaselineReport, TaskError> {
    let started = Instant::now();
    // A method without early stopping needs no validation texts.
    let fitted = [&splits.train[..], &splits.valid].concat();
    let [evaluation, valid] = linear(texts, &fitted, [&splits.test, &splits.valid])?;
    let nli = ContractNliReport::new(texts, &evaluation, &valid);
    let method = "TF-IDF + logistic regression".to_owned();
    let mut report = report(method, fitted.len(), started, evaluation);
    if let Some(nli) = nli {
        report.result.test.extend(nli.metrics());
    }
    Ok(report)
}

fn linear(
    texts: &LabeledTexts,
    fitted: &[usize],
    evaluated: [&[usize]; 2],
) -> Result<[Evaluation; 2], TaskError> {
    let joined = |rows: &[usize]| -> Vec<String> {
        let inputs = rows.iter().map(|&row| &texts.inputs[row]);
        inputs
            .map(tinderbox_predict::text::TextInput::joined)
            .collect()
    };
    let train = joined(fitted);
    let terms = TfidfConfig::default()
        .fit(&train)
        .map_err(TaskError::internal)?;
    let features = terms.transform(&train);
    let config = LogisticConfig {
        l2: L2,
        ..LogisticConfig::default()
    };
    let classes = texts.labels.len();
    let model = match &texts.targets {
        Targets::Classes(labels) => {
            let labels: Vec<usize> = fitted.iter().map(|&row| labels[row]).collect();
            config.fit(&features, &labels, classes)
        }
        Targets::Labels(flags) => {
            let flags: Vec<bool> = fitted.iter().flat_map(|&row| flags[row].clone()).collect();
            config.fit_labels(&features, &flags, classes)
        }
        Targets::Tags(_) => return Err(FitError::NotRun.into()),
    };
    let model = model.map_err(TaskError::internal)?;
    let evaluate = |rows: &[usize]| -> Result<Evaluation, TaskError> {
        let probabilities = model.predict(&terms.transform(&joined(rows)));
        let probabilities = probabilities.map_err(TaskError::internal)?;
        Ok(evaluation(&probabilities, &texts.targets, rows, classes))
    };
    Ok([evaluate(evaluated[0])?, evaluate(evaluated[1])?])
}

fn evaluation(
    probabilities: &[f32],
    targets: &Targets,
    rows: &[usize],
    classes: usize,
) -> Evaluation {
    match targets {
        Targets::Labels(flags) => Evaluation::Labels(Labels {
            labels: classes,
            probabilities: probabilities.iter().map(|&p| f64::from(p)).collect(),
            truth: rows.iter().flat_map(|&row| flags[row].clone()).collect(),
        }),
        Targets::Classes(labels) => {
            let mut predictions = Predictions::default();
            predictions.extend(classes, probabilities, rows.iter().map(|&row| labels[row]));
            Evaluation::Classes(predictions)
        }
        Targets::Tags(_) => Evaluation::Classes(Predictions::default()),
    }
}
