//! What can be wrong with files, flags and models: one clear message and exit code 2 each.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tinderbox_cli::testing::{
    AppUnderTest, Place, Ran, Request, check_mistakes, check_report, check_serve,
};

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_text"))
}

fn rows(count: usize) -> String {
    let mut text = String::from("text,label\n");
    for at in 0..count {
        let (word, label) = [("sun", "day"), ("moon", "night")][at % 2];
        writeln!(text, "the {word} shines on number {at},{label}").unwrap();
    }
    text
}

const SHORT: [&str; 12] = [
    "--quiet",
    "--no-baseline",
    "--set",
    "train.epochs=1",
    "--set",
    "model.kind=encoder",
    "--set",
    "model.d_model=8",
    "--set",
    "model.n_layers=1",
    "--out",
    "run",
];

fn train(place: &Place, file: &str, more: &[&str]) -> Ran {
    place.run(&[&["train", "--data", file][..], &SHORT, more].concat())
}

/// Refused, and nothing written.
fn refused(file: &str, content: impl AsRef<[u8]>, more: &[&str], words: &[&str]) {
    let place = place();
    place.write(file, content);
    train(&place, file, more).failed(2, words);
    assert!(!place.path("run").exists(), "something was written");
}

fn trained() -> Place {
    let place = place();
    place.write("my.csv", rows(60));
    train(&place, "my.csv", &[]).ok();
    place
}

#[test]
fn an_empty_file_is_named() {
    refused("my.csv", "", &[], &["my.csv", "empty"]);
    refused("my.jsonl", "", &[], &["my.jsonl", "empty"]);
}

