//! What every run does the same way: create or resume its directory, train the members of an
//! ensemble and the folds of a cross-validation, identify its checkpoints, measure its speed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::train::LearnerModel;
use serde::Serialize;

use crate::overlay::{document, reread};
use crate::run_dir::{BEST_DIR, RunDir, RunError};
use crate::run_options::{Job, Options};
use crate::splits::SplitList;
use crate::task::{FoldReport, TaskRecipe, Training};
use crate::{FitError, Metrics, TaskError, TrainError, Trained, tensorboard};

/// Creates or resumes the run directory of `options` and trains in it.
///
/// `recipe` is the resolved recipe and `splits` the items of each split, if there are any; both are
/// stored, and a run is resumed only with the same ones. If `train` fails with an error of the user
/// before anything was trained, a new directory is removed again.
///
/// # Errors
///
/// If the directory cannot be used, or `train` fails.
pub fn in_run_dir<R: TaskRecipe, T>(
    recipe: &R,
    splits: Option<&SplitList>,
    mut options: Options,
    train: impl FnOnce(&RunDir, &mut Options) -> Result<T, TaskError>,
) -> Result<T, TaskError> {
    let text = document(recipe)?;
    options.reread = reread::<R>;
    if options.resume {
        RunDir::check_recipe(&options.dir, &text, options.reread)?;
        if let Some(splits) = splits {
            splits.check(&options.dir)?;
        }
    }
    let run = RunDir::open(&options.dir, options.resume, &text, options.reread)?;
    if let Some(splits) = splits {
        splits.save(run.path())?;
    }
    if let Some(events) = recipe.metrics().events() {
        tensorboard::enable(run.path(), events).map_err(TrainError::Metrics)?;
    }
    let result = train(&run, &mut options);
    if result.as_ref().is_err_and(TaskError::is_user) {
        run.discard_untrained();
    }
    result
}

/// One part of a run that is trained on its own: the final training, a fold, a held-out group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, as in `fold 2 of 5`; empty for the final training.
    pub name: String,
    /// The folder of its checkpoints and metrics.
    pub dir: PathBuf,
}

impl Part {
    /// The final training, whose model is kept.
    pub fn main(run: &RunDir) -> Self {
        Self {
            name: String::new(),
            dir: run.path().to_owned(),
        }
    }

    /// Part `index`, from 0, of `count` parts of a kind, such as `fold`, in a folder of that kind.
    pub fn of(run: &RunDir, kind: &str, folder: &str, index: usize, count: usize) -> Self {
        Self {
            name: format!("{kind} {} of {count}", index + 1),
            dir: run.path().join(folder).join((index + 1).to_string()),
        }
    }

    /// Whether this is the final training, whose model is kept.
    pub fn is_main(&self) -> bool {
        self.name.is_empty()
    }

    /// Where the best weights so far of the final training are kept; `None` for other parts.
    pub fn best_dir(&self) -> Option<PathBuf> {
        self.is_main().then(|| self.dir.join(BEST_DIR))
    }
}

/// Trains every fold of a cross-validation.
///
/// # Errors
///
/// If `fold` fails.
pub fn cross_validate<S>(
    run: &RunDir,
    folds: &[S],
    mut fold: impl FnMut(&Part, &S) -> Result<FoldReport, TaskError>,
) -> Result<Vec<FoldReport>, TaskError> {
    let count = folds.len();
    let parts = folds.iter().enumerate();
    parts
        .map(|(index, splits)| fold(&Part::of(run, "fold", "folds", index, count), splits))
        .collect()
}

/// The trained members of an ensemble.
pub struct Members<M> {
    /// The models in the order of their numbers.
    pub models: Vec<M>,
    /// Epochs, steps and times of the first one.
    pub training: Training,
    /// Appends to the metrics of the first one.
    log: Trained<()>,
}

impl<M> Members<M> {
    /// Appends the metrics of the test split to `metrics.jsonl`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn log_test(&self, metrics: &Metrics) -> Result<(), TaskError> {
        Ok(self.log.log_test(metrics)?)
    }
}

/// Trains the `count` members of an ensemble for a part of a run, each in a separate folder.
///
/// `fit` trains one member from its [`Job`], whose number the seed depends on.
///
/// # Errors
///
/// If a folder cannot be created, or `fit` fails.
pub fn train_members<M: LearnerModel>(
    part: &Part,
    count: usize,
    mut fit: impl FnMut(Job<M>, usize) -> Result<Trained<M>, TaskError>,
) -> Result<Members<M>, TaskError> {
    let (mut models, mut first) = (Vec::new(), None);
    for member in 0..count {
        let job = Job::new(&part.dir, &part.name, member, count)?;
        let trained = fit(job, member)?;
        let training = Training::from(&trained);
        let (model, log) = trained.split();
        models.push(model);
        first.get_or_insert((training, log));
    }
    let (training, log) = first.ok_or(FitError::NotRun)?;
    Ok(Members {
        models,
        training,
        log,
    })
}

/// The text that a checkpoint must share with the run that resumes from it.
///
/// `recipe` is the recipe without what may change: the path of the data and how long it trains.
///
/// # Errors
///
/// If the recipe cannot be written as TOML.
pub fn identity(
    recipe: &impl Serialize,
    splits: &SplitList,
    part: &str,
) -> Result<String, TaskError> {
    let recipe = toml::to_string(recipe)?;
    Ok(format!("{recipe}\ndata {}\n{part}", splits.digest()))
}

/// Mean time that `predict` takes for one item alone, in s; 0 without items. After two seconds no other item is begun.
///
/// # Errors
///
/// If `predict` fails.
pub fn seconds_per_item<T, E>(
    items: &[T],
    predict: impl FnMut(&T) -> Result<(), E>,
) -> Result<f64, E> {
    seconds_within(Duration::from_secs(2), items, predict)
}

fn seconds_within<T, E>(
    limit: Duration,
    items: &[T],
    mut predict: impl FnMut(&T) -> Result<(), E>,
) -> Result<f64, E> {
    let started = Instant::now();
    let mut done = 0_u32;
    for item in items {
        predict(item)?;
        done += 1;
        if started.elapsed() > limit {
            break;
        }
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(done.max(1)))
}

/// Creates a folder with its parents.
///
/// # Errors
///
/// If it cannot be created.
pub fn create_dir(path: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(path).map_err(RunError::io("create the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_items_are_not_all_timed() {
        let mut seen = Vec::new();
        let pause = |item: &u32| -> Result<(), TaskError> {
            seen.push(*item);
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        let seconds = seconds_within(Duration::from_millis(1), &[1, 2, 3], pause).unwrap();
        assert_eq!(seen, [1]);
        assert!(seconds >= 0.002, "{seconds}");
    }
}
