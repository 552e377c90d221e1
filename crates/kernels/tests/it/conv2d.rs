//! Convolution against plain loops in double precision.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::shapes::{Shapes, index, narrow, wide};
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{
    Activation, Conv2dGeometry, Epilogue, FeatureMap, WeightCache, conv2d, conv2d_fused,
};

/// Output and gradients of the kernel. The weight is `[channels_out, channels_in, height, width]`.
fn ours(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise(input, 0.1, &device).require_grad();
    let weight = noise(weight, 0.7, &device).require_grad();
    let images = FeatureMap::from_nchw(input.clone());
    let output = conv2d(images, weight.clone(), geometry).into_nchw();
    with_gradients(output, |gradients| {
        [&input, &weight]
            .map(|x| values(x.grad(gradients).unwrap()))
            .into()
    })
}

fn shape_out(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> [usize; 4] {
    let Conv2dGeometry { stride, padding } = geometry;
    let size = |axis: usize| (input[axis] + 2 * padding - weight[axis]) / stride + 1;
    [input[0], weight[0], size(2), size(3)]
}

/// The same by plain loops.
fn reference(input: [usize; 4], weight: [usize; 4], geometry: Conv2dGeometry) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let Conv2dGeometry { stride, padding } = geometry;
    let shape_out = shape_out(input, weight, geometry);
    let x = wide(&values(noise(input, 0.1, &device)));
    let w = wide(&values(noise(weight, 0.7, &device)));
    let upstream = wide(&values(noise(shape_out, 0.4, &device)));
    let mut output = vec![0.0; upstream.len()];
    let (mut of_input, mut of_weight) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let [_, channels_in, height, width] = input;
    let [_, _, kernel_height, kernel_width] = weight;
    for at in 0..output.len() {
        let (plane, pixel) = (
            at / (shape_out[2] * shape_out[3]),
            at % (shape_out[2] * shape_out[3]),
        );
        let (image, filter) = (plane / shape_out[1], plane % shape_out[1]);
        for tap in 0..kernel_height * kernel_width {
            let (ky, kx) = (tap / kernel_width, tap % kernel_width);
            let y = (pixel / shape_out[3] * stride + ky).wrapping_sub(padding);
            let column = (pixel % shape_out[3] * stride + kx).wrapping_sub(padding);
            if y >= height || column >= width {
                continue;
            }
            for channel in 0..channels_in {
                let source = index(input, [image, channel, y, column]);
                let weight = index(weight, [filter, channel, ky, kx]);
                output[at] += x[source] * w[weight];
                of_input[source] += upstream[at] * w[weight];
                of_weight[weight] += upstream[at] * x[source];
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

fn geometry(stride: usize, padding: usize) -> Conv2dGeometry {
    Conv2dGeometry { stride, padding }
}

#[test]
fn random_shapes_equal_plain_loops() {
    let mut shapes = Shapes::new(7);
    for _ in 0..60 {
        let kernel = [shapes.between(1, 6), shapes.between(1, 6)];
        let (stride, padding) = (shapes.between(1, 3), shapes.between(0, 4));
        let mut size = |kernel: usize| {
            let size = shapes.between(1, 33);
            size.max(kernel.saturating_sub(2 * padding))
        };
        let [height, width] = kernel.map(&mut size);
        let batch = shapes.between(1, 3);
        let (channels_in, channels_out) = (shapes.between(1, 67), shapes.between(1, 67));
        assert_equals_reference(
            [batch, channels_in, height, width],
            [channels_out, channels_in, kernel[0], kernel[1]],
            geometry(stride, padding),
        );
    }
}

#[test]
fn random_shapes_of_winograds_formulas_equal_plain_loops() {
    let mut shapes = Shapes::new(11);
    for _ in 0..30 {
        let size = [shapes.between(4, 33), shapes.between(4, 33)];
        let (channels_in, channels_out) = (shapes.between(16, 67), shapes.between(16, 67));
        let batch = 64 / (size[0] * size[1] / 4) + shapes.between(1, 3);
        assert_equals_reference(
            [batch, channels_in, size[0], size[1]],
            [channels_out, channels_in, 3, 3],
            geometry(1, shapes.between(0, 2)),
        );
    }
}

#[test]
fn large_weights_equal_plain_loops() {
    // Too large for a sum of each part of the batch.
    assert_equals_reference([40, 160, 4, 4], [160, 160, 3, 3], geometry(1, 1));
    assert_equals_reference([3, 200, 5, 5], [150, 200, 3, 3], geometry(2, 1));
}

#[test]
fn usual_kernels_equal_plain_loops() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (7, 2), (1, 1), (1, 2)] {
        for size in [[7, 7], [14, 17], [1, 1], [32, 32]] {
            for channels in [1, 3, 32] {
                assert_equals_reference(
                    [2, channels, size[0], size[1]],
                    [40, channels, kernel, kernel],
                    geometry(stride, kernel / 2),
                );
            }
        }
    }
}

#[test]
fn equal_bits_for_any_number_of_threads() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (1, 2)] {
        let geometry = geometry(stride, kernel / 2);
        assert_same_for_any_threads(|| ours([5, 67, 33, 31], [70, 67, kernel, kernel], geometry));
        assert_same_for_any_threads(|| ours([1, 130, 9, 9], [200, 130, kernel, kernel], geometry));
    }
    assert_same_for_any_threads(|| ours([64, 160, 4, 4], [160, 160, 3, 3], geometry(1, 1)));
}

