//! From images with boxes to tensors.

use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use tinderbox_datasets::image::{Augment, BoundingBox, Image, ImageSample, Mosaic, augment_boxes};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_predict::vision::{Normalize, place, scale_image};
use tinderbox_train::detect::DetectionBatch;
use tinderbox_train::metrics::TrueBox;

use super::data::{BoxedImage, learned};

/// Makes batches for a detector.
#[derive(Clone, Debug)]
pub(super) struct BoxCollate {
    pub(super) normalize: Normalize,
    /// Side of the square input.
    pub(super) size: usize,
    /// Changes of training images; none for anything else.
    pub(super) augment: Option<(Augment, Mosaic)>,
}

impl BoxCollate {
    /// The samples as the network sees them: squares.
    pub(super) fn prepare(
        &self,
        samples: &[BoxedImage],
        context: &BatchContext,
    ) -> Vec<BoxedImage> {
        let Some((augment, mosaic)) = &self.augment else {
            return samples.iter().map(|sample| self.whole(sample)).collect();
        };
        let learned = samples.iter().map(|sample| ImageSample {
            image: sample.image.clone(),
            target: learned(&sample.target),
        });
        let learned: Vec<_> = learned.collect();
        let changed = (0..learned.len()).map(|at| {
            let mut rng = context.item_stream(at);
            let sample = augment_boxes(augment, mosaic, &learned, at, self.size, &mut rng);
            ImageSample {
                image: sample.image,
                target: sample.target.into_iter().map(plain).collect(),
            }
        });
        changed.collect()
    }

    /// The whole image in the corner of the square.
    fn whole(&self, sample: &BoxedImage) -> BoxedImage {
        let (image, scale) = scale_image(&sample.image, self.size);
        let target = sample.target.iter().map(|one| TrueBox {
            bounds: BoundingBox {
                x_min: one.bounds.x_min * scale,
                y_min: one.bounds.y_min * scale,
                x_max: one.bounds.x_max * scale,
                y_max: one.bounds.y_max * scale,
                class: one.bounds.class,
            },
            ..*one
        });
        ImageSample {
            image: place(image, [self.size; 2]),
            target: target.collect(),
        }
    }
}

fn plain(bounds: BoundingBox) -> TrueBox {
    TrueBox {
        bounds,
        crowd: false,
        difficult: false,
    }
}

impl Collate<BoxedImage, DetectionBatch> for BoxCollate {
    fn collate(
        &self,
        items: Vec<BoxedImage>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<DetectionBatch, DatasetError> {
        let samples = self.prepare(&items, context);
        let (images, truth): (Vec<Image>, Vec<Vec<TrueBox>>) = samples
            .into_iter()
            .map(|sample| (sample.image, sample.target))
            .unzip();
        Ok(DetectionBatch {
            images: self.normalize.batch(&images, device),
            boxes: truth.iter().map(|truth| learned(truth)).collect(),
            truth,
        })
    }
}
