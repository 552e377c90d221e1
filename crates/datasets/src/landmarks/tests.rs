use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{IBUG_POINTS, flip_order};

/// A folder with files; images are gray, of 100 by 80 pixels.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if content.is_empty() {
            image::GrayImage::new(100, 80).save(&path).unwrap();
        } else {
            fs::write(&path, content).unwrap();
        }
    }
    dir
}

fn open(dir: &TempDir, bad_points: BadPoints) -> Result<LandmarkFolder, LandmarkError> {
    let options = LandmarkOptions {
        bad_points,
        channels: 3,
        points: 0,
    };
    LandmarkFolder::open(dir.path(), &options)
}

#[test]
fn tables_are_read_with_their_splits_and_lines() {
    let dir = folder(&[
        (
            "training_frames.csv",
            ",0,1,2,3\na.png,1,2,3.5,4\nb.png,5,6,7,8\n",
        ),
        ("test_frames.csv", "a.png,9,10,11,12\n"),
        ("training/a.png", ""),
        ("training/b.png", ""),
        ("test/a.png", ""),
    ]);
    let set = open(&dir, BadPoints::Refuse).unwrap();
    assert_eq!((set.points(), set.format()), (2, LandmarkFormat::Csv));
    let faces = set.faces();
    assert_eq!(faces[0].points, [[1.0, 2.0], [3.5, 4.0]]);
    assert!(faces[1].place.ends_with("training_frames.csv:3"));
    assert_eq!(faces[2].path, dir.path().join("test/a.png"));
    let rows = set
        .splits()
        .clone()
        .map(|split| split.map(|split| split.rows));
    assert_eq!(rows, [Some(0..2), None, Some(2..3)]);
    assert_eq!(set.image(0).unwrap().channels, 3);
}

#[cfg(unix)]
#[test]
fn broken_links_are_counted() {
    let dir = folder(&[("labels.csv", "a.png,1,2,3,4\n"), ("a.png", "")]);
    std::os::unix::fs::symlink("gone.png", dir.path().join("b.png")).unwrap();
    let set = open(&dir, BadPoints::Refuse).unwrap();
    assert_eq!(set.notes(), ["1 file skipped: 1 missing (broken link)"]);
}

#[test]
fn points_of_ibug_and_dlib_are_in_the_order_of_their_numbers() {
    let dir = folder(&[
        ("a.pts", "version: 1\nn_points:  2\n{\n1.5 2\n3 4\n}\n"),
        ("a.png", ""),
    ]);
    let set = open(&dir, BadPoints::Refuse).unwrap();
    assert_eq!(set.faces()[0].points, [[1.5, 2.0], [3.0, 4.0]]);
    let parts = [2, 10, 1].map(|n| format!("<part name='{n}' x='{n}' y='7'/>"));
    let parts = parts.join("\n");
    let xml = format!(
        "<?xml version='1.0'?>\n<dataset><images>\n<image file='in/a.png'>\n\
         <box top='5' left='6' width='20' height='30'>{parts}</box>\n</image></images></dataset>"
    );
    let dir = folder(&[("labels_train.xml", &xml), ("in/a.png", ""), ("a.png", "")]);
    let set = open(&dir, BadPoints::Refuse).unwrap();
    let face = &set.faces()[0];
    assert_eq!(face.points, [[1.0, 7.0], [2.0, 7.0], [10.0, 7.0]]);
    assert!(
        face.path.ends_with("in/a.png") && face.place.ends_with(":4"),
        "{face:?}"
    );
    assert!(set.splits()[0].is_some());
}

#[test]
fn names_of_images_in_other_encodings_are_read() {
    let xml = "<dataset><images><image file='größe.png'><box><part name='1' x='1' y='7'/><part name='2' x='5' y='3'/></box>\
               </image></images></dataset>";
    let dir = folder(&[("größe.png", "")]);
    let latin: Vec<u8> = xml.chars().map(|letter| letter as u8).collect();
    fs::write(dir.path().join("a.xml"), latin).unwrap();
    let set = open(&dir, BadPoints::Refuse).unwrap();
    assert!(set.faces()[0].path.ends_with("größe.png"));
}

#[test]
fn bad_faces_are_refused_with_file_and_line() {
    for (row, words) in [
        (
            "a.png,1,2,300,4",
            "labels.csv:2`: point 1 (from 0) at 300 4 is outside of the image of 100x80",
        ),
        (
            "a.png,1,2,NaN,4",
            "labels.csv:2`: point 1 (from 0) is not finite",
        ),
        ("a.png,1,2,3", "labels.csv:2`: 3 numbers are not x and y"),
        ("a.png,1,2,x,4", "labels.csv:2`: `x` is not a number"),
        (
            "a.png,1,2,3,4,5,6",
            "labels.csv:2`: 3 points, and the first face has 2",
        ),
        (
            "none.png,1,2,3,4",
            "labels.csv:2`: there is no image `none.png`",
        ),
        (
            "a.png,1,2,1,2",
            "labels.csv:2`: all points are at one place",
        ),
    ] {
        let labels = format!("a.png,5,6,7,8\n{row}\n");
        let dir = folder(&[("labels.csv", &labels), ("a.png", "")]);
        let error = open(&dir, BadPoints::Refuse).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert_eq!(open(&dir, BadPoints::Drop).unwrap().faces().len(), 1);
        let clipped = open(&dir, BadPoints::Clip).unwrap();
        assert_eq!(clipped.notes().len(), 1, "{row}");
        if row.contains("300") {
            let point = clipped.faces()[1].points[1].map(|at| at as usize);
            assert_eq!(point, [100, 4]);
        }
    }
    let dir = folder(&[
        ("a.pts", "version: 1\nn_points: 3\n{\n1 2\n3 4\n}\n"),
        ("a.png", ""),
    ]);
    let error = open(&dir, BadPoints::Refuse).unwrap_err().to_string();
    assert!(
        error.contains("a.pts:6`: 2 points, and `n_points` is 3"),
        "{error}"
    );
    assert!(matches!(
        open(&dir, BadPoints::Drop),
        Err(LandmarkError::Empty { dropped: 1, .. })
    ));
}

#[test]
fn folders_without_landmarks_or_with_two_formats_are_refused() {
    let dir = folder(&[("a.csv", "name,price\nx,2\n"), ("a.png", "")]);
    assert!(matches!(
        open(&dir, BadPoints::Refuse),
        Err(LandmarkError::NoLabels { .. })
    ));
    assert_eq!(landmark_format(dir.path()), None);
    fs::write(
        dir.path().join("a.pts"),
        "version: 1\nn_points: 1\n{\n1 2\n}\n",
    )
    .unwrap();
    fs::write(dir.path().join("b.csv"), "a.png,1,2,3,4\n").unwrap();
    assert!(matches!(
        open(&dir, BadPoints::Refuse),
        Err(LandmarkError::Mixed { .. })
    ));
}

#[test]
fn mirrored_twice_is_the_order_itself() {
    let order = flip_order(IBUG_POINTS).unwrap();
    assert!((0..IBUG_POINTS).all(|at| order[order[at]] == at));
    // The middle of jaw, nose and lips.
    let middle = (0..IBUG_POINTS).filter(|&at| order[at] == at);
    assert_eq!(
        middle.collect::<Vec<_>>(),
        [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    );
}
