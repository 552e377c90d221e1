#![allow(
    clippy::cast_possible_wrap,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Training through the public door, on two blobs of points.
//!
//! The network begins with the same written-out weights everywhere and has no dropout, so no test
//! depends on the device's random stream.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::Interrupter;
use burn::train::metric::AccuracyMetric;
use serde_json::Value;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_predict::Classify;
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::{
    FitError, METRICS_FILE, MonitorMode, Optimizer, Schedule, StepListener, TrainConfig,
    TrainError, Trained, Trainer,
};

const BATCH: usize = 16;
const TRAIN: usize = 8 * BATCH;
const VALID: usize = 40;

type Point = ([f32; 2], i32);
type Model = Classifier<Net>;

/// Points of two classes around (-1, -1) and (1, 1), at most 0.7 away in each direction.
fn blobs(count: usize) -> InMemDataset<Point> {
    let point = |index: usize| {
        let class = (index % 2) as i32;
        let center = (2 * class - 1) as f32;
        let wobble = |step: f32| (index as f32 * step).fract().mul_add(1.4, -0.7);
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
    output: Linear,
}

impl Classify for Net {
    type Input = Tensor<2>;

    fn classify(&self, points: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(points)))
    }
}

fn linear(d_input: usize, d_output: usize, device: &Device) -> Linear {
    let weight = |index: usize| (index as f32 * 0.7 + 0.3).sin() * 0.5;
    let weights: Vec<f32> = (0..d_input * d_output).map(weight).collect();
    let weights = TensorData::new(weights, [d_input, d_output]);
    let mut layer = LinearConfig::new(d_input, d_output).init(device);
    layer.weight = Param::from_data(weights, device);
    layer.bias = Some(Param::from_data(
        TensorData::new(vec![0.0_f32; d_output], [d_output]),
        device,
    ));
    layer
}

fn model() -> Model {
    let device = Device::flex();
    let net = Net {
        hidden: linear(2, 8, &device),
        output: linear(8, 2, &device),
    };
    Classifier::new(net, Loss::default())
}

/// Three epochs of plain gradient descent.
fn config() -> TrainConfig {
    let mut config = TrainConfig {
        optimizer: Optimizer::Sgd {
            learning_rate: 0.1,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        ..TrainConfig::default()
    };
    config.train.epochs = 3;
    config.train.batch_size = BATCH;
    config.train.log_every = 1;
    config
}

/// The loss falls in every epoch, so the first is the best when the highest is wanted.
fn never_better() -> TrainConfig {
    let mut config = config();
    config.train.monitor_mode = MonitorMode::Max;
    config
}

fn fit(trainer: Trainer<Model>) -> Result<Trained<Model>, FitError> {
    trainer.fit_sets(model(), blobs(TRAIN), blobs(VALID), Points)
}

fn weights(model: &Model) -> Vec<f32> {
    let Net { hidden, output } = &model.net;
    [hidden, output]
        .into_iter()
        .flat_map(|layer| {
            let bias = layer.bias.as_ref().unwrap().val();
            let weight = layer.weight.val().reshape([-1]);
            Tensor::cat(vec![weight, bias], 0)
                .try_into_vec_as::<f32>()
                .unwrap()
        })
        .collect()
}

fn distance(left: &[f32], right: &[f32]) -> f32 {
    let squares = left.iter().zip(right).map(|(l, r)| (l - r).powi(2));
    squares.sum::<f32>().sqrt()
}

/// The learning rate of every step, from `metrics.jsonl`.
fn learning_rates(dir: &Path) -> Vec<f64> {
    let lines = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["name"] == "learning_rate" && line["split"] == "train")
        .map(|line| line["value"].as_f64().unwrap())
        .collect()
}

fn train_error(result: Result<Trained<Model>, FitError>) -> TrainError {
    match result {
        Err(FitError::Train(error)) => error,
        Err(other) => panic!("{other} is an error of another kind"),
        Ok(_) => panic!("training ended well"),
    }
}

