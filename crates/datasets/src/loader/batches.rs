//! One pass over the batches, prepared inline or on threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;

use super::order::Plan;
use super::queue::{Queue, Ready};
use super::{BatchContext, Source};

/// A batch that is made sooner than this is made by who asks for it: to wake a thread takes about
/// as long, and a step of a small network takes little longer.
pub(super) const WORTH_A_THREAD: Duration = Duration::from_micros(50);

/// Something went wrong on a worker thread.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("preparing batch {batch} of epoch {epoch} panicked: {message}")]
    Panic {
        epoch: usize,
        batch: usize,
        message: String,
    },
    #[error("the threads that prepare batches could not be started")]
    Spawn(#[source] std::io::Error),
}

pub(super) fn make_batch<I, O>(
    source: &Source<I, O>,
    plan: &Plan,
    batch: usize,
) -> Result<O, DatasetError> {
    let indices = plan.items(batch);
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let items = source.dataset.get_many(indices.clone())?;
        let context = BatchContext {
            seed: plan.seed,
            epoch: plan.epoch,
            batch,
            rank: plan.deal.rank,
            indices,
        };
        source.collate.collate(items, &context, &source.device)
    }));
    attempt.unwrap_or_else(|payload| {
        let message = panic_message(payload.as_ref());
        Err(DatasetError::new(WorkerError::Panic {
            epoch: plan.epoch,
            batch,
            message,
        }))
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// An epoch's batches, in order. Ends its threads when it is dropped.
pub struct Batches<O> {
    pub(super) feed: Feed<O>,
    pub(super) next: usize,
    pub(super) end: usize,
    pub(super) batch_size: usize,
    pub(super) progress: Progress,
}

impl<O: Send + 'static> Iterator for Batches<O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let batch = self.feed.take(self.next);
        self.next += 1;
        self.progress.items_processed =
            (self.next * self.batch_size).min(self.progress.items_total);
        Some(batch)
    }
}

impl<O: Send + 'static> DataLoaderIterator<O> for Batches<O> {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

/// Makes the batch of a number.
pub(super) type Make<O> = dyn Fn(usize) -> Ready<O> + Send + Sync;

pub(super) enum Feed<O> {
    Inline(Arc<Make<O>>),
    /// Inline until a batch takes too long.
    Trial(Trial<O>),
    Threads(Threads<O>),
    Broken(Option<std::io::Error>),
}

pub(super) struct Trial<O> {
    pub(super) make: Arc<Make<O>>,
    pub(super) threads: Spawn,
    /// The loader's, for its later passes.
    pub(super) worth_threads: Arc<AtomicBool>,
    /// Whether the last batch took long.
    pub(super) was_slow: bool,
}

/// The threads that a pass may have.
#[derive(Clone, Copy)]
pub(super) struct Spawn {
    pub(super) workers: usize,
    pub(super) prefetch: usize,
    /// The number after the last batch.
    pub(super) end: usize,
}

pub(super) struct Threads<O> {
    queue: Arc<Queue<O>>,
    handles: Vec<JoinHandle<()>>,
}

impl<O: Send + 'static> Feed<O> {
    pub(super) fn threads(spawn: Spawn, first: usize, make: &Arc<Make<O>>) -> Self {
        let queue = Arc::new(Queue::new(first..spawn.end, spawn.prefetch));
        let mut threads = Threads {
            queue,
            handles: Vec::with_capacity(spawn.workers),
        };
        for number in 0..spawn.workers {
            let (queue, make) = (Arc::clone(&threads.queue), Arc::clone(make));
            let spawned = std::thread::Builder::new()
                .name(format!("loader-{number}"))
                .spawn(move || {
                    while let Some(batch) = queue.claim() {
                        queue.put(batch, make(batch));
                    }
                });
            match spawned {
                Ok(handle) => threads.handles.push(handle),
                // One worker is enough to go on.
                Err(_) if number > 0 => break,
                Err(error) => return Self::Broken(Some(error)),
            }
        }
        Self::Threads(threads)
    }

    fn take(&mut self, batch: usize) -> Ready<O> {
        match self {
            Self::Inline(make) => make(batch),
            Self::Trial(trial) => {
                let started = Instant::now();
                let made = (trial.make)(batch);
                let slow = started.elapsed() > WORTH_A_THREAD;
                // One alone may have been held up by something else.
                if slow && trial.was_slow {
                    trial.worth_threads.store(true, Ordering::Relaxed);
                    *self = Self::threads(trial.threads, batch + 1, &Arc::clone(&trial.make));
                } else {
                    trial.was_slow = slow;
                }
                made
            }
            Self::Threads(threads) => threads.queue.take(batch),
            Self::Broken(error) => {
                let error = error
                    .take()
                    .unwrap_or_else(|| std::io::Error::other("no thread"));
                Err(DatasetError::new(WorkerError::Spawn(error)))
            }
        }
    }
}

impl<O> Drop for Threads<O> {
    fn drop(&mut self) {
        self.queue.stop();
        for handle in self.handles.drain(..) {
            // A worker catches its panics, so there is nothing to learn from the result.
            let _ = handle.join();
        }
    }
}
