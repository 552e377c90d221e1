//! Fitting of the windows: objects against the background, with one round of hard negatives.

use std::collections::{BTreeMap, BTreeSet};

use tinderbox_baselines::{DenseRows, SoftmaxConfig};
use tinderbox_datasets::image::{BoundingBox, Image, ImageError, ImageSample};
use tinderbox_datasets::parallel_map;
use tinderbox_datasets::random::{Stream, permutation, stream, symmetric, uniform};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::TrueBox;

use super::search::{reduced, search};
use super::template::{LEVELS_PER_OCTAVE, Template, WindowModel};
use crate::vision::detect::data::{BoxedImage, BoxedImages, learned};

/// Most windows that a class is learned from.
const MAX_WINDOWS: usize = 4_000;

/// Most values of the windows of all classes: 128 MB.
const MAX_VALUES: usize = 32_000_000;

/// Most windows around an object: its own, and some next to it.
const MAX_VERSIONS: usize = 4;

/// Most images that windows of the background are taken from.
const MAX_BACKGROUNDS: usize = 100;

/// Intersection over union from which a window is not one of the background.
const BACKGROUND_OVERLAP: f32 = 0.3;

/// Most windows of the background of a class in an image, random ones and hard ones each.
const MAX_PER_IMAGE: usize = 20;

/// Most draws for a window of the background.
const DRAWS: usize = 20;

/// Least score of a hard negative.
const HARD_SCORE: f32 = 0.01;

/// Strength of the penalty on the squared weights: on blood cells 20 and 200 are alike, and 1 is worse.
const L2: f64 = 20.0;

/// Steps of L-BFGS.
const ITERATIONS: usize = 60;

/// The fit stops where no entry of the gradient is larger.
const TOLERANCE: f64 = 1e-4;

/// The word of the random streams.
const STREAM: u64 = 0x0068_6f67;

/// What random numbers are for.
#[derive(Clone, Copy)]
enum Purpose {
    Objects,
    Versions,
    Images,
    Background,
}

/// A window to learn from.
struct Window {
    /// Position of its template.
    template: usize,
    object: BoundingBox,
    mirrored: bool,
}

/// A window around an object of an image.
#[derive(Clone, Copy)]
struct Version {
    template: usize,
    /// Position of the object among those of the image.
    object: usize,
    /// The first is the object as it is.
    number: usize,
}

/// The windows of a class.
#[derive(Default)]
struct Examples {
    features: Vec<f32>,
    /// 1 for an object, 0 for the background.
    labels: Vec<usize>,
}

/// The fitted windows.
pub(super) struct FittedWindows {
    pub(super) models: Vec<WindowModel>,
    /// Number of images that windows were taken from.
    pub(super) images: usize,
}

/// Fits windows to training images.
pub(super) struct WindowFitter<'a> {
    pub(super) data: &'a BoxedImages,
    pub(super) train: &'a [usize],
    pub(super) seed: u64,
    /// Longer side of an image at the largest level, in pixels.
    pub(super) side: usize,
    /// Whether objects are learned as in a mirror, too.
    pub(super) flip: bool,
}

