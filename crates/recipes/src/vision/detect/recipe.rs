//! The recipe of a detector.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::detection::{BadBoxes, DetectionOptions};
use tinderbox_datasets::image::{Augment, GroupBy, MAX_SIDE, Mosaic};
use tinderbox_models::LayerSummary;
use tinderbox_models::vision::STRIDES;
use tinderbox_predict::model_dir::portable;
use tinderbox_predict::vision::{DetectionInput, DetectionModelConfig};
use tinderbox_train::detect::DetectionLoss;
use tinderbox_train::docs::METRICS_DOCS;
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, Split, TrainConfig, TrainingOptions,
    check_name, check_range,
};
use toml::Table;

use super::docs::DOCS;
use crate::vision::recipe::of_section;

/// The number of pixels that the side of an input is a multiple of.
const MULTIPLE: usize = STRIDES[STRIDES.len() - 1];

/// The value of the key `task` in a recipe of object detection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectionTag {
    /// Object detection.
    #[default]
    Detection,
}

/// Images with boxes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxData {
    /// The folder.
    pub path: String,
    /// Names of the classes; empty for those of the data.
    pub classes: Vec<String>,
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Longer side of a scaled image, in pixels.
    pub size: usize,
    /// What is done with boxes that cannot be used as they are.
    pub bad_boxes: BadBoxes,
    /// Images that stay in one split, such as those of a place or a day.
    pub group_by: GroupBy,
    /// Whether damaged images are left out (and counted) instead of refused.
    pub skip_broken: bool,
}

impl BoxData {
    /// How the folder is opened.
    pub(super) fn options(&self) -> DetectionOptions {
        DetectionOptions {
            classes: self.classes.clone(),
            bad_boxes: self.bad_boxes,
            skip_broken: self.skip_broken,
            channels: self.channels,
        }
    }

    /// The same without absolute paths, for a model folder.
    pub(super) fn portable(&self) -> Self {
        Self {
            path: portable(&self.path),
            ..self.clone()
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if !matches!(self.channels, 1 | 3) {
            return Err(ConfigError::new("data.channels", self.channels, "1 or 3"));
        }
        if !(1..=MAX_SIDE).contains(&self.size) || !self.size.is_multiple_of(MULTIPLE) {
            let expected = format!("a multiple of {MULTIPLE} up to {MAX_SIDE}");
            return Err(ConfigError::new("data.size", self.size, expected));
        }
        Ok(())
    }
}

/// Everything that determines a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionRecipe {
    /// Names the task.
    pub task: DetectionTag,
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Folder with published weights of the network; empty to train it from scratch.
    pub weights: String,
    /// Intersection over union from which two boxes of a class are of one object.
    pub max_overlap: f64,
    /// The images and boxes.
    pub data: BoxData,
    /// Their splits.
    pub split: Split,
    /// Random changes of training images and their boxes.
    pub augment: Augment,
    /// Four training images as one.
    pub mosaic: Mosaic,
    /// The network.
    pub model: DetectionModelConfig,
    /// The loss.
    pub loss: DetectionLoss,
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

tinderbox_train::task_recipe!(DetectionRecipe, self => Some(&mut self.data.path));

impl Patchable for DetectionRecipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "model" => Table::try_from(DetectionModelConfig::of_kind(kind)?).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, METRICS_DOCS]
    }
}

impl DetectionRecipe {
    /// The settings of the training loop.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = self.split.folds + 1;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
    }

    /// The input of the network.
    pub(super) fn input(&self) -> DetectionInput {
        DetectionInput {
            channels: self.data.channels,
            size: self.data.size,
            max_overlap: self.max_overlap as f32,
        }
    }

    /// Checks that the loss has no key that the network does not use.
    pub(super) fn check_loss(&self) -> Result<(), ConfigError> {
        let default = DetectionLoss::default();
        let (key, is_set, kind) = match self.model {
            DetectionModelConfig::FastDetector(_) => {
                let is_set = (self.loss.objectness - default.objectness).abs() > 0.0;
                ("loss.objectness", is_set, "yolox")
            }
            DetectionModelConfig::Yolox(_) => {
                let is_set = (self.loss.distribution - default.distribution).abs() > 0.0;
                ("loss.distribution", is_set, "fast-detector")
            }
        };
        if !is_set {
            return Ok(());
        }
        let expected = format!("left out: only `model.kind={kind}` has it");
        Err(ConfigError::new(key, "another number", expected))
    }

    /// `[height, width, channels]` of a training image.
    pub(in crate::vision) fn shape(&self) -> [usize; 3] {
        [self.data.size, self.data.size, self.data.channels]
    }

    /// The layers of the network; for one class before the data is read.
    ///
    /// # Errors
    ///
    /// Names the key of the network that is out of range.
    pub(in crate::vision) fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        self.model
            .layers(self.shape(), self.data.classes.len().max(1))
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        check_range("max_overlap", self.max_overlap, 0.0..=1.0)?;
        self.data.validate()?;
        self.split.validate()?;
        for (section, checked) in [
            ("augment", self.augment.validate()),
            ("mosaic", self.mosaic.validate()),
        ] {
            checked.map_err(|error| of_section(section, &error))?;
        }
        for (key, value) in [
            ("augment.mixup", self.augment.mixup),
            ("augment.cutmix", self.augment.cutmix),
        ] {
            if value > 0.0 {
                return Err(ConfigError::new(key, value, "0: boxes cannot be blended"));
            }
        }
        self.loss.validate()?;
        self.train_config().validate()?;
        self.train.check_monitor(&["loss", "map50"])
    }
}
