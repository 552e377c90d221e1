//! Linear layers against Burn's.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::checks::{
    assert_all_close, assert_close, assert_same_for_any_threads, noise, values, with_gradients,
};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, module};
use tinderbox_kernels::{linear, linear_gelu, linear_relu};

/// Rows, `d_input`, `d_output`: around the sizes of tiles and blocks.
const SIZES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [1, 128, 65],
    [3, 7, 33],
    [13, 40, 64],
    [48, 385, 31],
    [49, 16, 100],
    [200, 130, 48],
    [97, 800, 3],
    [700, 96, 160],
];

type Linear = dyn Fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>) -> Tensor<3>;

fn run([rows, d_input, d_output]: [usize; 3], bias: bool, layer: &Linear) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = noise([1, rows, d_input], 0.1, &device).require_grad();
    let weight = noise([d_input, d_output], 0.7, &device).require_grad();
    let bias = bias.then(|| noise([d_output], 0.2, &device).require_grad());
    let output = layer(input.clone(), weight.clone(), bias.clone());
    with_gradients(output, |gradients| {
        let mut all = vec![
            values(input.grad(gradients).unwrap()),
            values(weight.grad(gradients).unwrap()),
        ];
        all.extend(bias.map(|bias| values(bias.grad(gradients).unwrap())));
        all
    })
}

