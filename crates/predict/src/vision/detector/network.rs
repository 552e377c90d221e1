//! A network with its input: images of any size in, boxes in their pixels out.

use burn::tensor::{Device, Tensor, TensorReadError};
use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::{BoundingBox, Detection, Image, resize_image};
use tinderbox_models::vision::{DetectorOutput, STRIDES};

use super::net::DetectionModel;
use super::non_maximum_suppression;
use crate::vision::{Normalize, scaled_size};
use crate::{Detect, PredictError};

/// Most pixels that go through the network at once.
const BATCH_PIXELS: usize = 8 * 416 * 416;

/// Gray around an image that is smaller than its canvas, as in YOLOX.
const BORDER: u8 = 114;

/// The input of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionInput {
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Longer side of a scaled image, in pixels.
    pub size: usize,
    /// Intersection over union from which two boxes of a class are of one object.
    pub max_overlap: f32,
}

/// A network with its input.
#[derive(Clone, Debug)]
pub struct DetectionNetwork {
    /// The network.
    pub model: DetectionModel,
    /// How images are brought to the input.
    pub input: DetectionInput,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// The device that it computes on.
    pub device: Device,
}

/// Scales an image so that its longer side has `size` pixels, and its factor.
pub fn scale_image(image: &Image, size: usize) -> (Image, f32) {
    let [height, width] = scaled_size([image.height, image.width], size);
    let scale = size as f32 / image.height.max(image.width).max(1) as f32;
    (resize_image(image, height, width), scale)
}

/// Puts an image into the top left corner of a gray canvas of `[height, width]` pixels.
///
/// # Panics
///
/// If the canvas is smaller than the image.
pub fn place(image: Image, [height, width]: [usize; 2]) -> Image {
    if [image.height, image.width] == [height, width] {
        return image;
    }
    let channels = image.channels;
    let mut pixels = vec![BORDER; height * width * channels];
    let rows = image.pixels.chunks_exact(image.width * channels);
    for (into, row) in pixels.chunks_exact_mut(width * channels).zip(rows) {
        into[..row.len()].copy_from_slice(row);
    }
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

impl DetectionNetwork {
    /// The objects in each image with at least this score, in its pixels, the best first.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn detect(
        &self,
        images: &[Image],
        threshold: f32,
    ) -> Result<Vec<Vec<Detection>>, PredictError> {
        let canvas = |image: &Image| {
            let scaled = scaled_size([image.height, image.width], self.input.size);
            scaled.map(|side| side.next_multiple_of(STRIDES[STRIDES.len() - 1]))
        };
        let mut all = vec![Vec::new(); images.len()];
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.sort_by_key(|&at| canvas(&images[at]));
        // Images of one canvas go through the network together.
        for group in order.chunk_by(|&a, &b| canvas(&images[a]) == canvas(&images[b])) {
            let size = canvas(&images[group[0]]);
            for batch in group.chunks((BATCH_PIXELS / (size[0] * size[1])).max(1)) {
                let scaled = batch
                    .iter()
                    .map(|&at| scale_image(&images[at], self.input.size));
                let (inputs, scales): (Vec<_>, Vec<_>) = scaled
                    .map(|(image, scale)| (place(image, size), scale))
                    .unzip();
                let found = self.run(&inputs, threshold)?;
                for ((&at, found), scale) in batch.iter().zip(found).zip(scales) {
                    all[at] = in_image(found, scale, &images[at]);
                }
            }
        }
        Ok(all)
    }

    /// Images of one size through the network, after non-maximum suppression.
    fn run(&self, images: &[Image], threshold: f32) -> Result<Vec<Vec<Detection>>, PredictError> {
        let images = self.normalize.batch(images, &self.device);
        let output = self.model.detect(images);
        objects_of(output, threshold, self.input.max_overlap).map_err(PredictError::device)
    }
}

/// The objects in each image with at least this score after non-maximum suppression, in pixels of the input, the
/// best first.
///
/// # Errors
///
/// If the device fails.
pub fn objects_of(
    output: DetectorOutput,
    threshold: f32,
    max_overlap: f32,
) -> Result<Vec<Vec<Detection>>, TensorReadError> {
    let [images, cells, classes] = output.classes.dims();
    let boxes = output.boxes.try_into_vec_as::<f32>()?;
    let scores = output.classes.try_into_vec_as::<f32>()?;
    let objectness = output
        .objectness
        .map(Tensor::try_into_vec_as::<f32>)
        .transpose()?;
    let per_image = (0..images).map(|image| {
        let cells = (image * cells..(image + 1) * cells).map(|cell| Cell {
            bounds: &boxes[4 * cell..][..4],
            classes: &scores[classes * cell..][..classes],
            objectness: objectness.as_ref().map(|values| values[cell]),
        });
        let found = cells.filter_map(|cell| cell.detection(threshold));
        non_maximum_suppression(found.collect(), max_overlap)
    });
    Ok(per_image.collect())
}

/// The prediction of a cell.
struct Cell<'a> {
    bounds: &'a [f32],
    /// The logit of each class.
    classes: &'a [f32],
    /// The logit of an object.
    objectness: Option<f32>,
}

impl Cell<'_> {
    /// The best class, if its score is high enough.
    fn detection(&self, threshold: f32) -> Option<Detection> {
        let object = self.objectness.map_or(1.0, sigmoid);
        if object < threshold {
            return None;
        }
        let classes = self.classes.iter().enumerate();
        // Of equal ones the first.
        let (class, &logit) = classes.rev().max_by(|a, b| a.1.total_cmp(b.1))?;
        let score = object * sigmoid(logit);
        let &[x_min, y_min, x_max, y_max] = self.bounds else {
            return None;
        };
        let bounds = BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            class: class as u16,
        };
        let is_finite = self.bounds.iter().all(|edge| edge.is_finite());
        (score >= threshold && is_finite).then_some(Detection { bounds, score })
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Boxes in the pixels of the image; those outside of it are dropped.
fn in_image(found: Vec<Detection>, scale: f32, image: &Image) -> Vec<Detection> {
    let found = found.into_iter().map(|Detection { bounds, score }| {
        let bounds = BoundingBox {
            x_min: bounds.x_min / scale,
            y_min: bounds.y_min / scale,
            x_max: bounds.x_max / scale,
            y_max: bounds.y_max / scale,
            ..bounds
        };
        Detection {
            bounds: bounds.clip(image.height, image.width),
            score,
        }
    });
    found.filter(|found| found.bounds.area() > 0.0).collect()
}
