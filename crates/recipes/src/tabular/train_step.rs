//! A network with its loss, as burn-train's learner wants it, and the batches it takes.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_models::tabular::Rows;

use super::encoder::Encoded;
use super::net::TabularNet;
use super::recipe::Loss;
use super::target::{Target, Truth};
use tinderbox_train::classify::weighted;

/// Rows with what is true of them.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// What the network looks at.
    pub rows: Rows,
    /// What is true of each row.
    pub truth: BatchTruth,
}

/// What is true of each row of a batch.
#[derive(Clone, Debug)]
pub enum BatchTruth {
    /// Numbers of the classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Numbers on the network's scale, `[batch]`.
    Numbers(Tensor<1>),
}

/// Encoded rows with what is true of them, in memory as batches take them.
#[derive(Clone, Debug)]
pub struct Sample {
    rows: Arc<Encoded>,
    /// Class or scaled number of each row.
    classes: Vec<i32>,
    scaled: Vec<f32>,
}

impl Sample {
    /// Pairs rows with what is true of them.
    pub(crate) fn new(rows: Encoded, truth: &Truth, target: &Target) -> Self {
        let (classes, scaled) = match truth {
            Truth::Classes(labels) => (labels.iter().map(|&label| number(label)).collect(), vec![]),
            Truth::Numbers(values) => {
                let scaled = values.iter().map(|&value| target.scaled(value));
                (Vec::new(), scaled.collect())
            }
        };
        Self {
            rows: Arc::new(rows),
            classes,
            scaled,
        }
    }
}

impl Sample {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.rows
    }

    /// Class of each row; empty for numbers.
    pub(crate) fn classes(&self) -> Vec<usize> {
        let classes = self.classes.iter();
        classes
            .map(|&class| usize::try_from(class).unwrap_or(0))
            .collect()
    }

    /// All numbers of an encoded column.
    pub(crate) fn numbers(&self, column: usize) -> Vec<f32> {
        let rows = 0..self.rows.rows;
        rows.map(|row| self.rows.numbers(row)[column]).collect()
    }

    /// Codes that no row has, `[column, code]` each.
    pub(crate) fn unseen(&self, cardinalities: &[usize]) -> Vec<[usize; 2]> {
        self.rows.unseen(cardinalities)
    }

    /// The rows by their numbers, as a loader takes them.
    pub(crate) fn shared(&self) -> Arc<dyn Dataset<usize>> {
        Arc::new(self.clone())
    }
}

/// The rows by their numbers: what a batch needs is copied once, by [`Collate`].
impl Dataset<usize> for Sample {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        self.rows.rows
    }
}

impl Collate<usize, TableBatch> for Sample {
    fn collate(
        &self,
        rows: Vec<usize>,
        _: &BatchContext,
        device: &Device,
    ) -> Result<TableBatch, DatasetError> {
        let count = rows.len();
        let truth = if self.scaled.is_empty() {
            let labels: Vec<i32> = rows.iter().map(|&row| self.classes[row]).collect();
            BatchTruth::Classes(Tensor::from_data(TensorData::new(labels, [count]), device))
        } else {
            let values: Vec<f32> = rows.iter().map(|&row| self.scaled[row]).collect();
            BatchTruth::Numbers(Tensor::from_data(TensorData::new(values, [count]), device))
        };
        Ok(TableBatch {
            rows: tensors(self.rows.take(&rows), device),
            truth,
        })
    }
}

/// A class, of which there are never as many.
fn number(class: usize) -> i32 {
    i32::try_from(class).unwrap_or(i32::MAX)
}

/// Encoded rows on a device.
pub(crate) fn tensors(rows: Encoded, device: &Device) -> Rows {
    let Encoded {
        rows: count,
        n_numeric,
        n_codes,
        numeric,
        codes,
    } = rows;
    let numeric = (n_numeric > 0)
        .then(|| Tensor::from_data(TensorData::new(numeric, [count, n_numeric]), device));
    let codes =
        (n_codes > 0).then(|| Tensor::from_data(TensorData::new(codes, [count, n_codes]), device));
    Rows::new(numeric, codes)
}

