//! The recipe of any task on images.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use tinderbox_datasets::image::AugmentError;
use tinderbox_models::LayerSummary;
use tinderbox_train::docs::{
    LOSS_DOCS, METRICS_DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, RECIPE_DOCS, SPLIT_DOCS, TRAIN_DOCS,
};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{ConfigError, MetricsOptions, TaskRecipe};
use toml::{Table, Value};

use super::classify::{self, Recipe};
use super::detect::{self, DetectionRecipe};
use super::landmarks::{self, LandmarkRecipe};
use super::segment::{self, SegmentationRecipe};
use super::transfer::TRANSFER_DOCS;

/// The recipe of any task on images, of which the key `task` names the task.
///
/// A recipe without the key is one of classification.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum VisionRecipe {
    /// Image classification.
    Classification(Recipe),
    /// Segmentation.
    Segmentation(SegmentationRecipe),
    /// Object detection.
    Detection(DetectionRecipe),
    /// Landmarks.
    Landmarks(LandmarkRecipe),
}

/// Applies a function to the recipe of whichever task it is.
macro_rules! of_any {
    ($value:expr, $recipe:ident => $result:expr) => {
        match $value {
            VisionRecipe::Classification($recipe) => $result,
            VisionRecipe::Segmentation($recipe) => $result,
            VisionRecipe::Detection($recipe) => $result,
            VisionRecipe::Landmarks($recipe) => $result,
        }
    };
}

impl VisionRecipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        let segmentation = || SegmentationRecipe::builtin(name).map(Self::Segmentation);
        let detection = || DetectionRecipe::builtin(name).map(Self::Detection);
        let landmarks = || LandmarkRecipe::builtin(name).map(Self::Landmarks);
        Recipe::builtin(name)
            .map(Self::Classification)
            .or_else(segmentation)
            .or_else(detection)
            .or_else(landmarks)
    }

    /// The recipe, if it is one of classification.
    pub fn classification(&self) -> Option<&Recipe> {
        match self {
            Self::Classification(recipe) => Some(recipe),
            _ => None,
        }
    }

    /// The published weights that the recipe starts from, if any are named.
    pub fn weights(&self) -> Option<&str> {
        let weights = match self {
            Self::Classification(recipe) => recipe.transfer.as_ref()?.weights.as_str(),
            Self::Segmentation(recipe) => recipe.weights.as_str(),
            Self::Detection(recipe) => recipe.weights.as_str(),
            Self::Landmarks(recipe) => recipe.weights.as_str(),
        };
        (!weights.is_empty()).then_some(weights)
    }

    /// Checks every number that can be checked without the data.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        of_any!(self, recipe => recipe.validate())
    }

    /// `[height, width, channels]` of the input of the network, where the recipe sets it.
    pub(super) fn shape(&self) -> Option<[usize; 3]> {
        match self {
            Self::Classification(recipe) => recipe.shape(),
            Self::Segmentation(recipe) => Some(recipe.shape()),
            Self::Detection(recipe) => Some(recipe.shape()),
            Self::Landmarks(recipe) => Some(recipe.shape()),
        }
    }

    /// The layers of the network, as far as they are known without the data.
    pub(super) fn layers(&self) -> Result<Vec<LayerSummary>, ConfigError> {
        of_any!(self, recipe => recipe.layers())
    }

    /// The number of items in a training batch.
    pub(super) fn batch_size(&self) -> usize {
        of_any!(self, recipe => recipe.train.batch_size)
    }

    /// The recipe, if it is one of segmentation.
    pub fn segmentation(&self) -> Option<&SegmentationRecipe> {
        match self {
            Self::Segmentation(recipe) => Some(recipe),
            _ => None,
        }
    }

    /// The recipe, if it is one of object detection.
    pub fn detection(&self) -> Option<&DetectionRecipe> {
        match self {
            Self::Detection(recipe) => Some(recipe),
            _ => None,
        }
    }

    /// The recipe, if it is one of landmarks.
    pub fn landmarks(&self) -> Option<&LandmarkRecipe> {
        match self {
            Self::Landmarks(recipe) => Some(recipe),
            _ => None,
        }
    }
}

const PARTS: [&[(&str, &str)]; 4] = [
    &classify::BUILTIN,
    &segment::BUILTIN,
    &detect::BUILTIN,
    &landmarks::BUILTIN,
];

const COUNT: usize = PARTS[0].len() + PARTS[1].len() + PARTS[2].len() + PARTS[3].len();

/// Names of the built-in recipes of all tasks with a line on each.
pub const BUILTIN: [(&str, &str); COUNT] = {
    let mut names = [("", ""); COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut name = 0;
        while name < PARTS[part].len() {
            names[at] = PARTS[part][name];
            (at, name) = (at + 1, name + 1);
        }
        part += 1;
    }
    names
};

impl From<Recipe> for VisionRecipe {
    fn from(recipe: Recipe) -> Self {
        Self::Classification(recipe)
    }
}

impl From<SegmentationRecipe> for VisionRecipe {
    fn from(recipe: SegmentationRecipe) -> Self {
        Self::Segmentation(recipe)
    }
}

impl From<DetectionRecipe> for VisionRecipe {
    fn from(recipe: DetectionRecipe) -> Self {
        Self::Detection(recipe)
    }
}

impl From<LandmarkRecipe> for VisionRecipe {
    fn from(recipe: LandmarkRecipe) -> Self {
        Self::Landmarks(recipe)
    }
}

