//! The commands that use a trained model: `eval` and `predict`.

use std::path::Path;

use burn::tensor::Device;
use serde_json::{Map, Value, json};
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::report::{confusion_rows, metric_rows, model_dir};
use tinderbox_cli::{EvalArgs, Failure, Output, note, open_device, table};
use tinderbox_recipes::text::{Answers, Data, Input, Prediction, Predictor, Task, Truncation};

use crate::{failure, input};

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PredictArgs {
    /// The flags of every `predict`.
    #[command(flatten)]
    predict: tinderbox_cli::PredictArgs,
    /// Read each file as one text, and not line by line
    #[arg(long)]
    whole: bool,
}

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run)?, device).map_err(failure)
}

/// "402 training texts (4.1%) were truncated to 64 tokens"; nothing if all were read to their end.
pub(crate) fn truncated(counted: Truncation, texts: &str, max_len: usize) -> Option<String> {
    let percent = 100.0 * counted.fraction();
    let percent = if percent < 0.1 {
        "less than 0.1".to_owned()
    } else {
        format!("{percent:.1}")
    };
    (counted.truncated > 0).then(|| {
        format!(
            "{} {texts} ({percent}%) were truncated to {} tokens",
            thousands(counted.truncated),
            thousands(max_len)
        )
    })
}

/// The same of what a model was given so far, on stderr.
pub(crate) fn warn_truncated(model: &Predictor) {
    if let Some(count) = truncated(model.truncation(), "texts", model.max_len()) {
        note(&format!(
            "warning: {count}; train with a larger `tokenizer.max_len` to read more"
        ));
    }
}

/// Whether a file of such data is measured as a whole: public sets keep their own parts.
fn has_no_parts(data: &Data) -> bool {
    matches!(
        data,
        Data::Texts { .. }
            | Data::Pairs { .. }
            | Data::MultiLabel { .. }
            | Data::Tagged { .. }
            | Data::Running { .. }
    )
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&args.run, &device)?;
    let mut data = model.data().clone();
    let mut whole = false;
    if let Some(path) = &args.data {
        let slot = data.path_mut().ok_or_else(|| {
            Failure::input("`--data` does not fit this model, whose texts the app makes up")
        })?;
        let path = data_path(path)?;
        let other = slot != path;
        path.clone_into(slot);
        whole = other && has_no_parts(&data);
    }
    let answers = model.evaluate(&data, &args.split, whole).map_err(failure)?;
    warn_truncated(&model);
    let metrics = answers.metrics();
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
    let what = if model.task() == Task::Next {
        "tokens"
    } else {
        "texts"
    };
    let of = if whole {
        "all of the file"
    } else {
        &args.split
    };
    out.line(&format!("{of}, {} {what}", thousands(answers.len())))?;
    out.line(&table(&metric_rows(&metrics)))?;
    print_classes(&mut out, &answers, model.labels())
}

/// Scores of each class, and which are taken for which.
pub(crate) fn print_classes(
    out: &mut Output,
    answers: &Answers,
    labels: &[String],
) -> Result<(), Failure> {
    let (Answers::Classes(predictions)
    | Answers::Tags {
        words: predictions, ..
    }) = answers
    else {
        return Ok(());
    };
    let head = ["class", "precision", "recall", "f1", "rows"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (label, scores) in labels.iter().zip(predictions.per_class()) {
        let share = |value: f64| format!("{value:.4}");
        rows.push(vec![
            label.clone(),
            share(scores.precision),
            share(scores.recall),
            share(scores.f1),
            thousands(scores.rows),
        ]);
    }
    out.line(&table(&rows))?;
    if labels.len() > 12 {
        return Ok(());
    }
    out.line("true class (row) against predicted class (column)")?;
    out.line(&table(&confusion_rows(labels, &predictions.confusion())))
}

pub(crate) fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let common = &args.predict;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&common.run, &device)?;
    let mut out = Output::new(common.out.as_deref())?;
    if common.csv {
        let head = ["input", "label"].into_iter();
        let labels = model.labels().iter().map(String::as_str);
        out.csv(&head.chain(labels).collect::<Vec<_>>())?;
    }
    for argument in &common.inputs {
        let texts = input::texts(argument, args.whole)?;
        // One file as a whole is known by its name.
        let named = args.whole && argument.is_file();
        let inputs = texts.iter().map(|text| model.input(text));
        let inputs: Vec<Input> = inputs.collect::<Result<_, _>>().map_err(failure)?;
        let said = model.predict(&inputs).map_err(failure)?;
        for (text, prediction) in texts.iter().zip(&said) {
            let name = if named {
                argument.display().to_string()
            } else {
                text.clone()
            };
            if common.json {
                out.line(&json_line(&name, prediction).to_string())?;
            } else if common.csv {
                out.csv(&cells(&name, prediction))?;
            } else {
                out.line(&words(&name, prediction))?;
            }
        }
    }
    warn_truncated(&model);
    out.finish()
}

fn cells(name: &str, prediction: &Prediction) -> Vec<String> {
    let numbers = |all: &[(String, f32)]| -> Vec<String> {
        all.iter().map(|(_, value)| value.to_string()).collect()
    };
    let (label, rest) = match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => (label.clone(), numbers(probabilities)),
        Prediction::Labels {
            labels,
            probabilities,
        } => (labels.join("|"), numbers(probabilities)),
        Prediction::Tags(tags) => {
            let tags: Vec<&str> = tags.iter().map(|(_, tag)| tag.as_str()).collect();
            (tags.join(" "), Vec::new())
        }
    };
    [vec![name.to_owned(), label], rest].concat()
}

/// A line for a person: a long text is cut.
pub(crate) fn words(name: &str, prediction: &Prediction) -> String {
    let percent = |value: f32| format!("{:.1} %", 100.0 * value);
    let most = |all: &[(String, f32)]| all.iter().map(|(_, p)| *p).fold(0.0, f32::max);
    let said = match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => format!("{label}  {}", percent(most(probabilities))),
        Prediction::Labels {
            labels,
            probabilities,
        } => {
            let own = probabilities
                .iter()
                .filter(|(label, _)| labels.contains(label));
            let own: Vec<String> = own
                .map(|(label, p)| format!("{label} {}", percent(*p)))
                .collect();
            if own.is_empty() {
                "-".to_owned()
            } else {
                own.join(", ")
            }
        }
        Prediction::Tags(tags) => {
            let tags = tags.iter().map(|(word, tag)| format!("{word}/{tag}"));
            return tags.collect::<Vec<_>>().join(" ");
        }
    };
    format!("{said}  {}", shorten(name, 80))
}

pub(crate) fn shorten(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most - 1).chain(['…']).collect()
}

fn json_line(input: &str, prediction: &Prediction) -> Value {
    let object = |all: &[(String, f32)]| -> Map<String, Value> {
        let pairs = all.iter();
        pairs.map(|(label, p)| (label.clone(), json!(p))).collect()
    };
    match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => json!({ "input": input, "label": label, "probabilities": object(probabilities) }),
        Prediction::Labels {
            labels,
            probabilities,
        } => json!({ "input": input, "labels": labels, "probabilities": object(probabilities) }),
        Prediction::Tags(tags) => json!({ "input": input, "tags": tags }),
    }
}
