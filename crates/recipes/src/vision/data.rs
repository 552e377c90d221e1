//! From the data section of a recipe to images in one order.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::download::{self, DownloadError};
use tinderbox_datasets::files::{SkippedFiles, SplitName};
use tinderbox_datasets::image::{
    DecodeOptions, FolderError, FolderOptions, FolderSplits, IdxError, ImageFolder, ImageSet,
    InkRule, LabeledImage, is_idx_folder, open_idx_folder,
};
use tinderbox_datasets::sets::{DigitsError, digits};
use tinderbox_datasets::{SplitError, Subset, content_hash};

use super::concat::Concat;
use super::source::{Data, Preprocess};
use tinderbox_train::TaskError;
use tinderbox_train::splits::Item;

/// Most images on which the rule for ink and background is measured.
const MAX_MEASURED: usize = 1000;

/// Why the images of a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The digits that ship with the crate are damaged.
    #[error(transparent)]
    Digits(#[from] DigitsError),
    /// An IDX file.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// An image folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A split that cannot be made.
    #[error("cannot split the images")]
    Split(#[source] SplitError),
    /// Images that are too few for two splits.
    #[error(
        "cannot split the images: holding out {fraction} of {images} {} leaves one split empty",
        if *images == 1 { "image" } else { "images" }
    )]
    TooFew {
        /// Number of images.
        images: usize,
        /// The fraction to hold out.
        fraction: f64,
    },
    /// An image that cannot be loaded.
    #[error("cannot load an image")]
    Image(#[source] DatasetError),
    /// Groups are split, but the data is split already.
    #[error(
        "`{0}` has its own training, validation or test split, which `data.group_by` cannot change: set it to \
         `image`"
    )]
    GroupedSplits(String),
    /// No folder was named.
    #[error("the recipe needs a folder of images: name it with `--data FOLDER` or `data.path`")]
    NoPath,
    /// Images of another size than the network takes.
    #[error(
        "the images are {found:?} (height, width, channels), and the model expects {expected:?}"
    )]
    Shape {
        /// Those of the images.
        found: [usize; 3],
        /// That of the model.
        expected: [usize; 3],
    },
    /// Images of other classes than the model knows.
    #[error("the images have the classes {found:?}, and the model expects {expected:?}")]
    Classes {
        /// Those of the images.
        found: Vec<String>,
        /// Those of the model.
        expected: Vec<String>,
    },
    /// A split that the data does not have.
    #[error("no image of the {0} split is left in the data")]
    Empty(String),
}

impl From<SplitError> for DataError {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Empty { rows, fraction } => Self::TooFew {
                images: rows,
                fraction,
            },
            error => Self::Split(error),
        }
    }
}

impl From<DataError> for TaskError {
    fn from(error: DataError) -> Self {
        Self::user(error)
    }
}

/// A split of the data's own.
#[derive(Clone, Debug)]
pub struct NamedSplit {
    /// Positions of its images.
    pub range: Range<usize>,
    /// Where they are from, as in `Training/`.
    pub source: String,
}

/// All images of a data set in one order.
#[derive(Clone)]
pub struct ImageData {
    /// The images.
    pub images: Arc<dyn Dataset<LabeledImage>>,
    /// The class of each.
    pub labels: Vec<u16>,
    /// A hash of the content of each: equal ones are copies.
    pub contents: Vec<u64>,
    /// Names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// How an image file is brought to the input of the network.
    pub decode: DecodeOptions,
    /// The data's own training, validation and test split.
    pub named: [Option<NamedSplit>; 3],
    /// Files that are not used.
    pub skipped_files: SkippedFiles,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The images, if they are files.
    folders: Vec<Arc<ImageFolder>>,
}

impl ImageData {
    /// The same image files, brought to another input of the network.
    ///
    /// # Errors
    ///
    /// If the options are invalid.
    pub(super) fn with_decode(&self, decode: DecodeOptions) -> Result<Self, DataError> {
        let folders = self.folders.iter();
        let folders = folders.map(|folder| {
            let folder = folder.with_decode_options(decode.clone());
            Ok(Arc::new(folder.map_err(FolderError::from)?))
        });
        let folders: Vec<_> = folders.collect::<Result<_, DataError>>()?;
        Ok(Self {
            images: concat(&folders),
            decode,
            folders,
            ..self.clone()
        })
    }

