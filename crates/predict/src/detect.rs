//! Networks that find objects.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use tinderbox_models::vision::DetectorOutput;

/// A network that predicts a box with its scores for every cell of its feature maps.
pub trait Detect: Module + ModuleDisplay + 'static {
    /// The predictions for images `[batch, channels, height, width]`, sides that are multiples of the largest of
    /// [`STRIDES`](tinderbox_models::vision::STRIDES).
    fn detect(&self, images: Tensor<4>) -> DetectorOutput;
}
