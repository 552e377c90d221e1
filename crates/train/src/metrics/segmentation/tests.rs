//! Expected: `references.py`, with scikit-learn, `SciPy` and `NumPy`.

use serde_json::Value;

use super::*;

fn references() -> Value {
    serde_json::from_str(include_str!("references.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|number| number.as_f64().unwrap()).collect()
}

fn mask(item: &Value, key: &str) -> Mask {
    let [height, width] = [0, 1].map(|axis| item["size"][axis].as_u64().unwrap() as usize);
    let classes = floats(&item[key]).into_iter().map(|class| class as u16);
    Mask::new(height, width, classes.collect()).unwrap()
}

fn singles(value: &Value) -> Vec<f32> {
    floats(value)
        .into_iter()
        .map(|number| number as f32)
        .collect()
}

fn check(found: f64, expected: f64, name: &str) {
    assert!(
        (found - expected).abs() < 1e-6,
        "{name}: {found} {expected}"
    );
}

#[test]
fn scores_of_pixels_agree_with_scikit_learn_and_scipy() {
    let references = references();
    let mut scores = SegmentationScores::new(3, 0.05);
    for item in references["images"].as_array().unwrap() {
        let actual = mask(item, "actual");
        scores.add(&mask(item, "predicted"), &actual);
        scores.add_matte(&singles(&item["matte"]), &actual);
    }
    for (name, found) in [
        ("iou", scores.iou()),
        ("dice", scores.dice()),
        ("boundary_f", scores.boundary_f()),
    ] {
        for (found, expected) in found.into_iter().zip(floats(&references[name])) {
            check(found.unwrap(), expected, name);
        }
    }
    let metrics = scores.metrics();
    for name in ["pixel_accuracy", "matte_mae"] {
        check(metrics[name], references[name].as_f64().unwrap(), name);
    }
    assert!(
        !metrics.contains_key("iou"),
        "the foreground is of two classes"
    );
}

#[test]
fn membranes_agree_with_scipy() {
    let references = references();
    let mut scores = MembraneScores::new(singles(&references["thresholds"]));
    for item in references["slices"].as_array().unwrap() {
        scores.add(&singles(&item["membrane"]), &mask(item, "actual"), 0);
    }
    let found = [scores.v_rand().unwrap(), scores.v_info().unwrap()];
    for (at, name) in ["v_rand", "v_info"].into_iter().enumerate() {
        check(found[at].score, references[name].as_f64().unwrap(), name);
        check(
            f64::from(found[at].threshold),
            floats(&references["best"])[at],
            name,
        );
        let [split, merge] = [0, 1].map(|part| floats(&references["parts"][name])[part]);
        check(found[at].split, split, name);
        check(found[at].merge, merge, name);
    }
    // As `references.py` prints them.
    check(found[0].split, 0.993_648_847_9, "split of V-Rand");
    check(found[0].merge, 0.971_888_628_0, "merge of V-Rand");
    check(found[1].split, 0.986_270_350_7, "split of V-Info");
    check(found[1].merge, 0.983_605_157_8, "merge of V-Info");
}

#[test]
fn cells_that_are_divided_lower_the_split_score_and_joined_ones_the_merge_score() {
    // One true cell is found as two, and the pixels between them join the first.
    let one = Mask::new(3, 4, vec![1; 12]).unwrap();
    let mut divided = MembraneScores::new(vec![0.5]);
    divided.add(&[0.0, 0.0, 1.0, 0.0].repeat(3), &one, 0);
    let found = divided.v_rand().unwrap();
    // 9 of 12 and 3 of 12 pixels.
    check(found.split, (81.0 + 9.0) / 144.0, "split");
    check(found.merge, 1.0, "merge");
    let found = divided.v_info().unwrap();
    assert_eq!((found.split, found.merge, found.score), (0.0, 1.0, 0.0));

    let two = Mask::new(3, 5, [1, 1, 0, 1, 1].repeat(3)).unwrap();
    let mut joined = MembraneScores::new(vec![0.5]);
    joined.add(&[0.0; 15], &two, 0);
    let found = joined.v_rand().unwrap();
    check(found.split, 1.0, "split");
    check(found.merge, 0.5, "merge");
    let found = joined.v_info().unwrap();
    assert_eq!((found.split, found.merge, found.score), (1.0, 0.0, 0.0));
}

#[test]
fn a_perfect_prediction_scores_one_and_a_merged_cell_less() {
    // Two cells of 3 x 2 with a membrane between them.
    let actual = Mask::new(3, 5, [1, 1, 0, 1, 1].repeat(3)).unwrap();
    let perfect: Vec<f32> = [0.0, 0.0, 1.0, 0.0, 0.0].repeat(3);
    let mut scores = MembraneScores::default();
    scores.add(&perfect, &actual, 0);
    check(scores.v_rand().unwrap().score, 1.0, "v_rand");
    check(scores.v_info().unwrap().score, 1.0, "v_info");
    let mut merged = MembraneScores::default();
    merged.add(&[0.0; 15], &actual, 0);
    // All pairs of pixels are together, and half of them should be.
    check(merged.v_rand().unwrap().score, 2.0 * 0.5 / 1.5, "v_rand");
    check(merged.v_info().unwrap().score, 0.0, "v_info");
    assert_eq!(MembraneScores::default().v_rand(), None);
}

#[test]
fn what_does_not_occur_has_no_score() {
    let mut scores = SegmentationScores::new(2, SegmentationScores::TOLERANCE);
    assert!(scores.metrics().is_empty());
    let empty = Mask::new(2, 2, vec![0, 0, IGNORE, 0]).unwrap();
    scores.add(&Mask::new(2, 2, vec![0, 0, 1, 0]).unwrap(), &empty);
    assert_eq!(scores.iou(), [Some(1.0), None]);
    assert_eq!(scores.boundary_f(), [None, None]);
    assert_eq!(scores.intersections_and_unions(), [[3.0, 3.0], [0.0; 2]]);
}
