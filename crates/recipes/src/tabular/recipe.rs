//! What decides a model of a table.

use serde::{Deserialize, Serialize};
use tinderbox_models::tabular::{CategoricalEmbedding, NumericEmbedding};
use toml::Table as TomlTable;

use super::builtin;
use super::docs::DOCS;
use super::format::Format;
use super::net::Architecture;
use tinderbox_predict::model_dir::portable;
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::docs::{OPTIMIZER_DOCS, TRAIN_DOCS};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{
    ConfigError, Optimizer, Schedule, TrainConfig, TrainingOptions, check_name, check_range,
    check_share,
};

/// Most models of an ensemble, and most folds.
const MAX_MODELS: usize = 100;

/// Everything that decides a model of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Models that differ in their seed and predict together.
    pub ensemble: usize,
    /// Whether probabilities are brought to what is seen on the validation rows (Guo et al., *On
    /// calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>).
    pub calibrate: bool,
    /// Whether an autoencoder ranks the test rows too, by how unlike the others they are.
    pub unlabelled: bool,
    /// Which columns of which file.
    pub data: Data,
    /// Which rows are learned from, chosen by and measured on.
    pub split: Split,
    /// What is made of cells before a network sees them.
    pub features: Features,
    /// Which network.
    pub model: Model,
    /// What is minimized.
    pub loss: Loss,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How long, and in what portions.
    pub train: TrainingOptions,
}

/// Which columns of which file, and what they are for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// What is predicted: the name of a column.
    pub target: String,
    /// What predicting it means.
    pub task: Task,
    /// The class that probabilities are of, where there are two; empty for the rarer one.
    pub positive: String,
    /// Column of the money that is at stake in each row, for what approving by risk costs; empty
    /// where there is none.
    #[serde(default)]
    pub amount: String,
    /// Columns that are not learned from.
    pub drop: Vec<String>,
    /// Columns of numbers, beside those that are found to be.
    pub numeric: Vec<String>,
    /// Columns of a few words or codes, beside those that are found to be.
    pub categorical: Vec<String>,
    /// Columns of two opposite values, beside those that are found to be.
    #[serde(default)]
    pub boolean: Vec<String>,
    /// Columns of dates, beside those that are found to be.
    pub dates: Vec<String>,
    /// Names of a file's columns, where its first line has none.
    pub names: Vec<String>,
    /// Rows kept of a large file, drawn over the whole of it; 0 for all.
    pub sample: usize,
    /// How the file is written, where that is not found out rightly.
    #[serde(default)]
    pub format: Format,
    /// Where the rows come from.
    pub source: Source,
}

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A class where the target is words, yes or no, or few whole numbers; else a number.
    Auto,
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The breast-cancer diagnoses that ship with the crate.
    BreastCancer {},
    /// A CSV or Parquet file.
    File {
        /// The file.
        path: String,
        /// Rows to measure on, in a file of their own; empty for a part of `path`.
        test: String,
    },
    /// The folder of the census of 1994, with its own test rows.
    Adult {
        /// The folder with `adult.data` and `adult.test`.
        path: String,
    },
    /// The credits of a German bank, which have no names in the file.
    GermanCredit {
        /// The file.
        path: String,
    },
    /// Accounts, described by the transactions between them.
    Accounts {
        /// The folder with `nodes.csv` and `transactions.csv`.
        path: String,
    },
    /// Maps of a region with a few known deposits.
    Maps {
        /// The folder of `GeoTIFF` files.
        path: String,
        /// Cells of which nothing is known that are learned as barren.
        background: usize,
    },
}

impl Source {
    /// One of each kind, as a recipe that only names the kind gets it.
    fn of_kind(kind: &str) -> Option<Self> {
        let path = String::new();
        Some(match kind {
            "breast-cancer" => Self::BreastCancer {},
            "file" => Self::File {
                test: path.clone(),
                path,
            },
            "adult" => Self::Adult { path },
            "german-credit" => Self::GermanCredit { path },
            "accounts" => Self::Accounts { path },
            "maps" => Self::Maps {
                path,
                background: 1_000,
            },
            _ => return None,
        })
    }

