//! The result in plain words.

use std::time::Duration;

use burn::tensor::Device;
use tinderbox_cli::output::thousands;
use tinderbox_cli::report::verdict;
use tinderbox_cli::{Failure, Output, progress};
use tinderbox_recipes::tabular::{Effort, Predictor, Prepared, Report, Target, headline};
use tinderbox_train::MonitorMode;
use tinderbox_train::metrics::Comparison;

use crate::{failure, train, usage};

/// Columns that are named.
const NAMED: usize = 5;

/// Shuffles of each column.
const REPEATS: usize = 3;

/// Time that ranking the columns may take.
const LIMIT: Duration = Duration::from_secs(4);

/// Says what was predicted, how well, by what, and what to be careful of.
pub(crate) fn tell(
    prepared: &Prepared,
    report: &Report,
    device: &Device,
    quiet: bool,
    warnings: Vec<String>,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    out.line("")?;
    out.line(&how_well(prepared, report))?;
    if let Some(comparison) = comparison(prepared, report) {
        let f1 = usage::f1_of(&prepared.opened().target);
        let sentence = verdict(&comparison, f1, report.answers.len(), "rows");
        out.line(&format!("{}.", capitalized(&sentence)))?;
    }
    if !quiet {
        out.line(&strongest(prepared, report, device)?)?;
    }
    for caveat in caveats(prepared, report, warnings) {
        let end = if caveat.ends_with('?') { "" } else { "." };
        out.line(&format!("Warning: {caveat}{end}"))?;
    }
    Ok(())
}

/// This model beside the best of the baselines, over the folds if there are any.
pub(crate) fn comparison(prepared: &Prepared, report: &Report) -> Option<Comparison> {
    let (name, more) = headline(&prepared.opened().target);
    let mode = if more {
        MonitorMode::Max
    } else {
        MonitorMode::Min
    };
    if report.folds.is_empty() {
        let baselines = report.baselines.iter().filter_map(|method| {
            Some((method.baseline.method.as_str(), method.answers.estimate()?))
        });
        return Comparison::of_rows(name, mode, &report.answers.estimate()?, baselines);
    }
    let mut methods = train::by_method(&report.folds)
        .into_iter()
        .map(|(method, metrics, _)| {
            let values = metrics.iter().filter_map(|fold| fold.get(name).copied());
            (method, values.collect::<Vec<f64>>())
        });
    let (_, own) = methods.next()?;
    Comparison::of_folds(name, mode, &own, methods)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn how_well(prepared: &Prepared, report: &Report) -> String {
    let target = &prepared.opened().target;
    let rows = thousands(report.answers.len());
    let percent = |name: &str| {
        let value = report.test.get(name);
        value.map_or("-".to_owned(), |value| format!("{:.1}%", 100.0 * value))
    };
    match target {
        Target::Number { .. } => format!(
            "`{}`: median absolute percentage error {} on {rows} test rows.",
            prepared.recipe().data.target,
            percent("median_ape")
        ),
        Target::Classes { labels } if labels.len() == 2 => format!(
            "AUROC {}: of a `{}` and a `{}` test row, how often the first gets the higher \
             probability ({rows} test rows).",
            percent("auroc"),
            labels[1],
            labels[0]
        ),
        Target::Classes { .. } => {
            format!("Accuracy {} on {rows} test rows.", percent("accuracy"))
        }
    }
}

/// The columns that the model misses most.
fn strongest(prepared: &Prepared, report: &Report, device: &Device) -> Result<String, Failure> {
    let recipe = prepared.recipe();
    let model = Predictor::load(&report.run.model_dir(), device)?;
    let table = prepared.opened().table.take(&prepared.parts().test);
    let columns = model.encoder().names().count();
    let mut effort = Effort {
        repeats: REPEATS,
        seed: recipe.train.seed,
        limit: Some(LIMIT),
        progress: &mut progress::counter("columns ranked"),
    };
    let importance = model
        .importance(&table, &recipe.data.target, &mut effort)
        .map_err(failure)?;
    let looked_at = if importance.len() < columns {
        format!(" (of the first {} of {columns} columns)", importance.len())
    } else {
        String::new()
    };
    let named: Vec<String> = importance
        .iter()
        .take(NAMED)
        .filter(|column| column.mean > 0.0)
        .map(|column| format!("`{}`", column.column))
        .collect();
    if named.is_empty() {
        return Ok(format!(
            "Shuffling any column{looked_at} leaves the score unchanged: the model has learned \
             nothing useful."
        ));
    }
    Ok(format!(
        "Most important columns{looked_at}: {}.",
        named.join(", ")
    ))
}

fn caveats(prepared: &Prepared, report: &Report, mut caveats: Vec<String>) -> Vec<String> {
    let leaks = !caveats.is_empty();
    let parts = prepared.parts();
    if parts.test.len() < 200 {
        caveats.push(format!(
            "{} test rows are few, so another split can give another number (`--folds 5`)",
            parts.test.len()
        ));
    }
    if let Some(ece) = report.test.get("ece").filter(|ece| **ece > 0.05) {
        caveats.push(format!(
            "probabilities are off by {:.1} points on average; rank by them rather than count on \
             them",
            100.0 * ece
        ));
    }
    let (name, more) = headline(&prepared.opened().target);
    if let (Some(valid), Some(test)) = (report.valid.get(name), report.test.get(name)) {
        let worse = if more {
            valid - test
        } else {
            (test - valid) / valid
        };
        if worse > 0.05 {
            caveats.push(format!(
                "{name} is {test:.4} on the test rows and {valid:.4} on the validation rows: the \
                 parts may differ"
            ));
        }
    }
    if !leaks && nearly_perfect(prepared, report) {
        caveats.push(
            "nearly everything is right, which often means that a column gives the answer away \
             (`tabular inspect`)"
                .to_owned(),
        );
    }
    if caveats.is_empty() {
        caveats.push("rows from another time or place than these may be harder".to_owned());
    }
    caveats
}

/// Whether this model or a baseline is right nearly everywhere.
fn nearly_perfect(prepared: &Prepared, report: &Report) -> bool {
    let (name, limit) = match &prepared.opened().target {
        Target::Number { .. } => ("r2", 0.995),
        Target::Classes { labels } if labels.len() == 2 => ("auroc", 0.999),
        Target::Classes { .. } => ("accuracy", 0.999),
    };
    let baselines = report.baselines.iter().map(|method| &method.baseline.test);
    std::iter::once(&report.test)
        .chain(baselines)
        .any(|metrics| metrics.get(name).is_some_and(|value| *value > limit))
}
