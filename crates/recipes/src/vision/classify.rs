//! Image classification, from a recipe to a model folder and back.

#[cfg(feature = "baseline")]
mod baseline;
mod builtin;
mod docs;
mod evaluate;
mod fit;
mod images;
mod inferred;
mod inputs;
mod recipe;
#[cfg(feature = "baseline")]
mod scratch;
mod transfer;

use tinderbox_models::LayerSummary;
use tinderbox_predict::vision::{ImageClassifier, ImageClassifierSpec, Normalize, PublishedModel};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::Overview;
use tinderbox_train::{Task as _, TaskError, class_warnings};

pub(super) use builtin::BUILTIN;
pub(super) use docs::{DATA_DOCS, DOCS, FLIP_DOCS, SHIFT_DOCS};
pub(super) use evaluate::evaluate;
pub use inferred::InferredRecipe;
pub(super) use inputs::predict;
pub use recipe::Recipe;

use super::VisionTask;
use super::batch::measure;
use super::data::{ImageData, open, open_decoded};
use super::eval_rows::TrainingData;
use super::splits::ImageSplits;

/// Image classification: a recipe with its images.
pub(super) struct ImageClassification {
    pub(super) recipe: Recipe,
    data: ImageData,
    pub(super) splits: ImageSplits,
    pub(super) list: SplitList,
    normalize: Normalize,
    /// The weights that training starts from.
    pretrained: Option<PublishedModel>,
    /// Lines on these for the user.
    notes: Vec<String>,
    layers: Vec<LayerSummary>,
}

impl ImageClassification {
    /// Reads the images of a recipe and checks everything that can be checked before training.
    pub(super) fn prepare(mut recipe: Recipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let pretrained = transfer::open(&mut recipe)?;
        let data = match &pretrained {
            Some((_, decode)) => open_decoded(&recipe.data, decode.clone())?,
            None => open(&recipe.data)?,
        };
        let pretrained = pretrained.map(|(weights, _)| weights);
        let splits = ImageSplits::new(&data, &recipe.split)?;
        let notes = transfer::resolve(&mut recipe, pretrained.as_ref(), splits.splits.train.len())?;
        for part in splits.folds.iter().chain([&splits.splits]) {
            recipe.check_batch(recipe.train.batch_size.min(part.train.len()))?;
        }
        recipe.check_shift(data.shape())?;
        let layers = recipe.model.layers(data.shape(), data.classes.len())?;
        let list = splits.list(&data);
        let normalize = match &pretrained {
            Some(weights) => weights.normalize.clone(),
            None => measure(&*data.select(splits.splits.train.clone())?, data.shape()[2])?,
        };
        Ok(Self {
            recipe,
            data,
            splits,
            list,
            normalize,
            pretrained,
            notes,
            layers,
        })
    }

    /// What was read, how it is split, and what looks wrong.
    pub(super) fn overview(&self) -> Overview {
        let [height, width, channels] = self.data.shape();
        let classes = self.data.classes.len();
        let splits = self.splits.overview(|rows| self.data.class_counts(rows));
        let weighted = self.recipe.loss.class_weights != ClassWeights::None;
        Overview {
            summary: format!("images of {height}x{width}x{channels}, {classes} classes"),
            duplicates: self.splits.duplicates,
            shared: self.splits.shared,
            notes: [self.data.all_notes(), self.notes.clone()].concat(),
            warnings: class_warnings(&splits, VisionTask::ITEM, weighted),
            splits,
            layers: self.layers.clone(),
            ..Overview::default()
        }
    }

    /// The content of `model.json`.
    fn spec(&self, normalize: &Normalize) -> Result<ImageClassifierSpec, TaskError> {
        let training = TrainingData {
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            digest: self.list.digest(),
        };
        Ok(ImageClassifierSpec {
            kind: ImageClassifier::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            members: self.recipe.ensemble,
            model: self.recipe.model.clone(),
            labels: self.data.classes.clone(),
            input: self.data.decode.clone(),
            normalize: normalize.clone(),
            average_flip: self.recipe.average_flip,
            average_shift: self.recipe.average_shift,
            temperature: tinderbox_predict::calibration::Temperature::default(),
            training: serde_json::to_value(training).map_err(TaskError::internal)?,
        })
    }
}
