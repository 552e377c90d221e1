//! What decides an image classifier, and the recipes that come with the crate.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::{Augment, Fit};
use tinderbox_models::layers::Activation;
use toml::Table;

use super::docs::DOCS;
use super::net::Architecture;
use tinderbox_predict::model_dir::portable;
use tinderbox_train::classify::Loss;
use tinderbox_train::docs::{OPTIMIZER_DOCS, TRAIN_DOCS};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, MonitorMode, Optimizer, Schedule, TrainConfig, TrainingOptions, check_name,
    check_range, check_share, init_seeded,
};

/// Everything that decides an image classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Which images.
    pub data: Data,
    /// What is done to training images.
    pub augment: Augment,
    /// Which network.
    pub model: Architecture,
    /// What is minimized.
    pub loss: Loss,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How long, and in what portions.
    pub train: TrainingOptions,
}

/// How an image file that is predicted becomes like the images that were learned from, where these are
/// arrays of one size. What the rules come to is measured at training and stored in the model folder.
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

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// The 8×8 digits that ship with the crate.
    Digits {
        /// Share of the training split that is held out for validation, in `(0, 1)`.
        valid_fraction: f64,
        /// Seed of that split.
        split_seed: u64,
        /// How a file becomes like a digit of 8×8 pixels.
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
        /// Share of the training split that is held out for validation, in `(0, 1)`.
        valid_fraction: f64,
        /// Seed of that split.
        split_seed: u64,
        /// How a file becomes like one of these images.
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
        /// Share held out for the test, in `(0, 1)`, where there is no test split.
        test_fraction: f64,
        /// Share of the rest that is held out for validation, in `(0, 1)`, where there is no
        /// validation split.
        valid_fraction: f64,
        /// Seed of these splits.
        split_seed: u64,
    },
}

impl Data {
    /// One of each kind, as a recipe that only names the kind gets it.
    fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "digits" => Self::Digits {
                valid_fraction: 0.1,
                split_seed: 0,
                preprocess: Preprocess::default(),
            },
            "idx" => idx("", &DIGITS),
            "image-folder" => Self::ImageFolder {
                path: String::new(),
                height: 64,
                width: 64,
                channels: 3,
                fit: Fit::Crop,
                skip_broken: false,
                test_fraction: 0.2,
                valid_fraction: 0.1,
                split_seed: 0,
            },
            _ => return None,
        })
    }

    /// Shares held out for validation and test where the data has no such split, and the seed.
    pub(super) fn fractions(&self) -> ([f64; 2], u64) {
        match self {
            // Both have a test split of their own.
            Self::Digits {
                valid_fraction,
                split_seed,
                ..
            }
            | Self::Idx {
                valid_fraction,
                split_seed,
                ..
            } => ([*valid_fraction, 0.0], *split_seed),
            Self::ImageFolder {
                valid_fraction,
                test_fraction,
                split_seed,
                ..
            } => ([*valid_fraction, *test_fraction], *split_seed),
        }
    }

    /// The folder of the images, for the kinds that have one.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Digits { .. } => None,
            Self::Idx { path, .. } | Self::ImageFolder { path, .. } => Some(path),
        }
    }

    /// The same without paths of this machine, as a model folder holds it.
    pub(super) fn portable(&self) -> Self {
        let mut data = self.clone();
        if let Some(path) = data.path_mut() {
            *path = portable(path);
        }
        data
    }

    fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Digits { valid_fraction, .. } => {
                check_share("data.valid_fraction", *valid_fraction)
            }
            Self::Idx {
                valid_fraction,
                classes,
                ..
            } => {
                if !(2..=65_536).contains(&classes.len()) {
                    let expected = "a list of between 2 and 65536 names";
                    return Err(ConfigError::new("data.classes", classes.len(), expected));
                }
                check_share("data.valid_fraction", *valid_fraction)
            }
            Self::ImageFolder {
                valid_fraction,
                test_fraction,
                ..
            } => {
                check_share("data.valid_fraction", *valid_fraction)?;
                check_share("data.test_fraction", *test_fraction)
            }
        }
    }
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match path {
            "data" => Data::of_kind(kind).and_then(|data| Table::try_from(data).ok()),
            "model" => Architecture::of_kind(kind).and_then(|model| Table::try_from(model).ok()),
            "optimizer" => Optimizer::of_kind(kind).and_then(|kind| Table::try_from(kind).ok()),
            "schedule" => Schedule::of_kind(kind).and_then(|kind| Table::try_from(kind).ok()),
            _ => None,
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS, TRAIN_DOCS]
    }
}

