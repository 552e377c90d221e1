#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::silu;

/// A gate and what it lets through: `silu(gate) * value` (Shazeer, *GLU variants improve
/// Transformer*, 2020, <https://arxiv.org/abs/2002.05202>).
///
/// # Shapes
///
/// - packed: `[.., 2 * d]`, gates and values side by side
/// - output: `[.., d]`
///
/// # Panics
///
/// If the last axis is odd.
pub fn gated_silu<const D: usize>(packed: Tensor<D>) -> Tensor<D> {
    let width = packed.dims()[D - 1];
    assert!(
        width.is_multiple_of(2),
        "{width} columns are not gates and values"
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&packed) {
        return flex::gated_silu(packed);
    }
    let [gates, values] = [0, width / 2].map(|from| packed.clone().narrow(D - 1, from, width / 2));
    silu(gates) * values
}