#[test]
fn two_blobs_are_told_apart_and_a_metric_of_burn_train_sees_it() {
    let device = Device::flex();
    let train = LoaderConfig::train(BATCH, 1);
    let train = Loader::new(Arc::new(blobs(TRAIN)), Points, train, &device).unwrap();
    let valid = LoaderConfig::eval(BATCH);
    let valid = Loader::new(Arc::new(blobs(VALID)), Points, valid, &device).unwrap();
    let trained = Trainer::new(config())
        .fit(model(), train, valid, |training| {
            training.metrics((AccuracyMetric::new(),))
        })
        .unwrap();
    assert!(trained.valid["accuracy"] > 0.99, "{:?}", trained.valid);
    assert_eq!(trained.epochs, 3);
    assert_eq!(trained.steps, 3 * TRAIN / BATCH);
    assert_eq!(trained.samples, 3 * TRAIN);
}

#[test]
fn patience_ends_training_and_the_best_weights_come_back_and_not_the_last() {
    let mut config = never_better();
    config.train.epochs = 10;
    config.train.patience = 2;
    let stopped = fit(Trainer::new(config.clone())).unwrap();
    assert!(stopped.stopped_early);
    assert_eq!((stopped.epochs, stopped.best_epoch), (3, 1));

    config.train.epochs = 1;
    let one_epoch = fit(Trainer::new(config)).unwrap();
    assert!(!one_epoch.stopped_early);
    assert_eq!(weights(&stopped.model), weights(&one_epoch.model));
}

#[test]
fn a_plateau_takes_the_rate_down_once_an_epoch_has_not_improved() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = never_better();
    config.schedule = Schedule::Plateau {
        factor: 0.5,
        patience: 1,
        warmup: 0.0,
    };
    fit(Trainer::new(config).in_dir(dir.path())).unwrap();
    let rates = learning_rates(dir.path());
    // The first epoch is the best so far; the second is not, so the third is slower.
    let per_epoch = TRAIN / BATCH;
    assert!((rates[0] - 0.1).abs() < 1e-9, "{rates:?}");
    assert!((rates[2 * per_epoch - 1] - 0.1).abs() < 1e-9, "{rates:?}");
    assert!((rates[2 * per_epoch] - 0.05).abs() < 1e-9, "{rates:?}");
}

#[test]
fn one_cycle_rises_and_falls_over_the_whole_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.schedule = Schedule::OneCycle {
        rise: 0.25,
        start: 0.1,
        floor: 0.0,
    };
    fit(Trainer::new(config).in_dir(dir.path())).unwrap();
    let rates = learning_rates(dir.path());
    let top = rates.len() / 4;
    assert_eq!(rates.len(), 3 * TRAIN / BATCH);
    assert!((rates[0] - 0.01).abs() < 1e-9, "{rates:?}");
    assert!((rates[top] - 0.1).abs() < 1e-9, "{rates:?}");
    assert!(rates[..=top].is_sorted(), "{rates:?}");
    assert!(rates[top..].iter().rev().is_sorted(), "{rates:?}");
}

#[test]
fn two_batches_of_8_with_averaged_gradients_equal_one_of_16() {
    let whole = fit(Trainer::new(config())).unwrap();
    let mut halves = config();
    halves.train.batch_size = BATCH / 2;
    halves.train.gradient_accumulation = 2;
    let halves = fit(Trainer::new(halves)).unwrap();
    assert_eq!(whole.steps, halves.steps);
    let apart = distance(&weights(&whole.model), &weights(&halves.model));
    let moved = distance(&weights(&whole.model), &weights(&model()));
    assert!(apart < 1e-5 * moved, "{apart} apart after moving {moved}");
}

#[test]
fn clipping_bounds_the_length_of_a_step() {
    let limit = 0.01;
    let mut config = config();
    config.train.epochs = 1;
    config.train.clip_norm = limit;
    config.train.batch_size = TRAIN;
    *config.optimizer.learning_rate_mut() = 1.0;
    let clipped = fit(Trainer::new(config.clone())).unwrap();
    config.train.clip_norm = 0.0;
    let free = fit(Trainer::new(config)).unwrap();
    let start = weights(&model());
    let step = f64::from(distance(&weights(&clipped.model), &start));
    assert!((step - limit).abs() < 1e-5, "one step of length {step}");
    assert!(f64::from(distance(&weights(&free.model), &start)) > 10.0 * limit);
}

