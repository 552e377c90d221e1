//! Pages and cards of made-up runs.

use std::fmt::Write as _;

use std::fs;

use super::*;
use crate::card;

const BAD: &str =
    "</title></pre><script>alert(1)</script><img src=x onerror=y>\\\"'&|`*[a](http://b.c)";

/// A run with every file; `text` stands wherever a run stores a text from its data.
fn write_run(dir: &Path, text: &str, seed: u64) {
    let summary = serde_json::json!({
        "app": "vision", "recipe": text, "device": "cpu", "backend": "flex", "seed": seed, "burn": "0.22.1",
        "version": "0.1.0", "epochs": 3, "best_epoch": 2, "steps": 30, "samples": 300, "wall_s": 81.2,
        "parameters": 421_642, "valid": {"accuracy": 0.95, "loss": 0.2, "gone": null},
        "test": {"accuracy": 0.93 + seed as f64 / 100.0, "loss": 0.25, "ece": 0.02},
        "headline": {
            "metric": "accuracy", "mode": "max", "items": 120, "noun": ["image", "images"], "interval": [0.87, 0.96],
        },
        "data": {
            "summary": text, "duplicates": 2, "test_duplicates": 1, "valid_duplicates": 3,
            "test_similar": 4, "hash": "00ff",
            "splits": [{"name": "train", "count": 300, "source": text, "classes": [[text, 200], ["b", 100]]}],
        },
        "warnings": [text],
        "baselines": [{"method": text, "samples": 300, "wall_s": 1.0, "test": {"accuracy": 0.9}}],
        "comparison": {
            "metric": "accuracy", "model": 0.93, "baseline": 0.9, "method": text, "half_width": 0.02, "folds": 0,
            "verdict": "better",
        },
        "folds": {"count": 2, "test": {text: {text: {"mean": 0.9, "std": 0.01}}}},
        "images": [format!("images/{}.png", text.replace('/', "")), "images/learning-curves.png"],
    });
    fs::create_dir_all(dir.join("model")).unwrap();
    fs::create_dir_all(dir.join("images")).unwrap();
    fs::write(dir.join("summary.json"), summary.to_string()).unwrap();
    let mut lines = String::new();
    for epoch in 1..=3 {
        for (split, name, value) in [
            ("train", "epoch_loss", 1.0 / f64::from(epoch)),
            (
                "valid",
                "loss",
                0.5 + f64::from(epoch * epoch - 4 * epoch) / 10.0,
            ),
            ("valid", text, 0.5),
        ] {
            let line = serde_json::json!({
                "step": epoch * 10, "epoch": epoch, "split": split, "name": name, "value": value, "wall_s": 0.0,
            });
            let _ = writeln!(lines, "{line}");
        }
    }
    fs::write(dir.join("metrics.jsonl"), lines).unwrap();
    let recipe = toml::Table::from_iter([
        ("name".to_owned(), toml::Value::from(text)),
        ("seed".to_owned(), toml::Value::from(seed.cast_signed())),
    ]);
    fs::write(dir.join("recipe.toml"), recipe.to_string()).unwrap();
    let model = serde_json::json!({
        "kind": "image-classifier", "model": {"kind": text}, "labels": [text, "b"], "temperature": 1.2,
    });
    fs::write(dir.join("model/model.json"), model.to_string()).unwrap();
    let rows = vec![vec![text.to_owned(); 2]; 2];
    let sections = vec![
        tinderbox_train::Section::text(text),
        tinderbox_train::Section::table(text, rows),
        tinderbox_train::Section::bars(
            text,
            vec![tinderbox_train::section::Bar {
                name: text.to_owned(),
                value: 1.0,
                note: text.to_owned(),
            }],
        ),
    ];
    tinderbox_train::Section::save_all(&sections, dir).unwrap();
    let name = format!("images/{}.png", text.replace('/', ""));
    image::RgbImage::new(3, 2)
        .save_with_format(dir.join(name), image::ImageFormat::Png)
        .unwrap();
}

fn runs(text: &str, count: u64) -> (tempfile::TempDir, Vec<Run>) {
    let place = tempfile::tempdir().unwrap();
    let read = |seed| {
        let dir = place.path().join(format!("run-{seed}"));
        write_run(&dir, text, seed);
        Run::read(&dir).unwrap()
    };
    let runs = (0..count).map(read).collect();
    (place, runs)
}

#[test]
fn markup_in_any_text_of_a_run_stays_text_on_the_page_and_in_the_card() {
    let (_place, runs) = runs(BAD, 2);
    for page in [page(&runs[..1]), page(&runs)] {
        assert!(
            !page.contains("<script") && !page.contains("<img src=x"),
            "{page}"
        );
        assert_eq!(page.matches("</title>").count(), 1);
        assert!(page.contains("&lt;script&gt;"));
    }
    assert_eq!(page(&runs[..1]).matches("src=\"data:image").count(), 1);
    let card = card(&runs[0]);
    assert!(
        !card.contains("<script") && !card.contains("<img"),
        "{card}"
    );
    // The front matter ends where it should, and holds the text as a string.
    let parts: Vec<&str> = card.split("\n---\n").collect();
    assert_eq!(parts.len(), 2, "{card}");
    assert!(
        parts[0].contains("- name: \"\\u003c/title\\u003e"),
        "{}",
        parts[0]
    );
}

