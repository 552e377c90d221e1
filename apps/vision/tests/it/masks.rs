//! Segmentation from the command line.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use burn::tensor::Device;
use image::{GrayImage, Luma, Rgb, RgbImage};
use tinderbox_cli::testing::Ran;
use tinderbox_models::vision::EfficientNetLiteConfig;
use tinderbox_train::format::thousands;

use crate::common::Place;
use crate::transfer::random_weights;

/// The file of photo `at` below `dir`, and of its mask.
pub(crate) fn write_pair(place: &Place, dir: &str, at: u32) -> Result<(), image::ImageError> {
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

pub(crate) fn pairs(count: u32) -> Result<Place, image::ImageError> {
    let place = Place::new();
    for at in 0..count {
        write_pair(&place, "pairs", at)?;
    }
    Ok(place)
}

pub(crate) const TRAIN: [&str; 24] = [
    "train",
    "--recipe",
    "cutout",
    "--data",
    "pairs",
    "--no-baseline",
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
    for without_effect in [&["--background", "white"][..], &["--overwrite"]] {
        let args = [&predict[..], without_effect].concat();
        place.run(&args).failed(2, &[without_effect[0], "--out"]);
    }
}

#[test]
fn pixel_classification_is_compared_with_unless_it_is_skipped() {
    let place = pairs(20).unwrap();
    let summary = || -> serde_json::Value {
        let summary = fs::read(place.path("run/summary.json")).unwrap();
        serde_json::from_slice(&summary).unwrap()
    };
    place.run(&TRAIN).ok();
    assert_eq!(summary()["baselines"], serde_json::json!([]));
    assert!(summary().get("comparison").is_none());

    fs::remove_dir_all(place.path("run")).unwrap();
    let compared = TRAIN.iter().filter(|flag| **flag != "--no-baseline");
    let ran = place.run(&compared.copied().collect::<Vec<_>>());
    let stdout = &ran.ok().stdout;
    assert!(stdout.contains("pixel classification on 1"), "{stdout}");
    let summary = summary();
    let baseline = &summary["baselines"][0];
    assert_eq!(baseline["method"], "pixel classification");
    let names = |metrics: &serde_json::Value| -> Vec<String> {
        metrics.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&baseline["test"]), names(&summary["test"]));
    assert!(names(&baseline["test"]).contains(&"boundary_f".to_owned()));
    // The objects are brighter than all else.
    assert!(baseline["test"]["iou"].as_f64().unwrap() > 0.9, "{summary}");
    let comparison = &summary["comparison"];
    assert_eq!(comparison["metric"], "iou");
    assert_eq!(comparison["baseline"], baseline["test"]["iou"]);
    assert_eq!(comparison["model"], summary["test"]["iou"]);
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

/// The flags of [`TRAIN`] without the recipe.
fn without_recipe() -> Vec<&'static str> {
    [&TRAIN[..1], &TRAIN[3..]].concat()
}

fn recipe(place: &Place) -> String {
    fs::read_to_string(place.path("run/recipe.toml")).unwrap()
}

#[test]
fn photos_with_masks_choose_the_recipe_and_say_so() {
    let place = pairs(6).unwrap();
    let ran = place.run(&without_recipe());
    let expected =
        "`pairs` is photos with masks: recipe `cutout`, classes background, foreground; ";
    assert!(ran.ok().stderr.contains(expected), "{}", ran.stderr);
    assert!(recipe(&place).contains("task = \"segmentation\""));
    // The classes are those of the masks.
    let numbers = GrayImage::from_fn(24, 20, |x, _| Luma([(x / 8) as u8]));
    numbers.save(place.path("pairs/masks/00.png")).unwrap();
    fs::remove_dir_all(place.path("run")).unwrap();
    let classes = [&without_recipe()[..], &["--set", "data.values=classes"]].concat();
    for at in 1..6 {
        let mask = GrayImage::from_fn(24 + at % 3, 20, |x, _| Luma([u8::from(x > 9)]));
        mask.save(place.path(&format!("pairs/masks/{at:02}.png")))
            .unwrap();
    }
    let ran = place.run(&classes);
    let stderr = &ran.ok().stderr;
    assert!(stderr.contains("classes background, 1, 2;"), "{stderr}");
    let quiet = [&without_recipe()[..], &["--quiet"]].concat();
    fs::remove_dir_all(place.path("run")).unwrap();
    assert_eq!(place.run(&quiet).ok().stderr, "");

    fs::remove_file(place.path("pairs/masks/03.png")).unwrap();
    place
        .run(&without_recipe())
        .failed(2, &["03.png` has no mask (1 of 6"]);
}

/// A network with a backbone, on images of 32 pixels.
const SMALL: [&str; 12] = [
    "train",
    "--data",
    "pairs",
    "--no-baseline",
    "--set",
    "data.size=32",
    "--epochs",
    "1",
    "--batch-size",
    "4",
    "--out",
    "run",
];

