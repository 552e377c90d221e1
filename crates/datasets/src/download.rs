//! Public data sets by name, fetched once into the user's cache folder.
//!
//! Only sets whose SHA-256 we know are offered. A file is used from the cache if its hash is right;
//! otherwise its mirrors are tried in turn, and what arrives is believed only if its hash is right.
//!
//! Without the feature `download` nothing is fetched, and a set that is not in the cache is the
//! error [`DownloadError::Disabled`].

#[cfg(feature = "download")]
mod http;
mod hub;

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::format::hex_digits;

pub use hub::{
    HUB_FILES, HubError, HubProgress, fetch_weights, find_weights, hub_folder, is_hub_name,
};

/// Environment variable that names the cache folder.
pub const CACHE_VARIABLE: &str = "TINDERBOX_CACHE";

/// A public dataset, in a folder for [`open_idx_folder`](crate::image::open_idx_folder) or
/// [`ag_news`](crate::sets::ag_news).
#[derive(Debug)]
pub struct PublicSet {
    /// Name on the command line and of the folder in the cache.
    pub name: &'static str,
    /// Who made it, where it is described, and its license.
    pub citation: &'static str,
    /// Names of the classes; a label is a position in this list.
    pub class_names: &'static [&'static str],
    /// Addresses that end before the name of a file.
    pub mirrors: &'static [&'static str],
    /// The files.
    pub files: &'static [PublicFile],
}

/// A file of a [`PublicSet`].
#[derive(Debug)]
pub struct PublicFile {
    /// Its name.
    pub name: &'static str,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

/// Names of the classes of Fashion-MNIST; a label is a position in this list.
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// All sets that can be fetched.
pub static PUBLIC_SETS: [PublicSet; 4] = [
    PublicSet {
        name: "mnist",
        citation: "LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document \
                   recognition, 1998, <https://doi.org/10.1109/5.726791>",
        class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        files: &[
            PublicFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: 9_912_422,
                sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            },
            PublicFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 28_881,
                sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            },
            PublicFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 1_648_877,
                sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            },
            PublicFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 4_542,
                sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            },
        ],
    },
    PublicSet {
        name: "fashion-mnist",
        citation: "Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017, \
                   <https://arxiv.org/abs/1708.07747>, MIT",
        class_names: &FASHION_MNIST_CLASSES,
        mirrors: &[
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        files: &[
            PublicFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: 26_421_880,
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            },
            PublicFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 29_515,
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            },
            PublicFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 4_422_102,
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            },
            PublicFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 5_148,
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ],
    },
    // Sizes and hashes as two independent projects list them: TensorFlow Datasets
    // (`url_checksums/kmnist.txt`) and ankane/torchvision-ruby (`datasets/kmnist.rb`).
    PublicSet {
        name: "kmnist",
        citation: "Clanuwat et al., Deep learning for classical Japanese literature, 2018, \
                   <https://arxiv.org/abs/1812.01718>, CC BY-SA 4.0",
        class_names: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        mirrors: &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        files: &[
            PublicFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: 18_165_135,
                sha256: "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            },
            PublicFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 29_497,
                sha256: "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            },
            PublicFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 3_041_136,
                sha256: "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            },
            PublicFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 5_120,
                sha256: "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            },
        ],
    },
    // Sizes and hashes as Hugging Face's datasets list them (`datasets/ag_news/dataset_infos.json`).
    PublicSet {
        name: "ag-news",
        citation: "Zhang, Zhao and LeCun, Character-level convolutional networks for text \
                   classification, 2015, <https://arxiv.org/abs/1509.01626>, for research",
        class_names: &["World", "Sports", "Business", "Sci/Tech"],
        mirrors: &[
            "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",
        ],
        files: &[
            PublicFile {
                name: "train.csv",
                bytes: 29_470_338,
                sha256: "76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e",
            },
            PublicFile {
                name: "test.csv",
                bytes: 1_857_427,
                sha256: "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
            },
        ],
    },
];

/// One address that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The address.
    pub url: String,
    /// Why it did not serve the file.
    pub reason: String,
}

