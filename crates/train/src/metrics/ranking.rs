//! What an order by score is worth: in medicine, credit, fraud and search it counts more than the
//! scores themselves.

/// Rows sorted by a score, highest first, with their labels.
///
/// Rows of equal score stand together, so that no number depends on the order they came in. A
/// score that is not a number ranks last.
///
/// ```
/// use tinderbox_train::metrics::Ranking;
///
/// let ranking = Ranking::new(&[0.9, 0.7, 0.4, 0.1], &[true, false, true, false]);
/// assert_eq!(ranking.auroc(), Some(0.75));
/// // Half of the rows hold half of the positives: no better than chance.
/// assert_eq!(ranking.lift(0.5), Some(1.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// After each group of equal scores; the first has no rows.
    pub(super) steps: Vec<Step>,
}

/// Sums over the rows of a score or higher.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Step {
    pub(super) score: f64,
    pub(super) rows: f64,
    pub(super) positives: f64,
    weight: f64,
    /// Weight of the positives.
    positive_weight: f64,
}

/// What it takes to find a share of the positives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// Rows of this score or higher are looked at.
    pub threshold: f64,
    /// Share of all rows that are looked at, in `[0, 1]`.
    pub share: f64,
    /// Rows looked at for each positive that is found, at least 1.
    pub alerts_per_hit: f64,
    /// Share of the positives that are found: what was asked for, or a little more.
    pub recall: f64,
}

impl Ranking {
    /// Sorts rows of the same weight.
    ///
    /// # Panics
    ///
    /// If there are not as many labels as scores.
    pub fn new(scores: &[f64], labels: &[bool]) -> Self {
        Self::weighted(scores, labels, &vec![1.0; scores.len()])
    }

    /// Sorts rows that have a weight, such as an area or an amount, 0 or more.
    ///
    /// Only [`capture`](Self::capture) and [`lift`](Self::lift) use it.
    ///
    /// # Panics
    ///
    /// If there are not as many labels and weights as scores.
    pub fn weighted(scores: &[f64], labels: &[bool], weights: &[f64]) -> Self {
        assert_eq!(scores.len(), labels.len(), "one label for each score");
        assert_eq!(scores.len(), weights.len(), "one weight for each score");
        let key = |row: usize| match scores[row] {
            score if score.is_nan() => f64::NEG_INFINITY,
            // Minus zero equals zero.
            score => score + 0.0,
        };
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
        let mut sums = Step {
            score: f64::INFINITY,
            ..Step::default()
        };
        let mut steps = vec![sums];
        for group in order.chunk_by(|&a, &b| key(a).total_cmp(&key(b)).is_eq()) {
            sums.score = key(group[0]);
            for &row in group {
                let positive = f64::from(u8::from(labels[row]));
                sums.rows += 1.0;
                sums.positives += positive;
                sums.weight += weights[row];
                sums.positive_weight += positive * weights[row];
            }
            steps.push(sums);
        }
        Self { steps }
    }

    fn total(&self) -> Step {
        self.steps.last().copied().unwrap_or_default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&Step, &Step)> {
        self.steps.iter().zip(self.steps.iter().skip(1))
    }

    /// Area under the receiver operating characteristic: how often a positive is above a negative,
    /// where equal scores count half. `None` if there are not both.
    pub fn auroc(&self) -> Option<f64> {
        let total = self.total();
        let negatives = total.rows - total.positives;
        let above = |(from, to): (&Step, &Step)| {
            let negatives = (to.rows - to.positives) - (from.rows - from.positives);
            negatives * f64::midpoint(from.positives, to.positives)
        };
        (total.positives > 0.0 && negatives > 0.0)
            .then(|| self.pairs().map(above).sum::<f64>() / (total.positives * negatives))
    }

    /// Average precision: the precision at each score, weighted by the recall it adds. `None`
    /// without positives.
    pub fn average_precision(&self) -> Option<f64> {
        let total = self.total();
        let part =
            |(from, to): (&Step, &Step)| (to.positives - from.positives) * to.positives / to.rows;
        (total.positives > 0.0).then(|| self.pairs().map(part).sum::<f64>() / total.positives)
    }

    /// What it takes to find `recall` of the positives, in `(0, 1]`. `None` without positives.
    pub fn workload(&self, recall: f64) -> Option<Workload> {
        let total = self.total();
        let needed = recall * total.positives - 1e-9;
        let step = self.steps[1..]
            .iter()
            .find(|step| step.positives >= needed)?;
        (total.positives > 0.0 && step.positives > 0.0).then(|| Workload {
            threshold: step.score,
            share: step.rows / total.rows,
            alerts_per_hit: step.rows / step.positives,
            recall: step.positives / total.positives,
        })
    }

    /// Share of the positives in the top `share` of the rows' weight, in `[0, 1]`. `None` without
    /// positives or weight.
    ///
    /// Of a group of equal scores that does not fit, the part that does has its share of positives,
    /// as it has on average in a random order.
    pub fn capture(&self, share: f64) -> Option<f64> {
        let total = self.total();
        (total.positives > 0.0 && total.weight > 0.0)
            .then(|| self.until(share * total.weight, |s| s.weight).positives / total.positives)
    }