/// What is minimized, with what it takes from the training rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objective {
    loss: Loss,
    /// Weight of each class; empty for equal ones.
    weights: Vec<f32>,
}

impl Objective {
    /// Measures class weights on the training rows: each class together weighs the same.
    pub(crate) fn new(loss: &Loss, truth: &Truth, target: &Target) -> Self {
        let weights = match truth {
            Truth::Classes(labels) => loss
                .class_weights
                .of(labels.iter().copied(), target.d_output()),
            Truth::Numbers(_) => Vec::new(),
        };
        Self {
            loss: loss.clone(),
            weights,
        }
    }

    /// Mean loss of each row over the members, `[batch]`.
    fn forward(&self, scores: Tensor<3>, truth: BatchTruth) -> Tensor<1> {
        match truth {
            BatchTruth::Classes(labels) => self.classes(scores, labels),
            BatchTruth::Numbers(values) => self.numbers(scores, values),
        }
    }

    fn classes(&self, scores: Tensor<3>, labels: Tensor<1, Int>) -> Tensor<1> {
        let [batch, members, classes] = scores.dims();
        let log = log_softmax(scores, 2);
        let picked: Tensor<3, Int> = labels.clone().reshape([batch, 1, 1]).repeat_dim(1, members);
        let log_right = log.clone().gather(2, picked).reshape([batch, members]);
        let mut loss = log_right.clone().neg();
        let smoothing = self.loss.label_smoothing;
        if smoothing > 0.0 {
            let even = log.sum_dim(2).reshape([batch, members]);
            let even = even.mul_scalar(-smoothing / classes as f64);
            loss = loss.mul_scalar(1.0 - smoothing) + even;
        }
        if self.loss.focal > 0.0 {
            let wrong = log_right.exp().neg().add_scalar(1.0).clamp_min(1e-7);
            loss = loss * wrong.powf_scalar(self.loss.focal);
        }
        let loss = loss.mean_dim(1).reshape([batch]);
        weighted(loss, labels, &self.weights)
    }

    fn numbers(&self, scores: Tensor<3>, values: Tensor<1>) -> Tensor<1> {
        let [batch, members, _] = scores.dims();
        let error = scores.reshape([batch, members]) - values.reshape([batch, 1]);
        let square = error.clone().square();
        let from = self.loss.huber;
        let loss = if from > 0.0 {
            let size = error.abs();
            let even = size.clone().mul_scalar(2.0 * from).sub_scalar(from * from);
            square.mask_where(size.greater_elem(from), even)
        } else {
            square
        };
        loss.mean_dim(1).reshape([batch])
    }
}

/// The loss that is shown of rows that are not learned from: of what the members say together, and
/// without weights, so that the numbers of two recipes can be compared.
fn plain_loss(scores: Tensor<3>, truth: BatchTruth) -> Tensor<1> {
    let [batch, members, outputs] = scores.dims();
    match truth {
        BatchTruth::Classes(labels) => {
            let log = log_softmax(scores, 2);
            let right: Tensor<3, Int> = labels.reshape([batch, 1, 1]).repeat_dim(1, members);
            let right = log.gather(2, right).exp().mean_dim(1);
            right
                .clamp_min(f32::MIN_POSITIVE)
                .log()
                .neg()
                .reshape([batch])
        }
        BatchTruth::Numbers(values) => {
            let mean = scores.mean_dim(1).reshape([batch, outputs]);
            let error = mean - values.reshape([batch, 1]);
            error.square().reshape([batch])
        }
    }
}

/// A network with its loss.
#[derive(Module, Debug)]
pub struct TabularModel {
    /// The network.
    pub net: TabularNet,
    #[module(skip)]
    objective: Objective,
}

impl TabularModel {
    /// Pairs a network that scores classes with the plain mean cross-entropy of its members.
    pub fn of_classes(net: TabularNet) -> Self {
        let objective = Objective {
            loss: Loss::default(),
            weights: Vec::new(),
        };
        Self::new(net, objective)
    }

