//! The decision threshold of two classes.

use super::Ranking;
use crate::train::ConfigError;

/// The threshold that is used where no validation rows suggest another one.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// Checks a decision threshold that a user gave for a model of `classes` classes.
///
/// # Errors
///
/// If it is no probability, or there are not two classes.
pub fn check_threshold(threshold: f64, classes: usize) -> Result<f64, ConfigError> {
    let refuse = |expected| Err(ConfigError::new("--threshold", threshold, expected));
    if classes != 2 {
        return refuse("left out: only a model of two classes has a decision threshold");
    }
    if !(0.0..=1.0).contains(&threshold) {
        return refuse("between 0 and 1");
    }
    Ok(threshold)
}

impl Ranking {
    /// The probability of the positive class from which on a row is called positive.
    ///
    /// It is the one with the largest F1 of the positive class on these rows, less the F1's standard
    /// error: a handful of positives does not move it to wherever chance put the first of them. If a
    /// half has an F1 within one standard error of that, a half is kept (the one-standard-error rule
    /// of Breiman et al., *Classification and regression trees*, 1984). Choose the threshold on
    /// validation rows, and use it for every decision on others.
    ///
    /// ```
    /// use tinderbox_recipes::metrics::Ranking;
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
        let scored: Vec<(f64, [f64; 2])> = self
            .pairs_with_next()
            .map(|(step, next)| {
                let f1 = f1_with_error(step.positives, step.rows, actual);
                (between(step.score, next), f1)
            })
            .collect();
        let bound = |[f1, error]: [f64; 2]| f1 - error;
        let best = scored.iter().copied();
        let best = best.reduce(|best, next| {
            if bound(next.1) > bound(best.1) {
                next
            } else {
                best
            }
        });
        let Some((threshold, f1)) = best else {
            return DEFAULT_THRESHOLD;
        };
        // The last rows that a half lets pass.
        let at_half = self
            .steps
            .iter()
            .rfind(|step| step.score >= DEFAULT_THRESHOLD);
        let at_half = at_half.map_or(0.0, |step| {
            f1_with_error(step.positives, step.rows, actual)[0]
        });
        if at_half >= bound(f1) {
            DEFAULT_THRESHOLD
        } else {
            threshold
        }
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
    fn a_threshold_lets_its_own_rows_pass() {
        let scores = [0.41, 0.40, 0.2];
        let found = threshold(&scores, &[true, true, false]);
        assert!(scores.map(|score| score >= found) == [true, true, false]);
    }
}
