//! The command `sweep` of every app.

use std::fs;

use serde_json::Value;

use super::Place;

/// Checks a sweep of two trials with the flags `train`: only the best run is tested, and the leaderboard shows both.
pub fn check_sweep(place: &Place, train: &[&str]) {
    let own = ["sweep", "--trials", "2", "--out", "sweep", "--no-baseline"];
    let is_other = |flag: &&&str| !own.contains(*flag) && **flag != "--quiet";
    let train: Vec<&str> = train.iter().filter(is_other).copied().collect();
    let ran = place.run(&[&own[..], &train].concat());
    ran.ok();
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    for words in [
        "2 trials over",
        "trial 1/2",
        "trial 2/2",
        // The best of them, or none that solved anything.
        "of 2 trials",
        "Best trials",
    ] {
        assert!(shown.contains(words), "`{words}` is not in: {shown}");
    }
    let read = |run: &str, name: &str| {
        fs::read_to_string(place.path(&format!("sweep/{run}/{name}"))).unwrap()
    };
    let summary = |run: &str| serde_json::from_str::<Value>(&read(run, "summary.json")).unwrap();
    let seed = summary("best")["seed"].clone();
    let mut scores = Vec::new();
    for trial in ["0000", "0001"] {
        let run = format!("trials/{trial}/seed-{seed}");
        assert_eq!(summary(&run)["test"], serde_json::json!({}), "{trial}");
        assert!(
            !read(&run, "metrics.jsonl").contains("\"split\":\"test\""),
            "{trial}"
        );
        let result: Value =
            serde_json::from_str(&read(&format!("trials/{trial}"), "result.json")).unwrap();
        assert_eq!(result["outcome"], "complete");
        scores.push(result["score"].as_f64().unwrap());
    }
    let best = summary("best");
    assert!(!best["test"].as_object().unwrap().is_empty());
    assert_eq!(best["sweep"]["trials"], 2);
    assert_eq!(best["sweep"]["test"], Value::Null);
    assert!(
        scores.contains(&best["sweep"]["valid"].as_f64().unwrap()),
        "{scores:?}"
    );
    assert!(read("best", "report.html").contains("svg class=\"wide axes\""));
    // The run is that of the trial, weights included.
    let recipes =
        ["0000", "0001"].map(|trial| read(&format!("trials/{trial}/seed-{seed}"), "recipe.toml"));
    let winner = recipes
        .iter()
        .position(|recipe| *recipe == read("best", "recipe.toml"))
        .unwrap();
    assert_eq!(best["sweep"]["trial"], winner + 1);
    let model = |run: &str| {
        let dir = place.path(&format!("sweep/{run}/model"));
        let entries = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut weights: Vec<_> = entries
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "safetensors")
            })
            .map(|path| fs::read(path).unwrap())
            .collect();
        weights.sort();
        weights
    };
    assert!(model("best") == model(&format!("trials/000{winner}/seed-{seed}")));
    let board = place.run(&["sweep", "--show", "sweep"]);
    board.ok();
    assert!(
        board
            .stdout
            .starts_with("2 of 2 trials: 2 trained to the end; ranked by "),
        "{}",
        board.stdout
    );
    // A finished one shows its result.
    let again = place.run(&["sweep", "--join", "sweep", "--quiet"]);
    again.ok();
    assert_eq!(again.stdout, board.stdout);
}
