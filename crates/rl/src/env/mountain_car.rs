//! An underpowered car in a valley: `MountainCar-v0`.
//!
//! Reference: Moore, *Efficient memory-based learning for robot control*, 1990,
//! <https://www.cl.cam.ac.uk/techreports/UCAM-CL-TR-209.pdf>; with the constants of Sutton, 1996,
//! as Gymnasium has them:
//! <https://gymnasium.farama.org/environments/classic_control/mountain_car/>.

use serde::{Deserialize, Serialize};

use super::{Draws, discrete};
use crate::environment::{Action, ActionError, ActionSpace, BoxSpace, EnvSpec, Environment, Step};
use crate::render::{DARK, GRAY, GREEN, ORANGE, Render, Scene, Shape, turn};

/// The left end, where a wall stops the car.
const MIN_POSITION: f64 = -1.2;
/// The right end.
const MAX_POSITION: f64 = 0.6;
/// Where the flag stands.
const GOAL: f64 = 0.5;
/// Largest change of position in a step.
const MAX_SPEED: f64 = 0.07;
/// Change of velocity by the motor in a step.
const FORCE: f64 = 0.001;
/// Change of velocity by the slope in a step, where it is steepest.
const GRAVITY: f64 = 0.0025;

/// A car that must swing back to get up the hill; actions 0, 1 and 2 drive left, not at all, right.
///
/// The reward is −1 for each step. It terminates at the flag. The observation is the state:
/// position and velocity, both without a unit. The height at position `x` is `sin(3x)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MountainCar {
    state: [f64; 2],
}

impl MountainCar {
    /// A car at rest at position 0, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A car at a position, with a velocity.
    pub fn from_state(state: [f64; 2]) -> Self {
        Self { state }
    }

    /// Position and velocity.
    pub fn state(&self) -> [f64; 2] {
        self.state
    }
}

impl Environment for MountainCar {
    fn spec(&self) -> EnvSpec {
        EnvSpec {
            name: "MountainCar-v0".into(),
            observation_space: BoxSpace {
                low: vec![MIN_POSITION as f32, -MAX_SPEED as f32],
                high: vec![MAX_POSITION as f32, MAX_SPEED as f32],
            },
            action_space: ActionSpace::Discrete(3),
            reward_threshold: Some(-110.0),
        }
    }

    #[inline]
    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        self.state = [Draws::new(seed).uniform(-0.6, -0.4), 0.0];
        observe(self.state, observation);
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        let direction = discrete(action, 3, "MountainCar-v0")? as f64 - 1.0;
        let [position, velocity] = self.state;
        let velocity = velocity + (direction * FORCE + (3.0 * position).cos() * -GRAVITY);
        let mut velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity).clamp(MIN_POSITION, MAX_POSITION);
        if position <= MIN_POSITION && velocity < 0.0 {
            velocity = 0.0;
        }
        self.state = [position, velocity];

        observe(self.state, observation);
        Ok(Step {
            reward: -1.0,
            terminated: position >= GOAL && velocity >= 0.0,
            truncated: false,
        })
    }
}

#[inline]
fn observe(state: [f64; 2], observation: &mut [f32]) {
    observation.copy_from_slice(&state.map(|value| value as f32));
}

/// The height of the track, as Gymnasium draws it.
fn height(x: f64) -> f64 {
    (3.0 * x).sin() * 0.45 + 0.55
}

impl Render for MountainCar {
    fn render(&self) -> Scene {
        let [x, _] = self.state;
        let track = |index: u32| {
            let x = MIN_POSITION + (MAX_POSITION - MIN_POSITION) * f64::from(index) / 60.0;
            [x, height(x)]
        };
        let mut shapes: Vec<_> = (0..60)
            .map(|index| Shape::line(track(index), track(index + 1), 0.012, GRAY))
            .collect();
        let flag = |right, up| [GOAL + right, height(GOAL) + up];
        // The direction of the track, whose derivative is 1.35 cos 3x.
        let slope = (1.35 * (3.0 * x).cos()).atan();
        let on_track = |right, up| turn([x, height(x)], [right, up], slope);
        shapes.extend([
            Shape::line(flag(0.0, 0.0), flag(0.0, 0.2), 0.01, DARK),
            Shape::polygon(
                vec![flag(0.0, 0.2), flag(0.0, 0.14), flag(0.08, 0.17)],
                GREEN,
            ),
            Shape::rectangle(on_track(0.0, 0.07), [0.13, 0.06], slope, ORANGE),
            Shape::circle(on_track(-0.035, 0.03), 0.024, DARK),
            Shape::circle(on_track(0.035, 0.03), 0.024, DARK),
        ]);
        Scene {
            x: [MIN_POSITION - 0.05, MAX_POSITION + 0.05],
            y: [0.0, 1.25],
            shapes,
        }
    }

    fn frame_s(&self) -> f64 {
        // The process has no unit of time; Gymnasium shows 30 states a second.
        1.0 / 30.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::{assert_equal_seeds_give_equal_episodes, assert_refuses};

    #[test]
    fn equal_seeds_give_equal_episodes() {
        assert_equal_seeds_give_equal_episodes(&MountainCar::new());
    }

    #[test]
    fn actions_outside_the_space_are_refused() {
        assert_refuses(&MountainCar::new(), Action::Discrete(3), "0..3");
        assert_refuses(&MountainCar::new(), Action::Continuous(&[]), "[]");
    }

    #[test]
    fn the_first_state_is_at_rest_in_the_valley() {
        let mut env = MountainCar::new();
        for seed in 0..1000 {
            env.reset(seed, &mut [0.0; 2]);
            let [position, velocity] = env.state();
            assert!((-0.6..-0.4).contains(&position));
            assert!(velocity == 0.0);
        }
    }

    #[test]
    fn the_wall_stops_the_car_and_the_flag_terminates() {
        let mut env = MountainCar::from_state([-1.19, -0.05]);
        let step = env.step(Action::Discrete(0), &mut [0.0; 2]).unwrap();
        assert!(env.state() == [MIN_POSITION, 0.0] && !step.terminated);
        let mut env = MountainCar::from_state([0.49, 0.05]);
        let step = env.step(Action::Discrete(2), &mut [0.0; 2]).unwrap();
        assert!(step.terminated && !step.truncated);
    }
}
