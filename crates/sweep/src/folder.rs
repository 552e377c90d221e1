//! The folder of a search, which several processes and machines share.
//!
//! ```text
//! sweep.toml      what is searched and how: written once
//! recipe.toml     the recipe that every trial starts from
//! space.toml      the search space
//! splits.json     the items of the data with the split of each
//! journal.jsonl   the finished trials, one on each line
//! trials/0000/    a trial: trial.toml with its values, its runs, and result.json when it is finished
//! best/           the run of the best trial, the only one that is tested
//! ```
//!
//! Whoever begins or finishes a trial holds the lock of the folder for a moment; whoever trains it holds that of the
//! trial. The system takes locks off when a process ends, so a trial without a result and without a lock has lost its
//! process, and the next one resumes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::format::hex_digits;
use tinderbox_predict::FileError;
use tinderbox_train::MonitorMode;
use tinderbox_train::splits::{Changes, SplitList, SplitsError};
use toml::Table;

use crate::results::{Finished, Outcome, ranked};
use crate::search::{self, Pruner, Sampler, Search};
use crate::space::{Space, Values};

/// What is searched and how: written once.
const SETTINGS_FILE: &str = "sweep.toml";
/// The recipe that every trial starts from.
const RECIPE_FILE: &str = "recipe.toml";
/// The search space.
const SPACE_FILE: &str = "space.toml";
/// The finished trials.
const JOURNAL_FILE: &str = "journal.jsonl";
/// The trials.
const TRIALS_DIR: &str = "trials";
/// The values of a trial.
const TRIAL_FILE: &str = "trial.toml";
/// The result of a trial.
const RESULT_FILE: &str = "result.json";
/// Locked by who begins or finishes a trial, and in the folder of a trial by who trains it.
const LOCK_FILE: &str = ".lock";
/// The run of the best trial.
const BEST_DIR: &str = "best";

/// What is searched and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the app.
    pub app: String,
    /// Version of Tinderbox: every process must have the same one.
    pub version: String,
    /// Number of trials.
    pub trials: usize,
    /// Trainings of each trial, with seeds that follow that of the recipe.
    pub seeds: usize,
    /// Seed of the search.
    pub seed: u64,
    /// How the values are chosen.
    pub sampler: Sampler,
    /// Which trials stop early.
    pub pruner: Pruner,
    /// Device to compute on.
    pub device: String,
    /// Whether the best trial is compared with classical methods.
    pub baselines: bool,
    /// Flags of `train` for the best trial, besides what is in its recipe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Why the folder of a search cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Something is there already.
    #[error("`{}` is not empty; choose another `--out`, or add a process to the sweep in it with `--join`", .0.display())]
    Occupied(PathBuf),
    /// No search is there.
    #[error("`{}` contains no sweep: it has no `{SETTINGS_FILE}`", .0.display())]
    NoSweep(PathBuf),
    /// A search of another app.
    #[error("`{}` is a sweep of the app `{app}`; use that program", path.display())]
    OtherApp {
        /// The folder.
        path: PathBuf,
        /// Its app.
        app: String,
    },
    /// A search of another version.
    #[error(
        "`{}` was begun by version {found}, and this is version {own}; every process of a sweep needs the same version",
        path.display()
    )]
    OtherVersion {
        /// The folder.
        path: PathBuf,
        /// The version that began it.
        found: String,
        /// This version.
        own: String,
    },
    /// A file of it is damaged.
    #[error("cannot read `{}`: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A journal of another search.
    #[error(
        "line {line} of `{}` is a trial of another recipe or search space; move the file away, and it is written again \
         from the trials in this folder",
        path.display()
    )]
    OtherJournal {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The data is not that of the search.
    #[error(
        "the data is not what the sweep in `{}` began with: {changes}; restore it, or begin a new sweep", path.display()
    )]
    OtherData {
        /// The folder.
        path: PathBuf,
        /// What differs.
        changes: Changes,
    },
    /// The list of the items cannot be used.
    #[error(transparent)]
    Splits(SplitsError),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl SweepError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let wrap = FileError::new(action, path);
        move |source| Self::Io(wrap(source))
    }

    fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// Whether the user can do something about it.
    pub fn is_user(&self) -> bool {
        match self {
            Self::Io(_) => false,
            Self::Splits(error) => error.is_input(),
            _ => true,
        }
    }
}

