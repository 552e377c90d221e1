//! The decision threshold of two classes.

use super::Ranking;
use tinderbox_predict::decision::DEFAULT_THRESHOLD;

impl Ranking {
    /// The probability of the positive class from which on a row is called positive.
    ///
    /// It is the one with the largest F1 of the positive class on these rows, less the F1's standard
    /// error: a handful of positives does not move it to wherever chance put the first of them. Only
    /// thresholds are considered at which the mean F1 of both classes is no lower than at a half, so
    /// that not everything is called positive. If a half has an F1 within one standard error of the
    /// best, a half is kept (the one-standard-error rule of Breiman et al., *Classification and
    /// regression trees*, 1984). Choose the threshold on validation rows, and use it for every
    /// decision on others.
    ///
    /// ```
    /// use tinderbox_train::metrics::Ranking;
    ///
    /// let scores = [0.4, 0.35, 0.3, 0.1, 0.1, 0.05, 0.02, 0.01];
    /// let labels = [true, true, true, false, false, false, false, false];
    /// let threshold = Ranking::new(&scores, &labels).decision_threshold();
    /// assert!((threshold - 0.2).abs() < 1e-12);
    /// ```
    pub fn decision_threshold(&self) -> f64 {
        let actual = self.steps.last().map_or(0.0, |step| step.positives);
        if actual == 0.0 {
            return DEFAULT_THRESHOLD;
        }
        // The last rows that a half lets pass.
        let half = self
            .steps
            .iter()
            .rfind(|step| step.score >= DEFAULT_THRESHOLD);
        let [half_f1, half_mean] = half.map_or([0.0; 2], |step| {
            let [f1, _] = f1_with_error(step.positives, step.rows, actual);
            [f1, self.mean_f1(step)]
        });
        let candidates = self
            .pairs_with_next()
            .filter(|(step, _)| self.mean_f1(step) >= half_mean - 1e-12);
        let bounds = candidates.map(|(step, next)| {
            let [f1, error] = f1_with_error(step.positives, step.rows, actual);
            (between(step.score, next), f1 - error)
        });
        let best = bounds.reduce(|best, next| if next.1 > best.1 { next } else { best });
        match best {
            Some((threshold, bound)) if bound > half_f1 => threshold,
            _ => DEFAULT_THRESHOLD,
        }
    }

    /// Mean F1 of both classes where the rows of a step and those above it are called positive.
    fn mean_f1(&self, step: &super::ranking::Step) -> f64 {
        let Some(all) = self.steps.last() else {
            return 0.0;
        };
        let wrong = step.rows + all.positives - 2.0 * step.positives;
        let right_no = all.rows - step.rows - (all.positives - step.positives);
        let f1 = |right: f64| 2.0 * right / (2.0 * right + wrong).max(f64::MIN_POSITIVE);
        f64::midpoint(f1(step.positives), f1(right_no))
    }

    /// Each group of equal scores with the next lower score, 0 behind the last.
    fn pairs_with_next(&self) -> impl Iterator<Item = (&super::ranking::Step, f64)> {
        let groups = self.steps.iter().enumerate().skip(1);
        groups.map(|(at, step)| {
            let next = self.steps.get(at + 1);
            (step, next.map_or(step.score.min(0.0), |next| next.score))
        })
    }
}

/// F1 and its standard error, by the influence of each row on a ratio of sums. One more row counts
/// as wrong, or a few rows that are all right would have no error.
fn f1_with_error(hits: f64, predicted: f64, actual: f64) -> [f64; 2] {
    let f1 = 2.0 * hits / (predicted + actual);
    let wrong = predicted + actual - 2.0 * hits + 1.0;
    let squares = hits * (2.0 - 2.0 * f1).powi(2) + wrong * f1.powi(2);
    [f1, squares.sqrt() / (predicted + actual + 1.0)]
}

/// A threshold that lets `score` pass and not `next`: a half if it does, else the middle.
fn between(score: f64, next: f64) -> f64 {
    if next < DEFAULT_THRESHOLD && DEFAULT_THRESHOLD <= score {
        return DEFAULT_THRESHOLD;
    }
    let middle = f64::midpoint(score, next);
    if middle.is_finite() { middle } else { score }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(scores: &[f64], labels: &[bool]) -> f64 {
        Ranking::new(scores, labels).decision_threshold()
    }

    #[test]
    fn the_threshold_is_a_half_unless_the_rows_say_otherwise() {
        // `count` positives at `yes` and as many negatives, tenfold, at `no`.
        let rows = |count: usize, yes: f64, no: f64| {
            let scores = [vec![yes; count], vec![no; 10 * count]].concat();
            let labels = [vec![true; count], vec![false; 10 * count]].concat();
            threshold(&scores, &labels)
        };
        for (found, expected) in [
            (rows(30, 0.9, 0.1), 0.5),
            (rows(30, 0.3, 0.1), 0.2),
            (rows(30, 0.9, 0.7), 0.8),
            // All alike: everything is positive or nothing is, and nothing has no F1.
            (rows(30, 0.6, 0.6), 0.5),
            (threshold(&[], &[]), 0.5),
            (threshold(&[0.9, 0.1], &[false, false]), 0.5),
        ] {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
    }

    #[test]
    fn one_lucky_positive_does_not_move_it_to_the_top() {
        // Twelve positives among 300 above a half, at random; one of them stands first.
        let scores: Vec<f64> = (0..300).map(|at| 0.99 - f64::from(at) * 0.0015).collect();
        let labels: Vec<bool> = (0..300).map(|at| at % 25 == 0).collect();
        let found = threshold(&scores, &labels);
        assert!(found < 0.9, "{found}");
    }

    #[test]
    fn not_everything_is_called_positive() {
        // Scores that say nothing of two classes of one size: all positive has the largest F1.
        let scores: Vec<f64> = (0..400).map(|at| f64::from(at * 7 % 101) / 101.0).collect();
        let labels: Vec<bool> = (0..400).map(|at| at % 2 == 0).collect();
        let found = threshold(&scores, &labels);
        assert!((found - 0.5).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_threshold_lets_its_own_rows_pass() {
        let scores = [0.41, 0.40, 0.2];
        let found = threshold(&scores, &[true, true, false]);
        assert!(scores.map(|score| score >= found) == [true, true, false]);
    }
}
