//! A pole on a cart that must not fall: `CartPole-v1`.
//!
//! Reference: Barto, Sutton and Anderson, *Neuronlike adaptive elements that can solve difficult
//! learning control problems*, 1983, <https://doi.org/10.1109/TSMC.1983.6313077>; with the
//! equations of Florian, *Correct equations for the dynamics of the cart-pole system*, 2005,
//! without friction, as Gymnasium has them:
//! <https://gymnasium.farama.org/environments/classic_control/cart_pole/>.

use serde::{Deserialize, Serialize};

use super::{Draws, discrete, symmetric};
use crate::environment::{Action, ActionError, ActionSpace, EnvSpec, Environment, Step};
use crate::render::{BLUE, DARK, GRAY, ORANGE, Render, Scene, Shape, turn};

/// In m/s².
const GRAVITY: f64 = 9.8;
/// In kg.
const MASS_CART: f64 = 1.0;
/// In kg.
const MASS_POLE: f64 = 0.1;
const MASS: f64 = MASS_POLE + MASS_CART;
/// Half the pole's length, in m.
const HALF_LENGTH: f64 = 0.5;
/// Mass of the pole times half its length, in kg m.
const MOMENT: f64 = MASS_POLE * HALF_LENGTH;
/// Force of an action, in N.
const FORCE: f64 = 10.0;
/// Time between two states, in s.
const TAU: f64 = 0.02;
/// Angle from the vertical at which the pole counts as fallen: 12 degrees, in rad.
const MAX_ANGLE: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;
/// Distance from the center at which the track ends, in m.
const MAX_POSITION: f64 = 2.4;
/// Every value of the first state is within this of zero.
const RESET: f64 = 0.05;

/// A pole hinged to a cart; action 0 pushes the cart left, action 1 right.
///
/// The reward is 1 for each step. It terminates when the pole leans over 12 degrees or the cart
/// leaves the track. The observation is the state: position in m, velocity in m/s, angle in rad,
/// angular velocity in rad/s.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CartPole {
    state: [f64; 4],
}

impl CartPole {
    /// A cart in the middle with an upright pole, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A cart at position, velocity, angle and angular velocity (m, m/s, rad, rad/s).
    pub fn from_state(state: [f64; 4]) -> Self {
        Self { state }
    }

    /// Position, velocity, angle and angular velocity (m, m/s, rad, rad/s).
    pub fn state(&self) -> [f64; 4] {
        self.state
    }
}

impl Environment for CartPole {
    fn spec(&self) -> EnvSpec {
        // Twice the limits, so that the state which ends an episode is inside.
        let high = [
            MAX_POSITION * 2.0,
            f64::INFINITY,
            MAX_ANGLE * 2.0,
            f64::INFINITY,
        ];
        EnvSpec {
            name: "CartPole-v1".into(),
            observation_space: symmetric(&high),
            action_space: ActionSpace::Discrete(2),
            reward_threshold: Some(475.0),
        }
    }

    #[inline]
    fn reset(&mut self, seed: u64, observation: &mut [f32]) {
        let mut draws = Draws::new(seed);
        self.state = std::array::from_fn(|_| draws.uniform(-RESET, RESET));
        observe(self.state, observation);
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        let right = discrete(action, 2, "CartPole-v1")? == 1;
        let force = if right { FORCE } else { -FORCE };
        let [x, x_dot, theta, theta_dot] = self.state;
        let (sin, cos) = sin_cos(theta);

        let push = (force + MOMENT * (theta_dot * theta_dot) * sin) / MASS;
        let theta_acc = (GRAVITY * sin - cos * push)
            / (HALF_LENGTH * (4.0 / 3.0 - MASS_POLE * (cos * cos) / MASS));
        let x_acc = push - MOMENT * theta_acc * cos / MASS;

        let x = x + TAU * x_dot;
        let x_dot = x_dot + TAU * x_acc;
        let theta = theta + TAU * theta_dot;
        let theta_dot = theta_dot + TAU * theta_acc;
        self.state = [x, x_dot, theta, theta_dot];

        observe(self.state, observation);
        Ok(Step {
            reward: 1.0,
            terminated: x.abs() > MAX_POSITION || theta.abs() > MAX_ANGLE,
            truncated: false,
        })
    }
}