#[test]
fn the_input_may_be_a_view() {
    let device = Device::flex();
    let weight = noise([4, 2, 3, 3], 0.2, &device);
    let input = noise([2, 6, 5, 2], 0.5, &device).swap_dims(1, 3);
    let run = |input: Tensor<4>| {
        let output = conv2d(FeatureMap::from_nchw(input), weight.clone(), geometry(1, 1));
        values(output.into_nchw())
    };
    let copy = Tensor::from_data(input.clone().into_data(), &device);
    assert_eq!(run(input), run(copy));
}

fn epilogue(channels: usize, shape: [usize; 4], device: &Device) -> Epilogue {
    let vector = |seed| noise([channels], seed, device);
    Epilogue {
        gamma: vector(0.1),
        beta: vector(0.2),
        mean: vector(0.3),
        variance: vector(0.4).abs(),
        epsilon: 1e-3,
        residual: Some(FeatureMap::from_nchw(noise(shape, 0.6, device))),
        activation: Activation::Relu,
    }
}

#[test]
fn a_fused_convolution_equals_its_parts() {
    let device = Device::flex();
    for (input, filters, stride) in [
        ([1, 19, 9, 8], 70, 2),
        ([2, 32, 17, 16], 33, 1),
        ([9, 5, 6, 6], 7, 1),
        ([1, 400, 4, 4], 390, 1),
    ] {
        let shape = [filters, input[1], 3, 3];
        let weight = noise(shape, 0.3, &device);
        let geometry = geometry(stride, 1);
        let images = FeatureMap::from_nchw(noise(input, 0.2, &device));
        let epilogue = epilogue(filters, shape_out(input, shape, geometry), &device);
        let cache = WeightCache::default();
        let fused = || {
            let (images, epilogue) = (images.clone(), epilogue.clone());
            let output = conv2d_fused(images, weight.clone(), geometry, epilogue, &cache);
            values(output.into_nchw())
        };
        let first = fused();
        assert_eq!(fused(), first, "with kept weights");
        let column = |vector: &Tensor<1>| vector.clone().reshape([1, filters, 1, 1]);
        let scale = column(&epilogue.gamma) / (column(&epilogue.variance) + 1e-3).sqrt();
        let x = conv2d(images.clone(), weight.clone(), geometry).into_nchw();
        let x = (x - column(&epilogue.mean)) * scale + column(&epilogue.beta);
        let residual = epilogue.residual.clone().unwrap().into_nchw();
        let expected = values(burn::tensor::activation::relu(x + residual));
        assert_all_close(&format!("{input:?}"), &[first], &[expected]);
    }
}

#[test]
fn kept_weights_are_those_of_the_call() {
    let device = Device::flex();
    let cache = WeightCache::default();
    let shape = [20, 18, 3, 3];
    let run = |size: usize, seed: f32, cache: &WeightCache| {
        let input = noise([1, 18, size, size], 0.2, &device);
        let epilogue = epilogue(20, [1, 20, size, size], &device);
        let weight = noise(shape, seed, &device);
        let images = FeatureMap::from_nchw(input);
        values(conv2d_fused(images, weight, geometry(1, 1), epilogue, cache).into_nchw())
    };
    // Other weights, other sizes, and a size for which another algorithm is used.
    for (size, seed) in [(5, 0.1), (5, 0.2), (6, 0.2), (20, 0.2), (5, 0.3)] {
        assert_eq!(
            run(size, seed, &cache),
            run(size, seed, &WeightCache::default()),
            "{size}, {seed}"
        );
    }
}

#[test]
#[should_panic(expected = "differ in channels")]
fn mismatched_channels_are_rejected() {
    let device = Device::flex();
    let input = FeatureMap::from_nchw(noise([1, 2, 5, 5], 0.0, &device));
    let _ = conv2d(input, noise([1, 3, 3, 3], 0.0, &device), geometry(1, 0));
}
