//! What can be wrong with files, flags and models: one clear message and exit code 2 each.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::fs;

use tinderbox_cli::testing::Place;

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_tabular"))
}

/// Rows whose target follows from `x`; `more` is a column of one's own.
fn rows(count: usize, more: impl Fn(usize) -> String) -> String {
    let mut text = String::from("x,more,y\n");
    for at in 0..count {
        let x = (at * 7) % 50;
        let y = if x < 25 { "low" } else { "high" };
        writeln!(text, "{x},{},{y}", more(at)).unwrap();
    }
    text
}

const SHORT: [&str; 9] = [
    "--out",
    "run",
    "--quiet",
    "--no-baseline",
    "--set",
    "train.epochs=2",
    "--set",
    "model.d_block=8",
    "--no-baseline",
];

fn train(place: &Place, content: impl AsRef<[u8]>, more: &[&str]) -> tinderbox_cli::testing::Ran {
    place.write("my.csv", content);
    let args = ["train", "--data", "my.csv"];
    place.run(&[&args[..], &SHORT[..8], more].concat())
}

/// Refused, and nothing written.
fn refused(content: impl AsRef<[u8]>, more: &[&str], words: &[&str]) {
    let place = place();
    train(&place, content, more).failed(2, words);
    assert!(!place.path("run").exists(), "something was written");
}

const Y: [&str; 2] = ["--target", "y"];

#[test]
fn a_target_that_is_not_there_names_the_nearest() {
    refused(
        rows(60, |at| at.to_string()),
        &["--target", "yy"],
        &["`yy`", "`y`"],
    );
    refused(
        rows(60, |at| at.to_string()),
        &[],
        &["--target", "x, more, y"],
    );
}

#[test]
fn a_target_of_one_value_or_with_holes_is_refused() {
    let one = rows(60, |at| at.to_string()).replace("low", "high");
    refused(one, &Y, &["`y`", "`high`"]);
    let holes = rows(60, |at| at.to_string()).replace("low", "");
    refused(holes, &Y, &["`y`", "missing", "line 2"]);
}

#[test]
fn a_class_with_fewer_rows_than_folds_is_named() {
    let mut text = rows(60, |at| at.to_string());
    text.push_str("3,3,rare\n4,4,rare\n5,5,rare\n");
    refused(
        text,
        &["--target", "y", "--folds", "5"],
        &["`rare`", "3 rows", "5"],
    );
}

#[test]
fn columns_that_say_nothing_are_left_out_and_said() {
    let place = place();
    let text = rows(60, |_| "same".to_owned());
    place.write("my.csv", text);
    let args = [
        "train",
        "--data",
        "my.csv",
        "--target",
        "y",
        "--out",
        "run",
        "--no-baseline",
    ];
    let ran = place.run(&[&args[..], &["--set", "train.epochs=1"]].concat());
    ran.ok();
    assert!(ran.stderr.contains("left out `more`"), "{}", ran.stderr);
    refused(
        "a,y\n1,low\n1,high\n1,low\n1,high\n",
        &Y,
        &["no column", "`a`"],
    );
}

#[test]
fn ten_thousand_words_are_no_trouble() {
    let place = place();
    // Each twice, and so in fewer rows than are needed to be told apart.
    train(&place, rows(20_000, |at| format!("w{}", at / 2)), &Y).ok();
    let refuse = rows(60, |at| at.to_string());
    let place = self::place();
    place.write("my.csv", {
        let mut text = String::from("x,y\n");
        (0..5_000).for_each(|at| writeln!(text, "{at}.5,w{}", at % 2_500).unwrap());
        text
    });
    let args = ["train", "--data", "my.csv", "--target", "y", "--out", "run"];
    place.run(&args).failed(2, &["`y`", "2500"]);
    drop(refuse);
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    let text = rows(60, |at| at.to_string());
    let ragged = text.replacen("7,1,low", "7,1", 1);
    assert_ne!(text, ragged);
    refused(ragged, &Y, &["line 3", "2", "3"]);
}

#[test]
fn bytes_that_are_no_text_are_named_by_their_line() {
    let text = rows(60, |at| at.to_string());
    let nul = text.replacen("7,1,low", "7,1\0,low", 1);
    refused(nul, &Y, &["line 3", "NUL"]);
    let mut latin = text.replacen("7,1,low", "7,1,l#w", 1).into_bytes();
    let place_of_mark = latin.iter().position(|&byte| byte == b'#').unwrap();
    latin[place_of_mark] = 0xF6;
    let key = "--set data.format.encoding=";
    refused(latin, &Y, &["line 3", "UTF-8", key]);
}

