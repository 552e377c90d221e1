#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! A time budget, on a network with dropout and batch normalization: what is random, and what a forward pass
//! changes.
//!
//! The one test of its process: the CPU backend has one random generator.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::Interrupter;
use tinderbox_predict::Classify;
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::run_options::Job;
use tinderbox_train::{
    FitError, METRICS_FILE, Optimizer, Options, Schedule, TrainConfig, TrainError, Trained,
    Trainer, init_seeded,
};

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    output: Linear,
}

impl Classify for Net {
    type Input = Tensor<2>;

    fn classify(&self, points: Tensor<2>) -> Tensor<2> {
        let x = self.hidden.forward(points);
        let x = self.norm.forward(x.unsqueeze_dim::<3>(2));
        let x = self.dropout.forward(x.squeeze_dim::<2>(2));
        self.output.forward(x)
    }
}

#[derive(Clone)]
struct Points;

impl Batcher<f32, LabeledBatch<Tensor<2>>> for Points {
    fn batch(&self, items: Vec<f32>, device: &Device) -> LabeledBatch<Tensor<2>> {
        let labels: Vec<i32> = items.iter().map(|&item| i32::from(item > 0.0)).collect();
        let points = TensorData::new(items, [labels.len(), 1]);
        let points = Tensor::from_data(points, device);
        LabeledBatch::new(points, Tensor::from_data(&labels[..], device))
    }
}

fn fit(trainer: Trainer<Classifier<Net>>) -> Result<Trained<Classifier<Net>>, FitError> {
    let device = Device::flex().autodiff();
    let net = init_seeded(1, &device, || {
        Ok::<_, FitError>(Net {
            hidden: LinearConfig::new(1, 4).init(&device),
            norm: BatchNormConfig::new(4).init(&device),
            dropout: DropoutConfig::new(0.3).init(),
            output: LinearConfig::new(4, 2).init(&device),
        })
    })?;
    let points = |count: usize| {
        let point = |at: usize| (at as f32 * 0.618).fract().mul_add(2.0, -1.0);
        InMemDataset::new((0..count).map(point).collect())
    };
    let model = Classifier::new(net, Loss::default());
    trainer.fit_sets(model, points(40), points(10), Points)
}

/// Weights and running statistics.
fn numbers(trained: &Trained<Classifier<Net>>) -> Vec<f32> {
    struct Numbers(Vec<f32>);
    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>());
        }
    }
    let mut numbers = Numbers(Vec::new());
    trained.model.visit(&mut numbers);
    numbers.0
}

/// The metrics of every epoch, without their clocks.
fn lines(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let line = |line: &str| line.split(",\"wall_s\":").next().unwrap().to_owned();
    text.lines().map(line).collect()
}

#[test]
fn the_epochs_of_a_budget_are_decided_once_and_equal_to_those_of_a_recipe() {
    let mut config = TrainConfig {
        optimizer: Optimizer::of_kind("adamw").unwrap(),
        schedule: Schedule::of_kind("cosine").unwrap(),
        ..TrainConfig::default()
    };
    // All of them fit, however busy the machine is.
    config.train.epochs = 20;
    config.train.budget = "1h".to_owned();
    config.train.batch_size = 16;
    config.train.gradient_accumulation = 2;
    config.train.ema_decay = 0.9;

    let dir = tempfile::tempdir().unwrap();
    let interrupter = Interrupter::new();
    let handle = interrupter.clone();
    let note = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&note);
    let first = Trainer::new(config.clone())
        .in_dir(dir.path())
        .interrupter(interrupter)
        .on_note(move |text| text.clone_into(&mut heard.lock().unwrap()))
        .on_step(Box::new(move |_, _, step| {
            if step == 5 {
                handle.stop(Some("asked"));
            }
        }));
    let Err(FitError::Train(TrainError::Interrupted { step: 5 })) = fit(first) else {
        panic!("it was not interrupted");
    };
    let note = note.lock().unwrap().clone();
    let words: Vec<&str> = note.split(' ').collect();
    assert_eq!(
        words[..6],
        ["`train.budget`", "1h:", "training", "for", "all", "20"],
        "{note}"
    );

    let again = Trainer::new(config.clone())
        .in_dir(dir.path())
        .resume(true)
        .on_note(|text| panic!("decided again: {text}"));
    let unused_s = Rc::<Cell<f64>>::default();
    let resumed = fit(again.unused_time(Rc::clone(&unused_s))).unwrap();
    assert_eq!(resumed.epochs, 20);
    // The next training of the run gets what this one leaves: most of an hour.
    let left = unused_s.get();
    assert!(left > 1800.0 && left < 3600.0, "{left}");
    let mut options = Options::new(dir.path());
    options.unused_s.set(left);
    let mut next = config.clone();
    (next.train.budget, next.trainings) = ("1s".to_owned(), 1000);
    let job = Job::new(dir.path(), "", 1, 2).unwrap();
    let next = fit(job.trainer(next, String::new(), &mut options)).unwrap();
    assert_eq!(next.epochs, 20);
    // Which leaves what it did not use.
    let now = options.unused_s.get();
    assert!(now < left && now > left - 600.0, "{now} of {left}");

    config.train.budget.clear();
    let other = tempfile::tempdir().unwrap();
    let named = fit(Trainer::new(config.clone()).in_dir(other.path())).unwrap();
    assert_eq!(named.best_epoch, resumed.best_epoch);
    assert_eq!(numbers(&named), numbers(&resumed));
    // The last weights have forgotten the first running statistics; the metrics of the first epochs have not.
    assert!(lines(other.path()) == lines(dir.path()), "other metrics");

    config.train.epochs = 1_000_000;
    config.train.budget = "2s".to_owned();
    config.trainings = 2;
    let third = tempfile::tempdir().unwrap();
    let recipe = third.path().join("recipe.toml");
    fs::write(
        &recipe,
        "epochs = 3\n\n[train]\nepochs = 1000000\nbudget = \"2s\"\n\n[more]\nepochs = 4\n",
    )
    .unwrap();
    let short = fit(Trainer::new(config).in_dir(third.path())).unwrap();
    assert!(
        short.epochs > 5 && short.epochs < 1_000_000,
        "{}",
        short.epochs
    );
    // Half of the budget, whatever the machine does meanwhile, and a slow last epoch.
    assert!(short.wall_s < 1.5, "{} s", short.wall_s);
    let text = fs::read_to_string(&recipe).unwrap();
    let epochs = text
        .lines()
        .filter_map(|line| line.strip_prefix("epochs = "));
    let epochs: Vec<usize> = epochs.map(|count| count.parse().unwrap()).collect();
    assert!(epochs[0] == 3 && epochs[2] == 4, "{text}");
    assert!(epochs[1] >= short.epochs && epochs[1] < 1_000_000, "{text}");
}
