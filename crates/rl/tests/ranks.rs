//! Several ranks train the agent that one trains with the environments and the batches of all.
//!
//! The ranks are threads of this process; MPI's are tested by `.ci/mpi`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_rl::env::ClassicControl;
use tinderbox_rl::environment::{
    Action, ActionError, ActionSpace, BoxSpace, EnvSpec, Environment, Step,
};
use tinderbox_rl::recipe::{Agent, Recipe};
use tinderbox_rl::train::{Options, Trained, train};
use tinderbox_train::ranks::on_threads;
use tinderbox_train::{METRICS_FILE, Ranks, TaskError};

/// Environments and transitions of a batch, over all ranks.
const ENVS: usize = 6;
const BATCH: usize = 48;

/// A recipe for one of `ranks`.
fn recipe(name: &str, environment: &str, ranks: usize) -> Recipe {
    let mut recipe = Recipe::for_environment(name, environment).unwrap();
    recipe.train.num_envs = ENVS / ranks;
    recipe.train.batch_size = BATCH / ranks;
    recipe.train.total_timesteps = 360;
    recipe.train.log_every = 30;
    recipe.train.eval_freq = 180;
    recipe.train.n_eval_episodes = 2;
    recipe.train.checkpoint_every = 0;
    match &mut recipe.agent {
        Agent::Dqn(dqn) => {
            dqn.learning_starts = 60;
            dqn.train_freq = 30;
            dqn.gradient_steps = 3;
            dqn.target_update_interval = 8;
        }
        Agent::Ppo(ppo) => {
            ppo.n_steps = 10;
            ppo.n_epochs = 2;
        }
    }
    recipe
}

fn options(ranks: &Ranks, dir: &Path, resume: bool) -> Options {
    Options {
        dir: ranks.is_first().then(|| dir.to_owned()),
        resume,
        ranks: ranks.clone(),
        ..Options::default()
    }
}

fn on_rank(recipe: &Recipe, ranks: &Ranks, dir: &Path, resume: bool) -> Result<Trained, TaskError> {
    let env: ClassicControl = recipe.environment.parse().unwrap();
    train(recipe, &env, &Device::flex(), options(ranks, dir, resume))
}

/// Trains on so many ranks; the trained weights of each.
fn run(recipe: &Recipe, ranks: usize, dir: &Path, resume: bool) -> Vec<Vec<u8>> {
    on_threads(ranks, |ranks| {
        let trained = on_rank(recipe, &ranks, dir, resume).unwrap();
        let model = tempfile::tempdir().unwrap();
        trained.policy.save(model.path()).unwrap();
        std::fs::read(model.path().join("weights.safetensors")).unwrap()
    })
}

/// Step, split, name and value of each line of the metrics, without what depends on time.
fn metrics(dir: &Path) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(dir.join(METRICS_FILE)).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = format!("{} {} {}", line["step"], line["split"], line["name"]);
        (name, line["value"].as_f64().unwrap_or(f64::NAN))
    };
    text.lines().map(line).collect()
}

#[track_caller]
fn assert_close(what: &str, found: &[(String, f64)], expected: &[(String, f64)]) {
    assert!(expected.len() >= 18, "{}", expected.len());
    assert_eq!(found.len(), expected.len(), "{what}");
    for ((name, value), (other, expected)) in found.iter().zip(expected) {
        assert_eq!(name, other, "{what}");
        let equal = value.is_nan() && expected.is_nan()
            || (value - expected).abs() <= 1e-5 * expected.abs().max(1.0);
        assert!(equal, "{what}, {name}: {value} is not {expected}");
    }
}

