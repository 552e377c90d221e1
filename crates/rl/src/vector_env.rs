//! Several environments that step together, with automatic reset.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tinderbox_train::Ranks;
use tinderbox_train::ranks::RankFailure;

use crate::environment::{Action, ActionError, EnvSpec, Environment, Step};

/// Largest number of environments in a [`VectorEnv`].
const MAX_COUNT: usize = 65_536;

/// Copies of one environment, stepped together, with their observations in one buffer.
///
/// An episode that ends is reset within the same step: [`observations`] are then the first of the new
/// episode, and [`next_observation`] is still the last one of the old episode. The seed of an episode
/// follows from the seed of the run, the index of the environment and the number of the episode, so
/// that an environment does the same among any number of them, and a stored copy continues as the
/// original.
///
/// On several ranks each steps its part of the environments and gets the steps of the others, see
/// [`on_ranks`](Self::on_ranks).
///
/// ```
/// use tinderbox_rl::env::ClassicControl;
/// use tinderbox_rl::environment::Action;
/// use tinderbox_rl::vector_env::VectorEnv;
///
/// let env: ClassicControl = "CartPole-v1".parse()?;
/// let mut envs = VectorEnv::new(&env, 8, 42)?;
/// let mut ended = 0;
/// for _ in 0..100 {
///     envs.step(|_env| Action::Discrete(1))?;
///     ended += envs.ended().count();
/// }
/// assert_eq!(envs.observations().len(), 8 * 4);
/// assert!(ended >= 8 * 100 / 12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`observations`]: Self::observations
/// [`next_observation`]: Self::next_observation
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VectorEnv<E: Environment> {
    seed: u64,
    width: usize,
    observations: Vec<f32>,
    envs: Vec<Slot<E>>,
    /// The result of the last step. Not stored: a loop has read it before it stores anything.
    #[serde(skip)]
    steps: Vec<Step>,
    /// The last observation of each episode that has just ended.
    #[serde(skip)]
    last: Vec<f32>,
    #[serde(skip)]
    ended: Vec<Episode>,
    #[serde(skip)]
    ranks: Ranks,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Slot<E: Environment> {
    env: E,
    /// Number of episodes started before this one.
    episode: u64,
    length: u64,
    total: f64,
}

/// What a rank tells the others of a step of its environments.
#[derive(Serialize, Deserialize)]
struct Told {
    steps: Vec<Step>,
    observations: Vec<f32>,
    ended: Vec<Episode>,
    /// The last observation of each of these.
    last: Vec<Vec<f32>>,
}

/// An episode that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Index of its environment.
    pub env: usize,
    /// Sum of its rewards.
    pub total: f64,
    /// Number of its steps.
    pub length: u64,
}

/// Why environments could not be created or stepped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VectorEnvError {
    /// No environment, or too many.
    #[error("the number of environments must be between 1 and {MAX_COUNT} (got {0})")]
    Count(usize),
    /// Observations without values.
    #[error("the observations of {0} have no values")]
    NothingObserved(String),
    /// An action outside the space.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// A reward or an observation that is not finite.
    #[error("{environment} returned {what} in step {step} of an episode")]
    NotFinite {
        /// Name of the environment.
        environment: String,
        /// The reward or the observation, in words.
        what: String,
        /// Steps since the episode began.
        step: u64,
    },
    /// Another process of the training failed.
    #[error(transparent)]
    Rank(#[from] RankFailure),
    /// Another process of the training has other environments.
    #[error("the ranks have different environments")]
    Foreign,
}

