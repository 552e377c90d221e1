#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a helper that fails is a test that fails; what is left out is zero to the bit"
)]
//! Our normalizations and gates over rows against Burn's, and what dropout leaves out.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use burn::tensor::activation::silu;
use burn::tensor::{DType, Device, Tensor, module};
use tinderbox_kernels::{dropout, dropout_add, layer_norm, rms_norm, swiglu};

const SIZES: [[usize; 3]; 6] = [
    [1, 1, 5],
    [2, 3, 17],
    [4, 100, 128],
    [1, 129, 40],
    [3, 5, 768],
    [20, 300, 64],
];

type Norm = fn(Tensor<3>, Tensor<1>, Option<Tensor<1>>) -> Tensor<3>;

fn run([batch, seq, d]: [usize; 3], centered: bool, norm: Norm) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = (noise([batch, seq, d], 0.1, &device) + 0.7).require_grad();
    let gamma = noise([d], 0.7, &device).require_grad();
    let beta = centered.then(|| noise([d], 0.2, &device).require_grad());
    let output = norm(input.clone(), gamma.clone(), beta.clone());
    with_gradients(output, |gradients| {
        let mut all = vec![
            values(input.grad(gradients).unwrap()),
            values(gamma.grad(gradients).unwrap()),
        ];
        all.extend(beta.map(|beta| values(beta.grad(gradients).unwrap())));
        all
    })
}

fn ours(x: Tensor<3>, gamma: Tensor<1>, beta: Option<Tensor<1>>) -> Tensor<3> {
    match beta {
        Some(beta) => layer_norm(x, gamma, beta, 1e-5),
        None => rms_norm(x, gamma, 1e-5),
    }
}

fn burns(x: Tensor<3>, gamma: Tensor<1>, beta: Option<Tensor<1>>) -> Tensor<3> {
    if beta.is_some() {
        return module::layer_norm(x, gamma, beta, 1e-5);
    }
    let deviation = (x.clone().square().mean_dim(2) + 1e-5).sqrt();
    x / deviation * gamma.unsqueeze()
}

#[test]
fn normalizations_equal_burn() {
    for (size, centered) in SIZES
        .into_iter()
        .flat_map(|size| [(size, true), (size, false)])
    {
        let what = format!("{size:?}, centered: {centered}");
        assert_all_close(
            &what,
            &run(size, centered, ours),
            &run(size, centered, burns),
        );
    }
}

fn gate([batch, seq, d]: [usize; 3], gate: fn(Tensor<3>) -> Tensor<3>) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let packed = (noise([batch, seq, 2 * d], 0.1, &device) * 3.0).require_grad();
    let output = gate(packed.clone());
    with_gradients(output, |gradients| {
        vec![values(packed.grad(gradients).unwrap())]
    })
}

#[test]
fn gates_equal_burn() {
    for size in SIZES {
        let burns = gate(size, |packed| {
            let [gates, values]: [_; 2] = packed.chunk(2, 2).try_into().unwrap();
            silu(gates) * values
        });
        assert_all_close(&format!("{size:?}"), &gate(size, swiglu), &burns);
    }
}

#[test]
fn where_there_is_no_kernel_burn_computes_the_same() {
    let device = Device::flex();
    let (x, gamma) = (noise([5, 40], 0.1, &device), noise([40], 0.7, &device));
    // There is none for double precision.
    let (double_x, double_gamma) = (x.clone().cast(DType::F64), gamma.clone().cast(DType::F64));
    let all = |x: Tensor<2>, gamma: Tensor<1>| {
        vec![
            values(layer_norm(x.clone(), gamma.clone(), gamma.clone(), 1e-5)),
            values(rms_norm(x.clone(), gamma, 1e-5)),
            values(swiglu(x)),
        ]
    };
    assert_all_close("all", &all(x, gamma), &all(double_x.clone(), double_gamma));
    let share = values(dropout(double_x.ones_like(), 0.5))
        .iter()
        .sum::<f32>()
        / 200.0;
    assert!((share - 1.0).abs() < 0.4, "{share}");
    let twice = values(dropout_add(double_x.ones_like(), double_x.ones_like(), 0.5));
    assert!(twice.iter().all(|&value| value == 1.0 || value == 3.0));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    assert_same_for_any_threads(|| run([20, 500, 64], true, ours));
    assert_same_for_any_threads(|| gate([20, 500, 64], swiglu));
}

#[test]
fn dropout_leaves_out_the_share_that_it_says_and_keeps_the_mean() {
    let device = Device::flex().autodiff();
    for probability in [0.1, 0.5] {
        let input = Tensor::<2>::ones([300, 700], &device).require_grad();
        let output = dropout(input.clone() * 1.0, probability);
        let kept = values(output.clone());
        let share = kept.iter().filter(|&&value| value == 0.0).count() as f64 / 210_000.0;
        assert!((share - probability).abs() < 0.01, "{share}");
        let scale = (1.0 / (1.0 - probability)) as f32;
        assert!(kept.iter().all(|&value| value == 0.0 || value == scale));
        // Neighbours know nothing of each other.
        let pairs = kept
            .windows(2)
            .filter(|pair| pair[0] == 0.0 && pair[1] == 0.0)
            .count();
        let pairs = pairs as f64 / 210_000.0;
        assert!((pairs - probability * probability).abs() < 0.01, "{pairs}");
        let gradients = output.sum().backward();
        assert_eq!(values(input.grad(&gradients).unwrap()), kept);
    }
}

#[test]
fn dropout_of_a_branch_leaves_the_residual_alone() {
    let device = Device::flex().autodiff();
    let residual = noise([40, 30], 0.1, &device).require_grad();
    let branch = Tensor::<2>::ones([40, 30], &device).require_grad();
    let output = dropout_add(residual.clone() * 1.0, branch.clone() * 1.0, 0.25);
    let kept = values(output.clone() - residual.clone());
    let gradients = output.sum().backward();
    let gradient = values(branch.grad(&gradients).unwrap());
    assert!(gradient.contains(&0.0) && gradient.iter().any(|&value| value > 1.0));
    for (kept, gradient) in kept.iter().zip(gradient) {
        assert!((kept - gradient).abs() < 1e-6, "{kept} is not {gradient}");
    }
    let gradient = values(residual.grad(&gradients).unwrap());
    assert!(gradient.iter().all(|&value| value == 1.0));
}

#[test]
fn dropout_differs_from_call_to_call() {
    let device = Device::flex();
    let drop = || values(dropout(Tensor::<2>::ones([10, 100], &device), 0.5));
    assert_ne!(drop(), drop());
}

#[test]
fn dropout_of_probability_zero_is_nothing() {
    let x = noise([4, 5], 0.1, &Device::flex());
    assert_eq!(values(dropout(x.clone(), 0.0)), values(x));
}
