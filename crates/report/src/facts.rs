//! The facts that a page and a card begin with.

use std::fmt::Write as _;

use serde_json::Value;
use tinderbox_train::MonitorMode;
use tinderbox_train::format::{percent, thousands};
use tinderbox_train::metrics::Comparison;
use tinderbox_train::run_dir::{Headline, Summary};

use crate::number::number;
use crate::{F1, Run, verdict};

/// The value to look at first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Score {
    pub(crate) metric: String,
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) mode: MonitorMode,
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) items: String,
}

/// The headline metric on the test split; none of a run from before there was one.
pub(crate) fn score(summary: &Summary) -> Option<Score> {
    let stored = summary.headline.as_ref()?;
    let metric = stored.metric.clone();
    let value = *summary.test.get(&metric)?;
    Some(Score {
        label: written(&F1::of_metrics(&summary.test).label(&metric)),
        metric,
        value,
        mode: stored.mode,
        interval: stored.interval,
        items: items(stored),
    })
}

/// The test items, as in `1,292 test rows`.
fn items(headline: &Headline) -> String {
    let noun = &headline.noun[usize::from(headline.items != 1)];
    format!("{} test {noun}", thousands(headline.items))
}

/// The name of a metric as people write it.
pub(crate) fn written(label: &str) -> String {
    let known = match label {
        "auroc" => "AUROC",
        "rmse" => "RMSE",
        "mae" => "MAE",
        "r2" => "R²",
        "iou" => "IoU",
        "nme" => "NME",
        "map50" => "mAP50",
        "map50_95" => "mAP50-95",
        "return_mean" => "mean return",
        label => return label.replace('_', " "),
    };
    known.to_owned()
}

/// A value of a metric as people say it: shares of right answers in percent.
pub(crate) fn score_text(metric: &str, value: f64) -> String {
    if metric == "accuracy" {
        percent(value)
    } else {
        number(value)
    }
}

/// The comparison with the best baseline.
pub(crate) fn comparison(run: &Run) -> Option<Comparison> {
    let stored = run.detail("comparison")?.clone();
    serde_json::from_value(stored).ok()
}

/// The result in one honest sentence or two.
pub(crate) fn sentence(run: &Run) -> String {
    let Some(summary) = &run.summary else {
        return "This is a model folder without its run: its scores are not known.".to_owned();
    };
    let Some(score) = score(summary) else {
        return "The run has no metric on a test split.".to_owned();
    };
    let mut text = format!(
        "{} {}",
        capital(&score.label),
        score_text(&score.metric, score.value)
    );
    if let Some([low, high]) = score.interval {
        let _ = write!(
            text,
            " (95% confidence interval {} to {})",
            score_text(&score.metric, low),
            score_text(&score.metric, high)
        );
    }
    let _ = write!(text, " on {}", score.items);
    text.push_str(". ");
    let (items, noun) = match &summary.headline {
        Some(headline) => (headline.items, headline.noun[1].as_str()),
        None => (0, "items"),
    };
    let baseline = match comparison(run) {
        Some(comparison) => {
            let f1 = F1::of_metrics(&summary.test);
            capital(&verdict(&comparison, f1, items, noun)) + "."
        }
        None => match best_baseline(summary, &score) {
            Some((method, value)) => format!(
                "The best baseline, {method}, has {}.",
                score_text(&score.metric, value)
            ),
            None => "There is no baseline to compare it with.".to_owned(),
        },
    };
    text + &baseline
}

/// The baseline with the best value of the headline metric, for metrics without a comparison.
fn best_baseline<'a>(summary: &'a Summary, score: &Score) -> Option<(&'a str, f64)> {
    let values = summary.baselines.iter().filter_map(|baseline| {
        let value = *baseline.test.get(&score.metric)?;
        value
            .is_finite()
            .then_some((baseline.method.as_str(), value))
    });
    values.reduce(|best, other| {
        if score.mode.improves(other.1, best.1) {
            other
        } else {
            best
        }
    })
}

/// With a capital letter at the beginning, unless it is a name such as mAP.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    if text.chars().nth(1).is_some_and(char::is_uppercase) {
        return text.to_owned();
    }
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The tiles under the heading of a page: values with what they are.
pub(crate) fn tiles(run: &Run) -> Vec<(String, String)> {
    let Some(summary) = &run.summary else {
        return Vec::new();
    };
    let mut tiles = Vec::new();
    if let Some(score) = score(summary) {
        tiles.push((
            score_text(&score.metric, score.value),
            format!("{}, test", score.label),
        ));
    }
    if let Some(comparison) = comparison(run) {
        let own = baseline_test(summary, &comparison.method, &comparison.metric);
        tiles.push((
            score_text(&comparison.metric, own.unwrap_or(comparison.baseline)),
            format!("best baseline: {}", comparison.method),
        ));
    } else if let Some(score) = score(summary)
        && let Some((method, value)) = best_baseline(summary, &score)
    {
        tiles.push((
            score_text(&score.metric, value),
            format!("best baseline: {method}"),
        ));
    }
    if let Some(headline) = &summary.headline {
        tiles.push((
            thousands(headline.items),
            format!("test {}", headline.noun[usize::from(headline.items != 1)]),
        ));
    }
    tiles.push((thousands(summary.parameters), "parameters".to_owned()));
    tiles.push((
        crate::number::seconds(summary.wall_s),
        "training time".to_owned(),
    ));
    tiles
}

/// The score of a baseline on the test split, where a comparison has the mean of folds.
pub(crate) fn baseline_test(summary: &Summary, method: &str, metric: &str) -> Option<f64> {
    let mut baselines = summary.baselines.iter();
    let baseline = baselines.find(|baseline| baseline.method == method)?;
    baseline.test.get(metric).copied()
}

