//! The real binary, on runs of a second.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tinderbox_cli::testing::{
    AppUnderTest, Place, Request, check_mistakes, check_report, check_serve, check_sweep, result,
};

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_rl-cartpole"))
}

/// A short run with a small network, and checkpoints on the way.
const SHORT: [&str; 12] = [
    "--set",
    "train.total_timesteps=2000",
    "--set",
    "agent.net_arch=[16]",
    "--set",
    "train.eval_freq=400",
    "--set",
    "train.n_eval_episodes=5",
    "--set",
    "train.checkpoint_every=400",
    "--set",
    "train.reward_threshold=inf",
];

fn train<'a>(recipe: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let head = ["train", "--recipe", recipe, "--out", out];
    [&head[..], &SHORT, more].concat()
}

#[test]
fn an_agent_trains_for_a_given_time() {
    let dir = place();
    let long = [
        "--budget",
        "2s",
        "--set",
        "train.total_timesteps=1000000000",
    ];
    dir.run(&train("dqn", "run", &long)).ok();
    let place = dir.path("run");
    let wall_s = json(&place.join("summary.json"))["wall_s"]
        .as_f64()
        .unwrap();
    // Far from the time of all steps, also on a busy machine.
    assert!((0.5..10.0).contains(&wall_s), "{wall_s} s");
    let recipe = fs::read_to_string(place.join("recipe.toml")).unwrap();
    let mut lines = recipe.lines();
    let steps = lines.find_map(|line| line.strip_prefix("total_timesteps = "));
    let steps: u64 = steps.unwrap().parse().unwrap();
    assert!(steps > 1_000 && steps < 1_000_000_000, "{steps}");
    let short = dir.run(&train("dqn", "other", &["--budget", "soon"]));
    short.failed(2, &["`train.budget` must be a time such as 90s"]);
    let weights = dir.run(&train("dqn", "weights", &["--tensorboard=histograms"]));
    weights.failed(2, &["`metrics.histograms` must be false", "agents"]);
}

