//! Object detection, from a recipe to a model folder and back: boxes with classes and scores.

#[cfg(feature = "baseline")]
mod baseline;
mod batch;
mod builtin;
mod coco;
mod data;
mod docs;
mod doubts;
mod evaluate;
mod fit;
mod images;
mod inferred;
mod inputs;
mod recipe;
mod weights;

use tinderbox_models::LayerSummary;
use tinderbox_predict::vision::{Detector, DetectorSpec, Normalize, PublishedDetector};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::format::thousands;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{Noun, Overview};
use tinderbox_train::{Split, TaskError, box_warnings};

pub(super) use builtin::BUILTIN;
pub use builtin::FINE_TUNING;
pub use coco::CocoFile;
pub(super) use docs::DOCS;
pub(super) use evaluate::evaluate;
pub use inferred::InferredDetection;
pub(super) use inputs::predict;
pub use recipe::{BoxData, DetectionRecipe, DetectionTag};

use data::BoxedImages;

use super::batch::measure;
use super::data::DataError;
use super::eval_rows::TrainingData;
use super::splits::ImageSplits;

/// Object detection: a recipe with its images and boxes.
///
/// With the feature `baseline` the network is compared with histograms of oriented gradients (HOG) in sliding
/// windows of logistic regression, by the same metrics on the same images.
pub(super) struct ObjectDetection {
    pub(super) recipe: DetectionRecipe,
    data: BoxedImages,
    pub(super) splits: ImageSplits,
    pub(super) list: SplitList,
    normalize: Normalize,
    layers: Vec<LayerSummary>,
    /// Published weights of the network.
    weights: Option<PublishedDetector>,
}

/// Steps below which a detector has hardly learned, even from published weights.
const FEW_STEPS: usize = 400;

/// Steps after which it has, from published weights: those of BCCD with the settings of `--weights`.
const GOOD_STEPS: usize = 600;

/// The splits of images with boxes, which have no class to be split by.
fn splits_of(data: &BoxedImages, split: &Split) -> Result<ImageSplits, DataError> {
    if let Some(groups) = &data.groups {
        return ImageSplits::of_groups(groups, &data.contents, split);
    }
    ImageSplits::without_classes(&data.contents, &data.named, split)
}

impl ObjectDetection {
    /// Reads the images of a recipe and checks everything that can be checked before training.
    pub(super) fn prepare(mut recipe: DetectionRecipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let weights = weights::open(&mut recipe)?;
        // The weights may have changed the network.
        recipe.check_loss()?;
        let data = BoxedImages::open(&recipe.data)?;
        data.check_trainable()?;
        recipe.data.classes = data.classes().to_vec();
        let splits = splits_of(&data, &recipe.split)?;
        let layers = recipe
            .model
            .layers(recipe.shape(), recipe.data.classes.len())?;
        let train = &splits.splits;
        let list = SplitList::new(data.items(), [&train.train, &train.valid, &train.test]);
        let normalize = match &weights {
            Some(weights) => weights.normalize(),
            None => measure(&*data.select(&train.train)?, recipe.data.channels)?,
        };
        Ok(Self {
            recipe,
            data,
            splits,
            list,
            normalize,
            layers,
            weights,
        })
    }

    /// What was read, how it is split, and what looks wrong.
    pub(super) fn overview(&self) -> Overview {
        let splits = self.splits.overview(|rows| self.class_counts(rows));
        let weighted = self.recipe.loss.class_weights != ClassWeights::None
            || self.recipe.train.balanced_sampling;
        let mut warnings = box_warnings(&splits, weighted);
        warnings.extend(self.few_steps());
        let boxes: usize = self.data.counts(&self.all_rows()).iter().sum();
        Overview {
            summary: format!(
                "{} boxes of {} {} in {} images ({}), scaled to {} pixels",
                thousands(boxes),
                self.recipe.data.classes.len(),
                Noun("class", "classes").of(self.recipe.data.classes.len()),
                thousands(self.data.contents.len()),
                self.data.format().name(),
                self.recipe.data.size
            ),
            splits,
            duplicates: self.splits.duplicates,
            shared: self.splits.shared,
            notes: self.notes(),
            warnings,
            layers: self.layers.clone(),
            ..Overview::default()
        }
    }

    fn all_rows(&self) -> Vec<usize> {
        (0..self.data.contents.len()).collect()
    }

    /// Boxes of each class in some images.
    fn class_counts(&self, rows: &[usize]) -> Vec<(String, usize)> {
        let names = self.recipe.data.classes.iter().cloned();
        names.zip(self.data.counts(rows)).collect()
    }

    /// Notes on the data and on where the weights are from.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.data.notes();
        if let Some(weights) = &self.weights {
            let (name, path) = (&weights.architecture, weights.path().display());
            notes.push(format!(
                "{name} with the weights of `{path}`, new outputs for the classes"
            ));
            notes.extend(weights.notes.iter().cloned());
        }
        notes
    }

    /// A warning if the optimizer takes fewer steps than a detector needs to learn new classes.
    fn few_steps(&self) -> Option<String> {
        let train = &self.recipe.train;
        let images = self.splits.splits.train.len();
        let batches = images.div_ceil(train.batch_size);
        let per_epoch = batches.div_ceil(train.gradient_accumulation).max(1);
        let steps = per_epoch * train.epochs;
        (steps < FEW_STEPS && train.budget.is_empty()).then(|| {
            format!(
                "{} epochs of {} images are only {} steps, after which a detector has hardly learned: `--epochs {}` \
                 has {}",
                thousands(train.epochs),
                thousands(images),
                thousands(steps),
                GOOD_STEPS.div_ceil(per_epoch),
                thousands(GOOD_STEPS)
            )
        })
    }

    /// The content of `model.json`.
    fn spec(&self, normalize: &Normalize, threshold: f32) -> Result<DetectorSpec, TaskError> {
        let training = TrainingData {
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            digest: self.list.digest(),
        };
        Ok(DetectorSpec {
            kind: Detector::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            model: self.recipe.model.clone(),
            labels: self.recipe.data.classes.clone(),
            input: self.recipe.input(),
            normalize: normalize.clone(),
            threshold,
            training: serde_json::to_value(training).map_err(TaskError::internal)?,
        })
    }
}
