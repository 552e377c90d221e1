//! IDX files, the format of MNIST and its many successors, raw or gzipped.
//!
//! A file starts with the bytes `0, 0, type, axes` and one big-endian `u32` per axis; only bytes
//! (type 8) are read here. Reference: LeCun, Cortes and Burges, *The MNIST database of handwritten
//! digits*, 1998, <http://yann.lecun.com/exdb/mnist/>.
//!
//! The header is checked against the size of the file before memory is asked for, and a gzipped
//! file is unpacked straight into its final place: reading MNIST takes little more memory than
//! holding it.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

use super::set::{ImageSet, ImageSetError};

/// Most bytes of one file that are held in memory, 4 GiB.
const MAX_BYTES: u64 = 1 << 32;

/// More than this, deflate cannot expand a byte (1032 in theory).
const MAX_GZIP_RATIO: u64 = 1040;

/// Why IDX files could not be read.
#[derive(Debug, Error)]
pub enum IdxError {
    /// The folder does not exist.
    #[error("there is no folder `{}`; it should hold {}", dir.display(), one_of(names))]
    MissingFolder {
        /// The folder.
        dir: PathBuf,
        /// Names of the first file looked for.
        names: Vec<String>,
    },
    /// The folder lacks a file.
    #[error("`{}` holds none of {}", dir.display(), one_of(names))]
    MissingInFolder {
        /// The folder.
        dir: PathBuf,
        /// Names looked for.
        names: Vec<String>,
    },
    /// The folder holds several EMNIST splits.
    #[error(
        "`{}` holds several sets ({}); keep the files of one in a folder of its own",
        dir.display(), names.join(", ")
    )]
    SeveralSets {
        /// The folder.
        dir: PathBuf,
        /// Names of the training images found.
        names: Vec<String>,
    },
    /// The file does not exist.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The first bytes are not those of an IDX file of bytes.
    #[error("`{}` is not an IDX file of bytes: it starts with {found:#010x}, expected {expected:#010x}", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// The magic number found.
        found: u32,
        /// The magic number expected.
        expected: u32,
    },
    /// The file is IDX, but holds images instead of labels or the other way round.
    #[error(
        "`{}` has {found} axes, expected {expected}: images have 3 axes, labels have 1",
        path.display()
    )]
    Axes {
        /// The file.
        path: PathBuf,
        /// Axes found.
        found: u8,
        /// Axes expected.
        expected: u8,
    },
    /// An axis has length 0.
    #[error("`{}` claims to be of size {}, there is nothing in it", path.display(), sizes(dims))]
    Empty {
        /// The file.
        path: PathBuf,
        /// Lengths of the axes.
        dims: Vec<u32>,
    },
    /// The header claims more than the file can hold, or more than we hold in memory.
    #[error(
        "`{}` claims to be of size {}; of a file of {file_bytes} bytes, at most {limit} are believed",
        path.display(), sizes(dims)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Lengths of the axes.
        dims: Vec<u32>,
        /// Size of the file, in bytes.
        file_bytes: u64,
        /// Most bytes of content believed.
        limit: u64,
    },
    /// There is not enough memory.
    #[error("not enough memory for the {bytes} bytes of `{}`", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes needed.
        bytes: u64,
    },
    /// The file ends early.
    #[error("`{}` is truncated: expected {expected} bytes, found {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
        /// Bytes found, after unpacking.
        found: u64,
    },
    /// The file goes on after its last item.
    #[error("`{}` has more than the {expected} bytes that its header announces", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
    },
    /// The gzip data are damaged.
    #[error("the gzip data of `{}` are damaged; fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// There are not as many labels as images.
    #[error(
        "`{}` holds {images} images, but `{}` holds {labels} labels",
        images_path.display(), labels_path.display()
    )]
    Counts {
        /// The file of images.
        images_path: PathBuf,
        /// Number of images.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// Number of labels.
        labels: usize,
    },
    /// A label names a class that does not exist.
    #[error(
        "`{}`: item {item} has label {label}, but there are {classes} classes, counted from 0",
        path.display()
    )]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// Position of the label.
        item: usize,
        /// The label.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
    /// Images of the training set and of the test set differ in size.
    #[error(
        "the images of `{}` are {}, but those for training are {}",
        path.display(), sizes(test), sizes(train)
    )]
    Sides {
        /// The file of test images.
        path: PathBuf,
        /// Height and width for training.
        train: [u32; 2],
        /// Height and width for testing.
        test: [u32; 2],
    },
    /// Images and labels do not make a set.
    #[error("`{}` does not make a data set", path.display())]
    Set {
        /// The file of images.
        path: PathBuf,
        /// Why not.
        source: ImageSetError,
    },
}

