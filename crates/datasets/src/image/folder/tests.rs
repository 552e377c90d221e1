use std::path::PathBuf;

use image::{ImageBuffer, Luma, Rgb, RgbImage};
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
    let (images, skipped_files) = opened.unwrap();
    assert_eq!((images.len(), images.skipped()), (4, 0));
    assert_eq!(
        skipped_files.to_string(),
        "4 files skipped: 1 in an unsupported image format (.heic), 1 not an image (.csv), 1 not an \
         image (.txt), 1 not in a class folder"
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
        message.starts_with("1 of 4 images are damaged"),
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
    let (images, skipped_files) = ImageFolder::open(folder.path(), &options(false), None).unwrap();
    let of = |class| {
        images
            .labels()
            .iter()
            .filter(|&&label| label == class)
            .count()
    };
    assert_eq!((of(0), of(1)), (3, 7));
    assert!(skipped_files.is_empty(), "{skipped_files}");
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
            "unknown split `third`",
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
    assert_eq!((report.duplicates, report.conflicting_labels), (1, 1));
    assert_eq!(report.damaged.len(), 1);
    assert_eq!(report.formats["PNG"], 5);
    assert_eq!(report.sizes[&(5, 6)], 5);
    let classes = [("cat".to_owned(), 2), ("dog".to_owned(), 3)];
    assert_eq!(report.splits[0].classes, classes);
}

fn put_image_of(size: [u32; 2], path: &Path) {
    RgbImage::from_pixel(size[0], size[1], Rgb([9; 3]))
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

/// A tar archive of a folder.
fn tar_of(folder: &Path, inner: &str) -> (TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("data.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
    builder.append_dir_all(inner, folder).unwrap();
    builder.into_inner().unwrap();
    (out, path)
}

#[test]
fn a_table_next_to_its_images_is_read_also_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    for (name, value) in [("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 4)] {
        put_image(&images, name, value);
    }
    let rows = "filename,label\nimages/a.png,x\n./images/c.png,y\nimages\\b.png,y\n";
    std::fs::write(folder.path().join("labels.csv"), rows).unwrap();
    std::fs::write(folder.path().join("readme.csv"), "author\nme\n").unwrap();
    let (_out, tar) = tar_of(folder.path(), "data");
    for path in [folder.path(), &tar] {
        let opened = ImageFolder::open_splits(path, &options(false), None).unwrap();
        assert_eq!(opened.train.class_names(), ["x", "y"]);
        assert_eq!(opened.train.labels(), [0, 1, 1]);
        let skipped = opened.skipped_files.to_string();
        assert!(skipped.starts_with("2 files skipped: 1 not an image (.csv), 1 not in the table"));
        let note = &opened.notes[0];
        assert!(
            note.starts_with("images and labels are those of the table"),
            "{note}"
        );
    }
    std::fs::write(folder.path().join("more.csv"), rows).unwrap();
    let error = open(folder.path(), false).unwrap_err();
    assert!(matches!(error, FolderError::Mixed { .. }), "{error}");
}

#[test]
fn a_table_must_agree_with_class_folders() {
    let folder = new_pets();
    let table = folder.path().join("data.csv");
    // Other names for the same two groups.
    std::fs::write(
        &table,
        "image,label\ncat/a.jpg,0\ncat/b.PNG,0\ndog/a.jpg,1\n",
    )
    .unwrap();
    let opened = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
    assert_eq!(opened.train.class_names(), ["cat", "dog"]);
    assert_eq!(opened.train.len(), 4);
    assert_eq!(
        opened.notes,
        ["the class folders are used and not the table `data.csv`"]
    );
    std::fs::write(
        &table,
        "image,label\ncat/a.jpg,0\ncat/b.PNG,1\ndog/a.jpg,1\n",
    )
    .unwrap();
    let error = open(folder.path(), false).unwrap_err().to_string();
    let words = "the table `data.csv` and folders of other classes: `cat/b.PNG` has the label `1` and is in \
                 `cat/`";
    assert!(error.contains(words), "{error}");
    assert_eq!(open(&table, false).unwrap().class_names(), ["0", "1"]);
}

#[test]
fn class_folders_next_to_splits_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "VALIDATION"] {
        pets(&folder.path().join(split));
    }
    put_image(&folder.path().join("unlabeled"), "a.png", 3);
    assert!(open(folder.path(), false).is_ok());
    put_image(&folder.path().join("cat"), "new.png", 3);
    let error = open(folder.path(), false).unwrap_err().to_string();
    assert!(
        error.contains("mixes two layouts: split folders such as `train/`"),
        "{error}"
    );
    assert!(
        error.contains("the class folder `cat/` next to them"),
        "{error}"
    );
}