    /// [`capture`](Self::capture) as a multiple of what a random order has.
    pub fn lift(&self, share: f64) -> Option<f64> {
        (share > 0.0).then(|| self.capture(share).map(|capture| capture / share))?
    }

    /// The sums over the first rows, until `size` of them is `wanted`.
    fn until(&self, wanted: f64, size: impl Fn(&Step) -> f64) -> Step {
        let behind = self.steps.partition_point(|step| size(step) < wanted);
        let Some(to) = self.steps.get(behind) else {
            return self.total();
        };
        let from = self.steps[behind.max(1) - 1];
        let step = size(to) - size(&from);
        let part = if step > 0.0 {
            (wanted - size(&from)) / step
        } else {
            1.0
        };
        let between = |from: f64, to: f64| from + part * (to - from);
        Step {
            score: to.score,
            rows: between(from.rows, to.rows),
            positives: between(from.positives, to.positives),
            weight: between(from.weight, to.weight),
            positive_weight: between(from.positive_weight, to.positive_weight),
        }
    }

    /// The receiver operating characteristic: from (0, 0) to (1, 1), the share of negatives and the
    /// share of positives at each score or higher. Empty if there are not both.
    pub fn roc(&self) -> Vec<[f64; 2]> {
        let total = self.total();
        let negatives = total.rows - total.positives;
        if total.positives == 0.0 || negatives == 0.0 {
            return Vec::new();
        }
        let point = |step: &Step| {
            [
                (step.rows - step.positives) / negatives,
                step.positives / total.positives,
            ]
        };
        self.steps.iter().map(point).collect()
    }

    /// The largest share of positives that is found while at least this share of the negatives, in
    /// `[0, 1]`, is not: sensitivity at a specificity. `None` if there are not both.
    pub fn sensitivity_at(&self, specificity: f64) -> Option<f64> {
        let points = self.roc().into_iter();
        // A tolerance for shares that are no exact fractions.
        let allowed = points.filter(|[wrong, _]| *wrong <= 1.0 - specificity + 1e-9);
        allowed.map(|[_, found]| found).reduce(f64::max)
    }

    /// Recall and precision at each score or higher. Empty without positives.
    pub fn precision_recall(&self) -> Vec<[f64; 2]> {
        let total = self.total();
        if total.positives == 0.0 {
            return Vec::new();
        }
        let point = |step: &Step| [step.positives / total.positives, step.positives / step.rows];
        self.steps[1..].iter().map(point).collect()
    }
}

/// Keeps at most `most` points of a curve for a plot: the first, the last, and evenly many between.
pub fn thin(curve: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    let most = most.max(2);
    if curve.len() <= most {
        return curve.to_vec();
    }
    let last = curve.len() - 1;
    (0..most).map(|at| curve[at * last / (most - 1)]).collect()
}

/// What approving the least risky share of applications brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approval {
    /// Share of the applications that are approved, in `[0, 1]`.
    pub rate: f64,
    /// Share of the approved that default.
    pub default_rate: f64,
    /// Share of the approved amount that is lost.
    pub loss_rate: f64,
    /// Share of all losses that is avoided by not approving the rest.
    pub loss_avoided: f64,
}

