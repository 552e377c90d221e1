//! The command-line contract, on the real binary and tiny texts.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tinderbox_cli::testing::{Place, Ran, check_shards, check_sweep, result};

const GOOD: [&str; 4] = ["lovely", "great", "superb", "charming"];
const BAD: [&str; 4] = ["awful", "dull", "boring", "dreadful"];

/// Films that are praised or not, one in two.
fn films() -> String {
    let mut text = String::from("text,label\n");
    for at in 0..160 {
        let (words, label) = if at % 2 == 0 {
            (GOOD, "good")
        } else {
            (BAD, "bad")
        };
        let [first, second] = [words[at / 2 % 4], words[at / 3 % 4]];
        writeln!(
            text,
            "\"a {first} film, number {at}, and {second} to see\",{label}"
        )
        .unwrap();
    }
    text
}

const SMALL: [&str; 18] = [
    "--no-baseline",
    "--set",
    "model.kind=encoder",
    "--set",
    "model.d_model=16",
    "--set",
    "model.n_layers=1",
    "--set",
    "model.d_hidden=16",
    "--set",
    "optimizer.learning_rate=0.01",
    "--set",
    "train.epochs=8",
    "--set",
    "train.patience=0",
    "--set",
    "train.ema_decay=0",
    "--quiet",
];

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_text"));
    place.write("films.csv", films());
    place
}

#[test]
fn parts_of_texts_are_the_bytes_of_one_prediction() {
    let place = trained();
    // Parts begin at a multiple of 256 texts.
    let texts = films().lines().skip(1).collect::<Vec<_>>().join("\n");
    let many = vec![texts; 5].join("\n");
    place.write("many.csv", format!("text,label\n{many}\n"));
    check_shards(&place, &["--run", "run", "many.csv"], 800);
}