#[test]
fn baselines_without_a_comparison_are_named_all_the_same() {
    let (_place, mut runs) = runs("digits", 1);
    let summary = runs[0].summary.as_mut().unwrap();
    summary.details.remove("comparison");
    let best = tinderbox_train::run_dir::Baseline {
        method: "nearest neighbor".to_owned(),
        test: [("accuracy".to_owned(), 0.91)].into(),
        ..Default::default()
    };
    summary.baselines.push(best);
    let text = page(&runs);
    for words in [
        "The best baseline, nearest neighbor, has 91.0%.",
        "best baseline: nearest neighbor",
    ] {
        assert!(text.contains(words), "{words}");
    }
    runs[0].summary.as_mut().unwrap().baselines.clear();
    assert!(page(&runs).contains("There is no baseline to compare it with."));
}

#[test]
fn a_page_says_what_the_run_reached_and_fetches_nothing() {
    let (_place, runs) = runs("digits", 1);
    let page = page(&runs);
    for words in [
        "Accuracy 93.0% (95% confidence interval 87.0% to 96.0%) on 120 test images",
        "This model is better than the best baseline",
        "best epoch 2",
        "After epoch 2 the validation loss rose from",
        "vision train --recipe recipe.toml --device cpu",
        "00ff",
        "1 item of the test split also occurs in the training or validation split",
        "3 items of the validation split also occur in the training split",
        "4 items of the test split differ from one of the training or validation split only in case",
        "prefers-color-scheme:dark",
        "Resolved recipe",
    ] {
        assert!(page.contains(words), "`{words}` is not in: {page}");
    }
    for fetched in ["http://", "https://", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    // Its chart is on the page.
    assert!(!page.contains("learning-curves.png"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (place, runs) = runs("digits", 2);
    let again = Run::read(&place.path().join("run-0")).unwrap();
    assert_eq!(page(&runs[..1]), page(std::slice::from_ref(&again)));
    assert_eq!(card(&runs[0]), card(&again));
    assert_eq!(page(&runs), page(&runs));
}

#[test]
fn runs_side_by_side_have_their_curves_and_what_differs() {
    let (_place, runs) = runs("digits", 3);
    let page = page(&runs);
    assert!(page.contains("3 runs compared"));
    assert!(
        page.contains("Best accuracy: 0.9500 of digits, run-2."),
        "{page}"
    );
    assert!(page.contains("2 other runs overlap"));
    assert!(page.contains("<td>seed</td><td>0</td><td>1</td><td>2</td>"));
    assert!(page.contains("<h2>Over seeds</h2>"));
    // The card is as narrow as a chart.
    assert!(page.contains("<th>mean</th><th>std</th>"), "{page}");
    assert!(page.contains("digits, seeds 0, 1, 2"), "{page}");
    assert!(!page.contains("<td>name</td>"), "a key that is equal");
    // One chart of each metric with a line for each run.
    assert_eq!(page.matches("<polyline").count(), 2 * 3);
}

#[test]
fn no_run_is_the_best_of_different_environments_or_data() {
    let (_place, mut runs) = runs("digits", 2);
    let set = |run: &mut Run, name: &str| {
        let details = &mut run.summary.as_mut().unwrap().details;
        details.insert("environment".to_owned(), name.into());
    };
    for run in &mut runs {
        set(run, "CartPole-v1");
    }
    let same = page(&runs);
    assert!(same.contains("Best accuracy"), "{same}");
    assert!(same.contains("<td>environment</td>"), "{same}");
    set(&mut runs[1], "Acrobot-v1");
    let text = page(&runs);
    assert!(
        text.contains("The runs are of different environments"),
        "{text}"
    );
    assert!(!text.contains("Best accuracy"), "{text}");
    set(&mut runs[1], "CartPole-v1");
    let data = runs[1].summary.as_mut().unwrap().data.as_mut().unwrap();
    data.hash = Some("11ee".to_owned());
    let text = page(&runs);
    assert!(text.contains("The runs are of different data"), "{text}");
    assert!(!text.contains("Best accuracy"), "{text}");
}

#[test]
fn a_page_without_analyses_says_what_is_missing() {
    let (place, _) = runs("digits", 1);
    let dir = place.path().join("run-0");
    for name in ["sections.json", "metrics.jsonl"] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    let run = Run::read(&dir).unwrap();
    let text = page(std::slice::from_ref(&run));
    assert!(text.contains("The run has no <code>sections.json</code>: this page lacks analyses"));
    assert!(text.contains("this page lacks curves"));
    fs::rename(dir.join("model"), place.path().join("copy")).unwrap();
    let run = Run::read(&place.path().join("copy")).unwrap();
    let text = page(std::slice::from_ref(&run));
    assert!(text.contains("This model folder has no run"), "{text}");
    assert!(card(&run).contains("This model folder has no run"));
}

#[test]
fn the_card_has_the_front_matter_of_the_hub() {
    let (_place, runs) = runs("digits", 1);
    let card = card(&runs[0]);
    let front = "---\nlibrary_name: tinderbox\npipeline_tag: image-classification\ntags:\n- tinderbox\n- burn\n\
                 - \"digits\"\nmetrics:\n- \"accuracy\"\n- \"ece\"\n- \"loss\"\nmodel-index:\n- name: \"digits\"\n";
    assert!(card.starts_with(front), "{card}");
    for words in [
        "## Limitations",
        "## Scores",
        "this model, test",
        "Classes: digits, b.",
    ] {
        assert!(card.contains(words), "`{words}` is not in: {card}");
    }
}
