//! Max pooling against Burn's.

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{FeatureMap, max_pool_same, max_pool2x2, max_pool3x3};

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};

type Pool = fn(FeatureMap) -> FeatureMap;

/// Each kernel with the size of its windows and its border.
const POOLS: [(Pool, usize, usize); 2] = [(max_pool2x2, 2, 0), (max_pool3x3, 3, 1)];

const SHAPES: [[usize; 4]; 8] = [
    [4, 3, 5, 7],
    [2, 1, 2, 2],
    [3, 17, 4, 9],
    [13, 2, 13, 3],
    [1, 8, 8, 8],
    [2, 67, 9, 6],
    [33, 16, 3, 2],
    [2, 130, 6, 5],
];

/// Output and gradient of the input.
fn run(shape: [usize; 4], pool: impl Fn(Tensor<4>) -> Tensor<4>) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    // Rounded, so that some pixels are equal.
    let input = (noise(shape, 0.1, &device) * 2.0).round();
    let input = Tensor::from_inner(input.inner()).require_grad();
    with_gradients(pool(input.clone()), |gradients| {
        vec![values(input.grad(gradients).unwrap())]
    })
}

fn ours(pool: Pool) -> impl Fn(Tensor<4>) -> Tensor<4> {
    move |x| pool(FeatureMap::from_nchw(x)).into_nchw()
}

#[test]
fn max_pool_equals_burn_for_even_and_odd_sizes() {
    for shape in SHAPES {
        for (pool, size, border) in POOLS {
            let options = MaxPoolOptions::new([size; 2])
                .with_stride([2, 2])
                .with_padding([border; 2]);
            let burns = run(shape, |x| max_pool2d(x, options.clone()));
            assert_all_close(
                &format!("{size}x{size}, {shape:?}"),
                &run(shape, ours(pool)),
                &burns,
            );
        }
    }
}

#[test]
fn pooling_that_keeps_the_size_equals_burn_along_rows_and_columns() {
    for shape in SHAPES {
        for side in [1, 3, 5, 13] {
            let burns = run(shape, |x| {
                [[side, 1], [1, side]].into_iter().fold(x, |x, window| {
                    let options = MaxPoolOptions::new(window)
                        .with_stride([1, 1])
                        .with_padding(window.map(|side| side / 2));
                    max_pool2d(x, options)
                })
            });
            let pool = |x| max_pool_same(FeatureMap::from_nchw(x), side).into_nchw();
            assert_all_close(&format!("{side}, {shape:?}"), &run(shape, pool), &burns);
        }
    }
}

#[test]
fn a_single_pixel_is_its_own_maximum() {
    assert_eq!(
        run([2, 3, 1, 1], ours(max_pool3x3))[1],
        run([2, 3, 1, 1], |x| x)[1]
    );
}

#[test]
fn a_window_of_negative_infinity_gets_its_gradient_once() {
    let device = Device::flex().autodiff();
    for (pool, _, _) in POOLS {
        let input = Tensor::<4>::full([1, 2, 4, 4], f32::NEG_INFINITY, &device).require_grad();
        let output = ours(pool)(input.clone());
        assert_eq!(values(output.clone()), [f32::NEG_INFINITY; 8]);
        let gradients = output.sum().backward();
        let gradient = values(input.grad(&gradients).unwrap());
        assert_eq!(gradient.iter().sum::<f32>(), 8.0);
    }
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    for (pool, _, _) in POOLS {
        for index in 0..4 {
            let mut input = vec![1.0_f32; 4];
            input[index] = f32::NAN;
            let input = Tensor::from_data(TensorData::new(input, [1, 1, 2, 2]), &device);
            assert!(values(ours(pool)(input))[0].is_nan(), "at {index}");
        }
    }
}

#[test]
fn max_pool_does_not_depend_on_threads() {
    for (pool, _, _) in POOLS {
        assert_same_for_any_threads(|| run([16, 33, 33, 32], ours(pool)));
    }
}

#[test]
fn the_input_may_be_a_view() {
    let device = Device::flex();
    let input = noise([5, 4, 9, 3], 0.1, &device);
    let copied = Tensor::from_data(input.clone().permute([3, 2, 0, 1]).into_data(), &device);
    let view = ours(max_pool2x2)(input.permute([3, 2, 0, 1]));
    assert_eq!(values(view), values(ours(max_pool2x2)(copied)));
}
