//! Boxes around the outlines of COCO, for objects without a box.

use serde::Deserialize;
use serde_json::Value;

use crate::image::unpack_runs;

#[derive(Deserialize)]
#[serde(untagged)]
enum Outline {
    Polygons(Vec<Vec<f64>>),
    Runs { size: [u64; 2], counts: Counts },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u64>),
    Packed(String),
}

/// Left, top, right and bottom edge of nothing.
const NOTHING: [f64; 4] = [
    f64::INFINITY,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NEG_INFINITY,
];

/// The box around an outline as COCO writes boxes: corner and size. None if it is empty or cannot be read.
pub(super) fn around(outline: &Value) -> Option<[f64; 4]> {
    let edges = match Outline::deserialize(outline).ok()? {
        Outline::Polygons(polygons) => {
            let corners = polygons.iter().flat_map(|corners| corners.chunks_exact(2));
            corners.fold(NOTHING, |edges, corner| with(edges, [corner[0], corner[1]]))
        }
        Outline::Runs { size, counts } => {
            let runs = match counts {
                Counts::Plain(runs) => runs,
                Counts::Packed(text) => unpack_runs(&text).ok()?,
            };
            around_runs(size, &runs)?
        }
    };
    let [left, top, right, bottom] = edges;
    let is_box = edges.iter().all(|edge| edge.is_finite());
    is_box.then_some([left, top, right - left, bottom - top])
}

/// The edges moved so that a point is inside.
fn with([left, top, right, bottom]: [f64; 4], [x, y]: [f64; 2]) -> [f64; 4] {
    [left.min(x), top.min(y), right.max(x), bottom.max(y)]
}

/// The edges of runs down the columns: the first is outside, the second inside, and so on.
fn around_runs([height, width]: [u64; 2], runs: &[u64]) -> Option<[f64; 4]> {
    let pixels = height.checked_mul(width).filter(|pixels| *pixels > 0)?;
    let mut edges = NOTHING;
    let mut start = 0;
    for (at, run) in runs.iter().enumerate() {
        let end = pixels.min(run.saturating_add(start));
        if at % 2 == 1 && start < end {
            let last = end - 1;
            let [left, right] = [start / height, last / height];
            let [top, bottom] = if left == right {
                [start % height, last % height]
            } else {
                [0, height - 1]
            };
            edges = with(edges, [left as f64, top as f64]);
            edges = with(edges, [(right + 1) as f64, (bottom + 1) as f64]);
        }
        start = end;
    }
    Some(edges)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_box_is_drawn_around_polygons_and_runs() {
        let polygons = json!([[1, 2, 5.5, 2, 5, 9], [3, 1, 4, 1, 4, 3]]);
        assert_eq!(around(&polygons), Some([1.0, 1.0, 4.5, 8.0]));
        // Columns of 4 pixels: rows 1 and 2 of the second column.
        let runs = json!({"size": [4, 3], "counts": [5, 2, 5]});
        assert_eq!(around(&runs), Some([1.0, 1.0, 1.0, 2.0]));
        // From the last pixel of the first column to the second of the next.
        let runs = json!({"size": [4, 3], "counts": [3, 3, 6]});
        assert_eq!(around(&runs), Some([0.0, 0.0, 2.0, 4.0]));
        // The packed form of [5, 2, 5].
        let runs = json!({"size": [4, 3], "counts": "525"});
        assert_eq!(around(&runs), Some([1.0, 1.0, 1.0, 2.0]));
        for nothing in [
            json!([]),
            json!([[]]),
            json!("x"),
            json!({"size": [0, 3], "counts": [1, 2]}),
        ] {
            assert_eq!(around(&nothing), None, "{nothing}");
        }
    }
}
