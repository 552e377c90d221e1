//! Truncates episodes after a number of steps.
//!
//! Reference: Pardo, Tavakoli, Levdik and Kormushev, *Time limits in reinforcement learning*,
//! 2018, <https://arxiv.org/abs/1712.00378>: why a time limit is not a termination.

use serde::{Deserialize, Serialize};

use crate::environment::{Action, ActionError, EnvSpec, Environment, Step};
use crate::render::{Render, Scene};

/// An environment whose episodes are truncated after `limit` steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeLimit<E> {
    env: E,
    limit: u32,
    elapsed: u32,
}

impl<E> TimeLimit<E> {
    /// Truncates the episodes of `env` after `limit` steps; a limit of 0 acts as 1.
    pub fn new(env: E, limit: u32) -> Self {
        Self {
            env,
            limit,
            elapsed: 0,
        }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// Number of steps after which an episode is truncated.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Number of steps since the last reset.
    pub fn elapsed(&self) -> u32 {
        self.elapsed
    }
}

impl<E: Environment> Environment for TimeLimit<E> {
    fn spec(&self) -> EnvSpec {
        self.env.spec()
    }

    #[inline]
    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        self.elapsed = 0;
        self.env.reset(seed, observation);
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        let mut step = self.env.step(action, observation)?;
        self.elapsed = self.elapsed.saturating_add(1);
        step.truncated |= self.elapsed >= self.limit;
        Ok(step)
    }
}

impl<E: Render> Render for TimeLimit<E> {
    fn render(&self) -> Scene {
        self.env.render()
    }

    fn frame_s(&self) -> f64 {
        self.env.frame_s()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{CartPole, Pendulum};

    #[test]
    fn the_limit_truncates_and_does_not_terminate() {
        let mut env = TimeLimit::new(Pendulum::new(), 3);
        let mut observation = [0.0; 3];
        for _ in 0..2 {
            env.reset(0, &mut observation);
            let truncated: Vec<_> = (0..3)
                .map(|_| env.step(Action::Continuous(&[0.5]), &mut observation))
                .map(|step| step.map(|step| (step.terminated, step.truncated)).unwrap())
                .collect();
            assert_eq!(truncated, [(false, false), (false, false), (false, true)]);
        }
    }

    #[test]
    fn a_termination_in_the_last_step_stays_one() {
        let mut env = TimeLimit::new(CartPole::from_state([2.5, 1.0, 0.0, 0.0]), 1);
        let step = env.step(Action::Discrete(0), &mut [0.0; 4]).unwrap();
        assert!(step.terminated && step.truncated);
    }

    #[test]
    fn a_refused_action_takes_no_time() {
        let mut env = TimeLimit::new(CartPole::new(), 1);
        assert!(env.step(Action::Discrete(7), &mut [0.0; 4]).is_err());
        assert_eq!(env.elapsed(), 0);
    }
}
