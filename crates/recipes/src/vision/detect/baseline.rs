//! What the network is compared with: windows of HOG features with a linear classifier.
//!
//! Reference: Dalal and Triggs, *Histograms of oriented gradients for human detection*, 2005,
//! <https://doi.org/10.1109/CVPR.2005.177>.
//! Differs from it: a window for each class, as high and wide as half of its objects are, logistic regression instead
//! of a support vector machine, and only the levels of the image pyramid on which the training objects are.

mod fit;
mod hog;
mod search;
mod template;

use std::time::Instant;

use tinderbox_datasets::image::{Detection, Image};
use tinderbox_datasets::parallel_map;
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Splits, TaskError};

use self::fit::{WindowFitter, scaled};
use self::search::{reduced, search};
use self::template::WindowModel;
use super::ObjectDetection;
use super::evaluate::{Evaluated, LEAST_SCORE};

/// Pixels of the largest level of all images that are searched, for each class: 300 images of 832 pixels and three
/// classes. Of more, the largest level is smaller.
const MAX_PIXELS: usize = 3 * 300 * 832 * 832;

/// Least side of an image at the largest level, in pixels.
const MIN_SIDE: usize = 128;

impl ObjectDetection {
    /// Fits windows to the training split and finds the objects of the test split.
    ///
    /// # Errors
    ///
    /// If an image cannot be loaded.
    pub(super) fn hog_baseline(&self, splits: &Splits) -> Result<BaselineReport, TaskError> {
        let started = Instant::now();
        let labels = &self.recipe.data.classes;
        let images = splits.valid.len() + splits.test.len();
        let side = largest_side(self.recipe.data.size, images, labels.len());
        let fitter = WindowFitter {
            data: &self.data,
            train: &splits.train,
            seed: self.recipe.train.seed,
            side,
            flip: self.recipe.augment.flip > 0.0,
        };
        let fitted = fitter.fit()?;
        let evaluate = |rows: &[usize]| {
            Evaluated::new(&self.data, rows, |images| {
                Ok(parallel_map(images, |image| {
                    detect(image, &fitted.models, side)
                }))
            })
        };
        let threshold = evaluate(&splits.valid)?.threshold();
        let evaluation = evaluate(&splits.test)?.evaluation(labels, threshold);
        Ok(BaselineReport {
            result: Baseline {
                method: "HOG with logistic regression".to_owned(),
                samples: fitted.images,
                wall_s: started.elapsed().as_secs_f64(),
                threshold: None,
                test: evaluation.metrics(),
            },
            evaluation,
        })
    }
}

/// The longer side of an image at the largest level: twice that of the network, if the images and classes are few.
fn largest_side(size: usize, images: usize, classes: usize) -> usize {
    let searched = images.saturating_mul(classes).max(1);
    let side = (MAX_PIXELS / searched).isqrt();
    side.max(MIN_SIDE).min(2 * size)
}

/// The objects in an image, in its pixels.
fn detect(image: &Image, models: &[WindowModel], side: usize) -> Vec<Detection> {
    let (smaller, scale) = reduced(image, side);
    let found = search(&smaller, models, side, LEAST_SCORE).into_iter();
    let found = found.map(|one| Detection {
        bounds: scaled(&one.bounds, scale.recip()).clip(image.height, image.width),
        ..one
    });
    found.filter(|one| one.bounds.area() > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use image::{Rgb, RgbImage};
    use tinderbox_train::Task;

    use super::*;
    use crate::vision::DetectionRecipe;

    /// Corner and size of the bright square in photo `at`, and of the wide dark bar.
    fn objects(at: u32) -> [[u32; 4]; 2] {
        let [step, size] = [at % 5, 20 + 4 * (at % 3)];
        [
            [4 + 9 * step, 6, size, size],
            [8 + 7 * (step % 4), 66, 40, 16],
        ]
    }

    /// Writes 96 x 96 photos with YOLO labels.
    fn write_photos(dir: &Path, count: u32) {
        fs::write(dir.join("classes.txt"), "bright\ndark\n").unwrap();
        for at in 0..count {
            let is_inside = |[left, top, width, height]: [u32; 4], x: u32, y: u32| {
                (left..left + width).contains(&x) && (top..top + height).contains(&y)
            };
            let [bright, dark] = objects(at);
            let photo = RgbImage::from_fn(96, 96, |x, y| {
                let noise = ((x * 31 + y * 17 + at * 7) % 20) as u8;
                match (is_inside(bright, x, y), is_inside(dark, x, y)) {
                    (true, _) => Rgb([220 + noise, 210, 90]),
                    (_, true) => Rgb([noise, 20, 60]),
                    _ => Rgb([110 + noise, 128, 120]),
                }
            });
            photo.save(dir.join(format!("{at:02}.png"))).unwrap();
            let line = |class: usize, object: [u32; 4]| {
                let [left, top, width, height] = object.map(|side| f64::from(side) / 96.0);
                let (x, y) = (left + 0.5 * width, top + 0.5 * height);
                format!("{class} {x} {y} {width} {height}\n")
            };
            let lines = line(0, bright) + &line(1, dark);
            fs::write(dir.join(format!("{at:02}.txt")), lines).unwrap();
        }
    }

    #[test]
    fn objects_of_two_classes_are_found_the_same_way_each_time() {
        let dir = tempfile::tempdir().unwrap();
        write_photos(dir.path(), 20);
        let mut recipe = DetectionRecipe::builtin("detect").unwrap();
        recipe.data.path = dir.path().display().to_string();
        recipe.data.size = 96;
        let task = ObjectDetection::prepare(recipe).unwrap();
        let report = task.hog_baseline(&task.splits.splits).unwrap();
        let test = &report.result.test;
        assert!(test["map50"] > 0.6, "{test:?}");
        for name in ["map", "ap50_bright", "ap50_dark", "recall50", "threshold"] {
            assert!(test[name] > 0.0, "{name}: {test:?}");
        }
        assert_eq!(report.result.samples, task.splits.splits.train.len());
        let again = task.hog_baseline(&task.splits.splits).unwrap();
        assert_eq!(again.result.test, *test);
    }

    #[test]
    fn more_images_and_classes_are_searched_at_a_smaller_size() {
        assert_eq!(largest_side(416, 300, 3), 832);
        assert_eq!(largest_side(416, 10, 3), 832);
        assert_eq!(largest_side(416, 1_200, 3), 416);
        assert_eq!(largest_side(416, 5_000, 80), MIN_SIDE);
        assert_eq!(largest_side(32, 5_000, 80), 64);
    }
}
