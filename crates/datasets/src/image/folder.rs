//! Labelled images in files: a folder with one sub-folder per class, an archive of one, or a table of
//! paths and labels.
//!
//! | path | what is read |
//! |---|---|
//! | a folder | a folder per class, or `train/`, `valid/` and `test/` of these, see [`find_splits`] |
//! | `.zip`, `.tar`, `.tar.gz` | the same, packed; the images are held in memory as they are packed |
//! | `.csv`, `.tsv` | the columns `path`, `label` and maybe `split`; paths start at the table's folder |
//!
//! The images of sub-folders belong to the class. The content of a file says whether it is an image, and
//! what is left out is counted by reason. Files are checked when the data set is opened, in parallel;
//! pixels are decoded when an item is asked for. Names are sorted, so labels and order do not depend on
//! the file system.

mod inspect;
mod listing;
mod paths;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::data::dataset::{Dataset, DatasetError};
use thiserror::Error;
use tracing::warn;

use crate::archive::{self, ArchiveError};
use crate::content::content_hash;
use crate::files::{LeftOut, SplitFoldersError, SplitName, WalkError, find_splits, list};
use crate::image::{DecodeOptions, Image, ImageError, LabelledImage, check_bytes, decode_bytes};
use crate::parallel::parallel_map;
use listing::Listing;

pub use inspect::{FolderReport, SplitReport, inspect};
pub use listing::ImageFile;

/// Most damaged images that are named one by one.
const MAX_NAMED: usize = 10;

/// How to read an [`ImageFolder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderOptions {
    /// Size and channels of the images.
    pub decode: DecodeOptions,
    /// Whether damaged files are left out with a warning; otherwise they are an error.
    pub skip_broken: bool,
    /// Whether the pixels of every image are decoded once to find damaged files, instead of only the
    /// header and the end of each file; `skip_broken` implies it.
    pub check_pixels: bool,
}

/// Why a data set of images could not be opened.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is nothing at the path.
    #[error(
        "there is no folder `{}`; expected a folder with one sub-folder of images per class, an archive \
         of one, or a CSV file with the columns `path` and `label`",
        dir.display()
    )]
    Missing {
        /// The path.
        dir: PathBuf,
    },
    /// The file is neither an archive nor a table.
    #[error(
        "`{}` is neither a folder, a .zip or .tar.gz archive, nor a CSV file with the columns `path` and \
         `label`",
        path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A folder or file cannot be read.
    #[error("cannot read `{}`", dir.display())]
    Read {
        /// The folder or file.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A table of paths is not as expected.
    #[error("`{}` line {line}: {reason}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Two folders are named after one split.
    #[error(transparent)]
    Splits(#[from] SplitFoldersError),
    /// There are not enough or too many classes.
    #[error(
        "`{}` has {found} class folders with images, expected 2 to 65536{}",
        dir.display(), left_out_hint(left_out)
    )]
    Classes {
        /// The data set.
        dir: PathBuf,
        /// Number of classes found.
        found: usize,
        /// What was left out.
        left_out: LeftOut,
    },
    /// The folder of a class has no image.
    #[error("the class folder `{}` has no image (JPEG, PNG, GIF, TIFF, WebP or BMP)", dir.display())]
    EmptyClass {
        /// The folder of the class.
        dir: PathBuf,
    },
    /// All images of a class are damaged.
    #[error("all {skipped} images of the class `{class}` in `{}` are damaged", dir.display())]
    BrokenClass {
        /// The data set.
        dir: PathBuf,
        /// The class.
        class: String,
        /// Number of damaged images.
        skipped: usize,
    },
    /// The options are invalid, or a file cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Images are damaged.
    #[error(
        "{count} of {total} images cannot be used (`data.skip_broken=true` leaves them out); the first: \
         {reason}"
    )]
    Damaged {
        /// Number of damaged images.
        count: usize,
        /// Number of images.
        total: usize,
        /// What is wrong with the first.
        reason: String,
    },
    /// There are images of a class that is not known.
    #[error(
        "{} has images of {}, expected only the classes {}",
        part,
        quoted(unknown),
        quoted(classes)
    )]
    UnknownClasses {
        /// The data set or its split.
        part: String,
        /// The classes that are not known.
        unknown: Vec<String>,
        /// The classes that are.
        classes: Vec<String>,
    },
    /// A split that a table names has no image.
    #[error("`{}` has no row of the train split", path.display())]
    NoTrain {
        /// The table.
        path: PathBuf,
    },
}

