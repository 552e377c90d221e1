//! The contract that every task keeps, and that apps, servers, sweeps and tests use.
//!
//! A task goes through six steps:
//!
//! | step | what happens |
//! |---|---|
//! | [`TaskRecipe`] | a value with everything that determines the result |
//! | [`Task::prepare`] | reads the data and checks everything against it; writes nothing |
//! | [`Task::train`] | trains in a run directory and gives a [`Report`]; writes `model/` |
//! | [`Task::load`] | a model from its folder |
//! | [`Task::evaluate`] | its predictions for a split of the data, with the targets |
//! | [`Task::predict`] | its predictions for new inputs |
//!
//! There is one [`Options`], one [`Report`] and one [`TaskError`], whose kind determines the exit code.
//! What tasks share beyond that are functions: see [`run`](crate::run).

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::Prediction;

use crate::metrics::{Comparison, Evaluation};
use crate::overlay::Patchable;
use crate::run::in_run_dir;
use crate::run_dir::{Baseline, RunDir};
use crate::section::Section;
use crate::splits::{Scope, SplitList};
use crate::{
    Metrics, MetricsOptions, MonitorMode, Options, SharedItems, TaskError, Timings, Trained,
};

/// Everything that determines a result: data, preprocessing, model, loss, optimizer, schedule, seed.
pub trait TaskRecipe: Patchable + Clone {
    /// Name of the recipe, and of its folder under `runs/`.
    fn name(&self) -> &str;

    /// Seed of everything random.
    fn seed(&self) -> u64;

    /// The file or folder with the data; `None` if the data is generated or bundled.
    fn data_path(&mut self) -> Option<&mut String>;

    /// What is recorded besides `metrics.jsonl`: by default nothing.
    fn metrics(&self) -> MetricsOptions {
        MetricsOptions::default()
    }
}

/// Implements [`TaskRecipe`] for a recipe with the fields `name`, `train.seed` and `metrics`; after `self` comes
/// [`TaskRecipe::data_path`].
///
/// ```ignore
/// tinderbox_train::task_recipe!(Recipe, self => Some(&mut self.data.path));
/// ```
#[macro_export]
macro_rules! task_recipe {
    ($recipe:ty, $self:ident => $data_path:expr) => {
        impl $crate::TaskRecipe for $recipe {
            fn name(&self) -> &str {
                &self.name
            }

            fn seed(&self) -> u64 {
                self.train.seed
            }

            fn metrics(&self) -> $crate::MetricsOptions {
                self.metrics
            }

            fn data_path(&mut $self) -> Option<&mut String> {
                $data_path
            }
        }
    };
}

/// A kind of problem: its data, networks, losses and metrics.
///
/// A value is a recipe whose data has been read and checked; see the [module](self) for the steps.
pub trait Task: Sized {
    /// What determines a result.
    type Recipe: TaskRecipe;
    /// A trained model.
    type Model;
    /// Flags of `predict` that only this task has, as [`Default`] where there are none.
    type InputOptions: Default;

    /// What `model.json` calls a model of this task.
    const KIND: &'static str;
    /// One item of the data, singular and plural.
    const ITEM: Noun;
    /// One item of a test, where that is another.
    const TEST_ITEM: Noun = Self::ITEM;

    /// Checks that training would fit in the memory of this machine, as far as that is known before
    /// the data is read; for devices without memory of their own.
    ///
    /// # Errors
    ///
    /// If it would not fit, with what to reduce.
    fn check_memory(recipe: &Self::Recipe) -> Result<(), TaskError> {
        let _ = recipe;
        Ok(())
    }

    /// Checks a recipe as far as that is possible without its data.
    ///
    /// # Errors
    ///
    /// If it is invalid.
    fn check_recipe(recipe: &Self::Recipe) -> Result<(), TaskError> {
        let _ = recipe;
        Ok(())
    }

    /// Reads the data of a recipe and checks everything that can be checked before training.
    ///
    /// # Errors
    ///
    /// If the recipe is invalid, the data cannot be used, or they do not fit each other.
    fn prepare(recipe: Self::Recipe) -> Result<Self, TaskError>;

    /// The recipe, with what was inferred from the data.
    fn recipe(&self) -> &Self::Recipe;

