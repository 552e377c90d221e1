//! Max pooling against Burn's.

use crate::checks::values;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::FeatureMap;

fn max_pool2x2(x: Tensor<4>) -> Tensor<4> {
    tinderbox_kernels::max_pool2x2(FeatureMap::from_nchw(x)).into_nchw()
}

const SHAPES: [[usize; 4]; 5] = [
    [4, 3, 5, 7],
    [2, 1, 2, 2],
    [3, 17, 4, 9],
    [64, 2, 13, 3],
    [1, 2, 8, 8],
];

fn noise<const D: usize>(shape: [usize; D], seed: f32, device: &Device) -> Tensor<D> {
    let value = |index: usize| (index as f32 * 12.9898 + seed).sin() * 2.0 + 0.3;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn pool(shape: [usize; 4], pool: impl Fn(Tensor<4>) -> Tensor<4>) -> [Vec<f32>; 2] {
    let device = Device::flex().autodiff();
    // Rounded, so that some pixels are equal.
    let input = noise(shape, 0.1, &device).round().require_grad();
    let output = pool(input.clone());
    let upstream = noise(output.dims(), 0.4, &device);
    let gradients = (output.clone() * upstream).sum().backward();
    [values(output), values(input.grad(&gradients).unwrap())]
}

#[test]
fn max_pool_equals_burn_for_even_and_odd_sizes() {
    for shape in SHAPES {
        let ours = pool(shape, max_pool2x2);
        let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
        let burns = pool(shape, |x| max_pool2d(x, options.clone()));
        assert_eq!(ours, burns, "{shape:?}");
    }
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    for index in 0..4 {
        let mut input = vec![1.0_f32; 4];
        input[index] = f32::NAN;
        let input = Tensor::from_data(TensorData::new(input, [1, 1, 2, 2]), &device);
        assert!(values(max_pool2x2(input))[0].is_nan(), "at {index}");
    }
}
