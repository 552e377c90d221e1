//! Layer and RMS normalization against Burn's operations.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use burn::tensor::{DType, Device, Tensor, module};
use tinderbox_kernels::{layer_norm, rms_norm};

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
fn norms_equal_burn() {
    for (size, centered) in SIZES
        .into_iter()
        .flat_map(|size| [(size, true), (size, false)])
    {
        let context = format!("{size:?}, centered: {centered}");
        assert_all_close(
            &context,
            &run(size, centered, ours),
            &run(size, centered, burns),
        );
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    assert_same_for_any_threads(|| run([20, 500, 64], true, ours));
}

#[test]
fn the_fallback_gives_the_same_result() {
    let device = Device::flex();
    let (x, gamma) = (noise([5, 40], 0.1, &device), noise([40], 0.7, &device));
    // There is no kernel for double precision.
    let (double_x, double_gamma) = (x.clone().cast(DType::F64), gamma.clone().cast(DType::F64));
    let all = |x: Tensor<2>, gamma: Tensor<1>| {
        vec![
            values(layer_norm(x.clone(), gamma.clone(), gamma.clone(), 1e-5)),
            values(rms_norm(x, gamma, 1e-5)),
        ]
    };
    assert_all_close("all", &all(x, gamma), &all(double_x, double_gamma));
}
