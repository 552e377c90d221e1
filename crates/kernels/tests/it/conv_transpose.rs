//! Transposed convolution against plain loops in double precision.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::shapes::{Shapes, index, narrow, wide};
use burn::tensor::Device;
use tinderbox_kernels::{Conv2dGeometry, FeatureMap, conv_transpose2d};

/// Output and gradients of the kernel.
fn ours(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise(input, 0.1, &device).require_grad();
    let weight = noise(weight, 0.7, &device).require_grad();
    let images = FeatureMap::from_nchw(input.clone());
    let output = conv_transpose2d(images, weight.clone(), geometry).into_nchw();
    with_gradients(output, |gradients| {
        let gradient_of = |x: &burn::tensor::Tensor<4>| values(x.grad(gradients).unwrap());
        [&input, &weight].map(gradient_of).into()
    })
}

/// The same by plain loops.
fn reference(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let Conv2dGeometry { stride, padding } = geometry;
    let size = |axis: usize| (input[axis] - 1) * stride + weight[axis] - 2 * padding;
    let shape_out = [input[0], weight[1], size(2), size(3)];
    let x = wide(&values(noise(input, 0.1, &device)));
    let w = wide(&values(noise(weight, 0.7, &device)));
    let upstream = wide(&values(noise(shape_out, 0.4, &device)));
    let mut output = vec![0.0; upstream.len()];
    let (mut of_input, mut of_weight) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    for at in 0..x.len() {
        let (plane, pixel) = (at / (input[2] * input[3]), at % (input[2] * input[3]));
        let (image, channel) = (plane / input[1], plane % input[1]);
        for tap in 0..w.len() / input[1] {
            let (ky, kx) = (tap / weight[3] % weight[2], tap % weight[3]);
            let channel_out = tap / (weight[2] * weight[3]);
            let y = (pixel / input[3] * stride + ky).wrapping_sub(padding);
            let column = (pixel % input[3] * stride + kx).wrapping_sub(padding);
            if y < size(2) && column < size(3) {
                let target = index(shape_out, [image, channel_out, y, column]);
                let factor = index(weight, [channel, channel_out, ky, kx]);
                output[target] += x[at] * w[factor];
                of_input[at] += upstream[target] * w[factor];
                of_weight[factor] += upstream[target] * x[at];
            }
        }
    }
    [output, of_input, of_weight].map(|all| narrow(&all)).into()
}

fn assert_equals_reference(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) {
    let context = format!("{input:?} {weight:?} {geometry:?}");
    let expected = reference(input, weight, geometry);
    assert_all_close(&context, &ours(input, weight, geometry), &expected);
}

#[test]
fn random_shapes_equal_plain_loops() {
    let mut shapes = Shapes::new(18);
    let mut compared = 0;
    while compared < 40 {
        let kernel = [shapes.between(1, 5), shapes.between(1, 5)];
        let (stride, padding) = (shapes.between(1, 3), shapes.between(0, 3));
        let size = [shapes.between(1, 17), shapes.between(1, 17)];
        let (batch, channels) = (shapes.between(1, 3), shapes.between(1, 40));
        let channels_out = shapes.between(1, 40);
        let extent = |axis: usize| (size[axis] - 1) * stride + kernel[axis];
        if extent(0) > 2 * padding && extent(1) > 2 * padding {
            let input = [batch, channels, size[0], size[1]];
            let weight = [channels, channels_out, kernel[0], kernel[1]];
            assert_equals_reference(input, weight, Conv2dGeometry { stride, padding });
            compared += 1;
        }
    }
}

#[test]
fn usual_kernels_equal_plain_loops() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 3, 0), (4, 2, 1), (3, 1, 1), (3, 2, 1)] {
        let geometry = Conv2dGeometry { stride, padding };
        assert_equals_reference([2, 67, 5, 7], [67, 33, kernel, kernel], geometry);
        assert_equals_reference([1, 3, 33, 33], [3, 2, kernel, kernel], geometry);
        assert_equals_reference([3, 1, 1, 1], [1, 67, kernel, kernel], geometry);
    }
}

#[test]
fn equal_bits_for_any_number_of_threads() {
    for (kernel, stride, padding) in [(2, 2, 0), (4, 2, 1), (3, 1, 1)] {
        let geometry = Conv2dGeometry { stride, padding };
        let weight = [64, 33, kernel, kernel];
        assert_same_for_any_threads(|| ours([3, 64, 16, 19], weight, geometry));
        assert_same_for_any_threads(|| ours([1, 64, 33, 31], weight, geometry));
    }
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
    let _ = conv_transpose2d(input, noise([3, 1, 3, 3], 0.0, &device), geometry);
}
