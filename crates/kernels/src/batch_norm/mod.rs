#[cfg(feature = "flex")]
mod affine;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod sums;
#[cfg(feature = "flex")]
mod synchronized;

use burn::tensor::Tensor;
use burn::tensor::module::batch_norm_train as burn_batch_norm_train;

use crate::activation::by_burn;
use crate::{Activation, FeatureMap};

#[cfg(feature = "flex")]
pub use synchronized::{BatchParts, is_batch_norm_synchronized, with_synchronized_batch_norm};

/// Whether the parts of a batch are normalized together, which takes the feature `flex`.
#[cfg(not(feature = "flex"))]
pub fn is_batch_norm_synchronized() -> bool {
    false
}

/// Output of [`batch_norm_train`], with the statistics for the running averages.
#[derive(Clone, Debug)]
pub struct BatchNormOutput {
    /// Normalized input, `[batch, channels, height, width]`.
    pub output: FeatureMap,
    /// Mean of each channel, `[channels]`, detached.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[channels]`, detached.
    pub variance: Tensor<1>,
}

/// Batch normalization with the statistics of the batch (Ioffe and Szegedy, 2015,
/// <https://arxiv.org/abs/1502.03167>), then an optional residual is added and an activation applied.
///
/// On Flex this takes two passes over the input forward and two backward, instead of about twenty. Within
/// `with_synchronized_batch_norm` the statistics are those of all parts of a batch that is divided among processes.
///
/// # Shapes
///
/// - input, residual: `[batch, channels, height, width]`
/// - gamma, beta: `[channels]`
/// - output: as the input
pub fn batch_norm_train(
    input: FeatureMap,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    residual: Option<FeatureMap>,
    activation: Activation,
) -> BatchNormOutput {
    #[cfg(feature = "flex")]
    let exchange = synchronized::LayerExchange::next();
    #[cfg(feature = "flex")]
    let input = match input.try_channels_last() {
        Ok(input) => {
            let residual = residual.map(|residual| residual.into_nchw().permute([0, 2, 3, 1]));
            return flex::batch_norm_train(
                input, gamma, beta, epsilon, residual, activation, exchange,
            );
        }
        Err(input) => input,
    };
    let input = input.into_nchw();
    #[cfg(feature = "flex")]
    let result = match exchange {
        Some(exchange) => synchronized::by_operations(&exchange, input, gamma, beta, epsilon),
        None => burn_batch_norm_train(input, gamma, beta, epsilon),
    };
    #[cfg(not(feature = "flex"))]
    let result = burn_batch_norm_train(input, gamma, beta, epsilon);
    let output = match residual {
        Some(residual) => result.output + residual.into_nchw(),
        None => result.output,
    };
    BatchNormOutput {
        output: FeatureMap::from_nchw(by_burn(output, activation)),
        mean: result.mean.detach(),
        variance: result.variance.detach(),
    }
}
