//! Whether a model is better than a baseline on the same rows, or the difference is noise.

use serde::{Deserialize, Serialize};

use tinderbox_predict::decision::decide;

use super::{Labels, Predictions, mean};
use crate::MonitorMode;

/// Two-sided 95% quantile of the normal distribution.
const NORMAL_95: f64 = 1.96;

/// The same of Student's t distribution with 1, 2, … degrees of freedom.
const STUDENT_95: [f64; 10] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
];

/// A metric, with the influence of each row on it: how far the metric is off per row, so that the
/// squares of the influences add up to its variance (Hampel, *The influence curve and its role in
/// robust estimation*, 1974, <https://doi.org/10.1080/01621459.1974.10482962>).
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The metric.
    pub value: f64,
    /// Of each row.
    influence: Vec<f64>,
}

impl Estimate {
    /// The mean of a number of each row; `None` if there are no rows.
    pub fn of_mean(values: &[f64]) -> Option<Self> {
        let value = mean(values.iter().copied())?;
        Some(Self {
            value,
            influence: values.iter().map(|row| row - value).collect(),
        })
    }

    /// The mean of ratios of sums over the rows, such as the intersection over union of several classes.
    ///
    /// Each ratio is the numerator and the denominator of every row. One whose denominators are all 0 is left
    /// out; `None` if none remains.
    ///
    /// # Panics
    ///
    /// If a ratio has another number of rows than the first.
    pub fn of_ratios(ratios: impl IntoIterator<Item = Vec<[f64; 2]>>) -> Option<Self> {
        let mut influence = Vec::new();
        let (mut sum, mut count) = (0.0, 0.0);
        for (at, parts) in ratios.into_iter().enumerate() {
            if at == 0 {
                influence.resize(parts.len(), 0.0);
            }
            assert_eq!(parts.len(), influence.len(), "ratios of the same rows");
            let sums = parts.iter();
            let [over, under] =
                sums.fold([0.0; 2], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
            if under == 0.0 {
                continue;
            }
            let ratio = over / under;
            (sum, count) = (sum + ratio, count + 1.0);
            for (influence, [own, all]) in influence.iter_mut().zip(&parts) {
                *influence += parts.len() as f64 * (own - ratio * all) / under;
            }
        }
        for row in &mut influence {
            *row /= count;
        }
        (count > 0.0).then(|| Self {
            value: sum / count,
            influence,
        })
    }

    /// Root mean squared error.
    ///
    /// # Panics
    ///
    /// If there are not as many predicted as true values.
    pub fn rmse(predicted: &[f64], actual: &[f64]) -> Option<Self> {
        assert_eq!(predicted.len(), actual.len(), "one prediction a value");
        let pairs = predicted.iter().zip(actual);
        let squares: Vec<f64> = pairs.map(|(p, a)| (p - a).powi(2)).collect();
        let mut estimate = Self::of_mean(&squares)?;
        estimate.value = estimate.value.sqrt();
        let slope = 2.0 * estimate.value.max(f64::MIN_POSITIVE);
        estimate.influence.iter_mut().for_each(|row| *row /= slope);
        Some(estimate)
    }

    /// Area under the ROC curve, with the influences of `DeLong` et al., *Comparing the areas under
    /// two or more correlated receiver operating characteristic curves*, 1988,
    /// <https://doi.org/10.2307/2531595>. `None` if there are not both classes.
    ///
    /// # Panics
    ///
    /// If there are not as many labels as scores.
    pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<Self> {
        assert_eq!(scores.len(), labels.len(), "one label for each score");
        let rows = scores.len() as f64;
        let positives = labels.iter().filter(|&&label| label).count() as f64;
        let negatives = rows - positives;
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        // For a positive the share of the negatives below it, for a negative the share of the
        // positives above it; equals count half.
        let mut placed = vec![0.0; scores.len()];
        let mut below = [0.0; 2];
        for group in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
            let mut own = [0.0; 2];
            for &row in group {
                own[usize::from(labels[row])] += 1.0;
            }
            for &row in group {
                placed[row] = if labels[row] {
                    (below[0] + own[0] / 2.0) / negatives
                } else {
                    1.0 - (below[1] + own[1] / 2.0) / positives
                };
            }
            below = [below[0] + own[0], below[1] + own[1]];
        }
        let pairs = placed.iter().zip(labels);
        let sum: f64 = pairs.filter(|(_, label)| **label).map(|(p, _)| p).sum();
        let value = sum / positives;
        let weight = |label: &bool| rows / if *label { positives } else { negatives };
        let influence = placed.iter().zip(labels);
        Some(Self {
            value,
            influence: influence
                .map(|(placed, label)| (placed - value) * weight(label))
                .collect(),
        })
    }

