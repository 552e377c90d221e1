//! The recipe for images with boxes that are named without one.

use std::path::Path;

use tinderbox_datasets::detection::{LabelFormat, label_format};

use super::recipe::DetectionRecipe;

/// The recipe that is chosen.
const RECIPE: &str = "detect";

/// A recipe that follows from a layout of images with boxes.
pub struct InferredDetection {
    /// The recipe, without the path of the data.
    pub recipe: DetectionRecipe,
    format: LabelFormat,
}

impl InferredDetection {
    /// The recipe for a folder; none if it does not have boxes.
    pub fn of(data: &Path) -> Option<Self> {
        let format = label_format(data)?;
        let recipe = DetectionRecipe::builtin(RECIPE)?;
        Some(Self { recipe, format })
    }

    /// What was recognized, and the recipe.
    pub fn note(&self, data: &Path) -> String {
        format!(
            "`{}` has boxes ({}): recipe `{RECIPE}`; `--recipe` chooses another",
            data.display(),
            self.format.name()
        )
    }
}