#[test]
fn the_default_weights_are_used_where_they_can_be_had() {
    let place = pairs(6).unwrap();
    let ran = place.run(&SMALL);
    let stderr = &ran.ok().stderr;
    for words in [
        "training from scratch, without published weights",
        "`vision train --weights timm/efficientnet_lite0.ra_in1k --data pairs`",
    ] {
        assert!(stderr.contains(words), "{stderr}");
    }
    assert!(recipe(&place).contains("\nweights = \"\""));
    // Those of the layers: the encoder's own head is not counted.
    let summary = fs::read_to_string(place.path("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let parameters = summary["parameters"].as_u64().unwrap() as usize;
    let line = format!("{} parameters on ", thousands(parameters));
    assert!(stderr.contains(&line), "no `{line}` in {stderr}");

    let config = EfficientNetLiteConfig::lite0(3, 3);
    let shapes = config.timm_names();
    let file = random_weights(shapes.shapes(&config.init(&Device::flex())));
    let folder = "cache/weights/timm/efficientnet_lite0.ra_in1k";
    fs::create_dir_all(place.path(folder)).unwrap();
    place.write(&format!("{folder}/model.safetensors"), file);
    let json = r#"{"architecture":"efficientnet_lite0","num_classes":3}"#;
    place.write(&format!("{folder}/config.json"), json);
    fs::remove_dir_all(place.path("run")).unwrap();
    let ran = place.run(&SMALL);
    let stderr = &ran.ok().stderr;
    assert!(
        stderr.contains("encoder: the published weights `timm/"),
        "{stderr}"
    );
    assert!(recipe(&place).contains("\nweights = \"timm/efficientnet_lite0.ra_in1k\""));

    fs::remove_dir_all(place.path("run")).unwrap();
    let path = place.path(folder);
    let named = [&SMALL[..], &["--weights", path.to_str().unwrap()]].concat();
    place.run(&named).ok();
    assert!(
        recipe(&place).contains("cache/weights"),
        "{}",
        recipe(&place)
    );
}

#[test]
fn two_layouts_of_masks_in_one_folder_are_refused() {
    let place = pairs(4).unwrap();
    write_pair(&place, "pairs/train", 7).unwrap();
    place.run(&TRAIN).failed(
        2,
        &[
            "some photos lie in the folders of splits",
            "pairs/train/images/07.png",
            "pairs/images/00.png",
        ],
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_damaged_photo_is_named_and_the_others_are_cut_out() {
    let place = trained().unwrap();
    let photo = fs::read(place.path("pairs/images/05.png")).unwrap();
    place.write("pairs/images/05.png", &photo[..photo.len() / 2]);
    place.write("pairs/images/07.png", "text");
    let again = [&TRAIN[..TRAIN.len() - 1], &["again"]].concat();
    place.run(&again).failed(2, &["05.png"]);
    let predict = ["predict", "--run", "run", "pairs/images", "--out", "cut"];
    place
        .run(&predict)
        .failed(2, &["input 6 of 20", "05.png", "damaged"]);
    let ran = place.run(&[&predict[..], &["--skip-errors"]].concat());
    assert!(
        ran.ok()
            .stderr
            .contains("skipped 2 images of `pairs/images`"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_dir(place.path("cut")).unwrap().count(), 18);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_finished_images_and_the_next_call_continues() {
    let place = trained().unwrap();
    // Noise, of which a PNG is larger than four blocks of 512 bytes; the others are smaller.
    let noise = RgbImage::from_fn(64, 64, |x, y| {
        Rgb([1, 2, 3].map(|channel: u32| ((x * 7919 + y * 104_729) * channel % 251) as u8))
    });
    noise.save(place.path("pairs/images/10b.png")).unwrap();
    let predict = ["predict", "--run", "run", "pairs/images", "--out", "cut"];
    let limited = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""])
        .arg(place.command(&[]).get_program())
        .args(predict)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let words = [
        "cannot write `cut/10b.png`",
        "stopped at image 12 of 21",
        "the same command continues",
    ];
    Ran::from(limited).failed(2, &words);
    let files = || -> Vec<String> {
        let names = fs::read_dir(place.path("cut")).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let first = files();
    assert!(first.len() >= 11, "{first:?}");
    assert!(
        first
            .iter()
            .all(|name| !name.contains("tmp") && name != "10b.png"),
        "{first:?}"
    );
    for name in &first {
        image::open(place.path("cut").join(name)).unwrap();
    }
    let ran = place.run(&predict);
    let skipped = format!("{} of 21 images skipped", first.len());
    assert!(ran.ok().stderr.contains(&skipped), "{}", ran.stderr);
    assert_eq!(files().len(), 21);
}
