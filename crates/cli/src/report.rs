//! The result of a run: `summary.json`, and lines for people.

use tinderbox_backend::Opened;
use tinderbox_models::LayerSummary;
use tinderbox_predict::BURN_VERSION;
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::{ClassScores, Comparison, Evaluation, Verdict};
use tinderbox_train::run_dir::{Baseline, Summary, peak_rss_bytes};
use tinderbox_train::{Metrics, Timings, Trained};

/// What a summary takes besides what the training loop says.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Name and version of the package of the app.
    pub app: [&'a str; 2],
    /// Name of the recipe.
    pub recipe: &'a str,
    /// Seed of the run.
    pub seed: u64,
    /// Where it was computed.
    pub device: &'a Opened,
    /// Numbers that were learned.
    pub parameters: usize,
    /// Metrics on the validation split.
    pub valid: Metrics,
    /// Metrics on the test split.
    pub test: Metrics,
    /// Classical methods on the same split.
    pub baselines: Vec<Baseline>,
    /// What only this kind of task has.
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Finished<'_> {
    /// Puts it together with what the loop says.
    pub fn summary<M>(self, trained: &Trained<M>) -> Summary {
        let [app, version] = self.app.map(str::to_owned);
        let train_s = trained.timings.data_s + trained.timings.compute_s;
        Summary {
            app,
            recipe: self.recipe.to_owned(),
            device: self.device.spec.to_string(),
            backend: self.device.backend.to_owned(),
            seed: self.seed,
            burn: BURN_VERSION.to_owned(),
            version,
            epochs: trained.epochs,
            best_epoch: trained.best_epoch,
            steps: trained.steps,
            samples: trained.samples,
            wall_s: trained.wall_s,
            train_s,
            samples_per_s: trained.samples as f64 / train_s.max(f64::MIN_POSITIVE),
            timings: trained.timings,
            peak_rss_bytes: peak_rss_bytes(),
            parameters: self.parameters,
            valid: self.valid,
            test: self.test,
            baselines: self.baselines,
            details: self.details,
        }
    }
}

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
    let difference = (model - baseline).abs();
    let sure = match half_width {
        Some(half) => {
            format!("difference {difference:.4} ± {half:.4}, 95% confidence interval over {over}")
        }
        None => format!("difference {difference:.4}, one test split"),
    };
    match verdict {
        Verdict::Tie => format!("tie: {metric} {model:.4} for this model and for {method}"),
        Verdict::Noise => format!(
            "no clear winner: {metric} {model:.4} for this model, {baseline:.4} for {method}; the \
             difference is within the noise ({sure})"
        ),
        Verdict::Better => format!(
            "this model is better than the best baseline: {metric} {model:.4}, {baseline:.4} for \
             {method} ({sure})"
        ),
        Verdict::Worse => format!(
            "the baseline is better: {metric} {baseline:.4} for {method}, {model:.4} for this model \
             ({sure}); prefer {method} here"
        ),
    }
}

/// Rows for a table: names of metrics, and their values for this model and the classical methods.
///
/// `f1` says which F1 it is.
pub fn scores(
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
        let what = format!("{} on {}", baseline.method, count(baseline.samples));
        rows.push(row(&what, &baseline.test));
    }
    rows
}

/// The layers of a network as rows of a table.
pub fn layer_rows(layers: &[LayerSummary]) -> Vec<Vec<String>> {
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
pub fn confusion_rows(classes: &[String], confusion: &[Vec<usize>]) -> Vec<Vec<String>> {
    let mut rows = vec![[vec![String::new()], classes.to_vec()].concat()];
    for (class, counts) in classes.iter().zip(confusion) {
        let counts = counts.iter().map(usize::to_string);
        rows.push(std::iter::once(class.clone()).chain(counts).collect());
    }
    rows
}

/// Precision, recall and F1 of each class as rows of a table.
pub fn class_rows(labels: &[String], scores: &[ClassScores]) -> Vec<Vec<String>> {
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
pub fn shown_threshold(threshold: f64) -> String {
    let margin = threshold.min(1.0 - threshold).max(1e-9);
    let digits = (-margin.log10()).ceil().clamp(0.0, 8.0) as usize + 1;
    format!("{threshold:.digits$}")
}

/// Metrics as rows of a table; `f1` says which F1 it is.
pub fn metric_rows(metrics: &Metrics, f1: F1) -> Vec<Vec<String>> {
    let row = |(name, value): (&String, &f64)| vec![f1.label(name), format!("{value:.4}")];
    metrics.iter().map(row).collect()
}

/// Where the time of a run went.
pub fn times(timings: &Timings, wall_s: f64) -> String {
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
    use tinderbox_train::MonitorMode;

    use super::*;

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
            let said = folds(baseline);
            assert!(said.contains(words), "`{words}` is not in: {said}");
        }
        let found = Comparison::of_values("rmse", MonitorMode::Min, 2.0, "ridge regression", 1.0);
        let said = verdict(&found, F1::Binary, 1_400, "rows");
        assert!(
            said.contains("the baseline is better: rmse 1.0000"),
            "{said}"
        );
    }
}
