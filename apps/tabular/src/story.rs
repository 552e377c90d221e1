//! The result in plain words.

use tinderbox_cli::{Failure, Output};
use tinderbox_recipes::tabular::{Importance, Predictor, Prepared, Report, Target, headline};

use crate::failure;

/// Columns that are named.
const NAMED: usize = 5;

/// Shuffles of each column.
const REPEATS: usize = 3;

/// Says what was predicted, how well, by what, and what to be careful of.
pub(crate) fn tell(prepared: &Prepared, report: &Report) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let recipe = prepared.recipe();
    out.line("")?;
    out.line(&how_well(prepared, report))?;
    let device = burn::tensor::Device::flex();
    let model = Predictor::load(&report.run.model_dir(), &device)?;
    let table = prepared.opened().table.take(&prepared.parts().test);
    let importance = model
        .importance(&table, &recipe.data.target, REPEATS, recipe.train.seed)
        .map_err(failure)?;
    out.line(&strongest(&importance))?;
    for care in cares(prepared, report) {
        out.line(&format!("Be careful: {care}."))?;
    }
    Ok(())
}

fn how_well(prepared: &Prepared, report: &Report) -> String {
    let target = &prepared.opened().target;
    let (name, more) = headline(target);
    let own = report.test.get(name).copied().unwrap_or(f64::NAN);
    let rows = report.answers.len();
    let what = match target {
        Target::Number { .. } => format!(
            "`{}` of {rows} rows that were not learned from is predicted with half of the errors \
             below {:.1}%",
            prepared.recipe().data.target,
            100.0 * report.test.get("median_ape").copied().unwrap_or(f64::NAN)
        ),
        Target::Classes { labels } if labels.len() == 2 => format!(
            "Of a row that is `{}` and one that is `{}`, the model finds the right one in {:.1}% \
             of pairs ({rows} rows that were not learned from)",
            labels[1],
            labels[0],
            100.0 * own
        ),
        Target::Classes { .. } => {
            format!(
                "{:.1}% of {rows} rows that were not learned from are right",
                100.0 * own
            )
        }
    };
    let best = report.baselines.iter().filter_map(|method| {
        let value = method.baseline.test.get(name).copied()?;
        Some((value, method.baseline.method.as_str()))
    });
    let better = |left: f64, right: f64| if more { left > right } else { left < right };
    let best = best.reduce(|left, right| if better(left.0, right.0) { left } else { right });
    match best {
        None => format!("{what}."),
        Some((value, method)) if better(value, own) => format!(
            "{what}. {method} is better here ({name} {value:.4} against {own:.4}): prefer it, or \
             try `--ensemble 5`."
        ),
        Some((value, method)) => {
            format!("{what}; {name} is {own:.4}, and that of {method} {value:.4}.")
        }
    }
}

fn strongest(importance: &[Importance]) -> String {
    let named: Vec<String> = importance
        .iter()
        .take(NAMED)
        .filter(|column| column.mean > 0.0)
        .map(|column| format!("`{}`", column.column))
        .collect();
    if named.is_empty() {
        return "No column is missed when its cells are shuffled: the model has learned nothing \
                that holds."
            .to_owned();
    }
    format!("It goes by {} most.", named.join(", "))
}

fn cares(prepared: &Prepared, report: &Report) -> Vec<String> {
    let mut cares = Vec::new();
    let parts = prepared.parts();
    if parts.test.len() < 200 {
        cares.push(format!(
            "{} test rows are few, so another split can give another number (`--folds 5`)",
            parts.test.len()
        ));
    }
    if let Some(ece) = report.test.get("ece").filter(|ece| **ece > 0.05) {
        cares.push(format!(
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
            cares.push(format!(
                "{name} is {test:.4} on the test rows and {valid:.4} on the validation rows: the \
                 parts may differ"
            ));
        }
    }
    if report.test.get("auroc").is_some_and(|auroc| *auroc > 0.999) {
        cares.push(
            "nearly everything is right, which often means that a column gives the answer away \
             (`tabular inspect`)"
                .to_owned(),
        );
    }
    if cares.is_empty() {
        cares.push("rows from another time or place than these may be harder".to_owned());
    }
    cares
}