    /// The 95% confidence interval of the metric, by Student's t distribution.
    pub fn interval(&self) -> [f64; 2] {
        let half = half_width(self.influence.iter().copied());
        [self.value - half, self.value + half]
    }

    /// Half of the 95% confidence interval of the difference to another metric of the same rows.
    pub fn paired_half_width(&self, other: &Self) -> f64 {
        let pairs = self.influence.iter().zip(&other.influence);
        half_width(pairs.map(|(own, other)| own - other))
    }
}

/// Half of the 95% confidence interval of the mean of influences, which are 0 on average; 0 for fewer than two, which
/// do not tell how much others vary.
fn half_width(influences: impl ExactSizeIterator<Item = f64>) -> f64 {
    let rows = influences.len();
    if rows < 2 {
        return 0.0;
    }
    let freedom = rows - 1;
    let squares: f64 = influences.map(|influence| influence.powi(2)).sum();
    student(freedom) * (squares / (freedom as f64 * rows as f64)).sqrt()
}

/// The 95% confidence interval of a share of `rows` independent rows: Wilson, *Probable inference, the law
/// of succession, and statistical inference*, 1927, <https://doi.org/10.1080/01621459.1927.10502953>.
///
/// Unlike that of the normal distribution it stays within `[0, 1]` and has a width where all rows are right.
pub(super) fn share_interval(share: f64, rows: usize) -> [f64; 2] {
    let n = rows.max(1) as f64;
    let z2 = NORMAL_95 * NORMAL_95;
    let center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let variance = share * (1.0 - share) / n + z2 / (4.0 * n * n);
    let half = NORMAL_95 / (1.0 + z2 / n) * variance.max(0.0).sqrt();
    [(center - half).max(0.0), (center + half).min(1.0)]
}

impl Predictions {
    /// Share of the rows whose class is right.
    pub fn accuracy_estimate(&self) -> Option<Estimate> {
        let rows = self.probabilities.chunks_exact(self.classes.max(1));
        let right = rows.zip(&self.labels).map(|(row, &label)| {
            let hit = decide(row, self.threshold) == label;
            f64::from(u8::from(hit))
        });
        Estimate::of_mean(&right.collect::<Vec<f64>>())
    }
}

impl Labels {
    /// Macro F1: the mean over the labels that occur or are predicted.
    pub fn f1_estimate(&self) -> Option<Estimate> {
        let rows = self.truth.len() / self.labels.max(1);
        // Twice the hits, and predicted plus actual: F1 is the ratio of their sums.
        let of_label = |label: usize| {
            let parts = |row: usize| {
                let at = row * self.labels + label;
                let predicted = f64::from(u8::from(self.probabilities[at] >= 0.5));
                let actual = f64::from(u8::from(self.truth[at]));
                [2.0 * predicted * actual, predicted + actual]
            };
            (0..rows).map(parts).collect()
        };
        Estimate::of_ratios((0..self.labels).map(of_label))
    }
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The model is better than the best baseline.
    Better,
    /// The best baseline is better.
    Worse,
    /// Both are the same to four digits.
    Tie,
    /// The difference is smaller than its 95% confidence interval is wide.
    Noise,
}

/// A model compared with the best of its baselines by one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the metric.
    pub metric: String,
    /// The model's.
    pub model: f64,
    /// The baseline's.
    pub baseline: f64,
    /// The baseline.
    pub method: String,
    /// Half of the 95% confidence interval of the difference; none if it is not known.
    pub half_width: Option<f64>,
    /// Folds that the comparison is over; 0 if it is over the rows of one test split.
    pub folds: usize,
    /// What came of it.
    pub verdict: Verdict,
}