fn quoted(names: &[String]) -> String {
    let shown = names.iter().take(20).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > 20 {
        text.push_str(", ...");
    }
    text
}

fn left_out_hint(left_out: &LeftOut) -> String {
    if left_out.is_empty() {
        String::new()
    } else {
        format!(" ({left_out})")
    }
}

/// Labelled images in files, decoded on demand.
#[derive(Debug)]
pub struct ImageFolder {
    decode: DecodeOptions,
    class_names: Vec<String>,
    files: Vec<ImageFile>,
    labels: Vec<u16>,
    contents: Vec<u64>,
    skipped: usize,
}

/// A data set with the splits that its folders or its table name.
#[derive(Debug)]
pub struct FolderSplits {
    /// Images to learn from; all images where no split is named.
    pub train: ImageFolder,
    /// Images to choose by.
    pub valid: Option<ImageFolder>,
    /// Images to judge by.
    pub test: Option<ImageFolder>,
    /// The folder or the value of the column that each named split is from, as in `Training/`.
    pub sources: Vec<(SplitName, String)>,
    /// Files that are not used.
    pub left_out: LeftOut,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// The files of a split before they are checked: each with its class.
struct Part {
    name: String,
    items: Vec<(ImageFile, String)>,
}

/// The files of a data set by split.
struct Parts {
    train: Part,
    valid: Option<Part>,
    test: Option<Part>,
    sources: Vec<(SplitName, String)>,
    left_out: LeftOut,
    notes: Vec<String>,
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
    ) -> Result<(Self, LeftOut), FolderError> {
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
        let folder = Self::check(path, all, options, classes, &mut parts.left_out)?;
        Ok((folder, parts.left_out))
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
            mut left_out,
            mut notes,
        } = find_parts(path, classes)?;
        let train = Self::check(path, train, options, classes, &mut left_out)?;
        let mut open = |part: Part| -> Result<Self, FolderError> {
            let name = part.name.clone();
            let classes = Some(train.class_names.as_slice());
            let folder = Self::check(path, part, options, classes, &mut left_out)?;
            let lacking: Vec<String> = folder.classes_without_images().map(str::to_owned).collect();
            if !lacking.is_empty() {
                notes.push(format!("{name} has no image of {}", quoted(&lacking)));
            }
            Ok(folder)
        };
        let valid = valid.map(&mut open).transpose()?;
        let test = test.map(&mut open).transpose()?;
        Ok(FolderSplits {
            train,
            valid,
            test,
            sources,
            left_out,
            notes,
        })
    }

    /// Checks the files of a split and numbers its classes.
    fn check(
        path: &Path,
        part: Part,
        options: &FolderOptions,
        classes: Option<&[String]>,
        left_out: &mut LeftOut,
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
                left_out: left_out.clone(),
            });
        }
        let mut folder = Self {
            decode: options.decode.clone(),
            class_names,
            files: Vec::new(),
            labels: Vec::new(),
            contents: Vec::new(),
            skipped: 0,
        };
        folder.fill(path, part.items, options)?;
        for _ in 0..folder.skipped {
            left_out.add("damaged");
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
                Ok(hash) => {
                    self.files.push(file);
                    self.labels.push(label as u16);
                    self.contents.push(hash);
                }
                Err(error) => {
                    lost[label] += 1;
                    self.skipped += 1;
                    let reason = with_cause(&error);
                    if options.skip_broken && self.skipped <= MAX_NAMED {
                        warn!("left out: {reason}");
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

    /// A hash of the content of every image file: equal files are copies.
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

    /// Number of damaged images left out.
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

fn check_file(file: &ImageFile, options: &DecodeOptions, decode: bool) -> Result<u64, ImageError> {
    let bytes = file.bytes()?;
    if decode {
        decode_bytes(&bytes, file.path(), options)?;
    } else {
        check_bytes(&bytes, file.path(), options.max_pixels)?;
    }
    Ok(content_hash(&bytes))
}

/// The images in a folder, its sub-folders or an archive, without classes, and what was left out.
///
/// # Errors
///
/// If it cannot be read.
pub fn find_images(path: &Path) -> Result<(Vec<ImageFile>, LeftOut), FolderError> {
    let listing = if path.is_dir() {
        Listing::of_folder(path)?
    } else {
        Listing::of_archive(path)?
    };
    Ok((listing.files, listing.left_out))
}

/// Whether there is an archive at the path; a file that cannot be read is none.
pub fn is_archive(path: &Path) -> bool {
    path.is_file() && archive::detect(path).is_ok_and(|kind| kind.is_some())
}

/// The files of a data set by split, from whatever it is kept in.
fn find_parts(path: &Path, classes: Option<&[String]>) -> Result<Parts, FolderError> {
    if path.is_dir() {
        let listing = Listing::of_folder(path)?.unwrap(classes);
        let parts = by_folders(listing)?;
        if classes.is_none() {
            check_empty_classes(path, &parts)?;
        }
        return Ok(parts);
    }
    if !path.exists() {
        return Err(FolderError::Missing {
            dir: path.to_owned(),
        });
    }
    let read = |source| FolderError::Read {
        dir: path.to_owned(),
        source,
    };
    if archive::detect(path).map_err(read)?.is_some() {
        return by_folders(Listing::of_archive(path)?.unwrap(classes));
    }
    if is_text(path)? {
        return by_table(path);
    }
    Err(FolderError::Kind {
        path: path.to_owned(),
    })
}

/// Whether a file can be a table: text, as far as its beginning tells.
fn is_text(path: &Path) -> Result<bool, FolderError> {
    use std::io::Read as _;
    let read = |source| FolderError::Read {
        dir: path.to_owned(),
        source,
    };
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(4096).read_to_end(&mut start).map_err(read)?;
    let valid = match std::str::from_utf8(&start) {
        Ok(_) => true,
        // A letter may be cut at the end.
        Err(error) => error.error_len().is_none(),
    };
    Ok(valid && !start.is_empty() && !start.contains(&0))
}

fn by_folders(mut listing: Listing) -> Result<Parts, FolderError> {
    let mut left_out = std::mem::take(&mut listing.left_out);
    let mut sources = Vec::new();
    let splits = find_splits(&listing.top_folders())?;
    let Some(splits) = splits else {
        let train = part("the data set".to_owned(), listing.files, &mut left_out);
        return Ok(Parts {
            train,
            valid: None,
            test: None,
            sources,
            left_out,
            notes: Vec::new(),
        });
    };
    let mut of_split = |split: SplitName, folder: &Path| {
        let name = format!("{}/", folder.display());
        sources.push((split, name.clone()));
        part(format!("`{name}`"), listing.take(folder), &mut left_out)
    };
    let train = of_split(SplitName::Train, &splits.train);
    let valid = splits.valid.map(|dir| of_split(SplitName::Valid, &dir));
    let test = splits.test.map(|dir| of_split(SplitName::Test, &dir));
    for file in &listing.files {
        let top = file.key.split_once('/').map(|(top, _)| top);
        left_out.add(match top {
            Some(top) => format!("in `{top}/`, which is no split"),
            None => "beside the splits".to_owned(),
        });
    }
    Ok(Parts {
        train,
        valid,
        test,
        sources,
        left_out,
        notes: Vec::new(),
    })
}

/// Gives every file the class of its folder.
fn part(name: String, files: Vec<ImageFile>, left_out: &mut LeftOut) -> Part {
    let mut items = Vec::with_capacity(files.len());
    for file in files {
        let inner = file
            .key
            .strip_prefix(name.trim_matches('`'))
            .unwrap_or(&file.key);
        match inner.split_once('/') {
            Some((class, _)) => {
                let class = class.to_owned();
                items.push((file, class));
            }
            None => left_out.add("in no class folder"),
        }
    }
    Part { name, items }
}

/// A class whose folder has no image is more likely a mistake than meant.
fn check_empty_classes(path: &Path, parts: &Parts) -> Result<(), FolderError> {
    let root = |folder: Option<&str>| match folder {
        Some(folder) => path.join(folder.trim_end_matches('/')),
        None => path.to_owned(),
    };
    let has_images = |part: &Part, class: &str| part.items.iter().any(|(_, own)| own == class);
    let named = [
        &Some(&parts.train),
        &parts.valid.as_ref(),
        &parts.test.as_ref(),
    ];
    for part in named.into_iter().flatten() {
        let folder = parts.sources.iter().map(|(_, folder)| folder.as_str());
        let folder = folder
            .into_iter()
            .find(|folder| part.name == format!("`{folder}`"));
        if part.items.is_empty() {
            continue;
        }
        // The data set may be wrapped in folders: then its classes are not at the top.
        let root = root(folder);
        let Ok(entries) = list(&root) else { continue };
        let folders: Vec<PathBuf> = entries.into_iter().filter(|entry| entry.is_dir()).collect();
        let class = |dir: &PathBuf| crate::files::file_name(dir);
        if !folders.iter().any(|dir| has_images(part, &class(dir))) {
            continue;
        }
        if let Some(dir) = folders.iter().find(|dir| !has_images(part, &class(dir))) {
            return Err(FolderError::EmptyClass { dir: dir.clone() });
        }
    }
    Ok(())
}

fn by_table(table: &Path) -> Result<Parts, FolderError> {
    let rows = paths::read(table)?;
    let mut train = Vec::new();
    let (mut valid, mut test) = (Vec::new(), Vec::new());
    let mut sources = BTreeSet::new();
    for row in rows {
        let items = match row.split {
            None | Some(SplitName::Train) => &mut train,
            Some(SplitName::Valid) => &mut valid,
            Some(SplitName::Test) => &mut test,
        };
        items.push((row.file, row.class));
        sources.extend(row.split);
    }
    if train.is_empty() && !sources.is_empty() {
        return Err(FolderError::NoTrain {
            path: table.to_owned(),
        });
    }
    let part = |split: SplitName, items| Part {
        name: format!("the {split} split of `{}`", table.display()),
        items,
    };
    let named = |split: SplitName, items: Vec<_>| (!items.is_empty()).then(|| part(split, items));
    Ok(Parts {
        train: part(SplitName::Train, train),
        valid: named(SplitName::Valid, valid),
        test: named(SplitName::Test, test),
        sources: sources
            .into_iter()
            .map(|split| (split, format!("rows of split `{split}`")))
            .collect(),
        left_out: LeftOut::default(),
        notes: Vec::new(),
    })
}

impl Dataset<LabelledImage> for ImageFolder {
    fn get(&self, index: usize) -> Result<LabelledImage, DatasetError> {
        let image = self.decode(index).map_err(DatasetError::new)?;
        Ok(LabelledImage {
            image,
            label: self.labels[index],
        })
    }

    fn len(&self) -> usize {
        self.files.len()
    }
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
            check_pixels: false,
        }
    }

    fn open(dir: &Path, skip_broken: bool) -> Result<ImageFolder, FolderError> {
        ImageFolder::open(dir, &options(skip_broken), None).map(|(folder, _)| folder)
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
        let images = open(folder.path(), false).unwrap();
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
        std::fs::write(folder.path().join("cat/photo.heic"), "x").unwrap();
        put_image(folder.path(), "stray.png", 1);
        let opened = ImageFolder::open(folder.path(), &options(false), None);
        let (images, left_out) = opened.unwrap();
        assert_eq!((images.len(), images.skipped()), (4, 0));
        assert_eq!(
            left_out.to_string(),
            "4 files left out: 1 in an unsupported image format (.heic), 1 in no class folder, 1 not \
             an image (.csv), 1 not an image (.txt)"
        );
    }

    #[test]
    fn a_missing_folder_and_a_single_class_are_refused() {
        let error = open(Path::new("/no/pets"), false).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("there is no folder `/no/pets`")
        );
        let folder = tempfile::tempdir().unwrap();
        put_image(&folder.path().join("cat"), "a.png", 1);
        let error = open(folder.path(), false).unwrap_err();
        assert!(matches!(error, FolderError::Classes { found: 1, .. }));
    }

    #[test]
    fn an_empty_class_is_named() {
        let folder = new_pets();
        std::fs::create_dir(folder.path().join("bird")).unwrap();
        let error = open(folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("bird` has no image (JPEG"));
    }

    #[test]
    fn a_broken_header_is_an_error_that_names_the_file() {
        let folder = new_pets();
        std::fs::write(folder.path().join("dog/c.jpeg"), "not an image").unwrap();
        let error = open(folder.path(), false).unwrap_err();
        assert!(
            error.to_string().contains("c.jpeg` is not an image"),
            "{error}"
        );
    }

    #[test]
    fn broken_pixels_are_an_error_of_the_item() {
        let folder = new_pets();
        let path = folder.path().join("dog/b.PNG");
        let mut bytes = std::fs::read(&path).unwrap();
        let damaged = bytes.len() - 20;
        bytes[damaged] ^= 0xFF;
        std::fs::write(&path, bytes).unwrap();
        let images = open(folder.path(), false).unwrap();
        assert!(images.get(2).is_ok());
        assert!(images.get(3).unwrap_err().to_string().contains("dog/b.PNG"));
        let careful = FolderOptions {
            check_pixels: true,
            ..options(false)
        };
        let error = ImageFolder::open(folder.path(), &careful, None).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("1 of 4 images cannot be used"),
            "{message}"
        );
        assert!(message.contains("dog/b.PNG"), "{message}");
    }

    #[test]
    fn skip_broken_leaves_out_what_cannot_be_decoded() {
        let folder = new_pets();
        let path = folder.path().join("dog/b.PNG");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        std::fs::write(folder.path().join("cat/c.bmp"), "").unwrap();
        let images = open(folder.path(), true).unwrap();
        assert_eq!((images.len(), images.skipped()), (3, 2));
        assert_eq!(images.labels(), [0, 0, 1]);
        std::fs::write(folder.path().join("dog/a.jpg"), "").unwrap();
        let error = open(folder.path(), true).unwrap_err();
        assert!(matches!(error, FolderError::BrokenClass { skipped: 2, .. }));
    }

    #[test]
    fn splits_are_found_and_must_have_equal_classes() {
        let folder = tempfile::tempdir().unwrap();
        pets(&folder.path().join("train"));
        pets(&folder.path().join("test"));
        let splits = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
        assert_eq!((splits.train.len(), splits.test.unwrap().len()), (4, 4));
        assert!(splits.valid.is_none());
        pets(&folder.path().join("valid"));
        put_image(&folder.path().join("valid/bird"), "a.png", 0);
        let error = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`valid/` has images of `bird`, expected only the classes `cat`, `dog`"
        );
    }

    #[test]
    fn a_folder_without_parts_is_one_set() {
        let folder = new_pets();
        let splits = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
        assert_eq!(splits.train.len(), 4);
        assert!(splits.valid.is_none() && splits.test.is_none());
    }

    #[test]
    fn sub_folders_belong_to_their_class_and_the_content_says_what_is_an_image() {
        let folder = new_pets();
        put_image(&folder.path().join("cat/session 1/deep"), "c.png", 7);
        let jfif = folder.path().join("dog/d.jfif");
        let picture = RgbImage::from_pixel(6, 5, Rgb([9; 3]));
        picture
            .save_with_format(&jfif, image::ImageFormat::Jpeg)
            .unwrap();
        let named = |name: &str, format| {
            let path = folder.path().join("dog").join(name);
            picture.save_with_format(path, format).unwrap();
        };
        named("e.tiff", image::ImageFormat::Tiff);
        named("f.gif", image::ImageFormat::Gif);
        named("no extension", image::ImageFormat::Png);
        named("g.dat", image::ImageFormat::Png);
        for name in ["Thumbs.db", ".DS_Store", "desktop.ini"] {
            std::fs::write(folder.path().join("dog").join(name), "x").unwrap();
        }
        let (images, left_out) = ImageFolder::open(folder.path(), &options(false), None).unwrap();
        let of = |class| {
            images
                .labels()
                .iter()
                .filter(|&&label| label == class)
                .count()
        };
        assert_eq!((of(0), of(1)), (3, 7));
        assert!(left_out.is_empty(), "{left_out}");
        assert!(images.keys().any(|key| key == "cat/session 1/deep/c.png"));
    }

    #[test]
    fn splits_go_by_the_usual_names() {
        for (train, valid, test) in [
            ("train", Some("validation"), Some("test")),
            ("Train", None, Some("Test")),
            ("training", Some("dev"), Some("testing")),
            ("TRAIN", Some("VAL"), None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in [Some(train), valid, test].into_iter().flatten() {
                pets(&folder.path().join(name));
            }
            let splits = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
            assert_eq!(splits.train.len(), 4);
            assert_eq!(splits.valid.is_some(), valid.is_some(), "{train}");
            assert_eq!(splits.test.is_some(), test.is_some(), "{train}");
            assert_eq!(splits.sources[0], (SplitName::Train, format!("{train}/")));
        }
    }

    #[test]
    fn a_class_may_be_missing_in_another_split_and_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        pets(&folder.path().join("train"));
        put_image(&folder.path().join("test/dog"), "a.png", 0);
        let splits = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
        assert_eq!(splits.test.unwrap().labels(), [1]);
        assert_eq!(splits.notes, ["`test/` has no image of `cat`"]);
    }

    /// A tar archive of the pets, in a folder that wraps them.
    fn tar_of_pets(folder: &Path) -> PathBuf {
        let path = folder.join("pets.tar");
        let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
        let pets = new_pets();
        builder
            .append_dir_all("wrapped/photos", pets.path())
            .unwrap();
        builder.into_inner().unwrap();
        path
    }

    #[test]
    fn an_archive_is_read_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let tar = tar_of_pets(folder.path());
        let images = open(&tar, false).unwrap();
        assert_eq!(images.class_names(), ["cat", "dog"]);
        assert_eq!(images.labels(), [0, 0, 1, 1]);
        assert_eq!(images.get(0).unwrap().image.pixels[0], 100);
        let whole = open(new_pets().path(), false).unwrap();
        assert_eq!(images.contents(), whole.contents());
        std::fs::write(folder.path().join("text.bin"), b"\0\x01\x02").unwrap();
        let error = open(&folder.path().join("text.bin"), false).unwrap_err();
        assert!(matches!(error, FolderError::Kind { .. }), "{error}");
    }

    #[test]
    fn a_table_names_paths_labels_and_splits() {
        let folder = new_pets();
        let table = folder.path().join("labels.csv");
        let write = |text: &str| std::fs::write(&table, text).unwrap();
        write("\u{feff}file;Label\ncat/a.jpg;one\ndog/a.jpg;two\ncat/b.PNG;one\n");
        let images = open(&table, false).unwrap();
        assert_eq!(images.class_names(), ["one", "two"]);
        assert_eq!(images.labels(), [0, 1, 0]);
        write("path,label,split\ncat/a.jpg,a,train\ndog/a.jpg,b,Training\ncat/b.PNG,a,test\n");
        let splits = ImageFolder::open_splits(&table, &options(false), None).unwrap();
        assert_eq!((splits.train.len(), splits.test.unwrap().len()), (2, 1));
        for (text, words) in [
            (
                "path,kind\ncat/a.jpg,a\n",
                "columns `path` and `label`, found `path`, `kind`",
            ),
            (
                "path,label\ncat/a.jpg,a\nno.jpg,b\n",
                "line 3: there is no file",
            ),
            ("path,label\ncat/a.jpg,\n", "line 2: the label is empty"),
            (
                "path,label,split\ncat/a.jpg,a,third\n",
                "`third` is no split",
            ),
            (
                "path,label,split\ncat/a.jpg,a,train\ndog/a.jpg,b,\n",
                "1 of 2 rows have no split",
            ),
        ] {
            write(text);
            let message = open(&table, false).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn copies_have_equal_contents_and_are_reported() {
        let folder = new_pets();
        std::fs::copy(
            folder.path().join("cat/a.jpg"),
            folder.path().join("dog/copy.png"),
        )
        .unwrap();
        std::fs::write(folder.path().join("dog/cut.jpg"), b"\xFF\xD8\xFF").unwrap();
        let report = inspect(folder.path()).unwrap();
        assert_eq!((report.copies, report.conflicts), (1, 1));
        assert_eq!(report.damaged.len(), 1);
        assert_eq!(report.formats["PNG"], 5);
        assert_eq!(report.sizes[&(5, 6)], 5);
        let classes = [("cat".to_owned(), 2), ("dog".to_owned(), 3)];
        assert_eq!(report.splits[0].classes, classes);
    }
}