/// A listener that asks for a stop at one step.
fn stop_at(interrupter: &Interrupter, stop: usize) -> Box<StepListener<Model>> {
    let interrupter = interrupter.clone();
    Box::new(move |_, _, step| {
        if step == stop {
            interrupter.stop(Some("asked"));
        }
    })
}

#[test]
fn a_run_that_was_interrupted_goes_on_to_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.train.ema_decay = 0.9;
    let interrupter = Interrupter::new();
    let first = Trainer::new(config.clone())
        .in_dir(dir.path())
        .interrupter(interrupter.clone())
        .on_step(stop_at(&interrupter, 11));
    let error = train_error(fit(first));
    assert!(
        matches!(error, TrainError::Interrupted { step: 11 }),
        "{error}"
    );
    let resumed = fit(Trainer::new(config.clone()).in_dir(dir.path()).resume(true)).unwrap();

    let straight = fit(Trainer::new(config)).unwrap();
    assert_eq!(weights(&resumed.model), weights(&straight.model));
    assert_eq!(resumed.steps, straight.steps);
}

/// Asks for a stop while one of the validation batches is made.
struct StopInValidation {
    interrupter: Interrupter,
    batches: AtomicUsize,
    stop: usize,
}

impl Batcher<Point, LabeledBatch<Tensor<2>>> for StopInValidation {
    fn batch(&self, items: Vec<Point>, device: &Device) -> LabeledBatch<Tensor<2>> {
        if !device.is_autodiff() && self.batches.fetch_add(1, Ordering::SeqCst) + 1 == self.stop {
            self.interrupter.stop(Some("asked"));
        }
        Points.batch(items, device)
    }
}

/// The lines of a run's metrics, without their clocks.
fn lines_without_time(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let line = |line: &str| line.split(",\"wall_s\":").next().unwrap().to_owned();
    text.lines().map(line).collect()
}

#[test]
fn a_run_that_was_interrupted_while_validating_goes_on_to_the_same_result() {
    let [whole, broken] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut config = config();
    // Batches are made when they are needed, not before.
    config.train.workers = 0;
    let straight = fit(Trainer::new(config.clone()).in_dir(whole.path())).unwrap();
    let interrupter = Interrupter::new();
    let points = StopInValidation {
        interrupter: interrupter.clone(),
        batches: AtomicUsize::new(0),
        // The first of the second epoch.
        stop: VALID.div_ceil(BATCH) + 1,
    };
    let first = Trainer::new(config.clone())
        .in_dir(broken.path())
        .interrupter(interrupter);
    let first = first.fit_sets(model(), blobs(TRAIN), blobs(VALID), points);
    let steps = 2 * TRAIN / BATCH;
    let error = train_error(first);
    assert!(
        matches!(error, TrainError::Interrupted { step } if step == steps),
        "{error}"
    );
    let resumed = Trainer::new(config).in_dir(broken.path()).resume(true);
    let resumed = fit(resumed).unwrap();
    assert_eq!(weights(&resumed.model), weights(&straight.model));
    let [whole, broken] = [whole, broken].map(|dir| lines_without_time(dir.path()));
    assert_eq!(broken, whole);
}

/// What one step over all points moves the weights of each layer by.
fn moved(optimizer: Optimizer, parts: &[(&str, f64)]) -> [Vec<f32>; 2] {
    let mut config = TrainConfig {
        optimizer,
        ..config()
    };
    config.train.epochs = 1;
    config.train.batch_size = TRAIN;
    let parts = parts
        .iter()
        .map(|(name, factor)| ((*name).to_owned(), *factor));
    let trainer = Trainer::new(config).learning_rates(parts.collect());
    let after = weights(&fit(trainer).unwrap().model);
    let moved: Vec<f32> = after
        .iter()
        .zip(weights(&model()))
        .map(|(after, before)| after - before)
        .collect();
    let (hidden, output) = moved.split_at(2 * 8 + 8);
    [hidden.to_vec(), output.to_vec()]
}

