//! The environments by name.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tinderbox_train::overlay::nearest;

use super::{Acrobot, CartPole, MountainCar, Pendulum, TimeLimit};
use crate::environment::{Action, ActionError, EnvSpec, Environment, Step};
use crate::render::{Render, Scene};

/// One of the environments of this crate, with the time limit that Gymnasium registers for it.
///
/// ```
/// use tinderbox_rl::env::ClassicControl;
/// use tinderbox_rl::environment::{Action, Environment};
///
/// let mut env: ClassicControl = "CartPole-v1".parse()?;
/// let mut observation = [0.0; 4];
/// env.reset(7, &mut observation);
/// let step = env.step(Action::Discrete(1), &mut observation)?;
/// assert!(step.reward == 1.0 && !step.done());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClassicControl {
    /// `CartPole-v1`, 500 steps.
    #[serde(rename = "CartPole-v1")]
    CartPole(TimeLimit<CartPole>),
    /// `MountainCar-v0`, 200 steps.
    #[serde(rename = "MountainCar-v0")]
    MountainCar(TimeLimit<MountainCar>),
    /// `Acrobot-v1`, 500 steps.
    #[serde(rename = "Acrobot-v1")]
    Acrobot(TimeLimit<Acrobot>),
    /// `Pendulum-v1`, 200 steps.
    #[serde(rename = "Pendulum-v1")]
    Pendulum(TimeLimit<Pendulum>),
}

/// An unknown environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no environment `{name}`{}; there are {}",
    .nearest.map(|near| format!(", did you mean `{near}`")).unwrap_or_default(),
    ClassicControl::NAMES.map(|name| format!("`{name}`")).join(", "),
)]
pub struct UnknownEnvironment {
    /// The unknown name.
    pub name: String,
    /// The most similar known name, if one is similar.
    pub nearest: Option<&'static str>,
}

impl ClassicControl {
    /// Every name, in the order of the variants.
    pub const NAMES: [&'static str; 4] =
        ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "Pendulum-v1"];

    /// The environment's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CartPole(_) => "CartPole-v1",
            Self::MountainCar(_) => "MountainCar-v0",
            Self::Acrobot(_) => "Acrobot-v1",
            Self::Pendulum(_) => "Pendulum-v1",
        }
    }
}

impl FromStr for ClassicControl {
    type Err = UnknownEnvironment;

    fn from_str(name: &str) -> Result<Self, UnknownEnvironment> {
        match name {
            "CartPole-v1" => Ok(Self::CartPole(TimeLimit::new(CartPole::new(), 500))),
            "MountainCar-v0" => Ok(Self::MountainCar(TimeLimit::new(MountainCar::new(), 200))),
            "Acrobot-v1" => Ok(Self::Acrobot(TimeLimit::new(Acrobot::new(), 500))),
            "Pendulum-v1" => Ok(Self::Pendulum(TimeLimit::new(Pendulum::new(), 200))),
            _ => {
                // Case and hyphens are the usual mistakes.
                let lower = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
                let known = Self::NAMES.map(lower);
                let near = nearest(&lower(name), known.iter().map(String::as_str));
                let index = near.and_then(|near| known.iter().position(|name| name == near));
                Err(UnknownEnvironment {
                    name: name.into(),
                    nearest: index.map(|index| Self::NAMES[index]),
                })
            }
        }
    }
}

impl Environment for ClassicControl {
    fn spec(&self) -> EnvSpec {
        match self {
            Self::CartPole(env) => env.spec(),
            Self::MountainCar(env) => env.spec(),
            Self::Acrobot(env) => env.spec(),
            Self::Pendulum(env) => env.spec(),
        }
    }

