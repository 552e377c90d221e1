//! Several runs side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tinderbox_datasets::format::shorten;
use tinderbox_train::metrics::spread;
use tinderbox_train::run_dir::Summary;
use tinderbox_train::{Metrics, MonitorMode};

use crate::facts::{baseline_test, capital, score};
use crate::model::task;
use crate::number::{number, seconds};
use crate::page::{footer, title, warning_list};
use crate::series::{Training, training};
use crate::svg::COLORS;
use crate::{F1, Run, curves, html, warnings};
use tinderbox_train::format::thousands;

/// Most metrics with a chart.
const MAX_CHARTS: usize = 8;

/// A page that compares runs.
pub(crate) fn page(runs: &[Run]) -> String {
    let names = names(runs);
    let heading = format!("{} runs compared", runs.len());
    let mut page = format!("<header>\n<h1>{heading}</h1>\n");
    if let Some(best) = best(runs, &names) {
        let _ = writeln!(page, "<p class=\"lead\">{}</p>", html::prose(&best));
    }
    page.push_str("</header>\n<h2>Test scores</h2>\n");
    page.push_str(&html::table(&score_rows(runs, &names)));
    add_spread(&mut page, runs);
    add_recipes(&mut page, runs, &names);
    add_curves(&mut page, runs, &names);
    add_warnings(&mut page, runs, &names);
    page.push_str(&footer());
    html::document(&heading, &page)
}

/// Names of the runs: recipe and directory, with its whole path where two have both in common.
fn names(runs: &[Run]) -> Vec<String> {
    let own = |run: &Run| format!("{}, {}", title(run), run.name);
    let names: Vec<String> = runs.iter().map(own).collect();
    let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let named = runs.iter().zip(&names).map(|(run, name)| {
        if is_unique(name) {
            name.clone()
        } else {
            format!("{}, {}", title(run), run.dir().display())
        }
    });
    named.collect()
}

/// Runs of one recipe and the same data, apart from the seed: their mean and standard deviation.
fn add_spread(page: &mut String, runs: &[Run]) {
    let mut groups: BTreeMap<_, Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.summary.is_some()) {
        let mut recipe = keys(run.recipe.as_deref().unwrap_or_default());
        recipe.retain(|key, _| key.rsplit('.').next() != Some("seed"));
        let data = run
            .summary
            .as_ref()
            .and_then(|summary| summary.data.as_ref());
        let hash = data.and_then(|data| data.hash.clone());
        groups.entry((recipe, hash)).or_default().push(run);
    }
    let mut tables = String::new();
    for runs in groups.values() {
        let summaries: Vec<_> = runs.iter().filter_map(|run| run.summary.as_ref()).collect();
        let mut seeds: Vec<u64> = summaries.iter().map(|summary| summary.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        // The same seed twice says nothing about chance.
        if seeds.len() < 2 || seeds.len() < summaries.len() {
            continue;
        }
        let tests: Vec<Metrics> = summaries
            .iter()
            .map(|summary| summary.test.clone())
            .collect();
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let caption = format!("{}, seeds {}", title(runs[0]), seeds.join(", "));
        // A longer word makes the table wider than its card.
        let head = ["", "mean", "std"].map(str::to_owned).to_vec();
        let rows = spread(&tests).into_iter().map(|(metric, spread)| {
            let label = F1::of_metrics(&tests[0]).label(&metric);
            vec![label, number(spread.mean), number(spread.deviation)]
        });
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        tables.push_str(&html::card(&caption, &html::table(&rows)));
    }
    if !tables.is_empty() {
        let _ = writeln!(
            page,
            "<h2>Over seeds</h2>\n<div class=\"charts\">\n{tables}</div>"
        );
    }
}

