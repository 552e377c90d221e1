//! Baseline policies on the test episodes of an agent: random and heuristic.

use std::time::Instant;

use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;

use crate::env::ClassicControl;
use crate::environment::{ActionSpace, BoxSpace, Environment as _};
use crate::evaluation::EpisodeReturns;
use crate::policy::{Actions, TestEpisodes};
use crate::random::{Purpose, Stream, below, uniform};
use crate::vector_env::VectorEnvError;

/// The returns of a random policy and of a heuristic one in test episodes.
///
/// # Errors
///
/// If a reward or an observation is not finite.
pub(crate) fn baselines(
    env: &ClassicControl,
    test: TestEpisodes,
) -> Result<Vec<BaselineReport>, VectorEnvError> {
    let spec = env.spec();
    let width = spec.observation_space.len();
    let mut rng = Purpose::RandomPolicy.stream(test.seed, 0);
    let started = Instant::now();
    let random = test.play(env, |observations| {
        let count = observations.len() / width;
        random_actions(&spec.action_space, count, &mut rng)
    })?;
    let random = report("random policy", &random, started);
    let started = Instant::now();
    let heuristic = test.play(env, |observations| heuristic_actions(env, observations))?;
    let heuristic = report("heuristic policy", &heuristic, started);
    Ok(vec![random, heuristic])
}

fn report(method: &str, returns: &EpisodeReturns, started: Instant) -> BaselineReport {
    BaselineReport {
        result: Baseline {
            method: method.to_owned(),
            samples: 0,
            wall_s: started.elapsed().as_secs_f64(),
            threshold: None,
            test: returns.metrics(),
        },
        evaluation: returns.evaluation(),
    }
}

/// Actions drawn evenly from the space, as Gymnasium's `action_space.sample()` draws them.
fn random_actions(space: &ActionSpace, count: usize, rng: &mut Stream) -> Actions {
    match space {
        ActionSpace::Discrete(actions) => {
            Actions::Discrete((0..count).map(|_| below(rng, *actions) as u16).collect())
        }
        ActionSpace::Continuous(bounds) => Actions::Continuous {
            values: (0..count)
                .flat_map(|_| random_vector(bounds, rng))
                .collect(),
            width: bounds.len(),
        },
    }
}

fn random_vector(bounds: &BoxSpace, rng: &mut Stream) -> Vec<f32> {
    let bounds = bounds.low.iter().zip(&bounds.high);
    let draw = |(&low, &high): (&f32, &f32)| low + (high - low) * uniform(rng);
    bounds.map(draw).collect()
}

/// The action of the controller for each observation.
fn heuristic_actions(env: &ClassicControl, observations: &[f32]) -> Actions {
    match env {
        // Pushes the cart to the side that the pole leans and falls to.
        ClassicControl::CartPole(_) => discrete(observations, |[_, _, angle, velocity]| {
            u16::from(angle + velocity > 0.0)
        }),
        // Pushes the car the way it rolls, so that each swing goes higher.
        ClassicControl::MountainCar(_) => {
            discrete(observations, |[_, velocity]| 2 * u16::from(velocity >= 0.0))
        }
        // Bends the elbow against the swing of the first link.
        ClassicControl::Acrobot(_) => discrete(observations, |[_, _, _, _, velocity, _]| {
            2 * u16::from(velocity <= 0.0)
        }),
        ClassicControl::Pendulum(_) => {
            let (rows, _) = observations.as_chunks();
            Actions::Continuous {
                values: rows.iter().copied().map(swing_up).collect(),
                width: 1,
            }
        }
    }
}

fn discrete<const N: usize>(observations: &[f32], act: impl Fn([f32; N]) -> u16) -> Actions {
    let (rows, _) = observations.as_chunks();
    Actions::Discrete(rows.iter().map(|&row| act(row)).collect())
}

/// Torque that brings the energy to that of the upright pendulum, and holds it there by the angle and its velocity
/// (Åström and Furuta, *Swinging up a pendulum by energy control*, 2000,
/// <https://doi.org/10.1016/S0005-1098(99)00140-5>).
fn swing_up([cos, sin, velocity]: [f32; 3]) -> f32 {
    let torque = if cos > 0.8 {
        -10.0 * sin - 2.0 * velocity
    } else {
        // Without torque the angular acceleration is 15 sin, which keeps this energy; upright it is 15.
        let energy = velocity * velocity / 2.0 + 15.0 * cos;
        (15.0 - energy) * velocity.signum()
    };
    torque.clamp(-2.0, 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: TestEpisodes = TestEpisodes {
        seed: 42,
        episodes: 100,
    };

    /// Mean returns of the random and of the heuristic policy.
    fn means(name: &str) -> [f64; 2] {
        let env: ClassicControl = name.parse().unwrap();
        let found = baselines(&env, TEST).unwrap();
        let methods: Vec<&str> = found.iter().map(|one| &*one.result.method).collect();
        assert_eq!(methods, ["random policy", "heuristic policy"]);
        [0, 1].map(|at| found[at].result.test["return_mean"])
    }

    /// Expected: an implementation of the same formulas in Python, with other random numbers.
    #[test]
    fn returns_are_those_of_an_independent_implementation() {
        for (name, random, heuristic) in [
            ("CartPole-v1", [18.0, 29.0], [460.0, 500.0]),
            ("MountainCar-v0", [-200.0, -199.0], [-122.0, -117.0]),
            ("Acrobot-v1", [-500.0, -490.0], [-95.0, -78.0]),
            ("Pendulum-v1", [-1_320.0, -1_100.0], [-180.0, -110.0]),
        ] {
            let found = means(name);
            for (value, [low, high]) in found.iter().zip([random, heuristic]) {
                assert!((low..=high).contains(value), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn equal_seeds_give_equal_returns_and_others_do_not() {
        let env: ClassicControl = "CartPole-v1".parse().unwrap();
        let returns = |seed| {
            let test = TestEpisodes { seed, ..TEST };
            let found = baselines(&env, test).unwrap();
            found.into_iter().map(|one| one.evaluation)
        };
        assert!(returns(7).eq(returns(7)));
        assert!(returns(7).zip(returns(8)).all(|(one, other)| one != other));
    }

    #[test]
    fn random_vectors_fill_the_space_and_stay_in_it() {
        let bounds = BoxSpace {
            low: vec![-2.0, 0.0],
            high: vec![2.0, 1.0],
        };
        let mut rng = Purpose::RandomPolicy.stream(1, 0);
        let space = ActionSpace::Continuous(bounds);
        let Actions::Continuous { values, width } = random_actions(&space, 1_000, &mut rng) else {
            panic!("discrete actions")
        };
        assert_eq!((values.len(), width), (2_000, 2));
        for (at, [low, high]) in [[-2.0, 2.0], [0.0, 1.0]].into_iter().enumerate() {
            let column = || values.iter().copied().skip(at).step_by(2);
            assert!(column().all(|value| (low..high).contains(&value)));
            let edge = 0.01 * (high - low);
            assert!(column().any(|value| value < low + edge));
            assert!(column().any(|value| value > high - edge));
        }
    }
}
