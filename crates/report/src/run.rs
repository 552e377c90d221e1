//! What a run directory stores.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use tinderbox_datasets::format::json_reason;
use tinderbox_predict::FileError;
use tinderbox_predict::model_dir::SPEC_FILE;
use tinderbox_train::run_dir::{MODEL_DIR, RECIPE_FILE, SUMMARY_FILE, Summary};
use tinderbox_train::section::{SECTIONS_FILE, Section};
use tinderbox_train::{METRICS_FILE, MetricLine, read_metrics};

use crate::ReportError;

/// A finished run, or a model folder without its run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Name of its directory.
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// None for a model folder without its run.
    pub(crate) summary: Option<Summary>,
    pub(crate) recipe: Option<String>,
    pub(crate) sections: Option<Vec<Section>>,
    pub(crate) metrics: Option<Vec<MetricLine>>,
    /// `model.json`; null if there is none.
    pub(crate) model: Value,
}

impl Run {
    /// Reads a run directory, or a model folder.
    ///
    /// # Errors
    ///
    /// If there is none, the run is not finished, or a file is damaged.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        if !path.is_dir() {
            return Err(ReportError::NotFound(path.to_owned()));
        }
        let dir = root(path);
        let model_dir = if dir.join(SPEC_FILE).is_file() {
            dir.clone()
        } else {
            dir.join(MODEL_DIR)
        };
        let is_run = dir.join(RECIPE_FILE).is_file();
        let summary_file = dir.join(SUMMARY_FILE);
        if !summary_file.is_file() && is_run {
            return Err(ReportError::Unfinished(path.to_owned()));
        }
        if !summary_file.is_file() && !model_dir.join(SPEC_FILE).is_file() {
            return Err(ReportError::NoRun(path.to_owned()));
        }
        let summary = json::<Summary>(&summary_file)?;
        let sections = sections(&dir)?;
        Ok(Self {
            name: name(&dir),
            recipe: recipe(&dir.join(RECIPE_FILE))?,
            metrics: metrics(&dir.join(METRICS_FILE))?,
            model: json(&model_dir.join(SPEC_FILE))?.unwrap_or(Value::Null),
            summary,
            sections,
            dir,
        })
    }

    /// The directory that the report of this run belongs to.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Files of images that the summary names, inside of the run directory.
    pub(crate) fn images(&self) -> Vec<PathBuf> {
        let names = self
            .summary
            .as_ref()
            .and_then(|summary| summary.details.get("images")?.as_array());
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        names
            .map(PathBuf::from)
            .filter(|path| is_inside(path))
            .collect()
    }

    /// What the summary holds under a key that only some tasks have.
    pub(crate) fn detail(&self, key: &str) -> Option<&Value> {
        self.summary.as_ref()?.details.get(key)
    }
}

/// The directory of the run that a model folder is part of, or the folder itself.
fn root(path: &Path) -> PathBuf {
    let parent = || {
        let parent = fs::canonicalize(path).ok()?.parent()?.to_owned();
        parent.join(RECIPE_FILE).is_file().then_some(parent)
    };
    let is_model = path.join(SPEC_FILE).is_file() && !path.join(RECIPE_FILE).is_file();
    if is_model { parent() } else { None }.unwrap_or_else(|| path.to_owned())
}

/// The last part of a path, `.` and links resolved.
fn name(dir: &Path) -> String {
    let full = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = full.file_name().unwrap_or(full.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Whether a path names something below the directory that it is relative to.
fn is_inside(path: &Path) -> bool {
    let normal = |part: Component| matches!(part, Component::Normal(_));
    path.components().count() > 0 && path.components().all(normal)
}

fn text(path: &Path) -> Result<Option<String>, ReportError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(FileError::new("read", path))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The text of a recipe, if it is one.
fn recipe(path: &Path) -> Result<Option<String>, ReportError> {
    let Some(text) = text(path)? else {
        return Ok(None);
    };
    match text.parse::<toml::Table>() {
        Ok(_) => Ok(Some(text)),
        Err(error) => {
            let start = error.span().map(|span| span.start.min(text.len()));
            Err(ReportError::Damaged {
                path: path.to_owned(),
                line: start.map(|start| line_after(&text.as_bytes()[..start])),
                reason: error
                    .message()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            })
        }
    }
}

/// The number of the line, from 1, that follows some text.
fn line_after(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}

/// The lines of the metrics; `None` if there is no such file.
fn metrics(path: &Path) -> Result<Option<Vec<MetricLine>>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(read_metrics(path)?))
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ReportError> {
    let Some(text) = text(path)? else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| ReportError::Damaged {
            path: path.to_owned(),
            line: Some(error.line()).filter(|line| *line > 0),
            reason: json_reason(&error),
        })
}

fn sections(dir: &Path) -> Result<Option<Vec<Section>>, ReportError> {
    json(&dir.join(SECTIONS_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn error(files: &[(&str, &str)]) -> String {
        let dir = written(files);
        let error = Run::read(dir.path()).unwrap_err();
        assert!(error.is_input());
        error.to_string()
    }

    #[test]
    fn what_is_no_finished_run_is_refused_with_advice() {
        let missing = Run::read(Path::new("/nowhere/run")).unwrap_err();
        assert!(missing.to_string().contains("no such directory"));
        for (files, words) in [
            (&[][..], "it has no `recipe.toml`"),
            (&[("recipe.toml", "")], "is not finished"),
            (
                &[("recipe.toml", "a = 1\nb = = 2"), ("summary.json", "{}")],
                "recipe.toml` line 2 is damaged",
            ),
            (
                &[("recipe.toml", ""), ("summary.json", "{\n\"app\": 3}")],
                "summary.json` line 2 is damaged: invalid type",
            ),
            (
                &[("recipe.toml", ""), ("summary.json", "{\"app\": \"text\"")],
                "is damaged: EOF",
            ),
            (
                &[
                    ("recipe.toml", ""),
                    ("summary.json", "{}"),
                    (
                        "metrics.jsonl",
                        "{\"step\":1,\"split\":\"train\",\"name\":\"loss\",\"value\":1}\n{\"step\":2,\"spl",
                    ),
                ],
                "metrics.jsonl` line 2 is damaged: EOF",
            ),
            (
                &[
                    ("recipe.toml", ""),
                    ("summary.json", "{}"),
                    ("sections.json", "[{\"title\": 1}]"),
                ],
                "sections.json` line 1 is damaged",
            ),
        ] {
            let message = error(files);
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
    }

    #[test]
    fn a_model_folder_leads_to_its_run_or_stands_alone() {
        let dir = written(&[
            ("run/recipe.toml", "name = \"a\"\n"),
            ("run/summary.json", "{\"app\": \"text\"}"),
            ("run/model/model.json", "{\"kind\": \"text-model\"}"),
            ("copy/model.json", "{\"kind\": \"text-model\"}"),
        ]);
        let run = Run::read(&dir.path().join("run/model")).unwrap();
        assert_eq!((run.name.as_str(), run.summary.is_some()), ("run", true));
        let run = Run::read(&dir.path().join("copy")).unwrap();
        assert!(run.summary.is_none() && run.sections.is_none());
        assert_eq!(run.model["kind"], "text-model");
    }

    #[test]
    fn images_outside_of_the_run_are_not_read() {
        let names = r#"{"images": ["images/a.png", "../b.png", "/etc/c.png", "", 3]}"#;
        let dir = written(&[("recipe.toml", ""), ("summary.json", names)]);
        let run = Run::read(dir.path()).unwrap();
        assert_eq!(run.images(), [PathBuf::from("images/a.png")]);
    }
}
