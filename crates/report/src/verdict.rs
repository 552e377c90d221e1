//! Whether a model is better than its best baseline, in one sentence.

use tinderbox_train::Metrics;
use tinderbox_train::format::{number, thousands};
use tinderbox_train::metrics::{Comparison, Evaluation, Verdict};

/// Which F1 the metric `f1` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum F1 {
    /// Of the positive class of two.
    Binary,
    /// The mean over all classes or labels.
    Macro,
}

impl F1 {
    /// The F1 of an evaluation.
    pub fn of(evaluation: &Evaluation) -> Self {
        match evaluation {
            Evaluation::Binary(_) => Self::Binary,
            _ => Self::Macro,
        }
    }

    /// The F1 of stored metrics: only a yes-or-no question has a Brier score.
    pub(crate) fn of_metrics(metrics: &Metrics) -> Self {
        if metrics.contains_key("brier") {
            Self::Binary
        } else {
            Self::Macro
        }
    }

    /// The name of a metric for people, which says how an F1 is averaged.
    pub fn label(self, name: &str) -> String {
        let averaged = match (name, self) {
            ("f1", Self::Macro) => "f1 (macro)",
            ("f1", Self::Binary) | ("f1_positive", _) => "f1 (binary)",
            ("f1_micro", _) => "f1 (micro)",
            ("f1_spans", _) => "f1 (spans)",
            (name, _) => name,
        };
        averaged.to_owned()
    }
}

/// One sentence on whether a model is better than the best of its baselines on `rows` test `items`,
/// such as `rows` or `images`.
pub fn verdict(comparison: &Comparison, f1: F1, rows: usize, items: &str) -> String {
    let Comparison {
        metric,
        model,
        baseline,
        method,
        half_width,
        folds,
        verdict,
    } = comparison;
    let metric = f1.label(metric);
    let over = match folds {
        0 => format!("{} test {items}", thousands(rows)),
        folds => format!("{folds} folds"),
    };
    let digits = |value: f64| digits(value, model.abs().max(baseline.abs()));
    let difference = digits((model - baseline).abs());
    let sure = match half_width {
        Some(half) => format!(
            "difference {difference} ± {}, 95% confidence interval over {over}",
            digits(*half)
        ),
        None => format!("difference {difference}, one test split"),
    };
    let [model, baseline] = [*model, *baseline].map(digits);
    match verdict {
        Verdict::Tie => format!("tie: {metric} {model} for this model and for {method}"),
        Verdict::Noise => format!(
            "no clear winner: {metric} {model} for this model, {baseline} for {method}; the \
             difference is within the noise ({sure})"
        ),
        Verdict::Better => format!(
            "this model is better than the best baseline: {metric} {model}, {baseline} for \
             {method} ({sure})"
        ),
        Verdict::Worse => format!(
            "the baseline is better: {metric} {baseline} for {method}, {model} for this model \
             ({sure}); prefer {method} here"
        ),
    }
}

/// A number of a sentence whose largest is `largest`: as many decimals for each, but four where none of its digits
/// would be left, as of a small difference.
fn digits(value: f64, largest: f64) -> String {
    let (decimals, last) = match largest {
        largest if largest >= 1_000.0 => (0, 1.0),
        largest if largest >= 100.0 => (1, 0.1),
        largest if largest >= 10.0 => (2, 0.01),
        _ => (4, 0.0),
    };
    let is_lost = value != 0.0 && value.abs() < last;
    let decimals = if is_lost { 4 } else { decimals };
    if value.abs() < 1_000.0 {
        format!("{value:.decimals$}")
    } else {
        number(value)
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_train::MonitorMode;

    use super::*;

    #[test]
    fn the_verdict_names_the_winner_or_says_that_there_is_none() {
        let folds = |baseline: [f64; 3]| {
            let own = [0.90, 0.91, 0.92];
            let all = [("boosted trees", baseline.to_vec())];
            let found = Comparison::of_folds("f1", MonitorMode::Max, &own, all).unwrap();
            verdict(&found, F1::Macro, 400, "rows")
        };
        for (baseline, words) in [
            (
                [0.90, 0.91, 0.92],
                "tie: f1 (macro) 0.9100 for this model and for boosted trees",
            ),
            (
                [0.80, 0.81, 0.82],
                "this model is better than the best baseline: f1 (macro) 0.9100",
            ),
            ([0.95, 0.96, 0.97], "prefer boosted trees here"),
            ([0.85, 0.95, 0.92], "within the noise (difference 0.0033 ± "),
        ] {
            let message = folds(baseline);
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
        let found = Comparison::of_values(
            "rmse",
            MonitorMode::Min,
            89_394.3,
            "ridge regression",
            18_456.7,
        );
        let message = verdict(&found, F1::Binary, 180, "rows");
        assert!(
            message.contains("rmse 18,457 for ridge regression, 89,394"),
            "{message}"
        );
        // One style in a sentence.
        let found = Comparison::of_values(
            "return_mean",
            MonitorMode::Max,
            -1_113.5,
            "heuristic policy",
            -131.4788,
        );
        let message = verdict(&found, F1::Binary, 100, "episodes");
        let words = "return_mean -131 for heuristic policy, -1,114 for this model (difference 982,";
        assert!(message.contains(words), "{message}");
        // A small difference is not rounded to 0.
        let found = Comparison::of_values(
            "rmse",
            MonitorMode::Min,
            2_000.25,
            "ridge regression",
            2_000.0,
        );
        let message = verdict(&found, F1::Binary, 1_400, "rows");
        assert!(message.contains("(difference 0.2500,"), "{message}");
        let found = Comparison::of_values("rmse", MonitorMode::Min, 2.0, "ridge regression", 1.0);
        let message = verdict(&found, F1::Binary, 1_400, "rows");
        assert!(
            message.contains("the baseline is better: rmse 1.0000"),
            "{message}"
        );
    }
}
