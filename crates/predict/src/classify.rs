//! Networks that score classes.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A network that scores classes.
pub trait Classify: Module + ModuleDisplay + 'static {
    /// Its input, such as `Tensor<4>` for images.
    type Input: Send + 'static;

    /// Scores every class: unnormalized log-probabilities, `[batch, classes]`.
    fn classify(&self, input: Self::Input) -> Tensor<2>;
}