#[test]
fn infinities_are_named_by_line_and_column() {
    let text = rows(60, |at| {
        if at == 2 {
            "inf".into()
        } else {
            format!("{at}.5")
        }
    });
    refused(
        text,
        &Y,
        &[
            "line 4",
            "`more`",
            "--set 'data.format.missing=[\"?\",\"NA\",\"N/A\",\"#N/A\",\"<NA>\",\"NaN\",\"null\",\"inf\"]'",
        ],
    );
}

#[test]
fn a_file_without_rows_or_without_anything_is_refused() {
    refused("x,more,y\n", &Y, &["no row"]);
    refused("", &Y, &["empty"]);
    place()
        .run(&["train", "--data", "none.csv", "--target", "y"])
        .failed(2, &["none.csv"]);
}

fn trained() -> Place {
    let place = place();
    train(&place, rows(120, |at| format!("{}.5", at % 9)), &Y).ok();
    place
}

#[test]
fn a_column_of_another_type_or_missing_is_named_at_predict() {
    let place = trained();
    place.write("words.csv", "x,more\n1,2\nmany,3\n");
    let ran = place.run(&["predict", "--run", "run", "words.csv"]);
    ran.failed(2, &["`x`", "line 3", "`many`", "number"]);
    place.write("latin.csv", b"x,more\n1,2\n2,\xF6\n");
    let ran = place.run(&["predict", "--run", "run", "latin.csv"]);
    ran.failed(2, &["line 3", "UTF-8", "the format of its training file"]);
    place.write("short.csv", "x\n1\n");
    place
        .run(&["predict", "--run", "run", "short.csv"])
        .failed(2, &["`more`", "short.csv"]);
}

#[test]
fn nothing_half_written_is_left_by_a_failed_prediction() {
    let place = trained();
    place.write("words.csv", "x,more\n1,2\nmany,3\n");
    place
        .run(&["predict", "--run", "run", "--out", "out.csv", "words.csv"])
        .failed(2, &["`x`"]);
    assert!(!place.path("out.csv").exists());
}

#[test]
fn a_model_folder_that_was_changed_is_refused() {
    let spec = |place: &Place| fs::read_to_string(place.path("run/model/model.json")).unwrap();
    let predict = |place: &Place, words: &[&str]| {
        place
            .run(&["predict", "--run", "run", "my.csv"])
            .failed(2, words);
    };
    let place = trained();
    place
        .run(&["predict", "--run", "none", "my.csv"])
        .failed(2, &["none"]);
    let newer = spec(&place).replacen("\"format\": 2", "\"format\": 99", 1);
    place.write("run/model/model.json", newer);
    predict(&place, &["model.json", "99"]);

    let place = trained();
    fs::remove_file(place.path("run/model/weights.safetensors")).unwrap();
    predict(&place, &["weights.safetensors"]);

    let place = trained();
    let weights = fs::read(place.path("run/model/weights.safetensors")).unwrap();
    place.write(
        "run/model/weights.safetensors",
        &weights[..weights.len() / 2],
    );
    predict(&place, &["weights.safetensors"]);

    let place = trained();
    let changed = spec(&place).replacen("\"d_block\": 8", "\"d_block\": 12", 1);
    place.write("run/model/model.json", changed);
    predict(&place, &["weights"]);

    let place = trained();
    let changed = spec(&place).replacen("\"n_numeric\": 2", "\"n_numeric\": 3", 1);
    place.write("run/model/model.json", changed);
    predict(&place, &["model.json"]);
}

#[test]
fn flags_and_keys_that_make_no_sense_name_what_would() {
    let place = place();
    place.write("my.csv", rows(60, |at| at.to_string()));
    let base = ["train", "--data", "my.csv", "--target", "y", "--out", "run"];
    for (more, words) in [
        (
            ["--set", "model.n_member=3"],
            ["model.n_members", "n_member"],
        ),
        (
            ["--set", "split.test_fraction=2"],
            ["split.test_fraction", "above 0 and below 1"],
        ),
        (["--folds", "1"], ["split.folds", "2"]),
        (["--recipe", "chrun"], ["chrun", "churn"]),
        (["--set", "data.drop=[\"xx\"]"], ["`xx`", "`x`"]),
        (
            ["--set", "data.drop=[\"y\"]"],
            ["`y` is the target", "`data.drop`"],
        ),
        (["--device", "gpu"], ["gpu", "cpu"]),
    ] {
        place.run(&[&base[..], &more].concat()).failed(2, &words);
        assert!(!place.path("run").exists());
    }
}

#[test]
fn a_key_of_files_is_refused_where_no_file_is_read() {
    let place = place();
    for key in ["data.format.encoding=latin1", "data.sample=100"] {
        let args = ["train", "--recipe", "cancer", "--out", "run", "--set", key];
        let name = key.split('=').next().unwrap().replace(".encoding", "");
        place.run(&args).failed(2, &[&name, "left alone"]);
        assert!(!place.path("run").exists());
    }
}

