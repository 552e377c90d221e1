#![allow(clippy::unwrap_used, reason = "a helper may stop the test")]
//! Labeled texts from every kind of file, and each kind of bad input.

use std::io::Write;
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::ops::ControlFlow;

use tinderbox_datasets::text::{
    Labels, PlainText, RowOptions, TextError, TextOptions, TextReport, TextSet, for_each_text,
    read_columns, read_delimited, read_json_lines, read_tar, read_texts, read_texts_with_report,
};

const MIB: usize = 1 << 20;

fn csv(text: impl AsRef<[u8]>) -> Result<TextSet, TextError> {
    read_delimited(text.as_ref(), "t.csv", &TextOptions::default())
}

fn json(text: impl AsRef<[u8]>) -> Result<TextSet, TextError> {
    read_json_lines(text.as_ref(), "t.jsonl", &TextOptions::default())
}

fn message<T: std::fmt::Debug>(result: Result<T, TextError>) -> String {
    result.unwrap_err().to_string()
}

fn pairs(set: &TextSet) -> Vec<(&str, &str)> {
    let name = |&label: &u16| set.class_names()[usize::from(label)].as_str();
    set.texts()
        .iter()
        .map(String::as_str)
        .zip(set.labels().iter().map(name))
        .collect()
}

const EXPECTED: [(&str, &str); 3] = [
    ("NA", "ham"),
    ("win \"big\", now", "spam"),
    ("see you", "ham"),
];

#[test]
fn every_kind_of_file_gives_the_same_set() {
    let from_csv =
        csv("id,label,text\n2,ham,NA\n1,spam,\"win \"\"big\"\", now\"\n3,ham, see you \n");
    let label_first = csv("ham\tNA\nspam\twin \"big\", now\nham\tsee you\n");
    let text_first = csv("NA\tham\nwin \"big\", now\tspam\nsee you\tham\n");
    let from_json = json(
        "{\"label\": \"ham\", \"text\": \"NA\"}\n\n\
         {\"text\": \"win \\\"big\\\", now\", \"label\": \"spam\"}\n\
         {\"text\": \"see you\", \"label\": \"ham\", \"more\": [1]}",
    );
    for set in [from_csv, label_first, text_first, from_json] {
        let set = set.unwrap();
        assert_eq!(pairs(&set), EXPECTED);
        assert_eq!(set.class_names(), ["ham", "spam"]);
    }
}

fn write(root: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn folders_and_archives_of_them_are_read_alike() {
    let files: [(&str, &[u8]); 5] = [
        ("pos/b.txt", b"good"),
        ("pos/a.txt", b"\xEF\xBB\xBFfine\n"),
        ("neg/c.txt", b"bad"),
        ("neg/.d.txt", b""),
        ("pos/notes.pdf", b"no text"),
    ];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &files);
    let from_folder = read_texts(dir.path(), &TextOptions::default()).unwrap();
    assert_eq!(
        pairs(&from_folder),
        [("bad", "neg"), ("fine", "pos"), ("good", "pos")]
    );
    let inside: Vec<(String, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (format!("root/{name}"), *bytes))
        .collect();
    let mut inside: Vec<(&str, &[u8])> = inside
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    inside.push(("README.2.0", b"\xFF"));
    let path = dir.path().join("texts.tar.gz");
    std::fs::write(&path, packed(&inside)).unwrap();
    assert_eq!(
        read_texts(&path, &TextOptions::default()).unwrap(),
        from_folder
    );
}

