//! All tasks on images as one task, for a program that serves all of them.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{Detector, ImageClassifier, Landmarker, Segmenter};
use tinderbox_train::memory::check_memory;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
    no_threshold,
};
use tinderbox_train::{Options, Report, Task, TaskError};

use super::classify::{self, ImageClassification};
use super::detect::{self, ObjectDetection};
use super::landmarks::{self, Landmarks};
use super::photos::{PhotoOptions, check_outputs};
use super::recipe::VisionRecipe;
use super::segment::{self, ImageSegmentation};

/// Any task on images: its recipe names it.
pub struct VisionTask {
    recipe: VisionRecipe,
    task: AnyTask,
}

enum AnyTask {
    Classification(Box<ImageClassification>),
    Segmentation(Box<ImageSegmentation>),
    Detection(Box<ObjectDetection>),
    Landmarks(Box<Landmarks>),
}

/// A trained model of any task on images: `kind` in `model.json` names it.
#[derive(Clone, Debug)]
pub enum VisionModel {
    /// An image classifier.
    Classifier(Box<ImageClassifier>),
    /// A segmentation model.
    Segmenter(Box<Segmenter>),
    /// A detector.
    Detector(Box<Detector>),
    /// A model of landmarks.
    Landmarker(Box<Landmarker>),
}

/// Applies a function to whichever task it is.
macro_rules! of_any {
    ($any:expr, $task:ident => $result:expr) => {
        match $any {
            AnyTask::Classification($task) => $result,
            AnyTask::Segmentation($task) => $result,
            AnyTask::Detection($task) => $result,
            AnyTask::Landmarks($task) => $result,
        }
    };
}

impl VisionModel {
    /// The model, if it is an image classifier.
    ///
    /// # Errors
    ///
    /// Names the kind that it is.
    pub fn into_classifier(self) -> Result<ImageClassifier, TaskError> {
        match self {
            Self::Classifier(model) => Ok(*model),
            Self::Segmenter(_) => Err(other_kind("segmentation")),
            Self::Detector(_) => Err(other_kind("object detection")),
            Self::Landmarker(_) => Err(other_kind("landmarks")),
        }
    }

    /// The model of landmarks.
    ///
    /// # Errors
    ///
    /// If it is one of another task.
    pub fn into_landmarker(self) -> Result<Landmarker, TaskError> {
        match self {
            Self::Landmarker(model) => Ok(*model),
            _ => Err(TaskError::user(
                "this needs a model of landmarks, and the run has one of another task",
            )),
        }
    }
}

fn other_kind(kind: &str) -> TaskError {
    TaskError::user(format!(
        "this needs a model of image classification, and the run has one of {kind}"
    ))
}

impl Task for VisionTask {
    type Recipe = VisionRecipe;
    type Model = VisionModel;
    type InputOptions = PhotoOptions;

    /// That of the default task; [`load`](Task::load) reads every kind.
    const KIND: &'static str = ImageClassifier::KIND;
    const ITEM: Noun = Noun("image", "images");

    fn check_memory(recipe: &VisionRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let Some(shape) = recipe.shape() else {
            return Ok(());
        };
        let layers = recipe.layers()?;
        let input = shape.into_iter().fold(1, usize::saturating_mul);
        let keys = match recipe {
            VisionRecipe::Classification(_) => {
                "`data.height`, `data.width`, `train.batch_size` or `model`"
            }
            _ => "`data.size`, `train.batch_size` or `model`",
        };
        Ok(check_memory(&layers, input, recipe.batch_size(), keys)?)
    }

    fn check_recipe(recipe: &VisionRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        recipe.layers()?;
        Ok(())
    }

    fn prepare(recipe: VisionRecipe) -> Result<Self, TaskError> {
        let task = match recipe {
            VisionRecipe::Classification(recipe) => {
                AnyTask::Classification(Box::new(ImageClassification::prepare(recipe)?))
            }
            VisionRecipe::Segmentation(recipe) => {
                AnyTask::Segmentation(Box::new(ImageSegmentation::prepare(recipe)?))
            }
            VisionRecipe::Detection(recipe) => {
                AnyTask::Detection(Box::new(ObjectDetection::prepare(recipe)?))
            }
            VisionRecipe::Landmarks(recipe) => {
                AnyTask::Landmarks(Box::new(Landmarks::prepare(recipe)?))
            }
        };
        let recipe = of_any!(&task, task => task.recipe.clone().into());
        Ok(Self { recipe, task })
    }

