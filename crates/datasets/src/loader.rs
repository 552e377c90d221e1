//! The loader that feeds a model: batches prepared ahead on worker threads, always in the same
//! order.
//!
//! It is a [`DataLoader`], so Burn's learner takes it as it is, and it keeps four promises that
//! Burn's own multi-threaded loader does not: the batches and their order do not depend on the
//! number of workers, a pass can begin at any epoch and batch (so that a resumed run sees what
//! the killed one would have seen), a worker that panics is an error and not a shorter epoch, and
//! no more than a fixed number of batches is held at a time.

mod batches;
mod config;
mod context;
mod order;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::Dataset;
use burn::tensor::Device;

use batches::{Feed, Make, Spawn, Trial, make_batch};

pub use batches::Batches;
pub use config::{LoaderConfig, LoaderError};
pub use context::{BatchContext, Collate};

/// Words that keep the streams of one seed apart.
const SHUFFLE: u64 = 1;
const ITEM: u64 = 2;
const BATCH: u64 = 3;
const GROUP: u64 = 4;
const CLASS: u64 = 5;

/// Batches of a dataset, prepared ahead of the model.
///
/// ```
/// use std::sync::Arc;
/// use burn::data::dataloader::batcher::Batcher;
/// use burn::data::dataset::InMemDataset;
/// use burn::tensor::Device;
/// use tinderbox_datasets::loader::{Loader, LoaderConfig};
///
/// struct Sum;
/// impl Batcher<u32, u32> for Sum {
///     fn batch(&self, items: Vec<u32>, _: &Device) -> u32 {
///         items.into_iter().sum()
///     }
/// }
///
/// # fn example(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let numbers = Arc::new(InMemDataset::new(vec![1, 2, 3, 4, 5]));
/// let loader = Loader::new(numbers, Sum, LoaderConfig::eval(2), device)?;
/// let sums: Result<Vec<u32>, _> = loader.iter_from(1, 0).collect();
/// assert_eq!(sums?, [3, 7, 5]);
/// # Ok(())
/// # }
/// ```
pub struct Loader<I, O> {
    source: Source<I, O>,
    config: LoaderConfig,
    /// Length of each item of the dataset, if batches are to hold items of about one length.
    lengths: Option<Arc<[usize]>>,
    /// Class of each item of the dataset, if all classes are to be drawn equally often.
    classes: Option<Arc<[usize]>>,
    /// The part of each batch that this loader makes.
    deal: Deal,
    /// Epoch of the next [`DataLoader::iter`].
    next_epoch: AtomicUsize,
    /// Whether batches have turned out to take time.
    worth_threads: Arc<AtomicBool>,
}

/// How the items of a batch are dealt to the ranks of a training on several processes.
#[derive(Clone, Copy, Debug)]
struct Deal {
    rank: usize,
    ranks: usize,
}

impl Deal {
    /// The only rank, which gets all items.
    const ALL: Self = Self { rank: 0, ranks: 1 };

    /// The number of items of this rank in a batch of `items`.
    fn count(self, items: usize) -> usize {
        items.saturating_sub(self.rank).div_ceil(self.ranks)
    }
}

/// What the workers share.
struct Source<I, O> {
    dataset: Arc<dyn Dataset<I>>,
    collate: Arc<dyn Collate<I, O>>,
    /// First index of the part in use, and its end.
    range: (usize, usize),
    device: Device,
}

impl<I, O> Clone for Source<I, O> {
    fn clone(&self) -> Self {
        Self {
            dataset: Arc::clone(&self.dataset),
            collate: Arc::clone(&self.collate),
            range: self.range,
            device: self.device.clone(),
        }
    }
}

impl<I: 'static, O: Send + 'static> Loader<I, O> {
    /// Makes a loader of `dataset` whose batches are put on `device`.
    ///
    /// # Errors
    ///
    /// If the dataset is empty or the batch size is 0.
    pub fn new(
        dataset: Arc<dyn Dataset<I>>,
        collate: impl Collate<I, O> + 'static,
        config: LoaderConfig,
        device: &Device,
    ) -> Result<Self, LoaderError> {
        Self::shared(dataset, Arc::new(collate), config, device)
    }

