//! A folder of image files, one sub-folder per class.
//!
//! Files are listed and their headers checked when the folder is opened, in parallel; pixels are
//! decoded when an item is asked for. Names are sorted, so labels and order do not depend on the
//! file system.

use std::path::{Path, PathBuf};
use std::thread;

use burn::data::dataset::{Dataset, DatasetError};
use thiserror::Error;
use tracing::warn;

use crate::image::{DecodeOptions, ImageError, LabelledImage, check_header, decode_image};

/// Extensions of the files that are read, in any case.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

/// How to read an [`ImageFolder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderOptions {
    /// Size and channels of the images.
    pub decode: DecodeOptions,
    /// Whether damaged files are left out with a warning; otherwise the first one is an error.
    pub skip_broken: bool,
}

/// Why a folder of images could not be opened.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The folder does not exist.
    #[error("there is no folder `{}`; it should hold one folder of images per class", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder cannot be listed.
    #[error("cannot list `{}`", dir.display())]
    Read {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There are not enough or too many classes.
    #[error(
        "`{}` holds {found} folders; each is a class, and from 2 to 65536 are needed",
        dir.display()
    )]
    Classes {
        /// The folder.
        dir: PathBuf,
        /// Number of classes found.
        found: usize,
    },
    /// The folder of a class has no image.
    #[error("the class folder `{}` holds no image ({})", dir.display(), EXTENSIONS.join(", "))]
    EmptyClass {
        /// The folder of the class.
        dir: PathBuf,
    },
    /// All images of a class are damaged.
    #[error("all {skipped} images of the class folder `{}` are damaged", dir.display())]
    BrokenClass {
        /// The folder of the class.
        dir: PathBuf,
        /// Number of damaged images.
        skipped: usize,
    },
    /// An image is damaged, or the options are invalid.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Two parts do not have the same classes.
    #[error(
        "`{}` and `{}` must have the same classes, but only one of them has {}",
        first.display(), second.display(), names.join(", ")
    )]
    ClassesDiffer {
        /// The folder for training.
        first: PathBuf,
        /// The other folder.
        second: PathBuf,
        /// Classes that one folder lacks.
        names: Vec<String>,
    },
}

/// Labelled images in the files of a folder, decoded on demand.
#[derive(Debug)]
pub struct ImageFolder {
    dir: PathBuf,
    decode: DecodeOptions,
    class_names: Vec<String>,
    files: Vec<PathBuf>,
    labels: Vec<u16>,
    ignored: usize,
    skipped: usize,
}

/// The parts of a folder that holds `train/` and others.
#[derive(Debug)]
pub struct FolderSplits {
    /// Images to learn from.
    pub train: ImageFolder,
    /// Images to choose by, from `valid/` or `val/`.
    pub valid: Option<ImageFolder>,
    /// Images to judge by, from `test/`.
    pub test: Option<ImageFolder>,
}

impl ImageFolder {
    /// Opens `dir`, in which every sub-folder is a class, and checks every image.
    ///
    /// Without `skip_broken` this reads the headers. With it, every file is decoded once, and the
    /// damaged ones are left out with a warning each.
    ///
    /// # Errors
    ///
    /// If the options are invalid, the folder is missing or cannot be listed, there are fewer than
    /// two classes, a class has no (good) image, or, without `skip_broken`, a header is damaged.
    pub fn open(dir: &Path, options: &FolderOptions) -> Result<Self, FolderError> {
        options.decode.validate()?;
        if !dir.is_dir() {
            return Err(FolderError::Missing {
                dir: dir.to_owned(),
            });
        }
        let entries = list(dir)?;
        let (classes, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|p| p.is_dir());
        if classes.len() < 2 || classes.len() > usize::from(u16::MAX) + 1 {
            return Err(FolderError::Classes {
                dir: dir.to_owned(),
                found: classes.len(),
            });
        }
        let mut folder = Self {
            dir: dir.to_owned(),
            decode: options.decode.clone(),
            class_names: classes.iter().map(|class| name_of(class)).collect(),
            files: Vec::new(),
            labels: Vec::new(),
            ignored: others.len(),
            skipped: 0,
        };
        for (label, class) in classes.iter().enumerate() {
            folder.add_class(label as u16, class)?;
        }
        if options.skip_broken {
            folder.drop_broken(&classes)?;
        } else {
            folder.check_headers()?;
        }
        Ok(folder)
    }