fn one_of(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn sizes(dims: &[u32]) -> String {
    let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
    dims.join(" x ")
}

/// Reads one file of grey images and the file of their labels.
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

/// Paths of images and labels.
struct Files {
    emnist: bool,
    train: [PathBuf; 2],
    test: [PathBuf; 2],
}

fn find_files(dir: &Path) -> Result<Files, IdxError> {
    if !dir.is_dir() {
        let names = candidates("train-images", 3);
        return Err(IdxError::MissingFolder {
            dir: dir.to_owned(),
            names,
        });
    }
    let splits = emnist_splits(dir)?;
    let plain = candidates("train-images", 3)
        .iter()
        .any(|name| dir.join(name).is_file());
    let (prefix, test) = match splits.as_slice() {
        [split] if !plain => (split.as_str(), "test"),
        [_, _, ..] if !plain => {
            return Err(IdxError::SeveralSets {
                dir: dir.to_owned(),
                names: splits,
            });
        }
        _ => ("", "t10k"),
    };
    let part = |part: &str| -> Result<[PathBuf; 2], IdxError> {
        let images = find(dir, candidates(&format!("{prefix}{part}-images"), 3))?;
        Ok([
            images,
            find(dir, candidates(&format!("{prefix}{part}-labels"), 1))?,
        ])
    };
    Ok(Files {
        emnist: !prefix.is_empty(),
        train: part("train")?,
        test: part(test)?,
    })
}

/// Prefixes such as `emnist-digits-` of the training images in `dir`.
fn emnist_splits(dir: &Path) -> Result<Vec<String>, IdxError> {
    let read = |source| IdxError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut splits = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let name = name.to_string_lossy();
        if let Some((split, _)) = name.split_once("train-images")
            && split.starts_with("emnist-")
        {
            splits.push(split.to_owned());
        }
    }
    splits.sort_unstable();
    splits.dedup();
    Ok(splits)
}

fn candidates(stem: &str, axes: u8) -> Vec<String> {
    ["-", "."]
        .iter()
        .flat_map(|dot| ["", ".gz"].map(|gz| format!("{stem}{dot}idx{axes}-ubyte{gz}")))
        .collect()
}

fn find(dir: &Path, names: Vec<String>) -> Result<PathBuf, IdxError> {
    match names
        .iter()
        .map(|name| dir.join(name))
        .find(|path| path.is_file())
    {
        Some(path) => Ok(path),
        None => Err(IdxError::MissingInFolder {
            dir: dir.to_owned(),
            names,
        }),
    }
}

/// Reads a file with `AXES` axes, packed or not: the content decides.
fn read_file<const AXES: usize>(path: &Path) -> Result<([u32; AXES], Vec<u8>), IdxError> {
    let read = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => IdxError::Missing {
            path: path.to_owned(),
        },
        _ => IdxError::Read {
            path: path.to_owned(),
            source,
        },
    };
    let file = File::open(path).map_err(read)?;
    let file_bytes = file.metadata().map_err(read)?.len();
    let mut file = BufReader::new(file);
    let gzip = file.fill_buf().map_err(read)?.starts_with(&[0x1F, 0x8B]);
    let reader = Source {
        path,
        file_bytes,
        gzip,
    };
    if gzip {
        reader.read(MultiGzDecoder::new(file))
    } else {
        reader.read(file)
    }
}

/// What is known of a file before its content is read.
struct Source<'a> {
    path: &'a Path,
    file_bytes: u64,
    gzip: bool,
}

