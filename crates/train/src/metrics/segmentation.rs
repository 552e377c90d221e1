//! Classes of pixels.
//!
//! | metric | reference |
//! |---|---|
//! | IoU, Dice, pixel accuracy | Everingham et al., *The Pascal visual object classes challenge*, 2010, <https://doi.org/10.1007/s11263-009-0275-4> |
//! | boundary F | Csurka et al., *What is a good evaluation measure for semantic segmentation?*, 2013, <https://doi.org/10.5244/C.27.32> |
//! | V-Rand, V-Info | Arganda-Carreras et al., 2015, <https://doi.org/10.3389/fnana.2015.00142> |

mod boundary;
mod membrane;
#[cfg(test)]
mod tests;

use tinderbox_datasets::image::{IGNORE, Mask};

use super::{mean, named};
use crate::Metrics;

pub use membrane::{MembraneScore, MembraneScores};

/// Counts the pixels of images one after the other; [`IGNORE`] in the true mask is not counted.
///
/// ```
/// use tinderbox_datasets::image::Mask;
/// use tinderbox_train::metrics::SegmentationScores;
///
/// let actual = Mask::new(1, 4, vec![0, 0, 1, 1])?;
/// let predicted = Mask::new(1, 4, vec![0, 1, 1, 1])?;
/// let mut scores = SegmentationScores::new(2, SegmentationScores::TOLERANCE);
/// scores.add(&predicted, &actual);
/// assert_eq!(scores.iou()[1], Some(2.0 / 3.0));
/// assert_eq!(scores.metrics()["pixel_accuracy"], 0.75);
/// # Ok::<(), tinderbox_datasets::image::MaskError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentationScores {
    classes: usize,
    tolerance: f64,
    /// Pixels by true and predicted class, `[classes, classes]`.
    counts: Vec<u64>,
    /// Sum of the boundary F of the images that have a class, and their number, by class.
    boundaries: Vec<(f64, u64)>,
    /// Sum of the absolute errors of mattes, and the number of their pixels.
    matte: (f64, u64),
}

impl SegmentationScores {
    /// Distance up to which a boundary is found, as a fraction of the image's diagonal, as in the paper.
    pub const TOLERANCE: f64 = 0.0075;

    /// Counts nothing yet. `tolerance` is the distance up to which a boundary is found, as a fraction of
    /// the image's diagonal.
    pub fn new(classes: usize, tolerance: f64) -> Self {
        Self {
            classes,
            tolerance,
            counts: vec![0; classes * classes],
            boundaries: vec![(0.0, 0); classes],
            matte: (0.0, 0),
        }
    }

    /// Counts an image.
    ///
    /// # Panics
    ///
    /// If the masks differ in size, or have a class that does not exist.
    pub fn add(&mut self, predicted: &Mask, actual: &Mask) {
        let size = |mask: &Mask| [mask.height, mask.width];
        assert_eq!(size(predicted), size(actual), "masks of one size");
        for (&predicted, &actual) in predicted.classes.iter().zip(&actual.classes) {
            if actual != IGNORE {
                let [row, column] = [actual, predicted].map(usize::from);
                assert!(
                    row < self.classes && column < self.classes,
                    "an unknown class"
                );
                self.counts[row * self.classes + column] += 1;
            }
        }
        for class in 0..self.classes {
            if let Some(f) = boundary::f_score(predicted, actual, class as u16, self.tolerance) {
                self.boundaries[class].0 += f;
                self.boundaries[class].1 += 1;
            }
        }
    }

    /// Counts the absolute errors of a matte, the probability of the foreground of each pixel, against a
    /// mask whose classes from 1 on are foreground.
    ///
    /// # Panics
    ///
    /// If there are not as many values as pixels.
    pub fn add_matte(&mut self, matte: &[f32], actual: &Mask) {
        assert_eq!(
            matte.len(),
            actual.classes.len(),
            "one value for each pixel"
        );
        for (&value, &class) in matte.iter().zip(&actual.classes) {
            if class != IGNORE {
                let actual = if class > 0 { 1.0 } else { 0.0 };
                self.matte.0 += (f64::from(value) - actual).abs();
                self.matte.1 += 1;
            }
        }
    }

    /// Intersection over union of each class; `None` where it neither occurs nor is predicted.
    pub fn iou(&self) -> Vec<Option<f64>> {
        self.of_classes(|hits, actual, predicted| hits / (actual + predicted - hits))
    }

    /// Pixels of the intersection and of the union of each class; the ratio of their sums over images is its
    /// [`iou`](Self::iou).
    pub fn intersections_and_unions(&self) -> Vec<[f64; 2]> {
        let parts = self.of_classes(|hits, actual, predicted| [hits, actual + predicted - hits]);
        parts.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Dice coefficient of each class, which is F1; `None` where it neither occurs nor is predicted.
    pub fn dice(&self) -> Vec<Option<f64>> {
        self.of_classes(|hits, actual, predicted| 2.0 * hits / (actual + predicted))
    }

    /// Mean boundary F of each class over the images where it occurs or is predicted.
    pub fn boundary_f(&self) -> Vec<Option<f64>> {
        let mean = |&(sum, count): &(f64, u64)| (count > 0).then(|| sum / count as f64);
        self.boundaries.iter().map(mean).collect()
    }

    /// Fraction of the pixels whose class is right.
    pub fn pixel_accuracy(&self) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        let right: u64 = (0..self.classes)
            .map(|class| self.count(class, class))
            .sum();
        (total > 0).then(|| right as f64 / total as f64)
    }

    /// Mean absolute error of the mattes.
    pub fn matte_mae(&self) -> Option<f64> {
        (self.matte.1 > 0).then(|| self.matte.0 / self.matte.1 as f64)
    }

    /// The metrics by their names: `mean_iou`, `mean_dice`, `pixel_accuracy`, `boundary_f`, `matte_mae`,
    /// and of two classes `iou` and `dice` of the second, the foreground.
    pub fn metrics(&self) -> Metrics {
        let average = |values: Vec<Option<f64>>| {
            let defined: Vec<f64> = values.into_iter().flatten().collect();
            mean(defined.into_iter())
        };
        let foreground = |values: Vec<Option<f64>>| {
            let two = self.classes == 2;
            values.last().copied().flatten().filter(|_| two)
        };
        named([
            ("iou", foreground(self.iou())),
            ("dice", foreground(self.dice())),
            ("mean_iou", average(self.iou())),
            ("mean_dice", average(self.dice())),
            ("pixel_accuracy", self.pixel_accuracy()),
            ("boundary_f", average(self.boundary_f())),
            ("matte_mae", self.matte_mae()),
        ])
    }

    fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[actual * self.classes + predicted]
    }

    fn of_classes<T>(&self, score: impl Fn(f64, f64, f64) -> T) -> Vec<Option<T>> {
        let all = || 0..self.classes;
        let of_class = |class| {
            let actual: u64 = all().map(|other| self.count(class, other)).sum();
            let predicted: u64 = all().map(|other| self.count(other, class)).sum();
            let hits = self.count(class, class) as f64;
            (actual + predicted > 0).then(|| score(hits, actual as f64, predicted as f64))
        };
        all().map(of_class).collect()
    }
}
