//! From images with masks to tensors.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_datasets::image::{Augment, CropWindow, IGNORE, Image, ImageSample, Mask};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_datasets::random::Stream;
use tinderbox_predict::vision::{Normalize, mirror_pad};
use tinderbox_train::segment::{SegmentationBatch, SegmentationLoss, boundary_weights};

use crate::vision::batch::check_shapes;

/// Makes batches for a segmentation model.
#[derive(Clone, Debug)]
pub(super) struct MaskCollate {
    pub(super) normalize: Normalize,
    /// Changes of training images; none for anything else.
    pub(super) augment: Option<Augment>,
    /// Side of the random crop of a training image.
    pub(super) crop: Option<usize>,
    /// The number that sides are filled up to a multiple of.
    pub(super) multiple: usize,
    pub(super) loss: SegmentationLoss,
}

impl MaskCollate {
    /// A sample as the network sees it.
    pub(super) fn prepare(
        &self,
        sample: ImageSample<Mask>,
        at: usize,
        context: &BatchContext,
    ) -> ImageSample<Mask> {
        let sample = match &self.augment {
            Some(augment) => self.changed(augment, sample, &mut context.item_stream(at)),
            None => sample,
        };
        let sides = [sample.image.height, sample.image.width];
        pad(
            sample,
            sides.map(|side| side.next_multiple_of(self.multiple)),
        )
    }

    fn changed(
        &self,
        augment: &Augment,
        sample: ImageSample<Mask>,
        rng: &mut Stream,
    ) -> ImageSample<Mask> {
        let least = self.crop.unwrap_or(1);
        let sides = [sample.image.height, sample.image.width];
        let sample = pad(sample, sides.map(|side| side.max(least)));
        let ImageSample { image, target } = sample;
        let params = augment.sample([image.height, image.width, image.channels], rng);
        let (image, target) = (params.apply_image(image), params.apply_mask(target));
        let Some(side) = self.crop else {
            return ImageSample { image, target };
        };
        let window = CropWindow::sample([image.height, image.width], [side; 2], rng);
        ImageSample {
            image: window.apply_image(&image),
            target: window.apply_mask(&target),
        }
    }

    fn weights(&self, samples: &[ImageSample<Mask>]) -> Option<Vec<f32>> {
        let SegmentationLoss {
            boundary,
            boundary_sigma,
            ..
        } = self.loss;
        let (extra, sigma) = (boundary as f32, boundary_sigma as f32);
        (extra > 0.0).then(|| {
            let maps = samples.iter();
            let maps =
                maps.map(|sample| boundary_weights(&sample.target, Some(IGNORE), extra, sigma));
            maps.flatten().collect()
        })
    }
}

/// Fills an image up to a size with its mirror image, whose mask is ignored.
fn pad(sample: ImageSample<Mask>, [height, width]: [usize; 2]) -> ImageSample<Mask> {
    let mask = &sample.target;
    if [mask.height, mask.width] == [height, width] {
        return sample;
    }
    let mut classes = vec![IGNORE; height * width];
    for (row, line) in mask.classes.chunks_exact(mask.width).enumerate() {
        classes[row * width..][..mask.width].copy_from_slice(line);
    }
    ImageSample {
        image: mirror_pad(&sample.image, 0, [height, width]),
        target: Mask {
            height,
            width,
            classes,
        },
    }
}

impl Collate<ImageSample<Mask>, SegmentationBatch> for MaskCollate {
    fn collate(
        &self,
        items: Vec<ImageSample<Mask>>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<SegmentationBatch, DatasetError> {
        let samples = items.into_iter().enumerate();
        let samples = samples.map(|(at, sample)| self.prepare(sample, at, context));
        let samples: Vec<ImageSample<Mask>> = samples.collect();
        let weights = self.weights(&samples);
        let (images, masks): (Vec<Image>, Vec<Mask>) = samples
            .into_iter()
            .map(|sample| (sample.image, sample.target))
            .unzip();
        let [height, width, _] = check_shapes(&images, self.normalize.mean.len())?;
        let shape = [images.len(), height, width];
        let of_pixels = |function: &dyn Fn(u16) -> f32| -> Tensor<3> {
            let classes = masks.iter().flat_map(|mask| &mask.classes);
            let values: Vec<f32> = classes.map(|&class| function(class)).collect();
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let classes = masks.iter().flat_map(|mask| &mask.classes);
        let known = |&class: &u16| {
            if class == IGNORE { 0 } else { i32::from(class) }
        };
        let classes: Vec<i32> = classes.map(known).collect();
        Ok(SegmentationBatch {
            images: self.normalize.batch(&images, device),
            classes: Tensor::from_data(TensorData::new(classes, shape), device),
            valid: of_pixels(&|class| f32::from(u8::from(class != IGNORE))),
            weights: weights
                .map(|weights| Tensor::from_data(TensorData::new(weights, shape), device)),
        })
    }
}