impl Comparison {
    /// Compares a model with the best of some baselines on the rows of one test split.
    ///
    /// Returns `None` if there is no baseline.
    pub fn of_rows<'a>(
        metric: &str,
        mode: MonitorMode,
        model: &Estimate,
        baselines: impl IntoIterator<Item = (&'a str, Estimate)>,
    ) -> Option<Self> {
        let better =
            |a: &(&str, Estimate), b: &(&str, Estimate)| mode.improves(b.1.value, a.1.value);
        let best = baselines
            .into_iter()
            .reduce(|best, next| if better(&best, &next) { next } else { best });
        let (method, baseline) = best?;
        let half_width = Some(model.paired_half_width(&baseline));
        let values = [model.value, baseline.value];
        Some(Self::new(metric, mode, values, method, half_width, 0))
    }

    /// Compares a model with the best of some baselines by a metric of each fold of a
    /// cross-validation.
    ///
    /// The training rows of the folds overlap, which widens the interval: Nadeau and Bengio,
    /// *Inference for the generalization error*, 2003, <https://doi.org/10.1023/A:1024068626366>.
    pub fn of_folds<'a>(
        metric: &str,
        mode: MonitorMode,
        model: &[f64],
        baselines: impl IntoIterator<Item = (&'a str, Vec<f64>)>,
    ) -> Option<Self> {
        let average = |values: &[f64]| mean(values.iter().copied());
        let own = average(model)?;
        let baselines = baselines.into_iter().filter_map(|(method, values)| {
            let value = average(&values)?;
            (values.len() == model.len()).then_some((method, values, value))
        });
        let best = baselines.reduce(|best, next| {
            if mode.improves(next.2, best.2) {
                next
            } else {
                best
            }
        });
        let (method, values, value) = best?;
        let folds = model.len();
        let half_width = (folds > 1).then(|| {
            let pairs = model.iter().zip(&values);
            let squares = pairs.map(|(a, b)| (a - b - (own - value)).powi(2));
            let freedom = folds - 1;
            let variance = squares.sum::<f64>() / freedom as f64;
            let share = 1.0 / folds as f64 + 1.0 / freedom as f64;
            student(freedom) * (variance * share).sqrt()
        });
        let values = [own, value];
        Some(Self::new(metric, mode, values, method, half_width, folds))
    }

    /// Compares two numbers of which it is not known how sure they are.
    pub fn of_values(
        metric: &str,
        mode: MonitorMode,
        model: f64,
        method: &str,
        baseline: f64,
    ) -> Self {
        Self::new(metric, mode, [model, baseline], method, None, 0)
    }

    fn new(
        metric: &str,
        mode: MonitorMode,
        [model, baseline]: [f64; 2],
        method: &str,
        half_width: Option<f64>,
        folds: usize,
    ) -> Self {
        let difference = (model - baseline).abs();
        let same = difference < 5e-5 * model.abs().max(baseline.abs()).max(1e-300);
        let alike = model >= 0.1 && format!("{model:.4}") == format!("{baseline:.4}");
        let verdict = if same || alike {
            Verdict::Tie
        } else if half_width.is_some_and(|half_width| difference <= half_width) {
            Verdict::Noise
        } else if mode.improves(model, baseline) {
            Verdict::Better
        } else {
            Verdict::Worse
        };
        Self {
            metric: metric.to_owned(),
            model,
            baseline,
            method: method.to_owned(),
            half_width,
            folds,
            verdict,
        }
    }
}

