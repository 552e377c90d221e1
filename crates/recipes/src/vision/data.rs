//! From the data section of a recipe to images in one order, and to three splits of them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::download::{self, DownloadError};
use tinderbox_datasets::files::{LeftOut, SplitName};
use tinderbox_datasets::image::{
    DecodeOptions, FolderError, FolderOptions, FolderSplits, IdxError, ImageFolder, ImageSet,
    InkRule, LabeledImage, is_idx_folder, open_idx_folder,
};
use tinderbox_datasets::sets::{DigitsError, digits};
use tinderbox_datasets::{
    SplitError, Subset, content_hash, count_copies, count_shared, stratified_indices_by_content,
};

use super::concat::Concat;
use super::recipe::{Data, Preprocess};
use tinderbox_train::splits::{Item, SplitList};

/// Most images that the rule for ink and background is measured on.
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
    Split(#[from] SplitError),
    /// An image that cannot be loaded.
    #[error("cannot load an image")]
    Image(#[source] DatasetError),
    /// No folder was named.
    #[error("the recipe needs a folder of images: name it with `--data FOLDER` or `data.path`")]
    NoPath,
    /// Images of another size than the network takes.
    #[error(
        "the images are {found:?} (height, width, channels), and the model expects {expected:?}"
    )]
    Shape {
        /// What they are.
        found: [usize; 3],
        /// What the model takes.
        expected: [usize; 3],
    },
    /// Images of other classes than the model knows.
    #[error("the images have the classes {found:?}, and the model expects {expected:?}")]
    Classes {
        /// What they are.
        found: Vec<String>,
        /// What the model knows.
        expected: Vec<String>,
    },
    /// A split that the data does not have.
    #[error("no image of the {0} split is left in the data")]
    Empty(String),
}

/// A split that the data itself has: its images and where they are from.
#[derive(Clone, Debug)]
pub struct NamedSplit {
    /// Positions of its images.
    pub range: Range<usize>,
    /// Where they are from, as in `Training/`.
    pub source: String,
}

/// All images of a data set in one order.
pub struct Opened {
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
    /// The splits that the data itself has: train, valid and test.
    pub named: [Option<NamedSplit>; 3],
    /// Files that are not used.
    pub left_out: LeftOut,
    /// What else a person should know.
    pub notes: Vec<String>,
}

impl Opened {
    /// `[height, width, channels]` of every image.
    pub fn shape(&self) -> [usize; 3] {
        [self.decode.height, self.decode.width, self.decode.channels]
    }

    /// The images as a split list holds them.
    pub fn items(&self) -> Vec<Item> {
        let classes: Vec<Item> = self.classes.iter().map(|name| Item::new(0, name)).collect();
        let items = self.contents.iter().zip(&self.labels);
        let item = |(&content, &label): (&u64, &u16)| Item {
            content,
            ..classes[usize::from(label)]
        };
        items.map(item).collect()
    }

    /// Some of the images.
    ///
    /// # Errors
    ///
    /// If one does not exist.
    pub fn select(&self, rows: Vec<usize>) -> Result<Arc<dyn Dataset<LabeledImage>>, DataError> {
        Ok(Arc::new(Subset::new(Arc::clone(&self.images), rows)?))
    }

    /// The images of a split that the data itself has, as `train`, `valid` or `test`.
    pub fn named(&self, split: &str) -> Option<&NamedSplit> {
        let place = ["train", "valid", "test"]
            .iter()
            .position(|name| *name == split)?;
        self.named[place].as_ref()
    }
}

/// Images in three splits that share none.
pub struct Splits {
    /// Learned from.
    pub train: Arc<dyn Dataset<LabeledImage>>,
    /// Chosen by.
    pub valid: Arc<dyn Dataset<LabeledImage>>,
    /// Measured on, once.
    pub test: Arc<dyn Dataset<LabeledImage>>,
    /// Positions of the images of each, in the order train, valid, test.
    pub rows: [Vec<usize>; 3],
    /// Where the images of each are from.
    pub sources: [String; 3],
    /// Images that are a copy of another one, among those that are split here.
    pub copies: usize,
    /// Test images that are also trained on or chosen by, where the data itself has splits.
    pub shared: usize,
}

