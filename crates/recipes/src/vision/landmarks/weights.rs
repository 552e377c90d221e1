//! Published weights of the features of a cascade.

use burn::tensor::Device;
use tinderbox_models::Template;
use tinderbox_models::vision::{BackboneKind, LandmarkCascadeConfig};
use tinderbox_predict::vision::{ImageModel, LandmarkModel, LandmarkModelConfig, PublishedModel};
use tinderbox_train::TaskError;

use super::recipe::LandmarkRecipe;
use crate::vision::open_weights;

/// Opens the weights that a recipe names, if it does, and makes their network that of a cascade.
pub(super) fn open(recipe: &mut LandmarkRecipe) -> Result<Option<PublishedModel>, TaskError> {
    if recipe.weights.is_empty() {
        if matches!(recipe.model, LandmarkModelConfig::LandmarkCascade(_)) {
            return Err(TaskError::user(
                "`model.kind=landmark-cascade` reads the features of a published network: name its weights with \
                 `--weights DIR`",
            ));
        }
        return Ok(None);
    }
    let weights = open_weights(&recipe.weights)?;
    let kind = BackboneKind::by_name(&weights.architecture);
    let kind = kind.filter(|_| {
        matches!(
            weights.config,
            tinderbox_predict::vision::ImageModelConfig::EfficientnetLite(_)
        )
    });
    let kind = kind.ok_or_else(|| {
        TaskError::user(format!(
            "the weights are of `{}`, and a cascade reads those of an EfficientNet-Lite",
            weights.architecture
        ))
    })?;
    if recipe.data.channels != weights.normalize.mean.len() {
        return Err(TaskError::user(
            "the weights are for color images: set `data.channels=3`",
        ));
    }
    if matches!(recipe.model, LandmarkModelConfig::LandmarkCnn(_)) {
        recipe.model =
            LandmarkModelConfig::LandmarkCascade(Template(LandmarkCascadeConfig::new(0, 0)));
    }
    if let LandmarkModelConfig::LandmarkCascade(Template(config)) = &mut recipe.model {
        config.backbone = kind;
    }
    Ok(Some(weights))
}

/// The model with the weights in its encoder.
pub(super) fn fill(
    model: LandmarkModel,
    stages: usize,
    weights: &PublishedModel,
    device: &Device,
) -> Result<LandmarkModel, TaskError> {
    let LandmarkModel::LandmarkCascade(model) = model else {
        return Ok(model);
    };
    match weights.load(device).map_err(TaskError::user)? {
        ImageModel::EfficientnetLite(net) => {
            let model = model.with_encoder(net.into_encoder(stages));
            Ok(LandmarkModel::LandmarkCascade(model))
        }
        _ => Err(TaskError::user("the weights are of no EfficientNet-Lite")),
    }
}
