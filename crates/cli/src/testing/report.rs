//! The report of a run in every app.

use std::fs;

use super::{AppUnderTest, Place};

/// Trains twice and checks that a run leaves a page and a card, that both are made again with the same bytes,
/// and that runs are compared.
pub fn check_report(app: &AppUnderTest<'_>) {
    let place = Place::new(app.binary);
    let train = |out: &str, more: &[&str]| {
        place
            .run(&[&["train", "--quiet", "--out", out][..], app.short, more].concat())
            .ok();
    };
    train("run", &[]);
    train("bare", &["--seed", "2", "--no-report"]);
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    for name in ["bare/report.html", "bare/README.md"] {
        assert!(!place.path(name).exists(), "{name}");
    }
    let (page, card) = (read("run/report.html"), read("run/README.md"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(
        card.starts_with("---\nlibrary_name: tinderbox\npipeline_tag: "),
        "{card}"
    );
    let command = format!("{} train --recipe recipe.toml", app.name);
    assert!(page.contains(&command) && card.contains(&command));
    for fetched in ["<script", "<link", "src=\"http", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    for file in ["report.html", "README.md"] {
        fs::remove_file(place.path("run").join(file)).unwrap();
    }
    // The model folder leads to its run.
    for run in ["run", "run/model"] {
        place.run(&["report", "--run", run]).ok();
        assert_eq!(read("run/report.html"), page);
        assert_eq!(read("run/README.md"), card);
    }
    super::export::check_export(&place);
    place
        .run(&[
            "report",
            "--run",
            "run",
            "--run",
            "bare",
            "--out",
            "both.html",
        ])
        .ok();
    assert!(read("both.html").contains("2 runs compared"));
    fs::remove_file(place.path("bare/sections.json")).unwrap();
    place.run(&["report", "--run", "bare"]).ok();
    assert!(read("bare/report.html").contains("The run has no <code>sections.json</code>"));
}
