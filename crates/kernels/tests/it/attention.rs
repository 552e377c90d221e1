#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Our attention and rotary places against Burn's operations, on the device that has ours.

use crate::checks::{
    assert_all_close, assert_close, assert_same_for_any_threads, noise, values, with_gradients,
};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use tinderbox_kernels::{RotaryTable, apply_rotary, cached_attention, self_attention};

/// Batch, rows, heads, numbers in a head.
const SIZES: [[usize; 4]; 7] = [
    [1, 1, 1, 1],
    [2, 5, 3, 7],
    [3, 64, 4, 32],
    [2, 65, 2, 16],
    [1, 130, 2, 64],
    [5, 33, 1, 33],
    [2, 200, 3, 8],
];

/// `[batch, seq]`: the first item has no padding, the second some, the third a hole, and so on.
fn ignored(batch: usize, seq: usize, device: &Device) -> Tensor<2, Bool> {
    let ignored = |item: usize, place: usize| match item % 3 {
        0 => false,
        1 => place > seq / 2,
        _ => place == 1 || place + 2 > seq && seq > 3,
    };
    let values: Vec<bool> = (0..batch * seq)
        .map(|index| ignored(index / seq, index % seq))
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, seq]), device)
}

/// As the paper writes it.
fn plain(
    packed: Tensor<3>,
    heads: usize,
    ignored: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, seq, width] = packed.dims();
    let d_head = width / 3 / heads;
    let parts = packed.reshape([batch, seq, 3, heads, d_head]);
    let [queries, keys, values] = [0, 1, 2].map(|part| {
        let part = parts.clone().narrow(2, part, 1).squeeze_dim::<4>(2);
        part.swap_dims(1, 2)
    });
    let device = queries.device();
    let scores = queries.matmul(keys.transpose()) / (d_head as f64).sqrt();
    let mut mask = Tensor::<4, Bool>::full([batch, heads, seq, seq], false, &device);
    if causal {
        let later: Vec<bool> = (0..seq * seq).map(|i| i % seq > i / seq).collect();
        let later = Tensor::<2, Bool>::from_data(TensorData::new(later, [seq, seq]), &device);
        mask = mask.bool_or(
            later
                .reshape([1, 1, seq, seq])
                .expand([batch, heads, seq, seq]),
        );
    }
    if let Some(ignored) = ignored {
        let ignored = ignored.reshape([batch, 1, 1, seq]);
        mask = mask.bool_or(ignored.expand([batch, heads, seq, seq]));
    }
    let weights = softmax(scores.mask_fill(mask, -1e9), 3);
    let output = weights.matmul(values).swap_dims(1, 2);
    output.reshape([batch, seq, heads * d_head])
}

type Attention = fn(Tensor<3>, usize, Option<Tensor<2, Bool>>, bool) -> Tensor<3>;

fn run(
    [batch, seq, heads, d_head]: [usize; 4],
    masked: bool,
    causal: bool,
    attention: Attention,
) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let packed = noise([batch, seq, 3 * heads * d_head], 0.1, &device).require_grad();
    let ignored = masked.then(|| ignored(batch, seq, &device));
    let output = attention(packed.clone(), heads, ignored, causal);
    with_gradients(output, |gradients| {
        vec![values(packed.grad(gradients).unwrap())]
    })
}

#[test]
fn attention_equals_its_formula() {
    for size in SIZES {
        for (masked, causal) in [(false, false), (true, false), (false, true), (true, true)] {
            let ours = run(size, masked, causal, self_attention);
            let expected = run(size, masked, causal, plain);
            let what = format!("{size:?}, masked: {masked}, causal: {causal}");
            assert_all_close(&what, &ours, &expected);
        }
    }
}

#[test]
fn where_there_is_no_kernel_burn_computes_the_same() {
    let device = Device::flex();
    let table = RotaryTable::new(16, 90, 1000.0);
    for [batch, seq, heads, d_head] in [[2, 5, 3, 16], [3, 33, 2, 16]] {
        let packed = noise([batch, seq, 3 * heads * d_head], 0.1, &device);
        // There is none for double precision.
        let double = packed.clone().cast(DType::F64);
        for (masked, causal) in [(false, false), (true, false), (false, true), (true, true)] {
            let mask = || masked.then(|| ignored(batch, seq, &device));
            let ours = self_attention(packed.clone(), heads, mask(), causal);
            let burns = self_attention(double.clone(), heads, mask(), causal);
            assert_close("attention", &values(ours), &values(burns));
        }
        let ours = apply_rotary(packed.clone(), &table, 3);
        assert_close(
            "turn",
            &values(ours),
            &values(apply_rotary(double.clone(), &table, 3)),
        );
        for rows in [1, 4] {
            let cached = |packed: Tensor<3>| {
                let [queries, keys, parts] = [0, 1, 2].map(|part| {
                    packed
                        .clone()
                        .narrow(2, part * heads * d_head, heads * d_head)
                });
                let queries = queries.narrow(1, seq - rows, rows);
                values(cached_attention(queries, keys, parts, heads))
            };
            assert_close("cached", &cached(packed.clone()), &cached(double.clone()));
        }
    }
}

