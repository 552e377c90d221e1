//! Rotary position embeddings against their formula and Burn's operations.

use crate::checks::{assert_close, noise, values};
use burn::tensor::{DType, Device, Tensor};
use tinderbox_kernels::{RotaryTable, apply_rotary};

/// The formula of the paper, with complex numbers.
fn rotated(row: &[f32], position: usize, base: f64) -> Vec<f32> {
    let half = row.len() / 2;
    let rotate = |index: usize| {
        let pair = index % half;
        let angle = position as f64 * base.powf(-2.0 * pair as f64 / row.len() as f64);
        let [x, y] = [row[pair], row[pair + half]].map(f64::from);
        let value = if index < half {
            x * angle.cos() - y * angle.sin()
        } else {
            x * angle.sin() + y * angle.cos()
        };
        value as f32
    };
    (0..row.len()).map(rotate).collect()
}

#[test]
fn queries_and_keys_are_rotated_by_their_position() {
    let device = Device::flex();
    let table = RotaryTable::new(8, 40, 1000.0);
    let qkv = noise([2, 5, 48], 0.3, &device);
    let ours = values(apply_rotary(qkv.clone(), &table, 33));
    for (index, (ours, row)) in ours.chunks(48).zip(values(qkv).chunks(48)).enumerate() {
        let heads = row[..32].chunks(8);
        let mut expected: Vec<f32> = heads
            .flat_map(|head| rotated(head, 33 + index % 5, 1000.0))
            .collect();
        expected.extend(&row[32..]);
        assert_close(&format!("row {index}"), ours, &expected);
    }
}

#[test]
fn the_gradient_is_the_inverse_rotation() {
    let device = Device::flex().autodiff();
    let table = RotaryTable::new(8, 40, 1000.0);
    let qkv = noise([2, 5, 48], 0.3, &device).require_grad();
    let output = apply_rotary(qkv.clone() * 1.0, &table, 3);
    // A rotation preserves the norm, so the gradient is twice the vector.
    let gradients = output.square().sum().backward();
    let expected = values(qkv.clone() * 2.0);
    let gradient = values(qkv.grad(&gradients).unwrap());
    assert_close("gradient", &gradient, &expected);
}

#[test]
#[should_panic(expected = "41 positions exceed the table's maximum of 40")]
fn a_position_beyond_the_table_is_rejected() {
    let table = RotaryTable::new(8, 40, 1000.0);
    apply_rotary(Tensor::zeros([1, 2, 24], &Device::flex()), &table, 39);
}

#[test]
fn the_fallback_gives_the_same_result() {
    let device = Device::flex();
    let table = RotaryTable::new(16, 90, 1000.0);
    for [batch, seq, heads, d_head] in [[2, 5, 3, 16], [3, 33, 2, 16]] {
        let qkv = noise([batch, seq, 3 * heads * d_head], 0.1, &device);
        // There is no kernel for double precision.
        let double = qkv.clone().cast(DType::F64);
        let ours = values(apply_rotary(qkv, &table, 3));
        let burns = values(apply_rotary(double, &table, 3));
        assert_close("rotary", &ours, &burns);
    }
}
