//! The loader that feeds a model: batches prepared ahead on worker threads, always in the same
//! order.
//!
//! It is a [`DataLoader`], so Burn's learner takes it as it is, and it keeps four promises that
//! Burn's own multi-threaded loader does not: the batches and their order do not depend on the
//! number of workers, a pass can begin at any epoch and batch (so that a resumed run sees what
//! the killed one would have seen), a worker that panics is an error and not a shorter epoch, and
//! no more than a fixed number of batches is held at a time.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::random::{below, permutation, stream};

/// Words that keep the streams of one seed apart.
const SHUFFLE: u64 = 1;
const ITEM: u64 = 2;
const BATCH: u64 = 3;
const GROUP: u64 = 4;
const CLASS: u64 = 5;

/// Batches that are sorted by length together: enough that each holds items of about one length,
/// few enough that its items differ from epoch to epoch.
const GROUPED: usize = 50;

/// A batch that is made sooner than this is made by who asks for it: to wake a thread takes about
/// as long, and a step of a small network takes little longer.
const WORTH_A_THREAD: Duration = Duration::from_micros(50);

/// Where a batch stands, and the random streams that belong to it.
///
/// A stream depends on the seed, the epoch and the index alone: the same pixels come out whatever
/// the number of workers and wherever a run was interrupted.
#[derive(Clone, Debug)]
pub struct BatchContext {
    /// Seed of the loader.
    pub seed: u64,
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Number of the batch within its epoch, from 0.
    pub batch: usize,
    /// Index in the dataset of each item, in the order of the items.
    pub indices: Vec<usize>,
}

impl BatchContext {
    /// The random stream of one item of the batch.
    ///
    /// # Panics
    ///
    /// If the batch has no item at `position`.
    pub fn item_stream(&self, position: usize) -> Xoshiro256PlusPlus {
        let index = self.indices[position] as u64;
        stream(self.seed, &[ITEM, self.epoch as u64, index])
    }

    /// The random stream of the batch as a whole.
    pub fn batch_stream(&self) -> Xoshiro256PlusPlus {
        stream(self.seed, &[BATCH, self.epoch as u64, self.batch as u64])
    }
}

/// Turns items into one batch on a device, with randomness and with the right to fail.
///
/// Every Burn [`Batcher`] is one, so an own batcher needs this trait only to augment.
pub trait Collate<I, O>: Send + Sync {
    /// Makes one batch.
    ///
    /// # Errors
    ///
    /// When the items do not fit together or one of them cannot be used.
    fn collate(
        &self,
        items: Vec<I>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<O, DatasetError>;
}

impl<I, O, B: Batcher<I, O>> Collate<I, O> for B {
    fn collate(&self, items: Vec<I>, _: &BatchContext, device: &Device) -> Result<O, DatasetError> {
        Ok(self.batch(items, device))
    }
}

/// How a [`Loader`] walks through its dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Items in a batch.
    pub batch_size: usize,
    /// Seed of the shuffling and of every [`BatchContext`].
    pub seed: u64,
    /// Whether each epoch has its own order; otherwise the dataset's.
    pub shuffle: bool,
    /// Whether a last batch that is not full is left out. Never leaves out the only one.
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

/// Why a [`Loader`] could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LoaderError {
    /// There is nothing to load.
    #[error("the dataset is empty")]
    Empty,
    /// A batch of no items would never end an epoch.
    #[error("the batch size must be at least 1")]
    ZeroBatch,
}

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
    /// Epoch of the next [`DataLoader::iter`].
    next_epoch: AtomicUsize,
    /// Whether batches have turned out to take time.
    worth_threads: Arc<AtomicBool>,
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

    fn plan(&self, epoch: usize) -> Plan {
        let (start, end) = self.source.range;
        let balanced = self.classes.as_ref().filter(|_| self.config.shuffle);
        let mut order: Vec<usize> = if let Some(classes) = balanced {
            self.draw_balanced(classes, epoch)
        } else if self.config.shuffle {
            let mut stream = stream(self.config.seed, &[SHUFFLE, epoch as u64]);
            permutation(end - start, &mut stream)
                .into_iter()
                .map(|index| start + index)
                .collect()
        } else {
            (start..end).collect()
        };
        if let Some(lengths) = &self.lengths {
            order = self.grouped(order, lengths, epoch);
        }
        Plan {
            order,
            epoch,
            seed: self.config.seed,
            batch_size: self.config.batch_size,
        }
    }
}

