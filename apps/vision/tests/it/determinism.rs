//! The same recipe and seed give the same bytes, whatever happens on the way.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::Place;
use crate::{detect, landmarks, masks, transfer};
use tinderbox_cli::testing::{Ran, result};

/// Starts a run and waits until it has written a checkpoint of at least this step.
fn start_until(place: &Place, out: &str, step: usize) -> Child {
    let args = place.train_args(&["--out", out, "--quiet", "--set", "train.epochs=20"]);
    let child = place.command(&args).spawn().unwrap();
    wait_for(&place.path(out).join("checkpoint"), step);
    child
}

fn wait_for(checkpoints: &Path, step: usize) {
    let started = Instant::now();
    while latest(checkpoints) < Some(step) {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "no checkpoint of step {step}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn latest(checkpoints: &Path) -> Option<usize> {
    fs::read_dir(checkpoints)
        .ok()?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix("step-")?
                .strip_suffix(".ckpt")?
                .parse()
                .ok()
        })
        .max()
}

fn undisturbed(place: &Place) -> Vec<(String, Vec<u8>)> {
    place
        .train(&["--out", "whole", "--quiet", "--set", "train.epochs=20"])
        .ok();
    result(&place.path("whole"))
}

#[test]
fn the_same_recipe_and_seed_give_the_same_bytes() {
    let place = Place::new();
    place.train(&["--out", "a", "--quiet"]).ok();
    place.train(&["--out", "b", "--quiet"]).ok();
    assert!(result(&place.path("a")) == result(&place.path("b")));
    place.train(&["--out", "c", "--quiet", "--seed", "7"]).ok();
    assert!(
        result(&place.path("a")) != result(&place.path("c")),
        "the seed decides something"
    );
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let place = Place::new();
    place.train(&["--out", "a", "--quiet"]).ok();
    place
        .train(&["--out", "b", "--quiet", "--set", "train.workers=3"])
        .ok();
    place
        .train(&["--out", "c", "--quiet", "--set", "train.workers=0"])
        .ok();
    assert!(result(&place.path("a")) == result(&place.path("b")));
    assert!(result(&place.path("a")) == result(&place.path("c")));
}

#[test]
fn killed_and_resumed_equals_never_killed() {
    let place = Place::new();
    let whole = undisturbed(&place);
    for (out, step) in [("first", 1), ("second", 40), ("third", 61)] {
        let mut child = start_until(&place, out, step);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !place.path(out).join("summary.json").exists(),
            "killed too late"
        );
        place
            .run(&["train", "--resume", out, "--no-baseline", "--quiet"])
            .ok();
        assert!(
            result(&place.path(out)) == whole,
            "killed after step {step}"
        );
    }
}

/// A run with a checkpoint every step gives the same bytes twice, and after it was killed and resumed.
fn check_repeats(place: &Place, args: &[&str], kill_at: &[usize]) {
    let run = |out: &str| {
        let args = [
            args,
            &["--set=train.checkpoint_every=1", "--quiet", "--out", out],
        ]
        .concat();
        place.command(&args)
    };
    for out in ["whole", "again"] {
        Ran::from(run(out).output().unwrap()).ok();
    }
    let whole = result(&place.path("whole"));
    assert!(whole == result(&place.path("again")), "twice the same");
    for &step in kill_at {
        let out = format!("killed-{step}");
        let mut child = run(&out).spawn().unwrap();
        wait_for(&place.path(&out).join("checkpoint"), step);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !place.path(&out).join("summary.json").exists(),
            "killed too late"
        );
        let resume = ["train", "--resume", &out, "--no-baseline", "--quiet"];
        place.run(&resume).ok();
        assert!(
            result(&place.path(&out)) == whole,
            "killed after step {step}"
        );
    }
}

#[test]
fn segmentation_is_repeated_and_resumed_to_the_byte() {
    let place = masks::pairs(24).unwrap();
    let args = &masks::TRAIN[..masks::TRAIN.len() - 2];
    let more = ["--set=augment.elastic=0.02", "--seed=3"];
    check_repeats(&place, &[args, &more].concat(), &[2, 15]);
}

