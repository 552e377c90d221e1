//! Of boxes around the same object, the best.

use tinderbox_datasets::image::Detection;

/// Non-maximum suppression: drops each box that overlaps a better one of its class by more than `max_overlap`
/// (intersection over union), and returns the others, the best first.
///
/// Of boxes with the same score, the first is the better one.
///
/// ```
/// use tinderbox_datasets::image::{BoundingBox, Detection};
/// use tinderbox_predict::vision::non_maximum_suppression;
///
/// let found = |x_min: f32, score| Detection {
///     bounds: BoundingBox { x_min, y_min: 0.0, x_max: x_min + 10.0, y_max: 10.0, class: 0 },
///     score,
/// };
/// let kept = non_maximum_suppression(vec![found(1.0, 0.8), found(0.0, 0.9), found(20.0, 0.3)], 0.5);
/// assert_eq!(kept, [found(0.0, 0.9), found(20.0, 0.3)]);
/// ```
pub fn non_maximum_suppression(mut found: Vec<Detection>, max_overlap: f32) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in found {
        let hides = |better: &Detection| {
            better.bounds.class == candidate.bounds.class
                && better.bounds.iou(&candidate.bounds) > max_overlap
        };
        if !kept.iter().any(hides) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::image::BoundingBox;

    use super::*;

    fn found(x_min: f32, class: u16, score: f32) -> Detection {
        let bounds = BoundingBox {
            x_min,
            y_min: 0.0,
            x_max: x_min + 10.0,
            y_max: 10.0,
            class,
        };
        Detection { bounds, score }
    }

    #[test]
    fn boxes_of_other_classes_are_kept() {
        let all = vec![found(0.0, 0, 0.9), found(0.0, 1, 0.8), found(1.0, 0, 0.7)];
        let kept = non_maximum_suppression(all, 0.5);
        assert_eq!(kept, [found(0.0, 0, 0.9), found(0.0, 1, 0.8)]);
    }

    #[test]
    fn a_dropped_box_hides_no_other() {
        // Each overlaps the one before by 0.43, and the one before that by 0.11.
        let all = vec![found(0.0, 0, 0.9), found(4.0, 0, 0.8), found(8.0, 0, 0.7)];
        let kept = non_maximum_suppression(all.clone(), 0.4);
        assert_eq!(kept, [all[0], all[2]]);
        assert_eq!(non_maximum_suppression(all.clone(), 0.5), all);
    }
}
