//! The command-line contract, on the real binary and tiny data.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

#[cfg(unix)]
mod process;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tinderbox_cli::testing::{
    AppUnderTest, Place, Request, check_mistakes, check_report, check_serve, result,
};

pub(crate) fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_tabular"));
    place.write("customers.csv", customers());
    place
}

/// Who has stayed short and pays much leaves; now and then a cell is missing.
fn customers() -> String {
    let mut text = String::from("id,months,fee,plan,online,leaves\n");
    for at in 0..240_u32 {
        let months = at * 37 % 60;
        let fee = f64::from(at * 53 % 90) + 10.5;
        let plan = ["basic", "family", "office"][at as usize % 3];
        let online = if at % 4 < 2 { "yes" } else { "no" };
        let leaves = if f64::from(months) < fee / 2.0 {
            "Yes"
        } else {
            "No"
        };
        let months = if at % 29 == 0 {
            String::new()
        } else {
            months.to_string()
        };
        writeln!(text, "c{at},{months},{fee},{plan},{online},{leaves}").unwrap();
    }
    text
}

const SHORT: [&str; 6] = [
    "--set",
    "train.epochs=6",
    "--set",
    "model.d_block=16",
    "--set",
    "model.n_members=4",
];

pub(crate) fn train_args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let data = ["train", "--data", "customers.csv", "--target", "leaves"];
    [&data[..], &SHORT, more].concat()
}

fn trained(more: &[&str]) -> Place {
    let place = place();
    let args = [&["--out", "run", "--quiet"], more].concat();
    place.run(&train_args(&args)).ok();
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn mistakes_are_answered_like_those_in_other_apps() {
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/datasets/data/breast-cancer.csv.gz"
    );
    let short = ["--data", data, "--target", "diagnosis", "--epochs", "1"];
    let app = AppUnderTest {
        name: "tabular",
        binary: env!("CARGO_BIN_EXE_tabular"),
        short: &[&short[..], &["--no-baseline"]].concat(),
        has_data: true,
    };
    check_mistakes(&app);
    check_report(&app);
    check_serve(&app, |model| {
        let spec = fs::read_to_string(model.join("model.json")).unwrap();
        let spec: Value = serde_json::from_str(&spec).unwrap();
        let columns = spec["schema"]["columns"].as_array().unwrap().iter();
        let names = columns.map(|column| column["name"].as_str().unwrap().to_owned());
        let row: serde_json::Map<String, Value> = names.map(|name| (name, Value::Null)).collect();
        Request {
            media: "application/json",
            body: Value::Object(row).to_string().into_bytes(),
            key: "probabilities",
        }
    });
}

/// A validation metric of each epoch, and that of the best one.
fn validations(place: &Place, name: &str) -> (Vec<f64>, f64) {
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let text = fs::read_to_string(place.path("run/metrics.jsonl")).unwrap();
    let lines = text.lines().map(json);
    let of_epoch = lines.filter(|line| line["split"] == "valid" && line["name"] == name);
    let values: Vec<f64> = of_epoch
        .map(|line| line["value"].as_f64().unwrap())
        .collect();
    assert_eq!(values.len() as u64, summary["epochs"].as_u64().unwrap());
    let best = values[summary["best_epoch"].as_u64().unwrap() as usize - 1];
    (values, best)
}

#[test]
fn a_run_leaves_what_the_contract_says() {
    let place = place();
    let ran = place.run(&train_args(&["--out", "run", "--quiet"]));
    // It is not printed, but in the report.
    assert!(
        !ran.ok().stdout.contains("Most important"),
        "{}",
        ran.stdout
    );
    let sections = fs::read_to_string(place.path("run/sections.json")).unwrap();
    assert!(sections.contains("Permutation importance"), "{sections}");
    for file in [
        "recipe.toml",
        "metrics.jsonl",
        "model/weights.safetensors",
        "model/model.json",
    ] {
        assert!(place.path("run").join(file).is_file(), "{file}");
    }
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    assert_eq!(summary["app"], "tabular");
    assert_eq!(summary["recipe"], "file");
    assert!(
        summary["test"]["auroc"].as_f64().unwrap() > 0.6,
        "{summary}"
    );
    let (auroc, best) = validations(&place, "auroc");
    assert!(auroc.iter().all(|value| (0.0..=1.0).contains(value)));
    // The temperature of several members may swap a few rows.
    let valid = summary["valid"]["auroc"].as_f64().unwrap();
    assert!((best - valid).abs() < 0.02, "{best} is not {valid}");
    let methods = summary["baselines"].as_array().unwrap();
    let names: Vec<&Value> = methods.iter().map(|method| &method["method"]).collect();
    assert_eq!(names, ["logistic regression", "boosted trees"]);
    assert!(
        methods[1]["test"]["auroc"].as_f64().unwrap() > 0.8,
        "{summary}"
    );
    let recipe = fs::read_to_string(place.path("run/recipe.toml")).unwrap();
    for line in [
        "task = \"classification\"",
        "numeric = [\"months\", \"fee\"]",
        "categorical = [\"plan\"]",
        "target = \"leaves\"",
    ] {
        assert!(recipe.contains(line), "{line} is not in\n{recipe}");
    }
}