#[test]
fn the_ending_says_how_a_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let line = b"{\"text\": \"a b\", \"label\": 1}\n{\"text\": \"c\", \"label\": 0}\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(line).unwrap();
    write(
        dir.path(),
        &[
            ("t.jsonl", line),
            ("t.tsv", b"c\t0\na b\t1\nd\t0\n"),
            ("u.jsonl.gz", &gzip.finish().unwrap()),
        ],
    );
    for name in ["t.jsonl", "t.tsv", "u.jsonl.gz"] {
        let set = read_texts(&dir.path().join(name), &TextOptions::default()).unwrap();
        assert!(pairs(&set).contains(&("a b", "1")), "{name}");
    }
    // A time that puts a tab among the packed bytes.
    let mut gzip = GzBuilder::new()
        .mtime(u32::from(b'\t'))
        .write(Vec::new(), Compression::fast());
    gzip.write_all(b"text,label\na b,1\nd,0\n").unwrap();
    write(dir.path(), &[("t.csv.gz", &gzip.finish().unwrap())]);
    let set = read_texts(&dir.path().join("t.csv.gz"), &TextOptions::default()).unwrap();
    assert_eq!(pairs(&set), [("a b", "1"), ("d", "0")]);
    let missing = read_texts(&dir.path().join("no.csv"), &TextOptions::default());
    assert!(message(missing).starts_with("there is no file"));
}

#[test]
fn columns_are_chosen_joined_and_read_without_labels() {
    let text = "\"3\",\"Fears\",\"of many\"\n\"4\",\"The race\",\"is on\"\n";
    let options = TextOptions {
        text: vec!["column_2".into(), "column_3".into()],
        label: "column_1".into(),
        ..TextOptions::default()
    };
    let set = read_delimited(text.as_bytes(), "t.csv", &options).unwrap();
    assert_eq!(
        pairs(&set),
        [("Fears of many", "3"), ("The race is on", "4")]
    );
    let columns = read_columns(text.as_bytes(), "t.csv", &["column_3"], &options).unwrap();
    assert_eq!(columns, [["of many", "is on"]]);
}

#[test]
fn numbers_are_classes_in_the_order_of_numbers() {
    let set = csv("text,label\na,10\nb,9\nc,-1\n").unwrap();
    assert_eq!(set.class_names(), ["-1", "9", "10"]);
}

#[test]
fn a_label_unseen_before_is_named() {
    let options = TextOptions {
        classes: Some(vec!["spam".into(), "ham".into()]),
        ..TextOptions::default()
    };
    let read = |text: &str| read_delimited(text.as_bytes(), "t.csv", &options);
    assert_eq!(read("text,label\na,ham\n").unwrap().labels(), [1]);
    assert_eq!(
        message(read("text,label\na,ham\nb,eggs\n")),
        "`t.csv` line 3: unknown class `eggs`; the classes are spam, ham"
    );
}

#[test]
fn texts_that_are_tested_are_not_trained_on() {
    let train = csv("text,label\na,x\nb,y\nc,x\nb,y\n").unwrap();
    let test = csv("text,label\nc,x\nd,y\n").unwrap();
    assert_eq!(train.rows_not_in(&test), [0, 1]);
}

#[test]
fn empty_files_texts_and_labels_are_named() {
    assert_eq!(message(csv("")), "`t.csv` is empty");
    assert_eq!(message(json("\n")), "`t.jsonl` is empty");
    assert_eq!(
        message(csv("text,label\n")),
        "`t.csv` has a header of 2 columns, but no rows"
    );
    assert_eq!(
        message(csv("text,label\na,x\n  ,y\n")),
        "`t.csv` line 3: the text is empty"
    );
    assert_eq!(
        message(csv("text,label\na,x\nb,\n")),
        "`t.csv` line 3: the label is empty"
    );
    let null = json("{\"text\": \"a\", \"label\": null}\n");
    assert_eq!(message(null), "`t.jsonl` line 1: the label is empty");
    let dir = tempfile::tempdir().unwrap();
    let empty = message(read_texts(dir.path(), &TextOptions::default()));
    assert!(empty.ends_with("is empty"), "{empty}");
    write(dir.path(), &[("a/1.txt", b" \n")]);
    let empty = message(read_texts(dir.path(), &TextOptions::default()));
    assert!(empty.ends_with("1.txt`: the text is empty"), "{empty}");
}

