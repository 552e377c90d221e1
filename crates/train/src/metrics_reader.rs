//! Reads the file of metrics.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tinderbox_datasets::format::json_reason;
use tinderbox_predict::FileError;

/// A line of `metrics.jsonl`: one value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricLine {
    /// Steps of the optimizer so far.
    pub step: usize,
    /// The epoch, from 1.
    #[serde(default)]
    pub epoch: usize,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Name of the metric.
    pub name: String,
    /// The value; none if it was not finite.
    pub value: Option<f64>,
    /// Time since the start of the run, in s.
    #[serde(default)]
    pub wall_s: f64,
}

/// Why the metrics of a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetricLinesError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is not what a training writes.
    #[error("`{}` line {line} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the lines of a training that has ended.
///
/// # Errors
///
/// If there is no such file, or a line is damaged.
pub fn read_metrics(path: &Path) -> Result<Vec<MetricLine>, MetricLinesError> {
    let bytes = fs::read(path).map_err(FileError::new("read", path))?;
    parsed(path, &bytes)
}

/// Reads the whole lines of a training that may be writing the next one, or ended while it did.
///
/// # Errors
///
/// If there is no such file, or a whole line is damaged.
pub fn read_running_metrics(path: &Path) -> Result<Vec<MetricLine>, MetricLinesError> {
    let bytes = fs::read(path).map_err(FileError::new("read", path))?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    parsed(path, &bytes[..end.unwrap_or(0)])
}

fn parsed(path: &Path, bytes: &[u8]) -> Result<Vec<MetricLine>, MetricLinesError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines = filled.map(|(at, line)| {
        let damaged = |reason| MetricLinesError::Damaged {
            path: path.to_owned(),
            line: at + 1,
            reason,
        };
        let text = str::from_utf8(line).map_err(|_| damaged("it is not UTF-8".to_owned()))?;
        serde_json::from_str(text).map_err(|error| damaged(json_reason(&error)))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{METRICS_FILE, MetricLines};

    fn refused(result: Result<Vec<MetricLine>, MetricLinesError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let mut lines = MetricLines::open(Some(&path), 0).unwrap();
        lines.write([7, 2], "train", "loss", 0.1, 0.25).unwrap();
        lines.write([8, 2], "valid", "f1", f64::NAN, 1.0).unwrap();
        lines.flush().unwrap();
        let read = read_metrics(&path).unwrap();
        assert_eq!(read.len(), 2);
        let (first, second) = (&read[0], &read[1]);
        assert_eq!((first.step, first.epoch, first.wall_s), (7, 2, 0.25));
        assert_eq!((&*first.split, &*first.name), ("train", "loss"));
        assert_eq!((first.value, second.value), (Some(0.1), None));
        assert_eq!(read_running_metrics(&path).unwrap(), read);
    }

    #[test]
    fn a_damaged_line_is_named_unless_it_is_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let good = r#"{"step":1,"epoch":1,"split":"train","name":"loss","value":1.5,"wall_s":0.1}"#;
        fs::write(&path, format!("{good}\n\n{good}\n{}", &good[..30])).unwrap();
        let error = refused(read_metrics(&path));
        assert!(
            error.ends_with("metrics.jsonl` line 4 is damaged: EOF while parsing a string"),
            "{error}"
        );
        assert_eq!(read_running_metrics(&path).unwrap().len(), 2);

        fs::write(&path, format!("{good}\n3\n{good}")).unwrap();
        let error = refused(read_running_metrics(&path));
        assert!(error.contains("line 2 is damaged: invalid type"), "{error}");

        fs::write(&path, b"\xff\n").unwrap();
        let error = refused(read_metrics(&path));
        assert!(
            error.ends_with("line 1 is damaged: it is not UTF-8"),
            "{error}"
        );

        fs::write(&path, "").unwrap();
        assert_eq!(read_running_metrics(&path).unwrap(), []);
        let error = refused(read_metrics(&dir.path().join("none")));
        assert!(error.starts_with("cannot read `"), "{error}");
    }
}
