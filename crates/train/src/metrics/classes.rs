//! Classes that exclude each other.

use tinderbox_predict::decision::{argmax, decide};

use super::{Ranking, f1_of, mean};
use crate::Metrics;

/// How well one class is told from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// Share of the rows given this class that have it, and 0 if none was given it.
    pub precision: f64,
    /// Share of the rows of this class that were given it, and 0 if there are none.
    pub recall: f64,
    /// Their harmonic mean, and 0 if both are 0.
    pub f1: f64,
    /// Rows of this class.
    pub rows: usize,
    /// Rows given this class.
    pub predicted: usize,
}

/// A wrong prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Number of the item, from 0.
    pub item: usize,
    /// The predicted class.
    pub predicted: usize,
    /// Its probability.
    pub probability: f32,
    /// The true class.
    pub actual: usize,
}

/// The predictions of a classifier with the true classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Number of classes.
    pub classes: usize,
    /// Probability of each class of each item, row after row.
    pub probabilities: Vec<f32>,
    /// True class of each item.
    pub labels: Vec<usize>,
    /// Of two classes: the probability of the second from which on it is chosen; a half if there is
    /// none.
    pub threshold: Option<f64>,
}

impl Predictions {
    /// Appends rows of `classes` probabilities each, and their labels.
    pub fn extend(
        &mut self,
        classes: usize,
        probabilities: &[f32],
        labels: impl IntoIterator<Item = usize>,
    ) {
        self.classes = classes;
        self.probabilities.extend_from_slice(probabilities);
        self.labels.extend(labels);
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn rows(&self) -> impl Iterator<Item = (&[f32], usize)> {
        self.probabilities
            .chunks_exact(self.classes.max(1))
            .zip(self.labels.iter().copied())
    }

    /// How often each true class (row) was given each class (column).
    pub fn confusion(&self) -> Vec<Vec<usize>> {
        let mut table = vec![vec![0; self.classes]; self.classes];
        for (row, label) in self.rows() {
            table[label][decide(row, self.threshold)] += 1;
        }
        table
    }

    /// Precision, recall and F1 of each class.
    pub fn per_class(&self) -> Vec<ClassScores> {
        class_scores(&self.confusion())
    }

    /// The wrong predictions, the most confident first.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let all = self.rows().enumerate().map(|(item, (row, actual))| {
            let predicted = decide(row, self.threshold);
            Mistake {
                item,
                predicted,
                probability: row[predicted],
                actual,
            }
        });
        let mut wrong: Vec<Mistake> = all.filter(|one| one.predicted != one.actual).collect();
        // Sorting keeps the order of equals.
        wrong.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        wrong
    }

    /// Area under the receiver operating characteristic of each class against the rest, averaged
    /// over the classes that have rows and do not have all of them. `None` if there is no such
    /// class.
    ///
    /// For two classes it is the area of either.
    pub fn auroc(&self) -> Option<f64> {
        let of = |class: usize| self.against_rest(class).auroc();
        let classes: Vec<f64> = (0..self.classes).filter_map(of).collect();
        mean(classes.into_iter())
    }

    /// The ranking of the items by the probability of a class, those of this class against the rest.
    pub(crate) fn against_rest(&self, class: usize) -> Ranking {
        let scores: Vec<f64> = self.rows().map(|(row, _)| f64::from(row[class])).collect();
        let labels: Vec<bool> = self.labels.iter().map(|&label| label == class).collect();
        Ranking::new(&scores, &labels)
    }

    /// The probability of class 1 of each item, for the metrics of two classes.
    ///
    /// # Panics
    ///
    /// If there are fewer than two classes.
    pub fn of_yes(&self) -> (Vec<f64>, Vec<bool>) {
        self.rows()
            .map(|(row, label)| (f64::from(row[1]), label == 1))
            .unzip()
    }

    /// Accuracy, mean cross-entropy, macro F1 and expected calibration error (Guo et al. 2017,
    /// 15 bins), by their names. Accuracy and F1 are those of [`decide`].
    pub fn metrics(&self) -> Metrics {
        let count = self.len().max(1) as f64;
        let mut correct = 0.0;
        let mut loss = 0.0;
        let mut bins = [(0.0, 0.0); 15];
        for (row, label) in self.rows() {
            let best = argmax(row);
            let hit = f64::from(u8::from(best == label));
            let confidence = f64::from(row[best]);
            correct += f64::from(u8::from(decide(row, self.threshold) == label));
            // A probability of 0 is what is left of a small one in single precision.
            loss -= f64::from(row[label]).max(f64::from(f32::MIN_POSITIVE)).ln();
            let bin = ((confidence * 15.0) as usize).min(14);
            bins[bin].0 += hit;
            bins[bin].1 += confidence;
        }
        let ece = bins
            .iter()
            .map(|(hits, confidence)| (hits - confidence).abs())
            .sum::<f64>();
        Metrics::from([
            ("accuracy".to_owned(), correct / count),
            ("loss".to_owned(), loss / count),
            ("f1".to_owned(), macro_f1(&self.confusion())),
            ("ece".to_owned(), ece / count),
        ])
    }
}

