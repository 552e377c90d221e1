//! The commands that use a trained model: `eval` and `predict`.

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::{Failure, OrInput as _, Output, open_device, table};
use tinderbox_recipes::tabular::{Answers, BaselineKind, Data, Prediction, Predictor, Target};

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

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PredictArgs {
    /// The flags of every `predict`.
    #[command(flatten)]
    common: tinderbox_cli::PredictArgs,
    #[command(flatten)]
    which: Which,
}

/// Which of a run's models is used.
#[derive(clap::Args, Clone, Debug)]
struct Which {
    /// Use a baseline that `train --keep-baselines` saved: trees or linear
    #[arg(long, value_name = "NAME")]
    model: Option<BaselineKind>,
}

impl Which {
    /// The model of a run, with a decision threshold of the user's own.
    fn load(
        &self,
        run: &Path,
        threshold: Option<f64>,
        device: &burn::tensor::Device,
    ) -> Result<Predictor, Failure> {
        let mut model = load(run, device)?;
        if let Some(kind) = self.model {
            model = model
                .with_baseline(&model_dir(run, env!("CARGO_PKG_NAME"))?, kind)
                .or_input()?;
        }
        match threshold {
            Some(threshold) => model.with_threshold(threshold).or_input(),
            None => Ok(model),
        }
    }
}

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &burn::tensor::Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run, env!("CARGO_PKG_NAME"))?, device).or_input()
}

/// Where the training data is: the recipe of the run knows, a model folder by itself may not.
fn training_data(run: &Path, model: &Predictor) -> Result<Data, Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let recipe = recipe_file(&dir)
        .map(|file| RECIPES.read(&file))
        .transpose()?;
    Ok(recipe.map_or_else(|| model.data().clone(), |recipe| recipe.data))
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let EvalArgs {
        common: args,
        which,
    } = args;
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = which.load(&args.run, args.threshold, &device)?;
    let mut data = training_data(&args.run, &model)?;
    if let Some(path) = &args.data {
        let slot = data.source.path_mut().ok_or_else(|| {
            Failure::input("`--data` does not fit this model, whose rows ship with the app")
        })?;
        data_path(path)?.clone_into(slot);
    }
    let answers = model.evaluate(&data, &args.split).map_err(failure)?;
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
    out.line(&format!(
        "{} split, {} rows",
        args.split,
        thousands(answers.len())
    ))?;
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

pub(crate) fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let PredictArgs {
        common: args,
        which,
    } = args;
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = which.load(&args.run, args.threshold, &device)?;
    let mut out = Output::new(args.out.as_deref())?;
    // A file that ends in `.csv` is meant to be one.
    let csv = args.csv
        || (!args.json
            && args
                .out
                .as_ref()
                .is_some_and(|out| out.extension().is_some_and(|end| end == "csv")));
    if csv {
        args.csv_row(&mut out, &head(&model))?;
    }
    for input in &args.inputs {
        let table = model.read(input, true).or_input()?;
        let name = input.to_string_lossy();
        for (row, prediction) in model.predict(&table).map_err(failure)?.iter().enumerate() {
            let number = row + 1;
            if args.json {
                out.line(&json_line(&name, number, prediction).to_string())?;
            } else if csv {
                args.csv_row(&mut out, &cells(&name, number, prediction))?;
            } else {
                out.line(&format!("{name}:{number}  {}", words(prediction)))?;
            }
        }
    }
    out.finish()
}

fn head(model: &Predictor) -> Vec<String> {
    let mut head = vec!["input".to_owned(), "row".to_owned()];
    match model.target() {
        Target::Number { .. } => head.push("value".to_owned()),
        Target::Classes { labels } => {
            head.push("label".to_owned());
            head.extend(labels.iter().cloned());
        }
    }
    head
}

fn cells(input: &str, row: usize, prediction: &Prediction) -> Vec<String> {
    let mut cells = vec![input.to_owned(), row.to_string()];
    match prediction {
        Prediction::Number(value) => cells.push(value.to_string()),
        Prediction::Class {
            label,
            probabilities,
        } => {
            cells.push(label.clone());
            cells.extend(probabilities.iter().map(|(_, value)| value.to_string()));
        }
    }
    cells
}

fn words(prediction: &Prediction) -> String {
    match prediction {
        Prediction::Number(value) => format!("{value:.6}"),
        Prediction::Class {
            label,
            probabilities,
        } => {
            // Below the decision threshold this is not the largest one.
            let own = probabilities.iter().find(|(name, _)| name == label);
            let own = own.map_or(0.0, |(_, value)| *value);
            format!("{label}  {:.1}%", 100.0 * own)
        }
    }
}

fn json_line(input: &str, row: usize, prediction: &Prediction) -> Value {
    match prediction {
        Prediction::Number(value) => json!({ "input": input, "row": row, "value": value }),
        Prediction::Class {
            label,
            probabilities,
        } => {
            let probabilities: Map<String, Value> = probabilities
                .iter()
                .map(|(label, value)| (label.clone(), json!(value)))
                .collect();
            json!({ "input": input, "row": row, "label": label, "probabilities": probabilities })
        }
    }
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
