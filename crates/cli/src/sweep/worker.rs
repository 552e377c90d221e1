//! A process of a sweep.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::escape::shell_word;
use anyhow::Context as _;
use clap::{Args, FromArgMatches as _};
use tinderbox_backend::{DeviceSpec, Opened};
use tinderbox_sweep::{Finished, NextTrial, Outcome, Search, Space, SweepDir, Trial, apply};
use tinderbox_train::metrics::Spread;
use tinderbox_train::overlay::{assign, document, recipe_table};
use tinderbox_train::run_dir::{RECIPE_FILE, SUMMARY_FILE};
use tinderbox_train::task::Objective;
use tinderbox_train::{
    CHECKPOINT_DIR, ErrorKind, FitError, MonitorMode, Options, Ranks, Silent, Task, TaskError,
    TaskRecipe as _, TrainError,
};
use toml::Table;

use super::watch::{Monitor, Shared, Watch, earlier, locked};
use super::{SweepArgs, board, counted, of_folder};
use crate::app::{App, RecipeOf, TrainCommand};
use crate::metric_names::MetricNames;
use crate::train::Place;
use crate::{Failure, OrUserError as _, interrupter, note, open_device, summary};

/// How often a process that has nothing to do looks whether another one has ended.
const POLL: Duration = Duration::from_millis(250);

/// Trials that may fail before the first good one.
const MOST_FAILURES: usize = 5;

/// A process of a sweep.
pub(super) struct Worker<'a, A: App> {
    sweep: &'a SweepDir,
    recipe: RecipeOf<A>,
    /// The recipe with all of its keys.
    table: Table,
    search: Search,
    device: Opened,
    /// When no more trial begins.
    deadline: Option<Instant>,
    quiet: bool,
}

/// How the training of a seed ended.
enum Trained {
    Scores(Objective),
    Pruned,
}

impl<'a, A: App> Worker<'a, A> {
    /// Checks that the data is there and opens the device.
    pub(super) fn new<F: Args>(
        sweep: &'a SweepDir,
        recipe: RecipeOf<A>,
        args: &SweepArgs<F>,
        started: Instant,
    ) -> Result<Self, Failure> {
        let settings = sweep.settings();
        let spec = if args.device == DeviceSpec::default() {
            let stored = settings.device.parse();
            stored.unwrap_or_default()
        } else {
            args.device
        };
        let device = open_device(spec, A::NAME)?;
        if matches!(device.spec, DeviceSpec::Cpu | DeviceSpec::NdArray) {
            A::Task::check_memory(&recipe)?;
        }
        let space = Space::parse(sweep.space(), &recipe).or_user_error()?;
        if args.join.is_some() {
            // On another machine the data may be elsewhere, or another copy; that is no fault of a trial.
            let task = A::Task::prepare(recipe.clone())?;
            if let Some(data) = task.split_list() {
                sweep.check_data(data).map_err(of_folder)?;
            }
        }
        Ok(Self {
            sweep,
            table: recipe_table(&recipe)?,
            recipe,
            search: Search {
                space,
                sampler: settings.sampler,
                pruner: settings.pruner,
                seed: settings.seed,
                mode: MonitorMode::Min,
            },
            device,
            deadline: args.budget.map(|budget| started + budget),
            quiet: args.quiet,
        })
    }

