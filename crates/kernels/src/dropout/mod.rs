#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
pub(crate) mod mask;

use burn::tensor::{Distribution, Tensor};

/// `residual + dropout(branch)` (Srivastava et al., 2014,
/// <https://jmlr.org/papers/v15/srivastava14a.html>).
///
/// On Flex, the mask is a hash of the element's index and a seed from Burn's generator: nothing is
/// stored for the backward pass, and the mask does not depend on the number of threads.
///
/// # Shapes
///
/// - residual, branch, output: any, all the same
///
/// # Panics
///
/// If the shapes differ.
pub fn dropout_add<const D: usize>(
    residual: Tensor<D>,
    branch: Tensor<D>,
    probability: f64,
) -> Tensor<D> {
    assert_eq!(
        residual.dims(),
        branch.dims(),
        "residual and branch differ in shape"
    );
    if probability <= 0.0 {
        return residual + branch;
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&branch) {
        return flex::dropout_add(Some(residual), branch, probability);
    }
    residual + dropout(branch, probability)
}

/// Zeroes elements with a probability in `[0, 1)` and scales the others up accordingly; see
/// [`dropout_add`].
pub fn dropout<const D: usize>(input: Tensor<D>, probability: f64) -> Tensor<D> {
    if probability <= 0.0 {
        return input;
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        return flex::dropout_add(None, input, probability);
    }
    let keep = 1.0 - probability;
    let mask = input.random_like(Distribution::Bernoulli(keep));
    input * mask / keep
}