impl<I: 'static, O: Send + 'static> Loader<I, O> {
    /// As many items as there are, whose classes come by chance with equal frequency. The items of a
    /// class come in an order by chance, and again when all have come.
    fn draw_balanced(&self, classes: &[usize], epoch: usize) -> Vec<usize> {
        let (start, end) = self.source.range;
        let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (item, &class) in classes.iter().enumerate().take(end).skip(start) {
            by_class.entry(class).or_default().push(item);
        }
        let classes: Vec<Vec<usize>> = by_class.into_values().collect();
        let mut stream = stream(self.config.seed, &[CLASS, epoch as u64]);
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); classes.len()];
        let mut order = Vec::with_capacity(end - start);
        while order.len() < end - start {
            let class = below(&mut stream, classes.len());
            if waiting[class].is_empty() {
                let own = permutation(classes[class].len(), &mut stream).into_iter();
                waiting[class] = own.map(|at| classes[class][at]).collect();
            }
            order.extend(waiting[class].pop());
        }
        order
    }

    /// Sorts by length: everything, or a number of batches at a time whose order is then shuffled.
    fn grouped(&self, mut order: Vec<usize>, lengths: &[usize], epoch: usize) -> Vec<usize> {
        if !self.config.shuffle {
            order.sort_by_key(|&item| lengths[item]);
            return order;
        }
        let size = self.config.batch_size;
        for group in order.chunks_mut(size * GROUPED) {
            group.sort_by_key(|&item| lengths[item]);
        }
        let full = order.len() / size;
        let mut stream = stream(self.config.seed, &[GROUP, epoch as u64]);
        let batches = permutation(full, &mut stream).into_iter();
        let mut mixed: Vec<usize> = batches
            .flat_map(|batch| &order[batch * size..(batch + 1) * size])
            .copied()
            .collect();
        mixed.extend(&order[full * size..]);
        mixed
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
        Arc::new(Self::of(
            source,
            self.config.clone(),
            self.lengths.clone(),
            self.classes.clone(),
        ))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let (first, last) = self.source.range;
        let range = ((first + start).min(last), (first + end).min(last));
        Arc::new(Self::of(
            Source {
                range,
                ..self.source.clone()
            },
            self.config.clone(),
            self.lengths.clone(),
            self.classes.clone(),
        ))
    }
}

/// The order of one epoch.
struct Plan {
    order: Vec<usize>,
    epoch: usize,
    seed: u64,
    batch_size: usize,
}

