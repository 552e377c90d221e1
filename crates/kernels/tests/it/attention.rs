//! Attention against its formula and Burn's operations.

use crate::checks::{
    assert_all_close, assert_close, assert_same_for_any_threads, is_scalar, noise, values,
    with_gradients,
};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use tinderbox_kernels::{cached_attention, self_attention};

/// Batch, sequence length, heads, `d_head`.
const SIZES: [[usize; 4]; 7] = [
    [1, 1, 1, 1],
    [2, 5, 3, 7],
    [3, 64, 4, 32],
    [2, 65, 2, 16],
    [1, 130, 2, 64],
    [5, 33, 1, 33],
    [2, 200, 3, 8],
];

/// `[batch, seq]`: no padding, trailing padding and padding in the middle, in turn.
fn padding_mask(batch: usize, seq: usize, device: &Device) -> Tensor<2, Bool> {
    let is_padding = |item: usize, position: usize| match item % 3 {
        0 => false,
        1 => position > seq / 2,
        _ => position == 1 || position + 2 > seq && seq > 3,
    };
    let values: Vec<bool> = (0..batch * seq)
        .map(|index| is_padding(index / seq, index % seq))
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, seq]), device)
}

/// The formula of the paper.
fn reference(
    qkv: Tensor<3>,
    heads: usize,
    padding_mask: Option<Tensor<2, Bool>>,
    causal: bool,
) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_head = width / 3 / heads;
    let parts = qkv.reshape([batch, seq, 3, heads, d_head]);
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
    if let Some(padding) = padding_mask {
        let padding = padding.reshape([batch, 1, 1, seq]);
        mask = mask.bool_or(padding.expand([batch, heads, seq, seq]));
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
    let qkv = noise([batch, seq, 3 * heads * d_head], 0.1, &device).require_grad();
    let mask = masked.then(|| padding_mask(batch, seq, &device));
    let output = attention(qkv.clone(), heads, mask, causal);
    with_gradients(output, |gradients| {
        vec![values(qkv.grad(gradients).unwrap())]
    })
}

#[test]
fn attention_equals_its_formula() {
    for size in SIZES {
        for (masked, causal) in [(false, false), (true, false), (false, true), (true, true)] {
            let ours = run(size, masked, causal, self_attention);
            let expected = run(size, masked, causal, reference);
            let context = format!("{size:?}, masked: {masked}, causal: {causal}");
            assert_all_close(&context, &ours, &expected);
        }
    }
}

#[test]
fn the_fallback_gives_the_same_result() {
    let device = Device::flex();
    for [batch, seq, heads, d_head] in [[2, 5, 3, 16], [3, 33, 2, 16]] {
        let qkv = noise([batch, seq, 3 * heads * d_head], 0.1, &device);
        // There is no kernel for double precision.
        let double = qkv.clone().cast(DType::F64);
        for (masked, causal) in [(false, false), (true, false), (false, true), (true, true)] {
            let mask = || masked.then(|| padding_mask(batch, seq, &device));
            let ours = self_attention(qkv.clone(), heads, mask(), causal);
            let burns = self_attention(double.clone(), heads, mask(), causal);
            assert_close("attention", &values(ours), &values(burns));
        }
        for rows in [1, 4] {
            let cached = |qkv: Tensor<3>| {
                let [queries, keys, parts] = [0, 1, 2]
                    .map(|part| qkv.clone().narrow(2, part * heads * d_head, heads * d_head));
                let queries = queries.narrow(1, seq - rows, rows);
                values(cached_attention(queries, keys, parts, heads))
            };
            assert_close("cached", &cached(qkv.clone()), &cached(double.clone()));
        }
    }
}

#[test]
fn a_query_without_keys_gives_zeros_and_finite_gradients() {
    let device = Device::flex().autodiff();
    let qkv = noise([2, 3, 12], 0.1, &device).require_grad();
    let ignored = TensorData::new(vec![true, true, true, false, false, true], [2, 3]);
    let ignored = Tensor::<2, Bool>::from_data(ignored, &device);
    let output = self_attention(qkv.clone(), 2, Some(ignored), false);
    let gradients = output.clone().sum().backward();
    let output = values(output);
    assert!(output[..12].iter().all(|&value| value == 0.0), "{output:?}");
    assert!(output[12..].iter().all(|&value| value != 0.0), "{output:?}");
    let gradient = values(qkv.grad(&gradients).unwrap());
    assert!(gradient.iter().all(|value| value.is_finite()));
    assert!(gradient[..36].iter().all(|&value| value == 0.0));
}

#[test]
fn padding_does_not_change_other_positions() {
    let device = Device::flex();
    for seq in [5, 60, 70] {
        let long = noise([1, 100, 3 * 64], 0.3, &device);
        let short = self_attention(long.clone().narrow(1, 0, seq), 2, None, false);
        let ignored: Vec<bool> = (0..100).map(|position| position >= seq).collect();
        let ignored = Tensor::<2, Bool>::from_data(TensorData::new(ignored, [1, 100]), &device);
        let padded = self_attention(long, 2, Some(ignored), false).narrow(1, 0, seq);
        let (padded, short) = (values(padded), values(short));
        if is_scalar() {
            // Burn computes it, and not to the bit.
            assert_close("padded", &padded, &short);
        } else {
            assert_eq!(padded, short);
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for size in [[8, 100, 4, 32], [2, 300, 8, 32], [1, 400, 3, 64]] {
        assert_same_for_any_threads(|| run(size, true, true, self_attention));
        assert_same_for_any_threads(|| {
            let [batch, seq, heads, d_head] = size;
            let qkv = noise([batch, seq, 3 * heads * d_head], 0.1, &Device::flex());
            vec![values(self_attention(qkv, heads, None, true))]
        });
    }
}

#[test]
fn cached_attention_equals_full_attention() {
    let device = Device::flex();
    let qkv = noise([2, 90, 3 * 48], 0.3, &device);
    let all = self_attention(qkv.clone(), 3, None, true);
    for (seq, rows) in [(90, 1), (90, 4), (66, 66), (1, 1), (80, 70)] {
        let [queries, keys, parts] =
            [0, 1, 2].map(|part| qkv.clone().narrow(2, part * 48, 48).narrow(1, 0, seq));
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