    #[inline]
    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        match self {
            Self::CartPole(env) => env.reset(seed, observation),
            Self::MountainCar(env) => env.reset(seed, observation),
            Self::Acrobot(env) => env.reset(seed, observation),
            Self::Pendulum(env) => env.reset(seed, observation),
        }
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        match self {
            Self::CartPole(env) => env.step(action, observation),
            Self::MountainCar(env) => env.step(action, observation),
            Self::Acrobot(env) => env.step(action, observation),
            Self::Pendulum(env) => env.step(action, observation),
        }
    }
}

impl Render for ClassicControl {
    fn render(&self) -> Scene {
        match self {
            Self::CartPole(env) => env.render(),
            Self::MountainCar(env) => env.render(),
            Self::Acrobot(env) => env.render(),
            Self::Pendulum(env) => env.render(),
        }
    }

    fn frame_s(&self) -> f64 {
        match self {
            Self::CartPole(env) => env.frame_s(),
            Self::MountainCar(env) => env.frame_s(),
            Self::Acrobot(env) => env.frame_s(),
            Self::Pendulum(env) => env.frame_s(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Form;

    #[test]
    fn every_name_opens_the_environment_of_that_name() {
        for name in ClassicControl::NAMES {
            let env: ClassicControl = name.parse().unwrap();
            assert_eq!(env.name(), name);
            assert_eq!(env.spec().name, name);
        }
    }

    #[test]
    fn a_stored_copy_continues_as_the_original() {
        for name in ClassicControl::NAMES {
            let mut env: ClassicControl = name.parse().unwrap();
            let mut observation = vec![0.0; env.spec().observation_space.len()];
            env.reset(3, &mut observation);
            let stored = serde_json::to_string(&env).unwrap();
            assert!(stored.contains(name));
            let mut copy: ClassicControl = serde_json::from_str(&stored).unwrap();
            assert_eq!(copy, env);
            let mut other = observation.clone();
            for _ in 0..20 {
                let action = match name {
                    "Pendulum-v1" => Action::Continuous(&[1.5]),
                    _ => Action::Discrete(1),
                };
                assert_eq!(
                    env.step(action, &mut observation),
                    copy.step(action, &mut other)
                );
                assert_eq!(observation, other);
            }
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let near = |name: &str| name.parse::<ClassicControl>().unwrap_err().nearest;
        assert_eq!(near("cartpole"), Some("CartPole-v1"));
        assert_eq!(near("CartPole-v0"), Some("CartPole-v1"));
        assert_eq!(near("mountain_car"), Some("MountainCar-v0"));
        assert_eq!(near("acrobat"), Some("Acrobot-v1"));
        assert_eq!(near("zzz"), None);
        let message = "CartPole"
            .parse::<ClassicControl>()
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "there is no environment `CartPole`, did you mean `CartPole-v1`; there are \
             `CartPole-v1`, `MountainCar-v0`, `Acrobot-v1`, `Pendulum-v1`"
        );
    }

    #[test]
    fn scenes_change_and_stay_in_bounds() {
        for name in ClassicControl::NAMES {
            let mut env: ClassicControl = name.parse().unwrap();
            let mut observation = vec![0.0; env.spec().observation_space.len()];
            env.reset(3, &mut observation);
            let before = env.render();
            for _ in 0..8 {
                let action = match name {
                    "Pendulum-v1" => Action::Continuous(&[1.5]),
                    _ => Action::Discrete(1),
                };
                env.step(action, &mut observation).unwrap();
            }
            let after = env.render();
            assert!(after != before && (after.x, after.y) == (before.x, before.y));
            let inside = |[x, y]: [f64; 2]| {
                (after.x[0]..=after.x[1]).contains(&x) && (after.y[0]..=after.y[1]).contains(&y)
            };
            for shape in &after.shapes {
                match &shape.form {
                    Form::Line { from, to, width } => {
                        assert!(inside(*from) && inside(*to) && *width > 0.0);
                    }
                    Form::Circle { center, radius } => assert!(inside(*center) && *radius > 0.0),
                    Form::Polygon(corners) => assert!(corners.iter().all(|&at| inside(at))),
                }
            }
        }
    }
}