    /// What was read, how it is split, and what looks wrong.
    fn overview(&self) -> Overview;

    /// The items of the data with the split of each, to recognize the data again; `None` where there is no data.
    fn split_list(&self) -> Option<&SplitList> {
        None
    }

    /// The same task with the test split out of reach: what would be tested is the validation split instead.
    ///
    /// For trainings that are compared with each other before one of them is tested. Their reports have nothing to
    /// say about test data; the stored splits stay as they are.
    #[must_use]
    fn without_test(self) -> Self;

    /// What a search over recipes compares.
    ///
    /// As a rule the headline metric on the validation split; with a cross-validation its mean over the folds.
    fn objective(&self, report: &Report) -> Option<Objective> {
        Objective::of(report)
    }

    /// Creates or resumes the run directory of the options and calls [`train_in`](Self::train_in) with it.
    ///
    /// The caller writes `summary.json`, which marks the run as finished.
    ///
    /// # Errors
    ///
    /// If the directory cannot be used, or `train_in` fails.
    fn train(&self, device: &Device, options: Options) -> Result<Report, TaskError> {
        in_run_dir(self.recipe(), self.split_list(), options, |run, options| {
            self.train_in(run, device, options)
        })
    }

    /// Trains in a run directory, evaluates on the test split and writes `model/`.
    ///
    /// # Errors
    ///
    /// If training fails or is interrupted, or a file cannot be written.
    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError>;

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of a newer version or of another task.
    fn load(dir: &Path, device: &Device) -> Result<Self::Model, TaskError>;

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not have two classes, or the threshold is no probability.
    fn with_threshold(model: Self::Model, threshold: f64) -> Result<Self::Model, TaskError> {
        let _ = (model, threshold);
        Err(no_threshold())
    }

    /// Evaluates a model on a split of the data it was trained on, or on other data.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, does not fit the model, or has no such split.
    fn evaluate(
        model: &Self::Model,
        request: &EvalRequest<'_, Self::Recipe>,
    ) -> Result<EvalReport, TaskError>;

    /// Checks all inputs of a call before the first prediction, as when two would be written to one file.
    ///
    /// # Errors
    ///
    /// If they cannot be predicted together.
    fn check_inputs(
        model: &Self::Model,
        inputs: &[PathBuf],
        options: &InputOptions<Self::InputOptions>,
    ) -> Result<(), TaskError> {
        let _ = (model, inputs, options);
        Ok(())
    }

    /// Reads the inputs in a file, folder or archive (`-` for stdin) and gives the predictions in
    /// batches, in the order of the inputs, to `each`.
    ///
    /// An input that cannot be read is given as an error; `each` decides whether to go on.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or the device fails.
    fn predict(
        model: &Self::Model,
        path: &Path,
        options: &InputOptions<Self::InputOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError>;

    /// Called after the last prediction of a call, to write files that hold the results of all inputs.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn finish_inputs(
        model: &Self::Model,
        options: &InputOptions<Self::InputOptions>,
    ) -> Result<(), TaskError> {
        let _ = (model, options);
        Ok(())
    }

    /// The part of an input that a shard is, for [`InputOptions::range`]. Predictions for the parts are those for the
    /// whole, to the bit.
    ///
    /// # Errors
    ///
    /// If the input cannot be read in parts, or not at all.
    fn range(
        model: &Self::Model,
        path: &Path,
        options: &Self::InputOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        let _ = (model, path, options, shard);
        Err(TaskError::user(format!(
            "`--shard` does not apply to {}",
            Self::ITEM.1
        )))
    }

    /// Whether `predict` writes a file for each input: `--out` is then a folder, which the options name.
    fn writes_files(model: &Self::Model) -> bool {
        let _ = model;
        false
    }

    /// The columns of a table of predictions, after those that identify the input.
    fn columns(model: &Self::Model) -> Vec<String> {
        let _ = model;
        vec!["value".to_owned()]
    }
}

/// The error of a model without a decision threshold.
pub fn no_threshold() -> TaskError {
    TaskError::user(
        "`--threshold` does not apply to this model, which does not decide between two classes",
    )
}

/// The word for one item, singular and plural, as in `row` and `rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noun(pub &'static str, pub &'static str);

impl Noun {
    /// The word for so many.
    pub fn of(self, count: usize) -> &'static str {
        if count == 1 { self.0 } else { self.1 }
    }
}