    /// Trains trials until none is left.
    pub(super) fn work(&self) -> Result<(), Failure> {
        let known = self.sweep.finished().map_err(of_folder)?;
        if !self.quiet && !known.is_empty() {
            let are = if known.len() == 1 { "is" } else { "are" };
            let trials = counted(known.len(), "trial");
            note(&format!("{trials} {are} finished already"));
        }
        let mut told: BTreeSet<usize> = known.iter().map(|trial| trial.number).collect();
        let mut is_late = false;
        loop {
            let late = self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline);
            if late && !is_late && !self.quiet {
                note("the time is up: no more trial begins");
            }
            is_late = late;
            let next = self
                .sweep
                .next(&self.search, &self.table, !late, &mut note)
                .map_err(of_folder)?;
            match next {
                NextTrial::Train(trial) => {
                    if trial.resumed && !self.quiet {
                        note(&format!(
                            "trial {}: its process has ended; resuming",
                            trial.number + 1
                        ));
                    }
                    self.train(trial)?;
                }
                NextTrial::Wait => thread::sleep(POLL),
                NextTrial::Done => {
                    self.tell(&mut told)?;
                    return Ok(());
                }
            }
            self.tell(&mut told)?;
        }
    }

    /// Prints the trials that have finished since, whichever process trained them.
    fn tell(&self, told: &mut BTreeSet<usize>) -> Result<(), Failure> {
        let finished = self.sweep.finished().map_err(of_folder)?;
        let new: Vec<&Finished> = finished
            .iter()
            .filter(|trial| told.insert(trial.number))
            .collect();
        if !self.quiet {
            for trial in &new {
                note(&board::line(trial, &finished, self.sweep.settings().trials));
            }
        }
        if finished.len() >= MOST_FAILURES {
            all_failed(&finished)?;
        }
        Ok(())
    }

    fn train(&self, trial: Trial) -> Result<(), Failure> {
        let started = Instant::now();
        let reports = Shared::default();
        let mut objectives: Vec<Objective> = Vec::new();
        let mut reason = String::new();
        let mut is_pruned = false;
        for index in 0..self.sweep.settings().seeds {
            match self.train_seed(&trial, index, &reports) {
                Ok(Trained::Scores(objective)) => objectives.push(objective),
                Ok(Trained::Pruned) => {
                    is_pruned = true;
                    break;
                }
                Err(failure) => {
                    // What a recipe does to itself, such as a loss that is not finite, is the result of its trial.
                    let Failure::UserError(error) = failure else {
                        return Err(failure);
                    };
                    reason = tinderbox_predict::error_chain(error.as_ref());
                    break;
                }
            }
        }
        let reports = std::mem::take(&mut *locked(&reports));
        let scores: Vec<f64> = objectives
            .iter()
            .flat_map(|one| one.scores.clone())
            .collect();
        let first = objectives.first();
        let spread = Spread::of(&scores);
        let (mean, deviation) = spread.map_or((0.0, 0.0), |spread| (spread.mean, spread.deviation));
        let outcome = match (is_pruned, reason.is_empty(), scores.is_empty()) {
            (true, ..) => Outcome::Pruned,
            (false, true, false) => Outcome::Complete,
            _ => Outcome::Failed,
        };
        let monitor = self.monitor();
        let (metric, mode) = match (outcome, first) {
            (Outcome::Complete, Some(objective)) => (objective.metric.clone(), objective.mode),
            _ => (monitor.metric, monitor.mode),
        };
        let score = match outcome {
            Outcome::Complete => mean,
            Outcome::Pruned => reports.values.last().map_or(0.0, |(_, value)| *value),
            Outcome::Failed => 0.0,
        };
        if outcome == Outcome::Failed && reason.is_empty() {
            "it has no score on validation data".clone_into(&mut reason);
        }
        let finished = Finished {
            number: trial.number,
            values: trial.values.clone(),
            outcome,
            metric,
            mode,
            score,
            deviation,
            scores,
            unsolved: objectives.iter().map(|one| one.unsolved).sum(),
            reports: reports.values,
            seconds: started.elapsed().as_secs_f64(),
            reason,
        };
        self.sweep
            .finish(trial, &self.search, &finished, &mut note)
            .map_err(of_folder)
    }

    /// The recipe of a trial, for one of its seeds.
    fn recipe_of(
        &self,
        trial: &tinderbox_sweep::Values,
        index: usize,
    ) -> Result<RecipeOf<A>, Failure> {
        let seed = self.recipe.seed().wrapping_add(index as u64);
        let recipe = apply(self.recipe.clone(), trial).or_user_error()?;
        assign(recipe, &[format!("train.seed={seed}")]).or_user_error()
    }

    /// Trains a trial with one of its seeds, or reads the score if it was trained already.
    fn train_seed(
        &self,
        trial: &Trial,
        index: usize,
        reports: &Shared,
    ) -> Result<Trained, Failure> {
        let recipe = self.recipe_of(&trial.values, index)?;
        let dir = trial.path.join(format!("seed-{}", recipe.seed()));
        let task = A::Task::prepare(recipe)?.without_test();
        let resume = dir.join(RECIPE_FILE).is_file();
        if dir.join(SUMMARY_FILE).is_file() {
            let score =
                fs::read(dir.join(SCORE_FILE)).context("cannot read the score of a trial")?;
            return Ok(Trained::Scores(serde_json::from_slice(&score)?));
        }
        let monitor = self.monitor();
        let interrupter = interrupter();
        if index == 0 {
            let first = if self.folds() > 0 {
                dir.join("folds").join("1")
            } else {
                dir.clone()
            };
            let values = earlier(&first, &monitor.metric);
            locked(reports).values = values.context("cannot resume a trial")?;
        }
        let mut watch = (index == 0).then(|| Watch {
            number: trial.number,
            monitor,
            search: self.search.clone(),
            sweep: self.sweep.clone(),
            reports: reports.clone(),
            interrupter: interrupter.clone(),
            quiet: self.quiet,
            names: MetricNames::default(),
            latest: None,
            told: Instant::now(),
        });
        let options = Options {
            resume,
            renderer: Box::new(move |_| match watch.take() {
                Some(watch) => Box::new(watch),
                None => Box::new(Silent),
            }),
            interrupter: interrupter.clone(),
            ..Options::new(&dir)
        };
        let mut report = match task.train(&self.device.device, options) {
            Ok(report) => report,
            Err(error) => {
                let is_pruned = error.kind() == ErrorKind::Interrupted && locked(reports).is_pruned;
                if is_of_recipe(&error) {
                    return Err(Failure::UserError(error.into()));
                }
                if !is_pruned {
                    return Err(error.into());
                }
                // It was stopped for this trial only.
                interrupter.reset();
                remove(&dir.join(CHECKPOINT_DIR));
                return Ok(Trained::Pruned);
            }
        };
        let objective = task.objective(&report);
        let objective =
            objective.ok_or_else(|| TaskError::user("it has no score on validation data"))?;
        // What it calls its test are validation data.
        report.test.clear();
        report
            .details
            .insert("trial".to_owned(), (trial.number + 1).into());
        let json = serde_json::to_vec(&objective)?;
        fs::write(dir.join(SCORE_FILE), json).context("cannot write the score of a trial")?;
        let summary = summary::of::<A>(task.recipe(), &self.device, &task.overview(), &report);
        report.run.finish(&summary)?;
        // It is trained, and many trials would fill a disk.
        remove(&dir.join(CHECKPOINT_DIR));
        Ok(Trained::Scores(objective))
    }

    fn folds(&self) -> i64 {
        let split = self.table.get("split").and_then(|split| split.get("folds"));
        split.and_then(toml::Value::as_integer).unwrap_or(0)
    }

    /// What a training reports after each epoch: the metric that decides which weights are the best.
    fn monitor(&self) -> Monitor {
        let key = |name: &str| self.table.get("train").and_then(|train| train.get(name));
        let count = |name: &str| {
            key(name)
                .and_then(toml::Value::as_integer)
                .unwrap_or(0)
                .max(0)
        };
        match key("monitor").and_then(toml::Value::as_str) {
            Some(metric) => Monitor {
                metric: metric.to_owned(),
                mode: match key("monitor_mode").and_then(toml::Value::as_str) {
                    Some("max") => MonitorMode::Max,
                    _ => MonitorMode::Min,
                },
                steps: count("epochs").unsigned_abs(),
            },
            // An agent, which is evaluated now and then.
            None => Monitor {
                metric: "return_mean".to_owned(),
                mode: MonitorMode::Max,
                steps: count("total_timesteps").unsigned_abs()
                    / count("eval_freq").unsigned_abs().max(1),
            },
        }
    }

    /// The flags of `train` that the sweep began with for its best trial.
    fn best_flags(&self) -> Result<TrainCommand<A::TrainFlags>, Failure> {
        let command = clap::Command::new(A::NAME).no_binary_name(true);
        let command = TrainCommand::<A::TrainFlags>::augment_args(command);
        let matches = command.try_get_matches_from(&self.sweep.settings().flags);
        let args = matches.and_then(|matches| TrainCommand::from_arg_matches(&matches));
        args.context("the flags in `sweep.toml`").or_user_error()
    }

    /// Trains the best recipe again in `best/` and tests it. If another process is doing so, or has done so, prints that or
    /// the leaderboard.
    pub(super) fn test_best(&self) -> Result<(), Failure> {
        let Some((metric, mode, leaders)) = self.sweep.leaderboard().map_err(of_folder)? else {
            all_failed(&self.sweep.finished().map_err(of_folder)?)?;
            return Err(Failure::user(format!(
                "no trial of the sweep in `{}` is complete, so there is no best one; give it more time or trials",
                self.sweep.path().display()
            )));
        };
        let Some(best) = leaders.first() else {
            return Ok(());
        };
        let dir = self.sweep.best_dir();
        if dir.join(SUMMARY_FILE).is_file() {
            return board::show::<A>(self.sweep);
        }
        let Some(_lock) = self.sweep.lock_best().map_err(of_folder)? else {
            note("another process tests the best trial");
            return Ok(());
        };
        let finished = self.sweep.finished().map_err(of_folder)?;
        if !self.quiet {
            note(&board::winner(best, &metric, &finished));
        }
        let recipe = self.recipe_of(&best.values, 0)?;
        let mut resume = dir.join(RECIPE_FILE).is_file();
        if resume && fs::read_to_string(dir.join(RECIPE_FILE))? != document(&recipe)? {
            // Of a leader that has lost its place.
            fs::remove_dir_all(&dir)?;
            resume = false;
        }
        let mut args: TrainCommand<A::TrainFlags> = self.best_flags()?;
        args.train.run.quiet = self.quiet;
        args.train.no_baseline = !self.sweep.settings().baselines;
        let search = Search {
            mode,
            ..self.search.clone()
        };
        let place = Place {
            device: &self.device,
            ranks: &Ranks::default(),
            dir: &dir,
            resume,
        };
        crate::train::train::<A>(&args, recipe, &place, |report| {
            board::add(report, &search, &finished, &leaders, &metric);
        })
    }
}

