//! A classifier of patches that slides over an image.

use std::fs;

use image::{GrayImage, ImageResult, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::common::{Place, Ran};

/// A gray texture, with red in it where it is ill.
fn pixel(x: u32, y: u32, seed: u32, ill: bool) -> Rgb<u8> {
    let noise = ((x * 31 + y * 17 + seed * 53) % 60) as u8;
    Rgb([if ill { 190 } else { 60 } + noise, 60 + noise, 90 + noise])
}

/// Where the slide is ill.
fn is_ill(x: u32, y: u32) -> bool {
    (40..72).contains(&x) && (16..48).contains(&y)
}

/// A model of patches in `run`, a slide of 96 by 64 pixels and its mask.
fn place() -> ImageResult<Place> {
    let place = Place::new();
    for (class, ill) in [("healthy", false), ("ill", true)] {
        fs::create_dir_all(place.path(&format!("patches/{class}")))?;
        for seed in 0..16 {
            let patch = RgbImage::from_fn(16, 16, |x, y| pixel(x, y, seed, ill));
            patch.save(place.path(&format!("patches/{class}/{seed}.png")))?;
        }
    }
    let slide = RgbImage::from_fn(96, 64, |x, y| pixel(x, y, 99, is_ill(x, y)));
    slide.save(place.path("slide.png"))?;
    let mask = GrayImage::from_fn(96, 64, |x, y| Luma([if is_ill(x, y) { 255 } else { 0 }]));
    mask.save(place.path("mask.png"))?;
    let sizes = [
        "--set=data.height=16",
        "--set=data.width=16",
        "--set=model.kind=cnn",
    ];
    let model = [
        "--set=model.block_channels=[8]",
        "--set=train.ema_decay=0",
        "--epochs=6",
    ];
    let train = [
        "train",
        "--recipe=image-folder",
        "--data=patches",
        "--out=run",
        "--no-baseline",
    ];
    place.run(&[&train[..], &sizes, &model].concat()).ok();
    Ok(place)
}

fn heatmap(place: &Place, more: &[&str]) -> Ran {
    place.run(&[&["heatmap", "--run", "run"], more].concat())
}

fn lines(ran: &Ran) -> serde_json::Result<Vec<Value>> {
    ran.stdout.lines().map(serde_json::from_str).collect()
}

#[test]
fn an_image_that_cannot_be_read_is_refused_or_skipped() {
    let place = place().unwrap();
    fs::create_dir(place.path("slides")).unwrap();
    for name in ["a.png", "c.png"] {
        fs::copy(place.path("slide.png"), place.path("slides").join(name)).unwrap();
    }
    let bytes = fs::read(place.path("slide.png")).unwrap();
    place.write("slides/b.png", &bytes[..bytes.len() / 2]);
    let flags = ["slides", "--out=maps", "--json"];
    heatmap(&place, &flags).failed(2, &["b.png", "use `--skip-errors` to skip such images"]);
    let ran = heatmap(&place, &[&flags[..], &["--skip-errors"]].concat());
    assert_eq!(lines(ran.ok()).unwrap().len(), 2);
    for words in ["warning: skipped `slides/b.png`:", "skipped 1 of 3 images"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let none = heatmap(&place, &["slides/b.png", "--skip-errors"]);
    none.failed(
        2,
        &["no heat map: none of the images can be read; the first: "],
    );
    let explain = |more: &[&str]| {
        let explain = ["explain", "--run", "run", "slides", "--json"];
        place.run(&[&explain[..], more].concat())
    };
    let words = [
        "input 2 of 3: ",
        "b.png",
        "use `--skip-errors` to skip such images",
    ];
    explain(&[]).failed(2, &words);
    let ran = explain(&["--skip-errors"]);
    assert_eq!(lines(ran.ok()).unwrap().len(), 2);
    for words in ["warning: skipped `slides/b.png`:", "skipped 1 of 3 images"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn the_ill_part_of_a_slide_is_found_and_measured() {
    let place = place().unwrap();
    let flags = ["slide.png", "--mask=mask.png", "--out=heat.png", "--json"];
    let found = lines(heatmap(&place, &flags).ok()).unwrap();
    let (slide, totals) = (&found[0], &found[1]);
    assert_eq!(
        (&slide["patches"], &slide["class"]),
        (&77.into(), &"ill".into())
    );
    let agreement = &slide["agreement"];
    assert!(agreement["pixel_auroc"].as_f64().unwrap() > 0.95, "{slide}");
    assert_eq!(agreement["lesions_found"], 1, "{slide}");
    assert_eq!(totals["froc"]["0.25"], 1.0, "{totals}");
    let region = &slide["regions"][0];
    let middle =
        |at: &str, side: &str| region[at].as_f64().unwrap() + region[side].as_f64().unwrap() / 2.0;
    assert!((middle("x", "width") - 56.0).abs() < 6.0, "{region}");
    assert!((middle("y", "height") - 32.0).abs() < 6.0, "{region}");
    let size = |name: &str| image::image_dimensions(place.path(name)).unwrap();
    assert_eq!(size("heat.png"), (96, 64));
    // With a color scale below.
    let (width, height) = size("heat-overlay.png");
    assert!(width > 96 && height > 64, "{width} x {height}");
    // The same bytes again, and several images in a folder.
    let first = fs::read(place.path("heat.png")).unwrap();
    let more = ["slide.png", "mask.png", "--out=maps"];
    let text = heatmap(&place, &more).ok().stdout.clone();
    assert!(text.contains("Regions of at least 0.5"), "{text}");
    assert_eq!(fs::read(place.path("maps/slide.png")).unwrap(), first);
    assert!(place.path("maps/mask-overlay.png").is_file());
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let place = place().unwrap();
    let small = GrayImage::from_pixel(95, 64, Luma([255]));
    small.save(place.path("small.png")).unwrap();
    let gray = GrayImage::from_pixel(96, 64, Luma([100]));
    gray.save(place.path("gray.png")).unwrap();
    let refused: [(&[&str], &str); 9] = [
        (&["slide.png", "--mask=small.png"], "95 x 64 pixels"),
        (&["slide.png", "--mask=gray.png"], "values up to 100"),
        (
            &["slide.png", "mask.png", "--mask=mask.png"],
            "name a folder",
        ),
        (&["slide.png", "--mask=patches"], "no mask for"),
        (&["slide.png", "--class=well"], "`healthy`, `ill`"),
        (&["slide.png", "--overlap=1"], "`--overlap`"),
        (&["slide.png", "--patch=4"], "`--patch`"),
        (&["slide.png", "--threshold=nan"], "`--threshold`"),
        (&["run/summary.json"], "not an image"),
    ];
    for (flags, words) in refused {
        let ran = heatmap(&place, &[flags, &["--out=new.png"]].concat());
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{flags:?}: {}", ran.stderr);
        assert!(!place.path("new.png").exists(), "{flags:?}");
    }
    for out in ["slide.png", "."] {
        let ran = heatmap(&place, &["slide.png", "--out", out]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("would overwrite the input"),
            "{}",
            ran.stderr
        );
    }
    let ran = place.run(&["predict", "--run", "run", "slide.png", "--out", "slide.png"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(image::open(place.path("slide.png")).is_ok());
}
