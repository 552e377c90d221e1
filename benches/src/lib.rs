//! What is measured: the networks, their inputs, and one training step of each.
//!
//! A step is measured twice: through [`Trainer`], as an app trains, and with Burn's own pieces put
//! together by hand. The first has to be as fast as the second.

mod bare;

use std::error::Error;
use std::hint::black_box;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use burn::data::dataset::{Dataset, DatasetError};
use burn::module::Module as _;
use burn::optim::AdamWConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::TrainStep as _;
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_models::{Activation, BlockKind, ConfigError, Normalization, Stem};
use tinderbox_recipes::classify::{Classifier, Classify as _, Labelled, Loss};
use tinderbox_recipes::train::{TrainConfig, Trainer};
use tinderbox_recipes::vision::{Architecture, ImageNet};

pub use bare::Bare;

/// What an item of a benchmark goes through.
#[derive(Clone)]
pub struct Case {
    /// First part of its benchmarks' ids.
    pub name: &'static str,
    /// Which network.
    pub architecture: Architecture,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
    /// Classes that are told apart.
    pub classes: usize,
    /// Items in a training batch.
    pub batch: usize,
}

/// The networks that are measured.
pub fn cases() -> Vec<Case> {
    let resnet18 = Architecture::Resnet {
        stem: Stem::Small,
        block: BlockKind::Basic,
        blocks: vec![2, 2, 2, 2],
        width: 64,
        dropout: 0.0,
    };
    let mlp = |hidden: [usize; 2]| Architecture::Mlp {
        hidden: hidden.to_vec(),
        activation: Activation::Relu,
        normalization: Normalization::None,
        dropout: 0.0,
    };
    let cnn = Architecture::Cnn {
        blocks: vec![32, 64],
        convs_per_block: 1,
        hidden: 128,
        dropout: 0.0,
    };
    let case = |name, architecture, shape, classes, batch| Case {
        name,
        architecture,
        shape,
        classes,
        batch,
    };
    vec![
        case("mlp", mlp([512, 512]), [28, 28, 1], 10, 128),
        case("cnn", cnn, [28, 28, 1], 10, 64),
        case("resnet18", resnet18, [32, 32, 3], 10, 64),
        case("q-network", mlp([128, 128]), [1, 4, 1], 2, 128),
        case("tabular", mlp([64, 64]), [1, 32, 1], 2, 32),
    ]
}

impl Case {
    /// Makes the network, untrained.
    ///
    /// # Errors
    ///
    /// If the architecture does not fit the shape.
    pub fn init(&self, device: &Device) -> Result<ImageNet, ConfigError> {
        self.architecture.init(self.shape, self.classes, device)
    }

    /// A batch of noise with its labels.
    pub fn batch(&self, size: usize, device: &Device) -> Labelled<Tensor<4>> {
        let [height, width, channels] = self.shape;
        let shape = [size, channels, height, width];
        let noise = |index: usize| (index as f32 * 0.618_034).fract() - 0.5;
        let values: Vec<f32> = (0..shape.iter().product()).map(noise).collect();
        let classes = i32::try_from(self.classes).unwrap_or(i32::MAX);
        let labels: Vec<i32> = (0..classes).cycle().take(size).collect();
        Labelled::new(
            Tensor::from_data(TensorData::new(values, shape), device),
            Tensor::<1, Int>::from_data(TensorData::new(labels, [size]), device),
        )
    }

    /// Time of `steps` steps of [`Trainer`] with all that it does between them.
    ///
    /// # Errors
    ///
    /// If training fails.
    pub fn train_through_the_loop(
        &self,
        steps: usize,
        device: &Device,
    ) -> Result<Duration, Box<dyn Error>> {
        let mut config = TrainConfig::default();
        config.train.epochs = 1;
        config.train.batch_size = self.batch;
        config.train.log_every = usize::MAX;
        let model = Classifier::new(self.init(device)?, Loss::default());
        // From the update of the first to that of the one after the last.
        let items = Blank((steps + 1) * self.batch);
        let noise = Noise {
            case: self.clone(),
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

    /// Time of `steps` steps of Burn's own layers and optimizer, put together by hand; nothing for
    /// a network that [`Bare`] does not have.
    pub fn train_by_hand(&self, steps: usize, device: &Device) -> Option<Duration> {
        let device = device.clone().autodiff();
        let batch = self.batch(self.batch, &device);
        let mut model = Classifier::new(Bare::init(self, &device)?, Loss::default()).train();
        let mut optimizer = AdamWConfig::new().init();
        let mut started = Instant::now();
        for step in 0..=steps {
            let grads = model.step(batch.clone()).grads;
            model = optimizer.step(1e-3, model, grads);
            if step == 0 {
                // The first one draws the weights.
                let _ = device.sync();
                started = Instant::now();
            }
        }
        let _ = device.sync();
        Some(started.elapsed())
    }

    /// Time of `passes` forward passes of one item, each read back.
    ///
    /// # Errors
    ///
    /// If the network cannot be made.
    pub fn infer(&self, passes: usize, device: &Device) -> Result<Duration, ConfigError> {
        let net = self.init(device)?;
        let input = self.batch(1, device).inputs;
        // The first pass draws the weights.
        black_box(net.classify(input.clone()).into_data());
        let started = Instant::now();
        for _ in 0..passes {
            black_box(net.classify(input.clone()).into_data());
        }
        Ok(started.elapsed())
    }
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
struct Noise {
    case: Case,
    batch: OnceLock<Labelled<Tensor<4>>>,
}

impl Collate<(), Labelled<Tensor<4>>> for Noise {
    fn collate(
        &self,
        items: Vec<()>,
        _: &BatchContext,
        device: &Device,
    ) -> Result<Labelled<Tensor<4>>, DatasetError> {
        if items.len() != self.case.batch {
            return Ok(self.case.batch(items.len(), device));
        }
        let make = || self.case.batch(items.len(), device);
        Ok(self.batch.get_or_init(make).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_can_be_trained_and_used() {
        let device = tinderbox_backend::open(tinderbox_backend::DeviceSpec::Cpu)
            .unwrap()
            .device;
        for mut case in cases() {
            case.batch = 2;
            let by_hand = case.train_by_hand(1, &device);
            assert_eq!(by_hand.is_none(), case.name == "resnet18");
            let looped = case.train_through_the_loop(1, &device).unwrap();
            let inferred = case.infer(1, &device).unwrap();
            assert!(looped.min(inferred) > Duration::ZERO, "{}", case.name);
        }
    }
}