impl<E: Environment> VectorEnv<E> {
    /// Starts the first episode in each of `count` copies of `env`.
    ///
    /// # Errors
    ///
    /// If `count` is not in `1..=65_536`, or there is nothing to observe, or the first observation
    /// is not finite.
    pub fn new(env: &E, count: usize, seed: u64) -> Result<Self, VectorEnvError> {
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(VectorEnvError::Count(count));
        }
        let spec = env.spec();
        let width = spec.observation_space.len();
        if width == 0 {
            return Err(VectorEnvError::NothingObserved(spec.name));
        }
        let copy = Slot {
            env: env.clone(),
            episode: 0,
            length: 0,
            total: 0.0,
        };
        let mut vector = Self {
            seed,
            width,
            observations: vec![0.0; count * width],
            envs: vec![copy; count],
            steps: Vec::with_capacity(count),
            last: vec![0.0; count * width],
            ended: Vec::with_capacity(count),
            ranks: Ranks::default(),
        };
        let rows = vector.observations.chunks_exact_mut(width);
        for (index, (copy, row)) in vector.envs.iter_mut().zip(rows).enumerate() {
            copy.env.reset(episode_seed(seed, index, 0), row);
            check(copy, row, None)?;
        }
        Ok(vector)
    }

    /// The same environments, of which each of the `ranks` steps its part.
    ///
    /// All ranks have the same observations after each step. [`gather`](Self::gather) gives them the same
    /// environments, too.
    #[must_use]
    pub fn on_ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// Steps every environment with the action that `action` gives for its index, and resets it where
    /// an episode ended.
    ///
    /// # Errors
    ///
    /// If an action is outside the space, or a reward or an observation is not finite. The
    /// environments before that one have then stepped, the others have not. Also if another rank fails.
    #[inline]
    pub fn step<'a>(
        &mut self,
        mut action: impl FnMut(usize) -> Action<'a>,
    ) -> Result<(), VectorEnvError> {
        self.steps.clear();
        self.ended.clear();
        self.last.resize(self.observations.len(), 0.0);
        let own = self.ranks.part(self.envs.len());
        let rows = self.observations.chunks_exact_mut(self.width);
        let last = self.last.chunks_exact_mut(self.width);
        let envs = self.envs.iter_mut().zip(rows).zip(last).enumerate();
        for (index, ((copy, row), last)) in envs.skip(own.start).take(own.len()) {
            let step = copy.env.step(action(index), row)?;
            copy.length += 1;
            copy.total += f64::from(step.reward);
            check(copy, row, Some(step.reward))?;
            if step.done() {
                last.copy_from_slice(row);
                self.ended.push(Episode {
                    env: index,
                    total: copy.total,
                    length: copy.length,
                });
                copy.episode += 1;
                copy.length = 0;
                copy.total = 0.0;
                copy.env
                    .reset(episode_seed(self.seed, index, copy.episode), row);
                check(copy, row, None)?;
            }
            self.steps.push(step);
        }
        if self.ranks.is_alone() {
            return Ok(());
        }
        self.exchange(&own)
    }

    /// Takes in the steps of the other ranks.
    fn exchange(&mut self, own: &Range<usize>) -> Result<(), VectorEnvError> {
        let width = self.width;
        let last = |episode: &Episode| self.last[episode.env * width..][..width].to_vec();
        let told = Told {
            steps: std::mem::take(&mut self.steps),
            observations: self.observations[own.start * width..own.end * width].to_vec(),
            last: self.ended.iter().map(last).collect(),
            ended: std::mem::take(&mut self.ended),
        };
        let mut observations = Vec::with_capacity(self.observations.len());
        for told in self.all(&told)? {
            self.steps.extend(told.steps);
            observations.extend(told.observations);
            for (episode, last) in told.ended.iter().zip(told.last) {
                let row = self
                    .last
                    .get_mut(episode.env * width..(episode.env + 1) * width);
                let row = row.filter(|row| row.len() == last.len());
                row.ok_or(VectorEnvError::Foreign)?.copy_from_slice(&last);
            }
            self.ended.extend(told.ended);
        }
        if self.steps.len() != self.envs.len() || observations.len() != self.observations.len() {
            return Err(VectorEnvError::Foreign);
        }
        self.observations = observations;
        Ok(())
    }

    /// Gives every rank the environments of all, as before they are stored.
    ///
    /// # Errors
    ///
    /// If another rank fails.
    pub fn gather(&mut self) -> Result<(), VectorEnvError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let own = self.envs[self.ranks.part(self.envs.len())].to_vec();
        let envs: Vec<Slot<E>> = self.all(&own)?.into_iter().flatten().collect();
        if envs.len() != self.envs.len() {
            return Err(VectorEnvError::Foreign);
        }
        self.envs = envs;
        Ok(())
    }

    /// The values of all ranks, in rank order.
    fn all<T: Serialize + DeserializeOwned>(&self, own: &T) -> Result<Vec<T>, VectorEnvError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(own, &mut bytes).map_err(|_| VectorEnvError::Foreign)?;
        let all = self.ranks.all_gather(bytes)?;
        all.iter()
            .map(|bytes| ciborium::from_reader(&bytes[..]).map_err(|_| VectorEnvError::Foreign))
            .collect()
    }

    /// The current observations, `[envs, values]`.
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// The current observation of one environment.
    ///
    /// # Panics
    ///
    /// If `env` is out of range.
    pub fn observation(&self, env: usize) -> &[f32] {
        &self.observations[env * self.width..][..self.width]
    }

    /// The observation after the last step of one environment: the last of the episode if it ended.
    ///
    /// # Panics
    ///
    /// If `env` is out of range, or there was no step yet.
    pub fn next_observation(&self, env: usize) -> &[f32] {
        if self.steps[env].done() {
            &self.last[env * self.width..][..self.width]
        } else {
            self.observation(env)
        }
    }

    /// The results of the last step of each environment; empty before the first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The episodes that ended in the last step.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = Episode> {
        self.ended.iter().copied()
    }

    /// The environments, for example to draw one.
    pub fn envs(&self) -> impl ExactSizeIterator<Item = &E> {
        self.envs.iter().map(|copy| &copy.env)
    }

    /// The description of every environment.
    pub fn spec(&self) -> EnvSpec {
        // `new` refuses an empty vector.
        self.envs[0].env.spec()
    }

    /// Number of environments.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.envs.len()
    }
}