impl Source<'_> {
    fn read<const AXES: usize>(
        &self,
        mut reader: impl Read,
    ) -> Result<([u32; AXES], Vec<u8>), IdxError> {
        let header_bytes = 4 + 4 * AXES as u64;
        let mut word = Vec::with_capacity(4);
        self.fill(&mut reader, &mut word, 4, 0, header_bytes)?;
        self.check_magic(number(&word), AXES as u8)?;
        let mut words = Vec::with_capacity(4 * AXES);
        self.fill(&mut reader, &mut words, 4 * AXES as u64, 4, header_bytes)?;
        let mut dims = [0; AXES];
        for (dim, word) in dims.iter_mut().zip(words.chunks_exact(4)) {
            *dim = number(word);
        }
        let bytes = self.check_size(&dims, header_bytes)?;

        let mut content = Vec::new();
        let expected = header_bytes + bytes;
        let memory = |_| IdxError::Memory {
            path: self.path.to_owned(),
            bytes,
        };
        content.try_reserve_exact(bytes as usize).map_err(memory)?;
        self.fill(&mut reader, &mut content, bytes, header_bytes, expected)?;
        // Reading on to the end also checks the gzip checksum.
        match reader.read(&mut [0]) {
            Ok(0) => Ok((dims, content)),
            Ok(_) => Err(IdxError::Trailing {
                path: self.path.to_owned(),
                expected,
            }),
            Err(source) => Err(self.failed(source, expected, expected)),
        }
    }

    /// Reads `bytes` more bytes into the empty `to`; `before` were read already.
    fn fill(
        &self,
        reader: &mut impl Read,
        to: &mut Vec<u8>,
        bytes: u64,
        before: u64,
        expected: u64,
    ) -> Result<(), IdxError> {
        let result = reader.take(bytes).read_to_end(to);
        let found = before + to.len() as u64;
        match result {
            Ok(_) if to.len() as u64 == bytes => Ok(()),
            Ok(_) => Err(IdxError::Truncated {
                path: self.path.to_owned(),
                expected,
                found,
            }),
            Err(source) => Err(self.failed(source, expected, found)),
        }
    }

    fn failed(&self, source: std::io::Error, expected: u64, found: u64) -> IdxError {
        let path = self.path.to_owned();
        match source.kind() {
            ErrorKind::UnexpectedEof if found < expected => IdxError::Truncated {
                path,
                expected,
                found,
            },
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
                if self.gzip =>
            {
                IdxError::Gzip { path, source }
            }
            _ => IdxError::Read { path, source },
        }
    }

    fn check_magic(&self, found: u32, axes: u8) -> Result<(), IdxError> {
        let path = self.path.to_owned();
        let expected = u32::from_be_bytes([0, 0, 8, axes]);
        match found.to_be_bytes() {
            _ if found == expected => Ok(()),
            [0, 0, 8, found] => Err(IdxError::Axes {
                path,
                found,
                expected: axes,
            }),
            _ => Err(IdxError::Magic {
                path,
                found,
                expected,
            }),
        }
    }

    /// Returns the bytes of content that the header announces, if the file can hold them.
    fn check_size(&self, dims: &[u32], header_bytes: u64) -> Result<u64, IdxError> {
        let path = self.path.to_owned();
        if dims.contains(&0) {
            return Err(IdxError::Empty {
                path,
                dims: dims.to_vec(),
            });
        }
        let bytes = dims
            .iter()
            .try_fold(1_u64, |size, &dim| size.checked_mul(u64::from(dim)));
        let holds = if self.gzip {
            self.file_bytes
                .saturating_mul(MAX_GZIP_RATIO)
                .min(MAX_BYTES)
        } else {
            MAX_BYTES
        };
        let bytes = bytes
            .filter(|&bytes| bytes <= holds)
            .ok_or_else(|| IdxError::TooLarge {
                path: path.clone(),
                dims: dims.to_vec(),
                file_bytes: self.file_bytes,
                limit: holds,
            })?;
        let expected = header_bytes + bytes;
        if self.gzip || expected == self.file_bytes {
            Ok(bytes)
        } else if expected < self.file_bytes {
            Err(IdxError::Trailing { path, expected })
        } else {
            Err(IdxError::Truncated {
                path,
                expected,
                found: self.file_bytes,
            })
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use burn::data::dataset::Dataset;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;

    const NAMES: [&str; 3] = ["a", "b", "c"];

    fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend(content);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn put(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The error of reading `images` with two good labels.
    fn error_of(images: &[u8]) -> IdxError {
        let folder = tempfile::tempdir().unwrap();
        let images = put(&folder, "images", images);
        let labels = put(&folder, "labels", &idx(&[2], &[0, 2]));
        let error = read_idx(&images, &labels, &NAMES).unwrap_err();
        assert!(error.to_string().contains("images`"), "{error}");
        error
    }

    fn good_images() -> Vec<u8> {
        idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16])
    }

    #[test]
    fn packed_and_plain_files_read_alike_whatever_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let plain = put(&folder, "plain.gz", &good_images());
        let packed = put(&folder, "packed", &gzip(&good_images()));
        let labels = put(&folder, "labels", &idx(&[2], &[0, 2]));
        for images in [plain, packed] {
            let set = read_idx(&images, &labels, &NAMES).unwrap();
            assert_eq!(
                (set.len(), set.height(), set.width(), set.channels()),
                (2, 2, 3, 1)
            );
            assert_eq!(set.get(1).unwrap().image.pixels, [11, 12, 13, 14, 15, 16]);
            assert_eq!(set.labels(), [0, 2]);
            assert_eq!(set.class_names(), NAMES);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_idx(Path::new("/no/images"), Path::new("/no/labels"), &NAMES);
        assert_eq!(
            error.unwrap_err().to_string(),
            "there is no file `/no/images`"
        );
    }

    #[test]
    fn a_wrong_magic_number_says_found_and_expected() {
        let error = error_of(b"<html>not a data set");
        let text = error.to_string();
        assert!(
            text.ends_with("starts with 0x3c68746d, expected 0x00000803"),
            "{text}"
        );
        assert!(matches!(
            error_of(&[0, 0, 13, 3, 0, 0]),
            IdxError::Magic { .. }
        ));
    }

    #[test]
    fn labels_in_the_place_of_images_are_recognized() {
        let error = error_of(&idx(&[2], &[0, 1]));
        assert!(matches!(
            error,
            IdxError::Axes {
                found: 1,
                expected: 3,
                ..
            }
        ));
    }

    #[test]
    fn zero_and_absurd_sizes_are_refused_before_memory_is_asked_for() {
        assert!(matches!(
            error_of(&idx(&[2, 0, 3], &[])),
            IdxError::Empty { .. }
        ));
        let absurd = idx(&[u32::MAX; 3], &[0; 100]);
        assert!(matches!(error_of(&absurd), IdxError::TooLarge { .. }));
        assert!(matches!(
            error_of(&gzip(&absurd)),
            IdxError::TooLarge { .. }
        ));
        let bold = gzip(&idx(&[1000, 1000, 1000], &[0; 100]));
        assert!(matches!(error_of(&bold), IdxError::TooLarge { .. }));
    }

    #[test]
    fn a_cut_file_says_expected_and_found_bytes() {
        let bytes = good_images();
        for cut in [0, 3, 4, 15, 16, 27] {
            let error = error_of(&bytes[..cut]);
            let IdxError::Truncated {
                expected, found, ..
            } = error
            else {
                panic!("{error}")
            };
            let known = if cut < 16 { 16 } else { 28 };
            assert_eq!((expected, found), (known, cut as u64));
            let error = error_of(&gzip(&bytes[..cut]));
            let IdxError::Truncated { found, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(found, cut as u64);
        }
    }

    #[test]
    fn a_cut_or_damaged_gzip_file_is_refused() {
        let noise: Vec<u8> = (0..8000_u32)
            .map(|i| ((i * i % 251) ^ (i >> 3)) as u8)
            .collect();
        let packed = gzip(&idx(&[2, 40, 100], &noise));
        let error = error_of(&packed[..packed.len() / 2]);
        assert!(
            matches!(error, IdxError::Truncated { expected: 8016, .. }),
            "{error}"
        );
        let error = error_of(&packed[..packed.len() - 4]);
        assert!(matches!(error, IdxError::Gzip { .. }), "{error}");
        let mut damaged = packed.clone();
        let checksum = damaged.len() - 6;
        damaged[checksum] ^= 0x55;
        assert!(matches!(error_of(&damaged), IdxError::Gzip { .. }));
    }

    #[test]
    fn bytes_after_the_last_image_are_refused() {
        let mut bytes = good_images();
        bytes.push(0);
        assert!(matches!(
            error_of(&bytes),
            IdxError::Trailing { expected: 28, .. }
        ));
        assert!(matches!(
            error_of(&gzip(&bytes)),
            IdxError::Trailing { expected: 28, .. }
        ));
    }

    #[test]
    fn counts_and_labels_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let images = put(&folder, "images", &good_images());
        let labels = put(&folder, "labels", &idx(&[3], &[0, 1, 2]));
        let error = read_idx(&images, &labels, &NAMES).unwrap_err();
        assert!(matches!(
            error,
            IdxError::Counts {
                images: 2,
                labels: 3,
                ..
            }
        ));
        let labels = put(&folder, "labels", &idx(&[2], &[0, 3]));
        let error = read_idx(&images, &labels, &NAMES).unwrap_err();
        let text = error.to_string();
        let claim = "item 1 has label 3, but there are 3 classes, counted from 0";
        assert!(text.ends_with(claim), "{text}");
    }

    #[test]
    fn a_folder_is_searched_for_all_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let labels = idx(&[2], &[0, 2]);
        put(&folder, "train-images-idx3-ubyte.gz", &gzip(&good_images()));
        put(&folder, "train-labels.idx1-ubyte", &labels);
        put(&folder, "t10k-images.idx3-ubyte.gz", &gzip(&good_images()));
        let error = open_idx_folder(folder.path(), &NAMES).unwrap_err();
        assert!(
            error.to_string().contains("`t10k-labels-idx1-ubyte.gz`"),
            "{error}"
        );
        put(&folder, "t10k-labels-idx1-ubyte", &labels);
        let (train, test) = open_idx_folder(folder.path(), &NAMES).unwrap();
        assert_eq!((train.len(), test.len(), train.height()), (2, 2, 2));
    }

    #[test]
    fn a_missing_folder_says_what_it_should_hold() {
        let error = open_idx_folder(Path::new("/no/folder"), &NAMES).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("there is no folder `/no/folder`; it should hold `train-images"));
    }

    #[test]
    fn emnist_is_turned_upright_and_two_of_its_splits_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let labels = gzip(&idx(&[2], &[0, 2]));
        for part in ["train", "test"] {
            let name = |kind| format!("emnist-digits-{part}-{kind}-ubyte.gz");
            put(&folder, &name("images-idx3"), &gzip(&good_images()));
            put(&folder, &name("labels-idx1"), &labels);
        }
        let (train, _) = open_idx_folder(folder.path(), &NAMES).unwrap();
        assert_eq!(train.get(0).unwrap().image.pixels, [1, 4, 2, 5, 3, 6]);
        put(
            &folder,
            "emnist-letters-train-images-idx3-ubyte.gz",
            &labels,
        );
        let error = open_idx_folder(folder.path(), &NAMES).unwrap_err();
        assert!(matches!(error, IdxError::SeveralSets { .. }));
    }

    #[test]
    fn train_and_test_images_must_have_one_size() {
        let folder = tempfile::tempdir().unwrap();
        let labels = idx(&[2], &[0, 2]);
        put(&folder, "train-images-idx3-ubyte", &good_images());
        put(&folder, "train-labels-idx1-ubyte", &labels);
        put(&folder, "t10k-images-idx3-ubyte", &idx(&[2, 1, 1], &[0, 0]));
        put(&folder, "t10k-labels-idx1-ubyte", &labels);
        let error = open_idx_folder(folder.path(), &NAMES).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("are 1 x 1, but those for training are 2 x 3")
        );
    }
}