#[test]
fn detection_is_repeated_and_resumed_to_the_byte() {
    let args = &detect::TRAIN[..detect::TRAIN.len() - 2];
    let args = [args, &["--epochs=5", "--no-baseline"]].concat();
    check_repeats(&detect::photos(16), &args, &[2, 9]);
}

#[test]
fn transfer_learning_is_repeated_and_resumed_to_the_byte() {
    for mode in ["staged", "full"] {
        let place = transfer::place();
        let args = &transfer::train_args("")[..9];
        let mode = format!("--set=transfer.mode={mode}");
        let more = [
            &mode,
            "--epochs=2",
            "--batch-size=8",
            "--set=train.ema_decay=0.9",
        ];
        check_repeats(&place, &[args, &more].concat(), &[2]);
    }
}

#[test]
fn killed_in_a_fold_or_a_member_and_resumed_equals_never_killed() {
    let place = Place::new();
    let flags = ["--folds", "2", "--ensemble", "2", "--quiet"];
    let args =
        |out| place.train_args(&[&["--out", out, "--set", "train.epochs=20"], &flags[..]].concat());
    place.run(&args("whole")).ok();
    let whole = result(&place.path("whole"));
    for (out, part) in [("first", "folds/2"), ("second", "members/1")] {
        let mut child = place.command(&args(out)).spawn().unwrap();
        wait_for(&place.path(out).join(part).join("checkpoint"), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !place.path(out).join("summary.json").exists(),
            "killed too late"
        );
        let resume = ["train", "--resume", out, "--no-baseline", "--quiet"];
        place.run(&resume).ok();
        assert!(result(&place.path(out)) == whole, "killed in {part}");
    }
}

#[cfg(unix)]
#[test]
fn interrupted_is_130_and_can_be_resumed() {
    let place = Place::new();
    let whole = undisturbed(&place);
    let child = start_until(&place, "run", 20);
    let signal = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    place
        .run(&["train", "--resume", "run", "--no-baseline", "--quiet"])
        .ok();
    assert!(result(&place.path("run")) == whole);
}

#[test]
fn a_damaged_checkpoint_costs_only_the_steps_since_the_one_before() {
    let place = Place::new();
    let whole = undisturbed(&place);
    let mut child = start_until(&place, "run", 50);
    child.kill().unwrap();
    child.wait().unwrap();
    let checkpoints = place.path("run/checkpoint");
    let newest = checkpoints.join(format!("step-{:09}.ckpt", latest(&checkpoints).unwrap()));
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&newest, bytes).unwrap();
    let resumed = place.run(&["train", "--resume", "run", "--no-baseline"]);
    resumed.ok();
    assert!(resumed.stderr.contains("is damaged"), "{}", resumed.stderr);
    assert!(result(&place.path("run")) == whole);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_older_checkpoint() {
    let place = Place::new();
    let whole = undisturbed(&place);
    let mut child = start_until(&place, "run", 30);
    child.kill().unwrap();
    child.wait().unwrap();
    let checkpoints = place.path("run/checkpoint");
    let before = latest(&checkpoints);
    let resume = ["train", "--resume", "run", "--no-baseline", "--quiet"];
    // A file larger than two blocks of 512 bytes cannot be written: every checkpoint is.
    let limited = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(place.command(&[]).get_program())
        .args(resume)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    Ran::from(limited).failed(1, &["cannot write", "File too large"]);
    assert_eq!(latest(&checkpoints), before, "the older one survives");
    let names = fs::read_dir(&checkpoints).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        names.all(|name| !name.contains("tmp")),
        "nothing half-written stays"
    );
    place.run(&resume).ok();
    assert!(result(&place.path("run")) == whole);
}

#[test]
fn landmarks_are_repeated_and_resumed_to_the_byte() {
    let args = &landmarks::TRAIN[..landmarks::TRAIN.len() - 2];
    let more = [
        "--epochs=5",
        "--set=train.ema_decay=0.9",
        "--set=augment.rotate=10",
    ];
    check_repeats(&landmarks::faces(24), &[args, &more].concat(), &[2, 9]);
}