    /// Opens the parts of `dir` if it holds `train/` and at least one of `test/`, `valid/` and
    /// `val/`; otherwise all of `dir` is for training.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), or if the parts do not have the same classes.
    pub fn open_splits(dir: &Path, options: &FolderOptions) -> Result<FolderSplits, FolderError> {
        let part = |names: &[&str]| names.iter().map(|name| dir.join(name)).find(|p| p.is_dir());
        let (train, valid, test) = (part(&["train"]), part(&["valid", "val"]), part(&["test"]));
        let (Some(train), true) = (train, valid.is_some() || test.is_some()) else {
            let train = Self::open(dir, options)?;
            return Ok(FolderSplits {
                train,
                valid: None,
                test: None,
            });
        };
        let train = Self::open(&train, options)?;
        let like_train = |dir: PathBuf| -> Result<Self, FolderError> {
            let folder = Self::open(&dir, options)?;
            train.demand_same_classes(&folder)?;
            Ok(folder)
        };
        let valid = valid.map(like_train).transpose()?;
        let test = test.map(like_train).transpose()?;
        Ok(FolderSplits { train, valid, test })
    }

    /// The names of the classes in ascending order; a label is a position in this list.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The class of every image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The file of every image.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Size and channels of the images.
    pub fn decode_options(&self) -> &DecodeOptions {
        &self.decode
    }

    /// Number of entries that are no images by their extension, hidden ones aside.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// Number of damaged images left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    fn add_class(&mut self, label: u16, class: &Path) -> Result<(), FolderError> {
        let before = self.files.len();
        for path in list(class)? {
            if is_image(&path) && path.is_file() {
                self.files.push(path);
                self.labels.push(label);
            } else {
                self.ignored += 1;
            }
        }
        if self.files.len() == before {
            return Err(FolderError::EmptyClass {
                dir: class.to_owned(),
            });
        }
        Ok(())
    }

    fn check_headers(&self) -> Result<(), FolderError> {
        let limit = self.decode.max_pixels;
        let results = in_parallel(&self.files, |path| check_header(path, limit).map(|_| ()));
        results
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(FolderError::Image)
    }

    fn drop_broken(&mut self, classes: &[PathBuf]) -> Result<(), FolderError> {
        let results = in_parallel(&self.files, |path| {
            decode_image(path, &self.decode).map(|_| ())
        });
        let files = std::mem::take(&mut self.files);
        let labels = std::mem::take(&mut self.labels);
        let mut lost = vec![0; classes.len()];
        for ((path, label), result) in files.into_iter().zip(labels).zip(results) {
            if let Err(error) = result {
                lost[usize::from(label)] += 1;
                let reason = std::error::Error::source(&error).map(ToString::to_string);
                warn!(
                    "left out: {error}{}",
                    reason.map_or(String::new(), |r| format!(": {r}"))
                );
            } else {
                self.files.push(path);
                self.labels.push(label);
            }
        }
        self.skipped = lost.iter().sum();
        for (label, (dir, &skipped)) in classes.iter().zip(&lost).enumerate() {
            if skipped > 0 && !self.labels.contains(&(label as u16)) {
                return Err(FolderError::BrokenClass {
                    dir: dir.clone(),
                    skipped,
                });
            }
        }
        Ok(())
    }

    fn demand_same_classes(&self, other: &Self) -> Result<(), FolderError> {
        if self.class_names == other.class_names {
            return Ok(());
        }
        let lacking = |of: &Self, to: &Self| -> Vec<String> {
            let names = of
                .class_names
                .iter()
                .filter(|name| !to.class_names.contains(name));
            names.map(|name| format!("`{name}`")).collect()
        };
        Err(FolderError::ClassesDiffer {
            first: self.dir.clone(),
            second: other.dir.clone(),
            names: [lacking(self, other), lacking(other, self)].concat(),
        })
    }
}

impl Dataset<LabelledImage> for ImageFolder {
    fn get(&self, index: usize) -> Result<LabelledImage, DatasetError> {
        let image = decode_image(&self.files[index], &self.decode).map_err(DatasetError::new)?;
        Ok(LabelledImage {
            image,
            label: self.labels[index],
        })
    }

    fn len(&self) -> usize {
        self.files.len()
    }
}

/// Lists what is not hidden in `dir`, sorted by name.
fn list(dir: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let read = |source| FolderError::Read {
        dir: dir.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|found| {
        EXTENSIONS
            .iter()
            .any(|known| found.eq_ignore_ascii_case(known))
    })
}

