//! Transfer learning: a network that was published with its weights learns other classes.
//!
//! | mode | what is trained |
//! |---|---|
//! | `frozen` | a linear layer on the features of the network, which are computed once and cached |
//! | `staged` | that layer first, then everything, lower layers more slowly |
//! | `full` | everything from the first step, with a new last layer |
//!
//! The order of `staged` is that of Kumar et al., *Fine-tuning can distort pretrained features and
//! underperform out-of-distribution*, 2022, <https://arxiv.org/abs/2202.10054>.

mod cache;
mod features;
mod probe;
mod rates;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tinderbox_datasets::download::{HubError, HubProgress, find_weights};
use tinderbox_datasets::image::{DecodeOptions, Fit};
use tinderbox_predict::vision::{ImageModelConfig, PublishedError, PublishedModel};
use tinderbox_train::overlay::KeyDoc;
use tinderbox_train::{ConfigError, TaskError, check_range};

pub(super) use features::{Extractor, Features};
pub(super) use probe::{Choice, Probe, ProbeOptions};
pub(super) use rates::layer_rates;

use super::source::Data;

/// The weights for image files that come without a recipe.
pub const DEFAULT_WEIGHTS: &str = "timm/efficientnet_lite0.ra_in1k";

/// Training images from which on `auto` trains the whole network: with fewer, features that are left
/// alone generalize as well, in a fraction of the time.
const STAGED_FROM: usize = 1_000;

/// Training images from which on `auto` trains the whole network at one learning rate.
const FULL_FROM: usize = 20_000;

/// The `transfer` section of a recipe: published weights and what is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The folder or file of the weights, or their name on the Hugging Face hub.
    pub weights: String,
    /// SHA-256 of the weights, in hexadecimal digits; empty accepts any.
    pub digest: String,
    /// What is trained.
    pub mode: TransferMode,
    /// Whether the last layer also sees the features of the mirrored training images.
    pub flip: bool,
    /// Which part of an image a frozen network sees.
    #[serde(default)]
    pub crop: TransferCrop,
    /// L2 penalty of the last layer on scaled features, 1 / C of scikit-learn; 0 chooses it by
    /// cross-validation.
    pub l2: f64,
    /// Factor on the learning rate from a stage to the one below it, in `(0, 1]`.
    pub layer_decay: f64,
}

/// What is trained of a network with published weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferMode {
    /// Chosen by the number of training images.
    #[default]
    Auto,
    /// A new last layer.
    Frozen,
    /// A new last layer, then everything, lower layers more slowly.
    Staged,
    /// Everything.
    Full,
}

/// Which part of an image a frozen network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferCrop {
    /// Chosen by cross-validation on the training images.
    Auto,
    /// The center, as its weights are published for.
    #[default]
    Center,
    /// Everything that the center is cut out of, at the same scale: the whole shorter side.
    ///
    /// The border often has a part of the object. And a network trained on random parts of images, in which objects
    /// are large, does better on more pixels than it was trained on (Touvron et al., *Fixing the train-test resolution
    /// discrepancy*, 2019, <https://arxiv.org/abs/1906.06423>).
    Whole,
}

/// The keys of the `transfer` section.
pub(super) const TRANSFER_DOCS: &[KeyDoc] = &[
    KeyDoc::new("transfer", "Transfer learning from published weights", ""),
    KeyDoc::new(
        "transfer.weights",
        "Folder with model.safetensors and config.json, the file, or a name on the Hugging Face hub; \
         --weights sets it",
        "path or owner/model",
    ),
    KeyDoc::new(
        "transfer.digest",
        "SHA-256 that the weights must have; recorded by a run",
        "64 hexadecimal digits; empty: any",
    ),
    KeyDoc::new(
        "transfer.mode",
        "Trained layers: frozen, the last one (augment, optimizer, schedule, train.epochs and train.budget are not \
         used); staged, the last one, then all, lower ones more slowly; full, all; auto chooses by the number of \
         training images: staged from 1,000, full from 20,000",
        "",
    ),
    KeyDoc::new(
        "transfer.flip",
        "Fit the last layer to the features of the mirrored training images too (frozen and staged)",
        "true or false",
    ),
    KeyDoc::new(
        "transfer.crop",
        "Part of an image that the network sees (frozen): center, the crop that the weights were published for; \
         whole, the whole shorter side at the same scale, e.g. 256 pixels for a crop of 224; auto chooses by \
         cross-validation",
        "",
    ),
    KeyDoc::new(
        "transfer.l2",
        "L2 penalty of the last layer on scaled features, 1/C in scikit-learn (frozen and staged)",
        "0 to 1e9; 0: chosen by cross-validation",
    ),
    KeyDoc::new(
        "transfer.layer_decay",
        "Factor of the learning rate from each stage to the one below (staged)",
        "above 0, at most 1",
    ),
];