#[test]
fn one_class_only_is_refused() {
    assert_eq!(
        message(csv("text,label\na,x\nb,x\n")),
        "all texts of `t.csv` have the class `x`; at least two classes are needed"
    );
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let text = message(csv(b"text,label\na,x\n\xFF,y\n"));
    assert!(
        text.starts_with("`t.csv` line 3: byte 0xff is not UTF-8"),
        "{text}"
    );
    let text = message(json(b"{\"text\": \"\xFF\", \"label\": 1}\n"));
    assert!(text.starts_with("`t.jsonl` line 1: not UTF-8"), "{text}");
    let files: [(&str, &[u8]); 2] = [("a/1.txt", b"caf\xE9"), ("b/2.txt", b"tea")];
    let archive = packed(&files);
    let read = |options: &TextOptions| read_tar(archive.as_slice(), "t.tar.gz", options);
    let text = message(read(&TextOptions::default()));
    assert!(text.starts_with("`t.tar.gz:a/1.txt`: not UTF-8"), "{text}");
    let options = TextOptions {
        encoding: Some("latin1".parse().unwrap()),
        ..TextOptions::default()
    };
    assert_eq!(read(&options).unwrap().texts()[0], "café");
}

#[test]
fn a_line_of_50_mib_is_refused() {
    let long = "x".repeat(50 * MIB);
    let limit = "the text is longer than 16777216 bytes";
    let text = message(csv(format!("text,label\na,x\n{long},y\n")));
    assert_eq!(text, format!("`t.csv` line 3: {limit}"));
    let line = format!("{{\"text\": \"{long}\", \"label\": 1}}\n");
    assert_eq!(message(json(&line)), format!("`t.jsonl` line 1: {limit}"));
    let longer = line.replace(&long, &"x".repeat(120 * MIB));
    assert_eq!(message(json(longer)), format!("`t.jsonl` line 1: {limit}"));
    let archive = packed(&[("a/1.txt", long.as_bytes())]);
    let text = message(read_tar(
        archive.as_slice(),
        "t.tar.gz",
        &TextOptions::default(),
    ));
    assert_eq!(text, format!("`t.tar.gz:a/1.txt`: {limit}"));
}

#[test]
fn missing_columns_and_keys_are_named_with_those_that_are_there() {
    assert_eq!(
        message(csv("body,label\na b,x\nc d,y\n")),
        "`t.csv` has no column `text`; its columns are `body`, `label`"
    );
    assert_eq!(
        message(json("{\"body\": \"a\", \"label\": 1}\n")),
        "`t.jsonl` line 1: no key `text`; the keys are `body`, `label`"
    );
    let list = json("{\"text\": [\"a\"], \"label\": 1}\n");
    assert_eq!(
        message(list),
        "`t.jsonl` line 1: the value of `text` is not a string, number or boolean"
    );
}

#[test]
fn malformed_json_is_named_by_line() {
    for bad in ["{\"text\": ", "[1]", "no", "{} {}"] {
        let text = message(json(format!("{{\"text\": \"a\", \"label\": 1}}\n{bad}\n")));
        assert!(
            text.starts_with("`t.jsonl` line 2: not a JSON object: "),
            "{text}"
        );
    }
}

#[test]
fn a_text_in_no_folder_has_no_class() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a/1.txt", b"x"), ("b.txt", b"y")]);
    let text = message(read_texts(dir.path(), &TextOptions::default()));
    assert!(
        text.contains("b.txt` is not in a class folder; if"),
        "{text}"
    );
    let archive = packed(&[("b.txt", b"y")]);
    let read = read_tar(archive.as_slice(), "t.tar", &TextOptions::default());
    assert_eq!(message(read), "`t.tar:b.txt` is not in a class folder");
}

#[test]
fn damaged_archives_are_errors() {
    let archive = packed(&[("a/1.txt", b"x"), ("b/2.txt", b"y")]);
    let cut = &archive[..archive.len() / 2];
    assert!(matches!(
        read_tar(cut, "t.tar.gz", &TextOptions::default()),
        Err(TextError::Archive(_) | TextError::Read { .. })
    ));
}

