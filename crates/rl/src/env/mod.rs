//! Gymnasium's classic control environments.
//!
//! The state is in `f64` and follows Gymnasium 1.4 operation by operation; `tests/gymnasium` holds
//! trajectories recorded there, which these environments repeat. Only the random numbers behind
//! `reset` differ: the ranges are Gymnasium's, the generator is not. A step draws no numbers.
//!
//! By name, as in `"CartPole-v1".parse::<ClassicControl>()`, they come with the time limit that Gymnasium
//! registers. The plain types, [`CartPole`] for instance, have none.

mod acrobot;
mod cart_pole;
mod classic_control;
mod mountain_car;
mod pendulum;
mod time_limit;

pub use acrobot::Acrobot;
pub use cart_pole::CartPole;
pub use classic_control::{ClassicControl, UnknownEnvironment};
pub use mountain_car::MountainCar;
pub use pendulum::Pendulum;
pub use time_limit::TimeLimit;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::environment::{Action, ActionError, BoxSpace};

/// The numbers behind one `reset`.
struct Draws(Xoshiro256PlusPlus);

impl Draws {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Draws evenly from `[low, high)`.
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        // The upper 53 bits: as many as the unit interval has evenly spaced `f64`.
        let unit = (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
        low + (high - low) * unit
    }
}

/// The box from `-high` to `high`.
fn symmetric(high: &[f64]) -> BoxSpace {
    BoxSpace {
        low: high.iter().map(|&bound| -bound as f32).collect(),
        high: high.iter().map(|&bound| bound as f32).collect(),
    }
}

/// The number of a discrete action, if it is one of `0..count`.
#[inline]
fn discrete(action: Action<'_>, count: usize, environment: &str) -> Result<usize, ActionError> {
    match action {
        Action::Discrete(number) if number < count => Ok(number),
        _ => Err(ActionError::new(
            action,
            environment,
            &format!("a number in 0..{count}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{ActionSpace, Environment};

    pub(super) fn assert_refuses<E: Environment>(env: &E, action: Action<'_>, expected: &str) {
        let mut env = env.clone();
        let mut observation = vec![7.0; env.spec().observation_space.len()];
        let before = serde_json::to_string(&env).unwrap();
        let error = env.step(action, &mut observation).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains(&env.spec().name), "{error}");
        assert_eq!(serde_json::to_string(&env).unwrap(), before);
        assert!(
            observation
                .iter()
                .all(|value| value.to_bits() == 7.0_f32.to_bits())
        );
    }

    pub(super) fn assert_equal_seeds_give_equal_episodes<E: Environment>(env: &E) {
        let spec = env.spec();
        let episode = |seed| {
            let mut env = env.clone();
            let mut observation = vec![0.0; spec.observation_space.len()];
            env.reset(seed, &mut observation);
            let mut draws = Draws::new(99);
            let mut seen = observation.clone();
            for _ in 0..50 {
                let at = draws.uniform(0.0, 1.0);
                let torque = [(at * 4.0 - 2.0) as f32];
                let action = match spec.action_space {
                    ActionSpace::Discrete(n) => Action::Discrete((at * n as f64) as usize),
                    ActionSpace::Continuous(_) => Action::Continuous(&torque),
                };
                let step = env.step(action, &mut observation).unwrap();
                seen.extend(&observation);
                seen.push(step.reward);
            }
            seen
        };
        assert_eq!(episode(5), episode(5));
        assert_ne!(episode(5), episode(6));
    }
}