#[test]
fn leftovers_of_other_systems_in_an_archive_are_unseen() {
    let folder = new_pets();
    for (dir, name) in [
        ("__MACOSX/cat", "._a.jpg"),
        ("cat", ".DS_Store"),
        ("dog", "Thumbs.db"),
    ] {
        std::fs::create_dir_all(folder.path().join(dir)).unwrap();
        std::fs::write(folder.path().join(dir).join(name), "x").unwrap();
    }
    let (_out, tar) = tar_of(folder.path(), ".");
    for path in [folder.path(), &tar] {
        let opened = ImageFolder::open_splits(path, &options(false), None).unwrap();
        assert_eq!(opened.train.len(), 4);
        assert!(opened.skipped_files.is_empty(), "{}", opened.skipped_files);
    }
}

#[test]
fn images_of_extreme_shapes_are_read() {
    let folder = new_pets();
    put_image_of([1, 1], &folder.path().join("cat/dot.png"));
    put_image_of([30_000, 10], &folder.path().join("dog/strip.png"));
    let images = open(folder.path(), false).unwrap();
    for index in 0..images.len() {
        assert_eq!(images.get(index).unwrap().image.pixels.len(), 48);
    }
    let report = inspect(folder.path()).unwrap();
    assert_eq!((report.sizes[&(1, 1)], report.sizes[&(10, 30_000)]), (1, 1));
}

#[test]
fn images_of_16_bits_that_use_12_are_counted() {
    let folder = new_pets();
    for (name, value) in [("black", 0), ("dark", 4095), ("bright", 4096)] {
        let path = folder.path().join(format!("cat/{name}.png"));
        let picture = ImageBuffer::<Luma<u16>, _>::from_pixel(3, 2, Luma([value]));
        picture.save(path).unwrap();
    }
    assert_eq!(inspect(folder.path()).unwrap().dark_16_bit, 1);
    let notes = |check_pixels: bool| {
        let options = FolderOptions {
            check_pixels,
            ..options(false)
        };
        let splits = ImageFolder::open_splits(folder.path(), &options, None);
        splits.unwrap().notes
    };
    assert_eq!(notes(true), [dark_16_bit_note(1).unwrap()]);
    assert!(notes(false).is_empty(), "nothing is decoded");
}

#[test]
fn duplicates_and_look_alikes_are_named_across_splits_first() {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "test"] {
        pets(&folder.path().join(split));
    }
    let picture = |shift: u32| {
        RgbImage::from_fn(64, 48, |x, y| {
            let value = (x * 5 + shift) ^ (y * 9);
            Rgb([value as u8, (value / 2) as u8, (x * y / 16) as u8])
        })
    };
    let dir = folder.path();
    picture(0).save(dir.join("train/cat/photo.png")).unwrap();
    picture(0).save(dir.join("test/cat/again.jpg")).unwrap();
    picture(77).save(dir.join("train/dog/other.png")).unwrap();
    put_image(&dir.join("train/dog"), "same.png", 200);
    let report = inspect(dir).unwrap();
    // All four pets of the test split, and one within the training split.
    assert_eq!((report.duplicates, report.test_overlap), (5, 4));
    let first = ["train/cat/a.jpg", "test/cat/a.jpg"];
    assert_eq!(report.duplicate_pairs[0], first);
    assert_eq!(
        report.duplicate_pairs[4],
        ["train/dog/a.jpg", "train/dog/same.png"]
    );
    // Empty images are not compared by their looks.
    assert_eq!((report.near_duplicates, report.near_overlap), (Some(1), 1));
    assert_eq!(
        report.near_pairs,
        [["train/cat/photo.png", "test/cat/again.jpg"]]
    );
}

