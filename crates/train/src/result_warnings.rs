//! What to be careful about in any result: a small test split, a gap between splits, calibration.

use crate::format::number;
use crate::metrics::Evaluation;
use crate::task::{Noun, Overview, Report};
use crate::{Metrics, MonitorMode};

/// Test items below which a score depends on the split.
const FEW_ITEMS: usize = 200;

/// Expected calibration error above which probabilities are no exact values.
const POOR_CALIBRATION: f64 = 0.05;

/// Difference of the scores of two splits that is worth a warning.
const GAP: f64 = 0.05;

/// Warnings about the result of a run on data with splits.
pub fn result_warnings(report: &Report, overview: &Overview, item: Noun) -> Vec<String> {
    if overview.splits.is_empty() {
        return Vec::new();
    }
    let (metric, mode) = report.evaluation.headline();
    let few = few_items(report, metric, item);
    let calibration = poor_calibration(&report.test, item);
    let gap = gap(metric, mode, [&report.valid, &report.test], item);
    few.into_iter().chain(calibration).chain(gap).collect()
}

fn few_items(report: &Report, metric: &str, item: Noun) -> Option<String> {
    let items = report.evaluation.len();
    if items >= FEW_ITEMS {
        return None;
    }
    let noun = item.of(items);
    let be = if items == 1 { "is" } else { "are" };
    let interval = match report.evaluation.interval() {
        Some([low, high]) => format!(
            " ({metric} {} to {} with 95% confidence)",
            number(low),
            number(high)
        ),
        None => String::new(),
    };
    // Plain text has no folds.
    let can_fold = !matches!(report.evaluation, Evaluation::Tokens { .. });
    let advice = if report.folds.is_empty() && can_fold {
        " (`--folds 5`)"
    } else {
        ""
    };
    Some(format!(
        "there {be} only {items} test {noun}{interval}: another split can give another score{advice}"
    ))
}

fn poor_calibration(test: &Metrics, item: Noun) -> Option<String> {
    let ece = test.get("ece").filter(|ece| **ece > POOR_CALIBRATION)?;
    Some(format!(
        "probabilities are off by {:.1} points on average: use them to rank {}, not as exact values",
        100.0 * ece,
        item.1
    ))
}

fn gap(
    metric: &str,
    mode: MonitorMode,
    [valid, test]: [&Metrics; 2],
    item: Noun,
) -> Option<String> {
    let (valid, test) = (valid.get(metric)?, test.get(metric)?);
    let worse = match mode {
        MonitorMode::Max => valid - test,
        MonitorMode::Min => (test - valid) / valid,
    };
    (worse > GAP).then(|| {
        let (test, valid, items) = (number(*test), number(*valid), item.1);
        format!(
            "{metric} is {test} on the test {items} and {valid} on the validation {items}: the splits may differ"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Noun = Noun("row", "rows");

    #[test]
    fn a_gap_is_worth_a_warning_in_the_direction_of_the_metric() {
        let of = |value: f64| Metrics::from([("score".to_owned(), value)]);
        for (mode, valid, test, warns) in [
            (MonitorMode::Max, 0.95, 0.85, true),
            (MonitorMode::Max, 0.85, 0.95, false),
            (MonitorMode::Min, 10.0, 11.0, true),
            (MonitorMode::Min, 11.0, 10.0, false),
            (MonitorMode::Min, 10.0, 10.4, false),
        ] {
            let found = gap("score", mode, [&of(valid), &of(test)], ROWS);
            assert_eq!(found.is_some(), warns, "{mode:?} {valid} {test}");
        }
        let text = gap("score", MonitorMode::Max, [&of(0.9), &of(0.8)], ROWS).unwrap();
        assert!(text.contains("0.8000 on the test rows and 0.9000 on the validation rows"));
    }

    #[test]
    fn poor_probabilities_are_for_ranking() {
        let of = |value: f64| Metrics::from([("ece".to_owned(), value)]);
        assert_eq!(poor_calibration(&of(0.04), ROWS), None);
        let text = poor_calibration(&of(0.123), ROWS).unwrap();
        assert!(
            text.starts_with("probabilities are off by 12.3 points"),
            "{text}"
        );
    }
}
