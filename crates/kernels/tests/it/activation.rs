//! Activations against double precision.

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{Activation, FeatureMap, activation, sigmoid};

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::functions::{ACTIVATIONS, derivative, value};

/// Output and gradient of the input.
fn run(input: Tensor<4>, function: Activation) -> Vec<Vec<f32>> {
    let input = Tensor::from_inner(input).require_grad();
    let output = activation(FeatureMap::from_nchw(input.clone()), function).into_nchw();
    with_gradients(output, |gradients| {
        vec![values(input.grad(gradients).unwrap())]
    })
}

fn reference(input: Tensor<4>, function: Activation) -> Vec<Vec<f32>> {
    let upstream = values(noise(input.dims(), 0.4, &input.device()));
    let input = values(input);
    let output = input.iter().map(|&x| value(function, f64::from(x)) as f32);
    let gradient = input.iter().zip(upstream).map(|(&x, gradient)| {
        let slope = derivative(function, f64::from(x));
        (slope * f64::from(gradient)) as f32
    });
    vec![output.collect(), gradient.collect()]
}

#[test]
fn activations_equal_double_precision() {
    let device = Device::flex();
    for shape in [[2, 3, 5, 7], [1, 1, 1, 1], [9, 16, 12, 11], [3, 67, 4, 3]] {
        // Rounded: some values are at the kinks.
        let input = (noise(shape, 0.1, &device) * 8.0).round() * 0.5;
        for function in ACTIVATIONS {
            let context = format!("{shape:?} {function:?}");
            let ours = run(input.clone(), function);
            assert_all_close(&context, &ours, &reference(input.clone(), function));
        }
    }
}

#[test]
fn the_gradient_of_relu6_is_zero_at_both_ends() {
    let input = Tensor::from_data([[[[0.0_f32, 6.0, 3.0, 7.0, -1.0]]]], &Device::flex());
    let gradient = run(input, Activation::Relu6).remove(1);
    assert_eq!(
        [gradient[0], gradient[1], gradient[3], gradient[4]],
        [0.0; 4]
    );
    assert!(gradient[2] != 0.0);
}

#[test]
fn a_shared_input_is_left_alone() {
    let device = Device::flex();
    let input = noise([2, 3, 4, 5], 0.1, &device);
    let before = values(input.clone());
    let maps = FeatureMap::from_nchw(input.clone());
    let _output = activation(maps, Activation::Relu);
    assert_eq!(values(input), before);
}

#[test]
fn the_sigmoid_of_any_shape_equals_double_precision() {
    let input = noise([2, 3, 4, 5], 0.2, &Device::flex());
    for x in [input.clone(), input.permute([0, 2, 3, 1])] {
        let expected: Vec<f64> = values(x.clone())
            .iter()
            .map(|&x| value(Activation::Sigmoid, f64::from(x)))
            .collect();
        let output = sigmoid(x.clone().reshape([6, 20]));
        assert_eq!(output.dims(), [6, 20]);
        let found = output.try_into_vec_as::<f32>().unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6);
        }
        assert_eq!(values(sigmoid(x.clone())).len(), expected.len());
    }
}

#[test]
fn activations_do_not_depend_on_threads() {
    let input = noise([8, 16, 65, 64], 0.1, &Device::flex());
    assert_same_for_any_threads(|| run(input.clone(), Activation::Silu));
}

#[test]
fn nan_propagates() {
    let input = Tensor::from_data(
        TensorData::new(vec![f32::NAN; 20], [1, 1, 4, 5]),
        &Device::flex(),
    );
    for function in ACTIVATIONS {
        let output = activation(FeatureMap::from_nchw(input.clone()), function);
        assert!(
            values(output.into_nchw()).iter().all(|x| x.is_nan()),
            "{function:?}"
        );
    }
}
