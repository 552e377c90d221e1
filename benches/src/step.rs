//! Training steps of any network.

use std::error::Error;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::module::Module as _;
use burn::optim::AdamWConfig;
use burn::tensor::Device;
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, LearnerModel, TrainStep};
use tinderbox_predict::Classify;
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::{TrainConfig, Trainer};

/// Time of `steps` steps of [`Trainer`] on batches of `size` that `make` gives.
pub(crate) fn through_the_loop<M, B>(
    model: M,
    make: impl Fn(usize, &Device) -> B + Send + Sync + 'static,
    size: usize,
    steps: usize,
    device: &Device,
) -> Result<Duration, Box<dyn Error>>
where
    M: LearnerModel + TrainStep<Input = B> + InferenceStep<Input = B>,
    <M as TrainStep>::Output: Adaptor<LossInput>,
    <M as InferenceStep>::Output: Adaptor<LossInput>,
    B: Clone + Send + Sync + 'static,
{
    let mut config = TrainConfig::default();
    config.train.epochs = 1;
    config.train.batch_size = size;
    config.train.log_every = usize::MAX;
    // From the update of the first to that of the one after the last.
    let items = Blank((steps + 1) * size);
    let noise = Noise {
        make,
        size,
        batch: OnceLock::new(),
    };
    let (started, elapsed) = (Mutex::new(None), Arc::new(Mutex::new(Duration::ZERO)));
    let (watched, result) = (device.clone(), Arc::clone(&elapsed));
    Trainer::new(config)
        .on_step(Box::new(move |_, _, step| {
            if step == 1 || step == steps + 1 {
                // A GPU has only been told what to do.
                let _ = watched.sync();
                let mut started = started.lock().unwrap_or_else(PoisonError::into_inner);
                let first = *started.get_or_insert_with(Instant::now);
                *result.lock().unwrap_or_else(PoisonError::into_inner) = first.elapsed();
            }
        }))
        .fit_sets(model, items, Blank(1), noise)?;
    Ok(*elapsed.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Time of `steps` steps of a network with Burn's own optimizer.
pub(crate) fn by_hand<N: Classify>(
    net: N,
    batch: &LabeledBatch<N::Input>,
    steps: usize,
    device: &Device,
) -> Duration
where
    N::Input: Clone,
{
    let mut model = Classifier::new(net, Loss::default()).train();
    let mut optimizer = AdamWConfig::new().init();
    let mut started = Instant::now();
    for step in 0..=steps {
        let grads = TrainStep::step(&model, batch.clone()).grads;
        model = optimizer.step(1e-3, model, grads);
        if step == 0 {
            // The first one draws the weights.
            let _ = device.sync();
            started = Instant::now();
        }
    }
    let _ = device.sync();
    started.elapsed()
}

/// As many items as are asked for, none of which has anything in it.
struct Blank(usize);

impl Dataset<()> for Blank {
    fn get(&self, index: usize) -> Result<(), DatasetError> {
        debug_assert!(index < self.0);
        Ok(())
    }

    fn len(&self) -> usize {
        self.0
    }
}

/// The same batch of noise again and again.
struct Noise<F, B> {
    make: F,
    size: usize,
    batch: OnceLock<B>,
}

impl<F, B> Batcher<(), B> for Noise<F, B>
where
    F: Fn(usize, &Device) -> B + Send + Sync,
    B: Clone + Send + Sync,
{
    fn batch(&self, items: Vec<()>, device: &Device) -> B {
        let make = || (self.make)(items.len(), device);
        if items.len() != self.size {
            return make();
        }
        self.batch.get_or_init(make).clone()
    }
}
