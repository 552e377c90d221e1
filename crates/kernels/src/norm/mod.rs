#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::layer_norm as burn_layer_norm;

/// Layer normalization over the last axis (Ba, Kiros and Hinton, 2016,
/// <https://arxiv.org/abs/1607.06450>).
///
/// # Shapes
///
/// - input: `[.., d_model]`
/// - gamma, beta: `[d_model]`
/// - output: as the input
///
/// # Panics
///
/// If the shapes do not match.
pub fn layer_norm<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    let d_model = input.dims()[D - 1];
    assert_eq!(
        [gamma.dims(), beta.dims()],
        [[d_model]; 2],
        "gamma or beta has the wrong length"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        return flex::norm(input, gamma, Some(beta), epsilon);
    }
    burn_layer_norm(input, gamma, Some(beta), epsilon)
}

/// Root mean square normalization over the last axis (Zhang and Sennrich, 2019,
/// <https://arxiv.org/abs/1910.07467>).
///
/// # Shapes
///
/// - input: `[.., d_model]`
/// - gamma: `[d_model]`
/// - output: as the input
///
/// # Panics
///
/// If the shapes do not match.
pub fn rms_norm<const D: usize>(input: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let d_model = input.dims()[D - 1];
    assert_eq!(gamma.dims(), [d_model], "gamma has the wrong length");
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        return flex::norm(input, gamma, None, epsilon);
    }
    let mean_square = input.clone().square().mean_dim(D - 1);
    input / (mean_square + epsilon).sqrt() * gamma.unsqueeze()
}
