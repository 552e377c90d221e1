//! The command `eval`, and the model that is used by other commands too.

use std::path::Path;

use serde_json::json;
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::splits::{self, ROW};
use tinderbox_cli::{Failure, OrUserError as _, Output, note, open_device, table};
use tinderbox_recipes::tabular::{Answers, BaselineKind, Data, Evaluation, Predictor, Target};
use tinderbox_train::splits::{Scope, SplitList};

use crate::predict::warn_unseen;
use crate::{RECIPES, failure};

/// What `eval` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EvalArgs {
    /// The flags of every `eval`.
    #[command(flatten)]
    common: tinderbox_cli::EvalArgs,
    #[command(flatten)]
    which: Which,
}

/// Which of a run's models is used.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Which {
    /// Use a baseline that `train --keep-baselines` saved: trees or linear
    #[arg(long, value_name = "NAME")]
    model: Option<BaselineKind>,
}

impl Which {
    /// The model of a run, with a decision threshold of the user's own.
    pub(crate) fn load(
        &self,
        run: &Path,
        threshold: Option<f64>,
        device: &burn::tensor::Device,
    ) -> Result<Predictor, Failure> {
        let mut model = load(run, device)?;
        if let Some(kind) = self.model {
            model = model
                .with_baseline(&model_dir(run, env!("CARGO_PKG_NAME"))?, kind)
                .or_user_error()?;
        }
        match threshold {
            Some(threshold) => model.with_threshold(threshold).or_user_error(),
            None => Ok(model),
        }
    }
}

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &burn::tensor::Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run, env!("CARGO_PKG_NAME"))?, device).or_user_error()
}

/// Where the training data is, and which rows of it are in which split: the run knows, a model folder
/// by itself may not.
fn training_data(run: &Path, model: &Predictor) -> Result<(Data, Option<SplitList>), Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let Some(file) = recipe_file(&dir) else {
        return Ok((model.data().clone(), None));
    };
    let list = SplitList::load(file.parent().unwrap_or(run)).or_user_error()?;
    Ok((RECIPES.read(&file)?.data, list))
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let EvalArgs {
        common: args,
        which,
    } = args;
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = which.load(&args.run, args.threshold, &device)?;
    let (mut data, list) = training_data(&args.run, &model)?;
    if let Some(path) = &args.data {
        let slot = data.source.path_mut().ok_or_else(|| {
            Failure::user("`--data` does not fit this model, whose rows ship with the app")
        })?;
        data_path(path)?.clone_into(slot);
    }
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
    let metrics = answers.metrics();
    let mut out = Output::Stdout;
    if args.json {
        let mut line = json!({
            "run": args.run,
            "split": args.split,
            "samples": answers.len(),
            &args.split: metrics,
        });
        if let Some(threshold) = answers.threshold() {
            line["threshold"] = json!(threshold);
        }
        return out.line(&line.to_string());
    }
    let of = if whole {
        "all data".to_owned()
    } else {
        format!("{} split", args.split)
    };
    out.line(&format!("{of}, {} rows", thousands(answers.len())))?;
    out.line(&table(&metric_rows(&metrics, f1_of(model.target()))))?;
    if let (Some(threshold), Target::Classes { labels }) = (answers.threshold(), model.target()) {
        out.line(&format!(
            "decision threshold {}: `{}` from this probability on",
            shown(threshold),
            labels[1]
        ))?;
    }
    if let (Answers::Classes(predictions), Target::Classes { labels }) = (&answers, model.target())
    {
        out.line("Confusion matrix (rows: true, columns: predicted)")?;
        out.line(&table(&confusion_rows(labels, &predictions.confusion())))?;
    }
    Ok(())
}

/// Which F1 a target has.
pub(crate) fn f1_of(target: &Target) -> F1 {
    match target {
        Target::Classes { labels } if labels.len() == 2 => F1::Binary,
        _ => F1::Macro,
    }
}

/// A threshold in two digits, or more if it is near 0 or 1.
pub(crate) fn shown(threshold: f64) -> String {
    let margin = threshold.min(1.0 - threshold).max(1e-9);
    let digits = (-margin.log10()).ceil().clamp(0.0, 8.0) as usize + 1;
    format!("{threshold:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_shown_with_the_digits_that_it_needs() {
        for (threshold, text) in [
            (0.5, "0.50"),
            (0.314_159, "0.31"),
            (0.031_4, "0.031"),
            (0.999_87, "0.99987"),
            (0.0, "0.000000000"),
        ] {
            assert_eq!(shown(threshold), text);
        }
    }
}