#[test]
fn the_content_decides_between_tables_and_json() {
    let dir = tempfile::tempdir().unwrap();
    let lines = b"{\"label\": \"x\", \"text\": \"a, b\"}\n{\"label\": \"y\", \"text\": \"c\"}\n";
    let array =
        b"[\n {\"label\": \"x\", \"text\": \"a, b\"},\n {\"label\": \"y\", \"text\": \"c\"}\n]";
    let table = b"label,text\nx,\"a, b\"\ny,c\n";
    let files: [(&str, &[u8]); 5] = [
        ("lines.json", lines),
        ("array.json", array),
        ("lines.csv", lines),
        ("array.txt", array),
        ("table.txt", table),
    ];
    write(dir.path(), &files);
    for (name, _) in files {
        let set = read_texts(&dir.path().join(name), &TextOptions::default()).unwrap();
        assert_eq!(pairs(&set), [("a, b", "x"), ("c", "y")], "{name}");
    }
    for (text, expected) in [
        (
            "[{\"text\": \"a\", \"label\": 1}, {\"text\": \"b\"}]",
            "element 2: no key `label`",
        ),
        (
            "[{\"text\": \"a\", \"label\": 1}, 7]",
            "element 2: `7` is not a JSON object",
        ),
        (
            "[{\"text\": \"a\", \"label\": 1}, {\"te",
            "is not a valid JSON array of objects: EOF",
        ),
        (
            "{\"text\": {\"0\": \"a\"}, \"label\": {\"0\": 1}}",
            "orient=\"records\"",
        ),
        ("text,label\na,b\n", "line 1: not a JSON object"),
    ] {
        write(dir.path(), &[("bad.json", text.as_bytes())]);
        let read = read_texts(&dir.path().join("bad.json"), &TextOptions::default());
        let text = message(read);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn quotes_enclose_cells_between_tabs_where_that_is_evident_or_set() {
    let expected = [("a b", "x"), ("c\td", "y"), ("e", "x")];
    let quoted = "\"text\"\t\"label\"\n\"a b\"\t\"x\"\n\"c\td\"\t\"y\"\n\"e\"\t\"x\"\n";
    assert_eq!(pairs(&csv(quoted).unwrap()), expected);
    // A quote in the first cell alone decides nothing; the user may.
    let text = "text\tlabel\n\"Ok\" he said\tx\n\"c\"\ty\n";
    assert_eq!(csv(text).unwrap().texts()[1], "\"c\"");
    let options = TextOptions {
        quoting: Some(true),
        ..TextOptions::default()
    };
    let set = read_delimited(text.as_bytes(), "t.tsv", &options).unwrap();
    assert_eq!(set.texts()[1], "c");
}

#[test]
fn the_name_of_a_column_in_line_1_makes_it_the_header() {
    // The body holds both names again, which looks like a file without a header.
    let text = "text,label\nread the label,x\ntext,y\nsee you,label\n";
    assert_eq!(csv(text).unwrap().class_names(), ["label", "x", "y"]);
    // In any case, if there is only one such column.
    let text = "Text,LABEL\nread the label,x\nText,y\nText,LABEL\n";
    assert_eq!(csv(text).unwrap().class_names(), ["LABEL", "x", "y"]);
    let text = message(csv("1,Body,Topic\n2,read the label,x\n"));
    assert!(
        text.contains("`column_3`; line 1 (`1, Body, Topic`) is read as data"),
        "{text}"
    );
}

#[test]
fn empty_texts_are_skipped_and_counted_where_asked_for() {
    let options = TextOptions {
        skip_empty: true,
        ..TextOptions::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("t.csv", b"text,label\na,x\n,x\n \xE2\x80\x8B,y\nb,y\n"),
        (
            "t.json",
            b"[{\"text\": \"a\", \"label\": \"x\"}, {\"text\": null, \"label\": \"x\"},\n\
            {\"text\": \" \", \"label\": \"x\"}, {\"text\": \"b\", \"label\": \"y\"}]",
        ),
        ("folder/x/1.txt", b"a"),
        ("folder/y/2.txt", b"b"),
    ];
    write(dir.path(), &files);
    write(
        dir.path(),
        &[("folder/x/3.txt", b" \n"), ("folder/y/4.txt", b"")],
    );
    for name in ["t.csv", "t.json", "folder"] {
        let read = read_texts_with_report(&dir.path().join(name), &options);
        let (set, report) = read.unwrap();
        assert_eq!(pairs(&set), [("a", "x"), ("b", "y")], "{name}");
        assert_eq!(report.messages(), ["2 empty texts skipped"], "{name}");
        let strict = read_texts(&dir.path().join(name), &TextOptions::default());
        assert!(matches!(strict, Err(TextError::EmptyText { .. })), "{name}");
    }
}

#[test]
fn sub_folders_are_read_and_other_files_counted() {
    let files: [(&str, &[u8]); 12] = [
        ("pos/a.txt", b"fine"),
        ("pos/2024/b.md", b"good"),
        ("pos/2024/c", b"grand"),
        ("pos/2024/d", b"\0\x01"),
        ("pos/e.pdf", b"%PDF"),
        ("neg/f.TXT", b"bad"),
        ("neg/g.docx", b"PK"),
        ("neg/Thumbs.db", b"\0"),
        ("neg/.DS_Store", b"\0"),
        ("__MACOSX/neg/._f.txt", b"\0"),
        ("README.md", b"about"),
        ("LICENSE", b"free"),
    ];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &files);
    let expected = [
        ("bad", "neg"),
        ("grand", "pos"),
        ("good", "pos"),
        ("fine", "pos"),
    ];
    let skipped_files = "5 files skipped: 1 not a text file (.docx), 1 not a text file (.pdf), \
                    1 not text, 2 outside the class folders";
    let check = |name: &str, path: &Path, options: &TextOptions| {
        let (set, report) = read_texts_with_report(path, options).unwrap();
        let mut found = pairs(&set);
        found.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}");
        assert_eq!(report.messages(), [skipped_files], "{name}");
    };
    check("folder", dir.path(), &TextOptions::default());
    let outside = tempfile::tempdir().unwrap();
    let archive = outside.path().join("texts.tgz");
    std::fs::write(&archive, packed(&files)).unwrap();
    check("archive", &archive, &TextOptions::default());
}

