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

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{Detector, DetectorSpec, Normalize, PublishedDetector};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::format::thousands;
use tinderbox_train::memory::check_memory;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Split, Task, TaskError, box_warnings};

pub(super) use builtin::BUILTIN;
pub use builtin::FINE_TUNING;
pub use coco::CocoFile;
pub(super) use docs::DOCS;
pub use inferred::InferredDetection;
pub use recipe::{BoxData, DetectionRecipe, DetectionTag};

use data::BoxedImages;

use super::PhotoOptions;
use super::batch::measure;
use super::data::DataError;
use super::eval_rows::TrainingData;
use super::photos::check_outputs;
use super::splits::ImageSplits;

/// Object detection: a recipe with its images and boxes.
///
/// With the feature `baseline` the network is compared with histograms of oriented gradients (HOG) in sliding
/// windows of logistic regression, by the same metrics on the same images.
pub struct ObjectDetection {
    recipe: DetectionRecipe,
    data: BoxedImages,
    splits: ImageSplits,
    list: SplitList,
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

impl Task for ObjectDetection {
    type Recipe = DetectionRecipe;
    type Model = Detector;
    type InputOptions = PhotoOptions;

    const KIND: &'static str = Detector::KIND;
    const ITEM: Noun = Noun("image", "images");

    fn check_memory(recipe: &DetectionRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let [height, width, channels] = recipe.shape();
        let classes = recipe.data.classes.len().max(1);
        let layers = recipe.model.layers(recipe.shape(), classes)?;
        let input = height * width * channels;
        let keys = "`data.size`, `train.batch_size` or `model`";
        Ok(check_memory(&layers, input, recipe.train.batch_size, keys)?)
    }

    fn check_recipe(recipe: &DetectionRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let classes = recipe.data.classes.len().max(1);
        recipe.model.layers(recipe.shape(), classes)?;
        Ok(())
    }

    fn prepare(mut recipe: DetectionRecipe) -> Result<Self, TaskError> {
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

    fn recipe(&self) -> &DetectionRecipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
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

    fn load(dir: &Path, device: &Device) -> Result<Detector, TaskError> {
        Ok(Detector::load(&ModelFiles::open(dir), device)?)
    }

    fn with_threshold(model: Detector, threshold: f64) -> Result<Detector, TaskError> {
        Ok(model.with_threshold(threshold as f32))
    }

    fn evaluate(
        model: &Detector,
        request: &EvalRequest<'_, DetectionRecipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate::evaluate(model, request)
    }

    fn check_inputs(
        _model: &Detector,
        inputs: &[PathBuf],
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        check_outputs(inputs, options)
    }

    fn predict(
        model: &Detector,
        path: &Path,
        options: &InputOptions<PhotoOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        inputs::predict(model, path, options, each)
    }

    fn finish_inputs(
        _model: &Detector,
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        match &options.own.coco {
            Some(file) => file.finish(),
            None => Ok(()),
        }
    }

    fn range(
        _: &Detector,
        path: &Path,
        options: &PhotoOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        options.range(path, shard)
    }

    fn writes_files(_model: &Detector) -> bool {
        true
    }

    fn columns(_model: &Detector) -> Vec<String> {
        ["height", "width", "objects"].map(str::to_owned).to_vec()
    }
}

impl DetectionRecipe {
    /// `[height, width, channels]` of a training image.
    fn shape(&self) -> [usize; 3] {
        [self.data.size, self.data.size, self.data.channels]
    }
}

impl ObjectDetection {
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
