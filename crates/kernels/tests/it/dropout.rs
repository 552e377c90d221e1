//! Properties of the masks of dropout.

use crate::checks::{noise, values};
use burn::tensor::{DType, Device, Tensor};
use tinderbox_kernels::{dropout, dropout_add};

#[test]
fn the_share_of_zeros_and_the_scale_match_the_probability() {
    let device = Device::flex().autodiff();
    for probability in [0.1, 0.5] {
        let input = Tensor::<2>::ones([300, 700], &device).require_grad();
        let output = dropout(input.clone() * 1.0, probability);
        let kept = values(output.clone());
        let share = kept.iter().filter(|&&value| value == 0.0).count() as f64 / 210_000.0;
        assert!((share - probability).abs() < 0.01, "{share}");
        let scale = (1.0 / (1.0 - probability)) as f32;
        assert!(kept.iter().all(|&value| value == 0.0 || value == scale));
        // Neighboring elements are independent.
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
fn the_residual_is_unchanged() {
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
fn masks_differ_between_calls() {
    let device = Device::flex();
    let drop = || values(dropout(Tensor::<2>::ones([10, 100], &device), 0.5));
    assert_ne!(drop(), drop());
}

#[test]
fn probability_zero_is_the_identity() {
    let x = noise([4, 5], 0.1, &Device::flex());
    assert_eq!(values(dropout(x.clone(), 0.0)), values(x));
}

#[test]
fn the_fallback_drops_and_scales_too() {
    // There is no kernel for double precision.
    let ones = Tensor::<2>::ones([5, 40], &Device::flex()).cast(DType::F64);
    let mean = values(dropout(ones.clone(), 0.5)).iter().sum::<f32>() / 200.0;
    assert!((mean - 1.0).abs() < 0.4, "{mean}");
    let sum = values(dropout_add(ones.clone(), ones, 0.5));
    assert!(sum.iter().all(|&value| value == 1.0 || value == 3.0));
}
