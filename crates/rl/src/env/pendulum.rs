//! A pendulum that must be swung up and held: `Pendulum-v1`.
//!
//! Reference: as Gymnasium has it,
//! <https://gymnasium.farama.org/environments/classic_control/pendulum/>.
//! Differs from it: a torque outside the space is an error instead of being cut to it.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{Draws, symmetric};
use crate::environment::{Action, ActionError, ActionSpace, EnvSpec, Environment, Step};
use crate::render::{DARK, GREEN, ORANGE, Render, Scene, Shape, turn};

/// Largest torque, in N m.
const MAX_TORQUE: f32 = 2.0;
/// Largest angular velocity, in rad/s.
const MAX_SPEED: f64 = 8.0;
/// Time between two states, in s.
const DT: f64 = 0.05;
/// In m/s².
const GRAVITY: f64 = 10.0;
/// In kg.
const MASS: f64 = 1.0;
/// In m.
const LENGTH: f64 = 1.0;

/// A rod on a motor that is too weak to lift it at once; the action is the torque, within ±2 N m.
///
/// The reward is −(angle² + 0.1 velocity² + 0.001 torque²) before the step, with the angle in
/// `[-π, π)` from upright. It never terminates. The observation is cosine and sine of the angle,
/// and the angular velocity in rad/s.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pendulum {
    state: [f64; 2],
}

impl Pendulum {
    /// An upright pendulum, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A pendulum at an angle with an angular velocity (rad, rad/s).
    pub fn from_state(state: [f64; 2]) -> Self {
        Self { state }
    }

    /// Angle, not wrapped, and angular velocity (rad, rad/s).
    pub fn state(&self) -> [f64; 2] {
        self.state
    }
}

impl Environment for Pendulum {
    fn spec(&self) -> EnvSpec {
        EnvSpec {
            name: "Pendulum-v1".into(),
            observation_space: symmetric(&[1.0, 1.0, MAX_SPEED]),
            action_space: ActionSpace::Continuous(symmetric(&[f64::from(MAX_TORQUE)])),
            reward_threshold: None,
        }
    }

    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        let mut draws = Draws::new(seed);
        self.state = [draws.uniform(-PI, PI), draws.uniform(-1.0, 1.0)];
        observe(self.state, observation);
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        let torque = match action {
            Action::Continuous(&[torque]) if torque.abs() <= MAX_TORQUE => torque,
            _ => {
                return Err(ActionError::new(
                    action,
                    "Pendulum-v1",
                    "one number from -2 to 2",
                ));
            }
        };
        let [angle, velocity] = self.state;
        // Gymnasium keeps the torque's own terms in single precision, which the twelfth digit shows.
        let push = f64::from((3.0 / (MASS * LENGTH * LENGTH)) as f32 * torque);
        let effort = f64::from(0.001_f32 * (torque * torque));
        let lean = wrap(angle);
        let cost = lean * lean + 0.1 * (velocity * velocity) + effort;

        let velocity = velocity + (3.0 * GRAVITY / (2.0 * LENGTH) * angle.sin() + push) * DT;
        let velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        self.state = [angle + velocity * DT, velocity];

        observe(self.state, observation);
        Ok(Step {
            reward: -cost as f32,
            terminated: false,
            truncated: false,
        })
    }
}

fn observe([angle, velocity]: [f64; 2], observation: &mut [f32]) {
    let values = [angle.cos(), angle.sin(), velocity];
    observation.copy_from_slice(&values.map(|value| value as f32));
}

/// The same angle in `[-π, π)`.
fn wrap(angle: f64) -> f64 {
    (angle + PI).rem_euclid(2.0 * PI) - PI
}

impl Render for Pendulum {
    fn render(&self) -> Scene {
        let [angle, _] = self.state;
        let tip = turn([0.0; 2], [0.0, LENGTH], angle);
        Scene {
            x: [-1.3, 1.3],
            y: [-1.3, 1.3],
            shapes: vec![
                Shape::line([0.0, LENGTH + 0.12], [0.0, LENGTH + 0.24], 0.03, GREEN),
                Shape::line([0.0; 2], tip, 0.16, ORANGE),
                Shape::circle([0.0; 2], 0.06, DARK),
            ],
        }
    }

    fn frame_s(&self) -> f64 {
        DT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::{assert_equal_seeds_give_equal_episodes, assert_refuses};

    #[test]
    fn equal_seeds_give_equal_episodes() {
        assert_equal_seeds_give_equal_episodes(&Pendulum::new());
    }

    #[test]
    fn actions_outside_the_space_are_refused() {
        let env = Pendulum::new();
        assert_refuses(&env, Action::Discrete(0), "number 0");
        assert_refuses(&env, Action::Continuous(&[]), "[]");
        assert_refuses(&env, Action::Continuous(&[0.0, 0.0]), "[0.0, 0.0]");
        assert_refuses(&env, Action::Continuous(&[2.001]), "2.001");
        assert_refuses(&env, Action::Continuous(&[f32::NAN]), "NaN");
        assert_refuses(&env, Action::Continuous(&[f32::NEG_INFINITY]), "-inf");
    }

    #[test]
    fn upright_at_rest_costs_nothing_and_hanging_costs_most() {
        let reward = |state| {
            let step = Pendulum::from_state(state).step(Action::Continuous(&[0.0]), &mut [0.0; 3]);
            step.unwrap().reward
        };
        assert!(reward([0.0, 0.0]) == 0.0);
        assert!((reward([PI, 0.0]) + (PI * PI) as f32).abs() < 1e-6);
        assert!((reward([2.0 * PI, 0.0])).abs() < 1e-6);
        assert!((reward([0.0, -2.0]) + 0.4).abs() < 1e-6);
    }
}
