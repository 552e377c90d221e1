//! All tasks on images as one task, for a program that serves all of them.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Task, TaskError};

use super::ImageClassification;
use super::recipe::VisionRecipe;

/// Any task on images: its recipe names it.
pub struct VisionTask {
    recipe: VisionRecipe,
    task: AnyTask,
}

enum AnyTask {
    Classification(Box<ImageClassification>),
}

/// A trained model of any task on images: `kind` in `model.json` names it.
#[derive(Clone, Debug)]
pub enum VisionModel {
    /// An image classifier.
    Classifier(Box<ImageClassifier>),
}

/// Applies a function to whichever task it is.
macro_rules! of_any {
    ($any:expr, $task:ident => $result:expr) => {
        match $any {
            AnyTask::Classification($task) => $result,
        }
    };
}

impl VisionTask {
    /// The task, if it is classification.
    pub fn classification(&self) -> Option<&ImageClassification> {
        match &self.task {
            AnyTask::Classification(task) => Some(task),
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
        }
    }
}

impl Task for VisionTask {
    type Recipe = VisionRecipe;
    type Model = VisionModel;
    type InputOptions = ();

    /// That of the default task; [`load`](Task::load) reads every kind.
    const KIND: &'static str = ImageClassification::KIND;
    const ITEM: Noun = ImageClassification::ITEM;

    fn check_memory(recipe: &VisionRecipe) -> Result<(), TaskError> {
        match recipe {
            VisionRecipe::Classification(recipe) => ImageClassification::check_memory(recipe),
        }
    }

    fn prepare(recipe: VisionRecipe) -> Result<Self, TaskError> {
        let task = match recipe {
            VisionRecipe::Classification(recipe) => {
                AnyTask::Classification(Box::new(ImageClassification::prepare(recipe)?))
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

    fn train(&self, device: &Device, options: Options) -> Result<Report, TaskError> {
        of_any!(&self.task, task => task.train(device, options))
    }

    fn load(dir: &Path, device: &Device) -> Result<VisionModel, TaskError> {
        let files = ModelFiles::open(dir);
        match files.kind()?.as_str() {
            ImageClassifier::KIND => {
                let model = ImageClassification::load(dir, device)?;
                Ok(VisionModel::Classifier(Box::new(model)))
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
        }
    }

    fn predict(
        model: &VisionModel,
        path: &Path,
        options: &InputOptions<()>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        match model {
            VisionModel::Classifier(model) => {
                ImageClassification::predict(model, path, options, each)
            }
        }
    }

    fn columns(model: &VisionModel) -> Vec<String> {
        match model {
            VisionModel::Classifier(model) => ImageClassification::columns(model),
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