/// Applies `work` to every path on all cores and keeps the order.
fn in_parallel<T: Send>(paths: &[PathBuf], work: impl Fn(&Path) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(paths.len().max(1));
    let work = &work;
    // Interleaved, as files of one class tend to be alike in size.
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let start = |worker| {
            let share = paths.iter().enumerate().skip(worker).step_by(workers);
            scope.spawn(move || share.map(|(at, path)| (at, work(path))).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..workers).map(start).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    results.sort_unstable_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    fn options(skip_broken: bool) -> FolderOptions {
        FolderOptions {
            decode: DecodeOptions::new(4, 4, 3),
            skip_broken,
        }
    }

    fn put_image(dir: &Path, name: &str, value: u8) -> PathBuf {
        std::fs::create_dir_all(dir).unwrap();
        let path = dir.join(name);
        let picture = RgbImage::from_pixel(6, 5, Rgb([value; 3]));
        picture
            .save_with_format(&path, image::ImageFormat::Png)
            .unwrap();
        path
    }

    /// Classes `cat` and `dog` with two images each.
    fn pets(dir: &Path) {
        for (class, value) in [("dog", 200), ("cat", 100)] {
            put_image(&dir.join(class), "b.PNG", value + 1);
            // The content is PNG all the same.
            put_image(&dir.join(class), "a.jpg", value);
        }
    }

    fn new_pets() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        pets(folder.path());
        folder
    }

    #[test]
    fn classes_and_files_are_sorted_by_name() {
        let folder = new_pets();
        let images = ImageFolder::open(folder.path(), &options(false)).unwrap();
        assert_eq!(images.class_names(), ["cat", "dog"]);
        assert_eq!(images.labels(), [0, 0, 1, 1]);
        let firsts: Vec<u8> = images
            .iter()
            .map(|item| item.unwrap().image.pixels[0])
            .collect();
        assert_eq!(firsts, [100, 101, 200, 201]);
        assert_eq!(images.get(3).unwrap().image.pixels.len(), 4 * 4 * 3);
    }

    #[test]
    fn hidden_files_are_unseen_and_others_are_counted() {
        let folder = new_pets();
        std::fs::write(folder.path().join("readme.txt"), "pets").unwrap();
        std::fs::write(folder.path().join("cat/notes.csv"), "x").unwrap();
        std::fs::write(folder.path().join("cat/.DS_Store"), "x").unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let images = ImageFolder::open(folder.path(), &options(false)).unwrap();
        assert_eq!(
            (images.len(), images.ignored(), images.skipped()),
            (4, 2, 0)
        );
    }

    #[test]
    fn a_missing_folder_and_a_single_class_are_refused() {
        let error = ImageFolder::open(Path::new("/no/pets"), &options(false)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("there is no folder `/no/pets`")
        );
        let folder = tempfile::tempdir().unwrap();
        put_image(&folder.path().join("cat"), "a.png", 1);
        let error = ImageFolder::open(folder.path(), &options(false)).unwrap_err();
        assert!(matches!(error, FolderError::Classes { found: 1, .. }));
    }

    #[test]
    fn an_empty_class_is_named() {
        let folder = new_pets();
        std::fs::create_dir(folder.path().join("bird")).unwrap();
        let error = ImageFolder::open(folder.path(), &options(false)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("bird` holds no image (jpg, jpeg, png, webp, bmp)")
        );
    }

    #[test]
    fn a_broken_header_is_an_error_that_names_the_file() {
        let folder = new_pets();
        std::fs::write(folder.path().join("dog/c.jpeg"), "not an image").unwrap();
        let error = ImageFolder::open(folder.path(), &options(false)).unwrap_err();
        assert!(
            error.to_string().contains("c.jpeg` is not an image"),
            "{error}"
        );
    }

    #[test]
    fn broken_pixels_are_an_error_of_the_item() {
        let folder = new_pets();
        let path = folder.path().join("dog/b.PNG");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        let images = ImageFolder::open(folder.path(), &options(false)).unwrap();
        assert!(images.get(2).is_ok());
        assert!(images.get(3).unwrap_err().to_string().contains("dog/b.PNG"));
    }

    #[test]
    fn skip_broken_leaves_out_what_cannot_be_decoded() {
        let folder = new_pets();
        let path = folder.path().join("dog/b.PNG");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        std::fs::write(folder.path().join("cat/c.bmp"), "").unwrap();
        let images = ImageFolder::open(folder.path(), &options(true)).unwrap();
        assert_eq!((images.len(), images.skipped()), (3, 2));
        assert_eq!(images.labels(), [0, 0, 1]);
        std::fs::write(folder.path().join("dog/a.jpg"), "").unwrap();
        let error = ImageFolder::open(folder.path(), &options(true)).unwrap_err();
        assert!(matches!(error, FolderError::BrokenClass { skipped: 2, .. }));
    }

    #[test]
    fn splits_are_found_and_must_have_equal_classes() {
        let folder = tempfile::tempdir().unwrap();
        pets(&folder.path().join("train"));
        pets(&folder.path().join("test"));
        let splits = ImageFolder::open_splits(folder.path(), &options(false)).unwrap();
        assert_eq!((splits.train.len(), splits.test.unwrap().len()), (4, 4));
        assert!(splits.valid.is_none());
        pets(&folder.path().join("valid"));
        put_image(&folder.path().join("valid/bird"), "a.png", 0);
        let error = ImageFolder::open_splits(folder.path(), &options(false)).unwrap_err();
        assert!(
            error.to_string().ends_with("only one of them has `bird`"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_parts_is_one_set() {
        let folder = new_pets();
        let splits = ImageFolder::open_splits(folder.path(), &options(false)).unwrap();
        assert_eq!(splits.train.len(), 4);
        assert!(splits.valid.is_none() && splits.test.is_none());
    }
}
