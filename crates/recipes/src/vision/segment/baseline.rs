//! Pixel classification, to compare with: boosted trees on the responses of filters.
//!
//! The classical method of the field, see [`filters`](super::filters). Differs from its programs: pixels of
//! all training images in place of strokes of a brush, and boosted trees in place of a random forest.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use tinderbox_baselines::{BoostedTrees, BoostingConfig, Table};
use tinderbox_datasets::image::{IGNORE, Image, ImageSample, Mask, resize_image};
use tinderbox_datasets::parallel_map;
use tinderbox_datasets::random::{Stream, below, permutation, stream};
use tinderbox_predict::vision::{InputScale, Probabilities, SegmentationInput, scaled_size};
use tinderbox_train::format::thousands;
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Splits, TaskError};

use super::ImageSegmentation;
use super::data::MaskedImages;
use super::evaluate::{Evaluated, PixelModel};
use super::filters::{Plane, reach, responses};

/// Most pixels that the trees are fitted to, about equally many of each image.
const MOST_PIXELS: usize = 100_000;

/// Most images that they are taken from.
const MOST_IMAGES: usize = 200;

/// Most trees; each round of boosting adds one, or one for each of three classes or more.
const MOST_TREES: usize = 600;

/// Fewest and most rounds of boosting.
const ROUNDS: [usize; 2] = [10, 100];

/// Training images that are in memory at a time.
const BATCH: usize = 16;

/// Longest side of a part of an image whose responses are in memory at a time, in pixels.
const TILE: usize = 256;

/// Pixels that are classified at a time.
const CHUNK: usize = 4096;

/// The random stream of the pixels.
const STREAM: u64 = 0x5049_5845;

impl ImageSegmentation {
    /// Fits pixel classification to the training split and evaluates it on the test split.
    ///
    /// # Errors
    ///
    /// If an image cannot be read any more, or the masks of the training split have a single class.
    pub(super) fn pixel_classification(
        &self,
        splits: &Splits,
        warnings: &mut Vec<String>,
    ) -> Result<(BaselineReport, Evaluated), TaskError> {
        let started = Instant::now();
        let fitter = Fitter {
            data: &self.data,
            input: self.recipe.data.input(),
            classes: self.recipe.data.classes.len(),
            seed: self.recipe.train.seed,
        };
        let images = fitter.images(&splits.train);
        let (chosen, all) = (images.len(), splits.train.len());
        if chosen < all {
            let [chosen, all] = [chosen, all].map(thousands);
            warnings.push(format!(
                "the baseline is fitted on {chosen} of {all} images, to limit its time"
            ));
        }
        let (table, labels) = fitter.pixels(&images)?;
        let areas = self.areas_of(&splits.train)?;
        warnings.extend(unseen(&self.recipe.data.classes, &areas, &labels));
        let model = fitter.fit(&table, &labels)?;
        let evaluated = self.evaluator(&model).rows(&splits.test)?;
        let report = BaselineReport {
            result: Baseline {
                method: "pixel classification".to_owned(),
                samples: images.len(),
                wall_s: started.elapsed().as_secs_f64(),
                threshold: None,
                test: evaluated.evaluation.metrics(),
            },
            evaluation: evaluated.evaluation.clone(),
        };
        Ok((report, evaluated))
    }

    /// The share of the area of each class in the masks of some training images.
    fn areas_of(&self, train: &[usize]) -> Result<Vec<f64>, TaskError> {
        if train == self.splits.splits.train {
            return Ok(self.areas.clone());
        }
        self.data.areas(train)
    }
}

/// A warning for each class that is in the training masks, but not among the pixels' labels.
fn unseen(names: &[String], areas: &[f64], labels: &[usize]) -> Vec<String> {
    let mut seen = vec![false; names.len()];
    for &label in labels {
        seen[label] = true;
    }
    let classes = names.iter().zip(areas).zip(seen);
    let unseen = classes.filter(|((_, area), seen)| **area > 0.0 && !seen);
    let warning = |name: &String| {
        format!(
            "the class `{name}` is in the training masks, but in none of the pixels that the baseline is fitted \
             to: it never predicts the class"
        )
    };
    unseen.map(|((name, _), _)| warning(name)).collect()
}

