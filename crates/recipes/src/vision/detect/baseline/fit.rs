//! Fitting of the windows: objects against the background, with one round of hard negatives.

use std::collections::{BTreeMap, BTreeSet};

use tinderbox_baselines::{DenseRows, SoftmaxConfig};
use tinderbox_datasets::image::{BoundingBox, Image, ImageError, ImageSample};
use tinderbox_datasets::parallel_map;
use tinderbox_datasets::random::{Stream, permutation, stream, symmetric, uniform};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::TrueBox;

use super::error::HogError;
use super::search::{reduced, search};
use super::template::{LEVELS_PER_OCTAVE, Template, WindowModel};
use crate::vision::detect::data::{BoxedImage, BoxedImages, learned};

/// Most windows that a class is learned from.
const MAX_WINDOWS: usize = 4_000;

/// Fewest windows that a class is learned from, if it has them.
const MIN_WINDOWS: usize = 16;

/// Most values of the windows of all classes: 128 MB.
const MAX_VALUES: usize = 32_000_000;

/// Most windows around an object: its own, and some next to it.
const MAX_VERSIONS: usize = 4;

/// Most images that windows of the background are taken from.
pub(super) const MAX_BACKGROUNDS: usize = 100;

/// Intersection over union from which a window is not one of the background.
pub(super) const BACKGROUND_OVERLAP: f32 = 0.3;

/// Most windows of the background of a class in an image, random ones and hard ones each.
const MAX_PER_IMAGE: usize = 20;

/// Most draws for a window of the background.
const DRAWS: usize = 20;

/// Least score of a hard negative.
const HARD_SCORE: f32 = 0.01;

/// Classes that a warning names.
const MAX_NAMED: usize = 5;

/// Strengths of the penalty on the squared weights. The one with the best mAP50 on the validation images is taken;
/// without them it is the first, which is in the middle. Hard negatives are found with the first, too.
pub(super) const PENALTIES: &[f64] = &[10.0, 1.0, 100.0];

/// Steps of L-BFGS.
const ITERATIONS: usize = 60;

/// The fit stops where no entry of the gradient is larger.
const TOLERANCE: f64 = 1e-4;

/// The word of the random streams.
const STREAM: u64 = 0x0068_6f67;

/// Use of a random stream.
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
    /// Those of each penalty.
    pub(super) models: Vec<Vec<WindowModel>>,
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
    /// Strengths of the penalty: at least one.
    pub(super) penalties: &'a [f64],
}

