//! Published weights of the encoder.

use burn::tensor::Device;
use tinderbox_models::vision::{Backbone, BackboneKind};
use tinderbox_predict::vision::{
    ImageModel, PublishedModel, SegmentationModel, SegmentationModelConfig,
};
use tinderbox_train::TaskError;

use super::recipe::SegmentationRecipe;
use crate::vision::open_weights;

/// Opens the weights that a recipe names, if it does, and makes their network its backbone.
pub(super) fn open(recipe: &mut SegmentationRecipe) -> Result<Option<PublishedModel>, TaskError> {
    if recipe.weights.is_empty() {
        return Ok(None);
    }
    let weights = open_weights(&recipe.weights)?;
    let SegmentationModelConfig::BackboneUnet(model) = &mut recipe.model else {
        return Err(TaskError::user(
            "`weights` needs a network with a backbone: set `model.kind=backbone-unet`",
        ));
    };
    let kind = BackboneKind::by_name(&weights.architecture).ok_or_else(|| {
        TaskError::user(format!(
            "the weights are of `{}`, which is no backbone for segmentation: use those of an \
             EfficientNet-Lite or a ResNet",
            weights.architecture
        ))
    })?;
    if recipe.data.channels != weights.normalize.mean.len() {
        return Err(TaskError::user(format!(
            "the weights are for images of {} channels: set `data.channels` to it",
            weights.normalize.mean.len()
        )));
    }
    model.0.backbone = kind;
    Ok(Some(weights))
}

/// The model with the weights in its encoder.
pub(super) fn fill(
    model: SegmentationModel,
    weights: &PublishedModel,
    device: &Device,
) -> Result<SegmentationModel, TaskError> {
    let SegmentationModel::BackboneUnet(model) = model else {
        return Ok(model);
    };
    let backbone = match weights.with_classes(1, device).map_err(TaskError::user)? {
        ImageModel::EfficientnetLite(net) => Backbone::EfficientNetLite(net),
        ImageModel::Resnet(net) => Backbone::ResNet(net),
        _ => {
            return Err(TaskError::user(
                "the weights are of no backbone for segmentation",
            ));
        }
    };
    Ok(SegmentationModel::BackboneUnet(
        model.map_backbone(|_| backbone),
    ))
}
