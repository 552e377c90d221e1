//! Landmarks by direct regression: a small convolutional network and a shape prior.
//!
//! Reference: Feng et al., *Wing loss for robust facial landmark localisation with convolutional neural networks*,
//! 2018, <https://arxiv.org/abs/1711.06753>.
//! Differs from it: the network is a [`Cnn`] that says how strongly each of a few modes of a shape is present, and a
//! last layer, which starts from the mean and the principal components of the training shapes (Cootes et al.,
//! *Active shape models*, 1995, <https://doi.org/10.1006/cviu.1995.1004>), makes points of them.
//!
//! Points are in coordinates of the image: -1 is its left or top edge, 1 its right or bottom edge.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::{Cnn, CnnConfig};
use crate::config::{ConfigError, check_parameters, check_size};
use crate::layers::dense::project;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Configuration to create a [`LandmarkCnn`] with [`init`](LandmarkCnnConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct LandmarkCnnConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Side of an image, in pixels.
    pub size: usize,
    /// Number of points.
    pub points: usize,
    /// Number of output channels of each block, first to last.
    #[config(default = "vec![16, 32, 48, 64]")]
    pub block_channels: Vec<usize>,
    /// Number of convolutions in a block.
    #[config(default = 1)]
    pub convs_per_block: usize,
    /// Size of the hidden layer after the blocks; 0 for global average pooling instead.
    #[config(default = 128)]
    pub d_hidden: usize,
    /// Dropout probability before the modes, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// Modes of a shape.
    #[config(default = 30)]
    pub modes: usize,
}

data_sized!(LandmarkCnnConfig::new(in_channels, size, points));

impl LandmarkCnnConfig {
    fn cnn(&self) -> CnnConfig {
        CnnConfig::new(self.in_channels, self.size, self.size, self.modes)
            .with_block_channels(self.block_channels.clone())
            .with_convs_per_block(self.convs_per_block)
            .with_d_hidden(self.d_hidden)
            .with_dropout(self.dropout)
    }

    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("size", self.size)?;
        check_size("points", self.points)?;
        check_size("modes", self.modes)?;
        self.cnn().validate()?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`; the modes move nothing until [`LandmarkCnn::with_shapes`].
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> LandmarkCnn {
        assert_eq!(self.validate(), Ok(()), "invalid LandmarkCnnConfig");
        LandmarkCnn {
            net: self.cnn().init(device),
            shape: LinearConfig::new(self.modes, 2 * self.points)
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = self.cnn().layers();
        for layer in &mut layers {
            layer.name.insert_str(0, "net.");
        }
        layers.push(LayerSummary {
            name: "shape".into(),
            kind: "linear".into(),
            output_shape: vec![self.points, 2],
            parameters: linear_parameters(self.modes, 2 * self.points, true),
        });
        layers
    }
}

/// A convolutional network, and points from the modes of a shape.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::LandmarkCnnConfig;
///
/// let device = Device::flex();
/// let model = LandmarkCnnConfig::new(3, 32, 68).init(&device);
/// let points = model.forward(Tensor::zeros([2, 3, 32, 32], &device));
/// assert_eq!(points.dims(), [2, 136]);
/// ```
#[derive(Module, Debug)]
pub struct LandmarkCnn {
    net: Cnn,
    shape: Linear,
}

impl LandmarkCnn {
    /// The same with modes `[modes, 2 * points]` around a mean shape `[2 * points]`.
    ///
    /// # Panics
    ///
    /// If they are not of these sizes.
    #[must_use]
    pub fn with_shapes(mut self, modes: Vec<f32>, mean: Vec<f32>, device: &Device) -> Self {
        let shape = self.shape.weight.dims();
        let weight = Tensor::<2>::from_data(TensorData::new(modes, shape), device);
        let bias = Tensor::<1>::from_data(TensorData::new(mean, [shape[1]]), device);
        self.shape = Linear {
            weight: Param::from_tensor(weight),
            bias: Some(Param::from_tensor(bias)),
        };
        self
    }

    /// Number of modes of a shape.
    pub fn modes(&self) -> usize {
        self.shape.weight.dims()[0]
    }

    /// Computes x and y of each point, `[batch, 2 * points]`, of images `[batch, channels, size, size]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        project(&self.shape, self.net.forward(images))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    #[test]
    fn points_start_from_the_mean_shape_and_all_weights_learn() {
        let device = Device::flex().autodiff();
        let config = LandmarkCnnConfig::new(1, 16, 2)
            .with_block_channels(vec![4, 4])
            .with_modes(1)
            .with_dropout(0.0);
        assert_round_trips(&config);
        let model = config.init(&device);
        let mean = vec![0.1, 0.2, 0.3, 0.4];
        let flat = model
            .clone()
            .with_shapes(vec![0.0; 4], mean.clone(), &device);
        assert_eq!(values(flat.forward(normal([1, 1, 16, 16], &device))), mean);
        let model = model.with_shapes(vec![0.5, 1.0, -0.5, 0.2], mean, &device);
        let points = model.forward(normal([4, 1, 16, 16], &device));
        assert_every_parameter_gets_a_gradient(&model, &points);
    }
}
