//! A trained image classifier, read from its folder.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataset::Dataset;
use burn::tensor::Device;
use tinderbox_datasets::{
    DecodeOptions, Fit, Image, ImageError, LabelledImage, decode_bytes, decode_image,
};

use super::recipe::Data;
use super::{ImageNet, KIND, Spec, VisionError, eval_loader, image_error};
use crate::classify::{predict_all, probabilities};
use crate::metrics::{Predictions, check_threshold, decide};
use crate::model_dir::{self, ModelError};
use crate::train::ConfigError;

/// What a network says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Name of the most probable class.
    pub label: String,
    /// Probability of each class, in the order of the labels.
    pub probabilities: Vec<(String, f32)>,
}

/// A trained image classifier.
pub struct Predictor {
    net: ImageNet,
    spec: Spec,
    device: Device,
    /// Of two classes, the decision threshold if it is not a half.
    threshold: Option<f64>,
}

impl Predictor {
    /// Reads a `model/` folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of a newer version or not of an image classifier.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        let spec: Spec = model_dir::load_spec(dir)?;
        if spec.kind != KIND {
            let reason = format!("it holds a `{}`, not an `{KIND}`", spec.kind);
            return Err(ModelError::spec(dir, reason));
        }
        let [_, _, channels] = spec.shape;
        let statistics = [spec.normalize.mean.len(), spec.normalize.std.len()];
        if statistics != [channels; 2] || !matches!(channels, 1 | 3) {
            return Err(ModelError::spec(
                dir,
                "its `normalize` does not fit its `shape`",
            ));
        }
        let net = spec
            .architecture
            .init(spec.shape, spec.labels.len(), device)
            .map_err(|error| ModelError::spec(dir, error))?;
        let net = model_dir::load_weights(dir, |bytes| net.with_bytes(bytes))?;
        Ok(Self {
            net,
            spec,
            device: device.clone(),
            threshold: None,
        })
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, ConfigError> {
        self.threshold = Some(check_threshold(threshold, self.spec.labels.len())?);
        Ok(self)
    }

    /// Names of the classes, in the order of their labels.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// The data that the model was trained on, for an evaluation on its splits.
    pub fn data(&self) -> &Data {
        &self.spec.data
    }

    /// Reads and classifies an image file of any size and colour type.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is no image.
    pub fn predict_file(&self, path: &Path) -> Result<Prediction, ImageError> {
        Ok(self.predict(&decode_image(path, &self.decode_options())?))
    }

    /// Reads and classifies the content of an image file.
    ///
    /// # Errors
    ///
    /// If it is no image.
    pub fn predict_bytes(&self, bytes: &[u8]) -> Result<Prediction, ImageError> {
        Ok(self.predict(&decode_bytes(
            bytes,
            Path::new("-"),
            &self.decode_options(),
        )?))
    }

    fn decode_options(&self) -> DecodeOptions {
        let [height, width, channels] = self.spec.shape;
        let fit = match self.spec.data {
            Data::ImageFolder { fit, .. } => fit,
            Data::Digits { .. } | Data::Idx { .. } => Fit::Stretch,
        };
        DecodeOptions {
            fit,
            ..DecodeOptions::new(height, width, channels)
        }
    }

    /// Classifies an image of the size that the network takes.
    ///
    /// # Panics
    ///
    /// If it has another size.
    pub fn predict(&self, image: &Image) -> Prediction {
        let batch = self
            .spec
            .normalize
            .batch(std::slice::from_ref(image), &self.device);
        let scores = probabilities(&self.net, batch);
        // A single small read: it can only fail with the device itself.
        let scores: Vec<f32> = scores.into_data().iter::<f32>().collect();
        let label = self.spec.labels[decide(&scores, self.threshold)].clone();
        let probabilities = self.spec.labels.iter().cloned().zip(scores).collect();
        Prediction {
            label,
            probabilities,
        }
    }

    /// Runs the network over a labelled set of images of its size.
    ///
    /// # Errors
    ///
    /// If an image cannot be loaded or has another size.
    pub fn evaluate(
        &self,
        images: &Arc<dyn Dataset<LabelledImage>>,
    ) -> Result<Predictions, VisionError> {
        let loader = eval_loader(images, &self.spec.normalize, 1, &self.device)?;
        let mut predictions = predict_all(&self.net, &loader).map_err(image_error)?;
        predictions.threshold = self.threshold;
        Ok(predictions)
    }

    /// `[height, width, channels]` of the images that the network takes.
    pub fn shape(&self) -> [usize; 3] {
        self.spec.shape
    }
}
