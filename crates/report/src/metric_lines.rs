//! The lines of `metrics.jsonl`.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use tinderbox_predict::FileError;

use crate::ReportError;

/// One logged value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct MetricLine {
    pub(crate) step: u64,
    #[serde(default)]
    pub(crate) epoch: u64,
    pub(crate) split: String,
    pub(crate) name: String,
    /// None for a value that was not finite.
    pub(crate) value: Option<f64>,
}

/// Reads the lines; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<MetricLine>>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(FileError::new("read", path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReportError::Damaged {
            path: path.to_owned(),
            line: Some(line_after(before)),
            reason: "it is not UTF-8".to_owned(),
        }
    })?;
    let lines = text.lines().enumerate();
    let filled = lines.filter(|(_, line)| !line.trim().is_empty());
    let parsed = filled.map(|(at, line)| {
        serde_json::from_str(line).map_err(|error| ReportError::Damaged {
            path: path.to_owned(),
            line: Some(at + 1),
            reason: reason(&error),
        })
    });
    parsed.collect::<Result<_, _>>().map(Some)
}

/// The number of the line, from 1, that follows some text.
pub(crate) fn line_after(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}

/// What is wrong with a JSON text, without the place in a text of one line.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
