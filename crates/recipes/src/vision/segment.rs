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

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{
    Normalize, PublishedModel, SegmentationModelConfig, Segmenter, SegmenterSpec,
};
use tinderbox_train::memory::check_memory;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Split, Task, TaskError};

pub(super) use builtin::BUILTIN;
pub(super) use docs::DOCS;
pub use inferred::InferredSegmentation;
pub use output::Background;
pub use recipe::{MaskedData, SegmentationRecipe, SegmentationTag};

use data::MaskedImages;

use super::PhotoOptions;
use super::batch::measure;
use super::data::DataError;
use super::eval_rows::TrainingData;
use super::photos::check_outputs;
use super::splits::ImageSplits;

/// Segmentation: a recipe with its images and masks.
pub struct ImageSegmentation {
    recipe: SegmentationRecipe,
    data: MaskedImages,
    splits: ImageSplits,
    list: SplitList,
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

impl Task for ImageSegmentation {
    type Recipe = SegmentationRecipe;
    type Model = Segmenter;
    type InputOptions = PhotoOptions;

    const KIND: &'static str = Segmenter::KIND;
    const ITEM: Noun = Noun("image", "images");

    fn check_memory(recipe: &SegmentationRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let layers = recipe.layers()?;
        let [height, width, channels] = recipe.shape();
        let input = height * width * channels;
        let keys = "`data.size`, `train.batch_size` or `model`";
        Ok(check_memory(&layers, input, recipe.train.batch_size, keys)?)
    }

    fn check_recipe(recipe: &SegmentationRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        recipe.layers()?;
        Ok(())
    }

    fn prepare(mut recipe: SegmentationRecipe) -> Result<Self, TaskError> {
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

    fn recipe(&self) -> &SegmentationRecipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
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

    fn split_list(&self) -> Option<&SplitList> {
        Some(&self.list)
    }

    fn without_test(mut self) -> Self {
        self.splits.hide_test();
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        self.train_parts(run, device, options)
    }

    fn load(dir: &Path, device: &Device) -> Result<Segmenter, TaskError> {
        Ok(Segmenter::load(&ModelFiles::open(dir), device)?)
    }

    fn evaluate(
        model: &Segmenter,
        request: &EvalRequest<'_, SegmentationRecipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate::evaluate(model, request)
    }

    fn check_inputs(
        _model: &Segmenter,
        inputs: &[PathBuf],
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        check_outputs(inputs, options)
    }

    fn predict(
        model: &Segmenter,
        path: &Path,
        options: &InputOptions<PhotoOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        inputs::predict(model, path, options, each)
    }

    fn range(
        _: &Segmenter,
        path: &Path,
        options: &PhotoOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        options.range(path, shard)
    }

    fn writes_files(_model: &Segmenter) -> bool {
        true
    }

    fn columns(model: &Segmenter) -> Vec<String> {
        let sides = ["height", "width"].map(str::to_owned).into_iter();
        sides.chain(model.labels().iter().cloned()).collect()
    }
}

impl SegmentationRecipe {
    /// `[height, width, channels]` of a training image.
    fn shape(&self) -> [usize; 3] {
        [self.data.size, self.data.size, self.data.channels]
    }

    fn layers(&self) -> Result<Vec<LayerSummary>, TaskError> {
        Ok(self.model.layers(self.shape(), self.data.classes.len())?)
    }
}

impl ImageSegmentation {
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
