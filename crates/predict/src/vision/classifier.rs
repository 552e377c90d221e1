//! A trained image classifier.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::image::{DecodeOptions, Image, decode_bytes};

use super::{ImageEnsemble, ImageModel, ImageModelConfig, Normalize, PublishedModel, Views};
use crate::calibration::Temperature;
use crate::decision::{check_threshold, decide};
use crate::model_dir::ModelError;
use crate::{ModelFiles, PredictError, Prediction};

/// Most networks of a model folder.
const MAX_MEMBERS: usize = 100;

/// The content of `model.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageClassifierSpec {
    /// [`ImageClassifier::KIND`].
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Number of networks whose predictions are averaged.
    pub members: usize,
    /// The network.
    pub model: ImageModelConfig,
    /// Names of the classes, in the order of their labels.
    pub labels: Vec<String>,
    /// Size, channels and resize rule of the input.
    pub input: DecodeOptions,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// By which log-probabilities are divided.
    pub temperature: Temperature,
    /// Whether the probabilities of an image and of its mirror image are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub average_flip: bool,
    /// Pixels that four more versions of an image are shifted by, whose probabilities are averaged too; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub average_shift: usize,
    /// Where the training data is and how it was split, for a later evaluation.
    pub training: Value,
}

impl ImageClassifierSpec {
    /// `[height, width, channels]` of the images that the network takes.
    pub fn shape(&self) -> [usize; 3] {
        [self.input.height, self.input.width, self.input.channels]
    }

    /// The versions of an image whose probabilities are averaged.
    pub fn views(&self) -> Views {
        Views::new(self.average_flip, self.average_shift, &self.normalize)
    }

