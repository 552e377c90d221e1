//! The training step: a network with its loss.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{ExecutionError, Int, Tensor};
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use tinderbox_predict::tabular::{TabularNet, Target};
use tinderbox_train::LossOutput;
use tinderbox_train::classify::weighted;

use super::dataset::{BatchTargets, TableBatch};
use super::headline::HeadlineInput;
use super::recipe::Loss;
use super::targets::Targets;

/// The loss with the class weights of the training rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objective {
    loss: Loss,
    /// Weight of each class; empty for equal ones.
    weights: Vec<f32>,
}

impl Objective {
    /// Computes the class weights from the targets of the training rows.
    pub(crate) fn new(loss: &Loss, targets: &Targets, target: &Target) -> Self {
        let weights = match targets {
            Targets::Classes(labels) => loss
                .class_weights
                .of(labels.iter().copied(), target.d_output()),
            Targets::Numbers(_) => Vec::new(),
        };
        Self {
            loss: loss.clone(),
            weights,
        }
    }

    /// Mean loss of each row over the members, `[batch]`.
    fn forward(&self, scores: Tensor<3>, targets: BatchTargets) -> Tensor<1> {
        match targets {
            BatchTargets::Classes(labels) => self.classes(scores, labels),
            BatchTargets::Numbers(values) => self.numbers(scores, values),
        }
    }

    fn classes(&self, scores: Tensor<3>, labels: Tensor<1, Int>) -> Tensor<1> {
        let [batch, members, classes] = scores.dims();
        let log = log_softmax(scores, 2);
        let picked: Tensor<3, Int> = labels.clone().reshape([batch, 1, 1]).repeat_dim(1, members);
        let log_target = log.clone().gather(2, picked).reshape([batch, members]);
        let mut loss = log_target.clone().neg();
        let smoothing = self.loss.label_smoothing;
        if smoothing > 0.0 {
            let uniform = log.sum_dim(2).reshape([batch, members]);
            let uniform = uniform.mul_scalar(-smoothing / classes as f64);
            loss = loss.mul_scalar(1.0 - smoothing) + uniform;
        }
        if self.loss.focal_gamma > 0.0 {
            let remaining = log_target.exp().neg().add_scalar(1.0).clamp_min(1e-7);
            loss = loss * remaining.powf_scalar(self.loss.focal_gamma);
        }
        let loss = loss.mean_dim(1).reshape([batch]);
        weighted(loss, labels, &self.weights)
    }

    fn numbers(&self, scores: Tensor<3>, values: Tensor<1>) -> Tensor<1> {
        let [batch, members, _] = scores.dims();
        let error = scores.reshape([batch, members]) - values.reshape([batch, 1]);
        let square = error.clone().square();
        let delta = self.loss.huber_delta;
        let loss = if delta > 0.0 {
            let size = error.abs();
            let linear = size
                .clone()
                .mul_scalar(2.0 * delta)
                .sub_scalar(delta * delta);
            square.mask_where(size.greater_elem(delta), linear)
        } else {
            square
        };
        loss.mean_dim(1).reshape([batch])
    }
}

/// The output of a validation step, of the mean prediction of the members.
#[derive(Clone, Debug)]
pub struct ValidationOutput {
    /// Loss of each row without weights, so that two recipes can be compared, `[batch]`.
    loss: Tensor<1>,
    /// Probability of the second class of two, index of the class of more, or number on the network's scale, `[batch]`.
    predicted: Tensor<1>,
    /// Index of the class or number on the network's scale, `[batch]`.
    actual: Tensor<1>,
}

impl ValidationOutput {
    fn new(scores: Tensor<3>, targets: BatchTargets) -> Self {
        match targets {
            BatchTargets::Classes(labels) => Self::of_classes(scores, labels),
            BatchTargets::Numbers(values) => Self::of_numbers(scores, values),
        }
    }

    fn of_classes(scores: Tensor<3>, labels: Tensor<1, Int>) -> Self {
        let [batch, members, classes] = scores.dims();
        let log = log_softmax(scores, 2);
        let picked: Tensor<3, Int> = labels.clone().reshape([batch, 1, 1]).repeat_dim(1, members);
        let right = log.clone().gather(2, picked).exp().mean_dim(1);
        let loss = right.clamp_min(f32::MIN_POSITIVE).log().neg();
        let predicted = if classes == 2 {
            log.narrow(2, 1, 1).exp().mean_dim(1).reshape([batch])
        } else {
            let probabilities = log.exp().mean_dim(1);
            probabilities.argmax(2).float().reshape([batch])
        };
        Self {
            loss: loss.reshape([batch]),
            predicted,
            actual: labels.float(),
        }
    }