/// The folder of a search.
#[derive(Clone, Debug)]
pub struct SweepDir {
    path: PathBuf,
    settings: Settings,
    recipe: String,
    space: String,
}

/// A trial that this process trains.
#[derive(Debug)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// The values of its recipe.
    pub values: Values,
    /// Its folder.
    pub path: PathBuf,
    /// Whether another process has begun it.
    pub resumed: bool,
    /// No other process trains it.
    pub lock: TrialLock,
}

/// Held by the process that trains a trial; the system takes it off when that ends.
#[derive(Debug)]
pub struct TrialLock(#[expect(dead_code, reason = "it is locked while it is open")] File);

/// What a process does next.
#[derive(Debug)]
pub enum Task {
    /// Train this trial.
    Train(Trial),
    /// Wait: other processes train the last ones.
    Wait,
    /// Nothing: every trial is finished.
    Done,
}

/// The part of `trial.toml`.
#[derive(Serialize, Deserialize)]
struct TrialFile {
    number: usize,
    values: Values,
}

impl SweepDir {
    /// Begins a search in a new folder. `recipe` is the document of the recipe, and `data` lists the items of its data,
    /// if there is any.
    ///
    /// # Errors
    ///
    /// If the folder is not empty or cannot be written.
    pub fn create(
        path: &Path,
        settings: Settings,
        recipe: &str,
        space: &Space,
        data: Option<&SplitList>,
    ) -> Result<Self, SweepError> {
        let entries = fs::read_dir(path).into_iter().flatten();
        if entries.count() > 0 {
            return Err(SweepError::Occupied(path.to_owned()));
        }
        fs::create_dir_all(path.join(TRIALS_DIR))
            .map_err(SweepError::io("create the folder", path))?;
        write(&path.join(RECIPE_FILE), recipe)?;
        let space = space.text();
        write(&path.join(SPACE_FILE), &space)?;
        if let Some(data) = data {
            data.save(path).map_err(SweepError::Splits)?;
        }
        let text = toml::to_string(&settings)
            .map_err(|error| SweepError::damaged(&path.join(SETTINGS_FILE), error.to_string()))?;
        // Last: a folder with it is complete.
        write(&path.join(SETTINGS_FILE), &text)?;
        Ok(Self {
            path: path.to_owned(),
            settings,
            recipe: recipe.to_owned(),
            space,
        })
    }

    /// Opens the search of an app in a folder.
    ///
    /// # Errors
    ///
    /// If there is none, or it is one of another app or version.
    pub fn open(path: &Path, app: &str, version: &str) -> Result<Self, SweepError> {
        let file = path.join(SETTINGS_FILE);
        if !file.is_file() {
            return Err(SweepError::NoSweep(path.to_owned()));
        }
        let text = read(&file)?;
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| SweepError::damaged(&file, error.to_string()))?;
        let found = |key: &str| {
            table
                .get(key)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        if found("app") != app {
            return Err(SweepError::OtherApp {
                path: path.to_owned(),
                app: found("app").to_owned(),
            });
        }
        if found("version") != version {
            return Err(SweepError::OtherVersion {
                path: path.to_owned(),
                found: found("version").to_owned(),
                own: version.to_owned(),
            });
        }
        let settings =
            toml::from_str(&text).map_err(|error| SweepError::damaged(&file, error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            settings,
            recipe: read(&path.join(RECIPE_FILE))?,
            space: read(&path.join(SPACE_FILE))?,
        })
    }

    /// Checks that a process that joins has the data that the search began with.
    ///
    /// # Errors
    ///
    /// If it differs, with what does, or the list of the items cannot be read.
    pub fn check_data(&self, data: &SplitList) -> Result<(), SweepError> {
        data.check(&self.path).map_err(|error| match error {
            SplitsError::DataChanged { changes } => SweepError::OtherData {
                path: self.path.clone(),
                changes,
            },
            other => SweepError::Splits(other),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is searched and how.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The recipe that every trial starts from.
    pub fn recipe(&self) -> &str {
        &self.recipe
    }

    /// Its file.
    pub fn recipe_file(&self) -> PathBuf {
        self.path.join(RECIPE_FILE)
    }

    /// The search space.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// The folder for the run of the best trial.
    pub fn best_dir(&self) -> PathBuf {
        self.path.join(BEST_DIR)
    }

    /// What tells the trials of this search from those of others.
    fn mark(&self) -> String {
        let digest = Sha256::digest([&self.recipe, "\n", &self.space].concat());
        hex_digits(&digest[..8])
    }

    /// The finished trials in the order of their numbers.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    pub fn finished(&self) -> Result<Vec<Finished>, SweepError> {
        let mut all = Vec::new();
        for number in 0..self.begun()? {
            let path = self.trial_dir(number);
            let file = path.join(RESULT_FILE);
            if !file.is_file() {
                continue;
            }
            let finished: Finished = serde_json::from_str(&read(&file)?)
                .map_err(|error| SweepError::damaged(&file, error.to_string()))?;
            all.push(Finished {
                number,
                values: read_trial(&path)?,
                ..finished
            });
        }
        Ok(all)
    }

    /// The complete trials, the best first, with the metric that they are ranked by; none before one is complete.
    ///
    /// # Errors
    ///
    /// If a trial cannot be read.
    pub fn leaderboard(&self) -> Result<Option<(String, MonitorMode, Vec<Finished>)>, SweepError> {
        let finished = self.finished()?;
        let Some((metric, mode)) = objective(&finished) else {
            return Ok(None);
        };
        let ranked = ranked(&finished, mode).into_iter().cloned().collect();
        Ok(Some((metric, mode, ranked)))
    }

    /// What this process does next: resume a trial that has lost its process, else begin one if `may_begin`.
    ///
    /// `search` tells the values of a new one; `on_note` hears what was repaired.
    ///
    /// # Errors
    ///
    /// If the folder or its journal cannot be used.
    pub fn next(
        &self,
        search: &Search,
        recipe: &Table,
        may_begin: bool,
        on_note: &mut dyn FnMut(&str),
    ) -> Result<Task, SweepError> {
        let _lock = self.lock()?;
        let finished = self.finished()?;
        self.reconcile(search, &finished, on_note)?;
        let begun = self.begun()?;
        let mut running = Vec::new();
        for number in 0..begun {
            let path = self.trial_dir(number);
            if path.join(RESULT_FILE).is_file() {
                continue;
            }
            let is_whole = path.join(TRIAL_FILE).is_file();
            let Some(lock) = lock_trial(&path)? else {
                // Who holds it has written the file before.
                if is_whole {
                    running.push(read_trial(&path)?);
                }
                continue;
            };
            if is_whole {
                let values = read_trial(&path)?;
                return Ok(Task::Train(Trial {
                    number,
                    values,
                    path,
                    resumed: true,
                    lock,
                }));
            }
            // Its process ended before it had written its values.
            return self.begin(number, lock, search, recipe, &finished, &running);
        }
        if may_begin && begun < self.settings.trials {
            let path = self.trial_dir(begun);
            fs::create_dir_all(&path).map_err(SweepError::io("create the folder", &path))?;
            let lock = lock_trial(&path)?;
            // Nobody else is here.
            let lock = lock.ok_or_else(|| SweepError::damaged(&path, "it is locked"))?;
            return self.begin(begun, lock, search, recipe, &finished, &running);
        }
        Ok(if running.is_empty() {
            Task::Done
        } else {
            Task::Wait
        })
    }

    fn begin(
        &self,
        number: usize,
        lock: TrialLock,
        search: &Search,
        recipe: &Table,
        finished: &[Finished],
        running: &[Values],
    ) -> Result<Task, SweepError> {
        let path = self.trial_dir(number);
        let mode = objective(finished).map_or(search.mode, |(_, mode)| mode);
        let search = Search {
            mode,
            ..search.clone()
        };
        let values = search.suggest(recipe, number, finished, running);
        let file = path.join(TRIAL_FILE);
        let text = toml::to_string(&TrialFile {
            number,
            values: values.clone(),
        });
        write(
            &file,
            &text.map_err(|error| SweepError::damaged(&file, error.to_string()))?,
        )?;
        Ok(Task::Train(Trial {
            number,
            values,
            path,
            resumed: false,
            lock,
        }))
    }

    /// Stores the result of a trial.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(
        &self,
        trial: Trial,
        search: &Search,
        finished: &Finished,
        on_note: &mut dyn FnMut(&str),
    ) -> Result<(), SweepError> {
        let Trial { path, lock, .. } = trial;
        let file = path.join(RESULT_FILE);
        let json = serde_json::to_string_pretty(finished)
            .map_err(|error| SweepError::damaged(&file, error.to_string()))?;
        write(&file, &json)?;
        drop(lock);
        let _lock = self.lock()?;
        self.reconcile(search, &self.finished()?, on_note)
    }

    /// Locks the run of the best trial; nothing if another process trains it.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub fn lock_best(&self) -> Result<Option<TrialLock>, SweepError> {
        let path = self.path.join(".best");
        fs::create_dir_all(&path).map_err(SweepError::io("create the folder", &path))?;
        lock_trial(&path)
    }

    /// Makes the journal hold the finished trials and nothing else: a process may have ended before it had written a
    /// line, or in the middle of it.
    fn reconcile(
        &self,
        search: &Search,
        finished: &[Finished],
        on_note: &mut dyn FnMut(&str),
    ) -> Result<(), SweepError> {
        let journal = self.path.join(JOURNAL_FILE);
        let mark = self.mark();
        repair(&journal, on_note)?;
        let known = search::numbers(&journal).map_err(SweepError::io("read", &journal))?;
        if let Some(at) = known.iter().position(|(_, found)| *found != mark) {
            return Err(SweepError::OtherJournal {
                path: journal,
                line: at + 1,
            });
        }
        for trial in finished {
            if !known.iter().any(|(number, _)| *number == trial.number) {
                search
                    .append(&journal, &mark, trial)
                    .map_err(SweepError::io("write", &journal))?;
            }
        }
        Ok(())
    }

    /// How many trials have begun.
    fn begun(&self) -> Result<usize, SweepError> {
        let path = self.path.join(TRIALS_DIR);
        let entries = fs::read_dir(&path).map_err(SweepError::io("list", &path))?;
        let numbers =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok());
        Ok(numbers.max().map_or(0, |last| last + 1))
    }

    fn trial_dir(&self, number: usize) -> PathBuf {
        self.path.join(TRIALS_DIR).join(format!("{number:04}"))
    }

    fn lock(&self) -> Result<File, SweepError> {
        let path = self.path.join(LOCK_FILE);
        let file = open_lock(&path)?;
        match file.lock() {
            // Some network file systems have no locks: then one process alone is safe.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                Err(SweepError::io("lock", &path)(error))
            }
            _ => Ok(file),
        }
    }
}

