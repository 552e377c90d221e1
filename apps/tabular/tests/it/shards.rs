//! `predict --shard` and `predict --merge`, on the real binary.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tinderbox_cli::testing::Place;
use tinderbox_datasets::table::{CellKind, TableWriter, written_columns};

/// A run, and a file of so many rows, some over several lines.
fn place(rows: usize) -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_tabular"));
    let mut text = String::from("id,months,fee,plan,leaves\n");
    for at in 0..200 {
        let leaves = if at * 37 % 60 < 30 { "yes" } else { "no" };
        let plan = ["basic", "family"][at % 2];
        writeln!(text, "c{at},{},{}.5,{plan},{leaves}", at * 37 % 60, at % 90).unwrap();
    }
    place.write("train.csv", text);
    let train = [
        "train",
        "--data",
        "train.csv",
        "--target",
        "leaves",
        "--out",
        "run",
        "--quiet",
    ];
    let short = [
        "--no-baseline",
        "--no-report",
        "--epochs",
        "1",
        "--set",
        "model.d_block=8",
    ];
    let small = ["--set", "model.n_members=2"];
    place.run(&[&train[..], &short, &small].concat()).ok();
    place.write("many.csv", many(rows));
    place
}

fn many(rows: usize) -> String {
    let mut text = String::from("id,months,fee,plan,note\n");
    for at in 0..rows {
        let plan = ["basic", "family", "none"][at % 3];
        let note = if at % 50 == 0 {
            "\"two\nlines, \"\"quoted\"\"\n\""
        } else {
            "-"
        };
        writeln!(text, "c{at},{},{}.25,{plan},{note}", at * 31 % 60, at % 90).unwrap();
    }
    text
}

const PREDICT: [&str; 3] = ["predict", "--run", "run"];

fn shard(place: &Place, part: &str, out: &str, more: &[&str]) -> tinderbox_cli::testing::Ran {
    let own = ["--shard", part, "--out", out, "many.csv"];
    place.run(&[&PREDICT[..], &own, more].concat())
}

fn merge(place: &Place, dir: &str, out: &str) -> tinderbox_cli::testing::Ran {
    place.run(&["predict", "--merge", dir, "--out", out])
}

/// The manifests and predictions in a folder, without temporary files.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    let mut files: Vec<_> = files
        .filter(|(name, _)| name.starts_with("part-"))
        .collect();
    files.sort();
    files
}

#[test]
fn merged_parts_are_the_bytes_of_one_prediction() {
    let place = place(20_000);
    let cases: [(&str, &[&str], &[u64]); 3] = [
        ("csv", &["--keep"], &[1, 3, 16]),
        ("jsonl", &["--json", "--id", "id"], &[3]),
        ("parquet", &["--parquet", "--id", "note"], &[1, 3]),
    ];
    for (end, flags, counts) in cases {
        let whole = format!("whole.{end}");
        let args = ["--out", &whole, "many.csv"];
        place.run(&[&PREDICT[..], &args, flags].concat()).ok();
        for count in counts {
            let (dir, merged) = (format!("{end}-{count}"), format!("merged-{count}.{end}"));
            // The last part first: their order does not matter.
            for number in (1..=*count).rev() {
                shard(&place, &format!("{number}/{count}"), &dir, flags).ok();
            }
            merge(&place, &dir, &merged).ok();
            let [whole, merged] = [&whole, &merged].map(|name| fs::read(place.path(name)).unwrap());
            assert!(whole == merged, "{end}, {count} parts");
        }
    }
    // What is printed is what is written.
    let printed = place.run(&["predict", "--merge", "csv-3"]);
    let whole = fs::read_to_string(place.path("whole.csv")).unwrap();
    assert_eq!(printed.ok().stdout, whole);
    assert!(
        printed
            .stderr
            .contains("merged 20,000 predictions of 3 parts"),
        "{}",
        printed.stderr
    );
}

/// A CSV file without quotes as Parquet, with text in all columns but the numbers.
fn write_parquet(csv: &str, path: &Path) {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let kind = |name: &str| match name {
        "months" => CellKind::Whole,
        "fee" => CellKind::Number,
        _ => CellKind::Text,
    };
    let columns: Vec<(String, CellKind)> = head
        .iter()
        .map(|name| ((*name).to_owned(), kind(name)))
        .collect();
    let mut table = TableWriter::new(fs::File::create(path).unwrap(), &columns).unwrap();
    lines.for_each(|row| table.row(&row).unwrap());
    table.finish().unwrap();
}

