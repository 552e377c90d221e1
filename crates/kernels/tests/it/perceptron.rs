#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Perceptrons and tables of vectors against Burn's own operations.

use burn::tensor::activation::relu;
use burn::tensor::module::{embedding, linear};
use burn::tensor::{Device, Distribution, Int, Tensor};
use tinderbox_kernels::{embed_and_concat, mlp};

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

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
fn a_perceptron_equals_its_layers_one_by_one() {
    let device = Device::flex();
    let layers = layers(&device);
    // One row, a few, and more than a few.
    for rows in [1, 7, 200] {
        let x = normal([rows, 19], &device);
        let mut expected = x.clone();
        for (at, (weight, bias)) in layers.iter().enumerate() {
            expected = linear(expected, weight.clone(), bias.clone());
            if at < 2 {
                expected = relu(expected);
            }
        }
        let found = mlp(x, layers.clone());
        assert_eq!(found.dims(), [rows, 2]);
        assert_close(&values(found), &values(expected));
    }
}

#[test]
fn what_is_no_number_stays_so() {
    let device = Device::flex();
    let mut layers = layers(&device);
    layers[0].1 = Some(Tensor::full([33], f32::NAN, &device));
    for rows in [1, 200] {
        let found = values(mlp(normal([rows, 19], &device), layers.clone()));
        assert!(found.iter().all(|value| value.is_nan()), "{rows} rows");
    }
}

#[test]
fn a_view_is_read_where_it_lies() {
    let device = Device::flex();
    let wide = normal([5, 40], &device);
    let part = wide.clone().narrow(1, 3, 19).narrow(0, 1, 2);
    let whole = Tensor::<2>::from_data(part.to_data(), &device);
    let layers = layers(&device);
    let [found, expected] = [part, whole].map(|x| values(mlp(x, layers.clone())));
    assert_eq!(found, expected);
}

#[test]
fn gradients_go_through() {
    let device = Device::flex().autodiff();
    let x = normal([3, 19], &device).require_grad();
    let gradients = mlp(x.clone(), layers(&device)).sum().backward();
    let gradient = x.grad(&gradients).unwrap();
    assert!(values(gradient).iter().any(|value| value.abs() > 1e-3));
}

#[test]
fn vectors_are_looked_up_behind_the_numbers() {
    let device = Device::flex();
    let table = normal([9, 4], &device);
    let starts = [0, 3, 5];
    let codes = Tensor::<2, Int>::from_ints([[2, 1, 3], [0, 0, 0]], &device);
    let rows = Tensor::<2, Int>::from_ints([[2, 4, 8], [0, 3, 5]], &device);
    let vectors: Tensor<2> = embedding(table.clone(), rows).flatten(1, 2);
    let numbers = normal([2, 2], &device);
    let expected = Tensor::cat(vec![numbers.clone(), vectors.clone()], 1);
    let found = embed_and_concat(Some(numbers.clone()), codes.clone(), &starts, table.clone());
    assert_eq!(values(found), values(expected.clone()));
    let found = embed_and_concat(None, codes.clone(), &starts, table.clone());
    assert_eq!(values(found), values(vectors));

    let tracked = device.autodiff();
    let learned = Tensor::<2>::from_data(table.to_data(), &tracked).require_grad();
    let [numbers, codes] = [numbers.to_data(), codes.to_data()];
    let codes = Tensor::<2, Int>::from_data(codes, &tracked);
    let numbers = Tensor::<2>::from_data(numbers, &tracked);
    let found = embed_and_concat(Some(numbers), codes, &starts, learned.clone());
    let gradients = found.clone().sum().backward();
    assert_eq!(values(found), values(expected));
    // Rows 2, 4, 8, 0, 3 and 5 were read, once each.
    let gradient = values(learned.grad(&gradients).unwrap());
    assert!((gradient.iter().sum::<f32>() - 24.0).abs() < 1e-4);
}

#[test]
#[should_panic(expected = "out of range")]
fn a_code_beyond_the_table_is_refused() {
    let device = Device::flex();
    let codes = Tensor::<2, Int>::from_ints([[3]], &device);
    embed_and_concat(None, codes, &[0], Tensor::zeros([3, 2], &device));
}
