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