/// Which run has the best score, where all have the same metric.
fn best(runs: &[Run], names: &[String]) -> Option<String> {
    let scores: Option<Vec<_>> = runs
        .iter()
        .map(|run| score(run.summary.as_ref()?))
        .collect();
    let scores = scores?;
    let first = scores.first()?;
    if scores.iter().any(|score| score.metric != first.metric) {
        return Some("The runs have different headline metrics.".to_owned());
    }
    let environments: Vec<Option<&str>> = runs.iter().map(environment).collect();
    if environments.windows(2).any(|pair| pair[0] != pair[1]) {
        return Some(
            "The runs are of different environments: their returns cannot be compared.".to_owned(),
        );
    }
    let hashes: Vec<Option<&String>> = runs
        .iter()
        .map(|run| run.summary.as_ref()?.data.as_ref()?.hash.as_ref())
        .collect();
    if hashes.iter().flatten().count() > 1 && hashes.windows(2).any(|pair| pair[0] != pair[1]) {
        return Some(
            "The runs are of different data: their scores cannot be compared directly.".to_owned(),
        );
    }
    let better = |a: f64, b: f64| match first.mode {
        MonitorMode::Max => a > b,
        MonitorMode::Min => a < b,
    };
    let mut at = 0;
    for (index, score) in scores.iter().enumerate() {
        if better(score.value, scores[at].value) {
            at = index;
        }
    }
    let overlaps = |other: usize| match (scores[at].interval, scores[other].interval) {
        (Some(own), Some(others)) => own[0] <= others[1] && others[0] <= own[1],
        _ => false,
    };
    let close = (0..scores.len()).filter(|other| *other != at && overlaps(*other));
    let close = close.count();
    let mut text = format!(
        "Best {}: {} of {}.",
        first.label,
        number(scores[at].value),
        names[at]
    );
    if close > 0 {
        let others = if close == 1 { "run" } else { "runs" };
        let _ = write!(
            text,
            " The 95% confidence intervals of {close} other {others} overlap with its own, so chance may decide \
             between them."
        );
    }
    Some(text)
}

/// The environment of an agent.
fn environment(run: &Run) -> Option<&str> {
    environment_of(run.summary.as_ref()?)
}

fn environment_of(summary: &Summary) -> Option<&str> {
    summary.details.get("environment")?.as_str()
}

fn score_rows(runs: &[Run], names: &[String]) -> Vec<Vec<String>> {
    let head = std::iter::once(String::new()).chain(names.iter().cloned());
    let mut rows = vec![head.collect::<Vec<_>>()];
    let summaries = || runs.iter().map(|run| run.summary.as_ref());
    let mut metrics: Vec<&String> = summaries()
        .flatten()
        .flat_map(|summary| summary.test.keys())
        .collect();
    metrics.sort();
    metrics.dedup();
    let headline = summaries()
        .flatten()
        .find_map(|summary| summary.headline.as_ref());
    metrics.sort_by_key(|name| headline.is_none_or(|headline| headline.metric != **name));
    for metric in metrics {
        let with_metric = summaries().flatten();
        let with_metric = with_metric.filter(|summary| summary.test.contains_key(metric));
        let mut labels: Vec<String> = with_metric
            .map(|summary| F1::of_metrics(&summary.test).label(metric))
            .collect();
        labels.dedup();
        // One name for all runs only where it means the same in all.
        let label = match labels.as_slice() {
            [label] => label.clone(),
            _ => metric.clone(),
        };
        let cells = summaries().map(|summary| {
            let value = summary.and_then(|summary| summary.test.get(metric));
            value.map_or("-".to_owned(), |value| number(*value))
        });
        rows.push(std::iter::once(label).chain(cells).collect());
    }
    let mut facts = |name: &str, cell: &dyn Fn(&Summary) -> String| {
        let cells = summaries().map(|summary| summary.map_or("-".to_owned(), cell));
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    };
    if runs.iter().any(|run| environment(run).is_some()) {
        facts("environment", &|summary| {
            environment_of(summary).unwrap_or("-").to_owned()
        });
    }
    facts("best baseline", &|summary| {
        let comparison = summary.details.get("comparison");
        let value = comparison.and_then(|comparison| {
            let text = |key: &str| comparison.get(key)?.as_str();
            let metric = text("metric")?;
            let own = baseline_test(summary, text("method")?, metric);
            let value = own.or_else(|| comparison.get("baseline")?.as_f64())?;
            Some(format!("{metric} {}", number(value)))
        });
        value.unwrap_or_else(|| "-".to_owned())
    });
    facts("parameters", &|summary| thousands(summary.parameters));
    facts("steps", &|summary| thousands(summary.steps));
    facts("time", &|summary| seconds(summary.wall_s));
    facts("device", &|summary| summary.device.clone());
    facts("seed", &|summary| summary.seed.to_string());
    rows
}

