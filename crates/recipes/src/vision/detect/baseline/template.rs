//! Detection window of a class: size, features and linear classifier.

use std::ops::RangeInclusive;

use tinderbox_datasets::image::{BoundingBox, Image, resize_image};
use tinderbox_predict::vision::pick_pixels;

use super::hog::{CELL, FEATURES, HogMap, hog};

/// Cells around an object that are part of its window.
pub(super) const MARGIN: usize = 1;

/// Cells around an object that are cut out for its window: two more, because the norm of a cell needs its neighbors,
/// and those need the pixels next to them.
const AROUND: usize = MARGIN + 2;

/// Least and largest size of an object in its window, as the square root of its area, in cells.
const SIZES: [f64; 2] = [3.0, 6.0];

/// Least and largest side of an object in its window, in cells.
const SIDES: [f64; 2] = [2.0, 12.0];

/// Levels of the pyramid until the side of an image is half as long.
pub(super) const LEVELS_PER_OCTAVE: f64 = 4.0;

/// Share of the smallest objects that may be smaller than the window at the largest level.
const SMALL: f64 = 0.1;

/// Share of the objects that are smaller, and larger, than those that are searched.
const TAIL: f64 = 0.02;

/// The window of a class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    pub(super) class: u16,
    /// Height and width of an object in it, in cells.
    pub(super) cells: [usize; 2],
    /// Levels of the pyramid with objects of this class.
    pub(super) levels: RangeInclusive<usize>,
    /// Size of a small and of a large object, as the square root of its area; the longer side of the image is 1.
    pub(super) sizes: [f64; 2],
}

impl Template {
    /// The window of a class with objects of these heights and widths, where the longer side of their image is 1.
    /// `side` is that of an image at the largest level, in pixels.
    pub(super) fn new(class: usize, objects: &[[f64; 2]], side: usize) -> Option<Self> {
        let objects = objects
            .iter()
            .filter(|[height, width]| height * width > 0.0);
        let sorted = |value: fn(&[f64; 2]) -> f64| {
            let mut values: Vec<f64> = objects.clone().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let aspects = sorted(|[height, width]| height / width);
        let sizes = sorted(|[height, width]| (height * width).sqrt());
        if sizes.is_empty() {
            return None;
        }
        let (side, stretch) = (side as f64, quantile(&aspects, 0.5).sqrt());
        let size = (quantile(&sizes, SMALL) * side / CELL as f64).clamp(SIZES[0], SIZES[1]);
        let cells = [size * stretch, size / stretch]
            .map(|cells| cells.round().clamp(SIDES[0], SIDES[1]) as usize);
        let sizes = [TAIL, 1.0 - TAIL].map(|share| quantile(&sizes, share));
        let size = ((cells[0] * cells[1]) as f64).sqrt() * CELL as f64;
        let level = |object: f64| (LEVELS_PER_OCTAVE * (object * side / size).log2()).max(0.0);
        let levels = level(sizes[0]).floor() as usize..=level(sizes[1]).ceil() as usize;
        Some(Self {
            class: class as u16,
            cells,
            levels,
            sizes,
        })
    }

    /// Height and width of the window, in cells.
    pub(super) fn window(&self) -> [usize; 2] {
        self.cells.map(|cells| cells + 2 * MARGIN)
    }

    /// Number of features of a window.
    pub(super) fn width(&self) -> usize {
        let [rows, columns] = self.window();
        rows * columns * FEATURES
    }

    /// Height and width of an object of this size.
    pub(super) fn object(&self, size: f64) -> [f64; 2] {
        let [height, width] = self.cells.map(|cells| cells as f64);
        let stretch = (height / width).sqrt();
        [size * stretch, size / stretch]
    }

    /// The features of the window around an object of any size and aspect ratio.
    pub(super) fn features(&self, image: &Image, object: &BoundingBox, mirrored: bool) -> Vec<f32> {
        let [rows, columns] = self.cells;
        let around = |from: f32, to: f32, cells: usize| {
            let border = AROUND as f32 * (to - from) / cells as f32;
            let start = (from - border).round();
            [start, ((to + border).round() - start).max(1.0)]
        };
        let [top, height] = around(object.y_min, object.y_max, rows);
        let [left, width] = around(object.x_min, object.x_max, columns);
        let size = [height, width].map(|side| side as usize);
        let part = crop(image, [top, left], size);
        let [height, width] = self.cells.map(|cells| (cells + 2 * AROUND) * CELL);
        let mut part = resize_image(&part, height, width);
        if mirrored {
            part.mirror();
        }
        let inner = AROUND - MARGIN;
        self.strips(&hog(&part), [inner, inner]).concat()
    }

    /// The rows of the window at a cell of a map.
    fn strips<'a>(&self, map: &'a HogMap, [row, column]: [usize; 2]) -> Vec<&'a [f32]> {
        let [rows, columns] = self.window();
        let rows = row..row + rows;
        rows.map(|row| map.strip(row, column, columns)).collect()
    }
}

