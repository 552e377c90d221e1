//! Weights in the order in which the products read them.

use crate::flex::gemm::PackedRhs;
use crate::flex::parallel::{for_each_chunk, is_worth_threads};
use crate::flex::scratch::Scratch;

/// The weight `[channels_out, channels_in, taps]` as a matrix for each tap, the product's rows along
/// one axis of channels and its columns along the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    /// Channels of the source.
    pub(super) rows: usize,
    /// Elements between them.
    pub(super) row_stride: usize,
    /// Channels of the output.
    pub(super) columns: usize,
    /// Elements between them.
    pub(super) column_stride: usize,
}

impl Axes {
    /// From the input to the output.
    pub(super) fn forward(channels_out: usize, channels_in: usize, taps: usize) -> Self {
        Self {
            rows: channels_in,
            row_stride: taps,
            columns: channels_out,
            column_stride: channels_in * taps,
        }
    }

    /// From the gradient of the output to that of the input.
    pub(super) fn backward(channels_out: usize, channels_in: usize, taps: usize) -> Self {
        Self {
            rows: channels_out,
            row_stride: channels_in * taps,
            columns: channels_in,
            column_stride: taps,
        }
    }

    /// Packs some taps of the weight, in the order in which a window meets them.
    pub(super) fn pack(self, weight: &[f32], taps: &[usize]) -> PackedRhs {
        let depth = taps.len() * self.rows;
        let parallel = is_worth_threads(16 * depth * self.columns);
        PackedRhs::from_panels([depth, self.columns], parallel, |columns, panel| {
            let width = panel.len() / depth;
            if columns.len() < width {
                panel.fill(0.0);
            }
            for (lane, column) in columns.enumerate() {
                for row in 0..self.rows {
                    let source = &weight[row * self.row_stride + column * self.column_stride..];
                    for (index, &tap) in taps.iter().enumerate() {
                        panel[(index * self.rows + row) * width + lane] = source[tap];
                    }
                }
            }
        })
    }
}

/// Filters that are written together: a line of the cache in each sum.
pub(super) const FILTERS: usize = 16;

/// One number per filter.
pub(super) type Lanes = [f32; FILTERS];

/// Gradient of the weights, `[channels_out, channels_in, taps]`, from sums over parts of a batch, each
/// with `matrices` of `[channels_in, channels_out]`. The parts are added, first to last, and `finish`
/// computes the taps of some filters from their numbers in the matrices.
pub(super) fn weight_gradient_of_sums(
    parts: &[Scratch],
    [channels_out, channels_in, taps]: [usize; 3],
    matrices: usize,
    finish: impl Fn(&[Lanes], &mut [Lanes]) + Sync + Send,
) -> Vec<f32> {
    let filter_len = channels_in * taps;
    let mut output = vec![0.0; channels_out * filter_len];
    let parallel = is_worth_threads(16 * parts.len() * output.len());
    let chunk_len = (FILTERS * filter_len).max(1);
    for_each_chunk(&mut output, chunk_len, parallel, |chunk, filters| {
        let first = chunk * FILTERS;
        let count = filters.len() / filter_len;
        let mut numbers = vec![[0.0; FILTERS]; matrices];
        let mut values = vec![[0.0; FILTERS]; taps];
        for channel in 0..channels_in {
            for (matrix, numbers) in numbers.iter_mut().enumerate() {
                let at = (matrix * channels_in + channel) * channels_out + first;
                *numbers = [0.0; FILTERS];
                for part in parts {
                    add(numbers, &part[at..at + count]);
                }
            }
            finish(&numbers, &mut values);
            for (tap, values) in values.iter().enumerate() {
                let targets = filters[channel * taps + tap..]
                    .iter_mut()
                    .step_by(filter_len);
                for (target, value) in targets.zip(values) {
                    *target = *value;
                }
            }
        }
    });
    output
}

fn add(sums: &mut Lanes, values: &[f32]) {
    // A constant length is one register.
    if let Some(values) = values.first_chunk::<FILTERS>() {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += *value;
        }
    } else {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += *value;
        }
    }
}
