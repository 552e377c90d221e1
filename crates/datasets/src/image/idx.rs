//! IDX files, the format of MNIST and its many successors, raw or gzipped.
//!
//! A file starts with the bytes `0, 0, type, axes` and one big-endian `u32` per axis; only bytes
//! (type 8) are read here. Reference: LeCun, Cortes and Burges, *The MNIST database of handwritten
//! digits*, 1998, <http://yann.lecun.com/exdb/mnist/>.
//!
//! The header is checked against the size of the file before memory is asked for, and a gzipped
//! file is unpacked straight into its final place: reading MNIST takes little more memory than
//! holding it.

mod error;
mod files;
mod read;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::set::{ImageSet, ImageSetError};
use files::{Files, candidates, emnist_splits, find_files};
use read::read_file;

pub use error::IdxError;

/// Reads one file of gray images and the file of their labels.
///
/// The names of the classes say how many there are: a label is a position in `class_names`.
///
/// # Errors
///
/// If a file is missing, damaged or not what it should be, if counts differ, or if a label has no
/// class. Every error names the file.
pub fn read_idx(
    images_path: &Path,
    labels_path: &Path,
    class_names: &[impl AsRef<str>],
) -> Result<ImageSet, IdxError> {
    let ([images, height, width], pixels) = read_file::<3>(images_path)?;
    let ([count], labels) = read_file::<1>(labels_path)?;
    if images != count {
        return Err(IdxError::Counts {
            images_path: images_path.to_owned(),
            images: images as usize,
            labels_path: labels_path.to_owned(),
            labels: count as usize,
        });
    }
    let labels = labels.into_iter().map(u16::from).collect();
    let names = class_names
        .iter()
        .map(|name| name.as_ref().to_owned())
        .collect();
    ImageSet::new([height as usize, width as usize, 1], pixels, labels, names).map_err(|source| {
        match source {
            ImageSetError::Label {
                item,
                label,
                classes,
            } => IdxError::Label {
                path: labels_path.to_owned(),
                item,
                label,
                classes,
            },
            source => IdxError::Set {
                path: images_path.to_owned(),
                source,
            },
        }
    })
}

/// Opens the training and the test set of a folder such as MNIST's.
///
/// It looks for `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each also with `.gz` and with a dot before `idx`. EMNIST's
/// `emnist-SPLIT-train-images-idx3-ubyte` and so on work too; these store columns as rows, so the
/// images are turned upright. EMNIST's letters count from 1: give a name for the unused class 0.
///
/// # Errors
///
/// If the folder or a file is missing, with the names looked for, or as [`read_idx`].
pub fn open_idx_folder(
    dir: &Path,
    class_names: &[impl AsRef<str>],
) -> Result<(ImageSet, ImageSet), IdxError> {
    let Files {
        emnist,
        train,
        test,
    } = find_files(dir)?;
    let mut train_set = read_idx(&train[0], &train[1], class_names)?;
    let mut test_set = read_idx(&test[0], &test[1], class_names)?;
    let sides = |set: &ImageSet| [set.height() as u32, set.width() as u32];
    if sides(&train_set) != sides(&test_set) {
        let [path, _] = test;
        return Err(IdxError::Sides {
            path,
            train: sides(&train_set),
            test: sides(&test_set),
        });
    }
    if emnist {
        train_set.transpose();
        test_set.transpose();
    }
    Ok((train_set, test_set))
}

/// Whether a folder holds the training images of an IDX set, by the names of its files.
pub fn is_idx_folder(dir: &Path) -> bool {
    let plain = candidates("train-images", 3);
    let plain = plain.iter().any(|name| dir.join(name).is_file());
    plain || (dir.is_dir() && emnist_splits(dir).is_ok_and(|splits| !splits.is_empty()))
}

/// The number of classes that the labels of a folder's training set count from 0; at least 2.
///
/// # Errors
///
/// If the folder or the file of labels is missing or damaged.
pub fn count_classes(dir: &Path) -> Result<usize, IdxError> {
    let Files { train, .. } = find_files(dir)?;
    let (_, labels) = read_file::<1>(&train[1])?;
    let last = labels.iter().copied().max().unwrap_or(0);
    Ok((usize::from(last) + 1).max(2))
}
