//! Batch normalization against loops in double precision.

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{Activation, FeatureMap, batch_norm_train};

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::functions::{ACTIVATIONS, derivative, value};

const SHAPES: [[usize; 4]; 9] = [
    [2, 1, 2, 2],
    [4, 3, 5, 7],
    [3, 8, 4, 9],
    [5, 17, 13, 3],
    [33, 16, 4, 4],
    [2, 67, 11, 9],
    [1, 2, 1, 3],
    [3, 130, 5, 7],
    [2, 64, 24, 23],
];

const EPSILON: f64 = 1e-5;

/// Output, mean, variance, and the gradients of input, gamma, beta and the residual.
fn normalize(input: &Tensor<4>, with_residual: bool, activation: Activation) -> Vec<Vec<f32>> {
    let (device, shape) = (Device::flex().autodiff(), input.dims());
    let input = Tensor::from_inner(input.clone()).require_grad();
    let gamma = noise([shape[1]], 0.7, &device).require_grad();
    let beta = noise([shape[1]], 0.2, &device).require_grad();
    let residual = with_residual.then(|| noise(shape, 0.9, &device).require_grad());
    let result = batch_norm_train(
        FeatureMap::from_nchw(input.clone()),
        gamma.clone(),
        beta.clone(),
        EPSILON,
        residual.clone().map(FeatureMap::from_nchw),
        activation,
    );
    let statistics = [values(result.mean), values(result.variance)];
    let mut all = with_gradients(result.output.into_nchw(), |gradients| {
        let mut all = vec![
            values(input.grad(gradients).unwrap()),
            values(gamma.grad(gradients).unwrap()),
            values(beta.grad(gradients).unwrap()),
        ];
        all.extend(residual.map(|residual| values(residual.grad(gradients).unwrap())));
        all
    });
    all.splice(1..1, statistics);
    all
}

/// The same in double precision.
fn reference(input: &Tensor<4>, with_residual: bool, activation: Activation) -> Vec<Vec<f32>> {
    let (device, shape) = (Device::flex(), input.dims());
    let [batch, channels, height, width] = shape;
    let pixels = height * width;
    let count = (batch * pixels) as f64;
    let doubles = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
    let x = doubles(values(input.clone()));
    let residual = doubles(values(noise(shape, 0.9, &device)));
    let upstream = doubles(values(noise(shape, 0.4, &device)));
    let gamma = doubles(values(noise([channels], 0.7, &device)));
    let beta = doubles(values(noise([channels], 0.2, &device)));
    let (mut output, mut direct) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let mut input_gradient = vec![0.0; x.len()];
    let [mut means, mut variances, mut gammas, mut betas] = [(); 4].map(|()| vec![]);
    for channel in 0..channels {
        let indices: Vec<usize> = (0..x.len())
            .filter(|index| index / pixels % channels == channel)
            .collect();
        let sum = |term: &dyn Fn(usize) -> f64| indices.iter().map(|&i| term(i)).sum::<f64>();
        let mean = sum(&|i| x[i]) / count;
        let variance = sum(&|i| (x[i] - mean).powi(2)) / count;
        let inverse_std = (variance + EPSILON).sqrt().recip();
        let normal = |i: usize| (x[i] - mean) * inverse_std;
        for &i in &indices {
            let residual = if with_residual { residual[i] } else { 0.0 };
            let before = gamma[channel] * normal(i) + beta[channel] + residual;
            output[i] = value(activation, before);
            direct[i] = derivative(activation, before) * upstream[i];
        }
        let (product, total) = (sum(&|i| direct[i] * normal(i)), sum(&|i| direct[i]));
        for &i in &indices {
            input_gradient[i] = gamma[channel]
                * inverse_std
                * (direct[i] - total / count - normal(i) * product / count);
        }
        means.push(mean);
        variances.push(variance);
        gammas.push(product);
        betas.push(total);
    }
    let mut all = vec![output, means, variances, input_gradient, gammas, betas];
    all.extend(with_residual.then_some(direct));
    let singles = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    all.into_iter().map(singles).collect()
}

#[test]
fn batch_norm_equals_loops_with_every_activation_and_a_residual() {
    let device = Device::flex();
    for shape in SHAPES {
        let input = noise(shape, 0.1, &device) + 0.3;
        for (activation, with_residual) in ACTIVATIONS
            .into_iter()
            .flat_map(|activation| [(activation, false), (activation, true)])
        {
            let ours = normalize(&input, with_residual, activation);
            let expected = reference(&input, with_residual, activation);
            let context = format!("{shape:?}, {activation:?}, residual: {with_residual}");
            assert_all_close(&context, &ours, &expected);
        }
    }
}

#[test]
fn a_mean_far_from_zero_costs_no_accuracy() {
    let device = Device::flex();
    for shape in SHAPES {
        // Exact sums, and a mean of about 1,000 standard deviations.
        let input = noise(shape, 0.1, &device).mul_scalar(64.0).round() / 64.0 + 1_024.0;
        let ours = normalize(&input, true, Activation::Silu);
        let expected = reference(&input, true, Activation::Silu);
        assert_all_close(&format!("{shape:?}"), &ours, &expected);
    }
}

#[test]
fn outliers_cost_no_accuracy() {
    let device = Device::flex();
    for outliers in [1, 16, 64, 500] {
        let mut input = values(noise([2, 3, 23, 24], 0.1, &device));
        for (index, pixel) in input.iter_mut().enumerate().take(outliers) {
            *pixel = 1e4 + index as f32;
        }
        let input = Tensor::from_data(TensorData::new(input, [2, 3, 23, 24]), &device);
        let ours = normalize(&input, false, Activation::Identity);
        let expected = reference(&input, false, Activation::Identity);
        for part in [0, 1, 2] {
            let context = format!("{outliers} outliers, part {part}");
            assert_all_close(&context, &ours[part..=part], &expected[part..=part]);
        }
    }
}

#[test]
fn batch_norm_does_not_depend_on_threads() {
    let device = Device::flex();
    for (shape, with_residual) in [([8, 64, 33, 32], false), ([64, 17, 17, 32], true)] {
        let input = noise(shape, 0.1, &device);
        assert_same_for_any_threads(|| normalize(&input, with_residual, Activation::Relu));
    }
}

#[test]
fn inputs_may_be_views() {
    let device = Device::flex();
    let input = noise([5, 4, 9, 3], 0.1, &device).permute([3, 2, 0, 1]);
    let ours = normalize(&input, true, Activation::Relu);
    assert_all_close("view", &ours, &reference(&input, true, Activation::Relu));
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    for activation in ACTIVATIONS {
        let mut input = vec![1.0_f32; 8];
        input[3] = f32::NAN;
        let input = Tensor::from_data(TensorData::new(input, [2, 1, 2, 2]), &device);
        let ones = || Tensor::ones([1], &device);
        let input = FeatureMap::from_nchw(input);
        let output = batch_norm_train(input, ones(), ones(), 1e-5, None, activation).output;
        let output = values(output.into_nchw());
        assert!(output.iter().all(|value| value.is_nan()), "{activation:?}");
    }
}
