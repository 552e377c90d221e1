//! Image classification, from a recipe to a model folder and back.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::vision::{Options, Prepared, Recipe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("digits").expect("it is built in");
//! let report = Prepared::new(recipe)?.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["accuracy"]);
//! # Ok(())
//! # }
//! ```

mod batch;
mod concat;
mod data;
mod docs;
mod net;
mod predict;
mod recipe;

use std::path::PathBuf;
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Tensor};
use burn::train::Interrupter;
use burn::train::metric::AccuracyMetric;
use burn::train::renderer::MetricsRenderer;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::{DecodeOptions, LabeledImage};
use tinderbox_datasets::loader::{Loader, LoaderConfig, LoaderError};
use tinderbox_models::{LayerSummary, trainable_parameters};

pub use batch::{ImageCollate, Normalize};
pub use data::{DataError, NamedSplit, Opened, Splits, open, open_other};
pub use net::{Architecture, ImageNet};
pub use predict::{Evaluation, Prediction, Predictor};
pub use recipe::{BUILTIN, Data, Preprocess, Recipe};

use tinderbox_predict::model_dir::{self, ModelError};
use tinderbox_train::classify::{ClassWeights, Classifier, Labelled, predict_all};
use tinderbox_train::memory::{MemoryError, check_memory};
use tinderbox_train::metrics::Predictions;
use tinderbox_train::run_dir::{RunDir, RunError};
use tinderbox_train::splits::{SplitList, SplitsError};
use tinderbox_train::{
    BestListener, CheckpointError, ConfigError, FitError, Metrics, Silent, StepListener, Trained,
    Trainer,
};

/// Most images in a batch where no gradient is needed.
const EVAL_BATCH: usize = 250;

/// Values of the images in such a batch, at which large images come in smaller batches: those of 250
/// images of 64×64 pixels in color.
const EVAL_VALUES: usize = EVAL_BATCH * 64 * 64 * 3;

/// Why an image recipe could not be trained or used.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// A number in the recipe.
    #[error("invalid recipe")]
    Config(#[from] ConfigError),
    /// The images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The images cannot be put in batches.
    #[error("cannot make batches")]
    Loader(#[from] LoaderError),
    /// The network would not fit in memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The list of the splits.
    #[error(transparent)]
    Splits(#[from] SplitsError),
    /// The run directory.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Training itself.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The model folder.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The recipe cannot be written as TOML: a mistake of ours.
    #[error("the recipe cannot be written as TOML")]
    Recipe(#[from] toml::ser::Error),
    /// The classical method.
    #[cfg(feature = "baseline")]
    #[error(transparent)]
    Baseline(#[from] tinderbox_baselines::BaselineError),
}

impl VisionError {
    /// Whether the user's recipe, flags or files are wrong, as opposed to anything else.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Data(_)
            | Self::Loader(_)
            | Self::Model(_)
            | Self::Memory(_)
            | Self::Fit(FitError::Config(_)) => true,
            Self::Splits(error) => error.is_input(),
            Self::Run(error) => !matches!(error, RunError::Io { .. }),
            Self::Fit(FitError::Train(error)) => error.is_input(),
            _ => false,
        }
    }

    /// Whether somebody stopped the run, which can be gone on with.
    pub fn is_interrupted(&self) -> bool {
        matches!(
            self,
            Self::Fit(FitError::Train(
                tinderbox_train::TrainError::Interrupted { .. }
            ))
        )
    }
}

fn image_error(error: DatasetError) -> VisionError {
    VisionError::Data(DataError::Image(error))
}

/// What `model/` says beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    kind: String,
    recipe: String,
    architecture: Architecture,
    /// `[height, width, channels]` of the images that the network takes.
    shape: [usize; 3],
    normalize: Normalize,
    labels: Vec<String>,
    /// How an image file is brought to that shape; none in models of older versions.
    #[serde(default)]
    decode: Option<DecodeOptions>,
    /// Where the splits came from, for a later evaluation, without the path of this machine.
    data: Data,
    /// Hash of the images that the splits were made of, to recognize them; none in older models.
    #[serde(default)]
    data_digest: Option<String>,
}

const KIND: &str = "image-classifier";

/// How a run is watched, and where it is kept.
pub struct Options {
    /// The run directory.
    pub dir: PathBuf,
    /// Whether to resume the run that is there.
    pub resume: bool,
    /// Draws progress.
    pub renderer: Box<dyn MetricsRenderer>,
    /// Stops the run from outside.
    pub interrupter: Interrupter,
    /// Hears of damaged checkpoints.
    pub on_damage: Box<dyn Fn(&CheckpointError)>,
    /// Sees the gradients of each step.
    pub on_step: Option<Box<StepListener<Classifier<ImageNet>>>>,
}

impl Options {
    /// A new run in `dir` that nobody watches.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            resume: false,
            renderer: Box::new(Silent),
            interrupter: Interrupter::new(),
            on_damage: Box::new(|error| tracing::warn!("{error}")),
            on_step: None,
        }
    }
}