/// Whether the values of a trial are to blame, such as for a loss that is not finite.
fn is_of_recipe(error: &TaskError) -> bool {
    let of_fit = error
        .downcast_ref::<FitError>()
        .and_then(|error| match error {
            FitError::Train(error) => Some(error),
            _ => None,
        });
    match of_fit.or_else(|| error.downcast_ref::<TrainError>()) {
        Some(error) => matches!(
            error,
            TrainError::NotFinite { .. } | TrainError::OutOfMemory { .. }
        ),
        None => error.is_user(),
    }
}

/// The score of a trained seed.
const SCORE_FILE: &str = "score.json";

fn remove(dir: &Path) {
    // What is left takes room and does no harm.
    let _ = fs::remove_dir_all(dir);
}

/// The error of a sweep without a complete trial.
pub(super) fn none_complete(sweep: &SweepDir, finished: &[Finished]) -> Failure {
    let settings = sweep.settings();
    let dir = sweep.path().display();
    let count = match finished.len() {
        0 => String::new(),
        count => format!(" ({count} ended early or failed)"),
    };
    let advice = if finished.len() < settings.trials {
        format!(
            "run `{} sweep --join {}` to train trials",
            settings.app,
            shell_word(sweep.path())
        )
    } else {
        "none is left to train: begin a new sweep with another `--space`".to_owned()
    };
    Failure::user(format!(
        "no trial of the sweep in `{dir}` is complete yet{count}; {advice}"
    ))
}

/// An error if there are trials and all of them failed.
fn all_failed(finished: &[Finished]) -> Result<(), Failure> {
    let failed = |trial: &Finished| trial.outcome == Outcome::Failed;
    match finished.first() {
        Some(first) if finished.iter().all(failed) => Err(Failure::user(match finished.len() {
            1 => format!("the only trial failed: {}", first.reason),
            count => format!("all {count} trials failed; the first one: {}", first.reason),
        })),
        _ => Ok(()),
    }
}
