//! The `predict` command: classifies images in batches and prints as it goes.

use std::ops::ControlFlow;

use serde_json::{Map, Value, json};
use tinderbox_cli::skipped::Skipped;
use tinderbox_cli::splits::IMAGE;
use tinderbox_cli::{Failure, Output, PredictArgs, note, open_device};
use tinderbox_predict::Prediction;
use tinderbox_recipes::vision::ImageClassification;
use tinderbox_train::Task as _;
use tinderbox_train::task::{InputItem, InputOptions, Predicted};

use crate::eval::load;
use crate::failure;

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The flags of every `predict`.
    #[command(flatten)]
    predict: PredictArgs,
    /// Skip images that cannot be read, and count them
    #[arg(long)]
    skip_errors: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.predict;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&common.run, common.threshold, &device)?;
    let mut out = Output::new(common.out.as_deref())?;
    if common.csv {
        common.csv_row(&mut out, &head(model.labels()))?;
    }
    let mut skipped = Skipped::default();
    for input in &common.inputs {
        let mut failed = None;
        let mut each = |batch: Predicted, _| {
            let written = match batch {
                Ok(batch) => batch
                    .iter()
                    .try_for_each(|(item, prediction)| write(common, &mut out, item, prediction)),
                Err(error) if args.skip_errors => {
                    skipped.add(&format!("{:#}", anyhow::Error::from(error)));
                    Ok(())
                }
                Err(error) => Err(failure(error)),
            };
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let report =
            ImageClassification::predict(&model, input, &InputOptions::default(), &mut each);
        if let Some(error) = failed {
            return Err(error);
        }
        for line in report.map_err(failure)?.notes {
            note(&line);
        }
    }
    skipped.report(IMAGE, None);
    out.finish()
}

/// The columns of the CSV output, all of them different: where a class is called as another column, all
/// classes get the prefix `p_`.
fn head(labels: &[String]) -> Vec<String> {
    let own = ["input", "label"];
    let clash = labels.iter().any(|label| own.contains(&label.as_str()));
    let prefix = if clash { "p_" } else { "" };
    let classes = labels.iter().map(|label| format!("{prefix}{label}"));
    own.iter()
        .map(|&name| name.to_owned())
        .chain(classes)
        .collect()
}

fn write(
    args: &PredictArgs,
    out: &mut Output,
    item: &InputItem,
    prediction: &Prediction,
) -> Result<(), Failure> {
    if args.json {
        let mut line = Map::from_iter([("input".to_owned(), json!(item.name))]);
        line.extend(prediction.to_json());
        return out.line(&Value::Object(line).to_string());
    }
    if args.csv {
        return args.csv_row(out, &[vec![item.name.clone()], prediction.cells()].concat());
    }
    out.line(&format!("{}  {}", item.name, prediction.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_do_not_clash_with_columns() {
        let names = |labels: [&str; 2]| head(&labels.map(str::to_owned));
        assert_eq!(names(["cat", "dog"]), ["input", "label", "cat", "dog"]);
        assert_eq!(
            names(["label", "dog"]),
            ["input", "label", "p_label", "p_dog"]
        );
    }
}
