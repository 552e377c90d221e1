#![allow(
    clippy::cast_possible_wrap,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Synchronized batch normalization: several ranks train what one process trains with the batches of all.
//!
//! The ranks are threads of this process; no network here has dropout, whose random generator they would share.

mod common;

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, mpsc};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, InMemDataset};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_datasets::image::BoundingBox;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::layers::{Mlp, MlpConfig, Normalization};
use tinderbox_models::tabular::{
    FeaturesConfig, TabularInputs, TabularResNet, TabularResNetConfig,
};
use tinderbox_models::vision::{
    Cnn, CnnConfig, DetectorOutput, FastDetector, FastDetectorConfig, ResNet, ResNetConfig, Yolox,
    YoloxConfig,
};
use tinderbox_predict::{Classify, Detect};
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::detect::{DetectionBatch, DetectionLoss, ObjectDetector};
use tinderbox_train::ranks::on_threads;
use tinderbox_train::{FitError, Optimizer, Ranks, TrainConfig, TrainError, Trainer, init_seeded};

use common::{Broken, metrics, values};

/// The last batch has five items: of six ranks, one has none.
const TRAIN: usize = 29;
const VALID: usize = 12;
/// Items of a step.
const BATCH: usize = 12;
const SIDE: usize = 8;
const CLASSES: usize = 2;

type Image = (Vec<f32>, i32);
type Model = Classifier<Net>;

/// Bright and dark images, in an order that gives the ranks different ones.
fn images(count: usize) -> InMemDataset<Image> {
    let image = |index: usize| {
        let class = index / 3 % CLASSES;
        let pixel =
            |at: usize| ((index * 37 + at * 11) as f32 * 0.618).fract() + class as f32 * 0.4;
        ((0..SIDE * SIDE).map(pixel).collect(), class as i32)
    };
    InMemDataset::new((0..count).map(image).collect())
}

#[derive(Clone)]
struct Images;

impl Batcher<Image, LabeledBatch<Tensor<4>>> for Images {
    fn batch(&self, items: Vec<Image>, device: &Device) -> LabeledBatch<Tensor<4>> {
        let (pixels, labels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let pixels = TensorData::new(pixels.concat(), [labels.len(), 1, SIDE, SIDE]);
        let pixels = Tensor::from_data(pixels, device);
        LabeledBatch::new(pixels, Tensor::from_data(&labels[..], device))
    }
}

/// Networks with every layer of batch normalization that ours have.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
enum Net {
    Cnn(Cnn),
    ResNet(ResNet),
    Mlp(Mlp),
    TabularResNet(TabularResNet),
}

impl Net {
    fn cnn(device: &Device) -> Self {
        let config = CnnConfig::new(1, SIDE, SIDE, CLASSES).with_block_channels(vec![4, 8]);
        Self::Cnn(config.with_d_hidden(8).with_dropout(0.0).init(device))
    }

    fn resnet(device: &Device) -> Self {
        let config = ResNetConfig::new(1, CLASSES).with_base_channels(4);
        Self::ResNet(config.init(device))
    }

    fn mlp(device: &Device) -> Self {
        let config = MlpConfig::new(SIDE * SIDE, CLASSES).with_hidden(vec![8, 6]);
        let config = config.with_normalization(Normalization::Batch);
        Self::Mlp(config.with_dropout(0.0).init(device))
    }

    fn tabular_resnet(device: &Device) -> Self {
        let features = FeaturesConfig::new(SIDE * SIDE, vec![]);
        let config = TabularResNetConfig::new(features, CLASSES).with_d_block(8);
        let config = config.with_d_hidden(8).with_dropout(0.0);
        Self::TabularResNet(config.init(device))
    }
}

impl Classify for Net {
    type Input = Tensor<4>;

    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        let rows = images.clone().flatten(1, 3);
        match self {
            Self::Cnn(net) => net.forward(images),
            Self::ResNet(net) => net.forward(images),
            Self::Mlp(net) => net.forward(rows),
            Self::TabularResNet(net) => net.forward(TabularInputs::new(Some(rows), None)),
        }
    }
}

fn config(ranks: usize, synchronized: bool) -> TrainConfig {
    let mut config = TrainConfig {
        optimizer: Optimizer::default(),
        ..TrainConfig::default()
    };
    *config.optimizer.learning_rate_mut() = 0.01;
    config.train.epochs = 3;
    config.train.batch_size = BATCH / ranks;
    config.train.sync_batch_norm = synchronized;
    config.train.log_every = 1;
    config
}

