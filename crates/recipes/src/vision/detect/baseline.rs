//! HOG baseline of object detection: sliding windows with logistic regression.
//!
//! Reference: Dalal and Triggs, *Histograms of oriented gradients for human detection*, 2005,
//! <https://doi.org/10.1109/CVPR.2005.177>.
//! Differs from it: a window for each class, as high and wide as half of its objects are, logistic regression instead
//! of a support vector machine, and only the levels of the image pyramid on which the training objects are.

mod error;
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

use self::error::HogError;
use self::fit::{MAX_BACKGROUNDS, PENALTIES, WindowFitter};
use self::search::{reduced, search};
use self::template::WindowModel;
use super::ObjectDetection;
use super::evaluate::{Evaluated, LEAST_SCORE};

/// Most pixels of the largest level of all images that are searched, for each class: 500 images of 832 pixels and
/// three classes. Of more, the largest level is smaller.
const MAX_PIXELS: usize = 3 * 500 * 832 * 832;

/// Least side of an image at the largest level, in pixels; below, objects can hardly be told apart.
const MIN_SIDE: usize = 128;

impl ObjectDetection {
    /// Fits windows to the training split, chooses penalty and threshold on the validation split, and finds the
    /// objects of the test split.
    ///
    /// # Errors
    ///
    /// If an image cannot be loaded, there is no class to learn, or there are too many images and classes.
    pub(super) fn hog_baseline(
        &self,
        splits: &Splits,
        warnings: &mut Vec<String>,
    ) -> Result<BaselineReport, TaskError> {
        let started = Instant::now();
        let labels = &self.recipe.data.classes;
        let size = self.recipe.data.size;
        let penalties = if splits.valid.is_empty() {
            &PENALTIES[..1]
        } else {
            PENALTIES
        };
        let background = splits.train.len().min(MAX_BACKGROUNDS);
        let images = background + penalties.len() * splits.valid.len() + splits.test.len();
        let side = largest_side(size, images, labels.len()).map_err(TaskError::user)?;
        if side < 2 * size {
            warnings.push(format!(
                "the baseline searches images at {side} pixels instead of {}, to limit its time",
                2 * size
            ));
        }
        let fitter = WindowFitter {
            data: &self.data,
            train: &splits.train,
            seed: self.recipe.train.seed,
            side,
            flip: self.recipe.augment.flip > 0.0,
            penalties,
        };
        let fitted = fitter.fit(warnings)?;
        let evaluate = |rows: &[usize], models: &[WindowModel]| {
            Evaluated::new(&self.data, rows, |images| {
                Ok(parallel_map(images, |image| detect(image, models, side)))
            })
        };
        let mut best: Option<(f64, f32, &Vec<WindowModel>)> = None;
        for models in &fitted.models {
            let valid = evaluate(&splits.valid, models)?;
            let metrics = valid.scores.metrics(labels);
            // Undefined without a validation box.
            let map50 = metrics.get("map50").copied().unwrap_or(0.0);
            if best.is_none_or(|(highest, ..)| map50 > highest) {
                best = Some((map50, valid.threshold(), models));
            }
        }
        let (_, threshold, models) = best.ok_or_else(|| TaskError::internal("no penalty"))?;
        let evaluation = evaluate(&splits.test, models)?.evaluation(labels, threshold);
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
fn largest_side(size: usize, images: usize, classes: usize) -> Result<usize, HogError> {
    let searched = images.saturating_mul(classes).max(1);
    let side = (MAX_PIXELS / searched).isqrt().min(2 * size);
    if side < MIN_SIDE.min(2 * size) {
        return Err(HogError::TooMany);
    }
    Ok(side)
}

/// The objects in an image, in its pixels.
fn detect(image: &Image, models: &[WindowModel], side: usize) -> Vec<Detection> {
    let (smaller, scale) = reduced(image, side);
    let found = search(&smaller, models, side, LEAST_SCORE).into_iter();
    let found = found.map(|one| Detection {
        bounds: one
            .bounds
            .scale(scale.recip())
            .clip(image.height, image.width),
        ..one
    });
    found.filter(|one| one.bounds.area() > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{Rgb, RgbImage};

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

    /// Writes photos of this height and width with the YOLO labels `label`, and prepares to learn from them at `size`
    /// pixels.
    fn task(
        size: usize,
        [height, width]: [u32; 2],
        pixel: impl Fn(u32, u32, u32) -> Rgb<u8>,
        label: impl Fn(u32) -> Vec<(usize, [u32; 4])>,
    ) -> ObjectDetection {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("classes.txt"), "bright\ndark\n").unwrap();
        for at in 0..20 {
            let photo = RgbImage::from_fn(width, height, |x, y| pixel(at, x, y));
            photo.save(dir.path().join(format!("{at:02}.png"))).unwrap();
            let lines = label(at).into_iter().map(|(class, object)| {
                let [left, top, across, down] = object.map(f64::from);
                let [across, down] = [across / f64::from(width), down / f64::from(height)];
                let x = left / f64::from(width) + 0.5 * across;
                let y = top / f64::from(height) + 0.5 * down;
                format!("{class} {x} {y} {across} {down}\n")
            });
            let lines: String = lines.collect();
            fs::write(dir.path().join(format!("{at:02}.txt")), lines).unwrap();
        }
        let mut recipe = DetectionRecipe::builtin("detect").unwrap();
        recipe.data.path = dir.path().display().to_string();
        recipe.data.size = size;
        let task = ObjectDetection::prepare(recipe).unwrap();
        // Photos that were decoded stay in memory when their folder is removed.
        for row in task.all_rows() {
            task.data.images.full(row).unwrap();
        }
        task
    }

    fn noise(at: u32, x: u32, y: u32) -> u8 {
        ((x * 31 + y * 17 + at * 7) % 20) as u8
    }

    /// 96 x 96 photos of a bright square and a dark bar.
    fn squares_and_bars() -> ObjectDetection {
        let is_inside = |[left, top, width, height]: [u32; 4], x: u32, y: u32| {
            (left..left + width).contains(&x) && (top..top + height).contains(&y)
        };
        let pixel = |at: u32, x: u32, y: u32| {
            let [bright, dark] = objects(at);
            let noise = noise(at, x, y);
            match (is_inside(bright, x, y), is_inside(dark, x, y)) {
                (true, _) => Rgb([220 + noise, 210, 90]),
                (_, true) => Rgb([noise, 20, 60]),
                _ => Rgb([110 + noise, 128, 120]),
            }
        };
        task(96, [96, 96], pixel, |at| {
            objects(at).into_iter().enumerate().collect()
        })
    }

    /// Photos of noise, and a baseline with its warnings.
    fn with_noise(
        size: usize,
        [height, width]: [u32; 2],
        object: [u32; 4],
    ) -> (BaselineReport, Vec<String>) {
        let pixel = |at: u32, x: u32, y: u32| Rgb([100 + noise(at, x, y), 120, 90]);
        let task = task(size, [height, width], pixel, |_| vec![(0, object)]);
        let mut warnings = Vec::new();
        let report = task.hog_baseline(&task.splits.splits, &mut warnings);
        (report.unwrap(), warnings)
    }

    #[test]
    fn objects_of_two_classes_are_found_on_any_number_of_threads() {
        let task = squares_and_bars();
        let splits = &task.splits.splits;
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let mut warnings = Vec::new();
            let work = || task.hog_baseline(splits, &mut warnings);
            let report = pool.build().unwrap().install(work).unwrap();
            assert!(warnings.is_empty(), "{warnings:?}");
            report
        };
        let report = run(1);
        let test = &report.result.test;
        assert!(test["map50"] > 0.6, "{test:?}");
        for name in ["map", "ap50_bright", "ap50_dark", "recall50"] {
            assert!(test[name] > 0.0, "{name}: {test:?}");
        }
        assert_eq!(report.result.samples, splits.train.len());
        assert_eq!(run(3).result.test, *test);
    }

    #[test]
    fn without_validation_images_there_is_a_result() {
        let task = squares_and_bars();
        let splits = Splits {
            valid: Vec::new(),
            ..task.splits.splits.clone()
        };
        let report = task.hog_baseline(&splits, &mut Vec::new()).unwrap();
        assert!(report.result.test["map50"] > 0.0);
    }

    #[test]
    fn without_boxes_in_the_training_split_there_is_an_error() {
        let pixel = |at: u32, x: u32, y: u32| Rgb([100 + noise(at, x, y), 120, 90]);
        let task = task(64, [48, 64], pixel, |at| {
            let object = (0, [8, 8, 20, 16]);
            (at < 10).then_some(object).into_iter().collect()
        });
        let rows = task.all_rows().into_iter();
        let (train, test) = rows.partition(|&row| task.data.images.truth(row).is_empty());
        let splits = Splits {
            train,
            valid: Vec::new(),
            test,
        };
        let error = task.hog_baseline(&splits, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), HogError::NoClass.to_string());
    }

    #[test]
    fn parts_of_a_class_that_fills_every_photo_are_its_background() {
        let (report, warnings) = with_noise(64, [64, 64], [0, 0, 64, 64]);
        let map50 = report.result.test["map50"];
        assert!((0.0..=1.0).contains(&map50), "{map50}");
        // The other class has no objects.
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("leaves out `dark`:"), "{warnings:?}");
    }

    #[test]
    fn photos_smaller_than_the_window_give_a_result() {
        let (report, _) = with_noise(32, [10, 12], [3, 2, 6, 5]);
        let map50 = report.result.test["map50"];
        assert!((0.0..=1.0).contains(&map50), "{map50}");
    }

    #[test]
    fn more_images_and_classes_are_searched_at_a_smaller_size() {
        assert_eq!(largest_side(416, 500, 3), Ok(832));
        assert_eq!(largest_side(416, 10, 3), Ok(832));
        assert_eq!(largest_side(416, 2_000, 3), Ok(416));
        assert_eq!(largest_side(32, 100, 80), Ok(64));
        assert_eq!(largest_side(416, 5_000, 80), Err(HogError::TooMany));
        assert_eq!(largest_side(32, 5_000, 80), Err(HogError::TooMany));
    }
}