#[test]
fn several_ranks_are_one_with_the_environments_and_batches_of_all() {
    for (name, environment) in [
        ("ppo", "CartPole-v1"),
        ("ppo", "Pendulum-v1"),
        ("dqn", "CartPole-v1"),
        ("rainbow", "CartPole-v1"),
    ] {
        let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
        run(&recipe(name, environment, 1), 1, dirs[1].path(), false);
        let expected = metrics(dirs[1].path());
        for ranks in [2, 3] {
            let dir = dirs[ranks].path();
            let policies = run(&recipe(name, environment, ranks), ranks, dir, false);
            assert!(policies.iter().all(|policy| *policy == policies[0]));
            let what = format!("{name}, {environment}, {ranks} ranks");
            assert_close(&what, &metrics(dir), &expected);
        }
    }
}

#[test]
fn a_run_on_ranks_resumes_on_any_number_of_them() {
    for name in ["ppo", "rainbow"] {
        let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
        let two = recipe(name, "CartPole-v1", 2);
        let whole = run(&two, 2, dirs[0].path(), false);
        for (ranks, dir) in (1..).zip(&dirs[1..]) {
            let dir = dir.path();
            let interrupted = on_threads(2, |ranks| {
                let env: ClassicControl = "CartPole-v1".parse().unwrap();
                let rounds = Cell::new(0);
                // Only one of them is told to stop.
                let stops = !ranks.is_first();
                let limit = if name == "ppo" { 3 } else { 40 };
                let options = Options {
                    should_stop: Box::new(move || {
                        rounds.set(rounds.get() + 1);
                        stops && rounds.get() == limit
                    }),
                    ..options(&ranks, dir, false)
                };
                train(&two, &env, &Device::flex(), options).unwrap_err()
            });
            let message = interrupted[0].to_string();
            assert!(message.starts_with("interrupted after step"), "{message}");
            assert_eq!(interrupted[1].to_string(), message);
            let resumed = run(&two, ranks, dir, true);
            assert_close(name, &metrics(dir), &metrics(dirs[0].path()));
            if ranks == 2 {
                assert!(resumed == whole);
            }
        }
    }
}

#[test]
fn ranks_with_other_recipes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let errors = on_threads(2, |ranks| {
        let mut recipe = recipe("ppo", "CartPole-v1", 2);
        recipe.train.total_timesteps += ranks.rank();
        on_rank(&recipe, &ranks, dir.path(), false).unwrap_err()
    });
    for error in errors {
        assert!(error.is_user());
        let message = error.to_string();
        assert!(
            message.starts_with("the ranks have different recipes: rank 1 differs"),
            "{message}"
        );
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Gives an observation that is not a number after so many steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Breaking(u32);

impl Environment for Breaking {
    fn spec(&self) -> EnvSpec {
        EnvSpec {
            name: "Breaking".into(),
            observation_space: BoxSpace {
                low: vec![0.0],
                high: vec![1.0],
            },
            action_space: ActionSpace::Discrete(2),
            reward_threshold: None,
        }
    }

    fn reset(&mut self, _seed: u64, observation: &mut [f32]) {
        observation.fill(0.5);
    }

    fn step(&mut self, _: Action<'_>, observation: &mut [f32]) -> Result<Step, ActionError> {
        self.0 -= 1;
        observation[0] = if self.0 == 0 { f32::NAN } else { 0.5 };
        Ok(Step {
            reward: 1.0,
            terminated: self.0.is_multiple_of(5),
            truncated: false,
        })
    }
}

#[test]
fn a_failure_of_one_rank_ends_all_with_its_message() {
    let dir = tempfile::tempdir().unwrap();
    let errors = on_threads(3, |ranks| {
        let recipe = recipe("ppo", "CartPole-v1", 3);
        let steps = if ranks.rank() == 1 { 33 } else { 1_000_000 };
        let options = options(&ranks, dir.path(), false);
        train(&recipe, &Breaking(steps), &Device::flex(), options).unwrap_err()
    });
    let message = "Breaking returned the observation [NaN] in step";
    for (rank, error) in errors.iter().enumerate() {
        assert!(error.is_user(), "{error}");
        let prefix = if rank == 1 { "" } else { "rank 1: " };
        let error = error.to_string();
        assert!(error.starts_with(&format!("{prefix}{message}")), "{error}");
    }
}
