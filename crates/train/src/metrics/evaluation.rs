//! The predictions of a model with the targets, for every kind of task.

use tinderbox_predict::decision::{DEFAULT_THRESHOLD, argmax};

use super::compare::share_interval;
use super::{
    ClassScores, Estimate, Labels, Predictions, Ranking, binary_metrics, perplexity,
    regression_metrics,
};
use crate::{Metrics, MonitorMode};

/// Predictions for some items, with their targets.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// One of several classes; `f1` is the mean over the classes.
    Classes(Predictions),
    /// Two classes, of which the second is the positive one; `f1` is that of the positive class.
    Binary(Predictions),
    /// Any number of labels.
    Labels(Labels),
    /// One tag for each word.
    Tags {
        /// The predictions for all words.
        words: Predictions,
        /// Number of words of each text.
        lengths: Vec<usize>,
        /// Names of the tags.
        names: Vec<String>,
    },
    /// Numbers in the target's unit.
    Numbers {
        /// Predicted values.
        predicted: Vec<f64>,
        /// Target values.
        actual: Vec<f64>,
    },
    /// The next token at each position of a text.
    Tokens {
        /// Sum of the negative log-likelihoods, in nats.
        nats: f64,
        /// Number of predicted tokens.
        tokens: usize,
        /// Number of characters of these tokens.
        characters: usize,
    },
    /// A number of each item whose mean decides, such as the return of an episode.
    Means {
        /// The numbers.
        values: Vec<f64>,
        /// The metrics by their names; the first of `headline` is the mean.
        metrics: Metrics,
        /// Name of the metric that decides between two models, and its direction.
        headline: (&'static str, MonitorMode),
    },
    /// Metrics that a task computes itself.
    Other {
        /// The metrics by their names; the first of `headline` decides.
        metrics: Metrics,
        /// Number of items.
        items: usize,
        /// Name of the metric that decides between two models, and its direction.
        headline: (&'static str, MonitorMode),
    },
}

impl Evaluation {
    /// An evaluation with one custom metric.
    pub fn of_metric(name: &'static str, mode: MonitorMode, value: f64, items: usize) -> Self {
        Self::Other {
            metrics: Metrics::from([(name.to_owned(), value)]),
            items,
            headline: (name, mode),
        }
    }

    /// Number of items: rows, images, texts or tokens.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(predictions) | Self::Binary(predictions) => predictions.len(),
            Self::Labels(labels) => labels.truth.len() / labels.labels.max(1),
            Self::Tags { lengths, .. } => lengths.len(),
            Self::Numbers { actual, .. } => actual.len(),
            Self::Tokens { tokens, .. } => *tokens,
            Self::Means { values, .. } => values.len(),
            Self::Other { items, .. } => *items,
        }
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The predictions of classes, of two or more, or of tags.
    pub fn predictions(&self) -> Option<&Predictions> {
        match self {
            Self::Classes(predictions) | Self::Binary(predictions) => Some(predictions),
            Self::Tags { words, .. } => Some(words),
            _ => None,
        }
    }

    /// Precision, recall and F1 of each class.
    pub fn per_class(&self) -> Option<Vec<ClassScores>> {
        self.predictions().map(Predictions::per_class)
    }

    /// The metrics of the field by their names.
    ///
    /// Two classes have `f1_positive`, the F1 of the second, where `f1` is the mean of both; tags of
    /// the form `B-…` and `I-…` have `f1_spans`, the F1 of whole spans.
    pub fn metrics(&self) -> Metrics {
        match self {
            Self::Classes(predictions) => {
                let mut metrics = with_auroc(predictions);
                if let [_, second] = predictions.per_class()[..] {
                    metrics.insert("f1_positive".to_owned(), second.f1);
                }
                metrics
            }
            Self::Binary(predictions) => {
                let (scores, labels) = predictions.of_yes();
                let threshold = predictions.threshold.unwrap_or(DEFAULT_THRESHOLD);
                binary_metrics(&scores, &labels, threshold)
            }
            Self::Labels(labels) => {
                let mut metrics = labels.metrics();
                metrics.insert("loss".to_owned(), label_loss(labels));
                metrics
            }
            Self::Tags {
                words,
                lengths,
                names,
            } => {
                let mut metrics = words.metrics();
                if let Some(f1) = span_f1(words, lengths, names) {
                    metrics.insert("f1_spans".to_owned(), f1);
                }
                metrics
            }
            Self::Numbers { predicted, actual } => regression_metrics(predicted, actual),
            Self::Tokens {
                nats,
                tokens,
                characters,
            } => {
                let loss = nats / (*tokens).max(1) as f64;
                Metrics::from_iter([
                    ("loss".to_owned(), loss),
                    ("perplexity".to_owned(), perplexity(loss)),
                    (
                        "nats_per_character".to_owned(),
                        nats / (*characters).max(1) as f64,
                    ),
                ])
            }
            Self::Means { metrics, .. } | Self::Other { metrics, .. } => metrics.clone(),
        }
    }

    /// The metric that decides between two models, and whether more or less of it is better.
    pub fn headline(&self) -> (&'static str, MonitorMode) {
        match self {
            Self::Classes(_) => ("accuracy", MonitorMode::Max),
            Self::Binary(_) => ("auroc", MonitorMode::Max),
            Self::Labels(_) | Self::Tags { .. } => ("f1", MonitorMode::Max),
            Self::Numbers { .. } => ("rmse", MonitorMode::Min),
            Self::Tokens { .. } => ("loss", MonitorMode::Min),
            Self::Means { headline, .. } | Self::Other { headline, .. } => *headline,
        }
    }

    /// The value of [`headline`](Self::headline) with its standard error; `None` where it is not known.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Classes(predictions) => predictions.accuracy_estimate(),
            Self::Binary(predictions) => {
                let (scores, labels) = predictions.of_yes();
                Estimate::auroc(&scores, &labels)
            }
            Self::Labels(labels) => labels.f1_estimate(),
            Self::Numbers { predicted, actual } => Estimate::rmse(predicted, actual),
            // One number says nothing about its error.
            Self::Means { values, .. } if values.len() > 1 => Estimate::of_mean(values),
            Self::Tags { .. } | Self::Tokens { .. } | Self::Means { .. } | Self::Other { .. } => {
                None
            }
        }
    }

    /// The 95% confidence interval of [`headline`](Self::headline); `None` where it is not known.
    ///
    /// That of an accuracy is [Wilson's](https://doi.org/10.1080/01621459.1927.10502953), all others are of
    /// Student's t distribution.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let estimate = self.estimate()?;
        Some(match self {
            Self::Classes(predictions) => share_interval(estimate.value, predictions.len()),
            Self::Binary(_) | Self::Labels(_) => estimate.interval().map(|end| end.clamp(0.0, 1.0)),
            Self::Means { .. } => {
                // Equal numbers, such as the returns of a perfect agent, do not tell how much others vary.
                let [low, high] = estimate.interval();
                return (low < high).then_some([low, high]);
            }
            _ => estimate.interval(),
        })
    }

    /// The probability of the positive class of each item and whether it is positive, of two classes.
    pub fn binary(&self) -> Option<(Vec<f64>, Vec<bool>)> {
        match self {
            Self::Binary(predictions) => Some(predictions.of_yes()),
            Self::Classes(predictions) if predictions.classes == 2 => Some(predictions.of_yes()),
            _ => None,
        }
    }

    /// The decision threshold of two classes.
    pub fn threshold(&self) -> Option<f64> {
        self.two_classes()
            .map(|predictions| predictions.threshold.unwrap_or(DEFAULT_THRESHOLD))
    }

    /// The decision threshold that these items suggest for two classes; see
    /// [`Ranking::decision_threshold`].
    pub fn tuned_threshold(&self) -> Option<f64> {
        let (scores, labels) = self.binary()?;
        Some(Ranking::new(&scores, &labels).decision_threshold())
    }

    /// The same predictions, of two classes decided at another threshold.
    #[must_use]
    pub fn decided_at(mut self, threshold: Option<f64>) -> Self {
        if let Self::Classes(predictions) | Self::Binary(predictions) = &mut self {
            predictions.threshold = threshold.filter(|_| predictions.classes == 2);
        }
        self
    }

    /// These items followed by others of the same task.
    ///
    /// Tags, tokens and metrics of their own cannot be joined: these items stay alone.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        match (&mut self, others) {
            (Self::Classes(own), Self::Classes(more)) | (Self::Binary(own), Self::Binary(more)) => {
                own.extend(more.classes, &more.probabilities, more.labels);
            }
            (Self::Labels(own), Self::Labels(more)) => {
                own.probabilities.extend(more.probabilities);
                own.truth.extend(more.truth);
            }
            (
                Self::Numbers { predicted, actual },
                Self::Numbers {
                    predicted: more_predicted,
                    actual: more_actual,
                },
            ) => {
                predicted.extend(more_predicted);
                actual.extend(more_actual);
            }
            _ => {}
        }
        self
    }

    fn two_classes(&self) -> Option<&Predictions> {
        match self {
            Self::Binary(predictions) | Self::Classes(predictions) if predictions.classes == 2 => {
                Some(predictions)
            }
            _ => None,
        }
    }
}