/// A recipe with its images opened and checked against each other. Nothing is written yet.
pub struct Prepared {
    recipe: Recipe,
    opened: Opened,
    splits: Splits,
    list: SplitList,
    normalize: Normalize,
    layers: Vec<LayerSummary>,
}

/// A finished run.
pub struct Report {
    /// The run directory.
    pub run: RunDir,
    /// What the training loop says.
    pub trained: Trained<Classifier<ImageNet>>,
    /// Metrics on the test split.
    pub test: Metrics,
    /// What the network said of every test image.
    pub predictions: Predictions,
    /// Numbers that were learned.
    pub parameters: usize,
}

impl Prepared {
    /// Opens the images of a recipe and checks everything that can be checked before training.
    ///
    /// # Errors
    ///
    /// If the recipe is invalid, the images cannot be used, or they do not fit each other.
    pub fn new(recipe: Recipe) -> Result<Self, VisionError> {
        recipe.validate()?;
        let opened = open(&recipe.data)?;
        let splits = Splits::new(&opened, &recipe.data)?;
        recipe.check_batch(recipe.train.batch_size.min(splits.train.len()))?;
        let layers = recipe.model.layers(opened.shape(), opened.classes.len())?;
        let [_, _, channels] = opened.shape();
        let normalize = Normalize::measure(&splits.train, channels).map_err(image_error)?;
        Ok(Self {
            list: splits.list(&opened),
            recipe,
            opened,
            splits,
            normalize,
            layers,
        })
    }

