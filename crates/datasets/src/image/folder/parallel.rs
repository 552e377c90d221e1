//! Work on many files at once.

use std::thread;

/// Applies `work` to every item on all cores and keeps the order.
///
/// # Panics
///
/// If `work` panics.
pub fn in_parallel<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len().max(1));
    let work = &work;
    // Interleaved, as files of one class tend to be alike in size.
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let start = |worker| {
            let share = items.iter().enumerate().skip(worker).step_by(workers);
            scope.spawn(move || share.map(|(at, item)| (at, work(item))).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..workers).map(start).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    results.sort_unstable_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}