/// What trees are fitted to.
struct Fitter<'a> {
    data: &'a MaskedImages,
    input: SegmentationInput,
    classes: usize,
    seed: u64,
}

impl Fitter<'_> {
    /// All training images, or some of many.
    fn images(&self, train: &[usize]) -> Vec<usize> {
        if train.len() <= MOST_IMAGES {
            return train.to_vec();
        }
        let order = permutation(train.len(), &mut stream(self.seed, &[STREAM]));
        let chosen = order.into_iter().take(MOST_IMAGES);
        chosen.map(|at| train[at]).collect()
    }

    /// The features and the classes of some pixels of images.
    fn pixels(&self, images: &[usize]) -> Result<(Table, Vec<usize>), TaskError> {
        let of_image = MOST_PIXELS / images.len().max(1);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for rows in images.chunks(BATCH) {
            let samples = parallel_map(rows, |&row| self.sample(row));
            for (&row, sample) in rows.iter().zip(samples) {
                let ImageSample { image, target } = sample?;
                let mut rng = stream(self.seed, &[STREAM, row as u64]);
                let chosen = choose(&target, of_image, &mut rng);
                add_pixels(&image, self.input.scale, &chosen, &mut values);
                let classes = chosen.iter().map(|&at| usize::from(target.classes[at]));
                labels.extend(classes);
            }
        }
        let columns = values.len() / labels.len().max(1);
        let table = Table::new(values, columns).map_err(TaskError::internal)?;
        Ok((table, labels))
    }

    /// Fits the trees to pixels.
    fn fit(&self, table: &Table, labels: &[usize]) -> Result<PixelTrees, TaskError> {
        let trees = boosting(self.classes).fit_classes(table, labels, self.classes);
        Ok(PixelTrees {
            trees: trees.map_err(TaskError::internal)?,
            input: self.input.clone(),
        })
    }

    /// An image with its mask at the resolution of the network.
    fn sample(&self, row: usize) -> Result<ImageSample<Mask>, TaskError> {
        let ImageSample { image, target } = self.data.pairs.full(row).map_err(TaskError::user)?;
        let [height, width] = working_size(&image, &self.input);
        Ok(ImageSample {
            image: resize_image(&image, height, width),
            target: target.resize(height, width),
        })
    }
}

/// Boosting whose time does not grow with the number of classes, until rounds are few.
fn boosting(classes: usize) -> BoostingConfig {
    let outputs = if classes > 2 { classes } else { 1 };
    let plain = BoostingConfig::default();
    let rounds = (MOST_TREES / outputs).clamp(ROUNDS[0], ROUNDS[1]);
    BoostingConfig {
        rounds,
        // Fewer steps are longer.
        learning_rate: (plain.learning_rate * ROUNDS[1] as f64 / rounds as f64).min(0.3),
        ..plain
    }
}

/// Height and width at which a network sees an image.
fn working_size(image: &Image, input: &SegmentationInput) -> [usize; 2] {
    let size = [image.height, image.width];
    match input.scale {
        InputScale::Fit => scaled_size(size, input.size),
        InputScale::Original => size,
    }
}

