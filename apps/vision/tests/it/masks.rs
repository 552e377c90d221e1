//! Segmentation from the command line.

use std::fs;

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::common::Place;

/// The file of photo `at` below `dir`, and of its mask.
fn write_pair(place: &Place, dir: &str, at: u32) -> Result<(), image::ImageError> {
    let (width, height) = (24 + at % 3, 20);
    let inside = |x: u32, y: u32| x.abs_diff(8 + at % 7) < 5 && y.abs_diff(10) < 6;
    let photo = RgbImage::from_fn(width, height, |x, y| {
        let noise = (x * 31 + y * 17 + at * 7) % 40;
        let light = if inside(x, y) { 200 } else { 20 } + noise;
        Rgb([light as u8, 128, 90])
    });
    let mask = GrayImage::from_fn(width, height, |x, y| {
        Luma([if inside(x, y) { 255 } else { 0 }])
    });
    fs::create_dir_all(place.path(&format!("{dir}/images")))?;
    fs::create_dir_all(place.path(&format!("{dir}/masks")))?;
    let name = |folder: &str| place.path(&format!("{dir}/{folder}/{at:02}.png"));
    photo.save(name("images"))?;
    mask.save(name("masks"))
}

fn pairs(count: u32) -> Result<Place, image::ImageError> {
    let place = Place::new();
    for at in 0..count {
        write_pair(&place, "pairs", at)?;
    }
    Ok(place)
}

const TRAIN: [&str; 23] = [
    "train",
    "--recipe",
    "cutout",
    "--data",
    "pairs",
    "--set",
    "model.kind=unet",
    "--set",
    "model.depth=1",
    "--set",
    "model.base_channels=4",
    "--set",
    "data.size=24",
    "--set",
    "split.valid_fraction=0.2",
    "--set",
    "optimizer.learning_rate=0.02",
    "--epochs",
    "8",
    "--batch-size",
    "4",
    "--out",
    "run",
];

fn trained() -> Result<Place, image::ImageError> {
    let place = pairs(20)?;
    place.run(&TRAIN).ok();
    Ok(place)
}

#[test]
fn a_model_of_masks_is_trained_evaluated_and_cuts_photos_out() {
    let place = trained().unwrap();
    let eval = place.run(&["eval", "--run", "run", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&eval.ok().stdout).unwrap();
    assert!(line["test"]["iou"].as_f64().unwrap() > 0.7, "{line}");
    assert_eq!(line["samples"], 4);

    let predict = ["predict", "--run", "run", "pairs/images"];
    let lines = place
        .run(&[&predict[..], &["--json"]].concat())
        .ok()
        .stdout
        .clone();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["width"], &first["height"]),
        (&24.into(), &20.into())
    );
    assert!(
        first["areas"]["foreground"].as_f64().unwrap() > 0.1,
        "{first}"
    );

    let out = [&predict[..], &["--out", "cut"]].concat();
    place.run(&out).ok();
    let cut = image::open(place.path("cut/01.png")).unwrap().into_rgba8();
    assert_eq!(cut.dimensions(), (25, 20));
    assert!(cut.get_pixel(9, 10)[3] > 200 && cut.get_pixel(22, 2)[3] < 60);
    let again = place.run(&out);
    assert!(
        again.ok().stderr.contains("20 of 20 images skipped"),
        "{}",
        again.stderr
    );
    let white = [&predict[..], &["--out", "white", "--background", "white"]].concat();
    place.run(&white).ok();
    let white = image::open(place.path("white/01.png")).unwrap();
    assert_eq!(white.color().channel_count(), 3);
}

#[test]
fn a_file_that_cannot_be_written_stops_and_the_next_call_continues() {
    let place = trained().unwrap();
    write_pair(&place, "new", 1).unwrap();
    write_pair(&place, "new/sub", 2).unwrap();
    fs::create_dir(place.path("cut")).unwrap();
    // Stands in the way of the folder that is to be made.
    place.write("cut/sub", "a file");
    let predict = ["predict", "--run", "run", "new", "--out", "cut"];
    place
        .run(&predict)
        .failed(2, &["cut/sub/", "stopped at image", "continues"]);
    assert!(place.path("cut/images/01.png").is_file());
    fs::remove_file(place.path("cut/sub")).unwrap();
    let again = place.run(&predict);
    assert!(
        again.ok().stderr.contains("images skipped"),
        "{}",
        again.stderr
    );
    assert!(place.path("cut/sub/images/02.png").is_file());

    place.write("taken.png", "a file");
    place
        .run(&["predict", "--run", "run", "new", "--out", "taken.png"])
        .failed(2, &["`taken.png` is a file", "folder"]);
}

#[test]
fn photos_and_masks_that_do_not_fit_are_refused() {
    let mask = |place: &Place, mask: GrayImage| {
        mask.save(place.path("pairs/masks/03.png")).unwrap();
    };
    let place = pairs(6).unwrap();
    mask(&place, GrayImage::new(10, 20));
    place.run(&TRAIN).failed(2, &["03.png"]);

    mask(&place, GrayImage::from_pixel(24, 20, Luma([7])));
    let classes = [&TRAIN[..], &["--set", "data.values=classes"]].concat();
    place.run(&classes).failed(2, &["03.png", "7"]);

    fs::remove_file(place.path("pairs/masks/03.png")).unwrap();
    place.run(&TRAIN).failed(2, &["03.png", "mask"]);

    for at in 0..6 {
        let empty = GrayImage::new(24 + at % 3, 20);
        empty
            .save(place.path(&format!("pairs/masks/{at:02}.png")))
            .unwrap();
    }
    place.run(&TRAIN).failed(2, &["empty"]);
    assert!(!place.path("run").exists());
}
