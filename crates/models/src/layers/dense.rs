//! Burn's linear and dropout layers, computed by the kernels of this project.

use burn::module::Param;
use burn::nn::{Dropout, Linear};
use burn::tensor::Tensor;
use tinderbox_kernels::{dropout, dropout_add, linear, linear_gelu, linear_relu, mlp};

/// Applies a linear layer.
///
/// - input: `[.., d_input]`
/// - output: `[.., d_output]`
pub(crate) fn project<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    linear(
        x,
        vec![layer.weight.val()],
        bias(layer).into_iter().collect(),
    )
}

/// Applies a linear layer and GELU.
pub(crate) fn project_gelu<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    linear_gelu(x, layer.weight.val(), bias(layer))
}

/// Applies a linear layer, `ReLU` and, while training, dropout.
pub(crate) fn project_relu<const D: usize>(
    layer: &Linear,
    dropout: &Dropout,
    x: Tensor<D>,
) -> Tensor<D> {
    let probability = probability(dropout, &x);
    linear_relu(x, layer.weight.val(), bias(layer), probability)
}

/// Applies a chain of linear layers with `ReLU` between them.
pub(crate) fn project_rectified<'a>(
    layers: impl Iterator<Item = &'a Linear>,
    x: Tensor<2>,
) -> Tensor<2> {
    let layers = layers.map(|layer| (layer.weight.val(), bias(layer)));
    mlp(x, layers.collect())
}

/// Applies several linear layers to the same rows.
///
/// - input: `[.., d_input]`
/// - output: `[.., sum of all d_output]`
pub(crate) fn project_all<const D: usize>(layers: &[&Linear], x: Tensor<D>) -> Tensor<D> {
    let weights = layers.iter().map(|layer| layer.weight.val()).collect();
    let biases = layers.iter().filter_map(|layer| bias(layer)).collect();
    linear(x, weights, biases)
}

fn bias(layer: &Linear) -> Option<Tensor<1>> {
    layer.bias.as_ref().map(Param::val)
}

/// Zeroes rows of a weight, so that their inputs have no effect.
///
/// Rows whose inputs are always zero get no gradient and stay zero.
pub(crate) fn zero_rows(weight: &mut Param<Tensor<2>>, rows: &[usize]) {
    if rows.is_empty() {
        return;
    }
    *weight = weight.clone().map(|values| {
        let [count, _] = values.dims();
        let mut kept = vec![1.0_f32; count];
        for &row in rows {
            kept[row] = 0.0;
        }
        let kept = Tensor::<1>::from_floats(kept.as_slice(), &values.device()).unsqueeze_dim(1);
        let learns = values.is_require_grad();
        (values.detach() * kept).detach().set_require_grad(learns)
    });
}

/// Dropout probability; 0 outside training.
fn probability<const D: usize>(layer: &Dropout, x: &Tensor<D>) -> f64 {
    // The same condition as in Burn's layer.
    let active = layer.training.is_enabled() && x.device().is_autodiff();
    if active { layer.prob } else { 0.0 }
}

/// Applies dropout while training.
pub(crate) fn drop_out<const D: usize>(layer: &Dropout, x: Tensor<D>) -> Tensor<D> {
    let probability = probability(layer, &x);
    dropout(x, probability)
}

/// Adds a residual branch, with dropout on the branch while training.
pub(crate) fn add_branch<const D: usize>(
    layer: &Dropout,
    x: Tensor<D>,
    branch: Tensor<D>,
) -> Tensor<D> {
    let probability = probability(layer, &x);
    dropout_add(x, branch, probability)
}
