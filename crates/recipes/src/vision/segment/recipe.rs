//! The recipe of a segmentation model.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::{Augment, MAX_SIDE, MaskValues};
use tinderbox_models::LayerSummary;
use tinderbox_predict::model_dir::portable;
use tinderbox_predict::vision::{InputScale, SegmentationInput, SegmentationModelConfig};
use tinderbox_train::docs::METRICS_DOCS;
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::segment::SegmentationLoss;
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, Split, TrainConfig, TrainingOptions,
    check_name, check_range,
};
use toml::Table;

use super::docs::DOCS;
use crate::vision::recipe::of_section;

/// The value of the key `task` in a recipe of segmentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentationTag {
    /// Segmentation.
    #[default]
    Segmentation,
}

/// Images with masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedData {
    /// The folder.
    pub path: String,
    /// Names of the classes in the order of their numbers in the masks; the first is the background.
    pub classes: Vec<String>,
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Longer side of a scaled image, or side of a crop, in pixels.
    pub size: usize,
    /// Whether images are scaled to the size, or cropped at their own scale.
    pub scale: InputScale,
    /// What the values of mask files mean.
    pub values: MaskValues,
    /// Whether damaged photos and masks are left out (and counted) instead of refused.
    pub skip_broken: bool,
}

impl MaskedData {
    /// The input of the network.
    pub fn input(&self) -> SegmentationInput {
        SegmentationInput {
            channels: self.channels,
            size: self.size,
            scale: self.scale,
        }
    }

    /// The same without absolute paths, for a model folder.
    pub(super) fn portable(&self) -> Self {
        Self {
            path: portable(&self.path),
            ..self.clone()
        }
    }

    fn validate(&self, multiple: usize) -> Result<(), ConfigError> {
        if !(2..=1_000).contains(&self.classes.len()) {
            let expected = "a list of between 2 and 1000 names, the background first";
            return Err(ConfigError::new(
                "data.classes",
                self.classes.len(),
                expected,
            ));
        }
        if !matches!(self.channels, 1 | 3) {
            return Err(ConfigError::new("data.channels", self.channels, "1 or 3"));
        }
        if !(1..=MAX_SIDE).contains(&self.size) || !self.size.is_multiple_of(multiple) {
            let expected =
                format!("between 1 and {MAX_SIDE}, and for this network a multiple of {multiple}");
            return Err(ConfigError::new("data.size", self.size, expected));
        }
        Ok(())
    }
}

/// Everything that determines a segmentation model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationRecipe {
    /// Names the task.
    pub task: SegmentationTag,
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Number of networks, with different seeds, whose probabilities are averaged.
    pub ensemble: usize,
    /// Folder with published weights of the backbone; empty to train it from scratch.
    pub weights: String,
    /// Whether the edges of masks are brought to those of the photo by a guided filter.
    pub refine: bool,
    /// Whether a prediction is the mean over the eight turned and mirrored copies of the photo.
    #[serde(default)]
    pub test_time_augmentation: bool,
    /// Whether the foreground is objects that the background separates, such as cells and membranes:
    /// V-Rand and V-Info are then measured.
    pub separate_objects: bool,
    /// The images and masks.
    pub data: MaskedData,
    /// Their splits.
    pub split: Split,
    /// Random changes of training images and their masks.
    pub augment: Augment,
    /// The network.
    pub model: SegmentationModelConfig,
    /// The loss.
    pub loss: SegmentationLoss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Epochs, batches, seed and checkpoints.
    pub train: TrainingOptions,
    /// What is recorded besides `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
    pub metrics: MetricsOptions,
}

tinderbox_train::task_recipe!(SegmentationRecipe, self => Some(&mut self.data.path));

impl Patchable for SegmentationRecipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "model" => Table::try_from(SegmentationModelConfig::of_kind(kind)?).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, METRICS_DOCS]
    }
}

impl SegmentationRecipe {
    /// The settings of the training loop.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = (self.split.folds + 1) * self.ensemble;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
    }

    /// `[height, width, channels]` of a training image.
    pub(in crate::vision) fn shape(&self) -> [usize; 3] {
        [self.data.size, self.data.size, self.data.channels]
    }

    /// The layers of the network.
    ///
    /// # Errors
    ///
    /// Names the key of the network that is out of range.
    pub(in crate::vision) fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        self.model.layers(self.shape(), self.data.classes.len())
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        check_range("ensemble", self.ensemble as f64, 1.0..=100.0)?;
        self.data.validate(self.model.min_multiple())?;
        self.split.validate()?;
        self.augment
            .validate()
            .map_err(|error| of_section("augment", &error))?;
        for (key, value) in [
            ("augment.mixup", self.augment.mixup),
            ("augment.cutmix", self.augment.cutmix),
        ] {
            if value > 0.0 {
                return Err(ConfigError::new(key, value, "0: masks cannot be blended"));
            }
        }
        self.loss.validate()?;
        self.train_config().validate()?;
        if self.train.balanced_sampling {
            let expected = "false: an image has no single class";
            return Err(ConfigError::new("train.balanced_sampling", true, expected));
        }
        self.train.check_monitor(&["loss", "iou"])
    }
}
