//! Helpers of the tests of tabular networks.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};

use super::{CategoricalEmbedding, FeaturesConfig, NumericEmbedding, TabularInputs};
use crate::summary::trainable_parameters;
use crate::testing::{normal, values};

pub(super) const N_NUMERIC: usize = 3;
pub(super) const CARDINALITIES: [usize; 2] = [4, 3];

/// Samples rows with the columns of these tests.
pub(super) fn rows(batch: usize, device: &Device) -> TabularInputs {
    let codes = [4.0, 3.0].map(|values| {
        let codes = Tensor::<2>::random([batch, 1], Distribution::Uniform(0.0, values), device);
        // Rounding can produce the upper bound.
        codes.floor().clamp_max(values - 1.0).int()
    });
    let codes: Tensor<2, Int> = Tensor::cat(codes.to_vec(), 1);
    TabularInputs::new(Some(normal([batch, N_NUMERIC], device)), Some(codes))
}

/// One embedding of each kind.
pub(super) fn numeric_embeddings() -> [NumericEmbedding; 8] {
    let periodic = |lite| NumericEmbedding::Periodic {
        n_frequencies: 4,
        sigma: 0.5,
        lite,
    };
    let piecewise = |rectify| NumericEmbedding::PiecewiseLinear { n_bins: 6, rectify };
    [
        NumericEmbedding::None,
        NumericEmbedding::Linear,
        NumericEmbedding::LinearRelu,
        NumericEmbedding::Encoding { n_bins: 6 },
        piecewise(false),
        piecewise(true),
        periodic(false),
        periodic(true),
    ]
}

/// The columns of these tests with every embedding.
pub(super) fn all_features() -> Vec<FeaturesConfig> {
    let categorical = [
        CategoricalEmbedding::OneHot,
        CategoricalEmbedding::Learned { d_embedding: 5 },
    ];
    let base = FeaturesConfig::new(N_NUMERIC, CARDINALITIES.to_vec()).with_d_numeric(8);
    let features = |(index, numeric): (usize, NumericEmbedding)| {
        base.clone()
            .with_numeric(numeric)
            .with_categorical(categorical[index % 2].clone())
    };
    numeric_embeddings()
        .into_iter()
        .enumerate()
        .map(features)
        .collect()
}

/// Checks that zeroed categories do not affect the output while others do, and that the number of
/// parameters stays the same.
pub(super) fn assert_zeroes_categories<M: Module, const D: usize>(
    net: M,
    with_zeroed_categories: impl Fn(M, &[[usize; 2]]) -> M,
    forward: impl Fn(&M, TabularInputs) -> Tensor<D>,
) {
    let device = net.devices().remove(0);
    let learns = trainable_parameters(&net);
    let net = with_zeroed_categories(net, &[[0, 1], [0, 3], [1, 2]]);
    assert_eq!(trainable_parameters(&net), learns);
    let numeric: Tensor<2> = normal([1, N_NUMERIC], &device);
    let output = |codes: [i32; 2]| {
        let codes = Tensor::<2, Int>::from_ints([codes], &device);
        values(forward(
            &net,
            TabularInputs::new(Some(numeric.clone()), Some(codes)),
        ))
    };
    assert_eq!(output([1, 0]), output([3, 0]));
    assert_ne!(output([1, 0]), output([0, 0]));
    assert_ne!(output([2, 0]), output([0, 0]));
    assert_ne!(output([0, 2]), output([0, 0]));
}

/// A row times a matrix plus a vector, as the definition says.
///
/// - `weight`: `[d_input, d_output]`
pub(super) fn affine(row: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let d_output = bias.len();
    let output = |o: usize| {
        let terms = row.iter().zip(weight.chunks(d_output));
        bias[o] + terms.map(|(x, weights)| x * weights[o]).sum::<f32>()
    };
    (0..d_output).map(output).collect()
}

/// The rectifier, as the definition says.
pub(super) fn rectified(mut row: Vec<f32>) -> Vec<f32> {
    for x in &mut row {
        *x = x.max(0.0);
    }
    row
}