/// Errors of fetching a public dataset.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// No set has this name.
    #[error("unknown public dataset `{name}`; available: {}", known())]
    UnknownName {
        /// The name.
        name: String,
    },
    /// The system names no cache folder.
    #[error("no cache folder found; set `{CACHE_VARIABLE}` to a folder")]
    NoCacheFolder,
    /// The cache cannot be read or written.
    #[error("cannot use `{}` in the cache; set `{CACHE_VARIABLE}` to another folder", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The set is not in the cache, and this program was built without downloads.
    #[error(
        "`{name}` is not in the cache, and this build is without the feature `download`\n{}",
        by_hand(dir, files)
    )]
    Disabled {
        /// Name of the set.
        name: String,
        /// Its folder in the cache.
        dir: PathBuf,
        /// Names of its files.
        files: Vec<String>,
    },
    /// No mirror served a file.
    #[error(
        "cannot fetch `{name}`; tried\n{}{}",
        lines(tried),
        by_hand(dir, files)
    )]
    Failed {
        /// Name of the set.
        name: String,
        /// Every address and why it did not do.
        tried: Vec<Attempt>,
        /// Its folder in the cache.
        dir: PathBuf,
        /// Names of its files.
        files: Vec<String>,
    },
}

fn known() -> String {
    let names: Vec<String> = PUBLIC_SETS
        .iter()
        .map(|set| format!("`{}`", set.name))
        .collect();
    names.join(", ")
}

fn lines(tried: &[Attempt]) -> String {
    tried
        .iter()
        .fold(String::new(), |text, Attempt { url, reason }| {
            text + "  " + url + ": " + reason + "\n"
        })
}

fn by_hand(dir: &Path, files: &[String]) -> String {
    let dir = dir.display();
    let files = files.join(", ");
    format!("download {files} into `{dir}` yourself, or pass the folder with `--data FOLDER`")
}

/// Looks up a public set by its name.
///
/// ```
/// let set = tinderbox_datasets::public_set("fashion-mnist")?;
/// assert_eq!(set.class_names[9], "Ankle boot");
/// assert!(tinderbox_datasets::public_set("imagenet").is_err());
/// # Ok::<(), tinderbox_datasets::DownloadError>(())
/// ```
///
/// # Errors
///
/// If no set has this name.
pub fn public_set(name: &str) -> Result<&'static PublicSet, DownloadError> {
    PUBLIC_SETS
        .iter()
        .find(|set| set.name == name)
        .ok_or_else(|| DownloadError::UnknownName {
            name: name.to_owned(),
        })
}

/// Returns the folder of the public set `name`, fetching what the cache lacks.
///
/// The folder is `tinderbox/NAME` in the user's cache folder, or `NAME` in the folder that
/// `TINDERBOX_CACHE` names. An interrupted download is resumed; of two processes, one waits.
///
/// # Errors
///
/// If the name is unknown, the cache cannot be used, every mirror fails, or something must be
/// fetched and the feature `download` is off.
pub fn fetch(name: &str) -> Result<PathBuf, DownloadError> {
    let set = public_set(name)?;
    let dir = cache_folder()?.join(set.name);
    fetch_into(set, &dir)?;
    Ok(dir)
}

/// Returns the folder in which public sets are kept.
///
/// # Errors
///
/// If `TINDERBOX_CACHE` is not set and the system names no cache folder.
pub fn cache_folder() -> Result<PathBuf, DownloadError> {
    choose_cache_folder(std::env::var_os(CACHE_VARIABLE), dirs::cache_dir())
}

fn choose_cache_folder(
    variable: Option<OsString>,
    user: Option<PathBuf>,
) -> Result<PathBuf, DownloadError> {
    variable
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(user?.join("tinderbox")))
        .ok_or(DownloadError::NoCacheFolder)
}

fn fetch_into(set: &PublicSet, dir: &Path) -> Result<(), DownloadError> {
    // Without a lock or a write, so that a read-only cache works.
    for file in set.files {
        if !is_good(&dir.join(file.name), file)? {
            return fetch_missing(set, dir);
        }
    }
    Ok(())
}

