//! A file of records, each with its length and checksums, as `TensorFlow` writes them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message as _;

use super::message::{Content, Data, Event, Metadata, Summary, Value};

/// Start of the name of an event file, which `TensorBoard` looks for.
const PREFIX: &str = "events.out.tfevents.";

/// End of the name of one of ours, before its number.
const OWN: &str = ".tinderbox.";

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// An event file that grows.
#[derive(Debug)]
pub(super) struct EventFile {
    out: BufWriter<File>,
}

impl EventFile {
    /// Starts a file in a folder, which is created. It takes the place of the ones that an earlier session of the
    /// same run left there.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let old = own_files(dir)?;
        let seconds = now() as u64;
        let mut number = 0;
        let file = loop {
            let path = dir.join(format!("{PREFIX}{seconds:010}{OWN}{number}"));
            match File::create_new(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                file => break file?,
            }
        };
        let mut file = Self {
            out: BufWriter::new(file),
        };
        file.event(&Event {
            wall_time: now(),
            step: 0,
            content: Some(Content::FileVersion("brain.Event:2".to_owned())),
        })?;
        file.flush()?;
        old.iter().try_for_each(fs::remove_file)?;
        Ok(file)
    }

    /// As [`create`](Self::create), with the events of the earlier session up to a step.
    pub(super) fn resume(dir: &Path, last_step: usize) -> io::Result<Self> {
        let mut kept = Vec::new();
        for path in own_files(dir).unwrap_or_default() {
            kept.extend(read(&fs::read(path)?));
        }
        let mut file = Self::create(dir)?;
        for event in kept {
            let is_summary = matches!(event.content, Some(Content::Summary(_)));
            if is_summary && event.step <= number(last_step) {
                file.event(&event)?;
            }
        }
        Ok(file)
    }

    /// Appends a value.
    pub(super) fn write(
        &mut self,
        wall_time: f64,
        step: usize,
        tag: &str,
        data: Data,
        metadata: Option<Metadata>,
    ) -> io::Result<()> {
        let value = Value {
            tag: tag.to_owned(),
            metadata,
            data: Some(data),
        };
        self.event(&Event {
            wall_time,
            step: number(step),
            content: Some(Content::Summary(Summary {
                values: vec![value],
            })),
        })
    }

    /// Hands what was written to the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let data = event.encode_to_vec();
        let len = (data.len() as u64).to_le_bytes();
        self.out.write_all(&len)?;
        self.out.write_all(&masked_crc(&len).to_le_bytes())?;
        self.out.write_all(&data)?;
        self.out.write_all(&masked_crc(&data).to_le_bytes())
    }
}

fn number(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// The event files that this module wrote to a folder, sorted.
pub(super) fn own_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.contains(OWN) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The events of a file up to its end or to the first damaged one, such as one that a kill cut off.
pub(super) fn read(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((event, rest)) = read_one(bytes) {
        events.push(event);
        bytes = rest;
    }
    events
}

fn read_one(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<8>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    if masked_crc(len) != u32::from_le_bytes(*crc) {
        return None;
    }
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    let (data, rest) = rest.split_at_checked(len)?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    if masked_crc(data) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((Event::decode(data).ok()?, rest))
}

/// The checksum of a record: CRC-32C, rotated, because checksums of checksums are weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xA282_EAD8)
}
