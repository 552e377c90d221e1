//! Which detection finds which box.

use tinderbox_datasets::image::{BoundingBox, Detection};

use super::{ImageBoxes, TrueBox};

/// The thresholds of the intersection over union, as `numpy.linspace(0.5, 0.95, 10)` computes them.
pub(super) const IOUS: [f64; 10] = {
    let step = (0.95 - 0.5) / 9.0;
    let mut all = [0.95; 10];
    let mut at = 0;
    while at < 9 {
        all[at] = at as f64 * step + 0.5;
        at += 1;
    }
    all
};

/// Least and largest area of a box, in square pixels: of all, small, medium and large ones.
pub(super) const AREAS: [[f64; 2]; 4] =
    [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// What a detection is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Right,
    Wrong,
    /// Neither.
    Ignored,
}

/// The detections and boxes of one class in an image.
pub(super) struct ClassImage<'a> {
    /// The highest score first.
    pub(super) found: Vec<&'a Detection>,
    truth: Vec<&'a TrueBox>,
    /// `[found, truth]`.
    overlaps: Vec<f64>,
}

impl<'a> ClassImage<'a> {
    pub(super) fn new(image: &'a ImageBoxes, class: usize) -> Self {
        let is_class = |bounds: &BoundingBox| usize::from(bounds.class) == class;
        let found = image.found.iter().filter(|one| is_class(&one.bounds));
        let found: Vec<&Detection> = found.collect();
        let truth = image.truth.iter().filter(|one| is_class(&one.bounds));
        let truth: Vec<&TrueBox> = truth.collect();
        let of_truth = |one: &'a Detection| truth.iter().map(|truth| overlap(&one.bounds, truth));
        let overlaps = found.iter().copied().flat_map(of_truth).collect();
        Self {
            found,
            truth,
            overlaps,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.truth.is_empty()
    }

    /// The number of boxes that are to be found.
    pub(super) fn positives(&self, area: [f64; 2]) -> usize {
        let counted = self.truth.iter().filter(|truth| !is_ignored(truth, area));
        counted.count()
    }

    /// What each detection is worth where boxes of this area are to be found with this overlap.
    ///
    /// A detection takes the box that it overlaps most, the last of equals, of those that are to be found
    /// and not taken, then of the ignored ones.
    pub(super) fn outcomes(&self, area: [f64; 2], iou: f64) -> Vec<Outcome> {
        let is_ignored = |truth: &&TrueBox| is_ignored(truth, area);
        let ignored: Vec<bool> = self.truth.iter().map(is_ignored).collect();
        let mut order: Vec<usize> = (0..self.truth.len()).collect();
        order.sort_by_key(|&at| ignored[at]);
        let mut taken = vec![false; self.truth.len()];
        let found = self.found.iter().enumerate();
        let outcome = |(row, one): (usize, &&Detection)| {
            let overlaps = &self.overlaps[row * self.truth.len()..][..self.truth.len()];
            // Any number of detections may lie on a box that does not count.
            let free = |at: &usize| !taken[*at] || !self.truth[*at].counts();
            let free = order.iter().copied().filter(free);
            if let Some(at) = most_overlapping(overlaps, free, &ignored, iou) {
                taken[at] = true;
                return if ignored[at] {
                    Outcome::Ignored
                } else {
                    Outcome::Right
                };
            }
            if is_outside(self::area(&one.bounds), area) {
                Outcome::Ignored
            } else {
                Outcome::Wrong
            }
        };
        found.map(outcome).collect()
    }
}

/// The box that a detection overlaps most, of those that are free, the ignored ones last.
fn most_overlapping(
    overlaps: &[f64],
    free: impl Iterator<Item = usize>,
    ignored: &[bool],
    iou: f64,
) -> Option<usize> {
    let mut best: Option<usize> = None;
    let mut least = iou.min(1.0 - 1e-10);
    for at in free {
        if best.is_some_and(|best| !ignored[best]) && ignored[at] {
            break;
        }
        if overlaps[at] >= least {
            least = overlaps[at];
            best = Some(at);
        }
    }
    best
}

fn is_ignored(truth: &TrueBox, area: [f64; 2]) -> bool {
    !truth.counts() || is_outside(self::area(&truth.bounds), area)
}

fn is_outside(area: f64, [low, high]: [f64; 2]) -> bool {
    area < low || area > high
}

/// Width and height. In double precision, as pycocotools computes: ties at a threshold decide.
fn size(bounds: &BoundingBox) -> [f64; 2] {
    let length = |low: f32, high: f32| f64::from(high) - f64::from(low);
    [
        length(bounds.x_min, bounds.x_max),
        length(bounds.y_min, bounds.y_max),
    ]
}

fn area(bounds: &BoundingBox) -> f64 {
    let [width, height] = size(bounds);
    width * height
}

/// Intersection over union; with a crowd, over the area of the detection.
pub(super) fn overlap(found: &BoundingBox, truth: &TrueBox) -> f64 {
    let actual = &truth.bounds;
    let both = BoundingBox {
        x_min: found.x_min.max(actual.x_min),
        y_min: found.y_min.max(actual.y_min),
        x_max: found.x_max.min(actual.x_max),
        y_max: found.y_max.min(actual.y_max),
        class: 0,
    };
    let [width, height] = size(&both);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    let own = area(found);
    both / if truth.crowd {
        own
    } else {
        own + area(actual) - both
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_numpy_to_the_bit() {
        // `numpy.linspace(0.5, 0.95, 10)`
        let expected = [
            0.5,
            0.55,
            0.6,
            0.65,
            0.7,
            0.75,
            0.8,
            0.85,
            0.899_999_999_999_999_9,
            0.95,
        ];
        assert_eq!(IOUS.map(f64::to_bits), expected.map(f64::to_bits));
    }
}
