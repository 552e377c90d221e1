//! Progress of a building site from dated photos.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::common::{Place, Ran};
use crate::{detect, masks};

/// A photo of 300 by 200 pixels: sky over a textured ground, a building from row `top` on, and a camera that
/// stands `shift` pixels further right and down.
fn site(top: i64, shift: [i64; 2], light: f32) -> RgbImage {
    RgbImage::from_fn(300, 200, |x, y| {
        let (x, y) = (i64::from(x) + shift[0], i64::from(y) + shift[1]);
        let noise = |size: i64| {
            let (column, row) = (x.div_euclid(size) + 1_000, y.div_euclid(size) + 1_000);
            let cell = (column * 7_919 + row * 104_729) as u64;
            let mixed = (cell ^ (cell >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 56) as f32 / 255.0
        };
        let value = match (y >= 110, (110..190).contains(&x) && y >= top) {
            // Floors of a building are another texture than the ground.
            (_, true) => 30.0 + 120.0 * noise(7),
            (true, false) => 20.0 + 140.0 * noise(11),
            (false, false) => {
                return Rgb([200, 215, 235].map(|sky: u8| (f32::from(sky) * light) as u8));
            }
        };
        Rgb([(value * light) as u8; 3])
    })
}

const SHIFTS: [[i64; 2]; 4] = [[0, 0], [6, -3], [-4, 2], [5, 4]];

/// Four photos, ten days apart; the building grows by 10, 20 and 10 pixels.
fn series() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("photos")).unwrap();
    let days = ["2024-03-01", "2024-03-11", "2024-03-21", "2024-03-31"];
    for (at, (day, top)) in days.into_iter().zip([90, 80, 60, 50]).enumerate() {
        let light = 1.0 - 0.1 * at as f32;
        let photo = site(top, SHIFTS[at], light);
        photo
            .save(place.path(&format!("photos/{day}.png")))
            .unwrap();
    }
    place
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.ok().stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn shift_change_height_and_days_are_right_and_the_page_is_complete() {
    let place = series();
    // The building should have risen by 5% of the photo's height each ten days.
    place.write(
        "plan.csv",
        "date,item,share\n2024-03-01,height,0\n2024-04-10,height,0.2\n",
    );
    let args = [
        "progress", "--plan", "plan.csv", "photos", "--out", "p.html",
    ];
    let found = json(&place.run(&[&args[..], &["--json"]].concat()));
    let photos = found["photos"].as_array().unwrap();
    for (photo, shift) in photos.iter().zip(SHIFTS) {
        for (axis, pixels) in shift.into_iter().enumerate() {
            let error = number(&photo["shift_px"][axis]) - pixels as f64;
            assert!(error.abs() < 1.0, "{photo}");
        }
        assert_eq!(photo["aligned"], true);
    }
    assert!(photos[0]["changed_share"].is_null());
    for photo in &photos[1..] {
        let share = number(&photo["changed_share"]);
        assert!(share > 0.01 && share < 0.25, "{photo}");
    }
    let rows = found["deviations"].as_array().unwrap();
    let wanted = [(0.0, 0.0), (0.05, 0.0), (0.15, 10.0), (0.2, 10.0)];
    for (row, (actual, days)) in rows.iter().zip(wanted) {
        assert!((number(&row["actual"]) - actual).abs() < 0.01, "{row}");
        assert!((number(&row["days"]) - days).abs() < 2.0, "{row}");
    }
    let page = fs::read_to_string(place.path("p.html")).unwrap();
    assert_eq!(
        page.matches("<img src=\"data:image/jpeg;base64,").count(),
        4
    );
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme:dark"));
    for elsewhere in ["http:", "https:", "<script", "<link"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    // The same numbers for people, and the same page again.
    let text = place.run(&args).ok().stdout.clone();
    assert!(
        text.contains("10 ahead") && text.contains("on plan"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert_eq!(fs::read_to_string(place.path("p.html")).unwrap(), page);
}

#[test]
fn a_named_part_is_measured_and_another_view_is_left_out() {
    let place = series();
    let other = RgbImage::from_fn(300, 200, |x, y| {
        Rgb([(x * y % 251) as u8, 90, (x % 7 * 30) as u8])
    });
    other.save(place.path("photos/2024-03-25.png")).unwrap();
    let found = json(&place.run(&["progress", "photos", "--columns", "0.45-0.55", "--json"]));
    let photos = found["photos"].as_array().unwrap();
    assert_eq!(
        (&photos[3]["aligned"], &photos[3]["shift_px"]),
        (&false.into(), &Value::Null)
    );
    let heights = found["items"][0]["values"].as_array().unwrap();
    assert!(heights[3]["value"].is_null(), "{found}");
    assert!((number(&heights[4]["value"]) - 0.2).abs() < 0.01, "{found}");
    let text = place.run(&["progress", "photos"]).ok().stdout.clone();
    assert!(
        text.contains("1 of 5 photos could not be aligned"),
        "{text}"
    );
}

#[test]
fn objects_are_counted_by_date_and_compared_with_the_plan() {
    let place = detect::photos(12);
    place
        .run(
            &[
                &detect::TRAIN[..23],
                &["--epochs", "2", "--no-baseline", "--out", "run"],
            ]
            .concat(),
        )
        .ok();
    fs::create_dir_all(place.path("site")).unwrap();
    for (at, day) in ["20240301_0800", "20240301_1600", "20240302_0800"]
        .iter()
        .enumerate()
    {
        fs::copy(
            place.path(&format!("set/{at:02}.png")),
            place.path(&format!("site/{day}.png")),
        )
        .unwrap();
    }
    place.write(
        "plan.csv",
        "date;item;count\n2024-03-01;bright;0\n2024-03-11;bright;1000\n",
    );
    let predict = [
        "predict",
        "--run",
        "run",
        "--json",
        "--threshold",
        "0.05",
        "site",
    ];
    let lines = place.run(&predict).ok().stdout.clone();
    let counts = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let objects = line["objects"].as_array().unwrap();
        objects
            .iter()
            .filter(|object| object["label"] == "bright")
            .count() as f64
    });
    let counts: Vec<f64> = counts.collect();
    let args = [
        "progress",
        "--run",
        "run",
        "--threshold",
        "0.05",
        "--plan",
        "plan.csv",
        "site",
        "--json",
    ];
    for (daily, first) in [
        ("max", counts[0].max(counts[1])),
        ("sum", counts[0] + counts[1]),
    ] {
        let found = json(&place.run(&[&args[..], &["--daily", daily]].concat()));
        let values = &found["items"][0]["values"];
        assert_eq!(found["items"][0]["name"], "bright");
        assert!(
            (number(&values[0]["value"]) - first).abs() < 1e-9,
            "{found}"
        );
        assert!(
            (number(&values[1]["value"]) - counts[2]).abs() < 1e-9,
            "{found}"
        );
        let row = &found["deviations"][1];
        assert!(
            (number(&row["days"]) - (counts[2] / 100.0 - 1.0)).abs() < 1e-6,
            "{row}"
        );
    }
}

#[test]
fn a_segmentation_run_gives_shares_of_the_area() {
    let place = masks::pairs(20).unwrap();
    place.run(&masks::TRAIN).ok();
    fs::create_dir_all(place.path("site")).unwrap();
    for (at, day) in ["2024-03-01", "2024-03-02"].iter().enumerate() {
        fs::copy(
            place.path(&format!("pairs/images/{at:02}.png")),
            place.path(&format!("site/{day}.png")),
        )
        .unwrap();
    }
    let found = json(&place.run(&["progress", "--run", "run", "site", "--json"]));
    let item = &found["items"][0];
    assert_eq!(
        (&item["name"], &item["unit"]),
        (&"foreground".into(), &"share".into())
    );
    assert!(
        (0.0..=1.0).contains(&number(&item["values"][0]["value"])),
        "{found}"
    );
    place.write("plan.csv", "date,item,count\n2024-03-01,foreground,3\n");
    let ran = place.run(&["progress", "--run", "run", "--plan", "plan.csv", "site"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("line 2: the plan has a count of `foreground`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_cannot_be_compared_is_refused_and_nothing_is_written() {
    let place = series();
    fs::create_dir_all(place.path("undated")).unwrap();
    for name in ["left", "right"] {
        fs::copy(
            place.path("photos/2024-03-01.png"),
            place.path(&format!("undated/{name}.png")),
        )
        .unwrap();
    }
    fs::create_dir_all(place.path("folder.html")).unwrap();
    place.write(
        "dates.csv",
        "date,item,share\n2024-03-01,height,0\n3/11/2024,height,0.2\n",
    );
    place.write("item.csv", "date,item,count\n2024-03-01,crane,1\n");
    place.write("part.csv", "date,item,share\n2024-03-01,height 7,0.1\n");
    place.write("plan.txt", "nothing\n");
    let refused: [(&[&str], &str); 11] = [
        (
            &["photos", "--plan=dates.csv"],
            "`dates.csv` line 3: `3/11/2024` is not a date",
        ),
        (
            &["photos", "--plan=item.csv"],
            "`item.csv` line 2: `crane` cannot be measured",
        ),
        (
            &["photos", "--plan=part.csv"],
            "`height 7` cannot be measured; the heights that were found",
        ),
        (&["photos", "--plan=plan.txt"], "a plan has the columns"),
        (&["photos", "--plan=none.csv"], "cannot read the plan"),
        (&["undated"], "2 of 2 photos have no date"),
        (&["photos/2024-03-01.png"], "at least two (got 1)"),
        (&["photos", "--columns=0.4-0.1"], "two shares of the width"),
        (&["photos", "--out=folder.html"], "is a folder"),
        (&["photos", "--out=none/p.html"], "does not exist"),
        (&["photos", "--out=p.txt"], "`.html`"),
    ];
    for (flags, words) in refused {
        let mut args = vec!["progress"];
        args.extend(flags);
        if !flags.iter().any(|flag| flag.starts_with("--out")) {
            args.push("--out=new.html");
        }
        let ran = place.run(&args);
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{flags:?}: {}", ran.stderr);
        assert!(!place.path("new.html").exists(), "{flags:?}");
    }
}