#[test]
fn an_archive_with_split_folders_is_refused() {
    let files: [(&str, &[u8]); 4] = [
        ("root/train/pos/a.txt", b"a"),
        ("root/train/neg/b.txt", b"b"),
        ("root/test/pos/c.txt", b"c"),
        ("root/test/neg/d.txt", b"d"),
    ];
    let archive = packed(&files);
    let read = read_tar(archive.as_slice(), "t.tgz", &TextOptions::default());
    assert!(message(read).contains("unpack it"));
}

/// The texts of a file without labels, with what was found out, and the errors of rows.
fn unlabeled(path: &Path, plain: PlainText) -> (Vec<String>, Vec<String>, TextReport) {
    let rows = RowOptions {
        labels: Labels::None,
        pair: false,
        cells: true,
        plain,
    };
    let (mut texts, mut errors) = (Vec::new(), Vec::new());
    let report = for_each_text(path, rows, &TextOptions::default(), &mut |row| {
        match row {
            Ok(row) => texts.push(row.text()),
            Err(error) => errors.push(error.to_string()),
        }
        ControlFlow::Continue(())
    });
    (texts, errors, report.unwrap())
}

#[test]
fn rows_without_a_label_are_skipped_and_counted_where_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let table: &[u8] = b"text,label\none,a\ntwo,\n,b\nthree,b\n";
    write(dir.path(), &[("t.csv", table)]);
    let path = dir.path().join("t.csv");
    let options = TextOptions {
        skip_empty: true,
        ..TextOptions::default()
    };
    let (set, report) = read_texts_with_report(&path, &options).unwrap();
    assert_eq!(set.texts(), ["one", "three"]);
    assert_eq!((report.empty, report.unlabeled), (1, 1));
}

