//! Landmarks by a cascade of linear steps on the features of a network.
//!
//! The first step reads a whole feature map and says roughly where the points are. Each further one reads the
//! features at the points as they are then, and moves them.
//!
//! Reference: Xiong and De la Torre, *Supervised descent method and its applications to face alignment*, 2013,
//! <https://doi.org/10.1109/CVPR.2013.75>.
//! Differs from it: the first stages of EfficientNet-Lite (Tan and Le, 2019, <https://arxiv.org/abs/1905.11946>)
//! instead of SIFT, and a first step on the whole map instead of the mean shape.
//!
//! | here | shape | in the paper |
//! |---|---|---|
//! | `encoder` | a map for each stage | `h`, the features |
//! | `coarse` | `[d_coarse, 2 * points]` | |
//! | `steps.i` | `[points * d_point, 2 * points]` | `R_k`, `b_k` |
//!
//! Points are in coordinates of the image: -1 is its left or top edge, 1 its right or bottom edge.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::backbone_unet::{BackboneConfig, BackboneKind};
use super::{EfficientNetLiteConfig, EfficientNetLiteEncoder};
use crate::config::{ConfigError, check_parameters, check_range, check_size};
use crate::layers::dense::project;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Side of the map that the first step reads.
const COARSE_SIDE: usize = 6;

/// Most stages of the encoder.
const MAX_STAGES: usize = 7;

/// Most steps.
const MAX_STEPS: usize = 16;

/// Configuration to create a [`LandmarkCascade`] with [`init`](LandmarkCascadeConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct LandmarkCascadeConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of points.
    pub points: usize,
    /// The network whose features are read, an EfficientNet-Lite.
    #[config(default = "BackboneKind::EfficientnetLite0")]
    pub backbone: BackboneKind,
    /// Stages of it that are computed.
    #[config(default = 3)]
    pub stages: usize,
    /// Last of these stages whose features are read at the points.
    #[config(default = 2)]
    pub levels: usize,
    /// Steps after the first one.
    #[config(default = 3)]
    pub steps: usize,
}

data_sized!(LandmarkCascadeConfig::new(in_channels, points));

impl LandmarkCascadeConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("points", self.points)?;
        check_range("stages", self.stages, 1..=MAX_STAGES)?;
        check_range("levels", self.levels, 1..=self.stages)?;
        check_range("steps", self.steps, 0..=MAX_STEPS)?;
        if self.encoder().is_none() {
            let kind = format!("{:?}", self.backbone);
            return Err(ConfigError::new("backbone", kind, "an EfficientNet-Lite"));
        }
        check_parameters(&self.layers([96, 96]))
    }

    fn encoder(&self) -> Option<EfficientNetLiteConfig> {
        match self.backbone.config(self.in_channels) {
            BackboneConfig::EfficientNetLite(config) => Some(config),
            BackboneConfig::ResNet(_) => None,
        }
    }

    /// Channels of each computed stage.
    fn channels(&self) -> Vec<usize> {
        let layers = self.encoder().map(|config| config.layers([96, 96]));
        let layers = layers.unwrap_or_default();
        let mut channels = Vec::new();
        for layer in layers {
            let stage = layer.name.strip_prefix("stages.");
            let stage = stage.and_then(|name| name.split('.').next()?.parse::<usize>().ok());
            if let Some(stage) = stage.filter(|&stage| stage < self.stages) {
                channels.resize(stage + 1, 0);
                channels[stage] = layer.output_shape[0];
            }
        }
        channels
    }

    /// Inputs of the first step, and of each point in the others.
    fn d_inputs(&self) -> [usize; 2] {
        let channels = self.channels();
        let last = channels.last().copied().unwrap_or_default();
        let point = channels.iter().rev().take(self.levels).sum();
        [last * COARSE_SIDE * COARSE_SIDE, point]
    }

    /// Initializes the weights on `device`: random features, and steps that move nothing.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> LandmarkCascade {
        assert_eq!(self.validate(), Ok(()), "invalid LandmarkCascadeConfig");
        let encoder = self.encoder().map(|config| config.init(device));
        let encoder = encoder.map(|net| net.into_encoder(self.stages));
        let [d_coarse, d_point] = self.d_inputs();
        let linear = |d_input| {
            LinearConfig::new(d_input, 2 * self.points)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        LandmarkCascade {
            encoder: encoder.unwrap_or_else(|| unreachable!("validated")),
            coarse: linear(d_coarse),
            steps: (0..self.steps)
                .map(|_| linear(self.points * d_point))
                .collect(),
            levels: self.levels,
        }
    }

    /// Describes the layers of a valid configuration for images of `[height, width]` pixels,
    /// without building them.
    pub fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let layers = self.encoder().map(|config| config.layers(image));
        let kept = |layer: &LayerSummary| {
            let stage = layer.name.strip_prefix("stages.");
            let stage = stage.and_then(|name| name.split('.').next()?.parse::<usize>().ok());
            layer.name.starts_with("stem") || stage.is_some_and(|stage| stage < self.stages)
        };
        let mut layers: Vec<_> = layers.into_iter().flatten().filter(kept).collect();
        for layer in &mut layers {
            layer.name.insert_str(0, "encoder.");
        }
        let [d_coarse, d_point] = self.d_inputs();
        let linear = |name: String, kind: &str, d_input| LayerSummary {
            name,
            kind: kind.into(),
            output_shape: vec![self.points, 2],
            parameters: linear_parameters(d_input, 2 * self.points, true),
        };
        layers.push(linear("coarse".into(), "average + linear", d_coarse));
        for step in 0..self.steps {
            let d_input = d_point.saturating_mul(self.points);
            layers.push(linear(
                format!("steps.{step}"),
                "features at points + linear",
                d_input,
            ));
        }
        layers
    }
}

