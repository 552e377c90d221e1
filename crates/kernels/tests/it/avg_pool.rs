//! Average pooling against Burn's.

use burn::tensor::module::avg_pool2d as burn_avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{FeatureMap, avg_pool2d, global_avg_pool};

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};

const SHAPES: [[usize; 4]; 6] = [
    [4, 3, 5, 7],
    [2, 1, 3, 3],
    [3, 17, 4, 9],
    [2, 67, 9, 6],
    [33, 16, 7, 7],
    [2, 130, 6, 5],
];

/// Output and gradient of the input.
fn run<const D: usize>(shape: [usize; 4], pool: impl Fn(Tensor<4>) -> Tensor<D>) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise(shape, 0.1, &device).require_grad();
    with_gradients(pool(input.clone()), |gradients| {
        vec![values(input.grad(gradients).unwrap())]
    })
}

#[test]
fn avg_pool_equals_burn() {
    for shape in SHAPES {
        for size in 1..=3 {
            let options = AvgPoolOptions::new([size; 2]).with_stride([size; 2]);
            let burns = run(shape, |x| burn_avg_pool2d(x, options.clone()));
            let ours = run(shape, |x| {
                avg_pool2d(FeatureMap::from_nchw(x), size).into_nchw()
            });
            assert_all_close(&format!("{size}, {shape:?}"), &ours, &burns);
        }
    }
}

#[test]
fn global_average_equals_burn() {
    for shape in SHAPES {
        let burns = run(shape, |x| {
            x.mean_dim(3).mean_dim(2).squeeze_dims::<2>(&[2, 3])
        });
        let ours = run(shape, |x| global_avg_pool(FeatureMap::from_nchw(x)));
        assert_all_close(&format!("{shape:?}"), &ours, &burns);
    }
}

#[test]
fn avg_pool_does_not_depend_on_threads() {
    let shape = [16, 33, 33, 32];
    assert_same_for_any_threads(|| {
        run(shape, |x| {
            avg_pool2d(FeatureMap::from_nchw(x), 2).into_nchw()
        })
    });
    assert_same_for_any_threads(|| run(shape, |x| global_avg_pool(FeatureMap::from_nchw(x))));
}

#[test]
#[should_panic(expected = "larger than the input")]
fn a_window_larger_than_the_input_is_refused() {
    let input = noise([1, 2, 3, 5], 0.1, &Device::flex());
    let _ = avg_pool2d(FeatureMap::from_nchw(input), 4);
}
