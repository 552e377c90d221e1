//! Segmentation: from a network that scores pixels to one that burn-train can train.

mod iou;
mod loss;
mod weight_map;

use burn::module::Module;
use burn::tensor::{ExecutionError, Int, Tensor};
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use tinderbox_predict::Segment;

use crate::LossOutput;

pub use iou::{IouInput, IouMetric};
pub use loss::SegmentationLoss;
pub use weight_map::boundary_weights;

/// A batch of images with the class of each pixel.
#[derive(Clone, Debug)]
pub struct SegmentationBatch {
    /// The images, `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// Class of each pixel, `[batch, height, width]`; 0 where it is ignored.
    pub classes: Tensor<3, Int>,
    /// 1 for each pixel that counts and 0 for each that is ignored, `[batch, height, width]`.
    pub valid: Tensor<3>,
    /// Weight of each pixel in the cross-entropy and the focal loss, `[batch, height, width]`; none for
    /// equal weights.
    pub weights: Option<Tensor<3>>,
}

/// A network with its loss, as burn-train's learner wants it.
#[derive(Module, Debug)]
pub struct PixelClassifier<N> {
    /// The network.
    pub net: N,
    #[module(skip)]
    loss: SegmentationLoss,
}

impl<N: Segment> PixelClassifier<N> {
    /// Pairs a network with its loss.
    pub fn new(net: N, loss: SegmentationLoss) -> Self {
        Self { net, loss }
    }
}

/// The output of a validation step.
#[derive(Clone, Debug)]
pub struct SegmentationOutput {
    /// Loss of each image, `[batch]`.
    pub loss: Tensor<1>,
    /// Predicted class of each pixel, `[batch, height, width]`.
    pub predicted: Tensor<3, Int>,
    /// True class of each pixel, `[batch, height, width]`.
    pub classes: Tensor<3, Int>,
    /// 1 for each pixel that counts, `[batch, height, width]`.
    pub valid: Tensor<3>,
}

impl Adaptor<LossInput> for SegmentationOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<IouInput> for SegmentationOutput {
    fn adapt(&self) -> IouInput {
        IouInput {
            predicted: self.predicted.clone(),
            classes: self.classes.clone(),
            valid: self.valid.clone(),
        }
    }
}

impl ItemLazy for SegmentationOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            ..self
        })
    }
}

impl<N: Segment> TrainStep for PixelClassifier<N> {
    type Input = SegmentationBatch;
    type Output = LossOutput;

    fn step(&self, batch: SegmentationBatch) -> TrainOutput<LossOutput> {
        let logits = self.net.segment(batch.images.clone());
        let loss = self.loss.forward(logits, &batch);
        let grads = loss.clone().mean().backward();
        TrainOutput::new(self, grads, LossOutput::new(loss))
    }
}

impl<N: Segment> InferenceStep for PixelClassifier<N> {
    type Input = SegmentationBatch;
    type Output = SegmentationOutput;

    fn step(&self, batch: SegmentationBatch) -> SegmentationOutput {
        let logits = self.net.segment(batch.images.clone());
        SegmentationOutput {
            loss: self.loss.forward(logits.clone(), &batch),
            predicted: logits.argmax(1).squeeze_dim(1),
            classes: batch.classes,
            valid: batch.valid,
        }
    }
}
