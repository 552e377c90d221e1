//! Features on the disk, so that a second training on the same images starts at once.
//!
//! There is a folder for each combination of weights, preprocessing and device, and in it a file for each
//! image, named by the hash of its content. Each file ends with a hash of the rest, so that a damaged one
//! is noticed and computed again.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tinderbox_datasets::atomic_file::AtomicFile;
use tinderbox_datasets::download::cache_folder;
use tinderbox_datasets::image::DecodeOptions;
use tinderbox_datasets::{ContentHasher, content_hash};
use tinderbox_predict::vision::Normalize;

/// First bytes of a file. A change of the networks that changes their features needs another number.
const MAGIC: &[u8; 8] = b"TBFEAT1\n";

/// One of the two views of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// As it is.
    Plain,
    /// Mirrored left to right.
    Flipped,
}

/// The features of images for one network.
#[derive(Debug)]
pub(super) struct Cache {
    /// None if nothing can be stored.
    dir: Option<PathBuf>,
    /// Why nothing can be stored.
    failure: Option<String>,
}

impl Cache {
    /// The folder for a network in the user's cache folder.
    pub(super) fn open(
        digest: &str,
        decode: &DecodeOptions,
        normalize: &Normalize,
        device: &Device,
    ) -> Self {
        let mut hasher = ContentHasher::default();
        hasher.bytes(digest.as_bytes());
        // Of the derived form, which names every field.
        hasher.bytes(format!("{decode:?} {normalize:?} {device:?}").as_bytes());
        let name = format!("{:016x}", hasher.finish());
        match cache_folder() {
            Ok(folder) => Self::in_dir(folder.join("features").join(name)),
            Err(error) => Self {
                dir: None,
                failure: Some(error.to_string()),
            },
        }
    }

    fn in_dir(dir: PathBuf) -> Self {
        Self {
            dir: Some(dir),
            failure: None,
        }
    }

    /// The features of a view of an image, if they are there and whole.
    pub(super) fn get(&self, content: u64, view: View, d_features: usize) -> Option<Vec<f32>> {
        let bytes = std::fs::read(path(self.dir.as_ref()?, content, view)).ok()?;
        let (head, hash) = bytes.split_last_chunk::<8>()?;
        let values = head.strip_prefix(MAGIC)?;
        let is_whole = values.len() == 4 * d_features && *hash == content_hash(head).to_le_bytes();
        let (values, _) = values.as_chunks::<4>();
        is_whole.then(|| {
            values
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect()
        })
    }

    /// Stores the features of a view of an image. Once that fails, nothing more is stored.
    pub(super) fn put(&mut self, content: u64, view: View, features: &[f32]) {
        let Some(dir) = &self.dir else { return };
        if let Err(error) = store(dir, content, view, features) {
            self.failure = Some(format!("`{}`: {error}", dir.display()));
            self.dir = None;
        }
    }

    /// A line on why features are not kept, if they are not.
    pub(super) fn warning(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        Some(format!(
            "the features are not cached, the next training computes them again: {failure}"
        ))
    }
}

fn path(dir: &Path, content: u64, view: View) -> PathBuf {
    let suffix = match view {
        View::Plain => "",
        View::Flipped => "-flipped",
    };
    dir.join(format!("{content:016x}{suffix}"))
}

fn store(dir: &Path, content: u64, view: View, features: &[f32]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(features.iter().flat_map(|value| value.to_le_bytes()));
    let hash = content_hash(&bytes);
    bytes.extend(hash.to_le_bytes());
    let mut file = AtomicFile::create(&path(dir, content, view))?;
    file.write_all(&bytes)?;
    // What a power cut leaves is recognized by its hash.
    file.commit_unsynced()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_come_back_and_damaged_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::in_dir(dir.path().join("new"));
        let features = [0.5, -1.25, f32::MIN_POSITIVE];
        cache.put(7, View::Plain, &features);
        assert_eq!(cache.warning(), None);
        assert_eq!(cache.get(7, View::Plain, 3), Some(features.to_vec()));
        assert_eq!(cache.get(7, View::Flipped, 3), None);
        assert_eq!(cache.get(8, View::Plain, 3), None);
        assert_eq!(cache.get(7, View::Plain, 2), None);
        let path = path(&dir.path().join("new"), 7, View::Plain);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        for damaged in [&bytes[..], &bytes[..12], &[]] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(cache.get(7, View::Plain, 3), None);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let mut cache = Cache::in_dir(dir.path().join("file"));
        cache.put(7, View::Plain, &[1.0]);
        assert!(cache.warning().unwrap().contains("not cached"));
        assert_eq!(cache.get(7, View::Plain, 1), None);
    }
}