impl WindowFitter<'_> {
    /// Fits a window to each class that has objects and a background.
    pub(super) fn fit(&self) -> Result<FittedWindows, TaskError> {
        let templates = self.templates();
        let values: usize = templates.iter().map(Template::width).sum();
        let windows = MAX_WINDOWS.min(MAX_VALUES / values.max(1)).max(8);
        let mut examples: Vec<Examples> = templates.iter().map(|_| Examples::default()).collect();

        let versions = self.versions(&templates, windows / 4);
        let objects: Vec<usize> = versions.keys().copied().collect();
        let choose = |row: usize, image: &BoxedImage| {
            let objects = learned(&image.target);
            let versions = versions[&row].iter();
            let windows =
                versions.map(|version| self.around_object(row, &objects, *version, &templates));
            windows.collect::<Vec<Window>>()
        };
        self.add(&objects, &templates, 1, choose, &mut examples)?;

        let background = self.background();
        let count = (windows * 3 / 8).div_ceil(background.len().max(1));
        let count = count.min(MAX_PER_IMAGE);
        let choose = |row: usize, image: &BoxedImage| self.random(row, image, &templates, count);
        self.add(&background, &templates, 0, choose, &mut examples)?;
        let models = fit_models(&templates, &examples)?;

        let choose = |_: usize, image: &BoxedImage| self.hard(image, &models, &templates, count);
        self.add(&background, &templates, 0, choose, &mut examples)?;
        let images: BTreeSet<usize> = objects.into_iter().chain(background).collect();
        Ok(FittedWindows {
            models: fit_models(&templates, &examples)?,
            images: images.len(),
        })
    }

    fn stream(&self, purpose: Purpose, numbers: &[usize]) -> Stream {
        let numbers = numbers.iter().map(|&number| number as u64);
        let words = [STREAM, purpose as u64].into_iter().chain(numbers);
        stream(self.seed, &words.collect::<Vec<u64>>())
    }

    /// The window of each class that has an object.
    fn templates(&self) -> Vec<Template> {
        let mut objects = vec![Vec::new(); self.data.classes().len()];
        for &row in self.train {
            let [height, width] = self.data.images.size(row);
            let longer = height.max(width).max(1) as f64;
            for object in learned(&self.data.images.truth(row)) {
                let sides = [object.y_max - object.y_min, object.x_max - object.x_min];
                let sides = sides.map(|side| f64::from(side) / longer);
                objects[usize::from(object.class)].push(sides);
            }
        }
        let objects = objects.iter().enumerate();
        let templates = objects.map(|(class, sides)| Template::new(class, sides, self.side));
        templates.flatten().collect()
    }

    /// At most `most` windows around objects of each class, by image.
    fn versions(&self, templates: &[Template], most: usize) -> BTreeMap<usize, Vec<Version>> {
        let mut objects = vec![Vec::new(); templates.len()];
        for &row in self.train {
            let all = learned(&self.data.images.truth(row))
                .into_iter()
                .enumerate();
            for (object, bounds) in all {
                if let Some(template) = template_of(templates, bounds.class) {
                    objects[template].push((row, object));
                }
            }
        }
        let mut versions: BTreeMap<usize, Vec<Version>> = BTreeMap::new();
        for (template, objects) in objects.iter().enumerate() {
            let mut random = self.stream(Purpose::Objects, &[template]);
            let order = permutation(objects.len(), &mut random);
            let count = (most / objects.len().max(1)).clamp(1, MAX_VERSIONS);
            for at in order.into_iter().take(most) {
                let (row, object) = objects[at];
                let all = (0..count).map(|number| Version {
                    template,
                    object,
                    number,
                });
                versions.entry(row).or_default().extend(all);
            }
        }
        versions
    }

    /// The window of an object, or one next to it: an object is rarely at a cell and of the size of a level.
    fn around_object(
        &self,
        row: usize,
        objects: &[BoundingBox],
        version: Version,
        templates: &[Template],
    ) -> Window {
        let numbers = [row, version.object, version.number];
        let mut random = self.stream(Purpose::Versions, &numbers);
        let object = objects[version.object];
        let is_exact = version.number == 0;
        let template = version.template;
        Window {
            template,
            object: if is_exact {
                object
            } else {
                next_to(&object, &templates[template], &mut random)
            },
            mirrored: self.flip && !is_exact && uniform(&mut random) < 0.5,
        }
    }

    /// The images that windows of the background are taken from.
    fn background(&self) -> Vec<usize> {
        let order = permutation(self.train.len(), &mut self.stream(Purpose::Images, &[]));
        let rows = order.into_iter().take(MAX_BACKGROUNDS);
        rows.map(|at| self.train[at]).collect()
    }

    /// Windows of the background anywhere in an image, `count` of each class.
    fn random(
        &self,
        row: usize,
        image: &BoxedImage,
        templates: &[Template],
        count: usize,
    ) -> Vec<Window> {
        let mut random = self.stream(Purpose::Background, &[row]);
        let mut windows = Vec::new();
        for (template, shape) in templates.iter().enumerate() {
            let draws = (0..count * DRAWS).map(|_| random_object(shape, &image.image, &mut random));
            let background = draws.filter(|object| is_background(object, &image.target));
            windows.extend(background.take(count).map(|object| Window {
                template,
                object,
                mirrored: false,
            }));
        }
        windows
    }

    /// Windows of the background that look like an object, up to `count` of each class.
    fn hard(
        &self,
        image: &BoxedImage,
        models: &[WindowModel],
        templates: &[Template],
        count: usize,
    ) -> Vec<Window> {
        let found = search(&image.image, models, self.side, HARD_SCORE);
        let mut counts = vec![0; templates.len()];
        let windows = found.into_iter().filter_map(|found| {
            let template = template_of(templates, found.bounds.class)?;
            if counts[template] == count || !is_background(&found.bounds, &image.target) {
                return None;
            }
            counts[template] += 1;
            Some(Window {
                template,
                object: found.bounds,
                mirrored: false,
            })
        });
        windows.collect()
    }

    /// Adds the windows that are chosen of each image to the examples of their classes.
    fn add(
        &self,
        rows: &[usize],
        templates: &[Template],
        label: usize,
        choose: impl Fn(usize, &BoxedImage) -> Vec<Window> + Sync + Send,
        examples: &mut [Examples],
    ) -> Result<(), TaskError> {
        let found = parallel_map(rows, |&row| {
            let image = self.image(row)?;
            let windows = choose(row, &image).into_iter().map(|window| {
                let template = &templates[window.template];
                let features = template.features(&image.image, &window.object, window.mirrored);
                (window.template, features)
            });
            Ok::<_, ImageError>(windows.collect::<Vec<_>>())
        });
        for windows in found {
            for (template, features) in windows.map_err(TaskError::user)? {
                examples[template].features.extend(features);
                examples[template].labels.push(label);
            }
        }
        Ok(())
    }

    /// An image with its boxes, made smaller if it is larger than at the largest level.
    fn image(&self, row: usize) -> Result<BoxedImage, ImageError> {
        let sample = self.data.images.full(row)?;
        let (image, scale) = reduced(&sample.image, self.side);
        let target = sample.target.into_iter().map(|one| TrueBox {
            bounds: scaled(&one.bounds, scale),
            ..one
        });
        Ok(ImageSample {
            image: image.into_owned(),
            target: target.collect(),
        })
    }
}

