//! The directory that a training run leaves behind.

mod changes;
mod cleanup;
mod lock;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::escape::shell_word;
use tinderbox_predict::FileError;

use crate::overlay::Reread;
use crate::task::SplitOverview;
use crate::{Metrics, MonitorMode, SharedItems, Timings};

use changes::Change;
use lock::{Lock, LockError};

pub use tinderbox_predict::layout::{BEST_DIR, MODEL_DIR, RECIPE_FILE, SUMMARY_FILE};

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A finished run is there.
    #[error("`{}` already contains a finished run; choose another `--out`", .0.display())]
    Finished(PathBuf),
    /// A finished run cannot be resumed as it is.
    #[error("the run in `{}` is finished{advice}", path.display())]
    Done {
        /// The directory.
        path: PathBuf,
        /// How to train it longer, with a semicolon before it; empty if it cannot be.
        advice: String,
    },
    /// An unfinished run is there.
    #[error(
        "`{}` contains an unfinished run; resume it with `--resume {}` or choose another `--out`",
        .0.display(), shell_word(.0)
    )]
    Unfinished(PathBuf),
    /// Something else is there.
    #[error("`{}` is not empty and contains no run; choose another `--out`", .0.display())]
    Occupied(PathBuf),
    /// Nothing to resume.
    #[error("`{}` contains no run to resume: it has no `recipe.toml`", .0.display())]
    NoRun(PathBuf),
    /// Another process writes to it.
    #[error(
        "`{}` is in use by another process{}; wait until it has ended", path.display(),
        process.map_or(String::new(), |id| format!(" (process id {id})"))
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, if it is known.
        process: Option<u32>,
    },
    /// The run to resume is of another recipe.
    #[error("`{}` is a run of another recipe: {difference}", path.display())]
    OtherRecipe {
        /// The directory.
        path: PathBuf,
        /// The first line that differs.
        difference: String,
    },
    /// Another version began the run.
    #[error(
        "`{}` was begun by another version: its recipe has format {found}, and Tinderbox {} writes \
         format {expected}; resume it with that version or start a new run",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// Format of its recipe; 0 for none.
        found: i64,
        /// Format that this version writes.
        expected: i64,
    },
    /// The run to resume was asked to end earlier than it was before.
    #[error(
        "`train.{key}` can only be raised when a run is resumed: `{}` has {from}, not {to}",
        path.display()
    )]
    Shorter {
        /// The directory.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value in the run.
        from: i64,
        /// Its value now.
        to: i64,
    },
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl RunError {
    /// Adds what was attempted to an error of the file system.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let wrap = FileError::new(action, path);
        move |source| Self::Io(wrap(source))
    }
}

/// A run directory that no other process writes to for as long as this, or a clone of it, lives.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    lock: Arc<Lock>,
    /// Whether this process has started it.
    is_new: bool,
    /// The topmost directory that was created for it.
    top: Option<PathBuf>,
}

