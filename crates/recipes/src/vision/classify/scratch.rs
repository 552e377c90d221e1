//! The network of published weights, trained from scratch, to compare with.

use std::sync::Arc;
use std::time::Instant;

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use burn::train::metric::AccuracyMetric;
use tinderbox_datasets::image::{Image, LabeledImage};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_predict::vision::ImageEnsemble;
use tinderbox_train::classify::Classifier;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Options, Splits, TaskError, Trainer, init_seeded};

use super::ImageClassification;
use super::evaluate::{eval_loader, predict_all};
use crate::vision::batch::ImageCollate;

/// Epochs of the baseline: enough to learn something, few enough to wait for.
const EPOCHS: usize = 5;

/// Longest side of the images of the baseline, in pixels.
const SIDE: usize = 112;

impl ImageClassification {
    /// Trains the network from random weights on smaller images, and evaluates it on the test split.
    pub(super) fn scratch_baseline(
        &self,
        splits: &Splits,
        device: &Device,
        options: &Options,
    ) -> Result<BaselineReport, TaskError> {
        let started = Instant::now();
        let [height, width, channels] = self.data.shape();
        let factor = factor(height, width, SIDE);
        let shape = [height / factor, width / factor, channels];
        let mut config = self.recipe.train_config();
        config.train.epochs = EPOCHS;
        config.train.budget.clear();
        let train = &config.train;
        let autodiff = device.clone().autodiff();
        let net = init_seeded(train.seed, &autodiff, || {
            self.recipe
                .model
                .init(shape, self.data.classes.len(), &autodiff)
        })?;
        let loader = LoaderConfig::train(train.batch_size, train.seed).with_workers(train.workers);
        let collate = ImageCollate::train(self.normalize.clone(), self.recipe.augment.clone());
        let loader = Loader::new(self.pooled(&splits.train, factor)?, collate, loader, device)?;
        let (normalize, workers) = (&self.normalize, train.workers);
        let of = |rows: &[usize], device: &Device| {
            let images = self.pooled(rows, factor)?;
            Ok::<_, TaskError>(eval_loader(&images, normalize, workers, device)?)
        };
        let valid = of(&splits.valid, device)?;
        let trainer = Trainer::new(config).interrupter(options.interrupter.clone());
        let model = Classifier::new(net, self.recipe.loss.clone());
        let trained = trainer.fit(model, loader, valid, |training| {
            training.metrics((AccuracyMetric::new(),))
        })?;
        let ensemble = ImageEnsemble {
            views: self.recipe.views(normalize),
            ..ImageEnsemble::new(vec![trained.model.net])
        };
        let predictions = predict_all(&ensemble, &of(&splits.test, &device.clone().inner())?)?;
        let evaluation = Evaluation::Classes(predictions);
        Ok(BaselineReport {
            result: Baseline {
                method: format!(
                    "same network from scratch ({EPOCHS} epochs, {}x{})",
                    shape[0], shape[1]
                ),
                samples: splits.train.len(),
                wall_s: started.elapsed().as_secs_f64(),
                threshold: None,
                test: evaluation.metrics(),
            },
            evaluation,
        })
    }

    fn pooled(
        &self,
        rows: &[usize],
        factor: usize,
    ) -> Result<Arc<dyn Dataset<LabeledImage>>, TaskError> {
        let images = self.data.select(rows.to_vec())?;
        Ok(Arc::new(Pooled { images, factor }))
    }
}

/// By how much images are scaled down so that no side is longer than `most`.
pub(super) fn factor(height: usize, width: usize, most: usize) -> usize {
    height.max(width).div_ceil(most).clamp(1, height.min(width))
}

/// An image whose pixels are the means of squares of `factor` pixels; an incomplete square at the right or
/// the bottom is left out.
pub(super) fn pool(image: Image, factor: usize) -> Image {
    if factor == 1 {
        return image;
    }
    let channels = image.channels;
    let (height, width) = (image.height / factor, image.width / factor);
    let mut pixels = Vec::with_capacity(height * width * channels);
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        for channel in 0..channels {
            let mut sum = 0;
            for down in 0..factor {
                let start = (row * factor + down) * image.width + column * factor;
                let line = &image.pixels[start * channels..][..factor * channels];
                let values = line.iter().skip(channel).step_by(channels);
                sum += values.map(|&value| u32::from(value)).sum::<u32>();
            }
            let area = (factor * factor) as u32;
            pixels.push(((sum + area / 2) / area) as u8);
        }
    }
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

/// Images that are scaled down.
struct Pooled {
    images: Arc<dyn Dataset<LabeledImage>>,
    factor: usize,
}

impl Dataset<LabeledImage> for Pooled {
    fn get(&self, index: usize) -> Result<LabeledImage, DatasetError> {
        let item = self.images.get(index)?;
        Ok(LabeledImage {
            image: pool(item.image, self.factor),
            ..item
        })
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_of_a_smaller_image_is_the_mean_of_a_square() {
        let image = Image {
            height: 2,
            width: 5,
            channels: 2,
            pixels: vec![
                0, 10, 4, 10, 8, 0, 8, 1, 99, 99, //
                4, 10, 8, 10, 8, 0, 8, 0, 99, 99,
            ],
        };
        let small = pool(image, 2);
        assert_eq!((small.height, small.width), (1, 2));
        assert_eq!(small.pixels, [4, 10, 8, 0]);
        assert_eq!(factor(224, 224, 64), 4);
        assert_eq!(factor(32, 32, 64), 1);
    }
}
