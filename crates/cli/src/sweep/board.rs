//! The leaderboard of a sweep.

use std::fs;
use std::path::PathBuf;

use crate::escape::shell_word;
use anyhow::Context as _;
use serde_json::{Value, json};
use tinderbox_sweep::{Finished, Outcome, Search, Space, SweepDir, Tally, parallel_coordinates};
use tinderbox_train::run_dir::{RECIPE_FILE, SUMMARY_FILE};
use tinderbox_train::section::{Bar, Section};
use tinderbox_train::{MonitorMode, Report};

use super::worker::none_complete;
use super::{counted, of_folder};
use crate::app::App;
use crate::{Failure, OrUserError as _, Output, chart, note, table};

/// Trials on the leaderboard.
const SHOWN: usize = 10;

/// Prints the leaderboard, what mattered and where the best recipe is.
pub(super) fn show<A: App>(sweep: &SweepDir) -> Result<(), Failure> {
    let finished = sweep.finished().map_err(of_folder)?;
    let Some((metric, mode, leaders)) = sweep.leaderboard().map_err(of_folder)? else {
        return Err(none_complete(sweep, &finished));
    };
    let recipe = A::recipes().load(sweep.recipe(), &sweep.recipe_file())?;
    let settings = sweep.settings();
    let search = Search {
        space: Space::parse(sweep.space(), &recipe).or_user_error()?,
        sampler: settings.sampler,
        pruner: settings.pruner,
        seed: settings.seed,
        mode,
    };
    let mut out = Output::Stdout;
    let tally = Tally::of(&finished);
    out.line(&format!(
        "{} of {}: {}; ranked by {metric} on validation data",
        tally.total(),
        counted(settings.trials, "trial"),
        tally.text()
    ))?;
    out.line(&table(&rows(&search.space, &leaders, &metric)))?;
    let bars = importance(&search, &finished);
    if !bars.is_empty() {
        out.line(IMPORTANCE)?;
        out.line(&chart::lines(&bars))?;
    }
    let Some(leader) = leaders.first() else {
        return Ok(());
    };
    let best = sweep.best_dir();
    let recipe = recipe_of(sweep, leader);
    let is_tested = best.join(SUMMARY_FILE).is_file();
    match tested_before(sweep, mode, &leaders)? {
        Some(tested) => {
            note(&format!(
                "warning: trial {0} is better now than trial {1}, which was tested in `{2}`; the test split is used only \
                 once in a sweep: to test trial {0}, train its recipe, as in `{3} train --recipe {4}`, or begin a new sweep",
                leader.number + 1,
                tested.number + 1,
                best.display(),
                settings.app,
                shell_word(&recipe)
            ));
            out.line(&format!("best recipe so far {}", recipe.display()))
        }
        None if is_tested => out.line(&format!("best run {}", best.display())),
        None => out.line(&format!("best recipe so far {}", recipe.display())),
    }
}

/// The recipe that a trial was trained with.
fn recipe_of(sweep: &SweepDir, trial: &Finished) -> PathBuf {
    let run = sweep
        .path()
        .join("trials")
        .join(format!("{:04}", trial.number))
        .join(format!("seed-{}", sweep.settings().seed));
    run.join(RECIPE_FILE)
}

/// The trial that was tested, if another one that has finished since is better.
fn tested_before<'a>(
    sweep: &SweepDir,
    mode: MonitorMode,
    leaders: &'a [Finished],
) -> Result<Option<&'a Finished>, Failure> {
    let file = sweep.best_dir().join(SUMMARY_FILE);
    if !file.is_file() {
        return Ok(None);
    }
    let cannot = || format!("cannot read `{}`", file.display());
    let text = fs::read(&file).with_context(cannot)?;
    let summary: Value = serde_json::from_slice(&text).with_context(cannot)?;
    let number = summary["sweep"]["trial"].as_u64();
    let tested = leaders
        .iter()
        .find(|trial| Some(trial.number as u64 + 1) == number);
    let Some((tested, leader)) = tested.zip(leaders.first()) else {
        return Ok(None);
    };
    Ok(mode.improves(leader.score, tested.score).then_some(tested))
}

const IMPORTANCE: &str = "Share of the variance of the scores that each key explains (fANOVA)";

/// The line of a trial when it has finished.
pub(super) fn line(trial: &Finished, finished: &[Finished], trials: usize) -> String {
    let digits = trials.to_string().len();
    let head = format!("trial {:>digits$}/{trials}", trial.number + 1);
    let seconds = format!("{:.1} s", trial.seconds);
    match trial.outcome {
        Outcome::Complete => {
            let best = best_of(finished, trial.mode);
            let best = best.map_or(String::new(), |best| {
                format!("  best {} (trial {})", score(best), best.number + 1)
            });
            format!("{head}  {} {}{best}  {seconds}", trial.metric, score(trial))
        }
        Outcome::Pruned => format!(
            "{head}  stopped early: {} {:.4} after {}  {seconds}",
            trial.metric,
            trial.score,
            counted(trial.reports.len(), "epoch")
        ),
        Outcome::Failed => format!("{head}  failed: {}", trial.reason),
    }
}