#[test]
fn a_folder_of_one_file_is_to_be_named_by_it() {
    for (name, words) in [
        (
            "texts.xlsx",
            "contains no texts (1 file skipped: 1 not a text file (.xlsx))",
        ),
        ("SMSSpamCollection", "is not in a class folder"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[(name, b"ham\tone\n")]);
        let error = read_texts(dir.path(), &TextOptions::default()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(words), "{error}");
        assert!(error.ends_with("name the file itself"), "{error}");
    }
}

#[test]
fn a_file_that_is_not_text_is_refused_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let long = [&b"a line\n".repeat(20_000)[..], b"\0\n"].concat();
    let files: [(&str, &[u8]); 5] = [
        ("base.zip", b"PK\x03\x04\n\x08\nabc\n"),
        ("program", b"\x7FELF\n\0\nabc\n"),
        ("bin.txt", b"one\ntwo\0\n"),
        ("late.txt", &long),
        ("wide.txt", b"\xFF\xFEa\0\n\0"),
    ];
    write(dir.path(), &files);
    let rows = RowOptions {
        labels: Labels::None,
        pair: false,
        cells: false,
        plain: PlainText::TableOrLines,
    };
    for (name, words) in [
        (
            "base.zip",
            "is a zip archive or an Excel workbook; unpack it",
        ),
        ("program", "is a binary file"),
        ("bin.txt", "is a binary file"),
        ("late.txt", "is a binary file"),
        ("wide.txt", "is in UTF-16; convert it to UTF-8"),
    ] {
        let path = dir.path().join(name);
        let read = for_each_text(&path, rows, &TextOptions::default(), &mut |_| {
            ControlFlow::Continue(())
        });
        let error = read.unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn texts_without_labels_come_from_every_kind_of_file() {
    let dir = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 9] = [
        ("t.csv", b"id,label,text\n1,x,\"a, b\"\n2,y,c\n"),
        ("only.csv", b"text\n\"a, b\"\nc\n"),
        ("header.txt", b"id\ttext\n1\ta, b\n2\tc\n"),
        ("t.jsonl", b"{\"text\": \"a, b\"}\n{\"text\": \"c\"}\n"),
        (
            "t.json",
            b"[{\"text\": \"a, b\"}, {\"text\": \"c\", \"label\": 1}]",
        ),
        ("list.json", b"[\"a, b\", \"c\"]"),
        ("lines.txt", b"\xEF\xBB\xBFa, b\r\nc\n\n"),
        ("docs/1.txt", b"a, b\n"),
        ("docs/more/2.md", b"c"),
    ];
    write(dir.path(), &files);
    for name in [
        "t.csv",
        "only.csv",
        "header.txt",
        "t.jsonl",
        "t.json",
        "list.json",
        "lines.txt",
        "docs",
    ] {
        let (texts, errors, _) = unlabeled(&dir.path().join(name), PlainText::TableOrLines);
        assert_eq!(texts, ["a, b", "c"], "{name}");
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let (texts, _, report) = unlabeled(&dir.path().join("lines.txt"), PlainText::TableOrWhole);
    assert_eq!(texts, ["a, b\r\nc"]);
    assert!(report.documents);
}

#[test]
fn a_bad_row_is_named_and_the_next_one_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("t.csv", b"id,text\n1,a\n2\n3,\n4,b\n"),
        (
            "t.jsonl",
            b"{\"text\": \"a\"}\nno\n{\"body\": 1}\n{\"text\": \"b\"}\n",
        ),
        ("t.txt", b"a\n\nb\xFF\nb\n\n"),
    ];
    write(dir.path(), &files);
    for (name, lines) in [("t.csv", [3, 4]), ("t.jsonl", [2, 3]), ("t.txt", [2, 3])] {
        let (texts, errors, _) = unlabeled(&dir.path().join(name), PlainText::TableOrLines);
        assert_eq!(texts, ["a", "b"], "{name}");
        assert_eq!(errors.len(), 2, "{name}: {errors:?}");
        for (error, line) in errors.iter().zip(lines) {
            assert!(error.contains(&format!("line {line}")), "{name}: {error}");
        }
    }
}
