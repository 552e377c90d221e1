//! The training step of a network for texts.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

use tinderbox_predict::text::TextModel;
use tinderbox_train::classify::{Loss, weighted};

use super::batch::{BatchTargets, TextBatch};

/// A network for texts with its loss.
#[derive(Module, Debug)]
pub struct TrainableTextModel {
    /// The network.
    pub model: TextModel,
    #[module(skip)]
    loss: Loss,
    /// Weight of each class; empty for equal weights.
    #[module(skip)]
    weights: Vec<f32>,
}

impl TrainableTextModel {
    /// Pairs a network with its loss.
    pub fn new(model: TextModel, loss: Loss) -> Self {
        Self {
            model,
            loss,
            weights: Vec::new(),
        }
    }

    /// The same with the weights of the classes, from
    /// [`ClassWeights::of`](tinderbox_train::classify::ClassWeights::of).
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.weights = weights;
        self
    }

    fn output(&self, batch: TextBatch, loss: &Loss, weights: &[f32]) -> ClassificationOutput {
        match batch.targets {
            BatchTargets::Classes(labels) => {
                let logits = self.model.forward(batch.inputs);
                let loss = loss.forward(logits.clone(), labels.clone());
                let loss = weighted(loss, labels.clone(), weights);
                ClassificationOutput::new(loss, logits, labels)
            }
            BatchTargets::Labels(flags) => {
                let logits = self.model.forward(batch.inputs);
                only_loss(label_loss(logits, flags))
            }
            BatchTargets::Tokens { targets, positions } => {
                let scores = self.model.forward_tokens(batch.inputs);
                let [batch, seq, outputs] = scores.dims();
                let mut scores = scores.reshape([batch * seq, outputs]);
                if let Some(positions) = positions {
                    scores = scores.select(0, positions);
                }
                only_loss(loss.forward(scores, targets))
            }
        }
    }
}

/// Binary cross-entropy, summed over the labels of each text, `[batch]`.
pub fn label_loss(logits: Tensor<2>, flags: Tensor<2>) -> Tensor<1> {
    let yes = log_sigmoid(logits.clone());
    // ln(1 - sigmoid(x)) = ln(sigmoid(x)) - x.
    let no = yes.clone() - logits;
    let right = yes * flags.clone() + no * flags.neg().add_scalar(1.0);
    right.neg().sum_dim(1).squeeze_dim(1)
}

/// The output of a step without classes, whose accuracy is not measured.
fn only_loss(loss: Tensor<1>) -> ClassificationOutput {
    let device = loss.device();
    let logits = Tensor::empty([1, 1], &device);
    ClassificationOutput::new(loss, logits, Tensor::zeros([1], &device))
}

impl TrainStep for TrainableTextModel {
    type Input = TextBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TextBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.output(batch, &self.loss, &self.weights);
        let grads = output.loss.clone().mean().backward();
        TrainOutput::new(self, grads, output)
    }
}

impl InferenceStep for TrainableTextModel {
    type Input = TextBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TextBatch) -> ClassificationOutput {
        // Without smoothing, so that the numbers of two recipes can be compared.
        self.output(batch, &Loss::default(), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_loss_of_labels_is_the_formula() {
        let device = Device::flex();
        let logits = Tensor::from_floats([[0.0, 2.0], [-30.0, 30.0]], &device);
        let flags = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let loss = label_loss(logits, flags).try_into_vec_as::<f64>().unwrap();
        let expected = 2.0_f64.ln() + (1.0 + 2.0_f64.exp()).ln();
        assert!((loss[0] - expected).abs() < 1e-5, "{loss:?}");
        assert!(loss[1].abs() < 1e-5, "{loss:?}");
    }
}