/// The defaults and losses at each approval rate in `rates`, when the riskiest are turned down.
///
/// `risk` is any score that is higher for a worse risk. With `amounts`, losses are weighted by
/// them; without, a loss is a default. Applications of equal risk are approved in proportion. Two
/// models are compared at equal rates. Empty without applications.
///
/// # Panics
///
/// If there are not as many labels and amounts as scores.
pub fn approval(
    risk: &[f64],
    defaulted: &[bool],
    amounts: Option<&[f64]>,
    rates: &[f64],
) -> Vec<Approval> {
    let safety: Vec<f64> = risk.iter().map(|risk| -risk).collect();
    let ones = vec![1.0; risk.len()];
    let order = Ranking::weighted(&safety, defaulted, amounts.unwrap_or(&ones));
    if risk.is_empty() {
        return Vec::new();
    }
    let whole = order.total();
    let ratio = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
    let at = |&rate: &f64| {
        let approved = order.until(rate.clamp(0.0, 1.0) * whole.rows, |step| step.rows);
        let avoided = whole.positive_weight - approved.positive_weight;
        Approval {
            rate,
            default_rate: ratio(approved.positives, approved.rows),
            loss_rate: ratio(approved.positive_weight, approved.weight),
            loss_avoided: ratio(avoided, whole.positive_weight),
        }
    };
    rates.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 12] = [
        0.9, 0.8, 0.8, 0.7, 0.55, 0.55, 0.55, 0.4, 0.35, 0.2, 0.2, 0.05,
    ];
    const LABELS: [bool; 12] = [
        true, true, false, true, false, true, false, false, true, false, false, false,
    ];

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    /// Expected: scikit-learn 1.9.1, `roc_auc_score`, `average_precision_score` and `roc_curve`.
    #[test]
    fn areas_and_curves_agree_with_scikit_learn_where_scores_are_equal() {
        let ranking = Ranking::new(&SCORES, &LABELS);
        close(ranking.auroc(), 0.785_714_285_714_285_8);
        close(ranking.average_precision(), 0.708_730_158_730_158_8);
        let roc = ranking.roc();
        let (false_positives, true_positives) = (
            [0, 0, 1, 1, 3, 4, 4, 6, 7],
            [0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 1.0, 1.0, 1.0],
        );
        assert_eq!(roc.len(), 9);
        for (point, (x, y)) in roc.iter().zip(false_positives.iter().zip(true_positives)) {
            close(Some(point[0]), f64::from(*x) / 7.0);
            close(Some(point[1]), y);
        }
        let curve = ranking.precision_recall();
        close(Some(curve[3][0]), 0.8);
        close(Some(curve[3][1]), 4.0 / 7.0);
        close(Some(curve[7][1]), 5.0 / 12.0);
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let (mut scores, mut labels) = (SCORES, LABELS);
        scores.reverse();
        labels.reverse();
        assert_eq!(
            Ranking::new(&scores, &labels),
            Ranking::new(&SCORES, &LABELS)
        );
        assert_eq!(
            Ranking::new(&[0.0, -0.0], &[true, false]).auroc(),
            Some(0.5)
        );
    }

    #[test]
    fn without_both_classes_nothing_is_ranked() {
        for (labels, precision) in [([true; 12], Some(1.0)), ([false; 12], None)] {
            let ranking = Ranking::new(&SCORES, &labels);
            assert_eq!(ranking.auroc(), None);
            assert_eq!(ranking.roc(), [[0.0; 2]; 0]);
            assert_eq!(ranking.average_precision(), precision);
            assert_eq!(ranking.capture(1.0), precision);
        }
        let none = Ranking::new(&[], &[]);
        assert_eq!((none.auroc(), none.average_precision()), (None, None));
        assert_eq!(none.workload(0.8), None);
        assert_eq!((none.capture(0.1), none.lift(0.1)), (None, None));
        assert_eq!(none.precision_recall().len(), 0);
    }

    #[test]
    fn a_score_that_is_no_number_ranks_last() {
        let ranking = Ranking::new(&[f64::NAN, -5.0], &[true, false]);
        assert_eq!(ranking.auroc(), Some(0.0));
    }

    #[test]
    fn workload_counts_the_rows_down_to_the_score_that_finds_enough() {
        let ranking = Ranking::new(&SCORES, &LABELS);
        // The fourth positive shares its score with two negatives.
        let workload = ranking.workload(0.8).unwrap();
        close(Some(workload.threshold), 0.55);
        close(Some(workload.share), 7.0 / 12.0);
        close(Some(workload.alerts_per_hit), 7.0 / 4.0);
        assert_eq!(ranking.workload(0.7), Some(workload));
        close(ranking.workload(1.0).map(|w| w.share), 9.0 / 12.0);
    }

    #[test]
    fn capture_follows_the_weights_and_parts_equal_scores() {
        let ranking = Ranking::new(&SCORES, &LABELS);
        // The row at 0.9, and half of the two at 0.8, of which one is positive.
        close(ranking.capture(2.0 / 12.0), 1.5 / 5.0);
        close(ranking.lift(2.0 / 12.0), 1.8);
        close(ranking.capture(1.0), 1.0);
        close(ranking.capture(0.0), 0.0);
        // A small deposit-bearing cell on top, then a large barren one.
        let area = Ranking::weighted(&[0.9, 0.5, 0.1], &[true, false, true], &[1.0, 8.0, 1.0]);
        close(area.capture(0.1), 0.5);
        close(area.capture(0.5), 0.5);
        close(area.capture(0.95), 0.75);
    }

    #[test]
    fn approval_turns_down_the_riskiest_first() {
        let risk = [0.1, 0.2, 0.3, 0.9];
        let defaulted = [false, false, true, true];
        let amounts = [100.0, 100.0, 200.0, 600.0];
        let curve = approval(&risk, &defaulted, Some(&amounts), &[0.5, 0.75, 1.0]);
        let rows: Vec<[f64; 3]> = curve
            .iter()
            .map(|a| [a.default_rate, a.loss_rate, a.loss_avoided])
            .collect();
        let expected = [[0.0, 0.0, 1.0], [1.0 / 3.0, 0.5, 0.75], [0.5, 0.8, 0.0]];
        for (found, expected) in rows.iter().flatten().zip(expected.iter().flatten()) {
            close(Some(*found), *expected);
        }
        let alike = approval(&[0.5; 4], &defaulted, None, &[0.25]);
        close(Some(alike[0].default_rate), 0.5);
        assert_eq!(approval(&[], &[], None, &[0.5]), []);
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends() {
        let curve: Vec<[f64; 2]> = (0..1001).map(|at| [f64::from(at); 2]).collect();
        let few = thin(&curve, 11);
        assert_eq!(few.len(), 11);
        assert_eq!((few[0][0], few[1][0], few[10][0]), (0.0, 100.0, 1000.0));
        assert_eq!(thin(&curve[..5], 11), curve[..5]);
    }
}
