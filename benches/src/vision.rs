//! Networks for images that no recipe has, as ones that score classes.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tinderbox_models::ConfigError;
use tinderbox_models::vision::{
    CellGrid, EfficientNetLite, EfficientNetLiteConfig, UNet, UNetConfig,
};
use tinderbox_predict::vision::{DetectionModel, DetectionModelConfig};
use tinderbox_predict::{Classify, Detect as _};
use tinderbox_train::classify::LabeledBatch;

use crate::net::{images, labels};

/// A class for every image.
#[derive(Module, Debug)]
pub(crate) struct Lite {
    net: EfficientNetLite,
}

impl Lite {
    pub(crate) fn init(
        config: &EfficientNetLiteConfig,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let net = config.init(device);
        Ok(Self { net })
    }
}

impl Classify for Lite {
    type Input = Tensor<4>;

    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        self.net.forward(images)
    }
}

/// A class for every pixel: the loss is the mean cross-entropy of all pixels.
#[derive(Module, Debug)]
pub(crate) struct PerPixel {
    net: UNet,
}

impl PerPixel {
    pub(crate) fn init(config: &UNetConfig, device: &Device) -> Result<Self, ConfigError> {
        config.validate()?;
        let net = config.init(device);
        Ok(Self { net })
    }
}

impl Classify for PerPixel {
    type Input = Tensor<4>;

    /// The output is `[batch * height * width, classes]`.
    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        let scores = self.net.forward(images);
        let [batch, classes, height, width] = scores.dims();
        let scores = scores.permute([0, 2, 3, 1]);
        scores.reshape([batch * height * width, classes])
    }
}

/// All that a detector predicts for a cell, as scores of classes: the loss is the mean cross-entropy of all cells.
#[derive(Module, Debug)]
pub(crate) struct PerCell {
    net: DetectionModel,
}

impl PerCell {
    pub(crate) fn init(
        config: &DetectionModelConfig,
        shape: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        let net = config.init(shape[2], classes, device)?;
        Ok(Self { net })
    }
}

impl Classify for PerCell {
    type Input = Tensor<4>;

    /// The output is `[batch * cells, classes + numbers of a box]`.
    fn classify(&self, images: Tensor<4>) -> Tensor<2> {
        let found = self.net.detect(images);
        let parts = [Some(found.classes), found.objectness, Some(found.raw_boxes)];
        Tensor::cat(parts.into_iter().flatten().collect(), 2).flatten(0, 1)
    }
}

/// A batch of noise with a class for every cell of a detector.
pub(crate) fn cells(
    shape: [usize; 3],
    classes: usize,
    size: usize,
    device: &Device,
) -> LabeledBatch<Tensor<4>> {
    let [height, width, _channels] = shape;
    let count = size * CellGrid::new([height, width]).len();
    with_labels(images(shape, classes, size, device), count, classes, device)
}

/// A batch of noise with a class for every pixel, `[size * height * width]`.
pub(crate) fn pixels(
    shape: [usize; 3],
    classes: usize,
    size: usize,
    device: &Device,
) -> LabeledBatch<Tensor<4>> {
    let [height, width, _channels] = shape;
    let count = size * height * width;
    with_labels(images(shape, classes, size, device), count, classes, device)
}

/// A batch with another number of classes to predict.
fn with_labels(
    batch: LabeledBatch<Tensor<4>>,
    count: usize,
    classes: usize,
    device: &Device,
) -> LabeledBatch<Tensor<4>> {
    LabeledBatch {
        labels: labels(classes, count, device),
        ..batch
    }
}
