//! Photos with masks: pairs of files, or the annotations of COCO.
//!
//! | layout | example |
//! |---|---|
//! | a folder of photos and one of masks, of the usual names in any case | `images/7.jpg` and `masks/7.png`, `JPEGImages` and `SegmentationClass` |
//! | both in each split, or each split in both | `train/image/7.png` and `train/label/7.png`, `images/val/7.jpg` and `masks/val/7.png` |
//! | masks next to photos, named after them | `7.jpg` and `7_mask.png` |
//! | COCO | `annotations/instances_train2017.json` and images of the names in it |
//!
//! Pairs may also be in a `.zip`, `.tar` or `.tar.gz`. All masks are read when the data set is opened, so
//! that a wrong class is found before training; pixels are decoded again when an item is asked for.

mod check;
mod coco;
mod detect;
mod error;
mod layout;
mod open;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};

use super::mask::{fit_region, sample_region};
use super::{
    DecodeOptions, ImageFile, ImageSample, Mask, MaskFileError, MaskValues, decode_bytes,
    decode_full, read_mask,
};
use crate::files::SkippedFiles;
use coco::Objects;

pub use detect::{MaskLayout, MaskSearch};
pub use error::SegmentationError;

/// Options for opening a [`SegmentationFolder`].
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationOptions {
    /// Size and channels of the photos; masks get the same size.
    pub decode: DecodeOptions,
    /// What the values of mask files mean.
    pub values: MaskValues,
    /// Whether damaged photos and masks are skipped and counted; otherwise they are an error.
    pub skip_broken: bool,
}

/// Photos with masks, decoded on demand.
#[derive(Clone, Debug)]
pub struct SegmentationFolder {
    decode: DecodeOptions,
    values: MaskValues,
    class_names: Vec<String>,
    pairs: Vec<Pair>,
}

/// A photo with its mask.
#[derive(Clone, Debug)]
struct Pair {
    photo: ImageFile,
    target: Target,
    /// Height and width of the photo, turned as its EXIF note says.
    size: (usize, usize),
    content: u64,
}

/// Where a mask is from.
#[derive(Clone, Debug)]
enum Target {
    File(ImageFile),
    Objects {
        objects: Arc<Objects>,
        path: PathBuf,
    },
}

/// A data set of photos with masks, with the splits that its folders name.
#[derive(Debug)]
pub struct SegmentationSplits {
    /// Training pairs; all pairs where no split is named.
    pub train: SegmentationFolder,
    /// Validation pairs.
    pub valid: Option<SegmentationFolder>,
    /// Test pairs.
    pub test: Option<SegmentationFolder>,
    /// What the values of the masks mean: given, or decided from them.
    pub values: MaskValues,
    /// Number of masks of another size than their photo, which are scaled to it.
    pub scaled: usize,
    /// Files that are not used.
    pub skipped_files: SkippedFiles,
    /// What was assumed and further notes for the user.
    pub notes: Vec<String>,
}

impl SegmentationFolder {
    /// Opens the splits of a data set; without any, all of it is for training. Every photo's header and
    /// every mask is checked.
    ///
    /// The classes are `classes`, the first being the background, or those that occur. In annotations of
    /// COCO the others are categories by name.
    ///
    /// # Errors
    ///
    /// If the options are invalid, there are no pairs, a photo has no mask or one of another shape, a mask
    /// has a class that `classes` lacks, all masks are empty, or, without `skip_broken`, a file is damaged.
    pub fn open_splits(
        path: &Path,
        options: &SegmentationOptions,
        classes: Option<&[String]>,
    ) -> Result<SegmentationSplits, SegmentationError> {
        open::open_splits(path, options, classes)
    }

    /// The names of the classes; the values of a mask are positions in this list or
    /// [`IGNORE`](super::IGNORE).
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The path of every photo within the data set, with `/` between its parts.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|pair| pair.photo.key())
    }

    /// The name of every photo in messages.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pairs.iter().map(|pair| pair.photo.path())
    }

    /// A hash of the content of every photo: equal hashes are duplicates.
    pub fn contents(&self) -> Vec<u64> {
        self.pairs.iter().map(|pair| pair.content).collect()
    }

    /// Height and width of the photo at `index`, in pixels.
    ///
    /// # Panics
    ///
    /// If there is no such pair.
    pub fn full_size(&self, index: usize) -> (usize, usize) {
        self.pairs[index].size
    }

    /// The pair at `index` in the size of the photo.
    ///
    /// # Errors
    ///
    /// If a file cannot be read any more.
    ///
    /// # Panics
    ///
    /// If there is no such pair.
    pub fn full(&self, index: usize) -> Result<ImageSample<Mask>, SegmentationError> {
        let pair = &self.pairs[index];
        let bytes = pair.photo.bytes()?;
        let (channels, limit) = (self.decode.channels, self.decode.max_pixels);
        let image = decode_full(&bytes, pair.photo.path(), channels, limit)?;
        let target = self.mask(index)?.resize(image.height, image.width);
        Ok(ImageSample { image, target })
    }

    /// The mask at `index` in its own size.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    ///
    /// # Panics
    ///
    /// If there is no such pair.
    pub fn mask(&self, index: usize) -> Result<Mask, SegmentationError> {
        match &self.pairs[index].target {
            Target::File(file) => {
                let raw = read_mask(&file.bytes()?, file.path(), self.decode.max_pixels)?;
                Ok(raw.to_mask(self.values))
            }
            Target::Objects { objects, path } => objects
                .mask()
                .map_err(|reason| SegmentationError::annotations(path, reason)),
        }
    }

    /// The photo and its mask in the size of the options.
    fn sample(&self, index: usize) -> Result<ImageSample<Mask>, SegmentationError> {
        let Pair { photo, size, .. } = &self.pairs[index];
        let image = decode_bytes(&photo.bytes()?, photo.path(), &self.decode)?;
        let mask = self.mask(index)?;
        let (down, right) = (
            mask.height as f64 / size.0 as f64,
            mask.width as f64 / size.1 as f64,
        );
        let [top, left, height, width] = fit_region(size.0, size.1, &self.decode);
        let region = [top * down, left * right, height * down, width * right];
        let target = sample_region(&mask, region, image.height, image.width);
        Ok(ImageSample { image, target })
    }
}

impl Dataset<ImageSample<Mask>> for SegmentationFolder {
    fn get(&self, index: usize) -> Result<ImageSample<Mask>, DatasetError> {
        self.sample(index).map_err(DatasetError::new)
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }
}

impl SegmentationError {
    /// Whether the file is damaged, so that it may be skipped.
    fn is_damage(&self) -> bool {
        match self {
            Self::Image(_) => true,
            Self::Mask(error) => !matches!(error, MaskFileError::Colored { .. }),
            _ => false,
        }
    }
}
