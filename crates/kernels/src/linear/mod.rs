#[cfg(feature = "flex")]
pub(crate) mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::linear as burn_linear;

/// Matrix products of the same rows, side by side, with their biases.
///
/// One product of several matrices is one walk over the rows, forward and backward: the projections
/// of attention to queries, keys and values.
///
/// # Shapes
///
/// - input: `[.., d_input]`
/// - weights: `[d_input, d_output]` each
/// - biases: `[d_output]` each; as many as there are weights, or none
/// - output: `[.., sum of all d_output]`
///
/// # Panics
///
/// If the shapes do not fit together, or there is no weight.
pub fn linear<const D: usize>(
    input: Tensor<D>,
    weights: Vec<Tensor<2>>,
    biases: Vec<Tensor<1>>,
) -> Tensor<D> {
    check(&input, &weights, &biases);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input)
        && matches!((weights.len(), biases.len()), (1 | 3, _) | (2, 0))
    {
        return flex::linear(input, weights, biases, false);
    }
    let mut biases = biases.into_iter();
    let outputs = weights
        .into_iter()
        .map(|weight| burn_linear(input.clone(), weight, biases.next()));
    Tensor::cat(outputs.collect(), D - 1)
}

/// A matrix product with its bias, then the Gaussian error linear unit (Hendrycks and Gimpel, 2016,
/// <https://arxiv.org/abs/1606.08415>), exact.
///
/// # Shapes
///
/// - input: `[.., d_input]`
/// - weight: `[d_input, d_output]`
/// - bias: `[d_output]`
/// - output: `[.., d_output]`
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn linear_gelu<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let (weights, biases) = (vec![weight], Vec::from_iter(bias));
    check(&input, &weights, &biases);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input) {
        return flex::linear(input, weights, biases, true);
    }
    gelu(linear(input, weights, biases))
}

/// By its definition: on some backends the gradient of Burn's own is that of an approximation.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let share = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * share
}

fn check<const D: usize>(input: &Tensor<D>, weights: &[Tensor<2>], biases: &[Tensor<1>]) {
    assert!(!weights.is_empty(), "a product needs a weight");
    let d_input = input.dims()[D - 1];
    for weight in weights {
        let [rows, _] = weight.dims();
        assert_eq!(
            rows, d_input,
            "the weight has other rows than the input has columns"
        );
    }
    assert!(
        biases.is_empty() || biases.len() == weights.len(),
        "there are {} biases for {} weights",
        biases.len(),
        weights.len()
    );
    for (weight, bias) in weights.iter().zip(biases) {
        let ([_, columns], [length]) = (weight.dims(), bias.dims());
        assert_eq!(
            columns, length,
            "the bias is not as long as the weight is wide"
        );
    }
}
