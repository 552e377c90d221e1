//! Expected: `references.py`, with pycocotools.

use serde_json::Value;

use super::*;

fn rows(value: &Value) -> Vec<[f32; 6]> {
    let row = |row: &Value| -> [f32; 6] {
        std::array::from_fn(|at| row[at].as_f64().unwrap_or_default() as f32)
    };
    value.as_array().unwrap().iter().map(row).collect()
}

fn bounds([x_min, y_min, x_max, y_max]: [f32; 4], class: u16) -> BoundingBox {
    BoundingBox {
        x_min,
        y_min,
        x_max,
        y_max,
        class,
    }
}

/// A detection of 10 rows, the first of which is `left`.
fn found(left: f32, class: u16, score: f32) -> Detection {
    Detection {
        bounds: bounds([left, 0.0, left + 10.0, 10.0], class),
        score,
    }
}

fn truth(left: f32, class: u16) -> TrueBox {
    TrueBox {
        bounds: found(left, class, 0.0).bounds,
        crowd: false,
        difficult: false,
    }
}

fn close(found: f64, expected: f64, name: &str) {
    let error = (found - expected).abs();
    assert!(error < 1e-6, "{name}: {found} is not {expected}");
}

#[test]
fn metrics_agree_with_pycocotools() {
    let references: Value = serde_json::from_str(include_str!("references.json")).unwrap();
    let mut scores = DetectionScores::new(5);
    for image in references["images"].as_array().unwrap() {
        let found = rows(&image["found"]).into_iter();
        let found = found.map(|[left, top, right, bottom, class, score]| Detection {
            bounds: bounds([left, top, right, bottom], class as u16),
            score,
        });
        let truth = rows(&image["truth"]).into_iter();
        let truth = truth.map(|[left, top, right, bottom, class, crowd]| TrueBox {
            bounds: bounds([left, top, right, bottom], class as u16),
            crowd: crowd > 0.0,
            difficult: false,
        });
        scores.add(&found.collect::<Vec<_>>(), &truth.collect::<Vec<_>>());
    }
    let labels: Vec<String> = (0..5).map(|label| label.to_string()).collect();
    let metrics = scores.metrics(&labels);
    let expected = references["metrics"].as_object().unwrap();
    assert!(metrics.keys().eq(expected.keys()), "{metrics:?}");
    for (name, value) in expected {
        close(metrics[name], value.as_f64().unwrap(), name);
    }
    let best = scores.best_threshold().unwrap();
    close(best.f1, metrics["f1_micro"], "f1_micro");
    close(f64::from(best.threshold), metrics["threshold"], "threshold");
    let curve = scores.curve(1);
    close(
        curve.average_precision.unwrap(),
        metrics["ap50_1"],
        "of the curve",
    );
    assert!(curve.recall.is_sorted() && curve.score.is_sorted_by(|a, b| a >= b));
    assert_eq!(scores.curve(3).average_precision, None);
}

#[test]
fn difficult_boxes_neither_count_nor_penalize() {
    let difficult = TrueBox {
        difficult: true,
        ..truth(50.0, 0)
    };
    let mut scores = DetectionScores::new(1);
    // Two detections of the difficult box come before the right one.
    let all = [
        found(50.0, 0, 0.9),
        found(51.0, 0, 0.8),
        found(0.0, 0, 0.7),
        found(100.0, 0, 0.6),
    ];
    scores.add(&all, &[truth(0.0, 0), difficult]);
    let curve = scores.curve(0);
    assert_eq!(
        (curve.recall, curve.precision),
        (vec![1.0, 1.0], vec![1.0, 0.5])
    );
    let confusion = scores.confusion(0.0);
    assert_eq!(confusion, [[1, 0], [1, 0]]);
    close(image_f1(&all, &[difficult], 0.65), 0.0, "a false one");
    close(image_f1(&all, &[difficult], 0.75), 1.0, "only ignored ones");
    // A difficult box is no crowd: a part of it is not it.
    let part = Detection {
        bounds: bounds([50.0, 0.0, 54.0, 10.0], 0),
        score: 0.9,
    };
    close(image_f1(&[part], &[difficult], 0.0), 0.0, "a part");
    let crowd = TrueBox {
        crowd: true,
        difficult: false,
        ..difficult
    };
    close(image_f1(&[part], &[crowd], 0.0), 1.0, "a part of a crowd");
}

#[test]
fn the_best_threshold_parts_right_from_wrong_of_all_classes() {
    let mut scores = DetectionScores::new(2);
    scores.add(
        &[
            found(0.0, 0, 0.9),
            found(50.0, 1, 0.6),
            found(90.0, 1, 0.4),
            found(90.0, 0, 0.4),
        ],
        &[truth(0.0, 0), truth(50.0, 1), truth(70.0, 1)],
    );
    let best = scores.best_threshold().unwrap();
    close(f64::from(best.threshold), 0.5, "threshold");
    close(best.precision, 1.0, "precision");
    close(best.recall, 2.0 / 3.0, "recall");
    close(best.f1, 0.8, "f1_micro");
    // Nothing is found: no success, and no threshold.
    let mut nothing = DetectionScores::new(2);
    assert!(nothing.metrics(&[]).is_empty());
    nothing.add(&[], &[truth(0.0, 0)]);
    let metrics = nothing.metrics(&["a".to_owned(), "b".to_owned()]);
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ap50_a",
            "f1_micro",
            "map",
            "map50",
            "map_small",
            "recall",
            "recall50"
        ]
    );
    assert!(metrics.values().all(|&value| value == 0.0));
}

#[test]
fn the_confusion_has_other_classes_and_the_background() {
    let mut scores = DetectionScores::new(2);
    scores.add(
        &[
            found(0.0, 1, 0.9),
            // The box is taken.
            found(0.0, 0, 0.8),
            found(50.0, 1, 0.7),
            found(90.0, 1, 0.1),
        ],
        &[truth(0.0, 0), truth(50.0, 1), truth(90.0, 1)],
    );
    assert_eq!(scores.confusion(0.5), [[0, 1, 0], [0, 1, 1], [1, 0, 0]]);
    assert_eq!(scores.confusion(0.05), [[0, 1, 0], [0, 2, 0], [1, 0, 0]]);
}

#[test]
fn the_f1_of_an_image_counts_missed_and_wrong_boxes() {
    let all = [found(0.0, 0, 0.9), found(50.0, 0, 0.5)];
    close(image_f1(&all, &[truth(0.0, 0)], 0.6), 1.0, "above");
    close(
        image_f1(&all, &[truth(0.0, 0)], 0.4),
        2.0 / 3.0,
        "one wrong",
    );
    close(image_f1(&all, &[truth(0.0, 3)], 0.6), 0.0, "another class");
    close(image_f1(&[], &[], 0.5), 1.0, "nothing");
    close(image_f1(&[], &[truth(0.0, 0)], 0.5), 0.0, "missed");
}