/// At most `most` pixels of a known class, in reading order: nine of ten spread over all, and one of ten evenly over the
/// classes of the mask, so that a class of small area is among them.
///
/// It is no more than one of ten because the trees take no weights: to them, classes of small area are more frequent
/// than they are.
fn choose(mask: &Mask, most: usize, rng: &mut Stream) -> Vec<usize> {
    let mut known = Vec::new();
    let mut of_classes: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (at, &class) in mask.classes.iter().enumerate() {
        if class != IGNORE {
            known.push(at);
            of_classes.entry(class).or_default().push(at);
        }
    }
    if known.len() <= most {
        return known;
    }
    let (rest, classes) = (most.div_ceil(10), of_classes.len());
    let mut chosen = spread(&known, most - rest, rng);
    for (nth, pixels) in of_classes.values().enumerate() {
        let [start, end] = [nth, nth + 1].map(|nth| nth * rest / classes);
        chosen.extend(spread(pixels, end - start, rng));
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// At most `most` of some pixels: one at random of each of equally long runs.
fn spread(pixels: &[usize], most: usize, rng: &mut Stream) -> Vec<usize> {
    let runs = most.min(pixels.len());
    let pick = |run: usize| {
        let [start, end] = [run, run + 1].map(|run| run * pixels.len() / runs);
        pixels[start + below(rng, end - start)]
    };
    (0..runs).map(pick).collect()
}

/// Adds the features of some pixels, which are in reading order, to `values`.
fn add_pixels(image: &Image, scale: InputScale, pixels: &[usize], values: &mut Vec<f64>) {
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); pixels.len()];
    let place = |&at: &usize| [at / image.width, at % image.width];
    for tile in tiles(image) {
        let inside = pixels.iter().map(place).zip(&mut rows);
        let inside = inside.filter(|([y, x], _)| tile.rows.contains(y) && tile.columns.contains(x));
        let inside: Vec<([usize; 2], &mut Vec<f64>)> = inside.collect();
        if inside.is_empty() {
            continue;
        }
        let features = tile.features(image, scale);
        for (pixel, row) in inside {
            features.add(pixel, row);
        }
    }
    values.extend(rows.into_iter().flatten());
}

/// Trees that were fitted to pixels.
struct PixelTrees {
    trees: BoostedTrees,
    input: SegmentationInput,
}

impl PixelModel for PixelTrees {
    fn probabilities(&self, images: &[Image]) -> Result<Vec<Probabilities>, TaskError> {
        // Besides the result, each image has one tile in memory, and there are only a few images at a time.
        let found = parallel_map(images, |image| self.classify(image));
        found.into_iter().collect()
    }
}

impl PixelTrees {
    /// The probabilities of the classes of each pixel, tile after tile.
    fn classify(&self, photo: &Image) -> Result<Probabilities, TaskError> {
        let [height, width] = working_size(photo, &self.input);
        let image = resize_image(photo, height, width);
        let classes = self.trees.answers();
        let mut values = vec![0.0; classes * height * width];
        for tile in tiles(&image) {
            let features = tile.features(&image, self.input.scale);
            for pixels in tile.pixels().chunks(CHUNK) {
                let found = self.trees.predict(&features.table(pixels)?);
                let found = found.map_err(TaskError::internal)?;
                for (&[y, x], found) in pixels.iter().zip(found.chunks_exact(classes)) {
                    let planes = values.chunks_exact_mut(height * width);
                    for (plane, &probability) in planes.zip(found) {
                        plane[y * width + x] = probability as f32;
                    }
                }
            }
        }
        Ok(Probabilities {
            height,
            width,
            values,
        })
    }
}

/// A part of an image.
#[derive(Debug)]
struct Tile {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// The tiles of an image: as equal as can be, none with a side above [`TILE`].
fn tiles(image: &Image) -> Vec<Tile> {
    let columns = parts(image.width);
    let of_rows = |rows: Range<usize>| {
        columns.iter().cloned().map(move |columns| Tile {
            rows: rows.clone(),
            columns,
        })
    };
    parts(image.height).into_iter().flat_map(of_rows).collect()
}

fn parts(side: usize) -> Vec<Range<usize>> {
    let count = side.div_ceil(TILE);
    let part = |part: usize| part * side / count..(part + 1) * side / count;
    (0..count).map(part).collect()
}

impl Tile {
    /// Row and column of each pixel, in reading order.
    fn pixels(&self) -> Vec<[usize; 2]> {
        let of_row = |row| self.columns.clone().map(move |column| [row, column]);
        self.rows.clone().flat_map(of_row).collect()
    }

