//! The recipe of an image classifier.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::Augment;
use tinderbox_models::LayerSummary;
use tinderbox_predict::vision::{ImageModelConfig, Normalize, Views};
use tinderbox_train::classify::Loss;
use tinderbox_train::docs::{
    LOSS_DOCS, METRICS_DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, RECIPE_DOCS, SPLIT_DOCS, TRAIN_DOCS,
};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, Split, TrainConfig, TrainingOptions,
    check_name, check_range,
};
use toml::Table;

use super::docs::{DATA_DOCS, DOCS, FLIP_DOCS, SHIFT_DOCS};
use crate::vision::recipe::of_section;
use crate::vision::transfer::TRANSFER_DOCS;
use crate::vision::{Data, Transfer};

/// Everything that determines an image classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Number of networks, with different seeds, whose predictions are averaged.
    pub ensemble: usize,
    /// Whether probabilities are calibrated by a temperature, fitted on the validation split (Guo et
    /// al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>).
    pub calibrate: bool,
    /// Whether the probabilities of an image and of its mirror image are averaged.
    #[serde(default)]
    pub average_flip: bool,
    /// Pixels that four more versions of an image are shifted by, whose probabilities are averaged too; 0 for none.
    #[serde(default)]
    pub average_shift: usize,
    /// Published weights to start from; none for a network from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The images.
    pub data: Data,
    /// Their splits.
    pub split: Split,
    /// Random changes of training images.
    pub augment: Augment,
    /// The network.
    pub model: ImageModelConfig,
    /// The loss.
    pub loss: Loss,
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

tinderbox_train::task_recipe!(Recipe, self => self.data.path_mut());

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "data" => Data::of_kind(kind).and_then(|data| Table::try_from(data).ok()),
            "model" => Table::try_from(ImageModelConfig::of_kind(kind)?).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn optional(path: &str) -> Option<Table> {
        match path {
            "transfer" => Table::try_from(Transfer::default()).ok(),
            _ => None,
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[
            RECIPE_DOCS,
            FLIP_DOCS,
            SHIFT_DOCS,
            TRANSFER_DOCS,
            DATA_DOCS,
            SPLIT_DOCS,
            DOCS,
            LOSS_DOCS,
            OPTIMIZER_DOCS,
            PLATEAU_DOCS,
            TRAIN_DOCS,
            METRICS_DOCS,
        ]
    }
}

impl Recipe {
    /// The settings of the training loop.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = (self.split.folds + 1) * self.ensemble;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        check_range("ensemble", self.ensemble as f64, 1.0..=100.0)?;
        check_range("average_shift", self.average_shift as f64, 0.0..=16.0)?;
        self.transfer.as_ref().map_or(Ok(()), Transfer::validate)?;
        self.data.validate()?;
        self.split.validate()?;
        self.augment
            .validate()
            .map_err(|error| of_section("augment", &error))?;
        self.loss.validate()?;
        self.train_config().validate()?;
        self.train.check_monitor(&["loss", "accuracy"])?;
        self.check_batch(self.train.batch_size)
    }

    /// `[height, width, channels]` of the input, where the recipe sets it.
    ///
    /// Arrays and published weights bring theirs.
    pub(in crate::vision) fn shape(&self) -> Option<[usize; 3]> {
        self.data.shape().filter(|_| self.transfer.is_none())
    }

    /// The layers of the network for two classes, as far as they are known without the data.
    ///
    /// # Errors
    ///
    /// Names the key of the network that is out of range.
    pub(in crate::vision) fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        // Published weights bring their network.
        if self.transfer.is_some() {
            return Ok(Vec::new());
        }
        let shape = self.data.shape().unwrap_or([64, 64, 3]);
        self.model.layers(shape, 2)
    }

    /// The versions of an image whose probabilities are averaged.
    pub(super) fn views(&self, normalize: &Normalize) -> Views {
        Views::new(self.average_flip, self.average_shift, normalize)
    }

    /// Checks that a shifted image still shows a part of the image.
    ///
    /// # Errors
    ///
    /// If `average_shift` is as large as a side of the images.
    pub(super) fn check_shift(&self, [height, width, _]: [usize; 3]) -> Result<(), ConfigError> {
        let (shift, side) = (self.average_shift, height.min(width));
        if shift < side || shift == 0 {
            return Ok(());
        }
        let expected = format!("less than {side}, the shorter side of the images");
        Err(ConfigError::new("average_shift", shift, expected))
    }

    /// Checks that a batch has as many images as the network needs.
    ///
    /// # Errors
    ///
    /// If it has one image and the network normalizes over the images.
    pub(super) fn check_batch(&self, images: usize) -> Result<(), ConfigError> {
        if images > 1 || !self.model.normalizes_batches() {
            return Ok(());
        }
        let expected = "at least 2: batch normalization cannot learn from a single image";
        Err(ConfigError::new("train.batch_size", images, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::classify::builtin::BUILTIN;
    use tinderbox_train::overlay::{assign, overlay};

    fn builtin(name: &str) -> Recipe {
        Recipe::builtin(name).unwrap()
    }

    #[test]
    fn every_builtin_is_valid_and_survives_its_own_toml() {
        for (name, _) in BUILTIN {
            let recipe = Recipe::builtin(name).unwrap();
            assert_eq!(recipe.name, name);
            assert_eq!(recipe.validate(), Ok(()), "{name}");
            let text = toml::to_string(&recipe).unwrap();
            assert_eq!(
                overlay(&Recipe::builtin("digits").unwrap(), &text).unwrap(),
                recipe
            );
        }
    }

    #[test]
    fn the_sections_come_in_kinds() {
        let assignments = [
            "model.kind=resnet",
            "model.base_channels=8",
            "optimizer.kind=sgd",
        ];
        let recipe = assign(builtin("digits"), &assignments.map(str::to_owned)).unwrap();
        let ImageModelConfig::Resnet(model) = &recipe.model else {
            panic!("{:?}", recipe.model)
        };
        assert_eq!(model.0.base_channels, 8);
        assert!(matches!(recipe.optimizer, Optimizer::Sgd { .. }));
    }

    #[test]
    fn a_batch_of_one_image_is_refused_with_batch_norm() {
        for (recipe, refused) in [
            (builtin("digits"), true),
            (builtin("image-folder"), true),
            (builtin("mlp-digits"), false),
        ] {
            let recipe = assign(recipe, &["train.batch_size=1".to_owned()]).unwrap();
            let result = recipe.validate();
            assert_eq!(result.is_err(), refused, "{}", recipe.name);
            if let Err(error) = result {
                assert!(error.to_string().contains("batch normalization"), "{error}");
            }
        }
    }

    #[test]
    fn a_name_that_leaves_its_folder_is_refused() {
        for name in ["", "..", "a/b", "a b"] {
            let recipe = Recipe {
                name: name.to_owned(),
                ..builtin("digits")
            };
            assert!(recipe.validate().is_err(), "{name}");
        }
    }
}
