//! The recipe for images with landmarks that are named without one.

use std::path::Path;

use tinderbox_datasets::landmarks::{LandmarkFormat, landmark_format};

use super::recipe::LandmarkRecipe;

/// The recipe that is chosen.
const RECIPE: &str = "landmarks";

/// A recipe that follows from a layout of images with landmarks.
pub struct InferredLandmarks {
    /// The recipe, without the path of the data.
    pub recipe: LandmarkRecipe,
    format: LandmarkFormat,
}

impl InferredLandmarks {
    /// The recipe for a folder; none if it does not have landmarks.
    pub fn of(data: &Path) -> Option<Self> {
        let format = landmark_format(data)?;
        let recipe = LandmarkRecipe::builtin(RECIPE)?;
        Some(Self { recipe, format })
    }

    /// What was recognized, and the recipe.
    pub fn note(&self, data: &Path) -> String {
        format!(
            "`{}` has landmarks ({}): recipe `{RECIPE}`; `--recipe` chooses another",
            data.display(),
            self.format.name()
        )
    }
}
