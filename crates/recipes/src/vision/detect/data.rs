//! Images with boxes as samples.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::Subset;
use tinderbox_datasets::detection::{DetectionFolder, DetectionFolderError, LabelFormat};
use tinderbox_datasets::image::{
    BoundingBox, GroupBy, ImageError, ImageGroups, ImageSample, groups_of,
};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::TrueBox;
use tinderbox_train::splits::Item;

use super::recipe::BoxData;
use crate::vision::data::{DataError, NamedSplit};
use crate::vision::decoded::DecodedImages;

/// An image with its boxes.
pub(super) type BoxedImage = ImageSample<Vec<TrueBox>>;

/// All images with boxes of a data set in one order.
pub(super) struct BoxedImages {
    /// The images.
    pub(super) images: Arc<Images>,
    /// A hash of the content of each image: equal ones are copies.
    pub(super) contents: Vec<u64>,
    /// The data's own splits.
    pub(super) named: [Option<NamedSplit>; 3],
    /// Images that stay in one split; none if each is on its own.
    pub(super) groups: Option<ImageGroups>,
}

/// Images with boxes, decoded when they are first used.
pub(super) struct Images {
    folder: DetectionFolder,
    decoded: DecodedImages,
}

impl BoxedImages {
    /// Reads all labels of a data section.
    ///
    /// # Errors
    ///
    /// If there is no data, or it cannot be used.
    pub(super) fn open(data: &BoxData) -> Result<Self, TaskError> {
        if data.path.is_empty() {
            return Err(DataError::NoPath.into());
        }
        let path = Path::new(&data.path);
        let folder = DetectionFolder::open(path, &data.options()).map_err(TaskError::user)?;
        let named = folder.splits().clone().map(|split| {
            split.map(|split| NamedSplit {
                range: split.rows,
                source: split.source,
            })
        });
        let groups = groups(&folder, data)?;
        let sizes = (0..folder.len()).map(|row| folder.size(row));
        let decoded = DecodedImages::new(sizes, data.channels);
        Ok(Self {
            contents: folder.contents(),
            images: Arc::new(Images { folder, decoded }),
            named,
            groups,
        })
    }

    /// Names of the classes.
    pub(super) fn classes(&self) -> &[String] {
        self.images.folder.classes()
    }

    /// The format of the labels.
    pub(super) fn format(&self) -> LabelFormat {
        self.images.folder.format()
    }

    /// What was counted, assumed and left out.
    pub(super) fn notes(&self) -> Vec<String> {
        self.images.folder.notes().to_vec()
    }

    /// Checks that the training split has every class.
    pub(super) fn check_trainable(&self) -> Result<(), TaskError> {
        let checked: Result<(), DetectionFolderError> = self.images.folder.check_trainable();
        checked.map_err(TaskError::user)
    }

    /// The images as items of a split list.
    pub(super) fn items(&self) -> Vec<Item> {
        let contents = self.contents.iter();
        contents.map(|&content| Item::new(content, "")).collect()
    }

    /// Some of the samples.
    pub(super) fn select(&self, rows: &[usize]) -> Result<Arc<dyn Dataset<BoxedImage>>, DataError> {
        let all: Arc<dyn Dataset<BoxedImage>> = Arc::clone(&self.images) as _;
        Ok(Arc::new(Subset::new(all, rows.to_vec())?))
    }

    /// The number of boxes of each class in some images.
    pub(super) fn counts(&self, rows: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes().len()];
        for &row in rows {
            for object in self.images.folder.objects(row) {
                counts[usize::from(object.bounds.class)] += 1;
            }
        }
        counts
    }

    /// The class of each image by which images are drawn equally often: the rarest of those on it, and one more
    /// number for images without a box.
    pub(super) fn rarest_classes(&self, rows: &[usize]) -> Vec<usize> {
        let counts = self.counts(rows);
        let rarest = |&row: &usize| {
            let objects = self.images.folder.objects(row).iter();
            let classes = objects.map(|object| usize::from(object.bounds.class));
            classes
                .min_by_key(|&class| counts[class])
                .unwrap_or(counts.len())
        };
        rows.iter().map(rarest).collect()
    }
}

/// The groups of a data section, if it has some.
fn groups(folder: &DetectionFolder, data: &BoxData) -> Result<Option<ImageGroups>, TaskError> {
    if data.group_by == GroupBy::Image {
        return Ok(None);
    }
    if folder.splits().iter().any(Option::is_some) {
        return Err(DataError::GroupedSplits(data.path.clone()).into());
    }
    let paths: Vec<&Path> = (0..folder.len()).map(|row| folder.path(row)).collect();
    let groups = groups_of(Path::new(&data.path), &paths, data.group_by);
    groups.map(Some).map_err(TaskError::user)
}

impl Images {
    /// The image with its boxes, in its pixels.
    pub(super) fn full(&self, index: usize) -> Result<BoxedImage, ImageError> {
        let image = self.decoded.get(index, || self.folder.image(index))?;
        Ok(ImageSample {
            image,
            target: self.truth(index),
        })
    }

    /// The boxes of an image.
    pub(super) fn truth(&self, index: usize) -> Vec<TrueBox> {
        let objects = self.folder.objects(index).iter();
        let truth = objects.map(|object| TrueBox {
            bounds: object.bounds,
            crowd: object.crowd,
            difficult: object.difficult,
        });
        truth.collect()
    }

    /// Height and width of an image.
    #[cfg(feature = "baseline")]
    pub(super) fn size(&self, index: usize) -> [usize; 2] {
        self.folder.size(index)
    }

    /// The file of an image.
    pub(super) fn path(&self, index: usize) -> PathBuf {
        self.folder.path(index).to_owned()
    }
}

impl Dataset<BoxedImage> for Images {
    fn get(&self, index: usize) -> Result<BoxedImage, DatasetError> {
        self.full(index).map_err(DatasetError::new)
    }

    fn len(&self) -> usize {
        self.folder.len()
    }
}

/// The boxes that a network learns: not those of crowds.
pub(super) fn learned(truth: &[TrueBox]) -> Vec<BoundingBox> {
    let single = truth.iter().filter(|one| !one.crowd);
    single.map(|one| one.bounds).collect()
}
