#![allow(
    clippy::cast_possible_wrap,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Training on several ranks is training on one with the batches of all.
//!
//! The ranks are threads of this process; MPI's are tested by `.ci/mpi`. No network here has dropout,
//! whose random generator threads would share.

mod common;

use std::path::Path;
use std::sync::Mutex;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::Interrupter;
use burn::train::metric::AccuracyMetric;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_predict::Classify;
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::ranks::on_threads;
use tinderbox_train::{
    FitError, Optimizer, Ranks, Schedule, TrainConfig, TrainError, Trained, Trainer,
};

use common::{Broken, metrics, values};

const TRAIN: usize = 100;
const VALID: usize = 40;
/// Items of a step.
const BATCH: usize = 12;

type Point = ([f32; 2], i32);
type Model = Classifier<Net>;

fn blobs(count: usize) -> InMemDataset<Point> {
    let point = |index: usize| {
        let class = (index % 2) as i32;
        let center = (2 * class - 1) as f32;
        let wobble = |step: f32| (index as f32 * step).fract().mul_add(3.0, -1.5);
        ([center + wobble(0.618), center + wobble(0.414)], class)
    };
    InMemDataset::new((0..count).map(point).collect())
}

#[derive(Clone)]
struct Points;

impl Batcher<Point, LabeledBatch<Tensor<2>>> for Points {
    fn batch(&self, items: Vec<Point>, device: &Device) -> LabeledBatch<Tensor<2>> {
        let (points, labels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let points = TensorData::new(points.concat(), [labels.len(), 2]);
        let points = Tensor::from_data(points, device);
        LabeledBatch::new(points, Tensor::from_data(&labels[..], device))
    }
}

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    norm: Option<BatchNorm>,
    output: Linear,
}

impl Classify for Net {
    type Input = Tensor<2>;

    fn classify(&self, points: Tensor<2>) -> Tensor<2> {
        let mut x = self.hidden.forward(points);
        if let Some(norm) = &self.norm {
            x = norm.forward(x.unsqueeze_dim::<3>(2)).squeeze_dim(2);
        }
        self.output.forward(tanh(x))
    }
}

/// Weights that depend on the rank, of which those of rank 0 are trained.
fn linear(d_input: usize, d_output: usize, rank: usize, device: &Device) -> Linear {
    let weight = |index: usize| ((index + rank) as f32 * 0.7 + 0.3).sin() * 0.5;
    let weights: Vec<f32> = (0..d_input * d_output).map(weight).collect();
    let mut layer = LinearConfig::new(d_input, d_output).init(device);
    layer.weight = Param::from_data(TensorData::new(weights, [d_input, d_output]), device);
    layer.bias = Some(Param::from_data(
        TensorData::new(vec![0.0_f32; d_output], [d_output]),
        device,
    ));
    layer
}

fn model(norm: bool, rank: usize) -> Model {
    let device = Device::flex();
    let net = Net {
        hidden: linear(2, 8, rank, &device),
        norm: norm.then(|| BatchNormConfig::new(8).init(&device)),
        output: linear(8, 2, rank, &device),
    };
    Classifier::new(net, Loss::default())
}

/// Everything that a step consists of: momentum, clipping, averaged weights, a schedule, two batches.
fn config(ranks: usize) -> TrainConfig {
    let mut config = TrainConfig {
        optimizer: Optimizer::default(),
        schedule: Schedule::OneCycle {
            rise: 0.25,
            start: 0.1,
            floor: 0.0,
        },
        ..TrainConfig::default()
    };
    *config.optimizer.learning_rate_mut() = 0.02;
    config.train.epochs = 4;
    config.train.batch_size = BATCH / ranks;
    config.train.log_every = 1;
    config.train.gradient_accumulation = 2;
    config.train.clip_norm = 0.5;
    config.train.ema_decay = 0.9;
    config
}

/// Trains with a last batch of 4 items, which is fewer than some have ranks.
fn fit(
    trainer: Trainer<Model>,
    ranks: usize,
    rank: usize,
    norm: bool,
) -> Result<Trained<Model>, FitError> {
    let device = Device::flex();
    let train = LoaderConfig {
        drop_last: false,
        ..LoaderConfig::train(BATCH / ranks, 1)
    };
    let train = Loader::new(std::sync::Arc::new(blobs(TRAIN)), Points, train, &device).unwrap();
    let valid = LoaderConfig::eval(BATCH);
    let valid = Loader::new(std::sync::Arc::new(blobs(VALID)), Points, valid, &device).unwrap();
    trainer.fit(model(norm, rank), train, valid, |training| {
        training.metrics((AccuracyMetric::new(),))
    })
}