impl Default for Transfer {
    fn default() -> Self {
        Self {
            weights: String::new(),
            digest: String::new(),
            mode: TransferMode::Auto,
            flip: true,
            crop: TransferCrop::Auto,
            l2: 0.0,
            layer_decay: 0.7,
        }
    }
}

impl Transfer {
    /// Checks every number.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check_range("transfer.l2", self.l2, 0.0..=1e9)?;
        if !(self.layer_decay > 0.0 && self.layer_decay <= 1.0) {
            let expected = "above 0 and at most 1";
            let value = self.layer_decay;
            return Err(ConfigError::new("transfer.layer_decay", value, expected));
        }
        let is_hex = self.digest.chars().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || !matches!(self.digest.len(), 0 | 64) {
            let value = format!("\"{}\"", self.digest);
            let expected = "empty or 64 hexadecimal digits";
            return Err(ConfigError::new("transfer.digest", value, expected));
        }
        Ok(())
    }

    /// Opens the weights, and records which they are.
    pub(super) fn open(&mut self) -> Result<PublishedModel, TransferError> {
        if self.weights.is_empty() {
            return Err(TransferError::NoWeights);
        }
        let weights = open_weights(&self.weights)?;
        if !self.digest.is_empty() && !self.digest.eq_ignore_ascii_case(&weights.digest) {
            return Err(TransferError::Digest {
                path: weights.path().to_owned(),
                found: weights.digest,
                expected: self.digest.clone(),
            });
        }
        self.digest.clone_from(&weights.digest);
        Ok(weights)
    }

    /// Chooses the mode if it is `auto`; returns a line about it.
    pub(super) fn resolve_mode(&mut self, images: usize) -> Option<String> {
        if self.mode != TransferMode::Auto {
            return None;
        }
        let (mode, reason) = match images {
            images if images < STAGED_FROM => (TransferMode::Frozen, "the last layer is trained"),
            images if images < FULL_FROM => (
                TransferMode::Staged,
                "the last layer is trained, then everything, lower layers more slowly",
            ),
            _ => (TransferMode::Full, "everything is trained"),
        };
        self.mode = mode;
        let name = mode.name();
        Some(format!(
            "transfer learning, mode `{name}` for {images} training images: {reason}; \
             `--set transfer.mode=…` chooses another"
        ))
    }
}

impl TransferCrop {
    /// The inputs to choose from, each with its crop, for weights whose input is `center`.
    pub(super) fn inputs(self, center: &DecodeOptions) -> Vec<(Self, DecodeOptions)> {
        let side = |side: usize| (side as f64 / center.crop).floor() as usize;
        let whole = DecodeOptions {
            height: side(center.height),
            width: side(center.width),
            crop: 1.0,
            ..center.clone()
        };
        let [center, whole] = [(Self::Center, center.clone()), (Self::Whole, whole)];
        match self {
            // Nothing is cut off.
            Self::Auto if center.1 == whole.1 => vec![center],
            Self::Auto => vec![center, whole],
            Self::Center => vec![center],
            Self::Whole => vec![whole],
        }
    }

    /// The word in a recipe.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Center => "center",
            Self::Whole => "whole",
        }
    }
}

impl TransferMode {
    /// The word in a recipe.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Frozen => "frozen",
            Self::Staged => "staged",
            Self::Full => "full",
        }
    }
}

/// Why published weights cannot be used for a recipe.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No weights were named.
    #[error(
        "the recipe needs published weights: name their folder with `--weights DIR` or `transfer.weights`"
    )]
    NoWeights,
    /// The weights cannot be read.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// They cannot be fetched.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// They are not those of the recipe.
    #[error(
        "`{}` has the SHA-256 {found}, and `transfer.digest` is {expected}: name the weights of the recipe, or \
         empty `transfer.digest` to use these", path.display()
    )]
    Digest {
        /// The weights.
        path: PathBuf,
        /// Theirs.
        found: String,
        /// That of the recipe.
        expected: String,
    },
    /// The recipe has another network.
    #[error(
        "`model` follows from the weights, which are of `{architecture}`: leave `model` as the recipe has it"
    )]
    Model {
        /// Name of the network.
        architecture: String,
    },
    /// The data is not of image files.
    #[error("transfer learning needs image files: set `data.kind` to `image-folder`")]
    Data,
    /// The input of the network has other channels.
    #[error(
        "the weights are for images of {expected} channels: leave out `data.channels` (got {found})"
    )]
    Channels {
        /// Those of the recipe.
        found: usize,
        /// Those of the weights.
        expected: usize,
    },
}

impl From<TransferError> for TaskError {
    fn from(error: TransferError) -> Self {
        Self::user(error)
    }
}