#[test]
fn a_part_with_a_fraction_of_the_rate_moves_that_fraction_and_the_others_as_before() {
    let sgd = config().optimizer;
    let adamw = Optimizer::Adamw {
        learning_rate: 0.01,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.5,
    };
    for optimizer in [sgd, adamw] {
        let [hidden, output] = moved(optimizer.clone(), &[]);
        let [slower, same] = moved(
            optimizer,
            &[("net", 7.0), ("hidden", 0.25), ("output", 1.0)],
        );
        assert_eq!(same, output);
        assert!(hidden.iter().any(|moved| *moved != 0.0));
        for (slower, moved) in slower.iter().zip(&hidden) {
            assert!((slower - 0.25 * moved).abs() < 2e-7, "{slower} of {moved}");
        }
    }
}

#[test]
fn parts_with_rates_of_their_own_go_on_after_an_interruption_and_only_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let run = |factor: f64| {
        Trainer::new(config()).learning_rates(vec![("net.hidden".to_owned(), factor)])
    };
    let interrupter = Interrupter::new();
    let first = run(0.5)
        .in_dir(dir.path())
        .interrupter(interrupter.clone())
        .on_step(stop_at(&interrupter, 11));
    train_error(fit(first));
    let message = train_error(fit(run(0.4).in_dir(dir.path()).resume(true))).to_string();
    assert!(
        message.contains("learning rate of net.hidden: 0.5"),
        "{message}"
    );
    let resumed = fit(run(0.5).in_dir(dir.path()).resume(true)).unwrap();
    let straight = fit(run(0.5)).unwrap();
    assert_eq!(weights(&resumed.model), weights(&straight.model));
    let plain = fit(Trainer::new(config())).unwrap();
    assert_ne!(weights(&resumed.model), weights(&plain.model));
}

#[test]
fn a_part_that_the_model_does_not_have_is_refused() {
    let parts = vec![("layers.0".to_owned(), 0.5)];
    let error = fit(Trainer::new(config()).learning_rates(parts))
        .err()
        .unwrap();
    assert!(matches!(error, FitError::Config(_)), "{error}");
    assert!(error.to_string().contains("(got layers.0)"), "{error}");
}

#[test]
fn a_frozen_layer_stays_to_the_bit_through_decay_averaging_and_interruption() {
    let mut start = model();
    start.net.hidden = start.net.hidden.no_grad();
    let before = weights(&start);
    let mut config = config();
    config.optimizer = Optimizer::default();
    config.train.ema_decay = 0.9;
    let fit = |trainer: Trainer<Model>| {
        trainer.fit_sets(start.clone(), blobs(TRAIN), blobs(VALID), Points)
    };
    let dir = tempfile::tempdir().unwrap();
    let interrupter = Interrupter::new();
    let first = Trainer::new(config.clone())
        .in_dir(dir.path())
        .interrupter(interrupter.clone())
        .on_step(stop_at(&interrupter, 11));
    train_error(fit(first));
    let trained = fit(Trainer::new(config).in_dir(dir.path()).resume(true)).unwrap();
    let after = weights(&trained.model);
    let hidden = 2 * 8 + 8;
    assert_eq!(after[..hidden], before[..hidden]);
    assert!(
        after[hidden..]
            .iter()
            .zip(&before[hidden..])
            .all(|(after, before)| after.to_bits() != before.to_bits())
    );
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_and_the_difference_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = |identity: &str| {
        Trainer::new(config())
            .in_dir(dir.path())
            .identity(identity)
            .resume(true)
    };
    fit(run("a = 1\nb = 2")).unwrap();
    let message = train_error(fit(run("a = 1\nb = 3"))).to_string();
    assert!(
        message.contains("`b = 2` where this run has `b = 3`"),
        "{message}"
    );
}

