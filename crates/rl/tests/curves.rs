//! The curves of a training in `metrics.jsonl` and in event files.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use tinderbox_rl::env::ClassicControl;
use tinderbox_rl::recipe::{Agent, Recipe};
use tinderbox_rl::train::{Options, Trained, train};
use tinderbox_train::tensorboard::{EventOptions, enable};
use tinderbox_train::{METRICS_FILE, TaskError};

const STEPS: usize = 480;

/// A short training with a schedule and a point of the curve between the updates of some others.
fn recipe(name: &str) -> Recipe {
    let mut recipe = Recipe::builtin(name).unwrap();
    recipe.schedule = Recipe::builtin("ppo").unwrap().schedule;
    recipe.train.num_envs = 4;
    recipe.train.batch_size = 32;
    recipe.train.total_timesteps = STEPS;
    recipe.train.log_every = 40;
    recipe.train.eval_freq = 240;
    recipe.train.n_eval_episodes = 2;
    recipe.train.checkpoint_every = 0;
    recipe.train.clip_norm = 1e-6;
    match &mut recipe.agent {
        Agent::Dqn(dqn) => {
            dqn.learning_starts = 80;
            dqn.train_freq = 16;
            dqn.gradient_steps = 2;
        }
        Agent::Ppo(ppo) => {
            ppo.n_steps = 10;
            ppo.n_epochs = 2;
        }
    }
    recipe
}

fn run(recipe: &Recipe, dir: &Path, resume: bool, rounds: u64) -> Result<Trained, TaskError> {
    let env: ClassicControl = recipe.environment.parse().unwrap();
    let done = Cell::new(0);
    let options = Options {
        dir: Some(dir.to_owned()),
        resume,
        should_stop: Box::new(move || {
            done.set(done.get() + 1);
            done.get() == rounds
        }),
        ..Options::default()
    };
    train(recipe, &env, &Device::flex(), options)
}

/// The lines of the metrics without the time.
fn lines(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let line = |line: &str| line.split(",\"wall_s\"").next().unwrap_or(line).to_owned();
    text.lines().map(line).collect()
}

/// Steps and values of a metric of the training.
fn curve(dir: &Path, name: &str) -> Vec<(u64, f64)> {
    let text = fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_it = line["name"] == name && line["split"] == "train";
        is_it.then(|| {
            (
                line["step"].as_u64().unwrap(),
                line["value"].as_f64().unwrap(),
            )
        })
    });
    lines.flatten().collect()
}

#[test]
fn a_curve_has_the_learning_rate_and_the_norm_of_the_gradient() {
    for name in ["dqn", "ppo"] {
        let dir = tempfile::tempdir().unwrap();
        enable(dir.path(), EventOptions::default()).unwrap();
        let recipe = recipe(name);
        run(&recipe, dir.path(), false, 0).unwrap();
        let rates = curve(dir.path(), "learning_rate");
        assert_eq!(rates.len(), STEPS / 40, "{name}: {rates:?}");
        // A round has 4 steps of DQN and 40 of PPO; its rate is that of its first step.
        let round = if name == "dqn" { 4 } else { 40 };
        for &(step, rate) in &rates {
            let done = (step - round) as f64 / STEPS as f64;
            let expected = recipe.optimizer.learning_rate() * (1.0 - done);
            assert!((rate / expected - 1.0).abs() < 1e-3, "{name}: {rates:?}");
        }
        let norms = curve(dir.path(), "gradient_norm");
        let first = if name == "dqn" { 80 } else { 40 };
        assert_eq!(norms[0].0, first, "{name}: {norms:?}");
        assert_eq!(norms.len(), rates.len() + 1 - first as usize / 40, "{name}");
        // Before clipping.
        assert!(norms.iter().all(|&(_, norm)| norm > 1e-3), "{norms:?}");
        let events = fs::read_dir(dir.path().join("tensorboard/train")).unwrap();
        let events: Vec<u8> = events
            .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect();
        for tag in ["learning_rate", "gradient_norm"] {
            let found = events.windows(tag.len()).filter(|at| *at == tag.as_bytes());
            let expected = curve(dir.path(), tag).len();
            assert_eq!(found.count(), expected, "{name}, {tag}");
        }
    }
}

#[test]
fn a_resumed_curve_is_that_of_a_run_that_was_never_interrupted() {
    for (name, rounds) in [("dqn", 37), ("dqn", 43), ("ppo", 5)] {
        let [whole, parts] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let recipe = recipe(name);
        run(&recipe, whole.path(), false, 0).unwrap();
        let stopped = run(&recipe, parts.path(), false, rounds).unwrap_err();
        assert!(stopped.to_string().starts_with("interrupted"), "{stopped}");
        run(&recipe, parts.path(), true, 0).unwrap();
        assert_eq!(lines(parts.path()), lines(whole.path()), "{name}");
    }
}
