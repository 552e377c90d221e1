//! Published weights: a folder in the layout of the Hugging Face hub.
//!
//! The folder has `model.safetensors` and usually `config.json`, as those of timm have (Wightman, *PyTorch
//! image models*, 2019, <https://doi.org/10.5281/zenodo.4414861>). Without `config.json` the network is
//! recognized by the names and shapes of its tensors.

mod architecture;
pub(in crate::vision) mod config;
mod error;
pub(in crate::vision) mod folder;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use burn::nn::LinearConfig;
use burn::tensor::Device;
use sha2::{Digest as _, Sha256};
use tinderbox_datasets::format::hex_digits;
use tinderbox_datasets::image::DecodeOptions;
use tinderbox_models::pretrained::SafeTensorsFile;

pub(in crate::vision) use architecture::first_tensors;
pub use error::PublishedError;

use self::architecture::Architecture;
use self::config::PublishedConfig;
use super::{ImageClassifier, ImageModel, ImageModelConfig, Normalize};

/// Names of the 1,000 classes of `ImageNet` (Russakovsky et al., 2015, <https://arxiv.org/abs/1409.0575>), in
/// the order of their `WordNet` numbers.
const IMAGENET_CLASSES: &str = include_str!("imagenet_classes.txt");

/// Published weights of a network for images, with their preprocessing and classes.
#[derive(Debug)]
pub struct PublishedModel {
    /// Name of the network, as in `efficientnet_lite0`.
    pub architecture: String,
    /// Its configuration.
    pub config: ImageModelConfig,
    /// Size and resize rule of its input.
    pub decode: DecodeOptions,
    /// Normalization of its input.
    pub normalize: Normalize,
    /// Names of its classes, in the order of their labels.
    pub labels: Vec<String>,
    /// SHA-256 of the file with the weights, in hexadecimal digits.
    pub digest: String,
    /// What was assumed, as whole lines.
    pub notes: Vec<String>,
    file: SafeTensorsFile,
    naming: Architecture,
}

impl PublishedModel {
    /// Opens a folder with `model.safetensors`, or the file itself, and finds out which network it is.
    ///
    /// # Errors
    ///
    /// If there are no weights, they are damaged, in another format or of an unknown network, or
    /// `config.json` names another one.
    pub fn open(path: &Path) -> Result<Self, PublishedError> {
        let weights = folder::find_weights(path)?;
        let config_path = weights.with_file_name("config.json");
        let config = PublishedConfig::read(&config_path)?;
        let file = SafeTensorsFile::open(&weights)?;
        let (naming, mut notes) = architecture::find(&file, config.as_ref())?;
        let classes = naming.classes(&file)?;
        if let Some(config) = &config {
            config.check_classes(&config_path, classes)?;
        }
        let (decode, normalize) = naming.preprocess(config.as_ref(), &weights)?;
        let (labels, unnamed) = labels(config.as_ref(), classes);
        notes.extend(unnamed);
        Ok(Self {
            architecture: naming.name.to_owned(),
            config: naming.config.clone(),
            decode,
            normalize,
            labels,
            digest: digest(&weights)?,
            notes,
            file,
            naming,
        })
    }

    /// The file with the weights.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The network with its published classifier.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn load(&self, device: &Device) -> Result<ImageModel, PublishedError> {
        self.naming.load(&self.file, self.labels.len(), device)
    }

    /// The network with a new, untrained classifier for so many classes.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn with_classes(
        &self,
        classes: usize,
        device: &Device,
    ) -> Result<ImageModel, PublishedError> {
        let mut model = self.load(device)?;
        if let Some(backbone) = model.backbone_mut() {
            let d_features = backbone.d_features();
            backbone.set_classifier(LinearConfig::new(d_features, classes).init(device));
        }
        Ok(model)
    }

    /// A classifier into the published classes.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub fn classifier(&self, device: &Device) -> Result<ImageClassifier, PublishedError> {
        Ok(ImageClassifier::published(self, self.load(device)?, device))
    }
}

/// Names of the classes, with a line if they have none.
pub(in crate::vision) fn labels(
    config: Option<&PublishedConfig>,
    classes: usize,
) -> (Vec<String>, Option<String>) {
    let named = config.and_then(|config| config.label_names.clone());
    if let Some(names) = named.filter(|names| names.len() == classes) {
        return (names, None);
    }
    let imagenet: Vec<String> = IMAGENET_CLASSES.lines().map(str::to_owned).collect();
    if imagenet.len() == classes {
        return (imagenet, None);
    }
    let note = format!("the {classes} classes have no names: they are called `class 0` and so on");
    let names = (0..classes).map(|class| format!("class {class}"));
    (names.collect(), Some(note))
}

/// SHA-256 of a file, in hexadecimal digits.
pub(in crate::vision) fn digest(path: &Path) -> Result<String, PublishedError> {
    let bytes = fs::read(path).map_err(crate::FileError::new("read", path))?;
    Ok(hex_digits(&Sha256::digest(bytes)))
}