#[cfg(feature = "download")]
fn fetch_missing(set: &PublicSet, dir: &Path) -> Result<(), DownloadError> {
    http::fetch_all(&http::agent(), set.name, set.mirrors, set.files, dir)
}

#[cfg(not(feature = "download"))]
fn fetch_missing(set: &PublicSet, dir: &Path) -> Result<(), DownloadError> {
    Err(DownloadError::Disabled {
        name: set.name.to_owned(),
        dir: dir.to_owned(),
        files: set.files.iter().map(|file| file.name.to_owned()).collect(),
    })
}

/// Whether `path` is `file`, by size and hash.
fn is_good(path: &Path, file: &PublicFile) -> Result<bool, DownloadError> {
    let cache = |source| DownloadError::Cache {
        path: path.to_owned(),
        source,
    };
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cache(error)),
        Ok(found) if found.len() != file.bytes => Ok(false),
        Ok(_) => {
            let mut hasher = Sha256::new();
            hash_file(path, &mut hasher).map_err(cache)?;
            Ok(hex(hasher) == file.sha256)
        }
    }
}

fn hash_file(path: &Path, hasher: &mut Sha256) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hex_digits(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`, from FIPS 180-2.
    const ABC: PublicFile = PublicFile {
        name: "abc",
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    #[test]
    fn every_set_has_files_https_mirrors_and_whole_hashes() {
        for set in &PUBLIC_SETS {
            let sizes = [set.files.len(), set.class_names.len()];
            assert!(matches!(sizes, [4, 10] | [2, 4]), "{}", set.name);
            assert!(
                set.mirrors
                    .iter()
                    .all(|m| m.starts_with("https://") && m.ends_with('/'))
            );
            for file in set.files {
                assert_eq!(file.sha256.len(), 64);
                assert!(
                    file.sha256
                        .bytes()
                        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                );
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let text = public_set("imagenet").unwrap_err().to_string();
        let known = "available: `mnist`, `fashion-mnist`, `kmnist`, `ag-news`";
        assert!(text.ends_with(known), "{text}");
    }

    #[test]
    fn the_variable_comes_before_the_user_cache() {
        let user = || Some(PathBuf::from("/home/me/.cache"));
        let choose =
            |variable: Option<&str>, user| choose_cache_folder(variable.map(Into::into), user);
        assert_eq!(choose(Some("/data"), user()).unwrap(), Path::new("/data"));
        assert_eq!(
            choose(None, user()).unwrap(),
            Path::new("/home/me/.cache/tinderbox")
        );
        assert_eq!(
            choose(Some(""), user()).unwrap(),
            Path::new("/home/me/.cache/tinderbox")
        );
        assert!(matches!(
            choose(None, None),
            Err(DownloadError::NoCacheFolder)
        ));
    }

    #[test]
    fn a_file_is_good_by_size_and_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        assert!(!is_good(&path, &ABC).unwrap());
        for (content, good) in [("abc", true), ("abd", false), ("abcd", false)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_good(&path, &ABC).unwrap(), good, "{content}");
        }
    }

    #[test]
    fn a_complete_cache_needs_no_network() {
        static FILES: [PublicFile; 1] = [ABC];
        let set = PublicSet {
            name: "abc",
            citation: "",
            class_names: &[],
            mirrors: &[],
            files: &FILES,
        };
        let folder = tempfile::tempdir().unwrap();
        let error = fetch_into(&set, folder.path()).unwrap_err();
        let text = error.to_string();
        let advice = format!(
            "download abc into `{}` yourself, or pass the folder with `--data FOLDER`",
            folder.path().display()
        );
        assert!(text.ends_with(&advice), "{text}");
        if cfg!(not(feature = "download")) {
            assert!(matches!(error, DownloadError::Disabled { .. }));
        }
        std::fs::write(folder.path().join("abc"), "abc").unwrap();
        assert!(fetch_into(&set, folder.path()).is_ok());
    }
}