/// The template of a class.
fn template_of(templates: &[Template], class: u16) -> Option<usize> {
    templates.iter().position(|one| one.class == class)
}

/// The box in an image of another size.
pub(super) fn scaled(bounds: &BoundingBox, scale: f32) -> BoundingBox {
    BoundingBox {
        x_min: bounds.x_min * scale,
        y_min: bounds.y_min * scale,
        x_max: bounds.x_max * scale,
        y_max: bounds.y_max * scale,
        class: bounds.class,
    }
}

/// An object shifted by up to half a cell, and up to half a level larger or smaller.
fn next_to(object: &BoundingBox, template: &Template, random: &mut Stream) -> BoundingBox {
    let factor = symmetric(random, 0.5 / LEVELS_PER_OCTAVE as f32).exp2();
    let mut moved = |from: f32, to: f32, cells: usize| {
        let shift = symmetric(random, 0.5) * (to - from) / cells as f32;
        let (center, half) = (f32::midpoint(from, to) + shift, 0.5 * factor * (to - from));
        [center - half, center + half]
    };
    let [rows, columns] = template.cells;
    let [x_min, x_max] = moved(object.x_min, object.x_max, columns);
    let [y_min, y_max] = moved(object.y_min, object.y_max, rows);
    BoundingBox {
        x_min,
        y_min,
        x_max,
        y_max,
        class: object.class,
    }
}

/// An object of a size of its class anywhere in an image.
fn random_object(template: &Template, image: &Image, random: &mut Stream) -> BoundingBox {
    let [small, large] = template.sizes.map(f64::ln);
    let size = (small + f64::from(uniform(random)) * (large - small)).exp();
    let longer = image.height.max(image.width) as f64;
    let [height, width] = template.object(size * longer).map(|side| side as f32);
    let x_min = uniform(random) * (image.width as f32 - width);
    let y_min = uniform(random) * (image.height as f32 - height);
    BoundingBox {
        x_min,
        y_min,
        x_max: x_min + width,
        y_max: y_min + height,
        class: template.class,
    }
}

