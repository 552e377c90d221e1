//! What an agent acts on: a state, actions, rewards, and the two ways an episode ends.
//!
//! Reference: Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, 2018,
//! <http://incompleteideas.net/book/the-book-2nd.html>; the split of an episode's end into
//! termination and truncation is Gymnasium's, <https://gymnasium.farama.org>.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
#[derive(Clone, Debug, PartialEq)]
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
