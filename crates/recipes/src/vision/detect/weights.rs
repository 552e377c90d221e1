//! Published weights of the network.

use std::path::Path;

use tinderbox_models::Template;
use tinderbox_predict::vision::{DetectionModelConfig, PublishedDetector};
use tinderbox_train::TaskError;

use super::recipe::DetectionRecipe;
use crate::vision::find_published;

/// Opens the weights that a recipe names, if it does, and makes their network its own.
pub(super) fn open(recipe: &mut DetectionRecipe) -> Result<Option<PublishedDetector>, TaskError> {
    if recipe.weights.is_empty() {
        return Ok(None);
    }
    let path = find_published(&recipe.weights)?;
    let weights = PublishedDetector::open(Path::new(&path)).map_err(TaskError::user)?;
    if recipe.data.channels != 3 {
        return Err(TaskError::user(
            "the weights are for color images: set `data.channels=3`",
        ));
    }
    let mut config = weights.config.clone();
    (config.in_channels, config.num_classes) = (0, 0);
    recipe.model = DetectionModelConfig::Yolox(Template(config));
    Ok(Some(weights))
}
