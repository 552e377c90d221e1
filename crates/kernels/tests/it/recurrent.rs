//! Recurrent networks against the same steps composed from Burn's operations.

use crate::checks::{
    assert_all_close, assert_close, assert_same_for_any_threads, noise, values, with_gradients,
};
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use tinderbox_kernels::{gru, lstm};

/// Batch, sequence length, `d_hidden`.
const SIZES: [[usize; 3]; 5] = [[1, 1, 1], [2, 5, 7], [3, 9, 32], [13, 4, 20], [40, 30, 48]];

/// `[batch, seq]`: no padding, trailing padding, padding in the middle and padding only, in turn.
fn padding_mask(batch: usize, seq: usize, device: &Device) -> Tensor<2, Bool> {
    let is_padding = |item: usize, step: usize| match item % 4 {
        0 => false,
        1 => step > seq / 2,
        2 => step == 1,
        _ => true,
    };
    let values: Vec<bool> = (0..batch * seq)
        .map(|index| is_padding(index / seq, index % seq))
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, seq]), device)
}

/// Output and gradients: of our kernel in single precision, of the fallback in double precision.
fn run(
    [batch, seq, d]: [usize; 3],
    gates: usize,
    masked: bool,
    reverse: bool,
    dtype: DType,
) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = |shape: [usize; 3], seed| noise(shape, seed, &device).cast(dtype);
    let x = input([batch, seq, gates * d], 0.1).require_grad();
    let weight = (input([1, d, gates * d], 0.5) * 0.1).reshape([d, gates * d]);
    let weight = weight.detach().require_grad();
    let bias = input([1, 1, gates * d], 0.9).reshape([gates * d]);
    let bias = bias.detach().require_grad();
    let mask = masked.then(|| padding_mask(batch, seq, &device));
    let output = if gates == 4 {
        lstm(x.clone(), weight.clone(), mask, reverse)
    } else {
        gru(x.clone(), weight.clone(), bias.clone(), mask, reverse)
    };
    let upstream = noise(output.dims(), 0.4, &device).cast(dtype);
    let gradients = (output.clone() * upstream).sum().backward();
    let mut all = vec![
        values(output),
        values(x.grad(&gradients).unwrap()),
        values(weight.grad(&gradients).unwrap()),
    ];
    all.extend(bias.grad(&gradients).map(values));
    all
}

#[test]
fn networks_equal_their_steps() {
    for size in SIZES {
        for (gates, masked) in [(4, false), (4, true), (3, false), (3, true)] {
            for reverse in [false, true] {
                let ours = run(size, gates, masked, reverse, DType::F32);
                // There is no kernel for double precision.
                let burns = run(size, gates, masked, reverse, DType::F64);
                let context = format!("{size:?}, {gates} gates, masked: {masked}, {reverse}");
                assert_all_close(&context, &ours, &burns);
            }
        }
    }
}

#[test]
fn lstm_equals_its_formula() {
    let device = Device::flex();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let gates = [[0.5, -0.25, 0.75, 1.5], [-1.0, 0.5, 0.25, 0.125]];
    let weight = [0.3, -0.2, 0.1, 0.4];
    let (mut state, mut cell) = (0.0, 0.0);
    let mut expected = Vec::new();
    for gates in gates {
        let [i, f, g, o] = [0, 1, 2, 3].map(|k| gates[k] + state * weight[k]);
        cell = sigmoid(f) * cell + sigmoid(i) * g.tanh();
        state = sigmoid(o) * cell.tanh();
        expected.push(state as f32);
    }
    let gates = Tensor::<3>::from_data([gates], &device);
    let weight = Tensor::from_data([weight], &device);
    assert_close(
        "states",
        &values(lstm(gates, weight, None, false)),
        &expected,
    );
}

#[test]
fn padding_leaves_the_last_state_unchanged() {
    let device = Device::flex();
    let x = noise([2, 6, 12], 0.3, &device);
    let weight = noise([3, 12], 0.5, &device);
    let short = lstm(x.clone().narrow(1, 0, 4), weight.clone(), None, false);
    let mask: Vec<bool> = (0..12).map(|index| index % 6 >= 4).collect();
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(mask, [2, 6]), &device);
    let long = lstm(x.clone(), weight.clone(), Some(mask.clone()), false);
    let last = |x: Tensor<3>, step| values(x.narrow(1, step, 1));
    assert_eq!(last(long, 5), last(short, 3));
    let short = lstm(x.clone().narrow(1, 0, 4), weight.clone(), None, true);
    let long = lstm(x, weight, Some(mask), true);
    assert_eq!(last(long, 0), last(short, 0));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for gates in [3, 4] {
        assert_same_for_any_threads(|| run([23, 40, 64], gates, true, false, DType::F32));
    }
}

#[test]
#[should_panic(expected = "the shapes of the gates and the weight do not match")]
fn a_wrong_shape_is_rejected() {
    let device = Device::flex();
    let gates = Tensor::zeros([1, 2, 12], &device);
    lstm(gates, Tensor::zeros([4, 12], &device), None, false);
}

#[test]
fn padding_has_no_gradient() {
    let device = Device::flex().autodiff();
    let x = noise([4, 5, 12], 0.3, &device).require_grad();
    let weight = noise([4, 12], 0.5, &device);
    let mask = padding_mask(4, 5, &device);
    let output = gru(
        x.clone(),
        weight,
        noise([12], 0.1, &device),
        Some(mask.clone()),
        false,
    );
    let all = with_gradients(output, |gradients| vec![values(x.grad(gradients).unwrap())]);
    let mask: Vec<bool> = mask.into_data().iter::<bool>().collect();
    for (is_padding, slopes) in mask.iter().zip(all[1].chunks(12)) {
        assert_eq!(*is_padding, slopes.iter().all(|&slope| slope == 0.0));
    }
}