fn trainer(config: TrainConfig, ranks: &Ranks, dir: &Path) -> Trainer<Model> {
    let trainer = Trainer::new(config).ranks(ranks.clone());
    if ranks.is_first() {
        trainer.in_dir(dir)
    } else {
        trainer
    }
}

/// Trains on so many ranks; the trained model of each as bytes.
fn train(count: usize, config: &TrainConfig, dir: &Path, norm: bool) -> Vec<Vec<f32>> {
    on_threads(count, |ranks| {
        let trainer = trainer(config.clone(), &ranks, dir);
        let trained = fit(trainer, ranks.size(), ranks.rank(), norm).unwrap();
        values(&trained.model)
    })
}

/// Checks that a run on several ranks has the metrics of another one.
fn assert_close(ranks: usize, found: &[(String, f64)], expected: &[(String, f64)]) {
    assert_eq!(found.len(), expected.len());
    for ((name, value), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!(name, expected_name);
        // Between epochs the accuracy is that of the items of rank 0.
        if !name.ends_with(" \"accuracy\"") || name.contains("valid") {
            let apart = (value - expected).abs();
            assert!(
                apart < 1e-5,
                "{ranks} ranks, {name}: {value} is not {expected}"
            );
        }
    }
}

#[test]
fn the_loss_curve_is_that_of_one_process_with_the_batches_of_all() {
    let dirs: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
    train(1, &config(1), dirs[0].path(), false);
    let expected = metrics(dirs[0].path());
    for ranks in [2, 3, 4] {
        let dir = dirs[ranks].path();
        let models = train(ranks, &config(ranks), dir, false);
        assert!(
            models.iter().all(|model| *model == models[0]),
            "{ranks} ranks"
        );
        let found = metrics(dir);
        assert_close(ranks, &found, &expected);
    }
}

#[test]
fn the_same_ranks_give_the_same_bytes() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let models = [0, 1].map(|at| train(3, &config(3), dirs[at].path(), true));
    assert_eq!(models[0], models[1]);
    assert_eq!(metrics(dirs[0].path()), metrics(dirs[1].path()));
}

#[test]
fn running_statistics_are_the_mean_of_all_ranks() {
    let dir = tempfile::tempdir().unwrap();
    let models = train(3, &config(3), dir.path(), true);
    assert!(models.iter().all(|model| *model == models[0]));
    // Of equal parts the mean of the means is the mean of all.
    let mut config = config(1);
    config.train.batch_size = TRAIN;
    config.train.gradient_accumulation = 1;
    config.train.epochs = 1;
    config.train.ema_decay = 0.0;
    let means = [1, 2].map(|count| {
        config.train.batch_size = TRAIN / count;
        let mut models = on_threads(count, |ranks| {
            let trainer = Trainer::new(config.clone()).ranks(ranks.clone());
            let trained = trainer.fit_sets(
                model(true, ranks.rank()),
                blobs(TRAIN),
                blobs(VALID),
                Points,
            );
            let norm = trained.unwrap().model.net.norm.unwrap();
            norm.running_mean.value().try_into_vec_as::<f32>().unwrap()
        });
        assert!(models.iter().all(|mean| *mean == models[0]));
        models.swap_remove(0)
    });
    for (found, expected) in means[1].iter().zip(&means[0]) {
        assert!((found - expected).abs() < 1e-6, "{means:?}");
    }
}

/// Trains until the run is interrupted on one rank after so many batches.
fn interrupted(count: usize, config: &TrainConfig, dir: &Path, after: usize) {
    on_threads(count, |ranks| {
        let interrupter = Interrupter::new();
        let handle = interrupter.clone();
        let last = ranks.rank() + 1 == count;
        let trainer = trainer(config.clone(), &ranks, dir)
            .interrupter(interrupter)
            .on_step(Box::new(move |_, _, step| {
                if last && step == after {
                    handle.stop(None);
                }
            }));
        let result = fit(trainer, count, ranks.rank(), true);
        assert!(
            matches!(result, Err(FitError::Train(TrainError::Interrupted { .. }))),
            "{:?}",
            result.err()
        );
    });
}

fn resumed(
    count: usize,
    begun_with: usize,
    config: &TrainConfig,
    dir: &Path,
) -> (Vec<Vec<f32>>, Vec<String>) {
    let notes = Mutex::new(Vec::new());
    let models = on_threads(count, |ranks| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let trainer = trainer(config.clone(), &ranks, dir)
            .resume(true)
            .on_note(move |note| sender.send(note.to_owned()).unwrap());
        let trained = fit(trainer, begun_with, ranks.rank(), true).unwrap();
        notes.lock().unwrap().extend(receiver.try_iter());
        values(&trained.model)
    });
    (models, notes.into_inner().unwrap())
}

