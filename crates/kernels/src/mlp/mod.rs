#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::linear::linear;

/// Linear layers with a ReLU between them.
///
/// Without autodiff all layers run as one operation, which saves most of the time for a single row.
///
/// # Shapes
///
/// - input: `[batch, d_input]`
/// - layers: weights `[d_input, d_output]` and biases `[d_output]`; the `d_output` of a layer is the
///   `d_input` of the next
/// - output: `[batch, d_output]` of the last layer
///
/// # Panics
///
/// If the shapes do not match.
pub fn mlp(input: Tensor<2>, layers: Vec<(Tensor<2>, Option<Tensor<1>>)>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if is_supported(&input, &layers) {
        return flex::mlp(input, layers);
    }
    let n_layers = layers.len();
    let layers = layers.into_iter().zip(1..);
    layers.fold(input, |x, ((weight, bias), number)| {
        let x = linear(x, vec![weight], Vec::from_iter(bias));
        if number < n_layers { relu(x) } else { x }
    })
}

#[cfg(feature = "flex")]
fn is_supported(input: &Tensor<2>, layers: &[(Tensor<2>, Option<Tensor<1>>)]) -> bool {
    use crate::flex::tensors::{is_supported_simd, is_supported_untracked};

    is_supported_simd(input)
        && is_supported_untracked(input)
        && layers.iter().all(|(weight, bias)| {
            is_supported_untracked(weight) && bias.as_ref().is_none_or(is_supported_untracked)
        })
}
