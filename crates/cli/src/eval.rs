//! The command `eval` of every app.

use std::path::Path;

use serde_json::json;
use tinderbox_report::F1;
use tinderbox_train::Task;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::splits::{Scope, SplitList};
use tinderbox_train::task::{EvalReport, EvalRequest};

use crate::app::{App, EvalCommand, RecipeOf, load};
use crate::model_dir::{model_dir_again, recipe_file};
use crate::report::{class_rows, confusion_rows, metric_rows, shown_threshold};
use crate::splits;
use crate::summary::counted;
use crate::{EvalArgs, Failure, Output, note, open_device, table};
use tinderbox_train::format::thousands;

/// Most classes of which the confusion matrix is printed.
const MAX_CONFUSION: usize = 12;

/// Title of a confusion matrix.
const CONFUSION_TITLE: &str = "Confusion matrix (rows: true, columns: predicted)";

/// Evaluates the model of a run.
pub(crate) fn run<A: App>(args: &EvalCommand<A::ModelFlags, A::EvalFlags>) -> Result<(), Failure> {
    let EvalCommand {
        eval: args, model, ..
    } = args;
    let device = open_device(args.device, A::NAME)?.device;
    let model = load::<A>(&args.run, model, args.threshold, &device)?;
    let (recipe, list) = training_data::<A>(&args.run)?;
    let request = EvalRequest {
        recipe: recipe.as_ref(),
        data: args.data.as_deref(),
        splits: list.as_ref(),
        split: &args.split,
    };
    let report = A::Task::evaluate(&model, &request)?;
    tell_scope::<A>(&report, args);
    print::<A>(&report, args)
}

/// The recipe of the run that knows where the training data is, and which items are in which split; a
/// model folder on its own may know neither.
fn training_data<A: App>(run: &Path) -> Result<(Option<RecipeOf<A>>, Option<SplitList>), Failure> {
    let dir = model_dir_again(run, A::NAME)?;
    let Some(file) = recipe_file(&dir) else {
        return Ok((None, None));
    };
    let list =
        SplitList::load(file.parent().unwrap_or(run)).map_err(tinderbox_train::TaskError::from)?;
    Ok((Some(A::recipes().read(&file)?), list))
}

fn tell_scope<A: App>(report: &EvalReport, args: &EvalArgs) {
    for line in &report.notes {
        note(line);
    }
    let split = &args.split;
    let item = match report.scope {
        Some(Scope::Whole { .. }) => counted(&report.evaluation, A::Task::ITEM),
        _ => A::Task::ITEM,
    };
    match (&report.scope, &report.source) {
        (Some(Scope::Whole { .. }), Some(source)) => note(&format!(
            "this is not the data that the model was trained on: evaluating its {split} split ({source})"
        )),
        (Some(scope), _) => splits::scope_notes(scope, split, report.evaluation.len(), item)
            .iter()
            .for_each(|line| note(line)),
        (None, _) => note(&splits::no_list_note(split)),
    }
}

fn print<A: App>(report: &EvalReport, args: &EvalArgs) -> Result<(), Failure> {
    let evaluation = &report.evaluation;
    let metrics = evaluation.metrics();
    let mut out = Output::Stdout;
    if args.json {
        let mut line = json!({
            "run": args.run,
            "split": args.split,
            "samples": evaluation.len(),
            &args.split: metrics,
        });
        if let Some(threshold) = evaluation.threshold() {
            line["threshold"] = json!(threshold);
        }
        return out.line(&line.to_string());
    }
    let whole = matches!(report.scope, Some(Scope::Whole { .. })) && report.source.is_none();
    let of = if whole {
        "all data".to_owned()
    } else {
        format!("{} split", args.split)
    };
    let items = evaluation.len();
    let noun = counted(evaluation, A::Task::ITEM).of(items);
    out.line(&format!("{of}, {} {noun}", thousands(items)))?;
    out.line(&table(&metric_rows(&metrics, F1::of(evaluation))))?;
    if let (Some(threshold), [_, positive]) = (evaluation.threshold(), report.labels.as_slice()) {
        out.line(&format!(
            "decision threshold {}: `{positive}` from this probability on",
            shown_threshold(threshold)
        ))?;
    }
    print_classes(&mut out, evaluation, &report.labels)
}

/// Precision, recall and F1 of each class, and the confusion matrix of a few classes.
pub(crate) fn print_classes(
    out: &mut Output,
    evaluation: &Evaluation,
    labels: &[String],
) -> Result<(), Failure> {
    let Some(predictions) = evaluation.predictions() else {
        return Ok(());
    };
    out.line(&table(&class_rows(labels, &predictions.per_class())))?;
    if labels.len() > MAX_CONFUSION {
        return Ok(());
    }
    out.line(CONFUSION_TITLE)?;
    out.line(&table(&confusion_rows(
        labels,
        labels,
        &predictions.confusion(),
    )))
}
