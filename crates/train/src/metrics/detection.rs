//! Boxes around objects.
//!
//! Precision, recall and their averages are those of pycocotools (Lin et al., *Microsoft COCO: Common Objects in
//! Context*, 2014, <https://arxiv.org/abs/1405.0312>): of each image and class the 100 detections with the highest
//! scores count, each takes the free box that it overlaps most, and precision is interpolated at 101 recalls.
//! Differs from it: boxes marked as difficult in Pascal VOC are ignored, as in that benchmark.

mod average;
mod confusion;
mod matching;
mod sections;
#[cfg(test)]
mod tests;

use tinderbox_datasets::image::{BoundingBox, Detection};

use self::average::{Ranked, best_point, point_at};
use self::matching::{AREAS, ClassImage, IOUS};
use super::{f1_of, mean};
use crate::Metrics;

/// Most detections of a class in an image that count, as in COCO.
const MAX_DETECTIONS: usize = 100;

/// Most classes whose average precision is a metric each.
const MAX_NAMED: usize = 80;

/// A labeled box of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueBox {
    /// The box, with its class.
    pub bounds: BoundingBox,
    /// A crowd that was not taken apart (COCO): detections inside of it are neither right nor wrong.
    pub crowd: bool,
    /// Hard to recognize (Pascal VOC): need not be found, and is not wrong where it is.
    pub difficult: bool,
}

impl TrueBox {
    /// Whether it is to be found.
    fn counts(&self) -> bool {
        !self.crowd && !self.difficult
    }
}

/// The detections and the labeled boxes of an image.
#[derive(Clone, Debug)]
struct ImageBoxes {
    /// The highest score first.
    found: Vec<Detection>,
    truth: Vec<TrueBox>,
}

/// Precision against recall of a class at IoU 0.5: one point for each detection that is right or wrong, the
/// highest score first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrecisionRecall {
    /// Share of the boxes that are found at this score.
    pub recall: Vec<f64>,
    /// Share of the detections down to this score that are right.
    pub precision: Vec<f64>,
    /// The score.
    pub score: Vec<f32>,
    /// Average precision, interpolated at 101 recalls; none without a box of the class.
    pub average_precision: Option<f64>,
}

/// A threshold of the score, and what it leads to at IoU 0.5 over the detections of all classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Detections with this score or more are kept.
    pub threshold: f32,
    /// Share of them that are right.
    pub precision: f64,
    /// Share of the boxes that are found.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// Collects images with what was found on them.
///
/// ```
/// use tinderbox_datasets::image::{BoundingBox, Detection};
/// use tinderbox_train::metrics::{DetectionScores, TrueBox};
///
/// let bounds = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 10.0, y_max: 10.0, class: 0 };
/// let truth = [TrueBox { bounds, crowd: false, difficult: false }];
/// // 8 of 10 rows are covered: right up to an IoU of 0.8, at 7 of 10 thresholds.
/// let found = [Detection { bounds: BoundingBox { y_max: 8.0, ..bounds }, score: 0.9 }];
/// let mut scores = DetectionScores::new(1);
/// scores.add(&found, &truth);
/// let metrics = scores.metrics(&["cell".to_owned()]);
/// assert!((metrics["map50"] - 1.0).abs() < 1e-6 && (metrics["map"] - 0.7).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct DetectionScores {
    classes: usize,
    images: Vec<ImageBoxes>,
}