/// Sine and cosine, with a fast path for the small angles of a standing pole.
///
/// Their Taylor series: at 0.3 rad the first term left out is below a hundredth of the last bit.
/// This halves the time of a step, and gives the same bits on every platform, which a libm does not.
#[inline]
fn sin_cos(angle: f64) -> (f64, f64) {
    if angle.abs() > 0.3 {
        return angle.sin_cos();
    }
    let x = angle * angle;
    let odd = 1.0 / 362_880.0 + x * (-1.0 / 39_916_800.0 + x * (1.0 / 6_227_020_800.0));
    let odd = -1.0 / 6.0 + x * (1.0 / 120.0 + x * (-1.0 / 5040.0 + x * odd));
    let even = 1.0 / 40_320.0 + x * (-1.0 / 3_628_800.0 + x * (1.0 / 479_001_600.0));
    let even = -0.5 + x * (1.0 / 24.0 + x * (-1.0 / 720.0 + x * even));
    (angle + angle * (x * odd), 1.0 + x * even)
}

#[inline]
fn observe(state: [f64; 4], observation: &mut [f32]) {
    observation.copy_from_slice(&state.map(|value| value as f32));
}

impl Render for CartPole {
    fn render(&self) -> Scene {
        let [x, _, theta, _] = self.state;
        let (cart, axle) = ([x, 0.0], [x, 0.06]);
        let tip = turn(axle, [0.0, 2.0 * HALF_LENGTH], -theta);
        let stop = |at: f64| Shape::rectangle([at, 0.0], [0.03, 0.2], 0.0, GRAY);
        Scene {
            x: [-MAX_POSITION - 0.3, MAX_POSITION + 0.3],
            y: [-0.4, 1.3],
            shapes: vec![
                Shape::line([-MAX_POSITION, 0.0], [MAX_POSITION, 0.0], 0.02, GRAY),
                stop(-MAX_POSITION),
                stop(MAX_POSITION),
                Shape::rectangle(cart, [0.4, 0.24], 0.0, DARK),
                Shape::line(axle, tip, 0.08, ORANGE),
                Shape::circle(axle, 0.04, BLUE),
            ],
        }
    }

    fn frame_s(&self) -> f64 {
        TAU
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::{assert_equal_seeds_give_equal_episodes, assert_refuses};

    #[test]
    fn equal_seeds_give_equal_episodes() {
        assert_equal_seeds_give_equal_episodes(&CartPole::new());
    }

    #[test]
    fn actions_outside_the_space_are_refused() {
        assert_refuses(&CartPole::new(), Action::Discrete(2), "0..2");
        assert_refuses(&CartPole::new(), Action::Continuous(&[0.0]), "[0.0]");
    }

    #[test]
    fn the_first_state_is_near_the_middle_and_differs() {
        let mut env = CartPole::new();
        let first = |env: &mut CartPole, seed| {
            env.reset(seed, &mut [0.0; 4]);
            env.state()
        };
        let states: Vec<_> = (0..1000).map(|seed| first(&mut env, seed)).collect();
        let values = || states.iter().flatten();
        assert!(values().all(|value| value.abs() <= 0.05));
        assert!(values().any(|&value| value > 0.049) && values().any(|&value| value < -0.049));
        assert_ne!(states[0].map(f64::to_bits), states[1].map(f64::to_bits));
    }

    #[test]
    fn sines_and_cosines_are_right_to_the_last_bit() {
        for step in -4000..=4000 {
            let angle = f64::from(step) * 1e-4;
            let (sin, cos) = sin_cos(angle);
            assert!((sin - angle.sin()).abs() <= f64::EPSILON * angle.abs());
            assert!((cos - angle.cos()).abs() <= f64::EPSILON);
        }
    }

    #[test]
    fn a_fallen_pole_and_the_end_of_the_track_terminate() {
        let ends = |state| {
            let step = CartPole::from_state(state).step(Action::Discrete(1), &mut [0.0; 4]);
            let step = step.unwrap();
            assert!(!step.truncated);
            step.terminated
        };
        assert!(!ends([2.39, 0.0, 0.0, 0.0]));
        assert!(ends([2.39, 1.0, 0.0, 0.0]));
        assert!(ends([-2.39, -1.0, 0.0, 0.0]));
        assert!(!ends([0.0, 0.0, 0.2, 0.0]));
        assert!(ends([0.0, 0.0, 0.2, 1.0]));
        assert!(ends([0.0, 0.0, -0.2, -1.0]));
    }
}