#[test]
fn dropped_columns_and_the_result_are_in_plain_words() {
    let place = place();
    let ran = place.run(&train_args(&["--out", "run"]));
    ran.ok();
    for words in ["`leaves`", "left out `id`", "epoch", "writing to run"] {
        assert!(
            ran.stderr.contains(words),
            "{words} is not in\n{}",
            ran.stderr
        );
    }
    for words in [
        "logistic regression",
        "boosted trees",
        "Most important features",
        "warning:",
        "test rows",
        "f1 (binary)",
        "threshold",
        "auroc",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words} is not in\n{}",
            ran.stdout
        );
    }
}

#[test]
fn losses_at_equal_approvals_are_compared_with_the_scorecard() {
    let place = place();
    let amount = ["--out", "run", "--set", "data.amount=fee"];
    let ran = place.run(&train_args(&amount));
    ran.ok();
    assert!(ran.stdout.contains("losses avoided vs. scorecard"));
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    for method in ["this model", "logistic regression", "boosted trees"] {
        let curve = summary["approval"][method].as_array().unwrap();
        assert_eq!(curve.len(), 5, "{method}");
        let lost = |at: usize| curve[at]["loss_rate"].as_f64().unwrap();
        assert!(lost(0) <= lost(4), "{method}: {curve:?}");
        let versus = &curve[4]["loss_avoided_vs_scorecard"];
        assert!(versus.as_f64().unwrap() <= 1.0, "{method}: {curve:?}");
    }
    let own = trained(&["--no-baseline"]);
    let summary = fs::read_to_string(own.path("run/summary.json")).unwrap();
    assert!(json(&summary).get("approval").is_none());
}

