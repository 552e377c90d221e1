//! Convolution against Burn's.

use burn::tensor::module::conv2d as burn_conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{Conv2dGeometry, FeatureMap};

fn conv2d(input: Tensor<4>, weight: Tensor<4>, geometry: Conv2dGeometry) -> Tensor<4> {
    tinderbox_kernels::conv2d(FeatureMap::from_nchw(input), weight, geometry).into_nchw()
}

fn noise(shape: [usize; 4], seed: f32, device: &Device) -> Tensor<4> {
    let value = |index: usize| (index as f32 * 12.9898 + seed).sin();
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// Output, gradient of the input and gradient of the weight.
fn run(
    input: [usize; 4],
    weight: [usize; 4],
    convolve: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> [Vec<f32>; 3] {
    let device = Device::flex().autodiff();
    let input = noise(input, 0.1, &device).require_grad();
    let weight = noise(weight, 0.7, &device).require_grad();
    let output = convolve(input.clone(), weight.clone());
    let upstream = noise(output.dims(), 0.3, &device);
    let gradients = (output.clone() * upstream).sum().backward();
    [
        values(output.inner()),
        values(input.grad(&gradients).unwrap()),
        values(weight.grad(&gradients).unwrap()),
    ]
}

fn assert_equals_burn(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) {
    let ours = run(input, weight, |x, w| conv2d(x, w, geometry));
    let options = ConvOptions::new([geometry.stride; 2], [geometry.padding; 2], [1, 1], 1);
    let burns = run(input, weight, |x, w| {
        burn_conv2d(x, w, None, options.clone())
    });
    for (context, (ours, burns)) in ["output", "input", "weight"]
        .iter()
        .zip(ours.iter().zip(&burns))
    {
        assert_eq!(ours.len(), burns.len(), "{context} of {input:?} {weight:?}");
        let scale = burns
            .iter()
            .fold(1.0_f32, |scale, value| scale.max(value.abs()));
        for (ours, burns) in ours.iter().zip(burns) {
            let error = (ours - burns).abs() / scale;
            assert!(
                error < 1e-5,
                "{context} of {input:?} {weight:?} {geometry:?}: {ours} is not {burns}"
            );
        }
    }
}

#[test]
fn conv2d_equals_burn_for_strides_paddings_and_kernels() {
    for (stride, padding) in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 2)] {
        let geometry = Conv2dGeometry { stride, padding };
        assert_equals_burn([2, 3, 7, 10], [4, 3, 3, 3], geometry);
        assert_equals_burn([3, 2, 9, 8], [5, 2, 5, 5], geometry);
        assert_equals_burn([2, 4, 6, 6], [3, 4, 1, 1], geometry);
        assert_equals_burn([1, 1, 5, 9], [2, 1, 3, 5], geometry);
    }
}

#[test]
fn conv2d_equals_burn_for_small_and_large_images() {
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    assert_equals_burn([67, 8, 4, 4], [16, 8, 3, 3], geometry);
    assert_equals_burn([33, 4, 14, 14], [8, 4, 3, 3], geometry);
    assert_equals_burn([5, 3, 28, 28], [8, 3, 3, 3], geometry);
    assert_equals_burn([2, 16, 1, 1], [8, 16, 3, 3], geometry);
}

#[test]
fn the_input_may_be_a_view() {
    let device = Device::flex();
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    let weight = noise([4, 2, 3, 3], 0.2, &device);
    let input = noise([2, 6, 5, 2], 0.5, &device).swap_dims(1, 3);
    let view = conv2d(input.clone(), weight.clone(), geometry);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let burns = burn_conv2d(input, weight, None, options);
    for (ours, burns) in values(view).into_iter().zip(values(burns)) {
        assert!((ours - burns).abs() < 1e-5, "{ours} is not {burns}");
    }
}

#[test]
fn equal_inputs_give_equal_bits() {
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    let once = || {
        run([64, 8, 14, 14], [16, 8, 3, 3], |x, w| {
            conv2d(x, w, geometry)
        })
    };
    let first = once();
    for _ in 0..5 {
        assert!(first == once());
    }
}

#[test]
#[should_panic(expected = "differ in channels")]
fn mismatched_channels_are_rejected() {
    let device = Device::flex();
    let input = noise([1, 2, 5, 5], 0.0, &device);
    let weight = noise([1, 3, 3, 3], 0.0, &device);
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 0,
    };
    let _ = conv2d(input, weight, geometry);
}