/// Features of an image, and linear steps from them to its landmarks.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::LandmarkCascadeConfig;
///
/// let device = Device::flex();
/// let model = LandmarkCascadeConfig::new(3, 68).init(&device);
/// let points = model.forward(Tensor::zeros([2, 3, 96, 96], &device));
/// assert_eq!(points.dims(), [2, 136]);
/// ```
#[derive(Module, Debug)]
pub struct LandmarkCascade {
    encoder: EfficientNetLiteEncoder,
    /// From the whole map to the points.
    pub coarse: Linear,
    /// From the features at the points to how they move.
    pub steps: Vec<Linear>,
    #[module(skip)]
    levels: usize,
}

impl LandmarkCascade {
    /// The same with other features.
    #[must_use]
    pub fn with_encoder(self, encoder: EfficientNetLiteEncoder) -> Self {
        Self { encoder, ..self }
    }

    /// Computes x and y of each point, `[batch, 2 * points]`, of images `[batch, channels, height, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.maps(images);
        let mut points = project(&self.coarse, coarse_features(&maps));
        for step in &self.steps {
            let features = point_features(&maps, points.clone());
            points = points + project(step, features);
        }
        points
    }

    /// The feature maps that are read, the last one for the first step.
    pub fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut stages = self.encoder.forward_stages(images);
        stages.split_off(stages.len() - self.levels)
    }
}

/// The input of the first step, `[batch, d_coarse]`: the last map, averaged to 6x6.
pub fn coarse_features(maps: &[Tensor<4>]) -> Tensor<2> {
    let Some(map) = maps.last() else {
        unreachable!("there is a level");
    };
    let [batch, channels, height, width] = map.dims();
    let device = map.device();
    let [rows, columns] = [height, width].map(|side| averaging(side, &device));
    // [6, height] x [batch, channels, height, width] x [width, 6]
    let x = map.clone().matmul(columns.transpose().unsqueeze());
    let x = rows.unsqueeze::<4>().matmul(x);
    x.reshape([batch, channels * COARSE_SIDE * COARSE_SIDE])
}

/// The weights `[6, side]` that average a side to 6 parts.
fn averaging(side: usize, device: &Device) -> Tensor<2> {
    let scale = side as f32 / COARSE_SIDE as f32;
    let weights = (0..COARSE_SIDE).flat_map(|part| {
        let [from, to] = [part, part + 1].map(|edge| edge as f32 * scale);
        (0..side).map(move |at| {
            let overlap = (to.min(at as f32 + 1.0) - from.max(at as f32)).max(0.0);
            overlap / scale
        })
    });
    let weights: Vec<f32> = weights.collect();
    Tensor::<1>::from_floats(weights.as_slice(), device).reshape([COARSE_SIDE, side])
}