    /// The file or folder, for the kinds that have one.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::BreastCancer {} => None,
            Self::File { path, .. }
            | Self::Adult { path }
            | Self::GermanCredit { path }
            | Self::Accounts { path }
            | Self::Maps { path, .. } => Some(path),
        }
    }
}

/// Which rows are learned from, chosen by and measured on. No row is in two of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// How rows are told apart.
    pub by: SplitBy,
    /// The column of groups or of times, for these two; it is not learned from. For `place`, the two
    /// columns of a place, as in `lon,lat`, which are.
    pub column: String,
    /// For `place`: the side of a square whose rows stay together, in the unit of the columns.
    #[serde(default = "block")]
    pub block: f64,
    /// Share held out for the test, in `(0, 1)`, where the data has no test rows of its own.
    pub test_fraction: f64,
    /// Share of the rest that is held out for validation, in `(0, 1)`.
    pub valid_fraction: f64,
    /// Seed of the split.
    pub seed: u64,
    /// Parts for a cross-validation before the training proper; 0 for none.
    pub folds: usize,
}

/// Of models that were saved before there were blocks.
fn block() -> f64 {
    5.0
}

/// How rows are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitBy {
    /// At random, with every class in proportion.
    Rows,
    /// At random; rows with the same value in `column` stay together.
    Group,
    /// The latest by `column` are held out.
    Time,
    /// At random; rows in the same square of a map stay together, because neighbours are alike
    /// (Roberts et al., *Cross-validation strategies for data with temporal, spatial, hierarchical,
    /// or phylogenetic structure*, 2017, <https://doi.org/10.1111/ecog.02881>).
    Place,
}

/// What is made of cells before a network sees them, measured on the training rows alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// How numbers are brought to one scale.
    pub numeric: NumericScale,
    /// Rows that a word must have to be told from other rare ones.
    pub rare_below: usize,
    /// Rows that must share a number for it to have a code of its own beside its place on the scale,
    /// as a word has: for versions, flags and sizes, which are names more than amounts; 0 for none.
    #[serde(default)]
    pub shared_from: usize,
    /// Whether a column that says which cells are missing is added.
    pub missing_columns: bool,
    /// How a target that is a number is brought to one scale.
    pub target: TargetScale,
}

/// How numbers are brought to one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumericScale {
    /// Mean 0 and deviation 1.
    Standard,
    /// To a normal distribution, by rank: no number is far out.
    Quantile,
}

/// How a target that is a number is brought to one scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetScale {
    /// The logarithm, where all targets are above zero and it makes them less skewed.
    Auto,
    /// Mean 0 and deviation 1.
    Standard,
    /// The same of the logarithm: for prices and other sizes, whose errors are shares.
    Log,
}

/// Which network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Length of the vector that an embedding makes of a number; unused by `none` and `encoding`.
    pub d_numeric: usize,
    /// What is made of numbers.
    pub numeric: NumericEmbedding,
    /// What is made of words.
    pub categorical: CategoricalEmbedding,
    /// The network behind them.
    pub net: Architecture,
}

/// What is minimized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Probability spread evenly over all classes while training, in `[0, 1)`.
    pub label_smoothing: f64,
    /// `balanced` to let all classes count the same while training, however rare; `none` to let all
    /// rows do so.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Power by which rows that are already right count less (Lin et al., *Focal loss for dense
    /// object detection*, 2017, <https://arxiv.org/abs/1708.02002>); 0 for none.
    pub focal: f64,
    /// For numbers: the error, in deviations of the target, from which it counts evenly and not by
    /// its square (Huber 1964, <https://doi.org/10.1214/aoms/1177703732>); 0 for never.
    pub huber: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            focal: 0.0,
            huber: 0.0,
        }
    }
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<TomlTable> {
        fn table<T: Serialize>(section: Option<T>) -> Option<TomlTable> {
            TomlTable::try_from(section?).ok()
        }
        match path {
            "data.source" => table(Source::of_kind(kind)),
            "model.net" => table(Architecture::of_kind(kind)),
            "model.numeric" => table(builtin::numeric_of_kind(kind)),
            "model.categorical" => table(builtin::categorical_of_kind(kind)),
            "optimizer" => table(Optimizer::of_kind(kind)),
            "schedule" => table(Schedule::of_kind(kind)),
            _ => None,
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS, TRAIN_DOCS]
    }
}