/// Makes sure that published weights are there: a folder or file or, if there is none of this name, weights of
/// the Hugging Face hub, which are fetched into the cache if it lacks them.
///
/// # Errors
///
/// If they are not there and cannot be fetched.
pub fn fetch_weights(
    name: &str,
    on_progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<(), HubError> {
    find_weights(name, on_progress)?;
    Ok(())
}

/// The folder or file of published weights or, if there is none of this name, those of the Hugging Face hub in the
/// cache, which are fetched once.
///
/// # Errors
///
/// If they are not there and cannot be fetched.
pub fn find_published(name: &str) -> Result<PathBuf, TransferError> {
    Ok(find_weights(name, &mut |_| ())?)
}

/// Opens published weights: a folder or file or, if there is none of this name, weights of the Hugging Face
/// hub, which are fetched once.
///
/// # Errors
///
/// If they are not there, cannot be fetched, or are of no known network.
pub fn open_weights(name: &str) -> Result<PublishedModel, TransferError> {
    Ok(PublishedModel::open(&find_published(name)?)?)
}

/// The network of a recipe that does not know its weights yet.
pub(super) fn any_model() -> ImageModelConfig {
    ImageModelConfig::of_kind("efficientnet-lite")
        .unwrap_or_else(|| unreachable!("the kind exists"))
}

/// Brings the network of a recipe to that of the weights.
pub(super) fn resolve_model(
    model: &mut ImageModelConfig,
    weights: &PublishedModel,
) -> Result<(), TransferError> {
    if *model != any_model() && *model != weights.config {
        let architecture = weights.architecture.clone();
        return Err(TransferError::Model { architecture });
    }
    *model = weights.config.clone();
    Ok(())
}

/// Brings the images of a recipe to the input of the weights: their size where the recipe has 0, and their
/// resize rule where it has that of every recipe.
pub(super) fn resolve_input(
    data: &mut Data,
    weights: &PublishedModel,
) -> Result<DecodeOptions, TransferError> {
    let Data::ImageFolder {
        height,
        width,
        channels,
        fit,
        ..
    } = data
    else {
        return Err(TransferError::Data);
    };
    let mut decode = weights.decode.clone();
    if *channels != decode.channels {
        return Err(TransferError::Channels {
            found: *channels,
            expected: decode.channels,
        });
    }
    for (own, side) in [(height, &mut decode.height), (width, &mut decode.width)] {
        if *own == 0 {
            *own = *side;
        }
        *side = *own;
    }
    if *fit == Fit::Crop {
        *fit = decode.fit;
    } else if *fit != decode.fit {
        (decode.fit, decode.crop) = (*fit, 1.0);
    }
    Ok(decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_follows_from_the_number_of_images_and_is_said_once() {
        for (images, mode) in [
            (640, TransferMode::Frozen),
            (1_000, TransferMode::Staged),
            (20_000, TransferMode::Full),
        ] {
            let mut transfer = Transfer::default();
            let line = transfer.resolve_mode(images).unwrap();
            assert_eq!(transfer.mode, mode);
            assert!(line.contains(&format!("`{}`", mode.name())), "{line}");
            assert_eq!(transfer.resolve_mode(10), None);
        }
    }

    #[test]
    fn the_whole_image_has_the_scale_of_the_center() {
        let center = DecodeOptions {
            crop: 0.875,
            ..DecodeOptions::new(224, 224, 3)
        };
        let sides = |crop: TransferCrop, from: &DecodeOptions| -> Vec<(usize, f64)> {
            let inputs = crop.inputs(from).into_iter();
            inputs.map(|(_, to)| (to.height, to.crop)).collect()
        };
        assert_eq!(
            sides(TransferCrop::Auto, &center),
            [(224, 0.875), (256, 1.0)]
        );
        assert_eq!(sides(TransferCrop::Center, &center), [(224, 0.875)]);
        assert_eq!(sides(TransferCrop::Whole, &center), [(256, 1.0)]);
        let uncut = DecodeOptions::new(224, 224, 3);
        assert_eq!(sides(TransferCrop::Auto, &uncut), [(224, 1.0)]);
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_key() {
        let refused = |change: fn(&mut Transfer)| {
            let mut transfer = Transfer::default();
            change(&mut transfer);
            transfer.validate().unwrap_err().key
        };
        assert_eq!(Transfer::default().validate(), Ok(()));
        assert_eq!(refused(|t| t.l2 = -1.0), "transfer.l2");
        assert_eq!(refused(|t| t.layer_decay = 0.0), "transfer.layer_decay");
        assert_eq!(
            refused(|t| t.layer_decay = f64::NAN),
            "transfer.layer_decay"
        );
        assert_eq!(refused(|t| t.digest = "12".to_owned()), "transfer.digest");
    }

    #[test]
    fn weights_that_are_missing_are_said_with_the_flag() {
        let error = Transfer::default().open().unwrap_err().to_string();
        assert!(error.contains("`--weights DIR`"), "{error}");
    }
}