impl Splits {
    /// Splits the images as the data section says.
    ///
    /// # Errors
    ///
    /// If there are too few.
    pub fn new(opened: &Opened, data: &Data) -> Result<Self, DataError> {
        let (fractions, seed) = data.fractions();
        let [train, valid, test] = &opened.named;
        let mut rest: Vec<usize> = match train {
            Some(train) => train.range.clone().collect(),
            None => (0..opened.labels.len()).collect(),
        };
        let contents: Vec<u64> = rest.iter().map(|&row| opened.contents[row]).collect();
        let copies = count_copies(&contents);
        let mut hold_out = |given: &Option<NamedSplit>, fraction: f64, name: &str| {
            if let Some(given) = given {
                return Ok((given.range.clone().collect(), given.source.clone()));
            }
            let (kept, held) = hold_out(opened, &rest, fraction, seed)?;
            rest = kept;
            let percent = round(100.0 * fraction);
            let source = match train {
                // Of a folder, a split that is not there may be missed.
                Some(train) if train.source.starts_with('`') => {
                    format!("{percent}% of {} (no {name} split found)", train.source)
                }
                Some(train) => format!("{percent}% of {}", train.source),
                None => format!("{percent}% of the images"),
            };
            Ok::<_, DataError>((held, source))
        };
        let (test, test_source) = hold_out(test, fractions[1], "test")?;
        let (valid, valid_source) = hold_out(valid, fractions[0], "validation")?;
        let train_source = train.as_ref().map_or(String::new(), |train| {
            if rest.len() < train.range.len() {
                format!("the rest of {}", train.source)
            } else {
                train.source.clone()
            }
        });
        let content =
            |rows: &[usize]| -> Vec<u64> { rows.iter().map(|&row| opened.contents[row]).collect() };
        let known = [content(&rest), content(&valid)].concat();
        Ok(Self {
            train: opened.select(rest.clone())?,
            valid: opened.select(valid.clone())?,
            test: opened.select(test.clone())?,
            shared: count_shared(content(&test), known),
            rows: [rest, valid, test],
            sources: [train_source, valid_source, test_source],
            copies,
        })
    }

    /// A split by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Dataset<LabeledImage>>> {
        match name {
            "train" => Some(&self.train),
            "valid" => Some(&self.valid),
            "test" => Some(&self.test),
            _ => None,
        }
    }

    /// Which image is in which split, for the run directory.
    pub fn list(&self, opened: &Opened) -> SplitList {
        let [train, valid, test] = &self.rows;
        SplitList::new(opened.items(), [train, valid, test])
    }
}

/// Two digits at most, without zeros at the end.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Holds out a fraction of some images, copies together and every class in proportion.
fn hold_out(
    opened: &Opened,
    rows: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let labels: Vec<u16> = rows.iter().map(|&row| opened.labels[row]).collect();
    let contents: Vec<u64> = rows.iter().map(|&row| opened.contents[row]).collect();
    let (kept, held) = stratified_indices_by_content(&labels, &contents, fraction, seed)?;
    let named = |places: Vec<usize>| places.into_iter().map(|place| rows[place]).collect();
    Ok((named(kept), named(held)))
}

/// Opens all images of a data section.
///
/// # Errors
///
/// If they are missing or broken.
pub fn open(data: &Data) -> Result<Opened, DataError> {
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

/// Opens other images for a trained model, in whatever form they are: a folder, an archive, a table of
/// paths or IDX files. They are brought to the model's input as its training images were.
///
/// # Errors
///
/// If they are missing or broken, or of other classes.
pub fn open_other(
    path: &Path,
    decode: &DecodeOptions,
    classes: &[String],
    skip_broken: bool,
) -> Result<Opened, DataError> {
    if is_idx_folder(path) {
        let (train, test) = open_idx_folder(path, classes)?;
        let found = [train.height(), train.width(), train.channels()];
        let expected = [decode.height, decode.width, decode.channels];
        if found != expected {
            return Err(DataError::Shape { found, expected });
        }
        let mut opened = of_sets(train, test, Preprocess::default());
        opened.decode = decode.clone();
        return Ok(opened);
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

fn of_sets(train: ImageSet, test: ImageSet, preprocess: Preprocess) -> Opened {
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
    Opened {
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
        left_out: LeftOut::default(),
        notes: Vec::new(),
    }
}

/// How an image file becomes like the images of a set: what these have in common is measured.
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
) -> Result<Opened, DataError> {
    let FolderSplits {
        train,
        valid,
        test,
        sources,
        left_out,
        notes,
    } = ImageFolder::open_splits(path, options, classes)?;
    let classes = train.class_names().to_vec();
    let (mut labels, mut contents) = (Vec::new(), Vec::new());
    let mut parts: Vec<Arc<dyn Dataset<LabeledImage>>> = Vec::new();
    let mut add = |folder: ImageFolder, split: SplitName| {
        let start = labels.len();
        labels.extend_from_slice(folder.labels());
        contents.extend_from_slice(folder.contents());
        parts.push(Arc::new(folder));
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
    Ok(Opened {
        images: Arc::new(Concat::new(parts)),
        labels,
        contents,
        classes,
        decode: options.decode.clone(),
        named,
        left_out,
        notes,
    })
}
