//! From the data section of a recipe to three splits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::download::{self, DownloadError};
use tinderbox_datasets::{
    DecodeOptions, DigitsError, FolderError, FolderOptions, IdxError, ImageFolder, ImageSet,
    LabelledImage, SplitError, Subset, digits, open_idx_folder, stratified_indices,
};

use super::recipe::Data;

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
}

/// Images with their classes, in three parts that share none.
pub struct Splits {
    /// Learned from.
    pub train: Arc<dyn Dataset<LabelledImage>>,
    /// Chosen by.
    pub valid: Arc<dyn Dataset<LabelledImage>>,
    /// Measured on, once.
    pub test: Arc<dyn Dataset<LabelledImage>>,
    /// Names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// `[height, width, channels]` of every image.
    pub shape: [usize; 3],
    /// Broken images that were left out.
    pub skipped: usize,
}

impl Splits {
    /// A split by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Dataset<LabelledImage>>> {
        match name {
            "train" => Some(&self.train),
            "valid" => Some(&self.valid),
            "test" => Some(&self.test),
            _ => None,
        }
    }
}

/// Opens the images and splits them.
///
/// # Errors
///
/// If they are missing, broken, or too few to be split.
pub fn open(data: &Data) -> Result<Splits, DataError> {
    match data {
        Data::Digits {
            valid_fraction,
            split_seed,
        } => {
            let (train, test) = digits()?;
            from_sets(train, test, *valid_fraction, *split_seed)
        }
        Data::Idx {
            path,
            download,
            classes,
            valid_fraction,
            split_seed,
        } => {
            let dir = if path.is_empty() {
                fetch(download)?
            } else {
                PathBuf::from(path)
            };
            let (train, test) = open_idx_folder(&dir, classes)?;
            from_sets(train, test, *valid_fraction, *split_seed)
        }
        Data::ImageFolder { .. } => open_folder(data),
    }
}

fn fetch(name: &str) -> Result<PathBuf, DataError> {
    if name.is_empty() {
        return Err(DataError::NoPath);
    }
    Ok(download::fetch(name)?)
}

fn from_sets(
    train: ImageSet,
    test: ImageSet,
    valid_fraction: f64,
    seed: u64,
) -> Result<Splits, DataError> {
    let shape = [train.height(), train.width(), train.channels()];
    let classes = train.class_names().to_vec();
    let (kept, held) = stratified_indices(train.labels(), valid_fraction, seed)?;
    let all = Arc::new(train);
    Ok(Splits {
        train: Arc::new(Subset::new(Arc::clone(&all), kept)?),
        valid: Arc::new(Subset::new(all, held)?),
        test: Arc::new(test),
        classes,
        shape,
        skipped: 0,
    })
}

fn open_folder(data: &Data) -> Result<Splits, DataError> {
    let Data::ImageFolder {
        path,
        height,
        width,
        channels,
        fit,
        skip_broken,
        test_fraction,
        valid_fraction,
        split_seed,
    } = data
    else {
        return Err(DataError::NoPath);
    };
    if path.is_empty() {
        return Err(DataError::NoPath);
    }
    let decode = DecodeOptions {
        fit: *fit,
        ..DecodeOptions::new(*height, *width, *channels)
    };
    let options = FolderOptions {
        decode,
        skip_broken: *skip_broken,
        check_pixels: true,
    };
    let folders = ImageFolder::open_splits(Path::new(path), &options, None)?;
    let skipped = [
        Some(&folders.train),
        folders.valid.as_ref(),
        folders.test.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(ImageFolder::skipped)
    .sum();
    let classes = folders.train.class_names().to_vec();
    let train = Arc::new(folders.train);
    let rows: Vec<usize> = (0..train.labels().len()).collect();
    let (rows, test): (_, Arc<dyn Dataset<LabelledImage>>) = if let Some(test) = folders.test {
        (rows, Arc::new(test))
    } else {
        let (kept, held) = stratified_indices(train.labels(), *test_fraction, *split_seed)?;
        (kept, Arc::new(Subset::new(Arc::clone(&train), held)?))
    };
    let (rows, valid): (_, Arc<dyn Dataset<LabelledImage>>) = if let Some(valid) = folders.valid {
        (rows, Arc::new(valid))
    } else {
        let labels: Vec<u16> = rows.iter().map(|&row| train.labels()[row]).collect();
        let (kept, held) = stratified_indices(&labels, *valid_fraction, *split_seed)?;
        let held = held.into_iter().map(|at| rows[at]).collect();
        let kept = kept.into_iter().map(|at| rows[at]).collect();
        (kept, Arc::new(Subset::new(Arc::clone(&train), held)?))
    };
    Ok(Splits {
        train: Arc::new(Subset::new(train, rows)?),
        valid,
        test,
        classes,
        shape: [*height, *width, *channels],
        skipped,
    })
}