fn class_scores(confusion: &[Vec<usize>]) -> Vec<ClassScores> {
    let of = |class: usize| {
        let hits = confusion[class][class] as f64;
        let rows: usize = confusion[class].iter().sum();
        let predicted: usize = confusion.iter().map(|row| row[class]).sum();
        ClassScores {
            precision: hits / predicted.max(1) as f64,
            recall: hits / rows.max(1) as f64,
            f1: f1_of(hits, rows as f64, predicted as f64).unwrap_or(0.0),
            rows,
            predicted,
        }
    };
    (0..confusion.len()).map(of).collect()
}

/// Mean of the classes' F1. A class that neither occurs nor is predicted does not count.
fn macro_f1(confusion: &[Vec<usize>]) -> f64 {
    let classes = class_scores(confusion).into_iter();
    let scores: Vec<f64> = classes
        .filter(|class| class.rows + class.predicted > 0)
        .map(|class| class.f1)
        .collect();
    mean(scores.into_iter()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_equal_the_numbers_by_hand() {
        let mut predictions = Predictions::default();
        let rows = [0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.7, 0.3];
        predictions.extend(2, &rows, [0, 1, 1, 0]);
        let metrics = predictions.metrics();
        let close = |name: &str, expected: f64| {
            assert!(
                (metrics[name] - expected).abs() < 1e-6,
                "{name} is {}",
                metrics[name]
            );
        };
        close("accuracy", 0.75);
        close(
            "loss",
            -(0.9_f64.ln() + 0.4_f64.ln() + 0.8_f64.ln() + 0.7_f64.ln()) / 4.0,
        );
        // Class 0: 2 hits, 2 true, 3 predicted. Class 1: 1 hit, 2 true, 1 predicted.
        close("f1", f64::midpoint(4.0 / 5.0, 2.0 / 3.0));
        // Confidences 0.9, 0.6, 0.8 and 0.7 lie in bins of their own: 1, 0, 1, 1 are right.
        close("ece", (0.1 + 0.6 + 0.2 + 0.3) / 4.0);
        assert_eq!(predictions.confusion(), [[2, 0], [1, 1]]);
    }

    /// Expected: scikit-learn 1.9.1, `precision_recall_fscore_support`, `f1_score`, `log_loss` and
    /// `roc_auc_score(multi_class="ovr")`.
    #[test]
    fn three_classes_agree_with_scikit_learn() {
        let mut predictions = Predictions::default();
        let rows = [
            0.7, 0.2, 0.1, 0.3, 0.4, 0.3, 0.1, 0.1, 0.8, 0.5, 0.3, 0.2, 0.2, 0.5, 0.3, 0.4, 0.35,
            0.25, 0.1, 0.6, 0.3, 0.25, 0.25, 0.5,
        ];
        predictions.extend(3, &rows, [0, 1, 2, 1, 1, 0, 2, 2]);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        };
        let expected = [
            (2.0 / 3.0, 1.0, 0.8, 2),
            (2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 3),
            (1.0, 2.0 / 3.0, 0.8, 3),
        ];
        for (class, (precision, recall, f1, rows)) in predictions.per_class().iter().zip(expected) {
            close(class.precision, precision);
            close(class.recall, recall);
            close(class.f1, f1);
            assert_eq!(class.rows, rows);
        }
        close(predictions.auroc().unwrap(), 0.861_111_111_111_111);
        close(predictions.metrics()["f1"], 0.755_555_555_555_555_5);
        close(predictions.metrics()["loss"], 0.775_829_991_096_626_7);
    }

    #[test]
    fn the_most_confident_mistake_comes_first() {
        let mut predictions = Predictions::default();
        predictions.extend(2, &[0.6, 0.4, 0.1, 0.9, 0.2, 0.8], [1, 0, 1]);
        let found: Vec<(usize, usize)> = predictions
            .mistakes()
            .iter()
            .map(|one| (one.item, one.predicted))
            .collect();
        assert_eq!(found, [(1, 1), (0, 0)]);
    }

    #[test]
    fn one_threshold_decides_accuracy_f1_and_confusion() {
        let mut predictions = Predictions::default();
        predictions.extend(2, &[0.9, 0.1, 0.6, 0.4, 0.5, 0.5, 0.2, 0.8], [0, 1, 1, 1]);
        for (threshold, confusion, accuracy) in [
            (None, [[1, 0], [1, 2]], 0.75),
            (Some(0.4), [[1, 0], [0, 3]], 1.0),
            (Some(0.9), [[1, 0], [3, 0]], 0.25),
        ] {
            predictions.threshold = threshold;
            assert_eq!(predictions.confusion(), confusion, "{threshold:?}");
            let found = predictions.metrics();
            assert!(
                (found["accuracy"] - accuracy).abs() < 1e-12,
                "{threshold:?}"
            );
            assert!((found["ece"] - 0.35).abs() < 1e-6, "{threshold:?}");
        }
        assert_eq!(decide(&[0.2, 0.3, 0.5], Some(0.9)), 2);
    }

    #[test]
    fn the_area_of_a_single_class_is_undefined() {
        let mut predictions = Predictions::default();
        predictions.extend(2, &[0.9, 0.1, 0.6, 0.4], [0, 0]);
        assert_eq!(predictions.auroc(), None);
        assert_eq!(predictions.per_class()[1], ClassScores::default());
        assert_eq!(Predictions::default().auroc(), None);
        predictions.extend(2, &[0.3, 0.7], [1]);
        assert_eq!(predictions.auroc(), Some(1.0));
        assert_eq!(predictions.of_yes().1, [false, false, true]);
    }
}