    /// The features of the pixels of the tile, which are those of the whole image.
    fn features(&self, image: &Image, scale: InputScale) -> Features {
        let around = |range: &Range<usize>, side: usize| {
            range.start.saturating_sub(reach())..(range.end + reach()).min(side)
        };
        let rows = around(&self.rows, image.height);
        let columns = around(&self.columns, image.width);
        let channel = |channel: usize| {
            let lines = rows.clone().map(|row| {
                let start = (row * image.width + columns.start) * image.channels;
                &image.pixels[start..][..columns.len() * image.channels]
            });
            let values = lines.flat_map(|line| line.iter().skip(channel).step_by(image.channels));
            Plane {
                height: rows.len(),
                width: columns.len(),
                values: values.map(|&value| f32::from(value) / 255.0).collect(),
            }
        };
        // Position is informative in photos, but not in microscopy images.
        let sides = [image.height, image.width].map(|side| side as f64);
        Features {
            top: rows.start,
            left: columns.start,
            planes: responses((0..image.channels).map(channel).collect()),
            sides: (scale == InputScale::Fit).then_some(sides),
        }
    }
}

/// The features of the pixels of a tile and of what is around it.
struct Features {
    /// The first row and column.
    top: usize,
    left: usize,
    planes: Vec<Plane>,
    /// Height and width of the image, if the position is a feature.
    sides: Option<[f64; 2]>,
}

impl Features {
    /// Adds the features of the pixel at a row and column of the image.
    fn add(&self, pixel: [usize; 2], values: &mut Vec<f64>) {
        let [row, column] = [pixel[0] - self.top, pixel[1] - self.left];
        let of_planes = self
            .planes
            .iter()
            .map(|plane| f64::from(plane.values[row * plane.width + column]));
        values.extend(of_planes);
        if let Some(sides) = self.sides {
            let position = pixel.iter().zip(sides);
            values.extend(position.map(|(&at, side)| (at as f64 + 0.5) / side));
        }
    }

    fn table(&self, pixels: &[[usize; 2]]) -> Result<Table, TaskError> {
        let columns = self.planes.len() + if self.sides.is_some() { 2 } else { 0 };
        let mut values = Vec::with_capacity(pixels.len() * columns);
        for &pixel in pixels {
            self.add(pixel, &mut values);
        }
        Table::new(values, columns).map_err(TaskError::internal)
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};
    use tinderbox_datasets::image::MaskValues;

    use super::super::SegmentationRecipe;
    use super::*;
    use crate::baseline::baseline;

    fn mask(height: usize, width: usize, of: impl Fn(usize, usize) -> u16) -> Mask {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let classes = pixels.map(|(y, x)| of(y, x)).collect();
        Mask::new(height, width, classes).unwrap()
    }

    /// A photo of the mask: bright where the class is not 0, with noise.
    fn photo(mask: &Mask, channels: usize) -> Image {
        let pixels = mask.classes.iter().enumerate();
        let pixels = pixels.flat_map(|(at, &class)| {
            let light = 20 + 90 * u32::from(class.min(2)) + (at as u32 * 7919) % 31;
            vec![light as u8; channels]
        });
        Image {
            height: mask.height,
            width: mask.width,
            channels,
            pixels: pixels.collect(),
        }
    }

    fn fitted(mask: &Mask, channels: usize, input: SegmentationInput) -> PixelTrees {
        let chosen = choose(mask, 400, &mut stream(1, &[]));
        let mut values = Vec::new();
        add_pixels(&photo(mask, channels), input.scale, &chosen, &mut values);
        let table = Table::new(values.clone(), values.len() / chosen.len()).unwrap();
        let labels: Vec<usize> = chosen
            .iter()
            .map(|&at| usize::from(mask.classes[at]))
            .collect();
        let config = BoostingConfig {
            rounds: 10,
            learning_rate: 0.3,
            ..BoostingConfig::default()
        };
        let classes = labels.iter().max().unwrap() + 1;
        PixelTrees {
            trees: config.fit_classes(&table, &labels, classes).unwrap(),
            input,
        }
    }

