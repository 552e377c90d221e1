//! The same mistakes in every app: each ends with the same exit code and one clear message.

use std::fs;

use super::{Place, Ran};

/// An app whose answers to mistakes are checked.
#[derive(Clone, Copy, Debug)]
pub struct AppUnderTest<'a> {
    /// Name of the app.
    pub name: &'a str,
    /// Its binary: `env!("CARGO_BIN_EXE_…")`.
    pub binary: &'a str,
    /// Flags of `train` with which it ends in about a second.
    pub short: &'a [&'a str],
    /// Whether it reads data and predicts files.
    pub has_data: bool,
}

/// A command line with a mistake, and words of the message that it must give.
struct Mistake {
    args: Vec<String>,
    words: &'static [&'static str],
}

fn mistake(args: &str, words: &'static [&'static str]) -> Mistake {
    Mistake {
        args: args.split(' ').map(str::to_owned).collect(),
        words,
    }
}

/// Makes some twenty mistakes and checks that each ends with exit code 2 and one clear message.
pub fn check_mistakes(app: &AppUnderTest<'_>) {
    let place = Place::new(app.binary);
    let train = |out: &str, more: &[&str]| {
        place.run(&[&["train", "--quiet", "--out", out][..], app.short, more].concat())
    };
    train("run", &["--seed", "1"]).ok();
    train("other", &["--seed", "2"]).ok();
    prepare(&place);
    for Mistake { args, words } in mistakes(app) {
        let mut line: Vec<&str> = args.iter().map(String::as_str).collect();
        if line.first() == Some(&"train") {
            line.extend(app.short);
        }
        let ran: Ran = place.run(&line);
        assert_eq!(ran.code, Some(2), "{line:?}: {}", ran.stderr);
        ran.failed(2, words);
    }
}

/// Makes the damaged and foreign files of the mistakes.
fn prepare(place: &Place) {
    place.write("file", "not a folder");
    place.write("damaged.toml", "name = ");
    place.write("newer.toml", "format = 99");
    fs::create_dir(place.path("empty")).unwrap();
    fs::create_dir(place.path("untrained")).unwrap();
    fs::copy(
        place.path("run/recipe.toml"),
        place.path("untrained/recipe.toml"),
    )
    .unwrap();
    fs::create_dir(place.path("occupied")).unwrap();
    place.write("occupied/notes.txt", "mine");
    // Runs that look interrupted, with the checkpoints of another run and of another version.
    for copy in ["foreign", "versioned", "unfinished"] {
        copy_dir(place, "run", copy);
        fs::remove_file(place.path(copy).join("summary.json")).unwrap();
    }
    fs::remove_dir_all(place.path("foreign/checkpoint")).unwrap();
    copy_dir(place, "other/checkpoint", "foreign/checkpoint");
    for entry in fs::read_dir(place.path("versioned/checkpoint")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut bytes = fs::read(&path).unwrap();
            bytes[b"TINDERC".len()] = b'9';
            fs::write(&path, bytes).unwrap();
        }
    }
    for copy in ["cut-weights", "cut-spec", "newer-spec", "wrong-kind"] {
        copy_dir(place, "run/model", copy);
    }
    for copy in ["cut-summary", "cut-metrics"] {
        copy_dir(place, "run", copy);
    }
    let summary = fs::read_to_string(place.path("run/summary.json")).unwrap();
    place.write("cut-summary/summary.json", &summary[..summary.len() / 2]);
    let metrics = fs::read_to_string(place.path("run/metrics.jsonl")).unwrap();
    let lines: Vec<&str> = metrics.lines().take(2).collect();
    let cut = lines.join("\n");
    place.write("cut-metrics/metrics.jsonl", &cut[..cut.len() - 5]);
    let weights = place.path("cut-weights/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let spec = fs::read_to_string(place.path("run/model/model.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&spec).unwrap();
    place.write("cut-spec/model.json", &spec[..spec.len() / 2]);
    json["kind"] = "sculpture".into();
    place.write("wrong-kind/model.json", json.to_string());
    json["format"] = 99.into();
    place.write("newer-spec/model.json", json.to_string());
}

