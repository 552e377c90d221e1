//! Probabilities of a yes-or-no question.

use super::{Ranking, f1_of, mean, named};
use crate::Metrics;

/// The metrics of a yes-or-no question by their names: `loss`, `brier`, `ece`, `auroc`,
/// `average_precision`, and at `threshold` `accuracy` and `f1`, that of the positive class.
///
/// `probabilities` are those of the positive class. `threshold` is what
/// [`decision_threshold`](Ranking::decision_threshold) chose on validation rows.
///
/// # Panics
///
/// If there are not as many labels as probabilities.
pub fn binary_metrics(probabilities: &[f64], labels: &[bool], threshold: f64) -> Metrics {
    let ranking = Ranking::new(probabilities, labels);
    let pairs = probabilities.iter().zip(labels);
    let right = pairs.map(|(&p, &label)| f64::from(u8::from((p >= threshold) == label)));
    named([
        ("accuracy", mean(right)),
        ("loss", log_loss(probabilities, labels)),
        ("brier", brier(probabilities, labels)),
        ("ece", ece(probabilities, labels)),
        ("auroc", ranking.auroc()),
        ("average_precision", ranking.average_precision()),
        ("f1", f1(probabilities, labels, threshold)),
    ])
}

/// F1 when a score of `threshold` or more means yes. `None` if nothing is positive or called so.
pub fn f1(scores: &[f64], labels: &[bool], threshold: f64) -> Option<f64> {
    let (mut hits, mut actual, mut predicted) = (0.0, 0.0, 0.0);
    for (&score, &label) in scores.iter().zip(labels) {
        let yes = score >= threshold;
        hits += f64::from(u8::from(yes && label));
        actual += f64::from(u8::from(label));
        predicted += f64::from(u8::from(yes));
    }
    f1_of(hits, actual, predicted)
}

/// Mean cross-entropy, in nats. A probability of 0 counts as the smallest single-precision number.
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    let smallest = f64::from(f32::MIN_POSITIVE);
    let pairs = probabilities.iter().zip(labels);
    mean(pairs.map(|(&p, &label)| {
        let own = if label { p } else { 1.0 - p };
        -own.max(smallest).ln()
    }))
}

/// Mean squared distance of the probability from the truth (Brier, *Verification of forecasts
/// expressed in terms of probability*, 1950,
/// <https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2>).
pub fn brier(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    let pairs = probabilities.iter().zip(labels);
    mean(pairs.map(|(p, &label)| (p - f64::from(u8::from(label))).powi(2)))
}

/// Expected calibration error of the probability of yes, in 15 bins of equal width.
///
/// This is what credit and churn mean: of those told 30 %, do 30 % say yes? The `ece` of
/// [`Predictions`](super::Predictions) is about the class that was picked, as Guo et al. (2017)
/// define it. On two classes both average the same gaps, in other bins.
pub fn ece(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    let rows = probabilities.len().min(labels.len()) as f64;
    let gap = |bin: &CalibrationBin| bin.rows as f64 * (bin.probability - bin.positives).abs();
    let bins = calibration(probabilities, labels, 15);
    (rows > 0.0).then(|| bins.iter().map(gap).sum::<f64>() / rows)
}

/// What was promised and what came, of the rows whose probability lies in a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Lowest probability of the bin.
    pub from: f64,
    /// Highest probability, which belongs to the next bin unless it is 1.
    pub to: f64,
    /// Number of rows.
    pub rows: usize,
    /// Mean probability of these rows.
    pub probability: f64,
    /// Share of them that are positive.
    pub positives: f64,
}

