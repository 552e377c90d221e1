//! Published weights of detectors.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;
use tinderbox_models::Template;
use tinderbox_models::pretrained::{SafeTensorsError, SafeTensorsFile};
use tinderbox_models::vision::YoloxConfig;

use super::{DetectionInput, DetectionModel, DetectionModelConfig, Detector, DetectorSpec};
use crate::vision::Normalize;
use crate::vision::published::config::PublishedConfig;
use crate::vision::published::{PublishedError, digest, first_tensors, folder, labels};

/// A tensor that only detectors have.
const CLASSIFIER: &str = "head.cls_preds.0.weight";

/// The published sizes of YOLOX with the side of their input.
const SIZES: [(&str, usize); 6] = [
    ("nano", 416),
    ("tiny", 416),
    ("s", 640),
    ("m", 640),
    ("l", 640),
    ("x", 640),
];

/// Channels of an image.
const CHANNELS: usize = 3;

/// Lowest score of an object.
const THRESHOLD: f32 = 0.3;

/// Intersection over union from which two boxes are of one object, as in the evaluation of YOLOX.
const MAX_OVERLAP: f32 = 0.65;

/// Published weights of YOLOX, with its input and classes.
#[derive(Debug)]
pub struct PublishedDetector {
    /// Name of the network, as in `yolox_nano`.
    pub architecture: String,
    /// Its configuration.
    pub config: YoloxConfig,
    /// Longer side of its input, in pixels.
    pub size: usize,
    /// Names of its classes, in their order.
    pub labels: Vec<String>,
    /// SHA-256 of the file with the weights, in hexadecimal digits.
    pub digest: String,
    /// What was assumed, as whole lines.
    pub notes: Vec<String>,
    file: SafeTensorsFile,
}

/// Whether a folder or file has the weights of a detector.
pub fn is_detector(path: &Path) -> bool {
    let weights = folder::find_weights(path).ok();
    let file = weights.and_then(|weights| SafeTensorsFile::open(weights).ok());
    file.is_some_and(|file| file.shape(CLASSIFIER).is_some())
}

impl PublishedDetector {
    /// Opens a folder with `model.safetensors`, or the file itself, and finds out which size it is.
    ///
    /// # Errors
    ///
    /// If there are no weights, they are damaged, in another format or of another network.
    pub fn open(path: &Path) -> Result<Self, PublishedError> {
        let weights = folder::find_weights(path)?;
        let config_path = weights.with_file_name("config.json");
        let config = PublishedConfig::read(&config_path)?;
        let file = SafeTensorsFile::open(&weights)?;
        let shape = file.shape(CLASSIFIER).and_then(|shape| shape.first());
        let classes = shape.copied().ok_or_else(|| SafeTensorsError::Missing {
            path: weights.clone(),
            tensor: CLASSIFIER.to_owned(),
        })?;
        let named = config.as_ref().map(|config| config.name().to_owned());
        let (size, side, network) = find(&file, named.as_deref(), classes)?;
        let mut notes = Vec::new();
        if let Some(config) = &config {
            config.check_classes(&config_path, classes)?;
        } else {
            notes.push(format!(
                "no `config.json` next to `{}`: assumed `yolox_{size}`, images of {side}x{side}",
                weights.display()
            ));
        }
        let (labels, note) = labels(config.as_ref(), classes);
        notes.extend(note);
        let input = config.and_then(|config| config.pretrained_cfg.input_size);
        Ok(Self {
            architecture: format!("yolox_{size}"),
            config: network,
            size: input.map_or(side, |[_, height, width]| height.max(width)),
            labels,
            digest: digest(&weights)?,
            notes,
            file,
        })
    }

    /// The file with the weights.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The normalization of images of red, green and blue.
    pub fn normalize(&self) -> Normalize {
        // From 0 to 255, as published.
        Normalize {
            mean: vec![0.0; CHANNELS],
            std: vec![1.0 / 255.0; CHANNELS],
        }
    }

    /// The network for images of red, green and blue; the published one reads them in the other order.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn load(&self, device: &Device) -> Result<DetectionModel, PublishedError> {
        let network = self.config.init(device);
        let network = self.file.load(network, &self.config.release_names())?;
        Ok(DetectionModel::Yolox(network.with_reversed_channels()))
    }

    /// The network with new, untrained outputs for so many classes.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn with_classes(
        &self,
        classes: usize,
        device: &Device,
    ) -> Result<DetectionModel, PublishedError> {
        let config = YoloxConfig {
            num_classes: classes,
            ..self.config.clone()
        };
        let names = config.release_names();
        let names = (0..3).fold(names, |names, level| {
            names.keep(&format!("head.levels.{level}.classes"))
        });
        let network = self.file.load(config.init(device), &names)?;
        Ok(DetectionModel::Yolox(network.with_reversed_channels()))
    }

    /// A detector of the published classes.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn detector(&self, device: &Device) -> Result<Detector, PublishedError> {
        let spec = DetectorSpec {
            kind: Detector::KIND.to_owned(),
            recipe: self.architecture.clone(),
            model: DetectionModelConfig::Yolox(Template(self.config.clone())),
            labels: self.labels.clone(),
            input: DetectionInput {
                channels: CHANNELS,
                size: self.size,
                max_overlap: MAX_OVERLAP,
            },
            normalize: self.normalize(),
            threshold: THRESHOLD,
            training: Value::Null,
        };
        Ok(Detector::new(self.load(device)?, spec, device))
    }
}

/// The size that `config.json` names or, without it, the one that fits.
fn find(
    file: &SafeTensorsFile,
    named: Option<&str>,
    classes: usize,
) -> Result<(&'static str, usize, YoloxConfig), PublishedError> {
    let sizes = SIZES.iter().filter_map(|&(size, side)| {
        let config = YoloxConfig::of_size(size, CHANNELS, classes)?;
        Some((size, side, config))
    });
    let fits = |config: &YoloxConfig| {
        // Parameters are made when they are used, so this network costs nothing.
        file.fits(&config.init(&Device::default()), &config.release_names())
    };
    let Some(named) = named else {
        let mut sizes = sizes;
        return sizes
            .find(|(_, _, config)| fits(config).is_ok())
            .ok_or_else(|| PublishedError::NoneFits {
                path: file.path().to_owned(),
                tensors: first_tensors(file),
            });
    };
    let sizes: Vec<_> = sizes.collect();
    let found = sizes
        .iter()
        .find(|(size, ..)| named.strip_prefix("yolox_") == Some(size));
    let Some(found) = found else {
        return Err(PublishedError::Unknown {
            path: file.path().with_file_name("config.json"),
            name: named.to_owned(),
        });
    };
    fits(&found.2).map_err(|difference| {
        let fitting = sizes.iter().filter(|(.., config)| fits(config).is_ok());
        let fitting: Vec<String> = fitting.map(|(size, ..)| format!("yolox_{size}")).collect();
        PublishedError::Other {
            name: named.to_owned(),
            difference,
            fits: if fitting.is_empty() {
                "none of the published sizes of YOLOX fits".to_owned()
            } else {
                format!("they fit {}", fitting.join(", "))
            },
        }
    })?;
    Ok(found.clone())
}
