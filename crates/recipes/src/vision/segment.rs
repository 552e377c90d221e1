//! Segmentation of images, from a recipe to a model folder and back: a class for every pixel.
//!
//! With the feature `baseline` a network is compared with pixel classification: boosted trees on the responses of
//! filters.

#[cfg(feature = "baseline")]
mod baseline;
mod batch;
mod builtin;
mod data;
mod docs;
mod evaluate;
#[cfg(feature = "baseline")]
mod filters;
mod fit;
mod images;
mod inferred;
mod inputs;
mod output;
mod recipe;
mod weights;

use serde::{Deserialize, Serialize};
use tinderbox_models::LayerSummary;
use tinderbox_predict::vision::{
    Normalize, PublishedModel, SegmentationModelConfig, Segmenter, SegmenterSpec,
};
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::Overview;
use tinderbox_train::{Split, TaskError};

pub(super) use builtin::BUILTIN;
pub(super) use docs::DOCS;
pub(super) use evaluate::evaluate;
pub use inferred::InferredSegmentation;
pub(super) use inputs::predict;
pub use output::Background;
pub use recipe::{MaskedData, SegmentationRecipe, SegmentationTag};

use data::MaskedImages;

use super::batch::measure;
use super::data::DataError;
use super::eval_rows::TrainingData;
use super::splits::ImageSplits;

/// Segmentation: a recipe with its images and masks.
pub(super) struct ImageSegmentation {
    pub(super) recipe: SegmentationRecipe,
    data: MaskedImages,
    pub(super) splits: ImageSplits,
    pub(super) list: SplitList,
    normalize: Normalize,
    layers: Vec<LayerSummary>,
    /// Share of the area of each class, in the training images.
    areas: Vec<f64>,
    /// Published weights of the encoder.
    weights: Option<PublishedModel>,
}

/// The training data and how masks are compared, as `model.json` holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct MaskTraining {
    #[serde(flatten)]
    images: TrainingData<MaskedData>,
    /// Whether edges are brought to those of the photo.
    refine: bool,
    /// Whether the foreground is objects that the background separates.
    separate_objects: bool,
}

/// The splits of photos with masks, which have no class to be split by.
fn splits_of(data: &MaskedImages, split: &Split) -> Result<ImageSplits, DataError> {
    ImageSplits::without_classes(&data.contents, &data.named, split)
}

impl ImageSegmentation {
    /// Reads the images of a recipe and checks everything that can be checked before training.
    pub(super) fn prepare(mut recipe: SegmentationRecipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let weights = weights::open(&mut recipe)?;
        let data = MaskedImages::open(&recipe.data)?;
        let splits = splits_of(&data, &recipe.split)?;
        let layers = recipe.layers()?;
        let train = &splits.splits;
        let list = SplitList::new(data.items(), [&train.train, &train.valid, &train.test]);
        let normalize = match &weights {
            Some(weights) => weights.normalize.clone(),
            None => measure(&*data.select(&train.train)?, recipe.data.channels)?,
        };
        let areas = data.areas(&train.train)?;
        Ok(Self {
            recipe,
            data,
            splits,
            list,
            normalize,
            layers,
            areas,
            weights,
        })
    }

    /// What was read, how it is split, and what looks wrong.
    pub(super) fn overview(&self) -> Overview {
        let [height, width, channels] = self.recipe.shape();
        let shares = self.recipe.data.classes.iter().zip(&self.areas);
        let shares = shares.map(|(name, share)| format!("{name} {:.1}%", 100.0 * share));
        Overview {
            summary: format!(
                "images of {height}x{width}x{channels} with masks, area by class: {}",
                shares.collect::<Vec<_>>().join(", ")
            ),
            splits: self.splits.overview(|_| Vec::new()),
            duplicates: self.splits.duplicates,
            shared: self.splits.shared,
            notes: self.notes(),
            layers: self.layers.clone(),
            ..Overview::default()
        }
    }

    /// Notes on the data and on where the weights are from.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.data.notes.clone();
        match &self.weights {
            Some(weights) => {
                let (name, path) = (&weights.architecture, weights.path().display());
                notes.push(format!("encoder: {name} with the weights of `{path}`"));
                notes.extend(weights.notes.iter().cloned());
            }
            None if matches!(self.recipe.model, SegmentationModelConfig::BackboneUnet(_)) => notes
                .push(
                    "encoder: trained from scratch; `--weights DIR` starts from published weights"
                        .to_owned(),
                ),
            None => {}
        }
        notes
    }

    /// The content of `model.json`.
    fn spec(&self, normalize: &Normalize) -> Result<SegmenterSpec, TaskError> {
        let training = MaskTraining {
            images: TrainingData {
                data: self.recipe.data.portable(),
                split: self.recipe.split.clone(),
                digest: self.list.digest(),
            },
            refine: self.recipe.refine,
            separate_objects: self.recipe.separate_objects,
        };
        Ok(SegmenterSpec {
            kind: Segmenter::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            members: self.recipe.ensemble,
            model: self.recipe.model.clone(),
            labels: self.recipe.data.classes.clone(),
            input: self.recipe.data.input(),
            normalize: normalize.clone(),
            test_time_augmentation: self.recipe.test_time_augmentation,
            training: serde_json::to_value(training).map_err(TaskError::internal)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_data_is_flat_in_model_json() {
        let SegmentationRecipe { data, split, .. } = SegmentationRecipe::builtin("cutout").unwrap();
        let digest = "1f".to_owned();
        let training = MaskTraining {
            images: TrainingData {
                data: data.clone(),
                split,
                digest,
            },
            refine: true,
            separate_objects: false,
        };
        let json = serde_json::to_value(training).unwrap();
        for key in ["data", "split", "digest", "refine", "separate_objects"] {
            assert!(json.get(key).is_some(), "{key}");
        }
        let read: MaskTraining = serde_json::from_value(json).unwrap();
        assert_eq!(read.images.data, data);
        assert_eq!(read.images.digest, "1f");
    }
}