fn burn_gelu(x: Tensor<3>) -> Tensor<3> {
    let share = (x.clone() * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * share
}

#[test]
fn linear_equals_burn() {
    for (size, bias) in SIZES
        .into_iter()
        .flat_map(|size| [(size, true), (size, false)])
    {
        let ours = run(size, bias, &|x, w, b| linear(x, vec![w], Vec::from_iter(b)));
        let burns = run(size, bias, &|x, w, b| module::linear(x, w, b));
        assert_all_close(&format!("{size:?}, bias: {bias}"), &ours, &burns);
    }
}

#[test]
fn linear_gelu_equals_burn() {
    for (size, bias) in SIZES
        .into_iter()
        .flat_map(|size| [(size, true), (size, false)])
    {
        let ours = run(size, bias, &linear_gelu);
        let burns = run(size, bias, &|x, w, b| burn_gelu(module::linear(x, w, b)));
        assert_all_close(&format!("{size:?}, bias: {bias}"), &ours, &burns);
    }
}

#[test]
fn linear_relu_equals_burn() {
    for (size, bias) in SIZES
        .into_iter()
        .flat_map(|size| [(size, true), (size, false)])
    {
        let ours = run(size, bias, &|x, w, b| linear_relu(x, w, b, 0.0));
        let burns = run(size, bias, &|x, w, b| relu(module::linear(x, w, b)));
        assert_all_close(&format!("{size:?}, bias: {bias}"), &ours, &burns);
    }
}

#[test]
fn what_relu_zeroes_or_dropout_drops_has_no_gradient() {
    let device = Device::flex().autodiff();
    for size in [[5, 20, 33], [300, 130, 70]] {
        let [rows, d_input, d_output] = size;
        let input = noise([1, rows, d_input], 0.1, &device).require_grad();
        let weight = noise([d_input, d_output], 0.7, &device);
        let output = linear_relu(input.clone(), weight.clone(), None, 0.25);
        let gradients = output.clone().sum().backward();
        let all = values(relu(module::linear(input.clone(), weight.clone(), None)) / 0.75);
        let kept = values(output.clone());
        for (kept, value) in kept.iter().zip(&all) {
            assert!(
                *kept == 0.0 || (kept - value).abs() <= 1e-4 * value,
                "{kept}, {value}"
            );
        }
        let count = |values: &[f32]| values.iter().filter(|&&value| value > 0.0).count() as f64;
        let share = count(&kept) / count(&all);
        assert!((share - 0.75).abs() < 0.2, "{share}");
        let slopes = output.greater_elem(0.0).float() / 0.75;
        let expected = slopes.matmul(weight.transpose().unsqueeze());
        let ours = input.grad(&gradients).unwrap();
        assert_close("input", &values(ours), &values(expected));
    }
}

#[test]
fn relu_propagates_nan() {
    let device = Device::flex();
    let input = Tensor::<2>::from_floats([[f32::NAN, 1.0]], &device);
    let weight = Tensor::<2>::from_floats([[1.0], [1.0]], &device);
    assert!(values(linear_relu(input, weight, None, 0.0))[0].is_nan());
}

#[test]
fn gelu_equals_its_definition() {
    let device = Device::flex();
    let x: Vec<f32> = (-2400..2400).map(|index| index as f32 / 200.0).collect();
    let one = || Tensor::ones([1, 1], &device);
    let input = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([-1, 1, 1]);
    let expected = values(burn_gelu(input.clone().cast(DType::F64)));
    let ours = values(linear_gelu(input, one(), None));
    for ((x, ours), expected) in x.iter().zip(ours).zip(expected) {
        let error = (ours - expected).abs();
        assert!(
            error < 4e-7 * (1.0 + x.abs()),
            "gelu({x}) is {ours}, not {expected}"
        );
    }
}

#[test]
fn several_weights_equal_separate_layers() {
    let three = |rows: usize, together: bool| {
        let device = Device::flex().autodiff();
        let input = noise([2, rows, 40], 0.1, &device).require_grad();
        let weights = [20, 20, 36].map(|d| noise([40, d], 0.1 + d as f32, &device).require_grad());
        let biases = [20, 20, 36].map(|d| noise([d], 0.3 + d as f32, &device).require_grad());
        let output = if together {
            linear(input.clone(), weights.to_vec(), biases.to_vec())
        } else {
            let pairs = weights.clone().into_iter().zip(biases.clone());
            let outputs = pairs.map(|(w, b)| module::linear(input.clone(), w, Some(b)));
            Tensor::cat(outputs.collect(), 2)
        };
        with_gradients(output, |gradients| {
            let mut all = vec![values(input.grad(gradients).unwrap())];
            all.extend(weights.iter().map(|w| values(w.grad(gradients).unwrap())));
            all.extend(biases.iter().map(|b| values(b.grad(gradients).unwrap())));
            all
        })
    };
    for rows in [1, 20, 60] {
        assert_all_close(
            &format!("{rows} rows"),
            &three(rows, true),
            &three(rows, false),
        );
    }
}

#[test]
fn the_fallback_gives_the_same_result() {
    let device = Device::flex();
    let (input, bias) = (noise([20, 30], 0.1, &device), noise([40], 0.7, &device));
    let weight = noise([30, 40], 0.3, &device);
    // There is no kernel for double precision.
    let double = [input.clone(), weight.clone()].map(|tensor| tensor.cast(DType::F64));
    let [double_input, double_weight] = double;
    let double_bias = bias.clone().cast(DType::F64);
    let two = |x: Tensor<2>, w: Tensor<2>, b: Tensor<1>| {
        values(linear(x, vec![w.clone(), w], vec![b.clone(), b]))
    };
    let burns = two(
        double_input.clone(),
        double_weight.clone(),
        double_bias.clone(),
    );
    let ours = two(input.clone(), weight.clone(), bias.clone());
    assert_close("linear", &ours, &burns);
    let ours = linear_gelu(input, weight, Some(bias));
    let burns = linear_gelu(double_input, double_weight, Some(double_bias));
    assert_close("with gelu", &values(ours), &values(burns));
}

#[test]
fn weights_may_be_views() {
    let device = Device::flex();
    let input = noise([100, 24], 0.1, &device);
    let weight = noise([30, 24], 0.3, &device);
    let expected = input.clone().matmul(weight.clone().transpose());
    for rows in [3, 100] {
        let input = input.clone().slice(0..rows);
        let ours = linear(input, vec![weight.clone().transpose()], vec![]);
        let expected = values(expected.clone().slice(0..rows));
        assert_close(&format!("{rows} rows"), &values(ours), &expected);
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_batch() {
    let device = Device::flex();
    let (input, weight) = (
        noise([100, 130], 0.1, &device),
        noise([130, 70], 0.3, &device),
    );
    let batch = values(linear(input.clone(), vec![weight.clone()], vec![]));
    for row in [0, 47, 99] {
        let alone = linear(
            input.clone().slice(row..row + 1),
            vec![weight.clone()],
            vec![],
        );
        assert_eq!(values(alone), batch[row * 70..(row + 1) * 70]);
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for size in [[700, 400, 160], [20, 768, 1000], [3000, 40, 100]] {
        assert_same_for_any_threads(|| run(size, true, &linear_gelu));
    }
}

#[test]
#[should_panic(expected = "the rows of the weight do not match the columns of the input")]
fn a_wrong_shape_is_rejected() {
    let device = Device::flex();
    let weight = Tensor::zeros([4, 2], &device);
    linear(Tensor::<2>::zeros([3, 5], &device), vec![weight], vec![]);
}