impl Recipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "digits" => digits(),
            "mnist" => mnist(),
            "fashion-mnist" => fashion_mnist(),
            "mlp-digits" => mlp_digits(),
            "image-folder" => image_folder(),
            _ => return None,
        })
    }

    /// The part that does not concern images.
    pub fn train_config(&self) -> TrainConfig {
        TrainConfig {
            train: self.train.clone(),
            optimizer: self.optimizer.clone(),
            schedule: self.schedule.clone(),
        }
    }

    /// Checks every number that can be checked without the data.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.data.validate()?;
        self.augment.validate().map_err(|error| {
            let key = format!("augment.{}", error.key);
            ConfigError::new(key, error.value, format!("in {}", error.range))
        })?;
        self.loss.validate()?;
        self.train_config().validate()?;
        self.train.check_monitor(&["loss", "accuracy"])?;
        self.check_batch(self.train.batch_size)?;
        check_range(
            "train.batch_size",
            self.train.batch_size as f64,
            1.0..=65_536.0,
        )
    }
}

impl Recipe {
    /// Checks that a batch has as many images as the network needs.
    ///
    /// # Errors
    ///
    /// If it has one image and the network normalizes over the images.
    pub(super) fn check_batch(&self, images: usize) -> Result<(), ConfigError> {
        if images > 1 || !self.model.normalizes_batches() {
            return Ok(());
        }
        let expected = "at least 2: batch normalization cannot learn from a single image";
        Err(ConfigError::new("train.batch_size", images, expected))
    }
}

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 5] = [
    (
        "digits",
        "8x8 digits that ship with the app, a small CNN; the default without `--data`",
    ),
    ("mnist", "28x28 handwritten digits, CNN"),
    ("fashion-mnist", "28x28 images of clothing, CNN"),
    (
        "mlp-digits",
        "the textbook feed-forward net, shown step by step",
    ),
    (
        "image-folder",
        "your own images: a folder per class, an archive or a CSV of paths; ResNet",
    ),
];

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

