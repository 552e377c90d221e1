#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::batch_norm_train as burn_batch_norm_train;

/// What [`batch_norm_train`] gives.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The input, normalized, `[batch, channels, height, width]`.
    pub output: Tensor<4>,
    /// Mean of each channel, `[channels]`; a constant to the backward pass.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[channels]`; a constant to the backward pass.
    pub variance: Tensor<1>,
}

/// Batch normalization with the statistics of the batch (Ioffe and Szegedy, 2015,
/// <https://arxiv.org/abs/1502.03167>), with a rectifier behind it if `rectify`.
///
/// On Flex this is two passes over the input forward and two backward, instead of about twenty.
///
/// # Shapes
///
/// - input: `[batch, channels, height, width]`
/// - gamma, beta: `[channels]`
/// - output: as the input
pub fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    rectify: bool,
) -> Normalized {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes(&input) {
        return flex::batch_norm_train(input, gamma, beta, epsilon, rectify);
    }
    let result = burn_batch_norm_train(input, gamma, beta, epsilon);
    Normalized {
        output: if rectify {
            relu(result.output)
        } else {
            result.output
        },
        mean: result.mean.detach(),
        variance: result.variance.detach(),
    }
}
