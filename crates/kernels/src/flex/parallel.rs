//! Distribution of work over threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::arch::arch;
use pulp::Arch;

/// Multiply-adds that take several times as long as waking a thread.
const MIN_PARALLEL: usize = 3 << 20;

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

/// The end of a queue that a thread takes tasks from.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

/// Runs tasks one after another, on several threads if `parallel`.
///
/// The current thread takes its share at once, where a parallel iterator called from outside the pool
/// would only wait for the others to wake: for tasks of microseconds, half of the time. It takes tasks from the
/// front and the others from the back: of two threads, each then works on the same half of an image in one kernel
/// after another, and finds it in its own cache.
pub(crate) fn run_tasks<I>(tasks: I, parallel: bool, run: impl Fn(I::Item) + Sync)
where
    I: DoubleEndedIterator + ExactSizeIterator + Send,
{
    let threads = if parallel {
        rayon::current_num_threads().min(tasks.len())
    } else {
        1
    };
    if threads <= 1 {
        tasks.for_each(run);
        return;
    }
    let queue = Mutex::new(tasks);
    // Many at once while there are many, for tasks that take as long as the lock.
    let next = |end: End| {
        let mut tasks = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = (tasks.len() / (4 * threads)).max(1);
        match end {
            End::Front => tasks.by_ref().take(count).collect::<Vec<_>>(),
            End::Back => tasks.by_ref().rev().take(count).collect(),
        }
    };
    let work = |end: End| {
        loop {
            let tasks = next(end);
            if tasks.is_empty() {
                break;
            }
            tasks.into_iter().for_each(&run);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work(End::Back));
        }
        work(End::Front);
    });
}

/// As [`run_tasks`], with the results in the order of the tasks.
pub(crate) fn map_tasks<I, R: Send>(
    tasks: I,
    parallel: bool,
    map: impl Fn(I::Item) -> R + Sync,
) -> Vec<R>
where
    I: DoubleEndedIterator + ExactSizeIterator + Send,
{
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(tasks.len(), || None);
    run_tasks(tasks.zip(&mut results), parallel, |(task, result)| {
        *result = Some(map(task));
    });
    results.into_iter().flatten().collect()
}

/// Calls `visit` with each chunk and its index, on several threads if `parallel`.
pub(crate) fn for_each_chunk<T: Send>(
    values: &mut [T],
    size: usize,
    parallel: bool,
    visit: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let chunks = values.chunks_mut(size).enumerate();
    run_tasks(chunks, parallel, |(index, chunk)| visit(index, chunk));
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
    let starts = (0..rows).step_by(BLOCK_ROWS);
    let blocks = map_tasks(starts, is_worth_threads(4 * rows * width), block);
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