#[test]
fn an_amount_that_is_none_is_named_by_its_row() {
    let amount = |wrong: &'static str| {
        move |at: usize| {
            if at == 4 {
                wrong.to_owned()
            } else {
                format!("{at}.5")
            }
        }
    };
    let more = ["--target", "y", "--set", "data.amount=more"];
    refused(rows(60, amount("-1")), &more, &["row 5", "`more`"]);
    refused(rows(60, amount("")), &more, &["row 5", "`more`"]);
    let more = ["--target", "y", "--set", "data.amount=mor"];
    refused(rows(60, amount("1")), &more, &["`mor`", "`more`"]);
}

#[test]
fn a_split_by_place_needs_two_columns_of_numbers() {
    let by = |column: &'static str| ["--target", "y", "--set", "split.by=place", "--set", column];
    let text = rows(60, |at| at.to_string());
    refused(&text, &by("split.column=x"), &["split.column", "lon,lat"]);
    refused(&text, &by("split.column=x,mor"), &["`mor`", "`more`"]);
    refused(&text, &by("split.column=x,y"), &["`y`", "row 1"]);
    let mut small = by("split.column=x,more").to_vec();
    small.extend(["--set", "split.block=0"]);
    refused(&text, &small, &["split.block"]);
}

#[test]
fn a_folder_needs_one_table_and_maps_where_maps_are_read() {
    let place = place();
    fs::create_dir(place.path("sites")).unwrap();
    place.write("sites/deposits.csv", rows(60, |at| at.to_string()));
    let maps = ["train", "--recipe", "prospectivity", "--data", "sites"];
    let words = ["sites", "--recipe porphyry", "deposits.csv"];
    place.run(&maps).failed(2, &words);
    let one = ["train", "--data", "sites", "--target", "y", "--out", "run"];
    place.run(&[&one[..], &SHORT[2..8]].concat()).ok();
    place.write("sites/more.csv", rows(60, |at| at.to_string()));
    let two = ["train", "--data", "sites", "--target", "y"];
    place.run(&two).failed(2, &["`deposits.csv`, `more.csv`"]);
    fs::create_dir(place.path("empty")).unwrap();
    let none = ["train", "--data", "empty", "--target", "y"];
    place.run(&none).failed(2, &["no table"]);
}

#[test]
fn what_is_wrong_is_named_with_the_key_that_helps() {
    let rows = |cell: fn(usize) -> String| rows(60, cell);
    // Classes that look like marks of missing cells.
    let regions = rows(|at| ["NA", "EU", "AP"][at % 3].to_owned());
    let more = ["--target", "more"];
    let words = [
        "20 rows",
        "`NA`",
        "--set 'data.format.missing=[\"?\",\"N/A\"",
    ];
    refused(regions, &more, &words);
    // Among numbers the mark is no class.
    let folder = place();
    let prices = rows(|at| {
        if at == 7 {
            "?".to_owned()
        } else {
            format!("{at}.5")
        }
    });
    let result = train(&folder, prices, &more);
    result.failed(2, &["1 row, first in line 9", "`?` marks a missing cell"]);
    assert!(!result.stderr.contains("as a class"), "{}", result.stderr);
    // A file without a header.
    let headless = rows(|at| at.to_string()).replacen("x,more,y\n", "", 1);
    let words = [
        "`rings`",
        "`column_1`, `column_2`, `column_3`",
        "data.format.header",
    ];
    refused(headless, &["--target", "rings"], &words);
    // Numbers that a network cannot hold.
    let huge = rows(|at| {
        if at == 4 {
            "1e300".to_owned()
        } else {
            at.to_string()
        }
    });
    refused(huge, &Y, &["line 6", "`more`", "1e300", "data.drop"]);
    // Nothing but the number of the row.
    let time = (0..60).fold("t,y\n".to_owned(), |text, at| {
        text + &format!("{at},{}.5\n", at * 7 % 11)
    });
    refused(time, &Y, &["`t`", "identifier", "data.numeric"]);
    // Splits that cannot be made, and why.
    refused(
        "x,y\n1,2.5\n2,3.5\n3,4.5\n",
        &Y,
        &["3 rows are too few", "10"],
    );
    let words = (0..40).fold("x,y\n".to_owned(), |text, at| {
        text + &format!("{at}.5,{at}.50 kg\n")
    });
    refused(
        words,
        &Y,
        &["40 classes in 40 rows", "kg`", "data.task=regression"],
    );
    let cells = rows(|_| "1".to_owned()) + &",".repeat(200_000);
    refused(cells, &Y, &["line 62", "expected 3 cells"]);
}