/// The scores of the model and of its baselines as rows of a table.
pub(crate) fn score_rows(summary: &Summary) -> Vec<Vec<String>> {
    let own = [
        ("this model, validation", &summary.valid),
        ("this model, test", &summary.test),
    ];
    let own = own.map(|(name, metrics)| (name.to_owned(), metrics));
    let baselines = summary.baselines.iter().map(|baseline| {
        let name = format!("{}, test", baseline.method);
        (name, &baseline.test)
    });
    let methods: Vec<_> = own
        .into_iter()
        .chain(baselines)
        .filter(|(_, metrics)| !metrics.is_empty())
        .collect();
    let mut names: Vec<&String> = methods
        .iter()
        .flat_map(|(_, metrics)| metrics.keys())
        .collect();
    names.sort();
    names.dedup();
    let first = summary.headline.as_ref().map(|headline| &headline.metric);
    names.sort_by_key(|name| Some(*name) != first);
    if methods.is_empty() {
        return Vec::new();
    }
    let f1 = F1::of_metrics(&summary.test);
    let labels = names.iter().map(|name| f1.label(name));
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(labels)
            .collect::<Vec<_>>(),
    ];
    for (name, metrics) in methods {
        let values = names.iter().map(|name| {
            let value = metrics.get(*name);
            value.map_or("-".to_owned(), |value| number(*value))
        });
        rows.push(std::iter::once(name).chain(values).collect());
    }
    // Many metrics are a column each, and a page is higher than it is wide.
    if rows[0].len() > 9 {
        transposed(&rows)
    } else {
        rows
    }
}

fn transposed(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let columns = 0..rows.first().map_or(0, Vec::len);
    let column = |at: usize| rows.iter().map(|row| row[at].clone()).collect();
    columns.map(column).collect()
}

/// The splits as rows of a table.
pub(crate) fn split_rows(summary: &Summary) -> Vec<Vec<String>> {
    let Some(data) = summary.data.as_ref().filter(|data| !data.splits.is_empty()) else {
        return Vec::new();
    };
    let headline = summary.headline.as_ref().map(|headline| &headline.noun);
    let noun = data.noun.as_ref().or(headline);
    let noun = noun.map_or("items", |noun| &noun[1]);
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in data.splits.iter().flat_map(|split| &split.classes) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // A table of hundreds of classes says little.
    if names.len() > 40 {
        names.clear();
    }
    let head = ["split", noun].map(str::to_owned);
    let head = head
        .into_iter()
        .chain(names.iter().map(|name| (*name).clone()));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for split in &data.splits {
        let count = |name: &&String| {
            let found = split.classes.iter().find(|(class, _)| class == *name);
            found.map_or("0".to_owned(), |(_, count)| thousands(*count))
        };
        let own = [split.name.clone(), thousands(split.count)].into_iter();
        rows.push(own.chain(names.iter().map(count)).collect());
    }
    if names.len() > 8 {
        transposed(&rows)
    } else {
        rows
    }
}

/// The result of each method over the folds as rows of a table.
pub(crate) fn fold_rows(run: &Run) -> Vec<Vec<String>> {
    let Some(folds) = run.detail("folds") else {
        return Vec::new();
    };
    let summary = run.summary.as_ref();
    let f1 = summary.map_or(F1::Macro, |summary| F1::of_metrics(&summary.test));
    let headline = summary.and_then(|summary| summary.headline.as_ref());
    fold_table(folds, f1, headline.map(|headline| headline.metric.as_str()))
}

/// The table of folds, with the deciding metric `first` as in the table of scores.
fn fold_table(folds: &Value, f1: F1, first: Option<&str>) -> Vec<Vec<String>> {
    let methods = folds.get("test").and_then(Value::as_object);
    let methods: Vec<_> = methods.into_iter().flatten().collect();
    let mut names: Vec<&String> = methods
        .iter()
        .filter_map(|(_, metrics)| metrics.as_object())
        .flat_map(|metrics| metrics.keys())
        .collect();
    names.sort();
    names.dedup();
    names.sort_by_key(|name| Some(name.as_str()) != first);
    let count = folds.get("count").and_then(Value::as_u64).unwrap_or(0);
    let head = format!("mean of {count} folds");
    let mut rows = vec![
        std::iter::once(head)
            .chain(names.iter().map(|name| f1.label(name)))
            .collect::<Vec<_>>(),
    ];
    for (method, metrics) in methods {
        let cell = |name: &&String| {
            let value = |key: &str| metrics.get(*name)?.get(key)?.as_f64();
            match (value("mean"), value("std")) {
                (Some(mean), Some(std)) => format!("{} ± {}", number(mean), number(std)),
                _ => "-".to_owned(),
            }
        };
        let cells = names.iter().map(cell);
        rows.push(std::iter::once(method.clone()).chain(cells).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_have_the_names_and_the_order_of_the_scores() {
        let metric = serde_json::json!({"mean": 0.5, "std": 0.25});
        let metrics =
            serde_json::json!({"accuracy": metric, "auroc": metric, "f1_positive": metric});
        let folds = serde_json::json!({"count": 3, "test": {"mlp": metrics}});
        let rows = fold_table(&folds, F1::Binary, Some("auroc"));
        assert_eq!(
            rows[0],
            ["mean of 3 folds", "auroc", "accuracy", "f1 (binary)"]
        );
        assert_eq!(rows[1][1], "0.5000 ± 0.2500");
    }
}
