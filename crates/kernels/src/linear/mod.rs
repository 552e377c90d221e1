#[cfg(feature = "flex")]
mod activation;
#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::linear as burn_linear;

use crate::dropout::dropout;

/// One or more linear layers applied to the same input, with concatenated outputs.
///
/// Several weights, such as the query, key and value projections of attention, share one pass over
/// the input, forward and backward.
///
/// # Shapes
///
/// - input: `[.., d_input]`
/// - weights: `[d_input, d_output]` each
/// - biases: `[d_output]` each, one per weight, or none
/// - output: `[.., sum of all d_output]`
///
/// # Panics
///
/// If the shapes do not match, or there is no weight.
pub fn linear<const D: usize>(
    input: Tensor<D>,
    weights: Vec<Tensor<2>>,
    biases: Vec<Tensor<1>>,
) -> Tensor<D> {
    check_shapes(&input, &weights, &biases);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input)
        && matches!((weights.len(), biases.len()), (1 | 3, _) | (2, 0))
    {
        return flex::linear(input, weights, biases, flex::Activation::None);
    }
    let mut biases = biases.into_iter();
    let outputs = weights
        .into_iter()
        .map(|weight| burn_linear(input.clone(), weight, biases.next()));
    Tensor::cat(outputs.collect(), D - 1)
}

/// A linear layer followed by the exact Gaussian error linear unit (Hendrycks and Gimpel, 2016,
/// <https://arxiv.org/abs/1606.08415>).
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
/// If the shapes do not match.
pub fn linear_gelu<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let (weights, biases) = (vec![weight], Vec::from_iter(bias));
    check_shapes(&input, &weights, &biases);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        return flex::linear(input, weights, biases, flex::Activation::Gelu);
    }
    gelu(linear(input, weights, biases))
}

/// A linear layer followed by `ReLU` (Nair and Hinton, *Rectified linear units improve restricted
/// Boltzmann machines*, 2010) and [`dropout`], with a probability in `[0, 1)`.
///
/// On Flex, the output alone tells the gradient what was zeroed and what was dropped: one pass
/// over the rows instead of three, and nothing else is stored.
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
/// If the shapes do not match.
pub fn linear_relu<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    dropout_probability: f64,
) -> Tensor<D> {
    let (weights, biases) = (vec![weight], Vec::from_iter(bias));
    check_shapes(&input, &weights, &biases);
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&input) {
        let activation = flex::Activation::rectify(&input.device(), dropout_probability);
        return flex::linear(input, weights, biases, activation);
    }
    dropout(relu(linear(input, weights, biases)), dropout_probability)
}

/// Composed from `erf`: on some backends, the gradient of Burn's own is that of an approximation.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * cdf
}

fn check_shapes<const D: usize>(input: &Tensor<D>, weights: &[Tensor<2>], biases: &[Tensor<1>]) {
    assert!(!weights.is_empty(), "a linear layer needs a weight");
    let d_input = input.dims()[D - 1];
    for weight in weights {
        let [rows, _] = weight.dims();
        assert_eq!(
            rows, d_input,
            "the rows of the weight do not match the columns of the input"
        );
    }
    assert!(
        biases.is_empty() || biases.len() == weights.len(),
        "there are {} biases for {} weights",
        biases.len(),
        weights.len()
    );
    for (weight, bias) in weights.iter().zip(biases) {
        let ([_, d_output], [length]) = (weight.dims(), bias.dims());
        assert_eq!(
            d_output, length,
            "the length of the bias does not match the columns of the weight"
        );
    }
}