#[inline]
fn check<E: Environment>(
    copy: &Slot<E>,
    observation: &[f32],
    reward: Option<f32>,
) -> Result<(), VectorEnvError> {
    check_finite(&copy.env, copy.length, observation, reward)
}

/// Refuses values that are not finite before they reach a replay buffer or a network.
#[inline]
pub(crate) fn check_finite<E: Environment>(
    env: &E,
    step: u64,
    observation: &[f32],
    reward: Option<f32>,
) -> Result<(), VectorEnvError> {
    let reward = reward.unwrap_or_default();
    // Zero times a finite number is zero, and NaN otherwise: one test instead of one per value.
    let sum: f32 = observation.iter().map(|value| value * 0.0).sum();
    if sum + reward * 0.0 == 0.0 {
        return Ok(());
    }
    Err(not_finite(env, step, observation, reward))
}

#[cold]
fn not_finite<E: Environment>(
    env: &E,
    step: u64,
    observation: &[f32],
    reward: f32,
) -> VectorEnvError {
    VectorEnvError::NotFinite {
        environment: env.spec().name,
        what: if reward.is_finite() {
            format!("the observation {observation:?}")
        } else {
            format!("the reward {reward}")
        },
        step,
    }
}

/// The seed of one episode of one environment.
pub(crate) fn episode_seed(seed: u64, env: usize, episode: u64) -> u64 {
    mix(mix(mix(seed) ^ env as u64) ^ episode)
}