#[test]
fn a_sweep_tests_its_best_trial_only() {
    check_sweep(&place(), &[&["--recipe", "dqn"], &SHORT[..]].concat());
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_leaves_what_the_contract_says_and_can_be_used() {
    let dir = place();
    let ran = dir.run(&train("dqn", "run", &[]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("CartPole-v1: return"), "{}", ran.stdout);
    assert!(ran.stderr.contains("valid  return_mean"), "{}", ran.stderr);
    assert!(ran.stderr.contains("step  400/2000"), "{}", ran.stderr);
    assert!(ran.stderr.contains("at most 2,000 steps"), "{}", ran.stderr);
    for words in ["2,000 steps, ", "best evaluation ", " of 5, "] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(
        ran.stderr.contains("learning_rate 2.30e-3"),
        "{}",
        ran.stderr
    );
    let place = dir.path("run");
    let summary = json(&place.join("summary.json"));
    assert_eq!(summary["app"], "rl-cartpole");
    assert_eq!(summary["steps"], 2000);
    assert!(summary["test"]["return_mean"].as_f64().unwrap() > 5.0);
    // On the same episodes.
    let methods = summary["baselines"].as_array().unwrap();
    for (baseline, name) in methods.iter().zip(["random policy", "heuristic policy"]) {
        assert_eq!(baseline["method"], name);
        assert!(baseline["test"]["return_mean"].as_f64().unwrap() > 5.0);
        assert!(
            ran.stdout
                .lines()
                .any(|line| line.trim_start().starts_with(name)),
            "{}",
            ran.stdout
        );
    }
    assert_eq!(methods.len(), 2);
    assert_eq!(summary["comparison"]["metric"], "return_mean");
    assert_eq!(summary["comparison"]["method"], "heuristic policy");
    assert!(
        ran.stdout.contains("over 5 test episodes"),
        "{}",
        ran.stdout
    );
    let text = fs::read_to_string(place.join("metrics.jsonl")).unwrap();
    for name in ["learning_rate", "gradient_norm"] {
        assert!(text.contains(&format!("\"name\":\"{name}\"")), "{name}");
    }
    for line in fs::read_to_string(place.join("metrics.jsonl"))
        .unwrap()
        .lines()
    {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in ["step", "epoch", "split", "name", "value", "wall_s"] {
            assert!(line.get(key).is_some(), "{line}");
        }
    }
    // The same episodes as after training.
    let ran = dir.run(&["eval", "--run", "run", "--json"]);
    let eval: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(eval["test"], summary["test"]);
    assert_eq!(eval["samples"], 5);
    // Only `model/` is read from here on.
    fs::create_dir(dir.path("bare")).unwrap();
    fs::rename(place.join("model"), dir.path("bare/model")).unwrap();
    let ran = dir.run(&["eval", "--run", "bare", "--episodes", "7", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let eval: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(eval["samples"], 7);
    assert!(eval["test"]["return_std"].is_number());
    let ran = dir.run(&["play", "--run", "bare", "--episodes", "2"]);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    let ran = dir.run(&["play", "--run", "bare", "--out", "play.gif"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        fs::read(dir.path("play.gif"))
            .unwrap()
            .starts_with(b"GIF89a")
    );
    let args = ["train", "--resume", "run"];
    dir.run(&args)
        .failed(2, &["finished", "--set train.total_timesteps=4000"]);
    // A finished run can be trained longer, and in no other way.
    let longer = [&args[..], &["--set", "train.total_timesteps=4000"]].concat();
    let ran = dir.run(&longer);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(json(&place.join("summary.json"))["steps"], 4000);
    let shorter = [&args[..], &["--set", "train.total_timesteps=1000"]].concat();
    dir.run(&shorter)
        .failed(2, &["`train.total_timesteps` can only be raised"]);
}

#[test]
fn actions_are_predicted_for_lines_of_observations() {
    let dir = place();
    assert_eq!(dir.run(&train("dqn", "run", &[])).code, Some(0));
    fs::write(
        dir.path("seen.csv"),
        "x,v,angle,w\n0,0,0.1,0.5\n0.5 0 -0.1 -0.5\n[0, 0, 0, 0]\n",
    )
    .unwrap();
    let ran = dir.run(&["predict", "--run", "run", "--json", "seen.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines = ran.stdout.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<Value> = lines.map(Result::unwrap).collect();
    assert_eq!(lines.len(), 3);
    for (line, row) in lines.iter().zip(2..) {
        assert_eq!(line["row"], row);
        assert!(line["action"] == 0 || line["action"] == 1, "{line}");
    }
    let ran = dir.run(&["predict", "--run", "run", "--csv", "seen.csv"]);
    assert!(
        ran.stdout.starts_with("input,row,action\n"),
        "{}",
        ran.stdout
    );
    fs::write(dir.path("short.txt"), "1 2 3\n").unwrap();
    let short = ["predict", "--run", "run", "short.txt"];
    dir.run(&short)
        .failed(2, &["line 1 has 3 values", "CartPole-v1 have 4"]);
    let keep = ["predict", "--run", "run", "--keep", "seen.csv"];
    dir.run(&keep).failed(2, &["do not apply to observations"]);
}

#[test]
fn the_stored_recipe_repeats_the_run_to_the_bit() {
    let dir = place();
    assert_eq!(dir.run(&train("rainbow", "a", &[])).code, Some(0));
    let ran = dir.run(&[
        "train",
        "--recipe",
        "a/recipe.toml",
        "--out",
        "b",
        "--no-baseline",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let baselines = |run: &str| json(&dir.path(run).join("summary.json"))["baselines"].clone();
    assert_eq!(baselines("a").as_array().unwrap().len(), 2);
    assert_eq!(baselines("b"), Value::Array(Vec::new()));
    let [a, b] = ["a", "b"].map(|run| result(&dir.path(run)));
    assert!(a == b, "the runs differ");
    assert_eq!(
        dir.run(&train("rainbow", "c", &["--seed", "7"])).code,
        Some(0)
    );
    assert!(result(&dir.path("c")) != a);
}

#[test]
fn killed_and_resumed_equals_never_killed() {
    for recipe in ["rainbow", "ppo"] {
        let dir = place();
        // Far more steps than it will take, so that there is time to kill it.
        let more = ["--set", "train.total_timesteps=4000"];
        assert_eq!(dir.run(&train(recipe, "whole", &more)).code, Some(0));
        let mut child = dir
            .command(&train(recipe, "killed", &more))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let checkpoints = dir.path("killed/checkpoint");
        let deadline = Instant::now() + Duration::from_mins(1);
        let later = |entry: &PathBuf| !entry.to_string_lossy().contains("step-000000000");
        while !fs::read_dir(&checkpoints).is_ok_and(|entries| {
            entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|end| end == "ckpt"))
                .any(|path| later(&path))
        }) {
            assert!(Instant::now() < deadline, "no checkpoint was written");
            std::thread::sleep(Duration::from_millis(2));
        }
        let resume = ["train", "--resume", "killed"];
        let second = dir.run(&resume);
        assert_eq!(second.code, Some(2), "{}", second.stderr);
        assert!(
            second.stderr.contains("in use by another process"),
            "{}",
            second.stderr
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!dir.path("killed/summary.json").exists());
        let eval = dir.run(&["eval", "--run", "killed"]);
        assert_eq!(eval.code, Some(0), "{}", eval.stderr);
        let warnings = eval.stderr.matches("is not finished").count();
        assert_eq!(warnings, 1, "{}", eval.stderr);
        let ran = dir.run(&resume);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let [a, b] = ["whole", "killed"].map(|run| result(&dir.path(run)));
        assert!(a == b, "{recipe}: the runs differ");
    }
}

#[test]
fn bad_input_is_one_clear_error_and_code_2() {
    let dir = place();
    let cases: [(&[&str], &str); 15] = [
        (
            &["train", "--env", "CartPole-v2"],
            "did you mean `CartPole-v1`",
        ),
        (
            &["train", "--set", "environment=Walker"],
            "there is no environment",
        ),
        (&["train", "--recipe", "dqnn"], "did you mean `dqn`"),
        (&["ablation", "nope"], "known are dqn, plain, double"),
        (
            &["train", "--set", "agent.net_arch=[60000,60000,60000]"],
            "`agent.net_arch` must be layers with at most 2147483648 parameters",
        ),
        (
            &["train", "--data", "a.csv"],
            "an agent learns in an environment",
        ),
        (&["train", "--set", "agent.doubel=true"], "double"),
        (
            &["train", "--set", "agent.buffer_size=10"],
            "agent.buffer_size",
        ),
        (&["train", "--set", "agent.gamma=2"], "agent.gamma"),
        (
            &["train", "--set", "agent.net_arch=[0]"],
            "`agent.net_arch[0]` must be",
        ),
        (
            &["train", "--set", "agent.v_max=inf"],
            "`agent.v_max` must be a finite number",
        ),
        (
            &["train", "--recipe", "dqn", "--env", "Pendulum-v1"],
            "no built-in recipe `dqn` for Pendulum-v1; use `ppo`",
        ),
        (
            &["train", "--set", "environment=Pendulum-v1"],
            "discrete actions",
        ),
        (&["eval", "--run", "nowhere"], "contains no trained model"),
        (&["play", "--run", "nowhere", "--out", "a.mp4"], ".gif"),
    ];
    for (args, expected) in cases {
        let ran = dir.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{args:?}: {}", ran.stderr);
    }
    assert!(!dir.path("runs").exists(), "a refused run left a folder");
}

#[test]
fn an_agent_of_another_environment_is_refused() {
    let dir = place();
    assert_eq!(dir.run(&train("dqn", "run", &[])).code, Some(0));
    let ran = dir.run(&["eval", "--run", "run", "--env", "Acrobot-v1"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("trained in CartPole-v1"),
        "{}",
        ran.stderr
    );
    // A checkpoint is bound to its recipe too.
    fs::remove_file(dir.path("run/summary.json")).unwrap();
    let ran = dir.run(&[
        "train",
        "--resume",
        "run",
        "--set",
        "environment=Acrobot-v1",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("another recipe"), "{}", ran.stderr);
}

#[test]
fn recipes_are_listed_and_printed_ready_to_edit() {
    let dir = place();
    let ran = dir.run(&["recipes"]);
    for name in [
        "dqn", "double", "dueling", "per", "n-step", "noisy", "c51", "rainbow", "ppo",
    ] {
        assert!(ran.stdout.contains(name), "{}", ran.stdout);
        let text = dir.run(&["recipes", name]).stdout;
        let file = dir.path("mine.toml");
        fs::write(
            &file,
            text.replace("total_timesteps = ", "total_timesteps = 16 #"),
        )
        .unwrap();
        let _ = fs::remove_dir_all(dir.path("out"));
        let args = ["train", "--recipe", "mine.toml", "--out", "out"];
        let few = ["--set", "train.n_eval_episodes=2", "--quiet"];
        let ran = dir.run(&[&args[..], &few].concat());
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn an_ablation_is_a_table() {
    let dir = place();
    let args = ["ablation", "plain", "per", "--seeds", "2", "--quiet"];
    let ran = dir.run(&[&args[..], &SHORT].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(lines[1].contains("plain") && lines[2].contains("per"));
}

/// Wrong commands that only this app has, and words of the advice; the others are in
/// `check_mistakes`.
const WRONG: &[(&str, &[&str])] = &[
    (
        "train --epochs 3",
        &["`--epochs` does not apply", "train.total_timesteps"],
    ),
    ("train --folds 3", &["`--folds` does not apply"]),
    ("train --set n_envs=3", &["did you mean `train.num_envs`?"]),
    ("train --set discount=0.9", &["did you mean `agent.gamma`?"]),
    ("watch --run x", &["did you mean `rl-cartpole play`?"]),
    ("train --environment Pendulum-v1", &["use `--env`"]),
    (
        "play --run nowhere",
        &["`nowhere` contains no trained model"],
    ),
];

#[test]
fn wrong_commands_get_advice_and_leave_nothing_behind() {
    let place = place();
    for (line, words) in WRONG {
        let args: Vec<&str> = line.split(' ').collect();
        place.run(&args).failed(2, words);
    }
    let left = fs::read_dir(place.path("")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn mistakes_have_the_same_exit_code_as_in_every_app() {
    let app = AppUnderTest {
        name: "rl-cartpole",
        binary: env!("CARGO_BIN_EXE_rl-cartpole"),
        short: &SHORT,
        has_data: false,
    };
    check_mistakes(&app);
    check_report(&app);
    check_serve(&app, |_| Request {
        media: "application/json",
        body: b"[0.1, 0, -0.1, 0]".to_vec(),
        key: "action",
    });
}