fn idx(download: &str, classes: &[&str]) -> Data {
    Data::Idx {
        path: String::new(),
        download: download.to_owned(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        valid_fraction: 0.05,
        split_seed: 0,
        preprocess: Preprocess::default(),
    }
}

/// A recipe for any images: what the built-in ones start from.
fn base(name: &str, data: Data, model: Architecture) -> Recipe {
    Recipe {
        name: name.to_owned(),
        data,
        augment: Augment::default(),
        model,
        loss: Loss::default(),
        optimizer: Optimizer::default(),
        schedule: Schedule::Cosine {
            warmup: 0.05,
            floor: 0.0,
        },
        train: TrainingOptions {
            monitor: "accuracy".to_owned(),
            monitor_mode: MonitorMode::Max,
            ..TrainingOptions::default()
        },
    }
}

fn digits() -> Recipe {
    let data = Data::Digits {
        valid_fraction: 0.1,
        split_seed: 0,
        preprocess: Preprocess::default(),
    };
    let model = Architecture::Cnn {
        blocks: vec![32, 64],
        convs_per_block: 1,
        hidden: 128,
        dropout: 0.25,
    };
    let mut recipe = base("digits", data, model);
    recipe.augment = Augment {
        shift: 0.1,
        rotate: 10.0,
        scale: 0.1,
        ..Augment::default()
    };
    *recipe.optimizer.learning_rate_mut() = 3e-3;
    recipe.loss.label_smoothing = 0.05;
    recipe.train.epochs = 40;
    recipe.train.ema_decay = 0.99;
    recipe
}

fn mnist() -> Recipe {
    let model = Architecture::Cnn {
        blocks: vec![32, 64, 128],
        convs_per_block: 1,
        hidden: 128,
        dropout: 0.25,
    };
    let mut recipe = base("mnist", idx("mnist", &DIGITS), model);
    recipe.augment = Augment {
        shift: 0.08,
        rotate: 10.0,
        scale: 0.1,
        shear: 5.0,
        ..Augment::default()
    };
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.schedule = Schedule::Cosine {
        warmup: 0.02,
        floor: 0.0,
    };
    recipe.train.epochs = 10;
    recipe.train.ema_decay = 0.998;
    recipe
}

fn fashion_mnist() -> Recipe {
    let model = Architecture::Cnn {
        blocks: vec![32, 64, 128],
        convs_per_block: 1,
        hidden: 256,
        dropout: 0.3,
    };
    let mut recipe = base("fashion-mnist", idx("fashion-mnist", &CLOTHES), model);
    if let Data::Idx { preprocess, .. } = &mut recipe.data {
        // Clothes have shades, which a cut along the ink would flatten.
        preprocess.match_ink = false;
    }
    recipe.augment = Augment {
        shift: 0.04,
        flip: 0.5,
        ..Augment::default()
    };
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.schedule = Schedule::Cosine {
        warmup: 0.02,
        floor: 0.0,
    };
    recipe.train.epochs = 20;
    recipe.train.ema_decay = 0.998;
    recipe
}

fn mlp_digits() -> Recipe {
    let data = Data::Digits {
        valid_fraction: 0.1,
        split_seed: 0,
        preprocess: Preprocess::default(),
    };
    let model = Architecture::Mlp {
        hidden: vec![64, 32],
        activation: Activation::Relu,
        normalization: tinderbox_models::layers::Normalization::None,
        dropout: 0.0,
    };
    let mut recipe = base("mlp-digits", data, model);
    recipe.optimizer = Optimizer::Sgd {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    recipe.schedule = Schedule::Constant {};
    recipe.train.epochs = 30;
    recipe.train.batch_size = 32;
    recipe
}

fn image_folder() -> Recipe {
    let data = Data::of_kind("image-folder").unwrap_or(Data::Digits {
        valid_fraction: 0.1,
        split_seed: 0,
        preprocess: Preprocess::default(),
    });
    let model = Architecture::of_kind("resnet").unwrap_or(Architecture::Cnn {
        blocks: vec![32, 64],
        convs_per_block: 1,
        hidden: 128,
        dropout: 0.25,
    });
    let mut recipe = base("image-folder", data, model);
    recipe.augment = Augment {
        shift: 0.1,
        rotate: 10.0,
        scale: 0.2,
        flip: 0.5,
        ..Augment::default()
    };
    recipe.loss.label_smoothing = 0.1;
    recipe.train.epochs = 30;
    recipe.train.batch_size = 32;
    recipe.train.ema_decay = 0.99;
    recipe.train.workers = 2;
    recipe
}

/// Makes an untrained network of the recipe for images of this shape.
pub(super) fn init_net(
    recipe: &Recipe,
    shape: [usize; 3],
    classes: usize,
    device: &Device,
) -> Result<super::net::ImageNet, tinderbox_models::ConfigError> {
    init_seeded(recipe.train.seed, device, || {
        recipe.model.init(shape, classes, device)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_train::overlay::{assign, overlay};

    #[test]
    fn every_builtin_is_valid_and_survives_its_own_toml() {
        for (name, _) in BUILTIN {
            let recipe = Recipe::builtin(name).unwrap();
            assert_eq!(recipe.name, name);
            assert_eq!(recipe.validate(), Ok(()), "{name}");
            let text = toml::to_string(&recipe).unwrap();
            assert_eq!(
                overlay(&Recipe::builtin("digits").unwrap(), &text).unwrap(),
                recipe
            );
        }
    }

    #[test]
    fn the_sections_come_in_kinds() {
        let assignments = ["model.kind=resnet", "model.width=8", "optimizer.kind=sgd"];
        let recipe = assign(digits(), &assignments.map(str::to_owned)).unwrap();
        assert!(matches!(
            recipe.model,
            Architecture::Resnet { width: 8, .. }
        ));
        assert!(matches!(recipe.optimizer, Optimizer::Sgd { .. }));
    }

    #[test]
    fn a_batch_of_one_image_is_refused_with_batch_norm() {
        for (recipe, refused) in [
            (digits(), true),
            (image_folder(), true),
            (mlp_digits(), false),
        ] {
            let recipe = assign(recipe, &["train.batch_size=1".to_owned()]).unwrap();
            let result = recipe.validate();
            assert_eq!(result.is_err(), refused, "{}", recipe.name);
            if let Err(error) = result {
                assert!(error.to_string().contains("batch normalization"), "{error}");
            }
        }
    }

    #[test]
    fn a_name_that_leaves_its_folder_is_refused() {
        for name in ["", "..", "a/b", "a b"] {
            let recipe = Recipe {
                name: name.to_owned(),
                ..digits()
            };
            assert!(recipe.validate().is_err(), "{name}");
        }
    }
}