/// The keys of a recipe with their values, tables taken apart.
fn keys(recipe: &str) -> BTreeMap<String, String> {
    fn add(all: &mut BTreeMap<String, String>, prefix: &str, table: &toml::Table) {
        for (key, value) in table {
            let name = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(table) => add(all, &name, table),
                value => {
                    all.insert(name, value.to_string());
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    if let Ok(table) = recipe.parse::<toml::Table>() {
        add(&mut all, "", &table);
    }
    all
}

fn add_recipes(page: &mut String, runs: &[Run], names: &[String]) {
    let recipes: Vec<BTreeMap<String, String>> = runs
        .iter()
        .map(|run| keys(run.recipe.as_deref().unwrap_or_default()))
        .collect();
    let mut all: Vec<&String> = recipes.iter().flat_map(BTreeMap::keys).collect();
    all.sort();
    all.dedup();
    all.retain(|key| {
        let first = recipes.first().and_then(|recipe| recipe.get(*key));
        recipes.iter().any(|recipe| recipe.get(*key) != first)
    });
    page.push_str("<h2>Recipe keys that differ</h2>\n");
    let mut tasks: Vec<&str> = runs.iter().map(|run| task(run).name).collect();
    tasks.dedup();
    if tasks.len() > 1 {
        page.push_str(
            "<p>The runs are of different tasks, whose recipes have different keys.</p>\n",
        );
        return;
    }
    if all.is_empty() {
        page.push_str("<p>None: the recipes are equal.</p>\n");
        return;
    }
    let head = std::iter::once("key".to_owned()).chain(names.iter().cloned());
    let mut rows = vec![head.collect::<Vec<_>>()];
    for key in all {
        let cells = recipes.iter().map(|recipe| {
            let value = recipe.get(key);
            value.map_or("-".to_owned(), |value| shorten(value, 60))
        });
        rows.push(std::iter::once(key.clone()).chain(cells).collect());
    }
    page.push_str(&html::table(&rows));
}

fn add_curves(page: &mut String, runs: &[Run], names: &[String]) {
    let trainings: Vec<Option<Training>> = runs.iter().map(training).collect();
    let mut metrics: Vec<&str> = Vec::new();
    for training in trainings.iter().flatten() {
        for metric in &training.metrics {
            if !metrics.contains(&metric.name.as_str()) {
                metrics.push(&metric.name);
            }
        }
    }
    if metrics.is_empty() {
        return;
    }
    let axes: Vec<&str> = trainings
        .iter()
        .flatten()
        .map(|training| training.axis)
        .collect();
    let axis = if axes.windows(2).all(|pair| pair[0] == pair[1]) {
        axes[0]
    } else {
        "epoch or step"
    };
    page.push_str("<h2>Training</h2>\n<div class=\"charts\">\n");
    for metric in metrics.iter().take(MAX_CHARTS) {
        let mut lines = Vec::new();
        let mut key = Vec::new();
        let mut of_valid = false;
        for (at, training) in trainings.iter().enumerate() {
            let all = training.iter().flat_map(|training| &training.metrics);
            let Some(found) = all.into_iter().find(|found| found.name == **metric) else {
                continue;
            };
            // The validation where there is one: it is what runs are compared by.
            let points = if found.valid.is_empty() {
                &found.train
            } else {
                of_valid = true;
                &found.valid
            };
            lines.push((at, points));
            key.push((format!("s{}", at % COLORS), names[at].as_str()));
        }
        let name = if of_valid {
            format!("{metric}, validation")
        } else {
            format!("{metric}, training")
        };
        if let Some(svg) = curves::drawn(&name, axis, &lines, None) {
            page.push_str(&html::card(&name, &(svg + &html::key(key))));
        }
    }
    page.push_str("</div>\n");
}

fn add_warnings(page: &mut String, runs: &[Run], names: &[String]) {
    let all: Vec<String> = runs
        .iter()
        .zip(names)
        .flat_map(|(run, name)| {
            let own = warnings::warnings(run).into_iter();
            own.map(move |warning| format!("{name}: {}", capital(&warning)))
        })
        .collect();
    if !all.is_empty() {
        page.push_str("<h2>Warnings</h2>\n");
        page.push_str(&warning_list(&all));
    }
}