    pub(crate) fn new(net: TabularNet, objective: Objective) -> Self {
        Self { net, objective }
    }
}

impl TrainStep for TabularModel {
    type Input = TableBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: TableBatch) -> TrainOutput<RegressionOutput> {
        let scores = self.net.forward(batch.rows);
        let loss = self.objective.forward(scores, batch.truth).mean();
        let grads = loss.backward();
        TrainOutput::new(self, grads, loss_output(loss))
    }
}

impl InferenceStep for TabularModel {
    type Input = TableBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: TableBatch) -> RegressionOutput {
        let scores = self.net.forward(batch.rows);
        loss_output(plain_loss(scores, batch.truth))
    }
}

/// Only the loss is measured on the way.
pub(crate) fn loss_output(loss: Tensor<1>) -> RegressionOutput {
    let device = loss.device();
    let nothing = Tensor::empty([1, 1], &device);
    RegressionOutput::new(loss, nothing.clone(), nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(device: &Device) -> Tensor<3> {
        // Two rows, two members, two classes.
        Tensor::from_floats(
            [[[2.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [-1.0, 1.0]]],
            device,
        )
    }

    fn objective(loss: Loss, weights: Vec<f32>) -> Objective {
        Objective { loss, weights }
    }

    fn values(tensor: Tensor<1>) -> Vec<f64> {
        tensor.try_into_vec_as::<f64>().unwrap()
    }

    fn close(found: Vec<f64>, expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    /// Probability of class 1 by a member.
    fn share([first, second]: [f64; 2]) -> f64 {
        second.exp() / (first.exp() + second.exp())
    }

    #[test]
    fn members_learn_apart_and_are_judged_together() {
        let device = Device::flex();
        let labels = || BatchTruth::Classes(Tensor::from_ints([1, 1], &device));
        let members = [
            [share([2.0, 0.0]), share([0.0, 1.0])],
            [0.5, share([-1.0, 1.0])],
        ];
        let apart = members.map(|[a, b]| -(a.ln() + b.ln()) / 2.0);
        let loss = objective(Loss::default(), Vec::new()).forward(scores(&device), labels());
        close(values(loss), &apart);
        let together = members.map(|[a, b]| -f64::midpoint(a, b).ln());
        close(values(plain_loss(scores(&device), labels())), &together);
    }

    #[test]
    fn weights_and_focus_equal_the_formulas() {
        let device = Device::flex();
        let labels = || BatchTruth::Classes(Tensor::from_ints([0, 1], &device));
        let right = [
            [1.0 - share([2.0, 0.0]), 1.0 - share([0.0, 1.0])],
            [0.5, share([-1.0, 1.0])],
        ];
        let loss = Loss {
            focal: 2.0,
            ..Loss::default()
        };
        let focal = |p: f64| -(1.0 - p).powi(2) * p.ln();
        let expected = right.map(|[a, b]| f64::midpoint(focal(a), focal(b)));
        let found = objective(loss, vec![3.0, 0.5]).forward(scores(&device), labels());
        close(values(found), &[3.0 * expected[0], 0.5 * expected[1]]);
    }

    #[test]
    fn far_errors_count_evenly_with_huber() {
        let device = Device::flex();
        let scores = Tensor::<3>::from_floats([[[0.5]], [[3.0]]], &device);
        let truth = BatchTruth::Numbers(Tensor::from_floats([0.0, 0.0], &device));
        let loss = Loss {
            huber: 1.0,
            ..Loss::default()
        };
        let found = objective(loss, Vec::new()).forward(scores, truth);
        close(values(found), &[0.25, 5.0]);
    }

    #[test]
    fn balanced_classes_weigh_the_same() {
        let loss = Loss {
            class_weights: tinderbox_train::classify::ClassWeights::Balanced,
            ..Loss::default()
        };
        let labels = ["a", "b"].map(str::to_owned).to_vec();
        let truth = Truth::Classes(vec![0, 0, 0, 1]);
        let objective = Objective::new(&loss, &truth, &Target::Classes { labels });
        assert_eq!(objective.weights, [4.0 / 6.0, 2.0]);
    }
}
