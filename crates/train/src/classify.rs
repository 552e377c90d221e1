//! Classification: from a network that scores classes to one that burn-train can train.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use serde::{Deserialize, Serialize};
use tinderbox_predict::Classify;

use crate::{ConfigError, check_range};

/// A batch with the class of each item.
#[derive(Clone, Debug)]
pub struct LabeledBatch<X> {
    /// The input of the network.
    pub inputs: X,
    /// Class of each item, `[batch]`.
    pub labels: Tensor<1, Int>,
    /// Second classes, where items were blended with others.
    pub mixed: Option<Mixed>,
}

impl<X> LabeledBatch<X> {
    /// A batch whose items have one class each.
    pub fn new(inputs: X, labels: Tensor<1, Int>) -> Self {
        Self {
            inputs,
            labels,
            mixed: None,
        }
    }
}

/// The other half of items that were blended, as by mixup or CutMix.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// Class of each item's partner, `[batch]`.
    pub labels: Tensor<1, Int>,
    /// Share of the partner, in `[0, 1]`.
    pub weight: f32,
}

/// How much the items of each class count while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All items count the same.
    #[default]
    None,
    /// All classes count the same, however many items they have: as `class_weight="balanced"` of
    /// scikit-learn.
    Balanced,
}

impl ClassWeights {
    /// The weight of each of `classes` classes, by the training items' classes: 1 on average over
    /// the items. Empty where all weigh the same.
    pub fn of(self, labels: impl IntoIterator<Item = usize>, classes: usize) -> Vec<f32> {
        if self == Self::None {
            return Vec::new();
        }
        let mut counts = vec![0_usize; classes];
        for label in labels {
            counts[label] += 1;
        }
        let items: usize = counts.iter().sum();
        let weight = |count: usize| items as f32 / (classes * count.max(1)) as f32;
        counts.into_iter().map(weight).collect()
    }
}

/// Checks that a recipe weighs or draws by class only where there are classes.
///
/// # Errors
///
/// Names the key that is set where an item has no single class.
pub fn check_by_class(
    weights: ClassWeights,
    balanced_sampling: bool,
    classes: bool,
) -> Result<(), ConfigError> {
    let expected = "left out: it needs a target with one class for each item";
    if classes {
        return Ok(());
    }
    if weights != ClassWeights::None {
        let value = "\"balanced\"";
        return Err(ConfigError::new("loss.class_weights", value, expected));
    }
    if balanced_sampling {
        return Err(ConfigError::new("train.balanced_sampling", true, expected));
    }
    Ok(())
}

/// Multiplies the loss of each item, `[batch]`, by the weight of its class, if there are weights.
pub fn weighted(loss: Tensor<1>, labels: Tensor<1, Int>, weights: &[f32]) -> Tensor<1> {
    if weights.is_empty() {
        return loss;
    }
    let weights = Tensor::<1>::from_floats(weights, &loss.device());
    loss * weights.select(0, labels)
}

/// Cross-entropy, with label smoothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Probability spread evenly over all classes while training (Szegedy et al., *Rethinking the
    /// Inception Architecture*, 2016, <https://arxiv.org/abs/1512.00567>), in `[0, 1)`.
    pub label_smoothing: f64,
    /// `balanced` to let all classes count the same while training, however rare; `none` to let all
    /// items do so.
    #[serde(default)]
    pub class_weights: ClassWeights,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
        }
    }
}

impl Loss {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("loss.label_smoothing", self.label_smoothing, 0.0..1.0)
    }

    /// Cross-entropy of each item, in nats.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, classes]`
    /// - labels: `[batch]`
    /// - output: `[batch]`
    pub fn forward(&self, logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        cross_entropy(&log_softmax(logits, 1), labels, self.label_smoothing)
    }

    /// Cross-entropy of items that were blended with others, as by mixup or CutMix, in nats, `[batch]`;
    /// `weights` are those of the classes, empty for equal ones.
    pub fn forward_mixed(
        &self,
        logits: Tensor<2>,
        labels: Tensor<1, Int>,
        mixed: Option<Mixed>,
        weights: &[f32],
    ) -> Tensor<1> {
        let log_probabilities = log_softmax(logits, 1);
        let of = |labels: Tensor<1, Int>| {
            let loss = cross_entropy(&log_probabilities, labels.clone(), self.label_smoothing);
            weighted(loss, labels, weights)
        };
        let loss = of(labels);
        match mixed {
            None => loss,
            Some(Mixed { labels, weight }) => {
                let other = of(labels);
                loss.mul_scalar(1.0 - weight) + other.mul_scalar(weight)
            }
        }
    }
}

fn cross_entropy(
    log_probabilities: &Tensor<2>,
    labels: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let picked = log_probabilities.clone().gather(1, labels.unsqueeze_dim(1));
    let loss = picked.neg().squeeze_dim::<1>(1);
    if smoothing == 0.0 {
        return loss;
    }
    let uniform = log_probabilities
        .clone()
        .mean_dim(1)
        .neg()
        .squeeze_dim::<1>(1);
    loss.mul_scalar(1.0 - smoothing) + uniform.mul_scalar(smoothing)
}

/// A network with its loss, as burn-train's learner wants it.
#[derive(Module, Debug)]
pub struct Classifier<N> {
    /// The network.
    pub net: N,
    #[module(skip)]
    loss: Loss,
    /// Of each class; empty for equal ones.
    #[module(skip)]
    weights: Vec<f32>,
}

