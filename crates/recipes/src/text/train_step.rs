//! A network with its loss, as burn-train's learner wants it.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

use super::batch::{BatchTruth, TextBatch};
use super::net::TextNet;
use tinderbox_train::classify::{Loss, weighted};

/// A network for texts with its loss.
#[derive(Module, Debug)]
pub struct TextModel {
    /// The network.
    pub net: TextNet,
    #[module(skip)]
    loss: Loss,
    /// Of each class of a text; empty for equal ones.
    #[module(skip)]
    weights: Vec<f32>,
}

impl TextModel {
    /// Pairs a network with its loss.
    pub fn new(net: TextNet, loss: Loss) -> Self {
        Self {
            net,
            loss,
            weights: Vec::new(),
        }
    }

    /// The same with the weight of each class, as
    /// [`ClassWeights::of`](tinderbox_train::classify::ClassWeights::of) gives it.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.weights = weights;
        self
    }

    fn output(&self, batch: TextBatch, loss: &Loss, weights: &[f32]) -> ClassificationOutput {
        match batch.truth {
            BatchTruth::Classes(labels) => {
                let logits = self.net.forward(batch.inputs);
                let loss = loss.forward(logits.clone(), labels.clone());
                let loss = weighted(loss, labels.clone(), weights);
                ClassificationOutput::new(loss, logits, labels)
            }
            BatchTruth::Labels(flags) => {
                let logits = self.net.forward(batch.inputs);
                only_loss(label_loss(logits, flags))
            }
            BatchTruth::Tokens { wanted, counted } => {
                let scores = self.net.forward_tokens(batch.inputs);
                let [batch, seq, outputs] = scores.dims();
                let mut scores = scores.reshape([batch * seq, outputs]);
                if let Some(rows) = counted {
                    scores = scores.select(0, rows);
                }
                only_loss(loss.forward(scores, wanted))
            }
        }
    }
}

/// Cross-entropy of each decision of its own, as a sum for each text, `[batch]`.
pub fn label_loss(logits: Tensor<2>, flags: Tensor<2>) -> Tensor<1> {
    let yes = log_sigmoid(logits.clone());
    // ln(1 - sigmoid(x)) = ln(sigmoid(x)) - x.
    let no = yes.clone() - logits;
    let right = yes * flags.clone() + no * flags.neg().add_scalar(1.0);
    right.neg().sum_dim(1).squeeze_dim(1)
}

/// Accuracy means nothing here.
fn only_loss(loss: Tensor<1>) -> ClassificationOutput {
    let device = loss.device();
    let nothing = Tensor::empty([1, 1], &device);
    ClassificationOutput::new(loss, nothing, Tensor::zeros([1], &device))
}

impl TrainStep for TextModel {
    type Input = TextBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TextBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.output(batch, &self.loss, &self.weights);
        let grads = output.loss.clone().mean().backward();
        TrainOutput::new(self, grads, output)
    }
}

impl InferenceStep for TextModel {
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
