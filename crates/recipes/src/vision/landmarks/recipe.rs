//! The recipe of landmarks.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::{Augment, GroupBy, MAX_SIDE};
use tinderbox_datasets::landmarks::BadPoints;
use tinderbox_models::LayerSummary;
use tinderbox_predict::model_dir::portable;
use tinderbox_predict::vision::LandmarkModelConfig;
use tinderbox_train::docs::METRICS_DOCS;
use tinderbox_train::landmarks::WingLoss;
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, Split, TrainConfig, TrainingOptions,
    check_name, check_range,
};
use toml::Table;

use super::docs::DOCS;
use crate::vision::classify::FLIP_DOCS;
use crate::vision::recipe::of_section;

/// The value of the key `task` in a recipe of landmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandmarkTag {
    /// Landmarks.
    #[default]
    Landmarks,
}

/// Images with landmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkData {
    /// The folder.
    pub path: String,
    /// Folders of more faces, which are only trained on.
    pub extra: Vec<String>,
    /// What keeps images in one split, where the data name none.
    pub group_by: GroupBy,
    /// Number of points of a face; 0 for that of the data.
    pub points: usize,
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Side of a crop, in pixels.
    pub size: usize,
    /// Share of the longer side of the box around the points that the crop is larger by, on each side.
    pub margin: f64,
    /// What is done with faces whose points cannot be used as they are.
    pub bad_points: BadPoints,
}

impl LandmarkData {
    /// The same without absolute paths, for a model folder.
    pub(super) fn portable(&self) -> Self {
        Self {
            path: portable(&self.path),
            extra: self.extra.iter().map(|path| portable(path)).collect(),
            ..self.clone()
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if !matches!(self.channels, 1 | 3) {
            return Err(ConfigError::new("data.channels", self.channels, "1 or 3"));
        }
        check_range("data.size", self.size as f64, 8.0..=MAX_SIDE as f64)?;
        check_range("data.margin", self.margin, 0.0..=2.0)
    }
}

/// How a cascade is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeFit {
    /// Crops of each training face: the plain one, and changed ones.
    pub versions: usize,
    /// Penalty of the first step, in mean squares of a row of features.
    pub coarse_l2: f64,
    /// Penalty of the other steps, in the same unit.
    pub l2: f64,
}

impl CascadeFit {
    fn validate(&self) -> Result<(), ConfigError> {
        check_range("cascade.versions", self.versions as f64, 1.0..=1_000.0)?;
        check_range("cascade.coarse_l2", self.coarse_l2, 1e-6..=1e9)?;
        check_range("cascade.l2", self.l2, 1e-6..=1e9)
    }
}

/// Everything that determines a model of landmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkRecipe {
    /// Names the task.
    pub task: LandmarkTag,
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Published weights whose features a cascade reads.
    pub weights: String,
    /// Whether predictions are the mean of those for the crop and the mirrored crop.
    pub average_flip: bool,
    /// The images and points.
    pub data: LandmarkData,
    /// Their splits.
    pub split: Split,
    /// Random changes of training crops.
    pub augment: Augment,
    /// The network.
    pub model: LandmarkModelConfig,
    /// How a cascade is fitted.
    pub cascade: CascadeFit,
    /// The loss of a network that is trained by steps.
    pub loss: WingLoss,
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

tinderbox_train::task_recipe!(LandmarkRecipe, self => Some(&mut self.data.path));

impl Patchable for LandmarkRecipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "model" => Table::try_from(LandmarkModelConfig::of_kind(kind)?).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[FLIP_DOCS, DOCS, METRICS_DOCS]
    }
}

impl LandmarkRecipe {
    /// The settings of the training loop.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = self.split.folds + 1;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
    }

    /// `[height, width, channels]` of a training crop.
    pub(in crate::vision) fn shape(&self) -> [usize; 3] {
        [self.data.size, self.data.size, self.data.channels]
    }

    /// The layers of the network; for one point before the data is read.
    ///
    /// # Errors
    ///
    /// Names the key of the network that is out of range.
    pub(in crate::vision) fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        let data = &self.data;
        self.model
            .layers([data.size, data.channels, data.points.max(1)])
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.data.validate()?;
        self.split.validate()?;
        self.augment
            .validate()
            .map_err(|error| of_section("augment", &error))?;
        let augment = &self.augment;
        for (key, value) in [
            ("augment.shear", augment.shear),
            ("augment.vertical_flip", augment.vertical_flip),
            ("augment.quarter_turns", augment.quarter_turns),
            ("augment.elastic", augment.elastic),
            ("augment.unwarped", augment.unwarped),
            ("augment.crop", augment.crop as f32),
            ("augment.mixup", augment.mixup),
            ("augment.cutmix", augment.cutmix),
        ] {
            if value > 0.0 {
                return Err(ConfigError::new(key, value, "0 for landmarks"));
            }
        }
        self.cascade.validate()?;
        self.loss.validate()?;
        self.train_config().validate()?;
        self.train.check_monitor(&["loss", "nme"])
    }
}
