#[cfg(feature = "flex")]
mod flex;

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

/// Precomputed cosines and sines of rotary position embeddings (Su et al., *`RoFormer`*, 2021,
/// <https://arxiv.org/abs/2104.09864>).
///
/// Differs from the paper: a dimension is paired with the one half a head further on instead of its
/// neighbor, as in the published weights of GPT-NeoX and Llama.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    d_head: usize,
    /// Cosines, then sines: `[2, max_positions, d_head / 2]`.
    values: Arc<[f32]>,
    max_positions: usize,
}

impl RotaryTable {
    /// Computes the angles of positions below `max_positions`; the longest period is about
    /// `2 pi base` positions.
    ///
    /// # Panics
    ///
    /// If `d_head` is odd.
    pub fn new(d_head: usize, max_positions: usize, base: f64) -> Self {
        assert!(
            d_head.is_multiple_of(2),
            "the head dimension {d_head} is odd"
        );
        let half = d_head / 2;
        let angle = |index: usize| {
            let (position, pair) = (index / half, index % half);
            position as f64 * base.powf(-((2 * pair) as f64) / d_head as f64)
        };
        let cosines = (0..max_positions * half).map(|index| angle(index).cos() as f32);
        let sines = (0..max_positions * half).map(|index| angle(index).sin() as f32);
        Self {
            d_head,
            values: cosines.chain(sines).collect(),
            max_positions,
        }
    }

    /// Longest sequence that the table covers.
    pub fn max_positions(&self) -> usize {
        self.max_positions
    }

    /// Dimensions per attention head.
    pub fn d_head(&self) -> usize {
        self.d_head
    }

    /// Cosines and sines of `count` positions from `start`, `[count, d_head / 2]` each.
    pub(crate) fn slices(&self, start: usize, count: usize) -> [&[f32]; 2] {
        let half = self.d_head / 2;
        let (cosines, sines) = self.values.split_at(self.max_positions * half);
        [cosines, sines].map(|values| &values[start * half..(start + count) * half])
    }
}

/// Applies rotary position embeddings to queries and keys; values stay unchanged.
///
/// # Shapes
///
/// - qkv: `[batch, seq, 3 * d_model]`, the concatenated queries, keys and values, with the first row
///   at position `start`
/// - output: as the input
///
/// # Panics
///
/// If `d_model` is not a multiple of the table's `d_head`, or there are more positions
/// than the table has.
pub fn apply_rotary(qkv: Tensor<3>, table: &RotaryTable, start: usize) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_head = table.d_head;
    assert!(
        width.is_multiple_of(3 * d_head),
        "{width} columns are not a multiple of 3 × {d_head}"
    );
    assert!(
        start + seq <= table.max_positions,
        "{} positions exceed the table's maximum of {}",
        start + seq,
        table.max_positions
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::is_supported_simd(&qkv) {
        return flex::apply_rotary(qkv, table, start);
    }
    let (n_heads, half) = (width / 3 / d_head, d_head / 2);
    let device = qkv.device();
    let [cosines, sines] = table.slices(start, seq).map(|values| {
        let data = TensorData::new(values.to_vec(), [1, seq, 1, half]);
        Tensor::<4>::from_data(data, (&device, qkv.dtype()))
    });
    let queries_and_keys = qkv.clone().narrow(2, 0, 2 * width / 3);
    let queries_and_keys = queries_and_keys.reshape([batch, seq, 2 * n_heads, d_head]);
    let [first, second] = [0, half].map(|start| queries_and_keys.clone().narrow(3, start, half));
    let rotated = Tensor::cat(
        vec![
            first.clone() * cosines.clone() - second.clone() * sines.clone(),
            second * cosines + first * sines,
        ],
        3,
    );
    let rotated = rotated.reshape([batch, seq, 2 * width / 3]);
    Tensor::cat(vec![rotated, qkv.narrow(2, 2 * width / 3, width / 3)], 2)
}
