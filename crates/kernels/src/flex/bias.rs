//! The bias of linear layers and its gradient.

use super::parallel::sum_in_blocks;
use super::simd_math::vectorized;

/// Adds the bias to each row; an empty one stands for none.
pub(crate) fn add_bias(output: &mut [f32], bias: &[f32]) {
    if bias.is_empty() {
        return;
    }
    vectorized(
        #[inline(always)]
        || {
            for row in output.chunks_exact_mut(bias.len()) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += *bias;
                }
            }
        },
    );
}

/// Adds the bias to each row, empty for none, and applies `ReLU`. NaN propagates, so that divergence
/// stays visible.
pub(crate) fn add_bias_and_rectify(output: &mut [f32], columns: usize, bias: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for row in output.chunks_exact_mut(columns.max(1)) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += *bias;
                }
                for value in row {
                    *value = rectify(*value);
                }
            }
        },
    );
}

/// `ReLU` of a number; NaN propagates.
#[inline(always)]
pub(crate) fn rectify(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// Sums the rows of a matrix, which is the gradient of the bias.
pub(crate) fn sum_rows(values: &[f32], columns: usize) -> Vec<f32> {
    sum_in_blocks(values.len() / columns.max(1), columns, |rows, sums| {
        vectorized(
            #[inline(always)]
            || {
                for row in values[rows.start * columns..rows.end * columns].chunks_exact(columns) {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += *value;
                    }
                }
            },
        );
    })
}
