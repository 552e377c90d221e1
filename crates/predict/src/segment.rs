//! Networks that score every pixel.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A network whose output is one score per class and pixel.
pub trait Segment: Module + ModuleDisplay + 'static {
    /// The logits `[batch, classes, height, width]` of images `[batch, channels, height, width]`.
    fn segment(&self, images: Tensor<4>) -> Tensor<4>;

    /// The number of pixels that the height and width of an image must be multiples of.
    fn min_multiple(&self) -> usize;
}
