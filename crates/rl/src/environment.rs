//! The trait of environments: spaces, steps, rewards, and the two ways an episode ends.
//!
//! Reference: Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, 2018,
//! <http://incompleteideas.net/book/the-book-2nd.html>; the split of an episode's end into
//! termination and truncation is Gymnasium's, <https://gymnasium.farama.org>.
//!
//! # A custom environment
//!
//! A walk over a grid of 5 × 5 fields to the far corner; each step costs one, and the start is on
//! the first row or column. Every agent of this crate can learn it.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tinderbox_rl::environment::{
//!     Action, ActionError, ActionSpace, BoxSpace, EnvSpec, Environment, Step,
//! };
//! use tinderbox_rl::vector_env::VectorEnv;
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
//!     fn spec(&self) -> EnvSpec {
//!         EnvSpec {
//!             name: "Grid".into(),
//!             observation_space: BoxSpace { low: vec![0.0; 2], high: vec![1.0; 2] },
//!             action_space: ActionSpace::Discrete(4),
//!             reward_threshold: Some(-8.0),
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
//! let mut grids = VectorEnv::new(&Grid([0; 2]), 3, 42)?;
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
/// The value contains the whole state, so that a clone or a stored copy continues exactly as the
/// original would.
pub trait Environment: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// The spaces and limits, which never change.
    fn spec(&self) -> EnvSpec;

    /// Starts an episode in a state drawn with `seed`, and writes its first observation.
    ///
    /// `observation` has as many values as [`EnvSpec::observation_space`].
    fn reset(&mut self, seed: u64, observation: &mut [f32]);

    /// Takes one action, and writes the next observation.
    ///
    /// After the end of an episode the next call must be [`reset`](Self::reset).
    ///
    /// # Errors
    ///
    /// If the action is not in the action space; the state is then unchanged.
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError>;
}

/// The result of a step, besides the observation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Reward of this step.
    pub reward: f32,
    /// Whether a terminal state was reached (the pole fell, the car is at the goal), whose value is
    /// zero.
    pub terminated: bool,
    /// Whether the episode was cut off, for example by a time limit: the last state has a value.
    pub truncated: bool,
}

impl Step {
    /// Whether the episode is over, either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// An action of an [`ActionSpace`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// One of `0..n`.
    Discrete(usize),
    /// One value for each dimension.
    Continuous(&'a [f32]),
}

/// The description of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// Its name, for example `CartPole-v1`.
    pub name: String,
    /// The observations.
    pub observation_space: BoxSpace,
    /// The actions.
    pub action_space: ActionSpace,
    /// The mean return at which the environment counts as solved, if one is agreed on. It is agreed on over 100
    /// episodes; a training compares it with the `train.n_eval_episodes` episodes of an evaluation.
    pub reward_threshold: Option<f64>,
}

/// Vectors with a lower and an upper bound for each value; the bounds may be infinite.
///
/// In JSON, which has no infinities, an infinite bound is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredBox", into = "StoredBox")]
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

#[derive(Serialize, Deserialize)]
struct StoredBox {
    low: Vec<Option<f32>>,
    high: Vec<Option<f32>>,
}

impl From<BoxSpace> for StoredBox {
    fn from(space: BoxSpace) -> Self {
        let stored = |bounds: Vec<f32>| {
            let finite = |bound: f32| bound.is_finite().then_some(bound);
            bounds.into_iter().map(finite).collect()
        };
        Self {
            low: stored(space.low),
            high: stored(space.high),
        }
    }
}

impl From<StoredBox> for BoxSpace {
    fn from(stored: StoredBox) -> Self {
        let bounds = |stored: Vec<Option<f32>>, infinite: f32| {
            let bound = |bound: Option<f32>| bound.unwrap_or(infinite);
            stored.into_iter().map(bound).collect()
        };
        Self {
            low: bounds(stored.low, f32::NEG_INFINITY),
            high: bounds(stored.high, f32::INFINITY),
        }
    }
}

/// The actions that an environment accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionSpace {
    /// `0..n`.
    Discrete(usize),
    /// Vectors within bounds.
    Continuous(BoxSpace),
}

/// An action outside the action space.
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
    /// `action` is not in `space`, described in words, of `environment`.
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
