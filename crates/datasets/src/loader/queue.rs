//! The queue of batches between the worker threads and the caller.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use burn::data::dataset::DatasetError;

pub(super) type Ready<O> = Result<O, DatasetError>;

/// Hands out batch numbers and collects batches, never more than `prefetch` ahead.
pub(super) struct Queue<O> {
    state: Mutex<QueueState<O>>,
    changed: Condvar,
    end: usize,
    prefetch: usize,
}

struct QueueState<O> {
    claimed: usize,
    taken: usize,
    stopped: bool,
    ready: BTreeMap<usize, Ready<O>>,
}

impl<O> Queue<O> {
    pub(super) fn new(batches: std::ops::Range<usize>, prefetch: usize) -> Self {
        let (start, end) = (batches.start, batches.end);
        let state = QueueState {
            claimed: start,
            taken: start,
            stopped: false,
            ready: BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            end,
            prefetch,
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, QueueState<O>>) -> MutexGuard<'a, QueueState<O>> {
        self.changed
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch to make, once there is room for it; `None` when there is none left.
    pub(super) fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.stopped && state.claimed < self.end {
            if state.claimed < state.taken + self.prefetch {
                state.claimed += 1;
                return Some(state.claimed - 1);
            }
            state = self.wait(state);
        }
        None
    }

    pub(super) fn put(&self, batch: usize, result: Ready<O>) {
        self.lock().ready.insert(batch, result);
        self.changed.notify_all();
    }

    pub(super) fn take(&self, batch: usize) -> Ready<O> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.ready.remove(&batch) {
                state.taken = batch + 1;
                drop(state);
                self.changed.notify_all();
                return result;
            }
            state = self.wait(state);
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}
