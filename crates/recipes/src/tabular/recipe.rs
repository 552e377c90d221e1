//! The recipe of a model of a table.

use serde::{Deserialize, Serialize};
use tinderbox_models::tabular::{CategoricalEmbedding, NumericEmbedding};
use tinderbox_predict::model_dir::portable;
use tinderbox_predict::tabular::{Architecture, Features, Format};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::docs::{
    LOSS_DOCS, METRICS_DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, RECIPE_DOCS, TRAIN_DOCS,
};
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::split::check_folds;
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, TrainConfig, TrainingOptions, check_name,
    check_range, check_share,
};
use toml::Table as TomlTable;

use super::docs::DOCS;

/// Most models of an ensemble.
const MAX_MODELS: usize = 100;

/// Everything that determines a model of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Number of models, with different seeds, whose predictions are averaged.
    pub ensemble: usize,
    /// Whether probabilities are calibrated on the validation rows (Guo et al., *On calibration of
    /// modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>).
    pub calibrate: bool,
    /// Whether an autoencoder, which sees no labels, ranks the test rows by their reconstruction
    /// error.
    pub anomaly_detection: bool,
    /// The rows and the meaning of their columns.
    pub data: Data,
    /// The training, validation and test splits.
    pub split: Split,
    /// Preprocessing of the columns.
    pub features: Features,
    /// The network, without the sizes that follow from the data.
    pub model: Architecture,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate over time.
    pub schedule: Schedule,
    /// Length of the training, size of a batch, and the seed.
    pub train: TrainingOptions,
    /// What is recorded besides `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
    pub metrics: MetricsOptions,
}

/// The rows and the meaning of their columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the target column.
    pub target: String,
    /// Classification or regression.
    pub task: TaskType,
    /// The positive class of two; empty for the rarer one.
    pub positive: String,
    /// Column of the money at stake in each row, for the cost of approvals; empty for none.
    pub amount: String,
    /// Columns that are no features.
    pub drop: Vec<String>,
    /// Columns of numbers, besides the inferred ones.
    pub numeric: Vec<String>,
    /// Columns of categories, besides the inferred ones.
    pub categorical: Vec<String>,
    /// Columns of yes and no, besides the inferred ones.
    pub boolean: Vec<String>,
    /// Columns of dates, besides the inferred ones.
    pub dates: Vec<String>,
    /// Column names of a file without a header.
    pub names: Vec<String>,
    /// Number of rows to sample from a large file; 0 for all.
    pub sample: usize,
    /// Format of the file, where it is not inferred.
    pub format: Format,
    /// The kind of the data and its path.
    #[serde(flatten)]
    pub source: Source,
}

/// Classification or regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskType {
    /// Classification if the target has words, yes and no, or few whole numbers; else regression.
    Auto,
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

/// Source of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// The breast-cancer diagnoses that ship with the crate.
    BreastCancer,
    /// A CSV, JSON or Parquet file.
    File {
        /// The file.
        path: String,
        /// A file of test rows; empty to hold some out.
        test: String,
    },
    /// The folder of the census of 1994, with its own test rows.
    Adult {
        /// The folder with `adult.data` and `adult.test`.
        path: String,
    },
    /// The credits of a German bank, whose file has no column names.
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
        /// Number of cells without a known deposit that serve as negatives.
        background: usize,
    },
}

impl Source {
    /// The default source of a kind.
    fn of_kind(kind: &str) -> Option<Self> {
        let path = String::new();
        Some(match kind {
            "breast-cancer" => Self::BreastCancer,
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
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::BreastCancer => None,
            Self::File { path, .. }
            | Self::Adult { path }
            | Self::GermanCredit { path }
            | Self::Accounts { path }
            | Self::Maps { path, .. } => Some(path),
        }
    }

    /// The same, to change it.
    pub fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::BreastCancer => None,
            Self::File { path, .. }
            | Self::Adult { path }
            | Self::GermanCredit { path }
            | Self::Accounts { path }
            | Self::Maps { path, .. } => Some(path),
        }
    }
}

/// The training, validation and test splits. No row is in two of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The rule that keeps rows together.
    pub by: SplitBy,
    /// The column of groups or times, which is no feature; the two coordinate columns of `place`, as
    /// in `lon,lat`, which are features.
    pub column: String,
    /// For `place`: the side of a square whose rows stay together, in the unit of the columns.
    pub block: f64,
    /// Share held out for the test, in `(0, 1)`, where the data has no test rows.
    pub test_fraction: f64,
    /// Share of the rest held out for validation, in `(0, 1)`.
    pub valid_fraction: f64,
    /// Seed of the splits.
    pub seed: u64,
    /// Folds of the cross-validation before the final training; 0 for none.
    pub folds: usize,
}

/// The rule that keeps rows together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitBy {
    /// At random, stratified by class.
    Rows,
    /// At random; rows with the same value in `column` stay together.
    Group,
    /// The latest by `column` are held out.
    Time,
    /// At random; rows in the same square of a map stay together, because neighbors are alike
    /// (Roberts et al., *Cross-validation strategies for data with temporal, spatial, hierarchical,
    /// or phylogenetic structure*, 2017, <https://doi.org/10.1111/ecog.02881>).
    Place,
}

/// The loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Label smoothing while training, in `[0, 1)`.
    pub label_smoothing: f64,
    /// `balanced` to weight the classes equally while training, however rare; `none` to weight the
    /// rows equally.
    pub class_weights: ClassWeights,
    /// Gamma of the focal loss (Lin et al., *Focal loss for dense object detection*, 2017,
    /// <https://arxiv.org/abs/1708.02002>); 0 for none.
    pub focal_gamma: f64,
    /// Delta of the Huber loss for numbers, in standard deviations of the target (Huber 1964,
    /// <https://doi.org/10.1214/aoms/1177703732>); 0 for the squared error.
    pub huber_delta: f64,
}