#[test]
fn a_checkpoint_without_a_newer_key_is_resumed_at_its_default() {
    let dir = tempfile::tempdir().unwrap();
    let run = |identity: &str| {
        Trainer::new(config())
            .in_dir(dir.path())
            .identity(identity)
            .reread(|recipe| {
                let is_old = !recipe.contains("newer");
                is_old.then(|| format!("{recipe}newer = false\n"))
            })
            .resume(true)
    };
    fit(run("a = 1\n\ndata 7\nfold 1")).unwrap();
    let message = train_error(fit(run("a = 1\nnewer = true\n\ndata 7\nfold 1"))).to_string();
    assert!(
        message.contains("`newer = false` where this run has `newer = true`"),
        "{message}"
    );
    let error = train_error(fit(run("a = 1\nnewer = false\n\ndata 8\nfold 1")));
    assert!(matches!(error, TrainError::DataChanged), "{error}");
    fit(run("a = 1\nnewer = false\n\ndata 7\nfold 1")).unwrap();
}

#[test]
fn an_unknown_metric_to_monitor_is_an_error_that_lists_the_known_ones() {
    let mut config = config();
    config.train.monitor = "accurracy".to_owned();
    let message = train_error(fit(Trainer::new(config))).to_string();
    assert!(message.contains("`accurracy`"), "{message}");
    assert!(message.contains("are loss"), "{message}");
}

#[test]
fn a_place_that_takes_no_checkpoint_is_found_before_the_first_step() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("checkpoint"), "a file is in the way").unwrap();
    let trainer = Trainer::new(config())
        .in_dir(dir.path())
        .on_step(Box::new(|_, _, _| panic!("a step was made")));
    let error = train_error(fit(trainer));
    assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
}

/// Blobs with one item that cannot be read.
struct Broken {
    panics: bool,
}

impl Dataset<Point> for Broken {
    fn get(&self, index: usize) -> Result<Point, DatasetError> {
        if index != 77 {
            return blobs(TRAIN).get(index);
        }
        assert!(!self.panics, "item 77 blew up");
        Err(DatasetError::new(std::io::Error::other(
            "item 77 is missing",
        )))
    }

    fn len(&self) -> usize {
        TRAIN
    }
}

/// A message with all of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn a_dataset_that_fails_or_panics_is_an_error_with_its_cause() {
    for (panics, cause) in [(false, "item 77 is missing"), (true, "item 77 blew up")] {
        let result =
            Trainer::new(config()).fit_sets(model(), Broken { panics }, blobs(VALID), Points);
        let error = train_error(result);
        assert!(matches!(error, TrainError::Data(_)), "{error}");
        let message = chain(&error);
        assert!(message.contains(cause), "{message}");
    }
}

#[test]
fn an_empty_dataset_is_refused() {
    let result = Trainer::new(config()).fit_sets(model(), blobs(0), blobs(VALID), Points);
    assert!(matches!(result, Err(FitError::Loader(_))));
}

/// A network on a device that gives up.
#[derive(Module, Debug)]
struct Failing {
    layer: Linear,
    #[module(skip)]
    message: String,
}

impl Classify for Failing {
    type Input = Tensor<2>;

    fn classify(&self, _: Tensor<2>) -> Tensor<2> {
        panic!("{}", self.message)
    }
}

#[test]
fn a_full_memory_is_an_error_that_says_which_batch_size_to_try() {
    let run = |message: &str| {
        let layer = linear(2, 2, &Device::flex());
        let message = message.to_owned();
        let model = Classifier::new(Failing { layer, message }, Loss::default());
        let result = Trainer::new(config()).fit_sets(model, blobs(TRAIN), blobs(VALID), Points);
        match result {
            Err(error) => error.to_string(),
            Ok(_) => panic!("training ended well"),
        }
    };
    let message = run("CUDA out of memory. Tried to allocate 2.00 GiB");
    assert!(message.contains("`train.batch_size` 8"), "{message}");
    let message = run("no kernel image is available");
    assert!(
        message.contains("failed at step 1: no kernel image"),
        "{message}"
    );
}
