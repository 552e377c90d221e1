//! From `--run` to the folder that inference needs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::escape::shell_word;
use serde_json::Value;
use tinderbox_predict::model_dir::{Located, SPEC_FILE, locate};
use tinderbox_train::run_dir::{MODEL_DIR, RECIPE_FILE};

use crate::{Failure, note};

/// What `model.json` calls each kind of model, the app that uses it, and commands that do.
const KINDS: [(&str, &str, &str); 7] = [
    (
        "image-classifier",
        "vision",
        "`vision predict` or `vision eval`",
    ),
    (
        "image-segmenter",
        "vision",
        "`vision predict` or `vision eval`",
    ),
    (
        "object-detector",
        "vision",
        "`vision predict` or `vision eval`",
    ),
    ("landmarker", "vision", "`vision predict` or `vision eval`"),
    ("text-model", "text", "`text predict` or `text eval`"),
    (
        "table-model",
        "tabular",
        "`tabular predict` or `tabular eval`",
    ),
    (
        "agent",
        "rl-cartpole",
        "`rl-cartpole play` or `rl-cartpole eval`",
    ),
];

/// The model folder that `--run` names: that of a run directory, which is the best so far of a run
/// that is not finished, or a model folder itself, or a file in it.
///
/// # Errors
///
/// If there is none, or the model is one of another app.
pub fn model_dir(run: &Path, app: &str) -> Result<PathBuf, Failure> {
    Ok(warned(run, find_for(run, app, None)?))
}

/// The same for a command that every app has, such as `serve`.
pub(crate) fn model_dir_for(run: &Path, app: &str, command: &str) -> Result<PathBuf, Failure> {
    Ok(warned(run, find_for(run, app, Some(command))?))
}

/// The model folder; a warning says that the run is not finished.
fn warned(run: &Path, located: Located) -> PathBuf {
    let Located { dir, finished } = located;
    if !finished {
        note(&format!(
            "warning: the run in `{}` is not finished: using its best weights so far",
            run.display()
        ));
    }
    dir
}

/// The same without a warning, for those who have been warned.
pub(crate) fn model_dir_again(run: &Path, app: &str) -> Result<PathBuf, Failure> {
    find_for(run, app, None).map(|located| located.dir)
}

/// The model of a run, if it is one of the app; or else the same `command` of the other app is advised.
fn find_for(run: &Path, app: &str, command: Option<&str>) -> Result<Located, Failure> {
    let located = find(run).ok_or_else(|| Failure::user(missing(run, app)))?;
    if let Some((_, owner, commands)) = kind(&located.dir)
        && owner != app
    {
        let name = run.display();
        let commands = command.map_or_else(
            || commands.to_owned(),
            |command| format!("`{owner} {command}`"),
        );
        return Err(Failure::user(format!(
            "`{name}` is a `{owner}` run: use {commands}"
        )));
    }
    Ok(located)
}

/// The same without a word, if there is one.
pub(crate) fn locate_model(run: &Path) -> Option<PathBuf> {
    find(run).map(|located| located.dir)
}

/// The recipe of the run that a model folder is part of, if it is part of one: it knows where the
/// training data is.
pub(crate) fn recipe_file(model: &Path) -> Option<PathBuf> {
    // Of a relative folder such as `.` the parent is not in its name.
    let model = fs::canonicalize(model).ok()?;
    // The best so far is in the folder of checkpoints.
    let folders = model.ancestors().skip(1).take(2);
    let files = folders.map(|folder| folder.join(RECIPE_FILE));
    files.into_iter().find(|file| file.is_file())
}

fn find(run: &Path) -> Option<Located> {
    if let Some(located) = locate(run) {
        return Some(located);
    }
    let folder = if run.is_file() { run.parent()? } else { run };
    let dir = if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder.to_owned()
    };
    let is_model = dir.join(SPEC_FILE).is_file();
    is_model.then_some(Located {
        dir,
        finished: true,
    })
}