    /// Makes a loader with a collate function that other loaders use too.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn shared(
        dataset: Arc<dyn Dataset<I>>,
        collate: Arc<dyn Collate<I, O>>,
        config: LoaderConfig,
        device: &Device,
    ) -> Result<Self, LoaderError> {
        if dataset.is_empty() {
            return Err(LoaderError::Empty);
        }
        if config.batch_size == 0 {
            return Err(LoaderError::ZeroBatch);
        }
        let range = (0, dataset.len());
        let device = device.clone();
        let source = Source {
            dataset,
            collate,
            range,
            device,
        };
        Ok(Self::of(source, config, None, None))
    }

    fn of(
        source: Source<I, O>,
        config: LoaderConfig,
        lengths: Option<Arc<[usize]>>,
        classes: Option<Arc<[usize]>>,
    ) -> Self {
        Self {
            source,
            config,
            lengths,
            classes,
            deal: Deal::ALL,
            next_epoch: AtomicUsize::new(1),
            worth_threads: Arc::default(),
        }
    }

    /// The same loader with items of about one length in a batch, so that little of it is padding.
    /// Where batches are not shuffled, all items come in the order of their lengths.
    ///
    /// # Panics
    ///
    /// If there is not one length for each item of the dataset.
    #[must_use]
    pub fn by_length(mut self, lengths: Vec<usize>) -> Self {
        let items = self.source.dataset.len();
        assert_eq!(lengths.len(), items, "one length for each item");
        self.lengths = Some(lengths.into());
        self
    }

    /// The same loader with items of every class equally often (balanced sampling): an epoch is as
    /// long as before, items of rare classes come several times in it, and some of frequent classes
    /// not at all. Has no effect where batches are not shuffled.
    ///
    /// # Panics
    ///
    /// If there is not one class for each item of the dataset.
    #[must_use]
    pub fn balanced(mut self, classes: Vec<usize>) -> Self {
        let items = self.source.dataset.len();
        assert_eq!(classes.len(), items, "one class for each item");
        self.classes = Some(classes.into());
        self
    }

    /// The same loader with its batches on another device.
    #[must_use]
    pub fn on(mut self, device: &Device) -> Self {
        self.source.device = device.clone();
        self
    }

    /// The same loader with batches of `batch_size` items that are dealt to `ranks` ranks like cards, for
    /// training on several processes: it makes the part of `rank`, from 0. Batches, their order and the
    /// counts of items are those of one process with that batch size.
    ///
    /// A rank that gets no item of a batch has its first one, and a [`share`](Self::share) of 0 in it.
    ///
    /// # Panics
    ///
    /// If there is no such rank, or `batch_size` is 0.
    #[must_use]
    pub fn dealt(mut self, rank: usize, ranks: usize, batch_size: usize) -> Self {
        assert!(rank < ranks, "rank {rank} of {ranks}");
        assert!(batch_size > 0, "an empty batch");
        self.config.batch_size = batch_size;
        self.deal = Deal { rank, ranks };
        self
    }

    /// The share of the items of a batch (from 0) that this loader has: 1 if it is not
    /// [dealt](Self::dealt).
    pub fn share(&self, batch: usize) -> f64 {
        let items = self.source.range.1 - self.source.range.0;
        let start = batch * self.config.batch_size;
        let items = items.saturating_sub(start).min(self.config.batch_size);
        self.deal.count(items) as f64 / items.max(1) as f64
    }

    /// Number of batches in an epoch.
    pub fn num_batches(&self) -> usize {
        let items = self.source.range.1 - self.source.range.0;
        if self.config.drop_last {
            (items / self.config.batch_size).max(1)
        } else {
            items.div_ceil(self.config.batch_size)
        }
    }

    /// Items in a full batch.
    pub fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    /// The batches of an epoch (from 1), beginning with batch number `first` (from 0).
    pub fn iter_from(&self, epoch: usize, first: usize) -> Batches<O> {
        let plan = Arc::new(self.plan(epoch));
        let num_batches = self.num_batches();
        let workers = self.config.workers.min(num_batches.saturating_sub(first));
        let progress = Progress::new(
            (first * self.config.batch_size).min(self.num_items()),
            self.num_items(),
            Some("items".to_owned()),
        );
        let make: Arc<Make<O>> = {
            let source = self.source.clone();
            Arc::new(move |batch: usize| make_batch(&source, &plan, batch))
        };
        let threads = Spawn {
            workers,
            prefetch: self.config.prefetch.max(1),
            end: num_batches,
        };
        let feed = if workers == 0 {
            Feed::Inline(make)
        } else if self.worth_threads.load(Ordering::Relaxed) {
            Feed::threads(threads, first, &make)
        } else {
            Feed::Trial(Trial {
                make,
                threads,
                worth_threads: Arc::clone(&self.worth_threads),
                was_slow: false,
            })
        };
        Batches {
            feed,
            next: first,
            end: num_batches,
            batch_size: self.config.batch_size,
            progress,
        }
    }
}

impl<I: 'static, O: Send + 'static> DataLoader<O> for Loader<I, O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(self.iter_from(epoch, 0))
    }

    fn num_items(&self) -> usize {
        let items = self.source.range.1 - self.source.range.0;
        items.min(self.num_batches() * self.config.batch_size)
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        let source = Source {
            device: device.clone(),
            ..self.source.clone()
        };
        let loader = Self::of(
            source,
            self.config.clone(),
            self.lengths.clone(),
            self.classes.clone(),
        );
        Arc::new(Self {
            deal: self.deal,
            ..loader
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let (first, last) = self.source.range;
        let range = ((first + start).min(last), (first + end).min(last));
        let loader = Self::of(
            Source {
                range,
                ..self.source.clone()
            },
            self.config.clone(),
            self.lengths.clone(),
            self.classes.clone(),
        );
        Arc::new(Self {
            deal: self.deal,
            ..loader
        })
    }
}
