//! What is measured: the networks, their inputs, one training step of each, single operations, the
//! processor, and the way of the data.
//!
//! A step is measured twice: through [`Trainer`](tinderbox_train::Trainer), as an app
//! trains, and with Burn's own pieces put together by hand. The first has to be as fast as the second.

mod bare;
mod data;
mod net;
mod ops;
mod peak;
mod step;
mod vision;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Device, TensorData};
use tinderbox_models::layers::MlpConfig;
use tinderbox_models::tabular::{
    CategoricalEmbedding, NumericEmbedding, TabMConfig, TabularMlpConfig,
};
use tinderbox_models::text::TextEncoderConfig;
use tinderbox_models::vision::{
    CnnConfig, EfficientNetLiteConfig, FastDetectorConfig, ResNetConfig, UNetConfig, YoloxConfig,
};
use tinderbox_models::{DataSized as _, Template};
use tinderbox_predict::tabular::{self, Features, Sizes};
use tinderbox_predict::vision::{DetectionModelConfig, ImageModelConfig};
use tinderbox_recipes::tabular::TabularModel;
use tinderbox_train::classify::{Classifier, Loss};

use bare::{Bare, BareTable, BareText};
pub use data::{Pass, Work, works};
pub use net::{Net, TableNet};
use net::{Text, images, rows, texts};
pub use ops::{Kind, Op, compared_ops, image_ops};
pub use peak::Peak;
use vision::{Lite, PerCell, PerPixel, cells, pixels};

/// What an item of a benchmark goes through.
#[derive(Clone)]
pub struct Case {
    /// First part of its benchmarks' ids.
    pub name: &'static str,
    /// Which network.
    pub net: Net,
    /// Number of classes.
    pub classes: usize,
    /// Items in a training batch.
    pub batch: usize,
}

/// The networks that are measured.
pub fn cases() -> Vec<Case> {
    let resnet18 = ResNetConfig::new(0, 0)
        .with_blocks_per_stage(vec![2, 2, 2, 2])
        .with_base_channels(64);
    let mlp = |hidden: [usize; 2]| {
        let config = MlpConfig::new(0, 0).with_hidden(hidden.to_vec());
        ImageModelConfig::from(config.with_dropout(0.0))
    };
    let cnn = CnnConfig::new(0, 0, 0, 0).with_dropout(0.0).into();
    let image = |name, config, shape, classes, batch| {
        let net = Net::Image(config, shape);
        Case {
            name,
            net,
            classes,
            batch,
        }
    };
    vec![
        image("mlp", mlp([512, 512]), [28, 28, 1], 10, 128),
        image("cnn", cnn, [28, 28, 1], 10, 64),
        image("resnet18", resnet18.into(), [32, 32, 3], 10, 64),
        efficientnet_lite0(),
        unet(),
        detector(
            "fast-detector",
            DetectionModelConfig::FastDetector(Template(FastDetectorConfig::template())),
            3,
        ),
        detector(
            "yolox-nano",
            DetectionModelConfig::Yolox(Template(YoloxConfig::template())),
            80,
        ),
        image("q-network", mlp([128, 128]), [1, 4, 1], 2, 128),
        image("tabular", mlp([64, 64]), [1, 32, 1], 2, 32),
        text_encoder(),
        churn_recipe(),
        churn_perceptron(),
    ]
}

fn efficientnet_lite0() -> Case {
    let classes = 1000;
    let config = EfficientNetLiteConfig::lite0(3, classes);
    Case {
        name: "efficientnet-lite0",
        net: Net::EfficientNetLite(config, [224, 224, 3]),
        classes,
        batch: 16,
    }
}

fn unet() -> Case {
    let classes = 2;
    Case {
        name: "unet",
        net: Net::UNet(UNetConfig::new(1, classes), [256, 256, 1]),
        classes,
        batch: 4,
    }
}

/// A detector at the size of the recipe `detect`.
fn detector(name: &'static str, config: DetectionModelConfig, classes: usize) -> Case {
    Case {
        name,
        net: Net::Detector(config, [416, 416, 3]),
        classes,
        batch: 8,
    }
}