fn fit(
    trainer: Trainer<Model>,
    ranks: usize,
    net: fn(&Device) -> Net,
    train: impl Dataset<Image> + 'static,
) -> Result<Vec<f32>, FitError> {
    let device = Device::flex();
    let of_train = LoaderConfig {
        drop_last: false,
        ..LoaderConfig::train(BATCH / ranks, 1)
    };
    let train = Loader::new(Arc::new(train), Images, of_train, &device).unwrap();
    let of_valid = LoaderConfig::eval(BATCH);
    let valid = Loader::new(Arc::new(images(VALID)), Images, of_valid, &device).unwrap();
    let net = init_seeded(5, &device, || Ok::<_, Infallible>(net(&device))).unwrap();
    let model = Classifier::new(net, Loss::default());
    let trained = trainer.fit(model, train, valid, |training| training)?;
    Ok(values(&trained.model))
}

/// Trains on so many ranks; the trained model of each, and the losses.
fn train(
    count: usize,
    net: fn(&Device) -> Net,
    config: &TrainConfig,
) -> (Vec<Vec<f32>>, Vec<(String, f64)>) {
    let dir = tempfile::tempdir().unwrap();
    let models = on_threads(count, |ranks| {
        let trainer = Trainer::new(config.clone()).ranks(ranks.clone());
        let trainer = if ranks.is_first() {
            trainer.in_dir(dir.path())
        } else {
            trainer
        };
        fit(trainer, count, net, images(TRAIN)).unwrap()
    });
    (models, losses(dir.path()))
}

/// The metrics that are losses.
fn losses(dir: &Path) -> Vec<(String, f64)> {
    let mut losses = metrics(dir);
    losses.retain(|(name, _)| name.contains("loss"));
    losses
}

/// The largest difference of two curves.
fn apart(found: &[(String, f64)], expected: &[(String, f64)]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let apart = found.iter().zip(expected).map(|(found, expected)| {
        assert_eq!(found.0, expected.0);
        (found.1 - expected.1).abs()
    });
    apart.fold(0.0, f64::max)
}

fn assert_one_process_with_the_batches_of_all(net: fn(&Device) -> Net) {
    let (whole, expected) = train(1, net, &config(1, false));
    // A step for each batch and an epoch for each validation.
    assert!(expected.len() > 12, "{expected:?}");
    for count in [1, 2, 3, 6] {
        let (models, found) = train(count, net, &config(count, true));
        let apart = apart(&found, &expected);
        assert!(apart < 1e-5, "{count} ranks: the losses are {apart} apart");
        for model in &models {
            assert_eq!(*model, models[0], "{count} ranks");
        }
        let weights = models[0].iter().zip(&whole[0]);
        let apart = weights.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{count} ranks: the weights are {apart} apart");
    }
}

#[test]
fn a_cnn_has_the_loss_curve_of_one_process() {
    assert_one_process_with_the_batches_of_all(Net::cnn);
}

#[test]
fn a_resnet_has_the_loss_curve_of_one_process() {
    assert_one_process_with_the_batches_of_all(Net::resnet);
}

#[test]
fn rows_have_the_loss_curve_of_one_process() {
    assert_one_process_with_the_batches_of_all(Net::mlp);
    assert_one_process_with_the_batches_of_all(Net::tabular_resnet);
}

#[test]
fn without_the_key_ranks_normalize_their_own_items() {
    let (_, expected) = train(1, Net::cnn, &config(1, false));
    let (_, found) = train(2, Net::cnn, &config(2, false));
    let apart = apart(&found, &expected);
    assert!(apart > 1e-3, "{apart}");
}

#[test]
fn gradient_accumulation_and_averaged_weights_are_those_of_one_process() {
    let with = |mut config: TrainConfig| {
        config.train.gradient_accumulation = 2;
        config.train.ema_decay = 0.9;
        config.train.clip_norm = 0.5;
        config
    };
    let (_, expected) = train(1, Net::cnn, &with(config(1, false)));
    for count in [2, 6] {
        let (models, found) = train(count, Net::cnn, &with(config(count, true)));
        let apart = apart(&found, &expected);
        assert!(apart < 1e-5, "{count} ranks: {apart}");
        assert!(
            models.iter().all(|model| *model == models[0]),
            "{count} ranks"
        );
    }
}

#[test]
fn the_same_ranks_give_the_same_bytes() {
    let [first, second] = [0, 1].map(|_| train(3, Net::resnet, &config(3, true)));
    assert_eq!(first, second);
}