/// A step of `SplitMix64`: a bijection in which every input bit moves every output bit.
///
/// Reference: Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014,
/// <https://doi.org/10.1145/2660193.2660195>.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{CartPole, ClassicControl, TimeLimit};
    use crate::environment::{ActionSpace, BoxSpace};

    /// Pushes back and forth in a way that differs by environment and time.
    fn policy(time: usize) -> impl Fn(usize) -> Action<'static> {
        move |copy| Action::Discrete((time * 7 + copy * 3) / 5 % 2)
    }

    fn cart_poles(count: usize, seed: u64) -> VectorEnv<ClassicControl> {
        VectorEnv::new(&"CartPole-v1".parse().unwrap(), count, seed).unwrap()
    }

    #[test]
    fn a_vector_does_what_its_environments_do_alone() {
        let mut envs = cart_poles(3, 11);
        let mut alone: Vec<(ClassicControl, Vec<f32>, u64, u64)> = (0..3)
            .map(|copy| {
                let mut env: ClassicControl = "CartPole-v1".parse().unwrap();
                let mut observation = vec![0.0; 4];
                env.reset(episode_seed(11, copy, 0), &mut observation);
                (env, observation, 0, 0)
            })
            .collect();
        let mut ended = 0;
        for time in 0..200 {
            envs.step(policy(time)).unwrap();
            let mut episodes = envs.ended();
            for (copy, (env, observation, episode, length)) in alone.iter_mut().enumerate() {
                let step = env.step(policy(time)(copy), observation).unwrap();
                *length += 1;
                assert_eq!(envs.steps()[copy], step);
                assert_eq!(envs.next_observation(copy), observation);
                if step.done() {
                    let expected = Episode {
                        env: copy,
                        total: *length as f64,
                        length: *length,
                    };
                    assert_eq!(episodes.next(), Some(expected));
                    *episode += 1;
                    *length = 0;
                    ended += 1;
                    env.reset(episode_seed(11, copy, *episode), observation);
                    assert_ne!(envs.next_observation(copy), observation);
                }
                assert_eq!(envs.observation(copy), observation);
            }
            assert_eq!(episodes.next(), None);
        }
        assert!(ended > 10);
    }

    #[test]
    fn a_copy_does_the_same_among_any_number() {
        let [mut few, mut many] = [2, 9].map(|count| cart_poles(count, 5));
        for time in 0..100 {
            few.step(policy(time)).unwrap();
            many.step(policy(time)).unwrap();
            assert_eq!(few.observations(), &many.observations()[..8]);
        }
        assert_ne!(many.observation(0), many.observation(1));
        assert_ne!(
            cart_poles(1, 5).observations(),
            cart_poles(1, 6).observations()
        );
    }

    #[test]
    fn a_stored_copy_continues_as_the_original() {
        let mut envs = cart_poles(4, 1);
        for time in 0..33 {
            envs.step(policy(time)).unwrap();
        }
        let mut copy = envs.clone();
        let stored = serde_json::to_string(&envs).unwrap();
        let mut restored: VectorEnv<ClassicControl> = serde_json::from_str(&stored).unwrap();
        // Text may be off by the last digit, see `float_roundtrip` of serde_json.
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        let mut ended = 0;
        for time in 33..150 {
            for envs in [&mut envs, &mut copy, &mut restored] {
                envs.step(policy(time)).unwrap();
            }
            assert_eq!(envs.observations(), copy.observations());
            assert!(close(envs.observations(), restored.observations()));
            assert_eq!(envs.steps(), restored.steps());
            assert_eq!(envs.ended, restored.ended);
            ended += envs.ended().len();
        }
        assert!(ended > 4);
    }

    #[test]
    fn a_time_limit_keeps_the_final_observation() {
        let env = TimeLimit::new(CartPole::new(), 2);
        let mut envs = VectorEnv::new(&env, 1, 0).unwrap();
        envs.step(|_| Action::Discrete(0)).unwrap();
        assert_eq!(envs.next_observation(0), envs.observation(0));
        envs.step(|_| Action::Discrete(0)).unwrap();
        let step = envs.steps()[0];
        assert!(step.truncated && !step.terminated);
        // Two pushes to the left are seen in the velocity, and not in the first of a new episode.
        assert!(envs.next_observation(0)[1] < -0.3);
        assert!(envs.observation(0)[1].abs() <= 0.05);
    }

    #[test]
    fn counts_and_actions_are_checked() {
        let env: ClassicControl = "CartPole-v1".parse().unwrap();
        for count in [0, MAX_COUNT + 1, usize::MAX] {
            let error = VectorEnv::new(&env, count, 0).unwrap_err();
            assert_eq!(error, VectorEnvError::Count(count));
        }
        let mut envs = cart_poles(2, 0);
        let error = envs.step(|copy| Action::Discrete(copy * 2)).unwrap_err();
        assert!(matches!(error, VectorEnvError::Action(_)));
    }

    /// Returns the given observation and reward.
    #[derive(Clone, Serialize, Deserialize)]
    struct Fixed(f32, f32);

    impl Environment for Fixed {
        fn spec(&self) -> EnvSpec {
            EnvSpec {
                name: "Fixed".into(),
                observation_space: BoxSpace {
                    low: vec![0.0; 3],
                    high: vec![1.0; 3],
                },
                action_space: ActionSpace::Discrete(1),
                reward_threshold: None,
            }
        }

        fn reset(&mut self, _seed: u64, observation: &mut [f32]) {
            observation.fill(0.0);
        }

        fn step(&mut self, _: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
            observation.copy_from_slice(&[0.0, self.0, 0.0]);
            Ok(Step {
                reward: self.1,
                terminated: false,
                truncated: false,
            })
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let outcome = |observed, reward| {
            let mut envs = VectorEnv::new(&Fixed(observed, reward), 1, 0).unwrap();
            envs.step(|_| Action::Discrete(0))
                .map_err(|error| error.to_string())
        };
        assert_eq!(outcome(1e38, -1e38), Ok(()));
        let message = outcome(f32::NAN, 0.0).unwrap_err();
        assert_eq!(
            message,
            "Fixed returned the observation [0.0, NaN, 0.0] in step 1 of an episode"
        );
        let message = outcome(0.0, f32::INFINITY).unwrap_err();
        assert!(message.contains("the reward inf"), "{message}");
    }
}
