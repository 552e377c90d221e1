//! The folder that a training run leaves behind.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tinderbox_datasets::atomic_file::write_atomic;

use crate::train::{Metrics, Timings};

/// Name of the resolved recipe in a run directory.
pub const RECIPE_FILE: &str = "recipe.toml";
/// Name of the result in a run directory, written last.
pub const SUMMARY_FILE: &str = "summary.json";
/// Name of the folder that inference needs.
pub const MODEL_DIR: &str = "model";

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A finished run is there.
    #[error("`{}` already holds a finished run; choose another `--out`", .0.display())]
    Finished(PathBuf),
    /// An unfinished run is there.
    #[error(
        "`{}` holds an unfinished run; go on with `--resume {}` or choose another `--out`",
        .0.display(), .0.display()
    )]
    Unfinished(PathBuf),
    /// Something else is there.
    #[error("`{}` is not empty and holds no run; choose another `--out`", .0.display())]
    Occupied(PathBuf),
    /// Nothing to go on with.
    #[error("`{}` holds no run to go on with: it has no `recipe.toml`", .0.display())]
    NoRun(PathBuf),
    /// The run to go on with is of another recipe.
    #[error("`{}` is a run of another recipe: {difference}", path.display())]
    OtherRecipe {
        /// The folder.
        path: PathBuf,
        /// The first line that differs.
        difference: String,
    },
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// A run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Checks that a new run could be started in `path`, without touching it.
    ///
    /// # Errors
    ///
    /// If something is there already.
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        let mut entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(RunError::io("use the folder", path)(error)),
        };
        if path.join(SUMMARY_FILE).exists() {
            Err(RunError::Finished(path.to_owned()))
        } else if path.join(RECIPE_FILE).exists() {
            Err(RunError::Unfinished(path.to_owned()))
        } else if entries.next().is_some() {
            Err(RunError::Occupied(path.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Starts a new run in `path` and writes its recipe.
    ///
    /// # Errors
    ///
    /// If something is there already, or the folder cannot be written.
    pub fn create(path: &Path, recipe: &str) -> Result<Self, RunError> {
        Self::check_free(path)?;
        fs::create_dir_all(path).map_err(RunError::io("create the folder", path))?;
        let run = Self {
            path: path.to_owned(),
        };
        run.write(RECIPE_FILE, recipe.as_bytes())?;
        Ok(run)
    }

    /// Finds the unfinished run in `path`, and its recipe.
    ///
    /// # Errors
    ///
    /// If there is none, or it is finished.
    pub fn unfinished(path: &Path) -> Result<(Self, String), RunError> {
        let file = path.join(RECIPE_FILE);
        if !file.exists() {
            return Err(RunError::NoRun(path.to_owned()));
        }
        if path.join(SUMMARY_FILE).exists() {
            return Err(RunError::Finished(path.to_owned()));
        }
        let recipe = fs::read_to_string(&file).map_err(RunError::io("read", &file))?;
        Ok((
            Self {
                path: path.to_owned(),
            },
            recipe,
        ))
    }

    /// Checks that the recipe to go on with is the one in the folder.
    ///
    /// # Errors
    ///
    /// Names the first line that differs.
    pub fn check_recipe(&self, stored: &str, given: &str) -> Result<(), RunError> {
        if stored == given {
            return Ok(());
        }
        let differs = stored
            .lines()
            .zip(given.lines())
            .find(|(ours, theirs)| ours != theirs);
        let difference = match differs {
            Some((stored, given)) => format!("it has `{stored}`, not `{given}`"),
            None => "one has more keys than the other".to_owned(),
        };
        Err(RunError::OtherRecipe {
            path: self.path.clone(),
            difference,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that inference needs.
    pub fn model_dir(&self) -> PathBuf {
        self.path.join(MODEL_DIR)
    }

    /// Writes the result, which makes the run a finished one.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(&self, summary: &impl Serialize) -> Result<(), RunError> {
        let file = self.path.join(SUMMARY_FILE);
        let json = serde_json::to_vec_pretty(summary)
            .map_err(|error| RunError::io("write", &file)(error.into()))?;
        self.write(SUMMARY_FILE, &[&json[..], b"\n"].concat())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_atomic(&path, |file| file.write_all(bytes)).map_err(RunError::io("write", &path))
    }
}

/// The result of a run, as `summary.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the app, or of the program that trained.
    pub app: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Device as `--device` takes it.
    pub device: String,
    /// Burn backend behind the device.
    pub backend: String,
    /// Seed of the run.
    pub seed: u64,
    /// Version of Burn.
    pub burn: String,
    /// Version of Tinderbox.
    pub version: String,
    /// Epochs done.
    pub epochs: usize,
    /// Epoch that the weights are from.
    pub best_epoch: usize,
    /// Steps of the optimizer done.
    pub steps: usize,
    /// Training items seen.
    pub samples: usize,
    /// Time from the first step to the end of the last epoch, in s, validation and checkpoints
    /// included, over all sittings.
    pub wall_s: f64,
    /// Time spent on training batches: waiting for them, and forward, backward and update, in s.
    pub train_s: f64,
    /// Training items per second of `train_s`.
    pub samples_per_s: f64,
    /// Where the time went.
    pub timings: Timings,
    /// Most memory held at a time, in bytes; null where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Numbers that were learned.
    pub parameters: usize,
    /// Metrics of the best epoch on the validation split.
    pub valid: Metrics,
    /// Metrics on the test split.
    pub test: Metrics,
    /// Classical methods on the same split; empty where they were skipped.
    pub baselines: Vec<Baseline>,
    /// What only this kind of task has.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// What a classical method reaches on the same test split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// Which method.
    pub method: String,
    /// Training items it was fitted on.
    pub samples: usize,
    /// Time to fit it and to predict, in s.
    pub wall_s: f64,
    /// Its metrics on the test split.
    pub test: Metrics,
}

/// Version of Burn that the crate is built on.
pub const BURN_VERSION: &str = "0.22.1";

/// Most memory that this process has held at a time, in bytes, where the system tells.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let run = RunDir::create(&path, "name = 1").unwrap();
        assert!(matches!(
            RunDir::create(&path, ""),
            Err(RunError::Unfinished(_))
        ));
        let (found, recipe) = RunDir::unfinished(&path).unwrap();
        assert_eq!((found, recipe.as_str()), (run, "name = 1"));
        fs::write(path.join(SUMMARY_FILE), "{}").unwrap();
        assert!(matches!(
            RunDir::create(&path, ""),
            Err(RunError::Finished(_))
        ));
        assert!(matches!(
            RunDir::unfinished(&path),
            Err(RunError::Finished(_))
        ));
        assert!(matches!(
            RunDir::create(dir.path(), ""),
            Err(RunError::Occupied(_))
        ));
        assert!(matches!(
            RunDir::unfinished(dir.path()),
            Err(RunError::NoRun(_))
        ));
    }

    #[test]
    fn another_recipe_is_named_by_its_first_difference() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(&dir.path().join("run"), "").unwrap();
        let error = run
            .check_recipe("a = 1\nb = 2", "a = 1\nb = 3")
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("it has `b = 2`, not `b = 3`"), "{error}");
    }
}