fn text_encoder() -> Case {
    let seq = 64;
    let config = TextEncoderConfig::new(8192, 4)
        .with_max_len(seq)
        .with_d_model(128)
        .with_n_heads(4)
        .with_n_layers(4)
        .with_d_hidden(512)
        .with_dropout(0.0);
    Case {
        name: "text-encoder",
        net: Net::Text(config, seq),
        classes: 4,
        batch: 32,
    }
}

/// A case with the columns that the recipe `churn` finds in its file: three of numbers, and categories
/// with as many values each, those for missing and rare ones counted.
fn churn(
    name: &'static str,
    model: tabular::Architecture,
    categorical_embedding: CategoricalEmbedding,
) -> Case {
    let sizes = Sizes {
        n_numeric: 3,
        cardinalities: vec![4, 3, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 6, 2],
        d_output: 2,
    };
    let features = Features {
        numeric_embedding: NumericEmbedding::None,
        categorical_embedding,
        ..Features::default()
    };
    Case {
        name,
        net: Net::Table(TableNet {
            model,
            features,
            sizes,
        }),
        classes: 2,
        batch: 256,
    }
}

/// The network of the recipe itself: sixteen perceptrons in one.
fn churn_recipe() -> Case {
    let config = TabMConfig::template().with_d_block(64);
    let model = tabular::Architecture::Tabm(Template(config));
    churn("churn", model, CategoricalEmbedding::OneHot)
}

/// A perceptron over learned vectors, of about as many parameters.
fn churn_perceptron() -> Case {
    let config = TabularMlpConfig::template().with_hidden(vec![64, 64]);
    let model = tabular::Architecture::Mlp(Template(config.with_dropout(0.1)));
    let embedding = CategoricalEmbedding::Learned { d_embedding: 8 };
    churn("churn-mlp", model, embedding)
}

