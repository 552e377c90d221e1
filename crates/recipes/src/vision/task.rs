//! All tasks on images as one task, for a program that serves all of them.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{Detector, ImageClassifier, Landmarker, Segmenter};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Task, TaskError};

use super::recipe::VisionRecipe;
use super::{ImageClassification, ImageSegmentation, Landmarks, ObjectDetection, PhotoOptions};

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

impl VisionTask {
    /// The task, if it is classification.
    pub fn classification(&self) -> Option<&ImageClassification> {
        match &self.task {
            AnyTask::Classification(task) => Some(task),
            _ => None,
        }
    }
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
}

impl VisionModel {
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
    const KIND: &'static str = ImageClassification::KIND;
    const ITEM: Noun = ImageClassification::ITEM;

    fn check_memory(recipe: &VisionRecipe) -> Result<(), TaskError> {
        match recipe {
            VisionRecipe::Classification(recipe) => ImageClassification::check_memory(recipe),
            VisionRecipe::Segmentation(recipe) => ImageSegmentation::check_memory(recipe),
            VisionRecipe::Detection(recipe) => ObjectDetection::check_memory(recipe),
            VisionRecipe::Landmarks(recipe) => Landmarks::check_memory(recipe),
        }
    }

    fn check_recipe(recipe: &VisionRecipe) -> Result<(), TaskError> {
        match recipe {
            VisionRecipe::Classification(recipe) => ImageClassification::check_recipe(recipe),
            VisionRecipe::Segmentation(recipe) => ImageSegmentation::check_recipe(recipe),
            VisionRecipe::Detection(recipe) => ObjectDetection::check_recipe(recipe),
            VisionRecipe::Landmarks(recipe) => Landmarks::check_recipe(recipe),
        }
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
        let recipe = of_any!(&task, task => task.recipe().clone().into());
        Ok(Self { recipe, task })
    }

    fn recipe(&self) -> &VisionRecipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        of_any!(&self.task, task => task.overview())
    }

    fn split_list(&self) -> Option<&SplitList> {
        of_any!(&self.task, task => task.split_list())
    }

    fn without_test(self) -> Self {
        let task = match self.task {
            AnyTask::Classification(task) => AnyTask::Classification(Box::new(task.without_test())),
            AnyTask::Segmentation(task) => AnyTask::Segmentation(Box::new(task.without_test())),
            AnyTask::Detection(task) => AnyTask::Detection(Box::new(task.without_test())),
            AnyTask::Landmarks(task) => AnyTask::Landmarks(Box::new(task.without_test())),
        };
        Self { task, ..self }
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
        match files.kind()?.as_str() {
            ImageClassifier::KIND => {
                let model = ImageClassification::load(dir, device)?;
                Ok(VisionModel::Classifier(Box::new(model)))
            }
            Segmenter::KIND => {
                let model = ImageSegmentation::load(dir, device)?;
                Ok(VisionModel::Segmenter(Box::new(model)))
            }
            Detector::KIND => {
                let model = ObjectDetection::load(dir, device)?;
                Ok(VisionModel::Detector(Box::new(model)))
            }
            Landmarker::KIND => {
                let model = Landmarks::load(dir, device)?;
                Ok(VisionModel::Landmarker(Box::new(model)))
            }
            kind => {
                let reason = format!("it contains a `{kind}`, which is no model of images");
                Err(files.refuse(reason).into())
            }
        }
    }

    fn with_threshold(model: VisionModel, threshold: f64) -> Result<VisionModel, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                let model = ImageClassification::with_threshold(*model, threshold)?;
                Ok(VisionModel::Classifier(Box::new(model)))
            }
            VisionModel::Segmenter(model) => {
                let model = ImageSegmentation::with_threshold(*model, threshold)?;
                Ok(VisionModel::Segmenter(Box::new(model)))
            }
            VisionModel::Detector(model) => {
                let model = ObjectDetection::with_threshold(*model, threshold)?;
                Ok(VisionModel::Detector(Box::new(model)))
            }
            VisionModel::Landmarker(model) => {
                let model = Landmarks::with_threshold(*model, threshold)?;
                Ok(VisionModel::Landmarker(Box::new(model)))
            }
        }
    }

    fn evaluate(
        model: &VisionModel,
        request: &EvalRequest<'_, VisionRecipe>,
    ) -> Result<EvalReport, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                let request = of_task(request, VisionRecipe::classification);
                ImageClassification::evaluate(model, &request)
            }
            VisionModel::Segmenter(model) => {
                let request = of_task(request, VisionRecipe::segmentation);
                ImageSegmentation::evaluate(model, &request)
            }
            VisionModel::Detector(model) => {
                let request = of_task(request, VisionRecipe::detection);
                ObjectDetection::evaluate(model, &request)
            }
            VisionModel::Landmarker(model) => {
                let request = of_task(request, VisionRecipe::landmarks);
                Landmarks::evaluate(model, &request)
            }
        }
    }

    fn check_inputs(
        model: &VisionModel,
        inputs: &[PathBuf],
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        match model {
            // It writes no images.
            VisionModel::Classifier(_) => Ok(()),
            VisionModel::Segmenter(model) => {
                ImageSegmentation::check_inputs(model, inputs, options)
            }
            VisionModel::Detector(model) => ObjectDetection::check_inputs(model, inputs, options),
            VisionModel::Landmarker(model) => Landmarks::check_inputs(model, inputs, options),
        }
    }

    fn predict(
        model: &VisionModel,
        path: &Path,
        options: &InputOptions<PhotoOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                if options.own != PhotoOptions::default() {
                    return Err(TaskError::user(
                        "`--background`, `--no-refine`, `--overwrite`, `--coco` and `--detector` are for models of \
                         segmentation, object detection or landmarks",
                    ));
                }
                let options = InputOptions {
                    columns: options.columns.clone(),
                    all_columns: options.all_columns,
                    out: options.out.clone(),
                    range: options.range.clone(),
                    own: (),
                };
                ImageClassification::predict(model, path, &options, each)
            }
            VisionModel::Segmenter(model) => ImageSegmentation::predict(model, path, options, each),
            VisionModel::Detector(model) => ObjectDetection::predict(model, path, options, each),
            VisionModel::Landmarker(model) => Landmarks::predict(model, path, options, each),
        }
    }

    fn finish_inputs(
        model: &VisionModel,
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        match model {
            // Its predictions are all that it writes.
            VisionModel::Classifier(_) => Ok(()),
            VisionModel::Segmenter(model) => ImageSegmentation::finish_inputs(model, options),
            VisionModel::Detector(model) => ObjectDetection::finish_inputs(model, options),
            VisionModel::Landmarker(model) => Landmarks::finish_inputs(model, options),
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
        match model {
            VisionModel::Classifier(model) => ImageClassification::writes_files(model),
            VisionModel::Segmenter(model) => ImageSegmentation::writes_files(model),
            VisionModel::Detector(model) => ObjectDetection::writes_files(model),
            VisionModel::Landmarker(model) => Landmarks::writes_files(model),
        }
    }

    fn columns(model: &VisionModel) -> Vec<String> {
        match model {
            VisionModel::Classifier(model) => ImageClassification::columns(model),
            VisionModel::Segmenter(model) => ImageSegmentation::columns(model),
            VisionModel::Detector(model) => ObjectDetection::columns(model),
            VisionModel::Landmarker(model) => Landmarks::columns(model),
        }
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
