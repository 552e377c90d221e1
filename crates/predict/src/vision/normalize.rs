//! Normalization of images: from bytes to the values that a network reads.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::Image;

/// Mean and standard deviation of each channel, of values in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalize {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, never 0.
    pub std: Vec<f32>,
}

impl Normalize {
    /// The values of images of one shape, `[batch, channels, height, width]`.
    pub fn values(&self, images: &[Image]) -> Vec<f32> {
        let channels = self.mean.len();
        let total: usize = images.iter().map(|image| image.pixels.len()).sum();
        let mut values = Vec::with_capacity(total);
        // 256 possible values a channel: a table beats arithmetic.
        let tables: Vec<Vec<f32>> = self
            .mean
            .iter()
            .zip(&self.std)
            .map(|(mean, std)| {
                (0..=255_u8)
                    .map(|value| (f32::from(value) / 255.0 - mean) / std)
                    .collect()
            })
            .collect();
        for image in images {
            for (channel, table) in tables.iter().enumerate() {
                let plane = image.pixels.iter().skip(channel).step_by(channels);
                values.extend(plane.map(|&value| table[usize::from(value)]));
            }
        }
        values
    }

    /// The value of black in each channel.
    pub fn black(&self) -> Vec<f32> {
        let channels = self.mean.iter().zip(&self.std);
        channels.map(|(mean, std)| -mean / std).collect()
    }

    /// Images of one shape on a device, `[batch, channels, height, width]`.
    pub fn batch(&self, images: &[Image], device: &Device) -> Tensor<4> {
        let (height, width) = images
            .first()
            .map_or((0, 0), |image| (image.height, image.width));
        let shape = [images.len(), self.mean.len(), height, width];
        Tensor::from_data(TensorData::new(self.values(images), shape), device)
    }
}
