//! From faces to crops and tensors.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_datasets::flip_order;
use tinderbox_datasets::image::{Augment, Image};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_datasets::random::{Stream, symmetric, uniform};
use tinderbox_predict::vision::{CropFrame, Normalize};
use tinderbox_train::landmarks::LandmarkBatch;

use super::data::{Face, scale_of};

/// Makes crops of faces.
#[derive(Clone, Debug)]
pub(super) struct FaceCollate {
    pub(super) normalize: Normalize,
    /// Side of a crop.
    pub(super) size: usize,
    pub(super) margin: f32,
    /// Changes of training crops; none for anything else.
    pub(super) augment: Option<Augment>,
}

/// A crop with its points, in its own coordinates from -1 to 1.
#[derive(Clone, Debug)]
pub(super) struct Crop {
    pub(super) image: Image,
    pub(super) points: Vec<[f32; 2]>,
}

impl FaceCollate {
    /// The plain crop of a face.
    pub(super) fn plain(&self, face: &Face) -> Crop {
        let frame = CropFrame::around_points(&face.target, self.margin);
        self.cut(face, frame)
    }

    /// A changed crop of a face; the plain one without changes.
    pub(super) fn changed(&self, face: &Face, rng: &mut Stream) -> Crop {
        let Some(augment) = &self.augment else {
            return self.plain(face);
        };
        let frame = CropFrame::around_points(&face.target, self.margin);
        let side = 2.0 * frame.half;
        let mut shift = || side * symmetric(rng, augment.shift);
        let center = [frame.center[0] + shift(), frame.center[1] + shift()];
        let frame = CropFrame {
            center,
            half: frame.half * (1.0 + symmetric(rng, augment.scale)),
            angle: symmetric(rng, augment.rotate).to_radians(),
            flip: uniform(rng) < augment.flip,
        };
        let crop = self.cut(face, frame);
        let colors = Augment {
            shift: 0.0,
            scale: 0.0,
            rotate: 0.0,
            flip: 0.0,
            ..augment.clone()
        };
        Crop {
            image: colors.apply(crop.image, rng),
            ..crop
        }
    }

    fn cut(&self, face: &Face, frame: CropFrame) -> Crop {
        let points: Vec<[f32; 2]> = face
            .target
            .iter()
            .map(|&point| frame.to_crop(point))
            .collect();
        let order = flip_order(points.len()).filter(|_| frame.flip);
        let points = match order {
            Some(order) => order.into_iter().map(|at| points[at]).collect(),
            None => points,
        };
        Crop {
            image: frame.cut(&face.image, self.size),
            points,
        }
    }

    /// Crops as a batch.
    pub(super) fn batch(&self, crops: Vec<Crop>, device: &Device) -> LandmarkBatch {
        let count = crops.len();
        let scales: Vec<f32> = crops.iter().map(|crop| scale_of(&crop.points)).collect();
        let points: Vec<f32> = crops.iter().flat_map(|crop| crop.points.concat()).collect();
        let images: Vec<Image> = crops.into_iter().map(|crop| crop.image).collect();
        let shape = [count, points.len() / count.max(1)];
        LandmarkBatch {
            images: self.normalize.batch(&images, device),
            points: Tensor::from_data(TensorData::new(points, shape), device),
            scales: Tensor::from_data(TensorData::new(scales, [count]), device),
        }
    }
}

impl Collate<Face, LandmarkBatch> for FaceCollate {
    fn collate(
        &self,
        items: Vec<Face>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<LandmarkBatch, DatasetError> {
        let crops = items.iter().enumerate();
        let crops = crops.map(|(at, face)| self.changed(face, &mut context.item_stream(at)));
        Ok(self.batch(crops.collect(), device))
    }
}
