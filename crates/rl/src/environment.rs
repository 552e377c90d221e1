//! What an agent acts on: a state, actions, rewards, and the two ways an episode ends.
//!
//! Reference: Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, 2018,
//! <http://incompleteideas.net/book/the-book-2nd.html>; the split of an episode's end into
//! termination and truncation is Gymnasium's, <https://gymnasium.farama.org>.
//!
//! # An environment of one's own
//!
//! A walk over a grid of 5 × 5 fields to the far corner; each step costs one, and the start is on
//! the first row or column. Every agent of this crate can learn it.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tinderbox_rl::environment::{
//!     Action, ActionError, ActionSpace, BoxSpace, Environment, Spec, Step,
//! };
//! use tinderbox_rl::vector::Vector;
//!
//! const SIDE: u64 = 5;
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Grid([u64; 2]);
//!
//! impl Grid {
//!     fn observe(&self, observation: &mut [f32]) {
//!         observation.copy_from_slice(&self.0.map(|at| at as f32 / (SIDE - 1) as f32));
//!     }
//! }
//!
//! impl Environment for Grid {
//!     fn spec(&self) -> Spec {
//!         Spec {
//!             name: "Grid".into(),
//!             observation: BoxSpace { low: vec![0.0; 2], high: vec![1.0; 2] },
//!             action: ActionSpace::Discrete(4),
//!             solved: Some(-8.0),
//!         }
//!     }
//!
//!     fn reset(&mut self, seed: u64, observation: &mut [f32]) {
//!         let along = seed / 2 % SIDE;
//!         self.0 = if seed % 2 == 0 { [along, 0] } else { [0, along] };
//!         self.observe(observation);
//!     }
//!
//!     fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
//!         let [x, y] = self.0;
//!         self.0 = match action {
//!             Action::Discrete(0) => [x.saturating_sub(1), y],
//!             Action::Discrete(1) => [(x + 1).min(SIDE - 1), y],
//!             Action::Discrete(2) => [x, y.saturating_sub(1)],
//!             Action::Discrete(3) => [x, (y + 1).min(SIDE - 1)],
//!             _ => return Err(ActionError::new(action, "Grid", "a number in 0..4")),
//!         };
//!         self.observe(observation);
//!         let terminated = self.0 == [SIDE - 1; 2];
//!         Ok(Step { reward: -1.0, terminated, truncated: false })
//!     }
//! }
//!
//! let mut grids = Vector::new(&Grid([0; 2]), 3, 42)?;
//! for time in 0..8 {
//!     grids.step(|_grid| Action::Discrete(if time % 2 == 0 { 1 } else { 3 }))?;
//!     assert!(grids.ended().all(|walk| walk.length <= 8 && walk.total == -(walk.length as f64)));
//! }
//! assert!(grids.step(|_grid| Action::Discrete(4)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A Markov decision process that an agent can act in.
///
/// Everything that decides what comes next is in the value, so that a clone or a stored copy goes
/// on exactly as the original would.
pub trait Environment: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// The spaces and limits, which never change.
    fn spec(&self) -> Spec;

    /// Starts an episode in a state drawn with `seed`, and writes its first observation.
    ///
    /// `observation` has [`Spec::observation`]'s number of values.
    fn reset(&mut self, seed: u64, observation: &mut [f32]);

    /// Acts once, and writes the observation that follows.
    ///
    /// After an episode's end the next call must be [`reset`](Self::reset).
    ///
    /// # Errors
    /// If the action is not in the action space; the state is then unchanged.
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError>;
}

/// What one step gave, beside the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Reward of this step.
    pub reward: f32,
    /// The process itself ended (the pole fell, the goal was reached): nothing can follow, so the
    /// value of what follows is zero.
    pub terminated: bool,
    /// The episode was cut off, by a time limit for instance: more could have followed, and its
    /// value counts.
    pub truncated: bool,
}

impl Step {
    /// Whether the episode is over, either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// An action, in the form that the [`ActionSpace`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// One of `0..n`.
    Discrete(usize),
    /// One value for each dimension.
    Continuous(&'a [f32]),
}

/// What an environment is, as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Its name, `CartPole-v1` for instance.
    pub name: String,
    /// What is observed.
    pub observation: BoxSpace,
    /// What can be done.
    pub action: ActionSpace,
    /// The mean return over 100 episodes from which the environment counts as solved, if one is
    /// agreed on.
    pub solved: Option<f64>,
}

/// Vectors with a lower and an upper bound for each value; the bounds may be infinite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxSpace {
    /// Smallest value of each dimension.
    pub low: Vec<f32>,
    /// Largest value of each dimension, as many as `low`.
    pub high: Vec<f32>,
}

impl BoxSpace {
    /// Number of dimensions.
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// Whether there are no dimensions.
    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }
}

/// The actions that an environment takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionSpace {
    /// `0..n`.
    Discrete(usize),
    /// Vectors within bounds.
    Continuous(BoxSpace),
}

/// An action that the environment does not take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the action {action} is not in the action space of {environment}: {space}")]
pub struct ActionError {
    /// Name of the environment.
    pub environment: String,
    /// The action, in words.
    pub action: String,
    /// The space, in words.
    pub space: String,
}

impl ActionError {
    /// Says that `action` is not in `space`, which is in words, of `environment`.
    // Out of line, so that a step stays small.
    #[cold]
    pub fn new(action: Action<'_>, environment: &str, space: &str) -> Self {
        Self {
            environment: environment.into(),
            action: match action {
                Action::Discrete(number) => format!("number {number}"),
                Action::Continuous(values) => format!("{values:?}"),
            },
            space: space.into(),
        }
    }
}
