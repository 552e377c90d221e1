//! The `eval` command, and predictions as a person reads them.

use std::path::Path;

use burn::tensor::Device;
use serde_json::json;
use tinderbox_cli::model_dir::{model_dir, recipe_file};
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::report::{F1, confusion_rows, metric_rows};
use tinderbox_cli::splits::{self, TEXT};
use tinderbox_cli::{EvalArgs, Failure, OrUserError as _, Output, note, open_device, table};
use tinderbox_recipes::text::{Answers, Data, Evaluation, Prediction, Predictor, Task, Truncation};
use tinderbox_train::splits::{Scope, SplitList};

use crate::{RECIPES, failure};

/// A model, read from its run.
pub(crate) fn load(run: &Path, device: &Device) -> Result<Predictor, Failure> {
    Predictor::load(&model_dir(run, env!("CARGO_PKG_NAME"))?, device).map_err(failure)
}

/// "402 training texts (4.1%) were truncated to 64 tokens"; nothing if all were read to their end.
pub(crate) fn truncated(counted: Truncation, text: &str, max_len: usize) -> Option<String> {
    let (s, were) = if counted.truncated == 1 {
        ("", "was")
    } else {
        ("s", "were")
    };
    let percent = 100.0 * counted.fraction();
    let percent = if percent < 0.1 {
        "less than 0.1".to_owned()
    } else {
        format!("{percent:.1}")
    };
    (counted.truncated > 0).then(|| {
        format!(
            "{} {text}{s} ({percent}%) {were} truncated to {} tokens",
            thousands(counted.truncated),
            thousands(max_len)
        )
    })
}

/// The same of what a model was given so far, on stderr.
pub(crate) fn warn_truncated(model: &Predictor) {
    if let Some(count) = truncated(model.truncation(), "text", model.max_len()) {
        note(&format!(
            "warning: {count}; train with a larger `tokenizer.max_len` to read more"
        ));
    }
}

/// Where the training data is, and which texts are in which split: the run knows, a model folder by
/// itself may not.
fn training_data(run: &Path, model: &Predictor) -> Result<(Data, Option<SplitList>), Failure> {
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let Some(file) = recipe_file(&dir) else {
        return Ok((model.data().clone(), None));
    };
    let list = SplitList::load(file.parent().unwrap_or(run)).or_user_error()?;
    Ok((RECIPES.read(&file)?.data, list))
}

/// The same with a decision threshold of the user's own.
pub(crate) fn load_at(
    run: &Path,
    threshold: Option<f64>,
    device: &Device,
) -> Result<Predictor, Failure> {
    let model = load(run, device)?;
    match threshold {
        Some(threshold) => model.with_threshold(threshold).or_user_error(),
        None => Ok(model),
    }
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load_at(&args.run, args.threshold, &device)?;
    let (mut data, list) = training_data(&args.run, &model)?;
    if let Some(path) = &args.data {
        let slot = data.path_mut().ok_or_else(|| {
            Failure::user("`--data` does not fit this model, which generates its own texts")
        })?;
        data_path(path)?.clone_into(slot);
    }
    let evaluated = model.evaluate(&data, list.as_ref(), &args.split, args.data.is_some());
    let Evaluation {
        answers,
        scope,
        report,
    } = evaluated.map_err(failure)?;
    for message in report.messages() {
        note(&format!("warning: {message}"));
    }
    match &scope {
        Some(scope) => splits::scope_notes(scope, &args.split, answers.len(), TEXT)
            .iter()
            .for_each(|line| note(line)),
        None => note(&splits::no_list_note(&args.split)),
    }
    let whole = matches!(scope, Some(Scope::Whole { .. }));
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
        "other data".to_owned()
    } else {
        format!("{} split", args.split)
    };
    out.line(&format!("{of}, {} {what}", thousands(answers.len())))?;
    out.line(&table(&metric_rows(&metrics, F1::Macro)))?;
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
    out.line("Confusion matrix (rows: true, columns: predicted)")?;
    out.line(&table(&confusion_rows(labels, &predictions.confusion())))
}

/// A line for a person: a long text is cut.
pub(crate) fn words(name: &str, prediction: &Prediction) -> String {
    let percent = |value: f32| format!("{:.1}%", 100.0 * value);
    let said = match prediction {
        Prediction::Class {
            label,
            probabilities,
        } => {
            // Of two classes this need not be the larger one: see `--threshold`.
            let own = probabilities.iter().find(|(name, _)| name == label);
            format!("{label}  {}", percent(own.map_or(0.0, |(_, p)| *p)))
        }
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
