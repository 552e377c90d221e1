//! Images of unusual sizes and color types: each is read, in every task, and none ends a program.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;
use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, RgbImage};
use serde_json::Value;

use crate::common::Place;
use crate::masks::{TRAIN, pairs};
use crate::transfer;

/// Name, width and height of each image.
const ODD: [(&str, u32, u32); 8] = [
    ("dot.png", 1, 1),
    ("wide.png", 30_000, 10),
    ("tall.png", 10, 30_000),
    ("print.jpg", 32, 32),
    ("deep.png", 40, 30),
    ("gray-alpha.png", 40, 30),
    ("moving.gif", 24, 20),
    ("film.webp", 32, 32),
];

fn bytes(name: &str, width: u32, height: u32) -> Vec<u8> {
    let color = DynamicImage::from(RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 7) as u8, (y * 5) as u8, 90])
    }));
    let image = match name {
        "print.jpg" => {
            return include_bytes!("../../../../crates/datasets/tests/data/cmyk.jpg").to_vec();
        }
        "film.webp" => {
            return include_bytes!("../../../../crates/datasets/tests/data/animated.webp").to_vec();
        }
        "moving.gif" => {
            let mut gif = Vec::new();
            let frames = [0, 9].map(|add| image::Frame::new(color.brighten(add).into_rgba8()));
            GifEncoder::new(&mut gif).encode_frames(frames).unwrap();
            return gif;
        }
        "deep.png" => color.into_rgb16().into(),
        "gray-alpha.png" => color.into_luma_alpha8().into(),
        _ => color,
    };
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

/// Writes all of them into a folder.
fn put(place: &Place, folder: &str) {
    fs::create_dir_all(place.path(folder)).unwrap();
    for (name, width, height) in ODD {
        let path = format!("{folder}/{name}");
        place.write(&path, bytes(name, width, height));
    }
}

/// The PNG in a folder that belongs to an image.
fn png_of(folder: &str, name: &str) -> String {
    let (stem, _) = name.rsplit_once('.').unwrap();
    format!("{folder}/{stem}.png")
}

fn names(stdout: &str) -> Vec<String> {
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["input"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn photos_of_any_kind_are_segmented_in_their_size() {
    let place = pairs(8).unwrap();
    put(&place, "pairs/images");
    for (name, width, height) in ODD {
        let half = |x, _| Luma([if 2 * x < width { 255 } else { 0 }]);
        let mask = GrayImage::from_fn(width, height, half);
        mask.save(place.path(&png_of("pairs/masks", name))).unwrap();
    }
    place.run(&TRAIN).ok();

    place
        .run(&["predict", "--run", "run", "pairs/images", "--out", "cut"])
        .ok();
    for (name, width, height) in ODD {
        let cut = image::open(place.path(&png_of("cut", name))).unwrap();
        assert_eq!((cut.width(), cut.height()), (width, height), "{name}");
    }
}

#[test]
fn photos_of_any_kind_are_classified() {
    let place = transfer::place();
    put(&place, "photos/left");
    transfer::train(&place, "run", &[]).ok();
    put(&place, "odd");
    let ran = place.run(&["predict", "--run", "run", "--json", "odd"]);
    assert_eq!(names(&ran.ok().stdout).len(), ODD.len());
    let ran = place.run(&["predict", "--weights", "weights", "--json", "odd"]);
    assert_eq!(names(&ran.ok().stdout).len(), ODD.len());
    let scratch = [
        "train",
        "--recipe",
        "image-folder",
        "--data",
        "photos",
        "--no-baseline",
        "--epochs=1",
        "--out",
        "scratch",
        "--set=data.height=16",
        "--set=data.width=16",
        "--set=model.blocks_per_stage=[1]",
    ];
    place.run(&scratch).ok();
    place
        .run(&["explain", "--run", "scratch", "odd", "--out", "why"])
        .ok();
}
