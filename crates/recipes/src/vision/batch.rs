//! From images to tensors: augmentation, normalization, blending.

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use tinderbox_datasets::image::{Augment, Image, ImageSample, LabeledImage, Mix};
use tinderbox_datasets::loader::{BatchContext, Collate};

use tinderbox_predict::vision::Normalize;
use tinderbox_train::classify::{LabeledBatch, Mixed};

use super::data::DataError;

/// Most images that the statistics of a training split are taken from.
const MAX_MEASURED: usize = 10_000;

/// Measures the mean and standard deviation of each channel on a training split, or on evenly spread
/// images of a large one.
///
/// # Errors
///
/// If an image cannot be loaded.
pub fn measure<T>(
    images: &dyn Dataset<ImageSample<T>>,
    channels: usize,
) -> Result<Normalize, DataError> {
    let every = images.len().div_ceil(MAX_MEASURED).max(1);
    // Whole numbers add up to the same sum in any order.
    let mut sums = vec![(0_u64, 0_u64); channels];
    let mut pixels = 0_u64;
    for index in (0..images.len()).step_by(every) {
        let Image { pixels: values, .. } = images.get(index).map_err(DataError::Image)?.image;
        pixels += (values.len() / channels) as u64;
        for pixel in values.chunks_exact(channels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                let value = u64::from(value);
                *sum = (sum.0 + value, sum.1 + value * value);
            }
        }
    }
    let count = pixels.max(1) as f64;
    let statistics = sums.iter().map(|&(sum, squares)| {
        let mean = sum as f64 / count / 255.0;
        let variance = squares as f64 / count / (255.0 * 255.0) - mean * mean;
        // A channel that never changes is left at 0 instead of divided by 0.
        let std = if variance > 1e-8 {
            variance.sqrt()
        } else {
            1.0
        };
        (mean as f32, std as f32)
    });
    let (mean, std) = statistics.unzip();
    Ok(Normalize { mean, std })
}

/// Makes batches for an image classifier.
#[derive(Clone, Debug)]
pub struct ImageCollate {
    normalize: Normalize,
    augment: Augment,
}

impl ImageCollate {
    /// For training: images are augmented first.
    pub fn train(normalize: Normalize, augment: Augment) -> Self {
        Self { normalize, augment }
    }

    /// For anything else: images are taken as they are.
    pub fn eval(normalize: Normalize) -> Self {
        Self {
            normalize,
            augment: Augment::default(),
        }
    }
}

/// An image of another shape than the first of its batch.
#[derive(Debug, thiserror::Error)]
#[error("an image is {found:?} (height, width, channels), and the others are {expected:?}")]
struct ShapeError {
    found: [usize; 3],
    expected: [usize; 3],
}

impl Collate<LabeledImage, LabeledBatch<Tensor<4>>> for ImageCollate {
    fn collate(
        &self,
        items: Vec<LabeledImage>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<LabeledBatch<Tensor<4>>, DatasetError> {
        let labels: Vec<i32> = items.iter().map(|item| i32::from(item.target)).collect();
        let images: Vec<Image> = if self.augment.is_none() {
            items.into_iter().map(|item| item.image).collect()
        } else {
            let augment = |(at, item): (usize, LabeledImage)| {
                self.augment.apply(item.image, &mut context.item_stream(at))
            };
            items.into_iter().enumerate().map(augment).collect()
        };
        let shape = check_shapes(&images, self.normalize.mean.len())?;
        let mut values = self.normalize.values(&images);
        let [height, width, channels] = shape;
        let batch = images.len();
        let mix = self
            .augment
            .sample_mix(height, width, &mut context.batch_stream());
        if let Some(mix) = &mix {
            mix.blend(&mut values, batch, channels, height, width);
        }
        let shape = [batch, channels, height, width];
        let tensor = |labels: Vec<i32>| {
            Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), device)
        };
        let mixed = mix.map(|Mix { weight, .. }| {
            let mut partners = labels.clone();
            partners.rotate_left(1);
            Mixed {
                labels: tensor(partners),
                weight,
            }
        });
        let inputs = Tensor::from_data(TensorData::new(values, shape), device);
        Ok(LabeledBatch {
            inputs,
            labels: tensor(labels),
            mixed,
        })
    }
}

/// `[height, width, channels]` of images that must all have it.
pub(super) fn check_shapes(images: &[Image], channels: usize) -> Result<[usize; 3], DatasetError> {
    let shape = |image: &Image| [image.height, image.width, image.channels];
    let first = images.first().map_or([0, 0, channels], shape);
    let expected = [first[0], first[1], channels];
    match images.iter().map(shape).find(|&found| found != expected) {
        Some(found) => Err(DatasetError::new(ShapeError { found, expected })),
        None => Ok(expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::data::dataset::InMemDataset;

    fn image(pixels: [u8; 6]) -> LabeledImage {
        LabeledImage {
            image: Image {
                height: 1,
                width: 2,
                channels: 3,
                pixels: pixels.to_vec(),
            },
            target: 1,
        }
    }

    #[test]
    fn channels_are_measured_and_normalized_apart() {
        let items = vec![image([0, 255, 7, 255, 255, 7])];
        let set = InMemDataset::new(items.clone());
        let normalize = measure(&set, 3).unwrap();
        assert_eq!(normalize.mean, [0.5, 1.0, 7.0 / 255.0]);
        assert_eq!(normalize.std, [0.5, 1.0, 1.0]);
        let batch = normalize.batch(&[items[0].image.clone()], &Device::flex());
        assert_eq!(batch.dims(), [1, 3, 1, 2]);
        let values = batch.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(values, [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn an_odd_image_is_an_error() {
        let mut odd = image([0; 6]);
        odd.image.width = 1;
        odd.image.pixels.truncate(3);
        let collate = ImageCollate::eval(Normalize {
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
        });
        let context = BatchContext {
            seed: 0,
            epoch: 1,
            batch: 0,
            rank: 0,
            indices: vec![0, 1],
        };
        let result = collate.collate(vec![image([0; 6]), odd], &context, &Device::flex());
        assert!(result.unwrap_err().to_string().contains("[1, 1, 3]"));
    }
}