impl DetectionScores {
    /// No images yet.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            images: Vec::new(),
        }
    }

    /// Adds an image. Of equal scores the detection that comes first counts as the better one.
    ///
    /// # Panics
    ///
    /// If a box has a class that does not exist.
    pub fn add(&mut self, found: &[Detection], truth: &[TrueBox]) {
        let mut classes = found.iter().map(|one| one.bounds.class);
        let mut labels = truth.iter().map(|one| one.bounds.class);
        let exists = |class: u16| usize::from(class) < self.classes;
        assert!(
            classes.all(exists) && labels.all(exists),
            "an unknown class"
        );
        let mut found = found.to_vec();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut counts = vec![0; self.classes];
        found.retain(|one| {
            let count = &mut counts[usize::from(one.bounds.class)];
            *count += 1;
            *count <= MAX_DETECTIONS
        });
        self.images.push(ImageBoxes {
            found,
            truth: truth.to_vec(),
        });
    }

    /// The metrics by their names.
    ///
    /// | name | what |
    /// |---|---|
    /// | `map50`, `map` | mean over the classes of the average precision, at IoU 0.5 and over 0.5, 0.55 to 0.95 |
    /// | `map_small`, `map_medium`, `map_large` | `map` of boxes up to 32² pixels, up to 96², and above |
    /// | `recall` | mean recall over classes and these IoU, at up to 100 detections per image and class |
    /// | `ap50_LABEL` | average precision of a class at IoU 0.5, of 2 to 80 classes |
    /// | `f1_micro`, `precision`, `recall50`, `threshold` | at the [best threshold](Self::best_threshold) |
    ///
    /// A class without a box is in no mean. What is undefined is left out.
    pub fn metrics(&self, labels: &[String]) -> Metrics {
        let mut means = Means::default();
        for class in 0..self.classes {
            means.add(&self.class_images(class));
        }
        let mut metrics = means.metrics();
        if self.classes > 1 && self.classes <= MAX_NAMED {
            let named = labels.iter().zip(&means.ap50);
            let named = named.filter_map(|(label, ap)| Some((format!("ap50_{label}"), (*ap)?)));
            metrics.extend(named);
        }
        let ranked = self.all_classes();
        let best = best_point(&ranked);
        // Nothing is found of something: no threshold, but no success either.
        let none = (ranked.positives > 0).then_some(0.0);
        metrics.extend(super::named([
            ("f1_micro", best.map(|best| best.f1).or(none)),
            ("recall50", best.map(|best| best.recall).or(none)),
            ("precision", best.map(|best| best.precision)),
            ("threshold", best.map(|best| f64::from(best.threshold))),
        ]));
        metrics
    }

    /// Precision against recall of a class at IoU 0.5.
    ///
    /// # Panics
    ///
    /// If there is no such class.
    pub fn curve(&self, class: usize) -> PrecisionRecall {
        assert!(class < self.classes, "an unknown class");
        Ranked::of(&self.class_images(class), AREAS[0], IOUS[0]).curve()
    }

    /// The threshold of all classes with the best F1 at IoU 0.5, where the detections of all classes count
    /// alike; the highest of several. It lies in the middle between two scores. None without a detection or
    /// without a box to be found.
    ///
    /// Choose it on validation images, and use it for others.
    pub fn best_threshold(&self) -> Option<OperatingPoint> {
        best_point(&self.all_classes())
    }

    /// What a threshold leads to, as [`best_threshold`](Self::best_threshold); none without a box to be found.
    pub fn at_threshold(&self, threshold: f32) -> Option<OperatingPoint> {
        point_at(&self.all_classes(), threshold)
    }

    /// The detections of all classes at IoU 0.5, the highest score first.
    fn all_classes(&self) -> Ranked {
        let mut all = Ranked::default();
        for class in 0..self.classes {
            let ranked = Ranked::of(&self.class_images(class), AREAS[0], IOUS[0]);
            all.positives += ranked.positives;
            all.detections.extend(ranked.detections);
        }
        all.sort();
        all
    }

    /// The images with a detection or a box of a class.
    fn class_images(&self, class: usize) -> Vec<ClassImage<'_>> {
        let images = self.images.iter();
        let images = images.map(|image| ClassImage::new(image, class));
        images.filter(|image| !image.is_empty()).collect()
    }
}

/// Average precision and recall of the classes.
#[derive(Default)]
struct Means {
    /// By class, at IoU 0.5.
    ap50: Vec<Option<f64>>,
    /// By area, of all classes and IoU.
    precision: [Vec<f64>; AREAS.len()],
    recall: Vec<f64>,
}

impl Means {
    fn add(&mut self, images: &[ClassImage]) {
        for (at, area) in AREAS.into_iter().enumerate() {
            let ranked = IOUS.map(|iou| Ranked::of(images, area, iou));
            let averages = ranked.iter().map(Ranked::average_precision);
            if at == 0 {
                self.ap50.push(ranked[0].average_precision());
                self.recall.extend(ranked.iter().filter_map(Ranked::recall));
            }
            self.precision[at].extend(averages.flatten());
        }
    }

    fn metrics(&self) -> Metrics {
        let mean = |values: &Vec<f64>| mean(values.iter().copied());
        let defined: Vec<f64> = self.ap50.iter().copied().flatten().collect();
        super::named([
            ("map50", mean(&defined)),
            ("map", mean(&self.precision[0])),
            ("map_small", mean(&self.precision[1])),
            ("map_medium", mean(&self.precision[2])),
            ("map_large", mean(&self.precision[3])),
            ("recall", mean(&self.recall)),
        ])
    }
}

/// F1 of an image at IoU 0.5 over the detections of this score or more, to rank images; 1 where nothing is to
/// be found and nothing is.
pub fn image_f1(found: &[Detection], truth: &[TrueBox], threshold: f32) -> f64 {
    let found: Vec<Detection> = found
        .iter()
        .copied()
        .filter(|one| one.score >= threshold)
        .collect();
    let classes = found.iter().map(|one| one.bounds.class);
    let classes = classes.chain(truth.iter().map(|one| one.bounds.class));
    let mut scores = DetectionScores::new(classes.max().map_or(0, |class| usize::from(class) + 1));
    scores.add(&found, truth);
    let ranked = scores.all_classes();
    let hits = ranked.detections.iter().filter(|one| one.1).count();
    let [hits, found] = [hits, ranked.detections.len()].map(|count| count as f64);
    f1_of(hits, ranked.positives as f64, found).unwrap_or(1.0)
}
