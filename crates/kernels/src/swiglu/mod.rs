#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::silu;

/// Swish-gated linear unit without its projections: `silu(gate) * value` (Shazeer, *GLU variants
/// improve Transformer*, 2020, <https://arxiv.org/abs/2002.05202>).
///
/// # Shapes
///
/// - input: `[.., 2 * d]`, the concatenated gates and values
/// - output: `[.., d]`
///
/// # Panics
///
/// If the last axis is odd.
pub fn swiglu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    let width = input.dims()[D - 1];
    assert!(
        width.is_multiple_of(2),
        "{width} columns cannot be split into gates and values"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        return flex::swiglu(input);
    }
    let [gates, values] = [0, width / 2].map(|start| input.clone().narrow(D - 1, start, width / 2));
    silu(gates) * values
}
