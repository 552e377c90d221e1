//! Labeled images in files: a folder with one sub-folder per class, an archive of one, or a table of
//! paths and labels.
//!
//! | path | what is read |
//! |---|---|
//! | a folder | a folder per class, or `train/`, `valid/` and `test/` of these, see [`find_splits`](crate::files::find_splits) |
//! | `.zip`, `.tar`, `.tar.gz` | the same, packed; the images are held in memory as they are packed |
//! | a folder that has such archives and no other image | the archives, as if unpacked into it; `train.zip` into `train/` |
//! | `.csv`, `.tsv` | the columns `path`, `label` and maybe `split`; paths start at the table's folder |
//! | a folder or archive with such a table in it | the table; with class folders, these, if both agree |
//!
//! The images of sub-folders belong to the class. The content of a file says whether it is an image, and
//! skipped files are counted by reason. Files are checked when the data set is opened, in parallel;
//! pixels are decoded when an item is asked for. Names are sorted, so labels and order do not depend on
//! the file system.

mod error;
mod inspect;
mod listing;
mod near;
mod packed;
mod paths;
mod splits;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use burn::data::dataset::{Dataset, DatasetError};
use tracing::warn;

use crate::archive;
use crate::content::content_hash;
use crate::files::{SkippedFiles, SplitName};
use crate::image::animated::is_animated;
use crate::image::decode::decode_picture;
use crate::image::{
    DecodeOptions, Image, ImageError, LabeledImage, animated_note, check_bytes, decode_bytes,
};
use crate::parallel::parallel_map;
use error::quoted;
use inspect::is_dark_16_bit;
pub(super) use listing::Listing;
use splits::{Part, Parts, find_parts};

pub use error::FolderError;
pub use inspect::{FolderReport, SplitReport, dark_16_bit_note, inspect};
pub use listing::{ImageFile, has_image_extension};

/// Most damaged images that are named one by one.
const MAX_NAMED: usize = 10;

/// Options for opening an [`ImageFolder`].
#[derive(Clone, Debug, PartialEq)]
pub struct FolderOptions {
    /// Size and channels of the images.
    pub decode: DecodeOptions,
    /// Whether damaged files are skipped with a warning; otherwise they are an error.
    pub skip_broken: bool,
    /// Whether the pixels of every image are decoded once to find damaged files, instead of only the
    /// header and the end of each file; `skip_broken` implies it.
    pub check_pixels: bool,
}

/// Labeled images in files, decoded on demand.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    decode: DecodeOptions,
    class_names: Vec<String>,
    files: Vec<ImageFile>,
    labels: Vec<u16>,
    contents: Vec<u64>,
    skipped: usize,
    dark_16_bit: usize,
    animated: usize,
}

/// A data set with the splits that its folders or its table name.
#[derive(Debug)]
pub struct FolderSplits {
    /// Training images; all images where no split is named.
    pub train: ImageFolder,
    /// Validation images.
    pub valid: Option<ImageFolder>,
    /// Test images.
    pub test: Option<ImageFolder>,
    /// The folder or the value of the column that each named split is from, as in `Training/`.
    pub sources: Vec<(SplitName, String)>,
    /// Files that are not used.
    pub skipped_files: SkippedFiles,
    /// Further notes for the user.
    pub notes: Vec<String>,
}

impl ImageFolder {
    /// Opens all images of a data set, whatever splits it has, and checks every file.
    ///
    /// Given `classes`, labels are positions in it, and an image of another class is an error.
    ///
    /// # Errors
    ///
    /// If the options are invalid, the path cannot be read, there are fewer than two classes, a class has
    /// no (good) image, or, without `skip_broken`, a file is damaged.
    pub fn open(
        path: &Path,
        options: &FolderOptions,
        classes: Option<&[String]>,
    ) -> Result<(Self, SkippedFiles), FolderError> {
        options.decode.validate()?;
        let mut parts = find_parts(path, classes)?;
        let mut all = parts.train;
        for part in [parts.valid.take(), parts.test.take()]
            .into_iter()
            .flatten()
        {
            all.items.extend(part.items);
        }
        all.name = format!("`{}`", path.display());
        let folder = Self::check(path, all, options, classes, &mut parts.skipped_files)?;
        Ok((folder, parts.skipped_files))
    }

