//! How work is shared between threads.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

/// Multiplications and additions that take several times as long as waking a thread.
const WORTH: usize = 1 << 22;

/// Numbers that a task of a simple loop is given.
pub(crate) const CHUNK: usize = 1 << 14;

/// Rows that are summed apart from the others.
pub(crate) const PART_ROWS: usize = 128;

/// Whether so many multiplications are faster on more than one thread.
pub(crate) fn is_worth_threads(operations: usize) -> bool {
    operations >= WORTH && rayon::current_num_threads() > 1
}

/// Calls `visit` with each chunk and its index, on several threads or on this one.
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

/// Lets `add` sum ranges of rows into vectors of `width` numbers and adds those up, in an order
/// that does not depend on the number of threads.
pub(crate) fn sum_in_parts(
    rows: usize,
    width: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync + Send,
) -> Vec<f32> {
    let part = |start: usize| {
        let mut sums = vec![0.0; width];
        add(start..(start + PART_ROWS).min(rows), &mut sums);
        sums
    };
    let starts: Vec<usize> = (0..rows).step_by(PART_ROWS).collect();
    let parts: Vec<Vec<f32>> = if is_worth_threads(4 * rows * width) {
        starts.into_par_iter().map(part).collect()
    } else {
        starts.into_iter().map(part).collect()
    };
    add_up(&parts, width)
}

/// Adds vectors of `width` numbers up, first to last.
pub(crate) fn add_up(parts: &[Vec<f32>], width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for part in parts {
        for (total, value) in total.iter_mut().zip(part) {
            *total += *value;
        }
    }
    total
}

/// Whether this processor has registers that make our kernels worth it.
pub(crate) fn has_vectors() -> bool {
    !matches!(Arch::new(), Arch::Scalar)
}