/// The value that this share of ascending values is below.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// A part of an image from whole pixels on; beyond the image its border is repeated.
pub(super) fn crop(image: &Image, [top, left]: [f32; 2], [height, width]: [usize; 2]) -> Image {
    let inside = |start: f32, at: usize, end: usize| {
        (start + at as f32).clamp(0.0, (end - 1) as f32) as usize
    };
    let rows = (0..height).map(|y| inside(top, y, image.height));
    let columns: Vec<usize> = (0..width).map(|x| inside(left, x, image.width)).collect();
    pick_pixels(image, rows, &columns)
}

/// A window with its linear classifier.
pub(super) struct WindowModel {
    pub(super) template: Template,
    /// `[rows, columns, FEATURES]`.
    pub(super) weights: Vec<f32>,
    pub(super) bias: f32,
}

impl WindowModel {
    /// The score of the window at each cell of a map, row after row, with the number of columns; logits.
    pub(super) fn scores(&self, map: &HogMap) -> (Vec<f32>, usize) {
        let [rows, columns] = self.template.window();
        let places = |cells: usize, window: usize| (cells + 1).saturating_sub(window);
        let [down, across] = [places(map.rows, rows), places(map.columns, columns)];
        let mut scores = vec![self.bias; down * across];
        for top in 0..down {
            let scores = &mut scores[top * across..][..across];
            for (row, weights) in self.weights.chunks_exact(columns * FEATURES).enumerate() {
                for (left, score) in scores.iter_mut().enumerate() {
                    *score += dot(map.strip(top + row, left, columns), weights);
                }
            }
        }
        (scores, across)
    }
}

/// Partial sums of a dot product, which the compiler keeps in vector registers.
const LANES: usize = 8;

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (lefts, left_rest) = left.as_chunks::<LANES>();
    let (rights, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in lefts.iter().zip(rights) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(a, b)| a * b);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(height: usize, width: usize) -> Image {
        let pixel = |at: usize| ((at / width) * 7 + (at % width) * 3) as u8;
        Image {
            height,
            width,
            channels: 1,
            pixels: (0..height * width).map(pixel).collect(),
        }
    }

    #[test]
    fn a_template_has_the_median_aspect_ratio_and_the_levels_of_its_objects() {
        // Twice as high as wide but for one; 64 pixels high at the largest level of 640 pixels, or half the image.
        let objects = [[0.1, 0.05], [0.1, 0.1], [0.5, 0.25]];
        let template = Template::new(3, &objects, 640).unwrap();
        assert_eq!((template.class, template.cells), (3, [8, 4]));
        assert_eq!(template.window(), [10, 6]);
        assert_eq!(template.width(), 60 * FEATURES);
        // The largest is five times as large: 4 log2(5) levels.
        assert_eq!(template.levels, 0..=10);
        let [height, width] = template.object(0.1);
        assert!((height / width - 2.0).abs() < 1e-9 && (height * width - 0.01).abs() < 1e-9);
        assert_eq!(Template::new(0, &[], 640), None);
        assert_eq!(Template::new(0, &[[0.0, 0.1]], 640), None);
    }

    #[test]
    fn a_part_beyond_the_image_repeats_its_border() {
        let part = crop(&image(2, 2), [-1.0, 1.0], [3, 2]);
        assert_eq!(part.pixels, [3, 3, 3, 3, 10, 10]);
    }

    #[test]
    fn the_window_of_an_object_is_that_of_the_search() {
        let objects = [[0.3, 0.3]];
        let template = Template::new(0, &objects, 80).unwrap();
        assert_eq!(template.cells, [3, 3]);
        let image = image(80, 80);
        let bounds = BoundingBox {
            x_min: 24.0,
            y_min: 32.0,
            x_max: 48.0,
            y_max: 56.0,
            class: 0,
        };
        let features = template.features(&image, &bounds, false);
        assert_eq!(features.len(), template.width());
        // The object starts at cell 4, 3 of the image, its margin one before.
        let found = template.strips(&hog(&image), [3, 2]).concat();
        for (at, found) in features.iter().zip(&found) {
            assert!((at - found).abs() < 1e-5, "{at} {found}");
        }
        let model = WindowModel {
            weights: features.clone(),
            bias: -1.0,
            template,
        };
        let (scores, across) = model.scores(&hog(&image));
        assert_eq!((scores.len(), across), (36, 6));
        let expected = features.iter().map(|value| value * value).sum::<f32>() - 1.0;
        assert!((scores[3 * 6 + 2] - expected).abs() < 1e-3);
        // The same as the window of the mirrored object in the mirrored image.
        let mirrored = model.template.features(&image, &bounds, true);
        let rows = image.pixels.chunks(80);
        let other = Image {
            pixels: rows.flat_map(|row| row.iter().rev().copied()).collect(),
            ..image.clone()
        };
        let other_bounds = BoundingBox {
            x_min: 80.0 - bounds.x_max,
            x_max: 80.0 - bounds.x_min,
            ..bounds
        };
        let expected = model.template.features(&other, &other_bounds, false);
        assert_eq!(mirrored, expected);
        assert!(mirrored != features);
    }

    #[test]
    fn a_window_that_does_not_fit_has_no_scores() {
        let template = Template::new(0, &[[0.3, 0.3]], 80).unwrap();
        let model = WindowModel {
            weights: vec![0.0; template.width()],
            bias: 0.0,
            template,
        };
        assert!(model.scores(&hog(&image(80, 32))).0.is_empty());
    }
}
