//! The `eval` command.

use std::path::Path;

use serde_json::json;
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::splits::{self, IMAGE};
use tinderbox_cli::{EvalArgs, Failure, OrInput as _, Output, note, open_device, table};
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_recipes::vision::{ImageClassification, Recipe};
use tinderbox_train::Task as _;
use tinderbox_train::splits::{Scope, SplitList};
use tinderbox_train::task::EvalRequest;

use crate::{RECIPES, failure};

/// A model, read from its run, with a decision threshold of the user's own.
pub(crate) fn load(
    run: &Path,
    threshold: Option<f64>,
    device: &burn::tensor::Device,
) -> Result<ImageClassifier, Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let model = ImageClassification::load(&dir, device).map_err(failure)?;
    match threshold {
        Some(threshold) => ImageClassification::with_threshold(model, threshold).map_err(failure),
        None => Ok(model),
    }
}

/// The recipe of a run, and which items are in which split; a model folder by itself has neither.
fn training_data(run: &Path) -> Result<(Option<Recipe>, Option<SplitList>), Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let Some(file) = recipe_file(&dir) else {
        return Ok((None, None));
    };
    let list = SplitList::load(file.parent().unwrap_or(run)).or_input()?;
    Ok((Some(RECIPES.read(&file)?), list))
}

pub(crate) fn run(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&args.run, args.threshold, &device)?;
    let (recipe, list) = training_data(&args.run)?;
    let request = EvalRequest {
        recipe: recipe.as_ref(),
        data: args.data.as_deref(),
        splits: list.as_ref(),
        split: &args.split,
    };
    let report = ImageClassification::evaluate(&model, &request).map_err(failure)?;
    let (scope, named, notes) = (report.scope, report.source, report.notes);
    let Some(predictions) = report.evaluation.predictions() else {
        return Ok(());
    };
    for line in &notes {
        note(line);
    }
    let count = predictions.len();
    match (&scope, &named) {
        (Some(Scope::Whole { .. }), Some(source)) => note(&format!(
            "this is not the data that the model was trained on: evaluating its {} split ({source})",
            args.split
        )),
        (Some(scope), _) => splits::scope_notes(scope, &args.split, count, IMAGE)
            .iter()
            .for_each(|line| note(line)),
        (None, _) => note(&splits::no_list_note(&args.split)),
    }
    let whole = matches!(scope, Some(Scope::Whole { .. })) && named.is_none();
    let metrics = report.evaluation.metrics();
    let mut out = Output::Stdout;
    if args.json {
        let line = json!({
            "run": args.run,
            "split": args.split,
            "samples": count,
            &args.split: metrics,
        });
        return out.line(&line.to_string());
    }
    let of = if whole {
        "all data".to_owned()
    } else {
        format!("{} split", args.split)
    };
    out.line(&format!("{of}, {} images", thousands(count)))?;
    out.line(&table(&metric_rows(&metrics, F1::Macro)))?;
    out.line("Confusion matrix (rows: true, columns: predicted)")?;
    let rows = confusion_rows(model.labels(), &predictions.confusion());
    out.line(&table(&rows))
}
