//! Multilayer perceptrons against Burn's operations.

use crate::checks::values;
use burn::tensor::activation::relu;
use burn::tensor::module::linear;
use burn::tensor::{Device, Distribution, Tensor};
use tinderbox_kernels::mlp;

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn assert_close(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-4, "{left} is not {right}");
    }
}

fn layers(device: &Device) -> Vec<(Tensor<2>, Option<Tensor<1>>)> {
    [(19, 33, true), (33, 64, false), (64, 2, true)]
        .map(|(rows, columns, bias)| {
            let bias = bias.then(|| normal([columns], device));
            (normal([rows, columns], device), bias)
        })
        .to_vec()
}

#[test]
fn an_mlp_equals_its_layers() {
    let device = Device::flex();
    let layers = layers(&device);
    // One row, unpacked weights, packed weights.
    for rows in [1, 7, 200] {
        let x = normal([rows, 19], &device);
        let mut expected = x.clone();
        for (at, (weight, bias)) in layers.iter().enumerate() {
            expected = linear(expected, weight.clone(), bias.clone());
            if at < 2 {
                expected = relu(expected);
            }
        }
        let ours = mlp(x, layers.clone());
        assert_eq!(ours.dims(), [rows, 2]);
        assert_close(&values(ours), &values(expected));
    }
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    let mut layers = layers(&device);
    layers[0].1 = Some(Tensor::full([33], f32::NAN, &device));
    for rows in [1, 200] {
        let ours = values(mlp(normal([rows, 19], &device), layers.clone()));
        assert!(ours.iter().all(|value| value.is_nan()), "{rows} rows");
    }
}

#[test]
fn the_input_may_be_a_view() {
    let device = Device::flex();
    let wide = normal([5, 40], &device);
    let part = wide.clone().narrow(1, 3, 19).narrow(0, 1, 2);
    let whole = Tensor::<2>::from_data(part.to_data(), &device);
    let layers = layers(&device);
    let [ours, expected] = [part, whole].map(|x| values(mlp(x, layers.clone())));
    assert_eq!(ours, expected);
}

#[test]
fn gradients_flow_through_the_fallback() {
    let device = Device::flex().autodiff();
    let x = normal([3, 19], &device).require_grad();
    let gradients = mlp(x.clone(), layers(&device)).sum().backward();
    let gradient = x.grad(&gradients).unwrap();
    assert!(values(gradient).iter().any(|value| value.abs() > 1e-3));
}
