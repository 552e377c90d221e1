//! The result of a run: `summary.json`, and what a person sees after training.

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_backend::Opened;
use tinderbox_predict::BURN_VERSION;
use tinderbox_report::{F1, verdict};
use tinderbox_train::metrics::{Evaluation, pooled, spread};
use tinderbox_train::run_dir::{DataOverview, Headline, Summary, peak_rss_bytes};
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{FoldReport, Noun, Overview, Report, by_method};
use tinderbox_train::{Section, Task, TaskRecipe};

use crate::app::App;
use crate::eval::print_classes;
use crate::report::{scores, shown_threshold, times};
use crate::{Failure, Output, sections, table};
use tinderbox_train::format::thousands;

/// The summary of a run.
pub(crate) fn of<A: App>(
    recipe: &impl TaskRecipe,
    device: &Opened,
    overview: &Overview,
    report: &Report,
) -> Summary {
    let training = &report.training;
    let train_s = training.timings.data_s + training.timings.compute_s;
    Summary {
        commit: crate::app::commit(),
        app: A::NAME.to_owned(),
        recipe: recipe.name().to_owned(),
        device: device.spec.to_string(),
        backend: device.backend.to_owned(),
        seed: recipe.seed(),
        burn: BURN_VERSION.to_owned(),
        version: A::VERSION.to_owned(),
        epochs: training.epochs,
        best_epoch: training.best_epoch,
        steps: training.steps,
        samples: training.samples,
        wall_s: training.wall_s,
        train_s,
        samples_per_s: training.samples as f64 / train_s.max(f64::MIN_POSITIVE),
        timings: training.timings,
        peak_rss_bytes: peak_rss_bytes(),
        parameters: report.parameters,
        valid: report.valid.clone(),
        test: report.test.clone(),
        headline: Some(headline(&report.evaluation, A::Task::TEST_ITEM)),
        data: data(overview, report),
        warnings: [
            shared_warnings::<A::Task>(overview),
            overview.warnings.clone(),
            report.warnings.clone(),
        ]
        .concat(),
        baselines: report
            .baselines
            .iter()
            .map(|baseline| baseline.result.clone())
            .collect(),
        details: details(report),
    }
}

/// Warnings about items that are in two splits.
pub(crate) fn shared_warnings<T: Task>(overview: &Overview) -> Vec<String> {
    let item = overview.item.unwrap_or(T::ITEM);
    overview.shared.warnings(item)
}

/// The word for what an evaluation counts: that of the task, or tokens.
pub(crate) fn counted(evaluation: &Evaluation, item: Noun) -> Noun {
    match evaluation {
        Evaluation::Tokens { .. } => Noun("token", "tokens"),
        _ => item,
    }
}

fn headline(evaluation: &Evaluation, item: Noun) -> Headline {
    let (metric, mode) = evaluation.headline();
    let item = counted(evaluation, item);
    Headline {
        metric: metric.to_owned(),
        mode,
        items: evaluation.len(),
        noun: [item.0, item.1].map(str::to_owned),
        interval: evaluation.interval(),
    }
}

/// What was read; nothing for an agent.
fn data(overview: &Overview, report: &Report) -> Option<DataOverview> {
    if overview.splits.is_empty() {
        return None;
    }
    // A list that cannot be read is no reason to lose a result.
    let list = SplitList::load(report.run.path()).ok().flatten();
    Some(DataOverview {
        summary: overview.summary.clone(),
        splits: overview.splits.clone(),
        noun: overview
            .item
            .map(|item| [item.0, item.1].map(str::to_owned)),
        duplicates: overview.duplicates,
        test_duplicates: overview.shared.test,
        valid_duplicates: overview.shared.valid,
        test_similar: overview.shared.test_similar,
        hash: list.map(|list| list.digest()),
    })
}

/// The keys that only some runs have.
fn details(report: &Report) -> Map<String, Value> {
    let mut details = report.details.clone();
    let mut put = |name: &str, value: Value| details.insert(name.to_owned(), value);
    if report.seconds_per_item > 0.0 {
        put("predict_item_us", json!(report.seconds_per_item * 1e6));
    }
    if let Some(threshold) = report.evaluation.threshold() {
        put("threshold", json!(threshold));
    }
    if let Some(comparison) = &report.comparison {
        put("comparison", json!(comparison));
    }
    if !report.folds.is_empty() {
        put("folds", folds(&report.folds));
    }
    details
}

