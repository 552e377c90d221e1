//! Depthwise convolution against plain loops in double precision.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::shapes::{Shapes, index, narrow, wide};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{
    Activation, Conv2dGeometry, Epilogue, FeatureMap, depthwise_conv2d, depthwise_conv2d_fused,
};

/// Output and gradients of the kernel.
fn ours(input: [usize; 4], kernel: [usize; 2], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let weight = [input[1], 1, kernel[0], kernel[1]];
    let input = noise(input, 0.1, &device).require_grad();
    let weight = noise(weight, 0.7, &device).require_grad();
    let images = FeatureMap::from_nchw(input.clone());
    let output = depthwise_conv2d(images, weight.clone(), geometry).into_nchw();
    with_gradients(output, |gradients| {
        [&input, &weight]
            .map(|x| values(x.grad(gradients).unwrap()))
            .into()
    })
}

/// The same by plain loops.
fn reference(input: [usize; 4], kernel: [usize; 2], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let [batch, channels, height, width] = input;
    let Conv2dGeometry { stride, padding } = geometry;
    let size = |axis: usize| (input[axis + 2] + 2 * padding - kernel[axis]) / stride + 1;
    let shape_out = [batch, channels, size(0), size(1)];
    let shape_weight = [channels, 1, kernel[0], kernel[1]];
    let x = wide(&values(noise(input, 0.1, &device)));
    let w = wide(&values(noise(shape_weight, 0.7, &device)));
    let upstream = wide(&values(noise(shape_out, 0.4, &device)));
    let mut output = vec![0.0; upstream.len()];
    let (mut of_input, mut of_weight) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    for at in 0..output.len() {
        let (plane, pixel) = (at / (size(0) * size(1)), at % (size(0) * size(1)));
        let (image, channel) = (plane / channels, plane % channels);
        for tap in 0..kernel[0] * kernel[1] {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let y = (pixel / size(1) * stride + ky).wrapping_sub(padding);
            let column = (pixel % size(1) * stride + kx).wrapping_sub(padding);
            if y < height && column < width {
                let source = index(input, [image, channel, y, column]);
                let weight = index(shape_weight, [channel, 0, ky, kx]);
                output[at] += x[source] * w[weight];
                of_input[source] += upstream[at] * w[weight];
                of_weight[weight] += upstream[at] * x[source];
            }
        }
    }
    [output, of_input, of_weight].map(|all| narrow(&all)).into()
}

fn assert_equals_reference(input: [usize; 4], kernel: [usize; 2], geometry: Conv2dGeometry) {
    let context = format!("{input:?} {kernel:?} {geometry:?}");
    let expected = reference(input, kernel, geometry);
    assert_all_close(&context, &ours(input, kernel, geometry), &expected);
}

#[test]
fn random_shapes_equal_plain_loops() {
    let mut shapes = Shapes::new(18);
    for _ in 0..60 {
        let kernel = [shapes.between(1, 6), shapes.between(1, 6)];
        let (stride, padding) = (shapes.between(1, 3), shapes.between(0, 4));
        let mut size = |kernel: usize| {
            let size = shapes.between(1, 33);
            size.max(kernel.saturating_sub(2 * padding))
        };
        let [height, width] = kernel.map(&mut size);
        let (batch, channels) = (shapes.between(1, 3), shapes.between(1, 67));
        let geometry = Conv2dGeometry { stride, padding };
        assert_equals_reference([batch, channels, height, width], kernel, geometry);
    }
}

#[test]
fn usual_kernels_equal_plain_loops() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (1, 3)] {
        let padding = kernel / 2;
        let geometry = Conv2dGeometry { stride, padding };
        for size in [[7, 7], [14, 17], [1, 1]] {
            assert_equals_reference([2, 67, size[0], size[1]], [kernel; 2], geometry);
        }
    }
}

#[test]
fn equal_bits_for_any_number_of_threads() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1)] {
        let padding = kernel / 2;
        let geometry = Conv2dGeometry { stride, padding };
        assert_same_for_any_threads(|| ours([5, 67, 33, 31], [kernel; 2], geometry));
    }
}

#[test]
fn a_fused_convolution_equals_its_parts() {
    let device = Device::flex();
    let vector = |seed| noise([19], seed, &device);
    let geometry = Conv2dGeometry {
        stride: 2,
        padding: 1,
    };
    let images = || FeatureMap::from_nchw(noise([2, 19, 9, 8], 0.2, &device));
    let weight = noise([19, 1, 3, 3], 0.3, &device);
    let epilogue = Epilogue {
        gamma: vector(0.1),
        beta: vector(0.2),
        mean: vector(0.3),
        variance: vector(0.4).abs(),
        epsilon: 1e-3,
        residual: Some(FeatureMap::from_nchw(noise([2, 19, 5, 4], 0.6, &device))),
        activation: Activation::Relu6,
    };
    let residual = epilogue.residual.clone().unwrap().into_nchw();
    let column = |vector: Tensor<1>| vector.reshape([1, 19, 1, 1]);
    let x = depthwise_conv2d(images(), weight.clone(), geometry).into_nchw();
    let x = x - column(epilogue.mean.clone());
    let x = x / column((epilogue.variance.clone() + 1e-3).sqrt());
    let x = x * column(epilogue.gamma.clone()) + column(epilogue.beta.clone()) + residual;
    let expected = values(x.clamp(0.0, 6.0));
    let fused = depthwise_conv2d_fused(images(), weight, geometry, epilogue);
    assert_all_close("fused", &[values(fused.into_nchw())], &[expected]);
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    let mut pixels = vec![1.0_f32; 25];
    pixels[12] = f32::NAN;
    let input = Tensor::from_data(TensorData::new(pixels, [1, 1, 5, 5]), &device);
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 1,
    };
    let weight = Tensor::<4>::zeros([1, 1, 3, 3], &device);
    let output = depthwise_conv2d(FeatureMap::from_nchw(input), weight, geometry);
    let count = |values: Vec<f32>| values.into_iter().filter(|value| value.is_nan()).count();
    assert_eq!(count(values(output.into_nchw())), 9);
}

#[test]
#[should_panic(expected = "differ in channels")]
fn mismatched_channels_are_rejected() {
    let device = Device::flex();
    let input = FeatureMap::from_nchw(noise([1, 2, 5, 5], 0.0, &device));
    let geometry = Conv2dGeometry {
        stride: 1,
        padding: 0,
    };
    let _ = depthwise_conv2d(input, noise([3, 1, 3, 3], 0.0, &device), geometry);
}
