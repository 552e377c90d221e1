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
/// If the shapes do not fit together.
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
        "gamma or beta has another length"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input) {
        return flex::layer_norm(input, gamma, Some(beta), epsilon);
    }
    burn_layer_norm(input, gamma, Some(beta), epsilon)
}

/// Normalization by the root mean square of the last axis (Zhang and Sennrich, 2019,
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
/// If the shapes do not fit together.
pub fn rms_norm<const D: usize>(input: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let d_model = input.dims()[D - 1];
    assert_eq!(gamma.dims(), [d_model], "gamma has another length");
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input) {
        return flex::layer_norm(input, gamma, None, epsilon);
    }
    let square = input.clone().square().mean_dim(D - 1);
    input / (square + epsilon).sqrt() * gamma.unsqueeze()
}
