#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
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

/// The paper's formula, one number at a time.
fn by_hand([weight, mean, square]: &mut [f64; 3], gradient: f64, step: &AdamStep) {
    let [beta_1, beta_2, epsilon] = [step.beta_1, step.beta_2, step.epsilon].map(f64::from);
    let (rate, decay, time) = (
        f64::from(step.learning_rate),
        f64::from(step.weight_decay),
        i32::try_from(step.step).unwrap(),
    );
    *mean = beta_1 * *mean + (1.0 - beta_1) * gradient;
    *square = beta_2 * *square + (1.0 - beta_2) * gradient * gradient;
    let (first, second) = (
        *mean / (1.0 - beta_1.powi(time)),
        *square / (1.0 - beta_2.powi(time)),
    );
    *weight -= rate * (first / (second.sqrt() + epsilon) + decay * *weight);
}

#[test]
fn steps_equal_the_formula_whatever_the_size_and_the_layout() {
    let device = Device::flex();
    // The second has several portions for threads.
    for shape in [[3, 5], [700, 301]] {
        let normal = Distribution::Normal(0.0, 1.0);
        let mut now = AdamState {
            weights: Tensor::<2>::random(shape, normal, &device),
            moment_1: Tensor::zeros(shape, &device),
            moment_2: Tensor::zeros(shape, &device),
        };
        let start = now.weights.clone();
        let mut expected: Vec<[f64; 3]> = values(start.clone())
            .into_iter()
            .map(|weight| [weight, 0.0, 0.0])
            .collect();
        for time in 1..=3 {
            let [rows, columns] = shape;
            // Its rows are the columns of what is in memory.
            let gradient = Tensor::<2>::random([columns, rows], normal, &device).transpose();
            for (row, gradient) in expected.iter_mut().zip(values(gradient.clone())) {
                by_hand(row, gradient, &step(time));
            }
            now = adam(now, gradient, &step(time));
        }
        for (found, expected) in values(now.weights).into_iter().zip(&expected) {
            assert!(
                (found - expected[0]).abs() < 2e-6,
                "{found} is not {}",
                expected[0]
            );
        }
        for (found, expected) in values(now.moment_2).into_iter().zip(&expected) {
            assert!(
                (found - expected[2]).abs() < 2e-6,
                "{found} is not {}",
                expected[2]
            );
        }
    }
}

#[test]
fn what_others_hold_is_left_alone() {
    let device = Device::flex();
    let weights = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
    let gradient = Tensor::from_floats([1.0, -1.0], &device);
    let now = AdamState {
        // The first part of something larger, which stays as it is too.
        weights: weights.clone().slice(0..2),
        moment_1: Tensor::zeros([2], &device),
        moment_2: Tensor::zeros([2], &device),
    };
    let moved = adam(now.clone(), gradient, &step(1));
    assert_eq!(values(weights), [1.0, 2.0, 3.0]);
    assert_eq!(values(now.moment_1), [0.0, 0.0]);
    assert!(values(moved.weights)[0] < 1.0);
}
