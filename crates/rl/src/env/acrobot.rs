//! Two links that must swing up: `Acrobot-v1`.
//!
//! Reference: Sutton, *Generalization in reinforcement learning: successful examples using sparse
//! coarse coding*, 1996,
//! <https://proceedings.neurips.cc/paper/1995/hash/8f1d43620bc6bb580df6e80b0dc05c48-Abstract.html>;
//! with the equations of the book by Sutton and Barto, integrated by one Runge-Kutta step of order
//! four, as Gymnasium has them:
//! <https://gymnasium.farama.org/environments/classic_control/acrobot/>.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{Draws, discrete, symmetric};
use crate::environment::{Action, ActionError, ActionSpace, EnvSpec, Environment, Step};
use crate::render::{BLUE, DARK, GREEN, ORANGE, Render, Scene, Shape, turn};

/// Time between two states, in s.
const DT: f64 = 0.2;
/// In m/s².
const GRAVITY: f64 = 9.8;
/// Mass of each link, in kg.
const MASS: f64 = 1.0;
/// Length of each link, in m.
const LENGTH: f64 = 1.0;
/// Distance of each link's center of mass from its upper joint, in m.
const CENTRE: f64 = 0.5;
/// Moment of inertia of each link, in kg m².
const INERTIA: f64 = 1.0;
/// Largest angular velocities, in rad/s.
const MAX_SPEED: [f64; 2] = [4.0 * PI, 9.0 * PI];
/// Every value of the first state is within this of zero.
const RESET: f64 = 0.1;

/// A double pendulum driven at its elbow; actions 0, 1 and 2 apply −1, 0 and 1 N m.
///
/// The reward is −1 for each step and 0 for the last. It terminates when the tip is higher than
/// one link above the fixed joint. The observation is cosine and sine of both angles, then both
/// angular velocities in rad/s; the first angle is 0 when the link hangs, the second is relative
/// to the first link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acrobot {
    state: [f64; 4],
}

impl Acrobot {
    /// Links that hang at rest, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Links at two angles with two angular velocities (rad, rad, rad/s, rad/s).
    pub fn from_state(state: [f64; 4]) -> Self {
        Self { state }
    }

    /// The two angles and two angular velocities (rad, rad, rad/s, rad/s).
    pub fn state(&self) -> [f64; 4] {
        self.state
    }

    fn observe(&self, observation: &mut [f32]) {
        let [theta_1, theta_2, dtheta_1, dtheta_2] = self.state;
        let values = [
            theta_1.cos(),
            theta_1.sin(),
            theta_2.cos(),
            theta_2.sin(),
            dtheta_1,
            dtheta_2,
        ];
        observation.copy_from_slice(&values.map(|value| value as f32));
    }
}

impl Environment for Acrobot {
    fn spec(&self) -> EnvSpec {
        EnvSpec {
            name: "Acrobot-v1".into(),
            observation_space: symmetric(&[1.0, 1.0, 1.0, 1.0, MAX_SPEED[0], MAX_SPEED[1]]),
            action_space: ActionSpace::Discrete(3),
            reward_threshold: Some(-100.0),
        }
    }

    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        let mut draws = Draws::new(seed);
        // Gymnasium rounds its first state to single precision.
        let mut draw = || f64::from(draws.uniform(-RESET, RESET) as f32);
        self.state = std::array::from_fn(|_| draw());
        self.observe(observation);
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        let torque = discrete(action, 3, "Acrobot-v1")? as f64 - 1.0;
        let [theta_1, theta_2, dtheta_1, dtheta_2] = runge_kutta(self.state, torque);
        self.state = [
            wrap(theta_1),
            wrap(theta_2),
            dtheta_1.clamp(-MAX_SPEED[0], MAX_SPEED[0]),
            dtheta_2.clamp(-MAX_SPEED[1], MAX_SPEED[1]),
        ];

        let [theta_1, theta_2, ..] = self.state;
        let terminated = -theta_1.cos() - (theta_2 + theta_1).cos() > 1.0;
        self.observe(observation);
        Ok(Step {
            reward: if terminated { 0.0 } else { -1.0 },
            terminated,
            truncated: false,
        })
    }
}