/// Puts an archive of a folder with one image per class into `dir`.
fn pack(dir: &Path, archive: &str, inner: &str, first: u8) {
    let folder = tempfile::tempdir().unwrap();
    put_image(&folder.path().join("cat"), &format!("{first}.png"), first);
    let next = first + 1;
    put_image(&folder.path().join("dog"), &format!("{next}.png"), next);
    let (_out, tar) = tar_of(folder.path(), inner);
    std::fs::create_dir_all(dir).unwrap();
    std::fs::copy(tar, dir.join(archive)).unwrap();
}

#[test]
fn archives_in_a_folder_are_read_as_if_unpacked() {
    // Splits within, splits within different folders, and splits named by the archives.
    for inner in [
        ["a/train", "a/test", "a/train"],
        ["a/Train", "b/Testing", "c/Train"],
        ["photos", "", "more"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        pack(folder.path(), "pets-train1.tar", inner[0], 10);
        pack(folder.path(), "pets-test.tar", inner[1], 20);
        pack(folder.path(), "pets-train2.tar", inner[2], 30);
        std::fs::write(folder.path().join("readme.txt"), "pets").unwrap();
        let opened = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
        assert_eq!(opened.train.labels(), [0, 0, 1, 1], "{inner:?}");
        assert_eq!(opened.train.class_names(), ["cat", "dog"]);
        assert_eq!(opened.test.map(|test| test.len()), Some(2));
        let note = "the images are those of 3 archives: `pets-test.tar`, `pets-train1.tar`, `pets-train2.tar`";
        assert_eq!(opened.notes, [note]);
        let skipped = opened.skipped_files.to_string();
        assert_eq!(skipped, "1 file skipped: 1 not an image (.txt)");
    }
}

#[test]
fn archives_without_splits_belong_to_the_folder_they_are_in() {
    let folder = tempfile::tempdir().unwrap();
    pack(&folder.path().join("train"), "a.tar", "", 10);
    pack(&folder.path().join("test"), "b.tar", "", 20);
    let opened = ImageFolder::open_splits(folder.path(), &options(false), None).unwrap();
    assert_eq!(opened.train.labels(), [0, 1]);
    assert_eq!(opened.test.map(|test| test.len()), Some(2));
}

#[test]
fn an_archive_next_to_images_is_not_read() {
    let folder = new_pets();
    pack(folder.path(), "backup.tar", "", 10);
    let (images, skipped) = ImageFolder::open(folder.path(), &options(false), None).unwrap();
    assert_eq!(images.len(), 4);
    assert_eq!(
        skipped.to_string(),
        "1 file skipped: 1 an archive next to images"
    );
}

#[test]
fn archives_with_files_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    pack(folder.path(), "a.tar", "", 10);
    pack(folder.path(), "b.tar", "", 10);
    let error = open(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("a.tar:cat/10.png` and"), "{error}");
}

#[cfg(unix)]
#[test]
fn broken_links_are_counted() {
    let dir = new_pets();
    std::os::unix::fs::symlink("gone.png", dir.path().join("cat/link.png")).unwrap();
    let expected = "1 file skipped: 1 missing (broken link)";
    let (images, skipped_files) = find_images(dir.path()).unwrap();
    assert_eq!((images.len(), &*skipped_files.to_string()), (4, expected));
    let splits = ImageFolder::open_splits(dir.path(), &options(false), None).unwrap();
    assert_eq!(splits.skipped_files.to_string(), expected);
    let report = inspect(dir.path()).unwrap();
    assert_eq!(report.skipped_files.to_string(), expected);
}
