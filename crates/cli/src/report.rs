//! The result of a run as lines for people.

use tinderbox_models::LayerSummary;
use tinderbox_report::F1;
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::ClassScores;
use tinderbox_train::run_dir::Summary;
use tinderbox_train::{Metrics, Timings};

/// Rows for a table: names of metrics, and their values for this model and the classical methods.
///
/// `f1` says which F1 it is.
pub(crate) fn scores(
    summary: &Summary,
    names: &[&str],
    f1: F1,
    count: impl Fn(usize) -> String,
) -> Vec<Vec<String>> {
    let row = |what: &str, metrics: &Metrics| {
        let value = |name: &&str| {
            let value = metrics.get(*name);
            value.map_or("-".to_owned(), |value| format!("{value:.4}"))
        };
        let values = names.iter().map(value);
        std::iter::once(what.to_owned()).chain(values).collect()
    };
    let head = names.iter().map(|name| f1.label(name));
    let mut rows = vec![
        std::iter::once("test".to_owned()).chain(head).collect(),
        row("this model", &summary.test),
    ];
    for baseline in &summary.baselines {
        let what = match baseline.samples {
            0 => baseline.method.clone(),
            samples => format!("{} on {}", baseline.method, count(samples)),
        };
        rows.push(row(&what, &baseline.test));
    }
    rows
}

/// The layers of a network as rows of a table.
pub(crate) fn layer_rows(layers: &[LayerSummary]) -> Vec<Vec<String>> {
    let head = ["layer", "what", "output", "parameters"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape.join("x"),
            thousands(layer.parameters),
        ]
    }));
    rows
}

/// A confusion matrix as rows of a table: true classes down, predicted ones across.
pub(crate) fn confusion_rows(
    classes: &[String],
    predicted: &[String],
    confusion: &[Vec<usize>],
) -> Vec<Vec<String>> {
    let mut rows = vec![[vec![String::new()], predicted.to_vec()].concat()];
    for (class, counts) in classes.iter().zip(confusion) {
        let counts = counts.iter().map(usize::to_string);
        rows.push(std::iter::once(class.clone()).chain(counts).collect());
    }
    rows
}

/// Precision, recall and F1 of each class as rows of a table.
pub(crate) fn class_rows(labels: &[String], scores: &[ClassScores]) -> Vec<Vec<String>> {
    let head = ["class", "precision", "recall", "f1", "support"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let value = |value: f64| format!("{value:.4}");
    rows.extend(labels.iter().zip(scores).map(|(label, scores)| {
        vec![
            label.clone(),
            value(scores.precision),
            value(scores.recall),
            value(scores.f1),
            thousands(scores.rows),
        ]
    }));
    rows
}

/// A threshold in two digits, or more if it is near 0 or 1.
pub(crate) fn shown_threshold(threshold: f64) -> String {
    let margin = threshold.min(1.0 - threshold).max(1e-9);
    let digits = (-margin.log10()).ceil().clamp(0.0, 8.0) as usize + 1;
    format!("{threshold:.digits$}")
}

/// Metrics as rows of a table; `f1` says which F1 it is.
pub(crate) fn metric_rows(metrics: &Metrics, f1: F1) -> Vec<Vec<String>> {
    let row = |(name, value): (&String, &f64)| vec![f1.label(name), format!("{value:.4}")];
    metrics.iter().map(row).collect()
}

/// Where the time of a run went.
pub(crate) fn times(timings: &Timings, wall_s: f64) -> String {
    let share = |seconds: f64| 100.0 * seconds / wall_s.max(f64::MIN_POSITIVE);
    let Timings {
        data_s,
        compute_s,
        valid_s,
        checkpoint_s,
    } = *timings;
    let other = (wall_s - data_s - compute_s - valid_s - checkpoint_s).max(0.0);
    format!(
        "time {wall_s:.1} s: compute {:.1}%, data wait {:.1}%, validation {:.1}%, checkpoint {:.1}%, \
         other {:.1}%",
        share(compute_s),
        share(data_s),
        share(valid_s),
        share(checkpoint_s),
        share(other)
    )
}

#[cfg(test)]
mod tests {
    use tinderbox_train::run_dir::Baseline;

    use super::*;

    #[test]
    fn a_baseline_that_is_not_fitted_has_no_number_of_items() {
        let baseline = |method: &str, samples| Baseline {
            method: method.to_owned(),
            samples,
            ..Baseline::default()
        };
        let summary = Summary {
            baselines: vec![baseline("random policy", 0), baseline("ridge", 1_200)],
            ..Summary::default()
        };
        let rows = scores(&summary, &["loss"], F1::Macro, thousands);
        assert_eq!(rows[2], ["random policy", "-"]);
        assert_eq!(rows[3], ["ridge on 1,200", "-"]);
    }

    #[test]
    fn a_threshold_is_shown_with_the_digits_that_it_needs() {
        for (threshold, text) in [
            (0.5, "0.50"),
            (0.314_159, "0.31"),
            (0.031_4, "0.031"),
            (0.999_87, "0.99987"),
            (0.0, "0.000000000"),
        ] {
            assert_eq!(shown_threshold(threshold), text);
        }
    }
}
