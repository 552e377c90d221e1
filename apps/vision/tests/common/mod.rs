#![allow(
    dead_code,
    unreachable_pub,
    clippy::unused_self,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and a helper that fails is a test that fails"
)]
//! Tiny data, and the real binary run on it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder for one test, with tiny data in `data`.
pub struct Place {
    pub dir: TempDir,
}

pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Two classes of 8×8 images: a bright left or a bright right half, with noise.
const TRAIN: usize = 96;
const TEST: usize = 24;

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Self { dir };
        fs::create_dir(place.path("data")).unwrap();
        for (part, count) in [("train", TRAIN), ("t10k", TEST)] {
            let images = place.path(&format!("data/{part}-images-idx3-ubyte"));
            fs::write(images, idx_images(count)).unwrap();
            let labels = place.path(&format!("data/{part}-labels-idx1-ubyte"));
            fs::write(labels, idx_labels(count)).unwrap();
        }
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vision"));
        command
            .current_dir(self.dir.path())
            .args(args)
            .stdin(Stdio::null());
        // Nothing may be fetched, and nothing found in somebody's cache.
        command.env("TINDERBOX_CACHE", self.path("cache"));
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("ALL_PROXY", "http://127.0.0.1:9");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// `train` on the tiny data with a network that has batch normalisation and dropout, and with
    /// every source of randomness switched on.
    pub fn train_args<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec![
            "train",
            "--recipe",
            "mnist",
            "--data",
            "data",
            "--no-baseline",
        ];
        for set in [
            "data.classes=[\"left\", \"right\"]",
            "data.valid_fraction=0.2",
            "model.blocks=[4]",
            "model.hidden=8",
            "train.epochs=3",
            "train.batch_size=8",
            "train.accumulation=2",
            "train.clip_norm=1",
            "train.checkpoint_every=1",
            "train.log_every=1",
            "augment.mixup=0.3",
            "augment.cutmix=0.3",
        ] {
            args.extend(["--set", set]);
        }
        args.extend(more);
        args
    }

    pub fn train(&self, more: &[&str]) -> Ran {
        self.run(&self.train_args(more))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Succeeded, and said nothing of an error.
    pub fn ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Failed with one clear message that has all of `words`.
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        let errors = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{}", self.stderr);
        let (_, message) = self.stderr.split_once("error: ").unwrap();
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(!self.stderr.contains("RUST_BACKTRACE"), "{}", self.stderr);
    }
}

pub fn idx_images(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for size in [count as u32, 8, 8] {
        bytes.extend(size.to_be_bytes());
    }
    for image in 0..count {
        for pixel in 0..64 {
            let bright = (pixel % 8 < 4) == (image % 2 == 0);
            let noise = (image * 37 + pixel * 101) % 60;
            bytes.push((if bright { 190 } else { 0 } + noise) as u8);
        }
    }
    bytes
}

pub fn idx_labels(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend((0..count).map(|image| (image % 2) as u8));
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a run must repeat to the byte: the model, and the metrics without their clocks.
pub fn result(run: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(run.join("model"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .map(|(path, bytes)| (path.rsplit('/').next().unwrap().to_owned(), bytes))
        .collect();
    files.sort();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless: Vec<String> = metrics
        .lines()
        .map(|line| line.split(",\"wall_s\":").next().unwrap().to_owned())
        .collect();
    files.push(("metrics.jsonl".to_owned(), timeless.join("\n").into_bytes()));
    files
}
