//! The search for objects: windows at every cell of every level of an image pyramid.

use std::borrow::Cow;

use tinderbox_datasets::image::{BoundingBox, Detection, Image};
use tinderbox_predict::vision::{non_maximum_suppression, scale_image};

use super::fit::BACKGROUND_OVERLAP;
use super::hog::{CELL, HogMap, hog};
use super::template::{LEVELS_PER_OCTAVE, MARGIN, WindowModel, crop};

/// Cells around an image, so that there are windows of objects at its border.
const BORDER: usize = 2;

/// Most windows of a class that are compared with each other, those with the highest scores.
const MAX_CANDIDATES: usize = 5_000;

/// Most objects of a class in an image, as in the evaluation of COCO.
const MAX_OBJECTS: usize = 100;

/// Intersection over union from which two windows of a class are of one object: from there on windows are not learned
/// as background, so the neighbors of the best window have high scores, too.
const MAX_OVERLAP: f32 = BACKGROUND_OVERLAP;

/// A level of an image pyramid.
struct Level {
    map: HogMap,
    /// Its pixels for one of the image.
    scale: f32,
}

impl Level {
    /// The image with a longer side of so many pixels.
    fn new(image: &Image, side: usize) -> Self {
        let (scaled, scale) = scale_image(image, side);
        let start = -((BORDER * CELL) as f32);
        let size = [scaled.height, scaled.width]
            .map(|side| side.next_multiple_of(CELL) + 2 * BORDER * CELL);
        Self {
            map: hog(&crop(&scaled, [start, start], size)),
            scale,
        }
    }

    /// The object in the window at a cell, in pixels of the image.
    fn object(&self, model: &WindowModel, [row, column]: [usize; 2]) -> BoundingBox {
        let [rows, columns] = model.template.cells;
        let edge = |cell: usize| {
            let cell = (cell + MARGIN) as f32 - BORDER as f32;
            cell * CELL as f32 / self.scale
        };
        BoundingBox {
            x_min: edge(column),
            y_min: edge(row),
            x_max: edge(column + columns),
            y_max: edge(row + rows),
            class: model.template.class,
        }
    }
}

/// The side of an image at a level, of `side` pixels at level 0.
fn side_of(level: usize, side: usize) -> usize {
    let factor = (-(level as f64) / LEVELS_PER_OCTAVE).exp2();
    (side as f64 * factor).round().max(1.0) as usize
}

/// The image, made smaller if its longer side has more than so many pixels, and its factor.
pub(super) fn reduced(image: &Image, side: usize) -> (Cow<'_, Image>, f32) {
    if image.height.max(image.width) <= side {
        return (Cow::Borrowed(image), 1.0);
    }
    let (smaller, scale) = scale_image(image, side);
    (Cow::Owned(smaller), scale)
}

/// Finds the objects with at least this score in an image whose longer side has `side` pixels at level 0; those of a
/// class after non-maximum suppression, the best first.
pub(super) fn search(
    image: &Image,
    models: &[WindowModel],
    side: usize,
    threshold: f32,
) -> Vec<Detection> {
    let mut found: Vec<Vec<Detection>> = models.iter().map(|_| Vec::new()).collect();
    let last = models.iter().map(|model| *model.template.levels.end());
    for number in 0..=last.max().unwrap_or(0) {
        let uses = |model: &WindowModel| model.template.levels.contains(&number);
        if !models.iter().any(uses) {
            continue;
        }
        let level = Level::new(image, side_of(number, side));
        for (model, found) in models.iter().zip(&mut found) {
            if uses(model) {
                add_candidates(&level, model, threshold, found);
            }
        }
    }
    let kept = found.into_iter().map(best);
    let kept = kept.flat_map(|found| {
        let kept = non_maximum_suppression(found, MAX_OVERLAP);
        kept.into_iter().take(MAX_OBJECTS)
    });
    kept.collect()
}

