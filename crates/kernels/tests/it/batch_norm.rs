//! Batch normalization against Burn's.

use crate::checks::values;
use burn::tensor::activation::relu;
use burn::tensor::module::batch_norm_train as burn_batch_norm;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{Activation, BatchNormOutput, FeatureMap, batch_norm_train};

const SHAPES: [[usize; 4]; 5] = [
    [4, 3, 5, 7],
    [2, 1, 2, 2],
    [3, 17, 4, 9],
    [64, 2, 13, 3],
    [1, 2, 8, 8],
];

fn noise<const D: usize>(shape: [usize; D], seed: f32, device: &Device) -> Tensor<D> {
    let value = |index: usize| (index as f32 * 12.9898 + seed).sin() * 2.0 + 0.3;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn assert_close(context: &str, ours: &[f32], burns: &[f32]) {
    assert_eq!(ours.len(), burns.len(), "{context}");
    let scale = burns
        .iter()
        .fold(1.0_f32, |scale, value| scale.max(value.abs()));
    for (ours, burns) in ours.iter().zip(burns) {
        let error = (ours - burns).abs() / scale;
        assert!(error < 1e-5, "{context}: {ours} is not {burns}");
    }
}

/// Output, mean, variance, and the gradients of input, gamma and beta.
fn normalize(
    shape: [usize; 4],
    norm: impl Fn(Tensor<4>, Tensor<1>, Tensor<1>) -> [Tensor<4>; 3],
) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise(shape, 0.1, &device).require_grad();
    let gamma = noise([shape[1]], 0.7, &device).require_grad();
    let beta = noise([shape[1]], 0.2, &device).require_grad();
    let [output, mean, variance] = norm(input.clone(), gamma.clone(), beta.clone());
    let gradients = (output.clone() * noise(shape, 0.4, &device))
        .sum()
        .backward();
    vec![
        values(output),
        values(mean),
        values(variance),
        values(input.grad(&gradients).unwrap()),
        values(gamma.grad(&gradients).unwrap()),
        values(beta.grad(&gradients).unwrap()),
    ]
}

#[test]
fn batch_norm_equals_burn_with_and_without_relu() {
    for (shape, use_relu) in SHAPES
        .into_iter()
        .flat_map(|shape| [(shape, false), (shape, true)])
    {
        let ours = normalize(shape, |x, gamma, beta| {
            let BatchNormOutput {
                output,
                mean,
                variance,
            } = batch_norm_train(
                FeatureMap::from_nchw(x),
                gamma,
                beta,
                1e-5,
                None,
                if use_relu {
                    Activation::Relu
                } else {
                    Activation::Identity
                },
            );
            [
                output.into_nchw(),
                mean.reshape([1, -1, 1, 1]),
                variance.reshape([1, -1, 1, 1]),
            ]
        });
        let burns = normalize(shape, |x, gamma, beta| {
            let result = burn_batch_norm(x, gamma, beta, 1e-5);
            let output = if use_relu {
                relu(result.output)
            } else {
                result.output
            };
            [
                output,
                result.mean.reshape([1, -1, 1, 1]),
                result.variance.reshape([1, -1, 1, 1]),
            ]
        });
        for (part, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
            assert_close(
                &format!("part {part} of {shape:?}, relu: {use_relu}"),
                ours,
                burns,
            );
        }
    }
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    let mut input = vec![1.0_f32; 8];
    input[3] = f32::NAN;
    let input = Tensor::from_data(TensorData::new(input, [2, 1, 2, 2]), &device);
    let ones = || Tensor::ones([1], &device);
    let input = FeatureMap::from_nchw(input);
    let output = batch_norm_train(input, ones(), ones(), 1e-5, None, Activation::Relu).output;
    assert!(
        values(output.into_nchw())
            .iter()
            .all(|value| value.is_nan())
    );
}