#[test]
fn a_row_that_may_look_at_nothing_is_zero_and_harmless() {
    let device = Device::flex().autodiff();
    let packed = noise([2, 3, 12], 0.1, &device).require_grad();
    let ignored = TensorData::new(vec![true, true, true, false, false, true], [2, 3]);
    let ignored = Tensor::<2, Bool>::from_data(ignored, &device);
    let output = self_attention(packed.clone(), 2, Some(ignored), false);
    let gradients = output.clone().sum().backward();
    let output = values(output);
    assert!(output[..12].iter().all(|&value| value == 0.0), "{output:?}");
    assert!(output[12..].iter().all(|&value| value != 0.0), "{output:?}");
    let gradient = values(packed.grad(&gradients).unwrap());
    assert!(gradient.iter().all(|value| value.is_finite()));
    assert!(gradient[..36].iter().all(|&value| value == 0.0));
}

#[test]
fn padding_changes_no_bit_of_the_rest() {
    let device = Device::flex();
    for seq in [5, 60, 70] {
        let long = noise([1, 100, 3 * 64], 0.3, &device);
        let short = self_attention(long.clone().narrow(1, 0, seq), 2, None, false);
        let ignored: Vec<bool> = (0..100).map(|place| place >= seq).collect();
        let ignored = Tensor::<2, Bool>::from_data(TensorData::new(ignored, [1, 100]), &device);
        let padded = self_attention(long, 2, Some(ignored), false).narrow(1, 0, seq);
        assert_eq!(values(padded), values(short));
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for size in [[8, 100, 4, 32], [2, 300, 8, 32], [1, 400, 3, 64]] {
        assert_same_for_any_threads(|| run(size, true, true, self_attention));
        assert_same_for_any_threads(|| {
            let [batch, seq, heads, d_head] = size;
            let packed = noise([batch, seq, 3 * heads * d_head], 0.1, &Device::flex());
            vec![values(self_attention(packed, heads, None, true))]
        });
    }
}

#[test]
fn cached_rows_equal_the_rows_of_all() {
    let device = Device::flex();
    let packed = noise([2, 90, 3 * 48], 0.3, &device);
    let all = self_attention(packed.clone(), 3, None, true);
    for (seq, rows) in [(90, 1), (90, 4), (66, 66), (1, 1), (80, 70)] {
        let [queries, keys, parts] =
            [0, 1, 2].map(|part| packed.clone().narrow(2, part * 48, 48).narrow(1, 0, seq));
        let queries = queries.narrow(1, seq - rows, rows);
        let ours = cached_attention(queries, keys, parts, 3);
        let expected = all.clone().narrow(1, seq - rows, rows);
        assert_close(
            &format!("{rows} of {seq}"),
            &values(ours),
            &values(expected),
        );
    }
}

/// As the paper writes it, with complex numbers.
fn turned(row: &[f32], place: usize, base: f64) -> Vec<f32> {
    let half = row.len() / 2;
    let turn = |index: usize| {
        let pair = index % half;
        let angle = place as f64 * base.powf(-2.0 * pair as f64 / row.len() as f64);
        let [x, y] = [row[pair], row[pair + half]].map(f64::from);
        let value = if index < half {
            x * angle.cos() - y * angle.sin()
        } else {
            x * angle.sin() + y * angle.cos()
        };
        value as f32
    };
    (0..row.len()).map(turn).collect()
}

#[test]
fn queries_and_keys_are_turned_by_their_place() {
    let device = Device::flex();
    let table = RotaryTable::new(8, 40, 1000.0);
    let packed = noise([2, 5, 48], 0.3, &device);
    let ours = values(apply_rotary(packed.clone(), &table, 33));
    for (index, (ours, row)) in ours.chunks(48).zip(values(packed).chunks(48)).enumerate() {
        let heads = row[..32].chunks(8);
        let mut expected: Vec<f32> = heads
            .flat_map(|head| turned(head, 33 + index % 5, 1000.0))
            .collect();
        expected.extend(&row[32..]);
        assert_close(&format!("row {index}"), ours, &expected);
    }
}

#[test]
fn the_gradient_of_a_turn_is_the_turn_back() {
    let device = Device::flex().autodiff();
    let table = RotaryTable::new(8, 40, 1000.0);
    let packed = noise([2, 5, 48], 0.3, &device).require_grad();
    let output = apply_rotary(packed.clone() * 1.0, &table, 3);
    // The length of a vector does not change: its gradient is the vector.
    let gradients = output.square().sum().backward();
    let expected = values(packed.clone() * 2.0);
    let gradient = values(packed.grad(&gradients).unwrap());
    assert_close("gradient", &gradient, &expected);
}

#[test]
#[should_panic(expected = "41 positions exceed the table's maximum of 40")]
fn a_place_without_an_angle_is_refused() {
    let table = RotaryTable::new(8, 40, 1000.0);
    apply_rotary(Tensor::zeros([1, 2, 24], &Device::flex()), &table, 39);
}