    /// Checks that training would fit in the memory of this machine, as far as that can be known before
    /// the images are read. It does not count for a device with memory of its own.
    ///
    /// # Errors
    ///
    /// If it would not, with the number of bytes.
    pub fn check_memory(recipe: &Recipe) -> Result<(), VisionError> {
        recipe.validate()?;
        // Sets of arrays are small; for files the recipe names the size.
        let Data::ImageFolder {
            height,
            width,
            channels,
            ..
        } = recipe.data
        else {
            return Ok(());
        };
        let shape = [height, width, channels];
        let layers = recipe.model.layers(shape, 2)?;
        let input = height.saturating_mul(width).saturating_mul(channels);
        Ok(check_memory(
            &layers,
            input,
            recipe.train.batch_size,
            "`data.height`, `data.width`, `train.batch_size` or `model`",
        )?)
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The images.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Their splits.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Classes of a split with the number of their images; `split` is its place among train, valid and
    /// test.
    pub fn class_counts(&self, split: usize) -> Vec<(String, usize)> {
        let mut counts = vec![0; self.opened.classes.len()];
        for &row in &self.splits.rows[split] {
            counts[usize::from(self.opened.labels[row])] += 1;
        }
        self.opened.classes.iter().cloned().zip(counts).collect()
    }

    /// The layers of the network.
    pub fn layers(&self) -> &[LayerSummary] {
        &self.layers
    }

    /// Trains, measures on the test split and writes `model/`.
    ///
    /// `summary.json` is left to the caller, who knows the rest of it: it makes the run a
    /// finished one.
    ///
    /// # Errors
    ///
    /// If training fails or is interrupted, or a file cannot be written.
    pub fn train(&self, device: &Device, options: Options) -> Result<Report, VisionError> {
        let text = toml::to_string(&self.recipe)?;
        if options.resume {
            RunDir::check_recipe(&options.dir, &text)?;
            self.list.check(&options.dir)?;
        }
        let run = RunDir::open(&options.dir, options.resume, &text)?;
        self.list.save(run.path())?;
        let result = self.train_in(&run, device, options);
        if result.as_ref().is_err_and(VisionError::is_input) {
            run.discard_untrained();
        }
        result
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: Options,
    ) -> Result<Report, VisionError> {
        let Recipe { train, .. } = &self.recipe;
        let classes = self.opened.classes.len();
        let net = recipe::init_net(
            &self.recipe,
            self.opened.shape(),
            classes,
            &device.clone().autodiff(),
        )?;
        let parameters = trainable_parameters(&net);
        let by_class = self.recipe.loss.class_weights != ClassWeights::None;
        let labels = if by_class || train.balanced_sampling {
            let labels = &self.opened.labels;
            let rows = self.splits.rows[0].iter();
            rows.map(|&row| usize::from(labels[row])).collect()
        } else {
            Vec::new()
        };
        let weights = self.recipe.loss.class_weights;
        let weights = weights.of(labels.iter().copied(), classes);
        let model = Classifier::new(net, self.recipe.loss.clone()).with_class_weights(weights);

        let config = LoaderConfig::train(train.batch_size, train.seed).with_workers(train.workers);
        let collate = ImageCollate::train(self.normalize.clone(), self.recipe.augment.clone());
        let mut loader = Loader::new(Arc::clone(&self.splits.train), collate, config, device)?;
        if train.balanced_sampling {
            loader = loader.balanced(labels);
        }
        let mut trainer = Trainer::new(self.recipe.train_config())
            .in_dir(run.path())
            .identity(self.identity()?)
            .resume(options.resume)
            .renderer(options.renderer)
            .interrupter(options.interrupter)
            .on_damage(options.on_damage)
            .on_best(Some(self.keep_best(run)));
        if let Some(listener) = options.on_step {
            trainer = trainer.on_step(listener);
        }
        let valid = eval_loader(&self.splits.valid, &self.normalize, train.workers, device)?;
        let trained = trainer.fit(model, loader, valid, |training| {
            training.metrics((AccuracyMetric::new(),))
        })?;
        self.save(run, &trained.model.net)?;
        let test = eval_loader(&self.splits.test, &self.normalize, train.workers, device)?;
        let predictions = predict_all(&trained.model.net, &test).map_err(image_error)?;
        let test = predictions.metrics();
        trained.log_test(&test).map_err(FitError::from)?;
        Ok(Report {
            run: run.clone(),
            trained,
            test,
            predictions,
            parameters,
        })
    }

    /// Fits a logistic regression on the same split, or on evenly spread images of a large one.
    ///
    /// # Errors
    ///
    /// If an image cannot be loaded or the regression cannot be fitted.
    #[cfg(feature = "baseline")]
    pub fn baseline(
        &self,
    ) -> Result<(tinderbox_train::run_dir::Baseline, Predictions), VisionError> {
        use tinderbox_baselines::{MAX_VALUES, logistic_regression};
        let started = std::time::Instant::now();
        let features = self.opened.shape().iter().product::<usize>();
        let train = self.rows(&self.splits.train, MAX_VALUES / features.max(1))?;
        let samples = train.labels.len();
        let test = self.rows(&self.splits.test, usize::MAX)?;
        let classes = self.opened.classes.len();
        let labels = test.labels.clone();
        let probabilities = logistic_regression(train, test, classes)?;
        let predictions = Predictions {
            classes,
            probabilities,
            labels,
            threshold: None,
        };
        let baseline = tinderbox_train::run_dir::Baseline {
            method: "logistic regression".to_owned(),
            samples,
            wall_s: started.elapsed().as_secs_f64(),
            threshold: None,
            test: predictions.metrics(),
        };
        Ok((baseline, predictions))
    }

    #[cfg(feature = "baseline")]
    fn rows(
        &self,
        images: &Arc<dyn Dataset<LabeledImage>>,
        most: usize,
    ) -> Result<tinderbox_baselines::Rows, VisionError> {
        let every = images.len().div_ceil(most.max(1)).max(1);
        let mut rows = tinderbox_baselines::Rows::default();
        let size = self.opened.shape().iter().product::<usize>();
        rows.features
            .reserve_exact(images.len().div_ceil(every) * size);
        for index in (0..images.len()).step_by(every) {
            let LabeledImage {
                image,
                target: label,
            } = images.get(index).map_err(image_error)?;
            rows.features
                .extend(image.pixels.iter().map(|&value| f64::from(value) / 255.0));
            rows.labels.push(usize::from(label));
        }
        Ok(rows)
    }

    fn save(&self, run: &RunDir, net: &ImageNet) -> Result<(), VisionError> {
        let weights = net.to_bytes().map_err(ModelError::from)?;
        model_dir::save(&run.model_dir(), &weights, &self.spec())?;
        Ok(())
    }

    /// Keeps the best weights so far.
    fn keep_best(&self, run: &RunDir) -> Box<BestListener<Classifier<ImageNet>>> {
        let (dir, spec) = (run.best_dir(), self.spec());
        Box::new(move |model| {
            let weights = model.net.to_bytes()?;
            model_dir::save_best(&dir, 0, &weights, &spec, &[])
        })
    }

    /// What to build around the weights.
    fn spec(&self) -> Spec {
        Spec {
            kind: KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            architecture: self.recipe.model.clone(),
            shape: self.opened.shape(),
            normalize: self.normalize.clone(),
            labels: self.opened.classes.clone(),
            decode: Some(self.opened.decode.clone()),
            data: self.recipe.data.portable(),
            data_digest: Some(self.list.digest()),
        }
    }

    /// What a checkpoint must share with this run: all but where the images are, how long it trains
    /// and how many threads load them.
    fn identity(&self) -> Result<String, toml::ser::Error> {
        let mut recipe = self.recipe.clone();
        if let Some(path) = recipe.data.path_mut() {
            path.clear();
        }
        recipe.train = recipe.train.identity();
        let shape = format!("{:?} {:?}", self.opened.shape(), self.opened.classes);
        Ok(format!(
            "{}\ndata {}\n{shape}\n{} images",
            toml::to_string(&recipe)?,
            self.list.digest(),
            self.splits.train.len()
        ))
    }
}

pub(crate) fn eval_loader(
    images: &Arc<dyn Dataset<LabeledImage>>,
    normalize: &Normalize,
    workers: usize,
    device: &Device,
) -> Result<Loader<LabeledImage, Labelled<Tensor<4>>>, LoaderError> {
    let collate = ImageCollate::eval(normalize.clone());
    let values = if images.is_empty() {
        1
    } else {
        images.get(0).map_or(1, |item| item.image.pixels.len())
    };
    let batch = (EVAL_VALUES / values.max(1)).clamp(1, EVAL_BATCH);
    let config = LoaderConfig::eval(batch).with_workers(workers);
    Loader::new(Arc::clone(images), collate, config, device)
}
