//! Test metrics, computed on the host over all predictions at once.

use crate::train::Metrics;

/// What a classifier said of every item, beside the truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Number of classes.
    pub classes: usize,
    /// Probability of each class of each item, row after row.
    pub probabilities: Vec<f32>,
    /// True class of each item.
    pub labels: Vec<usize>,
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
            table[label][argmax(row)] += 1;
        }
        table
    }

    /// Accuracy, mean cross-entropy, macro F1 and expected calibration error (Guo et al. 2017,
    /// 15 bins), by their names.
    pub fn metrics(&self) -> Metrics {
        let count = self.len().max(1) as f64;
        let mut correct = 0.0;
        let mut loss = 0.0;
        let mut bins = [(0.0, 0.0); 15];
        for (row, label) in self.rows() {
            let best = argmax(row);
            let hit = f64::from(u8::from(best == label));
            let confidence = f64::from(row[best]);
            correct += hit;
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

/// Index of the largest value, the first of equals.
pub fn argmax(row: &[f32]) -> usize {
    let better = |best: usize, index: usize| if row[index] > row[best] { index } else { best };
    (0..row.len()).fold(0, better)
}

/// Mean of the classes' F1. A class that neither occurs nor is predicted does not count.
fn macro_f1(confusion: &[Vec<usize>]) -> f64 {
    let scores: Vec<f64> = (0..confusion.len())
        .filter_map(|class| {
            let hits = confusion[class][class];
            let actual: usize = confusion[class].iter().sum();
            let predicted: usize = confusion.iter().map(|row| row[class]).sum();
            let both = actual + predicted;
            (both > 0).then(|| 2.0 * hits as f64 / both as f64)
        })
        .collect();
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
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
}
