//! How a run of several trainings is watched, and where it is kept.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, LearnerModel};

use crate::overlay::Reread;
use crate::run_dir::RunError;
use crate::{
    BestListener, CheckpointError, ParameterStats, Ranks, Silent, TrainConfig, Trainer,
    parameter_stats,
};

/// One of the trainings of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it is, as in `fold 2 of 5`; empty where there is one only.
    pub name: String,
    /// Its number, from 1, and how many there are.
    pub number: [usize; 2],
}

impl Stage {
    /// The training of a member, from 0, of `count` networks, for a part of the run.
    pub fn of(part: &str, member: usize, count: usize) -> Self {
        let own = if count > 1 {
            format!("model {} of {count}", member + 1)
        } else {
            String::new()
        };
        let names = [part, &own].into_iter().filter(|name| !name.is_empty());
        Self {
            name: names.collect::<Vec<_>>().join(", "),
            number: [member + 1, count],
        }
    }
}

/// A training of a run: where it is kept and who hears of its best weights.
pub struct Job<M> {
    /// Folder of its checkpoints and metrics.
    pub dir: PathBuf,
    /// Its name and number.
    pub stage: Stage,
    /// Called with the best weights so far.
    pub on_best: Option<Box<BestListener<M>>>,
}

impl<M: LearnerModel> Job<M> {
    /// The training of a member, from 0, of `count` networks, in a separate folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created.
    pub fn new(dir: &Path, part: &str, member: usize, count: usize) -> Result<Self, RunError> {
        let dir = if member == 0 {
            dir.to_owned()
        } else {
            dir.join("members").join(member.to_string())
        };
        crate::run::create_dir(&dir)?;
        Ok(Self {
            dir,
            stage: Stage::of(part, member, count),
            on_best: None,
        })
    }

    /// The trainer for it.
    pub fn trainer(
        self,
        mut config: TrainConfig,
        identity: String,
        options: &mut Options,
    ) -> Trainer<M> {
        config.unused_s = options.unused_s.get();
        let trainer = match options.on_first_step.take() {
            Some(mut listener) => {
                Trainer::new(config).on_step(Box::new(move |model, grads, step| {
                    if step == 1 {
                        listener(&parameter_stats(model, grads));
                    }
                }))
            }
            None => Trainer::new(config),
        };
        // Only rank 0 keeps checkpoints and metrics.
        let trainer = if options.ranks.is_first() {
            trainer.in_dir(self.dir)
        } else {
            trainer
        };
        trainer
            .identity(identity)
            .reread(options.reread)
            .resume(options.resume)
            .renderer((options.renderer)(&self.stage))
            .interrupter(options.interrupter.clone())
            .ranks(options.ranks.clone())
            .on_damage(options.on_damage)
            .on_note(options.on_note)
            .unused_time(Rc::clone(&options.unused_s))
            .on_best(self.on_best.filter(|_| options.ranks.is_first()))
    }
}

/// Called with the weights and gradients of a step.
pub type FirstStepListener = dyn FnMut(&[ParameterStats]) + Send;

/// Makes what draws the progress of a training.
pub type Renderers = dyn FnMut(&Stage) -> Box<dyn MetricsRenderer>;

/// How a run is watched, and where it is kept.
pub struct Options {
    /// The run directory.
    pub dir: PathBuf,
    /// Whether to resume the run that is there.
    pub resume: bool,
    /// Whether classical methods are fitted on the same rows.
    pub baselines: bool,
    /// Whether these are kept in `model/`, for `eval` and `predict`.
    pub keep_baselines: bool,
    /// Draws the progress of each training.
    pub renderer: Box<Renderers>,
    /// The processes that train together.
    pub ranks: Ranks,
    /// Stops the run from outside.
    pub interrupter: Interrupter,
    /// Called for each checkpoint that is skipped because it is damaged.
    pub on_damage: fn(&CheckpointError),
    /// Called with what was decided for the user, such as the number of epochs of a time budget.
    pub on_note: fn(&str),
    /// Called once with the weights and gradients of the first step of the run.
    pub on_first_step: Option<Box<FirstStepListener>>,
    /// Reads the recipe in a checkpoint of an older version; set by [`in_run_dir`](crate::run::in_run_dir).
    pub reread: Reread,
    /// Time that the trainings so far left of their shares of a time budget, in s.
    pub unused_s: Rc<Cell<f64>>,
}

impl Options {
    /// A new run in `dir` that nobody watches.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            resume: false,
            baselines: false,
            keep_baselines: false,
            renderer: Box::new(|_| Box::new(Silent)),
            ranks: Ranks::default(),
            interrupter: Interrupter::new(),
            on_damage: |error| tracing::warn!("{error}"),
            on_note: |text| tracing::info!("{text}"),
            on_first_step: None,
            reread: |_| None,
            unused_s: Rc::default(),
        }
    }
}