impl<'de> Deserialize<'de> for VisionRecipe {
    /// Chooses by the key `task`, so that an error is about the recipe of that task and no other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        match table.get("task").map(Value::as_str) {
            None => of_table(table).map(Self::Classification),
            Some(Some("segmentation")) => of_table(table).map(Self::Segmentation),
            Some(Some("detection")) => of_table(table).map(Self::Detection),
            Some(Some("landmarks")) => of_table(table).map(Self::Landmarks),
            // As serde says it, so that the words that a key takes are found.
            Some(task) => Err(D::Error::unknown_variant(
                task.unwrap_or(""),
                &["segmentation", "detection", "landmarks"],
            )),
        }
    }
}

fn of_table<T: DeserializeOwned, E: serde::de::Error>(table: Table) -> Result<T, E> {
    let value = Value::Table(table).try_into();
    value.map_err(|error: toml::de::Error| E::custom(error.message()))
}

impl TaskRecipe for VisionRecipe {
    fn name(&self) -> &str {
        of_any!(self, recipe => recipe.name())
    }

    fn seed(&self) -> u64 {
        of_any!(self, recipe => recipe.seed())
    }

    fn data_path(&mut self) -> Option<&mut String> {
        of_any!(self, recipe => recipe.data_path())
    }

    fn metrics(&self) -> MetricsOptions {
        of_any!(self, recipe => recipe.metrics)
    }
}

impl Patchable for VisionRecipe {
    /// The kinds of a section have different names in different tasks, and the recipe refuses those
    /// of another task.
    fn variant(path: &str, kind: &str) -> Option<Table> {
        Recipe::variant(path, kind)
            .or_else(|| SegmentationRecipe::variant(path, kind))
            .or_else(|| DetectionRecipe::variant(path, kind))
            .or_else(|| LandmarkRecipe::variant(path, kind))
    }

    fn optional(path: &str) -> Option<Table> {
        Recipe::optional(path)
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[
            RECIPE_DOCS,
            classify::FLIP_DOCS,
            classify::SHIFT_DOCS,
            TRANSFER_DOCS,
            classify::DATA_DOCS,
            SPLIT_DOCS,
            classify::DOCS,
            LOSS_DOCS,
            segment::DOCS,
            detect::DOCS,
            landmarks::DOCS,
            OPTIMIZER_DOCS,
            PLATEAU_DOCS,
            TRAIN_DOCS,
            METRICS_DOCS,
        ]
    }
}

/// The error of a key of a section that changes images, with its name in the recipe.
pub(super) fn of_section(section: &str, error: &AugmentError) -> ConfigError {
    let key = format!("{section}.{}", error.key);
    ConfigError::new(key, error.value, error.range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_train::overlay::{assign, document, overlay};

    #[test]
    fn an_augmentation_out_of_range_is_named_as_in_the_recipe() {
        let mut recipe = SegmentationRecipe::builtin("membrane").unwrap();
        recipe.augment.unwarped = 2.0;
        assert_eq!(
            recipe.validate().unwrap_err().to_string(),
            "`augment.unwarped` must be from 0 to 1 (got 2)"
        );
    }

    #[test]
    fn a_recipe_of_classification_has_the_same_bytes_with_and_without_its_task() {
        for (name, _) in classify::BUILTIN {
            let recipe = Recipe::builtin(name).unwrap();
            let any = VisionRecipe::builtin(name).unwrap();
            assert_eq!(document(&recipe).unwrap(), document(&any).unwrap());
        }
    }

    #[test]
    fn a_recipe_of_segmentation_survives_its_own_toml() {
        for (name, _) in segment::BUILTIN {
            let recipe = VisionRecipe::builtin(name).unwrap();
            assert_eq!(recipe.segmentation().unwrap().validate(), Ok(()), "{name}");
            let text = document(&recipe).unwrap();
            assert!(text.contains("task = \"segmentation\""), "{text}");
            let base = VisionRecipe::builtin("cutout").unwrap();
            assert_eq!(overlay(&base, &text).unwrap(), recipe);
        }
    }

    #[test]
    fn a_recipe_of_detection_survives_its_own_toml() {
        for (name, _) in detect::BUILTIN {
            let recipe = VisionRecipe::builtin(name).unwrap();
            assert_eq!(recipe.detection().unwrap().validate(), Ok(()), "{name}");
            let text = document(&recipe).unwrap();
            assert!(text.contains("task = \"detection\""), "{text}");
            assert_eq!(overlay(&recipe, &text).unwrap(), recipe);
        }
    }

    #[test]
    fn a_recipe_of_landmarks_survives_its_own_toml() {
        for (name, _) in landmarks::BUILTIN {
            let recipe = VisionRecipe::builtin(name).unwrap();
            assert_eq!(recipe.landmarks().unwrap().validate(), Ok(()), "{name}");
            let text = document(&recipe).unwrap();
            assert!(text.contains("task = \"landmarks\""), "{text}");
            assert_eq!(overlay(&recipe, &text).unwrap(), recipe);
        }
    }

    #[test]
    fn errors_are_those_of_the_recipe_of_the_task() {
        for (name, set, message) in [
            (
                "digits",
                "model.kind=gnn",
                "`model.kind` must be `mlp`, `cnn`",
            ),
            (
                "digits",
                "train.epoch=3",
                "unknown key `train.epoch`, did you mean `train.epochs`?",
            ),
            (
                "digits",
                "train.epochs=-1",
                "must be a whole number, 0 or more",
            ),
            (
                "cutout",
                "model.kind=cnn",
                "`model.kind` must be `unet` or `backbone-unet` (got `cnn`)",
            ),
            (
                "cutout",
                "model.depth=3",
                "it belongs to `model.kind=unet`, and this is `backbone-unet`",
            ),
            (
                "cutout",
                "task=captions",
                "`task` must be `segmentation`, `detection` or `landmarks` (got `captions`)",
            ),
        ] {
            let recipe = VisionRecipe::builtin(name).unwrap();
            let error = assign(recipe, &[set.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