/// What was read for a recipe, for people.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// One line: what is predicted from how much of what.
    pub summary: String,
    /// Size, source and class counts of each split.
    pub splits: Vec<SplitOverview>,
    /// The word for what their sizes count, where it is not that of the task.
    pub item: Option<Noun>,
    /// Items that are copies of another one; they stay in one split.
    pub duplicates: usize,
    /// Items of the test and validation split that the model is trained on, where the data comes with splits.
    pub shared: SharedItems,
    /// What was assumed or skipped while reading.
    pub notes: Vec<String>,
    /// Faults of the data that a user should see even with `--quiet`.
    pub warnings: Vec<String>,
    /// Details of the data, such as the kinds of its columns.
    pub sections: Vec<Section>,
    /// The layers of the network.
    pub layers: Vec<LayerSummary>,
}

/// One split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitOverview {
    /// Its name: train, valid or test.
    pub name: String,
    /// Number of items.
    pub count: usize,
    /// Where they are from: a file, a folder, or a rule such as `20% of a.csv`; empty if not known.
    pub source: String,
    /// Names of the classes with their counts; empty where there are no classes.
    pub classes: Vec<(String, usize)>,
}

/// What a search over recipes compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Name of the metric.
    pub metric: String,
    /// Whether it should be high or low.
    pub mode: MonitorMode,
    /// Its values: one, or one for each fold.
    pub scores: Vec<f64>,
    /// How many of them are of trainings that did not reach their goal, such as to solve an environment: these scores
    /// only rank the training.
    #[serde(default)]
    pub unsolved: usize,
}

impl Objective {
    /// The headline metric of a report on validation data; none if the report does not have it.
    pub fn of(report: &Report) -> Option<Self> {
        let (metric, mode) = report.evaluation.headline();
        let scores = if report.folds.is_empty() {
            vec![*report.valid.get(metric)?]
        } else {
            let folds = report.folds.iter();
            folds
                .filter_map(|fold| fold.test.get(metric).copied())
                .collect()
        };
        Some(Self {
            metric: metric.to_owned(),
            mode,
            scores,
            unsolved: 0,
        })
    }
}

/// A trained run.
pub struct Report {
    /// The run directory.
    pub run: RunDir,
    /// Epochs, steps and times of the first network.
    pub training: Training,
    /// Trainable parameters, of all networks together.
    pub parameters: usize,
    /// Metrics on the validation split.
    pub valid: Metrics,
    /// Metrics on the test split.
    pub test: Metrics,
    /// The predictions for the test split.
    pub evaluation: Evaluation,
    /// Names of the classes, labels or tags; empty where there are none.
    pub labels: Vec<String>,
    /// Results of the cross-validation.
    pub folds: Vec<FoldReport>,
    /// Classical methods on the same split.
    pub baselines: Vec<BaselineReport>,
    /// This model and the best of the baselines; [`compare`] makes it.
    pub comparison: Option<Comparison>,
    /// Time to predict one item alone, in s, its preprocessing included; 0 if it was not measured.
    pub seconds_per_item: f64,
    /// Analyses of this recipe.
    pub sections: Vec<Section>,
    /// Analyses that are stored for the page of the run and not printed, such as mistakes.
    pub appendix: Vec<Section>,
    /// The same as data, by their keys in `summary.json`.
    pub details: Map<String, Value>,
    /// What to be careful about in these results.
    pub warnings: Vec<String>,
}

impl Report {
    /// A report of a training and its test evaluation, with nothing else.
    pub fn new(run: &RunDir, training: Training, test: Evaluation) -> Self {
        Self {
            run: run.clone(),
            training,
            parameters: 0,
            valid: Metrics::new(),
            test: test.metrics(),
            evaluation: test,
            labels: Vec::new(),
            folds: Vec::new(),
            baselines: Vec::new(),
            comparison: None,
            seconds_per_item: 0.0,
            sections: Vec::new(),
            appendix: Vec::new(),
            details: Map::new(),
            warnings: Vec::new(),
        }
    }
}

