//! The commands that use a trained model: `eval` and `predict`.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::{EvalArgs, Failure, OrInput as _, Output, PredictArgs, open_device, table};
use tinderbox_recipes::vision::{Data, Prediction, Predictor, VisionError, open as open_data};

use crate::{RECIPES, failure};

/// Where the training data is: the recipe of the run knows, a model folder by itself may not.
fn training_data(run: &Path, model: &Predictor) -> Result<Data, Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let recipe = recipe_file(&dir)
        .map(|file| RECIPES.read(&file))
        .transpose()?;
    Ok(recipe.map_or_else(|| model.data().clone(), |recipe| recipe.data))
}

/// A model, read from its run, with a decision threshold of the user's own.
fn load(
    run: &Path,
    threshold: Option<f64>,
    device: &burn::tensor::Device,
) -> Result<Predictor, Failure> {
    let model = Predictor::load(&model_dir(run, env!("CARGO_PKG_NAME"))?, device).or_input()?;
    match threshold {
        Some(threshold) => model.with_threshold(threshold).or_input(),
        None => Ok(model),
    }
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, "vision")?.device;
    let model = load(&args.run, args.threshold, &device)?;
    let mut data = training_data(&args.run, &model)?;
    if let Some(path) = &args.data {
        let path = path
            .to_str()
            .ok_or_else(|| Failure::input("`--data` is not UTF-8"))?;
        let slot = data.path_mut().ok_or_else(|| {
            Failure::input("`--data` does not fit this model, whose images ship with the app")
        })?;
        path.clone_into(slot);
    }
    let splits = open_data(&data).map_err(|error| failure(VisionError::from(error)))?;
    if splits.classes != model.labels() || splits.shape != model.shape() {
        return Err(Failure::input(format!(
            "the data has images of {:?} (height, width, channels) and the classes {:?}, and the \
             model was trained on {:?} and {:?}",
            splits.shape,
            splits.classes,
            model.shape(),
            model.labels()
        )));
    }
    let images = splits
        .get(&args.split)
        .ok_or_else(|| Failure::input(format!("there is no split `{}`", args.split)))?;
    let predictions = model.evaluate(images).map_err(failure)?;
    let metrics = predictions.metrics();
    let mut out = Output::Stdout;
    if args.json {
        let line = json!({
            "run": args.run,
            "split": args.split,
            "samples": predictions.len(),
            &args.split: metrics,
        });
        return out.line(&line.to_string());
    }
    let count = thousands(predictions.len());
    out.line(&format!("{} split, {count} images", args.split))?;
    out.line(&table(&metric_rows(&metrics, F1::Macro)))?;
    out.line("Confusion matrix (rows: true, columns: predicted)")?;
    let rows = confusion_rows(&splits.classes, &predictions.confusion());
    out.line(&table(&rows))
}

pub(crate) fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let device = open_device(args.device, "vision")?.device;
    let model = load(&args.run, args.threshold, &device)?;
    let mut out = Output::new(args.out.as_deref())?;
    if args.csv {
        let head = ["input", "label"]
            .into_iter()
            .chain(model.labels().iter().map(String::as_str));
        args.csv_row(&mut out, &head.collect::<Vec<_>>())?;
    }
    for input in &args.inputs {
        let prediction = classify(&model, input)?;
        let name = input.to_string_lossy();
        if args.json {
            out.line(&json_line(&name, &prediction).to_string())?;
        } else if args.csv {
            let numbers: Vec<String> = prediction
                .probabilities
                .iter()
                .map(|(_, value)| value.to_string())
                .collect();
            let cells = [&*name, &*prediction.label].into_iter();
            let cells = cells.chain(numbers.iter().map(String::as_str));
            args.csv_row(&mut out, &cells.collect::<Vec<_>>())?;
        } else {
            // Of two classes this need not be the larger one: see `--threshold`.
            let own = |(name, _): &&(String, f32)| *name == prediction.label;
            let best = prediction.probabilities.iter().find(own);
            let best = best.map_or(0.0, |(_, value)| *value);
            out.line(&format!(
                "{name}  {}  {:.1}%",
                prediction.label,
                100.0 * best
            ))?;
        }
    }
    out.finish()
}

fn classify(model: &Predictor, input: &Path) -> Result<Prediction, Failure> {
    if input.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")
            .or_input()?;
        return model.predict_bytes(&bytes).or_input();
    }
    model.predict_file(input).or_input()
}

fn json_line(input: &str, prediction: &Prediction) -> Value {
    let probabilities: Map<String, Value> = prediction
        .probabilities
        .iter()
        .map(|(label, value)| (label.clone(), json!(value)))
        .collect();
    json!({ "input": input, "label": prediction.label, "probabilities": probabilities })
}