#[test]
fn the_stored_recipe_repeats_the_run_and_so_does_resuming() {
    let place = trained(&["--no-baseline"]);
    let whole = result(&place.path("run"));
    let args = ["train", "--recipe", "run/recipe.toml", "--out", "again"];
    place
        .run(&[&args[..], &["--quiet", "--no-baseline"]].concat())
        .ok();
    assert!(result(&place.path("again")) == whole);
    // Killed before its end.
    let args = train_args(&["--out", "killed", "--quiet", "--no-baseline"]);
    let args = [
        &args[..],
        &["--set", "train.epochs=400", "--set", "train.patience=0"],
    ]
    .concat();
    let mut child = place.command(&args).spawn().unwrap();
    let checkpoints = place.path("killed/checkpoint");
    let deadline = Instant::now() + Duration::from_mins(1);
    while fs::read_dir(&checkpoints).map_or(0, Iterator::count) < 2 {
        assert!(Instant::now() < deadline, "no checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !place.path("killed/summary.json").exists(),
        "killed too late"
    );
    place
        .run(&["train", "--resume", "killed", "--quiet", "--no-baseline"])
        .ok();
    let mut args = args;
    let out = args.iter().position(|arg| *arg == "killed").unwrap();
    args[out] = "unbroken";
    place.run(&args).ok();
    assert!(result(&place.path("killed")) == result(&place.path("unbroken")));
}

#[test]
fn a_resumed_run_records_what_its_recipe_says() {
    let place = trained(&["--no-baseline", "--no-report", "--tensorboard"]);
    let recipe = |run: &str| fs::read_to_string(place.path(run).join("recipe.toml")).unwrap();
    let stored = recipe("run");
    for line in ["[metrics]", "tensorboard = true", "report = false"] {
        assert!(stored.lines().any(|found| found == line), "{stored}");
    }
    assert!(place.path("run/tensorboard/train").is_dir());
    let longer = |run: &str, more: &[&str]| {
        let args = [
            "train",
            "--resume",
            run,
            "--epochs",
            "8",
            "--quiet",
            "--no-baseline",
        ];
        place.run(&[&args[..], more].concat())
    };
    longer("run", &[]).ok();
    assert!(!place.path("run/report.html").exists());
    assert!(!place.path("run/README.md").exists());
    // More can be recorded from now on, and not less.
    place
        .run(&train_args(&["--out", "plain", "--quiet", "--no-baseline"]))
        .ok();
    assert!(!recipe("plain").contains("metrics"));
    assert!(!place.path("plain/tensorboard").exists());
    longer("plain", &["--set", "metrics.tensorboard=true"]).ok();
    assert!(place.path("plain/tensorboard/train").is_dir());
    assert!(place.path("plain/report.html").exists());
    let less = ["--epochs", "9", "--set", "metrics.tensorboard=false"];
    let less = [&["train", "--resume", "plain", "--quiet"][..], &less].concat();
    place.run(&less).failed(2, &["is a run of another recipe"]);
    // What is recorded changes nothing else.
    assert!(result(&place.path("plain")) == result(&place.path("run")));
}

#[test]
fn columns_may_come_in_any_order_and_the_target_may_be_absent() {
    let place = trained(&["--no-baseline"]);
    place.write(
        "new.csv",
        "plan,fee,note,online,months\noffice,99,x,no,1\nbasic,12,y,yes,\n",
    );
    place.write(
        "same.csv",
        "months,fee,plan,online,id\n1,99,office,no,q\n,12,basic,yes,r\n",
    );
    let predict = |file: &str| {
        let ran = place.run(&["predict", "--run", "run", "--json", file]);
        ran.ok();
        let lines: Vec<Value> = ran.stdout.lines().map(json).collect();
        let said = lines
            .iter()
            .map(|line| (line["label"].clone(), line["probabilities"].clone()));
        said.collect::<Vec<_>>()
    };
    let said = predict("new.csv");
    assert_eq!(said, predict("same.csv"));
    assert_eq!(said[0].0, "Yes");
    let sum: f64 = said[1]
        .1
        .as_object()
        .unwrap()
        .values()
        .map(|p| p.as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    place
        .run(&["predict", "--run", "run", "--out", "out.csv", "new.csv"])
        .ok();
    let table = fs::read_to_string(place.path("out.csv")).unwrap();
    assert!(
        table.starts_with("input,row,label,No,Yes\nnew.csv,1,Yes,"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 3);
}

/// The customers as another program may write them: Windows-1252, `^` between cells, a comment, and
/// a word of its own for what is missing.
fn written_otherwise() -> Vec<u8> {
    let text = customers().replace(",,", ",nichts,").replace(',', "^");
    let text = format!(
        "# from the office in K#ln\n{}",
        text.replace("office", "b#ro")
    );
    let byte = |(at, byte)| if byte == b'#' && at > 0 { 0xFC } else { byte };
    text.bytes().enumerate().map(byte).collect()
}

const FORMAT: [&str; 8] = [
    "--set",
    "data.format.encoding=windows-1252",
    "--set",
    "data.format.delimiter=^",
    "--set",
    "data.format.comment=#",
    "--set",
    "data.format.missing=[\"nichts\"]",
];

#[test]
fn how_a_file_is_written_can_be_said_and_is_remembered() {
    let place = place();
    place.write("customers.csv", written_otherwise());
    let inspect = ["inspect", "--json", "--data", "customers.csv"];
    let ran = place.run(&[&inspect[..], &FORMAT].concat());
    ran.ok();
    let found = json(&ran.stdout);
    assert_eq!(found["report"]["encoding"], "windows-1252");
    assert_eq!(found["inspection"]["columns"][1]["missing"], 9);
    let own = ["--out", "run", "--quiet", "--no-baseline"];
    place.run(&train_args(&[&own[..], &FORMAT].concat())).ok();
    let recipe = fs::read_to_string(place.path("run/recipe.toml")).unwrap();
    for line in [
        "numeric = [\"months\", \"fee\"]",
        "boolean = [\"online\", \"leaves\"]",
    ] {
        assert!(recipe.contains(line), "{line} is not in\n{recipe}");
    }
    let ran = place.run(&["predict", "--run", "run", "--json", "customers.csv"]);
    ran.ok();
    assert_eq!(ran.stdout.lines().count(), 240);
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    ran.ok();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    assert_eq!(json(&ran.stdout)["test"], summary["test"]);
    place
        .run(&[&inspect[..], &["--set", "train.epochs=3"]].concat())
        .failed(2, &["train.epochs=3", "data.format."]);
}

#[test]
fn stdin_is_a_table_too() {
    let place = trained(&["--no-baseline"]);
    let mut command = place.command(&["predict", "--run", "run", "--json", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"months,fee,plan,online\n3,80,basic,yes\n")
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let line = json(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(line["input"], "-");
    assert_eq!(line["label"], "Yes");
}

#[test]
fn an_evaluation_gives_the_numbers_of_the_run() {
    let place = trained(&[]);
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let line = json(&ran.ok().stdout);
    assert_eq!(line["test"], summary["test"]);
    assert_eq!(line["samples"], 48);
    let ran = place.run(&["eval", "--run", "run", "--split", "valid", "--json"]);
    assert_eq!(json(&ran.ok().stdout)["valid"], summary["valid"]);
}

/// The labels that `predict` gives with these flags, and the probabilities of `Yes`.
fn predicted(place: &Place, flags: &[&str]) -> Vec<(bool, f64)> {
    let predict = ["predict", "--run", "run", "--json", "customers.csv"];
    let ran = place.run(&[&predict[..], flags].concat());
    let lines = ran.ok().stdout.lines();
    lines
        .map(|line| {
            let line = json(line);
            (
                line["label"] == "Yes",
                line["probabilities"]["Yes"].as_f64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn one_threshold_decides_everything_and_can_be_overridden() {
    let place = trained(&["--keep-baselines"]);
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let model = json(&fs::read_to_string(place.path("run/model/model.json")).unwrap());
    assert_eq!(summary["threshold"], model["threshold"]);
    assert!(summary["comparison"]["verdict"].is_string(), "{summary}");
    let eval = |flags: &[&str]| {
        let ran = place.run(&[&["eval", "--run", "run", "--json"][..], flags].concat());
        json(&ran.ok().stdout)
    };
    let own = summary["threshold"].as_f64().unwrap();
    for (flags, threshold) in [(&[][..], own), (&["--threshold", "0.8"], 0.8)] {
        assert_eq!(eval(flags)["threshold"], threshold);
        for (label, probability) in predicted(&place, flags) {
            assert_eq!(label, probability >= threshold, "{flags:?}");
        }
    }
    // A threshold that nothing reaches: no row is positive.
    let none = eval(&["--threshold", "1"]);
    assert_eq!(none["test"]["f1"], 0.0);
    assert_eq!(none["test"]["auroc"], eval(&[])["test"]["auroc"]);
    // The baselines are what they were in training.
    for (at, name) in ["linear", "trees"].into_iter().enumerate() {
        let baseline = &summary["baselines"][at];
        let found = eval(&["--model", name]);
        assert_eq!(found["test"], baseline["test"], "{name}");
        assert_eq!(found["threshold"], baseline["threshold"], "{name}");
        let threshold = baseline["threshold"].as_f64().unwrap();
        for (label, probability) in predicted(&place, &["--model", name]) {
            assert_eq!(label, probability >= threshold, "{name}");
        }
    }
    for flags in [["--threshold", "1.5"], ["--model", "forest"]] {
        let args = ["eval", "--run", "run"];
        let ran = place.run(&[&args[..], &flags].concat());
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("invalid recipe"), "{}", ran.stderr);
    }
    fs::remove_file(place.path("run/model/baselines.json")).unwrap();
    let ran = place.run(&[
        "predict",
        "--run",
        "run",
        "--model",
        "trees",
        "customers.csv",
    ]);
    ran.failed(2, &["baselines.json", "--keep-baselines"]);
}

#[test]
fn columns_that_give_the_target_away_and_rare_classes_are_warned_of() {
    let place = place();
    let mut text = String::from("net,tax,gross,rare\n");
    for at in 0..400_u32 {
        let (net, tax) = (at * 37 % 101, at * 53 % 89);
        writeln!(
            text,
            "{net},{tax},{},{}",
            net + tax,
            u32::from(at % 50 == 0)
        )
        .unwrap();
    }
    place.write("sales.csv", text);
    let train = |target: &str, more: &[&str]| {
        let args = [
            "train",
            "--data",
            "sales.csv",
            "--no-baseline",
            "--target",
            target,
        ];
        place.run(&[&args[..], &SHORT, more].concat())
    };
    let ran = train("gross", &["--out", "gross"]);
    let words = "weighted sum or difference of `net`, `tax`";
    assert!(ran.ok().stderr.contains(words), "{}", ran.stderr);
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    let balanced = ["--set", "loss.class_weights=balanced"];
    let sampled = ["--set", "train.balanced_sampling=true"];
    let ran = train(
        "rare",
        &[&["--out", "rare"], &balanced[..], &sampled].concat(),
    );
    for words in ["imbalanced", "only 2 test rows are `1`"] {
        assert!(ran.ok().stderr.contains(words), "{}", ran.stderr);
    }
    let ran = place.run(&["inspect", "--data", "sales.csv", "--target", "rare"]);
    assert!(
        ran.ok().stdout.contains("8 rows of 400 (2.00%)"),
        "{}",
        ran.stdout
    );
    // A number has no classes to weigh.
    let ran = train("gross", &[&["--out", "no"], &balanced[..]].concat());
    ran.failed(2, &["loss.class_weights"]);
    assert!(!place.path("no").exists());
}

#[test]
fn numbers_that_are_too_large_are_refused_before_training() {
    let place = place();
    let rows = (0..100).map(|at| format!("{},{at}e299,{}.5\n", at * 7 % 31, at * 13 % 97));
    let rows: Vec<String> = rows.collect();
    place.write("large.csv", format!("x,huge,y\n{}", rows.concat()));
    for (target, set) in [
        ("huge", "features.numeric_scaling=quantile"),
        ("y", "features.numeric_scaling=standard"),
    ] {
        let args = [
            "train",
            "--data",
            "large.csv",
            "--target",
            target,
            "--out",
            "run",
        ];
        let ran = place.run(&[&args[..], &["--set", set]].concat());
        ran.failed(2, &["`huge`", "too large"]);
        assert!(!place.path("run").exists(), "{target}");
    }
}

#[test]
fn another_file_may_lack_one_of_two_opposites() {
    let place = trained(&["--no-baseline"]);
    place.write("online.csv", customers().replace(",no,", ",yes,"));
    let eval = ["eval", "--run", "run", "--json", "--data", "online.csv"];
    let ran = place.run(&eval);
    ran.ok();
    let said = place.run(&["predict", "--run", "run", "--json", "online.csv"]);
    said.ok();
    // It is not the data that the model was trained on, so all of it counts.
    assert_eq!(json(&ran.stdout)["samples"], 240);
    assert_eq!(said.stdout.lines().count(), 240);
}

#[test]
fn folds_and_ensembles_are_told_apart() {
    let place = trained(&["--folds", "3", "--ensemble", "2"]);
    for file in [
        "model/weights-1.safetensors",
        "members/1/metrics.jsonl",
        "folds/3/members/1/metrics.jsonl",
    ] {
        assert!(place.path("run").join(file).is_file(), "{file}");
    }
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let folds = &summary["folds"]["test"];
    assert_eq!(summary["folds"]["count"], 3);
    for method in ["this model", "logistic regression", "boosted trees"] {
        let spread = &folds[method]["auroc"];
        assert!(spread["mean"].as_f64().unwrap() > 0.6, "{method}: {folds}");
        assert!(spread["std"].as_f64().unwrap() > 0.0, "{method}: {folds}");
    }
    place.run(&["eval", "--run", "run"]).ok();
}

#[test]
fn numbers_are_predicted_in_their_own_unit() {
    let place = place();
    let args = [
        "train",
        "--data",
        "customers.csv",
        "--target",
        "fee",
        "--out",
        "run",
        "--quiet",
    ];
    place.run(&[&args[..], &SHORT].concat()).ok();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    for metric in ["rmse", "mae", "r2", "median_ape"] {
        assert!(summary["test"][metric].is_f64(), "{metric}");
    }
    assert_eq!(summary["baselines"][0]["method"], "ridge regression");
    let (_, best) = validations(&place, "rmse");
    let valid = summary["valid"]["rmse"].as_f64().unwrap();
    assert!((best / valid - 1.0).abs() < 1e-5, "{best} is not {valid}");
    place.write("new.csv", "months,plan,online,leaves\n3,basic,yes,Yes\n");
    let ran = place.run(&["predict", "--run", "run", "--json", "new.csv"]);
    let value = json(&ran.ok().stdout)["value"].as_f64().unwrap();
    assert!((0.0..200.0).contains(&value), "{value}");
}

#[test]
fn a_model_is_explained_by_columns_and_for_one_row() {
    let place = trained(&["--no-baseline"]);
    let args = ["explain", "--run", "run", "--data", "customers.csv"];
    let ran = place.run(&[&args[..], &["--json"]].concat());
    let line = json(&ran.ok().stdout);
    let columns: Vec<&str> = line["importance"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["column"].as_str().unwrap())
        .collect();
    assert_eq!(columns.len(), 4);
    assert!(
        columns[..2].contains(&"months") || columns[..2].contains(&"fee"),
        "{columns:?}"
    );
    let ran = place.run(&[&args[..], &["--row", "2", "--out", "why.svg"]].concat());
    ran.ok();
    assert!(ran.stdout.contains("months = 37"), "{}", ran.stdout);
    let picture = fs::read_to_string(place.path("why.svg")).unwrap();
    assert!(
        picture.starts_with("<svg") && picture.contains("months = 37"),
        "{picture}"
    );
    // The effects of one row add up to how far its prediction is from the mean.
    let ran = place.run(&[&args[..], &["--row", "2", "--json", "--repeats", "300"]].concat());
    let effects = json(&ran.ok().stdout)["effects"].clone();
    let sum: f64 = effects
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["effect"].as_f64().unwrap())
        .sum();
    let ran = place.run(&["predict", "--run", "run", "--json", "customers.csv"]);
    let said: Vec<f64> = ran
        .ok()
        .stdout
        .lines()
        .map(|line| json(line)["probabilities"]["Yes"].as_f64().unwrap())
        .collect();
    let mean = said.iter().sum::<f64>() / said.len() as f64;
    assert!(
        (sum - (said[1] - mean)).abs() < 0.05,
        "{sum} is not {} - {mean}",
        said[1]
    );
}

#[test]
fn a_file_is_inspected_without_training() {
    let place = place();
    let ran = place.run(&["inspect", "--data", "customers.csv", "--target", "leaves"]);
    ran.ok();
    for words in [
        "months",
        "numeric",
        "plan",
        "categorical",
        "id",
        "Yes",
        "No",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words} is not in\n{}",
            ran.stdout
        );
    }
}

#[test]
fn recipes_are_listed_and_printed() {
    let place = place();
    let ran = place.run(&["recipes"]);
    assert!(ran.ok().stdout.contains("cancer") && ran.stdout.contains("churn"));
    let ran = place.run(&["recipes", "churn"]);
    assert!(ran.ok().stdout.contains("target = \"Churn\""));
}

#[test]
fn every_command_runs_on_the_data_that_ship() {
    let place = Place::new(env!("CARGO_BIN_EXE_tabular"));
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/datasets/data/breast-cancer.csv.gz"
    );
    let train = ["train", "--out", "run", "--no-baseline", "--quiet", "--set"];
    for args in [
        &[&train[..], &["train.epochs=1"]].concat()[..],
        &["eval", "--run", "run"],
        &["eval", "--run", "run", "--json", "--split", "train"],
        &["predict", "--run", "run", data],
        &["predict", "--run", "run", "--json", data],
        &["predict", "--run", "run", "--csv", data],
        &["inspect", "--data", data, "--target", "diagnosis"],
        &["inspect", "--data", data, "--json"],
        &["explain", "--run", "run", "--data", data, "--repeats", "1"],
        &[
            "explain",
            "--run",
            "run",
            "--data",
            data,
            "--row",
            "1",
            "--repeats",
            "5",
        ],
        &["recipes"],
        &["recipes", "cancer"],
        &["devices"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{args:?}\n{}", ran.stderr);
        assert!(!ran.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn large_values_are_shown_with_commas() {
    let place = place();
    let houses = (0..60).fold("sqft,price\n".to_owned(), |text, at| {
        text + &format!("{},{}\n", 800 + at * 7, 99_000 + at * 160_000)
    });
    place.write("houses.csv", houses);
    let ran = place.run(&["inspect", "--data", "houses.csv", "--target", "price"]);
    let text = &ran.ok().stdout;
    assert!(
        text.contains("99,000 to 9,539,000, median 4,819,000"),
        "{text}"
    );
    assert!(text.contains("data.task=classification"), "{text}");
}

#[test]
fn json_is_trained_on_and_predicted_like_csv() {
    let place = place();
    let csv = customers();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let object = |cells: Vec<&str>| {
        let fields = names.iter().zip(cells).map(|(name, cell)| match cell {
            "" => format!("\"{name}\": null"),
            cell if cell.parse::<f64>().is_ok() => format!("\"{name}\": {cell}"),
            cell => format!("\"{name}\": \"{cell}\""),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    };
    let objects: Vec<String> = lines.map(object).collect();
    place.write("lines.json", objects.join("\n"));
    place.write("array.json", format!("[{}]", objects.join(",\n")));
    let inspect = |file: &str| {
        let ran = place.run(&["inspect", "--json", "--data", file]);
        json(&ran.ok().stdout)["inspection"]["columns"].clone()
    };
    assert_eq!(inspect("lines.json"), inspect("customers.csv"));
    assert_eq!(inspect("array.json"), inspect("customers.csv"));
    let args = [
        "train",
        "--data",
        "array.json",
        "--target",
        "leaves",
        "--out",
        "run",
    ];
    place
        .run(&[&args[..], &["--quiet", "--no-baseline"], &SHORT].concat())
        .ok();
    let predict = |file: &str| {
        let ran = place.run(&["predict", "--run", "run", "--csv", file]);
        ran.ok().stdout.replace(file, "")
    };
    assert_eq!(predict("lines.json"), predict("customers.csv"));
}

/// Rows whose class is decided by the month of a date, written as in the United States.
fn dated(days: std::ops::Range<u32>, delimiter: &str) -> String {
    let mut text = ["when", "size", "class"].join(delimiter) + "\n";
    for at in 0..240_u32 {
        let (month, day) = (at % 12 + 1, days.start + at / 12 % (days.end - days.start));
        let class = if month <= 6 { "early" } else { "late" };
        let cells = [
            format!("{month}/{day}/2023"),
            format!("{at}.5"),
            class.to_owned(),
        ];
        text.push_str(&(cells.join(delimiter) + "\n"));
    }
    text
}

#[test]
fn another_file_is_evaluated_as_it_is_predicted_and_as_a_whole() {
    let place = place();
    // Only the first file tells month from day; the second has other marks between cells, too.
    place.write("train.csv", dated(9..29, ","));
    place.write("hold.csv", dated(1..9, ";"));
    let args = [
        "train",
        "--data",
        "train.csv",
        "--target",
        "class",
        "--out",
        "run",
        "--quiet",
    ];
    let more = ["--no-baseline", "--set", "train.epochs=30"];
    place.run(&[&args[..], &SHORT[2..], &more].concat()).ok();
    let ran = place.run(&["eval", "--run", "run", "--json", "--data", "hold.csv"]);
    let line = json(&ran.ok().stdout);
    assert_eq!(line["samples"], 240);
    assert!(
        ran.stderr.contains("evaluating all 240 rows"),
        "{}",
        ran.stderr
    );
    let said = place.run(&["predict", "--run", "run", "--json", "hold.csv"]);
    let said = said
        .ok()
        .stdout
        .lines()
        .map(|line| json(line)["label"].clone());
    let truth = |at: usize| if at % 12 < 6 { "early" } else { "late" };
    let right = said
        .enumerate()
        .filter(|(at, label)| label == truth(*at))
        .count();
    let accuracy = line["test"]["accuracy"].as_f64().unwrap();
    assert!(
        (accuracy - right as f64 / 240.0).abs() < 1e-9,
        "{accuracy}, {right} right"
    );
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn an_evaluation_is_on_the_rows_of_the_run_whatever_was_added_or_deleted() {
    let place = trained(&["--no-baseline"]);
    let count = |args: &[&str]| {
        let ran = place.run(&[&["eval", "--run", "run", "--json"], args].concat());
        (json(&ran.ok().stdout), ran.stderr)
    };
    let (whole, said) = count(&[]);
    assert!(!said.contains("warning"), "{said}");
    // Every row is moved, three are new, and one of the last thirty is deleted with all others of them.
    let text = customers();
    let mut lines: Vec<&str> = text.lines().collect();
    let deleted = lines.len() - 30;
    lines.truncate(deleted);
    lines[1..].reverse();
    lines.splice(
        1..1,
        [
            "x1,1,1000,basic,no,No",
            "x2,2,1001,basic,no,No",
            "x3,3,1002,basic,no,No",
        ],
    );
    place.write("customers.csv", lines.join("\n") + "\n");
    let (changed, said) = count(&[]);
    let missing = whole["samples"].as_u64().unwrap() - changed["samples"].as_u64().unwrap();
    assert!(said.contains("3 rows are new since training"), "{said}");
    assert!(
        missing > 0 && said.contains(&format!("{missing} of ")),
        "{said}"
    );
    assert_eq!(count(&["--data", "customers.csv"]), (changed, said));
    // A model alone does not know the rows.
    fs::remove_file(place.path("run/splits.json")).unwrap();
    place.write("customers.csv", text);
    let (same, said) = count(&[]);
    assert!(said.contains("no `splits.json`"), "{said}");
    assert_eq!(same, whole);
}

#[test]
fn a_run_is_not_resumed_on_other_labels() {
    let place = place();
    let args = train_args(&["--out", "run", "--quiet", "--no-baseline"]);
    let long = ["--set", "train.epochs=4000", "--set", "train.patience=0"];
    let mut child = place.command(&[&args[..], &long].concat()).spawn().unwrap();
    let checkpoints = place.path("run/checkpoint");
    let deadline = Instant::now() + Duration::from_mins(1);
    while fs::read_dir(&checkpoints).map_or(0, Iterator::count) < 2 {
        assert!(Instant::now() < deadline, "no checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resume = ["train", "--resume", "run", "--quiet", "--no-baseline"];
    let text = customers();
    let flipped = text.replacen(",Yes", ",No", 1);
    place.write("customers.csv", flipped);
    let words = ["the data changed", "1 item with another label"];
    place.run(&resume).failed(2, &words);
    // The checkpoint knows by itself.
    fs::remove_file(place.path("run/splits.json")).unwrap();
    place
        .run(&resume)
        .failed(2, &["the data changed since the checkpoint"]);
}

#[test]
fn copies_of_a_row_stay_in_one_split() {
    let place = place();
    let mut text = String::from("a,b,class\n");
    for _copy in 0..8 {
        for at in 0..60_u32 {
            // Labels that nothing can be learned from, and that all copies have.
            let class = if at * at * 7919 % 101 < 50 { "x" } else { "y" };
            writeln!(text, "{},{}.25,{class}", at * 37 % 61, at * 13 % 59).unwrap();
        }
    }
    place.write("copies.csv", text);
    let args = [
        "train",
        "--data",
        "copies.csv",
        "--target",
        "class",
        "--out",
        "run",
    ];
    let ran = place.run(&[&args[..], &SHORT[2..], &["--set", "train.epochs=20"]].concat());
    ran.ok();
    let note = "duplicates of another row; duplicates stay in one split";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    for split in ["train  ", "valid  ", "test   "] {
        let of_split = |line: &&str| line.starts_with(split) && line.contains("copies.csv");
        assert!(
            ran.stderr.lines().any(|line| of_split(&line)),
            "{}",
            ran.stderr
        );
    }
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    for scores in [&summary["test"], &summary["baselines"][1]["test"]] {
        let accuracy = scores["accuracy"].as_f64().unwrap();
        assert!(accuracy < 0.85, "random labels are predicted: {summary}");
    }
}

#[test]
fn a_category_that_was_never_seen_is_counted() {
    let place = trained(&["--no-baseline"]);
    place.write("case.csv", customers().replace(",basic,", ",Basic,"));
    for args in [
        &["predict", "--json", "case.csv"][..],
        &["eval", "--data", "case.csv"],
    ] {
        let ran = place.run(&[args, &["--run", "run"]].concat());
        let warnings = ran
            .ok()
            .stderr
            .lines()
            .filter(|line| line.contains("`plan`"));
        let warnings: Vec<&str> = warnings.collect();
        assert_eq!(warnings.len(), 1, "{}", ran.stderr);
        for words in [
            "80 of 240 cells",
            "never seen in training",
            "`Basic` in line 2",
        ] {
            assert!(warnings[0].contains(words), "{}", warnings[0]);
        }
    }
    let ran = place.run(&["predict", "--run", "run", "--json", "customers.csv"]);
    assert!(!ran.ok().stderr.contains("never seen"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_trained_is_refused_before_there_is_a_folder() {
    let place = place();
    place.write("test.csv", customers().replacen(",No\n", ",Maybe\n", 1));
    place.write("plans.csv", customers().replacen(",office,", ",Maybe,", 1));
    place.write("loss.csv", customers().replace(",10.5,", ",-10.5,"));
    let out = ["--out", "run", "--quiet"];
    let plain = ["train", "--data", "customers.csv", "--target", "leaves"];
    let price = ["train", "--data", "loss.csv", "--target", "fee"];
    let batches = [
        "--set",
        "model.kind=mlp",
        "--set",
        "model.normalization=batch",
        "--set",
        "train.batch_size=1",
    ];
    for (args, more, words) in [
        (
            plain,
            &["--set", "train.monitor=banana"][..],
            &["train.monitor", "banana", "loss"][..],
        ),
        (
            price,
            &["--set", "features.target_scaling=log"],
            &["`fee`", "features.target_scaling"],
        ),
        (plain, &batches, &["train.batch_size", "at least 2"]),
        (
            plain,
            &["--set", "data.test=test.csv"],
            &["test.csv", "`Maybe`", "line 3"],
        ),
        (
            ["train", "--data", "customers.csv", "--target", "plan"],
            &["--set", "data.test=plans.csv"],
            &[
                "plans.csv",
                "`Maybe` in line 4",
                "`basic`, `family`, `office`",
            ],
        ),
    ] {
        place
            .run(&[&args[..], &out, more].concat())
            .failed(2, words);
        assert!(!place.path("run").exists(), "{more:?}");
    }
}

#[test]
fn predictions_come_row_by_row_with_columns_of_the_input() {
    let place = trained(&["--no-baseline"]);
    place.write(
        "bad.csv",
        "id,months,fee,plan,online\na,3,80,basic,yes\nb,many,80,basic,yes\nc,3,80,basic\n\
         d,4,81,basic,no\n",
    );
    let predict = ["predict", "--run", "run", "--csv", "bad.csv", "--id", "id"];
    let ran = place.run(&predict);
    ran.failed(2, &["line 3", "months", "`many`"]);
    assert!(
        ran.stdout
            .starts_with("input,row,id,label,No,Yes\nbad.csv,1,a,"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stdout.lines().count(), 2);
    let ran = place.run(&[&predict[..], &["--skip-errors"]].concat());
    let rows: Vec<&str> = ran.ok().stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[1].starts_with("bad.csv,4,d,"), "{}", rows[1]);
    assert!(ran.stderr.contains("skipped 2 rows") && ran.stderr.contains("line 3"));
    let args = [
        "predict",
        "--run",
        "run",
        "--json",
        "--keep",
        "customers.csv",
    ];
    let ran = place.run(&args);
    let line = json(ran.ok().stdout.lines().next().unwrap());
    assert_eq!(line["columns"]["id"], "c0");
    assert_eq!(line["columns"]["leaves"], "Yes");
    place
        .run(&["predict", "--run", "run", "--id", "ids", "customers.csv"])
        .failed(2, &["`ids`", "`id`"]);
}

#[test]
fn a_file_without_names_is_predicted_with_the_columns_that_were_left_out() {
    let place = place();
    let text = customers();
    let (_, rows) = text.split_once('\n').unwrap();
    place.write("rows.csv", rows);
    let args = [
        "train", "--data", "rows.csv", "--target", "column_6", "--out", "run", "--quiet",
    ];
    place
        .run(&[&args[..], &SHORT, &["--no-baseline"]].concat())
        .ok();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    assert_eq!(json(&ran.ok().stdout)["test"], summary["test"]);
    place.write(
        "blind.csv",
        rows.replace(",Yes\n", "\n").replace(",No\n", "\n"),
    );
    let said = ["rows.csv", "blind.csv"].map(|file| {
        let ran = place.run(&["predict", "--run", "run", "--json", file]);
        let lines = ran.ok().stdout.lines();
        lines
            .map(|line| json(line)["probabilities"].clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(said[0].len(), 240);
    assert_eq!(said[0], said[1]);
}