impl<N: Classify> Classifier<N> {
    /// Pairs a network with its loss.
    pub fn new(net: N, loss: Loss) -> Self {
        Self {
            net,
            loss,
            weights: Vec::new(),
        }
    }

    /// The same with the weight of each class, as [`ClassWeights::of`] gives it.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.weights = weights;
        self
    }
}

impl<N: Classify> TrainStep for Classifier<N> {
    type Input = LabeledBatch<N::Input>;
    type Output = ClassificationOutput;

    fn step(&self, batch: Self::Input) -> TrainOutput<Self::Output> {
        let LabeledBatch {
            inputs,
            labels,
            mixed,
        } = batch;
        let logits = self.net.classify(inputs);
        let loss = self
            .loss
            .forward_mixed(logits.clone(), labels.clone(), mixed, &self.weights);
        let grads = loss.clone().mean().backward();
        TrainOutput::new(self, grads, ClassificationOutput::new(loss, logits, labels))
    }
}

impl<N: Classify> InferenceStep for Classifier<N> {
    type Input = LabeledBatch<N::Input>;
    type Output = ClassificationOutput;

    fn step(&self, batch: Self::Input) -> Self::Output {
        let LabeledBatch { inputs, labels, .. } = batch;
        let logits = self.net.classify(inputs);
        // Without smoothing, so that the numbers of two recipes can be compared.
        let loss = Loss::default().forward(logits.clone(), labels.clone());
        ClassificationOutput::new(loss, logits, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn logits(device: &Device) -> Tensor<2> {
        Tensor::from_floats([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], device)
    }

    fn values(tensor: Tensor<1>) -> Vec<f64> {
        tensor.try_into_vec_as::<f64>().unwrap()
    }

    /// Cross-entropy with a whole target distribution, written out.
    fn by_hand(row: [f64; 3], target: [f64; 3]) -> f64 {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        -row.iter()
            .zip(target)
            .map(|(x, t)| t * (x - sum.ln()))
            .sum::<f64>()
    }

    #[test]
    fn smoothing_equals_the_written_out_target() {
        let device = Device::flex();
        let labels = Tensor::from_ints([0, 2], &device);
        let loss = Loss {
            label_smoothing: 0.3,
            ..Loss::default()
        }
        .forward(logits(&device), labels);
        let expected = [
            by_hand([2.0, 0.0, -1.0], [0.8, 0.1, 0.1]),
            by_hand([0.5; 3], [0.1, 0.1, 0.8]),
        ];
        for (found, expected) in values(loss).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn balanced_classes_count_the_same() {
        let labels = [0, 0, 0, 1];
        assert_eq!(ClassWeights::Balanced.of(labels, 2), [4.0 / 6.0, 2.0]);
        assert_eq!(ClassWeights::None.of(labels, 2), [0.0_f32; 0]);
        // A class without items has no say.
        assert_eq!(ClassWeights::Balanced.of([0, 1], 3).len(), 3);
    }

    #[test]
    fn weights_multiply_the_loss_of_their_class_mixed_ones_too() {
        let device = Device::flex();
        let labels = || Tensor::from_ints([0, 2], &device);
        let weights = [2.0, 1.0, 0.5];
        let plain = Loss::default().forward_mixed(logits(&device), labels(), None, &[]);
        let found = Loss::default().forward_mixed(logits(&device), labels(), None, &weights);
        let plain = values(plain);
        let found = values(found);
        assert!((found[0] - 2.0 * plain[0]).abs() < 1e-6, "{found:?}");
        assert!((found[1] - 0.5 * plain[1]).abs() < 1e-6, "{found:?}");
        let mixed = Some(Mixed {
            labels: Tensor::from_ints([1, 2], &device),
            weight: 0.25,
        });
        let found = Loss::default().forward_mixed(logits(&device), labels(), mixed, &weights);
        let expected = by_hand([2.0, 0.0, -1.0], [0.75 * 2.0, 0.25, 0.0]);
        assert!((values(found)[0] - expected).abs() < 1e-6);
    }

    #[test]
    fn weights_without_classes_are_refused_by_key() {
        let check = |weights, sampling, classes| check_by_class(weights, sampling, classes);
        assert_eq!(check(ClassWeights::Balanced, true, true), Ok(()));
        assert_eq!(check(ClassWeights::None, false, false), Ok(()));
        for (weights, sampling, key) in [
            (ClassWeights::Balanced, false, "loss.class_weights"),
            (ClassWeights::None, true, "train.balanced_sampling"),
        ] {
            assert_eq!(check(weights, sampling, false).unwrap_err().key, key);
        }
    }

    #[test]
    fn mixing_equals_the_written_out_target() {
        let device = Device::flex();
        let labels = Tensor::from_ints([0, 2], &device);
        let partners = Tensor::from_ints([1, 2], &device);
        let mixed = Some(Mixed {
            labels: partners,
            weight: 0.25,
        });
        let loss = Loss::default().forward_mixed(logits(&device), labels, mixed, &[]);
        let expected = [
            by_hand([2.0, 0.0, -1.0], [0.75, 0.25, 0.0]),
            by_hand([0.5; 3], [0.0, 0.0, 1.0]),
        ];
        for (found, expected) in values(loss).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }
}
