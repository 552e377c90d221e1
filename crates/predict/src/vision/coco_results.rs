//! Detections in the results format of COCO, which pycocotools and other programs read.

use std::io::{self, Write};

use serde::Serialize;
use tinderbox_datasets::image::Detection;

/// A detection in the [results format](https://cocodataset.org/#format-results) of COCO, with the names of its
/// image and its class, which other programs ignore.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CocoResult {
    /// Number of the image, as in the labels.
    pub image_id: u64,
    /// File name of the image.
    pub file_name: String,
    /// Number of the class, as in the labels.
    pub category_id: u64,
    /// Name of the class.
    pub category_name: String,
    /// Left edge, top edge, width and height, in pixels.
    pub bbox: [f32; 4],
    /// Probability that it is right, in `[0, 1]`.
    pub score: f32,
}

impl CocoResult {
    /// A detection on an image. Classes without a name have an empty one; `category_id` is the number of the
    /// class in the labels, usually its place among the names, counted from 1.
    pub fn new(
        one: &Detection,
        (image_id, file_name): (u64, &str),
        names: &[String],
        category_id: u64,
    ) -> Self {
        let bounds = &one.bounds;
        let name = names.get(usize::from(bounds.class));
        Self {
            image_id,
            file_name: file_name.to_owned(),
            category_id,
            category_name: name.cloned().unwrap_or_default(),
            bbox: [
                bounds.x_min,
                bounds.y_min,
                bounds.x_max - bounds.x_min,
                bounds.y_max - bounds.y_min,
            ],
            score: one.score,
        }
    }
}

/// Writes detections as a JSON array, one a line.
///
/// ```
/// use tinderbox_datasets::image::{BoundingBox, Detection};
/// use tinderbox_predict::vision::{CocoResult, write_coco_results};
///
/// let bounds = BoundingBox { x_min: 2.0, y_min: 3.0, x_max: 6.5, y_max: 4.0, class: 0 };
/// let one = Detection { bounds, score: 0.75 };
/// let result = CocoResult::new(&one, (1, "a.jpg"), &["cell".to_owned()], 1);
/// let mut json = Vec::new();
/// write_coco_results(&mut json, [result])?;
/// assert!(String::from_utf8_lossy(&json).contains("\"bbox\":[2.0,3.0,4.5,1.0],\"score\":0.75"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If it cannot be written, or a number is not finite.
pub fn write_coco_results(
    mut out: impl Write,
    results: impl IntoIterator<Item = CocoResult>,
) -> io::Result<()> {
    let mut before = "[";
    for result in results {
        let numbers = result.bbox.iter().chain([&result.score]);
        // JSON has no NaN, and `null` would stop other programs.
        if !numbers.into_iter().all(|number| number.is_finite()) {
            let message = format!("a detection on `{}` is not finite", result.file_name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        writeln!(out, "{before}")?;
        serde_json::to_writer(&mut out, &result)?;
        before = ",";
    }
    let end = if before == "[" { "[]" } else { "\n]" };
    writeln!(out, "{end}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tinderbox_datasets::image::BoundingBox;

    use super::*;

    fn result(x_min: f32, class: u16) -> CocoResult {
        let bounds = BoundingBox {
            x_min,
            y_min: 20.0,
            x_max: 40.0,
            y_max: 60.5,
            class,
        };
        let one = Detection { bounds, score: 0.5 };
        let names = ["cat".to_owned(), "\"dog\"".to_owned()];
        CocoResult::new(&one, (7, "ä b.jpg"), &names, u64::from(class) + 1)
    }

    fn write(results: &[CocoResult]) -> Value {
        let mut out = Vec::new();
        write_coco_results(&mut out, results.to_vec()).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn results_have_the_keys_that_pycocotools_reads() {
        let json = write(&[result(10.0, 0), result(12.0, 1)]);
        let expected = serde_json::json!([
            {
                "image_id": 7, "file_name": "ä b.jpg", "category_id": 1, "category_name": "cat",
                "bbox": [10.0, 20.0, 30.0, 40.5], "score": 0.5,
            },
            {
                "image_id": 7, "file_name": "ä b.jpg", "category_id": 2, "category_name": "\"dog\"",
                "bbox": [12.0, 20.0, 28.0, 40.5], "score": 0.5,
            },
        ]);
        assert_eq!(json, expected);
        assert_eq!(write(&[]), serde_json::json!([]));
    }

    #[test]
    fn what_json_cannot_represent_is_refused() {
        let broken = [result(f32::NAN, 0)];
        let error = write_coco_results(Vec::new(), broken).unwrap_err();
        assert!(error.to_string().contains("`ä b.jpg`"), "{error}");
    }
}
