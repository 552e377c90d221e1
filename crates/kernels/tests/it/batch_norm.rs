//! Batch normalization against loops in double precision.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{
    Activation, BatchParts, FeatureMap, batch_norm_train, is_batch_norm_synchronized,
    with_synchronized_batch_norm,
};

use crate::checks::{
    assert_all_close, assert_same_for_any_threads, is_scalar, noise, values, with_gradients,
};
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

/// One of the parts of a batch, each on a thread.
#[derive(Debug)]
struct Part {
    number: usize,
    /// Share of the items of each part.
    shares: Vec<f64>,
    table: Arc<Table>,
}

/// The layer and the values that each part says in an exchange.
type Table = (Mutex<Vec<(usize, Vec<f64>)>>, Barrier);

impl BatchParts for Part {
    fn mean(&self, layer: usize, values: &mut [f64]) {
        let (table, barrier) = &*self.table;
        table.lock().unwrap()[self.number] = (layer, values.to_vec());
        barrier.wait();
        let all = table.lock().unwrap().clone();
        barrier.wait();
        values.fill(0.0);
        for (share, (of, part)) in self.shares.iter().zip(&all) {
            assert_eq!(*of, layer, "the parts compute different layers");
            for (value, part) in values.iter_mut().zip(part) {
                *value += share * part;
            }
        }
    }
}

/// Two layers, of which the second has a residual: the gradients of the mean over the items, of the input and all
/// parameters, then the statistics and the output.
fn two_layers(input: &Tensor<4>, target: Tensor<4>, activation: Activation) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let [count, channels, _, _] = input.dims();
    let input = Tensor::from_inner(input.clone()).require_grad();
    let parameters =
        [0.7, 0.2, 0.4, 0.6].map(|seed| noise([channels], seed, &device).require_grad());
    let [gamma, beta, second_gamma, second_beta] = parameters.clone();
    let x = FeatureMap::from_nchw(input.clone());
    let first = batch_norm_train(x.clone(), gamma, beta, EPSILON, None, activation);
    let x = first.output + x.clone();
    let [gamma, beta] = [second_gamma, second_beta];
    let second = batch_norm_train(x.clone(), gamma, beta, EPSILON, Some(x), activation);
    let output = second.output.into_nchw();
    let loss = (output.clone() * Tensor::from_inner(target)).sum() / count as f64;
    let gradients = loss.backward();
    let mut all = vec![values(input.grad(&gradients).unwrap())];
    all.extend(parameters.map(|parameter| values(parameter.grad(&gradients).unwrap())));
    all.extend([first.mean, first.variance, second.mean, second.variance].map(values));
    all.push(values(output.inner()));
    all
}

#[test]
fn parts_of_a_batch_are_normalized_as_a_whole() {
    let device = Device::flex();
    // The last part has no item; what it computes counts nothing.
    let counts = [3, 1, 2, 0];
    let total: usize = counts.iter().sum();
    for (channels, offset, activation) in [
        (5, 0.0, Activation::Silu),
        (64, 0.0, Activation::Identity),
        (3, 300.0, Activation::HardSwish),
    ] {
        if offset != 0.0 && is_scalar() {
            // Burn's operations lose accuracy far from zero, also in one batch.
            continue;
        }
        // The items of the parts differ in mean and deviation.
        let scale = Tensor::<1>::from_floats([1.0, 2.0, 3.0, -4.0, 0.5, 9.0], &device);
        let scale = scale.reshape([total, 1, 1, 1]);
        let input = noise([total, channels, 3, 4], 0.1, &device) * scale.clone() + scale + offset;
        let target = noise([total, channels, 3, 4], 0.9, &device);
        let whole = two_layers(&input, target.clone(), activation);
        let table = Arc::new((Mutex::new(vec![(0, Vec::new()); 4]), Barrier::new(4)));
        let parts: Vec<Vec<Vec<f32>>> = thread::scope(|scope| {
            let threads = [0, 1, 2, 3].map(|number| {
                let start: usize = counts[..number].iter().sum();
                let items = if counts[number] == 0 {
                    0..1
                } else {
                    start..start + counts[number]
                };
                let (input, target) = (
                    input.clone().slice(items.clone()),
                    target.clone().slice(items),
                );
                let part = Arc::new(Part {
                    number,
                    shares: counts.map(|count| count as f64 / total as f64).to_vec(),
                    table: Arc::clone(&table),
                });
                scope.spawn(move || {
                    let pass = || two_layers(&input, target, activation);
                    let part = with_synchronized_batch_norm(part, pass);
                    assert!(!is_batch_norm_synchronized());
                    part
                })
            });
            threads.map(|thread| thread.join().unwrap()).into()
        });
        let context = format!("{channels} channels, {activation:?}");
        let share = |part: usize| counts[part] as f32 / total as f32;
        let mut found: Vec<Vec<f32>> = whole.iter().map(|values| vec![0.0; values.len()]).collect();
        found[0].clear();
        found[9].clear();
        for (number, part) in parts.iter().enumerate().take(3) {
            found[0].extend(part[0].iter().map(|gradient| gradient * share(number)));
            for index in 1..5 {
                let sums = found[index].iter_mut().zip(&part[index]);
                sums.for_each(|(sum, gradient)| *sum += gradient * share(number));
            }
            found[9].extend(&part[9]);
        }
        for statistic in 5..9 {
            assert!(
                parts
                    .iter()
                    .all(|part| part[statistic] == parts[0][statistic]),
                "{context}"
            );
            found[statistic].clone_from(&parts[0][statistic]);
        }
        assert_all_close(&context, &found, &whole);
    }
}
