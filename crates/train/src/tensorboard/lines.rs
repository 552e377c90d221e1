//! The lines of `metrics.jsonl` as events.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::TENSORBOARD_DIR;
use super::file::{EventFile, now};
use super::message::Data;

/// Time after which values are shown at the latest.
const DELAY: Duration = Duration::from_secs(1);

/// Event files that follow `metrics.jsonl`, one for each split.
#[derive(Debug)]
pub(crate) struct LineEvents {
    dir: PathBuf,
    /// When the run would have started had it never been interrupted, in s since 1970.
    start: f64,
    files: BTreeMap<String, EventFile>,
    flushed: Instant,
}

#[derive(Deserialize)]
struct Line {
    step: usize,
    split: String,
    name: String,
    value: Option<f64>,
    wall_s: f64,
}

impl LineEvents {
    /// Starts with the first bytes of a file of metrics, if there is a folder for events next to it.
    pub(crate) fn open(metrics: &Path, bytes: u64) -> io::Result<Option<Self>> {
        let dir = metrics.with_file_name(TENSORBOARD_DIR);
        if !dir.is_dir() {
            return Ok(None);
        }
        let mut lines: Vec<Line> = Vec::new();
        if bytes > 0 {
            let known = BufReader::new(File::open(metrics)?.take(bytes));
            for line in known.lines() {
                lines.push(serde_json::from_str(&line?)?);
            }
        }
        let start = now() - lines.last().map_or(0.0, |line| line.wall_s);
        let mut events = Self {
            dir,
            start,
            files: BTreeMap::new(),
            flushed: Instant::now(),
        };
        // Also for splits that have no values any more.
        for split in ["train", "valid", "test"] {
            if events.dir.join(split).is_dir() {
                events.file(split)?;
            }
        }
        for line in lines {
            let value = line.value.unwrap_or(f64::NAN);
            events.write(line.step, &line.split, &line.name, value, line.wall_s)?;
        }
        events.flush()?;
        Ok(Some(events))
    }

    /// Appends one value.
    pub(crate) fn write(
        &mut self,
        step: usize,
        split: &str,
        name: &str,
        value: f64,
        wall_s: f64,
    ) -> io::Result<()> {
        let time = self.start + wall_s;
        let data = Data::Scalar(value as f32);
        self.file(split)?.write(time, step, name, data, None)?;
        if self.flushed.elapsed() > DELAY {
            self.flush()?;
        }
        Ok(())
    }

    /// Shows what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.files.values_mut().try_for_each(EventFile::flush)
    }

    fn file(&mut self, split: &str) -> io::Result<&mut EventFile> {
        if !self.files.contains_key(split) {
            let file = EventFile::create(&self.dir.join(split))?;
            self.files.insert(split.to_owned(), file);
        }
        self.files
            .get_mut(split)
            .ok_or_else(|| io::Error::other("an event file is missing"))
    }
}
