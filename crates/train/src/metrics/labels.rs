//! Labels of which a row may have any number.

use super::{Ranking, f1_of, mean, named};
use crate::Metrics;

/// The predicted probability of every label of every row, with the targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// Number of labels.
    pub labels: usize,
    /// Probability of each label, row after row.
    pub probabilities: Vec<f64>,
    /// Whether the row has the label, in the same order.
    pub truth: Vec<bool>,
}

impl Labels {
    /// Area under the receiver operating characteristic of each label, `None` for a label that all
    /// rows have or none.
    pub fn auroc(&self) -> Vec<Option<f64>> {
        let auroc = |label: usize| {
            let probabilities: Vec<f64> = self.of(label).map(|(p, _)| p).collect();
            let truth: Vec<bool> = self.of(label).map(|(_, truth)| truth).collect();
            Ranking::new(&probabilities, &truth).auroc()
        };
        (0..self.labels).map(auroc).collect()
    }

    /// F1 of each label at a probability of a half, `None` for a label that neither occurs nor is
    /// predicted.
    pub fn f1(&self) -> Vec<Option<f64>> {
        let f1 = |label: usize| {
            let [hits, actual, predicted] = counts(self.of(label));
            f1_of(hits, actual, predicted)
        };
        (0..self.labels).map(f1).collect()
    }

    /// The metrics by their names: `f1_micro` over all decisions, `f1` as the mean of the labels',
    /// `auroc` as the mean of the labels'. Labels whose own is undefined do not count.
    pub fn metrics(&self) -> Metrics {
        let all = self.probabilities.iter().copied();
        let [hits, actual, predicted] = counts(all.zip(self.truth.iter().copied()));
        let defined = |values: Vec<Option<f64>>| {
            let values: Vec<f64> = values.into_iter().flatten().collect();
            mean(values.into_iter())
        };
        named([
            ("f1_micro", f1_of(hits, actual, predicted)),
            ("f1", defined(self.f1())),
            ("auroc", defined(self.auroc())),
        ])
    }

    fn of(&self, label: usize) -> impl Iterator<Item = (f64, bool)> {
        let pairs = self.probabilities.iter().zip(&self.truth);
        let own = pairs.skip(label).step_by(self.labels.max(1));
        own.map(|(&probability, &truth)| (probability, truth))
    }
}

/// Hits, actual and predicted positives.
fn counts(pairs: impl Iterator<Item = (f64, bool)>) -> [f64; 3] {
    pairs.fold([0.0; 3], |[hits, actual, predicted], (p, truth)| {
        let one = |yes: bool| f64::from(u8::from(yes));
        [
            hits + one(p >= 0.5 && truth),
            actual + one(truth),
            predicted + one(p >= 0.5),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scikit-learn 1.9.1, `f1_score(average="micro")`, `(average="macro")`,
    /// `roc_auc_score(average=None)`.
    #[test]
    fn metrics_agree_with_scikit_learn() {
        let truth = [1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1];
        let labels = Labels {
            labels: 3,
            probabilities: vec![
                0.9, 0.2, 0.6, 0.1, 0.7, 0.4, 0.4, 0.8, 0.55, 0.3, 0.1, 0.2, 0.6, 0.45, 0.9,
            ],
            truth: truth.map(|x| x == 1).to_vec(),
        };
        let metrics = labels.metrics();
        assert!((metrics["f1_micro"] - 0.714_285_714_285_714_3).abs() < 1e-12);
        assert!((metrics["f1"] - 0.7).abs() < 1e-12);
        let auroc: Vec<f64> = labels.auroc().into_iter().flatten().collect();
        assert!((auroc[0] - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(auroc[1..], [1.0, 1.0]);
    }

    #[test]
    fn a_label_that_never_occurs_does_not_count() {
        let labels = Labels {
            labels: 2,
            probabilities: vec![0.9, 0.1, 0.2, 0.3],
            truth: vec![true, false, false, false],
        };
        assert_eq!(labels.auroc(), [Some(1.0), None]);
        assert_eq!(labels.f1(), [Some(1.0), None]);
        assert!((labels.metrics()["f1"] - 1.0).abs() < 1e-12);
        assert_eq!(Labels::default().metrics(), Metrics::new());
    }
}
