use std::io::Write;
use std::path::PathBuf;

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
    let claim = "item 1 has label 3, out of range for 3 classes";
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
    assert!(
        text.starts_with("there is no folder `/no/folder`; expected a folder with `train-images")
    );
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
            .ends_with("are 1 x 1, but the training images are 2 x 3")
    );
}
