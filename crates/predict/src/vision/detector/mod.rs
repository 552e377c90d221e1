//! Object detection: images to boxes with classes and scores.

mod net;
mod network;
mod nms;
mod published;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::image::{Detection, Image, MAX_PIXELS, MAX_SIDE, decode_full};

pub use net::{DetectionModel, DetectionModelConfig};
pub use network::{DetectionInput, DetectionNetwork, objects_of, place, scale_image};
pub use nms::non_maximum_suppression;
pub use published::{PublishedDetector, is_detector};

use super::Normalize;
use crate::model_dir::ModelError;
use crate::prediction::FoundObject;
use crate::{ModelFiles, PredictError, Prediction};

/// The content of `model.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorSpec {
    /// [`Detector::KIND`].
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// The network.
    pub model: DetectionModelConfig,
    /// Names of the classes, in their order.
    pub labels: Vec<String>,
    /// How images are brought to the input.
    pub input: DetectionInput,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// Lowest score of an object.
    pub threshold: f32,
    /// Where the training data is and how it was split, for a later evaluation.
    pub training: Value,
}

impl DetectorSpec {
    fn check(&self, files: &ModelFiles) -> Result<(), ModelError> {
        let DetectionInput {
            channels,
            size,
            max_overlap,
        } = self.input;
        if !matches!(channels, 1 | 3) || !(1..=MAX_SIDE).contains(&size) {
            return Err(files.refuse("`input` has a size or a number of channels out of range"));
        }
        if !(0.0..=1.0).contains(&max_overlap) || !(0.0..=1.0).contains(&self.threshold) {
            return Err(files.refuse("`threshold` or `input.max_overlap` is out of range"));
        }
        if self.labels.is_empty() {
            return Err(files.refuse("`labels` is empty"));
        }
        let Normalize { mean, std } = &self.normalize;
        if [mean.len(), std.len()] != [channels; 2] {
            return Err(files.refuse("`normalize` does not fit `input.channels`"));
        }
        Ok(())
    }
}

/// A trained detector.
#[derive(Clone, Debug)]
pub struct Detector {
    network: DetectionNetwork,
    spec: DetectorSpec,
}

impl Detector {
    /// The `kind` in `model.json`.
    pub const KIND: &'static str = "object-detector";

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or not of a detector.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: DetectorSpec = files.spec(Self::KIND)?;
        spec.check(files)?;
        let model = spec
            .model
            .init(spec.input.channels, spec.labels.len(), device);
        let model = model.map_err(|error| files.refuse(error))?;
        let model = files.weights(0, |bytes| model.with_bytes(bytes))?;
        Ok(Self::new(model, spec, device))
    }

    /// A detector of its parts.
    pub fn new(model: DetectionModel, spec: DetectorSpec, device: &Device) -> Self {
        Self {
            network: DetectionNetwork {
                model,
                input: spec.input.clone(),
                normalize: spec.normalize.clone(),
                device: device.clone().inner(),
            },
            spec,
        }
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &DetectorSpec {
        &self.spec
    }

    /// The network.
    pub fn network(&self) -> &DetectionNetwork {
        &self.network
    }

    /// Names of the classes, in their order.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// The same model with another lowest score of an object.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        self.spec.threshold = threshold;
        self
    }

    /// Decodes an image file at its own size, turned as its EXIF note says; `name` is its name in an
    /// error.
    ///
    /// # Errors
    ///
    /// If it is no image, is damaged, or claims too many pixels.
    pub fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        let channels = self.spec.input.channels;
        decode_full(bytes, name, channels, MAX_PIXELS).map_err(PredictError::input)
    }

    /// The objects in each image, in its pixels, the best first.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn detect(&self, images: &[Image]) -> Result<Vec<Vec<Detection>>, PredictError> {
        self.network.detect(images, self.spec.threshold)
    }

    /// The prediction for an image of `[height, width]` pixels; `output` is the file with the image that was drawn
    /// of it, if one was.
    pub fn prediction(
        &self,
        [height, width]: [usize; 2],
        found: &[Detection],
        output: Option<String>,
    ) -> Prediction {
        let objects = found.iter().map(|object| {
            let bounds = &object.bounds;
            FoundObject {
                label: self.spec.labels[usize::from(bounds.class)].clone(),
                score: object.score,
                bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
            }
        });
        Prediction::Objects {
            height,
            width,
            objects: objects.collect(),
            output,
        }
    }
}
