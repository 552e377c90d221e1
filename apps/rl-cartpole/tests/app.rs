//! The real binary, on runs of a second.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn command(dir: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rl-cartpole"));
    command
        .current_dir(dir.path())
        .args(args)
        .stdin(Stdio::null());
    command
}

fn run(dir: &TempDir, args: &[&str]) -> Ran {
    let output = command(dir, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// A short run with a small network, and checkpoints on the way.
const SHORT: [&str; 12] = [
    "--set",
    "train.steps=2000",
    "--set",
    "agent.hidden=[16]",
    "--set",
    "train.evaluate_every=400",
    "--set",
    "train.evaluation_episodes=5",
    "--set",
    "train.checkpoint_every=400",
    "--set",
    "train.stop_return=inf",
];

fn train<'a>(recipe: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let head = ["train", "--recipe", recipe, "--out", out];
    [&head[..], &SHORT, more].concat()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Everything that may not differ between two runs.
fn result(run: &Path) -> (Vec<u8>, Vec<Value>) {
    let weights = fs::read(run.join("model/weights.safetensors")).unwrap();
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("wall_s");
        line
    });
    (weights, lines.collect())
}

#[test]
fn a_run_leaves_what_the_contract_says_and_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(&dir, &train("dqn", "run", &[]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("CartPole-v1: return"), "{}", ran.stdout);
    assert!(ran.stderr.contains("valid return"), "{}", ran.stderr);
    let place = dir.path().join("run");
    let summary = json(&place.join("summary.json"));
    assert_eq!(summary["app"], "rl-cartpole");
    assert_eq!(summary["steps"], 2000);
    assert!(summary["test"]["return_mean"].as_f64().unwrap() > 5.0);
    for line in fs::read_to_string(place.join("metrics.jsonl"))
        .unwrap()
        .lines()
    {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in ["step", "epoch", "split", "name", "value", "wall_s"] {
            assert!(line.get(key).is_some(), "{line}");
        }
    }
    // Only `model/` is read from here on.
    fs::create_dir(dir.path().join("bare")).unwrap();
    fs::rename(place.join("model"), dir.path().join("bare/model")).unwrap();
    let ran = run(
        &dir,
        &["eval", "--run", "bare", "--episodes", "7", "--json"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let eval: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(eval["samples"], 7);
    assert!(eval["test"]["return_std"].is_number());
    let ran = run(&dir, &["play", "--run", "bare", "--episodes", "2"]);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    let ran = run(&dir, &["play", "--run", "bare", "--out", "play.gif"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        fs::read(dir.path().join("play.gif"))
            .unwrap()
            .starts_with(b"GIF89a")
    );
    let args = ["train", "--resume", "run"];
    let ran = run(&dir, &args);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("finished"), "{}", ran.stderr);
}

#[test]
fn the_stored_recipe_repeats_the_run_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&dir, &train("rainbow", "a", &[])).code, Some(0));
    let ran = run(&dir, &["train", "--recipe", "a/recipe.toml", "--out", "b"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let [a, b] = ["a", "b"].map(|run| result(&dir.path().join(run)));
    assert!(a == b, "the runs differ");
    assert_eq!(
        run(&dir, &train("rainbow", "c", &["--seed", "7"])).code,
        Some(0)
    );
    assert!(result(&dir.path().join("c")).0 != a.0);
}

#[test]
fn killed_and_resumed_equals_never_killed() {
    for recipe in ["rainbow", "ppo"] {
        let dir = tempfile::tempdir().unwrap();
        // Far more steps than it will take, so that there is time to kill it.
        let more = ["--set", "train.steps=6000"];
        assert_eq!(run(&dir, &train(recipe, "whole", &more)).code, Some(0));
        let mut child = command(&dir, &train(recipe, "killed", &more))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let checkpoints = dir.path().join("killed/checkpoint");
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
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!dir.path().join("killed/summary.json").exists());
        let ran = run(&dir, &["train", "--resume", "killed"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let [a, b] = ["whole", "killed"].map(|run| result(&dir.path().join(run)));
        assert!(a.0 == b.0, "{recipe}: the weights differ");
        assert!(a.1 == b.1, "{recipe}: the metrics differ");
    }
}

#[test]
fn bad_input_is_one_clear_error_and_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 11] = [
        (
            &["train", "--env", "CartPole-v2"],
            "did you mean `CartPole-v1`",
        ),
        (
            &["train", "--set", "environment=Walker"],
            "there is no environment",
        ),
        (&["train", "--recipe", "dqnn"], "did you mean `dqn`"),
        (&["train", "--set", "agent.doubel=true"], "double"),
        (
            &["train", "--set", "agent.replay_size=10"],
            "agent.replay_size",
        ),
        (&["train", "--set", "agent.gamma=2"], "agent.gamma"),
        (&["train", "--set", "agent.hidden=[0]"], "hidden"),
        (
            &["train", "--recipe", "dqn", "--env", "Pendulum-v1"],
            "no recipe",
        ),
        (
            &["train", "--set", "environment=Pendulum-v1"],
            "numbered actions",
        ),
        (&["eval", "--run", "nowhere"], "holds no trained agent"),
        (&["play", "--run", "nowhere", "--out", "a.mp4"], ".gif"),
    ];
    for (args, expected) in cases {
        let ran = run(&dir, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{args:?}: {}", ran.stderr);
    }
    assert!(
        !dir.path().join("runs").exists(),
        "a refused run left a folder"
    );
}

#[test]
fn an_agent_of_another_environment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&dir, &train("dqn", "run", &[])).code, Some(0));
    let ran = run(&dir, &["eval", "--run", "run", "--env", "Acrobot-v1"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("trained in CartPole-v1"),
        "{}",
        ran.stderr
    );
    // A checkpoint is bound to its recipe too.
    fs::remove_file(dir.path().join("run/summary.json")).unwrap();
    let ran = run(
        &dir,
        &[
            "train",
            "--resume",
            "run",
            "--set",
            "environment=Acrobot-v1",
        ],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("another recipe"), "{}", ran.stderr);
}

#[test]
fn recipes_are_listed_and_printed_ready_to_edit() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(&dir, &["recipes"]);
    for name in [
        "dqn", "double", "dueling", "per", "n-step", "noisy", "c51", "rainbow", "ppo",
    ] {
        assert!(ran.stdout.contains(name), "{}", ran.stdout);
        let text = run(&dir, &["recipes", name]).stdout;
        let file = dir.path().join("mine.toml");
        fs::write(&file, text.replace("steps = ", "steps = 16 #")).unwrap();
        let _ = fs::remove_dir_all(dir.path().join("out"));
        let args = ["train", "--recipe", "mine.toml", "--out", "out"];
        let few = ["--set", "train.evaluation_episodes=2", "--quiet"];
        let ran = run(&dir, &[&args[..], &few].concat());
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn an_ablation_is_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["ablation", "plain", "per", "--seeds", "2", "--quiet"];
    let ran = run(&dir, &[&args[..], &SHORT].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(lines[1].contains("plain") && lines[2].contains("per"));
}
