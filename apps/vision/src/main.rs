//! Train, evaluate and use models of images from one command.

mod commands;
mod textbook;
mod weights;

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use commands::Command;
use tinderbox_cli::app::{NoFlags, TrainCommand, WithNotes, with_data};
use tinderbox_cli::recipe::{Catalogue, overridden};
use tinderbox_cli::{App, Failure, TrainArgs, note};
use tinderbox_predict::vision::{PublishedDetector, is_detector};
use tinderbox_recipes::vision::{
    BUILTIN, Background, CocoFile, PhotoOptions, VisionModel, VisionRecipe, VisionTask,
    find_published, open_weights,
};
use tinderbox_train::{Options, Report, TaskError};

tinderbox_cli::main!(Vision);

/// Tasks on images from the command line.
struct Vision;

#[derive(Args, Clone, Debug, Default)]
struct TrainFlags {
    /// Published weights to start from: a folder with model.safetensors and config.json, or a name on the
    /// Hugging Face hub such as `timm/efficientnet_lite0.ra_in1k`
    #[arg(long, value_name = "DIR|NAME")]
    weights: Option<String>,
}

#[derive(Args, Clone, Debug)]
struct InputFlags {
    /// Published weights to use instead of a run: a folder or a name, as for `train`
    #[arg(long, value_name = "DIR|NAME", conflicts_with = "run")]
    weights: Option<String>,
    /// Background of cutouts: `white` or an image file [default: transparent]
    #[arg(long, value_name = "white|FILE")]
    background: Option<PathBuf>,
    /// Do not refine the edges of masks
    #[arg(long)]
    no_refine: bool,
    /// Write the detections of all inputs to a file in COCO's results format
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// Object-detection run that finds the faces, for landmarks
    #[arg(long, value_name = "RUN")]
    detector: Option<PathBuf>,
    /// Overwrite images that are already in the output folder
    #[arg(long)]
    overwrite: bool,
}

impl App for Vision {
    type Task = VisionTask;
    type TrainFlags = TrainFlags;
    type ModelFlags = NoFlags;
    type EvalFlags = NoFlags;
    type InputFlags = InputFlags;
    type Command = Command;

    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str =
        "Train, evaluate and use models that classify images, find objects or cut them out";

    fn recipes() -> Catalogue<VisionRecipe> {
        Catalogue {
            names: &BUILTIN,
            builtin: VisionRecipe::builtin,
        }
    }

    /// Without `--recipe`, the format of the images chooses it.
    fn resolve(flags: &TrainFlags, args: &TrainArgs) -> Result<VisionRecipe, Failure> {
        let data = args.data.as_deref();
        let own = weights::of_objects(flags.weights.as_deref(), data, &args.run)?;
        let run = &weights::in_recipe(flags.weights.as_deref(), &args.run)?;
        let recipe = match (own, data) {
            (Some(recipe), _) => recipe,
            (None, Some(path)) if run.recipe.is_none() && run.resume.is_none() => {
                let inferred = weights::inferred(path, run)?;
                if !run.quiet {
                    note(&inferred.note(path));
                }
                overridden(inferred.recipe.into(), run)?
            }
            _ => Self::recipes().of_run(run)?,
        };
        weights::check(flags.weights.as_deref(), &recipe)?;
        if let Some(name) = recipe.weights() {
            weights::fetch(name, run.quiet).map_err(TaskError::from)?;
        }
        with_data(recipe, data)
    }

    fn set_options(args: &TrainCommand<TrainFlags>, task: &VisionTask, options: &mut Options) {
        if textbook::applies(task, args.train.run.quiet) {
            options.on_first_step = Some(textbook::listener());
        }
    }

    fn input_options(flags: &InputFlags) -> Result<PhotoOptions, Failure> {
        let background = flags.background.as_deref().map(Background::read);
        Ok(PhotoOptions {
            background: background.transpose()?.unwrap_or_default(),
            no_refine: flags.no_refine,
            overwrite: flags.overwrite,
            coco: flags.coco.as_deref().map(CocoFile::create).transpose()?,
            detector: flags.detector.clone(),
        })
    }

    fn published(
        flags: &InputFlags,
        device: &Device,
    ) -> Result<Option<WithNotes<VisionModel>>, Failure> {
        let Some(weights) = &flags.weights else {
            return Ok(None);
        };
        weights::fetch(weights, false).map_err(TaskError::from)?;
        let path = find_published(weights).map_err(TaskError::from)?;
        if is_detector(&path) {
            let weights = PublishedDetector::open(&path).map_err(TaskError::user)?;
            let model = weights.detector(device).map_err(TaskError::user)?;
            let model = VisionModel::Detector(Box::new(model));
            return Ok(Some((model, weights.notes)));
        }
        let weights = open_weights(weights).map_err(TaskError::from)?;
        let model = weights.classifier(device).map_err(TaskError::user)?;
        Ok(Some((
            VisionModel::Classifier(Box::new(model)),
            weights.notes,
        )))
    }

    fn after_training(
        task: &VisionTask,
        report: &Report,
        _device: &Device,
        quiet: bool,
    ) -> Result<(), Failure> {
        if textbook::applies(task, quiet) {
            textbook::loss_curve(report.run.path());
        }
        Ok(())
    }

    fn run(command: Command) -> Result<(), Failure> {
        command.run()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(Vision::NAME, &Vision::recipes());
    }
}