#[test]
fn a_model_refuses_files_in_which_rows_are_lost_or_numbers_too_large() {
    let place = trained();
    let clean = rows(120, |at| format!("{}.5", at % 9));
    place.write(
        "stray.csv",
        clean
            .replace("\n0,5.5,low\n", "\n0,5.5,\"low\n")
            .replace("\n3,7.5,low", "\n3,7.5,\"low"),
    );
    place
        .run(&["predict", "--run", "run", "stray.csv"])
        .failed(2, &["stray.csv", "a quoted cell", "line "]);
    place.write("huge.csv", "x,more\n1,2\n2,-1e39\n");
    place
        .run(&["predict", "--run", "run", "huge.csv"])
        .failed(2, &["huge.csv", "line 3", "`more`"]);
}

/// Wrong commands that only this app has, and words of the advice; the others are in
/// `check_mistakes`.
const WRONG: &[(&str, &[&str])] = &[
    (
        "train --set dropout=0.5",
        &["did you mean `model.dropout`?"],
    ),
    (
        "train --set train.monitor_mode=up",
        &["`train.monitor_mode` must be `min` or `max` (got `up`)"],
    ),
    (
        "train --ensemble 0",
        &["`ensemble` must be between 1 and 100 (got 0)"],
    ),
    (
        "train --label price",
        &["unknown flag `--label`: use `--target`"],
    ),
    (
        "train my.csv",
        &["did you mean `tabular train --data my.csv`?"],
    ),
    ("my.csv", &["did you mean `tabular train --data my.csv`?"]),
    ("fit --data my.csv", &["did you mean `tabular train`?"]),
    (
        "explain --run x --data x.csv --out chart.png",
        &["`chart.png`", "must end in `.svg`"],
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

/// A class that a spreadsheet would run, and one that would color a terminal.
const FORMULA: &str = "=cmd|'/c calc'!A0";
const COLOR: &str = "\u{1b}[31mred\u{202e}";

#[test]
fn names_from_data_act_neither_on_a_terminal_nor_in_a_spreadsheet() {
    let place = place();
    let class = |at: usize| if at * 7 % 50 < 25 { FORMULA } else { COLOR };
    let content = rows(120, |at| class(at).to_owned());
    let target = ["--target", "more", "--set", "data.drop=[\"y\"]"];
    let mut shown = vec![train(&place, content, &target)];
    let run = |args: &[&str]| place.run(&[args, &["--run", "run", "my.csv"]].concat());
    let [text, csv, raw, json] = [&[][..], &["--csv"], &["--csv", "--raw"], &["--json"]]
        .map(|more| run(&[&["predict"], more].concat()));
    shown.push(place.run(&["eval", "--run", "run"]));
    for ran in shown.iter().chain([&text, &json]) {
        let printed = format!("{}{}", ran.ok().stdout, ran.stderr);
        let acts = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
        assert!(!printed.contains(acts), "{printed:?}");
    }
    assert!(
        text.stdout.contains("\\u001b[31mred\\u202e"),
        "{}",
        text.stdout
    );
    // A pipe is no terminal: data stay data, but for what would run.
    assert!(
        csv.ok().stdout.contains(&format!(",'{FORMULA},")),
        "{}",
        csv.stdout
    );
    assert!(csv.stdout.contains(COLOR));
    assert!(
        raw.ok().stdout.contains(&format!(",{FORMULA},")),
        "{}",
        raw.stdout
    );
    let line = json.stdout.lines().next().unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!([FORMULA, COLOR].contains(&line["label"].as_str().unwrap()));
}

/// As a launcher starts it; with the feature `mpi` only a launcher can, and `.ci/mpi` does.
#[cfg(not(feature = "mpi"))]
#[test]
fn of_several_ranks_the_first_reports_a_wrong_flag() {
    let place = place();
    let ran = |rank: &str, args: &[&str]| {
        let mut command = place.command(args);
        command.env("OMPI_COMM_WORLD_SIZE", "2");
        command.env("OMPI_COMM_WORLD_RANK", rank);
        tinderbox_cli::testing::Ran::from(command.output().unwrap())
    };
    for (args, word) in [
        (&["train", "--epoks", "3"][..], "--epoks"),
        (&["trian"], "trian"),
    ] {
        ran("0", args).failed(2, &[word]);
        let other = ran("1", args).ok().stderr.clone();
        assert_eq!(other, "");
    }
    assert!(ran("0", &["train", "--help"]).ok().stdout.contains("Usage"));
    assert_eq!(ran("1", &["train", "--help"]).ok().stdout, "");
    // A command that knows of no other ranks.
    ran("1", &["eval", "--rnu", "run"]).failed(2, &["--rnu"]);
}
