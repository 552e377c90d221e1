//! A trained image classifier, read from its folder.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::image::{
    DecodeOptions, Fit, Image, ImageError, decode_bytes, decode_image,
};

use super::data::{DataError, Opened, Splits, open, open_other};
use super::recipe::Data;
use super::{ImageNet, KIND, Spec, VisionError, eval_loader, image_error};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::decision::{check_threshold, decide};
use tinderbox_predict::model_dir::ModelError;
use tinderbox_train::ConfigError;
use tinderbox_train::classify::{predict_all, probabilities};
use tinderbox_train::metrics::Predictions;
use tinderbox_train::splits::{Scope, SplitList, digest};

/// What a network says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Name of the most probable class.
    pub label: String,
    /// Probability of each class, in the order of the labels.
    pub probabilities: Vec<(String, f32)>,
}

/// What an evaluation gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What was predicted of each image, with its class.
    pub predictions: Predictions,
    /// Which images these are; none if the run has no split list, and the split was made again.
    pub scope: Option<Scope>,
    /// Where they are from, if other data has a split of its own of the name asked for.
    pub named: Option<String>,
    /// What else a person should know, such as files left out.
    pub notes: Vec<String>,
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
        let files = ModelFiles::open(dir);
        let spec: Spec = files.spec(KIND)?;
        let [_, _, channels] = spec.shape;
        let statistics = [spec.normalize.mean.len(), spec.normalize.std.len()];
        if statistics != [channels; 2] || !matches!(channels, 1 | 3) {
            return Err(ModelError::spec(
                dir,
                "its `normalize` does not fit its `shape`",
            ));
        }
        if let Some(decode) = &spec.decode {
            decode
                .validate()
                .map_err(|error| ModelError::spec(dir, error))?;
            if [decode.height, decode.width, decode.channels] != spec.shape {
                return Err(ModelError::spec(
                    dir,
                    "its `decode` does not fit its `shape`",
                ));
            }
        }
        let net = spec
            .architecture
            .init(spec.shape, spec.labels.len(), device)
            .map_err(|error| ModelError::spec(dir, error))?;
        let net = files.weights(0, |bytes| net.with_bytes(bytes))?;
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

    /// The data that the model was trained on, without its path.
    pub fn data(&self) -> &Data {
        &self.spec.data
    }

    /// How an image file is brought to the input of the network, as it was decided at training.
    pub fn decode_options(&self) -> DecodeOptions {
        if let Some(decode) = &self.spec.decode {
            return decode.clone();
        }
        // Models of older versions: what these did.
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

    /// Reads and classifies an image file of any size and color type.
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

    /// Evaluates a stored split of the data that the model was trained on, or all images of other data.
    ///
    /// `data` is that of the recipe; `other` is the path that the user named. `list` is that of the run, if
    /// it has one: see [`SplitList::choose`] for what is evaluated. Of other data with a split of this
    /// name, only the split is evaluated.
    ///
    /// # Errors
    ///
    /// If the images cannot be read, are of other classes or another size, or none are left.
    pub fn evaluate(
        &self,
        data: &Data,
        other: Option<&Path>,
        list: Option<&SplitList>,
        split: &str,
    ) -> Result<Evaluation, VisionError> {
        let mut opened = self.open(data, other)?;
        let items = opened.items();
        let scope = match list {
            Some(list) => Some(list.choose(&items, split, other.is_some())),
            None if other.is_some() && self.spec.data_digest.as_ref() != Some(&digest(&items)) => {
                Some(Scope::Whole { trained_on: 0 })
            }
            None => None,
        };
        let mut notes = std::mem::take(&mut opened.notes);
        if !opened.left_out.is_empty() {
            notes.push(opened.left_out.to_string());
        }
        let mut named = None;
        let rows = match &scope {
            Some(Scope::Stored { rows, .. }) => rows.clone(),
            Some(Scope::Whole { .. }) => match opened.named(split) {
                Some(own) => {
                    named = Some(own.source.clone());
                    own.range.clone().collect()
                }
                None => (0..items.len()).collect(),
            },
            None => {
                let splits = Splits::new(&opened, data)?;
                let place = ["train", "valid", "test"]
                    .iter()
                    .position(|name| *name == split);
                place.map_or(Vec::new(), |place| splits.rows[place].clone())
            }
        };
        if rows.is_empty() {
            return Err(DataError::Empty(split.to_owned()).into());
        }
        let images = opened.select(rows)?;
        let loader = eval_loader(&images, &self.spec.normalize, 1, &self.device)?;
        let mut predictions = predict_all(&self.net, &loader).map_err(image_error)?;
        predictions.threshold = self.threshold;
        Ok(Evaluation {
            predictions,
            scope,
            named,
            notes,
        })
    }

    /// Opens the images that the model was trained on, or others.
    fn open(&self, data: &Data, other: Option<&Path>) -> Result<Opened, VisionError> {
        let skip_broken = matches!(
            data,
            Data::ImageFolder {
                skip_broken: true,
                ..
            }
        );
        let (decode, labels) = (self.decode_options(), &self.spec.labels);
        let own = match data {
            Data::ImageFolder { path, .. } if !path.is_empty() => Some(Path::new(path)),
            _ => None,
        };
        let opened = match (other, own) {
            (Some(path), _) | (None, Some(path)) => open_other(path, &decode, labels, skip_broken)?,
            (None, None) => open(data)?,
        };
        let (found, expected) = (opened.shape(), self.spec.shape);
        if found != expected {
            return Err(DataError::Shape { found, expected }.into());
        }
        if opened.classes != *labels {
            return Err(DataError::Classes {
                found: opened.classes,
                expected: labels.clone(),
            }
            .into());
        }
        Ok(opened)
    }

    /// `[height, width, channels]` of the images that the network takes.
    pub fn shape(&self) -> [usize; 3] {
        self.spec.shape
    }
}