fn kind(dir: &Path) -> Option<(&'static str, &'static str, &'static str)> {
    let text = fs::read_to_string(dir.join(SPEC_FILE)).ok()?;
    let spec: Value = serde_json::from_str(&text).ok()?;
    let kind = match spec.get("kind").and_then(Value::as_str) {
        Some(kind) => kind,
        // Agents were once saved without it.
        None if spec.get("environment").is_some() => "agent",
        None => return None,
    };
    KINDS.into_iter().find(|(known, _, _)| *known == kind)
}

/// Why there is no model, and which one may be meant.
fn missing(run: &Path, app: &str) -> String {
    let name = run.display();
    if !run.exists() {
        return format!("`{name}` contains no trained model: there is no such file or folder");
    }
    if run.join(RECIPE_FILE).is_file() {
        return format!(
            "the run in `{name}` has no trained model yet: resume it with `{app} train --resume {}` for at least one \
             epoch",
            shell_word(run)
        );
    }
    let hint = latest(run).map_or_else(String::new, |found| {
        format!(", did you mean `{}`?", found.display())
    });
    format!("`{name}` contains no trained model: it has no `{MODEL_DIR}` folder{hint}")
}

/// The latest of the runs in a folder, whose names begin with their times.
fn latest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let runs = entries.map(|entry| entry.path());
    runs.filter(|run| run.join(MODEL_DIR).is_dir()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(dir: &Path, spec: &str) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join(SPEC_FILE), spec).unwrap();
    }

    #[test]
    fn a_run_its_model_folder_and_a_copy_of_it_are_found() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        model(&at("run/model"), r#"{"kind": "text-model"}"#);
        model(&at("exported"), r#"{"kind": "text-model"}"#);
        for (given, found) in [
            ("run", "run/model"),
            ("run/model", "run/model"),
            ("run/model/model.json", "run/model"),
            ("exported", "exported"),
        ] {
            assert_eq!(model_dir(&at(given), "text").unwrap(), at(found), "{given}");
        }
    }

    #[test]
    fn the_same_command_of_the_other_app_is_advised() {
        let place = tempfile::tempdir().unwrap();
        model(place.path(), r#"{"kind": "image-classifier"}"#);
        let Err(Failure::UserError(error)) = model_dir_for(place.path(), "tabular", "serve") else {
            unreachable!("it is no table model");
        };
        let text = error.to_string();
        assert!(text.ends_with("use `vision serve`"), "{text}");
    }

    #[test]
    fn what_is_no_model_of_the_app_is_refused_with_advice() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        model(&at("runs/20260101/model"), r#"{"kind": "text-model"}"#);
        model(&at("runs/20260102/model"), r#"{"kind": "text-model"}"#);
        model(&at("image"), r#"{"kind": "image-classifier"}"#);
        model(&at("boxes"), r#"{"kind": "object-detector"}"#);
        model(&at("table"), r#"{"kind": "table-model"}"#);
        model(&at("agent"), r#"{"kind": "agent"}"#);
        model(&at("old-agent"), r#"{"environment": "CartPole-v1"}"#);
        fs::create_dir(at("empty")).unwrap();
        for name in ["unfinished", "un finished"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("recipe.toml"), "").unwrap();
        }
        for (given, app, words) in [
            (
                "runs/20260101",
                "tabular",
                "is a `text` run: use `text predict`",
            ),
            ("image", "text", "is a `vision` run: use `vision predict`"),
            ("boxes", "text", "is a `vision` run: use `vision predict`"),
            (
                "table",
                "rl-cartpole",
                "is a `tabular` run: use `tabular predict`",
            ),
            (
                "agent",
                "vision",
                "is a `rl-cartpole` run: use `rl-cartpole play`",
            ),
            ("old-agent", "tabular", "is a `rl-cartpole` run"),
            ("absent", "text", "there is no such file or folder"),
            ("empty", "text", "it has no `model` folder"),
            ("runs", "text", "20260102`?"),
            ("unfinished", "text", "resume it with `text train --resume"),
            ("un finished", "text", "un finished'` for at least"),
        ] {
            let Err(Failure::UserError(error)) = model_dir(&at(given), app) else {
                unreachable!("{given} is no model of {app}");
            };
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
