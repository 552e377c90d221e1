#[cfg(feature = "flex")]
mod flex;

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

/// Angles by which queries and keys are turned according to their place (Su et al., *`RoFormer`*, 2021,
/// <https://arxiv.org/abs/2104.09864>).
///
/// Differs from the paper: a number is paired with the one half a head further on instead of with
/// its neighbour, as in published weights of GPT-NeoX and Llama.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    d_head: usize,
    /// Cosines of each place, then sines of each place, `d_head / 2` of each.
    values: Arc<[f32]>,
    places: usize,
}

impl RotaryTable {
    /// Computes the angles of `places` places; the slowest turns once in about `2 pi base` places.
    ///
    /// # Panics
    ///
    /// If `d_head` is odd.
    pub fn new(d_head: usize, places: usize, base: f64) -> Self {
        assert!(
            d_head.is_multiple_of(2),
            "a head of {d_head} numbers has no pairs"
        );
        let half = d_head / 2;
        let angle = |index: usize| {
            let (place, pair) = (index / half, index % half);
            place as f64 * base.powf(-((2 * pair) as f64) / d_head as f64)
        };
        let cosines = (0..places * half).map(|index| angle(index).cos() as f32);
        let sines = (0..places * half).map(|index| angle(index).sin() as f32);
        Self {
            d_head,
            values: cosines.chain(sines).collect(),
            places,
        }
    }

    /// Number of places that there are angles for.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Numbers in a head.
    pub fn d_head(&self) -> usize {
        self.d_head
    }

    /// Cosines and sines of some places.
    pub(crate) fn slices(&self, start: usize, count: usize) -> [&[f32]; 2] {
        let half = self.d_head / 2;
        let (cosines, sines) = self.values.split_at(self.places * half);
        [cosines, sines].map(|part| &part[start * half..(start + count) * half])
    }
}

/// Turns queries and keys; values stay.
///
/// # Shapes
///
/// - packed: `[batch, seq, 3 * d_model]`, queries, keys and values side by side, the first row at
///   place `start`
/// - output: as the input
///
/// # Panics
///
/// If the columns are no multiple of the table's heads, or there are more places than it has.
pub fn rotate(packed: Tensor<3>, table: &RotaryTable, start: usize) -> Tensor<3> {
    let [batch, seq, width] = packed.dims();
    let d_head = table.d_head;
    assert!(
        width.is_multiple_of(3 * d_head),
        "{width} columns are no heads of {d_head}"
    );
    assert!(
        start + seq <= table.places,
        "place {} is beyond the {} that there are angles for",
        start + seq,
        table.places
    );
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&packed) {
        return flex::rotate(packed, table, start);
    }
    let (heads, half) = (width / 3 / d_head, d_head / 2);
    let device = packed.device();
    let [cosines, sines] = table.slices(start, seq).map(|part| {
        let data = TensorData::new(part.to_vec(), [1, seq, 1, half]);
        Tensor::<4>::from_data(data, (&device, packed.dtype()))
    });
    let turned = packed.clone().narrow(2, 0, 2 * width / 3);
    let turned = turned.reshape([batch, seq, 2 * heads, d_head]);
    let [first, second] = [0, half].map(|from| turned.clone().narrow(3, from, half));
    let turned = Tensor::cat(
        vec![
            first.clone() * cosines.clone() - second.clone() * sines.clone(),
            second * cosines + first * sines,
        ],
        3,
    );
    let turned = turned.reshape([batch, seq, 2 * width / 3]);
    Tensor::cat(vec![turned, packed.narrow(2, 2 * width / 3, width / 3)], 2)
}