    #[test]
    fn pixels_are_spread_and_of_known_classes() {
        let mask = mask(10, 10, |y, _| if y < 4 { IGNORE } else { 1 });
        let chosen = choose(&mask, 6, &mut stream(3, &[]));
        assert!(chosen.is_sorted_by(|a, b| a < b), "{chosen:?}");
        // Five are spread over all.
        for third in 0..3 {
            let range = 40 + third * 20..60 + third * 20;
            let found = chosen.iter().filter(|at| range.contains(*at)).count();
            assert!((1..=3).contains(&found), "{chosen:?}");
        }
        assert_eq!(chosen, choose(&mask, 6, &mut stream(3, &[])));
        assert_ne!(chosen, choose(&mask, 6, &mut stream(4, &[])));
        let all: Vec<usize> = (40..100).collect();
        assert_eq!(choose(&mask, 1000, &mut stream(3, &[])), all);
        assert!(choose(&mask, 0, &mut stream(3, &[])).is_empty());
    }

    #[test]
    fn a_class_of_small_area_is_among_the_pixels() {
        let small = mask(100, 100, |y, x| match (y, x) {
            (70, 31) => 2,
            _ => u16::from(y < 10),
        });
        let chosen = choose(&small, 90, &mut stream(5, &[]));
        assert!(chosen.is_sorted_by(|a, b| a < b), "{chosen:?}");
        assert!(chosen.contains(&7_031), "{chosen:?}");
        let is_of = |at: usize, class: u16| small.classes[at] == class;
        let count = |class| chosen.iter().filter(|at| is_of(**at, class)).count();
        let counts = [0, 1, 2].map(count);
        // 72 to 73 and 8 or 9 by position, and 3 of each class, some of them twice.
        assert!((72..=76).contains(&counts[0]), "{counts:?}");
        assert!((8..=12).contains(&counts[1]), "{counts:?}");
        assert_eq!(counts[2], 1);
        // More classes than pixels.
        let many = mask(1, 40, |_, x| x as u16);
        let chosen = choose(&many, 10, &mut stream(5, &[]));
        assert!((5..=10).contains(&chosen.len()), "{chosen:?}");
    }

    #[test]
    fn a_class_without_pixels_is_a_warning() {
        let names = ["sky", "sea", "ship", "none"].map(str::to_owned);
        let warnings = unseen(&names, &[0.5, 0.4, 0.1, 0.0], &[0, 1, 1]);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("the class `ship` is in the training masks, but"),
            "{warnings:?}"
        );
    }

