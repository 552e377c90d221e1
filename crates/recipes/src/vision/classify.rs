//! Image classification, from a recipe to a model folder and back.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::vision::{ImageClassification, Recipe};
//! use tinderbox_train::{Options, Task};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("digits").expect("it is built in");
//! let task = ImageClassification::prepare(recipe)?;
//! let report = task.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["accuracy"]);
//! # Ok(())
//! # }
//! ```

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

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{ImageClassifier, ImageClassifierSpec, Normalize, PublishedModel};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::memory::check_memory;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Task, TaskError, class_warnings};

pub(super) use builtin::BUILTIN;
pub(super) use docs::{DATA_DOCS, DOCS, FLIP_DOCS, SHIFT_DOCS};
pub use inferred::InferredRecipe;
pub use recipe::Recipe;

use super::batch::measure;
use super::data::{ImageData, open, open_decoded};
use super::eval_rows::TrainingData;
use super::inputs::range;
use super::splits::ImageSplits;

/// Image classification: a recipe with its images.
pub struct ImageClassification {
    recipe: Recipe,
    data: ImageData,
    splits: ImageSplits,
    list: SplitList,
    normalize: Normalize,
    /// The weights that training starts from.
    pretrained: Option<PublishedModel>,
    /// Lines on these for the user.
    notes: Vec<String>,
    layers: Vec<LayerSummary>,
}

impl Task for ImageClassification {
    type Recipe = Recipe;
    type Model = ImageClassifier;
    type InputOptions = ();

    const KIND: &'static str = ImageClassifier::KIND;
    const ITEM: Noun = Noun("image", "images");

    fn check_memory(recipe: &Recipe) -> Result<(), TaskError> {
        recipe.validate()?;
        // Arrays are small; for files the recipe sets the size.
        // Published weights set it too, and only a part of the network may be trained.
        let shape = recipe.data.shape().filter(|_| recipe.transfer.is_none());
        let Some(shape) = shape else {
            return Ok(());
        };
        let layers = recipe.model.layers(shape, 2)?;
        let input = shape
            .iter()
            .fold(1, |product: usize, &side| product.saturating_mul(side));
        let keys = "`data.height`, `data.width`, `train.batch_size` or `model`";
        Ok(check_memory(&layers, input, recipe.train.batch_size, keys)?)
    }

    fn check_recipe(recipe: &Recipe) -> Result<(), TaskError> {
        recipe.validate()?;
        // Published weights bring their network.
        if recipe.transfer.is_none() {
            let shape = recipe.data.shape().unwrap_or([64, 64, 3]);
            recipe.model.layers(shape, 2)?;
        }
        Ok(())
    }

    fn prepare(mut recipe: Recipe) -> Result<Self, TaskError> {
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

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        let [height, width, channels] = self.data.shape();
        let classes = self.data.classes.len();
        let splits = self.splits.overview(|rows| self.data.class_counts(rows));
        let weighted = self.recipe.loss.class_weights != ClassWeights::None;
        Overview {
            summary: format!("images of {height}x{width}x{channels}, {classes} classes"),
            duplicates: self.splits.duplicates,
            shared: self.splits.shared,
            notes: [self.data.all_notes(), self.notes.clone()].concat(),
            warnings: class_warnings(&splits, Self::ITEM, weighted),
            splits,
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

    fn load(dir: &Path, device: &Device) -> Result<ImageClassifier, TaskError> {
        Ok(ImageClassifier::load(&ModelFiles::open(dir), device)?)
    }

    fn with_threshold(
        model: ImageClassifier,
        threshold: f64,
    ) -> Result<ImageClassifier, TaskError> {
        Ok(model.with_threshold(threshold)?)
    }

    fn evaluate(
        model: &ImageClassifier,
        request: &EvalRequest<'_, Recipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate::evaluate(model, request)
    }

    fn predict(
        model: &ImageClassifier,
        path: &Path,
        options: &InputOptions<()>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        inputs::predict(model, path, options, each)
    }

    fn range(
        _: &ImageClassifier,
        path: &Path,
        (): &(),
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        range(path, shard)
    }

    fn columns(model: &ImageClassifier) -> Vec<String> {
        let label = std::iter::once("label".to_owned());
        label.chain(model.labels().iter().cloned()).collect()
    }
}

impl ImageClassification {
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