impl Case {
    /// Time of `steps` steps of [`Trainer`](tinderbox_train::Trainer) with all that it does
    /// between them.
    ///
    /// # Errors
    ///
    /// If the network cannot be made, or training fails.
    pub fn train_through_the_loop(
        &self,
        steps: usize,
        device: &Device,
    ) -> Result<Duration, Box<dyn Error>> {
        let (batch, classes) = (self.batch, self.classes);
        match self.net.clone() {
            Net::Image(architecture, shape) => {
                let net = architecture.init(shape, classes, device)?;
                let model = Classifier::new(net, Loss::default());
                let make = move |size, device: &Device| images(shape, classes, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
            Net::EfficientNetLite(config, shape) => {
                let net = Lite::init(&config, device)?;
                let model = Classifier::new(net, Loss::default());
                let make = move |size, device: &Device| images(shape, classes, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
            Net::UNet(config, shape) => {
                let net = PerPixel::init(&config, device)?;
                let model = Classifier::new(net, Loss::default());
                let make = move |size, device: &Device| pixels(shape, classes, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
            Net::Detector(config, shape) => {
                let net = PerCell::init(&config, shape, classes, device)?;
                let model = Classifier::new(net, Loss::default());
                let make = move |size, device: &Device| cells(shape, classes, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
            Net::Text(config, seq) => {
                let model = Classifier::new(Text::init(&config, device)?, Loss::default());
                let make = move |size, device: &Device| texts(&config, seq, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
            Net::Table(table) => {
                let model = TabularModel::of_classes(table.init(device)?);
                let make = move |size, device: &Device| rows(&table.sizes, size, device);
                step::through_the_loop(model, make, batch, steps, device)
            }
        }
    }

    /// Time of `steps` steps of Burn's own layers and optimizer, put together by hand; nothing for
    /// a network that there is no such thing of.
    pub fn train_by_hand(&self, steps: usize, device: &Device) -> Option<Duration> {
        let device = &device.clone().autodiff();
        let (size, classes) = (self.batch, self.classes);
        match &self.net {
            Net::Image(architecture, shape) => {
                let net = Bare::init(architecture, *shape, classes, device)?;
                let batch = images(*shape, classes, size, device);
                Some(step::by_hand(net, &batch, steps, device))
            }
            Net::EfficientNetLite(..) | Net::UNet(..) | Net::Detector(..) => None,
            Net::Text(config, seq) => {
                let batch = texts(config, *seq, size, device);
                Some(step::by_hand(
                    BareText::init(config, device),
                    &batch,
                    steps,
                    device,
                ))
            }
            Net::Table(table) => {
                let net = BareTable::init(table, device)?;
                let batch = BareTable::batch(rows(&table.sizes, size, device));
                Some(step::by_hand(net, &batch, steps, device))
            }
        }
    }

    /// The network's forward pass over `size` items of noise, with its result read back.
    ///
    /// # Errors
    ///
    /// If the network cannot be made.
    pub fn forward(
        &self,
        size: usize,
        device: &Device,
    ) -> Result<Box<dyn Fn() -> TensorData>, Box<dyn Error>> {
        self.net.forward(self.classes, size, device)
    }

    /// Numbers that are learned.
    ///
    /// # Errors
    ///
    /// If the network cannot be made.
    pub fn parameters(&self, device: &Device) -> Result<usize, Box<dyn Error>> {
        self.net.parameters(self.classes, device)
    }

    /// Time of `passes` forward passes of one item, each read back.
    ///
    /// # Errors
    ///
    /// If the network cannot be made.
    pub fn infer(&self, passes: usize, device: &Device) -> Result<Duration, Box<dyn Error>> {
        let forward = self.forward(1, device)?;
        // The first pass draws the weights.
        black_box(forward());
        let started = Instant::now();
        for _ in 0..passes {
            black_box(forward());
        }
        Ok(started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        tinderbox_backend::open(tinderbox_backend::DeviceSpec::Cpu)
            .unwrap()
            .device
    }

    /// A batch of two, and a few channels and pixels where a step takes seconds.
    fn make_small(case: &mut Case) {
        case.batch = 2;
        match &mut case.net {
            Net::EfficientNetLite(config, shape) => {
                config.width_multiplier = 0.1;
                *shape = [32, 32, 3];
            }
            Net::UNet(config, shape) => {
                config.base_channels = 4;
                *shape = [32, 32, 1];
            }
            Net::Detector(_, shape) => *shape = [64, 64, 3],
            _ => (),
        }
    }

    #[test]
    fn every_case_can_be_trained_and_used() {
        let device = device();
        for mut case in cases() {
            make_small(&mut case);
            let by_hand = case.train_by_hand(1, &device);
            let without = [
                "resnet18",
                "efficientnet-lite0",
                "unet",
                "fast-detector",
                "yolox-nano",
                "churn",
            ];
            let without = without.contains(&case.name);
            assert_eq!(by_hand.is_none(), without, "{}", case.name);
            let looped = case.train_through_the_loop(1, &device).unwrap();
            let inferred = case.infer(1, &device).unwrap();
            assert!(looped.min(inferred) > Duration::ZERO, "{}", case.name);
        }
    }

    #[test]
    fn networks_of_images_have_the_published_number_of_parameters() {
        // timm's `efficientnet_lite0`, the U-Net of `torch_steps.py`, and YOLOX-Nano.
        for (name, expected) in [
            ("efficientnet-lite0", 4_652_008),
            ("unet", 7_762_498),
            ("yolox-nano", 912_159),
        ] {
            let mut cases = cases().into_iter();
            let case = cases.find(|case| case.name == name).unwrap();
            assert_eq!(case.parameters(&device()).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn churn_has_the_network_of_its_recipe() {
        let recipe = tinderbox_recipes::tabular::Recipe::builtin("churn").unwrap();
        let mut cases = cases().into_iter();
        let churn = cases.find(|case| case.name == "churn").unwrap();
        let Net::Table(table) = churn.net else {
            panic!("no network for tables");
        };
        assert_eq!(table.model, recipe.model);
        assert_eq!(table.features, recipe.features);
        assert_eq!(churn.batch, recipe.train.batch_size);
    }

    #[test]
    fn every_way_of_the_data_can_be_gone() {
        for work in works().unwrap() {
            assert!(work.items > 0, "{}", work.name);
            (work.pass)().unwrap();
        }
    }
}
