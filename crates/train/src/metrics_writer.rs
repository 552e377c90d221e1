//! The file of metrics, whose length is part of a checkpoint.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::MetricLine;
use crate::tensorboard::LineEvents;

/// `metrics.jsonl`, cut to what a checkpoint knows before it grows again.
#[derive(Debug)]
pub struct MetricLines {
    /// None for a run that leaves nothing on the disk.
    file: Option<BufWriter<File>>,
    bytes: u64,
    /// Event files that follow it.
    events: Option<LineEvents>,
}

impl MetricLines {
    /// Opens the file to go on after its first `bytes` bytes; without a path nothing is written. If there is a
    /// folder for [event files](crate::tensorboard) next to it, every value goes there, too.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or is shorter than that.
    pub fn open(path: Option<&Path>, bytes: u64) -> io::Result<Self> {
        let file = path.map(|path| cut(path, bytes)).transpose()?;
        let events = path.map(|path| LineEvents::open(path, bytes)).transpose()?;
        Ok(Self {
            file,
            bytes,
            events: events.flatten(),
        })
    }

    /// Appends one value.
    ///
    /// `wall_s` is the time since the start of the run, in s.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(
        &mut self,
        [step, epoch]: [usize; 2],
        split: &str,
        name: &str,
        value: f64,
        wall_s: f64,
    ) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let line = MetricLine {
            step,
            epoch,
            split: split.to_owned(),
            name: name.to_owned(),
            // JSON has no NaN: such a value is written as null.
            value: value.is_finite().then_some(value),
            wall_s: (wall_s * 1e3).round() / 1e3,
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        match &mut self.events {
            Some(events) => events.write(step, split, name, value, wall_s),
            None => Ok(()),
        }
    }

    /// Length of the file, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands what was written to the system.
    ///
    /// # Errors
    ///
    /// If it does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)?;
        self.events.as_mut().map_or(Ok(()), LineEvents::flush)
    }

    /// Brings what was written to the disk, and gives the length for a checkpoint, in bytes.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn sync(&mut self) -> io::Result<u64> {
        if let Some(file) = &mut self.file {
            file.flush()?;
            file.get_ref().sync_data()?;
        }
        Ok(self.bytes)
    }
}

fn cut(path: &Path, bytes: u64) -> io::Result<BufWriter<File>> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    if file.metadata()?.len() < bytes {
        return Err(io::Error::other("it is shorter than its checkpoint says"));
    }
    file.set_len(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(BufWriter::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorboard::{self, EventOptions};

    #[test]
    fn a_reopened_file_goes_on_where_the_checkpoint_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut lines = MetricLines::open(Some(&path), 0).unwrap();
        lines.write([1, 1], "train", "loss", 0.5, 0.1).unwrap();
        let bytes = lines.sync().unwrap();
        lines.write([2, 1], "train", "loss", f64::NAN, 0.2).unwrap();
        lines.flush().unwrap();
        let mut lines = MetricLines::open(Some(&path), bytes).unwrap();
        lines.write([2, 1], "train", "loss", f64::NAN, 0.3).unwrap();
        lines.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let values: Vec<_> = text.lines().map(|line| &line[line.len() - 26..]).collect();
        assert_eq!(
            values,
            [
                r#"s","value":0.5,"wall_s":0.1}"#,
                r#","value":null,"wall_s":0.3}"#
            ]
            .map(|end| &end[end.len() - 26..])
        );
        assert!(MetricLines::open(Some(&path), 1 << 20).is_err());
    }

    #[test]
    fn event_files_of_a_resumed_run_have_every_step_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        tensorboard::enable(dir.path(), EventOptions::default()).unwrap();
        let mut lines = MetricLines::open(Some(&path), 0).unwrap();
        lines.write([1, 1], "train", "loss", 0.5, 0.1).unwrap();
        lines.write([1, 1], "valid", "loss", 0.6, 0.2).unwrap();
        let bytes = lines.sync().unwrap();
        lines.write([2, 1], "train", "loss", 0.4, 0.3).unwrap();
        lines.write([2, 1], "test", "loss", 0.4, 0.3).unwrap();
        lines.flush().unwrap();
        drop(lines);
        let mut lines = MetricLines::open(Some(&path), bytes).unwrap();
        lines.write([2, 1], "train", "loss", 0.3, 0.4).unwrap();
        lines.flush().unwrap();
        let read = |split: &str| tensorboard::scalars(&dir.path().join("tensorboard").join(split));
        let loss = |step, value| ("loss".to_owned(), step, value);
        assert_eq!(read("train"), [loss(1, 0.5), loss(2, 0.3)]);
        assert_eq!(read("valid"), [loss(1, 0.6)]);
        assert_eq!(read("test"), []);
    }
}