fn mistakes(app: &AppUnderTest<'_>) -> Vec<Mistake> {
    let mut all = vec![
        mistake("trian", &[]),
        mistake("train --no-such-flag", &["--no-such-flag"]),
        mistake(
            "train --num-epochs 3",
            &["unknown flag `--num-epochs`", "`--epochs`"],
        ),
        mistake("train --learning-rate 0.1", &["`--lr`"]),
        mistake(
            "train --set lr=0.1",
            &[
                "unknown key `lr`",
                "did you mean `optimizer.learning_rate`?",
            ],
        ),
        mistake(
            "train --set optimizer.learning_rate=fast",
            &["`optimizer.learning_rate` must be a number (got `fast`)"],
        ),
        mistake(
            "train --set optimizer.kind=lion",
            &["`optimizer.kind` must be `sgd`, `adam` or `adamw` (got `lion`)"],
        ),
        mistake("train --recipe absent.toml", &["absent.toml"]),
        mistake("train --recipe absent", &["unknown recipe `absent`"]),
        mistake("train --recipe damaged.toml", &["not valid TOML"]),
        mistake("train --recipe newer.toml", &["format 99", "reads format"]),
        mistake("train --set train.sed=1", &["did you mean `train.seed`"]),
        mistake("train --set train.seed=many", &["`train.seed` must be"]),
        mistake(
            "train --set optimizer.learning_rate=-1",
            &["`optimizer.learning_rate` must be"],
        ),
        mistake("train --set train.seed", &["key=value"]),
        mistake("train --device cuda", &["--features cuda"]),
        mistake("train --device abacus", &["abacus"]),
        mistake("train --out file/run", &["file/run"]),
        mistake("train --out occupied", &["`occupied` is not empty"]),
        mistake(
            "train --seed 1 --out run",
            &["already contains a finished run"],
        ),
        mistake(
            "train --seed 1 --resume run",
            &["the run in `run` is finished"],
        ),
        mistake("train --resume empty", &["contains no run to resume"]),
        mistake(
            "train --seed 1 --out unfinished",
            &["contains an unfinished run"],
        ),
        mistake("train --seed 3 --resume unfinished", &["another recipe"]),
        mistake("train --seed 1 --resume foreign", &["checkpoint"]),
        mistake("train --seed 1 --resume versioned", &["has format 9"]),
        mistake("eval --run absent", &["contains no trained model"]),
        mistake("eval --run empty", &["contains no trained model"]),
        mistake("eval --run cut-weights", &["weights.safetensors"]),
        mistake("eval --run cut-spec", &["model.json"]),
        mistake(
            "eval --run newer-spec",
            &["its format is 99", "update this program"],
        ),
        mistake("eval --run wrong-kind", &["sculpture"]),
        mistake("eval --run run --device cuda", &["--features cuda"]),
        mistake("report", &["--run"]),
        mistake("report --run absent", &["there is no such directory"]),
        mistake("report --run empty", &["it has no `recipe.toml`"]),
        mistake(
            "report --run run --run unfinished",
            &["is not finished", "train --resume unfinished"],
        ),
        mistake("report --run cut-summary", &["summary.json", "is damaged"]),
        mistake(
            "report --run cut-metrics",
            &["metrics.jsonl` line 2 is damaged"],
        ),
        mistake("report --run run --out page.txt", &["page.txt"]),
        mistake("recipes absent", &["unknown recipe `absent`"]),
    ];
    all.extend(export_mistakes());
    all.extend(serve_mistakes());
    all.extend(sweep_mistakes());
    if app.has_data {
        all.extend([
            mistake("eval --run run --data absent", &["absent"]),
            mistake("predict --run run absent.csv", &["absent.csv"]),
            mistake(
                "predict --run run --out absent/out.csv file",
                &["absent/out.csv"],
            ),
        ]);
    }
    all
}

fn export_mistakes() -> Vec<Mistake> {
    vec![
        mistake("export --run run", &["--format"]),
        mistake("export --run run --format pickle", &["onnx", "safetensors"]),
        mistake(
            "export --run absent --format onnx",
            &["contains no trained model"],
        ),
        mistake(
            "export --run empty --format safetensors",
            &["contains no trained model"],
        ),
        mistake(
            "export --run untrained --format onnx",
            &["has no trained model yet", "train --resume untrained"],
        ),
        mistake(
            "export --run cut-weights --format onnx",
            &["weights.safetensors"],
        ),
        mistake("export --run wrong-kind --format onnx", &["sculpture"]),
        mistake(
            "export --run run --format onnx --out model.pt",
            &["must end in `.onnx`"],
        ),
        mistake(
            "export --run run --format onnx --out absent/model.onnx",
            &["absent/model.onnx"],
        ),
    ]
}

/// Mistakes of `sweep`.
fn sweep_mistakes() -> Vec<Mistake> {
    vec![
        mistake("sweep --show absent", &["contains no sweep"]),
        mistake("sweep --join empty", &["contains no sweep"]),
        mistake("sweep --trials 0", &["expected a number from 1"]),
        mistake("sweep --budget soon", &["a time such as 90s"]),
        mistake("sweep --space absent.toml", &["absent.toml"]),
        mistake("sweep --join run --trials 3", &["--trials"]),
    ]
}

/// Mistakes of `serve`.
fn serve_mistakes() -> Vec<Mistake> {
    vec![
        mistake("serve", &["--run"]),
        mistake("serve --run absent", &["contains no trained model"]),
        mistake(
            "serve --run newer-spec",
            &["its format is 99", "update this program"],
        ),
        mistake("serve --run wrong-kind", &["sculpture"]),
        mistake("serve --run a/b=run", &["the name `a/b` of a model"]),
        mistake("serve --run run --host nowhere", &["nowhere"]),
        mistake("serve --run run --token=", &["the token"]),
        mistake("serve --run run --cors example.com", &["is not an origin"]),
        mistake("serve --run run --device cuda", &["--features cuda"]),
    ]
}

fn copy_dir(place: &Place, from: &str, to: &str) {
    fs::create_dir_all(place.path(to)).unwrap();
    for entry in fs::read_dir(place.path(from)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
        if entry.path().is_dir() {
            copy_dir(place, &from, &to);
        } else if name != ".lock" {
            fs::copy(entry.path(), place.path(&to)).unwrap();
        }
    }
}
