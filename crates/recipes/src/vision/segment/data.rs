//! Photos with masks as samples of the input of a network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::files::SplitName;
use tinderbox_datasets::image::{
    DecodeOptions, IGNORE, ImageSample, Mask, SegmentationError, SegmentationFolder,
    SegmentationOptions, SegmentationSplits,
};
use tinderbox_datasets::{Subset, parallel_map};
use tinderbox_predict::vision::{InputScale, letterbox};
use tinderbox_train::TaskError;
use tinderbox_train::splits::Item;

use super::recipe::MaskedData;
use crate::vision::data::{DataError, NamedSplit};

/// Photos whose masks are counted at a time.
const COUNTED: usize = 64;

/// All photos with masks of a data set in one order.
pub(super) struct MaskedImages {
    /// The pairs with how they are read.
    pub(super) pairs: Arc<Pairs>,
    /// A hash of the content of each pair: equal ones are copies.
    pub(super) contents: Vec<u64>,
    /// The data's own splits.
    pub(super) named: [Option<NamedSplit>; 3],
    /// Notes for the user.
    pub(super) notes: Vec<String>,
}

/// Pairs of photos and masks, as samples of the input of a network.
pub(super) struct Pairs {
    folders: Vec<SegmentationFolder>,
    data: MaskedData,
}

impl MaskedImages {
    /// Reads and checks all pairs of a data section.
    ///
    /// # Errors
    ///
    /// If a photo or mask is missing or broken, or they do not fit each other.
    pub(super) fn open(data: &MaskedData) -> Result<Self, TaskError> {
        if data.path.is_empty() {
            return Err(DataError::NoPath.into());
        }
        let path = Path::new(&data.path);
        let splits = SegmentationFolder::open_splits(path, &options(data), Some(&data.classes));
        let SegmentationSplits {
            train,
            valid,
            test,
            skipped_files,
            mut notes,
            ..
        } = splits.map_err(TaskError::user)?;
        if !skipped_files.is_empty() {
            notes.push(skipped_files.to_string());
        }
        let has_splits = valid.is_some() || test.is_some();
        let (mut folders, mut contents) = (Vec::new(), Vec::new());
        let mut add = |folder: SegmentationFolder, split: SplitName| {
            let start = contents.len();
            contents.extend(folder.contents());
            folders.push(folder);
            NamedSplit {
                range: start..contents.len(),
                source: format!("the {split} folder"),
            }
        };
        let train = add(train, SplitName::Train);
        let named = [
            has_splits.then_some(train),
            valid.map(|valid| add(valid, SplitName::Valid)),
            test.map(|test| add(test, SplitName::Test)),
        ];
        Ok(Self {
            pairs: Arc::new(Pairs {
                folders,
                data: data.clone(),
            }),
            contents,
            named,
            notes,
        })
    }

    /// The classes of the masks in a folder, with a data section for the other options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(super) fn classes(path: &Path, data: &MaskedData) -> Result<Vec<String>, TaskError> {
        let splits = SegmentationFolder::open_splits(path, &options(data), None);
        let splits = splits.map_err(TaskError::user)?;
        Ok(splits.train.class_names().to_vec())
    }

    /// The pairs as items of a split list.
    pub(super) fn items(&self) -> Vec<Item> {
        let contents = self.contents.iter();
        contents.map(|&content| Item::new(content, "")).collect()
    }

    /// Some of the samples.
    pub(super) fn select(
        &self,
        rows: &[usize],
    ) -> Result<Arc<dyn Dataset<ImageSample<Mask>>>, DataError> {
        let all: Arc<dyn Dataset<ImageSample<Mask>>> = Arc::clone(&self.pairs) as _;
        Ok(Arc::new(Subset::new(all, rows.to_vec())?))
    }

    /// The share of the pixels of each class, in some photos.
    ///
    /// # Errors
    ///
    /// If a file cannot be read any more.
    pub(super) fn areas(&self, rows: &[usize]) -> Result<Vec<f64>, TaskError> {
        let mut counts = vec![0_u64; self.pairs.data.classes.len()];
        for rows in rows.chunks(COUNTED) {
            for sample in parallel_map(rows, |&row| self.pairs.full(row)) {
                for &class in &sample.map_err(TaskError::user)?.target.classes {
                    if class != IGNORE {
                        counts[usize::from(class)] += 1;
                    }
                }
            }
        }
        let total = counts.iter().sum::<u64>().max(1) as f64;
        Ok(counts.iter().map(|&count| count as f64 / total).collect())
    }
}

fn options(data: &MaskedData) -> SegmentationOptions {
    SegmentationOptions {
        decode: DecodeOptions::new(data.size, data.size, data.channels),
        values: data.values,
        skip_broken: data.skip_broken,
    }
}

impl Pairs {
    fn at(&self, mut index: usize) -> (&SegmentationFolder, usize) {
        let last = self.folders.len() - 1;
        for folder in &self.folders[..last] {
            if index < folder.len() {
                return (folder, index);
            }
            index -= folder.len();
        }
        (&self.folders[last], index)
    }

    /// The photo at its own size, with its mask.
    pub(super) fn full(&self, index: usize) -> Result<ImageSample<Mask>, SegmentationError> {
        let (folder, index) = self.at(index);
        folder.full(index)
    }

    /// The file of the photo.
    pub(super) fn path(&self, index: usize) -> PathBuf {
        let (folder, index) = self.at(index);
        folder
            .paths()
            .nth(index)
            .unwrap_or(Path::new(""))
            .to_owned()
    }

    fn sample(&self, index: usize) -> Result<ImageSample<Mask>, SegmentationError> {
        let sample = self.full(index)?;
        if self.data.scale == InputScale::Original {
            return Ok(sample);
        }
        let side = self.data.size;
        let (image, place) = letterbox(&sample.image, side, [side; 2]);
        let inner = sample.target.resize(place.height, place.width);
        let mut classes = vec![IGNORE; side * side];
        for (row, line) in inner.classes.chunks_exact(inner.width).enumerate() {
            let start = (place.top + row) * side + place.left;
            classes[start..start + inner.width].copy_from_slice(line);
        }
        let target = Mask {
            height: side,
            width: side,
            classes,
        };
        Ok(ImageSample { image, target })
    }
}

impl Dataset<ImageSample<Mask>> for Pairs {
    fn get(&self, index: usize) -> Result<ImageSample<Mask>, DatasetError> {
        self.sample(index).map_err(DatasetError::new)
    }

    fn len(&self) -> usize {
        self.folders
            .iter()
            .fold(0, |sum, folder| sum + folder.len())
    }
}