    fn recipe(&self) -> &VisionRecipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        of_any!(&self.task, task => task.overview())
    }

    fn split_list(&self) -> Option<&SplitList> {
        of_any!(&self.task, task => Some(&task.list))
    }

    fn without_test(mut self) -> Self {
        of_any!(&mut self.task, task => task.splits.hide_test());
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        of_any!(&self.task, task => task.train_in(run, device, options))
    }

    fn load(dir: &Path, device: &Device) -> Result<VisionModel, TaskError> {
        let files = ModelFiles::open(dir);
        Ok(match files.kind()?.as_str() {
            ImageClassifier::KIND => {
                VisionModel::Classifier(Box::new(ImageClassifier::load(&files, device)?))
            }
            Segmenter::KIND => VisionModel::Segmenter(Box::new(Segmenter::load(&files, device)?)),
            Detector::KIND => VisionModel::Detector(Box::new(Detector::load(&files, device)?)),
            Landmarker::KIND => {
                VisionModel::Landmarker(Box::new(Landmarker::load(&files, device)?))
            }
            kind => {
                let reason = format!("it contains a `{kind}`, which is no model of images");
                return Err(files.refuse(reason).into());
            }
        })
    }

    fn with_threshold(model: VisionModel, threshold: f64) -> Result<VisionModel, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                let model = model.with_threshold(threshold)?;
                Ok(VisionModel::Classifier(Box::new(model)))
            }
            VisionModel::Detector(model) => {
                let model = model.with_threshold(threshold as f32);
                Ok(VisionModel::Detector(Box::new(model)))
            }
            VisionModel::Segmenter(_) | VisionModel::Landmarker(_) => Err(no_threshold()),
        }
    }

    fn evaluate(
        model: &VisionModel,
        request: &EvalRequest<'_, VisionRecipe>,
    ) -> Result<EvalReport, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                let request = of_task(request, VisionRecipe::classification);
                classify::evaluate(model, &request)
            }
            VisionModel::Segmenter(model) => {
                let request = of_task(request, VisionRecipe::segmentation);
                segment::evaluate(model, &request)
            }
            VisionModel::Detector(model) => {
                let request = of_task(request, VisionRecipe::detection);
                detect::evaluate(model, &request)
            }
            VisionModel::Landmarker(model) => {
                let request = of_task(request, VisionRecipe::landmarks);
                landmarks::evaluate(model, &request)
            }
        }
    }

    fn check_inputs(
        model: &VisionModel,
        inputs: &[PathBuf],
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        if Self::writes_files(model) {
            check_outputs(inputs, options)?;
        }
        Ok(())
    }

    fn predict(
        model: &VisionModel,
        path: &Path,
        options: &InputOptions<PhotoOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        match model {
            VisionModel::Classifier(model) => classify::predict(model, path, options, each),
            VisionModel::Segmenter(model) => segment::predict(model, path, options, each),
            VisionModel::Detector(model) => detect::predict(model, path, options, each),
            VisionModel::Landmarker(model) => landmarks::predict(model, path, options, each),
        }
    }

    fn finish_inputs(
        model: &VisionModel,
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        match (model, &options.own.coco) {
            (VisionModel::Detector(_), Some(file)) => file.finish(),
            _ => Ok(()),
        }
    }

    fn range(
        _: &VisionModel,
        path: &Path,
        options: &PhotoOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        options.range(path, shard)
    }

    fn writes_files(model: &VisionModel) -> bool {
        // The predictions of a classifier are all that it writes.
        !matches!(model, VisionModel::Classifier(_))
    }

    fn columns(model: &VisionModel) -> Vec<String> {
        let (names, labels): (&[&str], &[String]) = match model {
            VisionModel::Classifier(model) => (&["label"], model.labels()),
            VisionModel::Segmenter(model) => (&["height", "width"], model.labels()),
            VisionModel::Detector(_) => (&["height", "width", "objects"], &[]),
            VisionModel::Landmarker(_) => (&["height", "width", "points"], &[]),
        };
        let names = names.iter().map(|&name| name.to_owned());
        names.chain(labels.iter().cloned()).collect()
    }
}

/// The request with the recipe of one task; a recipe of another task knows no data for its model.
fn of_task<'a, R>(
    request: &EvalRequest<'a, VisionRecipe>,
    recipe: impl FnOnce(&'a VisionRecipe) -> Option<&'a R>,
) -> EvalRequest<'a, R> {
    EvalRequest {
        recipe: request.recipe.and_then(recipe),
        data: request.data,
        splits: request.splits,
        split: request.split,
    }
}
