//! Evaluation of a policy: the returns of whole episodes, all played at once.

use std::fmt;

use serde::{Deserialize, Serialize};
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::{Metrics, MonitorMode};

use crate::environment::Environment;
use crate::policy::Actions;
use crate::vector_env::{VectorEnvError, check_finite};

/// Steps after which an episode without a time limit is cut off.
const MAX_STEPS: usize = 100_000;

/// The returns of some episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeReturns {
    /// The undiscounted sum of each episode's rewards.
    pub returns: Vec<f64>,
}

impl EpisodeReturns {
    /// Mean of the returns.
    pub fn mean(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len().max(1) as f64
    }

    /// The metrics `return_mean` and `return_std`.
    pub fn metrics(&self) -> Metrics {
        return_metrics(self.mean(), self.std())
    }

    /// The same as the predictions of a task are given: the mean return decides.
    pub fn evaluation(&self) -> Evaluation {
        Evaluation::Means {
            values: self.returns.clone(),
            metrics: self.metrics(),
            headline: ("return_mean", MonitorMode::Max),
        }
    }

    /// The mean and the deviation with the number of episodes, as in `return 9.5 ± 0.3 over 100 greedy episodes`.
    pub fn over_episodes(&self) -> String {
        let count = self.returns.len();
        format!(
            "{self} over {} greedy {}",
            thousands(count),
            episodes(count)
        )
    }

    /// Standard deviation of the returns (with `n`, as `evaluate_policy` of Stable-Baselines3).
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        let squares = self.returns.iter().map(|value| (value - mean).powi(2));
        (squares.sum::<f64>() / self.returns.len().max(1) as f64).sqrt()
    }
}

/// The noun for a number of episodes.
pub(crate) fn episodes(count: usize) -> &'static str {
    if count == 1 { "episode" } else { "episodes" }
}

/// Mean and standard deviation of returns by their names in `metrics.jsonl` and `summary.json`.
pub(crate) fn return_metrics(mean: f64, std: f64) -> Metrics {
    [("return_mean", mean), ("return_std", std)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

impl fmt::Display for EpisodeReturns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "return {:.1} ± {:.1}", self.mean(), self.std())
    }
}

/// Plays `episodes` episodes to the end; `act` is given the observations of those that still run.
///
/// The seed of each episode follows from `seed` and its index.
///
/// # Errors
///
/// If an action is outside the space, or a reward or an observation is not finite.
pub fn evaluate_policy<E: Environment>(
    env: &E,
    episodes: usize,
    seed: u64,
    mut act: impl FnMut(&[f32]) -> Actions,
) -> Result<EpisodeReturns, VectorEnvError> {
    let width = env.spec().observation_space.len();
    let mut returns = vec![0.0; episodes];
    let mut observations = vec![0.0; episodes * width];
    let mut running: Vec<(usize, E)> = (0..episodes).map(|index| (index, env.clone())).collect();
    for ((index, env), row) in running
        .iter_mut()
        .zip(observations.chunks_exact_mut(width.max(1)))
    {
        env.reset(crate::vector_env::episode_seed(seed, *index, 0), row);
        check_finite(env, 0, row, None)?;
    }
    for step in 1..=MAX_STEPS {
        if running.is_empty() {
            break;
        }
        let actions = act(&observations);
        let mut kept = 0;
        let mut failure = None;
        let mut row = 0;
        running.retain_mut(|(index, env)| {
            let at = row;
            row += 1;
            if failure.is_some() {
                return false;
            }
            let here = &mut observations[at * width..][..width];
            let done = env
                .step(actions.get(at), here)
                .map_err(VectorEnvError::from)
                .and_then(|step_| {
                    check_finite(env, step as u64, here, Some(step_.reward))?;
                    returns[*index] += f64::from(step_.reward);
                    Ok(step_.done())
                });
            match done {
                Ok(true) => false,
                Ok(false) => {
                    observations.copy_within(at * width..(at + 1) * width, kept * width);
                    kept += 1;
                    true
                }
                Err(error) => {
                    failure = Some(error);
                    false
                }
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        observations.truncate(kept * width);
    }
    Ok(EpisodeReturns { returns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::ClassicControl;

    #[test]
    fn episodes_end_on_their_own_and_are_counted_once() {
        let env: ClassicControl = "CartPole-v1".parse().unwrap();
        let act = |observations: &[f32]| {
            // Leans against the fall.
            let lean = |row: &[f32]| u16::from(row[2] + row[3] > 0.0);
            Actions::Discrete(observations.chunks_exact(4).map(lean).collect())
        };
        let evaluation = evaluate_policy(&env, 20, 7, act).unwrap();
        assert_eq!(evaluation.returns.len(), 20);
        assert!(
            evaluation
                .returns
                .iter()
                .all(|&value| (100.0..=500.0).contains(&value))
        );
        // Alone or with others, an episode is the same.
        let fewer = evaluate_policy(&env, 5, 7, act).unwrap();
        assert_eq!(fewer.returns, evaluation.returns[..5]);
        let varied = EpisodeReturns {
            returns: vec![1.0, 3.0],
        };
        assert!((varied.mean() - 2.0).abs() < 1e-12 && (varied.std() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_episode_is_an_episode() {
        for (returns, text) in [
            (vec![9.5], "return 9.5 ± 0.0 over 1 greedy episode"),
            (vec![1.0, 3.0], "return 2.0 ± 1.0 over 2 greedy episodes"),
        ] {
            assert_eq!(EpisodeReturns { returns }.over_episodes(), text);
        }
    }

    #[test]
    fn an_action_outside_the_space_is_refused() {
        let env: ClassicControl = "CartPole-v1".parse().unwrap();
        let error = evaluate_policy(&env, 2, 1, |_| Actions::Discrete(vec![0, 2])).unwrap_err();
        assert!(error.to_string().contains("action"), "{error}");
    }
}
