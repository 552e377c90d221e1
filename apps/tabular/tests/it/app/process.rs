//! What happens to files when a process is killed, interrupted or started twice, and where results
//! may be written.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tinderbox_cli::testing::{Place, Ran, result};

use super::{place, train_args, trained};

/// Far more epochs than there is time for.
const LONG: [&str; 4] = ["--set", "train.epochs=100000", "--set", "train.patience=0"];

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn spawn(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Starts a run that would take for ever, and waits until an epoch is done.
fn start(place: &Place) -> Child {
    let more = ["--out", "run", "--quiet", "--no-baseline"];
    let child = spawn(place, &train_args(&[&more[..], &LONG].concat()));
    let best = place.path("run/checkpoint/best/model.json");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !best.exists() {
        assert!(Instant::now() < deadline, "no epoch was finished");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Sends SIGTERM, and waits for the end, which comes soon.
fn terminate(child: Child) -> Ran {
    let id = child.id().to_string();
    let sent = Instant::now();
    let kill = Command::new("kill").args(["-TERM", &id]).status();
    assert!(kill.unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    // A second, and what a busy machine takes.
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    ran
}

#[test]
fn results_go_where_they_are_sent_and_nothing_else_is_touched() {
    let place = trained(&["--no-baseline"]);
    let predict = |out: &str| {
        let args = ["predict", "--run", "run", "--json", "--out", out];
        place.run(&[&args[..], &["customers.csv"]].concat())
    };
    let lines = |name: &str| {
        fs::read_to_string(place.path(name))
            .unwrap()
            .lines()
            .count()
    };
    // A name that used to be taken for a temporary one is somebody's file, or a link to it.
    for name in ["a.json", "b.json"] {
        place.write("mine", "mine");
        let temporary = place.path(&format!("{name}.tmp"));
        if name == "a.json" {
            fs::write(&temporary, "mine").unwrap();
        } else {
            symlink("mine", &temporary).unwrap();
        }
        predict(name).ok();
        assert_eq!(lines(name), 240);
        assert_eq!(fs::read_to_string(&temporary).unwrap(), "mine");
        assert_eq!(fs::read_to_string(place.path("mine")).unwrap(), "mine");
    }
    fs::create_dir(place.path("data")).unwrap();
    symlink("data/real.json", place.path("link.json")).unwrap();
    predict("link.json").ok();
    assert!(place.path("link.json").is_symlink());
    assert_eq!(lines("data/real.json"), 240);
    assert_eq!(names(&place.path("data")), ["real.json"]);

    predict("/dev/null").ok();
    let null = fs::symlink_metadata("/dev/null").unwrap().file_type();
    assert!(null.is_char_device());
    assert_eq!(predict("-").ok().stdout.lines().count(), 240);
    assert_eq!(predict("/dev/stdout").ok().stdout.lines().count(), 240);

    fifo(&place.path("pipe"));
    let pipe = place.path("pipe");
    let reader = thread::spawn(move || fs::read_to_string(pipe).unwrap());
    predict("pipe").ok();
    assert_eq!(reader.join().unwrap().lines().count(), 240);
    let pipe = fs::symlink_metadata(place.path("pipe")).unwrap();
    assert!(pipe.file_type().is_fifo());

    predict("nowhere/a.json").failed(2, &["cannot write `nowhere/a.json`"]);
    predict("data").failed(2, &["cannot write `data`", "directory"]);
}

#[test]
fn a_signal_ends_at_once_what_reads_data_and_leaves_nothing() {
    let place = trained(&["--no-baseline"]);
    fifo(&place.path("pipe.csv"));
    let before = names(&place.path(""));
    let predict = ["predict", "--run", "run", "--out", "out.csv", "-"];
    let inspect = ["inspect", "--data", "pipe.csv"];
    let train = ["train", "--data", "pipe.csv", "--target", "leaves"];
    let train = [&train[..], &["--out", "new"]].concat();
    for args in [&predict[..], &inspect, &train] {
        let mut command = place.command(args);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Half a table, and then silence.
        let input = child.stdin.take();
        if args[0] == "predict" {
            let mut input = input.as_ref().unwrap();
            input
                .write_all(b"months,fee,plan,online\n1,2,basic,yes\n")
                .unwrap();
        }
        thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "{args:?} ended early");
        let ran = terminate(child);
        drop(input);
        assert_eq!(ran.code, Some(130), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().last(), Some("interrupted"), "{args:?}");
        assert_eq!(names(&place.path("")), before, "{args:?}");
    }
}

#[test]
fn an_interrupted_run_says_how_to_resume_it_and_can_be_used_before() {
    let place = place();
    let ran = terminate(start(&place));
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("interrupted after step "), "{last}");
    assert!(
        last.ends_with("; resume with `tabular train --resume run`"),
        "{last}"
    );
    for args in [
        &["eval", "--run", "run"][..],
        &["predict", "--run", "run", "customers.csv"],
    ] {
        let ran = place.run(args);
        assert!(
            ran.ok().stderr.contains("is not finished: using its best"),
            "{}",
            ran.stderr
        );
    }
    // The model is located twice, and its run is warned of once.
    let mut command = place.command(&["serve", "--run", "run", "--port", "0"]);
    let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let lines = lines.map(Result::unwrap);
    let before: Vec<String> = lines
        .take_while(|line| !line.starts_with("ready"))
        .collect();
    server.kill().unwrap();
    server.wait().unwrap();
    let text = before.join("\n");
    assert_eq!(text.matches("is not finished").count(), 1, "{text}");
}

#[test]
fn one_process_at_a_time_trains_a_run() {
    let place = place();
    let mut first = start(&place);
    let id = first.id().to_string();
    let args = ["train", "--resume", "run", "--quiet"];
    place
        .run(&args)
        .failed(2, &["`run` is in use by another process", &id]);
    first.kill().unwrap();
    first.wait().unwrap();
    // What a killed process leaves is no lock.
    let resumed = spawn(&place, &args);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(terminate(resumed).code, Some(130));
}

#[test]
fn a_finished_run_trains_longer_as_if_it_had_never_ended() {
    let place = place();
    let same = [
        "--quiet",
        "--no-baseline",
        "--set",
        "schedule.kind=constant",
    ];
    let run = |out: &str, epochs: &str| {
        let more = ["--out", out, "--set", "train.patience=0", "--set", epochs];
        place.run(&train_args(&[&more[..], &same].concat())).ok();
    };
    run("run", "train.epochs=3");
    run("straight", "train.epochs=8");
    let resume = ["train", "--resume", "run", "--quiet", "--no-baseline"];
    place.run(&resume).failed(2, &["is finished", "--epochs 6"]);
    for (set, words) in [
        ("train.epochs=2", "can only be raised"),
        ("train.seed=7", "another recipe"),
    ] {
        let args = [&resume[..], &["--set", set]].concat();
        place.run(&args).failed(2, &[words]);
        assert!(place.path("run/summary.json").exists(), "{set}");
    }
    let longer = [&resume[..], &["--set", "train.epochs=8"]].concat();
    place.run(&longer).ok();
    let [run, straight] = ["run", "straight"].map(|name| place.path(name));
    assert!(result(&run) == result(&straight));
    let recipe = |run: &Path| fs::read_to_string(run.join("recipe.toml")).unwrap();
    assert_eq!(recipe(&run), recipe(&straight));
}

#[test]
fn after_a_mistake_the_same_directory_can_be_used() {
    let place = place();
    let rows = (0..60).map(|at| format!("{at},{}\n", (at * 7) % 60 - 20));
    place.write("gains.csv", format!("x,gain\n{}", rows.collect::<String>()));
    let wrong = ["--out", "new/run", "--quiet", "--set"];
    let gains = ["train", "--data", "gains.csv", "--target", "gain"];
    for (args, set) in [
        (train_args(&wrong), "train.monitor=banana"),
        ([&gains[..], &wrong].concat(), "features.target_scaling=log"),
    ] {
        let ran = place.run(&[&args[..], &[set]].concat());
        assert_eq!(ran.code, Some(2), "{set}: {}", ran.stderr);
        assert!(!place.path("new").exists(), "{set}");
    }
    // Killed before the recipe was written.
    fs::create_dir(place.path("run")).unwrap();
    place.write("run/.lock", "123");
    place.write("run/.tinderbox-a1b2c3.tmp", "name = \"fi");
    let args = train_args(&["--out", "run", "--quiet", "--no-baseline"]);
    place.run(&args).ok();
    let names = names(&place.path("run"));
    assert!(!names.iter().any(|name| name.contains("tmp")), "{names:?}");
}
