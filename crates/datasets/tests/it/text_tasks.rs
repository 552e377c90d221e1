#![allow(clippy::unwrap_used, reason = "a helper may stop the test")]
//! Pairs of texts and texts of several labels, from every kind of file, and each kind of bad input.

use burn::data::dataset::Dataset;
use tinderbox_datasets::text::{
    MultiLabelSet, PairSet, TextError, TextOptions, read_multi_label, read_pairs,
};

fn pairs(name: &str, text: &str) -> Result<PairSet, TextError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let options = TextOptions {
        text: vec!["premise".into(), "hypothesis".into()],
        ..TextOptions::default()
    };
    read_pairs(&path, &options)
}

fn many(name: &str, text: &str, options: &TextOptions) -> Result<MultiLabelSet, TextError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_multi_label(&path, options)
}

fn message<T: std::fmt::Debug>(result: Result<T, TextError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn pairs_are_the_same_from_every_kind_of_file() {
    let csv = "label,hypothesis,premise\nyes, it is wet ,it rains\nno,it is dry,it rains\n";
    let json = "{\"premise\": \"it rains\", \"hypothesis\": \"it is wet\", \"label\": \"yes\"}\n\
                {\"premise\": \"it rains\", \"hypothesis\": \"it is dry\", \"label\": \"no\"}\n";
    let from_csv = pairs("t.csv", csv).unwrap();
    assert_eq!(from_csv.class_names(), ["no", "yes"]);
    let pair = from_csv.get(0).unwrap();
    assert_eq!(
        (pair.first.as_str(), pair.second.as_str()),
        ("it rains", "it is wet")
    );
    assert_eq!(pair.label, 1);
    assert_eq!(pairs("t.tsv", &csv.replace(',', "\t")).unwrap(), from_csv);
    assert_eq!(pairs("t.jsonl", json).unwrap(), from_csv);
    assert_eq!(from_csv.select(&[1]).pairs()[0].second, "it is dry");
}

#[test]
fn bad_pairs_are_named() {
    let header = "premise,hypothesis,label\n";
    let text = message(pairs("t.csv", &format!("{header}a,b,x\na,,y\n")));
    assert!(text.ends_with("t.csv` line 3: the text is empty"), "{text}");
    let text = message(pairs("t.csv", &format!("{header}a,b,x\na,c,\n")));
    assert!(
        text.ends_with("t.csv` line 3: the label is empty"),
        "{text}"
    );
    let text = message(pairs("t.csv", &format!("{header}a,b,x\na,c,x\n")));
    assert!(text.contains("have the class `x`"), "{text}");
    let text = message(pairs("t.csv", "premise,label\na,x\nb,y\n"));
    assert!(text.contains("has no column `hypothesis`"), "{text}");
    let text = message(pairs("t.jsonl", "{\"premise\": \"a\", \"label\": 1}\n"));
    assert!(text.contains("line 1: no key `hypothesis`"), "{text}");
    let one = read_pairs("t.csv".as_ref(), &TextOptions::default());
    assert!(message(one).contains("need two text columns"));
}

#[test]
fn several_labels_are_separated_or_listed() {
    let options = TextOptions::default();
    let csv = "text,label\nlate and broken,late | broken|late\nthanks,\nlate again,late\n";
    let from_csv = many("t.csv", csv, &options).unwrap();
    assert_eq!(from_csv.label_names(), ["broken", "late"]);
    let labels: Vec<&[u16]> = from_csv
        .items()
        .iter()
        .map(|item| &item.labels[..])
        .collect();
    assert_eq!(labels, [&[0, 1][..], &[], &[1]]);
    let listed =
        "text\tlabel\nlate and broken\t[\"late\", \"broken\"]\nthanks\t[]\nlate again\tlate;\n";
    assert_eq!(many("t.tsv", listed, &options).unwrap(), from_csv);
    let json = "{\"text\": \"late and broken\", \"label\": [\"late\", \"broken\"]}\n\
                {\"text\": \"thanks\", \"label\": null}\n\
                {\"text\": \"late again\", \"label\": \"late\"}\n";
    assert_eq!(many("t.jsonl", json, &options).unwrap(), from_csv);
    assert_eq!(from_csv.select(&[2]).get(0).unwrap().text, "late again");
}

#[test]
fn bad_labels_are_named() {
    let known = TextOptions {
        classes: Some(vec!["late".into(), "broken".into()]),
        ..TextOptions::default()
    };
    let csv = "text,label\na,late\nb,late|lost\n";
    let text = message(many("t.csv", csv, &known));
    assert!(text.ends_with("line 3: unknown class `lost`; the classes are late, broken"));
    assert_eq!(
        many("t.csv", "text,label\na,broken\n", &known)
            .unwrap()
            .items()[0]
            .labels,
        [1]
    );
    let text = message(many(
        "t.csv",
        "text,label\na,\nb,\n",
        &TextOptions::default(),
    ));
    assert!(text.contains("has no label"), "{text}");
    let text = message(many(
        "t.jsonl",
        "{\"text\": \"a\", \"label\": [{}]}\n",
        &known,
    ));
    assert!(
        text.contains("line 1: the value of `label` is not a string"),
        "{text}"
    );
    assert!(message(many("t.jsonl", "\n", &known)).ends_with("is empty"));
}
