//! Landmarks: images with faces to the points on them.

mod crop;
mod net;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::flip_order;
use tinderbox_datasets::image::{Image, MAX_PIXELS, MAX_SIDE, bounds_of, decode_full};

pub use crop::CropFrame;
pub use net::{LandmarkModel, LandmarkModelConfig};

use super::Normalize;
use crate::model_dir::ModelError;
use crate::prediction::FoundFace;
use crate::{ModelFiles, PredictError, Prediction};

/// Most crops that go through the network at once.
const BATCH: usize = 32;

/// How often a face that was found in a box is searched again, in the box around its points.
const REFINED: usize = 1;

/// The same for a face that was searched in a whole image.
const REFINED_WHOLE: usize = 3;

/// Side of the square in the middle of a whole image in which a face is searched, in its shorter sides.
const WHOLE: f32 = 0.6;

/// The input of a network of landmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LandmarkInput {
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Side of a crop, in pixels.
    pub size: usize,
    /// Share of the longer side of the box around the points that the crop is larger by, on each side.
    pub margin: f32,
    /// Number of points.
    pub points: usize,
    /// Whether the points are the mean of those in the crop and in the mirrored crop.
    pub average_flip: bool,
}

/// The content of `model.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LandmarkerSpec {
    /// [`Landmarker::KIND`].
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// The network.
    pub model: LandmarkModelConfig,
    /// How images are brought to the input.
    pub input: LandmarkInput,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// Where the training data is and how it was split, for a later evaluation.
    pub training: Value,
}

/// The square in the middle of an image.
fn middle_of(image: &Image) -> CropFrame {
    let [width, height] = [image.width as f32, image.height as f32];
    CropFrame {
        center: [0.5 * width, 0.5 * height],
        half: 0.5 * WHOLE * width.min(height),
        angle: 0.0,
        flip: false,
    }
}

impl LandmarkerSpec {
    fn check(&self, files: &ModelFiles) -> Result<(), ModelError> {
        let input = &self.input;
        if !matches!(input.channels, 1 | 3) || !(1..=MAX_SIDE).contains(&input.size) {
            return Err(files.refuse("`input` has a size or a number of channels out of range"));
        }
        if !(0.0..=2.0).contains(&input.margin) || input.points == 0 {
            return Err(files.refuse("`input` has a margin or a number of points out of range"));
        }
        if input.average_flip && flip_order(input.points).is_none() {
            return Err(files.refuse("`input.average_flip` needs the 68 points of iBUG"));
        }
        let Normalize { mean, std } = &self.normalize;
        if [mean.len(), std.len()] != [input.channels; 2] {
            return Err(files.refuse("`normalize` does not fit `input.channels`"));
        }
        Ok(())
    }
}

/// A trained network of landmarks.
#[derive(Clone, Debug)]
pub struct Landmarker {
    model: LandmarkModel,
    spec: LandmarkerSpec,
    device: Device,
}

impl Landmarker {
    /// The `kind` in `model.json`.
    pub const KIND: &'static str = "landmarker";

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or not of landmarks.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: LandmarkerSpec = files.spec(Self::KIND)?;
        spec.check(files)?;
        let input = &spec.input;
        let model = spec
            .model
            .init([input.size, input.channels, input.points], device);
        let model = model.map_err(|error| files.refuse(error))?;
        let model = files.weights(0, |bytes| model.with_bytes(bytes))?;
        Ok(Self::new(model, spec, device))
    }

    /// A model of its parts.
    pub fn new(model: LandmarkModel, spec: LandmarkerSpec, device: &Device) -> Self {
        Self {
            model,
            spec,
            device: device.clone().inner(),
        }
    }

    /// The device that it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &LandmarkerSpec {
        &self.spec
    }

    /// The network.
    pub fn model(&self) -> &LandmarkModel {
        &self.model
    }

    /// Decodes an image file at its own size, turned as its EXIF note says; `name` is its name in an
    /// error.
    ///
    /// # Errors
    ///
    /// If it is no image, is damaged, or claims too many pixels.
    pub fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        decode_full(bytes, name, self.spec.input.channels, MAX_PIXELS).map_err(PredictError::input)
    }

    /// The points in each of some squares in images, in pixels of the image.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn find(&self, crops: &[(&Image, CropFrame)]) -> Result<Vec<Vec<[f32; 2]>>, PredictError> {
        let mut found = self.run(crops)?;
        if let Some(order) = self.flip_order() {
            let mirrored: Vec<_> = crops
                .iter()
                .map(|(image, frame)| (*image, frame.flipped()))
                .collect();
            let mirrored = self.run(&mirrored)?;
            for (own, other) in found.iter_mut().zip(mirrored) {
                for (point, &at) in own.iter_mut().zip(&order) {
                    *point = std::array::from_fn(|axis| 0.5 * (point[axis] + other[at][axis]));
                }
            }
        }
        Ok(found)
    }

    fn flip_order(&self) -> Option<Vec<usize>> {
        let input = &self.spec.input;
        input
            .average_flip
            .then(|| flip_order(input.points))
            .flatten()
    }

    fn run(&self, crops: &[(&Image, CropFrame)]) -> Result<Vec<Vec<[f32; 2]>>, PredictError> {
        let input = &self.spec.input;
        let mut all = Vec::with_capacity(crops.len());
        for batch in crops.chunks(BATCH) {
            let images: Vec<Image> = batch
                .iter()
                .map(|(image, frame)| frame.cut(image, input.size))
                .collect();
            let points = self
                .model
                .forward(self.spec.normalize.batch(&images, &self.device));
            let points = points
                .try_into_vec_as::<f32>()
                .map_err(PredictError::device)?;
            for ((_, frame), points) in batch.iter().zip(points.chunks_exact(2 * input.points)) {
                let points = points
                    .chunks_exact(2)
                    .map(|uv| frame.to_image([uv[0], uv[1]]));
                all.push(points.collect());
            }
        }
        Ok(all)
    }

    /// The points of a face in a box of left, top, right and bottom edge, or near the middle of the image. A face is searched
    /// again in the box around its points, because the first box is rough.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn locate(
        &self,
        image: &Image,
        bounds: Option<[f32; 4]>,
    ) -> Result<Vec<[f32; 2]>, PredictError> {
        let margin = self.spec.input.margin;
        let mut frame = match bounds {
            Some(bounds) => CropFrame::around_box(bounds, margin),
            None => middle_of(image),
        };
        let refined = if bounds.is_some() {
            REFINED
        } else {
            REFINED_WHOLE
        };
        let mut points = self.find(&[(image, frame)])?.concat();
        for _ in 0..refined {
            let next = CropFrame::around_points(&points, margin);
            // A network that is lost must not leave the image.
            if !next.half.is_finite() || next.half < 2.0 || next.half > 2.0 * frame.half {
                break;
            }
            frame = next;
            points = self.find(&[(image, frame)])?.concat();
        }
        Ok(points)
    }

    /// The prediction for an image of `[height, width]` pixels with the points of each face; `output` is the file
    /// with the image that was drawn of it, if one was.
    pub fn prediction(
        &self,
        [height, width]: [usize; 2],
        faces: &[Vec<[f32; 2]>],
        output: Option<String>,
    ) -> Prediction {
        let faces = faces.iter().map(|points| FoundFace {
            bounds: bounds_of(points),
            points: points.clone(),
        });
        Prediction::Landmarks {
            height,
            width,
            faces: faces.collect(),
            output,
        }
    }
}