/// The input of a further step, `[batch, points * d_point]`: each map at each point `[batch, 2 * points]`, bilinear,
/// and the edge of the map beyond it.
pub fn point_features(maps: &[Tensor<4>], points: Tensor<2>) -> Tensor<2> {
    let [batch, values] = points.dims();
    let points = points.reshape([batch, values / 2, 2]);
    let read = maps.iter().map(|map| {
        let [_, channels, height, width] = map.dims();
        let axis = |at: usize| points.clone().slice([0..batch, 0..values / 2, at..at + 1]);
        // [batch, points, width] and [batch, points, height]
        let [x, y] = [(axis(0), width), (axis(1), height)].map(|(at, side)| tents(at, side));
        // The columns between which a point is, then the rows.
        let columns = map
            .clone()
            .matmul(x.swap_dims(1, 2).reshape([batch, 1, width, values / 2]));
        let weighted = columns * y.swap_dims(1, 2).reshape([batch, 1, height, values / 2]);
        let read = weighted.sum_dim(2);
        read.reshape([batch, channels * (values / 2)])
    });
    Tensor::cat(read.collect(), 1)
}

/// The weight of each of `side` pixels for coordinates `[batch, points, 1]`: `[batch, points, side]`.
fn tents(at: Tensor<3>, side: usize) -> Tensor<3> {
    let device = at.device();
    let last = side as f64 - 1.0;
    let at = ((at + 1.0) * (0.5 * side as f64) - 0.5).clamp(0.0, last);
    let pixels: Vec<f32> = (0..side).map(|pixel| pixel as f32).collect();
    let pixels = Tensor::<1>::from_floats(pixels.as_slice(), &device);
    let distance = at - pixels.reshape([1, 1, side]);
    (-distance.abs() + 1.0).clamp_min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_round_trips, normal, values};

    fn small() -> LandmarkCascadeConfig {
        LandmarkCascadeConfig::new(1, 3)
            .with_stages(2)
            .with_levels(1)
            .with_steps(1)
    }

    #[test]
    fn features_are_read_where_the_points_are() {
        let device = Device::flex();
        // Columns 0, 1, 2, 3 in the first channel, rows in the second.
        let map: Vec<f32> = (0..16)
            .map(|at| (at % 4) as f32)
            .chain((0..16).map(|at| (at / 4) as f32))
            .collect();
        let map = Tensor::<1>::from_floats(map.as_slice(), &device).reshape([1, 2, 4, 4]);
        // The center, the center of the second column of the last row, and far outside.
        let points = Tensor::<2>::from_floats([[0.0, 0.0, -0.25, 0.75, -9.0, 9.0]], &device);
        let read = point_features(&[map], points);
        let read = read.try_into_vec_as::<f32>().unwrap();
        assert_eq!(read, [1.5, 1.0, 0.0, 1.5, 3.0, 3.0]);
    }

    #[test]
    fn the_first_step_reads_averages() {
        let device = Device::flex();
        let map: Vec<f32> = (0..144).map(|at| at as f32).collect();
        let map = Tensor::<1>::from_floats(map.as_slice(), &device).reshape([1, 1, 12, 12]);
        let read = coarse_features(&[map]).try_into_vec_as::<f32>().unwrap();
        // 0, 1, 12 and 13.
        assert_eq!((read.len(), read[0], read[35]), (36, 6.5, 136.5));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let mut model = small().init(&device);
        model.coarse = LinearConfig::new(24 * 36, 6).init(&device);
        model.steps = vec![LinearConfig::new(24 * 3, 6).init(&device)];
        let images = normal([2, 1, 32, 32], &device);
        let both = model.forward(images.clone());
        let alone = model.forward(images.narrow(0, 1, 1));
        assert_close(alone, &values(both.narrow(0, 1, 1)));
        assert_round_trips(&small());
    }

    #[test]
    fn backbones_that_are_not_efficientnet_lite_are_refused() {
        let config = LandmarkCascadeConfig::new(3, 68).with_backbone(BackboneKind::Resnet18);
        assert_eq!(config.validate().unwrap_err().key, "backbone");
        let config = LandmarkCascadeConfig::new(3, 68).with_levels(4);
        assert_eq!(config.validate().unwrap_err().key, "levels");
        let config = LandmarkCascadeConfig::new(3, 68);
        assert_eq!(config.d_inputs(), [40 * 36, 64]);
    }
}
