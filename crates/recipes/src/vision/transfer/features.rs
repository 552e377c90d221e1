//! The features of images, computed once.

use burn::tensor::{Device, Tensor};
use burn::train::Interrupter;
use tinderbox_datasets::parallel_map;
use tinderbox_models::vision::ImageBackbone;
use tinderbox_predict::PredictError;
use tinderbox_predict::vision::{ImageModel, Normalize, PublishedModel};
use tinderbox_train::{FitError, TaskError, TrainError};

use super::cache::{Cache, View};
use crate::vision::data::{DataError, ImageData};

/// Images that are decoded and go through the network together.
const BATCH: usize = 16;

/// The features of some images, with their classes.
#[derive(Clone, Debug, Default)]
pub(in crate::vision) struct Features {
    /// Number of features of an image.
    pub(in crate::vision) width: usize,
    /// Those of the images as they are, image after image.
    pub(super) plain: Vec<f32>,
    /// Those of the mirrored images; empty without.
    pub(super) flipped: Vec<f32>,
    /// Class of each image.
    pub(super) labels: Vec<u16>,
    /// Hash of the content of each image.
    pub(super) contents: Vec<u64>,
}

/// Computes features with the published network, and keeps them in the user's cache folder.
pub(in crate::vision) struct Extractor<'a> {
    data: &'a ImageData,
    net: ImageModel,
    normalize: Normalize,
    device: Device,
    cache: Cache,
    interrupter: Interrupter,
}

impl<'a> Extractor<'a> {
    /// For images that are decoded as the network needs them.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read.
    pub(in crate::vision) fn new(
        weights: &PublishedModel,
        data: &'a ImageData,
        device: &Device,
        interrupter: Interrupter,
    ) -> Result<Self, TaskError> {
        let device = device.clone().inner();
        Ok(Self {
            data,
            net: weights.load(&device).map_err(TaskError::user)?,
            normalize: weights.normalize.clone(),
            cache: Cache::open(&weights.digest, &data.decode, &weights.normalize, &device),
            device,
            interrupter,
        })
    }

    /// The features of some images, and those of the mirrored ones if `flip`; `done` hears how many images
    /// are done.
    ///
    /// # Errors
    ///
    /// If an image cannot be loaded, the device fails, or the interrupter stops it.
    pub(in crate::vision) fn features(
        &mut self,
        rows: &[usize],
        flip: bool,
        mut done: impl FnMut(usize),
    ) -> Result<Features, TaskError> {
        let d_features = self.net.backbone().map_or(0, ImageBackbone::d_features);
        let mut features = Features {
            width: d_features,
            labels: self.data.labels_of(rows),
            contents: self.data.contents_of(rows),
            ..Features::default()
        };
        for (index, batch) in rows.chunks(BATCH).enumerate() {
            if self.interrupter.should_stop() {
                let stopped = FitError::from(TrainError::Interrupted { step: 0 });
                return Err(stopped.into());
            }
            self.batch(batch, flip, &mut features)?;
            done(index * BATCH + batch.len());
        }
        Ok(features)
    }

    /// A line on why features are not kept, if they are not.
    pub(in crate::vision) fn warning(&self) -> Option<String> {
        self.cache.warning()
    }

    fn batch(&mut self, rows: &[usize], flip: bool, to: &mut Features) -> Result<(), TaskError> {
        let contents = self.data.contents_of(rows);
        let views = if flip {
            &[View::Plain, View::Flipped][..]
        } else {
            &[View::Plain]
        };
        let cached = |view: View| -> Option<Vec<Vec<f32>>> {
            let of = |&content: &u64| self.cache.get(content, view, to.width);
            contents.iter().map(of).collect()
        };
        // A batch is computed as a whole, so that a value never depends on what the cache had.
        let found: Option<Vec<_>> = views.iter().map(|&view| cached(view)).collect();
        let found = match found {
            Some(found) => found,
            None => self.compute(rows, &contents, views, to.width)?,
        };
        for (view, features) in views.iter().zip(found) {
            let to = match view {
                View::Plain => &mut to.plain,
                View::Flipped => &mut to.flipped,
            };
            to.extend(features.into_iter().flatten());
        }
        Ok(())
    }

    fn compute(
        &mut self,
        rows: &[usize],
        contents: &[u64],
        views: &[View],
        d_features: usize,
    ) -> Result<Vec<Vec<Vec<f32>>>, TaskError> {
        let images = parallel_map(rows, |&row| self.data.images.get(row));
        let images: Result<Vec<_>, _> = images
            .into_iter()
            .map(|item| item.map(|item| item.image))
            .collect();
        let images = images.map_err(DataError::Image)?;
        let inputs = self.normalize.batch(&images, &self.device);
        let mut all = Vec::new();
        for &view in views {
            let inputs = match view {
                View::Plain => inputs.clone(),
                View::Flipped => inputs.clone().flip([3]),
            };
            let values = self.forward(inputs)?;
            let features: Vec<Vec<f32>> = values
                .chunks_exact(d_features)
                .map(<[f32]>::to_vec)
                .collect();
            for (&content, features) in contents.iter().zip(&features) {
                self.cache.put(content, view, features);
            }
            all.push(features);
        }
        Ok(all)
    }

    fn forward(&self, inputs: Tensor<4>) -> Result<Vec<f32>, TaskError> {
        let Some(net) = self.net.backbone() else {
            return Ok(Vec::new());
        };
        let values = net.forward_features(inputs).try_into_vec_as::<f32>();
        Ok(values.map_err(PredictError::device)?)
    }
}
