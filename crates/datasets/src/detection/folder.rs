//! Images with usable boxes, for training and evaluation.
//!
//! [`DetectionFolder`] decides what [`read`](super::read) only lists: which boxes can be used, in which
//! pixels they are, and which images are in which split.

mod clean;
mod error;
mod load;
mod notes;
mod splits;
#[cfg(test)]
mod tests;
mod turn;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::clean::{Cleaned, clean};
use self::load::load;
use self::notes::{DecodeCounts, notes};
use self::splits::{Untrained, arrange, untrained};
use super::{LabelFormat, read};
use crate::image::{
    BoundingBox, DecodeOptions, Image, ImageError, MAX_PIXELS, decode_full, read_file,
};
use crate::parallel::parallel_map;

pub use self::error::DetectionFolderError;

/// What is done with boxes that cannot be used as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadBoxes {
    /// The first one is an error.
    #[default]
    Refuse,
    /// Those that reach beyond the image are clipped to it, others are left out; both are counted.
    Clip,
    /// All are left out and counted.
    Drop,
}

/// Options for opening a [`DetectionFolder`].
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionOptions {
    /// Names of the classes; empty for those of the data.
    pub classes: Vec<String>,
    /// What is done with boxes that cannot be used as they are.
    pub bad_boxes: BadBoxes,
    /// Whether damaged images are left out and counted; otherwise they are an error. It decodes every image once.
    pub skip_broken: bool,
    /// Values per pixel of the images: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
}

impl Default for DetectionOptions {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            bad_boxes: BadBoxes::default(),
            skip_broken: false,
            channels: 3,
        }
    }
}

/// An object in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabeledObject {
    /// The box around it, inside the image, in pixels of the image as it is decoded.
    pub bounds: BoundingBox,
    /// A crowd that was not taken apart: detections inside of it count neither as right nor as wrong.
    pub crowd: bool,
    /// Marked as hard to recognize in Pascal VOC.
    pub difficult: bool,
}

/// A split of the data itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectionSplit {
    /// Its images.
    pub rows: Range<usize>,
    /// The list or folder that names it, as in `` `ImageSets/Main/test.txt` `` or `` `valid/` ``.
    pub source: String,
}

/// Images with boxes around objects, decoded on demand.
///
/// Images are sorted by split (training, validation, test), then by path.
#[derive(Clone, Debug)]
pub struct DetectionFolder {
    format: LabelFormat,
    classes: Vec<String>,
    channels: usize,
    images: Vec<Entry>,
    splits: [Option<DetectionSplit>; 3],
    untrained: Vec<Untrained>,
    notes: Vec<String>,
}

/// An image with its usable objects.
#[derive(Clone, Debug)]
struct Entry {
    path: PathBuf,
    /// Height and width, turned as the EXIF note says.
    size: [usize; 2],
    objects: Vec<LabeledObject>,
    content: u64,
}

impl DetectionFolder {
    /// Opens a folder of images with labels in Pascal VOC, COCO or YOLO format, and checks every box.
    ///
    /// Boxes that occur twice are used once, and boxes of a single point, which a stray click leaves behind, are
    /// left out, whatever the options. An image without a label file has no objects in YOLO, and is left out in
    /// the other formats, which list such images explicitly.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or has no images, labels or boxes, `channels` is neither 1 nor 3, a box cannot
    /// be used, a label file belongs to no image or to another one ([`BadBoxes::Refuse`]), or, without
    /// `skip_broken`, an image is damaged.
    pub fn open(path: &Path, options: &DetectionOptions) -> Result<Self, DetectionFolderError> {
        DecodeOptions::new(1, 1, options.channels).validate()?;
        let set = read(path)?;
        let format = set.format;
        let Cleaned {
            images,
            classes,
            counts,
        } = clean(path, set, options)?;
        let mut images = images;
        let arranged = arrange(&mut images);
        let loaded = parallel_map(&images, |image| load(image, options));
        let mut decoded = DecodeCounts::default();
        let (mut entries, mut kept) = (Vec::new(), Vec::new());
        for (row, result) in loaded.into_iter().enumerate() {
            match result {
                Ok((entry, turned)) => {
                    decoded.add(turned);
                    entries.push(entry);
                    kept.push(row);
                }
                Err(_) if options.skip_broken => decoded.broken += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let splits = arranged.splits_of(&kept);
        if entries.iter().all(|entry| entry.objects.is_empty()) {
            return Err(DetectionFolderError::NoBoxes {
                path: path.to_owned(),
                images: entries.len(),
                dropped: counts.dropped(),
            });
        }
        let untrained = untrained(&images, &splits, &kept);
        let mut folder = Self {
            format,
            classes,
            channels: options.channels,
            images: entries,
            splits,
            untrained,
            notes: Vec::new(),
        };
        folder.notes = notes(&folder, counts, &decoded, arranged.notes);
        Ok(folder)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Names of the classes, in the order of their numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The format of the labels.
    pub fn format(&self) -> LabelFormat {
        self.format
    }

    /// Decodes the image at `index` in its own size, turned as its EXIF note says.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more, or its pixels are damaged.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> Result<Image, ImageError> {
        let path = &self.images[index].path;
        decode_full(&read_file(path)?, path, self.channels, MAX_PIXELS)
    }

    /// The objects in the image at `index`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn objects(&self, index: usize) -> &[LabeledObject] {
        &self.images[index].objects
    }

    /// The file of the image at `index`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn path(&self, index: usize) -> &Path {
        &self.images[index].path
    }

    /// Height and width of the image at `index` as it is decoded, in pixels.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn size(&self, index: usize) -> [usize; 2] {
        self.images[index].size
    }

    /// A hash of the content of every image file: equal hashes are copies, whatever their boxes.
    pub fn contents(&self) -> Vec<u64> {
        self.images.iter().map(|image| image.content).collect()
    }

    /// The training, validation and test split that the data name. Without a training split there is none.
    pub fn splits(&self) -> &[Option<DetectionSplit>; 3] {
        &self.splits
    }

    /// What was counted, assumed and left out, as whole lines for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Checks that the named training split has boxes of every class that the other splits have.
    ///
    /// # Errors
    ///
    /// Names the first class without a box to learn from, and a file and line that has it.
    pub fn check_trainable(&self) -> Result<(), DetectionFolderError> {
        let Some(train) = &self.splits[0] else {
            return Ok(());
        };
        let has_boxes = self.images[train.rows.clone()]
            .iter()
            .any(|image| !image.objects.is_empty());
        if !has_boxes {
            return Err(DetectionFolderError::NoTrainBoxes {
                split: train.source.clone(),
                images: train.rows.len(),
            });
        }
        let Some(first) = self.untrained.first() else {
            return Ok(());
        };
        Err(DetectionFolderError::UntrainedClass {
            class: self.classes[first.class].clone(),
            place: first.place.clone(),
            boxes: first.boxes,
            split: first.split,
            train: train.source.clone(),
            more_classes: self.untrained.len() - 1,
        })
    }
}
