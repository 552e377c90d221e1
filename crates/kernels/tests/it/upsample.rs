//! Upsampling against plain loops in double precision.

use crate::checks::{assert_all_close, assert_same_for_any_threads, noise, values, with_gradients};
use crate::shapes::{Shapes, index, narrow, wide};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::{FeatureMap, upsample_bilinear, upsample_nearest};

#[derive(Clone, Copy, Debug)]
enum Mode {
    Nearest,
    Bilinear,
}

/// Output and gradient of the kernel.
fn ours(mode: Mode, input: [usize; 4], factor: usize) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise(input, 0.1, &device).require_grad();
    let images = FeatureMap::from_nchw(input.clone());
    let output = match mode {
        Mode::Nearest => upsample_nearest(images, factor),
        Mode::Bilinear => upsample_bilinear(images, factor),
    };
    with_gradients(output.into_nchw(), |gradients| {
        vec![values(input.grad(gradients).unwrap())]
    })
}

/// Two pixels between which an output pixel lies, with their weights, as PyTorch defines them.
fn neighbors(mode: Mode, pixel: usize, size: usize, factor: usize) -> [(usize, f64); 2] {
    if let Mode::Nearest = mode {
        return [(pixel / factor, 1.0), (0, 0.0)];
    }
    let center = ((pixel as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
    let lower = center.floor();
    let upper = (lower as usize + 1).min(size - 1);
    [
        (lower as usize, 1.0 - (center - lower)),
        (upper, center - lower),
    ]
}

/// The same by plain loops.
fn reference(mode: Mode, input: [usize; 4], factor: usize) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let [batch, channels, height, width] = input;
    let shape_out = [batch, channels, height * factor, width * factor];
    let x = wide(&values(noise(input, 0.1, &device)));
    let upstream = wide(&values(noise(shape_out, 0.4, &device)));
    let (mut output, mut of_input) = (vec![0.0; upstream.len()], vec![0.0; x.len()]);
    for at in 0..output.len() {
        let [column, rest] = [at % shape_out[3], at / shape_out[3]];
        let [y, plane] = [rest % shape_out[2], rest / shape_out[2]];
        for (row, row_weight) in neighbors(mode, y, height, factor) {
            for (column, weight) in neighbors(mode, column, width, factor) {
                let source = index(input, [plane / channels, plane % channels, row, column]);
                output[at] += row_weight * weight * x[source];
                of_input[source] += row_weight * weight * upstream[at];
            }
        }
    }
    [output, of_input].map(|all| narrow(&all)).into()
}

#[test]
fn random_shapes_equal_plain_loops() {
    let mut shapes = Shapes::new(18);
    for _ in 0..16 {
        let (batch, channels) = (shapes.between(1, 3), shapes.between(1, 67));
        let input = [
            batch,
            channels,
            shapes.between(1, 33),
            shapes.between(1, 33),
        ];
        let factor = shapes.between(1, 4);
        for mode in [Mode::Nearest, Mode::Bilinear] {
            let context = format!("{mode:?} {input:?} {factor}");
            let expected = reference(mode, input, factor);
            assert_all_close(&context, &ours(mode, input, factor), &expected);
        }
    }
}

#[test]
fn equal_bits_for_any_number_of_threads() {
    for mode in [Mode::Nearest, Mode::Bilinear] {
        assert_same_for_any_threads(|| ours(mode, [5, 67, 33, 29], 2));
    }
}

#[test]
fn nan_propagates() {
    let device = Device::flex();
    let mut pixels = vec![1.0_f32; 9];
    pixels[4] = f32::NAN;
    let input = Tensor::from_data(TensorData::new(pixels, [1, 1, 3, 3]), &device);
    let input = FeatureMap::from_nchw(input);
    let count = |map: FeatureMap| {
        let all = values(map.into_nchw());
        all.into_iter().filter(|value| value.is_nan()).count()
    };
    assert_eq!(count(upsample_nearest(input.clone(), 2)), 4);
    assert_eq!(count(upsample_bilinear(input, 2)), 16);
}
