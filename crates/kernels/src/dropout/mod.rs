#[cfg(feature = "flex")]
mod flex;

use burn::tensor::{Distribution, Tensor};

/// `residual + branch`, with numbers of the branch left out at random and the others enlarged
/// accordingly (Srivastava et al., 2014, <https://jmlr.org/papers/v15/srivastava14a.html>).
///
/// On Flex a number's place decides about it, together with a seed from Burn's generator: nothing is
/// kept for the backward pass, and the number of threads changes nothing.
///
/// # Shapes
///
/// - residual, branch and output: the same, any
///
/// # Panics
///
/// If the shapes differ.
pub fn add_dropout<const D: usize>(
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
    if crate::flex::tensors::takes_vectors(&branch) {
        return flex::add_dropout(Some(residual), branch, probability);
    }
    residual + dropout(branch, probability)
}

/// As [`add_dropout`], of a branch alone.
pub fn dropout<const D: usize>(input: Tensor<D>, probability: f64) -> Tensor<D> {
    if probability <= 0.0 {
        return input;
    }
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input) {
        return flex::add_dropout(None, input, probability);
    }
    let kept = 1.0 - probability;
    let mask = input.random_like(Distribution::Bernoulli(kept));
    input * mask / kept
}