/// Whether a window of a class is on none of its objects.
fn is_background(window: &BoundingBox, truth: &[TrueBox]) -> bool {
    let overlap = |one: &TrueBox| {
        if one.crowd {
            // Any part of a crowd can be an object.
            window.intersection(&one.bounds) / window.area().max(f32::MIN_POSITIVE)
        } else {
            window.iou(&one.bounds)
        }
    };
    let mut objects = truth.iter().filter(|one| one.bounds.class == window.class);
    objects.all(|one| overlap(one) < BACKGROUND_OVERLAP)
}

/// Fits the windows of each class that has both objects and a background.
fn fit_models(
    templates: &[Template],
    examples: &[Examples],
) -> Result<Vec<WindowModel>, TaskError> {
    let config = SoftmaxConfig {
        l2: L2,
        iterations: ITERATIONS,
        tolerance: TOLERANCE,
        ..SoftmaxConfig::default()
    };
    let mut models = Vec::new();
    for (template, examples) in templates.iter().zip(examples) {
        if ![0, 1].iter().all(|label| examples.labels.contains(label)) {
            continue;
        }
        let rows = DenseRows {
            features: &examples.features,
            labels: &examples.labels,
            weights: &[],
        };
        let fitted = config.fit(&rows, 2, None).map_err(TaskError::internal)?;
        let (background, object) = fitted.weights.split_at(template.width());
        let weights = object.iter().zip(background);
        models.push(WindowModel {
            template: template.clone(),
            weights: weights
                .map(|(object, other)| (object - other) as f32)
                .collect(),
            bias: (fitted.intercepts[1] - fitted.intercepts[0]) as f32,
        });
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(x_min: f32, size: f32, class: u16) -> BoundingBox {
        BoundingBox {
            x_min,
            y_min: 0.0,
            x_max: x_min + size,
            y_max: size,
            class,
        }
    }

    #[test]
    fn background_is_away_from_the_objects_of_the_class() {
        let single = |bounds| TrueBox {
            bounds,
            crowd: false,
            difficult: false,
        };
        let truth = [single(bounds(0.0, 10.0, 0)), single(bounds(20.0, 10.0, 1))];
        assert!(!is_background(&bounds(2.0, 10.0, 0), &truth));
        assert!(is_background(&bounds(9.0, 10.0, 0), &truth));
        // An object of another class is background, too.
        assert!(is_background(&bounds(20.0, 10.0, 0), &truth));
        // A small window is no background inside of a crowd.
        let mut crowd = single(bounds(0.0, 100.0, 0));
        assert!(is_background(&bounds(40.0, 10.0, 0), &[crowd]));
        crowd.crowd = true;
        assert!(!is_background(&bounds(40.0, 10.0, 0), &[crowd]));
    }

    #[test]
    fn windows_next_to_an_object_are_within_half_a_cell_and_half_a_level() {
        let template = Template::new(0, &[[0.3, 0.3]], 80).unwrap();
        let object = bounds(30.0, 24.0, 0);
        let mut random = stream(1, &[]);
        for _ in 0..100 {
            let moved = next_to(&object, &template, &mut random);
            let size = (moved.x_max - moved.x_min) / 24.0;
            assert!((0.91..1.1).contains(&size), "{size}");
            // A cell has 8 pixels.
            let shift = f32::midpoint(moved.x_min, moved.x_max) - 42.0;
            assert!(shift.abs() <= 4.0, "{shift}");
            assert!(moved.iou(&object) > 0.5);
        }
    }

    #[test]
    fn random_objects_have_the_sizes_of_the_class_and_lie_in_the_image() {
        let template = Template::new(2, &[[0.2, 0.1], [0.4, 0.2]], 640).unwrap();
        let image = Image {
            height: 60,
            width: 100,
            channels: 1,
            pixels: vec![0; 6_000],
        };
        let mut random = stream(1, &[]);
        let objects = (0..100).map(|_| random_object(&template, &image, &mut random));
        let objects: Vec<BoundingBox> = objects.collect();
        for object in &objects {
            let size = object.area().sqrt() / 100.0;
            assert!((0.141..0.284).contains(&size), "{size}");
            assert!(object.x_min >= 0.0 && object.x_max <= 100.01);
            assert!(object.y_min >= 0.0 && object.y_max <= 60.01);
            assert_eq!(object.class, 2);
        }
        assert!(objects.iter().any(|object| object.area().sqrt() < 18.0));
        assert!(objects.iter().any(|object| object.area().sqrt() > 24.0));
    }
}