    /// `[height, width, channels]` of every image.
    pub fn shape(&self) -> [usize; 3] {
        [self.decode.height, self.decode.width, self.decode.channels]
    }

    /// The images as items of a split list.
    pub fn items(&self) -> Vec<Item> {
        let classes: Vec<Item> = self.classes.iter().map(|name| Item::new(0, name)).collect();
        let items = self.contents.iter().zip(&self.labels);
        let item = |(&content, &label): (&u64, &u16)| Item {
            content,
            ..classes[usize::from(label)]
        };
        items.map(item).collect()
    }

    /// The class of each of some images.
    pub fn labels_of(&self, rows: &[usize]) -> Vec<u16> {
        rows.iter().map(|&row| self.labels[row]).collect()
    }

    /// The content hash of each of some images.
    pub fn contents_of(&self, rows: &[usize]) -> Vec<u64> {
        rows.iter().map(|&row| self.contents[row]).collect()
    }

    /// Number of images of each class, among some images.
    pub fn class_counts(&self, rows: &[usize]) -> Vec<(String, usize)> {
        let mut counts = vec![0; self.classes.len()];
        for &row in rows {
            counts[usize::from(self.labels[row])] += 1;
        }
        self.classes.iter().cloned().zip(counts).collect()
    }

    /// All notes for the user, including one about files that are not used.
    pub fn all_notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        if !self.skipped_files.is_empty() {
            notes.push(self.skipped_files.to_string());
        }
        notes
    }

    /// The data's own split of this name: `train`, `valid` or `test`.
    pub fn named(&self, split: &str) -> Option<&NamedSplit> {
        named_split(&self.named, split)
    }

    /// Some of the images.
    ///
    /// # Errors
    ///
    /// If one does not exist.
    pub fn select(&self, rows: Vec<usize>) -> Result<Arc<dyn Dataset<LabeledImage>>, DataError> {
        Ok(Arc::new(Subset::new(Arc::clone(&self.images), rows)?))
    }
}

/// The data's own split of this name: `train`, `valid` or `test`.
pub(super) fn named_split<'a>(
    named: &'a [Option<NamedSplit>; 3],
    split: &str,
) -> Option<&'a NamedSplit> {
    let names = ["train", "valid", "test"];
    let place = names.iter().position(|name| *name == split)?;
    named[place].as_ref()
}

/// Opens all images of a data section.
///
/// # Errors
///
/// If they are missing or broken.
pub fn open(data: &Data) -> Result<ImageData, DataError> {
    match data {
        Data::Digits { preprocess, .. } => {
            let (train, test) = digits()?;
            Ok(of_sets(train, test, *preprocess))
        }
        Data::Idx {
            path,
            download,
            classes,
            preprocess,
            ..
        } => {
            let dir = if path.is_empty() {
                fetch(download)?
            } else {
                PathBuf::from(path)
            };
            let (train, test) = open_idx_folder(&dir, classes)?;
            Ok(of_sets(train, test, *preprocess))
        }
        Data::ImageFolder {
            path,
            height,
            width,
            channels,
            fit,
            skip_broken,
            ..
        } => {
            if path.is_empty() {
                return Err(DataError::NoPath);
            }
            let options = FolderOptions {
                decode: DecodeOptions {
                    fit: *fit,
                    ..DecodeOptions::new(*height, *width, *channels)
                },
                skip_broken: *skip_broken,
                check_pixels: true,
            };
            of_folder(Path::new(path), &options, None)
        }
    }
}

/// Opens image files for published weights, decoded as these need them.
///
/// # Errors
///
/// If they are missing or broken.
pub(super) fn open_decoded(data: &Data, decode: DecodeOptions) -> Result<ImageData, DataError> {
    match data {
        Data::ImageFolder {
            path, skip_broken, ..
        } if !path.is_empty() => {
            let options = FolderOptions {
                decode,
                skip_broken: *skip_broken,
                check_pixels: true,
            };
            of_folder(Path::new(path), &options, None)
        }
        _ => Err(DataError::NoPath),
    }
}