fn folds(folds: &[FoldReport]) -> Value {
    let (mut test, mut together) = (Map::new(), Map::new());
    for method in by_method(folds) {
        let spread = spread(&method.metrics).into_iter().map(|(metric, spread)| {
            let value = json!({ "mean": spread.mean, "std": spread.deviation });
            (metric, value)
        });
        test.insert(method.name.to_owned(), Value::Object(spread.collect()));
        if let Some(pooled) = pooled(&method.evaluations) {
            together.insert(method.name.to_owned(), json!(pooled));
        }
    }
    let mut value = json!({ "count": folds.len(), "test": test });
    if !together.is_empty() {
        value["pooled"] = Value::Object(together);
    }
    value
}

/// The metrics that a person looks at first, of those that there are.
fn headlines(evaluation: &Evaluation) -> &'static [&'static str] {
    match evaluation {
        Evaluation::Classes(predictions) if predictions.classes == 2 => {
            &["accuracy", "f1_positive", "f1", "auroc", "loss", "ece"]
        }
        Evaluation::Classes(_) => &["accuracy", "f1", "auroc", "loss", "ece"],
        Evaluation::Binary(_) => &[
            "auroc",
            "average_precision",
            "accuracy",
            "f1",
            "loss",
            "brier",
            "ece",
        ],
        Evaluation::Labels(_) => &[
            "f1",
            "f1_micro",
            "auroc",
            "loss",
            "verdict_f1",
            "verdict_accuracy",
            "skipped_at_95_recall",
        ],
        Evaluation::Tags { .. } => &["accuracy", "f1", "f1_spans", "loss"],
        Evaluation::Numbers { .. } => &["rmse", "mae", "r2", "median_ape"],
        Evaluation::Tokens { .. } => &["loss", "perplexity", "nats_per_character"],
        Evaluation::Means { .. } | Evaluation::Other { .. } => &[],
    }
}

/// Most metrics in a row: more are a column, so that a terminal of 80 columns shows them.
const MAX_COLUMNS: usize = 7;

/// Prints the result of a run.
pub(crate) fn print(
    report: &Report,
    summary: &Summary,
    item: Noun,
    dir: &Path,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let f1 = F1::of(&report.evaluation);
    let known = |name: &&str| summary.test.contains_key(*name);
    let mut names: Vec<&str> = headlines(&report.evaluation).to_vec();
    if names.is_empty() {
        names = summary.test.keys().map(String::as_str).collect();
    }
    names.retain(known);
    let by_class = class_metrics(&names, &report.labels, summary);
    names.retain(|name| class_of(name, &report.labels).is_none());
    let mut rows = scores(summary, &names, f1, thousands);
    add_thresholds(&mut rows, report);
    if names.len() > MAX_COLUMNS {
        rows = transposed(&rows);
    }
    out.line(&table(&rows))?;
    if by_class.len() > 1 {
        out.line(&table(&by_class))?;
    }
    if !report.folds.is_empty() {
        out.line(&table(&fold_rows(&report.folds, &names, f1)))?;
    }
    print_classes(&mut out, &report.evaluation, &report.labels)?;
    print_sections(&mut out, &report.sections)?;
    if let Some(comparison) = &report.comparison {
        let items = report.evaluation.len();
        let headline = summary.headline.as_ref();
        let noun = headline.map_or(item.1, |headline| headline.noun[1].as_str());
        out.line(&verdict(comparison, f1, items, noun))?;
    }
    out.line(&speed(report, summary, item))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    for warning in &report.warnings {
        out.line(&format!("warning: {warning}"))?;
    }
    if let Some(images) = images(report) {
        out.line(&images)?;
    }
    out.line(&format!("run {}", dir.display()))
}

/// The name and the class of a metric of one class, such as `iou_cat`.
fn class_of<'a>(name: &'a str, labels: &'a [String]) -> Option<(&'a str, &'a str)> {
    labels.iter().find_map(|label| {
        let metric = name.strip_suffix(label.as_str())?.strip_suffix('_')?;
        Some((metric, label.as_str()))
    })
}

