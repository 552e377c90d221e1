//! The `data` section of a recipe.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::Fit;
use tinderbox_predict::model_dir::portable;
use tinderbox_train::ConfigError;

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// The 8×8 digits that ship with the crate.
    Digits {
        /// Preprocessing of image files.
        #[serde(default)]
        preprocess: Preprocess,
    },
    /// A folder of four IDX files, as MNIST has them.
    Idx {
        /// The folder; empty for the set that is downloaded.
        path: String,
        /// Name of the public set to download when `path` is empty; empty for none.
        download: String,
        /// Names of the classes, in the order of their labels.
        classes: Vec<String>,
        /// Preprocessing of image files.
        #[serde(default)]
        preprocess: Preprocess,
    },
    /// A folder with one sub-folder of images per class, or with `train/` and `test/` of these; an
    /// archive of such a folder; or a table of paths and labels.
    ImageFolder {
        /// The folder, archive or table.
        path: String,
        /// Height that images are resized to, in pixels.
        height: usize,
        /// Width that images are resized to, in pixels.
        width: usize,
        /// 1 for gray, 3 for color.
        channels: usize,
        /// How an image of another shape is resized.
        fit: Fit,
        /// Whether damaged images are left out (and counted) instead of refused.
        skip_broken: bool,
    },
}

/// Preprocessing of image files for a model of images that are arrays of one size. The result of these
/// rules is measured at training and stored in the model folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// How a file of another size is resized.
    pub fit: Fit,
    /// Whether a file with the other background is inverted, such as black digits on white paper, where
    /// nearly all training images have one background.
    pub match_background: bool,
    /// Whether a file of another size is cropped to its ink, scaled and centered, where the training
    /// images were.
    pub match_ink: bool,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self {
            fit: Fit::Pad,
            match_background: true,
            match_ink: true,
        }
    }
}

impl Data {
    /// One of each kind, for a recipe that only names the kind.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "digits" => Self::digits(),
            "idx" => Self::idx("", &DIGITS),
            "image-folder" => Self::image_folder(),
            _ => return None,
        })
    }

    /// The digits that ship with the crate.
    pub(super) fn digits() -> Self {
        Self::Digits {
            preprocess: Preprocess::default(),
        }
    }

    /// IDX files, of a public set if it is named.
    pub(super) fn idx(download: &str, classes: &[&str]) -> Self {
        Self::Idx {
            path: String::new(),
            download: download.to_owned(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            preprocess: Preprocess::default(),
        }
    }

    /// The ten digits of MNIST.
    pub(super) fn mnist() -> Self {
        Self::idx("mnist", &DIGITS)
    }

    /// A folder of color images.
    pub(super) fn image_folder() -> Self {
        Self::ImageFolder {
            path: String::new(),
            height: 64,
            width: 64,
            channels: 3,
            fit: Fit::Crop,
            skip_broken: false,
        }
    }

    /// The folder of the images, for the kinds that have one.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Digits { .. } => None,
            Self::Idx { path, .. } | Self::ImageFolder { path, .. } => Some(path),
        }
    }

    /// Whether damaged images are left out.
    pub(super) fn skip_broken(&self) -> bool {
        matches!(
            self,
            Self::ImageFolder {
                skip_broken: true,
                ..
            }
        )
    }

    /// `[height, width, channels]` of the images, for files that are resized to what the recipe says.
    pub(super) fn shape(&self) -> Option<[usize; 3]> {
        match *self {
            Self::ImageFolder {
                height,
                width,
                channels,
                ..
            } => Some([height, width, channels]),
            Self::Digits { .. } | Self::Idx { .. } => None,
        }
    }

    /// The same without absolute paths, for a model folder.
    pub(super) fn portable(&self) -> Self {
        let mut data = self.clone();
        if let Some(path) = data.path_mut() {
            *path = portable(path);
        }
        data
    }

    /// Checks every number.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Idx { classes, .. } if !(2..=65_536).contains(&classes.len()) => {
                let expected = "a list of between 2 and 65536 names";
                Err(ConfigError::new("data.classes", classes.len(), expected))
            }
            _ => Ok(()),
        }
    }
}