fn make_batch<I, O>(source: &Source<I, O>, plan: &Plan, batch: usize) -> Result<O, DatasetError> {
    let start = batch * plan.batch_size;
    let end = (start + plan.batch_size).min(plan.order.len());
    let indices = plan.order[start..end].to_vec();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let items = source.dataset.get_many(indices.clone())?;
        let context = BatchContext {
            seed: plan.seed,
            epoch: plan.epoch,
            batch,
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
    feed: Feed<O>,
    next: usize,
    end: usize,
    batch_size: usize,
    progress: Progress,
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

type Ready<O> = Result<O, DatasetError>;

/// Makes the batch of a number.
type Make<O> = dyn Fn(usize) -> Ready<O> + Send + Sync;

enum Feed<O> {
    Inline(Arc<Make<O>>),
    /// Inline until a batch takes too long.
    Trial(Trial<O>),
    Threads(Threads<O>),
    Broken(Option<std::io::Error>),
}

struct Trial<O> {
    make: Arc<Make<O>>,
    threads: Spawn,
    /// The loader's, for its later passes.
    worth_threads: Arc<AtomicBool>,
    /// Whether the last batch took long.
    was_slow: bool,
}

/// The threads that a pass may have.
#[derive(Clone, Copy)]
struct Spawn {
    workers: usize,
    prefetch: usize,
    /// The number after the last batch.
    end: usize,
}

struct Threads<O> {
    queue: Arc<Queue<O>>,
    handles: Vec<JoinHandle<()>>,
}

impl<O: Send + 'static> Feed<O> {
    fn threads(spawn: Spawn, first: usize, make: &Arc<Make<O>>) -> Self {
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

/// Hands out batch numbers and collects batches, never more than `prefetch` ahead.
struct Queue<O> {
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
    fn new(batches: std::ops::Range<usize>, prefetch: usize) -> Self {
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
    fn claim(&self) -> Option<usize> {
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

    fn put(&self, batch: usize, result: Ready<O>) {
        self.lock().ready.insert(batch, result);
        self.changed.notify_all();
    }

    fn take(&self, batch: usize) -> Ready<O> {
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

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::data::dataset::InMemDataset;
    use rand::RngExt as _;

    /// Lets an item be seen together with a number drawn for it, slowly enough for threads.
    struct Draw;
    impl Collate<u64, Vec<(u64, u32)>> for Draw {
        fn collate(
            &self,
            items: Vec<u64>,
            context: &BatchContext,
            _: &Device,
        ) -> Result<Vec<(u64, u32)>, DatasetError> {
            std::thread::sleep(2 * WORTH_A_THREAD);
            let draw = |(at, item)| (item, context.item_stream(at).random::<u32>());
            Ok(items.into_iter().enumerate().map(draw).collect())
        }
    }

    struct Touchy {
        panics: bool,
    }
    impl Dataset<u64> for Touchy {
        fn get(&self, index: usize) -> Result<u64, DatasetError> {
            assert!(!(self.panics && index == 5), "bad luck with {index}");
            if index == 5 {
                return Err(DatasetError::new(std::io::Error::other("unreadable")));
            }
            Ok(index as u64)
        }
        fn len(&self) -> usize {
            8
        }
    }

    fn numbers(count: u64) -> Arc<dyn Dataset<u64>> {
        Arc::new(InMemDataset::new((0..count).collect()))
    }

    fn pass(config: LoaderConfig, epoch: usize, first: usize) -> Vec<Vec<(u64, u32)>> {
        let loader = Loader::new(numbers(23), Draw, config, &Device::flex()).unwrap();
        loader.iter_from(epoch, first).map(Result::unwrap).collect()
    }

    #[test]
    fn the_number_of_workers_changes_nothing() {
        let inline = pass(LoaderConfig::train(4, 7).with_workers(0), 3, 0);
        for workers in [1, 2, 5] {
            assert_eq!(
                pass(LoaderConfig::train(4, 7).with_workers(workers), 3, 0),
                inline
            );
        }
        assert_eq!(inline.len(), 5, "the last 3 items make no full batch");
    }

    #[test]
    fn a_pass_can_begin_in_the_middle() {
        let whole = pass(LoaderConfig::train(4, 7), 2, 0);
        assert_eq!(pass(LoaderConfig::train(4, 7), 2, 3), whole[3..]);
    }

    #[test]
    fn epochs_and_seeds_have_their_own_order() {
        let first = pass(LoaderConfig::train(4, 7), 1, 0);
        assert_ne!(pass(LoaderConfig::train(4, 7), 2, 0), first);
        assert_ne!(pass(LoaderConfig::train(4, 8), 1, 0), first);
    }

    #[test]
    fn evaluation_sees_every_item_once_in_order() {
        let items: Vec<u64> = pass(LoaderConfig::eval(4), 1, 0)
            .into_iter()
            .flatten()
            .map(|(item, _)| item)
            .collect();
        assert_eq!(items, (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_is_an_error_and_not_a_shorter_epoch() {
        let touchy = Arc::new(Touchy { panics: true });
        let loader = Loader::new(touchy, Draw, LoaderConfig::eval(2), &Device::flex()).unwrap();
        let results: Vec<_> = loader.iter_from(1, 0).collect();
        assert_eq!(results.len(), 4);
        let message = results[2].as_ref().unwrap_err().to_string();
        assert!(
            message.contains("batch 2 of epoch 1 panicked: bad luck with 5"),
            "{message}"
        );
    }

    #[test]
    fn an_unreadable_item_is_reported() {
        let touchy = Arc::new(Touchy { panics: false });
        let loader = Loader::new(touchy, Draw, LoaderConfig::eval(2), &Device::flex()).unwrap();
        let results: Vec<_> = loader.iter_from(1, 0).collect();
        assert!(
            results[2]
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("unreadable")
        );
    }

    #[test]
    fn a_dropped_pass_ends_its_threads_without_making_the_rest() {
        let loader = Loader::new(
            numbers(1_000_000),
            Draw,
            LoaderConfig::eval(1).with_workers(2),
            &Device::flex(),
        )
        .unwrap();
        let mut pass = loader.iter_from(1, 0);
        assert_eq!(pass.next().unwrap().unwrap()[0].0, 0);
        drop(pass);
    }

    #[test]
    fn empty_sets_and_empty_batches_are_refused() {
        let config = LoaderConfig::eval(0);
        let refused = Loader::new(numbers(3), Draw, config, &Device::flex()).err();
        assert_eq!(refused, Some(LoaderError::ZeroBatch));
        let refused = Loader::new(numbers(0), Draw, LoaderConfig::eval(1), &Device::flex()).err();
        assert_eq!(refused, Some(LoaderError::Empty));
    }

    #[test]
    fn batches_by_length_hold_every_item_once_and_little_padding() {
        let lengths: Vec<usize> = (0..1000).map(|item| item * 7919 % 101).collect();
        let device = Device::flex();
        let config = LoaderConfig {
            drop_last: false,
            ..LoaderConfig::train(8, 3).with_workers(0)
        };
        let loader = Loader::new(numbers(1000), Plain, config, &device).unwrap();
        let loader = loader.by_length(lengths.clone());
        let batches = |epoch| -> Vec<Vec<u64>> {
            let batches = loader.iter_from(epoch, 0);
            batches.collect::<Result<_, _>>().unwrap()
        };
        let first = batches(1);
        let mut items: Vec<u64> = first.iter().flatten().copied().collect();
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
        let spread = |batch: &Vec<u64>| {
            let lengths = batch.iter().map(|&item| lengths[item as usize]);
            lengths.clone().max().unwrap() - lengths.min().unwrap()
        };
        assert!(first.iter().map(spread).sum::<usize>() < 10 * first.len());
        assert_eq!(first, batches(1));
        assert_ne!(first, batches(2));
    }

    #[test]
    fn balanced_batches_hold_every_class_equally_often() {
        // 10 of 1000 items are of class 1.
        let classes: Vec<usize> = (0..1000).map(|item| usize::from(item % 100 == 7)).collect();
        let config = LoaderConfig::train(8, 3).with_workers(0);
        let loader = Loader::new(numbers(1000), Plain, config, &Device::flex()).unwrap();
        let loader = loader.balanced(classes);
        let items = |epoch| -> Vec<u64> {
            let batches: Vec<Vec<u64>> = loader
                .iter_from(epoch, 0)
                .collect::<Result<_, _>>()
                .unwrap();
            batches.concat()
        };
        let first = items(1);
        assert_eq!(first.len(), 1000);
        let rare: Vec<u64> = first
            .iter()
            .copied()
            .filter(|item| item % 100 == 7)
            .collect();
        assert!((440..560).contains(&rare.len()), "{}", rare.len());
        // Each of the ten about equally often.
        for item in (7..1000).step_by(100) {
            let times = rare.iter().filter(|&&found| found == item).count();
            assert!(times.abs_diff(rare.len() / 10) <= 1, "{item}: {times}");
        }
        // None of a frequent class twice.
        let mut others: Vec<u64> = first
            .iter()
            .copied()
            .filter(|item| item % 100 != 7)
            .collect();
        others.sort_unstable();
        assert!(others.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(first, items(1));
        assert_ne!(first, items(2));
    }

    struct Plain;
    impl Collate<u64, Vec<u64>> for Plain {
        fn collate(
            &self,
            items: Vec<u64>,
            _: &BatchContext,
            _: &Device,
        ) -> Result<Vec<u64>, DatasetError> {
            Ok(items)
        }
    }
}
