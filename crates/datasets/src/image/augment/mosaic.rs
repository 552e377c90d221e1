//! Mosaic: four images around a random center, with their boxes.
//!
//! Reference: Bochkovskiy, Wang and Liao, *`YOLOv4`: Optimal Speed and Accuracy of Object Detection*, 2020,
//! <https://arxiv.org/abs/2004.10934>.
//! Differs from it: each image has a random size, relative to the one it has at inference, and a random part of
//! it is seen where it is larger than its quarter.

use serde::{Deserialize, Serialize};

use super::canvas::{Boxes, Canvas, Tile};
use super::warp::Warp;
use super::{Augment, AugmentError};
use crate::image::{BoundingBox, ImageSample};
use crate::random::{Stream, below, uniform};

/// Smallest and largest share of the side at which the center of a mosaic lies, as in YOLOX.
const CENTER: [f64; 2] = [0.25, 0.75];

/// Mosaic augmentation of a detector's training images. The default makes none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mosaic {
    /// Probability of joining an image with three others, in `[0, 1]`.
    pub probability: f32,
    /// Smallest and largest size of each of the four images, in `[0.05, 4]`, where 1 is the size that fits the
    /// input, as at inference.
    pub scale: [f32; 2],
}

impl Default for Mosaic {
    fn default() -> Self {
        Self {
            probability: 0.0,
            scale: [0.5, 1.5],
        }
    }
}

impl Mosaic {
    /// Checks every key.
    ///
    /// # Errors
    ///
    /// If a key is out of its range or not a number, or the smallest size is above the largest.
    pub fn validate(&self) -> Result<(), AugmentError> {
        let [low, high] = self.scale;
        let keys = [
            ("probability", self.probability, 0.0, 1.0, "from 0 to 1"),
            ("scale", low, 0.05, 4.0, "from 0.05 to 4"),
            ("scale", high, low, 4.0, "an ascending range up to 4"),
        ];
        for (key, value, start, end, range) in keys {
            if !(start..=end).contains(&value) {
                return Err(AugmentError {
                    key,
                    range,
                    value: f64::from(value),
                });
            }
        }
        Ok(())
    }

    /// With its probability, joins the image at `at` with three others, drawn at random and repeated where there
    /// are few, on a square canvas; otherwise scales it to fit and centers it. The canvas is gray.
    ///
    /// Boxes are clipped to what is seen of their image; one is kept if a quarter of its area and 2 pixels of each
    /// side remain.
    ///
    /// # Panics
    ///
    /// If there is no image at `at`, `side` is 0, or the images differ in their number of channels.
    pub fn apply(
        &self,
        samples: &[ImageSample<Vec<BoundingBox>>],
        at: usize,
        side: usize,
        rng: &mut Stream,
    ) -> ImageSample<Vec<BoundingBox>> {
        augment_boxes(&Augment::default(), self, samples, at, side, rng)
    }

    /// Where the images of a mosaic, or the only one, lie on the canvas.
    pub(super) fn tiles(
        &self,
        samples: &[ImageSample<Vec<BoundingBox>>],
        at: usize,
        side: usize,
        rng: &mut Stream,
    ) -> Vec<Tile> {
        let size = |sample: usize| [samples[sample].image.height, samples[sample].image.width];
        if self.probability == 0.0 || uniform(rng) >= self.probability {
            return vec![Tile::centered(at, size(at), side)];
        }
        let mut draw = |[low, high]: [f64; 2]| low + (high - low) * f64::from(uniform(rng));
        let side = side as f64;
        let [x, y] = [0, 1].map(|_| (side * draw(CENTER)).round());
        let scale = self.scale.map(f64::from);
        let quarters = [
            [0.0, 0.0, x, y],
            [x, 0.0, side, y],
            [0.0, y, x, side],
            [x, y, side, side],
        ];
        let draws = quarters.map(|_| [draw(scale), draw([0.0, 1.0]), draw([0.0, 1.0])]);
        // The image that is asked for may be in any quarter.
        let first = below(rng, 4);
        let tiles = quarters.into_iter().zip(draws).enumerate();
        let tiles = tiles.map(|(quarter, (window, [scale, right, down]))| {
            let sample = if quarter == first {
                at
            } else {
                below(rng, samples.len())
            };
            Tile::in_window(sample, size(sample), side * scale, window, [right, down])
        });
        tiles.collect()
    }
}

/// Augments an image with boxes: a [`Mosaic`] or the whole image scaled to fit, then the geometry and colors of
/// [`Augment`]. The result is a square of `side` pixels, gray where nothing is.
///
/// Scale and shift of [`Augment`] apply to the size that fits the input, and are computed in one step with it, so
/// that an image is resized once. Boxes are clipped to what is seen of their image; one is kept if a quarter of
/// its area and 2 pixels of each side remain.
///
/// # Panics
///
/// If there is no image at `at`, `side` is 0, or the images differ in their number of channels.
pub fn augment_boxes(
    augment: &Augment,
    mosaic: &Mosaic,
    samples: &[ImageSample<Vec<BoundingBox>>],
    at: usize,
    side: usize,
    rng: &mut Stream,
) -> ImageSample<Vec<BoundingBox>> {
    let channels = samples[at].image.channels;
    let mut tiles = mosaic.tiles(samples, at, side, rng);
    let mut params = augment.sample([side, side, channels], rng);
    if let Some(warp) = params.geometry.warp.take_if(|warp| is_zoom(warp)) {
        for tile in &mut tiles {
            tile.zoom(&warp, side as f64);
        }
    }
    let mut canvas = Canvas::new(side, channels);
    let mut boxes = Boxes::default();
    for tile in &tiles {
        let sample = &samples[tile.sample];
        if let Some(placed) = canvas.draw(&sample.image, tile) {
            boxes.add(&sample.target, &placed);
        }
    }
    let target = boxes.transformed(&params.geometry, side);
    let image = params.apply_image_on(canvas.image, super::canvas::GRAY);
    ImageSample { image, target }
}

/// Whether a warp only scales and shifts.
fn is_zoom(warp: &Warp) -> bool {
    warp.angle == 0.0 && warp.shear == 0.0
}