impl RunDir {
    /// Checks that a new run could be started in `path`, without touching it.
    ///
    /// # Errors
    ///
    /// If something is there already that a killed process has not left behind.
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(RunError::io("use the directory", path)(error)),
        };
        if path.join(SUMMARY_FILE).exists() {
            return Err(RunError::Finished(path.to_owned()));
        }
        if path.join(RECIPE_FILE).exists() {
            return Err(RunError::Unfinished(path.to_owned()));
        }
        for entry in entries {
            let entry = entry.map_err(RunError::io("list", path))?;
            if !cleanup::is_leftover(&entry.file_name()) {
                return Err(RunError::Occupied(path.to_owned()));
            }
        }
        Ok(())
    }

    /// Starts a new run in `path`, or resumes the one that is there.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create) and [`resume`](Self::resume).
    pub fn open(path: &Path, resume: bool, recipe: &str, reread: Reread) -> Result<Self, RunError> {
        if resume {
            Self::resume(path, recipe, reread)
        } else {
            Self::create(path, recipe)
        }
    }

    /// Starts a new run in `path` and writes its recipe.
    ///
    /// # Errors
    ///
    /// If something is there already, or the folder cannot be written.
    pub fn create(path: &Path, recipe: &str) -> Result<Self, RunError> {
        Self::check_free(path)?;
        let missing = path.ancestors().take_while(|path| !path.exists());
        let top = missing.last().map(Path::to_owned);
        fs::create_dir_all(path).map_err(RunError::io("create the directory", path))?;
        let run = Self {
            is_new: true,
            top,
            ..Self::lock(path)?
        };
        // Another process may have been faster.
        Self::check_free(path)?;
        cleanup::remove_leftovers(path);
        run.write(RECIPE_FILE, recipe.as_bytes())?;
        Ok(run)
    }

    /// Resumes the run in `path` with the same recipe, or with one that only trains longer or records
    /// more: then the recipe of the run is replaced, and a finished run that trains longer is no longer
    /// finished. The stored one is read with `reread`.
    ///
    /// # Errors
    ///
    /// If there is none, it is finished, its recipe is another, or another process writes to it.
    pub fn resume(path: &Path, recipe: &str, reread: Reread) -> Result<Self, RunError> {
        Self::recipe(path)?;
        let run = Self::lock(path)?;
        let stored = Self::recipe(path)?;
        let change = changes::compare(path, &stored, recipe, reread)?;
        let summary = path.join(SUMMARY_FILE);
        if change != Change::Longer && summary.exists() {
            return Err(RunError::Done {
                path: path.to_owned(),
                advice: changes::advice(recipe),
            });
        }
        cleanup::remove_leftovers(path);
        if change == Change::Longer {
            // First the summary: a run that ends between the two is an unfinished one.
            if summary.exists() {
                fs::remove_file(&summary).map_err(RunError::io("replace", &summary))?;
            }
        }
        if change != Change::None {
            run.write(RECIPE_FILE, recipe.as_bytes())?;
        }
        Ok(run)
    }

    /// Checks that the run in `path` can be resumed with this recipe, without touching it.
    ///
    /// # Errors
    ///
    /// If there is no run, or its recipe is another.
    pub fn check_recipe(path: &Path, recipe: &str, reread: Reread) -> Result<(), RunError> {
        changes::compare(path, &Self::recipe(path)?, recipe, reread)?;
        Ok(())
    }

    /// The recipe of the run in `path`, finished or not.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn recipe(path: &Path) -> Result<String, RunError> {
        let file = path.join(RECIPE_FILE);
        if !file.exists() {
            return Err(RunError::NoRun(path.to_owned()));
        }
        fs::read_to_string(&file).map_err(RunError::io("read", &file))
    }

    fn lock(path: &Path) -> Result<Self, RunError> {
        let lock = Lock::new(path).map_err(|error| match error {
            LockError::Held(process) => RunError::Locked {
                path: path.to_owned(),
                process,
            },
            LockError::Io(error) => RunError::io("lock the directory", path)(error),
        })?;
        Ok(Self {
            path: path.to_owned(),
            lock: Arc::new(lock),
            is_new: false,
            top: None,
        })
    }

    /// Removes what was created, if the run was started by this process and has not trained: after
    /// an error of the user, the corrected command can use the same directory.
    pub fn discard_untrained(self) {
        if self.is_new && !cleanup::has_trained(&self.path) {
            drop(self.lock);
            cleanup::discard(&self.path, self.top.as_deref());
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that inference needs.
    pub fn model_dir(&self) -> PathBuf {
        self.path.join(MODEL_DIR)
    }

    /// The folder for the best weights so far.
    pub fn best_dir(&self) -> PathBuf {
        self.path.join(BEST_DIR)
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
        self.write(SUMMARY_FILE, &[&json[..], b"\n"].concat())?;
        // They are in the model now; that they are still there does no harm.
        let _ = fs::remove_dir_all(self.path.join(BEST_DIR));
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_atomic(&path, |file| file.write_all(bytes)).map_err(RunError::io("write", &path))
    }
}

/// Writes the length that a time budget has led to into `recipe.toml` of the run in `dir`, if it is the folder of a
/// run: the value of `key` in `train`.
///
/// # Errors
///
/// If the file cannot be read or written.
pub fn write_length(dir: &Path, key: &str, value: usize) -> io::Result<()> {
    let path = dir.join(RECIPE_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let start = format!("{key} = ");
    let mut section = "";
    // Line by line, so that nothing else changes: a resumed run compares the files.
    let lines = text.lines().map(|line| {
        if line.starts_with('[') {
            section = line;
        }
        if section == "[train]" && line.starts_with(&start) {
            format!("{start}{value}\n")
        } else {
            format!("{line}\n")
        }
    });
    let text: String = lines.collect();
    write_atomic(&path, |file| file.write_all(text.as_bytes()))
}

/// The result of a run, as `summary.json` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Commit that the program was built from; none outside of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
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
    #[serde(deserialize_with = "finite")]
    pub valid: Metrics,
    /// Metrics on the test split.
    #[serde(deserialize_with = "finite")]
    pub test: Metrics,
    /// The metric to look at first; none if the run of an older version has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// What was read; none for an agent, and for a run of an older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataOverview>,
    /// What to be careful about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Classical methods on the same split; empty where they were skipped.
    pub baselines: Vec<Baseline>,
    /// What only this kind of task has.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// The metric that decides between two models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Its name.
    pub metric: String,
    /// Whether more or less of it is better.
    pub mode: MonitorMode,
    /// Number of test items.
    pub items: usize,
    /// What an item is, singular and plural.
    pub noun: [String; 2],
    /// The 95% confidence interval of its value on the test split, where it is known.
    pub interval: Option<[f64; 2]>,
}

/// The data of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataOverview {
    /// One line: what is predicted from how much of what.
    pub summary: String,
    /// Its splits.
    pub splits: Vec<SplitOverview>,
    /// What their sizes count, singular and plural, where it is not what the headline metric counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noun: Option<[String; 2]>,
    /// Items that are copies of another one.
    pub duplicates: usize,
    /// Test items that also occur in the training or validation split.
    pub test_duplicates: usize,
    /// Validation items that also occur in the training split.
    pub valid_duplicates: usize,
    /// Other test items that match one there except for case, spacing and punctuation.
    pub test_similar: usize,
    /// Hash of all items with their labels.
    pub hash: Option<String>,
}