    #[test]
    fn masks_with_nothing_to_tell_apart_are_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let [photos, masks] = ["images", "masks"].map(|name| dir.path().join(name));
        std::fs::create_dir_all(&photos).unwrap();
        std::fs::create_dir_all(&masks).unwrap();
        for at in 0..20_u32 {
            let name = format!("{at:02}.png");
            let light = |x: u32, y: u32| Luma([((37 * at + 11 * x + 29 * y) % 251) as u8]);
            let photo = GrayImage::from_fn(8, 8, light);
            photo.save(photos.join(&name)).unwrap();
            // Every other one is not labeled at all.
            let class = if at % 2 == 0 { 255 } else { 1 };
            let mask = GrayImage::from_pixel(8, 8, Luma([class]));
            mask.save(masks.join(&name)).unwrap();
        }
        let mut recipe = SegmentationRecipe::builtin("membrane").unwrap();
        recipe.data.path = dir.path().display().to_string();
        recipe.data.values = MaskValues::Classes;
        let task = ImageSegmentation::prepare(recipe).unwrap();
        let warnings = |present: &[u16], images: usize| {
            let has = |row: &usize| task.data.pairs.full(*row).unwrap().target.present() == present;
            let rows: Vec<usize> = (0..20).filter(has).collect();
            let splits = Splits {
                train: rows.iter().copied().cycle().take(images).collect(),
                ..task.splits.splits.clone()
            };
            let mut warnings = Vec::new();
            let fitted = baseline(true, "", &mut warnings, |warnings| {
                task.pixel_classification(&splits, warnings)
            });
            assert!(fitted.is_none());
            warnings
        };
        let none =
            "cannot fit the baseline: the baseline needs rows to learn from, and there are none";
        assert_eq!(warnings(&[], 10), [none]);
        let few = "the baseline is fitted on 200 of 1,300 images, to limit its time";
        let single = "cannot fit the baseline: the training rows have a single class, 1: a classifier needs at \
                      least two";
        assert_eq!(warnings(&[1], 1_300), [few, single]);
    }

    #[test]
    fn tiles_cover_an_image_and_have_its_features() {
        let sides: Vec<usize> = parts(600).into_iter().map(|part| part.len()).collect();
        assert_eq!(sides, [200; 3]);
        assert_eq!(parts(256).len(), 1);
        let image = photo(&mask(3, 300, |_, x| (x / 7 % 3) as u16), 3);
        let undivided: Vec<Range<usize>> = std::iter::once(0..300).collect();
        let [whole, cut] = [undivided, parts(300)].map(|parts| {
            let tiles = parts.into_iter().map(|columns| Tile {
                rows: 0..3,
                columns,
            });
            let tables = tiles.map(|tile| {
                let features = tile.features(&image, InputScale::Fit);
                let of_row = tile.pixels().into_iter().filter(|pixel| pixel[0] == 1);
                let table = features.table(&of_row.collect::<Vec<_>>()).unwrap();
                table.values().to_vec()
            });
            tables.collect::<Vec<_>>().concat()
        });
        // Three channels at five scales, six responses at four, and the position.
        assert_eq!(whole.len(), 300 * (3 * 5 + 6 * 4 + 2));
        assert_eq!(whole, cut);
        // The middle of a pixel.
        assert_eq!(whole[39..41], [0.5, 0.5 / 300.0]);
    }

    #[test]
    fn pixels_are_classified_at_the_size_of_the_photo_on_any_number_of_threads() {
        let small = mask(24, 32, |y, x| {
            u16::from(y.abs_diff(12) < 7 && x.abs_diff(14) < 8)
        });
        let input = SegmentationInput {
            channels: 3,
            size: 32,
            scale: InputScale::Fit,
        };
        let large = small.resize(48, 64);
        let photos = [photo(&large, 3)];
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let work = || fitted(&small, 3, input.clone()).probabilities(&photos);
            pool.build().unwrap().install(work).unwrap()
        };
        let found = run(1);
        assert_eq!(found, run(3));
        assert_eq!([found[0].height, found[0].width], [24, 32]);
        let segmented = found[0].segment(&photos[0], false);
        let classes = segmented.mask.classes.iter().zip(&large.classes);
        let wrong = classes.filter(|(found, actual)| found != actual).count();
        assert!(wrong < 48 * 64 / 20, "{wrong}");
    }

    #[test]
    fn three_classes_are_told_apart_without_the_position() {
        let bands = mask(20, 30, |_, x| (x / 10) as u16);
        let input = SegmentationInput {
            channels: 1,
            size: 8,
            scale: InputScale::Original,
        };
        // The same bands in another order.
        let other = mask(20, 30, |_, x| 2 - (x / 10) as u16);
        let found = fitted(&bands, 1, input)
            .probabilities(&[photo(&other, 1)])
            .unwrap();
        assert_eq!(found[0].classes(), 3);
        let segmented = found[0].segment(&photo(&other, 1), false);
        let classes = segmented.mask.classes.iter().zip(&other.classes);
        let wrong = classes.filter(|(found, actual)| found != actual).count();
        assert!(wrong < 20 * 30 / 10, "{wrong}");
    }

    #[test]
    fn the_number_of_trees_is_bounded() {
        assert_eq!(boosting(2), BoostingConfig::default());
        assert_eq!(boosting(6).rounds, 100);
        let many = boosting(20);
        assert_eq!((many.rounds, many.learning_rate), (30, 0.3));
        assert_eq!(boosting(1000).rounds, 10);
    }
}