    /// Opens the splits of a data set; without any, all of it is for training. The classes are those of
    /// the training split, or `classes` if given.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), or if another split has a class that the training split lacks.
    pub fn open_splits(
        path: &Path,
        options: &FolderOptions,
        classes: Option<&[String]>,
    ) -> Result<FolderSplits, FolderError> {
        options.decode.validate()?;
        let Parts {
            train,
            valid,
            test,
            sources,
            mut skipped_files,
            mut notes,
        } = find_parts(path, classes)?;
        let train = Self::check(path, train, options, classes, &mut skipped_files)?;
        let mut open = |part: Part| -> Result<Self, FolderError> {
            let name = part.name.clone();
            let classes = Some(train.class_names.as_slice());
            let folder = Self::check(path, part, options, classes, &mut skipped_files)?;
            let lacking: Vec<String> = folder.classes_without_images().map(str::to_owned).collect();
            if !lacking.is_empty() {
                notes.push(format!("{name} has no image of {}", quoted(&lacking)));
            }
            Ok(folder)
        };
        let valid = valid.map(&mut open).transpose()?;
        let test = test.map(&mut open).transpose()?;
        let parts = [Some(&train), valid.as_ref(), test.as_ref()];
        let dark = parts.into_iter().flatten().map(|part| part.dark_16_bit);
        notes.extend(dark_16_bit_note(dark.sum()));
        let animated = parts.into_iter().flatten().map(|part| part.animated);
        notes.extend(animated_note(animated.sum()));
        Ok(FolderSplits {
            train,
            valid,
            test,
            sources,
            skipped_files,
            notes,
        })
    }

    /// Checks the files of a split and numbers its classes.
    fn check(
        path: &Path,
        part: Part,
        options: &FolderOptions,
        classes: Option<&[String]>,
        skipped_files: &mut SkippedFiles,
    ) -> Result<Self, FolderError> {
        let own: BTreeSet<&String> = part.items.iter().map(|(_, class)| class).collect();
        let class_names = match classes {
            Some(classes) => {
                let unknown = own.iter().filter(|class| !classes.contains(class));
                let unknown: Vec<String> = unknown.map(|&class| class.clone()).collect();
                if !unknown.is_empty() {
                    return Err(FolderError::UnknownClasses {
                        part: part.name,
                        unknown,
                        classes: classes.to_vec(),
                    });
                }
                classes.to_vec()
            }
            None => own.iter().map(|&class| class.clone()).collect(),
        };
        let few = if classes.is_some() { 1 } else { 2 };
        if own.len() < few || own.len() > usize::from(u16::MAX) + 1 {
            return Err(FolderError::Classes {
                dir: path.to_owned(),
                found: own.len(),
                skipped_files: skipped_files.clone(),
            });
        }
        let mut folder = Self {
            decode: options.decode.clone(),
            class_names,
            files: Vec::new(),
            labels: Vec::new(),
            contents: Vec::new(),
            skipped: 0,
            dark_16_bit: 0,
            animated: 0,
        };
        folder.fill(path, part.items, options)?;
        for _ in 0..folder.skipped {
            skipped_files.add("damaged");
        }
        Ok(folder)
    }

    /// Takes over the files that are not damaged.
    fn fill(
        &mut self,
        path: &Path,
        items: Vec<(ImageFile, String)>,
        options: &FolderOptions,
    ) -> Result<(), FolderError> {
        let decode = options.skip_broken || options.check_pixels;
        let results = parallel_map(&items, |(file, _)| check_file(file, &self.decode, decode));
        let total = items.len();
        let mut lost = vec![0; self.class_names.len()];
        let mut first = None;
        for ((file, class), result) in items.into_iter().zip(results) {
            let label = self.class_names.iter().position(|name| *name == class);
            let label = label.unwrap_or(0);
            match result {
                Ok(checked) => {
                    self.files.push(file);
                    self.labels.push(label as u16);
                    self.contents.push(checked.content);
                    self.dark_16_bit += usize::from(checked.is_dark_16_bit);
                    self.animated += usize::from(checked.is_animated);
                }
                Err(error) => {
                    lost[label] += 1;
                    self.skipped += 1;
                    let reason = with_cause(&error);
                    if options.skip_broken && self.skipped <= MAX_NAMED {
                        warn!("skipped: {reason}");
                    }
                    first.get_or_insert(reason);
                }
            }
        }
        match first {
            Some(reason) if !options.skip_broken => Err(FolderError::Damaged {
                count: self.skipped,
                total,
                reason,
            }),
            _ => self.check_broken_classes(path, &lost),
        }
    }