/// Compares probabilities with what came, in `bins` ranges of equal width; empty ranges are left
/// out.
pub fn calibration(probabilities: &[f64], labels: &[bool], bins: usize) -> Vec<CalibrationBin> {
    let bins = bins.max(1);
    let mut sums = vec![(0, 0.0, 0.0); bins];
    for (&p, &label) in probabilities.iter().zip(labels) {
        let sums = &mut sums[((p * bins as f64) as usize).min(bins - 1)];
        sums.0 += 1;
        sums.1 += p;
        sums.2 += f64::from(u8::from(label));
    }
    let filled = sums.into_iter().enumerate().filter(|(_, sums)| sums.0 > 0);
    let bin = |(at, (rows, probability, positives)): (usize, (usize, f64, f64))| CalibrationBin {
        from: at as f64 / bins as f64,
        to: (at + 1) as f64 / bins as f64,
        rows,
        probability: probability / rows as f64,
        positives: positives / rows as f64,
    };
    filled.map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBABILITIES: [f64; 12] = [
        0.9, 0.8, 0.8, 0.7, 0.55, 0.55, 0.55, 0.4, 0.35, 0.2, 0.2, 0.05,
    ];
    const LABELS: [bool; 12] = [
        true, true, false, true, false, true, false, false, true, false, false, false,
    ];

    /// Expected: scikit-learn 1.9.1, `roc_auc_score`, `average_precision_score`,
    /// `brier_score_loss`, `log_loss`; `ece` by `numpy` from its definition.
    #[test]
    fn metrics_agree_with_scikit_learn() {
        let metrics = binary_metrics(&PROBABILITIES, &LABELS, 0.5);
        let expected = [
            ("accuracy", 8.0 / 12.0),
            ("auroc", 0.785_714_285_714_285_8),
            ("average_precision", 0.708_730_158_730_158_8),
            ("brier", 0.187_708_333_333_333_34),
            ("ece", 0.2625),
            ("f1", 8.0 / 12.0),
            ("loss", 0.545_641_455_151_389_2),
        ];
        assert_eq!(metrics.len(), expected.len());
        for (name, expected) in expected {
            assert!((metrics[name] - expected).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn accuracy_and_f1_share_the_threshold() {
        // Eleven rows are called positive, among them all five positives.
        let metrics = binary_metrics(&PROBABILITIES, &LABELS, 0.15);
        assert!((metrics["f1"] - 2.0 * 5.0 / (5.0 + 11.0)).abs() < 1e-12);
        assert!((metrics["accuracy"] - 6.0 / 12.0).abs() < 1e-12);
        let half = binary_metrics(&PROBABILITIES, &LABELS, 0.5);
        assert_eq!(metrics["auroc"].to_bits(), half["auroc"].to_bits());
    }

    /// Expected: scikit-learn 1.9.1, `calibration_curve(n_bins=7)`.
    #[test]
    fn calibration_agrees_with_scikit_learn() {
        let bins = calibration(&PROBABILITIES, &LABELS, 7);
        let expected = [
            (1, 0.05, 0.0),
            (2, 0.2, 0.0),
            (2, 0.375, 0.5),
            (3, 0.55, 1.0 / 3.0),
            (1, 0.7, 1.0),
            (2, 0.8, 0.5),
            (1, 0.9, 1.0),
        ];
        assert_eq!(bins.len(), 7);
        for (bin, (rows, probability, positives)) in bins.iter().zip(expected) {
            assert_eq!(bin.rows, rows);
            assert!((bin.probability - probability).abs() < 1e-12);
            assert!((bin.positives - positives).abs() < 1e-12);
        }
    }

    #[test]
    fn an_edge_belongs_to_the_bin_above_and_1_to_the_last() {
        let edge = calibration(&[0.5], &[true], 2);
        assert!((edge[0].from - 0.5).abs() < 1e-12);
        let certain = calibration(&[1.0], &[true], 5);
        assert!((certain[0].from - 0.8).abs() < 1e-12);
    }

    #[test]
    fn certainty_that_is_wrong_costs_much_but_not_everything() {
        let loss = log_loss(&[0.0, 1.0], &[true, true]).unwrap();
        assert!((loss - 87.336_544_75 / 2.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn of_nothing_nothing_is_measured() {
        assert_eq!(binary_metrics(&[], &[], 0.5), Metrics::new());
        let single = binary_metrics(&[0.2, 0.4], &[false, false], 0.5);
        let names: Vec<&str> = single.keys().map(String::as_str).collect();
        assert_eq!(names, ["accuracy", "brier", "ece", "loss"]);
    }
}
