#![allow(
    clippy::unused_self,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
//! Tiny data, and the real binary run on it.

use std::io::Write as _;
use std::ops::Deref;

pub(crate) use tinderbox_cli::testing::Ran;

/// A folder for one test, with tiny data in `data`.
pub(crate) struct Place(tinderbox_cli::testing::Place);

/// Two classes of 8×8 images: a bright left or a bright right half, with noise.
const TRAIN: usize = 96;
const TEST: usize = 24;

impl Deref for Place {
    type Target = tinderbox_cli::testing::Place;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tinderbox_cli::testing::Place::new(env!(
            "CARGO_BIN_EXE_vision"
        )));
        std::fs::create_dir(place.path("data")).unwrap();
        for (part, count) in [("train", TRAIN), ("t10k", TEST)] {
            let images = format!("data/{part}-images-idx3-ubyte");
            place.write(&images, idx_images(count));
            let labels = format!("data/{part}-labels-idx1-ubyte");
            place.write(&labels, idx_labels(count));
        }
        place
    }

    /// `train` on the tiny data with a network that has batch normalization and dropout, and with
    /// every source of randomness switched on.
    pub(crate) fn train_args<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
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
            "split.valid_fraction=0.2",
            "model.block_channels=[4]",
            "model.d_hidden=8",
            "train.epochs=3",
            "train.batch_size=8",
            "train.gradient_accumulation=2",
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

    pub(crate) fn train(&self, more: &[&str]) -> Ran {
        self.run(&self.train_args(more))
    }
}

pub(crate) fn idx_images(count: usize) -> Vec<u8> {
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

pub(crate) fn idx_labels(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend((0..count).map(|image| (image % 2) as u8));
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
