//! Settings of a loader.

/// Settings of a [`Loader`](super::Loader).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Items in a batch.
    pub batch_size: usize,
    /// Seed of the shuffling and of every [`BatchContext`](super::BatchContext).
    pub seed: u64,
    /// Whether each epoch has its own order; otherwise the dataset's.
    pub shuffle: bool,
    /// Whether a last batch that is not full is dropped. The only batch is never dropped.
    pub drop_last: bool,
    /// Most threads that prepare batches; 0 prepares each when it is asked for, which is also done
    /// as long as a batch takes no time worth a thread.
    pub workers: usize,
    /// Most batches held ready or in the making at a time, at least 1.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// Shuffled, full batches, for training.
    pub fn train(batch_size: usize, seed: u64) -> Self {
        Self {
            batch_size,
            seed,
            shuffle: true,
            drop_last: true,
            workers: 1,
            prefetch: 4,
        }
    }

    /// Every item once and in order, for validation and test.
    pub fn eval(batch_size: usize) -> Self {
        Self {
            batch_size,
            seed: 0,
            shuffle: false,
            drop_last: false,
            workers: 1,
            prefetch: 4,
        }
    }

    /// Sets the number of worker threads.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }
}

/// Errors of building a [`Loader`](super::Loader).
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LoaderError {
    /// There is nothing to load.
    #[error("the dataset is empty")]
    Empty,
    /// A batch of no items would never end an epoch.
    #[error("the batch size must be at least 1")]
    ZeroBatch,
}