/// Adds the windows of a class with at least this score.
fn add_candidates(level: &Level, model: &WindowModel, threshold: f32, found: &mut Vec<Detection>) {
    let (scores, across) = model.scores(&level.map);
    for (at, logit) in scores.into_iter().enumerate() {
        let score = 1.0 / (1.0 + (-logit).exp());
        if score >= threshold {
            let bounds = level.object(model, [at / across, at % across]);
            found.push(Detection { bounds, score });
        }
    }
}

/// The candidates with the highest scores, in their order.
fn best(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(MAX_CANDIDATES);
    found
}

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    /// A dark image with a bright square.
    fn square(side: usize, [left, top]: [usize; 2], size: usize) -> Image {
        let pixel = |at: usize| {
            let (x, y) = (at % side, at / side);
            let inside = (left..left + size).contains(&x) && (top..top + size).contains(&y);
            if inside { 220 } else { 30 }
        };
        Image {
            height: side,
            width: side,
            channels: 1,
            pixels: (0..side * side).map(pixel).collect(),
        }
    }

    #[test]
    fn the_square_that_a_window_was_cut_from_is_found_at_its_place_and_size() {
        let template = Template::new(0, &[[0.3, 0.3], [0.6, 0.6]], 80).unwrap();
        let bounds = |left: f32, top: f32, size: f32| BoundingBox {
            x_min: left,
            y_min: top,
            x_max: left + size,
            y_max: top + size,
            class: 0,
        };
        let truth = bounds(24.0, 32.0, 24.0);
        let features = template.features(&square(80, [24, 32], 24), &truth, false);
        let norm: f32 = features.iter().map(|value| value * value).sum();
        let models = [WindowModel {
            weights: features.iter().map(|value| value * 20.0 / norm).collect(),
            bias: -15.0,
            template,
        }];
        for (image, truth) in [
            (square(80, [40, 24], 24), bounds(40.0, 24.0, 24.0)),
            // Twice as large.
            (square(80, [16, 16], 48), bounds(16.0, 16.0, 48.0)),
        ] {
            let found = search(&image, &models, 80, 0.001);
            assert!(found[0].bounds.iou(&truth) > 0.75, "{found:?}");
            assert!(
                found
                    .iter()
                    .skip(1)
                    .all(|other| other.score < found[0].score)
            );
        }
        // At twice the size: the box is in the pixels of the image.
        let found = search(&square(40, [20, 12], 12), &models, 80, 0.001);
        assert!(
            found[0].bounds.iou(&bounds(20.0, 12.0, 12.0)) > 0.75,
            "{found:?}"
        );
    }

    /// A window that has the same score everywhere.
    fn indifferent() -> WindowModel {
        let template = Template::new(0, &[[0.1, 0.1], [0.8, 0.8]], 320).unwrap();
        WindowModel {
            weights: vec![0.0; template.width()],
            bias: 0.0,
            template,
        }
    }

    #[test]
    fn objects_of_a_class_are_bounded_and_apart() {
        let found = search(&square(320, [40, 40], 80), &[indifferent()], 320, 0.1);
        assert_eq!(found.len(), MAX_OBJECTS);
        for (at, one) in found.iter().enumerate() {
            let mut others = found[at + 1..].iter();
            assert!(others.all(|other| one.bounds.iou(&other.bounds) <= MAX_OVERLAP));
        }
    }

    #[test]
    fn images_that_are_smaller_than_the_window_are_searched() {
        for [height, width] in [[1, 1], [1, 200], [200, 1], [3, 5]] {
            let image = Image {
                height,
                width,
                channels: 1,
                pixels: vec![90; height * width],
            };
            let found = search(&image, &[indifferent()], 16, 0.1);
            assert!(found.len() <= MAX_OBJECTS, "{height}x{width}");
        }
    }

    #[test]
    fn without_a_model_nothing_is_found() {
        assert!(search(&square(40, [4, 4], 8), &[], 80, 0.0).is_empty());
    }
}
