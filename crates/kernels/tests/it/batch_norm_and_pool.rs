#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Our batch normalization and pooling against Burn's own, on the device that has ours.

use burn::tensor::activation::relu;
use burn::tensor::module::{batch_norm_train as burn_batch_norm, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{BatchNormOutput, batch_norm_train, max_pool2x2};

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

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(what: &str, ours: &[f32], burns: &[f32]) {
    assert_eq!(ours.len(), burns.len(), "{what}");
    let scale = burns
        .iter()
        .fold(1.0_f32, |scale, value| scale.max(value.abs()));
    for (ours, burns) in ours.iter().zip(burns) {
        let apart = (ours - burns).abs() / scale;
        assert!(apart < 1e-5, "{what}: {ours} is not {burns}");
    }
}

/// Output, moments, and the gradients of input, gamma and beta.
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
fn normalization_equals_burn_with_and_without_a_rectifier() {
    for (shape, rectify) in SHAPES
        .into_iter()
        .flat_map(|shape| [(shape, false), (shape, true)])
    {
        let ours = normalize(shape, |x, gamma, beta| {
            let BatchNormOutput {
                output,
                mean,
                variance,
            } = batch_norm_train(x, gamma, beta, 1e-5, rectify);
            [
                output,
                mean.reshape([1, -1, 1, 1]),
                variance.reshape([1, -1, 1, 1]),
            ]
        });
        let burns = normalize(shape, |x, gamma, beta| {
            let result = burn_batch_norm(x, gamma, beta, 1e-5);
            let output = if rectify {
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
                &format!("part {part} of {shape:?}, rectified: {rectify}"),
                ours,
                burns,
            );
        }
    }
}

#[test]
fn normalization_keeps_what_is_not_a_number() {
    let device = Device::flex();
    let mut input = vec![1.0_f32; 8];
    input[3] = f32::NAN;
    let input = Tensor::from_data(TensorData::new(input, [2, 1, 2, 2]), &device);
    let ones = || Tensor::ones([1], &device);
    let output = batch_norm_train(input, ones(), ones(), 1e-5, true).output;
    assert!(values(output).iter().all(|value| value.is_nan()));
}

fn pool(shape: [usize; 4], pool: impl Fn(Tensor<4>) -> Tensor<4>) -> [Vec<f32>; 2] {
    let device = Device::flex().autodiff();
    // Rounded, so that there are equal pixels.
    let input = noise(shape, 0.1, &device).round().require_grad();
    let output = pool(input.clone());
    let upstream = noise(output.dims(), 0.4, &device);
    let gradients = (output.clone() * upstream).sum().backward();
    [values(output), values(input.grad(&gradients).unwrap())]
}

#[test]
fn pooling_equals_burn_at_even_and_odd_sides() {
    for shape in SHAPES {
        let ours = pool(shape, max_pool2x2);
        let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
        let burns = pool(shape, |x| max_pool2d(x, options.clone()));
        assert_eq!(ours, burns, "{shape:?}");
    }
}

#[test]
fn pooling_keeps_what_is_not_a_number() {
    let device = Device::flex();
    for place in 0..4 {
        let mut input = vec![1.0_f32; 4];
        input[place] = f32::NAN;
        let input = Tensor::from_data(TensorData::new(input, [1, 1, 2, 2]), &device);
        assert!(values(max_pool2x2(input))[0].is_nan(), "at {place}");
    }
}