/// Epochs, steps and times of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Epochs done.
    pub epochs: usize,
    /// Epoch that the weights are from, from 1.
    pub best_epoch: usize,
    /// Optimizer steps done.
    pub steps: usize,
    /// Training items seen, repetitions included.
    pub samples: usize,
    /// Where the time went.
    pub timings: Timings,
    /// Time since the start, in s, interrupted sessions included.
    pub wall_s: f64,
}

impl<M> From<&Trained<M>> for Training {
    fn from(trained: &Trained<M>) -> Self {
        Self {
            epochs: trained.epochs,
            best_epoch: trained.best_epoch,
            steps: trained.steps,
            samples: trained.samples,
            timings: trained.timings,
            wall_s: trained.wall_s,
        }
    }
}

/// The result of one fold of a cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldReport {
    /// Metrics on the items of the fold.
    pub test: Metrics,
    /// The predictions for them.
    pub evaluation: Evaluation,
    /// Classical methods on the same items.
    pub baselines: Vec<BaselineReport>,
}

/// A classical method on the same split.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineReport {
    /// Its result.
    pub result: Baseline,
    /// Its predictions for the test split.
    pub evaluation: Evaluation,
}

/// This model and the best of the baselines by the headline metric, over the folds if there are any;
/// `None` without baselines.
pub fn compare(
    evaluation: &Evaluation,
    folds: &[FoldReport],
    baselines: &[BaselineReport],
) -> Option<Comparison> {
    let (name, mode) = evaluation.headline();
    if folds.is_empty() {
        let Some(estimate) = evaluation.estimate() else {
            return compare_values(evaluation, baselines);
        };
        let baselines = baselines.iter().filter_map(|baseline| {
            let estimate = baseline.evaluation.estimate()?;
            Some((baseline.result.method.as_str(), estimate))
        });
        return Comparison::of_rows(name, mode, &estimate, baselines);
    }
    let mut methods = by_method(folds).into_iter().map(|method| {
        let values = method.metrics.iter().filter_map(|fold| fold.get(name));
        (method.name, values.copied().collect::<Vec<f64>>())
    });
    let (_, own) = methods.next()?;
    Comparison::of_folds(name, mode, &own, methods)
}

/// The same on one test split, for metrics whose confidence interval is not known.
fn compare_values(evaluation: &Evaluation, baselines: &[BaselineReport]) -> Option<Comparison> {
    let (name, mode) = evaluation.headline();
    let model = *evaluation.metrics().get(name)?;
    let values = baselines.iter().filter_map(|baseline| {
        let value = baseline.evaluation.metrics().get(name).copied()?;
        Some((baseline.result.method.as_str(), value))
    });
    let (method, best) = values.reduce(|best, next| {
        if mode.improves(next.1, best.1) {
            next
        } else {
            best
        }
    })?;
    Some(Comparison::of_values(name, mode, model, method, best))
}

/// The name of the trained model among the methods of a report.
pub const THIS_MODEL: &str = "this model";

/// The results of one method over all folds.
#[derive(Clone, Debug)]
pub struct MethodFolds<'a> {
    /// Name of the method.
    pub name: &'a str,
    /// Metrics of each fold.
    pub metrics: Vec<Metrics>,
    /// Predictions of each fold.
    pub evaluations: Vec<&'a Evaluation>,
}

/// The methods of a cross-validation, the trained model first.
pub fn by_method(folds: &[FoldReport]) -> Vec<MethodFolds<'_>> {
    let Some(first) = folds.first() else {
        return Vec::new();
    };
    let own = MethodFolds {
        name: THIS_MODEL,
        metrics: folds.iter().map(|fold| fold.test.clone()).collect(),
        evaluations: folds.iter().map(|fold| &fold.evaluation).collect(),
    };
    let classical = first.baselines.iter().enumerate().map(|(index, baseline)| {
        let of = || {
            folds
                .iter()
                .filter_map(move |fold| fold.baselines.get(index))
        };
        MethodFolds {
            name: &baseline.result.method,
            metrics: of().map(|baseline| baseline.result.test.clone()).collect(),
            evaluations: of().map(|baseline| &baseline.evaluation).collect(),
        }
    });
    std::iter::once(own).chain(classical).collect()
}

