//! Image networks that predict together.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::{ImageModel, Views};
use crate::calibration::Temperature;
use crate::{Classify as _, PredictError, ensemble};

/// Most images of a batch.
const MAX_BATCH: usize = 250;

/// Most values of the images of a batch: those of 250 images of 64×64 pixels in color.
const MAX_VALUES: usize = MAX_BATCH * 64 * 64 * 3;

/// Networks whose probabilities are averaged and then calibrated.
#[derive(Clone, Debug)]
pub struct ImageEnsemble {
    /// The networks.
    pub models: Vec<ImageModel>,
    /// By which their log-probabilities are divided.
    pub temperature: Temperature,
    /// The versions of an image whose probabilities are averaged.
    pub views: Views,
}

impl ImageEnsemble {
    /// Networks without calibration, on images as they are.
    pub fn new(models: Vec<ImageModel>) -> Self {
        Self {
            models,
            temperature: Temperature::default(),
            views: Views::default(),
        }
    }

    /// Number of images of `[height, width, channels]` that go through the networks at once.
    pub fn batch_size(shape: [usize; 3]) -> usize {
        let values: usize = shape.iter().product();
        (MAX_VALUES / values.max(1)).clamp(1, MAX_BATCH)
    }

    /// The probability of each class of each image, row after row.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`
    /// - output: `[batch, classes]`
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn probabilities(&self, images: &Tensor<4>) -> Result<Vec<f32>, PredictError> {
        let mut classes = 1;
        let inputs = self.views.of(images);
        let pairs = self.models.iter().flat_map(|model| {
            let inputs = inputs.iter();
            inputs.map(move |input| (model, input.clone()))
        });
        let outputs = pairs.map(|(model, input)| {
            let scores = softmax(model.classify(input), 1);
            classes = scores.dims()[1];
            let values = scores.try_into_vec_as::<f32>();
            values.map_err(PredictError::device)
        });
        let mean = ensemble::finite(ensemble::mean(outputs)?)?;
        Ok(self.temperature.calibrate(mean, classes))
    }
}