#[test]
fn a_time_budget_shorter_than_an_epoch_is_refused() {
    let place = place();
    let large = ["--set", "model.d_model=128", "--set", "model.d_hidden=512"];
    // The folds share a second.
    let short = ["--budget", "1s", "--folds", "50"];
    let ran = train(&place, "run", &[&large[..], &short].concat());
    ran.failed(
        2,
        &[
            "`train.budget` must be at least",
            "since one epoch takes about",
        ],
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_sweep_tests_its_best_trial_only() {
    check_sweep(&place(), &[&["--data", "films.csv"], &SMALL[..]].concat());
}

fn train(place: &Place, out: &str, more: &[&str]) -> Ran {
    let args = ["train", "--data", "films.csv", "--out", out];
    place.run(&[&args[..], &SMALL, more].concat())
}

fn trained() -> Place {
    let place = place();
    train(&place, "run", &[]).ok();
    place
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A small BERT, laid out as the hub does.
const HUB: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/models/tests/data/hub-bert"
);

#[test]
fn own_texts_are_trained_on_evaluated_and_predicted() {
    let place = trained();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    assert_eq!(summary["app"], "text");
    assert!(summary["test"]["accuracy"].as_f64().unwrap() > 0.95);
    for file in ["weights.safetensors", "model.json", "tokenizer.json"] {
        assert!(place.path("run/model").join(file).is_file(), "{file}");
    }

    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let measured = json(ran.ok().stdout.trim());
    assert_eq!(measured["samples"], 32);
    assert_eq!(measured["test"]["accuracy"], summary["test"]["accuracy"]);

    let ran = place.run(&["predict", "--run", "run", "--json", "such a dreadful film"]);
    let said = json(ran.ok().stdout.trim());
    assert_eq!(said["input"], "such a dreadful film");
    assert_eq!(said["label"], "bad");
    assert!(said["probabilities"]["bad"].as_f64().unwrap() > 0.5);

    // The second of two classes from this probability on.
    let at = |threshold: &'static str| ["--run", "run", "--json", "--threshold", threshold];
    let ran = place.run(&[&["predict"][..], &at("0"), &["such a dreadful film"]].concat());
    assert_eq!(json(ran.ok().stdout.trim())["label"], "good");
    let ran = place.run(&[&["eval"][..], &at("0")].concat());
    let all = json(ran.ok().stdout.trim());
    assert!(all["test"]["accuracy"].as_f64().unwrap() < 0.8, "{all}");
    assert_eq!(all["test"]["auroc"], measured["test"]["auroc"]);
    let ran = place.run(&[&["eval"][..], &at("2")].concat());
    ran.failed(2, &["--threshold", "between 0 and 1"]);
}

#[test]
fn truncated_texts_are_counted_by_every_command() {
    let place = place();
    let args = [
        "train",
        "--data",
        "films.csv",
        "--out",
        "run",
        "--quiet",
        "--no-baseline",
    ];
    let sets = ["--set", "train.epochs=1", "--set", "tokenizer.max_len=4"];
    let ran = place.run(&[&args[..], &sets].concat());
    let expected = " training texts (100.0%) were truncated to 4 tokens; raise `tokenizer.max_len`";
    assert!(ran.ok().stdout.contains(expected), "{}", ran.stdout);
    let long = "a dull film, and a boring one to see";
    for (args, expected) in [
        (
            &["eval", "--run", "run"][..],
            "32 texts (100.0%) were truncated to 4",
        ),
        (
            &["predict", "--run", "run", "dull", long],
            "1 text (50.0%) was truncated to 4",
        ),
        (
            &["explain", "--run", "run", long],
            "1 text (100.0%) was truncated to 4",
        ),
    ] {
        let ran = place.run(args);
        assert!(
            ran.ok().stderr.contains(expected),
            "{args:?} {}",
            ran.stderr
        );
        assert!(
            ran.stderr
                .contains("train with a larger `tokenizer.max_len`")
        );
    }
    let ran = place.run(&["predict", "--run", "run", "dull"]);
    assert!(!ran.ok().stderr.contains("truncated"), "{}", ran.stderr);
}

#[test]
fn the_recipe_that_a_run_leaves_repeats_it_to_the_byte() {
    let place = trained();
    let args = ["train", "--recipe", "run/recipe.toml", "--out", "again"];
    place
        .run(&[&args[..], &["--quiet", "--no-baseline"]].concat())
        .ok();
    assert_eq!(result(&place.path("run")), result(&place.path("again")));
}

#[test]
fn a_killed_run_resumes_to_the_same_model() {
    let place = place();
    let more = [
        "--set",
        "train.epochs=40",
        "--set",
        "train.checkpoint_every=3",
    ];
    train(&place, "whole", &more).ok();
    let args = ["train", "--data", "films.csv", "--out", "killed"];
    let args = [&args[..], &SMALL, &more].concat();
    let mut child = place.command(&args).spawn().unwrap();
    let metrics = place.path("killed/checkpoint");
    while !metrics.exists() || fs::read_dir(&metrics).unwrap().next().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("killed/summary.json").exists());
    let args = ["train", "--resume", "killed", "--no-baseline", "--quiet"];
    place.run(&args).ok();
    assert_eq!(result(&place.path("whole")), result(&place.path("killed")));
}

#[test]
fn lines_of_stdin_and_of_files_are_predicted_one_by_one() {
    let place = trained();
    let mut child = place
        .command(&["predict", "--run", "run", "--csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a superb film\na boring film\n").unwrap();
    drop(stdin);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let lines: Vec<&str> = ran.ok().stdout.lines().collect();
    assert_eq!(lines[0], "input,label,bad,good");
    assert!(lines[1].starts_with("a superb film,good,"), "{}", lines[1]);
    assert!(lines[2].starts_with("a boring film,bad,"), "{}", lines[2]);

    place.write("page.txt", "a boring film\nand a dull one\n");
    let ran = place.run(&["predict", "--run", "run", "--whole", "--json", "page.txt"]);
    let said = json(ran.ok().stdout.trim());
    assert_eq!(
        (said["input"].as_str(), said["label"].as_str()),
        (Some("page.txt"), Some("bad"))
    );
}

#[test]
fn the_words_that_decided_are_named_and_colored() {
    let place = trained();
    let args = [
        "explain",
        "--run",
        "run",
        "--json",
        "--out",
        "why.html",
        "a <dull> dull film",
    ];
    let said = json(place.run(&args).ok().stdout.trim());
    assert_eq!(said["label"], "bad");
    let words = said["words"].as_array().unwrap();
    let effect = |word: &Value| word["effect"].as_f64().unwrap();
    let strongest = words.iter().max_by(|a, b| effect(a).total_cmp(&effect(b)));
    assert!(
        strongest.unwrap()["text"]
            .as_str()
            .unwrap()
            .contains("dull"),
        "{said}"
    );
    let page = fs::read_to_string(place.path("why.html")).unwrap();
    assert!(
        page.contains("&lt;dull&gt;") && !page.contains("<dull>"),
        "{page}"
    );
}

#[test]
fn a_summary_has_the_most_important_sentences_in_their_order() {
    let place = trained();
    let text = "A great seat. An awful film, dull and dreadful! A lovely seat. It is dull and boring \
                and dreadful. A superb seat.";
    place.write("review.txt", text);
    place.write(
        "wanted.txt",
        "An awful film, dull and dreadful! It is dull and boring and dreadful.",
    );
    let args = ["summarize", "--run", "run", "--sentences", "2", "--json"];
    let more = ["--reference", "wanted.txt", "review.txt"];
    let said = json(place.run(&[&args[..], &more].concat()).ok().stdout.trim());
    let numbers: Vec<i64> = said["sentences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sentence| sentence["number"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 4], "{said}");
    assert!(said["rouge"]["rouge1"].as_f64().unwrap() > 0.99, "{said}");
}

#[test]
fn the_texts_of_a_folder_are_found_by_similarity() {
    let place = trained();
    fs::create_dir(place.path("folder")).unwrap();
    place.write("folder/one.txt", "a superb and lovely film");
    place.write("folder/two.txt", "a dreadful film, boring to see");
    let args = [
        "similar",
        "--run",
        "run",
        "--query",
        "dull and awful",
        "--json",
        "folder",
    ];
    let ran = place.run(&args);
    let first = json(ran.ok().stdout.lines().next().unwrap());
    assert!(
        first["input"].as_str().unwrap().ends_with("two.txt"),
        "{first}"
    );
}

#[test]
fn a_language_model_generates_the_same_with_and_without_its_cache() {
    let place = place();
    place.write(
        "rhyme.txt",
        "hey diddle diddle, the cat and the fiddle.\n".repeat(60),
    );
    let args = [
        "train",
        "--recipe",
        "language-model",
        "--data",
        "rhyme.txt",
        "--out",
        "run",
        "--quiet",
    ];
    let small = [
        "--set",
        "model.d_model=32",
        "--set",
        "model.n_heads=2",
        "--set",
        "model.n_layers=1",
        "--set",
        "model.dropout=0.0",
        "--set",
        "tokenizer.max_len=32",
        "--set",
        "train.batch_size=4",
        "--set",
        "optimizer.learning_rate=0.01",
    ];
    place.run(&[&args[..], &small].concat()).ok();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let baseline = &summary["baselines"][0];
    let method = baseline["method"].as_str().unwrap();
    assert!(method.starts_with("Kneser-Ney "), "{summary}");
    for metric in ["loss", "perplexity", "nats_per_character"] {
        let [own, theirs] = [&summary["test"], &baseline["test"]].map(|test| &test[metric]);
        assert!(own.is_f64() && theirs.is_f64(), "{metric} {summary}");
    }
    assert_eq!(summary["comparison"]["method"], method);
    // 60 lines of 43 characters, in three splits that a hash identifies.
    let data = &summary["data"];
    assert_eq!(data["hash"].as_str().unwrap().len(), 16, "{data}");
    assert_eq!(data["noun"][1], "characters");
    let splits = data["splits"].as_array().unwrap();
    let counts = splits.iter().filter_map(|split| split["count"].as_u64());
    assert_eq!((splits.len(), counts.sum::<u64>()), (3, 60 * 43));
    let write = |more: &[&str]| {
        let args = [
            "generate", "--run", "run", "--prompt", "hey did", "--tokens", "24",
        ];
        let ran = place.run(&[&args[..], &["--json", "--temperature", "0"], more].concat());
        json(ran.ok().stdout.trim())["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let text = write(&[]);
    assert_eq!(text, write(&["--no-cache"]));
    assert_eq!(text, "hey diddle diddle, the cat and ");
    // Beyond the context of 32 tokens.
    let args = [
        "generate", "--run", "run", "--tokens", "100", "--prompt", "hey",
    ];
    let ran = place.run(&args);
    assert!(ran.ok().stdout.trim().len() > 60, "{}", ran.stdout);
}

#[test]
fn tags_are_compared_with_a_linear_model_of_the_same_words() {
    let place = place();
    let sentence = |at: usize| {
        let name = ["Anna", "Bert", "Carl", "Dora"][at % 4];
        let town = ["Rome", "Oslo", "Bonn"][at % 3];
        format!("{name} B-PER\nlives O\nin O\n{town} B-LOC\n\n")
    };
    place.write("names.conll", (0..80).map(sentence).collect::<String>());
    let args = [
        "train",
        "--recipe",
        "tags",
        "--data",
        "names.conll",
        "--out",
        "run",
        "--quiet",
        "--set",
        "model.d_model=16",
        "--set",
        "model.n_layers=1",
        "--epochs",
        "1",
    ];
    place.run(&args).ok();
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let baseline = &summary["baselines"][0];
    assert_eq!(baseline["method"], "word windows + logistic regression");
    assert_eq!(baseline["test"]["f1_spans"], 1.0, "{summary}");
    let names = |test: &Value| {
        test.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&baseline["test"]), names(&summary["test"]));
    assert_eq!(summary["comparison"]["metric"], "f1");
}

#[test]
fn words_get_tags_pairs_get_classes_and_texts_get_many_labels() {
    let place = place();
    let mut tagged = String::new();
    for at in 0..80 {
        let name = ["Anna", "Bert", "Carl", "Dora"][at % 4];
        let town = ["Rome", "Oslo", "Bonn"][at % 3];
        writeln!(tagged, "{name} B-PER\nlives O\nin O\n{town} B-LOC\n").unwrap();
    }
    place.write("names.conll", tagged);
    let tiny = [
        "--set",
        "model.d_model=16",
        "--set",
        "model.n_layers=1",
        "--quiet",
        "--no-baseline",
    ];
    let fast = [
        "--set",
        "optimizer.learning_rate=0.01",
        "--set",
        "tokenizer.kind=words",
        "--set",
        "train.batch_size=8",
    ];
    let with = |recipe: &str, file: &str, out: &str| {
        let args = ["train", "--recipe", recipe, "--data", file, "--out", out];
        place.run(&[&args[..], &tiny, &fast].concat()).ok();
    };
    with("tags", "names.conll", "tags");
    let ran = place.run(&["predict", "--run", "tags", "--json", "Dora lives in Oslo"]);
    let tags = json(ran.ok().stdout.trim())["tags"].clone();
    let expected = [
        ["Dora", "B-PER"],
        ["lives", "O"],
        ["in", "O"],
        ["Oslo", "B-LOC"],
    ];
    assert_eq!(tags, serde_json::to_value(expected).unwrap());
    place.write("blank.jsonl", "{\"tokens\":[\"Dora\",\"\",\"Oslo\"]}\n");
    place
        .run(&["predict", "--run", "tags", "blank.jsonl"])
        .failed(2, &["line 1: token 2 is empty or invisible"]);

    let mut pairs = String::from("first,second,label\n");
    for at in 0..120 {
        let colour = ["red", "blue", "green"][at % 3];
        let (other, label) = if at % 2 == 0 {
            (colour, "same")
        } else {
            ("grey", "other")
        };
        writeln!(pairs, "the car is {colour},the car looks {other},{label}").unwrap();
    }
    place.write("pairs.csv", pairs);
    with("pairs", "pairs.csv", "pairs");
    let ran = place.run(&[
        "predict",
        "--run",
        "pairs",
        "--json",
        "a car is red\tit looks grey",
    ]);
    assert_eq!(json(ran.ok().stdout.trim())["label"], "other");

    let mut many = String::from("text,label\n");
    for at in 0..160 {
        let (fish, fowl) = (at % 2 == 0, at % 3 == 0);
        let words = format!(
            "number {at} with {} and {}",
            if fish { "trout" } else { "beans" },
            if fowl { "duck" } else { "rice" }
        );
        let labels = match (fish, fowl) {
            (true, true) => "fish|fowl",
            (true, false) => "fish",
            (false, true) => "fowl",
            (false, false) => continue,
        };
        writeln!(many, "{words},{labels}").unwrap();
    }
    place.write("many.csv", many);
    with("labels", "many.csv", "many");
    let ran = place.run(&["predict", "--run", "many", "--json", "trout and duck"]);
    let said = json(ran.ok().stdout.trim());
    assert_eq!(
        said["labels"],
        serde_json::json!(["fish", "fowl"]),
        "{said}"
    );
}

#[test]
fn pretrained_weights_find_similar_texts_without_training() {
    let place = place();
    fs::create_dir(place.path("folder")).unwrap();
    place.write("folder/one.txt", "the cat sat on the mat");
    place.write("folder/two.txt", "a dreadful film");
    let similar = ["similar", "--query", "a dreadful film", "--json", "folder"];
    let ran = place.run(&[&similar[..], &["--weights", HUB]].concat());
    let found: Vec<_> = ran.ok().stdout.lines().map(json).collect();
    assert_eq!(found.len(), 2);
    assert!(found[0]["input"].as_str().unwrap().ends_with("two.txt"));
    let likeness = |at: usize| found[at]["similarity"].as_f64().unwrap();
    assert!((likeness(0) - 1.0).abs() < 1e-5 && likeness(1) < likeness(0));
    place
        .run(&[&similar[..], &["--weights", "nowhere"]].concat())
        .failed(2, &["nowhere"]);
    place.run(&similar).failed(2, &["--run"]);
    let elsewhere = [
        "similar",
        "--query",
        "a film",
        "--weights",
        HUB,
        "no-folder",
    ];
    place.run(&elsewhere).failed(2, &["no-folder"]);
}

#[test]
fn pretrained_weights_are_fine_tuned_and_the_model_does_not_need_their_folder() {
    let place = place();
    let copy = place.path("hub");
    fs::create_dir(&copy).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(format!("{HUB}/{file}"), copy.join(file)).unwrap();
    }
    let tune = |out: &str, more: &[&str]| {
        let args = [
            "train",
            "--weights",
            "hub",
            "--data",
            "films.csv",
            "--out",
            out,
        ];
        let common = ["--quiet", "--no-baseline", "--set", "train.epochs=1"];
        place.run(&[&args[..], &common, more].concat())
    };
    tune("whole", &[]).ok();
    tune("frozen", &["--set", "model.fine_tune.frozen_layers=1"]).ok();
    let lora = ["--set", "model.fine_tune.lora_rank=4"];
    tune("refused", &lora).failed(2, &["layer_decay"]);
    tune(
        "adapted",
        &[&lora[..], &["--set", "model.fine_tune.layer_decay=1.0"]].concat(),
    )
    .ok();
    // What is set holds, whichever recipe gets the weights.
    let set = [
        "--recipe",
        "texts",
        "--set",
        "optimizer.learning_rate=0.002",
    ];
    tune("set", &set).ok();
    let recipe = fs::read_to_string(place.path("set/recipe.toml")).unwrap();
    for line in ["kind = \"bert\"", "learning_rate = 0.002", "epochs = 1"] {
        assert!(recipe.contains(line), "{recipe}");
    }
    fs::remove_dir_all(&copy).unwrap();
    for run in ["whole", "frozen", "adapted", "set"] {
        let ran = place.run(&["predict", "--run", run, "--json", "a superb film"]);
        assert!(json(ran.ok().stdout.trim())["label"].is_string(), "{run}");
        let names = fs::read(place.path(run).join("model/weights.safetensors")).unwrap();
        let names = String::from_utf8_lossy(&names).into_owned();
        assert!(!names.contains("lora"), "{run}");
    }
}

#[test]
fn the_default_command_classifies_new_texts() {
    let place = place();
    let fewer = [
        "--set",
        "train.epochs=1",
        "--set",
        "ensemble=1",
        "--no-baseline",
    ];
    let ran = place.run(&[&["train", "--out", "run"][..], &fewer].concat());
    let lines: Vec<&str> = ran.ok().stdout.lines().collect();
    for text in [
        "two payments for the same order",
        "the tracking page says delivered",
        "I cannot sign in",
    ] {
        let mut shown = lines.iter().filter(|line| line.contains(text));
        assert!(
            shown.next().is_some_and(|line| line.contains('%')),
            "{}",
            ran.stdout
        );
    }
    assert!(ran.stderr.contains("epoch 1/1"), "{}", ran.stderr);
}

/// Labels that `predict --json` gives, line by line.
fn labels(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.lines().map(json);
    lines
        .map(|line| line["label"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn predict_reads_every_file_that_train_reads_by_the_text_column() {
    let place = trained();
    let texts = ["a superb, lovely film", "a dull and boring film"];
    place.write(
        "new.csv",
        "id,label,more,text\n7,bad,zz,\"a superb, lovely film\"\n8,good,zz,a dull and boring film\n",
    );
    let [first, second] = texts;
    place.write("new.tsv", format!("text\tmore\n{first}\tx\n{second}\ty\n"));
    let object = |text: &str| format!("{{\"text\": \"{text}\", \"label\": \"?\"}}");
    place.write(
        "new.jsonl",
        format!("{}\n{}\n", object(first), object(second)),
    );
    place.write(
        "new.json",
        format!("[{},\n{}]", object(first), object(second)),
    );
    place.write("new.txt", format!("{first}\n{second}\n"));
    fs::create_dir_all(place.path("new/inner")).unwrap();
    place.write("new/1.txt", first);
    place.write("new/inner/2.md", second);
    for file in [
        "new.csv",
        "new.tsv",
        "new.jsonl",
        "new.json",
        "new.txt",
        "new",
    ] {
        let ran = place.run(&["predict", "--run", "run", "--json", file]);
        assert_eq!(labels(ran.ok()), ["good", "bad"], "{file}: {}", ran.stdout);
        if file != "new" {
            let inputs = ran.stdout.lines().map(|line| json(line)["input"].clone());
            assert_eq!(inputs.collect::<Vec<_>>(), texts, "{file}");
        }
    }
    let args = ["predict", "--run", "run", "--csv", "--id", "id", "new.csv"];
    let ran = place.run(&args);
    let lines: Vec<&str> = ran.ok().stdout.lines().collect();
    assert_eq!(lines[0], "input,id,label,bad,good");
    assert!(
        lines[1].starts_with("\"a superb, lovely film\",7,good,"),
        "{}",
        lines[1]
    );
    let ran = place.run(&["predict", "--run", "run", "--csv", "--keep", "new.csv"]);
    assert_eq!(
        ran.ok().stdout.lines().next().unwrap(),
        "input,id,label_input,more,text,label,bad,good"
    );
}

#[test]
fn rows_that_cannot_be_predicted_are_skipped_and_counted_where_asked_for() {
    let place = trained();
    place.write(
        "new.csv",
        "id,text\n1,a superb film\n2\n3,\n4,a dull film\n",
    );
    let args = ["predict", "--run", "run", "--json", "new.csv"];
    let ran = place.run(&args);
    ran.failed(2, &["new.csv", "line 3", "--skip-errors"]);
    assert_eq!(
        labels(&ran),
        ["good"],
        "the answer before the bad row is lost"
    );
    let ran = place.run(&[&args[..], &["--skip-errors"]].concat());
    assert_eq!(labels(ran.ok()), ["good", "bad"]);
    assert!(
        ran.stderr.contains("skipped 2 texts of `new.csv`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("line 3"), "{}", ran.stderr);
}

#[test]
fn split_folders_are_used_as_such_and_inspected() {
    let place = place();
    for (split, count) in [("Train", 60), ("Validation", 20), ("testing", 12)] {
        for at in 0..count {
            let (words, label) = [(GOOD, "good"), (BAD, "bad")][at % 2];
            let folder = format!("films/{split}/{label}/{}", at % 3);
            fs::create_dir_all(place.path(&folder)).unwrap();
            let word = words[at % 4];
            fs::write(
                place.path(&folder).join(format!("{at}.txt")),
                format!("a {word} film, {split} {at}"),
            )
            .unwrap();
        }
    }
    place.write("films/Train/good/cover.pdf", "%PDF");
    let ran = place.run(&["inspect", "--data", "films", "--json"]);
    let found = json(ran.ok().stdout.trim());
    let counts = found["splits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|split| split["texts"].as_u64());
    assert_eq!(counts.collect::<Vec<_>>(), [Some(60), Some(20), Some(12)]);
    assert_eq!(
        found["warnings"][0],
        "1 file skipped: 1 not a text file (.pdf)"
    );
    let ran = place.run(&["inspect", "--data", "films.csv"]);
    assert!(
        ran.ok().stdout.contains("no issues found"),
        "{}",
        ran.stdout
    );

    let args = [
        "train",
        "--data",
        "films",
        "--out",
        "run",
        "--set",
        "train.epochs=1",
    ];
    let loud = SMALL.iter().filter(|flag| **flag != "--quiet");
    let ran = place.run(&args.iter().chain(loud).copied().collect::<Vec<_>>());
    for words in [
        "texts from films/Train:",
        "texts from films/Validation:",
        "1 not a text",
    ] {
        assert!(ran.ok().stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let ran = place.run(&["eval", "--run", "run", "--json"]);
    assert_eq!(json(ran.ok().stdout.trim())["samples"], 12);
    // A model of files reads a plain text file as one text.
    place.write("page.txt", "a superb film\n\nand a lovely one\n");
    let ran = place.run(&["predict", "--run", "run", "--json", "page.txt"]);
    assert_eq!(ran.ok().stdout.lines().count(), 1);
    let ran = place.run(&[
        "predict",
        "--run",
        "run",
        "--lines",
        "--skip-errors",
        "page.txt",
    ]);
    assert_eq!(ran.ok().stdout.lines().count(), 2);
}

#[test]
fn copies_across_given_splits_are_warned_of_with_quiet_and_recorded() {
    let place = place();
    let films = films();
    fs::create_dir_all(place.path("split")).unwrap();
    place.write("split/train.csv", &films);
    let test: Vec<&str> = films.lines().take(4).collect();
    place.write("split/test.csv", test.join("\n"));
    let args = ["train", "--data", "split", "--out", "run"];
    let ran = place.run(&[&args[..], &SMALL, &["--set", "train.epochs=1"]].concat());
    let warning = "3 texts of the test split also occur in the training or validation split";
    assert!(ran.ok().stderr.contains(warning), "{}", ran.stderr);
    let summary = json(&fs::read_to_string(place.path("run/summary.json")).unwrap());
    let first = summary["warnings"][0].as_str().unwrap();
    assert!(first.starts_with(warning), "{first}");
}

#[test]
fn eval_is_on_the_stored_split_or_on_all_of_other_data_and_copies_stay_together() {
    let place = place();
    // Every film occurs four times; the words are independent of the label.
    let mut text = String::from("text,label\n");
    for at in (0..4).flat_map(|_| 0..40) {
        let label = ["good", "bad"][at * 7 % 5 % 2];
        writeln!(text, "film {at} of {},{label}", at * 31 % 17).unwrap();
    }
    place.write("copies.csv", &text);
    let args = ["train", "--data", "copies.csv", "--out", "run"];
    let loud = SMALL.iter().filter(|flag| **flag != "--quiet");
    let ran = place.run(&args.iter().chain(loud).copied().collect::<Vec<_>>());
    let note = "120 of 160 texts are duplicates of another text; duplicates stay in one split";
    assert!(ran.ok().stderr.contains(note), "{}", ran.stderr);

    let ran = place.run(&["eval", "--run", "run", "--json"]);
    let stored = json(ran.ok().stdout.trim());
    let samples = stored["samples"].as_u64().unwrap();
    assert_eq!(samples % 4, 0, "a copy is in another split: {stored}");
    // The same file by its name is the same data.
    let ran = place.run(&["eval", "--run", "run", "--data", "copies.csv", "--json"]);
    assert_eq!(
        json(ran.ok().stdout.trim())["samples"].as_u64(),
        Some(samples)
    );
    // Another file is evaluated as a whole, however small.
    place.write(
        "other.csv",
        "text,label\na new film,good\nan old film,bad\na third,good\n",
    );
    let ran = place.run(&["eval", "--run", "run", "--data", "other.csv", "--json"]);
    assert_eq!(json(ran.ok().stdout.trim())["samples"], 3);
    assert!(
        ran.stderr.contains("evaluating all 3 texts"),
        "{}",
        ran.stderr
    );
    // A text was added and one removed: the split stays, with a note.
    let changed = text.replacen("film 0 of 0,", "another film,", 1) + "one more film,bad\n";
    place.write("copies.csv", changed);
    let ran = place.run(&["eval", "--run", "run"]);
    assert!(
        ran.ok().stderr.contains("new since training"),
        "{}",
        ran.stderr
    );
    let ran = place.run(&[
        "train",
        "--resume",
        "run",
        "--set",
        "train.epochs=9",
        "--quiet",
    ]);
    ran.failed(2, &["the data changed"]);
}