/// Metrics of the items of all folds together, of which each was in the test split once; `None` for
/// tasks whose predictions cannot be joined.
///
/// Calibration and rankings are steadier than as a mean over small folds, but probabilities of
/// different models are mixed. The items of each fold are decided at the threshold of its model.
pub fn pooled(folds: &[&Evaluation]) -> Option<Metrics> {
    if matches!(
        folds.first()?,
        Evaluation::Tags { .. }
            | Evaluation::Tokens { .. }
            | Evaluation::Means { .. }
            | Evaluation::Other { .. }
    ) {
        return None;
    }
    let all = folds.iter().copied().cloned().reduce(Evaluation::with)?;
    let mut metrics = all.metrics();
    metrics.extend(decisions(folds));
    Some(metrics)
}

/// Accuracy and F1 of two classes over all folds.
fn decisions(folds: &[&Evaluation]) -> Metrics {
    let mut sums = [[0_usize; 2]; 2];
    for fold in folds {
        let Evaluation::Binary(predictions) = fold else {
            return Metrics::new();
        };
        for (sums, counts) in sums.iter_mut().zip(predictions.confusion()) {
            sums.iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
        }
    }
    let [[true_no, false_yes], [false_no, true_yes]] =
        sums.map(|row| row.map(|count| count as f64));
    let (right, wrong) = (true_no + true_yes, false_yes + false_no);
    let mut metrics = Metrics::from([("accuracy".to_owned(), right / (right + wrong).max(1.0))]);
    if true_yes + wrong > 0.0 {
        let f1 = 2.0 * true_yes / (2.0 * true_yes + wrong);
        metrics.insert("f1".to_owned(), f1);
    }
    metrics
}