/// The state after [`DT`].
fn runge_kutta(state: [f64; 4], torque: f64) -> [f64; 4] {
    let ahead = |slope: [f64; 4], dt: f64| std::array::from_fn(|i| state[i] + dt * slope[i]);
    let k1 = derivative(state, torque);
    let k2 = derivative(ahead(k1, DT / 2.0), torque);
    let k3 = derivative(ahead(k2, DT / 2.0), torque);
    let k4 = derivative(ahead(k3, DT), torque);
    std::array::from_fn(|i| state[i] + DT / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

/// The state's change in a second; the names are the book's.
fn derivative([theta_1, theta_2, dtheta_1, dtheta_2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin_2, cos_2) = theta_2.sin_cos();
    let d1 = MASS * (CENTRE * CENTRE)
        + MASS * (LENGTH * LENGTH + CENTRE * CENTRE + 2.0 * LENGTH * CENTRE * cos_2)
        + INERTIA
        + INERTIA;
    let d2 = MASS * (CENTRE * CENTRE + LENGTH * CENTRE * cos_2) + INERTIA;
    let phi2 = MASS * CENTRE * GRAVITY * (theta_1 + theta_2 - PI / 2.0).cos();
    let phi1 = -MASS * LENGTH * CENTRE * (dtheta_2 * dtheta_2) * sin_2
        - 2.0 * MASS * LENGTH * CENTRE * dtheta_2 * dtheta_1 * sin_2
        + (MASS * CENTRE + MASS * LENGTH) * GRAVITY * (theta_1 - PI / 2.0).cos()
        + phi2;
    let coriolis = MASS * LENGTH * CENTRE * (dtheta_1 * dtheta_1) * sin_2;
    let ddtheta_2 = (torque + d2 / d1 * phi1 - coriolis - phi2)
        / (MASS * (CENTRE * CENTRE) + INERTIA - d2 * d2 / d1);
    let ddtheta_1 = -(d2 * ddtheta_2 + phi1) / d1;
    [dtheta_1, dtheta_2, ddtheta_1, ddtheta_2]
}

/// The same angle in `[-π, π]`.
fn wrap(mut angle: f64) -> f64 {
    // Speeds are bounded, so an angle is never more than a few turns away.
    while angle > PI {
        angle -= 2.0 * PI;
    }
    while angle < -PI {
        angle += 2.0 * PI;
    }
    angle
}

impl Render for Acrobot {
    fn render(&self) -> Scene {
        let [theta_1, theta_2, ..] = self.state;
        let elbow = turn([0.0; 2], [0.0, -LENGTH], theta_1);
        let tip = turn(elbow, [0.0, -LENGTH], theta_1 + theta_2);
        Scene {
            x: [-2.3, 2.3],
            y: [-2.3, 2.3],
            shapes: vec![
                Shape::line([-2.2, LENGTH], [2.2, LENGTH], 0.03, GREEN),
                Shape::line([0.0; 2], elbow, 0.16, DARK),
                Shape::line(elbow, tip, 0.16, ORANGE),
                Shape::circle([0.0; 2], 0.1, BLUE),
                Shape::circle(elbow, 0.1, BLUE),
            ],
        }
    }

    fn frame_s(&self) -> f64 {
        // A third of the time it takes: in its own, 5 frames a second, nothing is seen to move.
        DT / 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::{assert_equal_seeds_give_equal_episodes, assert_refuses};

    #[test]
    fn equal_seeds_give_equal_episodes() {
        assert_equal_seeds_give_equal_episodes(&Acrobot::new());
    }

    #[test]
    fn actions_outside_the_space_are_refused() {
        assert_refuses(&Acrobot::new(), Action::Discrete(3), "0..3");
        assert_refuses(&Acrobot::new(), Action::Continuous(&[f32::NAN]), "[NaN]");
    }

    #[test]
    fn without_torque_energy_stays() {
        // Kinetic and potential energy of the two links, from Lagrange's equations.
        let energy = |[t1, t2, w1, w2]: [f64; 4]| {
            let speed_2 = w1 * w1 + 0.25 * (w1 + w2) * (w1 + w2) + w1 * (w1 + w2) * t2.cos();
            let kinetic =
                0.5 * 0.25 * w1 * w1 + 0.5 * speed_2 + 0.5 * (w1 * w1 + (w1 + w2) * (w1 + w2));
            kinetic - 9.8 * (0.5 * t1.cos() + t1.cos() + 0.5 * (t1 + t2).cos())
        };
        let mut env = Acrobot::from_state([0.4, -0.3, 0.0, 0.0]);
        let before = energy(env.state());
        for _ in 0..50 {
            env.step(Action::Discrete(1), &mut [0.0; 6]).unwrap();
        }
        assert!((energy(env.state()) - before).abs() < 0.05);
    }

    #[test]
    fn links_that_stand_terminate() {
        let mut env = Acrobot::from_state([PI, 0.0, 0.0, 0.0]);
        let step = env.step(Action::Discrete(1), &mut [0.0; 6]).unwrap();
        assert!(step.terminated && !step.truncated);
        assert!(step.reward == 0.0);
        let mut env = Acrobot::new();
        let step = env.step(Action::Discrete(1), &mut [0.0; 6]).unwrap();
        assert!(!step.terminated && step.reward < -0.99);
    }
}