fn best_of(finished: &[Finished], mode: MonitorMode) -> Option<&Finished> {
    let complete = finished
        .iter()
        .filter(|trial| trial.outcome == Outcome::Complete);
    complete.reduce(|best, trial| {
        if mode.improves(trial.score, best.score) {
            trial
        } else {
            best
        }
    })
}

/// What the search has found, before it is tested.
pub(super) fn winner(best: &Finished, metric: &str, finished: &[Finished]) -> String {
    if solved_nothing(best) {
        return format!(
            "none of {} solved the environment; training trial {}, which came closest on validation data, again to \
             test it",
            counted(finished.len(), "trial"),
            best.number + 1
        );
    }
    format!(
        "best of {}: trial {} with {metric} {} on validation data; training it again to test it",
        counted(finished.len(), "trial"),
        best.number + 1,
        score(best)
    )
}

/// Adds the search to the report of its best trial.
pub(super) fn add(
    report: &mut Report,
    search: &Search,
    finished: &[Finished],
    leaders: &[Finished],
    metric: &str,
) {
    let tally = Tally::of(finished);
    let Some(best) = leaders.first() else { return };
    let chosen = if solved_nothing(best) {
        format!(
            "None of {} ({}) solved the environment; the recipe is that of trial {}, which came closest on validation \
             data. The test split was used for this run only.",
            counted(tally.total(), "trial"),
            tally.text(),
            best.number + 1
        )
    } else {
        format!(
            "The recipe is the best of {} ({}) by {metric} on validation data: {}. Being chosen, that score is \
         optimistic; the test split was used for this run only.",
            counted(tally.total(), "trial"),
            tally.text(),
            score(best)
        )
    };
    report.sections.push(Section::text(chosen));
    let rows = rows(&search.space, leaders, metric);
    report.sections.push(Section::table("Best trials", rows));
    let bars = importance(search, finished);
    if !bars.is_empty() {
        report.sections.push(Section::bars(IMPORTANCE, bars));
    }
    let chart = parallel_coordinates(&search.space, finished, metric);
    report.appendix.push(chart);
    report.details.insert(
        "sweep".to_owned(),
        json!({
            "trial": best.number + 1,
            "trials": tally.total(),
            "complete": tally.complete,
            "pruned": tally.pruned,
            "failed": tally.failed,
            "metric": metric,
            "valid": best.score,
        }),
    );
}

fn importance(search: &Search, finished: &[Finished]) -> Vec<Bar> {
    let all = search.importance(finished);
    let bars = all.into_iter().map(|one| Bar {
        name: one.key,
        value: one.share,
        note: format!("{:.0}%", one.share * 100.0),
    });
    bars.collect()
}

fn rows(space: &Space, leaders: &[Finished], metric: &str) -> Vec<Vec<String>> {
    let keys = space
        .parameters()
        .iter()
        .map(|parameter| parameter.key.as_str());
    let short = keys
        .clone()
        .map(|key| key.rsplit('.').next().unwrap_or(key).to_owned());
    let head = ["trial".to_owned(), metric.to_owned()];
    let mut rows = vec![head.into_iter().chain(short).collect::<Vec<_>>()];
    for trial in leaders.iter().take(SHOWN) {
        let values = keys.clone().map(|key| {
            let value = trial.values.get(key);
            value.map_or("-".to_owned(), |value| match value {
                toml::Value::String(text) => text.clone(),
                value => value.to_string(),
            })
        });
        let head = [(trial.number + 1).to_string(), score(trial)];
        rows.push(head.into_iter().chain(values).collect());
    }
    rows
}

/// A score with its standard deviation, if it has one. That of a trial that solved nothing is no number of its metric.
fn score(trial: &Finished) -> String {
    let all = trial.scores.len();
    match trial.unsolved {
        0 => number(trial),
        _ if solved_nothing(trial) => "not solved".to_owned(),
        unsolved => format!("{} ({unsolved} of {all} not solved)", number(trial)),
    }
}

/// Whether there was something to solve, and no training of a trial did.
fn solved_nothing(trial: &Finished) -> bool {
    trial.unsolved > 0 && trial.unsolved >= trial.scores.len()
}

fn number(trial: &Finished) -> String {
    let digits = if trial.score.abs() >= 1000.0 { 0 } else { 4 };
    let score = format!("{:.digits$}", trial.score);
    if trial.scores.len() > 1 {
        format!("{score} ± {:.digits$}", trial.deviation)
    } else {
        score
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_trial_that_solved_nothing_has_no_number() {
        let mut trial = Finished {
            number: 0,
            values: BTreeMap::new(),
            outcome: Outcome::Complete,
            metric: "steps_to_solve".to_owned(),
            mode: MonitorMode::Min,
            score: 2_727.0,
            deviation: 10.0,
            scores: vec![2_717.0, 2_737.0],
            unsolved: 0,
            reports: Vec::new(),
            seconds: 1.0,
            reason: String::new(),
        };
        assert_eq!(score(&trial), "2727 ± 10");
        trial.unsolved = 1;
        assert_eq!(score(&trial), "2727 ± 10 (1 of 2 not solved)");
        trial.unsolved = 2;
        assert_eq!(score(&trial), "not solved");
    }
}
