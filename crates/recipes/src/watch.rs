//! How a run of several trainings is watched, and where it is kept.

use std::path::PathBuf;

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;

use crate::train::{CheckpointError, Silent};

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
    pub(crate) fn of(part: &str, member: usize, count: usize) -> Self {
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

/// Makes what draws the progress of a training.
pub type Renderers = dyn FnMut(&Stage) -> Box<dyn MetricsRenderer>;

/// How a run is watched, and where it is kept.
pub struct Options {
    /// The run directory.
    pub dir: PathBuf,
    /// Whether to go on with the run that is there.
    pub resume: bool,
    /// Whether classical methods are fitted on the same rows.
    pub baselines: bool,
    /// Draws the progress of each training.
    pub renderer: Box<Renderers>,
    /// Stops the run from outside.
    pub interrupter: Interrupter,
    /// Hears of damaged checkpoints.
    pub on_damage: fn(&CheckpointError),
}

impl Options {
    /// A new run in `dir` that nobody watches.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            resume: false,
            baselines: false,
            renderer: Box::new(|_| Box::new(Silent)),
            interrupter: Interrupter::new(),
            on_damage: |error| tracing::warn!("{error}"),
        }
    }
}
