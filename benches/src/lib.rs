//! What is measured: the networks, their inputs, and one training step of each.
//!
//! A step is measured twice: through [`Trainer`], as an app trains, and with Burn's own pieces put
//! together by hand. The first has to be as fast as the second.

use std::error::Error;
use std::time::{Duration, Instant};

use burn::data::dataset::{Dataset, DatasetError};
use burn::module::Module as _;
use burn::optim::AdamWConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::TrainStep as _;
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_models::{Activation, BlockKind, ConfigError, Normalization, Stem};
use tinderbox_recipes::classify::{Classifier, Labelled, Loss};
use tinderbox_recipes::train::{TrainConfig, Trainer};
use tinderbox_recipes::vision::{Architecture, ImageNet};

/// What an item of a benchmark goes through.
#[derive(Clone)]
pub struct Case {
    /// First part of its benchmarks' ids.
    pub name: &'static str,
    /// Which network.
    pub architecture: Architecture,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
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
    let mlp = Architecture::Mlp {
        hidden: vec![512, 512],
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
    let case = |name, architecture, shape| Case {
        name,
        architecture,
        shape,
    };
    vec![
        case("mlp", mlp, [28, 28, 1]),
        case("cnn", cnn, [28, 28, 1]),
        case("resnet18", resnet18, [32, 32, 3]),
    ]
}

impl Case {
    /// Makes the network, untrained, for ten classes.
    ///
    /// # Errors
    ///
    /// If the architecture does not fit the shape.
    pub fn init(&self, device: &Device) -> Result<ImageNet, ConfigError> {
        self.architecture.init(self.shape, 10, device)
    }

    /// A batch of noise with its labels.
    pub fn batch(&self, size: usize, device: &Device) -> Labelled<Tensor<4>> {
        let [height, width, channels] = self.shape;
        let shape = [size, channels, height, width];
        let noise = |index: usize| (index as f32 * 0.618_034).fract() - 0.5;
        let values: Vec<f32> = (0..shape.iter().product()).map(noise).collect();
        let labels: Vec<i32> = (0..10).cycle().take(size).collect();
        Labelled::new(
            Tensor::from_data(TensorData::new(values, shape), device),
            Tensor::<1, Int>::from_data(TensorData::new(labels, [size]), device),
        )
    }

    /// Time of `steps` steps of [`Trainer`], as it counts them: forward, backward and update.
    ///
    /// # Errors
    ///
    /// If training fails.
    pub fn train_through_the_loop(
        &self,
        batch_size: usize,
        steps: usize,
        device: &Device,
    ) -> Result<Duration, Box<dyn Error>> {
        let mut config = TrainConfig::default();
        config.train.epochs = 1;
        config.train.batch_size = batch_size;
        let model = Classifier::new(self.init(device)?, Loss::default());
        let items = Blank(steps * batch_size);
        let trained = Trainer::new(config).fit_sets(model, items, Blank(1), Noise(self.clone()))?;
        Ok(Duration::from_secs_f64(trained.timings.compute_s))
    }

    /// Time of `steps` steps of Burn's pieces put together by hand.
    ///
    /// # Errors
    ///
    /// If the network cannot be made.
    pub fn train_by_hand(
        &self,
        batch_size: usize,
        steps: usize,
        device: &Device,
    ) -> Result<Duration, ConfigError> {
        let device = device.clone().autodiff();
        let batch = self.batch(batch_size, &device);
        let mut model = Classifier::new(self.init(&device)?, Loss::default()).train();
        let mut optimizer = AdamWConfig::new().init();
        let started = Instant::now();
        for _ in 0..steps {
            let grads = model.step(batch.clone()).grads;
            model = optimizer.step(1e-3, model, grads);
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
struct Noise(Case);

impl Collate<(), Labelled<Tensor<4>>> for Noise {
    fn collate(
        &self,
        items: Vec<()>,
        _: &BatchContext,
        device: &Device,
    ) -> Result<Labelled<Tensor<4>>, DatasetError> {
        Ok(self.0.batch(items.len(), device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_recipes::classify::Classify as _;

    #[test]
    fn every_network_takes_its_own_batch_and_both_ways_train_it() {
        let device = tinderbox_backend::open(tinderbox_backend::DeviceSpec::Cpu)
            .unwrap()
            .device;
        for case in cases() {
            let batch = case.batch(2, &device);
            let net = case.init(&device).unwrap();
            assert_eq!(net.classify(batch.inputs).dims(), [2, 10], "{}", case.name);
            let looped = case.train_through_the_loop(2, 1, &device).unwrap();
            let by_hand = case.train_by_hand(2, 1, &device).unwrap();
            assert!(looped.min(by_hand) > Duration::ZERO);
        }
    }
}