#[test]
fn parts_without_rows_are_whole_files() {
    let place = place(0);
    let rows = many(4).replace("\"two\nlines, \"\"quoted\"\"\n\"", "-");
    place.write("many.csv", &rows);
    write_parquet(&rows, &place.path("many.parquet"));
    let cases = [
        ("many.csv", "csv"),
        ("many.csv", "parquet"),
        ("many.parquet", "csv"),
        ("many.parquet", "parquet"),
    ];
    for (at, (input, end)) in cases.into_iter().enumerate() {
        let flags: &[&str] = match end {
            "parquet" => &["--parquet", "--id", "id"],
            _ => &["--id", "id"],
        };
        let whole = format!("whole-{at}.{end}");
        let args = ["--out", &whole, input];
        place.run(&[&PREDICT[..], &args, flags].concat()).ok();
        // More parts than rows, and than groups of rows.
        let (dir, merged) = (format!("parts-{at}"), format!("merged-{at}.{end}"));
        let mut empty = 0;
        for number in 1..=6 {
            let part = format!("{number}/6");
            let own = ["--shard", &part, "--out", &dir, input];
            place.run(&[&PREDICT[..], &own, flags].concat()).ok();
            let file = format!("{dir}/part-{number:05}-of-00006-1.{end}");
            if end == "parquet" {
                let [part, whole] = [&file, &whole].map(|name| written_columns(&place.path(name)));
                assert_eq!(part.unwrap(), whole.unwrap(), "{file}");
            }
            let manifest = place.path(&format!("{dir}/part-{number:05}-of-00006.json"));
            empty += usize::from(
                fs::read_to_string(manifest)
                    .unwrap()
                    .contains("\"rows\": 0"),
            );
        }
        assert!(empty >= 2, "{input}: {empty}");
        merge(&place, &dir, &merged).ok();
        let [whole, merged] = [&whole, &merged].map(|name| fs::read(place.path(name)).unwrap());
        assert!(whole == merged, "{input}, {end}");
    }
}

#[test]
fn a_table_has_columns_or_is_not_written() {
    let place = place(0);
    let parquet = ["--parquet", "--skip-errors"];
    let is_left = || {
        let parts = fs::read_dir(place.path("out")).into_iter().flatten();
        parts.count() > 0 || place.path("all.parquet").exists()
    };
    for (content, words) in [
        ("id,months,fee,plan,note\n", "but no rows"),
        (
            "id,months,fee,plan,note\nc1,many,2,basic,-\n",
            "no row could be predicted",
        ),
    ] {
        place.write("many.csv", content);
        shard(&place, "1/2", "out", &parquet).failed(2, &[words]);
        let all = [
            &PREDICT[..],
            &["--out", "all.parquet", "many.csv"],
            &parquet,
        ]
        .concat();
        place.run(&all).failed(2, &[words]);
        assert!(!is_left(), "{content}");
    }
}