impl DataOverview {
    /// The items shared between splits.
    pub fn shared(&self) -> SharedItems {
        SharedItems {
            test: self.test_duplicates,
            valid: self.valid_duplicates,
            test_similar: self.test_similar,
        }
    }
}

/// Metrics without those that are null, which stands for a value that is not finite.
pub(crate) fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metrics, D::Error> {
    let all = std::collections::BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    let finite = all
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    Ok(finite.collect())
}

/// What a classical method reaches on the same test split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    /// Which method.
    pub method: String,
    /// Training items it was fitted on; 0 for a method that is not fitted.
    pub samples: usize,
    /// Time to fit it and to predict, in s.
    pub wall_s: f64,
    /// The decision threshold of two classes, where it was tuned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Its metrics on the test split.
    #[serde(deserialize_with = "finite")]
    pub test: Metrics,
}

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

    fn resume(path: &Path, recipe: &str) -> Result<RunDir, RunError> {
        RunDir::resume(path, recipe, |_| None)
    }

    #[test]
    fn a_directory_with_anything_in_it_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        drop(RunDir::create(&path, "name = 1").unwrap());
        assert!(matches!(
            RunDir::create(&path, ""),
            Err(RunError::Unfinished(_))
        ));
        let error = RunError::Unfinished(PathBuf::from("my run")).to_string();
        assert!(error.contains("`--resume 'my run'`"), "{error}");
        assert_eq!(RunDir::recipe(&path).unwrap(), "name = 1");
        drop(resume(&path, "name = 1").unwrap());
        fs::write(path.join(SUMMARY_FILE), "{}").unwrap();
        assert!(matches!(
            RunDir::create(&path, ""),
            Err(RunError::Finished(_))
        ));
        assert!(matches!(
            resume(&path, "name = 1"),
            Err(RunError::Done { .. })
        ));
        assert!(matches!(
            RunDir::create(dir.path(), ""),
            Err(RunError::Occupied(_))
        ));
        assert!(matches!(resume(dir.path(), ""), Err(RunError::NoRun(_))));
    }

    #[test]
    fn what_a_process_killed_at_once_has_left_is_no_run() {
        for leftover in [".lock", ".tinderbox-a1b2c3.tmp", "recipe.toml.tmp"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(leftover), "").unwrap();
            assert!(matches!(resume(dir.path(), ""), Err(RunError::NoRun(_))));
            drop(RunDir::create(dir.path(), "a = 1").unwrap());
            let names = fs::read_dir(dir.path()).unwrap();
            assert_eq!(names.count(), 2, "{leftover} and no more than the recipe");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.tmp"), "").unwrap();
        assert!(matches!(
            RunDir::create(dir.path(), ""),
            Err(RunError::Occupied(_))
        ));
    }

    #[test]
    fn a_summary_is_read_as_it_was_written_without_values_that_are_not_finite() {
        let headline = Headline {
            metric: "accuracy".to_owned(),
            mode: MonitorMode::Max,
            items: 30,
            noun: ["row", "rows"].map(str::to_owned),
            interval: Some([0.8, 0.9]),
        };
        let mut summary = Summary {
            app: "tabular".to_owned(),
            test: Metrics::from([("accuracy".to_owned(), 0.1 + 0.2)]),
            headline: Some(headline),
            data: Some(DataOverview::default()),
            warnings: vec!["careful".to_owned()],
            baselines: vec![Baseline::default()],
            ..Summary::default()
        };
        summary.details.insert("threshold".to_owned(), 0.3.into());
        let text = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
        summary.valid.insert("loss".to_owned(), f64::NAN);
        let text = serde_json::to_string(&summary).unwrap();
        let read: Summary = serde_json::from_str(&text).unwrap();
        assert!(read.valid.is_empty() && read.test.contains_key("accuracy"));
    }

    #[test]
    fn two_at_a_time_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let first = RunDir::create(&path, "a = 1").unwrap();
        let error = resume(&path, "a = 1").unwrap_err().to_string();
        let id = std::process::id();
        assert!(error.contains(&format!("(process id {id})")), "{error}");
        let clone = first.clone();
        drop(first);
        assert!(resume(&path, "a = 1").is_err(), "a clone holds it");
        drop(clone);
        drop(resume(&path, "a = 1").unwrap());
    }

    #[test]
    fn a_finished_run_that_trains_longer_is_unfinished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let run = RunDir::create(&path, "[train]\nepochs = 1\n").unwrap();
        run.finish(&"done").unwrap();
        drop(run);
        drop(resume(&path, "[train]\nepochs = 2\n").unwrap());
        assert!(!path.join(SUMMARY_FILE).exists());
        assert_eq!(RunDir::recipe(&path).unwrap(), "[train]\nepochs = 2\n");
    }

    #[test]
    fn a_run_that_never_trained_is_removed_with_what_was_created_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        fs::create_dir(dir.path().join("a")).unwrap();
        let run = RunDir::create(&path, "").unwrap();
        fs::create_dir(path.join("checkpoint")).unwrap();
        fs::write(path.join("checkpoint/step-000000000.ckpt"), "").unwrap();
        run.discard_untrained();
        assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 0);

        // A directory of the user's own stays, and so does a run that has trained.
        fs::create_dir(dir.path().join("own")).unwrap();
        RunDir::create(&dir.path().join("own"), "")
            .unwrap()
            .discard_untrained();
        assert_eq!(fs::read_dir(dir.path().join("own")).unwrap().count(), 0);
        let run = RunDir::create(&path, "").unwrap();
        fs::create_dir_all(path.join("folds/1/checkpoint")).unwrap();
        fs::write(path.join("folds/1/checkpoint/step-000000001.ckpt"), "").unwrap();
        run.discard_untrained();
        assert!(path.join(RECIPE_FILE).exists());
        resume(&path, "").unwrap().discard_untrained();
        assert!(path.join(RECIPE_FILE).exists());
    }
}
