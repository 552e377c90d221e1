//! Adam against the formula in double precision.

use burn::tensor::{Device, Distribution, Tensor};
use tinderbox_kernels::{AdamState, AdamStep, adam};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

fn step(number: usize) -> AdamStep {
    AdamStep {
        beta_1: 0.9,
        beta_2: 0.99,
        epsilon: 1e-6,
        learning_rate: 0.01,
        weight_decay: 0.1,
        step: number,
    }
}

/// The formula of the paper for one weight.
fn reference([weight, moment_1, moment_2]: &mut [f64; 3], gradient: f64, step: &AdamStep) {
    let [beta_1, beta_2, epsilon] = [step.beta_1, step.beta_2, step.epsilon].map(f64::from);
    let (rate, decay, time) = (
        f64::from(step.learning_rate),
        f64::from(step.weight_decay),
        i32::try_from(step.step).unwrap(),
    );
    *moment_1 = beta_1 * *moment_1 + (1.0 - beta_1) * gradient;
    *moment_2 = beta_2 * *moment_2 + (1.0 - beta_2) * gradient * gradient;
    let (first, second) = (
        *moment_1 / (1.0 - beta_1.powi(time)),
        *moment_2 / (1.0 - beta_2.powi(time)),
    );
    *weight -= rate * (first / (second.sqrt() + epsilon) + decay * *weight);
}

#[test]
fn steps_equal_the_formula_for_any_size_and_layout() {
    let device = Device::flex();
    // The second is split into several chunks.
    for shape in [[3, 5], [700, 301]] {
        let normal = Distribution::Normal(0.0, 1.0);
        let mut state = AdamState {
            weights: Tensor::<2>::random(shape, normal, &device),
            moment_1: Tensor::zeros(shape, &device),
            moment_2: Tensor::zeros(shape, &device),
        };
        let start = state.weights.clone();
        let mut expected: Vec<[f64; 3]> = values(start.clone())
            .into_iter()
            .map(|weight| [weight, 0.0, 0.0])
            .collect();
        for time in 1..=3 {
            let [rows, columns] = shape;
            // Transposed in memory.
            let gradient = Tensor::<2>::random([columns, rows], normal, &device).transpose();
            for (row, gradient) in expected.iter_mut().zip(values(gradient.clone())) {
                reference(row, gradient, &step(time));
            }
            state = adam(state, gradient, &step(time));
        }
        for (ours, expected) in values(state.weights).into_iter().zip(&expected) {
            assert!(
                (ours - expected[0]).abs() < 2e-6,
                "{ours} is not {}",
                expected[0]
            );
        }
        for (ours, expected) in values(state.moment_2).into_iter().zip(&expected) {
            assert!(
                (ours - expected[2]).abs() < 2e-6,
                "{ours} is not {}",
                expected[2]
            );
        }
    }
}

#[test]
fn shared_tensors_are_not_modified() {
    let device = Device::flex();
    let weights = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
    let gradient = Tensor::from_floats([1.0, -1.0], &device);
    let state = AdamState {
        // A view of a larger tensor, which must not change either.
        weights: weights.clone().slice(0..2),
        moment_1: Tensor::zeros([2], &device),
        moment_2: Tensor::zeros([2], &device),
    };
    let updated = adam(state.clone(), gradient, &step(1));
    assert_eq!(values(weights), [1.0, 2.0, 3.0]);
    assert_eq!(values(state.moment_1), [0.0, 0.0]);
    assert!(values(updated.weights)[0] < 1.0);
}
