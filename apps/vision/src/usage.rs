//! The `eval` command.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use tinderbox_cli::output::thousands;
use tinderbox_cli::report::{confusion_rows, metric_rows, model_dir};
use tinderbox_cli::splits::{self, IMAGE};
use tinderbox_cli::{EvalArgs, Failure, OrInput as _, Output, note, open_device, table};
use tinderbox_recipes::run_dir::RECIPE_FILE;
use tinderbox_recipes::splits::{Scope, SplitList};
use tinderbox_recipes::vision::{Data, Evaluation, Predictor};

use crate::{RECIPES, failure};

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &burn::tensor::Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run)?, device).or_input()
}

/// Where the training data is: the recipe of the run knows, a model folder by itself does not.
fn training_data(run: &Path, model: &Predictor) -> Result<Data, Failure> {
    let file = run.join(RECIPE_FILE);
    if !file.is_file() {
        return Ok(model.data().clone());
    }
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read `{}`", file.display()))
        .or_input()?;
    Ok(RECIPES.load(&text, &file)?.data)
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&args.run, &device)?;
    let data = training_data(&args.run, &model)?;
    let list = SplitList::load(&args.run).or_input()?;
    let evaluated = model.evaluate(&data, args.data.as_deref(), list.as_ref(), &args.split);
    let Evaluation {
        predictions,
        scope,
        named,
        notes,
    } = evaluated.map_err(failure)?;
    notes.iter().for_each(|line| note(line));
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
    out.line(&table(&metric_rows(&metrics)))?;
    out.line("Confusion matrix (rows: true, columns: predicted)")?;
    let rows = confusion_rows(model.labels(), &predictions.confusion());
    out.line(&table(&rows))
}
