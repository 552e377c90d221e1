#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::relu as burn_relu;
use burn::tensor::module::batch_norm_train as burn_batch_norm_train;

/// Output of [`batch_norm_train`], with the statistics for the running averages.
#[derive(Clone, Debug)]
pub struct BatchNormOutput {
    /// Normalized input, `[batch, channels, height, width]`.
    pub output: Tensor<4>,
    /// Mean of each channel, `[channels]`, detached.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[channels]`, detached.
    pub variance: Tensor<1>,
}

/// Batch normalization with the statistics of the batch (Ioffe and Szegedy, 2015,
/// <https://arxiv.org/abs/1502.03167>), followed by a fused ReLU if `relu`.
///
/// On Flex this takes two passes over the input forward and two backward, instead of about twenty.
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
    relu: bool,
) -> BatchNormOutput {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported(&input) {
        return flex::batch_norm_train(input, gamma, beta, epsilon, relu);
    }
    let result = burn_batch_norm_train(input, gamma, beta, epsilon);
    BatchNormOutput {
        output: if relu {
            burn_relu(result.output)
        } else {
            result.output
        },
        mean: result.mean.detach(),
        variance: result.variance.detach(),
    }
}