impl WindowFitter<'_> {
    /// Fits a window to each class that has objects and a background, and warns of the others.
    ///
    /// # Errors
    ///
    /// If there is no such class, there are too many of them, or an image cannot be loaded.
    pub(super) fn fit(&self, warnings: &mut Vec<String>) -> Result<FittedWindows, TaskError> {
        let templates = self.templates();
        let windows = windows_of(&templates).map_err(TaskError::user)?;
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

        // As many random ones as hard ones.
        let most = windows * 3 / 8;
        let background = self.background(most);
        let count = (most / background.len().max(1)).min(MAX_PER_IMAGE);
        let choose = |row: usize, image: &BoxedImage| self.random(row, image, &templates, count);
        self.add(&background, &templates, 0, choose, &mut examples)?;
        let models = fit_models(&templates, &examples, self.penalties[0])?;

        let choose = |_: usize, image: &BoxedImage| self.hard(image, &models, &templates, count);
        self.add(&background, &templates, 0, choose, &mut examples)?;
        warnings.extend(self.left_out(&models));
        let images: BTreeSet<usize> = objects.into_iter().chain(background).collect();
        let penalties = self.penalties.iter();
        let models = penalties.map(|&penalty| fit_models(&templates, &examples, penalty));
        Ok(FittedWindows {
            models: models.collect::<Result<_, _>>()?,
            images: images.len(),
        })
    }

    /// A warning of the classes without a window, if there are some.
    fn left_out(&self, models: &[WindowModel]) -> Option<String> {
        let classes = self.data.classes().iter().enumerate();
        let left_out = classes.filter(|(class, _)| {
            let mut fitted = models.iter().map(|model| model.template.class);
            fitted.all(|fitted| usize::from(fitted) != *class)
        });
        let names: Vec<String> = left_out.map(|(_, name)| format!("`{name}`")).collect();
        let named = names[..names.len().min(MAX_NAMED)].join(", ");
        let more = match names.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!names.is_empty()).then(|| {
            format!(
                "the baseline leaves out {named}{more}: a class needs both objects and background to learn from"
            )
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
            for (number, at) in order.into_iter().take(most).enumerate() {
                let (row, object) = objects[at];
                let count = versions_of(number, objects.len(), most);
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

    /// The images that at most `most` windows of the background are taken from.
    fn background(&self, most: usize) -> Vec<usize> {
        let order = permutation(self.train.len(), &mut self.stream(Purpose::Images, &[]));
        let rows = order.into_iter().take(MAX_BACKGROUNDS.min(most));
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
            bounds: one.bounds.scale(scale),
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

/// Most windows of a class.
fn windows_of(templates: &[Template]) -> Result<usize, HogError> {
    if templates.is_empty() {
        return Err(HogError::NoClass);
    }
    let values: usize = templates.iter().map(Template::width).sum();
    let windows = MAX_WINDOWS.min(MAX_VALUES / values);
    if windows < MIN_WINDOWS {
        return Err(HogError::TooMany);
    }
    Ok(windows)
}

/// Windows around object `number` of `objects`, which together have about `most`.
fn versions_of(number: usize, objects: usize, most: usize) -> usize {
    let more = usize::from(number < most % objects);
    (most / objects + more).clamp(1, MAX_VERSIONS)
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

/// A window anywhere in an image, of a size of its class or down to half of the smallest one: parts of large objects
/// are background.
fn random_object(template: &Template, image: &Image, random: &mut Stream) -> BoundingBox {
    let [small, large] = template.sizes;
    let [small, large] = [0.5 * small, large].map(f64::ln);
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
    penalty: f64,
) -> Result<Vec<WindowModel>, TaskError> {
    let config = SoftmaxConfig {
        l2: penalty,
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
    if models.is_empty() {
        return Err(TaskError::user(HogError::NoClass));
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
    fn the_values_of_all_windows_are_bounded() {
        let template = Template::new(0, &[[0.3, 0.3]], 80).unwrap();
        let windows = |classes: usize| windows_of(&vec![template.clone(); classes]);
        assert_eq!(windows(3), Ok(MAX_WINDOWS));
        let many = windows(1_000).unwrap();
        assert!((MIN_WINDOWS..MAX_WINDOWS).contains(&many), "{many}");
        assert!(many * 1_000 * template.width() <= MAX_VALUES);
        assert_eq!(windows(100_000), Err(HogError::TooMany));
        assert_eq!(windows(0), Err(HogError::NoClass));
    }

    #[test]
    fn all_windows_around_objects_are_used() {
        let versions = |objects: usize, most: usize| {
            let numbers = 0..objects;
            let counts = numbers.map(|number| versions_of(number, objects, most));
            counts.collect::<Vec<usize>>()
        };
        assert_eq!(versions(4, 6), [2, 2, 1, 1]);
        assert_eq!(versions(3, 3), [1, 1, 1]);
        assert_eq!(versions(2, 100), [MAX_VERSIONS; 2]);
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
    fn random_objects_have_half_to_all_of_the_sizes_of_the_class_and_lie_in_the_image() {
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
            assert!((0.07..0.284).contains(&size), "{size}");
            assert!(object.x_min >= 0.0 && object.x_max <= 100.01);
            assert!(object.y_min >= 0.0 && object.y_max <= 60.01);
            assert_eq!(object.class, 2);
        }
        assert!(objects.iter().any(|object| object.area().sqrt() < 10.0));
        assert!(objects.iter().any(|object| object.area().sqrt() > 24.0));
    }
}