#[test]
fn an_empty_text_is_named_by_line() {
    let text = rows(60).replace("the sun shines on number 2,", " ,");
    refused(
        "my.csv",
        &text,
        &[],
        &["line 4", "empty", "data.skip_empty=true"],
    );
    let place = place();
    place.write("my.csv", text);
    let ran = train(&place, "my.csv", &["--set", "data.skip_empty=true"]);
    assert!(
        ran.ok().stderr.contains("1 empty text skipped"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_missing_label_is_named_by_line_and_counted_by_inspect() {
    let text = rows(60).replacen(",day", ",", 1);
    assert_ne!(text, rows(60));
    refused(
        "my.csv",
        &text,
        &[],
        &["the label is empty; add the label", "data.skip_empty=true"],
    );
    let place = place();
    place.write("my.csv", text);
    let ran = place.run(&["inspect", "--data", "my.csv"]);
    let warning = "warning: 1 text has no label: `train` stops there; to skip it";
    assert!(ran.ok().stdout.contains(warning), "{}", ran.stdout);
}

#[test]
fn one_column_cannot_be_both_the_text_and_the_label() {
    let more = ["--text", "text", "--label", "text"];
    refused("my.csv", rows(60), &more, &["data.label", "another column"]);
}

#[test]
fn weights_that_are_no_folder_are_named_with_what_to_put_there() {
    let place = place();
    place.write("my.csv", rows(60));
    let args = [
        "train",
        "--data",
        "my.csv",
        "--out",
        "run",
        "--weights",
        "bert-base-uncased",
    ];
    place.run(&args).failed(
        2,
        &["bert-base-uncased", "does not exist", "model.safetensors"],
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_file_that_is_not_there_is_not_taken_for_a_text() {
    let place = trained();
    place
        .run(&["predict", "--run", "run", "tset.csv"])
        .failed(2, &["no file `tset.csv`"]);
    place.write("my.tsv", "body\tlabel\na sun\tday\n");
    place
        .run(&["predict", "--run", "run", "my.tsv"])
        .failed(2, &["no column `text`", "`body`", "--text"]);
    let args = [
        "predict", "--run", "run", "--text", "body", "--id", "no", "my.tsv",
    ];
    place.run(&args).failed(2, &["no column `no`"]);
    place.run(&[&args[..5], &["my.tsv"]].concat()).ok();
}

#[test]
fn one_label_only_is_nothing_to_learn() {
    let text = rows(60).replace("night", "day");
    refused("my.csv", text, &[], &["my.csv", "day"]);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut bytes = rows(60).into_bytes();
    bytes[40] = 0xff;
    refused("my.csv", bytes, &[], &["my.csv", "UTF-8"]);
}

#[test]
fn a_single_line_of_50_megabytes_is_refused() {
    let mut text = String::from("text,label\n");
    text.push_str(&"word ".repeat(10 << 20));
    text.push_str(",day\nshort,night\n");
    refused("my.csv", text, &[], &["my.csv", "line 2", "16777216"]);
}

#[test]
fn a_column_that_is_not_there_names_those_that_are() {
    let more = ["--text", "body", "--label", "label"];
    refused("my.csv", rows(60), &more, &["`body`", "text"]);
    let more = ["--text", "text", "--label", "topic"];
    refused("my.csv", rows(60), &more, &["`topic`", "label"]);
}

#[test]
fn a_broken_line_of_json_is_named() {
    let mut text = String::new();
    for at in 0..30 {
        writeln!(
            text,
            "{{\"text\": \"number {at}\", \"label\": \"{}\"}}",
            at % 2
        )
        .unwrap();
    }
    text.push_str("{\"text\": \"unfinished\n");
    refused("my.jsonl", text, &[], &["my.jsonl", "line 31"]);
}

#[test]
fn flags_that_do_not_fit_the_recipe_are_refused() {
    let place = place();
    place
        .run(&["train", "--recipe", "shakespeare", "--label", "x"])
        .failed(2, &["--label"]);
    place
        .run(&["train", "--recipe", "requests", "--data", "x"])
        .failed(2, &["--data"]);
    place
        .run(&["train", "--recipe", "texts"])
        .failed(2, &["--data"]);
    place
        .run(&["train", "--recipe", "fine-tune", "--data", "x"])
        .failed(2, &[]);
    let sets = ["--set", "model.kind=gpt"];
    place.write("my.csv", rows(60));
    train(&place, "my.csv", &sets[..0]).ok();
    let args = ["train", "--data", "my.csv", "--out", "other"];
    place
        .run(&[&args[..], &sets].concat())
        .failed(2, &["gpt", "encoder"]);
}

#[test]
fn a_label_that_was_not_learned_is_named_with_its_line() {
    let place = trained();
    place.write(
        "other.csv",
        "text,label\nthe sun shines,day\nit is dim,dusk\n",
    );
    let ran = place.run(&["eval", "--run", "run", "--data", "other.csv"]);
    ran.failed(2, &["`dusk`", "line 3", "night"]);
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let place = trained();
    place.write("empty.txt", "");
    place
        .run(&["predict", "--run", "run", "empty.txt"])
        .failed(2, &["empty.txt", "empty"]);
    place
        .run(&["predict", "--run", "run", " "])
        .failed(2, &["empty"]);
    place.write("holes.txt", "a sun\n\na moon\n");
    place
        .run(&["predict", "--run", "run", "holes.txt"])
        .failed(2, &["line 2", "--whole"]);
    place.write("latin.txt", b"caf\xe9\n");
    place
        .run(&["predict", "--run", "run", "latin.txt"])
        .failed(2, &["latin.txt", "UTF-8", "line 1"]);
    place.write("long.txt", "word ".repeat(10 << 20));
    place
        .run(&["predict", "--run", "run", "long.txt"])
        .failed(2, &["long.txt", "line 1"]);
    place
        .run(&["predict", "--run", "nowhere", "a sun"])
        .failed(2, &["nowhere"]);
    place
        .run(&["generate", "--run", "run", "--prompt", "a"])
        .failed(2, &["generate"]);
}

#[test]
fn a_prompt_longer_than_the_context_is_refused() {
    let place = place();
    place.write(
        "rhyme.txt",
        "hey diddle diddle, the cat and the fiddle.\n".repeat(40),
    );
    let args = [
        "train",
        "--recipe",
        "language-model",
        "--data",
        "rhyme.txt",
        "--set",
        "model.n_heads=2",
    ];
    let more = ["--set", "tokenizer.max_len=32"];
    let gpt = ["--set", "model.kind=gpt"];
    place.run(&[&args[..], &SHORT, &more, &gpt].concat()).ok();
    let long = "a".repeat(32);
    place
        .run(&["generate", "--run", "run", "--prompt", &long])
        .failed(2, &["32", "context"]);
    place
        .run(&["predict", "--run", "run", "a"])
        .failed(2, &["generate"]);
    place.write("short.txt", "too short\n");
    let args = [
        "train",
        "--recipe",
        "language-model",
        "--data",
        "short.txt",
        "--set",
        "model.n_heads=2",
    ];
    place
        .run(&[&args[..], &SHORT[..8], &gpt, &["--out", "other"]].concat())
        .failed(2, &["max_len"]);
}

fn hub(place: &Place) -> std::path::PathBuf {
    let from = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/models/tests/data/hub-bert"
    );
    let to = place.path("hub");
    fs::create_dir(&to).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(Path::new(from).join(file), to.join(file)).unwrap();
    }
    to
}

/// Weights of a folder that was tampered with are refused.
fn refused_weights(tamper: impl FnOnce(&Path), words: &[&str]) {
    let place = place();
    place.write("my.csv", rows(60));
    let dir = hub(&place);
    tamper(&dir);
    let args = [
        "train",
        "--data",
        "my.csv",
        "--weights",
        "hub",
        "--quiet",
        "--no-baseline",
    ];
    place
        .run(&[&args[..], &["--out", "run"]].concat())
        .failed(2, words);
    assert!(!place.path("run").exists(), "something was written");
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_description_that_disagrees_with_the_weights_names_the_tensor_and_the_shapes() {
    refused_weights(
        |dir| {
            replace(
                &dir.join("config.json"),
                "\"hidden_size\": 32",
                "\"hidden_size\": 64",
            );
        },
        &["embeddings", "32", "64"],
    );
}

#[test]
fn damaged_and_hostile_weights_are_refused() {
    refused_weights(
        |dir| {
            let file = dir.join("model.safetensors");
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        },
        &["model.safetensors"],
    );
    refused_weights(
        |dir| {
            let mut bytes = u64::MAX.to_le_bytes().to_vec();
            bytes.extend_from_slice(b"{}");
            fs::write(dir.join("model.safetensors"), bytes).unwrap();
        },
        &["model.safetensors"],
    );
}

#[test]
fn a_pickle_is_refused_with_the_line_that_converts_it() {
    refused_weights(
        |dir| {
            fs::rename(dir.join("model.safetensors"), dir.join("pytorch_model.bin")).unwrap();
        },
        &["pytorch_model.bin", "python"],
    );
}

#[test]
fn a_tokenizer_of_another_size_is_refused() {
    refused_weights(
        |dir| {
            let file = dir.join("tokenizer.json");
            let text = fs::read_to_string(&file).unwrap();
            let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let words = json["model"]["vocab"].as_object_mut().unwrap();
            for at in 0..1000 {
                words.insert(format!("more{at}"), (5000 + at).into());
            }
            fs::write(&file, json.to_string()).unwrap();
        },
        &["tokenizer", "6000"],
    );
    refused_weights(
        |dir| fs::write(dir.join("tokenizer.json"), "{}").unwrap(),
        &["tokenizer.json"],
    );
}

#[test]
fn a_hostile_tokenizer_is_refused_without_a_panic() {
    for (from, to) in [
        (
            "\"max_input_chars_per_word\":100",
            "\"max_input_chars_per_word\":18446744073709551615",
        ),
        ("\"vocab\":{", "\"vocab\":{\"huge\":4294967295,"),
    ] {
        refused_weights(
            |dir| replace(&dir.join("tokenizer.json"), from, to),
            &["tokenizer.json", "cannot be used as a tokenizer"],
        );
    }
}

#[test]
fn a_model_folder_that_was_tampered_with_is_refused() {
    let place = trained();
    let model = place.path("run/model");
    let predict = || place.run(&["predict", "--run", "run", "a sun"]);
    let json = fs::read_to_string(model.join("model.json")).unwrap();
    replace(
        &model.join("model.json"),
        "\"num_classes\": 2",
        "\"num_classes\": 3",
    );
    predict().failed(2, &["model.json", "labels"]);
    fs::write(model.join("model.json"), &json).unwrap();
    fs::write(model.join("weights.safetensors"), "nothing").unwrap();
    predict().failed(2, &["weights.safetensors"]);
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    predict().failed(2, &["tokenizer.json"]);
}

/// Wrong commands that only this app has, and words of the advice; the others are in
/// `check_mistakes`.
const WRONG: &[(&str, &[&str])] = &[
    ("train --set epochs=3", &["did you mean `train.epochs`?"]),
    (
        "train --set max_length=512",
        &["did you mean `tokenizer.max_len`?"],
    ),
    (
        "train --set train.batch_size=-4",
        &["`train.batch_size` must be a whole number, 0 or more (got -4)"],
    ),
    (
        "train --set model.kind=cnn --set model.n_heads=2",
        &["unknown key `model.n_heads`", "`model.kind=encoder`"],
    ),
    ("train --folds 1", &["split.folds"]),
    ("summary --run x", &["did you mean `text summarize`?"]),
    ("test --run x", &["did you mean `text eval`?"]),
    (
        "explain --run x --out why.pdf hello",
        &["`why.pdf`", "must end in `.html`"],
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
fn the_same_mistakes_end_as_in_every_app() {
    let place = place();
    place.write("my.csv", rows(60));
    let data = place.path("my.csv").display().to_string();
    let flags = [
        "--data",
        &data,
        "--no-baseline",
        "--set",
        "train.epochs=1",
        "--set",
        "model.kind=encoder",
        "--set",
        "model.d_model=8",
        "--set",
        "model.n_layers=1",
    ];
    let app = AppUnderTest {
        name: "text",
        binary: env!("CARGO_BIN_EXE_text"),
        short: &flags,
        has_data: true,
    };
    check_mistakes(&app);
    check_report(&app);
    check_serve(&app, |_| Request {
        media: "application/json",
        body: br#""where is my parcel""#.to_vec(),
        key: "probabilities",
    });
}