/// With more degrees of freedom, the first terms of an expansion in their reciprocal (Abramowitz and Stegun,
/// *Handbook of mathematical functions*, 1964, formula 26.7.5): the error is below 0.001.
fn student(freedom: usize) -> f64 {
    let known = STUDENT_95.get(freedom - 1).copied();
    known.unwrap_or_else(|| {
        let inverse = 1.0 / freedom as f64;
        1.959_964 + inverse * (2.372_3 + inverse * (2.822_5 + inverse * 2.555_9))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_students_distribution_are_those_of_tables() {
        for (freedom, quantile) in [
            (1, 12.7062),
            (10, 2.2281),
            (11, 2.2010),
            (30, 2.0423),
            (99, 1.9842),
            (1_000_000, 1.9600),
        ] {
            assert!((student(freedom) - quantile).abs() < 1e-3, "{freedom}");
        }
    }

    fn predictions(right: impl Iterator<Item = bool>) -> Estimate {
        let mut predictions = Predictions::default();
        for right in right {
            let row = if right { [0.9, 0.1] } else { [0.1, 0.9] };
            predictions.extend(2, &row, [0]);
        }
        predictions.accuracy_estimate().unwrap()
    }

    fn verdict(model: &Estimate, baseline: Estimate) -> Verdict {
        let all = [("a", baseline)];
        Comparison::of_rows("accuracy", MonitorMode::Max, model, all)
            .unwrap()
            .verdict
    }

    /// Expected: `SciPy` 1.17.1, `binomtest(right, rows).proportion_ci(method="wilson")`.
    #[test]
    fn the_interval_of_a_share_agrees_with_scipy() {
        for (right, rows, expected) in [
            (9.0, 10, [0.595_850_1, 0.982_123_8]),
            (10.0, 10, [0.722_467_2, 1.0]),
            (0.0, 10, [0.0, 0.277_532_8]),
        ] {
            let interval = share_interval(right / f64::from(rows), rows as usize);
            for (found, expected) in interval.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{interval:?}");
            }
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_the_textbooks() {
        let estimate = Estimate::of_mean(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        // Deviation 1.291 of 4 numbers, and 3 degrees of freedom.
        let half = 3.1824 * (5.0_f64 / 3.0).sqrt() / 2.0;
        let [low, high] = estimate.interval();
        assert!((low - (2.5 - half)).abs() < 1e-12 && (high - (2.5 + half)).abs() < 1e-12);
    }

    /// Expected: the formula of the paired t-test.
    #[test]
    fn a_difference_of_few_rows_has_the_width_of_students_t() {
        let [a, b] = [[10.0, 20.0, 30.0], [9.0, 17.0, 25.0]]
            .map(|values| Estimate::of_mean(&values).unwrap());
        // Differences 1, 3, 5: deviation 2, 2 degrees of freedom.
        let expected = 4.3027 * 2.0 / 3.0_f64.sqrt();
        assert!((a.paired_half_width(&b) - expected).abs() < 1e-12);
        // Three rows do not tell 3 from 0.
        assert_eq!(verdict(&a, b), Verdict::Noise);
        let one = Estimate::of_mean(&[1.0]).unwrap();
        let [low, high] = one.interval();
        assert!((high - low).abs() < 1e-12);
    }

    #[test]
    fn the_verdict_depends_on_difference_and_noise() {
        // Of 400 rows every `n`-th is wrong.
        let every = |n: usize| predictions((0..400).map(move |at| at % n != 0));
        assert_eq!(verdict(&every(10), every(10)), Verdict::Tie);
        assert_eq!(verdict(&every(10), every(9)), Verdict::Noise);
        assert_eq!(verdict(&every(9), every(10)), Verdict::Noise);
        assert_eq!(verdict(&every(10), every(4)), Verdict::Better);
        // Brain scans: 0.71 against 0.82.
        assert_eq!(verdict(&every(3), every(6)), Verdict::Worse);
        // As many wrong, but other rows: equal all the same.
        let shifted = predictions((0..400).map(|at| at % 10 != 1));
        assert_eq!(verdict(&every(10), shifted), Verdict::Tie);
    }

    #[test]
    fn the_best_baseline_is_compared_with() {
        let every = |n: usize| predictions((0..400).map(move |at| at % n != 0));
        let all = [
            ("weak", every(2)),
            ("strong", every(8)),
            ("weaker", every(3)),
        ];
        let found = Comparison::of_rows("accuracy", MonitorMode::Max, &every(4), all).unwrap();
        assert_eq!((&*found.method, found.verdict), ("strong", Verdict::Worse));
        let none = Comparison::of_rows("accuracy", MonitorMode::Max, &every(4), []);
        assert_eq!(none, None);
    }

    #[test]
    fn an_accuracy_has_the_standard_error_of_a_share() {
        let none = predictions((0..400).map(|_| false));
        let half = predictions((0..400).map(|at| at % 2 == 0));
        // The standard error of a half of 400 is 0.025, and 1.966 the quantile of 399 degrees of freedom.
        assert!((half.paired_half_width(&none) - 1.966 * 0.025).abs() < 1e-4);
    }

    /// Expected: DeLong's variances by their definition, over all pairs.
    #[test]
    fn auroc_and_its_error_are_those_of_all_pairs() {
        let scores = [0.9, 0.8, 0.8, 0.7, 0.55, 0.55, 0.3, 0.2];
        let labels = [true, true, false, true, false, true, false, false];
        let found = Estimate::auroc(&scores, &labels).unwrap();
        assert!((found.value - 0.812_5).abs() < 1e-12, "{}", found.value);
        let area = |of: usize| {
            let others = (0..8).filter(|&other| labels[other] != labels[of]);
            let wins = others.map(|other| {
                let (yes, no) = if labels[of] { (of, other) } else { (other, of) };
                match scores[yes].total_cmp(&scores[no]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                }
            });
            wins.sum::<f64>() / 4.0
        };
        for row in 0..8 {
            let expected = (area(row) - 0.812_5) * 2.0;
            assert!((found.influence[row] - expected).abs() < 1e-12, "{row}");
        }
        assert_eq!(Estimate::auroc(&[0.1], &[true]), None);
    }

    #[test]
    fn an_exact_model_beats_one_that_is_a_little_off() {
        let actual: Vec<f64> = (0..100).map(f64::from).collect();
        let off: Vec<f64> = (0..100)
            .map(|at| f64::from(at) + 0.1 * f64::from(at % 3 - 1))
            .collect();
        let [exact, off] = [&actual, &off].map(|said| Estimate::rmse(said, &actual).unwrap());
        assert!(exact.value.abs() < 1e-12);
        let found =
            Comparison::of_rows("rmse", MonitorMode::Min, &off, [("exact", exact)]).unwrap();
        assert_eq!(found.verdict, Verdict::Worse);
    }

    #[test]
    fn folds_are_compared_pair_by_pair() {
        let own = [0.80, 0.82, 0.84, 0.86, 0.88];
        let lower = |by: f64, wave: f64| -> Vec<f64> {
            let at = own.iter().enumerate();
            at.map(|(at, value)| value - by + wave * (at % 2) as f64)
                .collect()
        };
        let compare = |baseline: Vec<f64>| {
            Comparison::of_folds("auroc", MonitorMode::Max, &own, [("a", baseline)]).unwrap()
        };
        assert_eq!(compare(lower(0.02, 0.0)).verdict, Verdict::Better);
        assert_eq!(compare(lower(-0.02, 0.0)).verdict, Verdict::Worse);
        assert_eq!(compare(lower(0.02, 0.06)).verdict, Verdict::Noise);
        let found = compare(lower(0.02, 0.06));
        // Deviation of the differences 0.0329, times the square root of 1/5 + 1/4, times 2.78.
        assert!(
            (found.half_width.unwrap() - 0.0613).abs() < 1e-3,
            "{found:?}"
        );
    }

    #[test]
    fn macro_f1_of_labels_is_that_of_the_metrics() {
        let labels = Labels {
            labels: 2,
            probabilities: vec![0.9, 0.2, 0.4, 0.8, 0.7, 0.6, 0.1, 0.3],
            truth: vec![true, false, true, true, false, true, false, false],
        };
        let found = labels.f1_estimate().unwrap();
        assert!((found.value - labels.metrics()["f1"]).abs() < 1e-12);
        assert!(found.influence.iter().sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn a_ratio_of_sums_has_the_error_of_a_ratio_estimate() {
        // Cochran, Sampling techniques, 1977: the residuals are 1 - 2/3 · 2, 3 - 2/3 · 4 and 0 - 2/3 · 0.
        let rows = vec![[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]];
        let empty = vec![[0.0; 2]; 3];
        let found = Estimate::of_ratios([rows.clone(), empty.clone()]).unwrap();
        assert!((found.value - 4.0 / 6.0).abs() < 1e-12);
        let expected = [-1.0 / 6.0, 1.0 / 6.0, 0.0];
        for (found, expected) in found.influence.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        let two = Estimate::of_ratios([rows, vec![[1.0, 1.0]; 3]]).unwrap();
        assert!((two.value - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(Estimate::of_ratios([empty]), None);
        assert_eq!(Estimate::of_ratios([]), None);
    }
}
