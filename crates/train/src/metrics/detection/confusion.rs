//! Which class was taken for which.

use tinderbox_datasets::image::Detection;

use super::matching::{IOUS, overlap};
use super::{DetectionScores, ImageBoxes, TrueBox};

impl DetectionScores {
    /// How often each true class (row) was found as each class (column), with the background as the last row
    /// and column: detections of nothing, and boxes that were not found.
    ///
    /// Counted are detections of this score or more. The one with the highest score is the first to take the
    /// box of any class that it overlaps most, with an IoU of at least 0.5.
    pub fn confusion(&self, threshold: f32) -> Vec<Vec<usize>> {
        let mut counts = vec![vec![0; self.classes + 1]; self.classes + 1];
        for image in &self.images {
            let mut free: Vec<&TrueBox> = image.truth.iter().filter(|one| one.counts()).collect();
            for one in image.found.iter().filter(|one| one.score >= threshold) {
                let predicted = usize::from(one.bounds.class);
                if let Some(at) = nearest(one, &free) {
                    let truth = free.remove(at);
                    counts[usize::from(truth.bounds.class)][predicted] += 1;
                } else if !is_ignored(one, image) {
                    counts[self.classes][predicted] += 1;
                }
            }
            for missed in free {
                counts[usize::from(missed.bounds.class)][self.classes] += 1;
            }
        }
        counts
    }
}

/// The box that a detection overlaps most; the first of equals.
fn nearest(one: &Detection, free: &[&TrueBox]) -> Option<usize> {
    let overlaps = free.iter().map(|truth| overlap(&one.bounds, truth));
    let enough = overlaps.enumerate().filter(|(_, iou)| *iou >= IOUS[0]);
    let best = enough.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(at, _)| at)
}

/// Whether it lies on a crowd or on a difficult box.
fn is_ignored(one: &Detection, image: &ImageBoxes) -> bool {
    let mut ignored = image.truth.iter().filter(|truth| !truth.counts());
    ignored.any(|truth| overlap(&one.bounds, truth) >= IOUS[0])
}
