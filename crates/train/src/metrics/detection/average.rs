//! Precision, recall and their averages from ranked detections.

use super::matching::{ClassImage, Outcome};
use super::{OperatingPoint, PrecisionRecall};
use crate::metrics::f1_of;

/// Recalls at which the precision is averaged: 0, 0.01 to 1.
const RECALLS: usize = 101;

/// Detections that are right or wrong, the highest score first.
#[derive(Default)]
pub(super) struct Ranked {
    /// Boxes that are to be found.
    pub(super) positives: usize,
    /// Score, and whether it is right.
    pub(super) detections: Vec<(f32, bool)>,
}

impl Ranked {
    pub(super) fn of(images: &[ClassImage], area: [f64; 2], iou: f64) -> Self {
        let mut ranked = Self::default();
        for image in images {
            ranked.positives += image.positives(area);
            let outcomes = image.outcomes(area, iou).into_iter();
            let outcomes = image.found.iter().map(|one| one.score).zip(outcomes);
            let counted = outcomes.filter(|(_, outcome)| *outcome != Outcome::Ignored);
            let right = counted.map(|(score, outcome)| (score, outcome == Outcome::Right));
            ranked.detections.extend(right);
        }
        ranked.sort();
        ranked
    }

    /// Brings the highest score to the front; of equals the first image stays first.
    pub(super) fn sort(&mut self) {
        self.detections.sort_by(|a, b| b.0.total_cmp(&a.0));
    }

    /// Recall of all detections; none without a box to be found.
    pub(super) fn recall(&self) -> Option<f64> {
        let hits = self.detections.iter().filter(|one| one.1).count();
        (self.positives > 0).then(|| hits as f64 / self.positives as f64)
    }

    /// Mean of the interpolated precision; none without a box to be found.
    pub(super) fn average_precision(&self) -> Option<f64> {
        let (recall, precision) = self.points();
        let interpolated = || interpolated(&recall, precision);
        (self.positives > 0).then(|| interpolated().iter().sum::<f64>() / RECALLS as f64)
    }

    pub(super) fn curve(&self) -> PrecisionRecall {
        let (recall, precision) = self.points();
        PrecisionRecall {
            recall,
            precision,
            score: self.detections.iter().map(|one| one.0).collect(),
            average_precision: self.average_precision(),
        }
    }

    /// Recall and precision down to each detection.
    fn points(&self) -> (Vec<f64>, Vec<f64>) {
        let mut hits = 0.0;
        let point = |(at, &(_, right)): (usize, &(f32, bool))| {
            hits += if right { 1.0 } else { 0.0 };
            let recall = hits / (self.positives as f64).max(1.0);
            (recall, hits / (at + 1) as f64)
        };
        self.detections.iter().enumerate().map(point).unzip()
    }
}

impl PrecisionRecall {
    /// The best precision at 101 recalls, 0, 0.01 to 1, or at higher ones; 0 where a recall is not reached.
    pub fn interpolated(&self) -> Vec<f64> {
        interpolated(&self.recall, self.precision.clone())
    }
}

fn interpolated(recall: &[f64], mut precision: Vec<f64>) -> Vec<f64> {
    for at in (1..precision.len()).rev() {
        precision[at - 1] = precision[at - 1].max(precision[at]);
    }
    let at_recall = |at: usize| {
        let wanted = at as f64 * 0.01;
        let first = recall.partition_point(|&recall| recall < wanted);
        precision.get(first).copied().unwrap_or(0.0)
    };
    (0..RECALLS).map(at_recall).collect()
}

/// The threshold with the best F1; the highest of several.
pub(super) fn best_point(ranked: &Ranked) -> Option<OperatingPoint> {
    if ranked.positives == 0 {
        return None;
    }
    let (mut hits, mut best) = (0.0, None::<OperatingPoint>);
    for (at, &(score, right)) in ranked.detections.iter().enumerate() {
        hits += if right { 1.0 } else { 0.0 };
        let next = ranked.detections.get(at + 1).map(|next| next.0);
        // A threshold does not part equal scores.
        if next.is_some_and(|next| next >= score) {
            continue;
        }
        let (found, positives) = ((at + 1) as f64, ranked.positives as f64);
        let f1 = f1_of(hits, positives, found).unwrap_or(0.0);
        if best.is_none_or(|best| f1 > best.f1) {
            best = Some(OperatingPoint {
                threshold: between(score, next),
                precision: hits / found,
                recall: hits / positives,
                f1,
            });
        }
    }
    best
}

/// What a threshold leads to; none without a box to be found.
pub(super) fn point_at(ranked: &Ranked, threshold: f32) -> Option<OperatingPoint> {
    let kept = ranked.detections.iter();
    let kept = kept.take_while(|(score, _)| *score >= threshold);
    let (found, hits) = kept.fold((0.0, 0.0), |(found, hits), &(_, right)| {
        (found + 1.0, hits + if right { 1.0 } else { 0.0 })
    });
    let positives = ranked.positives as f64;
    (ranked.positives > 0).then(|| OperatingPoint {
        threshold,
        precision: if found > 0.0 { hits / found } else { 0.0 },
        recall: hits / positives,
        f1: f1_of(hits, positives, found).unwrap_or(0.0),
    })
}

/// A threshold that lets `score` pass and not `next`.
fn between(score: f32, next: Option<f32>) -> f32 {
    let Some(next) = next else { return score };
    let middle = f32::midpoint(score, next);
    if middle > next { middle } else { score }
}