impl Recipe {
    /// The part that does not concern tables.
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
        check_range("ensemble", self.ensemble as f64, 1.0..=MAX_MODELS as f64)?;
        self.data.validate()?;
        self.split.validate()?;
        self.loss.validate()?;
        self.train_config().validate()?;
        self.train.check_monitor(&["loss"])?;
        self.check_batch(self.train.batch_size)
    }

    /// Checks that a batch has as many rows as the network needs.
    ///
    /// # Errors
    ///
    /// If it has one row and the network normalizes over the rows.
    pub(super) fn check_batch(&self, rows: usize) -> Result<(), ConfigError> {
        if rows > 1 || !self.model.net.normalizes_batches() {
            return Ok(());
        }
        let expected = "at least 2 with batch normalization";
        Err(ConfigError::new("train.batch_size", rows, expected))
    }
}

impl Data {
    /// The same without paths of this machine, as a model folder holds it.
    pub(super) fn portable(&self) -> Self {
        let mut data = self.clone();
        if let Source::File { test, .. } = &mut data.source {
            *test = portable(test);
        }
        if let Some(path) = data.source.path_mut() {
            *path = portable(path);
        }
        data
    }

    /// Checks how the file is to be read, and that there is one to be read so.
    fn validate(&self) -> Result<(), ConfigError> {
        self.format.options()?;
        if matches!(self.source, Source::File { .. }) {
            return Ok(());
        }
        let kinds = [
            ("data.numeric", &self.numeric),
            ("data.categorical", &self.categorical),
            ("data.boolean", &self.boolean),
            ("data.dates", &self.dates),
            ("data.names", &self.names),
        ];
        let named = kinds.into_iter().find(|(_, names)| !names.is_empty());
        let set = named.map(|(key, _)| key);
        let set = set.or((self.sample > 0).then_some("data.sample"));
        let set = set.or((self.format != Format::default()).then_some("data.format"));
        match set {
            Some(key) => Err(ConfigError::new(
                key,
                "set",
                "left alone: this recipe's data are read in their own way",
            )),
            None => Ok(()),
        }
    }
}

impl Split {
    fn validate(&self) -> Result<(), ConfigError> {
        check_share("split.test_fraction", self.test_fraction)?;
        check_share("split.valid_fraction", self.valid_fraction)?;
        if self.folds == 1 || self.folds > MAX_MODELS {
            let expected = format!("0 for none, or 2 to {MAX_MODELS}");
            return Err(ConfigError::new("split.folds", self.folds, expected));
        }
        if self.by != SplitBy::Rows && self.column.is_empty() {
            let expected = "the name of the column that `split.by` goes by";
            return Err(ConfigError::new("split.column", "empty", expected));
        }
        if self.by == SplitBy::Place {
            let expected = "the two columns of a place, as in `lon,lat`";
            let column = self.column.clone();
            self.place()
                .ok_or_else(|| ConfigError::new("split.column", column, expected))?;
            check_range("split.block", self.block, 1e-6..=1e9)?;
        }
        Ok(())
    }

    /// The names of the two columns of a place.
    pub(super) fn place(&self) -> Option<[&str; 2]> {
        let (x, y) = self.column.split_once(',')?;
        let names = [x.trim(), y.trim()];
        names.iter().all(|name| !name.is_empty()).then_some(names)
    }
}

impl Loss {
    fn validate(&self) -> Result<(), ConfigError> {
        check_range("loss.label_smoothing", self.label_smoothing, 0.0..1.0)?;
        check_range("loss.focal", self.focal, 0.0..=10.0)?;
        check_range("loss.huber", self.huber, 0.0..=1e6)
    }
}