#[test]
fn a_rank_that_fails_while_others_compute_ends_all_with_one_message() {
    let errors = on_threads(3, |ranks| {
        let trainer = Trainer::new(config(3, true)).ranks(ranks);
        let items = images(TRAIN);
        fit(trainer, 3, Net::cnn, Broken { items, at: 20 }).unwrap_err()
    });
    let own = |error: &&FitError| matches!(error, FitError::Train(TrainError::Data(_)));
    assert_eq!(errors.iter().filter(own).count(), 1, "{errors:?}");
    let heard = errors.iter().filter(|error| {
        matches!(error, FitError::Train(TrainError::Rank(failure)) if failure.message.contains("unreadable"))
    });
    assert_eq!(heard.count(), 2, "{errors:?}");
}

/// What is noted on rank 0.
fn notes(count: usize, net: fn(&Device) -> Net) -> Vec<String> {
    let notes = on_threads(count, |ranks: Ranks| {
        let (sender, receiver) = mpsc::channel();
        let trainer = Trainer::new(config(count, true))
            .ranks(ranks)
            .on_note(move |note| sender.send(note.to_owned()).unwrap());
        fit(trainer, count, net, images(TRAIN)).unwrap();
        receiver.try_iter().collect::<Vec<_>>()
    });
    assert!(notes[1..].iter().all(Vec::is_empty), "{notes:?}");
    notes.into_iter().next().unwrap()
}

#[test]
fn a_note_says_where_there_is_nothing_to_synchronize() {
    assert_eq!(notes(2, Net::cnn), Vec::<String>::new());
    assert_eq!(
        notes(1, Net::cnn),
        ["`train.sync_batch_norm` has no effect: training on one rank"]
    );
    let plain = |device: &Device| {
        let config = MlpConfig::new(SIDE * SIDE, CLASSES).with_dropout(0.0);
        Net::Mlp(config.init(device))
    };
    assert_eq!(
        notes(2, plain),
        ["`train.sync_batch_norm` has no effect: the network has no batch normalization"]
    );
}

/// Images of which every other one has an object: with two ranks, those of one of them.
type Scene = (Vec<f32>, Vec<BoundingBox>);

const SCENE: usize = 64;

#[derive(Clone)]
struct Scenes;

impl Batcher<Scene, DetectionBatch> for Scenes {
    fn batch(&self, items: Vec<Scene>, device: &Device) -> DetectionBatch {
        let (pixels, boxes): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let pixels = TensorData::new(pixels.concat(), [boxes.len(), 1, SCENE, SCENE]);
        DetectionBatch {
            images: Tensor::from_data(pixels, device),
            truth: vec![Vec::new(); boxes.len()],
            boxes,
        }
    }
}

#[derive(Module, Debug)]
enum Detector {
    Fast(FastDetector),
    Yolox(Yolox),
}

impl Detect for Detector {
    fn detect(&self, images: Tensor<4>) -> DetectorOutput {
        match self {
            Self::Fast(net) => net.forward(images),
            Self::Yolox(net) => net.forward(images),
        }
    }
}

fn detect(count: usize, net: fn(&Device) -> Detector) -> Vec<Vec<f32>> {
    let mut config = config(1, true);
    config.train.epochs = 1;
    config.train.batch_size = 2;
    on_threads(count, |ranks| {
        let device = Device::flex();
        let scene = |index: usize| {
            let pixel = |at: usize| ((index * 7 + at) as f32 * 0.618).fract();
            let object = BoundingBox {
                class: 0,
                x_min: 10.0,
                y_min: 12.0,
                x_max: 40.0,
                y_max: 44.0,
            };
            let objects = if index == 0 { vec![object] } else { Vec::new() };
            ((0..SCENE * SCENE).map(pixel).collect(), objects)
        };
        let scenes = |count| InMemDataset::new((0..count).map(scene).collect::<Vec<Scene>>());
        let net = init_seeded(5, &device, || Ok::<_, Infallible>(net(&device))).unwrap();
        let model = ObjectDetector::new(net, DetectionLoss::default(), 0.5);
        let trainer = Trainer::new(config.clone()).ranks(ranks);
        let trained = trainer
            .fit_sets(model, scenes(4), scenes(1), Scenes)
            .unwrap();
        values(&trained.model)
    })
}

#[test]
fn ranks_without_an_object_take_part_in_every_layer() {
    let fast: fn(&Device) -> Detector = |device| {
        let config = FastDetectorConfig::new(1, 1).with_channels(vec![2, 4, 4, 4, 4]);
        Detector::Fast(config.with_neck_channels(4).init(device))
    };
    let yolox = |device: &Device| {
        let config = YoloxConfig::new(1, 1).with_width_multiplier(0.125);
        Detector::Yolox(config.init(device))
    };
    for net in [fast, yolox] {
        let models = detect(2, net);
        assert_eq!(models[0], models[1]);
        assert!(models[0].iter().all(|value| value.is_finite()));
    }
}