/// Opens other images for a trained model: a folder, an archive, a table of paths or IDX files. They get
/// the same preprocessing as its training images.
///
/// # Errors
///
/// If they are missing or broken, or of other classes.
pub fn open_other(
    path: &Path,
    decode: &DecodeOptions,
    classes: &[String],
    skip_broken: bool,
) -> Result<ImageData, DataError> {
    if is_idx_folder(path) {
        let (train, test) = open_idx_folder(path, classes)?;
        let found = [train.height(), train.width(), train.channels()];
        let expected = [decode.height, decode.width, decode.channels];
        if found != expected {
            return Err(DataError::Shape { found, expected });
        }
        let mut data = of_sets(train, test, Preprocess::default());
        data.decode = decode.clone();
        return Ok(data);
    }
    let options = FolderOptions {
        decode: decode.clone(),
        skip_broken,
        check_pixels: false,
    };
    of_folder(path, &options, Some(classes))
}

fn fetch(name: &str) -> Result<PathBuf, DataError> {
    if name.is_empty() {
        return Err(DataError::NoPath);
    }
    Ok(download::fetch(name)?)
}

fn of_sets(train: ImageSet, test: ImageSet, preprocess: Preprocess) -> ImageData {
    let decode = decode_options(&train, preprocess);
    let contents = |set: &ImageSet| -> Vec<u64> {
        let size = set.pixels().len() / set.labels().len();
        set.pixels().chunks_exact(size).map(content_hash).collect()
    };
    let named = |range: Range<usize>, split: SplitName| {
        let source = match split {
            SplitName::Train => "the training set".to_owned(),
            SplitName::Valid | SplitName::Test => format!("the {split} set"),
        };
        Some(NamedSplit { range, source })
    };
    let (count, total) = (
        train.labels().len(),
        train.labels().len() + test.labels().len(),
    );
    ImageData {
        labels: [train.labels(), test.labels()].concat(),
        contents: [contents(&train), contents(&test)].concat(),
        classes: train.class_names().to_vec(),
        images: Arc::new(Concat::new(vec![Arc::new(train), Arc::new(test)])),
        decode,
        named: [
            named(0..count, SplitName::Train),
            None,
            named(count..total, SplitName::Test),
        ],
        skipped_files: SkippedFiles::default(),
        notes: Vec::new(),
        folders: Vec::new(),
    }
}

/// Preprocessing that makes an image file resemble the images of a set, as measured on these.
fn decode_options(set: &ImageSet, preprocess: Preprocess) -> DecodeOptions {
    let every = set.len().div_ceil(MAX_MEASURED).max(1);
    let images = (0..set.len()).step_by(every);
    let images: Vec<_> = images.filter_map(|at| set.get(at).ok()).collect();
    let rule = InkRule::measure(images.iter().map(|item| &item.image));
    let mut decode = DecodeOptions {
        fit: preprocess.fit,
        ..DecodeOptions::new(set.height(), set.width(), set.channels())
    };
    if preprocess.match_background {
        decode.polarity = rule.polarity;
    }
    if preprocess.match_ink {
        decode.ink_size = rule.ink_size;
    }
    decode
}

fn of_folder(
    path: &Path,
    options: &FolderOptions,
    classes: Option<&[String]>,
) -> Result<ImageData, DataError> {
    let FolderSplits {
        train,
        valid,
        test,
        sources,
        skipped_files,
        notes,
    } = ImageFolder::open_splits(path, options, classes)?;
    let classes = train.class_names().to_vec();
    let (mut labels, mut contents) = (Vec::new(), Vec::new());
    let mut folders = Vec::new();
    let mut add = |folder: ImageFolder, split: SplitName| {
        let start = labels.len();
        labels.extend_from_slice(folder.labels());
        contents.extend_from_slice(folder.contents());
        folders.push(Arc::new(folder));
        let source = sources.iter().find(|(name, _)| *name == split);
        source.map(|(_, source)| NamedSplit {
            range: start..labels.len(),
            source: format!("`{source}`"),
        })
    };
    let named = [
        add(train, SplitName::Train),
        valid.and_then(|valid| add(valid, SplitName::Valid)),
        test.and_then(|test| add(test, SplitName::Test)),
    ];
    Ok(ImageData {
        images: concat(&folders),
        labels,
        contents,
        classes,
        decode: options.decode.clone(),
        named,
        skipped_files,
        notes,
        folders,
    })
}

fn concat(folders: &[Arc<ImageFolder>]) -> Arc<dyn Dataset<LabeledImage>> {
    let parts = folders.iter();
    let parts = parts.map(|folder| Arc::clone(folder) as Arc<dyn Dataset<LabeledImage>>);
    Arc::new(Concat::new(parts.collect()))
}
