//! Searches over recipes: several processes, kills, and folders that cannot be used.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tinderbox_cli::testing::{Place, check_sweep};

use crate::app::{place, train_args};

/// The arguments of a sweep with the flags of a short training.
fn sweep_args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let train = train_args(&[]);
    [&["sweep", "--no-baseline"], more, &train[1..]].concat()
}

/// What a sweep must repeat: the values and scores of its trials.
fn results(dir: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir.join("trials")).unwrap() {
        let dir = entry.unwrap().path();
        let values = fs::read_to_string(dir.join("trial.toml")).unwrap();
        let result = fs::read_to_string(dir.join("result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        all.push((values, result["score"].to_string()));
    }
    all.sort();
    all
}

fn spawn(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_sweep_tests_its_best_trial_only() {
    let place = place();
    let train = train_args(&[]);
    check_sweep(&place, &train[1..]);
}

#[test]
fn killed_sweeps_give_what_others_give() {
    let (whole, killed) = (place(), place());
    let args = sweep_args(&["--out", "sweep", "--trials", "5", "--quiet"]);
    whole.run(&args).ok();
    let mut child = spawn(&killed, &args);
    let dir = killed.path("sweep");
    let deadline = Instant::now() + Duration::from_mins(2);
    let mut kills = 0;
    // Kills while trials are being trained, until none is left to train.
    while results_so_far(&dir) < 5 {
        assert!(Instant::now() < deadline, "after {kills} kills");
        thread::sleep(Duration::from_millis(150 + 70 * (kills % 5)));
        if kills < 6 {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if dir.join("sweep.toml").is_file() {
                child = spawn(&killed, &["sweep", "--join", "sweep", "--quiet"]);
            } else {
                let _ = fs::remove_dir_all(&dir);
                child = spawn(&killed, &args);
            }
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(results(&dir), results(&whole.path("sweep")));
    let best =
        |place: &Place| fs::read(place.path("sweep/best/model/weights.safetensors")).unwrap();
    assert!(best(&killed) == best(&whole));
}

fn results_so_far(dir: &Path) -> usize {
    let entries = fs::read_dir(dir.join("trials")).into_iter().flatten();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .is_ok_and(|entry| entry.path().join("result.json").is_file())
        })
        .count()
}

#[test]
fn several_processes_share_the_trials() {
    let place = place();
    let flags = [
        "--out",
        "sweep",
        "--trials",
        "6",
        "--workers",
        "2",
        "--seeds",
        "2",
    ];
    let ran = place.run(&sweep_args(&flags));
    ran.ok();
    assert_eq!(results(&place.path("sweep")).len(), 6);
    assert!(ran.stderr.contains(" ± "), "{}", ran.stderr);
    let journal = fs::read_to_string(place.path("sweep/journal.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 6);
}

#[test]
fn folds_are_judged_without_the_test_split() {
    let place = place();
    let ran = place.run(&sweep_args(&[
        "--out", "sweep", "--trials", "2", "--folds", "2",
    ]));
    ran.ok();
    let result = fs::read_to_string(place.path("sweep/trials/0000/result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["scores"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_is_written() {
    let place = place();
    place.write("unknown.toml", "train.epocs = { min = 1, max = 3 }\n");
    place.write("empty.toml", "model.dropout = { min = 0.5, max = 0.5 }\n");
    place.write("wrong.toml", "model.dropout = { choices = [\"a\"] }\n");
    place.write("high.toml", "model.dropout = { min = 0.1, max = 7.0 }\n");
    place.write("split.toml", "split.seed = { choices = [0, 1] }\n");
    for (space, words) in [
        ("unknown.toml", "did you mean `train.epochs`"),
        ("empty.toml", "min 0.5 is not below max 0.5"),
        ("wrong.toml", "`model.dropout` must be a number"),
        (
            "high.toml",
            "`model.dropout` must be at least 0 and below 1",
        ),
        ("split.toml", "trials on different items cannot be compared"),
        ("absent.toml", "cannot read the search space `absent.toml`"),
    ] {
        let ran = place.run(&sweep_args(&["--out", "sweep", "--space", space]));
        ran.failed(2, &[words]);
        assert!(!place.path("sweep").exists());
    }
    let ran = place.run(&[
        "sweep",
        "--data",
        "absent.csv",
        "--target",
        "leaves",
        "--out",
        "sweep",
    ]);
    ran.failed(2, &["absent.csv"]);
    assert!(!place.path("sweep").exists());
}

#[test]
fn a_trial_that_is_better_than_the_tested_one_is_not_called_the_best_run() {
    let place = place();
    let args = ["--out", "sweep", "--trials", "2", "--pruner", "none"];
    place.run(&sweep_args(&args)).ok();
    let show = ["sweep", "--show", "sweep"];
    let shown = place.run(&show);
    assert!(shown.stdout.contains("best run sweep"), "{}", shown.stdout);
    assert!(!shown.stderr.contains("warning"), "{}", shown.stderr);
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(place.path(path)).unwrap()).unwrap()
    };
    // As if the other one had been trained later, and better.
    let summary = read("sweep/best/summary.json");
    let tested = summary["sweep"]["trial"].as_u64().unwrap();
    let other = 3 - tested;
    let file = format!("sweep/trials/{:04}/result.json", other - 1);
    let mut result = read(&file);
    let better: f64 = if result["mode"] == "max" { 2.0 } else { -1.0 };
    result["score"] = serde_json::json!(better);
    place.write(&file, result.to_string());
    for args in [&show[..], &["sweep", "--join", "sweep", "--quiet"]] {
        let ran = place.run(args);
        ran.ok();
        let recipe = format!("best recipe so far sweep/trials/{:04}/", other - 1);
        assert!(ran.stdout.contains(&recipe), "{}", ran.stdout);
        assert!(!ran.stdout.contains("best run"), "{}", ran.stdout);
        let words = format!("trial {other} is better now than trial {tested}, which was tested");
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    }
    assert_eq!(read("sweep/best/summary.json"), summary);
}

#[test]
fn a_process_with_other_data_does_not_join() {
    let place = place();
    place
        .run(&sweep_args(&["--out", "sweep", "--trials", "1", "--quiet"]))
        .ok();
    let right = fs::read_to_string(place.path("customers.csv")).unwrap();
    let row = "c1,37,63.5,family,yes,No\n";
    assert!(right.contains(row));
    let without = right.replacen(row, "", 1);
    for (data, words) in [
        (
            right.replacen("c1,37,63.5", "c1,37,64.5", 1),
            "1 item missing, 1 item new",
        ),
        (without.clone(), "1 item missing; restore it"),
        (format!("{without}{row}"), "its items are in another order"),
        (
            right.replacen(row, "c1,37,63.5,family,yes,Yes\n", 1),
            "1 item with another label",
        ),
    ] {
        place.write("customers.csv", data);
        for workers in ["1", "3"] {
            let ran = place.run(&["sweep", "--join", "sweep", "--workers", workers]);
            let start = "the data is not what the sweep in `sweep` began with: ";
            ran.failed(2, &[start, words]);
        }
    }
    fs::remove_file(place.path("customers.csv")).unwrap();
    let join = ["sweep", "--join", "sweep", "--quiet"];
    place.run(&join).failed(2, &["customers.csv"]);
    place.write("customers.csv", right);
    place.run(&join).ok();
}

#[test]
fn baselines_are_kept_with_the_best_run_whichever_process_trains_it() {
    let place = place();
    let both = sweep_args(&["--keep-baselines"]);
    place
        .run(&both)
        .failed(2, &["--no-baseline", "--keep-baselines"]);
    let train = train_args(&["--keep-baselines"]);
    let args = ["sweep", "--out", "sweep", "--trials", "1", "--quiet"];
    place.run(&[&args[..], &train[1..]].concat()).ok();
    let is_kept = |run: &str| {
        let model = place.path("sweep").join(run).join("model");
        assert!(model.join("model.json").is_file(), "{run}");
        model.join("baselines.json").is_file()
    };
    assert!(is_kept("best"));
    let seed = fs::read_dir(place.path("sweep/trials/0000")).unwrap();
    let seed = seed
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir());
    assert!(!is_kept(seed.unwrap().to_str().unwrap()));
    fs::remove_dir_all(place.path("sweep/best")).unwrap();
    place.run(&["sweep", "--join", "sweep", "--quiet"]).ok();
    assert!(is_kept("best"));
}

#[test]
fn folders_of_other_sweeps_are_refused() {
    let place = place();
    place
        .run(&["sweep", "--show", "absent"])
        .failed(2, &["`absent` contains no sweep"]);
    for more in [["--target", "leaves"], ["--trials", "3"]] {
        for flag in ["--join", "--show"] {
            let ran = place.run(&[&["sweep", flag, "absent"][..], &more].concat());
            ran.failed(2, &["cannot be used with", flag, more[0]]);
        }
    }
    for more in [&["--device", "cpu"][..], &["--quiet"]] {
        let ran = place.run(&[&["sweep", "--show", "absent"][..], more].concat());
        ran.failed(2, &["cannot be used with", "--show", more[0]]);
    }
    // Begun, and nothing done: no time for a trial.
    place.write("space.toml", "model.dropout = { min = 0, max = 0.5 }\n");
    let args = sweep_args(&[
        "--out",
        "sweep",
        "--trials",
        "3",
        "--budget",
        "1s",
        "--space",
        "space.toml",
    ]);
    let mut child = spawn(&place, &args);
    let settings = place.path("sweep/sweep.toml");
    while !settings.is_file() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = fs::remove_dir_all(place.path("sweep/trials"));
    fs::create_dir_all(place.path("sweep/trials")).unwrap();
    place.run(&["sweep", "--show", "sweep"]).failed(
        2,
        &["no trial of the sweep in `sweep` is complete yet; run `tabular sweep --join sweep`"],
    );
    let text = fs::read_to_string(&settings).unwrap();
    place.write(
        "sweep/sweep.toml",
        text.replace("version = \"", "version = \"9"),
    );
    for flag in ["--join", "--show"] {
        place
            .run(&["sweep", flag, "sweep"])
            .failed(2, &["was begun by version 9"]);
    }
    place.write("sweep/sweep.toml", text.replace("\"tabular\"", "\"text\""));
    place
        .run(&["sweep", "--join", "sweep"])
        .failed(2, &["is a sweep of the app `text`"]);
    place
        .run(&sweep_args(&["--out", "sweep"]))
        .failed(2, &["`sweep` is not empty"]);
}

#[test]
fn a_recipe_that_always_fails_ends_the_sweep() {
    let place = place();
    place.write(
        "space.toml",
        "optimizer.learning_rate = { min = 1e20, max = 1e30, log = true }\n",
    );
    for (trials, failed) in [
        ("30", "all 5 trials failed"),
        ("2", "all 2 trials failed"),
        ("1", "the only trial failed: "),
    ] {
        let args = ["--out", trials, "--space", "space.toml", "--trials", trials];
        let ran = place.run(&sweep_args(&args));
        ran.failed(2, &[failed, "no longer finite"]);
    }
}

#[test]
fn one_trial_is_counted_as_one() {
    let place = place();
    let ran = place.run(&sweep_args(&["--out", "sweep", "--trials", "1"]));
    ran.ok();
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    assert!(shown.contains("best of 1 trial: trial 1"), "{shown}");
    assert!(!shown.contains("1 trials"), "{shown}");
    let show = place.run(&["sweep", "--show", "sweep"]);
    assert!(show.stdout.starts_with("1 of 1 trial: "), "{}", show.stdout);
}