#[test]
fn a_killed_part_is_lost_alone_and_a_finished_one_is_skipped() {
    let place = place(300_000);
    shard(&place, "1/2", "out", &[]).ok();
    let first = files(&place.path("out"));
    let args = [
        &PREDICT[..],
        &["--shard", "2/2", "--out", "out", "many.csv"],
    ]
    .concat();
    let mut child = place.command(&args).spawn().unwrap();
    let begun = Instant::now();
    let is_temporary = |name: &str| name.starts_with(".tinderbox-");
    let working = || {
        let entries = fs::read_dir(place.path("out")).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.any(|name| is_temporary(&name))
    };
    while !working() {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "the part is not written"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(files(&place.path("out")), first, "nothing else is there");
    merge(&place, "out", "merged.csv").failed(2, &["lacks part 2 of 2", "--shard 2/2"]);
    assert!(!place.path("merged.csv").exists());

    shard(&place, "2/2", "out", &[]).ok();
    let again = shard(&place, "1/2", "out", &[]);
    assert!(
        again.ok().stderr.contains("part 1 of 2 is finished"),
        "{}",
        again.stderr
    );
    let both = files(&place.path("out"));
    assert_eq!(both[..first.len()], first);
    merge(&place, "out", "merged.csv").ok();
    place
        .run(&[&PREDICT[..], &["--out", "whole.csv", "many.csv"]].concat())
        .ok();
    let [whole, merged] =
        ["whole.csv", "merged.csv"].map(|name| fs::read(place.path(name)).unwrap());
    assert!(whole == merged);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let place = place(9_000);
    for (part, words) in [
        ("5/4", "there is no part 5 of 4"),
        ("0/4", "between 1 and 4"),
        ("1/0", "the number of parts must be between 1 and 100000"),
        ("1", "is not of the form `I/N`"),
    ] {
        shard(&place, part, "bad", &[]).failed(2, &[words]);
    }
    let no_out = [&PREDICT[..], &["--shard", "1/2", "many.csv"]].concat();
    place.run(&no_out).failed(2, &["--out"]);
    shard(&place, "1/2", "train.csv", &[]).failed(2, &["`train.csv` is a file"]);
    let stdin = [&PREDICT[..], &["--shard", "1/2", "--out", "bad", "-"]].concat();
    place.run(&stdin).failed(2, &["cannot be read in parts"]);
    merge(&place, "run", "merged.csv").failed(2, &["no finished part"]);

    shard(&place, "1/2", "out", &[]).ok();
    // The device that was used, so that naming it makes no difference.
    let manifest = fs::read_to_string(place.path("out/part-00001-of-00002.json")).unwrap();
    assert!(!manifest.contains("\"auto\""), "{manifest}");
    shard(&place, "1/2", "out", &["--threshold", "0.2"]).failed(2, &["the flags differ"]);
    shard(&place, "1/2", "out", &["--json"]).failed(2, &["the output format differs"]);
    shard(&place, "2/2", "out", &["--threshold", "0.2"]).ok();
    merge(&place, "out", "merged.csv").failed(2, &["parts 1 and 2 of 2", "the flags differ"]);

    // Another file of the same name and size.
    shard(&place, "1/2", "files", &[]).ok();
    place.write("many.csv", many(9_000).replacen("c1,31,", "c1,32,", 1));
    shard(&place, "1/2", "files", &[]).failed(2, &["the input differs"]);
    shard(&place, "2/2", "files", &[]).ok();
    let words = [
        "parts 1 and 2 of 2",
        "`many.csv` was not the same file for both",
    ];
    merge(&place, "files", "merged.csv").failed(2, &words);
    shard(&place, "1/3", "files", &[]).ok();
    merge(&place, "files", "merged.csv").failed(2, &["parts of 2 and of 3"]);

    // A part that was changed is noticed, and made again.
    shard(&place, "1/1", "changed", &[]).ok();
    merge(&place, "changed", "merged.parquet").failed(2, &["`.csv`"]);
    let name = "changed/part-00001-of-00001-1.csv";
    let part = place.path(name);
    let right = fs::read(&part).unwrap();
    // What was predicted and the parts are not written over.
    let input = fs::read(place.path("many.csv")).unwrap();
    merge(&place, "changed", "many.csv").failed(2, &["`--out many.csv` is an input"]);
    merge(&place, "changed", name).failed(2, &["is a file of the parts; name another file"]);
    assert!(fs::read(place.path("many.csv")).unwrap() == input);
    assert!(fs::read(&part).unwrap() == right);
    fs::write(&part, [&right[..right.len() - 2], b"9\n"].concat()).unwrap();
    merge(&place, "changed", "merged.csv").failed(2, &["is not as it was written"]);
    assert!(!place.path("merged.csv").exists());
    let printed = place.run(&["predict", "--merge", "changed"]);
    printed.failed(2, &["is not as it was written"]);
    assert_eq!(printed.stdout, "");
    let again = shard(&place, "1/1", "changed", &[]);
    assert!(
        again.ok().stderr.contains("damaged and is made again"),
        "{}",
        again.stderr
    );
    assert_eq!(fs::read(&part).unwrap(), right);
    merge(&place, "changed", "merged.csv").ok();
    fs::write(place.path("changed/part-00001-of-00001.json"), "{").unwrap();
    merge(&place, "changed", "merged.csv").failed(2, &["is damaged: remove it"]);
}
