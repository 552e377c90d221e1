//! The `predict` command: classifies images in batches and prints as it goes.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tinderbox_cli::output::thousands;
use tinderbox_cli::skipped::Skipped;
use tinderbox_cli::splits::IMAGE;
use tinderbox_cli::{
    Failure, OrUserError as _, Output, PredictArgs, ReadProgress, note, open_device,
};
use tinderbox_datasets::files::LeftOut;
use tinderbox_datasets::image::{Image, ImageFile, decode_bytes, find_images, is_archive};
use tinderbox_datasets::parallel_map;
use tinderbox_recipes::vision::{Prediction, Predictor};

use crate::usage::load;

/// Images that are held at a time.
const BATCH: usize = 64;

/// Most bytes of an image that is read from stdin, 1 GiB.
const MAX_STDIN: u64 = 1 << 30;

/// What `predict` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The flags of every `predict`.
    #[command(flatten)]
    predict: PredictArgs,
}

/// An image to classify, with its name in the output.
struct Input {
    name: String,
    source: Source,
}

enum Source {
    Stdin,
    File(ImageFile),
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.predict;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?.device;
    let model = load(&common.run, common.threshold, &device)?;
    let inputs = find_inputs(&common.inputs)?;
    let mut out = Output::new(common.out.as_deref())?;
    if common.csv {
        common.csv_row(&mut out, &head(model.labels()))?;
    }
    let total = inputs.len();
    let mut progress = ReadProgress::new("predict", Some(total as u64), common.out.is_none());
    let mut skipped = Skipped::default();
    for (batch, chunk) in inputs.chunks(BATCH).enumerate() {
        let mut images: Vec<(&str, Image)> = Vec::with_capacity(chunk.len());
        let mut failed = None;
        for (at, (input, image)) in chunk.iter().zip(read_all(&model, chunk)).enumerate() {
            let place = format!("input {} of {}", batch * BATCH + at + 1, thousands(total));
            match image {
                Ok(image) => images.push((&input.name, image)),
                Err(error) if args.predict.skip_errors => {
                    skipped.add(&format!("{place}: {error:#}"))
                }
                Err(error) => {
                    failed = Some(error.context(place));
                    break;
                }
            }
        }
        for (name, image) in &images {
            write(common, &mut out, name, &model.predict(image))?;
        }
        if let Some(error) = failed {
            return Err(Failure::of(error, false, true));
        }
        let done = (batch * BATCH + chunk.len()).min(total);
        progress.set(done as u64, done);
    }
    drop(progress);
    skipped.report(IMAGE, None);
    out.finish()
}

/// The images of all arguments: files as they are, and those in folders and archives by name.
fn find_inputs(arguments: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let (mut inputs, mut left_out) = (Vec::new(), LeftOut::default());
    for argument in arguments {
        let name = argument.to_string_lossy().into_owned();
        if argument.as_os_str() == "-" {
            inputs.push(Input {
                name,
                source: Source::Stdin,
            });
        } else if argument.is_dir() || is_archive(argument) {
            let (files, other) = find_images(argument).or_user_error()?;
            left_out.merge(&other);
            if files.is_empty() {
                return Err(Failure::user(format!("`{name}` has no image")));
            }
            inputs.extend(files.into_iter().map(|file| Input {
                name: file.path().to_string_lossy().into_owned(),
                source: Source::File(file),
            }));
        } else {
            inputs.push(Input {
                name,
                source: Source::File(ImageFile::of_path(argument)),
            });
        }
    }
    if !left_out.is_empty() {
        note(&left_out.to_string());
    }
    Ok(inputs)
}

/// Reads and decodes a batch on all cores.
fn read_all(model: &Predictor, inputs: &[Input]) -> Vec<anyhow::Result<Image>> {
    let options = model.decode_options();
    parallel_map(inputs, |input| match &input.source {
        Source::Stdin => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .take(MAX_STDIN)
                .read_to_end(&mut bytes)
                .context("cannot read stdin")?;
            Ok(decode_bytes(&bytes, Path::new("-"), &options)?)
        }
        Source::File(file) => Ok(decode_bytes(&file.bytes()?, file.path(), &options)?),
    })
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
    name: &str,
    prediction: &Prediction,
) -> Result<(), Failure> {
    if args.json {
        return out.line(&json_line(name, prediction).to_string());
    }
    if args.csv {
        let numbers = prediction.probabilities.iter();
        let numbers: Vec<String> = numbers.map(|(_, value)| value.to_string()).collect();
        let cells = [name, &*prediction.label].into_iter();
        let cells = cells.chain(numbers.iter().map(String::as_str));
        return args.csv_row(out, &cells.collect::<Vec<_>>());
    }
    // Of two classes this need not be the larger one: see `--threshold`.
    let own = |(name, _): &&(String, f32)| *name == prediction.label;
    let best = prediction.probabilities.iter().find(own);
    let best = best.map_or(0.0, |(_, value)| *value);
    out.line(&format!(
        "{name}  {}  {:.1}%",
        prediction.label,
        100.0 * best
    ))
}

fn json_line(input: &str, prediction: &Prediction) -> Value {
    let probabilities: Map<String, Value> = prediction
        .probabilities
        .iter()
        .map(|(label, value)| (label.clone(), json!(value)))
        .collect();
    json!({ "input": input, "label": prediction.label, "probabilities": probabilities })
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
