//! Distribution of work over threads.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::arch::arch;

/// Multiply-adds that take several times as long as waking a thread.
const MIN_PARALLEL: usize = 1 << 21;

/// Elements per task of an element-wise loop.
pub(crate) const CHUNK: usize = 1 << 14;

/// Rows that are summed independently of the others.
pub(crate) const BLOCK_ROWS: usize = 128;

/// Whether this many multiply-adds are faster on several threads.
pub(crate) fn is_worth_threads(operations: usize) -> bool {
    operations >= MIN_PARALLEL && rayon::current_num_threads() > 1
}

/// Whether the processor has SIMD registers wide enough for our kernels to pay off.
pub(crate) fn has_simd() -> bool {
    !matches!(arch(), Arch::Scalar)
}

/// Calls `visit` with each chunk and its index, on several threads if `parallel`.
pub(crate) fn for_each_chunk<T: Send>(
    values: &mut [T],
    size: usize,
    parallel: bool,
    visit: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    if parallel {
        let chunks = values.par_chunks_mut(size).enumerate();
        chunks.for_each(|(index, chunk)| visit(index, chunk));
    } else {
        let chunks = values.chunks_mut(size).enumerate();
        chunks.for_each(|(index, chunk)| visit(index, chunk));
    }
}

/// Sums `rows` rows of `width` elements in blocks: `add` accumulates a range of rows. The order of
/// the sum does not depend on the number of threads.
pub(crate) fn sum_in_blocks(
    rows: usize,
    width: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync + Send,
) -> Vec<f32> {
    let block = |start: usize| {
        let mut sums = vec![0.0; width];
        add(start..(start + BLOCK_ROWS).min(rows), &mut sums);
        sums
    };
    let starts: Vec<usize> = (0..rows).step_by(BLOCK_ROWS).collect();
    let blocks: Vec<Vec<f32>> = if is_worth_threads(4 * rows * width) {
        starts.into_par_iter().map(block).collect()
    } else {
        starts.into_iter().map(block).collect()
    };
    sum_vectors(&blocks, width)
}

/// Sums vectors of `width` elements, first to last.
pub(crate) fn sum_vectors(vectors: &[Vec<f32>], width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for vector in vectors {
        for (total, value) in total.iter_mut().zip(vector) {
            *total += *value;
        }
    }
    total
}