#[test]
fn an_interrupted_run_resumes_to_the_same_bytes() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let whole = train(3, &config(3), dirs[0].path(), true);
    interrupted(3, &config(3), dirs[1].path(), 7);
    let (models, notes) = resumed(3, 3, &config(3), dirs[1].path());
    assert_eq!(models, whole);
    assert_eq!(metrics(dirs[1].path()), metrics(dirs[0].path()));
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn a_run_resumes_on_another_number_of_ranks_with_the_same_batches() {
    let mut config = config(3);
    config.train.gradient_accumulation = 1;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    train(3, &config, dirs[0].path(), false);
    let expected = metrics(dirs[0].path());
    for count in [1, 2, 5] {
        let dir = tempfile::tempdir().unwrap();
        on_threads(3, |ranks| {
            let interrupter = Interrupter::new();
            let handle = interrupter.clone();
            let trainer = trainer(config.clone(), &ranks, dir.path())
                .interrupter(interrupter)
                .on_step(Box::new(move |_, _, step| {
                    if step == 13 {
                        handle.stop(None);
                    }
                }));
            fit(trainer, 3, ranks.rank(), false)
                .map(|_| ())
                .unwrap_err();
        });
        let notes = on_threads(count, |ranks| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let trainer = trainer(config.clone(), &ranks, dir.path())
                .resume(true)
                .on_note(move |note| sender.send(note.to_owned()).unwrap());
            fit(trainer, 3, ranks.rank(), false).unwrap();
            receiver.try_iter().collect::<Vec<_>>()
        });
        assert!(
            notes[0][0].contains("its batches of 12 are now shared by"),
            "{notes:?}"
        );
        assert!(notes[1..].iter().all(Vec::is_empty));
        let found = metrics(dir.path());
        assert_close(count, &found, &expected);
    }
}

#[test]
fn ranks_agree_on_the_epochs_of_a_time_budget() {
    let mut config = config(2);
    config.train.budget = "1s".to_owned();
    config.train.epochs = 1_000_000;
    let started = std::time::Instant::now();
    let epochs = on_threads(2, |ranks| {
        let trainer = Trainer::new(config.clone()).ranks(ranks.clone());
        fit(trainer, 2, ranks.rank(), false).unwrap().epochs
    });
    assert_eq!(epochs[0], epochs[1]);
    assert!((1..1_000_000).contains(&epochs[0]), "{epochs:?}");
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn a_rank_that_fails_ends_all_with_one_message() {
    let errors = on_threads(3, |ranks| {
        let trainer = Trainer::new(config(3)).ranks(ranks.clone());
        let items = blobs(TRAIN);
        let broken = Broken { items, at: 50 };
        let result = trainer.fit_sets(model(false, 0), broken, blobs(VALID), Points);
        (ranks.rank(), result.map(|_| ()).unwrap_err())
    });
    let own = errors
        .iter()
        .filter(|(_, error)| matches!(error, FitError::Train(TrainError::Data(_))));
    assert_eq!(own.count(), 1);
    let heard = errors.iter().filter(|(_, error)| {
        matches!(error, FitError::Train(TrainError::Rank(failure)) if failure.message.contains("unreadable"))
    });
    assert_eq!(heard.count(), 2, "{errors:?}");
}

#[test]
fn ranks_that_do_not_train_the_same_are_refused_before_the_first_step() {
    type Change = fn(&mut TrainConfig, &mut String);
    let changes: [(Change, &str); 3] = [
        (
            |config, _| config.train.epochs = 7,
            "the ranks have different recipes: ranks 1, 2 differ from rank 0; start all of them with the \
             same recipe and flags",
        ),
        (
            |_, identity| identity.push_str("data 2\n"),
            "the ranks have different data: ranks 1, 2 differ from rank 0; give all of them the same data",
        ),
        (
            |_, identity| identity.push_str("extra = 1\n"),
            "the ranks have different recipes: ranks 1, 2 differ from rank 0; start all of them with the \
             same recipe and flags",
        ),
    ];
    for (change, expected) in changes {
        let errors = on_threads(3, |ranks| {
            let (mut config, mut identity) = (config(3), "data 1\n".to_owned());
            if !ranks.is_first() {
                change(&mut config, &mut identity);
            }
            let trainer = Trainer::new(config)
                .ranks(ranks.clone())
                .identity(identity)
                .on_step(Box::new(|_, _, _| panic!("a step")));
            fit(trainer, 3, 0, false)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        });
        assert_eq!(errors[0], expected);
    }
}