/// A section of a recipe as a table.
fn table<T: Serialize>(section: Option<T>) -> Option<TomlTable> {
    TomlTable::try_from(section?).ok()
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<TomlTable> {
        match path {
            "data" => table(Source::of_kind(kind)),
            "model" => table(Architecture::of_kind(kind)),
            "features.numeric_embedding" => table(numeric_embedding_of_kind(kind)),
            "features.categorical_embedding" => table(categorical_embedding_of_kind(kind)),
            _ => TrainConfig::variant(path, kind),
        }
    }

    fn common_keys(path: &str) -> &'static [&'static str] {
        match path {
            "data" => &[
                "target",
                "task",
                "positive",
                "amount",
                "drop",
                "numeric",
                "categorical",
                "boolean",
                "dates",
                "names",
                "sample",
                "format",
            ],
            _ => &[],
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[
            RECIPE_DOCS,
            DOCS,
            LOSS_DOCS,
            OPTIMIZER_DOCS,
            PLATEAU_DOCS,
            TRAIN_DOCS,
            METRICS_DOCS,
        ]
    }
}

fn numeric_embedding_of_kind(kind: &str) -> Option<NumericEmbedding> {
    Some(match kind {
        "none" => NumericEmbedding::None,
        "linear" => NumericEmbedding::Linear,
        "linear-relu" => NumericEmbedding::LinearRelu,
        "encoding" => NumericEmbedding::Encoding { n_bins: 24 },
        "piecewise-linear" => NumericEmbedding::PiecewiseLinear {
            n_bins: 24,
            rectify: false,
        },
        "periodic" => NumericEmbedding::Periodic {
            n_frequencies: 24,
            sigma: 0.1,
            lite: true,
        },
        _ => return None,
    })
}

fn categorical_embedding_of_kind(kind: &str) -> Option<CategoricalEmbedding> {
    Some(match kind {
        "one-hot" => CategoricalEmbedding::OneHot,
        "learned" => CategoricalEmbedding::Learned { d_embedding: 8 },
        _ => return None,
    })
}

tinderbox_train::task_recipe!(Recipe, self => self.data.source.path_mut());

impl Recipe {
    /// The part that does not concern tables.
    pub fn train_config(&self) -> TrainConfig {
        let trainings = (self.split.folds + 1) * self.ensemble;
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, trainings)
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
    /// If it has one row and the network has batch normalization.
    pub(super) fn check_batch(&self, rows: usize) -> Result<(), ConfigError> {
        if rows > 1 || !self.model.has_batch_norm() {
            return Ok(());
        }
        let expected = "at least 2 with batch normalization";
        Err(ConfigError::new("train.batch_size", rows, expected))
    }

    /// The recipe without what a resumed run may change: the path of the data and the length of the
    /// training.
    pub(super) fn identity(&self) -> Self {
        let mut recipe = self.clone();
        if let Some(path) = recipe.data.source.path_mut() {
            path.clear();
        }
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        recipe
    }
}

/// An error of a network's configuration with the key of the recipe.
pub(super) fn of_recipe(error: ConfigError) -> ConfigError {
    let moved = [
        ("numeric.", "features.numeric_embedding."),
        ("categorical.", "features.categorical_embedding."),
        ("d_numeric", "features.d_numeric"),
    ];
    // The transformer knows its embedding of numbers itself, the other networks with all features.
    let key = error.key.trim_start_matches("features.");
    for (own, section) in moved {
        if let Some(rest) = key.strip_prefix(own) {
            let key = format!("{section}{rest}");
            return ConfigError { key, ..error };
        }
    }
    error.within("model")
}

impl Data {
    /// The same without paths of this machine, for a model folder.
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

    /// Checks the format of the file, and that keys about files are set only where a file is read.
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
                "left alone: the data of this recipe has its own reader",
            )),
            None => Ok(()),
        }
    }
}

impl Split {
    fn validate(&self) -> Result<(), ConfigError> {
        check_share("split.test_fraction", self.test_fraction)?;
        check_share("split.valid_fraction", self.valid_fraction)?;
        check_folds(self.folds)?;
        if self.by != SplitBy::Rows && self.column.is_empty() {
            let expected = "the name of the column for `split.by`";
            return Err(ConfigError::new("split.column", "empty", expected));
        }
        if self.by == SplitBy::Place {
            let expected = "the two coordinate columns, as in `lon,lat`";
            let column = self.column.clone();
            self.coordinates()
                .ok_or_else(|| ConfigError::new("split.column", column, expected))?;
            check_range("split.block", self.block, 1e-6..=1e9)?;
        }
        Ok(())
    }

    /// The names of the two coordinate columns.
    pub(super) fn coordinates(&self) -> Option<[&str; 2]> {
        let (x, y) = self.column.split_once(',')?;
        let names = [x.trim(), y.trim()];
        names.iter().all(|name| !name.is_empty()).then_some(names)
    }
}

impl Loss {
    fn validate(&self) -> Result<(), ConfigError> {
        check_range("loss.label_smoothing", self.label_smoothing, 0.0..1.0)?;
        check_range("loss.focal_gamma", self.focal_gamma, 0.0..=10.0)?;
        check_range("loss.huber_delta", self.huber_delta, 0.0..=1e6)
    }
}