    fn check(&self, files: &ModelFiles) -> Result<(), ModelError> {
        if !(1..=MAX_MEMBERS).contains(&self.members) {
            let reason = format!("`members` must be from 1 to {MAX_MEMBERS}");
            return Err(files.refuse(reason));
        }
        self.input.validate().map_err(|error| files.refuse(error))?;
        let Normalize { mean, std } = &self.normalize;
        if [mean.len(), std.len()] != [self.input.channels; 2] {
            return Err(files.refuse("`normalize` does not fit `input.channels`"));
        }
        if self.average_shift > 0 && self.average_shift >= self.input.height.min(self.input.width) {
            return Err(files.refuse("`average_shift` must be less than the sides of `input`"));
        }
        Ok(())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// A trained image classifier.
#[derive(Clone, Debug)]
pub struct ImageClassifier {
    ensemble: ImageEnsemble,
    spec: ImageClassifierSpec,
    device: Device,
    /// The decision threshold of two classes, if it is not a half.
    threshold: Option<f64>,
}

impl ImageClassifier {
    /// The `kind` in `model.json`.
    pub const KIND: &'static str = "image-classifier";

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or not of an image classifier.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: ImageClassifierSpec = files.spec(Self::KIND)?;
        spec.check(files)?;
        let members = (0..spec.members).map(|member| {
            let model = spec.model.init(spec.shape(), spec.labels.len(), device);
            let model = model.map_err(|error| files.refuse(error))?;
            files.weights(member, |bytes| model.with_bytes(bytes))
        });
        let models = members.collect::<Result<_, ModelError>>()?;
        Ok(Self {
            ensemble: ImageEnsemble {
                models,
                temperature: spec.temperature,
                views: spec.views(),
            },
            spec,
            device: device.clone().inner(),
            threshold: None,
        })
    }

    /// Published weights as a classifier into their own classes.
    pub(super) fn published(from: &PublishedModel, model: ImageModel, device: &Device) -> Self {
        let spec = ImageClassifierSpec {
            kind: Self::KIND.to_owned(),
            recipe: from.architecture.clone(),
            members: 1,
            model: from.config.clone(),
            labels: from.labels.clone(),
            input: from.decode.clone(),
            normalize: from.normalize.clone(),
            temperature: Temperature::default(),
            average_flip: false,
            average_shift: 0,
            training: Value::Null,
        };
        Self {
            ensemble: ImageEnsemble::new(vec![model]),
            spec,
            device: device.clone().inner(),
            threshold: None,
        }
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes, or the threshold is no probability.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, PredictError> {
        self.threshold = Some(check_threshold(threshold, self.spec.labels.len())?);
        Ok(self)
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &ImageClassifierSpec {
        &self.spec
    }

    /// The networks.
    pub fn ensemble(&self) -> &ImageEnsemble {
        &self.ensemble
    }

    /// The device that it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The decision threshold of two classes, if it is not a half.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Names of the classes, in the order of their labels.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// Decodes an image file and brings it to the input of the network; `name` is its name in an
    /// error.
    ///
    /// # Errors
    ///
    /// If it is no image, is damaged, or claims too many pixels.
    pub fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        decode_bytes(bytes, name, &self.spec.input).map_err(PredictError::input)
    }

    /// Classifies images of the size that the network takes, in batches.
    ///
    /// # Errors
    ///
    /// If an image has another size, or the device fails.
    pub fn predict(&self, images: &[Image]) -> Result<Vec<Prediction>, PredictError> {
        let expected = self.spec.shape();
        let shape = |image: &Image| [image.height, image.width, image.channels];
        if let Some(found) = images.iter().map(shape).find(|&found| found != expected) {
            let reason =
                format!("an image is {found:?} (height, width, channels), expected {expected:?}");
            return Err(PredictError::input(reason));
        }
        let size = ImageEnsemble::batch_size(expected);
        let mut predictions = Vec::with_capacity(images.len());
        for batch in images.chunks(size) {
            let inputs = self.spec.normalize.batch(batch, &self.device);
            let probabilities = self.ensemble.probabilities(&inputs)?;
            let rows = probabilities.chunks_exact(self.spec.labels.len());
            predictions.extend(rows.map(|row| self.prediction(row)));
        }
        Ok(predictions)
    }

    fn prediction(&self, row: &[f32]) -> Prediction {
        let labels = &self.spec.labels;
        Prediction::Class {
            label: labels[decide(row, self.threshold)].clone(),
            probabilities: labels.iter().cloned().zip(row.iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A model folder with untrained networks for images of 8×8 gray pixels.
    fn files(members: usize, temperature: f64) -> ModelFiles {
        let device = Device::flex();
        let model = ImageModelConfig::of_kind("cnn").unwrap();
        let mut files = BTreeMap::new();
        for member in 0..members {
            let net = model.init([8, 8, 1], 3, &device).unwrap();
            let name = if member == 0 {
                "weights.safetensors".to_owned()
            } else {
                format!("weights-{member}.safetensors")
            };
            files.insert(name, net.to_bytes().unwrap());
        }
        let spec = ImageClassifierSpec {
            kind: ImageClassifier::KIND.to_owned(),
            recipe: "digits".to_owned(),
            members,
            model,
            labels: ["a", "b", "c"].map(str::to_owned).to_vec(),
            input: DecodeOptions::new(8, 8, 1),
            normalize: Normalize {
                mean: vec![0.5],
                std: vec![0.25],
            },
            temperature: Temperature::try_from(temperature).unwrap(),
            average_flip: false,
            average_shift: 0,
            training: Value::Null,
        };
        let mut json = serde_json::to_value(&spec).unwrap();
        json["format"] = 2.into();
        files.insert("model.json".to_owned(), json.to_string().into_bytes());
        ModelFiles::from_memory(files)
    }

    fn images() -> Vec<Image> {
        let image = |seed: usize| Image {
            height: 8,
            width: 8,
            channels: 1,
            pixels: (0..64)
                .map(|at| ((at * 37 + seed * 101) % 256) as u8)
                .collect(),
        };
        (0..7).map(image).collect()
    }

    fn probabilities(prediction: &Prediction) -> (&str, Vec<f32>) {
        let Prediction::Class {
            label,
            probabilities,
        } = prediction
        else {
            panic!("{prediction:?}")
        };
        (label, probabilities.iter().map(|(_, p)| *p).collect())
    }

    #[test]
    fn an_image_alone_is_classified_as_in_a_batch() {
        let model = ImageClassifier::load(&files(3, 2.0), &Device::flex()).unwrap();
        let images = images();
        let batch = model.predict(&images).unwrap();
        assert_eq!(batch.len(), images.len());
        for (image, in_batch) in images.iter().zip(&batch) {
            let alone = model.predict(std::slice::from_ref(image)).unwrap();
            let (label, values) = probabilities(&alone[0]);
            let (expected_label, expected) = probabilities(in_batch);
            assert_eq!(label, expected_label);
            let mut pairs = values.iter().zip(&expected);
            assert!(pairs.all(|(value, expected)| (value - expected).abs() < 1e-6));
            assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn an_image_and_its_mirror_image_are_averaged() {
        let mut model = ImageClassifier::load(&files(2, 1.5), &Device::flex()).unwrap();
        let images = images();
        let mirrored = images.iter().cloned().map(|mut image| {
            image
                .pixels
                .chunks_mut(image.width)
                .for_each(<[u8]>::reverse);
            image
        });
        let mirrored: Vec<Image> = mirrored.collect();
        let predict = |model: &ImageClassifier, images: &[Image]| -> Vec<f32> {
            let predictions = model.predict(images).unwrap();
            let rows = predictions.iter().map(|row| probabilities(row).1);
            rows.flatten().collect()
        };
        let apart = |a: &[f32], b: &[f32]| {
            let pairs = a.iter().zip(b);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let plain = predict(&model, &images);
        assert!(apart(&plain, &predict(&model, &mirrored)) > 1e-4);
        model.ensemble.views = Views::new(true, 0, &model.spec.normalize);
        let averaged = predict(&model, &images);
        assert!(apart(&averaged, &predict(&model, &mirrored)) < 1e-6);
        assert!(apart(&averaged, &plain) > 1e-4);
    }

    #[test]
    fn an_image_of_another_size_is_refused() {
        let model = ImageClassifier::load(&files(1, 1.0), &Device::flex()).unwrap();
        let mut image = images().remove(0);
        image.width = 4;
        image.pixels.truncate(32);
        let error = model.predict(&[image]).unwrap_err();
        assert!(
            error.is_user() && error.to_string().contains("[8, 4, 1]"),
            "{error}"
        );
        assert!(model.predict(&[]).unwrap().is_empty());
    }

    #[test]
    fn only_two_classes_have_a_threshold() {
        let model = ImageClassifier::load(&files(1, 1.0), &Device::flex()).unwrap();
        assert!(model.with_threshold(0.3).is_err());
    }
}
