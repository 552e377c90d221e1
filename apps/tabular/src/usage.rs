//! The command `eval`, and the model that is used by other commands too.

use std::path::Path;

use serde_json::json;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::report::{confusion_rows, metric_rows, model_dir};
use tinderbox_cli::splits::{self, ROW};
use tinderbox_cli::{EvalArgs, Failure, OrInput as _, Output, note, open_device, table};
use tinderbox_recipes::splits::{Scope, SplitList};
use tinderbox_recipes::tabular::{Answers, Evaluation, Predictor, Target};

use crate::failure;
use crate::predict::warn_unseen;

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &burn::tensor::Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run)?, device).or_input()
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&args.run, &device)?;
    let mut data = model.data().clone();
    if let Some(path) = &args.data {
        let slot = data.source.path_mut().ok_or_else(|| {
            Failure::input("`--data` does not fit this model, whose rows ship with the app")
        })?;
        data_path(path)?.clone_into(slot);
    }
    let list = SplitList::load(&args.run).or_input()?;
    let evaluated = model.evaluate(&data, list.as_ref(), &args.split, args.data.is_some());
    let Evaluation {
        answers,
        scope,
        unseen,
    } = evaluated.map_err(failure)?;
    match &scope {
        Some(scope) => splits::scope_notes(scope, &args.split, answers.len(), ROW)
            .iter()
            .for_each(|line| note(line)),
        None => note(&splits::no_list_note(&args.split)),
    }
    let file = data.source.path_mut().map_or("", |path| path.as_str());
    warn_unseen(&unseen, answers.len(), file);
    let whole = matches!(scope, Some(Scope::Whole { .. }));
    let metrics = answers.metrics(model.threshold());
    let mut out = Output::Stdout;
    if args.json {
        let line = json!({
            "run": args.run,
            "split": args.split,
            "samples": answers.len(),
            &args.split: metrics,
        });
        return out.line(&line.to_string());
    }
    let of = if whole {
        "all data".to_owned()
    } else {
        format!("{} split", args.split)
    };
    out.line(&format!("{of}, {} rows", thousands(answers.len())))?;
    out.line(&table(&metric_rows(&metrics)))?;
    if let (Answers::Classes(predictions), Target::Classes { labels }) = (&answers, model.target())
    {
        out.line("true class (row) against predicted class (column)")?;
        out.line(&table(&confusion_rows(labels, &predictions.confusion())))?;
    }
    Ok(())
}