/// The metric of a search, once a trial is complete.
fn objective(finished: &[Finished]) -> Option<(String, MonitorMode)> {
    let complete = |trial: &&Finished| trial.outcome == Outcome::Complete;
    let first = finished.iter().find(complete)?;
    Some((first.metric.clone(), first.mode))
}

fn lock_trial(path: &Path) -> Result<Option<TrialLock>, SweepError> {
    let path = path.join(LOCK_FILE);
    let file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(TrialLock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(Some(TrialLock(file)))
        }
        Err(TryLockError::Error(error)) => Err(SweepError::io("lock", &path)(error)),
    }
}

fn open_lock(path: &Path) -> Result<File, SweepError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(SweepError::io("open", path))
}

fn read_trial(path: &Path) -> Result<Values, SweepError> {
    let file = path.join(TRIAL_FILE);
    let trial: TrialFile = toml::from_str(&read(&file)?)
        .map_err(|error| SweepError::damaged(&file, error.to_string()))?;
    Ok(trial.values)
}

/// Cuts a damaged last line off a journal: its trial is in its own folder.
fn repair(journal: &Path, on_note: &mut dyn FnMut(&str)) -> Result<(), SweepError> {
    let bytes = match fs::read(journal) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SweepError::io("read", journal)(error)),
    };
    let mut kept = 0;
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let is_whole = line.ends_with(b"\n")
            && std::str::from_utf8(line).is_ok_and(|line| search::is_trial(line.trim_end()));
        if is_whole {
            kept += line.len();
            continue;
        }
        if at + 1 < lines.len() {
            return Err(SweepError::damaged(
                journal,
                format!(
                    "line {} is not a trial; move the file away, and it is written again from the trials in this folder",
                    at + 1
                ),
            ));
        }
        on_note(&format!(
            "line {} of `{}` is damaged: it is written again from its trial",
            at + 1,
            journal.display()
        ));
    }
    if kept < bytes.len() {
        write_atomic(journal, |file| file.write_all(&bytes[..kept]))
            .map_err(SweepError::io("write", journal))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, SweepError> {
    fs::read_to_string(path).map_err(SweepError::io("read", path))
}

fn write(path: &Path, text: &str) -> Result<(), SweepError> {
    write_atomic(path, |file| file.write_all(text.as_bytes()))
        .map_err(SweepError::io("write", path))
}

#[cfg(test)]
mod tests;
