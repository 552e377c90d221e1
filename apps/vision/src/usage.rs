//! The `eval` command.

use std::path::Path;

use serde_json::json;
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::splits::{self, IMAGE};
use tinderbox_cli::{EvalArgs, Failure, OrUserError as _, Output, note, open_device, table};
use tinderbox_recipes::vision::{Data, Evaluation, Predictor};
use tinderbox_train::splits::{Scope, SplitList};

use crate::{RECIPES, failure};

/// A model, read from its run, with a decision threshold of the user's own.
pub(crate) fn load(
    run: &Path,
    threshold: Option<f64>,
    device: &burn::tensor::Device,
) -> Result<Predictor, Failure> {
    let model =
        Predictor::load(&model_dir(run, env!("CARGO_PKG_NAME"))?, device).or_user_error()?;
    match threshold {
        Some(threshold) => model.with_threshold(threshold).or_user_error(),
        None => Ok(model),
    }
}

/// Where the training data is, and which items are in which split: the run knows, a model folder by
/// itself may not.
fn training_data(run: &Path, model: &Predictor) -> Result<(Data, Option<SplitList>), Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let Some(file) = recipe_file(&dir) else {
        return Ok((model.data().clone(), None));
    };
    let list = SplitList::load(file.parent().unwrap_or(run)).or_user_error()?;
    Ok((RECIPES.read(&file)?.data, list))
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&args.run, args.threshold, &device)?;
    let (data, list) = training_data(&args.run, &model)?;
    let evaluated = model.evaluate(&data, args.data.as_deref(), list.as_ref(), &args.split);
    let Evaluation {
        predictions,
        scope,
        named,
        notes,
    } = evaluated.map_err(failure)?;
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
    let metrics = predictions.metrics();
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