/// The metrics of single classes as rows of a table: a class in each, a metric in each column.
fn class_metrics(names: &[&str], labels: &[String], summary: &Summary) -> Vec<Vec<String>> {
    let found = names.iter().filter_map(|name| class_of(name, labels));
    let mut metrics: Vec<&str> = found.map(|(metric, _)| metric).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let head = std::iter::once("class").chain(metrics.iter().copied());
    let mut rows: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    for label in labels {
        let values = metrics.iter().map(|metric| {
            let value = summary.test.get(&format!("{metric}_{label}"));
            value.map_or("-".to_owned(), |value| format!("{value:.4}"))
        });
        let row: Vec<String> = values.collect();
        if row.iter().any(|value| value != "-") {
            rows.push(std::iter::once(label.clone()).chain(row).collect());
        }
    }
    rows
}

/// Rows as columns.
fn transposed(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let columns = 0..rows.first().map_or(0, Vec::len);
    let column = |at: usize| rows.iter().map(|row| row[at].clone()).collect();
    columns.map(column).collect()
}

/// The pictures in the run directory, which a task lists under `images` in its details.
fn images(report: &Report) -> Option<String> {
    let images = report.details.get("images")?.as_array()?;
    let names: Vec<&str> = images.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| format!("images {}", names.join(", ")))
}

fn print_sections(out: &mut Output, all: &[Section]) -> Result<(), Failure> {
    all.iter()
        .try_for_each(|section| out.line(&sections::text(section)))
}

/// Epochs, items in a second, parameters and the time of one item alone.
fn speed(report: &Report, summary: &Summary, item: Noun) -> String {
    let own = |key: &str| report.details.get(key).and_then(Value::as_f64);
    let (rate, unit) = match (own("tokens_per_s"), own("steps_per_s")) {
        (Some(rate), _) => (rate, "tokens"),
        (None, Some(rate)) => (rate, "steps"),
        (None, None) => (summary.samples_per_s, item.1),
    };
    let alone = if report.seconds_per_item > 0.0 {
        let us = report.seconds_per_item * 1e6;
        let time = if us < 1_000.0 {
            format!("{us:.0} µs")
        } else {
            format!("{:.2} ms", us / 1_000.0)
        };
        format!(", {time} to predict one {}", item.0)
    } else {
        String::new()
    };
    // Agents are trained in steps, and each of their epochs is one evaluation.
    let round = if own("steps_per_s").is_some() {
        "evaluation"
    } else {
        "epoch"
    };
    let best = match summary.epochs {
        // What is fitted at once has no epochs.
        0 | 1 => String::new(),
        epochs => format!("best {round} {} of {epochs}, ", summary.best_epoch),
    };
    format!(
        "{best}{} {unit}/s, {} parameters{alone}",
        per_second(rate),
        thousands(summary.parameters)
    )
}

/// A rate without digits that say nothing.
pub(crate) fn per_second(rate: f64) -> String {
    if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        thousands(rate as usize)
    }
}

/// Adds the decision threshold of two classes after the metrics of each method.
fn add_thresholds(rows: &mut [Vec<String>], report: &Report) {
    if !matches!(report.evaluation, Evaluation::Binary(_)) {
        return;
    }
    let own = std::iter::once(&report.evaluation);
    let methods = own.chain(report.baselines.iter().map(|method| &method.evaluation));
    let thresholds = methods.map(|evaluation| {
        let threshold = evaluation.threshold();
        threshold.map_or("-".to_owned(), shown_threshold)
    });
    let column = std::iter::once("threshold".to_owned()).chain(thresholds);
    for (row, cell) in rows.iter_mut().zip(column) {
        row.push(cell);
    }
}

fn fold_rows(folds: &[FoldReport], names: &[&str], f1: F1) -> Vec<Vec<String>> {
    let line = |what: String, value: &dyn Fn(&str) -> String| -> Vec<String> {
        let values = names.iter().map(|name| value(name));
        std::iter::once(what).chain(values).collect()
    };
    let count = folds.len();
    let mut rows = vec![line(format!("mean of {count} folds"), &|name| {
        f1.label(name)
    })];
    for method in by_method(folds) {
        let spread = spread(&method.metrics);
        rows.push(line(method.name.to_owned(), &|name| {
            let found = spread.iter().find(|(known, _)| known == name);
            found.map_or("-".to_owned(), |(_, s)| {
                format!("{:.4} ± {:.4}", s.mean, s.deviation)
            })
        }));
        if let Some(pooled) = pooled(&method.evaluations) {
            rows.push(line(
                format!("{}, all folds pooled", method.name),
                &|name| {
                    let value = pooled.get(name);
                    value.map_or("-".to_owned(), |value| format!("{value:.4}"))
                },
            ));
        }
    }
    rows
}