    fn of_numbers(scores: Tensor<3>, values: Tensor<1>) -> Self {
        let [batch, _members, _outputs] = scores.dims();
        let predicted = scores.mean_dim(1).reshape([batch]);
        let error = predicted.clone() - values.clone();
        Self {
            loss: error.square(),
            predicted,
            actual: values,
        }
    }
}

impl Adaptor<LossInput> for ValidationOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<HeadlineInput> for ValidationOutput {
    fn adapt(&self) -> HeadlineInput {
        HeadlineInput {
            predicted: self.predicted.clone(),
            actual: self.actual.clone(),
        }
    }
}

impl ItemLazy for ValidationOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(self)
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
    type Output = LossOutput;

    fn step(&self, batch: TableBatch) -> TrainOutput<LossOutput> {
        let scores = self.net.forward(batch.rows);
        let loss = self.objective.forward(scores, batch.targets).mean();
        let grads = loss.backward();
        TrainOutput::new(self, grads, LossOutput::new(loss))
    }
}

impl InferenceStep for TabularModel {
    type Input = TableBatch;
    type Output = ValidationOutput;

    fn step(&self, batch: TableBatch) -> ValidationOutput {
        let scores = self.net.forward(batch.rows);
        ValidationOutput::new(scores, batch.targets)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

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
    fn members_are_trained_apart_and_validated_together() {
        let device = Device::flex();
        let labels = || BatchTargets::Classes(Tensor::from_ints([1, 1], &device));
        let members = [
            [share([2.0, 0.0]), share([0.0, 1.0])],
            [0.5, share([-1.0, 1.0])],
        ];
        let apart = members.map(|[a, b]| -(a.ln() + b.ln()) / 2.0);
        let loss = objective(Loss::default(), Vec::new()).forward(scores(&device), labels());
        close(values(loss), &apart);
        let together = members.map(|[a, b]| -f64::midpoint(a, b).ln());
        let output = ValidationOutput::new(scores(&device), labels());
        close(values(output.loss), &together);
        let shares = members.map(|[a, b]| f64::midpoint(a, b));
        close(values(output.predicted), &shares);
        close(values(output.actual), &[1.0, 1.0]);
    }

    #[test]
    fn the_class_and_the_number_of_a_validation_are_those_of_all_members() {
        let device = Device::flex();
        // The second member is surer than the first.
        let scores = Tensor::<3>::from_floats([[[1.0, 0.0, 0.0], [0.0, 0.0, 9.0]]], &device);
        let labels = BatchTargets::Classes(Tensor::from_ints([1], &device));
        let output = ValidationOutput::new(scores, labels);
        close(values(output.predicted), &[2.0]);
        close(values(output.actual), &[1.0]);
        let scores = Tensor::<3>::from_floats([[[0.5], [2.5]]], &device);
        let numbers = BatchTargets::Numbers(Tensor::from_floats([1.0], &device));
        let output = ValidationOutput::new(scores, numbers);
        close(values(output.loss), &[0.25]);
        close(values(output.predicted), &[1.5]);
        close(values(output.actual), &[1.0]);
    }

    #[test]
    fn class_weights_and_focal_loss_equal_the_formulas() {
        let device = Device::flex();
        let labels = || BatchTargets::Classes(Tensor::from_ints([0, 1], &device));
        let right = [
            [1.0 - share([2.0, 0.0]), 1.0 - share([0.0, 1.0])],
            [0.5, share([-1.0, 1.0])],
        ];
        let loss = Loss {
            focal_gamma: 2.0,
            ..Loss::default()
        };
        let focal = |p: f64| -(1.0 - p).powi(2) * p.ln();
        let expected = right.map(|[a, b]| f64::midpoint(focal(a), focal(b)));
        let found = objective(loss, vec![3.0, 0.5]).forward(scores(&device), labels());
        close(values(found), &[3.0 * expected[0], 0.5 * expected[1]]);
    }

    #[test]
    fn huber_loss_is_linear_beyond_delta() {
        let device = Device::flex();
        let scores = Tensor::<3>::from_floats([[[0.5]], [[3.0]]], &device);
        let targets = BatchTargets::Numbers(Tensor::from_floats([0.0, 0.0], &device));
        let loss = Loss {
            huber_delta: 1.0,
            ..Loss::default()
        };
        let found = objective(loss, Vec::new()).forward(scores, targets);
        close(values(found), &[0.25, 5.0]);
    }

    #[test]
    fn balanced_classes_have_equal_weight() {
        let loss = Loss {
            class_weights: tinderbox_train::classify::ClassWeights::Balanced,
            ..Loss::default()
        };
        let labels = ["a", "b"].map(str::to_owned).to_vec();
        let targets = Targets::Classes(vec![0, 0, 0, 1]);
        let objective = Objective::new(&loss, &targets, &Target::Classes { labels });
        assert_eq!(objective.weights, [4.0 / 6.0, 2.0]);
    }
}
