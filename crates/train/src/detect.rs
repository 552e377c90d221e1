//! Object detection: from a network that predicts boxes to one that burn-train can train.

mod assign;
mod loss;
mod map;

use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor};
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use tinderbox_datasets::image::{BoundingBox, Detection};
use tinderbox_kernels::is_batch_norm_synchronized;
use tinderbox_predict::Detect;
use tinderbox_predict::vision::objects_of;

use crate::LossOutput;
use crate::metrics::TrueBox;

pub use assign::{Assigner, Assignment, CellPredictions};
pub use loss::DetectionLoss;
pub use map::{MapInput, MapMetric};

/// Lowest score of a box that counts in the metric of a validation split.
const LEAST_SCORE: f32 = 0.01;

/// A batch of images with their boxes.
#[derive(Clone, Debug)]
pub struct DetectionBatch {
    /// The images, `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// The boxes to find in each image, in pixels of the input.
    pub boxes: Vec<Vec<BoundingBox>>,
    /// All boxes of each image, with those that are neither to be found nor wrong.
    pub truth: Vec<Vec<TrueBox>>,
}

/// A network with its loss, as burn-train's learner wants it.
#[derive(Module, Debug)]
pub struct ObjectDetector<N> {
    /// The network.
    pub net: N,
    #[module(skip)]
    loss: DetectionLoss,
    /// Intersection over union from which two boxes of a class are of one object.
    #[module(skip)]
    max_overlap: f32,
    /// Weight of each class; empty for equal ones.
    #[module(skip)]
    class_weights: Vec<f32>,
}

impl<N: Detect> ObjectDetector<N> {
    /// Pairs a network with its loss; of boxes that overlap by more than `max_overlap` the best is kept.
    pub fn new(net: N, loss: DetectionLoss, max_overlap: f32) -> Self {
        Self {
            net,
            loss,
            max_overlap,
            class_weights: Vec::new(),
        }
    }

    /// The same with a weight for each class, as [`ClassWeights::of`](crate::classify::ClassWeights::of) computes
    /// them.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Self {
        self.class_weights = weights;
        self
    }
}

/// The output of a validation step.
#[derive(Clone, Debug)]
pub struct DetectionStepOutput {
    /// Loss of the batch for each image, `[batch]`.
    pub loss: Tensor<1>,
    /// What was found in each image; none if the device failed.
    pub found: Vec<Vec<Detection>>,
    /// The boxes of each image.
    pub truth: Vec<Vec<TrueBox>>,
}

impl Adaptor<LossInput> for DetectionStepOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<MapInput> for DetectionStepOutput {
    fn adapt(&self) -> MapInput {
        MapInput {
            found: self.found.clone(),
            truth: self.truth.clone(),
        }
    }
}

impl ItemLazy for DetectionStepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            ..self
        })
    }
}

impl<N: Detect> TrainStep for ObjectDetector<N> {
    type Input = DetectionBatch;
    type Output = LossOutput;

    fn step(&self, batch: DetectionBatch) -> TrainOutput<LossOutput> {
        let [count, _, height, width] = batch.images.dims();
        let mut output = self.net.detect(batch.images);
        if is_batch_norm_synchronized() {
            // Other ranks may have objects where this one has none, and wait for each layer.
            output = output.joined();
        }
        let loss = self
            .loss
            .forward(output, &batch.boxes, [height, width], &self.class_weights);
        let grads = loss.clone().backward();
        TrainOutput::new(self, grads, LossOutput::new(loss.repeat_dim(0, count)))
    }
}

impl<N: Detect> InferenceStep for ObjectDetector<N> {
    type Input = DetectionBatch;
    type Output = DetectionStepOutput;

    fn step(&self, batch: DetectionBatch) -> DetectionStepOutput {
        let [count, _, height, width] = batch.images.dims();
        let output = self.net.detect(batch.images);
        let loss = self.loss.forward(
            output.clone(),
            &batch.boxes,
            [height, width],
            &self.class_weights,
        );
        // A device that fails here fails in the next step too, where it can be reported.
        let found = objects_of(output, LEAST_SCORE, self.max_overlap);
        DetectionStepOutput {
            loss: loss.repeat_dim(0, count),
            found: found.unwrap_or_else(|_| vec![Vec::new(); count]),
            truth: batch.truth,
        }
    }
}
