//! Our environments repeat what Gymnasium did, step by step.
//!
//! `gymnasium/record.py` recorded the trajectories.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use serde::Deserialize;
use tinderbox_rl::env::{Acrobot, CartPole, ClassicControl, MountainCar, Pendulum, TimeLimit};
use tinderbox_rl::environment::{Action, Environment};

/// Largest difference of a state or a reward in double precision.
const F64: f64 = 1e-12;
/// Largest difference of an observation or a reward in single precision.
const F32: f64 = 1e-6;

#[derive(Deserialize)]
struct Recording {
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    initial: Vec<f64>,
    steps: Vec<Recorded>,
}

/// Action, state, observation, reward, terminated, truncated.
#[derive(Deserialize)]
struct Recorded(f64, Vec<f64>, Vec<f32>, f64, bool, bool);

fn recording(name: &str) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gymnasium");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The limit that the environment of that name has.
fn limit(name: &str) -> u32 {
    match name.parse().unwrap() {
        ClassicControl::CartPole(env) => env.limit(),
        ClassicControl::MountainCar(env) => env.limit(),
        ClassicControl::Acrobot(env) => env.limit(),
        ClassicControl::Pendulum(env) => env.limit(),
    }
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64, at: &str) {
    assert_eq!(ours.len(), theirs.len());
    for (our, their) in ours.iter().zip(theirs) {
        let allowed = tolerance * their.abs().max(1.0);
        assert!((our - their).abs() <= allowed, "{at}: {ours:?} {theirs:?}");
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Replays every episode, each step from where our own last one led.
fn replay<E: Environment, const N: usize>(
    name: &str,
    from_state: fn([f64; N]) -> E,
    state: fn(&E) -> [f64; N],
) {
    let mut ends = [0, 0];
    for (number, episode) in recording(name).episodes.iter().enumerate() {
        let initial = from_state(episode.initial.as_slice().try_into().unwrap());
        let mut env = TimeLimit::new(initial, limit(name));
        let mut observation = vec![0.0; env.spec().observation_space.len()];
        for (index, recorded) in episode.steps.iter().enumerate() {
            let at = format!("{name}, episode {number}, step {index}");
            let &Recorded(action, ref states, ref observed, reward, terminated, truncated) =
                recorded;
            let torque = [action as f32];
            let action = match name {
                "Pendulum-v1" => Action::Continuous(&torque),
                _ => Action::Discrete(action as usize),
            };
            let step = env.step(action, &mut observation).unwrap();
            assert_close(&state(env.inner()), states, F64, &at);
            assert_close(&widen(&observation), &widen(observed), F32, &at);
            assert_close(&[f64::from(step.reward)], &[reward], F32, &at);
            assert_eq!(
                (step.terminated, step.truncated),
                (terminated, truncated),
                "{at}"
            );
            ends[0] += usize::from(step.terminated);
            ends[1] += usize::from(step.truncated);
        }
    }
    // Otherwise the recording would not show what its environment can do.
    assert!(ends.iter().sum::<usize>() > 0);
}

#[test]
fn cart_pole_repeats_gymnasium() {
    replay("CartPole-v1", CartPole::from_state, CartPole::state);
}

#[test]
fn mountain_car_repeats_gymnasium() {
    replay(
        "MountainCar-v0",
        MountainCar::from_state,
        MountainCar::state,
    );
}

#[test]
fn acrobot_repeats_gymnasium() {
    replay("Acrobot-v1", Acrobot::from_state, Acrobot::state);
}

#[test]
fn pendulum_repeats_gymnasium() {
    replay("Pendulum-v1", Pendulum::from_state, Pendulum::state);
}