fn with_auroc(predictions: &Predictions) -> Metrics {
    let mut metrics = predictions.metrics();
    if let Some(auroc) = predictions.auroc() {
        metrics.insert("auroc".to_owned(), auroc);
    }
    metrics
}

/// Mean over texts of the cross-entropy of all labels, in nats.
fn label_loss(labels: &Labels) -> f64 {
    let pairs = labels.probabilities.iter().zip(&labels.truth);
    let sum: f64 = pairs
        .map(|(&p, &truth)| {
            let right = if truth { p } else { 1.0 - p };
            -right.max(1e-12).ln()
        })
        .sum();
    sum * labels.labels as f64 / labels.truth.len().max(1) as f64
}

/// F1 over spans of one kind: as `CoNLL` measures names (Tjong Kim Sang and De Meulder 2003,
/// <https://aclanthology.org/W03-0419/>). `None` where tags are no parts of spans.
fn span_f1(words: &Predictions, lengths: &[usize], names: &[String]) -> Option<f64> {
    if !names.iter().any(|name| name.starts_with("B-")) {
        return None;
    }
    let chosen: Vec<usize> = words
        .probabilities
        .chunks_exact(words.classes.max(1))
        .map(argmax)
        .collect();
    let (mut hits, mut wanted, mut found, mut from) = (0, 0, 0, 0);
    for &length in lengths {
        let range = from..from + length;
        let truth = spans(&words.labels[range.clone()], names);
        let said = spans(&chosen[range], names);
        hits += said.iter().filter(|span| truth.contains(span)).count();
        wanted += truth.len();
        found += said.len();
        from += length;
    }
    Some(2.0 * hits as f64 / (wanted + found).max(1) as f64)
}

/// Kind, first word and the word behind the last of each span.
fn spans<'a>(tags: &[usize], names: &'a [String]) -> Vec<(&'a str, usize, usize)> {
    let mut spans: Vec<(&str, usize, usize)> = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    for (at, &tag) in tags.iter().enumerate() {
        let (mark, kind) = names[tag].split_once('-').unwrap_or(("O", ""));
        let goes_on = mark == "I" && open.is_some_and(|(own, _)| own == kind);
        if !goes_on {
            spans.extend(open.take().map(|(kind, from)| (kind, from, at)));
            if mark != "O" {
                open = Some((kind, at));
            }
        }
    }
    spans.extend(open.map(|(kind, from)| (kind, from, tags.len())));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Comparison, Verdict};

    fn returns(values: &[f64]) -> Evaluation {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Evaluation::Means {
            values: values.to_vec(),
            metrics: Metrics::from([("return_mean".to_owned(), mean)]),
            headline: ("return_mean", MonitorMode::Max),
        }
    }

    #[test]
    fn means_are_compared_item_by_item() {
        let own = returns(&[10.0, 20.0, 30.0, 40.0]);
        assert_eq!((own.len(), own.headline().0), (4, "return_mean"));
        // The same items, each a little worse: the differences hardly vary.
        let other = returns(&[9.0, 18.0, 29.0, 38.0]);
        let estimates = [&own, &other].map(|one| one.estimate().unwrap());
        let [own_estimate, other_estimate] = estimates;
        let found = Comparison::of_rows(
            "return_mean",
            MonitorMode::Max,
            &own_estimate,
            [("random policy", other_estimate)],
        )
        .unwrap();
        assert_eq!(found.verdict, Verdict::Better);
        let [low, high] = own.interval().unwrap();
        assert!(low < 25.0 && high > 25.0 && (low + high - 50.0).abs() < 1e-9);
        assert_eq!(pooled(&[&own, &other]), None);
        assert_eq!(returns(&[7.0]).estimate(), None);
        assert_eq!(returns(&[7.0; 9]).interval(), None);
    }
}