    fn check_broken_classes(&self, path: &Path, lost: &[usize]) -> Result<(), FolderError> {
        for (label, &skipped) in lost.iter().enumerate() {
            if skipped > 0 && !self.labels.contains(&(label as u16)) {
                return Err(FolderError::BrokenClass {
                    dir: path.to_owned(),
                    class: self.class_names[label].clone(),
                    skipped,
                });
            }
        }
        Ok(())
    }

    fn classes_without_images(&self) -> impl Iterator<Item = &str> {
        let with: BTreeSet<u16> = self.labels.iter().copied().collect();
        let names = self.class_names.iter().enumerate();
        let without = names.filter(move |(label, _)| !with.contains(&(*label as u16)));
        without.map(|(_, name)| name.as_str())
    }

    /// The names of the classes; a label is a position in this list.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The class of every image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The path of every image within the data set, with `/` between its parts.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.key.as_str())
    }

    /// The name of every image in messages.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(ImageFile::path)
    }

    /// A hash of the content of every image file: equal hashes are duplicates.
    pub fn contents(&self) -> &[u64] {
        &self.contents
    }

    /// The content of an image file.
    ///
    /// # Errors
    ///
    /// If it can no longer be read.
    pub fn bytes(&self, index: usize) -> Result<std::borrow::Cow<'_, [u8]>, ImageError> {
        self.files[index].bytes()
    }

    /// Size and channels of the images.
    pub fn decode_options(&self) -> &DecodeOptions {
        &self.decode
    }

    /// The same images, brought to another input.
    ///
    /// # Errors
    ///
    /// If the options are invalid.
    pub fn with_decode_options(&self, decode: DecodeOptions) -> Result<Self, ImageError> {
        decode.validate()?;
        Ok(Self {
            decode,
            ..self.clone()
        })
    }

    /// Number of damaged images skipped.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    fn decode(&self, index: usize) -> Result<Image, ImageError> {
        let file = &self.files[index];
        decode_bytes(&file.bytes()?, file.path(), &self.decode)
    }
}

/// An error with its cause in one line.
fn with_cause(error: &ImageError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A good file.
struct Checked {
    content: u64,
    /// False if the pixels were not decoded.
    is_dark_16_bit: bool,
    is_animated: bool,
}

fn check_file(
    file: &ImageFile,
    options: &DecodeOptions,
    decode: bool,
) -> Result<Checked, ImageError> {
    let bytes = file.bytes()?;
    let is_dark_16_bit = if decode {
        is_dark_16_bit(&decode_picture(&bytes, file.path(), options.max_pixels)?)
    } else {
        check_bytes(&bytes, file.path(), options.max_pixels)?;
        false
    };
    Ok(Checked {
        content: content_hash(&bytes),
        is_dark_16_bit,
        is_animated: is_animated(&bytes),
    })
}

/// The images in a folder, its sub-folders or an archive, without classes, and the skipped files.
///
/// # Errors
///
/// If it cannot be read.
pub fn find_images(path: &Path) -> Result<(Vec<ImageFile>, SkippedFiles), FolderError> {
    let listing = if path.is_dir() {
        Listing::of_folder(path)?.skip_tables()?
    } else {
        Listing::of_archive(path)?.skip_tables()?
    };
    Ok((listing.files, listing.skipped_files))
}

/// Whether there is an archive at the path; a file that cannot be read is none.
pub fn is_archive(path: &Path) -> bool {
    path.is_file() && archive::detect(path).is_ok_and(|kind| kind.is_some())
}

impl Dataset<LabeledImage> for ImageFolder {
    fn get(&self, index: usize) -> Result<LabeledImage, DatasetError> {
        let image = self.decode(index).map_err(DatasetError::new)?;
        Ok(LabeledImage {
            image,
            target: self.labels[index],
        })
    }

    fn len(&self) -> usize {
        self.files.len()
    }
}