/// What is to be evaluated.
pub struct EvalRequest<'a, R> {
    /// The recipe of the run, which knows where the data is; none for a model folder on its own.
    pub recipe: Option<&'a R>,
    /// Other data that the user named.
    pub data: Option<&'a Path>,
    /// Which items were in which split; none for a model folder on its own.
    pub splits: Option<&'a SplitList>,
    /// Name of the split: train, valid or test.
    pub split: &'a str,
}

/// The result of an evaluation.
pub struct EvalReport {
    /// The predictions with the targets.
    pub evaluation: Evaluation,
    /// Names of the classes, labels or tags; empty where there are none.
    pub labels: Vec<String>,
    /// Which items were evaluated; `None` if nothing identifies the data of the training.
    pub scope: Option<Scope>,
    /// Where the items are from, if other data has a split of its own of this name.
    pub source: Option<String>,
    /// What was assumed or skipped, as whole lines.
    pub notes: Vec<String>,
}

/// How inputs are read.
#[derive(Clone, Debug, Default)]
pub struct InputOptions<T> {
    /// Columns of the input to copy into the predictions.
    pub columns: Vec<String>,
    /// Whether to copy all columns.
    pub all_columns: bool,
    /// The folder for the files that are written, by tasks that do so.
    pub out: Option<PathBuf>,
    /// The part of the input to read; none for all of it.
    pub range: Option<InputRange>,
    /// Flags of the task.
    pub own: T,
}

/// What identifies an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputItem {
    /// Its name: a file, or the text itself.
    pub name: String,
    /// Whether the name is the text itself.
    pub is_text: bool,
    /// Row of the file, from 1, where the file has many.
    pub row: Option<u64>,
    /// Copied columns, names with cells.
    pub columns: Vec<(String, String)>,
}

/// Predictions for some inputs, or an input that cannot be read.
pub type Predicted = Result<Vec<(InputItem, Prediction)>, TaskError>;

/// Called with each batch of predictions and with the number of inputs read so far and in all, if
/// that is known.
pub type PredictionListener<'a> = dyn FnMut(Predicted, Position) -> ControlFlow<()> + 'a;

/// How much of the inputs has been read, in inputs or bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Read so far.
    pub done: u64,
    /// In all, if known.
    pub total: Option<u64>,
}

/// What a user should know about the inputs that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputReport {
    /// What was assumed or skipped, as whole lines.
    pub notes: Vec<String>,
    /// Inputs whose files an earlier call has written, and that were not predicted again.
    pub already_done: usize,
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::TrainingOptions;
    use crate::metrics::Verdict;

    #[derive(Clone, Serialize, Deserialize)]
    struct Recipe {
        name: String,
        path: String,
        train: TrainingOptions,
        metrics: MetricsOptions,
    }

    impl Patchable for Recipe {}

    task_recipe!(Recipe, self => Some(&mut self.path));

    #[test]
    fn a_recipe_says_what_its_fields_hold() {
        let train = TrainingOptions {
            seed: 7,
            ..TrainingOptions::default()
        };
        let metrics = MetricsOptions {
            report: false,
            ..MetricsOptions::default()
        };
        let mut recipe = Recipe {
            name: "a".to_owned(),
            path: "b.csv".to_owned(),
            train,
            metrics,
        };
        assert_eq!((recipe.name(), recipe.seed()), ("a", 7));
        assert_eq!(TaskRecipe::metrics(&recipe), metrics);
        assert_eq!(recipe.data_path().unwrap(), "b.csv");
    }

    #[test]
    fn metrics_without_an_interval_are_compared_with_the_best_baseline_by_value() {
        let of = |nats: f64| Evaluation::Tokens {
            nats,
            tokens: 10,
            characters: 10,
        };
        let baseline = |method: &str, nats: f64| BaselineReport {
            result: Baseline {
                method: method.to_owned(),
                ..Baseline::default()
            },
            evaluation: of(nats),
        };
        let baselines = [baseline("a", 30.0), baseline("b", 25.0)];
        let found = compare(&of(20.0), &[], &baselines).unwrap();
        assert_eq!((&*found.metric, &*found.method), ("loss", "b"));
        assert_eq!((found.verdict, found.half_width), (Verdict::Better, None));
        let found = compare(&of(28.0), &[], &baselines).unwrap();
        assert_eq!(found.verdict, Verdict::Worse);
        assert_eq!(compare(&of(20.0), &[], &[]), None);
    }
}
